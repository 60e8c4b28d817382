"""Profiles: the returns of a run as 32 sums over blocks of its bars, small enough to be kept for every trial."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

PROFILE_BLOCKS = 32


def block_edges(first: int, stop: int, blocks: int) -> NDArray[np.int64]:
    """The rows (blocks + 1,) at which `blocks` consecutive blocks of the rows first..stop-1 begin and end.

    Blocks differ by at most one row. Every k-th edge of k x B blocks is an edge of B blocks. With fewer rows than
    blocks some are empty.
    """
    return first + (stop - first) * np.arange(blocks + 1, dtype=np.int64) // blocks


def profile_of(returns: ArrayLike) -> NDArray[np.float32]:
    """The profile (32,) of the simple returns (T,) of a run per bar; a bar without a return (NaN) adds nothing."""
    values = np.nan_to_num(np.asarray(returns, np.float64))
    total = np.concatenate(([0.0], np.cumsum(values)))
    return np.diff(total[block_edges(0, values.size, PROFILE_BLOCKS)]).astype(np.float32)


def profiles_of(sums: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
    """The profiles (runs, 32) from block sums (runs, 2, B), of which the first are sums of returns.

    The blocks are those of `block_edges`: with B a multiple of 32, or one bar a block, the profiles are those of
    `profile_of`; else a block that lies across an edge counts to one side. A run that failed (NaN) has NaN.
    """
    total = np.cumsum(sums[:, 0], axis=1, dtype=np.float64)
    total = np.concatenate((np.zeros((len(sums), 1)), total), axis=1)
    return np.diff(total[:, block_edges(0, sums.shape[2], PROFILE_BLOCKS)], axis=1).astype(np.float32)


def profiles_between(
    sums: NDArray[np.floating[Any]], edges: NDArray[np.int64], bars: int
) -> NDArray[np.float32]:
    """The profiles (n, 32) of runs over a part of `bars` rows, from block sums (n, 2, B) between `edges` (B + 1,), none of
    which straddles a block of a profile: zero where a run was not, so that runs over different rows stand side by side."""
    profile = block_edges(0, bars, PROFILE_BLOCKS)
    made = np.zeros((PROFILE_BLOCKS, len(sums)))
    np.add.at(made, np.searchsorted(profile, edges[:-1], side="right") - 1, np.nan_to_num(sums[:, 0]).T)
    return made.T.astype(np.float32)
