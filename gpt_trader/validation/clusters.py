"""Hierarchical clustering by average linkage, cut at a distance."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


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
