"""Leaks of the end of the data: its last price, its length, its last day, and which symbols survive to see it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from gpt_trader import Bars, Strategy, param, ta
from tests.properties.zoo.table import honest, leak, long_if


@leak("normalised by the end", "relative")
@dataclass(frozen=True)
class DividedByLastPrice(Strategy):
    """Prices divided by `close[-1]`."""

    def features(self, bars: Bars) -> Any:
        return {"relative": bars.close / bars.close[-1]}

    def decide(self, now: Any) -> Any:
        return long_if(now.relative < 0.95)


@leak("normalised by the end", "base", "gaps")
@dataclass(frozen=True)
class FirstValidOfReversed(Strategy):
    """pandas' `first_valid_index` on a frame that is sorted the wrong way: the last price as the base."""

    def features(self, bars: Bars) -> Any:
        newest_first = pd.DataFrame(bars.close).iloc[::-1]
        base = newest_first.bfill().iloc[0].to_numpy()
        return {"base": bars.close / base}

    def decide(self, now: Any) -> Any:
        return long_if(now.base < 0.97)


@leak("normalised by the end", "level")
@dataclass(frozen=True)
class IlocLastMean(Strategy):
    """`.rolling(50).mean().iloc[-1]`: today's level on every bar, as live code does it."""

    def features(self, bars: Bars) -> Any:
        level = pd.DataFrame(bars.close).rolling(50).mean().iloc[-1].to_numpy()
        return {"level": np.broadcast_to(level, bars.close.shape)}

    def decide(self, now: Any) -> Any:
        return long_if(now.close < now.level)


@leak("normalised by the end", "quiet")
@dataclass(frozen=True)
class NormalisedByMaximum(Strategy):
    """Volume divided by its maximum, which may be still to come."""

    def features(self, bars: Bars) -> Any:
        return {"quiet": bars.volume / bars.volume.max(axis=0)}

    def decide(self, now: Any) -> Any:
        return long_if(now.quiet < 0.25)


@leak("survivorship", "winner", "five")
@dataclass(frozen=True)
class BestByFinalPrice(Strategy):
    """Trades the two symbols that gained most in the end."""

    def features(self, bars: Bars) -> Any:
        gain = bars.close[-1] / bars.close[0]
        return {"winner": np.broadcast_to(np.argsort(np.argsort(-gain)) < 2, bars.close.shape)}

    def decide(self, now: Any) -> Any:
        return long_if(now.winner, 0.3)


@leak("survivorship", "survives", "delisted")
@dataclass(frozen=True)
class DropsTheDead(Strategy):
    """`dropna(axis=1)` at the end of the frame: symbols without a last price are never bought."""

    def features(self, bars: Bars) -> Any:
        return {"survives": np.broadcast_to(~np.isnan(bars.close[-1]), bars.close.shape)}

    def decide(self, now: Any) -> Any:
        return long_if(now.survives, 0.2)


@honest("ok", "delisted")
@dataclass(frozen=True)
class ReadsDelisted(Strategy):
    """Would sell before a delisting, but the bars that a strategy is given name none."""

    def features(self, bars: Bars) -> Any:
        leaves = np.zeros(bars.close.shape, bool)
        for n, date in enumerate(bars.delisted):
            if date is not None:
                leaves[:, n] = bars.time >= np.datetime64(date) - np.timedelta64(20, "D")
        return {"leaves": leaves}

    def decide(self, now: Any) -> Any:
        return np.where(now.leaves, 0.0, 0.2)


@honest("ok", "delisted")
@dataclass(frozen=True)
class ReadsLastSession(Strategy):
    """Would know who lives long, but the bars that a strategy is given do not say."""

    def features(self, bars: Bars) -> Any:
        return {"life": np.broadcast_to(bars.last_session >= bars.T, bars.close.shape)}

    def decide(self, now: Any) -> Any:
        return long_if(now.life, 0.2)


@leak("survivorship", "liquid", "five")
@dataclass(frozen=True)
class UniverseByLaterVolume(Strategy):
    """The three most traded symbols of the whole period."""

    def features(self, bars: Bars) -> Any:
        traded = (bars.close * bars.volume).sum(axis=0)
        return {"liquid": np.broadcast_to(traded >= np.sort(traded)[-3], bars.close.shape)}

    def decide(self, now: Any) -> Any:
        return long_if(now.liquid, 0.2)


@leak("survivorship", "complete", "gaps")
@dataclass(frozen=True)
class NotEnoughData(Strategy):
    """Leaves out symbols with more than 8 % missing bars, those to come among them."""

    def features(self, bars: Bars) -> Any:
        missing = np.isnan(bars.close).mean(axis=0)
        return {"complete": np.broadcast_to(missing <= 0.08, bars.close.shape)}

    def decide(self, now: Any) -> Any:
        return long_if(now.complete)


@leak("knows the length", "open_season")
@dataclass(frozen=True)
class OutBeforeTheEnd(Strategy):
    """Flat in the last tenth of the data, so that no trade stays open in the report."""

    def features(self, bars: Bars) -> Any:
        return {"open_season": np.arange(bars.T) < 0.9 * bars.T}

    def decide(self, now: Any) -> Any:
        return long_if(now.open_season)


@leak("knows the length", "left")
@dataclass(frozen=True)
class SpreadsOverTheData(Strategy):
    """Scales in by t / T: the weight at a bar depends on how many follow."""

    def features(self, bars: Bars) -> Any:
        return {"left": np.arange(bars.T) / len(bars.close)}

    def decide(self, now: Any) -> Any:
        return np.where(now.close > 0, 0.5 * now.left, np.nan)


@leak("knows the length", "test_set")
@dataclass(frozen=True)
class SplitsIntoTrainAndTest(Strategy):
    """Trains on the first 70 % of whatever it is given; the place of the split moves with the data."""

    def features(self, bars: Bars) -> Any:
        split = int(0.7 * bars.T)
        level = bars.close[:split].mean(axis=0)
        test = np.arange(bars.T)[:, None] >= split
        return {"test_set": np.where(test, bars.close / level, np.nan)}

    def decide(self, now: Any) -> Any:
        return np.where(np.isnan(now.test_set), 0.0, np.where(now.test_set > 1, 0.4, -0.4))


@leak("knows the length", "fast")
@dataclass(frozen=True)
class WindowFromTheLength(Strategy):
    """A window of a tenth of the data."""

    def features(self, bars: Bars) -> Any:
        return {"fast": ta.sma(bars.close, max(2, bars.T // 10))}

    def decide(self, now: Any) -> Any:
        return long_if(now.close > now.fast)


@leak("knows the length", "last_day")
@dataclass(frozen=True)
class ReadsTheLastTime(Strategy):
    """`bars.time[-1]`: no new positions in the last 60 days."""

    def features(self, bars: Bars) -> Any:
        return {
            "last_day": bars.time < bars.time[-1] - np.timedelta64(60, "D"),
            "mean": ta.sma(bars.close, 10),
        }

    def decide(self, now: Any) -> Any:
        return long_if(now.last_day & (now.close > now.mean))


@leak("knows the length", "month_end")
@dataclass(frozen=True)
class LastBarOfTheMonthByTheNextBar(Strategy):
    """Month ends found by the month of the next bar: at the last bar of the data the answer changes with new bars."""

    def features(self, bars: Bars) -> Any:
        month = bars.time.astype("datetime64[M]")
        return {"month_end": np.append(month[1:] != month[:-1], True)}

    def decide(self, now: Any) -> Any:
        return np.where(now.month_end, 0.5, np.where(now.close > 0, 0.0, np.nan))


@leak("truth of a benchmark", "beats", "five")
@dataclass(frozen=True)
class SharpeOfEachSymbol(Strategy):
    """Weights by each symbol's Sharpe ratio of the whole period."""

    floor: float = param(0.0, low=-10, high=10)

    def features(self, bars: Bars) -> Any:
        moves = np.diff(np.log(bars.close), axis=0)
        sharpe = moves.mean(axis=0) / moves.std(axis=0)
        return {"beats": np.broadcast_to(np.maximum(sharpe, self.floor), bars.close.shape)}

    def decide(self, now: Any) -> Any:
        return np.minimum(now.beats * 5, 0.2)


@leak("score of the future", "score", "five")
@dataclass(frozen=True)
class ScoreKnowsTheReturn(Strategy):
    """Weights are honest; only the seats go to the symbols that will rise (`Allocation(max_positions)`)."""

    def features(self, bars: Bars) -> Any:
        following = np.vstack([bars.close[3:], np.repeat(bars.close[-1:], 3, axis=0)])
        return {"score": following / bars.close, "mean": ta.sma(bars.close, 10)}

    def decide(self, now: Any) -> Any:
        return long_if(now.close > now.mean, 0.3)


@leak("word of the future", "mood")
@dataclass(frozen=True)
class MoodInWords(Strategy):
    """A text feature that names tomorrow's direction."""

    def features(self, bars: Bars) -> Any:
        rises = np.vstack([np.diff(bars.close, axis=0) > 0, np.zeros((1, bars.N), bool)])
        return {"mood": np.where(rises, "greed", "fear")}

    def decide(self, now: Any) -> Any:
        return long_if(now.mood == "greed")
