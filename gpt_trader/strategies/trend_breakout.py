"""Channel breakout with an ATR trailing stop: the classic trend follower."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from gpt_trader import indicators as ta
from gpt_trader.bars import Bars
from gpt_trader.exits import AtrStop, Exit
from gpt_trader.strategy import Features, Strategy, Weights, param


@dataclass(frozen=True)
class TrendBreakout(Strategy):
    """Buy a close above the highest high of the previous `donchian` bars. Leave, by `exit_mode`: "signal", on a close
    below the lowest low of the previous `exit` bars; "stop", by a trailing stop of `atr_k` x ATR(`atr`)."""

    donchian: int = param(55, low=2, high=500, doc="bars of the entry channel")
    exit: int = param(20, low=2, high=500, doc="bars of the exit channel")
    atr: int = param(20, low=1, high=500, doc="bars of the ATR")
    atr_k: float = param(2.0, low=0.1, high=20.0, doc="stop distance in ATR")
    exit_mode: str = param("signal", choices=("signal", "stop"), doc="channel low or trailing stop")

    def declared_exits(self) -> tuple[Exit, ...]:
        """The ATR trailing stop, in exit mode "stop"."""
        return (AtrStop(self.atr_k, self.atr),) if self.exit_mode == "stop" else ()

    def features(self, bars: Bars) -> Features:
        """Channels of the PREVIOUS bars; `score`, the strength of the breakout, ranks entrants."""
        upper = ta.shift(ta.highest(bars.high, self.donchian), 1)
        lower = ta.shift(ta.lowest(bars.low, self.exit), 1)
        return {"upper": upper, "lower": lower, "score": (bars.close - upper) / bars.close}

    def decide(self, now: Any) -> Weights:
        """1 on a breakout, 0 on the exit signal, else leave it."""
        enter = np.where(now.close > now.upper, 1.0, np.nan)
        if self.exit_mode == "stop":
            return enter
        return np.where(now.close < now.lower, 0.0, enter)
