"""How much of an order a bar can fill, and what that costs: volume, buying power, position slots, fees and slippage."""

from __future__ import annotations

import numpy as np

from gpt_trader.bars import VOLUME
from gpt_trader.engine.accounting import apply_fill
from gpt_trader.engine.jit import inlined, kernel, not_inlined
from gpt_trader.engine.order_book import end_order, to_lot
from gpt_trader.engine.positions import DUST, SMALL
from gpt_trader.engine.records import (
    CANCELLED,
    LIMIT,
    R_HALT,
    R_MAX_POSITIONS,
    R_NO_CASH,
    STOP_LIMIT,
    UNKNOWN,
    AccountState,
    MarketData,
)


@inlined
def is_aggressive(kind: int) -> bool:
    """Market and stop fills pay spread and slippage; limits do not."""
    return kind != LIMIT and kind != STOP_LIMIT


@inlined
def _affordable(
    m: MarketData, b: AccountState, order: int, price: float, slip: float, reduce: float, increase: float
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
    if lot == 0.0 and quantity * price <= DUST * equity:
        return 0.0
    return quantity if quantity > SMALL else 0.0


@inlined
def volume_room(m: MarketData, b: AccountState, t: int, n: int) -> float:
    """How many shares may still trade in this bar (infinite without a cap or without volume data)."""
    cap = b.rules[0].volume_cap
    if cap <= 0.0 or b.account[0].bar < m.info[n].first_volume:
        return np.inf
    s = b.symbols[n]
    used = s.used if s.used_bar == b.account[0].bar else 0.0
    room = to_lot(cap * m.panel[VOLUME, t, n], m.info[n].lot)
    left = to_lot(room - used, m.info[n].lot)
    return left if left > SMALL * room else 0.0


@inlined
def slippage_rate(m: MarketData, b: AccountState, t: int, n: int, kind: int, size: float) -> float:
    """Spread, fixed slippage and impact of a fill of `size` as a share of its price; 0 for limits."""
    if not is_aggressive(kind):
        return 0.0
    r = b.rules[0]
    volume = m.panel[VOLUME, t, n]
    share = size / volume if b.account[0].bar >= m.info[n].first_volume and volume > 0.0 else 0.0
    return (0.5 * r.spread_bps + r.slippage_bps) * 1e-4 + r.impact * share * share


@inlined
def fee_of(b: AccountState, order: int, size: float, price: float) -> float:
    """What the venue charges for `size` more of an order at `price`: its rates, or what is missing up to its minimum."""
    o = b.orders[order]
    r = b.rules[0]
    o.charge += size * price * r.bps * 1e-4 + size * r.per_share
    fee = max(o.charge, r.minimum) - o.charged
    o.charged += fee
    return fee


@inlined
def fill_upto(
    m: MarketData,
    b: AccountState,
    t: int,
    order: int,
    price: float,
    intrabar: bool,
    room: float,
    others: float,
) -> float:
    """`fill_order` where the volume leaves `room` for it, while orders of other strategies fill `others` at the same price."""
    o = b.orders[order]
    n = o.symbol
    s = b.symbols[n]
    r = b.rules[0]
    wanted = o.quantity - o.filled
    side = 1.0 if wanted > 0.0 else -1.0
    size = min(abs(wanted), room)
    if size <= 0.0:
        return 0.0
    reduce = min(size, abs(s.qty)) if s.qty * side < 0.0 else 0.0
    increase = size - reduce
    slip = slippage_rate(m, b, t, n, o.kind, size + others)
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
        slip = slippage_rate(m, b, t, n, o.kind, size + others)
        s.used = size + (s.used if s.used_bar == b.account[0].bar else 0.0)
        s.used_bar = b.account[0].bar
        fee = fee_of(b, order, size, price)
        apply_fill(b, order, side * size, price, fee, size * price * slip, intrabar)
    if stop_reason >= 0 and o.status <= UNKNOWN:
        end_order(b, order, CANCELLED, stop_reason)
    return side * size


@inlined
def fill_order(m: MarketData, b: AccountState, t: int, order: int, price: float, intrabar: bool) -> float:
    """Fill what bar t allows of an order at `price`; returns the signed quantity filled.

    `intrabar` says that the fill happens inside the bar, not at its open. Cuts by volume, slots and buying power as in
    docs/assumptions.md step 1; ends the order when it is done or may not go on.
    """
    return fill_upto(m, b, t, order, price, intrabar, volume_room(m, b, t, b.orders[order].symbol), 0.0)


fill_order_call = not_inlined(fill_order)


@kernel
def payable_size(m: MarketData, b: AccountState, order: int, price: float) -> float:
    """How many shares of an order halts, position slots and buying power allow at `price` as the account stands."""
    o = b.orders[order]
    s = b.symbols[o.symbol]
    wanted = o.quantity - o.filled
    size = abs(wanted)
    reduce = min(size, abs(s.qty)) if s.qty * wanted < 0.0 else 0.0
    increase = size - reduce
    if increase > 0.0 and (
        b.account[0].halt != 0 or (s.qty == 0.0 and b.account[0].positions >= b.rules[0].max_positions)
    ):
        return reduce
    return reduce + (_affordable(m, b, order, price, 0.0, reduce, increase) if increase > 0.0 else 0.0)
