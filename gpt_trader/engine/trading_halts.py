"""Step 3 of a bar: what stops or restricts trading: losses of a day, week or month, drawdown, ruin, and a person's commands."""

from __future__ import annotations

import numpy as np

from gpt_trader.engine.account_clock import same_day, same_month, same_week
from gpt_trader.engine.fill_effects import clear_target
from gpt_trader.engine.jit import inlined, kernel
from gpt_trader.engine.order_book import (
    NO_ORDER,
    cancel_order,
    cancel_symbol_orders,
    log_order_event,
    new_order,
)
from gpt_trader.engine.records import (
    C_REDUCE,
    CANCELLED,
    EXIT,
    HALT_DAY,
    HALT_LOCKED,
    HALT_MONTH,
    HALT_OPERATOR,
    HALT_RUINED,
    HALT_WEEK,
    LEG_STOP,
    LEG_TARGET,
    MARKET,
    R_EXITED,
    R_FLATTEN,
    R_HALT,
    TARGET,
    UNKNOWN,
    AccountState,
)


@kernel
def close_at_next_open(b: AccountState, n: int, reason: int) -> None:
    """A market order that closes the position; every other order of the symbol is cancelled and its side locked."""
    s = b.symbols[n]
    order = new_order(b, n, -s.qty, MARKET, EXIT, reason, NO_ORDER)
    cancel_symbol_orders(b, n, order, R_EXITED)
    clear_target(b, n, s.qty)
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
            cancel_opening_orders(b)


NO_ENTRIES, REDUCE_ONLY, FLATTEN, RESUME = range(4)


@kernel
def apply_operator_action(b: AccountState, action: int) -> None:
    """What a person orders: no new positions, reductions only, close everything and lock, or trade again.

    To trade again also takes a lock after a drawdown back: losses and drawdown are measured from here on.
    """
    account = b.account[0]
    account.needs_allocation = 1
    if action == NO_ENTRIES:
        account.entries_off = 1
    elif action == REDUCE_ONLY:
        account.halt |= HALT_OPERATOR
        cancel_opening_orders(b)
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
def cancel_opening_orders(b: AccountState) -> None:
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
                if account.external_venue != 0:
                    log_order_event(b, C_REDUCE, order, R_HALT)
                if o.purpose == TARGET:
                    s.wanted = 0.0
                    s.ordered = 0.0
                    s.requested = np.nan
            continue
        if o.purpose == TARGET and s.qty != 0.0:
            s.shortfall = 1
        cancel_order(b, order, CANCELLED, R_HALT)
        k -= int(o.status > UNKNOWN)


@kernel
def flatten(b: AccountState) -> None:
    """Cancel everything and close every position at the next open; an exit that is on its way goes on."""
    cancel_opening_orders(b)
    for n in range(b.symbols.shape[0]):
        s = b.symbols[n]
        if s.qty != 0.0 and s.exiting == 0:
            close_at_next_open(b, n, R_FLATTEN)
        elif s.qty == 0.0:
            cancel_symbol_orders(b, n, NO_ORDER, R_HALT)
            s.wanted = 0.0
            s.ordered = 0.0
            s.target_order = NO_ORDER
