"""Indicators of wide panels some columns at a time: what they need stays in the processor's cache and takes little memory."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec, TypeVar, cast

import numpy as np

from gpt_trader.indicators.rows import read_only

P = ParamSpec("P")
R = TypeVar("R")

WHOLE = 2**18  # values (2 MB) up to which a panel is computed at once
VALUES = 2**16  # values of one input in a block (512 kB), but
LEAST = 8  # never fewer columns: a cache line of each row


def in_blocks(function: Callable[P, R]) -> Callable[P, R]:
    """Let an indicator see wide arrays (T, N) in blocks of columns; it treats each symbol on its own, so the result is the same.

    The function returns an array (T, N) or a named tuple of them.
    """

    @wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        given: Any = args[0] if args else next(iter(kwargs.values()), None)
        if type(given) is not np.ndarray or given.ndim != 2 or given.size <= WHOLE:
            return function(*args, **kwargs)
        values, shape = (*args, *kwargs.values()), given.shape
        columns = max(LEAST, VALUES // shape[0] // LEAST * LEAST)
        if columns >= shape[1] or not all(_fits(value, shape) for value in values):
            return function(*args, **kwargs)
        return cast(R, _computed(function, args, kwargs, shape, columns))

    return call


def _fits(value: Any, shape: tuple[int, ...]) -> bool:
    """Whether an argument is an array of floats of the shape (T, N), or one value or series for all symbols."""
    if type(value) is not np.ndarray or value.ndim < 2:
        return not isinstance(value, list | tuple)
    return bool(value.shape == (shape[0], 1) or (value.shape == shape and value.dtype == np.float64))


def _computed(function: Any, args: Any, kwargs: Any, shape: tuple[int, ...], columns: int) -> Any:
    """The result of `function` put together from blocks of so many columns."""
    whole: Any = None
    for left in range(0, shape[1], columns):
        block = slice(left, left + columns)

        def part(value: Any, block: slice = block) -> Any:
            return value[:, block] if type(value) is np.ndarray and value.shape == shape else value

        found = function(*map(part, args), **{name: part(value) for name, value in kwargs.items()})
        arrays = found if isinstance(found, tuple) else (found,)
        if whole is None:
            whole = tuple(np.empty(shape, array.dtype) for array in arrays)
        for target, array in zip(whole, arrays, strict=True):
            target[:, block] = array
    read_only(whole)
    return type(found)(*whole) if isinstance(found, tuple) else whole[0]
