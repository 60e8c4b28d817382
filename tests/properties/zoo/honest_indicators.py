"""Honest strategies of features: trailing windows, recursions, and values that depend on where the data begin."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import talib
from scipy import signal

from gpt_trader import Bars, Strategy, param, ta
from tests.properties.zoo.table import honest, long_if


def log_returns(close: Any) -> Any:
    """Log returns down the rows, 0 in the first."""
    return np.vstack([np.zeros((1, close.shape[1])), np.diff(np.log(close), axis=0)])


@honest("ok", "years")
@dataclass(frozen=True)
class EmaCross(Strategy):
    """Two exponential means."""

    def features(self, bars: Bars) -> Any:
        return {"fast": ta.ema(bars.close, 8), "slow": ta.ema(bars.close, 21)}

    def decide(self, now: Any) -> Any:
        return long_if(now.fast > now.slow)


@honest("ok", "years")
@dataclass(frozen=True)
class WilderRsi(Strategy):
    """RSI(14), smoothed as Wilder did."""

    def features(self, bars: Bars) -> Any:
        return {"rsi": ta.rsi(bars.close, 14)}

    def decide(self, now: Any) -> Any:
        return np.where(now.rsi < 35, 0.4, np.where(now.rsi > 60, 0.0, np.nan))


@honest("ok", "years")
@dataclass(frozen=True)
class AtrChannel(Strategy):
    """A channel of two ATR round a mean."""

    def features(self, bars: Bars) -> Any:
        mean = ta.sma(bars.close, 20)
        atr = ta.atr(bars.high, bars.low, bars.close, 14)
        return {"upper": mean + 2 * atr, "lower": mean - 2 * atr}

    def decide(self, now: Any) -> Any:
        return np.where(now.close > now.upper, 0.5, np.where(now.close < now.lower, 0.0, np.nan))


@honest("ok", "years")
@dataclass(frozen=True)
class ManyIndicators(Strategy):
    """A vote of MACD, ADX, stochastic, Bollinger bands and a z-score."""

    def features(self, bars: Bars) -> Any:
        macd = ta.macd(bars.close)
        stochastic = ta.stochastic(bars.high, bars.low, bars.close)
        return {
            "macd": macd[0] - macd[1],
            "adx": ta.adx(bars.high, bars.low, bars.close, 14)[0],
            "k": stochastic[0],
            "middle": ta.sma(bars.close, 20),
            "z": ta.zscore(bars.close, 30),
        }

    def decide(self, now: Any) -> Any:
        votes = 1.0 * (now.macd > 0) + (now.k < 40) + (now.close > now.middle) + (now.z < 1)
        return np.where(now.adx > 15, 0.1 * votes, 0.0)


@honest("ok", "years")
@dataclass(frozen=True)
class TalibEma(Strategy):
    """TA-Lib's exponential mean, column by column."""

    def features(self, bars: Bars) -> Any:
        columns = [talib.EMA(np.ascontiguousarray(bars.close[:, n]), 10) for n in range(bars.N)]
        return {"ema": np.stack(columns, axis=1)}

    def decide(self, now: Any) -> Any:
        return long_if(now.close > now.ema)


@honest("ok", "years")
@dataclass(frozen=True)
class OneSidedButterworth(Strategy):
    """`lfilter`, forwards only, started at the first price."""

    def features(self, bars: Bars) -> Any:
        b, a = signal.butter(2, 0.2)
        start = signal.lfilter_zi(b, a)[:, None] * bars.close[0]
        return {"smooth": signal.lfilter(b, a, bars.close, axis=0, zi=start)[0]}

    def decide(self, now: Any) -> Any:
        return long_if(now.close > now.smooth)


@honest("ok")
@dataclass(frozen=True)
class TrailingFftConvolution(Strategy):
    """A trailing mean by `fftconvolve`: causal, though its rounding knows all bars."""

    def features(self, bars: Bars) -> Any:
        mean = signal.fftconvolve(bars.close, np.full((20, 1), 1 / 20), axes=0)[: bars.T]
        mean[:19] = np.nan
        return {"mean": mean}

    def decide(self, now: Any) -> Any:
        return long_if(now.close > now.mean)


@honest("ok", "years")
@dataclass(frozen=True)
class KalmanLevel(Strategy):
    """A local-level Kalman filter, forward pass only."""

    noise: float = param(0.05, low=1e-6)

    def features(self, bars: Bars) -> Any:
        level = np.empty(bars.close.shape)
        state, spread = bars.close[0].copy(), 1.0
        for t, price in enumerate(bars.close):
            spread += self.noise
            gain = spread / (spread + 1.0)
            state = state + gain * (price - state)
            spread *= 1 - gain
            level[t] = state
        return {"level": level}

    def decide(self, now: Any) -> Any:
        return long_if(now.close > now.level)


@honest("ok", "years")
@dataclass(frozen=True)
class GarchVolatility(Strategy):
    """The variance recursion of a GARCH(1,1) with given parameters."""

    def features(self, bars: Bars) -> Any:
        squares = log_returns(bars.close) ** 2
        variance = np.empty(squares.shape)
        last = np.full(bars.N, 1.4e-4)
        for t, square in enumerate(squares):
            last = 5e-6 + 0.1 * square + 0.85 * last
            variance[t] = last
        return {"sigma": np.sqrt(variance)}

    def decide(self, now: Any) -> Any:
        return np.minimum(0.4, 0.003 / now.sigma)


@honest("ok", "years")
@dataclass(frozen=True)
class HeikinAshi(Strategy):
    """Heikin-Ashi candles: a recursion that halves its past at each bar."""

    def features(self, bars: Bars) -> Any:
        close = (bars.open + bars.high + bars.low + bars.close) / 4
        opened = np.empty(close.shape)
        opened[0] = (bars.open[0] + bars.close[0]) / 2
        for t in range(1, bars.T):
            opened[t] = (opened[t - 1] + close[t - 1]) / 2
        return {"body": close - opened}

    def decide(self, now: Any) -> Any:
        return long_if(now.body > 0)


@honest("ok or warning", "years")
@dataclass(frozen=True)
class SuperTrend(Strategy):
    """A trend line that flips: its state lasts until the next flip, however long that is."""

    def features(self, bars: Bars) -> Any:
        middle = ((bars.high + bars.low) / 2).tolist()
        close, width = bars.close.tolist(), (2 * ta.sma(bars.high - bars.low, 10)).tolist()
        trend = np.zeros(bars.close.shape)
        for n in range(bars.N):
            up, line = True, middle[0][n]
            for t in range(1, bars.T):
                if width[t][n] == width[t][n]:
                    lower, upper = middle[t][n] - width[t][n], middle[t][n] + width[t][n]
                    line = max(line, lower) if up else min(line, upper)
                    if (close[t][n] < line) == up:
                        up = not up
                        line = lower if up else upper
                trend[t, n] = 1.0 if up else -1.0
        return {"trend": trend}

    def decide(self, now: Any) -> Any:
        return long_if(now.trend > 0)


@honest("ok")
@dataclass(frozen=True)
class DonchianOfPreviousBars(Strategy):
    """Breaks of the highest high of the 20 bars before this one."""

    def features(self, bars: Bars) -> Any:
        return {"top": ta.shift(ta.highest(bars.high, 20), 1), "floor": ta.shift(ta.lowest(bars.low, 10), 1)}

    def decide(self, now: Any) -> Any:
        return np.where(now.close > now.top, 0.5, np.where(now.close < now.floor, 0.0, np.nan))


@honest("ok")
@dataclass(frozen=True)
class PandasRolling(Strategy):
    """`rolling(20)` mean, deviation and rank with pandas."""

    def features(self, bars: Bars) -> Any:
        window = pd.DataFrame(bars.close).rolling(20)
        return {"z": ((bars.close - window.mean()) / window.std()).to_numpy(), "rank": window.rank(pct=True)}

    def decide(self, now: Any) -> Any:
        return long_if((now.z < 0) & (now.rank < 0.4))


@honest("ok")
@dataclass(frozen=True)
class SwingConfirmedLater(Strategy):
    """A centred minimum, shifted by as many bars as it looks ahead."""

    def features(self, bars: Bars) -> Any:
        low = pd.DataFrame(bars.low)
        swing = low.where(low == low.rolling(11, center=True).min())
        return {"swing": swing.shift(5).ffill(limit=30).to_numpy()}

    def decide(self, now: Any) -> Any:
        return long_if(now.close > now.swing)


@honest("ok")
@dataclass(frozen=True)
class RolledWithItsStartMasked(Strategy):
    """`np.roll` by +5 whose wrapped rows are set to NaN."""

    def features(self, bars: Bars) -> Any:
        before = np.roll(bars.close, 5, axis=0)
        before[:5] = np.nan
        return {"before": before}

    def decide(self, now: Any) -> Any:
        return long_if(now.close > now.before)


@honest("ok")
@dataclass(frozen=True)
class NewestFirstShiftedBack(Strategy):
    """`shift(-1)` on a newest-first frame is the bar before."""

    def features(self, bars: Bars) -> Any:
        newest_first = pd.DataFrame(bars.close[::-1])
        return {"before": newest_first.shift(-1).to_numpy()[::-1]}

    def decide(self, now: Any) -> Any:
        return long_if(now.close > now.before)


@honest("ok")
@dataclass(frozen=True)
class SlopeOfTwentyBars(Strategy):
    """Least-squares slopes over `sliding_window_view`; needs twenty bars and says so when there are fewer."""

    def features(self, bars: Bars) -> Any:
        if bars.T < 20:
            raise ValueError(f"needs 20 bars, got {bars.T}")
        windows = np.lib.stride_tricks.sliding_window_view(np.log(bars.close), 20, axis=0)
        x = np.arange(20) - 9.5
        slope = np.full(bars.close.shape, np.nan)
        slope[19:] = windows @ (x / (x @ x))
        return {"slope": slope}

    def decide(self, now: Any) -> Any:
        return long_if(now.slope > 0)


@honest("warning")
@dataclass(frozen=True)
class ExpandingMean(Strategy):
    """The mean of all bars so far."""

    def features(self, bars: Bars) -> Any:
        return {"mean": pd.DataFrame(bars.close).expanding().mean().to_numpy()}

    def decide(self, now: Any) -> Any:
        return long_if(now.close > now.mean)


@honest("warning")
@dataclass(frozen=True)
class ExpandingZScore(Strategy):
    """A z-score with the moments of all bars so far."""

    def features(self, bars: Bars) -> Any:
        so_far = pd.DataFrame(bars.close).expanding(20)
        return {"z": ((bars.close - so_far.mean()) / so_far.std()).to_numpy()}

    def decide(self, now: Any) -> Any:
        return long_if(now.z < -0.5)


@honest("warning")
@dataclass(frozen=True)
class RunningMaximum(Strategy):
    """Distance from the highest close so far."""

    def features(self, bars: Bars) -> Any:
        return {"fall": bars.close / np.maximum.accumulate(bars.close, axis=0)}

    def decide(self, now: Any) -> Any:
        return long_if(now.fall > 0.97)


@honest("warning")
@dataclass(frozen=True)
class OnBalanceVolume(Strategy):
    """OBV itself, not its differences."""

    def features(self, bars: Bars) -> Any:
        return {"obv": ta.obv(bars.close, bars.volume)}

    def decide(self, now: Any) -> Any:
        return long_if(now.obv > 0)


@honest("warning")
@dataclass(frozen=True)
class DividedByTheFirstPrice(Strategy):
    """Growth since the first bar."""

    def features(self, bars: Bars) -> Any:
        return {"growth": bars.close / bars.close[0]}

    def decide(self, now: Any) -> Any:
        return long_if(now.growth > 1.02)


@honest("warning", "daily")
@dataclass(frozen=True)
class VerySlowEma(Strategy):
    """An exponential mean of 5,000 bars on a few hundred."""

    def features(self, bars: Bars) -> Any:
        return {"slow": pd.DataFrame(bars.close).ewm(span=5000, adjust=False).mean().to_numpy()}

    def decide(self, now: Any) -> Any:
        return long_if(now.close > now.slow)


@honest("warning")
@dataclass(frozen=True)
class RenkoBricks(Strategy):
    """The direction of 2 % bricks laid from the first price on."""

    def features(self, bars: Bars) -> Any:
        bricks = np.floor(np.log(bars.close / bars.close[0]) / 0.02)
        return {"brick": bricks - np.vstack([bricks[:1], bricks[:-1]]), "height": bricks}

    def decide(self, now: Any) -> Any:
        return np.where(now.brick > 0, 0.5, np.where(now.brick < 0, 0.0, np.nan))


@honest("warning")
@dataclass(frozen=True)
class EveryFifthRow(Strategy):
    """Acts on rows that are counted from the first bar."""

    def features(self, bars: Bars) -> Any:
        return {"fifth": np.arange(bars.T) % 5 == 0, "roc": ta.roc(bars.close, 10)}

    def decide(self, now: Any) -> Any:
        return np.where(now.fifth, np.where(now.roc > 0, 0.4, 0.0), np.nan)
