"""Clusters of trials that move together: how many different ideas there are in a search.

López de Prado and Lewis (2019, "Detection of false investment strategies using unsupervised learning methods", Quantitative
Finance 19(9), pp. 1555-1565) take the number of clusters as the number of independent trials, and the variance of the clusters'
Sharpe ratios as theirs. Here it is a description of a search and enters no test: as a test it lets up to 25 of 100 pieces of
noise pass at "95 %" (docs/decisions/0010-effective-number-of-trials.md). Unlike theirs (k-means, with the number of
clusters from the silhouette, which lies between 2 and n - 1) the clusters are cut at a fixed correlation, so that copies of one
trial are 1 and independent noise is n, as far as the blocks of a profile can tell.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gpt_trader.validation.effective_trials import checked_profiles, sample_variance, unit_profiles

Floats = NDArray[np.float64]

TOGETHER = 0.5
"""Trials whose profiles correlate at least so much on average are one cluster."""
MOST = 1000
"""As many trials, evenly spaced, are clustered at most."""


@dataclass(frozen=True, slots=True)
class TrialClusters:
    """The `number` of clusters among the trials that vary, and the `variance` of the clusters' mean Sharpe ratios per bar
    (NaN with fewer than two)."""

    number: int
    variance: float


def trial_clusters(profiles: ArrayLike, sharpe: ArrayLike) -> TrialClusters:
    """Clusters of `profiles` (n, B), sums of returns over B >= 3 blocks, with `sharpe` (n,) per bar.

    Two of n independent trials correlate by `TOGETHER` in 32 blocks once in 500, so that of 1,000 such trials a third ends
    up in one cluster with another. Raises BadData for other shapes.
    """
    rows, ratios = checked_profiles(profiles, sharpe)
    unit, varies = unit_profiles(rows)
    ratios = ratios[varies]
    count = len(unit)
    if count == 0:
        return TrialClusters(0, math.nan)
    chosen = np.arange(count) if count <= MOST else np.linspace(0, count - 1, MOST).astype(np.int64)
    some = unit[chosen].astype(np.float64)
    label = average_linkage(1.0 - some @ some.T, 1.0 - TOGETHER)
    known = np.isfinite(ratios[chosen])
    members = np.bincount(label[known], minlength=label.max() + 1)
    total = np.bincount(label[known], weights=ratios[chosen][known], minlength=members.size)
    with np.errstate(invalid="ignore"):
        means = total / members
    return TrialClusters(members.size, sample_variance(means))


def average_linkage(distances: Floats, cut: float) -> NDArray[np.int64]:
    """Clusters of n items from their `distances` (n, n): a label (n,) each, 0 .. clusters - 1 in order of appearance.

    Two clusters are joined, nearest first, while the mean distance between their items is at most `cut` (UPGMA: Sokal and
    Michener 1958). The pairs are found along chains of nearest neighbours (Murtagh 1983, "A Survey of Recent Advances in
    Hierarchical Clustering Algorithms", The Computer Journal 26(4), pp. 354-359), which joins in another order but builds
    the same tree, in n^2 steps.
    """
    between = np.array(distances, np.float64)
    np.fill_diagonal(between, np.inf)
    count = len(between)
    size, alive, owner = np.ones(count), np.ones(count, np.bool_), np.arange(count)
    chain: list[int] = []
    for _ in range(count - 1):
        if not chain:
            chain.append(int(alive.argmax()))
        _follow(between, chain)
        second, first = sorted(chain[-2:], reverse=True)
        del chain[-2:]
        if between[first, second] <= cut:
            owner[owner == second] = first
        _join(between, size, first, second)
        alive[second] = False
    return _in_order(owner)


def _follow(between: Floats, chain: list[int]) -> None:
    """Lengthen the chain, each item the nearest of the one before, until its last two are nearest to each other."""
    while True:
        last = chain[-1]
        near = int(between[last].argmin())
        if len(chain) > 1 and between[last, chain[-2]] <= between[last, near]:
            return
        chain.append(near)


def _join(between: Floats, size: Floats, first: int, second: int) -> None:
    """Put cluster `second` into `first`: mean distances, never below the smaller one, which rounding could bring about."""
    one, other = between[first], between[second]
    joined = (size[first] * one + size[second] * other) / (size[first] + size[second])
    joined = np.maximum(joined, np.minimum(one, other))
    joined[first] = np.inf
    between[first], between[:, first] = joined, joined
    between[second], between[:, second] = np.inf, np.inf
    size[first] += size[second]


def _in_order(owner: NDArray[np.int64]) -> NDArray[np.int64]:
    """Labels 0, 1, … in order of first appearance."""
    _, first, label = np.unique(owner, return_index=True, return_inverse=True)
    rank = np.empty(first.size, np.int64)
    rank[np.argsort(first)] = np.arange(first.size)
    return rank[label]
