"""Where two answers differ that should be the same."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

CAUSAL_TOLERANCE = 1e-9
WARM_TOLERANCE = 1e-6


def first_difference(
    a: NDArray[Any], b: NDArray[Any], tolerance: float = CAUSAL_TOLERANCE
) -> tuple[int, int] | None:
    """(row, column) of the first place where two arrays (T, N) differ by more than the relative tolerance; NaN equals NaN.

    Rows come before columns. Arrays of different shapes differ in their first place.
    """
    if a.shape != b.shape:
        return (0, 0)
    differs = _differs(a, b, tolerance)
    if not differs.any():
        return None
    row, column = np.unravel_index(int(np.argmax(differs)), differs.shape)
    return int(row), int(column)


def _differs(a: NDArray[Any], b: NDArray[Any], tolerance: float) -> NDArray[np.bool_]:
    """Where two arrays of one shape differ: numbers, complex numbers, records by field, and whatever can be compared."""
    if _numeric(a) and _numeric(b):
        return numbers_differ(a, b, tolerance)
    if a.dtype.names and a.dtype.names == b.dtype.names:
        fields = [_differs(a[name], b[name], tolerance) for name in a.dtype.names]
        return np.asarray(np.any([field.reshape(*a.shape, -1).any(axis=-1) for field in fields], axis=0))
    if a.dtype.kind == "c" and b.dtype.kind == "c":
        return numbers_differ(a.real, b.real, tolerance) | numbers_differ(a.imag, b.imag, tolerance)
    unlike = np.asarray(a != b)
    if unlike.shape != a.shape:  # kinds that cannot be compared
        return np.full(a.shape, True)
    unlike &= ~(np.asarray(a != a) & np.asarray(b != b))  # not a number, not a time
    return unlike


def numbers_differ(a: NDArray[Any], b: NDArray[Any], tolerance: float) -> NDArray[np.bool_]:
    """(T, N) True where two numbers are further apart than `tolerance` times the larger of them."""
    if a.dtype.kind in "biu" and b.dtype.kind in "biu":
        return np.asarray(a != b)
    left, right = np.asarray(a, np.float64), np.asarray(b, np.float64)
    same: NDArray[np.bool_] = (left == right) | (np.isnan(left) & np.isnan(right))
    if same.all():
        return ~same
    with np.errstate(invalid="ignore"):
        scale = np.maximum(np.abs(left), np.abs(right))
        allowed = tolerance * np.where(np.isfinite(scale), scale, 0.0) + 1e-12 * tolerance
        apart = ~(np.abs(left - right) <= allowed)
    differs: NDArray[np.bool_] = apart & ~same
    return differs


def first_other(a: list[tuple[Any, ...]], b: list[tuple[Any, ...]]) -> int | None:
    """The first of the bars that both have in which the order requests differ; None when there is none."""
    for t, (left, right) in enumerate(zip(a, b, strict=False)):
        if left != right and not _same_requests(left, right):
            return t
    return None


def _same_requests(left: tuple[Any, ...], right: tuple[Any, ...]) -> bool:
    if len(left) != len(right):
        return False
    return not left or first_difference(np.array(left, float), np.array(right, float)) is None


def _numeric(array: NDArray[Any]) -> bool:
    return array.dtype.kind in "biuf"
