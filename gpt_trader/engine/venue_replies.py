"""What an account does with the answers of a venue that is elsewhere, and such a venue with what it is asked for."""

from __future__ import annotations

import numpy as np

from gpt_trader.engine.accounting import apply_fill
from gpt_trader.engine.fill_effects import clear_target
from gpt_trader.engine.jit import inlined, kernel
from gpt_trader.engine.order_book import NO_ORDER, append_order, close_order, complete_order
from gpt_trader.engine.records import (
    ACCEPTED,
    CANCEL_PENDING,
    CANCELLED,
    EXIT,
    MARKET,
    PARTIAL,
    PENDING,
    R_REPLACED,
    REPLACED,
    STOP,
    TARGET,
    UNKNOWN,
    AccountState,
)


@inlined
def find_order(b: AccountState, number: int) -> int:
    """Row of the live order with this id, NO_ORDER when there is none. Live orders stand in order of their ids."""
    low, high = 0, b.account[0].open_orders
    while low < high:
        middle = (low + high) // 2
        if b.orders[b.open_orders[middle]].id < number:
            low = middle + 1
        else:
            high = middle
    if low < b.account[0].open_orders and b.orders[b.open_orders[low]].id == number:
        return b.open_orders[low]
    return NO_ORDER


@kernel
def on_accepted(b: AccountState, number: int) -> bool:
    """The venue has the order. Returns False when no such order is live, as the other answers do."""
    order = find_order(b, number)
    if order == NO_ORDER:
        return False
    o = b.orders[order]
    if o.status == PENDING or o.status == UNKNOWN:
        o.status = ACCEPTED if o.filled == 0.0 else PARTIAL
    return True


@kernel
def on_unknown(b: AccountState, number: int) -> bool:
    """Nobody knows whether the venue has the order: it counts as live until the venue says what became of it."""
    order = find_order(b, number)
    if order == NO_ORDER:
        return False
    b.orders[order].status = UNKNOWN
    return True


@kernel
def on_filled(
    b: AccountState, number: int, quantity: float, price: float, fee: float, slippage: float
) -> bool:
    """The venue has filled the signed `quantity` of an order at `price` for `fee`."""
    order = find_order(b, number)
    if order == NO_ORDER:
        return False
    if b.orders[order].status == PENDING or b.orders[order].status == UNKNOWN:
        b.orders[order].status = PARTIAL
    apply_fill(b, order, quantity, price, fee, slippage, False)
    o = b.orders[order]
    if o.status <= UNKNOWN and (o.quantity - o.filled) * o.quantity < 0.0:
        complete_order(
            b, order
        )  # the venue has filled more than it was asked for: nothing is left to wait for
    return True


@kernel
def on_ended(b: AccountState, number: int, status: int, reason: int) -> bool:
    """The venue has cancelled, rejected or let expire an order. The account's own reason stands where it asked for that."""
    order = find_order(b, number)
    if order == NO_ORDER:
        return False
    o = b.orders[order]
    asked = o.status == CANCEL_PENDING
    ended = status
    if asked and status == CANCELLED and o.purpose == TARGET and o.end_reason == R_REPLACED:
        ended = REPLACED  # by a target that needs no order
    close_order(b, order, ended, o.end_reason if asked else reason)
    return True


@kernel
def on_opened(b: AccountState, given: np.ndarray) -> None:
    """The venue has opened an order by itself: a declared exit that was triggered, or the leg of a bracket. `given`: (1,) ORDER."""
    account = b.account[0]
    external_venue, account.external_venue = account.external_venue, 0
    g = given[0]
    s = b.symbols[g.symbol]
    order = _adopt(b, given)
    if g.purpose == EXIT and g.kind == STOP:
        clear_target(b, g.symbol, s.qty)
        s.exiting = 1
    b.orders[order].status = ACCEPTED
    account.external_venue = external_venue


@kernel
def on_updated(b: AccountState, given: np.ndarray) -> bool:
    """The venue has changed quantity, kind or stop of an order to those of `given`, (1,) ORDER."""
    g = given[0]
    order = find_order(b, g.id)
    if order == NO_ORDER:
        return False
    o = b.orders[order]
    if g.triggered != 0 and o.triggered == 0 and o.kind != MARKET:
        b.account[0].market_orders += 1
    o.quantity = g.quantity
    o.kind = g.kind
    o.stop = g.stop
    o.trail_ref = g.trail_ref
    o.triggered = g.triggered
    return True


@inlined
def _adopt(b: AccountState, given: np.ndarray) -> int:
    """Append an order that somebody else has made, with its id."""
    g = given[0]
    account = b.account[0]
    order = append_order(b, g.symbol, g.quantity, g.kind, g.purpose, g.reason, g.decision)
    o = b.orders[order]
    o.limit = g.limit
    o.stop = g.stop
    o.trail = g.trail
    o.trail_ref = g.trail_ref
    o.take_profit = g.take_profit
    o.stop_loss = g.stop_loss
    o.day = g.day
    o.parent = g.parent
    o.id = g.id
    o.triggered = g.triggered
    if g.triggered != 0 and g.kind != MARKET:
        account.market_orders += 1
    account.order_ids = max(account.order_ids, g.id + 1)
    return order


@kernel
def receive_order(v: AccountState, given: np.ndarray) -> bool:
    """A venue gets an order, (1,) ORDER. One that replaces another is refused when that one is no longer live."""
    replaced = given[0].replaces
    if replaced != NO_ORDER:
        order = find_order(v, replaced)
        if order == NO_ORDER:
            return False
        close_order(v, order, REPLACED, R_REPLACED)
    _adopt(v, given)
    if given[0].purpose == EXIT:
        v.symbols[given[0].symbol].exiting = 1
    return True


@kernel
def receive_cancel(v: AccountState, number: int, status: int, reason: int) -> bool:
    """A venue is asked to cancel an order; False when it is not live."""
    order = find_order(v, number)
    if order == NO_ORDER:
        return False
    close_order(v, order, status, reason)
    return True


@kernel
def receive_reduction(v: AccountState, number: int, quantity: float) -> bool:
    """A venue is asked to make an order smaller; False when it is not live."""
    order = find_order(v, number)
    if order == NO_ORDER:
        return False
    v.orders[order].quantity = quantity
    return True
