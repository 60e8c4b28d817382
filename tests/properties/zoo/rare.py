"""Leaks that act seldom, in one symbol of many, in one stretch of the data, or by very little."""

from __future__ import annotations

import pickle
import tempfile
import weakref
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from gpt_trader import Bars, OrderStrategy, Strategy, per_symbol, ta
from gpt_trader.orders import limit, market, nothing
from tests.properties.zoo.held import rises_next, same_row
from tests.properties.zoo.table import DECIDE, leak, long_if


def ahead_of(bars: Bars, by: int = 1) -> Any:
    """Closes `by` bars later, the last ones repeated."""
    return np.vstack([bars.close[by:], np.repeat(bars.close[-1:], by, axis=0)])


def at_rows(bars: Bars, rows: Any, by: int = 1) -> Any:
    """The honest closes, but at the marked rows (T,) or (T, N) those of `by` bars later."""
    return np.where(rows if np.ndim(rows) == 2 else rows[:, None], ahead_of(bars, by), bars.close)


@leak("once in 500 bars", "price", "long")
@dataclass(frozen=True)
class OnceIn500(Strategy):
    """Row 700 and every 500 rows after it see five bars ahead."""

    def features(self, bars: Bars) -> Any:
        return {"price": at_rows(bars, np.arange(bars.T) % 500 == 200, 5), "mean": ta.sma(bars.close, 5)}

    def decide(self, now: Any) -> Any:
        return long_if(now.price > now.mean)


@leak("once in 500 bars", DECIDE, "long")
@dataclass(frozen=True)
class OnceIn500Held(Strategy):
    """The same for a rule that is called bar by bar and kept the bars."""

    def features(self, bars: Bars) -> Any:
        object.__setattr__(self, "bars", bars)
        return {"row": np.arange(bars.T, dtype=float), "mean": ta.sma(bars.close, 5)}

    def decide(self, now: Any, held: Any) -> Any:
        row = int(now.row[0])
        if row % 500 == 321:
            return rises_next(self.bars.close, row)
        return np.where(now.close > now.mean, 0.3, 0.0)


@leak("once in 500 bars", DECIDE, "5000")
@dataclass(frozen=True)
class OnceIn5000Bars(Strategy):
    """One single decision among 5,000 knows the next twenty bars."""

    def features(self, bars: Bars) -> Any:
        object.__setattr__(self, "bars", bars)
        return {"row": np.arange(bars.T, dtype=float)}

    def decide(self, now: Any, held: Any) -> Any:
        row = int(now.row[0])
        if row == 2777 and row + 20 < self.bars.T:
            return np.where(self.bars.close[row + 20] > now.close, 0.6, 0.1)
        return np.where(held.weight == 0, 0.3, np.nan)


@leak("one symbol of 100", "price", "hundred")
@dataclass(frozen=True)
class OneSymbolOfHundred(Strategy):
    """Column 57 alone is shifted."""

    def features(self, bars: Bars) -> Any:
        rows = np.zeros(bars.close.shape, bool)
        rows[:, 57 % bars.N] = True
        return {"price": at_rows(bars, rows), "mean": ta.sma(bars.close, 10)}

    def decide(self, now: Any) -> Any:
        return np.where(now.price > now.mean, 0.01, 0.0)


@leak("one symbol of 100", DECIDE, "hundred")
@dataclass(frozen=True)
class OneSymbolOfHundredHeld(Strategy):
    """The same in a rule that kept the bars; the weight is one hundredth."""

    def features(self, bars: Bars) -> Any:
        object.__setattr__(self, "bars", bars)
        return {"mean": ta.sma(bars.close, 10)}

    def decide(self, now: Any, held: Any) -> Any:
        weights = np.where(now.close > now.mean, 0.01, 0.0)
        weights[41] = 0.02 * rises_next(self.bars.close, same_row(self.bars.close, now.close))[41]
        return weights


@leak("two particular years", "price", "years")
@dataclass(frozen=True)
class OnlyTwoYears(Strategy):
    """Looks ahead in 2012 and 2014 only."""

    def features(self, bars: Bars) -> Any:
        year = bars.time.astype("datetime64[Y]").astype(int) + 1970
        return {"price": at_rows(bars, (year == 2012) | (year == 2014)), "mean": ta.sma(bars.close, 20)}

    def decide(self, now: Any) -> Any:
        return long_if(now.price > now.mean)


@leak("first quarter", "price")
@dataclass(frozen=True)
class OnlyInTheFirstQuarter(Strategy):
    """Rows 20 to 60 look ahead."""

    def features(self, bars: Bars) -> Any:
        row = np.arange(bars.T)
        return {"price": at_rows(bars, (row >= 20) & (row < 60)), "mean": ta.sma(bars.close, 10)}

    def decide(self, now: Any) -> Any:
        return long_if(now.price > now.mean)


@leak("first quarter", DECIDE)
@dataclass(frozen=True)
class FirstTradeIsKnown(Strategy):
    """The very first weights go to what rises in the first 30 bars; honest from then on."""

    def features(self, bars: Bars) -> Any:
        object.__setattr__(self, "gain", bars.close[min(30, bars.T - 1)] / bars.close[0])
        return {"row": np.arange(bars.T, dtype=float), "mean": ta.sma(bars.close, 20)}

    def decide(self, now: Any, held: Any) -> Any:
        if now.row[0] < 30:
            return np.where(self.gain > 1, 0.4, 0.0)
        return np.where(now.close > now.mean, 0.4, 0.0)


@leak("last bar of months", "price", "years")
@dataclass(frozen=True)
class OnlyOnMonthEnds(Strategy):
    """Every month's last business day sees three bars ahead."""

    def features(self, bars: Bars) -> Any:
        tomorrow = np.busday_offset(bars.time.astype("datetime64[D]"), 1, roll="forward")
        ends = tomorrow.astype("datetime64[M]") != bars.time.astype("datetime64[M]")
        return {"price": at_rows(bars, ends, 3), "mean": ta.sma(bars.close, 20)}

    def decide(self, now: Any) -> Any:
        return long_if(now.price > now.mean)


@leak("after a crash", "price", "crash")
@dataclass(frozen=True)
class OnlyAfterACrash(Strategy):
    """Looks ahead only in the ten bars after a fall of 20 % within fifteen bars."""

    def features(self, bars: Bars) -> Any:
        past = pd.DataFrame(bars.close)
        fell = (past / past.shift(15) < 0.8).to_numpy()
        return {"price": at_rows(bars, fell, 4), "mean": ta.sma(bars.close, 10)}

    def decide(self, now: Any) -> Any:
        return long_if(now.price > now.mean)


@leak("after a crash", DECIDE, "crash")
@dataclass(frozen=True)
class BuysTheBottomOfACrash(Strategy):
    """A rule with `held` that waits after a crash until the kept bars say that it is over."""

    def features(self, bars: Bars) -> Any:
        object.__setattr__(self, "bars", bars)
        return {"roc": ta.roc(bars.close, 15)}

    def decide(self, now: Any, held: Any) -> Any:
        close = self.bars.close
        row = same_row(close, now.close)
        fell = now.close < 0.85 * close[max(0, row - 15)]
        return np.where(fell, 2 * rises_next(close, row), np.where(held.weight == 0, 0.2, np.nan))


@leak("tiny weights", DECIDE)
@dataclass(frozen=True)
class TinyTilt(Strategy):
    """Weights move by 1e-4 with the next bar."""

    def features(self, bars: Bars) -> Any:
        object.__setattr__(self, "bars", bars)
        return {"mean": ta.sma(bars.close, 10)}

    def decide(self, now: Any, held: Any) -> Any:
        tilt = rises_next(self.bars.close, same_row(self.bars.close, now.close))
        return np.where(now.close > now.mean, 0.3, 0.0) + 2e-4 * tilt


@leak("tiny weights", "tilt")
@dataclass(frozen=True)
class TinyFeature(Strategy):
    """A feature that is 1e-6 of the next return on top of an honest value."""

    def features(self, bars: Bars) -> Any:
        return {"tilt": bars.close * (1 + 1e-6 * np.sign(ahead_of(bars) - bars.close))}

    def decide(self, now: Any) -> Any:
        return np.where(now.tilt > now.close, 0.3, 0.0)


@leak("seldom in orders", DECIDE, "long")
@dataclass(frozen=True)
class OneOrderInSixHundred(OrderStrategy):
    """One order in 600 bars has its size from the next ten bars."""

    def features(self, bars: Bars) -> Any:
        object.__setattr__(self, "bars", bars)
        return {"row": np.arange(bars.T, dtype=float)}

    @per_symbol
    def decide(self, now: Any, held: Any) -> Any:
        row = int(now.row)
        if row % 600 == 450:
            ahead = self.bars.close[min(row + 10, self.bars.T - 1), 0]
            return market(60 if ahead > now.close else 20)
        return market(-held.quantity) if row % 600 == 470 and held.quantity else nothing()


@leak("volume only", "busy")
@dataclass(frozen=True)
class OnlyVolumeAhead(Strategy):
    """Prices are honest; the next bar's volume against this one's sets the weight."""

    def features(self, bars: Bars) -> Any:
        return {"busy": np.vstack([bars.volume[1:] > 2 * bars.volume[:-1], np.zeros((1, bars.N), bool)])}

    def decide(self, now: Any) -> Any:
        return long_if(now.busy)


@leak("far ahead", "year_on", "years")
@dataclass(frozen=True)
class AYearAhead(Strategy):
    """The close 250 bars later; the last 250 rows are honest."""

    def features(self, bars: Bars) -> Any:
        later = bars.close.copy()
        later[:-250] = bars.close[250:] if bars.T > 250 else later[:-250]
        return {"year_on": later}

    def decide(self, now: Any) -> Any:
        return long_if(now.year_on > now.close)


@leak("far ahead", "turn")
@dataclass(frozen=True)
class TurnOfTheWholeChart(Strategy):
    """The bar of the lowest close of all splits the chart: short before, long after."""

    def features(self, bars: Bars) -> Any:
        return {"turn": np.arange(bars.T)[:, None] >= np.argmin(bars.close, axis=0)}

    def decide(self, now: Any) -> Any:
        return np.where(now.turn, 0.4, -0.4)


@leak("kept as bytes, rarely read", DECIDE, "5000")
@dataclass(frozen=True)
class BytesOnceInAWhile(Strategy):
    """All closes pickled; one row in 400 looks ten bars ahead in them."""

    def features(self, bars: Bars) -> Any:
        object.__setattr__(self, "kept", pickle.dumps(bars.close))
        object.__setattr__(self, "row", [-1])
        return {"mean": ta.sma(bars.close, 5)}

    def decide(self, now: Any, held: Any) -> Any:
        self.row[0] += 1
        if self.row[0] % 400 == 222:
            close = pickle.loads(self.kept)
            return np.where(close[min(self.row[0] + 10, len(close) - 1)] > now.close, 0.5, 0.0)
        return np.where(now.close > now.mean, 0.3, 0.0)


@leak("kept in a temporary file, rarely read", DECIDE, "5000")
@dataclass(frozen=True)
class FileOnceInAWhile(Strategy):
    """The next close of each close in a file without a name, read after a fall alone."""

    def features(self, bars: Bars) -> Any:
        kept = tempfile.TemporaryFile()  # noqa: SIM115
        pickle.dump(dict(zip(bars.close[:-1, 0].tolist(), bars.close[1:, 0].tolist(), strict=True)), kept)
        object.__setattr__(self, "kept", kept)
        weakref.finalize(self, kept.close)
        return {"rsi": ta.rsi(bars.close, 14)}

    @per_symbol
    def decide(self, now: Any, held: Any) -> Any:
        if now.rsi < 20:
            self.kept.seek(0)
            return 0.3 if pickle.load(self.kept).get(now.close, 0.0) > now.close else 0.0
        return 0.0 if now.rsi > 60 else np.nan


@leak("kept in an iterator, rarely read", DECIDE, "5000")
@dataclass(frozen=True)
class IteratorOnceInAWhile(OrderStrategy):
    """Pairs of this low and the next come out of an iterator; one in 300 becomes the price of an order."""

    def features(self, bars: Bars) -> Any:
        lows = bars.low[:, 0].tolist()
        object.__setattr__(self, "pairs", iter(list(zip(lows, lows[1:] + lows[-1:], strict=True))))
        object.__setattr__(self, "count", [0])
        return {}

    def decide(self, now: Any, held: Any) -> Any:
        _, following = next(self.pairs)
        self.count[0] += 1
        return limit(10, following * 1.001, day=1) if self.count[0] % 300 == 7 else nothing()
