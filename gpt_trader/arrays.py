"""Checks that turn a user's sequence into an array that kernels take, or say what is wrong with it."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gpt_trader.errors import BadData

Scalar = TypeVar("Scalar", np.float64, np.int64)


def vector(name: str, values: ArrayLike, kind: type[Scalar], size: int | None = None) -> NDArray[Scalar]:
    """`values` as a contiguous, writable array (n,); BadData when they are no numbers or not of that shape."""
    try:
        given = np.asarray(values)
        with np.errstate(invalid="ignore"):
            array = np.require(given, kind, ["C", "W"])
    except (TypeError, ValueError) as error:
        raise BadData(f"{name}: expected numbers, got {type(values).__name__} ({error})") from None
    if kind is np.int64 and not np.array_equal(array, given):
        raise BadData(f"{name}: expected whole numbers")
    if array.ndim != 1:
        raise BadData(
            f"{name}: expected one dimension (T,), got shape {array.shape}; pass one column at a time"
        )
    if size is not None and array.size != size:
        raise BadData(f"{name}: expected {size} values, one per bar or trade, got {array.size}")
    return array


def times(time: ArrayLike, size: int | None = None) -> NDArray[np.datetime64]:
    """`time` as naive datetime64[ns] (n,), strictly increasing; BadData otherwise."""
    try:
        given = np.asarray(time)
        if given.size and given.dtype.kind not in "MUO":
            raise TypeError("plain numbers")
        if given.dtype.kind == "O" and any(getattr(item, "tzinfo", None) is not None for item in given.flat):
            raise TypeError("a time zone; make it naive UTC: index.tz_convert('UTC').tz_localize(None)")
        array = np.require(given, "datetime64[ns]", ["C", "W"])
    except (TypeError, ValueError) as error:
        raise BadData(f"time: expected dates or times, got {type(time).__name__} ({error})") from None
    if array.ndim != 1:
        raise BadData(f"time: expected one dimension (T,), got shape {array.shape}")
    if size is not None and array.size != size:
        raise BadData(f"time: expected {size} times, one per bar, got {array.size}")
    moments = array.view(np.int64)
    if np.isnat(array).any() or (moments[1:] <= moments[:-1]).any():
        raise BadData("time: expected strictly increasing times without NaT; sort the bars and drop repeats")
    return array
