"""The form in which indicators compute: each symbol's present bars, side by side in one row per symbol."""

from __future__ import annotations

from functools import lru_cache
from math import isfinite
from operator import index
from typing import Any, TypeVar

import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

from gpt_trader.errors import BadParameter
from gpt_trader.indicators.layout_kernels import count_missing, flip

Array = NDArray[np.float64]
Result = TypeVar("Result")
LONGEST = 2**31  # periods are cut to this; no history is as long, so the result is all NaN either way


class Rows:
    """Input arrays of one call turned into rows (N, T): row s holds symbol s, its missing bars squeezed out.

    `rows` has one (N, T) array per input; in row s the first `counts[s]` values are the present bars, the
    rest NaN. `restore` is the way back to the caller's shape. Nothing is copied for one column without
    missing bars.
    """

    __slots__ = ("_present", "_shape", "counts", "rows")

    def __init__(self, rows: tuple[Array, ...], shape: tuple[int, ...]) -> None:
        self._shape = shape
        symbols, length = rows[0].shape
        self._present: NDArray[np.bool_] | None = None
        absent = 0
        for row in rows:
            absent += count_missing(row)
        if not absent:
            self.rows, self.counts = rows, _full_counts(symbols, length)
            return
        missing = np.isnan(rows[0])
        for row in rows[1:]:
            missing |= np.isnan(row)
        self._present = ~missing
        self.counts = self._present.sum(axis=1)
        left = self._left()
        squeezed = tuple(np.full((symbols, length), np.nan) for _ in rows)
        for target, row in zip(squeezed, rows, strict=True):
            target[left] = row[self._present]
        self.rows = squeezed

    def _left(self) -> NDArray[np.bool_]:
        """The mask (N, T) of the first `counts[s]` places of each row."""
        return np.arange(self._shape[0]) < self.counts[:, None]

    def restore(self, computed: Array) -> Array:
        """Computed rows (N, T) in the caller's shape, NaN at missing bars, read-only."""
        if self._present is not None:
            spread = np.full(computed.shape, np.nan)
            spread[self._present] = computed[self._left()]
            computed = spread
        return read_only(_flipped(computed) if computed.shape[0] > 1 else computed.reshape(self._shape))


def pack(indicator: str, **arrays: Array) -> Rows:
    """The rows of the named input arrays, all (T,) or all (T, N) of one shape.

    Raises BadParameter when an input is not numeric, has another number of dimensions, or the shapes differ.
    """
    rows: list[Array] = []
    shape: tuple[int, ...] = ()
    for name, values in arrays.items():
        columns = _columns(indicator, name, values)
        if rows and columns.shape != shape:
            found = ", ".join(f"{label} {np.shape(array)}" for label, array in arrays.items())
            raise BadParameter(f"{indicator}: all inputs must have one shape, (T,) or (T, N); got {found}.")
        shape = columns.shape
        rows.append(_as_rows(columns))
    return Rows(tuple(rows), shape)


def period(indicator: str, name: str, value: int, least: int = 1) -> int:
    """`value` as a number of bars. Raises BadParameter unless it is a whole number of at least `least`."""
    if type(value) is int and least <= value <= LONGEST:
        return value
    try:
        whole = least - 1 if isinstance(value, bool | np.bool_) else index(value)
    except TypeError:
        whole = least - 1
    if whole < least:
        raise BadParameter(
            f"{indicator}: {name} must be a whole number of bars, {least} or more; got {value!r}."
        )
    return min(whole, LONGEST)


def number(indicator: str, name: str, value: float, low: float = 0.0, high: float = np.inf) -> float:
    """`value` as a finite float within [low, high]. Raises BadParameter otherwise."""
    try:
        found = float(value)
    except (TypeError, ValueError):
        found = np.nan
    if not isfinite(found) or not low <= found <= high:
        bounds = f"at least {low:g}" if high == np.inf else f"from {low:g} to {high:g}"
        raise BadParameter(f"{indicator}: {name} must be a number, {bounds}; got {value!r}.")
    return found


def read_only(result: Result) -> Result:
    """An array or a tuple of arrays, which nobody writes from here on."""
    arrays: Any = result if isinstance(result, tuple) else (result,)
    for array in arrays:
        array.setflags(write=False)
    return result


def lagged(rows: Array, n: int) -> Array:
    """Rows moved `n` present bars later, NaN in front."""
    moved = np.full(rows.shape, np.nan)
    if n < rows.shape[1]:
        moved[:, n:] = rows[:, : rows.shape[1] - n]
    return moved


def ratio(above: Array, below: Array, undefined: float = np.nan) -> Array:
    """above / below, and `undefined` where `below` is zero; NaN stays NaN."""
    result = np.full(above.shape, undefined)
    with np.errstate(all="ignore"):
        np.divide(above, below, out=result, where=below != 0.0)
    return result


def _flipped(values: Array) -> Array:
    """The transpose of a table whose rows are contiguous, such as some columns of a panel."""
    height, width = values.shape
    step = values.strides[0] // values.itemsize
    span = (height - 1) * step + width if height else 0
    flat = as_strided(values, (span,), (values.itemsize,), writeable=False)
    return flip(flat, height, width, step)


def _columns(indicator: str, name: str, values: Array) -> Array:
    if type(values) is not np.ndarray or values.dtype != np.float64:
        try:
            values = np.asarray(values, dtype=np.float64)
        except (TypeError, ValueError) as error:
            raise BadParameter(f"{indicator}: {name} must be an array of numbers; {error}.") from error
    if values.ndim not in (1, 2):
        raise BadParameter(f"{indicator}: {name} must have shape (T,) or (T, N); got {values.shape}.")
    return values


def _as_rows(values: Array) -> Array:
    """Columns (T,) or (T, N) as contiguous rows (N, T), without a copy where the memory already lies so."""
    length = values.shape[0]
    if values.ndim == 1 or values.shape[1] == 1:
        rows = values.reshape(1, length)
    elif (
        values.flags.aligned and values.strides[1] == values.itemsize and values.strides[0] >= values.itemsize
    ):
        return _flipped(values)
    else:
        rows = values.T
    flags = rows.flags
    return rows if flags.c_contiguous and flags.aligned else np.require(rows, np.float64, ["C", "A"])


@lru_cache(maxsize=64)
def _full_counts(symbols: int, length: int) -> NDArray[np.int64]:
    counts = np.full(symbols, length, dtype=np.int64)
    counts.setflags(write=False)
    return counts
