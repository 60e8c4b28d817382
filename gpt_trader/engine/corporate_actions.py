"""Step 0 of a bar: delistings, splits, dividends and the borrow fee."""

from __future__ import annotations

from gpt_trader.bars import DIVIDEND, SPLIT
from gpt_trader.engine.account_clock import DAY_NS
from gpt_trader.engine.accounting import apply_fill_call, charge_borrow, pay, settle_fraction
from gpt_trader.engine.fill_effects import cancel_legs
from gpt_trader.engine.jit import inlined, kernel
from gpt_trader.engine.order_book import NO_ORDER, cancel_symbol_orders, end_order, new_order, to_lot
from gpt_trader.engine.records import (
    CANCELLED,
    EVENT,
    EXIT,
    MARKET,
    R_DELISTED,
    R_SPLIT,
    AccountState,
    MarketData,
)
from gpt_trader.engine.trading_halts import release_halts


@inlined
def corporate_actions(m: MarketData, b: AccountState, t: int) -> None:
    """Everything that happens to holdings before bar t opens, in the order borrow, delisting, split, dividend."""
    r = b.rules[0]
    account = b.account[0]
    if account.halt != 0:
        release_halts(b)
    if account.shorts == 0 and m.flags[t] & EVENT == 0:
        return
    for n in range(b.symbols.shape[0]):
        s = b.symbols[n]
        if s.qty < 0.0 and r.borrow > 0.0 and account.bar > account.first:
            fee = -s.qty * s.mark * r.borrow * (account.time - account.previous) / DAY_NS / 365.0
            charge_borrow(b, n, fee)
        if m.flags[t] & EVENT == 0:
            continue
        if account.bar == m.info[n].last_session + 1:
            _delist(b, n)
        ratio = m.panel[SPLIT, t, n]
        if ratio != 1.0:
            _split(m, b, n, ratio)
        dividend = m.panel[DIVIDEND, t, n]
        if dividend != 0.0 and s.qty != 0.0:
            pay(b, n, s.qty * dividend)


@kernel
def _split(m: MarketData, b: AccountState, n: int, ratio: float) -> None:
    """Restate position and orders; the part of a share that is no lot is paid in cash at the restated mark.

    Where no lot is left the position is closed at that mark: the cash in lieu is what its exit brings.
    """
    s = b.symbols[n]
    s.mark /= ratio
    s.entry /= ratio
    s.peak /= ratio
    s.atr_stop /= ratio
    if s.qty != 0.0:
        exact = s.qty * ratio
        whole = to_lot(exact, m.info[n].lot)
        s.max_qty *= ratio
        left = to_lot(s.step_left * ratio, m.info[n].lot)
        if s.step_left > 0.0 and left == 0.0:
            s.steps += 1
        s.step_left = left
        s.in_qty *= ratio
        s.out_qty *= ratio
        settle_fraction(b, n, exact, whole, R_SPLIT)
        if whole == 0.0:
            cancel_legs(b, n)
    order = s.first_live
    while order != NO_ORDER:
        o = b.orders[order]
        later = o.later
        rest = to_lot((o.quantity - o.filled) * ratio, m.info[n].lot)
        o.filled *= ratio
        o.quantity = o.filled + rest
        o.limit /= ratio
        o.stop /= ratio
        o.trail_ref /= ratio
        o.take_profit /= ratio
        o.stop_loss /= ratio
        if rest == 0.0:
            end_order(b, order, CANCELLED, R_SPLIT)
        order = later


@kernel
def _delist(b: AccountState, n: int) -> None:
    """Close the position at its mark without costs and cancel the orders of a symbol that left the market."""
    s = b.symbols[n]
    cancel_symbol_orders(b, n, NO_ORDER, R_DELISTED)
    s.target_order = NO_ORDER
    b.account[0].needs_allocation = 1
    if s.qty == 0.0:
        return
    order = new_order(b, n, -s.qty, MARKET, EXIT, R_DELISTED, NO_ORDER)
    apply_fill_call(b, order, -s.qty, s.mark, 0.0, 0.0, False)
