"""Honest strategies on unusual data and with unusual values, and those that are random, remember, or read a file."""

from __future__ import annotations

import io
import json
import logging
import random
import time
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
from numba import njit

from gpt_trader import Bars, Strategy, param, per_symbol, ta
from tests.properties.zoo.markets import folder
from tests.properties.zoo.table import honest, long_if


@honest("ok", "seventy")
@dataclass(frozen=True)
class SeventyBars(Strategy):
    """Short means on seventy bars."""

    def features(self, bars: Bars) -> Any:
        return {"fast": ta.sma(bars.close, 3), "slow": ta.sma(bars.close, 8)}

    def decide(self, now: Any) -> Any:
        return long_if(now.fast > now.slow)


@honest("ok", "5000")
@dataclass(frozen=True)
class FiveThousandBars(Strategy):
    """A mean of 200 bars on 5,000, with holdings."""

    def features(self, bars: Bars) -> Any:
        return {"mean": ta.sma(bars.close, 200)}

    def decide(self, now: Any, held: Any) -> Any:
        return np.where((now.close > now.mean) & ~(held.age > 100), 0.5, 0.0)


@honest("ok", "splits")
@dataclass(frozen=True)
class MeansAcrossSplits(Strategy):
    """Levels, volumes and dividends on bars with splits."""

    def features(self, bars: Bars) -> Any:
        paid = pd.DataFrame(bars.dividend).rolling(60).sum().to_numpy()
        return {"mean": ta.sma(bars.close, 30), "busy": ta.sma(bars.volume, 10), "yield_": paid / bars.close}

    def decide(self, now: Any) -> Any:
        return long_if((now.close > now.mean) & (now.volume > 0.8 * now.busy) & (now.yield_ >= 0))


@honest("ok", "gaps")
@dataclass(frozen=True)
class FilledForward(Strategy):
    """Missing bars get the last price, for at most five bars; their number in the past counts."""

    def features(self, bars: Bars) -> Any:
        filled = pd.DataFrame(bars.close).ffill(limit=5)
        missing = pd.DataFrame(np.isnan(bars.close)).astype(float).rolling(20).sum()
        return {"filled": filled.to_numpy(), "missing": missing.to_numpy(), "mean": ta.sma(bars.close, 10)}

    def decide(self, now: Any) -> Any:
        return long_if((now.filled > now.mean) & (now.missing < 4))


@honest("ok", "delisted")
@dataclass(frozen=True)
class TradesUntilTheEnd(Strategy):
    """Knows of a delisting when no bar comes any more."""

    def features(self, bars: Bars) -> Any:
        return {"mean": ta.sma(bars.close, 10), "alive": ~np.isnan(bars.close)}

    def decide(self, now: Any) -> Any:
        return np.where(now.alive, np.where(now.close > now.mean, 0.15, 0.0), np.nan)


@honest("ok", "crash")
@dataclass(frozen=True)
class OutAfterACrash(Strategy):
    """Flat for twenty bars after a fall of 15 %."""

    def features(self, bars: Bars) -> Any:
        fell = pd.DataFrame(ta.roc(bars.close, 10)) < -0.15
        return {"fell": fell.rolling(20, min_periods=1).max().to_numpy()}

    def decide(self, now: Any) -> Any:
        return np.where(now.close > 0, np.where(now.fell > 0, 0.0, 0.3), np.nan)


@honest("ok", "demo")
@dataclass(frozen=True)
class RealPrices(Strategy):
    """Momentum on the demo prices, splits included."""

    def features(self, bars: Bars) -> Any:
        return {"roc": ta.roc(bars.close, 20)}

    def decide(self, now: Any) -> Any:
        return long_if(now.roc > 0, 0.3)


@honest("ok")
@dataclass(frozen=True)
class BoolsAndIntegers(Strategy):
    """Features of other types: bool, int8, float32 and unsigned."""

    def features(self, bars: Bars) -> Any:
        rose = bars.close > bars.open
        return {
            "rose": rose,
            "count": pd.DataFrame(rose).rolling(5).sum().fillna(0).to_numpy().astype(np.int8),
            "single": ta.sma(bars.close, 5).astype(np.float32),
            "volume_class": np.minimum(bars.volume // 1e6, 3).astype(np.uint8),
        }

    def decide(self, now: Any) -> Any:
        return np.where(now.rose & (now.count > 2) & (now.close > now.single), 0.1 * now.volume_class, 0.0)


@honest("ok")
@dataclass(frozen=True)
class Words(Strategy):
    """A feature of words, and one of dates."""

    def features(self, bars: Bars) -> Any:
        mood = np.where(bars.close > ta.sma(bars.close, 10), "greed", "fear")
        return {"mood": mood, "month": bars.time.astype("datetime64[M]").astype(str)}

    def decide(self, now: Any) -> Any:
        return long_if((now.mood == "greed") & (now.month != "2010-03"))


@honest("ok")
@dataclass(frozen=True)
class FramesAndSeries(Strategy):
    """Features as a DataFrame, a Series and a list."""

    def features(self, bars: Bars) -> Any:
        close = pd.DataFrame(bars.close)
        market = close.mean(axis=1)
        return {
            "mean": close.rolling(10).mean(),
            "market": market,
            "drift": market.diff(5).fillna(0.0).tolist(),
        }

    def decide(self, now: Any) -> Any:
        return long_if((now.close > now.mean) & (now.drift > 0) & (now.market > 0))


@honest("ok", "five")
@dataclass(frozen=True)
class SectorsByName(Strategy):
    """Reads symbol names and the timeframe: groups and an annual factor."""

    def features(self, bars: Bars) -> Any:
        group = np.array([int(name[1:]) % 2 for name in bars.symbols])
        a_year = 252 if bars.timeframe == "1d" else 252 * 13
        sigma = ta.rolling_std(ta.returns(bars.close, 1), 20) * np.sqrt(a_year)
        return {"group": np.broadcast_to(group, bars.close.shape), "sigma": sigma}

    def decide(self, now: Any) -> Any:
        return np.where(now.group == 0, np.minimum(0.3, 0.02 / now.sigma), 0.0)


@honest("ok")
@dataclass(frozen=True)
class FeatureOnlyOnLongData(Strategy):
    """A feature that short histories do not get."""

    def features(self, bars: Bars) -> Any:
        found = {"rose": bars.close > bars.open}
        return found | {"mean": ta.sma(bars.close, 40)} if bars.T > 40 else found

    def decide(self, now: Any) -> Any:
        return np.where(now.close > 0, 0.3 * now.rose, np.nan)


@njit(cache=False)
def _trailing(close: Any, bars: int) -> Any:
    out = np.full(close.shape, np.nan)
    for t in range(bars, close.shape[0]):
        for n in range(close.shape[1]):
            out[t, n] = close[t, n] / close[t - bars, n] - 1
    return out


@honest("ok")
@dataclass(frozen=True)
class TrailingLoopInNumba(Strategy):
    """A compiled loop over past bars. Compiles at the first call of each process: some 0.5 s."""

    def features(self, bars: Bars) -> Any:
        return {"momentum": _trailing(bars.close, 5)}

    def decide(self, now: Any) -> Any:
        return long_if(now.momentum > 0)


_BY_CONTENT: dict[bytes, Any] = {}


@honest("ok")
@dataclass(frozen=True)
class MemoByContent(Strategy):
    """A module cache keyed by the bytes of the prices."""

    def features(self, bars: Bars) -> Any:
        key = bars.close.tobytes()
        if key not in _BY_CONTENT:
            _BY_CONTENT[key] = ta.sma(bars.close, 10)
        return {"mean": _BY_CONTENT[key]}

    def decide(self, now: Any) -> Any:
        return long_if(now.close > now.mean)


@cache
def _kernel(window: int) -> Any:
    weights = np.arange(1.0, window + 1)
    return weights / weights.sum()


@honest("ok")
@dataclass(frozen=True)
class CachedKernel(Strategy):
    """`functools.cache` of a function of a parameter."""

    window: int = param(9, low=2)

    def features(self, bars: Bars) -> Any:
        windows = np.lib.stride_tricks.sliding_window_view(bars.close, self.window, axis=0) if (
            self.window <= bars.T
        ) else np.empty((0, bars.N, self.window))  # fmt: skip
        mean = np.full(bars.close.shape, np.nan)
        mean[self.window - 1 :] = windows @ _kernel(self.window)
        return {"mean": mean}

    def decide(self, now: Any) -> Any:
        return long_if(now.close > now.mean)


@honest("warning")
@dataclass(frozen=True)
class SeededNoiseByRow(Strategy):
    """Seeded random numbers, drawn in the order of the bars: the same for the same beginning."""

    seed: int = param(7, low=0)

    def features(self, bars: Bars) -> Any:
        return {"noise": np.random.default_rng(self.seed).random((bars.T, bars.N))}

    def decide(self, now: Any) -> Any:
        return np.where(now.close > 0, 0.3 * (now.noise > 0.6), np.nan)


@honest("ok")
@dataclass(frozen=True)
class SeededNoiseByDate(Strategy):
    """Random numbers that are a function of the date. Slow: some 5 ms a call."""

    def features(self, bars: Bars) -> Any:
        days = bars.time.astype("datetime64[D]").astype(int).tolist()
        return {"noise": np.array([random.Random(day).random() for day in days])}

    def decide(self, now: Any) -> Any:
        return np.where(now.close > 0, 0.3 * (now.noise > 0.6), np.nan)


@honest("random")
@dataclass(frozen=True)
class UnseededFeature(Strategy):
    """Random numbers without a seed, in a feature."""

    def features(self, bars: Bars) -> Any:
        return {"noise": np.random.default_rng().random((bars.T, bars.N))}

    def decide(self, now: Any) -> Any:
        return np.where(now.close > 0, 0.3 * (now.noise > 0.6), np.nan)


@honest("random")
@dataclass(frozen=True)
class UnseededRule(Strategy):
    """A coin thrown per symbol and bar."""

    @per_symbol
    def decide(self, now: Any, held: Any) -> Any:
        return 0.2 if random.random() < 0.5 else 0.0


@honest("random")
@dataclass(frozen=True)
class ReadsTheClock(Strategy):
    """The weight depends on the time of day at which it runs."""

    def decide(self, now: Any, held: Any) -> Any:
        return np.where(now.close > 0, 0.1 + 0.2 * (time.perf_counter_ns() % 1000) / 1000, np.nan)


@honest("ok or random", "five")
@dataclass(frozen=True)
class OrderOfASet(Strategy):
    """The first symbol of a set of strings: another one in each process, where Python salts its hashes."""

    def features(self, bars: Bars) -> Any:
        first = next(iter(set(bars.symbols)))
        chosen = np.array([name == first for name in bars.symbols])
        return {"chosen": np.broadcast_to(chosen, bars.close.shape), "mean": ta.sma(bars.close, 10)}

    def decide(self, now: Any) -> Any:
        return long_if(now.chosen & (now.close > now.mean), 0.3)


@honest("reads file", files=True)
@dataclass(frozen=True)
class ParametersFromJson(Strategy):
    """A configuration file read in `features`."""

    def features(self, bars: Bars) -> Any:
        given = json.loads((folder() / "parameters.json").read_text())
        return {"fast": ta.sma(bars.close, given["fast"]), "slow": ta.sma(bars.close, given["slow"])}

    def decide(self, now: Any) -> Any:
        return long_if(now.fast > now.slow)


@honest("reads file", files=True)
@dataclass(frozen=True)
class WeightFromJsonInDecide(Strategy):
    """A configuration file read at the first decision."""

    def features(self, bars: Bars) -> Any:
        return {"mean": ta.sma(bars.close, 10)}

    def decide(self, now: Any, held: Any) -> Any:
        if not hasattr(self, "weight"):
            given = json.loads((folder() / "parameters.json").read_text())
            object.__setattr__(self, "weight", given["weight"])
        return np.where(now.close > now.mean, self.weight, 0.0)


@honest("ok or reads file", files=True)
@dataclass(frozen=True)
class WritesALog(Strategy):
    """Appends a line to a file at each call and logs; it reads nothing."""

    def features(self, bars: Bars) -> Any:
        with (folder() / "calls.log").open("a") as file:
            file.write(f"{bars}\n")
        logging.getLogger("zoo").debug("features of %s", bars)
        return {"mean": ta.sma(bars.close, 10)}

    def decide(self, now: Any) -> Any:
        return long_if(now.close > now.mean)


@honest("ok")
@dataclass(frozen=True)
class ParsesTextInMemory(Strategy):
    """`pd.read_csv` of a string: nothing is opened."""

    def features(self, bars: Bars) -> Any:
        table = pd.read_csv(io.StringIO("window,weight\n10,0.3\n"))
        return {
            "mean": ta.sma(bars.close, int(table["window"][0])),
            "weight": np.full(bars.T, table["weight"][0]),
        }

    def decide(self, now: Any) -> Any:
        return np.where(now.close > now.mean, now.weight, 0.0)


@honest("ok")
@dataclass(frozen=True)
class SwallowsItsOwnErrors(Strategy):
    """`try ... except` round an indicator that needs a longer history; until then it waits."""

    def features(self, bars: Bars) -> Any:
        slope = np.full(bars.close.shape, np.nan)
        try:
            slope[25:] = (
                bars.close[25:] / np.lib.stride_tricks.sliding_window_view(bars.close, 26, axis=0)[..., 0] - 1
            )
        except ValueError:
            return {"slope": slope}
        return {"slope": slope}

    def decide(self, now: Any) -> Any:
        return long_if(now.slope > 0)
