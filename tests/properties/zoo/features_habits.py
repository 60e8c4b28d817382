"""Leaks of habits from notebooks: centred differences, splines, peaks, long frames, chart levels, padding at the wrong end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy import interpolate, ndimage, signal
from scipy.linalg import solveh_banded

from gpt_trader import Bars, Strategy, param, ta
from tests.properties.zoo.features_models import log_returns
from tests.properties.zoo.table import leak, long_if


@leak("central difference", "velocity")
@dataclass(frozen=True)
class GradientIsCentral(Strategy):
    """`np.gradient` uses the bar after."""

    def features(self, bars: Bars) -> Any:
        return {"velocity": np.gradient(bars.close, axis=0)}

    def decide(self, now: Any) -> Any:
        return long_if(now.velocity > 0)


@leak("centred window", "median")
@dataclass(frozen=True)
class MedianFilter(Strategy):
    """`ndimage.median_filter` is centred."""

    def features(self, bars: Bars) -> Any:
        return {"median": ndimage.median_filter(bars.close, size=(7, 1))}

    def decide(self, now: Any) -> Any:
        return long_if(now.median > now.close)


@leak("spline", "curve")
@dataclass(frozen=True)
class SplineThroughFridays(Strategy):
    """A cubic spline through weekly closes, read on the days between."""

    def features(self, bars: Bars) -> Any:
        row = np.arange(bars.T)
        knots = np.unique(np.append(row[4::5], [0, bars.T - 1]))
        return {"curve": interpolate.CubicSpline(knots, bars.close[knots], axis=0)(row)}

    def decide(self, now: Any) -> Any:
        return long_if(now.curve > now.close)


@leak("swing", "peak")
@dataclass(frozen=True)
class FindPeaksByProminence(Strategy):
    """`find_peaks` with a prominence: how far the price falls afterwards."""

    def features(self, bars: Bars) -> Any:
        peak = np.zeros(bars.close.shape, bool)
        for n in range(bars.N):
            peak[signal.find_peaks(bars.close[:, n], prominence=2.0)[0], n] = True
        return {"peak": peak}

    def decide(self, now: Any) -> Any:
        return np.where(now.peak, -0.4, np.nan)


@leak("swing", "gap")
@dataclass(frozen=True)
class FairValueGapOnTheMiddleCandle(Strategy):
    """A gap between the candles before and after, marked on the candle between them."""

    def features(self, bars: Bars) -> Any:
        gap = np.zeros(bars.close.shape, bool)
        gap[1:-1] = bars.low[2:] > bars.high[:-2]
        return {"gap": gap}

    def decide(self, now: Any) -> Any:
        return np.where(now.gap, 0.5, np.where(now.close < now.open, 0.0, np.nan))


@leak("zero-phase filter", "envelope")
@dataclass(frozen=True)
class HilbertEnvelope(Strategy):
    """The analytic signal of returns is made of all of them."""

    def features(self, bars: Bars) -> Any:
        return {"envelope": np.abs(signal.hilbert(log_returns(bars), axis=0))}

    def decide(self, now: Any) -> Any:
        return long_if(now.envelope < 0.01)


@leak("zero-phase filter", "trend")
@dataclass(frozen=True)
class HodrickPrescott(Strategy):
    """The two-sided Hodrick-Prescott trend."""

    smoothness: float = param(100.0, low=0.1)

    def features(self, bars: Bars) -> Any:
        second = np.zeros((3, bars.T))
        one = np.ones(bars.T - 2)
        for offset, values in enumerate(((1.0, 4.0, 1.0), (-2.0, -2.0), (1.0,))):
            for place, value in enumerate(values):
                second[2 - offset, offset + place : offset + place + bars.T - 2] += value * one
        second *= self.smoothness
        second[2] += 1
        return {"trend": solveh_banded(second, bars.close)}

    def decide(self, now: Any) -> Any:
        return long_if(now.trend > now.close)


@leak("padded at the end", "mean")
@dataclass(frozen=True)
class ValidConvolutionPaddedAtTheEnd(Strategy):
    """`mode="valid"` is shorter; the missing rows are added at the end instead of the beginning."""

    def features(self, bars: Bars) -> Any:
        mean = np.full(bars.close.shape, np.nan)
        for n in range(bars.N):
            valid = np.convolve(bars.close[:, n], np.ones(10) / 10, "valid")
            mean[: len(valid), n] = valid
        return {"mean": mean}

    def decide(self, now: Any) -> Any:
        return long_if(now.mean > now.close)


@leak("padded at the end", "roc", "gaps")
@dataclass(frozen=True)
class DropnaAndRealign(Strategy):
    """Missing bars are dropped, an indicator is made, and the shorter result is laid on the first rows."""

    def features(self, bars: Bars) -> Any:
        roc = np.full(bars.close.shape, np.nan)
        for n in range(bars.N):
            present = bars.close[~np.isnan(bars.close[:, n]), n]
            roc[: len(present), n] = ta.roc(present, 5)
        return {"roc": roc}

    def decide(self, now: Any) -> Any:
        return long_if(now.roc > 0)


@leak("long frame", "before", "five")
@dataclass(frozen=True)
class ShiftAcrossSymbols(Strategy):
    """`shift(5)` on a long frame without `groupby`: a symbol's first rows get the last prices of the symbol above it."""

    def features(self, bars: Bars) -> Any:
        stacked = bars.to_frame()
        before = stacked["close"].shift(5).to_numpy()
        return {"before": before.reshape(bars.N, bars.T).T}

    def decide(self, now: Any) -> Any:
        return long_if(now.close > now.before, 0.2)


@leak("long frame", "mean", "five")
@dataclass(frozen=True)
class RollingAcrossSymbols(Strategy):
    """A rolling mean over a long frame runs from one symbol's end into the next one's beginning."""

    def features(self, bars: Bars) -> Any:
        mean = pd.Series(bars.close.T.ravel()).rolling(30).mean().to_numpy()
        return {"mean": mean.reshape(bars.N, bars.T).T}

    def decide(self, now: Any) -> Any:
        return long_if(now.close > now.mean, 0.2)


@leak("chart level", "level")
@dataclass(frozen=True)
class FibonacciOfTheWholeChart(Strategy):
    """Retracements between the highest and the lowest price of the chart."""

    def features(self, bars: Bars) -> Any:
        top, floor = bars.high.max(axis=0), bars.low.min(axis=0)
        return {"level": np.broadcast_to(top - 0.618 * (top - floor), bars.close.shape)}

    def decide(self, now: Any) -> Any:
        return long_if(now.close < now.level)


@leak("chart level", "support")
@dataclass(frozen=True)
class VolumeProfileOfAll(Strategy):
    """The price at which most volume was traded, over the whole history."""

    def features(self, bars: Bars) -> Any:
        support = np.empty(bars.N)
        for n in range(bars.N):
            volume, edges = np.histogram(bars.close[:, n], bins=24, weights=bars.volume[:, n])
            support[n] = edges[int(np.argmax(volume))]
        return {"support": np.broadcast_to(support, bars.close.shape)}

    def decide(self, now: Any) -> Any:
        return long_if(now.close < now.support)


@leak("full-sample statistic", "filled", "gaps")
@dataclass(frozen=True)
class FillnaWithTheMean(Strategy):
    """Missing prices become the mean of the column."""

    def features(self, bars: Bars) -> Any:
        close = pd.DataFrame(bars.close)
        return {"filled": close.fillna(close.mean()).to_numpy()}

    def decide(self, now: Any) -> Any:
        return np.where(np.isnan(now.close), np.where(now.filled > 100, 0.3, 0.0), np.nan)


@leak("full-sample statistic", "bin")
@dataclass(frozen=True)
class CutIntoBins(Strategy):
    """`pd.cut` into bins of equal width between the extremes of all data."""

    def features(self, bars: Bars) -> Any:
        columns = [pd.cut(bars.close[:, n], 6, labels=False) for n in range(bars.N)]
        return {"bin": np.stack(columns, axis=1)}

    def decide(self, now: Any) -> Any:
        return long_if(now.bin <= 1)


@leak("model fitted on all", "beta", "five")
@dataclass(frozen=True)
class BetaOfAll(Strategy):
    """Each symbol's beta to the mean of all, over the whole history."""

    def features(self, bars: Bars) -> Any:
        moves = log_returns(bars)
        market = moves.mean(axis=1)
        beta = ((moves - moves.mean(axis=0)) * (market - market.mean())[:, None]).mean(axis=0) / market.var()
        return {"beta": np.broadcast_to(beta, bars.close.shape)}

    def decide(self, now: Any) -> Any:
        return np.where(now.close > 0, 0.1 * now.beta, np.nan)


@leak("model fitted on all", "twin", "five")
@dataclass(frozen=True)
class PairChosenByAll(Strategy):
    """The most correlated pair of the whole sample is traded from the first bar on."""

    def features(self, bars: Bars) -> Any:
        correlation = np.corrcoef(log_returns(bars).T) - 2 * np.eye(bars.N)
        first, second = np.unravel_index(int(np.argmax(correlation)), correlation.shape)
        twin = np.zeros(bars.close.shape)
        twin[:, first], twin[:, second] = 0.2, -0.2
        return {"twin": twin}

    def decide(self, now: Any) -> Any:
        return now.twin


@leak("best parameter of all", "size")
@dataclass(frozen=True)
class KellyFromAllTrades(Strategy):
    """The Kelly fraction of the trades of the whole backtest sizes each of them."""

    def features(self, bars: Bars) -> Any:
        signal_ = ta.roc(bars.close, 5)[:-1] > 0
        earned = np.diff(np.log(bars.close), axis=0)[signal_]
        return {"size": np.full(bars.T, np.clip(earned.mean() / earned.var() / 20, 0.05, 0.5))}

    def decide(self, now: Any) -> Any:
        return np.where(now.close > now.open, now.size, 0.0)


@leak("best parameter of all", "mean")
@dataclass(frozen=True)
class TunesItsOwnParameter(Strategy):
    """`features` overwrites the parameter of a frozen instance with the one that suits all the data."""

    window: int = param(10, low=2)

    def features(self, bars: Bars) -> Any:
        cycles = np.abs(np.fft.rfft(log_returns(bars).mean(axis=1)))[2 : bars.T // 6]
        object.__setattr__(self, "window", max(2, bars.T // (2 * (2 + int(np.argmax(cycles))))))
        return {"mean": ta.sma(bars.close, self.window)}

    def decide(self, now: Any) -> Any:
        return long_if(now.close > now.mean)
