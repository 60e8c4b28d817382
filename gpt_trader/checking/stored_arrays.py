"""Arrays over time that a strategy keeps between `features` and `decide`: in its instance, its class or its module."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from types import FunctionType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpt_trader.checking.carried_tables import is_own
from gpt_trader.strategy import Strategy

DEPTH = 3  # containers inside each other that are looked into
MOST = 1000  # things in a container that are looked at
Buffer = NDArray[Any] | list[Any]


def stored_over_time(strategy: Strategy, bars: int) -> list[Buffer]:
    """Every array, frame and list with one row for each of `bars` bars that can be written, each once."""
    found: dict[int, Buffer] = {}
    for value in _roots(strategy):
        for item in _inside(value, DEPTH, set()):
            buffer = _writable(item, bars)
            if buffer is not None:
                found.setdefault(_address(buffer), buffer)
    return list(found.values())


def _roots(strategy: Strategy) -> Iterator[Any]:
    yield vars(strategy)
    for owner in type(strategy).__mro__:
        module = sys.modules.get(owner.__module__)
        if not is_own(module):
            continue
        yield dict(vars(owner))
        yield {name: value for name, value in vars(module).items() if not name.startswith("__")}
        for member in vars(owner).values():
            if isinstance(member, FunctionType):
                for cell in member.__closure__ or ():
                    try:
                        yield cell.cell_contents
                    except ValueError:  # not filled yet
                        continue


def _inside(value: Any, depth: int, seen: set[int]) -> Iterator[Any]:
    """The value and what dictionaries, lists, tuples and plain objects hold."""
    if id(value) in seen:
        return
    seen.add(id(value))
    yield value
    if depth == 0 or isinstance(value, str | bytes | type):
        return
    if isinstance(value, dict):
        inner = list(value.values())[:MOST]
    elif isinstance(value, list | tuple | set):
        inner = list(value)[:MOST]
    elif is_own(sys.modules.get(type(value).__module__)) and hasattr(value, "__dict__"):
        inner = list(vars(value).values())[:MOST]
    else:
        return
    for item in inner:
        yield from _inside(item, depth - 1, seen)


def _writable(value: Any, bars: int) -> Buffer | None:
    """The memory of a value with a row for each bar, to be written; None for anything else."""
    if type(value) is list:
        return value if len(value) == bars and all(isinstance(item, int | float) for item in value) else None
    array = value
    if not isinstance(value, np.ndarray):
        if type(value).__module__.partition(".")[0] != "pandas" or len(getattr(value, "shape", ())) == 0:
            return None
        try:
            array = value.to_numpy()
            if not np.shares_memory(array, value.to_numpy()):
                return None
        except (AttributeError, TypeError, ValueError):
            return None
    if not isinstance(array, np.ndarray) or array.ndim == 0 or array.shape[0] != bars or array.size == 0:
        return None
    view = array.view()
    try:
        for holder in reversed(list(bases(array))):
            holder.setflags(write=True)
        view.setflags(write=True)
    except ValueError:  # memory of somebody else
        return None
    return view


def bases(array: NDArray[Any]) -> Iterator[NDArray[Any]]:
    """The array and those that it is a view of."""
    found: object = array
    while isinstance(found, np.ndarray):
        yield found
        found = found.base


def _address(buffer: Buffer) -> int:
    return id(buffer) if isinstance(buffer, list) else int(buffer.__array_interface__["data"][0])
