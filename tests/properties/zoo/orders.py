"""Leaks of order strategies and of declared exits: prices, quantities and cancellations from the future."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from gpt_trader import Bars, OrderStrategy, StopLoss, Strategy, TakeProfit, per_symbol, ta
from gpt_trader.orders import cancel, limit, market, nothing, stop
from tests.properties.zoo.held import rises_next, same_row
from tests.properties.zoo.table import DECIDE, leak


def _next(values: Any) -> Any:
    """Each row's successor; the last row repeats itself."""
    return np.vstack([values[1:], values[-1:]])


@leak("order price", "bid", "one")
@dataclass(frozen=True)
class LimitAtTheNextLow(OrderStrategy):
    """Bids at the low of the next bar."""

    def features(self, bars: Bars) -> Any:
        return {"bid": _next(bars.low)}

    @per_symbol
    def decide(self, now: Any, held: Any) -> Any:
        if held.quantity == 0:
            return limit(100, now.bid, day=1)
        return market(-held.quantity)


@leak("order price", "goal", "one")
@dataclass(frozen=True)
class TakeProfitAtTheNextHigh(OrderStrategy):
    """An honest entry with a target at the highest of the next three highs."""

    def features(self, bars: Bars) -> Any:
        one = _next(bars.high)
        two = _next(one)
        return {"goal": np.maximum(np.maximum(one, two), _next(two)), "mean": ta.sma(bars.close, 10)}

    @per_symbol
    def decide(self, now: Any, held: Any) -> Any:
        if held.quantity == 0 and now.close > now.mean and now.goal > now.close:
            return market(100, take_profit=now.goal, stop_loss=now.close * 0.9)
        return nothing()


@leak("order price", DECIDE, "one")
@dataclass(frozen=True)
class StopJustUnderTheNextLow(OrderStrategy):
    """A protective stop that is never reached in the next bar, from bars that were kept."""

    def features(self, bars: Bars) -> Any:
        object.__setattr__(self, "bars", bars)
        return {"mean": ta.sma(bars.close, 10), "row": np.arange(bars.T)}

    @per_symbol
    def decide(self, now: Any, held: Any) -> Any:
        if held.quantity == 0 and now.close > now.mean:
            return market(100)
        if held.quantity > 0:
            ahead = min(int(now.row) + 1, self.bars.T - 1)
            return stop(-held.quantity, min(self.bars.low[ahead, 0], now.close) * 0.995, day=1)
        return nothing()


@leak("orders cancelled", DECIDE, "one")
@dataclass(frozen=True)
class CancelsBadFills(OrderStrategy):
    """Rests a bid and cancels it when the bar that would fill it closes lower."""

    def features(self, bars: Bars) -> Any:
        object.__setattr__(self, "close", bars.close[:, 0])
        return {"row": np.arange(bars.T)}

    @per_symbol
    def decide(self, now: Any, held: Any) -> Any:
        row = int(now.row)
        if held.quantity > 0:
            return market(-held.quantity)
        if row + 1 < len(self.close) and self.close[row + 1] < now.close:
            return cancel()
        return limit(50, now.close * 0.995)


@leak("order quantity", "shares", "one")
@dataclass(frozen=True)
class QuantityFromTheFuture(OrderStrategy):
    """Buys more before larger gains."""

    def features(self, bars: Bars) -> Any:
        gain = _next(bars.close) / bars.close - 1
        return {"shares": np.floor(np.clip(100 + gain * 2000, 10, 200))}

    @per_symbol
    def decide(self, now: Any, held: Any) -> Any:
        if held.quantity == 0:
            return market(now.shares)
        return market(-held.quantity)


@leak("order quantity", DECIDE)
@dataclass(frozen=True)
class OrdersForTheRisers(OrderStrategy):
    """Array form over several symbols: buys what rises in the next bar, matching `now.close` with bars that were kept."""

    def features(self, bars: Bars) -> Any:
        object.__setattr__(self, "bars", bars)
        return {}

    def decide(self, now: Any, held: Any) -> Any:
        close = self.bars.close
        rising = rises_next(close, same_row(close, now.close))
        wanted = np.where(rising > 0, 50.0, 0.0)
        change = wanted - held.quantity
        return tuple(market(float(change[n]), symbol=n) for n in range(len(change)) if change[n] != 0)


@leak("order quantity", DECIDE)
@dataclass(frozen=True)
class PerSymbolOrdersByLookUp(OrderStrategy):
    """Per symbol, several symbols: a dictionary from this close to the next one decides whether to order at all."""

    def features(self, bars: Bars) -> Any:
        table = dict(zip(bars.close[:-1].ravel().tolist(), bars.close[1:].ravel().tolist(), strict=True))
        object.__setattr__(self, "table", table)
        return {}

    @per_symbol
    def decide(self, now: Any, held: Any) -> Any:
        rises = self.table.get(now.close, 0.0) > now.close * 1.01
        if held.quantity == 0 and rises:
            return market(40)
        return market(-held.quantity) if held.quantity else nothing()


@leak("declared exits", DECIDE)
@dataclass(frozen=True)
class StopFromTheWorstDrawdown(Strategy):
    """`declared_exits` sets the stop just beyond the deepest fall of the whole history."""

    def features(self, bars: Bars) -> Any:
        fall = 1 - bars.low / np.maximum.accumulate(bars.close, axis=0)
        object.__setattr__(self, "worst", float(fall.max()))
        return {"mean": ta.sma(bars.close, 10)}

    def decide(self, now: Any) -> Any:
        return np.where(now.close > now.mean, 0.5, 0.0)

    def declared_exits(self) -> Any:
        return (StopLoss(min(0.9, 0.15 * getattr(self, "worst", 0.3))),)


@leak("declared exits", DECIDE)
@dataclass(frozen=True)
class TargetFromTheBestRun(Strategy):
    """A take profit at the median ten-bar gain of the whole sample, declared from what `features` stored."""

    def features(self, bars: Bars) -> Any:
        gains = bars.high[10:] / bars.close[:-10] - 1
        object.__setattr__(self, "gain", float(np.median(gains[gains > 0])))
        return {"mean": ta.sma(bars.close, 10)}

    def decide(self, now: Any) -> Any:
        return np.where(now.close > now.mean, 0.5, 0.0)

    def declared_exits(self) -> Any:
        return (TakeProfit(getattr(self, "gain", 0.05)),)
