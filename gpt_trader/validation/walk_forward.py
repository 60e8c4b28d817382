"""What the windows of a walk-forward chose, how well that held up, and how steady the choice and its surface were.

A surface is how good each of P points was in the training of each of W windows: (W, P), more is better, NaN where a
point has no value. Points lie at places on axes: (P, A) whole numbers.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

NONE = -1
FEWEST = 3
"""Points that two surfaces must share for their rank correlation to say anything."""


def best_of_each(surface: Floats) -> Integers:
    """(W,) the best point of each window, of equal ones the first; NONE where no point has a value."""
    known = np.where(np.isfinite(surface), surface, -np.inf)
    return np.where(np.isfinite(surface).any(axis=1), known.argmax(axis=1), NONE).astype(np.int64)


def carried_forward(chosen: Integers) -> Integers:
    """(W,) what trades in each window: its own choice, else the last one before it; NONE before the first."""
    last = np.maximum.accumulate(np.where(chosen == NONE, -1, np.arange(len(chosen))))
    return np.where(last < 0, NONE, chosen[np.maximum(last, 0)])


@dataclass(frozen=True, slots=True, eq=False)
class Stability:
    """How steady the choice of W windows was.

    `unchanged`: share of the W - 1 changes of window that left the point as it was; `distinct`: how many points were ever
    chosen; `moves` (W - 1, A): by how many steps the choice moved on each axis; `rank_correlation` (W - 1,): Spearman's
    between the surfaces of a window and of the one before. NaN where there is nothing to compare.
    """

    unchanged: float
    distinct: int
    moves: Integers
    rank_correlation: Floats


def stability(surface: Floats, chosen: Integers, places: Integers) -> Stability:
    """`Stability` of the points `chosen` (W,), none of them NONE, that lie at `places` (P, A)."""
    moves = np.abs(np.diff(places[chosen], axis=0))
    unchanged = float((np.diff(chosen) == 0).mean()) if len(chosen) > 1 else float("nan")
    correlations = [rank_correlation(left, right) for left, right in pairwise(surface)]
    return Stability(unchanged, len(set(chosen.tolist())), moves, np.array(correlations, np.float64))


def rank_correlation(left: Floats, right: Floats) -> float:
    """Spearman's rank correlation of (P,) and (P,) over the points that both have; equal values share their mean rank.

    NaN below FEWEST common points and where one side does not vary.
    """
    both = np.isfinite(left) & np.isfinite(right)
    if both.sum() < FEWEST:
        return float("nan")
    x, y = ranks(left[both]), ranks(right[both])
    x, y = x - x.mean(), y - y.mean()
    spread = float(np.sqrt((x * x).sum() * (y * y).sum()))
    return float((x * y).sum()) / spread if spread > 0 else float("nan")


def ranks(values: Floats) -> Floats:
    """(P,) the rank of each value, 0 for the smallest; equal ones share their mean rank."""
    _, group, sizes = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(sizes)
    middle: Floats = (ends - sizes + ends - 1) / 2.0
    return middle[group]


def efficiency(inside: float, outside: float) -> float:
    """Walk-forward efficiency: what is left out of sample of a figure of the training, 1 when all; NaN unless the
    training's is above zero.

    Pardo 2008, "The Evaluation and Optimization of Trading Strategies", ch. 11, for the annual return.
    """
    return outside / inside if inside > 0 else float("nan")
