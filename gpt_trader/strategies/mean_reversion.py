"""Buy weakness measured by RSI, sell the recovery."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from gpt_trader import indicators as ta
from gpt_trader.bars import Bars
from gpt_trader.errors import BadParameter
from gpt_trader.strategy import Features, Strategy, Weights, param


@dataclass(frozen=True)
class MeanReversion(Strategy):
    """Buy when RSI(`rsi`) is at or below `low`, leave when it is at or above `exit`; long only."""

    rsi: int = param(14, low=2, high=200, doc="bars of the RSI")
    low: float = param(30.0, low=0.0, high=100.0, doc="RSI that buys")
    exit: float = param(50.0, low=0.0, high=100.0, doc="RSI that sells")
    atr: int = param(14, low=1, high=500, doc="bars of the ATR used for risk sizing")

    def validate(self) -> None:
        """The exit lies above the entry."""
        if self.exit <= self.low:
            raise BadParameter(f"exit={self.exit} must lie above low={self.low}")

    def features(self, bars: Bars) -> Features:
        """Wilder's RSI."""
        return {"rsi": ta.rsi(bars.close, self.rsi)}

    def decide(self, now: Any) -> Weights:
        """1 when oversold, 0 when recovered, else leave it."""
        return np.where(now.rsi <= self.low, 1.0, np.where(now.rsi >= self.exit, 0.0, np.nan))
