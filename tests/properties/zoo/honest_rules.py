"""Honest rules: with holdings, per symbol, with orders, in units, with exits, and with memory of their own past."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from gpt_trader import (
    AtrStop,
    Bars,
    OrderStrategy,
    StopLoss,
    Strategy,
    TakeProfit,
    TimeStop,
    TrailingStop,
    param,
    per_symbol,
    ta,
)
from gpt_trader.orders import cancel, limit, market, nothing, stop, stop_limit, trailing_stop
from tests.properties.zoo.table import honest, long_if


@honest("ok")
@dataclass(frozen=True)
class NeverTrades(Strategy):
    """Always flat."""

    def decide(self, now: Any) -> Any:
        return 0.0


@honest("ok")
@dataclass(frozen=True)
class NeverSaysAnything(Strategy):
    """NaN on every bar."""

    def decide(self, now: Any) -> Any:
        return np.full(np.shape(now.close), np.nan)


@honest("ok")
@dataclass(frozen=True)
class HoldsAlways(Strategy):
    """One number for every symbol and bar."""

    def decide(self, now: Any) -> Any:
        return 0.2


@honest("ok or warning")
@dataclass(frozen=True)
class TradesOnce(Strategy):
    """A weight on the thirtieth bar, nothing before and after: it counts from the first bar."""

    def features(self, bars: Bars) -> Any:
        return {"row": np.arange(bars.T)}

    def decide(self, now: Any) -> Any:
        return np.where(now.close > 0, np.where(now.row == 30, 0.3, np.nan), np.nan)


@honest("ok")
@dataclass(frozen=True)
class EventsOnly(Strategy):
    """Weights on crossings, NaN on all other bars."""

    def features(self, bars: Bars) -> Any:
        mean = ta.sma(bars.close, 15)
        return {"up": ta.crossover(bars.close, mean), "down": ta.crossunder(bars.close, mean)}

    def decide(self, now: Any) -> Any:
        return np.where(now.up, 0.5, np.where(now.down, 0.0, np.nan))


@honest("ok")
@dataclass(frozen=True)
class LongAndShort(Strategy):
    """The sign of a ten-bar change."""

    def features(self, bars: Bars) -> Any:
        return {"roc": ta.roc(bars.close, 10)}

    def decide(self, now: Any) -> Any:
        return np.where(np.isnan(now.roc), 0.0, 0.2 * np.sign(now.roc))


@honest("ok")
@dataclass(frozen=True)
class TrailingByHeld(Strategy):
    """Out after a fall of 5 % from the best close since entry."""

    trail: float = param(0.05, low=0.001, high=0.5)

    def features(self, bars: Bars) -> Any:
        return {"mean": ta.sma(bars.close, 20)}

    def decide(self, now: Any, held: Any) -> Any:
        stopped = now.close < held.peak * (1 - self.trail)
        return np.where((now.close > now.mean) & ~stopped, 0.5, 0.0)


@honest("ok")
@dataclass(frozen=True)
class SizeByDrawdown(Strategy):
    """Weights shrink with the account's equity and cash."""

    def features(self, bars: Bars) -> Any:
        return {"mean": ta.sma(bars.close, 10)}

    def decide(self, now: Any, held: Any) -> Any:
        size = 0.5 if held.equity > 100_000 and held.cash > 0 else 0.25
        return np.where(now.close > now.mean, size / len(now.close), 0.0)


@honest("ok", "gaps")
@dataclass(frozen=True)
class PyramidsByAge(Strategy):
    """Adds with the age of the position, per symbol, on bars with gaps."""

    def features(self, bars: Bars) -> Any:
        return {"mean": ta.sma(bars.close, 10)}

    @per_symbol
    def decide(self, now: Any, held: Any) -> Any:
        if not now.close > now.mean:
            return 0.0
        if held.weight == 0:
            return 0.1
        return min(0.3, 0.1 + 0.02 * (held.age // 5))


@honest("ok")
@dataclass(frozen=True)
class IfsPerSymbol(Strategy):
    """A dip buyer of plain ifs, without holdings."""

    def features(self, bars: Bars) -> Any:
        return {"z": ta.zscore(bars.close, 20)}

    @per_symbol
    def decide(self, now: Any) -> Any:
        if now.z < -1.5:
            return 0.4
        if now.z > 0:
            return 0.0
        return math.nan


@honest("ok or warning")
@dataclass(frozen=True)
class ReadsThePreviousBar(Strategy):
    """Keeps the bars on itself, as leaks do, and reads the bar before this one."""

    def features(self, bars: Bars) -> Any:
        object.__setattr__(self, "bars", bars)
        return {"row": np.arange(bars.T, dtype=float)}

    def decide(self, now: Any, held: Any) -> Any:
        row = int(now.row[0])
        return np.where(now.close > self.bars.close[max(0, row - 1)], 0.3, 0.0)


@honest("ok or warning")
@dataclass(frozen=True)
class CountsItsOwnBars(Strategy):
    """A counter on the instance, set to zero in `features`: five bars of rest after each exit."""

    def features(self, bars: Bars) -> Any:
        object.__setattr__(self, "rest", np.zeros(bars.N))
        return {"mean": ta.sma(bars.close, 8)}

    def decide(self, now: Any, held: Any) -> Any:
        wanted = now.close > now.mean
        self.rest[:] = np.where((held.weight > 0) & ~wanted, 5, np.maximum(0, self.rest - 1))
        return np.where(wanted & (self.rest == 0), 0.4, 0.0)


@honest("ok or warning")
@dataclass(frozen=True)
class RemembersItsHighest(Strategy):
    """A running maximum of what `decide` has seen, in a dictionary of the instance."""

    def features(self, bars: Bars) -> Any:
        object.__setattr__(self, "memory", {"top": np.zeros(bars.N)})
        return {}

    def decide(self, now: Any, held: Any) -> Any:
        self.memory["top"] = np.fmax(self.memory["top"], now.close)
        return np.where(now.close >= 0.98 * self.memory["top"], 0.3, 0.0)


@honest("ok")
@dataclass(frozen=True)
class RewritesAFeatureCopy(Strategy):
    """`decide` changes a copy of its input, row by row or all at once."""

    def features(self, bars: Bars) -> Any:
        return {"roc": ta.roc(bars.close, 5)}

    def decide(self, now: Any) -> Any:
        clean = np.array(now.roc)
        clean[~(clean > 0)] = 0.0
        return np.minimum(clean * 5, 0.4)


@honest("ok", "splits")
@dataclass(frozen=True)
class HundredSharesAboveTheMean(Strategy):
    """Shares to hold instead of weights, on bars with splits."""

    target_kind: ClassVar[str] = "units"

    def features(self, bars: Bars) -> Any:
        return {"mean": ta.sma(bars.close, 20)}

    def decide(self, now: Any) -> Any:
        return np.where(now.close > now.mean, 100.0, 0.0)


@honest("ok", "years")
@dataclass(frozen=True)
class TurtleUnits(Strategy):
    """Units by ATR and equity, with `held`."""

    target_kind: ClassVar[str] = "units"

    def features(self, bars: Bars) -> Any:
        return {
            "top": ta.shift(ta.highest(bars.high, 20), 1),
            "atr": ta.atr(bars.high, bars.low, bars.close, 10),
        }

    def decide(self, now: Any, held: Any) -> Any:
        unit = np.floor(0.005 * held.equity / now.atr)
        fell = now.close < held.peak - 2 * now.atr
        return np.where(now.close > now.top, unit, np.where(fell, 0.0, np.nan))


@honest("ok")
@dataclass(frozen=True)
class ExitsByParameters(Strategy):
    """Declared exits from parameters."""

    stop: float = param(0.04, low=0.001, high=0.5)
    target: float = param(0.08, low=0.001, high=1.0)

    def features(self, bars: Bars) -> Any:
        return {"mean": ta.sma(bars.close, 12)}

    def decide(self, now: Any) -> Any:
        return long_if(now.close > now.mean, 0.4)

    def declared_exits(self) -> Any:
        return (StopLoss(self.stop), TakeProfit(self.target))


@honest("ok")
@dataclass(frozen=True)
class AllKindsOfExits(Strategy):
    """An ATR stop, a trailing stop and a time stop."""

    exits = (AtrStop(2.0, 10), TrailingStop(0.06, after=0.01), TimeStop(15))

    def features(self, bars: Bars) -> Any:
        return {"mean": ta.sma(bars.close, 12)}

    def decide(self, now: Any) -> Any:
        return long_if(now.close > now.mean, 0.4)


@honest("ok", "years")
@dataclass(frozen=True)
class BracketBreakout(OrderStrategy):
    """A stop entry above the high with a bracket; one symbol at a time through `@per_symbol`."""

    def features(self, bars: Bars) -> Any:
        return {"top": ta.highest(bars.high, 10), "atr": ta.atr(bars.high, bars.low, bars.close, 10)}

    @per_symbol
    def decide(self, now: Any, held: Any) -> Any:
        if held.quantity == 0 and now.atr > 0:
            level = now.top + 0.1 * now.atr
            return stop(50, level, take_profit=level + 3 * now.atr, stop_loss=level - 2 * now.atr, day=1)
        return nothing()


@honest("ok", "one")
@dataclass(frozen=True)
class LadderOfBids(OrderStrategy):
    """Two bids below the close, replaced on each bar."""

    @per_symbol
    def decide(self, now: Any, held: Any) -> Any:
        if held.quantity > 0:
            return (cancel(), market(-held.quantity))
        return (cancel(), limit(30, now.close * 0.99), limit(30, now.close * 0.98))


@honest("ok", "one")
@dataclass(frozen=True)
class TrailingOrder(OrderStrategy):
    """In at the market above the mean, out by a trailing stop order."""

    def features(self, bars: Bars) -> Any:
        return {"up": ta.crossover(bars.close, ta.sma(bars.close, 10))}

    @per_symbol
    def decide(self, now: Any, held: Any) -> Any:
        if held.quantity == 0 and now.up:
            return market(100)
        if held.quantity > 0 and held.age == 0:
            return trailing_stop(-held.quantity, 0.03)
        return nothing()


@honest("ok")
@dataclass(frozen=True)
class OrdersOfSeveralSymbols(OrderStrategy):
    """Array form: the strongest symbol is bought with a stop-limit order, the others are sold."""

    def features(self, bars: Bars) -> Any:
        return {"roc": ta.roc(bars.close, 10)}

    def decide(self, now: Any, held: Any) -> Any:
        best = int(np.argmax(np.nan_to_num(now.roc, nan=-1.0)))
        orders = [market(-q, symbol=n) for n, q in enumerate(held.quantity.tolist()) if q and n != best]
        if held.quantity[best] == 0 and now.roc[best] > 0:
            price = float(now.close[best])
            orders.append(stop_limit(40, price * 1.001, price * 1.01, day=1, symbol=best))
        return tuple(orders)
