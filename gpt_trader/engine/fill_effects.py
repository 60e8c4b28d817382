"""What follows a fill: bracket legs open, shrink or are cancelled, and an exit that closed a position locks re-entry."""

from __future__ import annotations

import numpy as np

from gpt_trader.engine.jit import inlined, kernel
from gpt_trader.engine.order_book import (
    NO_ORDER,
    cancel_symbol_orders,
    end_order,
    is_leg,
    new_order,
    report_change,
)
from gpt_trader.engine.records import (
    CANCELLED,
    EXIT,
    LEG_STOP,
    LEG_TARGET,
    LIMIT,
    R_DELISTED,
    R_EXITED,
    R_OCO,
    R_USER,
    STOP,
    UNKNOWN,
    USER,
    AccountState,
)


@inlined
def after_fill(b: AccountState, order: int, was: float, filled: float, intrabar: bool, price: float) -> None:
    """The consequences of a fill of the signed quantity `filled` at `price`, before which `was` was held."""
    o = b.orders[order]
    if (
        o.purpose >= USER and b.account[0].external_venue == 0
    ):  # the others have neither legs nor siblings; a venue elsewhere keeps them
        now = b.symbols[o.symbol].qty
        _shrink_sibling(b, order, filled)
        if was != 0.0 and was * now <= 0.0:
            cancel_legs(b, o.symbol)
        _bring_legs(b, order, opened_part(was, now, filled), intrabar, price)
    elif o.purpose == EXIT and o.reason != R_DELISTED and b.symbols[o.symbol].qty == 0.0:
        after_exit(b, o.symbol, was)
        b.symbols[o.symbol].exiting = 0


@kernel
def cancel_legs(b: AccountState, n: int) -> None:
    """The position is closed or turned round: the bracket legs that protected it go with it."""
    order = b.symbols[n].first_live
    while order != NO_ORDER:
        o = b.orders[order]
        later = o.later
        if is_leg(o.purpose):
            end_order(b, order, CANCELLED, R_EXITED)
        order = later


@kernel
def _shrink_sibling(b: AccountState, order: int, filled: float) -> None:
    """One leg filled in part: the other one protects only what is left."""
    sibling = b.orders[order].sibling
    if filled != 0.0 and sibling != NO_ORDER and b.orders[sibling].status <= UNKNOWN:
        other = b.orders[sibling]
        other.quantity -= filled
        report_change(b, sibling)
        if abs(other.quantity - other.filled) <= 1e-9:
            end_order(b, sibling, CANCELLED, R_OCO)


@inlined
def opened_part(was: float, now: float, filled: float) -> float:
    """The part of a fill that opened or increased a position, signed, by the quantities held before and after it."""
    if was * filled >= 0.0:
        return filled
    return now if was * now < 0.0 else 0.0


@kernel
def _bring_legs(b: AccountState, order: int, filled: float, intrabar: bool, price: float) -> None:
    """Every fill of an order with a bracket brings its stop and its target to life for the quantity it opened."""
    o = b.orders[order]
    if filled == 0.0 or (np.isnan(o.take_profit) and np.isnan(o.stop_loss)):
        return
    stop = NO_ORDER
    if not np.isnan(o.stop_loss):
        stop = new_order(b, o.symbol, -filled, STOP, LEG_STOP, R_USER, o.decision)
        b.orders[stop].stop = o.stop_loss
        b.orders[stop].parent = o.id
        b.orders[stop].trail_ref = price
        b.orders[stop].intrabar = 1 if intrabar else 0
    if not np.isnan(o.take_profit):
        target = new_order(b, o.symbol, -filled, LIMIT, LEG_TARGET, R_USER, o.decision)
        b.orders[target].limit = o.take_profit
        b.orders[target].parent = o.id
        b.orders[target].intrabar = 1 if intrabar else 0
        if stop != NO_ORDER:
            b.orders[target].sibling = stop
            b.orders[stop].sibling = target


@kernel
def after_exit(b: AccountState, n: int, side: float) -> None:
    """A declared exit closed the position of symbol n: cancel its orders, forget its target, lock its side."""
    cancel_symbol_orders(b, n, NO_ORDER, R_EXITED)
    clear_target(b, n, side)


@kernel
def clear_target(b: AccountState, n: int, side: float) -> None:
    """Wanted and ordered weight back to zero; the side is locked until the strategy gives a new signal."""
    s = b.symbols[n]
    s.wanted = 0.0
    s.ordered = 0.0
    s.requested = np.nan
    s.reentry_lock = 1 if side > 0.0 else -1
    s.target_order = NO_ORDER
    b.account[0].needs_allocation = 1
