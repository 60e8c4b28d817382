"""Resets the arrays of an account to its first bar, so that one allocation serves many runs."""

from __future__ import annotations

import numpy as np

from gpt_trader.engine.jit import kernel
from gpt_trader.engine.records import NO_TIME, AccountState


@kernel
def clear_book(b: AccountState, capital: float) -> None:
    """Back to the account's first bar: all cash, no positions, empty logs."""
    account = b.account[0]
    account.cash = capital
    account.equity = capital
    account.gross = 0.0
    account.capital = capital
    account.peak_equity = capital
    account.day_base = 0.0
    account.week_base = 0.0
    account.month_base = 0.0
    account.commission = 0.0
    account.slippage = 0.0
    account.borrow = 0.0
    account.traded = 0.0
    account.last_equity = capital
    account.halt = 0
    account.positions = 0
    account.open_orders = 0
    account.market_orders = 0
    account.orders = 0
    account.fills = 0
    account.trades = 0
    account.decisions = 0
    account.needs_allocation = 1
    account.shorts = 0
    account.list_stale = 0
    account.bar = account.first - 1
    account.time = NO_TIME
    account.previous = NO_TIME
    account.external_venue = 0
    account.reports_events = 0
    account.order_ids = 0
    account.decision_ids = 0
    account.entries_off = 0
    account.in_flight = 0.0
    for n in range(b.symbols.shape[0]):
        s = b.symbols[n]
        s.qty = 0.0
        s.entry = np.nan
        s.mark = 0.0
        s.peak = np.nan
        s.atr_stop = np.nan
        s.wanted = 0.0
        s.ordered = 0.0
        s.previous_target = np.nan
        s.requested = np.nan
        s.used = 0.0
        s.max_qty = 0.0
        s.in_qty = 0.0
        s.in_cash = 0.0
        s.out_qty = 0.0
        s.out_cash = 0.0
        s.costs = 0.0
        s.income = 0.0
        s.age = 0
        s.opened = -1
        s.intrabar = 0
        s.used_bar = -1
        s.reentry_lock = 0
        s.signal_bars = 0
        s.last_exit = -1
        s.steps = 0
        s.step_left = 0.0
        s.armed = 0
        s.exiting = 0
        s.target_order = -1
        s.change = 0
        s.bar_target = 0.0
        s.accepted = 0.0
        s.shortfall = 0
        s.signal_bar = 0
        s.last_row = -1
        s.first_live = -1
        s.last_live = -1
        s.holding = 0
        s.acting = 0
