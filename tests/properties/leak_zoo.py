"""Strategies with one planted leak each; every one of them must be found by `check_strategy`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from gpt_trader import Bars, Strategy, param, per_symbol, ta


def _long_above(values: Any, other: Any) -> Any:
    return np.where(values > other, 1.0, 0.0)


@dataclass(frozen=True)
class NegativeShift(Strategy):
    def features(self, bars: Bars) -> Any:
        return {"ahead": np.roll(bars.close, -1, axis=0)}

    def decide(self, now: Any) -> Any:
        return _long_above(now.ahead, now.close)


@dataclass(frozen=True)
class FullSampleMean(Strategy):
    def features(self, bars: Bars) -> Any:
        return {"mean": np.full(bars.close.shape, np.nanmean(bars.close, axis=0))}

    def decide(self, now: Any) -> Any:
        return _long_above(now.mean, now.close)


@dataclass(frozen=True)
class CentredWindow(Strategy):
    def features(self, bars: Bars) -> Any:
        return {"smooth": pd.DataFrame(bars.close).rolling(5, center=True).mean().to_numpy()}

    def decide(self, now: Any) -> Any:
        return _long_above(now.smooth, now.close)


@dataclass(frozen=True)
class BackFill(Strategy):
    def features(self, bars: Bars) -> Any:
        frame = pd.DataFrame(bars.close)
        return {"monday": frame[frame.index % 5 == 0].reindex(frame.index).bfill().to_numpy()}

    def decide(self, now: Any) -> Any:
        return _long_above(now.monday, now.close)


@dataclass(frozen=True)
class FutureMaximum(Strategy):
    def features(self, bars: Bars) -> Any:
        return {"top": pd.DataFrame(bars.high[::-1]).rolling(10, min_periods=1).max().to_numpy()[::-1]}

    def decide(self, now: Any) -> Any:
        return _long_above(now.top, now.close * 1.02)


@dataclass(frozen=True)
class WholeArrayMeanInDecide(Strategy):
    def features(self, bars: Bars) -> Any:
        return {"roc": ta.roc(bars.close, 5)}

    def decide(self, now: Any) -> Any:
        return np.where(now.roc > np.nanmean(now.roc), 1.0, 0.0)


@dataclass(frozen=True)
class WrongAxis(Strategy):
    """Means to rank symbols within a bar and ranks bars within a symbol."""

    def features(self, bars: Bars) -> Any:
        return {"roc": ta.roc(bars.close, 5)}

    def decide(self, now: Any) -> Any:
        filled = np.nan_to_num(now.roc)
        return np.where(np.argsort(np.argsort(filled, axis=0), axis=0) > filled.shape[0] // 2, 1.0, 0.0)


@dataclass(frozen=True)
class ResampleEdge(Strategy):
    """The week's close stamped on its first day."""

    def features(self, bars: Bars) -> Any:
        frame = pd.DataFrame(bars.close, index=pd.DatetimeIndex(bars.time))
        weekly = frame.groupby(pd.Grouper(freq="W-SUN")).transform("last")
        return {"week_close": weekly.to_numpy()}

    def decide(self, now: Any) -> Any:
        return _long_above(now.week_close, now.close)


@dataclass(frozen=True)
class FutureUniverse(Strategy):
    """Trades the symbols that end up with the largest volume."""

    def features(self, bars: Bars) -> Any:
        best = bars.volume[-5:].sum(axis=0) >= np.median(bars.volume[-5:].sum(axis=0))
        return {"member": np.broadcast_to(best.astype(float), bars.close.shape)}

    def decide(self, now: Any) -> Any:
        return np.where(now.member > 0, 1.0, 0.0)


@dataclass(frozen=True)
class SameBarFill(Strategy):
    """Knows the open at which it will be filled."""

    def features(self, bars: Bars) -> Any:
        following = np.vstack([bars.open[1:], bars.close[-1:]])
        return {"fill_price": following}

    def decide(self, now: Any) -> Any:
        return np.where(now.fill_price < now.close, 1.0, 0.0)


@dataclass(frozen=True)
class LabelInFeature(Strategy):
    horizon: int = param(10, low=1)

    def features(self, bars: Bars) -> Any:
        label = pd.DataFrame(bars.close).pct_change(self.horizon).shift(-self.horizon).to_numpy()
        return {"score_of_model": np.nan_to_num(label)}

    def decide(self, now: Any) -> Any:
        return np.where(now.score_of_model > 0.01, 1.0, 0.0)


@dataclass(frozen=True)
class LastRowTrick(Strategy):
    def features(self, bars: Bars) -> Any:
        return {"goal": np.where(bars.close < bars.close[-1], 1.0, 0.0)}

    def decide(self, now: Any) -> Any:
        return now.goal


@dataclass(frozen=True)
class FullSampleScaling(Strategy):
    """A z-score with the whole sample's moments, as a scaler fitted on all data gives."""

    def features(self, bars: Bars) -> Any:
        roc = ta.roc(bars.close, 10)
        return {"z": (roc - np.nanmean(roc, axis=0)) / np.nanstd(roc, axis=0)}

    def decide(self, now: Any) -> Any:
        return np.where(now.z > 1, 1.0, 0.0)


@dataclass(frozen=True)
class ZeroPhaseFilter(Strategy):
    """Filters forwards and backwards, as scipy's filtfilt does."""

    def features(self, bars: Bars) -> Any:
        forward = pd.DataFrame(bars.close).ewm(span=10).mean()
        return {"smooth": forward[::-1].ewm(span=10).mean()[::-1].to_numpy()}

    def decide(self, now: Any) -> Any:
        return _long_above(now.smooth, now.close)


@dataclass(frozen=True)
class FutureQuantile(Strategy):
    """A threshold taken from all data, in a rule that reads what it holds."""

    def features(self, bars: Bars) -> Any:
        return {"cheap": np.full(bars.close.shape, np.nanquantile(bars.close, 0.3, axis=0))}

    def decide(self, now: Any, held: Any) -> Any:
        return np.where((now.close < now.cheap) | (held.age > 0) & (held.age < 5), 0.5, 0.0)


@dataclass(frozen=True)
class PeekInScalarRule(Strategy):
    """Next bar's return in an `@per_symbol` rule."""

    def features(self, bars: Bars) -> Any:
        return {"next_return": np.vstack([bars.close[1:] / bars.close[:-1] - 1, np.zeros((1, bars.N))])}

    @per_symbol
    def decide(self, now: Any) -> Any:
        if now.next_return > 0:
            return 1.0
        return 0.0


ZOO: dict[type[Strategy], str] = {
    NegativeShift: "ahead",
    FullSampleMean: "mean",
    CentredWindow: "smooth",
    BackFill: "monday",
    FutureMaximum: "top",
    WholeArrayMeanInDecide: "decide",
    WrongAxis: "decide",
    ResampleEdge: "week_close",
    FutureUniverse: "member",
    SameBarFill: "fill_price",
    LabelInFeature: "score_of_model",
    LastRowTrick: "goal",
    FullSampleScaling: "z",
    ZeroPhaseFilter: "smooth",
    FutureQuantile: "cheap",
    PeekInScalarRule: "next_return",
}
