"""Orders that a strategy places itself: from a request to a live order, and when the next bar can matter to one."""

from __future__ import annotations

import numpy as np

from gpt_trader.bars import CLOSE, HIGH, LOW
from gpt_trader.engine.exit_levels import protective_stop
from gpt_trader.engine.jit import inlined, kernel
from gpt_trader.engine.order_book import NO_ORDER, cancel_order, end_order, new_order
from gpt_trader.engine.records import (
    CANCELLED,
    EVENT,
    LIMIT,
    MARKET,
    R_DELISTED,
    R_ORDER_RULE,
    R_REPLACED,
    R_USER,
    REJECTED,
    STOP,
    STOP_LIMIT,
    TRAILING,
    USER,
    AccountState,
    MarketData,
)
from gpt_trader.orders import CANCEL, NOTHING, OrderRequest


@kernel
def submit(m: MarketData, b: AccountState, t: int, factor: np.ndarray, request: OrderRequest) -> None:
    """Place one request decided at the close of bar t; its prices are on the continuous basis, `factor` (T, N) or (1, 1).

    A request without a finite non-zero quantity, or whose kind lacks its positive price, is logged as rejected; so is one for a
    symbol that has left the market.
    """
    if request.kind == NOTHING:
        return
    n = request.symbol
    if n < 0 or n >= b.symbols.shape[0]:
        n = 0
        kind = -9
    else:
        kind = request.kind
    if kind == CANCEL:
        cancel_entries(b, n)
        return
    scale = factor[t, n] if factor.shape[0] > 1 else 1.0
    order = new_order(b, n, request.quantity, max(kind, MARKET), USER, R_USER, -1)
    o = b.orders[order]
    o.limit = request.limit / scale
    o.stop = request.stop / scale
    o.trail = request.trail
    o.take_profit = request.take_profit / scale
    o.stop_loss = request.stop_loss / scale
    o.day = request.day
    if kind == TRAILING:
        o.trail_ref = m.panel[CLOSE, t, n]
        o.stop = o.trail_ref * (1.0 + o.trail) if o.quantity > 0.0 else o.trail_ref * (1.0 - o.trail)
    if not valid_request(b, order, kind):
        end_order(b, order, REJECTED, R_ORDER_RULE)
    elif b.account[0].bar > m.info[n].last_session:
        end_order(b, order, REJECTED, R_DELISTED)


@inlined
def valid_request(b: AccountState, order: int, kind: int) -> bool:
    """Finite non-zero quantity and every price that the kind needs, positive; no entries while trading is halted."""
    o = b.orders[order]
    if kind < MARKET or kind > TRAILING or not abs(o.quantity) < 1e18 or o.quantity == 0.0:
        return False
    if (kind in (LIMIT, STOP_LIMIT)) and not (0.0 < o.limit < 1e18):
        return False
    if kind >= STOP and not (0.0 < o.stop < 1e18):
        return False
    if kind == TRAILING and not (0.0 < o.trail < 1.0):
        return False
    held = b.symbols[o.symbol].qty
    reduces = held * o.quantity < 0.0 and abs(o.quantity) <= abs(held)
    if b.account[0].entries_off != 0 and held == 0.0:
        return False
    return b.account[0].halt == 0 or reduces


@inlined
def has_room(b: AccountState, count: int) -> bool:
    """Whether `count` requests more fit into the logs; one is among the rows that `room_in_logs` keeps free."""
    account = b.account[0]
    most = max(account.orders, account.open_orders) + count
    return count <= 1 or (most <= b.orders.shape[0] and most <= b.open_orders.shape[0])


@kernel
def count_due(queue: np.ndarray, ends: np.ndarray, t: int) -> int:
    """How many requests of `queue`, rows ends[0] to ends[1] - 1 of due bar and fields, are due in bar t."""
    row = ends[0]
    while row < ends[1] and queue[row, 0] <= t:
        row += 1
    return row - ends[0]


@kernel
def has_place(queue: np.ndarray, ends: np.ndarray, count: int) -> bool:
    """Whether `count` requests more fit into the queue, which moves to its front where that helps."""
    if ends[1] + count > queue.shape[0] and ends[0] > 0:
        for row in range(ends[0], ends[1]):
            for k in range(queue.shape[1]):
                queue[row - ends[0], k] = queue[row, k]
        ends[1] -= ends[0]
        ends[0] = 0
    return ends[1] + count <= queue.shape[0]


@kernel
def push_request(queue: np.ndarray, ends: np.ndarray, due: int, request: OrderRequest) -> None:
    """Put a request that is submitted in bar `due` at the end of the queue."""
    row = queue[ends[1]]
    row[0] = due
    row[1] = request.kind
    row[2] = request.quantity
    row[3] = request.limit
    row[4] = request.stop
    row[5] = request.trail
    row[6] = request.take_profit
    row[7] = request.stop_loss
    row[8] = request.day
    row[9] = request.symbol
    ends[1] += 1


@kernel
def submit_due(
    m: MarketData, b: AccountState, t: int, factor: np.ndarray, queue: np.ndarray, ends: np.ndarray
) -> None:
    """Submit the requests that are due in bar t, in the order in which they were made."""
    while ends[0] < ends[1] and queue[ends[0], 0] <= t:
        row = queue[ends[0]]
        request = OrderRequest(
            int(row[1]), row[2], row[3], row[4], row[5], row[6], row[7], int(row[8]), int(row[9])
        )
        submit(m, b, t, factor, request)
        ends[0] += 1


@kernel
def cancel_entries(b: AccountState, n: int) -> None:
    """Cancel the live orders of symbol n that are no bracket legs."""
    order = b.symbols[n].first_live
    while order != NO_ORDER:
        o = b.orders[order]
        later = o.later
        if o.purpose == USER:
            cancel_order(b, order, CANCELLED, R_REPLACED)
        order = later


@kernel
def next_event_bar(m: MarketData, b: AccountState, t: int, most: int) -> int:
    """The first bar after t, at most `most` ahead, in which something may fill, expire or pay: no earlier bar can.

    Conservative: an answer that is too early costs time, never truth.
    """
    r = b.rules[0]
    account = b.account[0]
    stop = min(t + most, m.panel.shape[1])
    moving = (
        r.trailing > 0.0
        or r.break_even > 0.0
        or r.stop_atr_k > 0.0
        or r.time_stop > 0.0
        or r.scale_steps > 0.0
    )
    if (
        account.market_orders > 0
        or r.risk_on > 0.0
        or (account.positions > 0 and (moving or r.leverage > 1.0))
    ):
        return t + 1
    for k in range(account.open_orders):
        o = b.orders[b.open_orders[k]]
        if o.kind == TRAILING or o.day == 1:
            return t + 1
    busy = t + 1
    while busy < stop and m.flags[busy] & EVENT == 0:
        busy += 1
    for n in range(b.symbols.shape[0]):
        if b.symbols[n].qty < 0.0:
            return t + 1
        below, above = _trigger_band(b, n)
        if below == -np.inf and above == np.inf:
            continue
        for u in range(t + 1, busy):
            if m.panel[LOW, u, n] <= below or m.panel[HIGH, u, n] >= above:
                busy = u
                break
    return busy


@inlined
def _trigger_band(b: AccountState, n: int) -> tuple[float, float]:
    """Lows at or below the first, or highs at or above the second, may trigger an order or exit of symbol n."""
    below = -np.inf
    above = np.inf
    s = b.symbols[n]
    if s.qty > 0.0:
        level, _ = protective_stop(b, n)
        if not np.isnan(level):
            below = level
        if b.rules[0].take_profit > 0.0:
            above = s.entry * (1.0 + b.rules[0].take_profit)
    order = s.first_live
    while order != NO_ORDER:
        o = b.orders[order]
        order = o.later
        buy = o.quantity > 0.0
        if o.kind == LIMIT:
            if buy:
                below = max(below, o.limit)
            else:
                above = min(above, o.limit)
        elif buy:
            above = min(above, o.stop)
        else:
            below = max(below, o.stop)
    return below, above
