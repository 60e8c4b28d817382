"""Leaks of single features: shifts, windows, fills and statistics that reach past the bar."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from gpt_trader import Bars, Strategy, param, ta
from tests.properties.zoo.table import leak, long_if


@leak("negative shift", "target")
@dataclass(frozen=True)
class PandasShiftBack(Strategy):
    """`shift(-1)`: tomorrow's close as today's feature."""

    def features(self, bars: Bars) -> Any:
        return {"target": pd.DataFrame(bars.close).shift(-1).to_numpy()}

    def decide(self, now: Any) -> Any:
        return long_if(now.target > now.close)


@leak("negative shift", "forward_return")
@dataclass(frozen=True)
class PctChangeBack(Strategy):
    """`pct_change(-5)` has the wrong sign of the period."""

    def features(self, bars: Bars) -> Any:
        return {"forward_return": -pd.DataFrame(bars.close).pct_change(-5).to_numpy()}

    def decide(self, now: Any) -> Any:
        return long_if(now.forward_return > 0.01)


@leak("negative shift", "chikou")
@dataclass(frozen=True)
class IchimokuChikou(Strategy):
    """The lagging span of Ichimoku, drawn 26 bars back and then used as a signal."""

    def features(self, bars: Bars) -> Any:
        return {"chikou": pd.DataFrame(bars.close).shift(-26).to_numpy()}

    def decide(self, now: Any) -> Any:
        return long_if(now.chikou > now.close)


@leak("negative shift", "gap")
@dataclass(frozen=True)
class DiffWithoutPrepend(Strategy):
    """`np.diff` padded at the wrong end: row t holds the change from t to t+1."""

    def features(self, bars: Bars) -> Any:
        return {"gap": np.append(np.diff(bars.close, axis=0), np.zeros((1, bars.N)), axis=0)}

    def decide(self, now: Any) -> Any:
        return long_if(now.gap > 0)


@leak("roll", "ahead")
@dataclass(frozen=True)
class RollBack(Strategy):
    """`np.roll` by -1."""

    def features(self, bars: Bars) -> Any:
        return {"ahead": np.roll(bars.close, -1, axis=0)}

    def decide(self, now: Any) -> Any:
        return long_if(now.ahead > now.close)


@leak("roll", "yesterday")
@dataclass(frozen=True)
class RollWrapsAround(Strategy):
    """`np.roll` by +20 is causal but for its first rows, which come from the end of the data."""

    def features(self, bars: Bars) -> Any:
        return {"yesterday": np.roll(bars.close, 20, axis=0)}

    def decide(self, now: Any) -> Any:
        return long_if(now.close > now.yesterday)


@leak("centred window", "smooth")
@dataclass(frozen=True)
class CentredRolling(Strategy):
    """`rolling(11, center=True)`."""

    def features(self, bars: Bars) -> Any:
        return {"smooth": pd.DataFrame(bars.close).rolling(11, center=True, min_periods=1).mean().to_numpy()}

    def decide(self, now: Any) -> Any:
        return long_if(now.smooth > now.close)


@leak("centred window", "smooth")
@dataclass(frozen=True)
class ConvolveSame(Strategy):
    """`np.convolve(..., mode="same")` centres its kernel."""

    def features(self, bars: Bars) -> Any:
        kernel = np.ones(9) / 9
        return {"smooth": np.stack([np.convolve(bars.close[:, n], kernel, "same") for n in range(bars.N)], 1)}

    def decide(self, now: Any) -> Any:
        return long_if(now.smooth > now.close)


@leak("centred window", "dpo")
@dataclass(frozen=True)
class DetrendedPriceOscillator(Strategy):
    """DPO as charting packages draw it: the mean is moved n/2+1 bars into the past."""

    n: int = param(20, low=4)

    def features(self, bars: Bars) -> Any:
        close = pd.DataFrame(bars.close)
        mean = close.rolling(self.n).mean().shift(-(self.n // 2 + 1))
        return {"dpo": (close - mean).to_numpy()}

    def decide(self, now: Any) -> Any:
        return long_if(now.dpo < 0)


@leak("backward fill", "filled", "gaps")
@dataclass(frozen=True)
class BfillGaps(Strategy):
    """Missing bars get the price that follows them."""

    def features(self, bars: Bars) -> Any:
        return {"filled": pd.DataFrame(bars.close).bfill().to_numpy()}

    def decide(self, now: Any) -> Any:
        return long_if(now.filled > np.nan_to_num(now.close))


@leak("backward fill", "filled", "gaps")
@dataclass(frozen=True)
class LinearInterpolation(Strategy):
    """`interpolate()` draws a line to the next known price."""

    def features(self, bars: Bars) -> Any:
        return {"filled": pd.DataFrame(bars.close).interpolate(limit_direction="both").to_numpy()}

    def decide(self, now: Any) -> Any:
        return long_if(now.filled > 100.0)


@leak("backward fill", "vwma")
@dataclass(frozen=True)
class WarmUpBackfilled(Strategy):
    """A trailing mean whose warm-up is filled backwards, "so that no bar is lost"."""

    def features(self, bars: Bars) -> Any:
        return {"vwma": pd.DataFrame(bars.close).rolling(30).mean().bfill().to_numpy()}

    def decide(self, now: Any) -> Any:
        return long_if(now.close > now.vwma)


@leak("full-sample statistic", "z")
@dataclass(frozen=True)
class WholeZScore(Strategy):
    """A z-score with the mean and deviation of all bars."""

    def features(self, bars: Bars) -> Any:
        return {"z": (bars.close - np.nanmean(bars.close, axis=0)) / np.nanstd(bars.close, axis=0)}

    def decide(self, now: Any) -> Any:
        return long_if(now.z < -0.5)


@leak("full-sample statistic", "scaled")
@dataclass(frozen=True)
class WholeMinMax(Strategy):
    """Min-max scaling over all bars, as for a neural network."""

    def features(self, bars: Bars) -> Any:
        low, high = np.nanmin(bars.close, axis=0), np.nanmax(bars.close, axis=0)
        return {"scaled": (bars.close - low) / (high - low)}

    def decide(self, now: Any) -> Any:
        return long_if(now.scaled < 0.3)


@leak("full-sample statistic", "busy")
@dataclass(frozen=True)
class WholeVolumeMean(Strategy):
    """freqtrade's classic: `volume > volume.mean()` over the frame."""

    def features(self, bars: Bars) -> Any:
        return {"busy": bars.volume > bars.volume.mean(axis=0)}

    def decide(self, now: Any) -> Any:
        return long_if(now.busy)


@leak("full-sample statistic", "bucket")
@dataclass(frozen=True)
class WholeQuantileBuckets(Strategy):
    """`qcut` of returns into five buckets over the whole sample."""

    def features(self, bars: Bars) -> Any:
        roc = pd.DataFrame(ta.roc(bars.close, 5))
        return {"bucket": roc.apply(lambda one: pd.qcut(one, 5, labels=False)).to_numpy()}

    def decide(self, now: Any) -> Any:
        return long_if(now.bucket == 0)


@leak("full-sample statistic", "rank")
@dataclass(frozen=True)
class WholeRank(Strategy):
    """`rank(pct=True)` down the column instead of along the row."""

    def features(self, bars: Bars) -> Any:
        return {"rank": pd.DataFrame(bars.volume).rank(pct=True).to_numpy()}

    def decide(self, now: Any) -> Any:
        return long_if(now.rank > 0.8)


@leak("full-sample statistic", "clean")
@dataclass(frozen=True)
class WinsorisedByAll(Strategy):
    """Returns clipped at the 1 % and 99 % quantiles of all bars; moves few values, and those by little."""

    def features(self, bars: Bars) -> Any:
        moves = np.vstack([np.zeros((1, bars.N)), np.diff(np.log(bars.close), axis=0)])
        low, high = np.quantile(moves, [0.01, 0.99], axis=0)
        return {"clean": pd.DataFrame(np.clip(moves, low, high)).rolling(10).sum().to_numpy()}

    def decide(self, now: Any) -> Any:
        return np.where(np.isnan(now.clean), 0.0, np.clip(now.clean * 5, -0.5, 0.5))


@leak("full-sample statistic", "atr_share")
@dataclass(frozen=True)
class SizedByWholeVolatility(Strategy):
    """Position sizes from the volatility of the whole history."""

    def features(self, bars: Bars) -> Any:
        moves = np.diff(np.log(bars.close), axis=0)
        return {
            "atr_share": np.full(bars.close.shape, 0.002 / moves.std(axis=0)),
            "mean": ta.sma(bars.close, 20),
        }

    def decide(self, now: Any) -> Any:
        return np.where(now.close > now.mean, now.atr_share, 0.0)


@leak("full-sample statistic", "outlier")
@dataclass(frozen=True)
class FallbackToFrameMean(Strategy):
    """The fallback of a short mean is the mean of the whole frame: only the first rows leak."""

    def features(self, bars: Bars) -> Any:
        mean = ta.sma(bars.close, 25)
        return {"outlier": np.where(np.isnan(mean), np.nanmean(bars.close, axis=0), mean)}

    def decide(self, now: Any) -> Any:
        return long_if(now.close < now.outlier)


@leak("forward window", "best")
@dataclass(frozen=True)
class ForwardIndexer(Strategy):
    """pandas' FixedForwardWindowIndexer."""

    def features(self, bars: Bars) -> Any:
        window = pd.api.indexers.FixedForwardWindowIndexer(window_size=5)
        return {"best": pd.DataFrame(bars.high).rolling(window, min_periods=1).max().to_numpy()}

    def decide(self, now: Any) -> Any:
        return long_if(now.best > now.close * 1.02)


@leak("reversed time", "ema")
@dataclass(frozen=True)
class SortedDescending(Strategy):
    """A vendor's newest-first frame smoothed before it was turned round."""

    def features(self, bars: Bars) -> Any:
        newest_first = pd.DataFrame(bars.close[::-1])
        return {"ema": newest_first.ewm(span=10).mean().to_numpy()[::-1]}

    def decide(self, now: Any) -> Any:
        return long_if(now.ema > now.close)


@leak("reversed time", "remaining")
@dataclass(frozen=True)
class CumulativeFromTheEnd(Strategy):
    """Volume that is still to come."""

    def features(self, bars: Bars) -> Any:
        return {"remaining": np.cumsum(bars.volume[::-1], axis=0)[::-1] - bars.volume}

    def decide(self, now: Any) -> Any:
        return long_if(now.remaining > now.volume * 100)


@leak("reversed time", "floor")
@dataclass(frozen=True)
class LowestStillToCome(Strategy):
    """Buys closes that are never undercut again."""

    def features(self, bars: Bars) -> Any:
        return {"floor": np.minimum.accumulate(bars.low[::-1], axis=0)[::-1]}

    def decide(self, now: Any) -> Any:
        return long_if(now.close <= now.floor * 1.01)


@leak("next bar", "next_open")
@dataclass(frozen=True)
class NextOpen(Strategy):
    """The open of the fill."""

    def features(self, bars: Bars) -> Any:
        return {"next_open": np.vstack([bars.open[1:], bars.close[-1:]])}

    def decide(self, now: Any) -> Any:
        return long_if(now.next_open < now.close)


@leak("next bar", "next_volume")
@dataclass(frozen=True)
class NextVolume(Strategy):
    """Volume of the bar in which the order will fill."""

    def features(self, bars: Bars) -> Any:
        return {"next_volume": np.vstack([bars.volume[1:], bars.volume[-1:]])}

    def decide(self, now: Any) -> Any:
        return long_if(now.next_volume > 1.3e6)


@leak("next bar", "announced")
@dataclass(frozen=True)
class AnnouncementReturn(Strategy):
    """An event study: the return from one day before to two days after a jump, stamped on the jump."""

    def features(self, bars: Bars) -> Any:
        close = pd.DataFrame(bars.close)
        jump = close.pct_change().abs() > 0.02
        return {"announced": (close.shift(-2) / close.shift(1) - 1).where(jump).ffill(limit=3).to_numpy()}

    def decide(self, now: Any) -> Any:
        return long_if(now.announced > 0.02)
