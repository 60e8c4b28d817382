"""The reference's account: cash, positions, corporate actions, the size and the cost of a fill, round trips."""

from __future__ import annotations

from math import inf, isnan

from tests.parity.reference_types import (
    CRUMB,
    DUST,
    LOT_TOLERANCE,
    Allocation,
    ClosedTrade,
    Costs,
    Fill,
    FillModel,
    Kind,
    Order,
    Position,
    ReferenceRun,
    Trip,
    sign,
    to_lot,
)

EXITS = ("exit", "time_stop", "flatten")  # what closes a position without the strategy


class Account:
    """Cash and positions; every change of either happens in a method of this class."""

    def __init__(
        self,
        capital: float,
        positions: list[Position],
        costs: Costs,
        allocation: Allocation,
        fills: FillModel,
    ) -> None:
        self.cash = capital
        self.positions = positions
        self.costs = costs
        self.allocation = allocation
        self.volume_cap = inf if fills.volume_cap is None else fills.volume_cap
        self.halted = False
        self.orders: list[Order] = []
        self.run = ReferenceRun()

    # -- orders -----------------------------------------------------------------------------------------------------

    def add(self, order: Order) -> Order:
        """Number the order and keep it; the caller leaves its id at 0."""
        order.id = len(self.run.orders) + 1
        order.quantity = order.remaining
        self.run.orders.append(order)
        self.orders.append(order)
        return order

    def working(self, symbol: int) -> list[Order]:
        """The symbol's orders that can still fill, by id."""
        return [order for order in self.orders if order.alive and order.symbol == symbol]

    def target_order(self, symbol: int) -> Order | None:
        """The working order that the last change of the target created."""
        for order in self.working(symbol):
            if order.origin == "target":
                return order
        return None

    def leaving(self, symbol: int) -> bool:
        """True while a declared exit that has triggered waits for its fill."""
        return any(order.origin in EXITS for order in self.working(symbol))

    def cancel(self, order: Order, note: str, status: str = "cancelled") -> None:
        """End the order; a target order that leaves its symbol flat has not opened anything: base = acted = 0."""
        if not order.alive:
            return
        order.status, order.note = status, note
        position = self.positions[order.symbol]
        if order.origin == "target" and note != "replaced" and position.quantity == 0.0:
            position.base = position.acted = 0.0

    def cancel_all(self, symbol: int, note: str) -> None:
        for order in self.working(symbol):
            self.cancel(order, note)

    def cancel_legs(self, symbol: int, note: str, keep: Order | None = None) -> None:
        """The bracket legs of a position that is closed or turned round."""
        for order in self.working(symbol):
            if order.origin == "leg" and order is not keep:
                self.cancel(order, note)

    # -- value ------------------------------------------------------------------------------------------------------

    def equity(self) -> float:
        """Cash + sum of quantity x mark."""
        return self.cash + sum(p.quantity * p.mark for p in self.positions if p.quantity != 0.0)

    def gross(self) -> float:
        """Sum of |quantity| x mark, in cash."""
        return sum(abs(p.quantity) * p.mark for p in self.positions if p.quantity != 0.0)

    def open_pnl(self) -> float:
        """Gain so far of all open round trips, their costs and dividends included."""
        total = 0.0
        for p in self.positions:
            if p.trip is not None:
                total += p.trip.sales - p.trip.purchases - p.trip.costs + p.trip.extras + p.quantity * p.mark
        return total

    # -- step 0 -----------------------------------------------------------------------------------------------------

    def corporate_actions(
        self, t: int, p: Position, leaves: bool, split: float, dividend: float, days: float
    ) -> None:
        """Borrow fee since the previous row, delisting, split, dividend of one symbol at bar t."""
        if p.quantity < 0.0:
            fee = -p.quantity * p.mark * self.costs.borrow * days / 365.0
            self.cash -= fee
            assert p.trip is not None
            p.trip.costs += fee
        if leaves and not p.gone:
            self._delist(t, p)
        if split != 1.0:
            self._split(t, p, split)
        if p.quantity != 0.0 and dividend != 0.0:
            self.cash += p.quantity * dividend
            assert p.trip is not None
            p.trip.extras += p.quantity * dividend

    def _delist(self, t: int, p: Position) -> None:
        p.gone = True
        p.base = p.acted = 0.0
        self.cancel_all(p.symbol, "delisted")
        if p.quantity == 0.0:
            return
        order = self.add(Order(0, p.symbol, t, -p.quantity, Kind.MARKET, "delisting", "delisted"))
        self._book(t, order, p, -p.quantity, p.mark, 0.0, False)
        p.base = p.acted = 0.0

    def _split(self, t: int, p: Position, ratio: float) -> None:
        self._restate(t, p, ratio)
        for order in self.working(p.symbol):
            if order.remaining == 0.0:
                self.cancel(order, "split")

    def _restate(self, t: int, p: Position, ratio: float) -> None:
        p.mark /= ratio
        for order in self.working(p.symbol):
            order.remaining = to_lot(order.remaining * ratio, p.lot)
            order.quantity *= ratio
            order.filled *= ratio
            order.limit /= ratio
            order.stop /= ratio
            order.extreme /= ratio
            order.take_profit /= ratio
            order.stop_loss /= ratio
        if p.quantity == 0.0:
            return
        assert p.trip is not None
        p.entry /= ratio
        p.peak /= ratio
        p.atr_stop /= ratio
        p.largest *= ratio
        p.steps = [to_lot(quantity * ratio, p.lot) for quantity in p.steps]
        restated = p.quantity * ratio
        whole = to_lot(restated, p.lot)
        remainder = restated - whole
        p.quantity = whole
        if abs(remainder) > LOT_TOLERANCE * p.lot:
            self.cash += remainder * p.mark
            p.trip.extras += remainder * p.mark
        if p.quantity == 0.0:
            self._close_trip(t, p, "split")
            self.cancel_legs(p.symbol, "position closed")

    # -- how much fills ---------------------------------------------------------------------------------------------

    def room(self, p: Position, volume: float) -> float:
        """Shares the symbol may still trade in this bar."""
        if not p.has_volume or self.volume_cap == inf:
            return inf
        most = to_lot(self.volume_cap * volume, p.lot)
        left = to_lot(most - p.traded, p.lot)
        return left if left > DUST * most else 0.0

    def _linear(self, quantity: float, price: float) -> float:
        return quantity * price * self.costs.bps / 1e4 + quantity * self.costs.per_share

    def _impact(self, p: Position, quantity: float, volume: float) -> float:
        return self.costs.impact * (quantity / volume) ** 2 if volume > 0.0 else 0.0

    def _slip_rate(self, slips: bool, p: Position, quantity: float, volume: float) -> float:
        """Slippage as a share of the notional."""
        if not slips:
            return 0.0
        return (self.costs.spread_bps / 2 + self.costs.slippage_bps) / 1e4 + self._impact(p, quantity, volume)

    def _affordable(
        self, order: Order, p: Position, opening: float, closing: float, price: float, slip_rate: float
    ) -> float:
        """The part of `opening` shares that the account can pay, after `closing` shares went at the same price."""
        equity, gross = self.equity(), self.gross()
        linear, charged, paid = order.linear, order.charged, 0.0
        if p.quantity != 0.0:  # this symbol at the fill price
            equity += p.quantity * (price - p.mark)
            gross += abs(p.quantity) * (price - p.mark)
        if closing > 0.0:  # the reducing part of a reversal as done
            linear += self._linear(closing, price)
            commission = max(linear, self.costs.minimum) - charged
            charged += commission
            paid = commission + closing * price * slip_rate
            gross -= closing * price
        free = self.allocation.leverage * equity - gross - paid

        def needs(quantity: float) -> float:
            commission = max(linear + self._linear(quantity, price), self.costs.minimum) - charged
            return quantity * price * (1.0 + slip_rate) + commission

        if needs(opening) <= free:
            return opening
        per_share = self._linear(1.0, price)
        by_rate = (free - linear + charged) / (price * (1.0 + slip_rate) + per_share)
        by_minimum = (free - self.costs.minimum + charged) / (price * (1.0 + slip_rate))
        most = max(0.0, min(opening, by_rate, by_minimum))
        if p.lot == 0.0:
            return most if most > DUST and most * price > CRUMB * equity else 0.0
        lots = round(most / p.lot) + 2
        while lots > 0 and (lots * p.lot > opening or needs(lots * p.lot) > free):
            lots -= 1
        return lots * p.lot

    def fill(self, t: int, order: Order, price: float, volume: float, slips: bool, inside: bool) -> float:
        """Fill as much of the order as volume and cash allow; returns the signed quantity filled."""
        p = self.positions[order.symbol]
        wanted = abs(order.remaining)
        size = min(wanted, self.room(p, volume))
        if size <= 0.0:
            return 0.0
        closing = min(size, abs(p.quantity)) if sign(order.remaining) == -p.side else 0.0
        opening = size - closing
        note = ""
        if opening > 0.0:
            others = sum(1 for other in self.positions if other.quantity != 0.0 and other is not p)
            if self.halted:
                opening, note = 0.0, "halted"
            elif closing == abs(p.quantity) and others >= self.allocation.max_positions:
                opening, note = 0.0, "max positions"
            else:
                slip_rate = self._slip_rate(slips, p, size, volume)
                paid = self._affordable(order, p, opening, closing, price, slip_rate)
                if paid < opening:
                    opening, note = paid, "no buying power"
        size = closing + opening
        signed = sign(order.remaining) * size
        if size > 0.0:
            slippage = size * price * self._slip_rate(slips, p, size, volume)
            self._book(t, order, p, signed, price, slippage, inside)
        if note and order.alive:
            self.cancel(order, note)
        return signed

    # -- booking ----------------------------------------------------------------------------------------------------

    def _book(
        self, t: int, order: Order, p: Position, signed: float, price: float, slippage: float, inside: bool
    ) -> None:
        size = abs(signed)
        commission = 0.0
        if order.origin != "delisting":
            order.linear += self._linear(size, price)
            commission = max(order.linear, self.costs.minimum) - order.charged
            order.charged += commission
        costs = commission + slippage
        self.cash -= signed * price + costs
        closing = min(size, abs(p.quantity)) if sign(signed) == -p.side else 0.0
        opening = size - closing
        if closing > 0.0 and opening <= DUST * max(1.0, closing):
            opening = 0.0
        if closing > 0.0:
            self._leave(t, p, closing, price, costs * closing / size, order.reason)
        if opening > 0.0:
            self._enter(t, p, sign(signed) * opening, price, costs * opening / size, inside)
        p.mark = price
        p.traded += size
        order.filled += size
        order.remaining -= signed
        if abs(order.remaining) <= LOT_TOLERANCE * (p.lot or abs(order.quantity)):
            order.remaining = 0.0
            order.status = "filled"
        side = "buy" if signed > 0 else "sell"
        self.run.fills.append(
            Fill(order.id, t, p.symbol, side, size, price, commission, slippage, order.reason)
        )

    def _leave(self, t: int, p: Position, quantity: float, price: float, costs: float, reason: str) -> None:
        trip = p.trip
        assert trip is not None
        if p.quantity > 0:
            trip.sales += quantity * price
        else:
            trip.purchases += quantity * price
        trip.costs += costs
        trip.left += quantity
        trip.left_value += quantity * price
        p.quantity -= p.side * quantity
        if abs(p.quantity) <= LOT_TOLERANCE * (p.lot or quantity):
            p.quantity = 0.0
            self._close_trip(t, p, reason)

    def _enter(self, t: int, p: Position, signed: float, price: float, costs: float, inside: bool) -> None:
        quantity = abs(signed)
        if p.quantity == 0.0:
            p.trip = Trip(sign(signed), t)
            p.entry, p.peak, p.age, p.opened, p.inside = price, price, 0, t, inside
            p.atr_stop, p.largest, p.steps = float("nan"), 0.0, []
        else:
            held = abs(p.quantity)
            p.entry = (p.entry * held + price * quantity) / (held + quantity)
        assert p.trip is not None
        if signed > 0:
            p.trip.purchases += quantity * price
        else:
            p.trip.sales += quantity * price
        p.trip.costs += costs
        p.trip.entered += quantity
        p.trip.entered_value += quantity * price
        p.quantity += signed
        p.largest = max(p.largest, abs(p.quantity))

    def _close_trip(self, t: int, p: Position, reason: str) -> None:
        trip = p.trip
        assert trip is not None
        pnl = trip.sales - trip.purchases - trip.costs + trip.extras
        exit_price = trip.left_value / trip.left if trip.left else p.mark
        side = "long" if trip.side > 0 else "short"
        value = trip.entered_value
        self.run.closed_trades.append(
            ClosedTrade(
                symbol=p.symbol,
                side=side,
                entry_t=trip.opened,
                exit_t=t,
                entry_price=value / trip.entered,
                exit_price=exit_price,
                bars=p.age,
                costs=trip.costs,
                pnl=pnl,
                return_=pnl / value,
                exit_reason=reason,
            )
        )
        p.trip = None
        p.exit_bar = t
        p.entry = p.peak = p.atr_stop = float("nan")
        p.trails = p.at_even = False
        p.age = 0

    def exit_triggered(self, p: Position, side: int) -> None:
        """A declared exit of a position of `side` is due: its orders go, nothing is wanted any more, the side is locked."""
        for order in self.working(p.symbol):
            if order.origin not in EXITS:
                self.cancel(order, "exit")
        p.base = p.acted = 0.0
        p.locked = side

    def exit_closed(self, p: Position, side: int) -> None:
        """A declared exit has closed the position of `side`: no orders, nothing wanted, the side is locked."""
        self.cancel_all(p.symbol, "exit")
        self.exit_triggered(p, side)

    def record(self) -> None:
        """Step 2, last sentence: write down equity, cash and exposures of the bar."""
        equity = self.equity()
        assert not isnan(equity)
        self.run.equity.append(equity)
        self.run.cash.append(self.cash)
        self.run.gross.append(self.gross() / equity if equity else float("nan"))
        self.run.quantities.append([p.quantity for p in self.positions])
        self.run.open_pnl.append(self.open_pnl())
