"""Leaks of models, filters, swings and labels: something is fitted on, or smoothed with, bars that come later."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy import ndimage, signal
from scipy.cluster.vq import kmeans2

from gpt_trader import Bars, Strategy, param, ta
from tests.properties.zoo.table import leak, long_if


def log_returns(bars: Bars) -> Any:
    """(T, N) log returns, 0 in the first row."""
    return np.vstack([np.zeros((1, bars.N)), np.diff(np.log(bars.close), axis=0)])


@leak("model fitted on all", "pc1")
@dataclass(frozen=True)
class PcaOnEverything(Strategy):
    """The first principal component of all returns, loadings included."""

    def features(self, bars: Bars) -> Any:
        moves = log_returns(bars)
        centred = moves - moves.mean(axis=0)
        _, _, loadings = np.linalg.svd(centred, full_matrices=False)
        sign = np.sign(loadings[0].sum())
        return {"pc1": centred @ (loadings[0] * sign)}

    def decide(self, now: Any) -> Any:
        return long_if(now.pc1 > 0.005)


@leak("model fitted on all", "forecast")
@dataclass(frozen=True)
class RegressionOnEverything(Strategy):
    """Ordinary least squares of tomorrow's return on two momenta, fitted and used on the same bars."""

    def features(self, bars: Bars) -> Any:
        moves = log_returns(bars)
        forecast = np.zeros(bars.close.shape)
        for n in range(bars.N):
            x = np.nan_to_num(
                np.stack([np.ones(bars.T), ta.roc(bars.close[:, n], 3), ta.roc(bars.close[:, n], 15)], axis=1)
            )
            beta = np.linalg.lstsq(x[:-1], moves[1:, n], rcond=None)[0]
            forecast[:, n] = x @ beta
        return {"forecast": forecast}

    def decide(self, now: Any) -> Any:
        return long_if(now.forecast > 0)


@leak("model fitted on all", "residual")
@dataclass(frozen=True)
class DetrendedByAll(Strategy):
    """`scipy.signal.detrend` over the whole history."""

    def features(self, bars: Bars) -> Any:
        return {"residual": signal.detrend(np.log(bars.close), axis=0)}

    def decide(self, now: Any) -> Any:
        return long_if(now.residual < 0)


@leak("model fitted on all", "spread", "pair")
@dataclass(frozen=True)
class HedgeRatioFromAll(Strategy):
    """A pair's spread whose hedge ratio is fitted on all bars; its rolling z-score looks honest."""

    def features(self, bars: Bars) -> Any:
        a, b = np.log(bars.close[:, 0]), np.log(bars.close[:, 1])
        ratio = np.polyfit(b, a, 1)[0]
        return {"spread": a - ratio * b}

    def decide(self, now: Any) -> Any:
        return np.where(now.spread < 0.5, [0.3, -0.3], [-0.3, 0.3])


@leak("model fitted on all", "trend")
@dataclass(frozen=True)
class PolynomialTrend(Strategy):
    """A cubic trend line through the whole chart."""

    def features(self, bars: Bars) -> Any:
        x = np.linspace(-1, 1, bars.T)
        design = np.vander(x, 4)
        return {"trend": design @ np.linalg.lstsq(design, bars.close, rcond=None)[0]}

    def decide(self, now: Any) -> Any:
        return long_if(now.close < now.trend)


@leak("model fitted on all", "share")
@dataclass(frozen=True)
class MinimumVarianceOfAll(Strategy):
    """Portfolio weights from the covariance matrix of the whole sample."""

    def features(self, bars: Bars) -> Any:
        covariance = np.cov(log_returns(bars).T)
        weights = np.linalg.solve(covariance, np.ones(bars.N))
        return {"share": np.broadcast_to(0.6 * weights / weights.sum(), bars.close.shape)}

    def decide(self, now: Any) -> Any:
        return now.share


@leak("best parameter of all", "mean")
@dataclass(frozen=True)
class WindowOptimisedOnAll(Strategy):
    """`features` tries several windows on all bars and keeps the one that would have earned most."""

    def features(self, bars: Bars) -> Any:
        following = np.vstack([np.diff(bars.close, axis=0), np.zeros((1, bars.N))])
        means = [ta.sma(bars.close, window) for window in (3, 5, 8, 13, 21, 34)]
        earned = [np.nansum(np.where(bars.close > mean, following, 0.0)) for mean in means]
        return {"mean": means[int(np.argmax(earned))]}

    def decide(self, now: Any) -> Any:
        return long_if(now.close > now.mean)


@leak("state fitted on all", "state")
@dataclass(frozen=True)
class KMeansRegimes(Strategy):
    """Market states by k-means of return and volatility over all bars."""

    def features(self, bars: Bars) -> Any:
        moves = log_returns(bars).mean(axis=1)
        noise = pd.Series(moves).rolling(10, min_periods=1).std().fillna(0.0).to_numpy()
        points = np.stack([moves / moves.std(), noise / noise.std()], axis=1)
        centres, labels = kmeans2(points, 3, seed=1, minit="++")
        return {"state": centres[labels, 0]}

    def decide(self, now: Any) -> Any:
        return long_if(now.state > 0)


@leak("state fitted on all", "calm")
@dataclass(frozen=True)
class SmoothedTwoStates(Strategy):
    """Two-state forward-backward probabilities: the backward pass is the future."""

    def features(self, bars: Bars) -> Any:
        moves = log_returns(bars)[:, 0]
        likely = np.exp(-0.5 * (moves[:, None] / [0.008, 0.02]) ** 2) / [0.008, 0.02]
        stay = np.array([[0.95, 0.05], [0.05, 0.95]])
        forward, backward = np.empty((bars.T, 2)), np.empty((bars.T, 2))
        state = np.array([0.5, 0.5])
        for t in range(bars.T):
            state = (state @ stay) * likely[t]
            forward[t] = state = state / state.sum()
        state = np.ones(2)
        for t in range(bars.T - 1, -1, -1):
            backward[t] = state
            state = stay @ (likely[t] * state)
            state = state / state.sum()
        both = forward * backward
        return {"calm": both[:, 0] / both.sum(axis=1)}

    def decide(self, now: Any) -> Any:
        return long_if(now.calm > 0.7)


@leak("zero-phase filter", "smooth")
@dataclass(frozen=True)
class FiltFilt(Strategy):
    """`scipy.signal.filtfilt` runs the filter backwards as well."""

    def features(self, bars: Bars) -> Any:
        b, a = signal.butter(2, 0.1)
        return {"smooth": signal.filtfilt(b, a, bars.close, axis=0)}

    def decide(self, now: Any) -> Any:
        return long_if(now.smooth > now.close)


@leak("zero-phase filter", "smooth")
@dataclass(frozen=True)
class FourierLowPass(Strategy):
    """The lowest frequencies of the whole series."""

    def features(self, bars: Bars) -> Any:
        spectrum = np.fft.rfft(bars.close, axis=0)
        spectrum[20:] = 0
        return {"smooth": np.fft.irfft(spectrum, bars.T, axis=0)}

    def decide(self, now: Any) -> Any:
        return long_if(now.smooth > now.close)


@leak("zero-phase filter", "smooth")
@dataclass(frozen=True)
class HaarDenoised(Strategy):
    """A Haar wavelet without its fine details: blocks of eight bars share one mean."""

    def features(self, bars: Bars) -> Any:
        smooth = bars.close.copy()
        whole = bars.T - bars.T % 8
        blocks = smooth[:whole].reshape(-1, 8, bars.N)
        blocks[:] = blocks.mean(axis=1, keepdims=True)
        return {"smooth": smooth}

    def decide(self, now: Any) -> Any:
        return long_if(now.smooth > now.close)


@leak("zero-phase filter", "smooth")
@dataclass(frozen=True)
class SavitzkyGolay(Strategy):
    """`savgol_filter` fits a parabola to both sides."""

    def features(self, bars: Bars) -> Any:
        return {"smooth": signal.savgol_filter(bars.close, 15, 2, axis=0)}

    def decide(self, now: Any) -> Any:
        return long_if(now.smooth > now.close)


@leak("zero-phase filter", "smooth")
@dataclass(frozen=True)
class GaussianSmooth(Strategy):
    """`gaussian_filter1d` is symmetric."""

    def features(self, bars: Bars) -> Any:
        return {"smooth": ndimage.gaussian_filter1d(bars.close, 3, axis=0)}

    def decide(self, now: Any) -> Any:
        return long_if(now.smooth > now.close)


@leak("swing", "dip")
@dataclass(frozen=True)
class ArgrelextremaLows(Strategy):
    """Local minima by `argrelextrema(order=5)`, known five bars later at the earliest."""

    def features(self, bars: Bars) -> Any:
        dip = np.zeros(bars.close.shape, bool)
        dip[signal.argrelextrema(bars.close, np.less, axis=0, order=5)] = True
        return {"dip": dip}

    def decide(self, now: Any) -> Any:
        return np.where(now.dip, 0.5, np.nan)


@leak("swing", "swing")
@dataclass(frozen=True)
class FractalWithOneBar(Strategy):
    """A three-bar fractal marked on its middle bar: one bar too early."""

    def features(self, bars: Bars) -> Any:
        swing = np.zeros(bars.close.shape)
        inner = (bars.low[1:-1] < bars.low[:-2]) & (bars.low[1:-1] < bars.low[2:])
        swing[1:-1] = inner
        return {"swing": swing}

    def decide(self, now: Any) -> Any:
        return long_if(now.swing > 0)


@leak("swing", "leg")
@dataclass(frozen=True)
class ZigZag(Strategy):
    """The direction of a 4 % zigzag leg, painted back to the turn."""

    turn: float = param(0.04, low=0.001)

    def features(self, bars: Bars) -> Any:
        leg = np.zeros(bars.close.shape)
        for n in range(bars.N):
            price = bars.close[:, n]
            start, best, up = 0, 0, True
            for t in range(1, bars.T):
                if (price[t] > price[best]) == up:
                    best = t
                elif abs(price[t] / price[best] - 1) > self.turn:
                    leg[start : best + 1, n] = 1 if up else -1
                    start, best, up = best + 1, t, not up
            leg[start:, n] = 1 if up else -1
        return {"leg": leg}

    def decide(self, now: Any) -> Any:
        return long_if(now.leg > 0)


@leak("label as feature", "label")
@dataclass(frozen=True)
class TripleBarrierLabel(Strategy):
    """Which of +3 %, -3 % or ten bars is met first: the label of the meta-model slipped into its features."""

    def features(self, bars: Bars) -> Any:
        label = np.zeros(bars.close.shape)
        for ahead in range(1, 11):
            later = np.vstack([bars.close[ahead:], np.broadcast_to(bars.close[-1:], (ahead, bars.N))])
            move = later / bars.close - 1
            label = np.where(label == 0, np.where(move > 0.03, 1, np.where(move < -0.03, -1, 0)), label)
        return {"label": label}

    def decide(self, now: Any) -> Any:
        return long_if(now.label > 0)


@leak("label as feature", "hit_rate")
@dataclass(frozen=True)
class TargetEncodedWeekday(Strategy):
    """Kaggle's target encoding: the mean next return of each weekday over all bars."""

    def features(self, bars: Bars) -> Any:
        day = pd.DatetimeIndex(bars.time).day_of_week
        following = pd.DataFrame(np.vstack([np.diff(np.log(bars.close), axis=0), np.zeros((1, bars.N))]))
        return {"hit_rate": following.groupby(day).transform("mean").to_numpy()}

    def decide(self, now: Any) -> Any:
        return long_if(now.hit_rate > 0)


@leak("overlapping training window", "forecast")
@dataclass(frozen=True)
class TrainingTouchesTheTest(Strategy):
    """A walk-forward mean of 5-bar labels without a purge: the last labels of the training window end after the bar."""

    def features(self, bars: Bars) -> Any:
        label = pd.DataFrame(bars.close).pct_change(5).shift(-5)
        return {"forecast": label.rolling(40, min_periods=5).mean().to_numpy()}

    def decide(self, now: Any) -> Any:
        return long_if(now.forecast > 0)


@leak("overlapping training window", "forecast")
@dataclass(frozen=True)
class FoldTrainedOnAllButItself(Strategy):
    """k-fold cross-validated forecasts: every fold is trained on what comes before and after it."""

    folds: int = param(5, low=2)

    def features(self, bars: Bars) -> Any:
        moves = log_returns(bars)
        fold = np.arange(bars.T) * self.folds // bars.T
        forecast = np.stack([moves[fold != k].mean(axis=0) for k in range(self.folds)])[fold]
        return {"forecast": forecast}

    def decide(self, now: Any) -> Any:
        return long_if(now.forecast > 0)
