"""Leaks of calendars and joins: a period's value before the period is over, and joins that reach forward."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from gpt_trader import Bars, Strategy
from tests.properties.zoo.table import leak, long_if


def frame(bars: Bars) -> pd.DataFrame:
    """Closes with their times as the index."""
    return pd.DataFrame(bars.close, index=pd.DatetimeIndex(bars.time))


@leak("resampled to the left", "weekly")
@dataclass(frozen=True)
class WeeklyLabelLeft(Strategy):
    """`resample("W", label="left").last()`, joined by forward fill: the week's close from its first day on."""

    def features(self, bars: Bars) -> Any:
        weekly = frame(bars).resample("W", label="left").last()
        return {"weekly": weekly.reindex(bars.time, method="ffill").to_numpy()}

    def decide(self, now: Any) -> Any:
        return long_if(now.weekly > now.close)


@leak("resampled to the left", "monthly")
@dataclass(frozen=True)
class MonthStartCandles(Strategy):
    """Monthly candles stamped with the first of the month."""

    def features(self, bars: Bars) -> Any:
        monthly = frame(bars).resample("MS").last()
        return {"monthly": monthly.reindex(bars.time, method="ffill").to_numpy()}

    def decide(self, now: Any) -> Any:
        return long_if(now.monthly > now.close)


@leak("resampled to the left", "hourly", "intraday")
@dataclass(frozen=True)
class HourlyOntoHalfHours(Strategy):
    """freqtrade's plain merge: hourly candles joined on their opening time to half-hour bars."""

    def features(self, bars: Bars) -> Any:
        hourly = frame(bars).resample("1h").last().dropna()
        return {"hourly": hourly.reindex(bars.time, method="ffill").bfill().to_numpy()}

    def decide(self, now: Any) -> Any:
        return long_if(now.hourly > now.close)


@leak("day's value inside the day", "day_close", "intraday")
@dataclass(frozen=True)
class DailyCloseOntoMinutes(Strategy):
    """The daily close merged on the date to the bars of that very day."""

    def features(self, bars: Bars) -> Any:
        close = frame(bars)
        day = pd.DatetimeIndex(bars.time).normalize()
        daily = close.groupby(day).last()
        return {"day_close": daily.reindex(day).to_numpy()}

    def decide(self, now: Any) -> Any:
        return long_if(now.day_close > now.close)


@leak("day's value inside the day", "day_high", "intraday")
@dataclass(frozen=True)
class DayHighTransform(Strategy):
    """`groupby(date).transform("max")`."""

    def features(self, bars: Bars) -> Any:
        day = pd.DatetimeIndex(bars.time).normalize()
        return {"day_high": pd.DataFrame(bars.high).groupby(day).transform("max").to_numpy()}

    def decide(self, now: Any) -> Any:
        return np.where(now.close >= now.day_high * 0.999, -0.5, 0.0)


@leak("day's value inside the day", "vwap", "intraday")
@dataclass(frozen=True)
class SessionVwapOfTheWholeDay(Strategy):
    """The day's VWAP instead of the VWAP so far."""

    def features(self, bars: Bars) -> Any:
        day = pd.DatetimeIndex(bars.time).normalize()
        value = pd.DataFrame(bars.close * bars.volume).groupby(day).transform("sum")
        volume = pd.DataFrame(bars.volume).groupby(day).transform("sum")
        return {"vwap": (value / volume).to_numpy()}

    def decide(self, now: Any) -> Any:
        return long_if(now.close < now.vwap)


@leak("group transform", "month_mean")
@dataclass(frozen=True)
class MonthMeanTransform(Strategy):
    """The mean of the calendar month on each of its days."""

    def features(self, bars: Bars) -> Any:
        month = bars.time.astype("datetime64[M]").astype(int)
        return {"month_mean": pd.DataFrame(bars.close).groupby(month).transform("mean").to_numpy()}

    def decide(self, now: Any) -> Any:
        return long_if(now.close < now.month_mean)


@leak("group transform", "seasonal")
@dataclass(frozen=True)
class SeasonalMeans(Strategy):
    """Seasonal adjustment by the mean of each calendar month over all years."""

    def features(self, bars: Bars) -> Any:
        month = pd.DatetimeIndex(bars.time).month
        moves = pd.DataFrame(np.log(bars.close)).diff()
        return {"seasonal": moves.groupby(month).transform("mean").to_numpy()}

    def decide(self, now: Any) -> Any:
        return long_if(now.seasonal > 0)


@leak("group transform", "streak")
@dataclass(frozen=True)
class LengthOfTheRun(Strategy):
    """How long the present run of rising closes will have lasted when it is over."""

    def features(self, bars: Bars) -> Any:
        length = np.empty(bars.close.shape)
        rising = np.vstack([np.zeros((1, bars.N), bool), np.diff(bars.close, axis=0) > 0])
        for n in range(bars.N):
            one = pd.Series(rising[:, n])
            run = (one != one.shift()).cumsum()
            length[:, n] = run.groupby(run).transform("size") * one
        return {"streak": length}

    def decide(self, now: Any) -> Any:
        return long_if(now.streak >= 3)


def _weekly_table(bars: Bars) -> pd.DataFrame:
    """Every fifth close, as a table that comes once a week."""
    at = np.arange(4, bars.T, 5)
    return pd.DataFrame({"time": bars.time[at], "value": bars.close[at, 0]})


@leak("join forward", "report")
@dataclass(frozen=True)
class MergeAsofForward(Strategy):
    """`merge_asof(direction="forward")`: the next report."""

    def features(self, bars: Bars) -> Any:
        left = pd.DataFrame({"time": bars.time})
        joined = pd.merge_asof(left, _weekly_table(bars), on="time", direction="forward")
        return {"report": joined["value"].to_numpy()}

    def decide(self, now: Any) -> Any:
        return long_if(now.report > now.close)


@leak("join forward", "report")
@dataclass(frozen=True)
class MergeAsofNearest(Strategy):
    """`merge_asof(direction="nearest")`: now and then the next report."""

    def features(self, bars: Bars) -> Any:
        left = pd.DataFrame({"time": bars.time})
        joined = pd.merge_asof(left, _weekly_table(bars), on="time", direction="nearest")
        return {"report": joined["value"].to_numpy()}

    def decide(self, now: Any) -> Any:
        return long_if(now.report > now.close)


@leak("join forward", "index_close")
@dataclass(frozen=True)
class SearchsortedOffByOne(Strategy):
    """`searchsorted(side="right")` without the -1 points at the bar after."""

    def features(self, bars: Bars) -> Any:
        at = np.minimum(np.searchsorted(bars.time, bars.time, side="right"), bars.T - 1)
        return {"index_close": bars.close[at, 0]}

    def decide(self, now: Any) -> Any:
        return long_if(now.index_close > now.close)


@leak("join forward", "fundamental")
@dataclass(frozen=True)
class QuarterKnownAtItsStart(Strategy):
    """Quarterly figures stamped with the quarter they describe, not with the day they were published."""

    def features(self, bars: Bars) -> Any:
        quarter = pd.DatetimeIndex(bars.time).to_period("Q")
        earned = pd.DataFrame(bars.volume).groupby(quarter).sum()
        return {"fundamental": earned.loc[quarter].to_numpy() / earned.iloc[0].to_numpy()}

    def decide(self, now: Any) -> Any:
        return long_if(now.fundamental > 1.0)


@leak("missing bars ahead", "resumes", "gaps")
@dataclass(frozen=True)
class CountOfMissingBarsAhead(Strategy):
    """How many of the next ten bars will be missing."""

    def features(self, bars: Bars) -> Any:
        missing = np.isnan(bars.close)[::-1].astype(float)
        ahead = pd.DataFrame(missing).rolling(10, min_periods=1).sum().to_numpy()[::-1]
        return {"resumes": ahead - np.isnan(bars.close)}

    def decide(self, now: Any) -> Any:
        return long_if(now.resumes == 0)


@leak("missing bars ahead", "halted", "gaps")
@dataclass(frozen=True)
class KnowsTheHalt(Strategy):
    """Out one bar before a missing bar."""

    def features(self, bars: Bars) -> Any:
        return {"halted": np.vstack([np.isnan(bars.close[1:]), np.zeros((1, bars.N), bool)])}

    def decide(self, now: Any) -> Any:
        return np.where(now.halted, 0.0, 0.3)


@leak("corporate actions ahead", "split_ahead", "splits")
@dataclass(frozen=True)
class BackAdjustedByFutureDividends(Strategy):
    """Prices adjusted for dividends that will be paid: the level depends on all later ones."""

    def features(self, bars: Bars) -> Any:
        paid = np.cumsum(bars.dividend[::-1], axis=0)[::-1]
        return {"split_ahead": bars.close - paid}

    def decide(self, now: Any) -> Any:
        return long_if(now.split_ahead < 95)
