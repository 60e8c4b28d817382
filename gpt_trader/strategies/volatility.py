"""Volatility targeting: hold less when markets move more, nothing when they are wild."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from gpt_trader import indicators as ta
from gpt_trader.bars import Bars
from gpt_trader.strategy import Features, Strategy, Weights, param


@dataclass(frozen=True)
class Volatility(Strategy):
    """Weight = `target` / realised volatility of the last `lookback` returns, at most 1; flat while ATR(`atr`) stands above the
    75th percentile of its last `w` values."""

    target: float = param(0.15, low=0.001, high=5.0, doc="volatility a year to aim at")
    lookback: int = param(20, low=2, high=1000, doc="returns of the realised volatility")
    atr: int = param(14, low=1, high=500, doc="bars of the ATR")
    w: int = param(50, low=4, high=2000, doc="ATR values the quartile is taken from")

    def features(self, bars: Bars) -> Features:
        """Realised volatility a year, the ATR and its upper quartile."""
        atr = ta.atr(bars.high, bars.low, bars.close, self.atr)
        return {
            "sigma": ta.realised_volatility(bars.close, self.lookback),
            "atr": atr,
            "wild": ta.rolling_quantile(atr, self.w, 0.75),
        }

    def decide(self, now: Any) -> Weights:
        """The scaled weight, 0 when wild or undefined."""
        calm = (now.atr <= now.wild) & (now.sigma > 0)
        return np.where(calm, np.minimum(1.0, self.target / now.sigma), 0.0)
