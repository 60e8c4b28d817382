"""Steps 2 and 3 of a bar: marks, peaks and ages at the close, and the monitors that stop trading after losses."""

from __future__ import annotations

import numpy as np

from gpt_trader.bars import CLOSE
from gpt_trader.engine.account_clock import same_day, same_month, same_week
from gpt_trader.engine.exit_levels import arm_stops, tighten_atr_stop
from gpt_trader.engine.fill_effects import forget_target
from gpt_trader.engine.jit import inlined, kernel
from gpt_trader.engine.order_book import NO_ORDER, cancel_order, cancel_symbol_orders, new_order, note
from gpt_trader.engine.positions import list_positions
from gpt_trader.engine.records import (
    ATR_STOP,
    C_REDUCE,
    CANCELLED,
    CASH,
    EQUITY,
    EXIT,
    GROSS,
    HALT_DAY,
    HALT_LOCKED,
    HALT_MONTH,
    HALT_OPERATOR,
    HALT_RUINED,
    HALT_WEEK,
    LEG_STOP,
    LEG_TARGET,
    MARKET,
    NET,
    R_EXITED,
    R_FLATTEN,
    R_HALT,
    R_TIME_STOP,
    TARGET,
    UNKNOWN,
    AccountState,
    MarketData,
)


@inlined
def mark_to_market(m: MarketData, b: AccountState, t: int) -> None:
    """Close prices become marks; open positions age, move their peaks and stops; bar t of the account curves is written."""
    account = b.account[0]
    r = b.rules[0]
    if account.unlisted != 0:
        list_positions(b)
    gross = 0.0
    net = 0.0
    shorts = 0
    exits_on, atr_stop, time_stop = r.exits_on > 0.0, r.stop_atr_k > 0.0, r.time_stop > 0.0
    for k in range(account.positions):
        n = b.symbols[k].holding
        s = b.symbols[n]
        close = m.panel[CLOSE, t, n]
        if not np.isnan(close):
            s.mark = close
            s.age += int(s.opened < account.bar)
            s.peak = max(s.peak, close) if s.qty > 0.0 else min(s.peak, close)
            if exits_on:
                arm_stops(b, n)
            if atr_stop:
                tighten_atr_stop(b, n, close, m.signals[ATR_STOP, t, n])
            if time_stop and s.age >= r.time_stop and s.exiting == 0:
                _close_at_next_open(b, n, R_TIME_STOP)
        value = s.qty * s.mark
        net += value
        gross += abs(value)
        shorts += int(s.qty < 0.0)
    account.shorts = shorts
    account.gross = gross
    account.equity = account.cash + net
    b.account_curves[EQUITY, t] = account.equity
    b.account_curves[CASH, t] = account.cash
    b.account_curves[GROSS, t] = gross
    b.account_curves[NET, t] = net


@kernel
def _close_at_next_open(b: AccountState, n: int, reason: int) -> None:
    """A market order that closes the position; every other order of the symbol is cancelled and its side locked."""
    s = b.symbols[n]
    order = new_order(b, n, -s.qty, MARKET, EXIT, reason, NO_ORDER)
    cancel_symbol_orders(b, n, order, R_EXITED)
    forget_target(b, n, s.qty)
    s.exiting = 1


@kernel
def release_halts(b: AccountState) -> None:
    """A halt for the day, week or month is over before the first bar of the next one opens."""
    account = b.account[0]
    if not same_day(b):
        account.halt &= ~HALT_DAY
    if not same_week(b):
        account.halt &= ~HALT_WEEK
    if not same_month(b):
        account.halt &= ~HALT_MONTH


@inlined
def monitor(b: AccountState) -> None:
    """Ruin always ends trading; with risk limits, losses and drawdown stop entries as docs/assumptions.md says."""
    account = b.account[0]
    if account.equity <= 0.0 and (account.halt & HALT_RUINED) == 0:
        account.halt |= HALT_LOCKED | HALT_RUINED
        flatten(b)
    r = b.rules[0]
    if r.risk_on <= 0.0:
        return
    release_halts(b)
    if not same_day(b):
        account.day_base = account.last_equity
    if not same_week(b):
        account.week_base = account.last_equity
    if not same_month(b):
        account.month_base = account.last_equity
    account.last_equity = account.equity
    account.peak_equity = max(account.peak_equity, account.equity)
    before = account.halt
    if account.equity <= account.day_base * (1.0 - r.daily_loss):
        account.halt |= HALT_DAY
    if account.equity <= account.week_base * (1.0 - r.weekly_loss):
        account.halt |= HALT_WEEK
    if account.equity <= account.month_base * (1.0 - r.monthly_loss):
        account.halt |= HALT_MONTH
    if account.equity <= account.peak_equity * (1.0 - r.drawdown):
        account.halt |= HALT_LOCKED
    if (account.halt & ~before) != 0:
        account.needs_allocation = 1
        if (account.halt & ~before & HALT_LOCKED) != 0 and r.flatten > 0.0:
            flatten(b)
        else:
            cancel_opening(b)


NO_ENTRIES, REDUCE_ONLY, FLATTEN, RESUME = range(4)


@kernel
def take_operator(b: AccountState, action: int) -> None:
    """What a person orders: no new positions, reductions only, close everything and lock, or trade again.

    To trade again also takes a lock after a drawdown back: losses and drawdown are measured from here on.
    """
    account = b.account[0]
    account.needs_allocation = 1
    if action == NO_ENTRIES:
        account.entries_off = 1
    elif action == REDUCE_ONLY:
        account.halt |= HALT_OPERATOR
        cancel_opening(b)
    elif action == FLATTEN:
        account.halt |= HALT_OPERATOR | HALT_LOCKED
        flatten(b)
    elif account.halt & HALT_RUINED == 0:
        account.halt = 0
        account.entries_off = 0
        account.peak_equity = account.equity
        account.day_base = account.equity
        account.week_base = account.equity
        account.month_base = account.equity


@kernel
def cancel_opening(b: AccountState) -> None:
    """Cancel every live order that would open or increase a position; one that would reverse it may still close it."""
    account = b.account[0]
    k = 0
    while k < account.open_orders:
        order = b.open_orders[k]
        o = b.orders[order]
        s = b.symbols[o.symbol]
        left = o.quantity - o.filled
        k += 1
        if o.purpose == EXIT or o.purpose == LEG_STOP or o.purpose == LEG_TARGET:
            continue
        if s.qty * left < 0.0:
            if abs(left) > abs(s.qty):
                o.quantity = o.filled - s.qty
                if account.apart != 0:
                    note(b, C_REDUCE, order, R_HALT)
                if o.purpose == TARGET:
                    s.wanted = 0.0
                    s.ordered = 0.0
                    s.requested = np.nan
            continue
        if o.purpose == TARGET and s.qty != 0.0:
            s.cut = 1
        cancel_order(b, order, CANCELLED, R_HALT)
        k -= int(o.status > UNKNOWN)


@kernel
def flatten(b: AccountState) -> None:
    """Cancel everything and close every position at the next open; an exit that is on its way goes on."""
    cancel_opening(b)
    for n in range(b.symbols.shape[0]):
        s = b.symbols[n]
        if s.qty != 0.0 and s.exiting == 0:
            _close_at_next_open(b, n, R_FLATTEN)
        elif s.qty == 0.0:
            cancel_symbol_orders(b, n, NO_ORDER, R_HALT)
            s.wanted = 0.0
            s.ordered = 0.0
            s.target_order = NO_ORDER
