"""The probability of backtest overfitting by combinatorially symmetric cross-validation (CSCV), from block sums.

Bailey, Borwein, López de Prado and Zhu 2015, "The Probability of Backtest Overfitting", Journal of Computational Finance
20(4) (2017), pp. 39-69: the bars are cut into an even number of groups; each half of the groups serves once as in-sample,
the other half as out-of-sample. In every split the point with the best in-sample Sharpe ratio is looked up out of sample:
its rank r among N points gives w = r / (N + 1) and the logit log(w / (1 - w)). The probability of overfitting is the share
of logits below 0: how often the best of the past is worse than the median of the future.

The Sharpe ratio over any union of blocks is exact from the sums of the returns and of their squares, so no returns are
needed. Choices that the paper leaves open:

- Equal Sharpe ratios out of sample share their mean rank; among equal ones in sample the first point is taken.
- A logit of exactly 0 counts one half (the paper counts it whole), so that a search that cannot tell its points apart
  has 0.5. It matters for ties and for few points of an odd number only.
- In a half in which a point did not trade its Sharpe ratio is 0: it neither earned nor lost.
- Left out is a point that failed (NaN), that never traded, or whose return is one same number in half of the groups.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gpt_trader.errors import BadData, BadParameter

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Group = tuple[int, ...]

GROUPS = 16
MOST_GROUPS = 20
WORK = 2**27  # Sharpe ratios that are computed at most: all 12,870 splits of 10,428 points
_FEWEST_PAIRS = 64
_ROUNDING = 1e-12  # share of a sum of squares that is no variance
_NOTHING = 1e-300  # stands for a sum of squares of zero


@dataclass(frozen=True, slots=True, eq=False)
class Overfitting:
    """What CSCV found; Sharpe ratios are per bar.

    `pbo` is the probability of overfitting: about 0.5 when the points do not differ, near 0 when the best of one half is
    among the best of the other; NaN with fewer than two points. Per split (splits,): the `logits` of the selected point's
    rank, its Sharpe ratio `in_sample` and `out_of_sample`. `slope` and `intercept` are the least squares line of
    out-of-sample on in-sample ("performance degradation"; pure noise slopes down, because what one half has more the
    other has less). `loss` is the share of splits in which the selected point lost money out of sample. `points` were
    compared, `left_out` could not be; `groups` of blocks; all `possible` splits, of which `logits.size` were taken.
    """

    pbo: float
    logits: Floats
    in_sample: Floats
    out_of_sample: Floats
    slope: float
    intercept: float
    loss: float
    points: int
    left_out: int
    groups: int
    possible: int

    def as_object(self) -> dict[str, Any]:
        """The numbers ready for JSON, None where undefined; the splits as means and as a histogram of their logits."""
        edges, counts = logit_histogram(self.logits)
        return {
            "pbo": _or_none(self.pbo),
            "points": self.points,
            "left_out": self.left_out,
            "groups": self.groups,
            "splits": self.logits.size,
            "possible_splits": self.possible,
            "in_sample_sharpe_per_bar": _mean(self.in_sample),
            "out_of_sample_sharpe_per_bar": _mean(self.out_of_sample),
            "degradation_slope": _or_none(self.slope),
            "degradation_intercept": _or_none(self.intercept),
            "probability_of_loss": _or_none(self.loss),
            "logit_edges": edges.tolist(),
            "logit_counts": counts.tolist(),
        }


def probability_of_overfitting(
    sums: ArrayLike, lengths: ArrayLike, groups: int = GROUPS, *, work: int = WORK
) -> Overfitting:
    """CSCV of points from `sums` (N, 2, B): per block of bars the sum of returns and of their squares.

    `lengths` (B,) are the bars of each block; consecutive blocks form `groups` (even, 2 to 20, at most B) that are as
    equal as they can be. Above 10,428 points (with 16 groups) evenly chosen splits are taken instead of all, so that the
    time stays at about a second (`work`: Sharpe ratios that are computed at most);
    a split and its mirror image always come together. Memory: half a KiB a point.
    Raises BadParameter for another number of groups and BadData for other shapes or lengths.
    """
    blocks, bars = _checked(sums, lengths, groups)
    cuts = np.arange(groups + 1) * bars.size // groups
    first = np.stack([blocks[:, 0, a:b].sum(axis=1) for a, b in pairwise(cuts)])
    second = np.stack([blocks[:, 1, a:b].sum(axis=1) for a, b in pairwise(cuts)])
    weight = np.array([bars[a:b].sum() for a, b in pairwise(cuts)])
    usable = _usable(first, second, weight)
    possible = math.comb(groups, groups // 2)
    points = int(usable.sum())
    if points < 2:
        nothing = np.empty(0)
        nan = math.nan
        return Overfitting(
            nan, nothing, nothing, nothing, nan, nan, nan, points, len(blocks) - points, groups, possible
        )
    pairs = _pairs(groups, points, work)
    first, second = np.compress(usable, first, axis=1), np.compress(usable, second, axis=1)
    rows = _compare(first, np.maximum(second, _NOTHING), weight, pairs)
    logits = np.log(rows[:, 2] / (points + 1.0 - rows[:, 2]))
    slope, intercept = _line(rows[:, 0], rows[:, 1])
    return Overfitting(
        pbo=float(np.mean(logits < 0.0) + 0.5 * np.mean(logits == 0.0)),
        logits=logits,
        in_sample=rows[:, 0],
        out_of_sample=rows[:, 1],
        slope=slope,
        intercept=intercept,
        loss=float(np.mean(rows[:, 1] < 0.0)),
        points=points,
        left_out=len(blocks) - points,
        groups=groups,
        possible=possible,
    )


def overfitting_of_returns(returns: ArrayLike, groups: int = GROUPS, *, work: int = WORK) -> Overfitting:
    """`probability_of_overfitting` from simple returns (T, N), one column a point; the last bars of a T that is no
    multiple of `groups` make some groups one bar longer. Raises as that does, and BadData for fewer bars than groups."""
    values = np.asarray(returns, np.float64)
    _check_groups(groups)
    if values.ndim != 2:
        raise BadData(f"returns: expected (T, N), one column a point, got shape {values.shape}")
    if len(values) < groups:
        raise BadData(f"returns: {len(values)} bars cannot be cut into {groups} groups")
    edges = np.arange(groups + 1) * len(values) // groups
    sums = np.stack(
        [np.add.reduceat(power, edges[:-1], axis=0).T for power in (values, values * values)], axis=1
    )
    return probability_of_overfitting(sums, np.diff(edges), groups, work=work)


def logit_histogram(logits: Floats, bins: int = 20) -> tuple[Floats, Integers]:
    """Edges (bins + 1,) and counts (bins,) of the logits; 0 is an edge, so what lies left of it is the overfitting.

    The range is symmetric about 0 and holds all logits. `bins` is even. No edges and counts without logits.
    """
    if bins < 2 or bins % 2:
        raise BadParameter(f"bins is {bins}: give an even number, so that 0 is an edge")
    if logits.size == 0:
        return np.empty(0), np.empty(0, np.int64)
    reach = float(np.abs(logits).max()) or 1.0
    counts, edges = np.histogram(logits, bins, (-reach, reach))
    return edges, counts.astype(np.int64)


# -- what is compared --------------------------------------------------------------------------------------------------


def _check_groups(groups: int) -> None:
    if groups % 2 or not 2 <= groups <= MOST_GROUPS:
        raise BadParameter(f"groups is {groups}: give an even number from 2 to {MOST_GROUPS}")


def _checked(sums: ArrayLike, lengths: ArrayLike, groups: int) -> tuple[Floats, Integers]:
    blocks, bars = np.asarray(sums, np.float64), np.asarray(lengths)
    _check_groups(groups)
    if blocks.ndim != 3 or blocks.shape[1] != 2 or bars.shape != blocks.shape[2:]:
        raise BadData(f"sums {blocks.shape} and lengths {bars.shape}: expected (N, 2, B) and (B,)")
    if bars.size < groups:
        raise BadParameter(f"{bars.size} blocks cannot be put into {groups} groups")
    if not (bars > 0).all():
        raise BadData("lengths: every block has at least one bar")
    return blocks, bars.astype(np.int64)


def _usable(first: Floats, second: Floats, weight: Integers) -> NDArray[np.bool_]:
    """Which points (N,) have a Sharpe ratio in every half, from their sums (groups, N)."""
    with np.errstate(invalid="ignore"):
        traded = (second > 0.0).any(axis=0)
        still = (second - first * first / weight[:, None] <= _ROUNDING * second) & (second > 0.0)
        known = np.isfinite(first).all(axis=0) & np.isfinite(second).all(axis=0)
        moves = 2 * still.sum(axis=0) < len(weight)
    usable: NDArray[np.bool_] = known & traded & moves
    return usable


def _pairs(groups: int, points: int, work: int) -> list[Group]:
    """The halves that hold group 0, each of which makes two splits with the other half; evenly chosen when too many."""
    halves = [(0, *rest) for rest in combinations(range(1, groups), groups // 2 - 1)]
    number = min(len(halves), max(_FEWEST_PAIRS, work // (2 * points)))
    return [halves[(2 * i + 1) * len(halves) // (2 * number)] for i in range(number)]


# -- the splits --------------------------------------------------------------------------------------------------------


def _compare(first: Floats, second: Floats, weight: Integers, pairs: list[Group]) -> Floats:
    """Per split: in-sample and out-of-sample Sharpe ratio of the selected point, and its rank from below (splits, 3).

    Points are ranked by S1 / sqrt(S2), which within one half grows with the Sharpe ratio and takes two operations.
    """
    everything = set(range(len(weight)))
    halves = [(half, tuple(sorted(everything.difference(half)))) for half in pairs]
    one, other = np.empty_like(first[0]), np.empty_like(first[0])
    rows = np.empty((2 * len(pairs), 3))
    sides = zip(_ratios(first, second, (h[0] for h in halves), one),
                _ratios(first, second, (h[1] for h in halves), other), strict=True)  # fmt: skip
    for i, (_, (half, rest)) in enumerate(zip(sides, halves, strict=True)):
        bars, bars_left = float(weight[list(half)].sum()), float(weight[list(rest)].sum())
        rows[2 * i] = _selected(one, other, bars, bars_left)
        rows[2 * i + 1] = _selected(other, one, bars_left, bars)
    return rows


def _ratios(first: Floats, second: Floats, halves: Iterator[Group], out: Floats) -> Iterator[None]:
    """Write S1 / sqrt(S2) of each half in turn to `out` (N,).

    Halves in lexicographic order share their first groups, so sums over the leading groups are kept: on average two
    additions make a new half out of the one before. Each point's sums are added in one order whatever its place,
    so that equal points stay equal to the last bit.
    """
    depth = len(first) // 2
    partial, partial_squares = np.empty((depth, out.size)), np.empty((depth, out.size))
    before: Group = ()
    for half in halves:
        for place in range(_shared(before, half), depth):
            group = half[place]
            if place == 0:
                partial[0], partial_squares[0] = first[group], second[group]
            else:
                np.add(partial[place - 1], first[group], out=partial[place])
                np.add(partial_squares[place - 1], second[group], out=partial_squares[place])
        before = half
        np.sqrt(partial_squares[-1], out=out)
        np.divide(partial[-1], out, out=out)
        yield


def _shared(one: Sequence[int], other: Sequence[int]) -> int:
    """How many leading items two sequences have in common."""
    for place, (left, right) in enumerate(zip(one, other, strict=False)):
        if left != right:
            return place
    return min(len(one), len(other))


def _selected(
    inside: Floats, outside: Floats, bars: float, bars_outside: float
) -> tuple[float, float, float]:
    """The best point of `inside` (N,): its two Sharpe ratios, and its mean rank, 1 to N, in `outside`."""
    best = int(inside.argmax())
    value = outside[best]
    below, up_to = np.count_nonzero(outside < value), np.count_nonzero(outside <= value)
    return _sharpe(float(inside[best]), bars), _sharpe(float(value), bars_outside), 0.5 * (below + up_to + 1)


def _sharpe(ratio: float, bars: float) -> float:
    """The Sharpe ratio per bar from S1 / sqrt(S2) over so many bars, with the sample standard deviation (n - 1)."""
    return ratio * math.sqrt(bars - 1.0) / bars / math.sqrt(1.0 - ratio * ratio / bars)


def _line(x: Floats, y: Floats) -> tuple[float, float]:
    """Slope and intercept of least squares; NaN when x does not vary."""
    away = x - x.mean()
    square = float(away @ away)
    if square <= _ROUNDING * float(x @ x):
        return math.nan, math.nan
    slope = float(away @ y) / square
    return slope, float(y.mean() - slope * x.mean())


def _mean(values: Floats) -> float | None:
    return float(values.mean()) if values.size else None


def _or_none(value: float) -> float | None:
    return None if math.isnan(value) else value
