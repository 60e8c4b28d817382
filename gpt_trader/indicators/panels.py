"""Indicators of complete panels, computed for all symbols of a bar at once where that is the faster way."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec, TypeVar, cast

import numpy as np

from gpt_trader.indicators.layout_kernels import count_missing
from gpt_trader.indicators.rows import read_only

P = ParamSpec("P")
R = TypeVar("R")

LEAST = 8  # symbols: one vector register of the widest processors


def across(of_panel: Callable[P, R]) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Let `of_panel`, which takes the same arguments, do the work where every array is a complete panel but for bars at the
    beginning that no symbol has (the warm-up of another indicator). The result has the same bits; it is an array (T, N) or a
    named tuple of them, set read-only here."""

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        @wraps(function)
        def call(*args: P.args, **kwargs: P.kwargs) -> R:
            given: Any = args[0] if args else None
            narrow = type(given) is np.ndarray and (given.ndim != 2 or given.shape[1] < LEAST)
            begin = None if narrow else _complete_from((*args, *kwargs.values()))
            if begin is None:
                return function(*args, **kwargs)
            if begin == 0:
                return read_only(of_panel(*args, **kwargs))

            def later(value: Any) -> Any:
                return value[begin:] if type(value) is np.ndarray else value

            found: Any = of_panel(*map(later, args), **{name: later(value) for name, value in kwargs.items()})
            if isinstance(found, tuple):
                return cast(R, read_only(type(found)(*(_behind(begin, array) for array in found))))
            return cast(R, read_only(_behind(begin, found)))

        return call

    return decorate


def _behind(missing: int, part: Any) -> Any:
    """The rows of `part` behind so many missing ones."""
    whole = np.empty((missing + part.shape[0], part.shape[1]))
    whole[:missing] = np.nan
    whole[missing:] = part
    return whole


def _complete_from(values: tuple[Any, ...]) -> int | None:
    """The row from which the arrays among the arguments are complete, where they are panels (T, N) of one shape without a value
    before it; None for all others."""
    arrays = [value for value in values if not isinstance(value, int | float)]
    if not arrays or type(arrays[0]) is not np.ndarray:
        return None
    shape = arrays[0].shape
    if len(shape) != 2 or shape[1] < LEAST or not all(_is_panel(array, shape) for array in arrays):
        return None
    first = [_first_value(array[:, 0]) for array in arrays]
    if any(count_missing(array[row:]) for row, array in zip(first, arrays, strict=True)):
        return None
    if any(count_missing(array[:row]) < row * shape[1] for row, array in zip(first, arrays, strict=True)):
        return None
    return max(first)


def _first_value(column: Any) -> int:
    """The first row that is not NaN, all of them when there is none."""
    present = column == column
    row = int(present.argmax()) if present.size else 0
    return row if present.size and present[row] else present.size


def _is_panel(array: Any, shape: tuple[int, ...]) -> bool:
    return (
        type(array) is np.ndarray
        and array.shape == shape
        and array.dtype == np.float64
        and array.flags.c_contiguous
        and array.flags.aligned
    )
