"""What no check of a program can find: the author knew the future and wrote what he knew into the code."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from gpt_trader import Bars, Strategy, param, ta
from tests.properties.zoo.table import long_if, undetectable


@undetectable("dates in the code")
@dataclass(frozen=True)
class OutDuringTheKnownCrash(Strategy):
    """Flat between two dates that the author read off the chart."""

    def features(self, bars: Bars) -> Any:
        bad = (bars.time >= np.datetime64("2010-06-01")) & (bars.time < np.datetime64("2010-09-01"))
        return {"bad": bad}

    def decide(self, now: Any) -> Any:
        return np.where(now.bad, 0.0, np.where(now.close > 0, 0.3, np.nan))


@undetectable("symbols in the code")
@dataclass(frozen=True)
class OnlyTheKnownWinners(Strategy):
    """Trades the symbols that are known to have gained most."""

    def features(self, bars: Bars) -> Any:
        chosen = np.array([symbol in ("S0", "S2") for symbol in bars.symbols])
        return {"chosen": np.broadcast_to(chosen, bars.close.shape)}

    def decide(self, now: Any) -> Any:
        return long_if(now.chosen, 0.3)


@undetectable("prices in the code")
@dataclass(frozen=True)
class BuysAtTheKnownLow(Strategy):
    """A price level that was chosen after the fact."""

    level: float = param(92.5, low=1)

    def decide(self, now: Any) -> Any:
        return long_if(now.close < self.level)


@undetectable("fitted parameters")
@dataclass(frozen=True)
class BestOfAThousandWindows(Strategy):
    """Windows that won a sweep over this very data (`sweep` says what such a best is worth)."""

    fast: int = param(7, low=2)
    slow: int = param(31, low=3)

    def features(self, bars: Bars) -> Any:
        return {"fast": ta.sma(bars.close, self.fast), "slow": ta.sma(bars.close, self.slow)}

    def decide(self, now: Any) -> Any:
        return long_if(now.fast > now.slow)


@undetectable("answers in the code")
@dataclass(frozen=True)
class HashOfTheDate(Strategy):
    """A bit string of daily directions, looked up by date: the history as a constant."""

    def features(self, bars: Bars) -> Any:
        bits = 0xB5A1_93E7_5C0D_22F9_8E61
        day = bars.time.astype("datetime64[D]").astype(int) % 80
        return {"known": np.array([bits >> int(d) & 1 for d in day], float)}

    def decide(self, now: Any) -> Any:
        return np.where(now.close > 0, 0.3 * now.known, np.nan)
