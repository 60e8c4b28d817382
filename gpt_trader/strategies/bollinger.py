"""Bollinger bands as a mean-reversion rule."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from gpt_trader import indicators as ta
from gpt_trader.bars import Bars
from gpt_trader.strategy import Features, Strategy, Weights, param


@dataclass(frozen=True)
class Bollinger(Strategy):
    """Buy a close below the lower band of `window` bars and `width` standard deviations, leave at the middle band."""

    window: int = param(20, low=2, high=1000, doc="bars of the band")
    width: float = param(2.0, low=0.1, high=10.0, doc="standard deviations from the middle")

    def features(self, bars: Bars) -> Features:
        """Middle and lower band."""
        bands = ta.bollinger(bars.close, self.window, self.width)
        return {"middle": bands.middle, "lower": bands.lower}

    def decide(self, now: Any) -> Weights:
        """1 below the lower band, 0 at or above the middle, else leave it."""
        return np.where(now.close < now.lower, 1.0, np.where(now.close >= now.middle, 0.0, np.nan))
