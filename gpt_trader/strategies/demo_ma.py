"""Two moving averages: the strategy everybody starts with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from gpt_trader import indicators as ta
from gpt_trader.bars import Bars
from gpt_trader.strategy import Features, Strategy, Weights, param


@dataclass(frozen=True)
class DemoMa(Strategy):
    """Long while the simple average of `fast` closes is above that of `slow`; flat until both and the ATR are defined."""

    fast: int = param(10, low=1, high=500, doc="bars of the fast average")
    slow: int = param(20, low=2, high=1000, doc="bars of the slow average")
    atr: int = param(14, low=1, high=500, doc="bars of the ATR that must be defined")

    def features(self, bars: Bars) -> Features:
        """Both averages and Wilder's ATR."""
        return {
            "fast": ta.sma(bars.close, self.fast),
            "slow": ta.sma(bars.close, self.slow),
            "atr": ta.atr(bars.high, bars.low, bars.close, self.atr),
        }

    def decide(self, now: Any) -> Weights:
        """All in while the fast average leads."""
        return np.where((now.fast > now.slow) & (now.atr > 0), 1.0, 0.0)
