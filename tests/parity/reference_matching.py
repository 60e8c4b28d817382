"""Step 1 of the reference: market orders at the open, then stops, limits and targets inside the bar."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf, isnan, nan

from tests.parity.reference_account import EXITS, Account
from tests.parity.reference_types import (
    AtrStop,
    BreakEven,
    Exit,
    Kind,
    Order,
    Position,
    ScaleOut,
    StopLoss,
    TakeProfit,
    TrailingStop,
    sign,
    to_lot,
)


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar of one symbol."""

    open: float
    high: float
    low: float
    close: float
    volume: float


BarRow = list[Bar | None]


def match(account: Account, t: int, row: BarRow, exits: tuple[Exit, ...]) -> None:
    """Phase A and phase B of bar t; `row` has None for a symbol without a bar."""
    for position in account.positions:
        position.traded = 0.0
    _at_the_open(account, t, row)
    for position in account.positions:
        bar = row[position.symbol]
        if bar is not None:
            _Inside(account, t, bar, position, exits).run()


def _at_the_open(account: Account, t: int, row: BarRow) -> None:
    ready = [
        order
        for order in account.orders
        if order.alive
        and order.kind is Kind.MARKET
        and order.not_before <= t
        and row[order.symbol] is not None
    ]
    ready.sort(key=lambda order: order.id)
    first = [order for order in ready if sign(order.remaining) == -account.positions[order.symbol].side]
    last = [order for order in ready if order not in first]
    for order in first + last:
        bar = row[order.symbol]
        assert bar is not None
        if order.alive:
            fill_order(account, t, order, bar.open, bar, slips=True, inside=False)


def fill_order(
    account: Account, t: int, order: Order, price: float, bar: Bar, slips: bool, inside: bool
) -> float:
    """Fill an order and do what hangs on it: only-reduce, lock after an exit, bracket legs, one cancels the other."""
    position = account.positions[order.symbol]
    if order.origin in EXITS or order.origin == "leg":
        if sign(order.remaining) != -position.side:
            account.cancel(order, "nothing to close")
            return 0.0
        closes = order.origin != "leg" and order.kind is not Kind.LIMIT
        if closes or abs(order.remaining) > abs(position.quantity):
            order.remaining = -position.quantity
    held = position.quantity
    filled = account.fill(t, order, price, bar.volume, slips, inside)
    if filled == 0.0:
        return filled
    if held != 0.0 and held * position.quantity <= 0.0:  # closed or turned round
        account.cancel_legs(order.symbol, "position closed", keep=order)
    if order.origin in EXITS and position.quantity == 0.0:
        account.exit_closed(position, side=-sign(order.quantity))
    if order.sibling is not None and order.sibling.alive:
        other = order.sibling
        other.remaining -= filled
        if order.status == "filled" or sign(other.remaining) != sign(order.quantity):
            account.cancel(other, "one cancels the other")
    opened = filled
    if held * filled < 0.0:  # a reduction brings no legs, a reversal only for what it opens
        opened = position.quantity if held * position.quantity < 0.0 else 0.0
    if opened != 0.0:
        _bring_legs(account, t, order, opened, inside)
    return filled


def _bring_legs(account: Account, t: int, order: Order, filled: float, inside: bool) -> None:
    """The bracket legs of one fill, for what it has opened."""
    kinds = (
        (Kind.STOP, order.stop_loss, "stop loss leg"),
        (Kind.LIMIT, order.take_profit, "take profit leg"),
    )
    legs = []
    for kind, price, reason in kinds:
        if not isnan(price):
            leg = account.add(Order(0, order.symbol, t, -filled, kind, "leg", reason))
            leg.stop = price if kind is Kind.STOP else leg.stop
            leg.limit = price if kind is Kind.LIMIT else leg.limit
            leg.not_before = t + 1 if inside else t
            legs.append(leg)
    order.legs += legs
    if len(legs) == 2:
        legs[0].sibling, legs[1].sibling = legs[1], legs[0]


def protective_level(p: Position, exits: tuple[Exit, ...]) -> tuple[float, str]:
    """The tightest declared stop level of an open position and its reason; (nan, "") when there is none."""
    side, best, reason = p.side, float("nan"), ""
    for declared in exits:
        level, name = float("nan"), ""
        if isinstance(declared, StopLoss):
            level, name = p.entry * (1.0 - side * declared.x), "stop loss"
        elif isinstance(declared, TrailingStop):
            if p.trails or declared.after == 0.0:
                level, name = p.peak * (1.0 - side * declared.x), "trailing stop"
        elif isinstance(declared, BreakEven):
            if p.at_even:
                level, name = p.entry, "break even"
        elif isinstance(declared, AtrStop):
            level, name = p.atr_stop, "atr stop"
        if not isnan(level) and (isnan(best) or side * level > side * best):
            best, reason = level, name
    return best, reason


class _Inside:
    """Phase B of one symbol in one bar."""

    def __init__(
        self, account: Account, t: int, bar: Bar, position: Position, exits: tuple[Exit, ...]
    ) -> None:
        self.account = account
        self.t = t
        self.bar = bar
        self.position = position
        self.exits = exits

    def run(self) -> None:
        self.newborn: list[
            tuple[Order, float]
        ] = []  # stop legs of this bar's fills inside it, with the price of the fill
        self._protect(at_level=False)
        self._stops()
        self._limits()
        self._newborn_stops()
        if self._opened_inside():
            self._protect(at_level=True)
        elif self.position.quantity != 0.0:
            self._targets()

    def _opened_inside(self) -> bool:
        return self.position.opened == self.t and self.position.inside

    # -- 1 ----------------------------------------------------------------------------------------------------------

    def _protect(self, at_level: bool) -> None:
        """The declared stop; `at_level`: the position was opened inside the bar, so it never gets a better open."""
        p = self.position
        if p.quantity == 0.0 or self.account.leaving(p.symbol):
            return
        level, reason = protective_level(p, self.exits)
        price = self._stop_price(-p.side, level)
        if price is None:
            return
        if at_level:
            price = level if p.side * level <= p.side * p.entry else p.entry
        order = self.account.add(Order(0, p.symbol, self.t, -p.quantity, Kind.STOP, "exit", reason))
        order.stop = level
        self.account.exit_triggered(p, p.side)
        fill_order(self.account, self.t, order, price, self.bar, slips=True, inside=True)
        order.kind, order.not_before = Kind.MARKET, self.t + 1  # a triggered stop is a market order

    def _drop(self, order: Order) -> None:
        """A declared target is looked at anew in every bar; what did not fill is no working order."""
        if order.alive:
            order.status = "partial" if order.filled else "cancelled"

    def _stop_price(self, side: int, stop: float) -> float | None:
        """Fill price of a stop order of `side` (1 buy, -1 sell), None when the bar does not reach it."""
        if side < 0 and self.bar.low <= stop:
            return min(self.bar.open, stop)
        if side > 0 and self.bar.high >= stop:
            return max(self.bar.open, stop)
        return None

    def _stops(self) -> None:
        for order in self._ready(Kind.STOP, Kind.TRAILING, Kind.STOP_LIMIT):
            if not order.alive or order.triggered >= 0:
                continue
            side = sign(order.remaining)
            price = self._stop_price(side, order.stop)
            if price is None:
                continue
            if order.kind is not Kind.STOP_LIMIT:
                self._fill(order, price, slips=True)
                order.kind, order.not_before = Kind.MARKET, self.t + 1  # a triggered stop is a market order
                continue
            order.triggered = self.t
            if side * self.bar.open >= side * order.stop and side * self.bar.open <= side * order.limit:
                self._fill(order, self.bar.open, slips=False)
            elif side > 0 and self.bar.low <= order.limit:
                self._fill(order, min(order.limit, self.bar.high), slips=False)
            elif side < 0 and self.bar.high >= order.limit:
                self._fill(order, max(order.limit, self.bar.low), slips=False)

    def _ready(self, *kinds: Kind) -> list[Order]:
        orders = [
            order
            for order in self.account.working(self.position.symbol)
            if order.kind in kinds and order.not_before <= self.t
        ]
        return sorted(orders, key=lambda order: order.id)

    def _fill(self, order: Order, price: float, slips: bool) -> None:
        """Fill inside the bar; the stop leg that the fill brings with it is looked at after all limit orders."""
        known = len(order.legs)
        fill_order(self.account, self.t, order, price, self.bar, slips, inside=True)
        self.newborn += [(leg, price) for leg in order.legs[known:] if leg.kind is Kind.STOP]

    def _newborn_stops(self) -> None:
        for leg, price in sorted(self.newborn, key=lambda pair: pair[0].id):
            side = sign(leg.remaining)
            if leg.alive and self._stop_price(side, leg.stop) is not None:
                at = price if side * leg.stop < side * price else leg.stop
                fill_order(self.account, self.t, leg, at, self.bar, slips=True, inside=True)
                leg.kind = Kind.MARKET  # a triggered stop is a market order

    # -- 2 ----------------------------------------------------------------------------------------------------------

    def _limits(self) -> None:
        for order in self._ready(Kind.LIMIT, Kind.STOP_LIMIT):
            if not order.alive or (order.kind is Kind.STOP_LIMIT and not 0 <= order.triggered < self.t):
                continue
            price = self._limit_price(sign(order.remaining), order.limit)
            if price is not None:
                self._fill(order, price, slips=False)

    def _limit_price(self, side: int, limit: float) -> float | None:
        if side > 0 and self.bar.low <= limit:
            return min(self.bar.open, limit)
        if side < 0 and self.bar.high >= limit:
            return max(self.bar.open, limit)
        return None

    # -- 3 ----------------------------------------------------------------------------------------------------------

    def _targets(self) -> None:
        """Take profit and scale-out steps, nearest first."""
        p = self.position
        steps: list[tuple[float, float, int]] = []
        count = 0
        for declared in self.exits:
            if isinstance(declared, TakeProfit):
                steps.append((declared.x, inf, -1))
            elif isinstance(declared, ScaleOut):
                for x, fraction in declared.steps:
                    steps.append((x, fraction, count))
                    count += 1
        p.steps += [nan] * (count - len(p.steps))
        for x, fraction, index in sorted(steps, key=lambda step: step[0]):
            if p.quantity != 0.0:
                self._target(x, fraction, index)
            if index >= 0 and not p.steps[index] <= 1e-9:
                return  # a later step waits for this one

    def _target(self, x: float, fraction: float, index: int) -> None:
        p = self.position
        level = p.entry * (1.0 + p.side * x)
        price = self._limit_price(-p.side, level)
        if price is None:
            return
        wanted = abs(p.quantity)
        if index >= 0:
            if isnan(p.steps[index]):
                p.steps[index] = to_lot(fraction * p.largest, p.lot)
            wanted = min(wanted, p.steps[index])
        if wanted <= 0.0:
            return
        reason = "take profit" if index < 0 else "scale out"
        order = self.account.add(Order(0, p.symbol, self.t, -p.side * wanted, Kind.LIMIT, "exit", reason))
        order.limit = level
        filled = fill_order(self.account, self.t, order, price, self.bar, slips=False, inside=True)
        if index >= 0 and p.quantity != 0.0:
            p.steps[index] -= abs(filled)
        self._drop(order)
