"""The position of a symbol and its round trip: average-cost bookkeeping, and the list of the symbols that hold one."""

from __future__ import annotations

import numpy as np

from gpt_trader.engine.jit import inlined, kernel, not_inlined
from gpt_trader.engine.records import AccountState

SMALL = 1e-9  # share of a quantity that is rounding
DUST = 1e-6  # share of equity: where any fraction may be traded, what is worth less is not worth an order
FEW = 64  # open positions up to which their list is kept at every trade


@inlined
def shift_position(
    b: AccountState, n: int, quantity: float, price: float, costs: float, intrabar: bool, reason: int
) -> None:
    """Average-cost bookkeeping of a position: open, add, reduce, close, or reverse (costs shared by quantity)."""
    s = b.symbols[n]
    if s.qty != 0.0 and s.qty * quantity < 0.0:
        closing = min(abs(quantity), abs(s.qty))
        share = costs * closing / abs(quantity)
        s.out_qty += closing
        s.out_cash += closing * price
        s.costs += share
        left = abs(s.qty) - closing
        if left <= SMALL * max(1.0, s.max_qty):
            _close_trade(b, n, reason)
        else:
            s.qty = np.sign(s.qty) * left
        quantity += np.sign(-quantity) * closing
        costs -= share
        if abs(quantity) <= SMALL * max(1.0, closing):
            return
    if s.qty == 0.0:
        s.entry = price
        s.peak = price
        s.atr_stop = np.nan
        s.age = 0
        s.opened = b.account[0].bar
        s.intrabar = 1 if intrabar else 0
        s.steps = 0
        s.step_left = 0.0
        s.armed = 0
        s.max_qty = 0.0
        s.in_qty = 0.0
        s.in_cash = 0.0
        s.out_qty = 0.0
        s.out_cash = 0.0
        s.costs = 0.0
        s.income = 0.0
        s.qty = quantity
        _add_to_list(b, n)
    else:
        s.entry = (s.entry * s.qty + price * quantity) / (s.qty + quantity)
        s.qty += quantity
    s.in_qty += abs(quantity)
    s.in_cash += abs(quantity) * price
    s.costs += costs
    s.max_qty = max(s.max_qty, abs(s.qty))


change_position = not_inlined(shift_position)


@inlined
def _add_to_list(b: AccountState, n: int) -> None:
    """Put symbol n into the list of open positions; a long list is left for `list_positions`."""
    account = b.account[0]
    k = account.positions
    account.positions += 1
    if k >= FEW or account.list_stale != 0:
        account.list_stale = 1
        return
    while k > 0 and b.symbols[k - 1].holding > n:
        b.symbols[k].holding = b.symbols[k - 1].holding
        k -= 1
    b.symbols[k].holding = n


@inlined
def _remove_from_list(b: AccountState, n: int) -> None:
    """Take symbol n out of the list of open positions; a long list is left for `list_positions`."""
    account = b.account[0]
    account.positions -= 1
    if account.positions >= FEW or account.list_stale != 0:
        account.list_stale = 1
        return
    k = 0
    while b.symbols[k].holding != n:
        k += 1
    for i in range(k, account.positions):
        b.symbols[i].holding = b.symbols[i + 1].holding


@kernel
def list_positions(b: AccountState) -> None:
    """Make the list of open positions anew, in one pass however many were opened and closed."""
    k = 0
    for n in range(b.symbols.shape[0]):
        b.symbols[k].holding = n
        k += int(b.symbols[n].qty != 0.0)
        if k == b.account[0].positions:
            break
    b.account[0].list_stale = 0


@inlined
def _close_trade(b: AccountState, n: int, reason: int) -> None:
    """Log the finished round trip of symbol n and set its position to flat."""
    account = b.account[0]
    s = b.symbols[n]
    side = 1.0 if s.qty > 0.0 else -1.0
    row = b.trades[account.trades]
    row.symbol = n
    row.quantity = side * s.max_qty
    row.entry_bar = s.opened
    row.exit_bar = account.bar
    row.bars = account.bar - s.opened
    row.entry_price = s.in_cash / s.in_qty
    row.exit_price = s.out_cash / s.out_qty
    row.gross_pnl = side * (s.out_cash - s.in_cash)
    row.costs = s.costs
    row.income = s.income
    row.pnl = row.gross_pnl - s.costs + s.income
    row.return_ = row.pnl / s.in_cash
    row.reason = reason
    account.trades += 1
    _remove_from_list(b, n)
    s.qty = 0.0
    s.entry = np.nan
    s.peak = np.nan
    s.atr_stop = np.nan
    s.age = 0
    s.intrabar = 0
    s.last_exit = account.bar
    account.needs_allocation = 1
