"""Combinatorial purged cross-validation of a choice between points, from the block sums of one run of each.

A rule is causal: what it earns in a bar does not depend on later bars. So one run over all bars gives what a point
earned in any set of rows, and choosing on 45 training sets costs no run more than choosing on one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gpt_trader.validation.splits import CombinatorialSplits, blocks_in
from gpt_trader.validation.walk_forward import NONE, best_of_each

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
OBJECTIVES = ("sharpe", "return", "volatility")
"""What follows from block sums for rows that are not contiguous; return is the mean, not compounded."""


_ROUNDING = 1e-6  # share of a sum of squares that single precision cannot tell from none


@dataclass(frozen=True, slots=True, eq=False)
class Moments:
    """Of the returns per bar of n points in S sets of rows: `mean` and sample standard `deviation`, (n, S)."""

    mean: Floats
    deviation: Floats

    @property
    def sharpe(self) -> Floats:
        """(n, S) mean / deviation, per bar; NaN without a deviation."""
        ratio = np.full_like(self.mean, np.nan)
        return np.divide(self.mean, self.deviation, out=ratio, where=self.deviation > 0)

    @property
    def idle(self) -> NDArray[np.bool_]:
        """(n, S) where nothing was earned, lost or risked."""
        idle: NDArray[np.bool_] = (self.mean == 0) & (self.deviation == 0)
        return idle

    def gains(self, objective: str) -> Floats:
        """(n, S) how good each point is by one of OBJECTIVES; NaN where it was idle."""
        if objective == "volatility":
            return np.where(self.deviation > 0, -self.deviation, np.nan)
        return np.where(self.idle, np.nan, self.mean) if objective == "return" else self.sharpe


def moments_of_sets(sums: NDArray[np.floating], rows: Integers, members: NDArray[np.bool_]) -> Moments:
    """`Moments` from block sums (n, 2, B) of `rows` (B,) bars each, in sets that are unions of blocks, `members` (S, B)."""
    mean = np.empty((len(sums), len(members)))
    deviation = np.empty_like(mean)
    for column, blocks in enumerate(members):
        count = int(rows[blocks].sum())
        first, second = sums[:, :, blocks].astype(np.float64).sum(axis=2).T
        spread = second - first * first / count
        spread = np.where(spread <= _ROUNDING * second, 0.0, spread)
        mean[:, column] = first / count
        deviation[:, column] = np.sqrt(spread / (count - 1)) if count > 1 else np.nan
    return Moments(mean, deviation)


@dataclass(frozen=True, slots=True, eq=False)
class Choices:
    """What was chosen on the training rows of each of S splits and how it did on the test rows.

    `point` (S,) indices; `in_sample` and `out_of_sample` (S,) the Sharpe ratio per bar of the chosen point;
    `out_of_sample_mean` (S,) its mean return in the test; `beaten` (S,) the share of all other points that it beats in the
    test by the objective, about 0.5 when choosing is no better than chance.
    """

    point: Integers
    in_sample: Floats
    out_of_sample: Floats
    out_of_sample_mean: Floats
    beaten: Floats


def choose(
    splits: CombinatorialSplits, edges: Integers, sums: NDArray[np.floating], objective: str
) -> Choices:
    """The best point of each split's training rows, from block sums (n, 2, B) between `edges` (B + 1,), which hold
    `splits.edges`.

    A point that does nothing in the test has a Sharpe ratio of 0 there: it neither earned nor lost. A split on which no
    point has a value chooses NONE and has NaN.
    """
    rows = np.diff(edges)
    in_sample, out_of_sample = (
        moments_of_sets(sums, rows, np.array([blocks_in(edges, spans) for spans in sets]))
        for sets in ([split.train for split in splits.splits], [split.test for split in splits.splits])
    )
    point = best_of_each(in_sample.gains(objective).T)
    at, chosen = (point, np.arange(len(point))), point != NONE
    return Choices(
        point,
        np.where(chosen, in_sample.sharpe[at], np.nan),
        np.where(chosen, np.where(out_of_sample.idle, 0.0, out_of_sample.sharpe)[at], np.nan),
        np.where(chosen, out_of_sample.mean[at], np.nan),
        _beaten(np.where(out_of_sample.idle, 0.0, out_of_sample.gains(objective)), point),
    )


def _beaten(gains: Floats, point: Integers) -> Floats:
    """(S,) share of the other points with a value (n, S) that `point` (S,) beats; an equal one counts half."""
    found = np.full(len(point), np.nan)
    for split, mine in enumerate(point.tolist()):
        others = np.delete(gains[:, split], mine)
        others = others[np.isfinite(others)]
        if mine != NONE and others.size:
            own = gains[mine, split]
            found[split] = float(((others < own) + 0.5 * (others == own)).mean())
    return found


def path_returns(splits: CombinatorialSplits, point: Integers, returns: Mapping[int, Floats]) -> Floats:
    """(P, T) the out-of-sample return of each bar on every path: fold by fold that of the point which the path's split
    chose, from `returns` (T,) of each point that was chosen. A fold whose split chose NONE earns nothing."""
    paths = splits.paths
    made = np.zeros((len(paths), splits.folds[-1][1]))
    for path, chosen in zip(made, point[paths], strict=True):
        for (start, stop), mine in zip(splits.folds, chosen.tolist(), strict=True):
            if mine != NONE:
                path[start:stop] = returns[mine][start:stop]
    return made


def sharpe_of(returns: Floats) -> Floats:
    """(P,) Sharpe ratio per bar of each row of returns (P, T)."""
    return Moments(returns.mean(axis=1), returns.std(axis=1, ddof=1)).sharpe
