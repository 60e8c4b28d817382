"""Cross-sectional momentum: the winners of the last months, once a month."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from gpt_trader import indicators as ta
from gpt_trader.bars import Bars
from gpt_trader.strategy import Features, Strategy, Weights, param


@dataclass(frozen=True)
class Momentum(Strategy):
    """On the first bar of each month hold the `top` symbols by return over `lookback` bars, equally weighted; a return at or
    below `threshold` is not held. One symbol alone: long above the threshold."""

    lookback: int = param(126, low=1, high=2000, doc="bars of the return")
    top: int = param(20, low=1, high=1000, doc="symbols held at most")
    threshold: float = param(0.0, low=-1.0, high=10.0, doc="return below which nothing is held")

    def features(self, bars: Bars) -> Features:
        """The return over the look-back, and a mark on the first bar of each month."""
        months = bars.time.astype("datetime64[M]").astype(np.int64)
        return {
            "momentum": ta.roc(bars.close, self.lookback),
            "rebalance": np.concatenate(([True], months[1:] != months[:-1])),
        }

    def decide(self, now: Any) -> Weights:
        """1/k for each of the k chosen ones on a rebalancing bar, else leave it."""
        strength = np.where(now.momentum > self.threshold, now.momentum, -np.inf)
        rank = np.argsort(np.argsort(-strength, axis=-1, kind="stable"), axis=-1, kind="stable")
        chosen = (rank < self.top) & (strength > -np.inf)
        count = np.maximum(chosen.sum(axis=-1, keepdims=True), 1)
        return np.where(now.rebalance, chosen / count, np.nan)
