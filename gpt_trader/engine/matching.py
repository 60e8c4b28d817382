"""The simulated venue, step 1 of a bar: which orders and declared exits fill against it, at what price, in what order."""

from __future__ import annotations

import numpy as np

from gpt_trader.bars import CLOSE, HIGH, LOW, OPEN
from gpt_trader.engine.exit_levels import protective_stop, scale_step
from gpt_trader.engine.fill_effects import clear_target
from gpt_trader.engine.fill_size_and_costs import fill_order, fill_order_call, volume_room
from gpt_trader.engine.jit import inlined, kernel
from gpt_trader.engine.order_book import (
    NO_ORDER,
    cancel_symbol_orders,
    end_order,
    is_leg,
    live_after,
    live_from,
    new_order,
    report_change,
    to_lot,
)
from gpt_trader.engine.positions import SMALL
from gpt_trader.engine.records import (
    CANCELLED,
    EXIT,
    EXPIRED,
    LEG_STOP,
    LEG_TARGET,
    LIMIT,
    MARKET,
    R_DAY,
    R_EXITED,
    R_SCALE_OUT,
    R_TAKE_PROFIT,
    R_VOLUME,
    STOP,
    STOP_LIMIT,
    TRAILING,
    UNKNOWN,
    AccountState,
    MarketData,
)


@inlined
def match_open(m: MarketData, b: AccountState, t: int) -> None:
    """Phase A: market orders at the open, reductions first, each group in order of id."""
    for k in range(b.account[0].open_orders):
        o = b.orders[b.open_orders[k]]
        if o.kind == MARKET or o.triggered:
            o.intrabar = 1 if b.symbols[o.symbol].qty * (o.quantity - o.filled) < 0.0 else 0
    for reducing in (1, 0):
        k = 0
        while k < b.account[0].open_orders and b.account[0].market_orders > 0:
            order = b.open_orders[k]
            o = b.orders[order]
            before = b.account[0].open_orders
            due = (
                (o.kind == MARKET or o.triggered)
                and o.created_bar < b.account[0].bar
                and o.intrabar == reducing
            )
            if due and not np.isnan(m.panel[OPEN, t, o.symbol]):
                _fill_market(m, b, t, order)
            same = b.account[0].open_orders == before and b.open_orders[k] == order
            k = k + 1 if same else live_from(b, order + 1)


@inlined
def _fill_market(m: MarketData, b: AccountState, t: int, order: int) -> None:
    if ready_at_open(b, order):
        fill_order(m, b, t, order, m.panel[OPEN, t, b.orders[order].symbol], False)


@inlined
def ready_at_open(b: AccountState, order: int) -> bool:
    """An exit trades what is held, a leg no more than that; where nothing is held they end, and False comes back."""
    o = b.orders[order]
    if o.purpose == EXIT:
        held = b.symbols[o.symbol].qty
        if held == 0.0:
            end_order(b, order, CANCELLED, R_EXITED)
            return False
        if o.quantity != o.filled - held:
            o.quantity = o.filled - held
            report_change(b, order)
    return clip_leg(b, order)


@inlined
def match_intrabar(m: MarketData, b: AccountState, t: int) -> None:
    """Phase B: stops, limits and targets inside the bar, symbol by symbol; then day orders expire."""
    account = b.account[0]
    exits_on = b.rules[0].exits_on > 0.0
    resting = account.open_orders - account.market_orders
    for n in range(b.symbols.shape[0]):
        if np.isnan(m.panel[OPEN, t, n]):
            continue
        s = b.symbols[n]
        if resting > 0 and s.first_live != NO_ORDER:
            if exits_on and s.qty != 0.0 and s.exiting == 0:
                _protect(m, b, t, n, False)
            _resting_stops(m, b, t, n, False)
            _resting_limits(m, b, t, n)
            _resting_stops(m, b, t, n, True)
            if exits_on and s.qty != 0.0 and s.exiting == 0 and s.opened == account.bar and s.intrabar == 1:
                _protect(m, b, t, n, True)
        elif exits_on and s.qty != 0.0 and s.exiting == 0:
            _protect(m, b, t, n, False)
        if exits_on and s.qty != 0.0 and s.exiting == 0 and not (s.opened == account.bar and s.intrabar == 1):
            _targets(m, b, t, n)
    if account.open_orders > 0:
        _expire_day_orders(b)


@kernel
def _protect(m: MarketData, b: AccountState, t: int, n: int, intrabar: bool) -> None:
    """The declared protective stop: at the open when the bar gapped through it, else at its level."""
    s = b.symbols[n]
    level, reason = protective_stop(b, n)
    long = s.qty > 0.0
    if np.isnan(level) or (long and m.panel[LOW, t, n] > level) or (not long and m.panel[HIGH, t, n] < level):
        return
    if intrabar:
        price = min(level, s.entry) if long else max(level, s.entry)
    else:
        price = min(m.panel[OPEN, t, n], level) if long else max(m.panel[OPEN, t, n], level)
    _fire(m, b, t, n, -s.qty, STOP, price, reason)


@kernel
def _fire(
    m: MarketData, b: AccountState, t: int, n: int, quantity: float, kind: int, price: float, reason: int
) -> None:
    """A declared exit becomes an order and fills now; what the volume leaves of a stop goes on as a market order."""
    s = b.symbols[n]
    order = new_order(b, n, quantity, kind, EXIT, reason, NO_ORDER)
    o = b.orders[order]
    if kind == STOP:
        o.stop = price
        o.triggered = 1
        b.account[0].market_orders += 1
        cancel_symbol_orders(b, n, order, R_EXITED)
        clear_target(b, n, s.qty)
        s.exiting = 1
    else:
        o.limit = price
    fill_order_call(m, b, t, order, price, True)
    if s.qty != 0.0 and kind != STOP and o.status <= UNKNOWN:
        end_order(b, order, CANCELLED, R_VOLUME)


@kernel
def _targets(m: MarketData, b: AccountState, t: int, n: int) -> None:
    """Scale-out steps and take profit, nearest first, as limits: at the open when it is already beyond."""
    r = b.rules[0]
    s = b.symbols[n]
    while s.qty != 0.0:
        side = 1.0 if s.qty > 0.0 else -1.0
        gain, share, reason = np.inf, 1.0, R_TAKE_PROFIT
        if r.take_profit > 0.0:
            gain = r.take_profit
        if s.steps < r.scale_steps:
            step_gain, step_share = scale_step(b, s.steps)
            if step_gain < gain:
                gain, share, reason = step_gain, step_share, R_SCALE_OUT
        level = s.entry * (1.0 + side * gain)
        if (
            gain == np.inf
            or (side > 0.0 and m.panel[HIGH, t, n] < level)
            or (side < 0.0 and m.panel[LOW, t, n] > level)
        ):
            return
        price = max(m.panel[OPEN, t, n], level) if side > 0.0 else min(m.panel[OPEN, t, n], level)
        quantity = abs(s.qty)
        if reason == R_SCALE_OUT:
            if s.step_left == 0.0:
                s.step_left = to_lot(share * s.max_qty, m.info[n].lot)
            quantity = min(quantity, s.step_left)
        before = s.qty
        if quantity > 0.0:
            if volume_room(m, b, t, n) <= 0.0:
                return
            _fire(m, b, t, n, -side * quantity, LIMIT, price, reason)
        if reason == R_SCALE_OUT and s.qty != 0.0:
            s.step_left -= abs(before) - abs(s.qty)
            if s.step_left > SMALL * s.max_qty:
                return
            s.step_left = 0.0
            s.steps += 1
        elif s.qty == before:
            return


@kernel
def _resting_stops(m: MarketData, b: AccountState, t: int, n: int, entered_intrabar: bool) -> None:
    """Stop, stop-limit and trailing orders of symbol n: older ones, or with `entered_intrabar` the legs of fills in this bar."""
    bar = b.account[0].bar
    order = b.symbols[n].first_live
    while order != NO_ORDER:
        o = b.orders[order]
        waits = o.kind >= STOP and o.triggered == 0
        if (
            waits
            and (o.created_bar == bar and o.intrabar == 1) == entered_intrabar
            and (o.created_bar < bar or o.purpose == LEG_STOP)
        ):
            _try_stop(m, b, t, order, entered_intrabar)
        order = live_after(b, n, order)


@inlined
def _try_stop(m: MarketData, b: AccountState, t: int, order: int, entered_intrabar: bool) -> None:
    o = b.orders[order]
    n = o.symbol
    buy = o.quantity > 0.0
    if (buy and m.panel[HIGH, t, n] < o.stop) or (not buy and m.panel[LOW, t, n] > o.stop):
        return
    opened = m.panel[OPEN, t, n]
    if o.kind == STOP_LIMIT:
        o.kind = LIMIT
        report_change(b, order)
        gapped = opened >= o.stop if buy else opened <= o.stop
        beyond = opened > o.limit if buy else opened < o.limit
        if gapped and not beyond:
            _fill_resting(m, b, t, order, opened, True)
        elif buy and m.panel[LOW, t, n] <= o.limit:
            _fill_resting(m, b, t, order, min(o.limit, m.panel[HIGH, t, n]), True)
        elif not buy and m.panel[HIGH, t, n] >= o.limit:
            _fill_resting(m, b, t, order, max(o.limit, m.panel[LOW, t, n]), True)
        return
    if entered_intrabar:
        price = max(o.stop, o.trail_ref) if buy else min(o.stop, o.trail_ref)
    else:
        price = max(opened, o.stop) if buy else min(opened, o.stop)
    o.triggered = 1
    report_change(b, order)
    b.account[0].market_orders += 1
    _fill_resting(m, b, t, order, price, True)


@kernel
def _resting_limits(m: MarketData, b: AccountState, t: int, n: int) -> None:
    """Limit orders of symbol n by id; target legs wait for the bar after an entry inside a bar."""
    order = b.symbols[n].first_live
    while order != NO_ORDER:
        o = b.orders[order]
        if o.kind == LIMIT and (
            o.created_bar < b.account[0].bar or (o.purpose == LEG_TARGET and o.intrabar == 0)
        ):
            opened = m.panel[OPEN, t, n]
            if o.quantity > 0.0 and m.panel[LOW, t, n] <= o.limit:
                _fill_resting(m, b, t, order, min(opened, o.limit), True)
            elif o.quantity < 0.0 and m.panel[HIGH, t, n] >= o.limit:
                _fill_resting(m, b, t, order, max(opened, o.limit), True)
        order = live_after(b, n, order)


@inlined
def clip_leg(b: AccountState, order: int) -> bool:
    """A leg never trades more than the position it protects; without one it is cancelled and False comes back."""
    return _clip_leg(b, order) if is_leg(b.orders[order].purpose) else True


@kernel
def _clip_leg(b: AccountState, order: int) -> bool:
    o = b.orders[order]
    s = b.symbols[o.symbol]
    if s.qty * o.quantity >= 0.0:
        end_order(b, order, CANCELLED, R_EXITED)
        return False
    if abs(o.quantity - o.filled) > abs(s.qty):
        o.quantity = o.filled - s.qty
        report_change(b, order)
    return True


@kernel
def _fill_resting(m: MarketData, b: AccountState, t: int, order: int, price: float, intrabar: bool) -> None:
    """Fill a resting order; a leg never trades more than the position it protects, nor beside its sibling."""
    if clip_leg(b, order):
        fill_order(m, b, t, order, price, intrabar)


@inlined
def _expire_day_orders(b: AccountState) -> None:
    k = 0
    while k < b.account[0].open_orders:
        order = b.open_orders[k]
        o = b.orders[order]
        if o.day == 1 and o.decided_bar < b.account[0].bar and o.kind != MARKET:
            end_order(b, order, EXPIRED, R_DAY)
        else:
            k += 1


@inlined
def trail_orders(m: MarketData, b: AccountState, t: int) -> None:
    """After the close: trailing stop orders follow the best close since they were placed, never back."""
    for k in range(b.account[0].open_orders):
        o = b.orders[b.open_orders[k]]
        if o.kind == TRAILING and o.triggered == 0:
            close = m.panel[CLOSE, t, o.symbol]
            if not np.isnan(close):
                o.trail_ref = min(o.trail_ref, close) if o.quantity > 0.0 else max(o.trail_ref, close)
                o.stop = o.trail_ref * (1.0 + o.trail) if o.quantity > 0.0 else o.trail_ref * (1.0 - o.trail)
                if b.account[0].reports_events != 0:
                    report_change(b, b.open_orders[k])
