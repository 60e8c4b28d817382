"""Tables of data that the code of a strategy carries with it: in its module, its class, its closures and defaults."""

from __future__ import annotations

import ctypes
import dis
import sys
from collections.abc import Iterator
from mmap import mmap
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any

import numpy as np

from gpt_trader.bars import Bars
from gpt_trader.checking.check_report import CAUSAL, Finding, finding
from gpt_trader.strategy import Strategy
from gpt_trader.strategy_code import is_installed

DEPTH = 4  # functions that are followed from a method


def carried_tables(strategy: Strategy, bars: Bars) -> list[Finding]:
    """A fault for each table that a method reaches by name: other Bars, or an array or frame at least half as long as `bars`.

    Whether it is used to look ahead cannot be told, for it stays whole when the bars are cut. What dictionaries and lists hold is
    not looked at: they are memories more often than data.
    """
    found: dict[str, Finding] = {}
    for owner in type(strategy).__mro__:
        if not is_own(sys.modules.get(owner.__module__)):
            continue
        for name, member in vars(owner).items():
            function = getattr(member, "__func__", getattr(member, "py_func", member))
            values = _reached(function, DEPTH) if isinstance(function, FunctionType) else [(name, member)]
            for what, value in values:
                table = _as_table(value, bars)
                if table is not None:
                    method = name if isinstance(function, FunctionType) else "features"
                    text = f"uses {what} ({table}) from outside the bars: it stays whole when they are cut, and may know the future"
                    found.setdefault(what, finding(strategy, CAUSAL, method, bars, 0, text))
    return list(found.values())


def _reached(function: FunctionType, depth: int) -> Iterator[tuple[str, Any]]:
    """Names and values that a function of the user's own reaches: globals, closures, defaults, and those of what it calls."""
    if not is_own(sys.modules.get(function.__module__)) or depth == 0:
        return
    named = [
        (name, function.__globals__[name])
        for name in _names(function.__code__)
        if name in function.__globals__
    ]
    for variable, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        try:
            named.append((variable, cell.cell_contents))
        except ValueError:  # not filled yet
            continue
    named += [(f"a default of {function.__name__}", value) for value in function.__defaults__ or ()]
    named += list((function.__kwdefaults__ or {}).items())
    for name, value in named:
        inner = getattr(value, "py_func", getattr(value, "__wrapped__", value))
        if isinstance(inner, FunctionType) and inner is not function:
            yield from _reached(inner, depth - 1)
        else:
            yield name, value


_GLOBAL = ("LOAD_GLOBAL", "LOAD_NAME", "LOAD_FROM_DICT_OR_GLOBALS")  # co_names holds attributes, too


def _names(code: CodeType) -> set[str]:
    """Global names that a function and the functions inside it use."""
    names = {step.argval for step in dis.get_instructions(code) if step.opname in _GLOBAL}
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            names |= _names(constant)
    return names


def _as_table(value: Any, bars: Bars) -> str | None:
    """What a value is, when it is a table that may hold prices, or memory in which runs may leave any."""
    if isinstance(value, Bars):
        return repr(value)
    if _is_shared(value):
        return f"{type(value).__name__}, memory that processes share"
    if getattr(getattr(value, "dtype", None), "kind", "") in ("M", "m"):
        return None  # times are no prices
    kind = type(value)
    is_table = isinstance(value, np.ndarray) or kind.__module__.partition(".")[0] in (
        "pandas",
        "polars",
        "pyarrow",
    )
    shape = getattr(value, "shape", None)
    if not is_table or not isinstance(shape, tuple) or not all(isinstance(size, int) for size in shape):
        return None
    return (
        f"{kind.__name__} of {' x '.join(map(str, shape))}" if shape and max(shape) >= bars.T // 2 else None
    )


def _is_shared(value: Any) -> bool:
    """Whether a value lies in memory that outlives the process that wrote it."""
    if isinstance(value, np.ndarray):
        while isinstance(value, np.ndarray) and value.base is not None:
            value = value.base
        value = value.obj if isinstance(value, memoryview) else value
    if isinstance(value, mmap) or (
        isinstance(value, ctypes.Array) and hasattr(value, "_wrapper")
    ):  # multiprocessing's own
        return True
    return type(value).__module__.startswith(("multiprocessing.shared", "multiprocessing.managers"))


def is_own(module: Any) -> bool:
    """Whether a module is the user's: not of Python, an installed package or this one."""
    if module is None:
        return False
    place = getattr(module, "__file__", None)
    return place is None or not is_installed(Path(place))
