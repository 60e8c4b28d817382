"""Made-up trials for the tests of the ledger: trial number n has the same key and the same Sharpe ratio everywhere."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from gpt_trader.adapters.store.trials import TrialBatch


def numbers(trials: Sequence[int]) -> NDArray[np.float64]:
    """The Sharpe ratios per bar of the trials of these numbers."""
    return 0.05 * np.sin(np.array([float(trial) for trial in trials])) + 0.01


def batch(trials: Sequence[int], kind: str = "backtest") -> TrialBatch:
    """The trials of these numbers on two symbols over three years."""
    keys = b"".join(hashlib.sha256(f"trial {trial}".encode()).digest()[:16] for trial in trials)
    profiles = [np.random.default_rng(trial).normal(0, 0.01, 32) for trial in trials]
    return TrialBatch(
        family="demo_ma", data="ab" * 32, symbols=("AAPL", "MSFT"), start="2010-01-04", end="2012-12-31",
        timeframe="1d", bars=300, periods_per_year=252.0, kind=kind, observations=250,
        keys=np.frombuffer(keys, np.uint8).reshape(-1, 16), sharpe=numbers(trials),
        profiles=np.array(profiles, np.float32).reshape(-1, 32),
    )  # fmt: skip
