"""Step 0 of a bar: delistings, splits, dividends and the borrow fee."""

from __future__ import annotations

from gpt_trader.bars import DIVIDEND, SPLIT
from gpt_trader.engine.jit import inlined, kernel
from gpt_trader.engine.ledger import (
    NO_ORDER,
    cancel_legs,
    cancel_symbol_orders,
    end_order,
    new_order,
    remove_working,
    to_lot,
)
from gpt_trader.engine.marking import release_halts
from gpt_trader.engine.periods import DAY_NS
from gpt_trader.engine.positions import change_position
from gpt_trader.engine.records import (
    CANCELLED,
    EVENT,
    EXIT,
    FILLED,
    MARKET,
    R_DELISTED,
    R_SPLIT,
    Book,
    Market,
)


@inlined
def corporate_actions(m: Market, b: Book, t: int) -> None:
    """Everything that happens to holdings before bar t opens, in the order borrow, delisting, split, dividend."""
    r = b.rules[0]
    if b.account[0].halt != 0:
        release_halts(m, b, t)
    if b.account[0].shorts == 0 and m.flags[t] & EVENT == 0:
        return
    for n in range(b.symbols.shape[0]):
        s = b.symbols[n]
        if s.qty < 0.0 and r.borrow > 0.0 and t > 0:
            fee = -s.qty * s.mark * r.borrow * (m.time[t] - m.time[t - 1]) / DAY_NS / 365.0
            account = b.account[0]
            account.cash -= fee
            account.equity -= fee
            account.borrow += fee
            s.costs += fee
        if m.flags[t] & EVENT == 0:
            continue
        if t == m.info[n].last_session + 1:
            _delist(b, t, n)
        ratio = m.panel[SPLIT, t, n]
        if ratio != 1.0:
            _split(m, b, t, n, ratio)
        dividend = m.panel[DIVIDEND, t, n]
        if dividend != 0.0 and s.qty != 0.0:
            _pay(b, n, s.qty * dividend)


@kernel
def _pay(b: Book, n: int, cash: float) -> None:
    """Cash that a position earns (or costs, negative) and its round trip remembers as income."""
    account = b.account[0]
    account.cash += cash
    account.equity += cash
    b.symbols[n].income += cash


@kernel
def _split(m: Market, b: Book, t: int, n: int, ratio: float) -> None:
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
        account = b.account[0]
        account.gross -= abs(exact - whole) * s.mark
        s.max_qty *= ratio
        left = to_lot(s.step_left * ratio, m.info[n].lot)
        if s.step_left > 0.0 and left == 0.0:
            s.steps += 1
        s.step_left = left
        s.in_qty *= ratio
        s.out_qty *= ratio
        if whole == 0.0:
            account.cash += exact * s.mark
            s.qty = exact
            change_position(b, t, n, -exact, s.mark, 0.0, False, R_SPLIT)
            cancel_legs(b, n)
        else:
            account.equity -= (exact - whole) * s.mark
            _pay(b, n, (exact - whole) * s.mark)
            s.qty = whole
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
def _delist(b: Book, t: int, n: int) -> None:
    """Close the position at its mark without costs and cancel the orders of a symbol that left the market."""
    s = b.symbols[n]
    cancel_symbol_orders(b, n, NO_ORDER, R_DELISTED)
    s.target_order = NO_ORDER
    b.account[0].dirty = 1
    if s.qty == 0.0:
        return
    account = b.account[0]
    order = new_order(b, t, n, -s.qty, MARKET, EXIT, R_DELISTED, NO_ORDER)
    remove_working(b, order)
    o = b.orders[order]
    o.filled = o.quantity
    o.status = FILLED
    f = b.fills[account.fills]
    f.quantity = -s.qty
    f.price = s.mark
    f.commission = 0.0
    f.slippage = 0.0
    f.order = order
    f.symbol = n
    f.bar = t
    f.reason = R_DELISTED
    account.fills += 1
    account.cash += s.qty * s.mark
    account.gross -= abs(s.qty) * s.mark
    account.traded += abs(s.qty) * s.mark
    change_position(b, t, n, -s.qty, s.mark, 0.0, False, R_DELISTED)
