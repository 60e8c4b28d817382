"""Leaks of a stateless `decide`: it is given all rows at once, and looks at more than one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pandas as pd

from gpt_trader import Bars, Strategy, param, ta
from tests.properties.zoo.table import DECIDE, leak, long_if


@leak("whole column in decide", DECIDE)
@dataclass(frozen=True)
class MeanOfAllRows(Strategy):
    """`now.roc.mean()` over bars and symbols."""

    def features(self, bars: Bars) -> Any:
        return {"roc": ta.roc(bars.close, 5)}

    def decide(self, now: Any) -> Any:
        return long_if(now.roc > np.nanmean(now.roc))


@leak("whole column in decide", DECIDE)
@dataclass(frozen=True)
class MaximumOfAxisZero(Strategy):
    """`axis=0` where `axis=-1` was meant: down the bars, not across the symbols."""

    def features(self, bars: Bars) -> Any:
        return {"roc": ta.roc(bars.close, 5)}

    def decide(self, now: Any) -> Any:
        return long_if(now.roc >= 0.5 * np.nanmax(now.roc, axis=0))


@leak("whole column in decide", DECIDE)
@dataclass(frozen=True)
class RanksDownTheColumn(Strategy):
    """`argsort` of `argsort` along the bars."""

    def features(self, bars: Bars) -> Any:
        return {"roc": np.nan_to_num(ta.roc(bars.close, 10))}

    def decide(self, now: Any) -> Any:
        order = np.argsort(np.argsort(now.roc, axis=0), axis=0)
        return long_if(order > 0.7 * now.roc.shape[0])


@leak("row shift in decide", DECIDE)
@dataclass(frozen=True)
class RollsInDecide(Strategy):
    """`np.roll(now.close, -1, axis=0)` where decide has all rows, nothing of the kind where it has one."""

    def decide(self, now: Any) -> Any:
        if now.close.ndim == 1:
            return np.zeros(now.close.shape)
        return long_if(np.roll(now.close, -1, axis=0) > now.close)


@leak("row shift in decide", DECIDE)
@dataclass(frozen=True)
class EntriesMovedEarlier(Strategy):
    """Entries shifted by -1 "because orders fill one bar late"."""

    def features(self, bars: Bars) -> Any:
        return {"mean": ta.sma(bars.close, 15)}

    def decide(self, now: Any) -> Any:
        above = np.atleast_2d(np.where(now.close > now.mean, 0.5, 0.0))
        moved = np.vstack([above[1:], above[-1:]])
        return moved.reshape(np.shape(now.close))


@leak("row shift in decide", DECIDE)
@dataclass(frozen=True)
class FillsWeightsBackwards(Strategy):
    """Weights of months as events, filled backwards to a level with pandas."""

    def features(self, bars: Bars) -> Any:
        return {"first": np.arange(bars.T) % 10 == 9, "roc": ta.roc(bars.close, 10)}

    def decide(self, now: Any) -> Any:
        events = np.where(now.first, np.where(now.roc > 0, 0.5, 0.0), np.nan)
        return pd.DataFrame(np.atleast_2d(events)).bfill().fillna(0.0).to_numpy().reshape(np.shape(now.close))


@leak("equity of all rows", DECIDE)
@dataclass(frozen=True)
class TradesOnlyIfItPaid(Strategy):
    """Simulates its own equity on all rows and trades a symbol only when it ends above where it began."""

    def features(self, bars: Bars) -> Any:
        return {"mean": ta.sma(bars.close, 8)}

    def decide(self, now: Any) -> Any:
        wanted = np.where(now.close > now.mean, 1.0, 0.0)
        if wanted.ndim == 1:
            return 0.5 * wanted
        earned = (wanted[:-1] * np.diff(np.log(now.close), axis=0)).sum(axis=0)
        return 0.5 * wanted * (earned > 0)


@leak("equity of all rows", DECIDE)
@dataclass(frozen=True)
class DropsLosingTrades(Strategy):
    """Removes entries that are followed by a loss of 2 % before the exit: a 'filter' written over the whole array."""

    def features(self, bars: Bars) -> Any:
        return {"mean": ta.sma(bars.close, 8)}

    def decide(self, now: Any) -> Any:
        wanted = np.where(now.close > now.mean, 0.5, 0.0)
        if wanted.ndim == 1:
            return wanted
        worst = pd.DataFrame(now.low[::-1]).rolling(4, min_periods=1).min().to_numpy()[::-1]
        return np.where(worst < now.close * 0.98, 0.0, wanted)


@leak("length in decide", DECIDE)
@dataclass(frozen=True)
class CountsTheRows(Strategy):
    """`len(now.close)`: exits before the last 25 rows."""

    def decide(self, now: Any) -> Any:
        weights = np.where(now.close > 0, 0.5, np.nan)
        if weights.ndim == 2:
            weights[max(0, len(weights) - 25) :] = 0.0
        return weights


@leak("mutates its input", DECIDE)
@dataclass(frozen=True)
class RewritesItsFeature(Strategy):
    """`decide` moves a feature one row up in place, then reads it."""

    def features(self, bars: Bars) -> Any:
        return {"rise": np.vstack([np.zeros((1, bars.N)), np.diff(bars.close, axis=0)])}

    def decide(self, now: Any) -> Any:
        if now.rise.ndim == 2 and now.rise.flags.writeable:
            now.rise[:-1] = now.rise[1:]
        return long_if(now.rise > 0)


@leak("mutates its input", DECIDE)
@dataclass(frozen=True)
class SortsInPlace(Strategy):
    """`now.copy.sort(axis=0)` to find a median, which sorts the feature itself."""

    def features(self, bars: Bars) -> Any:
        return {"level": bars.close.copy()}

    def decide(self, now: Any) -> Any:
        if now.level.ndim == 2 and now.level.flags.writeable:
            now.level.sort(axis=0)
            return long_if(now.close < now.level[len(now.level) // 2])
        return np.zeros(now.close.shape)


@leak("mutates its input", DECIDE)
@dataclass(frozen=True)
class FeatureIsAWindowOnLaterRows(Strategy):
    """The feature is an honest array whose `base` still has the rows that were cut from it."""

    def features(self, bars: Bars) -> Any:
        padded = np.vstack([bars.close, bars.close[-1:]])
        return {"price": padded[:-1]}

    def decide(self, now: Any) -> Any:
        whole = now.price.base
        if now.price.ndim == 1 or whole is None:
            return np.zeros(now.close.shape)
        return long_if(whole[1:] > now.price)


@leak("units", DECIDE)
@dataclass(frozen=True)
class UnitsFromTheWholePanel(Strategy):
    """Shares by the highest price of all rows."""

    target_kind: ClassVar[str] = "units"

    def decide(self, now: Any) -> Any:
        top = np.nanmax(now.close, axis=0) if np.ndim(now.close) == 2 else now.close
        return np.floor(20000 / top) * np.ones(np.shape(now.close))


@leak("units", "size")
@dataclass(frozen=True)
class UnitsAtTheNextOpen(Strategy):
    """The number of shares is made for the open at which they will be bought."""

    target_kind: ClassVar[str] = "units"

    def features(self, bars: Bars) -> Any:
        fill = np.vstack([bars.open[1:], bars.close[-1:]])
        return {"size": np.floor(30000 / fill)}

    def decide(self, now: Any) -> Any:
        return now.size


@leak("parameter opens it", "mean")
@dataclass(frozen=True)
class OffsetParameter(Strategy):
    """An `offset` that may be negative, and by default is."""

    offset: int = param(-2, low=-50, high=50)

    def features(self, bars: Bars) -> Any:
        return {"mean": pd.DataFrame(ta.sma(bars.close, 5)).shift(self.offset).to_numpy()}

    def decide(self, now: Any) -> Any:
        return long_if(now.mean > now.close)


@leak("parameter opens it", "trend")
@dataclass(frozen=True)
class CentredByAFlag(Strategy):
    """A flag for plotting left on."""

    window: int = param(9, low=2)
    for_plot: bool = param(True)

    def features(self, bars: Bars) -> Any:
        return {
            "trend": pd.DataFrame(bars.close).rolling(self.window, center=self.for_plot).mean().to_numpy()
        }

    def decide(self, now: Any) -> Any:
        return long_if(now.trend > now.close)
