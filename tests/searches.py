"""Searches of known truth: simple returns (T, N) of N trials, and their block sums."""

from __future__ import annotations

import numpy as np

PAIRS = [
    (fast, slow) for fast in (2, 4, 6, 8, 10, 12, 16, 20, 24) for slow in (30, 40, 50, 60, 80, 100, 120, 150)
]
"""72 pairs of moving-average lengths."""


def noise(random: np.random.Generator, bars: int, trials: int) -> np.ndarray:
    """Independent trials without any edge, 1 % a day."""
    return random.normal(0.0, 0.01, (bars, trials))


def planted(random: np.random.Generator, bars: int, trials: int, good: int, sharpe: float) -> np.ndarray:
    """Independent trials, of which the first `good` have a true Sharpe ratio of `sharpe` a bar."""
    returns = noise(random, bars, trials)
    returns[:, :good] += 0.01 * sharpe
    return returns


def averages_on_noise(random: np.random.Generator, bars: int, short: bool = False) -> np.ndarray:
    """Long while the fast average leads, else flat (or short): 72 pairs on one random walk, decided a bar before."""
    warm = max(slow for _, slow in PAIRS)
    moves = random.normal(0.0, 0.01, bars + warm)
    total = np.concatenate(([0.0], np.cumsum(np.cumsum(moves))))
    mean = {n: (total[n:] - total[:-n])[-bars - 1 : -1] / n for n in {n for pair in PAIRS for n in pair}}
    leads = np.array([mean[fast] > mean[slow] for fast, slow in PAIRS]).T
    return np.where(leads, 1.0, -1.0 if short else 0.0) * moves[-bars:, None]


def alike(random: np.random.Generator, bars: int, trials: int, correlation: float) -> np.ndarray:
    """Trials without edge, any two of which have the same correlation."""
    common = random.normal(0.0, 0.01, (bars, 1))
    return np.sqrt(correlation) * common + np.sqrt(1.0 - correlation) * noise(random, bars, trials)


def grouped(random: np.random.Generator, bars: int, groups: int, each: int, own: float) -> np.ndarray:
    """`groups` independent bets without edge, each in `each` versions whose `own` share of the variance is noise."""
    bets = np.repeat(noise(random, bars, groups), each, axis=1)
    return np.sqrt(1.0 - own) * bets + np.sqrt(own) * noise(random, bars, groups * each)


def block_sums(returns: np.ndarray, blocks: int) -> tuple[np.ndarray, np.ndarray]:
    """Sums of returns and of their squares (N, 2, B) over B blocks as equal as can be, and the blocks' lengths (B,)."""
    edges = np.arange(blocks + 1) * len(returns) // blocks
    sums = [np.add.reduceat(power, edges[:-1], axis=0).T for power in (returns, returns**2)]
    return np.stack(sums, axis=1), np.diff(edges)


def profiles(returns: np.ndarray) -> np.ndarray:
    """Sums over 32 blocks (N, 32), as the ledger keeps them."""
    return block_sums(returns, 32)[0][:, 0].astype(np.float32)


def sharpe(returns: np.ndarray) -> np.ndarray:
    """Sharpe ratio per bar (N,)."""
    return np.asarray(returns.mean(axis=0) / returns.std(axis=0, ddof=1))
