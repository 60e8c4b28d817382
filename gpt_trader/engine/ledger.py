"""What a fill does to cash and orders, and through `positions.py` to what is held: the only place where quantities change hands."""

from __future__ import annotations

import numpy as np

from gpt_trader.bars import VOLUME
from gpt_trader.engine.jit import called, inlined, kernel
from gpt_trader.engine.positions import SMALL, shift_position
from gpt_trader.engine.records import (
    CANCELLED,
    EXIT,
    FILLED,
    LEG_STOP,
    LEG_TARGET,
    LIMIT,
    MARKET,
    PARTIAL,
    R_EXITED,
    R_HALT,
    R_MAX_POSITIONS,
    R_NO_CASH,
    R_OCO,
    RESTING,
    STOP_LIMIT,
    Book,
    Market,
)

NO_ORDER = -1


@inlined
def to_lot(quantity: float, lot: float) -> float:
    """`quantity` truncated towards zero to a multiple of `lot` (lot 0: unchanged), forgiving 1e-9 of a lot."""
    if lot == 0.0:
        return quantity
    return np.sign(quantity) * np.floor(abs(quantity) / lot + SMALL) * lot


@inlined
def is_aggressive(kind: int) -> bool:
    """Market and stop fills pay spread and slippage; limits do not."""
    return kind != LIMIT and kind != STOP_LIMIT


@inlined
def live_from(b: Book, order: int) -> int:
    """Place among the live ids, which rise, of the first that is not below `order`."""
    low, high = 0, b.account[0].working
    while low < high:
        middle = (low + high) // 2
        if b.working[middle] < order:
            low = middle + 1
        else:
            high = middle
    return low


@inlined
def live_after(b: Book, n: int, order: int) -> int:
    """The live order of symbol n that follows `order`, which may have ended meanwhile; NO_ORDER behind the last."""
    if b.orders[order].status <= PARTIAL:
        return b.orders[order].later
    later = b.symbols[n].first_live
    while later != NO_ORDER and later < order:
        later = b.orders[later].later
    return later


@inlined
def remove_working(b: Book, order: int) -> None:
    """Take an order out of the live ones, whose ids stay in order, and out of those of its symbol."""
    account = b.account[0]
    k = live_from(b, order)
    if k == account.working or b.working[k] != order:
        return
    account.working -= 1
    for i in range(k, account.working):
        b.working[i] = b.working[i + 1]
    o = b.orders[order]
    if o.kind == MARKET or o.triggered:
        account.markets -= 1
    if o.earlier != NO_ORDER:
        b.orders[o.earlier].later = o.later
    else:
        b.symbols[o.symbol].first_live = o.later
    if o.later != NO_ORDER:
        b.orders[o.later].earlier = o.earlier
    else:
        b.symbols[o.symbol].last_live = o.earlier


@inlined
def close_order(b: Book, order: int, status: int, reason: int) -> None:
    """Close an order. A target order that ends with nothing held forgets its target."""
    o = b.orders[order]
    remove_working(b, order)
    o.status = status
    o.end_reason = reason
    s = b.symbols[o.symbol]
    if s.target_order == order:
        s.target_order = NO_ORDER
        if s.qty == 0.0 and status == CANCELLED:
            s.base = 0.0
            s.acted = 0.0
            b.account[0].dirty = 1
    if o.purpose == EXIT:
        s.exiting = 0


end_order = called(close_order)


@inlined
def append_order(
    b: Book, t: int, n: int, quantity: float, kind: int, purpose: int, reason: int, decision: int
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
    o.decided = t
    o.born = t
    o.parent = NO_ORDER
    o.sibling = NO_ORDER
    o.decision = decision
    o.kind = kind
    o.status = RESTING
    o.reason = reason
    o.end_reason = reason
    o.purpose = purpose
    o.triggered = 0
    o.day = 0
    o.inside = 0
    s = b.symbols[n]
    o.earlier = s.last_live
    o.later = NO_ORDER
    if s.last_live != NO_ORDER:
        b.orders[s.last_live].later = order
    else:
        s.first_live = order
    s.last_live = order
    account.orders += 1
    b.working[account.working] = order
    account.working += 1
    if kind == MARKET:
        account.markets += 1
    return order


@kernel
def new_order(
    b: Book, t: int, n: int, quantity: float, kind: int, purpose: int, reason: int, decision: int
) -> int:
    """`append_order` as a call, for the places that are not on the path of every trade."""
    return append_order(b, t, n, quantity, kind, purpose, reason, decision)


@kernel
def cancel_symbol_orders(b: Book, n: int, keep: int, reason: int) -> None:
    """Cancel every live order of symbol n except `keep`."""
    order = b.symbols[n].first_live
    while order != NO_ORDER:
        later = b.orders[order].later
        if order != keep:
            end_order(b, order, CANCELLED, reason)
        order = later


@kernel
def cancel_legs(b: Book, n: int) -> None:
    """The position is closed or turned round: the bracket legs that protected it go with it."""
    order = b.symbols[n].first_live
    while order != NO_ORDER:
        o = b.orders[order]
        later = o.later
        if o.purpose == LEG_STOP or o.purpose == LEG_TARGET:
            end_order(b, order, CANCELLED, R_EXITED)
        order = later


@inlined
def _affordable(
    m: Market, b: Book, order: int, price: float, slip: float, reduce: float, increase: float
) -> float:
    """`increase` where the account can pay it at `price`, this symbol marked at `price`, costs included; else the largest lot that
    it can.

    The commission of the whole order is the larger of its rates and its minimum, so the quantity must be payable under both.
    """
    account = b.account[0]
    o = b.orders[order]
    s = b.symbols[o.symbol]
    r = b.rules[0]
    equity = account.equity + s.qty * (price - s.mark)
    gross = account.gross - abs(s.qty) * s.mark + (abs(s.qty) - reduce) * price
    free = r.leverage * equity - gross
    rate = r.bps * 1e-4 + slip
    spent = o.charge - o.charged + reduce * (price * rate + r.per_share)
    quantity = (free - spent) / (price * (1.0 + rate) + r.per_share)
    if r.minimum > 0.0:
        quantity = min(
            quantity, (free - r.minimum + o.charged - reduce * price * slip) / (price * (1.0 + slip))
        )
    lot = m.info[o.symbol].lot
    if increase <= quantity + SMALL * lot:
        return increase
    quantity = to_lot(quantity, lot)
    return quantity if quantity > SMALL else 0.0


@inlined
def volume_room(m: Market, b: Book, t: int, n: int) -> float:
    """How many shares may still trade in this bar (infinite without a cap or without volume data)."""
    cap = b.rules[0].volume_cap
    if cap <= 0.0 or t < m.info[n].first_volume:
        return np.inf
    s = b.symbols[n]
    used = s.used if s.used_bar == t else 0.0
    room = to_lot(cap * m.panel[VOLUME, t, n], m.info[n].lot)
    left = to_lot(room - used, m.info[n].lot)
    return left if left > SMALL * room else 0.0


@inlined
def slippage_rate(m: Market, b: Book, t: int, n: int, kind: int, size: float) -> float:
    """Spread, fixed slippage and impact of a fill of `size` as a share of its price; 0 for limits."""
    if not is_aggressive(kind):
        return 0.0
    r = b.rules[0]
    volume = m.panel[VOLUME, t, n]
    share = size / volume if t >= m.info[n].first_volume and volume > 0.0 else 0.0
    return (0.5 * r.spread_bps + r.slippage_bps) * 1e-4 + r.impact * share * share


@inlined
def fill_order(m: Market, b: Book, t: int, order: int, price: float, inside: bool) -> float:
    """Fill what bar t allows of an order at `price`; returns the signed quantity filled.

    `inside` says that the fill happens inside the bar, not at its open. Cuts by volume, seats and buying power as in
    docs/assumptions.md step 1; ends the order when it is done or may not go on.
    """
    o = b.orders[order]
    n = o.symbol
    s = b.symbols[n]
    r = b.rules[0]
    wanted = o.quantity - o.filled
    side = 1.0 if wanted > 0.0 else -1.0
    size = min(abs(wanted), volume_room(m, b, t, n))
    if size <= 0.0:
        return 0.0
    reduce = min(size, abs(s.qty)) if s.qty * side < 0.0 else 0.0
    increase = size - reduce
    slip = slippage_rate(m, b, t, n, o.kind, size)
    stop_reason = -1
    if increase > 0.0:
        if b.account[0].halt != 0:
            increase = 0.0
            stop_reason = R_HALT
        elif s.qty == 0.0 and b.account[0].positions >= r.max_positions:
            increase = 0.0
            stop_reason = R_MAX_POSITIONS
        else:
            most = _affordable(m, b, order, price, slip, reduce, increase)
            if most < increase:
                increase = most
                stop_reason = R_NO_CASH
    size = reduce + increase
    if size > 0.0:
        slip = slippage_rate(m, b, t, n, o.kind, size)
        s.used = size + (s.used if s.used_bar == t else 0.0)
        s.used_bar = t
        _book_fill(b, t, order, side * size, price, size * price * slip, inside)
    if abs(o.quantity - o.filled) <= SMALL:
        _finish(b, order)
    elif stop_reason >= 0:
        end_order(b, order, CANCELLED, stop_reason)
    return side * size


execute = called(fill_order)


@inlined
def _finish(b: Book, order: int) -> None:
    """A completely filled order leaves the live ones and takes its other leg with it."""
    o = b.orders[order]
    close_order(b, order, FILLED, o.reason)
    if o.sibling != NO_ORDER and b.orders[o.sibling].status <= PARTIAL:
        end_order(b, o.sibling, CANCELLED, R_OCO)


@inlined
def _book_fill(
    b: Book, t: int, order: int, quantity: float, price: float, slippage: float, inside: bool
) -> None:
    """Write one fill: commission with the order's minimum, cash, marks, the round trip, the log."""
    account = b.account[0]
    o = b.orders[order]
    s = b.symbols[o.symbol]
    r = b.rules[0]
    size = abs(quantity)
    o.charge += size * price * r.bps * 1e-4 + size * r.per_share
    commission = max(o.charge, r.minimum) - o.charged
    o.charged += commission
    o.filled += quantity
    o.status = PARTIAL
    costs = commission + slippage
    account.cash -= quantity * price + costs
    account.equity += s.qty * (price - s.mark) - costs
    account.gross += abs(s.qty + quantity) * price - abs(s.qty) * s.mark
    account.commission += commission
    account.slippage += slippage
    account.traded += size * price
    s.mark = price
    f = b.fills[account.fills]
    f.quantity = quantity
    f.price = price
    f.commission = commission
    f.slippage = slippage
    f.order = order
    f.symbol = o.symbol
    f.bar = t
    f.reason = o.reason
    account.fills += 1
    shift_position(b, t, o.symbol, quantity, price, costs, inside, o.reason)


@kernel
def after_exit(b: Book, n: int, side: float) -> None:
    """A declared exit closed the position of symbol n: cancel its orders, forget its target, lock its side."""
    cancel_symbol_orders(b, n, NO_ORDER, R_EXITED)
    forget_target(b, n, side)


@kernel
def forget_target(b: Book, n: int, side: float) -> None:
    """Base and acted weight back to zero; the side is locked until the strategy gives a new signal."""
    s = b.symbols[n]
    s.base = 0.0
    s.acted = 0.0
    s.asked = np.nan
    s.lock = 1 if side > 0.0 else -1
    s.target_order = NO_ORDER
    b.account[0].dirty = 1
