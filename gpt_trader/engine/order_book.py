"""The orders of the account: a log of all of them, and the live ones in order of their ids, of all symbols and of each."""

from __future__ import annotations

import numpy as np

from gpt_trader.bars import CLOSE
from gpt_trader.engine.jit import inlined, kernel, not_inlined
from gpt_trader.engine.positions import SMALL
from gpt_trader.engine.records import (
    ACCEPTED,
    C_CANCEL,
    C_SUBMIT,
    CANCEL_PENDING,
    CANCELLED,
    E_ENDED,
    E_OPENED,
    E_UPDATED,
    EXIT,
    FILLED,
    LEG_STOP,
    LEG_TARGET,
    MARKET,
    PENDING,
    R_OCO,
    UNKNOWN,
    AccountState,
    MarketData,
)

NO_ORDER = -1


@inlined
def to_lot(quantity: float, lot: float) -> float:
    """`quantity` truncated towards zero to a multiple of `lot` (lot 0: unchanged), forgiving 1e-9 of a lot."""
    if lot == 0.0:
        return quantity
    return np.sign(quantity) * np.floor(abs(quantity) / lot + SMALL) * lot


@inlined
def live_from(b: AccountState, order: int) -> int:
    """Place among the live ids, which rise, of the first that is not below `order`."""
    low, high = 0, b.account[0].open_orders
    while low < high:
        middle = (low + high) // 2
        if b.open_orders[middle] < order:
            low = middle + 1
        else:
            high = middle
    return low


@inlined
def live_after(b: AccountState, n: int, order: int) -> int:
    """The live order of symbol n that follows `order`, which may have ended meanwhile; NO_ORDER behind the last."""
    if b.orders[order].status <= UNKNOWN:
        return b.orders[order].later
    later = b.symbols[n].first_live
    while later != NO_ORDER and later < order:
        later = b.orders[later].later
    return later


@inlined
def log_order_event(b: AccountState, event: int, order: int, reason: int) -> None:
    """Write to the log of fills what happened to an order, or what is asked of the venue, for those who read it elsewhere."""
    account = b.account[0]
    o = b.orders[order]
    f = b.fills[account.fills]
    f.quantity = 0.0
    f.price = np.nan
    f.commission = 0.0
    f.slippage = 0.0
    f.order = o.id
    f.symbol = o.symbol
    f.bar = account.bar
    f.reason = reason
    f.event = event
    account.fills += 1


@kernel
def report_change(b: AccountState, order: int) -> None:
    """A venue that reports says that quantity, kind or stop of an order have changed."""
    if b.account[0].reports_events != 0:
        log_order_event(b, E_UPDATED, order, b.orders[order].reason)


@inlined
def remove_open_order(b: AccountState, order: int) -> None:
    """Take an order out of the live ones, whose ids stay in order, and out of those of its symbol."""
    account = b.account[0]
    k = live_from(b, order)
    if k == account.open_orders or b.open_orders[k] != order:
        return
    account.open_orders -= 1
    for i in range(k, account.open_orders):
        b.open_orders[i] = b.open_orders[i + 1]
    o = b.orders[order]
    if o.kind == MARKET or o.triggered:
        account.market_orders -= 1
    if o.earlier != NO_ORDER:
        b.orders[o.earlier].later = o.later
    else:
        b.symbols[o.symbol].first_live = o.later
    if o.later != NO_ORDER:
        b.orders[o.later].earlier = o.earlier
    else:
        b.symbols[o.symbol].last_live = o.earlier


@inlined
def close_order(b: AccountState, order: int, status: int, reason: int) -> None:
    """Close an order. A target order that ends with nothing held forgets its target."""
    o = b.orders[order]
    remove_open_order(b, order)
    o.status = status
    o.end_reason = reason
    s = b.symbols[o.symbol]
    if s.target_order == order:
        s.target_order = NO_ORDER
        if s.qty == 0.0 and status == CANCELLED:
            s.wanted = 0.0
            s.ordered = 0.0
            b.account[0].needs_allocation = 1
    if o.purpose == EXIT:
        s.exiting = 0
    if b.account[0].reports_events != 0 and status != FILLED:
        log_order_event(b, E_ENDED, order, reason)


end_order = not_inlined(close_order)


@kernel
def cancel_order(b: AccountState, order: int, status: int, reason: int) -> None:
    """End an order that the account no longer wants. A venue that is elsewhere is asked to, and may fill it before it does."""
    o = b.orders[order]
    if b.account[0].external_venue == 0:
        close_order(b, order, status, reason)
    elif o.status != CANCEL_PENDING:
        o.status = CANCEL_PENDING
        o.end_reason = reason
        log_order_event(b, C_CANCEL, order, reason)


@inlined
def append_order(
    b: AccountState, n: int, quantity: float, kind: int, purpose: int, reason: int, decision: int
) -> int:
    """Append an order (signed quantity) to the log and to the live ones; its id is its row."""
    account = b.account[0]
    order = account.orders
    o = b.orders[order]
    o.quantity = quantity
    o.filled = 0.0
    o.limit = np.nan
    o.stop = np.nan
    o.trail = np.nan
    o.trail_ref = np.nan
    o.take_profit = np.nan
    o.stop_loss = np.nan
    o.charge = 0.0
    o.charged = 0.0
    o.symbol = n
    o.decided_bar = account.bar
    o.created_bar = account.bar
    o.parent = NO_ORDER
    o.sibling = NO_ORDER
    o.decision = decision
    o.id = account.order_ids
    o.replaces = NO_ORDER
    o.kind = kind
    o.status = ACCEPTED if account.external_venue == 0 else PENDING
    o.reason = reason
    o.end_reason = reason
    o.purpose = purpose
    o.triggered = 0
    o.day = 0
    o.intrabar = 0
    s = b.symbols[n]
    o.earlier = s.last_live
    o.later = NO_ORDER
    if s.last_live != NO_ORDER:
        b.orders[s.last_live].later = order
    else:
        s.first_live = order
    s.last_live = order
    account.orders += 1
    account.order_ids += 1
    b.open_orders[account.open_orders] = order
    account.open_orders += 1
    if kind == MARKET:
        account.market_orders += 1
    if account.external_venue != 0:
        log_order_event(b, C_SUBMIT, order, reason)
    if account.reports_events != 0:
        log_order_event(b, E_OPENED, order, reason)
    return order


@kernel
def new_order(
    b: AccountState, n: int, quantity: float, kind: int, purpose: int, reason: int, decision: int
) -> int:
    """`append_order` as a call, for the places that are not on the path of every trade."""
    return append_order(b, n, quantity, kind, purpose, reason, decision)


@kernel
def in_flight(m: MarketData, b: AccountState, t: int) -> float:
    """Share of equity that may still be opened by orders which are to be cancelled or of which nothing is known."""
    account = b.account[0]
    total = 0.0
    for k in range(account.open_orders):
        o = b.orders[b.open_orders[k]]
        s = b.symbols[o.symbol]
        left = o.quantity - o.filled
        replaced = s.target_order != NO_ORDER and b.orders[s.target_order].replaces == o.id
        if (o.status == CANCEL_PENDING or o.status == UNKNOWN) and s.qty * left >= 0.0 and not replaced:
            close = m.panel[CLOSE, t, o.symbol]
            total += abs(left) * (s.mark if np.isnan(close) else close)
    return total / account.equity if account.equity > 0.0 else 0.0


@kernel
def cancel_symbol_orders(b: AccountState, n: int, keep: int, reason: int) -> None:
    """Cancel every live order of symbol n except `keep`."""
    order = b.symbols[n].first_live
    while order != NO_ORDER:
        later = b.orders[order].later
        if order != keep:
            cancel_order(b, order, CANCELLED, reason)
        order = later


@inlined
def complete_order(b: AccountState, order: int) -> None:
    """A completely filled order leaves the live ones and takes its other leg with it."""
    o = b.orders[order]
    close_order(b, order, FILLED, o.reason)
    if o.sibling != NO_ORDER and b.account[0].external_venue == 0 and b.orders[o.sibling].status <= UNKNOWN:
        end_order(b, o.sibling, CANCELLED, R_OCO)


@inlined
def is_leg(purpose: int) -> bool:
    """Stop and target that an order brought with it."""
    return purpose in (LEG_STOP, LEG_TARGET)
