"""Honest strategies of models, calendars, joins and sessions."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from gpt_trader import Bars, Strategy, param, ta
from tests.properties.zoo.honest_indicators import log_returns
from tests.properties.zoo.table import honest, long_if


@honest("warning", "years")
@dataclass(frozen=True)
class YearlyRefit(Strategy):
    """A regression refitted on the first bar of each year on all returns known by then."""

    def features(self, bars: Bars) -> Any:
        moves = log_returns(bars.close).mean(axis=1)
        x = np.stack([np.ones(bars.T), np.concatenate([[0.0], moves[:-1]])], axis=1)
        year = bars.time.astype("datetime64[Y]")
        forecast, beta = np.full(bars.T, np.nan), None
        for t in range(1, bars.T):
            if year[t] != year[t - 1] and t > 60:
                beta = np.linalg.lstsq(x[:t], moves[:t], rcond=None)[0]
            if beta is not None:
                forecast[t] = beta[0] + beta[1] * moves[t]
        return {"forecast": forecast}

    def decide(self, now: Any) -> Any:
        return np.where(now.close > 0, 0.4 * (now.forecast > 0), np.nan)


@honest("ok", "one")
@dataclass(frozen=True)
class TrainedAnewOnEachBar(Strategy):
    """A walk-forward regression per bar on the last 60 labels that are complete. Slow: some 8 ms a call."""

    horizon: int = param(3, low=1)

    def features(self, bars: Bars) -> Any:
        close = np.log(bars.close[:, 0])
        inputs = np.stack([np.ones(bars.T), *(close - np.roll(close, k) for k in (1, 5))], axis=1)
        inputs[:5] = 0.0
        label = np.full(bars.T, np.nan)
        label[: -self.horizon] = close[self.horizon :] - close[: -self.horizon]
        forecast = np.full(bars.T, np.nan)
        for t in range(70, bars.T):
            known = slice(t - self.horizon - 59, t - self.horizon + 1)
            x, y = inputs[known], label[known]
            forecast[t] = inputs[t] @ np.linalg.solve(x.T @ x + 1e-9 * np.eye(3), x.T @ y)
        return {"forecast": forecast}

    def decide(self, now: Any) -> Any:
        return np.where(now.close > 0, 0.5 * (now.forecast > 0), np.nan)


@honest("ok", "years")
@dataclass(frozen=True)
class MonthlyRefitOfAYear(Strategy):
    """Standard scores refitted on the first bar of each month from the 120 bars before it."""

    def features(self, bars: Bars) -> Any:
        month = bars.time.astype("datetime64[M]")
        z = np.full(bars.close.shape, np.nan)
        mean = spread = np.full(bars.N, np.nan)
        for t in range(121, bars.T):
            if month[t] != month[t - 1]:
                mean, spread = bars.close[t - 120 : t].mean(axis=0), bars.close[t - 120 : t].std(axis=0)
            z[t] = (bars.close[t] - mean) / spread
        return {"z": z}

    def decide(self, now: Any) -> Any:
        return long_if(now.z > 0)


@honest("warning")
@dataclass(frozen=True)
class OnlinePerceptron(Strategy):
    """Weights learned bar by bar from the first bar on."""

    def features(self, bars: Bars) -> Any:
        moves = log_returns(bars.close)
        weight, signal = np.zeros((2, bars.N)), np.zeros(bars.close.shape)
        for t in range(2, bars.T):
            before = np.stack([moves[t - 1], moves[t - 2]])
            wrong = np.sign((weight * before).sum(axis=0)) != np.sign(moves[t])
            weight = weight + wrong * np.sign(moves[t]) * before
            signal[t] = (weight * np.stack([moves[t], moves[t - 1]])).sum(axis=0)
        return {"signal": signal}

    def decide(self, now: Any) -> Any:
        return long_if(now.signal > 0)


@honest("ok", "pair")
@dataclass(frozen=True)
class PairByRollingBeta(Strategy):
    """The z-score of a spread whose hedge ratio is that of the last 60 bars."""

    def features(self, bars: Bars) -> Any:
        a, b = np.log(bars.close[:, 0]), np.log(bars.close[:, 1])
        spread = a - ta.rolling_beta(a, b, 60) * b
        return {"z": ta.zscore(spread, 30)}

    def decide(self, now: Any) -> Any:
        return np.where(now.z > 1, [-0.25, 0.25], np.where(now.z < -1, [0.25, -0.25], 0.0))


@honest("ok", "five")
@dataclass(frozen=True)
class RankAcrossSymbols(Strategy):
    """The two best by momentum, ranked within each bar in `decide`."""

    def features(self, bars: Bars) -> Any:
        return {"roc": ta.roc(bars.close, 20)}

    def decide(self, now: Any) -> Any:
        order = np.argsort(np.argsort(-np.nan_to_num(now.roc), axis=-1), axis=-1)
        return np.where((order < 2) & (now.roc > -1), 0.3, 0.0)


@honest("ok", "five")
@dataclass(frozen=True)
class RankInFeatures(Strategy):
    """`rank(axis=1)` of a rolling mean of returns, and a score for the seats."""

    def features(self, bars: Bars) -> Any:
        recent = pd.DataFrame(log_returns(bars.close)).rolling(15).mean()
        return {"rank": recent.rank(axis=1, pct=True).to_numpy(), "score": recent.fillna(0.0).to_numpy()}

    def decide(self, now: Any) -> Any:
        return long_if(now.rank > 0.7, 0.3)


@honest("ok", "hundred")
@dataclass(frozen=True)
class DemeanedByTheMarket(Strategy):
    """Momentum less the mean of all symbols in the same bar."""

    def features(self, bars: Bars) -> Any:
        roc = ta.roc(bars.close, 10)
        return {"excess": roc - np.mean(roc, axis=1, keepdims=True), "breadth": (roc > 0).mean(axis=1)}

    def decide(self, now: Any) -> Any:
        return np.where((now.excess > 0.02) & (now.breadth > 0.4), 0.01, 0.0)


@honest("ok")
@dataclass(frozen=True)
class MonthEndByCalendar(Strategy):
    """Buys on the last business day of the month, which the calendar knows beforehand."""

    def features(self, bars: Bars) -> Any:
        day = bars.time.astype("datetime64[D]")
        following = np.busday_offset(day, 1, roll="forward")
        return {"last_day": following.astype("datetime64[M]") != day.astype("datetime64[M]")}

    def decide(self, now: Any) -> Any:
        return np.where(now.last_day, 0.5, np.where(now.close > 0, 0.0, np.nan))


@honest("ok")
@dataclass(frozen=True)
class FirstBarOfTheMonth(Strategy):
    """A new month is seen when its first bar is there."""

    def features(self, bars: Bars) -> Any:
        month = bars.time.astype("datetime64[M]")
        return {"new": np.append(True, month[1:] != month[:-1]), "roc": ta.roc(bars.close, 20)}

    def decide(self, now: Any) -> Any:
        return np.where(now.new, np.where(now.roc > 0, 0.4, 0.0), np.nan)


@honest("ok")
@dataclass(frozen=True)
class WeekdayRule(Strategy):
    """Long from Monday's close to Thursday's."""

    def features(self, bars: Bars) -> Any:
        return {"day": pd.DatetimeIndex(bars.time).day_of_week.to_numpy()}

    def decide(self, now: Any) -> Any:
        return np.where(now.close > 0, 0.4 * (now.day < 3), np.nan)


@honest("ok")
@dataclass(frozen=True)
class WeekBefore(Strategy):
    """Weekly closes, resampled, shifted by one week and filled forward."""

    def features(self, bars: Bars) -> Any:
        close = pd.DataFrame(bars.close, index=pd.DatetimeIndex(bars.time))
        weekly = close.resample("W-FRI").last().shift(1)
        weekly.index = weekly.index - pd.Timedelta(days=6)
        return {"before": weekly.reindex(bars.time, method="ffill").to_numpy()}

    def decide(self, now: Any) -> Any:
        return long_if(now.close > now.before)


@honest("ok")
@dataclass(frozen=True)
class MergeAsofBackward(Strategy):
    """Fridays' closes joined with `merge_asof`, backwards."""

    def features(self, bars: Bars) -> Any:
        friday = pd.DatetimeIndex(bars.time).day_of_week.to_numpy() == 4
        table = pd.DataFrame({"time": bars.time[friday], "value": bars.close[friday, 0]})
        joined = pd.merge_asof(pd.DataFrame({"time": bars.time}), table, on="time", direction="backward")
        return {"friday": joined["value"].to_numpy()}

    def decide(self, now: Any) -> Any:
        return long_if(now.close > now.friday)


@honest("ok", "years")
@dataclass(frozen=True)
class VwapSinceNewYear(Strategy):
    """A VWAP anchored at the first bar of the year."""

    def features(self, bars: Bars) -> Any:
        year = bars.time.astype("datetime64[Y]").astype(int)
        value = pd.DataFrame(bars.close * bars.volume).groupby(year).cumsum()
        return {"vwap": (value / pd.DataFrame(bars.volume).groupby(year).cumsum()).to_numpy()}

    def decide(self, now: Any) -> Any:
        return long_if(now.close > now.vwap)


@honest("ok", "intraday")
@dataclass(frozen=True)
class SessionVwap(Strategy):
    """VWAP since the session's first bar."""

    def features(self, bars: Bars) -> Any:
        return {
            "vwap": ta.vwap(bars.high, bars.low, bars.close, bars.volume, bars.time.astype("datetime64[D]"))
        }

    def decide(self, now: Any) -> Any:
        return long_if(now.close > now.vwap)


@honest("ok", "intraday")
@dataclass(frozen=True)
class OpeningRange(Strategy):
    """Breaks of the high of the session's first hour, once that hour is over; flat in its last bar."""

    def features(self, bars: Bars) -> Any:
        day = pd.DatetimeIndex(bars.time).normalize()
        minute = pd.DatetimeIndex(bars.time).hour * 60 + pd.DatetimeIndex(bars.time).minute
        early = np.asarray(minute < 15 * 60 + 30)[:, None]
        high = pd.DataFrame(np.where(early, bars.high, np.nan)).groupby(day).cummax().groupby(day).ffill()
        return {"range_high": np.where(early, np.nan, high), "closing": np.asarray(minute >= 20 * 60 + 30)}

    def decide(self, now: Any) -> Any:
        return np.where(now.closing, 0.0, np.where(now.close > now.range_high, 0.5, np.nan))


@honest("ok", "intraday")
@dataclass(frozen=True)
class YesterdaysPivot(Strategy):
    """Floor pivots of the day before, joined on the date."""

    def features(self, bars: Bars) -> Any:
        day = pd.DatetimeIndex(bars.time).normalize()
        frames = [pd.DataFrame(values).groupby(day) for values in (bars.high, bars.low, bars.close)]
        pivot = (frames[0].max() + frames[1].min() + frames[2].last()) / 3
        return {"pivot": pivot.shift(1).reindex(day).to_numpy()}

    def decide(self, now: Any) -> Any:
        return long_if(now.close > now.pivot)


@honest("ok", "intraday")
@dataclass(frozen=True)
class NewYorkHours(Strategy):
    """Hours in a time zone, for which pandas may open its zone files."""

    def features(self, bars: Bars) -> Any:
        local = pd.DatetimeIndex(bars.time).tz_localize("UTC").tz_convert("America/New_York")
        return {"hour": local.hour.to_numpy()}

    def decide(self, now: Any) -> Any:
        return np.where(now.close > 0, 0.4 * ((now.hour >= 11) & (now.hour < 14)), np.nan)


@honest("ok")
@dataclass(frozen=True)
class ImportsInsideFeatures(Strategy):
    """A library is imported where it is used: Python opens its files, the strategy reads none."""

    def features(self, bars: Bars) -> Any:
        from scipy.interpolate import PchipInterpolator
        from scipy.stats import rankdata

        curve = PchipInterpolator([0.0, 0.5, 1.0], [0.0, 0.2, 1.0])
        return {"rank": curve(rankdata(bars.close, axis=1) / bars.N), "mean": ta.sma(bars.close, 10)}

    def decide(self, now: Any) -> Any:
        return np.where(now.close > now.mean, 0.4 * now.rank, 0.0)


@honest("ok", "five")
@dataclass(frozen=True)
class ComputedByAPool(Strategy):
    """One thread per symbol computes trailing means."""

    def features(self, bars: Bars) -> Any:
        with ThreadPoolExecutor(2) as pool:
            means = list(pool.map(lambda n: ta.sma(bars.close[:, n], 12), range(bars.N)))
        return {"mean": np.stack(means, axis=1)}

    def decide(self, now: Any) -> Any:
        return long_if(now.close > now.mean, 0.2)
