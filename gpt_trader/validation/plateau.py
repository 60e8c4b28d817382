"""The plateau score of a grid: how good a point is together with its neighbours, so that a lone peak does not win.

The neighbours of a point are the points at most one step away from it along every ordered axis at once (3^k - 1 of them
for k ordered axes) and equal to it on the others, whose values have no order. The score of a point is the smaller of its
own value and the lower quartile of itself and its neighbours: it and three quarters of the settings around it did at
least as well. A lone spike adds nothing to any score, where a mean would lend it to all its neighbours; a slope scores
lower than its points; and a pit in a plateau has what it has, because it is the point itself that would be traded.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gpt_trader.errors import BadData, BadParameter

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

QUARTILE = 0.25
ENOUGH = 0.5
"""A plateau is named only where at least this share of the neighbourhood was evaluated."""
CELLS = 2**22  # neighbours that are looked up at a time
_LARGEST = 2**62
_MOST_AXES = 10


@dataclass(frozen=True, slots=True, eq=False)
class Plateau:
    """Scores of n points. `scores` (n,), NaN for a point without a value; `known` (n,) is the share of the neighbourhood,
    the point included, that has a value; beyond the boundary of the grid there is none, so 0.67 is a whole edge of two axes.

    `best` is the row with the highest score among those with `known` of `ENOUGH` or more (among all if there is none;
    equal scores: the larger value, then the first row), `peak` the row with the highest value; -1 without a value.
    `peak_ratio` is the peak's own score / its value: near 1 on a plateau, 0 or less on a lone spike; NaN for a peak that
    is not above 0. `boundary` names the axes on which the best plateau lies at the end of the grid: beyond may be better.
    """

    scores: Floats
    known: Floats
    best: int
    peak: int
    peak_ratio: float
    boundary: tuple[int, ...]


def plateau(
    index: ArrayLike,
    values: ArrayLike,
    ordered: Sequence[bool] | None = None,
    quantile: float = QUARTILE,
    *,
    cells: int = CELLS,
) -> Plateau:
    """Scores of points at `index` (n, d), positions 0, 1, … on each axis of a grid, with `values` (n,), more is better.

    Points may be missing, as after a constraint; NaN or an infinity (a failed point) counts as missing. A point given twice counts
    once as a neighbour. `ordered` (d,) says which axes have an order (left out: all; 10 at most). `quantile`: 0 takes the
    worst neighbour, 0.5 the median. `cells`: neighbours that are looked up at a time.
    Raises BadData for other shapes, BadParameter for another quantile or too many axes.
    """
    places, marks = _checked(index, values)
    axes = [axis for axis in range(places.shape[1]) if ordered is None or ordered[axis]]
    if ordered is not None and len(ordered) != places.shape[1]:
        raise BadData(f"ordered has {len(ordered)} entries for {places.shape[1]} axes")
    if len(axes) > _MOST_AXES:
        raise BadParameter(
            f"{len(axes)} ordered axes have {3 ** len(axes):,} neighbours; give {_MOST_AXES} axes or fewer"
        )
    if not 0.0 <= quantile <= 1.0:
        raise BadParameter(f"quantile is {quantile!r}: give a share from 0 to 1, such as 0.25")
    if np.isnan(marks).all():
        return Plateau(np.full(marks.size, np.nan), np.zeros(marks.size), -1, -1, math.nan, ())
    scores, known = _scores(places, marks, axes, quantile, cells)
    peak = int(np.nanargmax(marks))
    best = _best(scores, known, marks)
    return Plateau(
        scores=scores,
        known=known,
        best=best,
        peak=peak,
        peak_ratio=float(scores[peak] / marks[peak]) if marks[peak] > 0.0 else math.nan,
        boundary=tuple(axis for axis in axes if _at_end(places[:, axis], best)),
    )


def _checked(index: ArrayLike, values: ArrayLike) -> tuple[Integers, Floats]:
    places, marks = np.asarray(index), np.asarray(values, np.float64)
    if places.ndim != 2 or marks.shape != places.shape[:1]:
        raise BadData(f"index {places.shape} and values {marks.shape}: expected (n, d) and (n,)")
    if places.size and (places.dtype.kind not in "iu" or places.min() < 0):
        raise BadData("index: expected whole numbers from 0, positions on each axis of the grid")
    return places.astype(np.int64), np.where(np.isfinite(marks), marks, np.nan)


def _scores(
    places: Integers, values: Floats, axes: Sequence[int], quantile: float, cells: int
) -> tuple[Floats, Floats]:
    """The score of every point and the share of its neighbourhood that is known."""
    strides = _strides(places)
    keys = places @ strides
    order = np.argsort(keys, kind="stable")
    steps = np.array([sum(s * strides[a] for s, a in zip(step, axes, strict=True))
                      for step in product((-1, 0, 1), repeat=len(axes))], np.int64)  # fmt: skip
    whole = math.prod(min(3, int(np.ptp(places[:, axis])) + 1) for axis in axes)
    scores, known = np.full(values.size, np.nan), np.zeros(values.size)
    rows = max(1, cells // steps.size)
    for begin in range(0, values.size, rows):
        part = slice(begin, begin + rows)
        around = _look_up(keys[part, None] + steps, keys[order], values[order])
        around.sort(axis=1)  # NaN last
        count = np.isfinite(around).sum(axis=1)
        known[part] = count / whole
        scores[part] = np.minimum(values[part], _quantile(around, count, quantile))
    return scores, known


def _strides(places: Integers) -> Integers:
    """What to multiply positions with, so that their sum is another number for each point and each step around it.

    Every axis has one position more than is used: a step over either end lands there and finds nothing.
    """
    levels = [int(top) + 2 for top in places.max(axis=0)]
    strides = [math.prod(levels[axis + 1 :]) for axis in range(len(levels))]
    if math.prod(levels) >= _LARGEST:
        raise BadParameter(f"a grid of {math.prod(levels):.3g} places is too large for a plateau score")
    return np.array(strides, np.int64)


def _look_up(wanted: Integers, keys: Integers, values: Floats) -> Floats:
    """The values at the wanted keys, NaN where there is no such key; `keys` are sorted."""
    at = np.minimum(np.searchsorted(keys, wanted), keys.size - 1)
    return np.where(keys[at] == wanted, values[at], np.nan)


def _quantile(ascending: Floats, count: Integers, quantile: float) -> Floats:
    """Quantile of the first `count` (n,) of each row (n, m), interpolated linearly (Hyndman and Fan's type 7)."""
    place = quantile * np.maximum(count - 1, 0)
    low = place.astype(np.int64)
    high = np.minimum(low + 1, np.maximum(count - 1, 0))
    rows = np.arange(len(ascending))
    below, above = ascending[rows, low], ascending[rows, high]
    result: Floats = below + (place - low) * (above - below)
    return result


def _at_end(positions: Integers, row: int) -> bool:
    """Whether a row holds the first or last of three or more positions."""
    return bool(np.ptp(positions) > 1 and positions[row] in (positions.min(), positions.max()))


def _best(scores: Floats, known: Floats, values: Floats) -> int:
    """The row of the best plateau."""
    scored = np.isfinite(scores)
    enough = scored & (known >= ENOUGH)
    rows = np.flatnonzero(enough if enough.any() else scored)
    return int(rows[np.lexsort((-values[rows], -scores[rows]))[0]])
