"""Steps 2 and 3 of a bar: marks, peaks and ages at the close, and the monitors that stop trading after losses."""

from __future__ import annotations

import numpy as np

from gpt_trader.bars import CLOSE
from gpt_trader.engine.corporate import DAY_NS
from gpt_trader.engine.exit_levels import arm_stops, tighten_atr_stop
from gpt_trader.engine.jit import inlined, kernel
from gpt_trader.engine.ledger import NO_ORDER, cancel_symbol_orders, end_order, forget_target, new_order
from gpt_trader.engine.records import (
    ATR_STOP,
    CANCELLED,
    CASH,
    EQUITY,
    EXIT,
    GROSS,
    HALT_DAY,
    HALT_LOCKED,
    HALT_MONTH,
    HALT_WEEK,
    MARKET,
    NET,
    R_EXITED,
    R_FLATTEN,
    R_HALT,
    R_TIME_STOP,
    Book,
    Market,
)


@inlined
def mark_to_market(m: Market, b: Book, t: int) -> None:
    """Close prices become marks; open positions age, move their peaks and stops; bar t of the track is written."""
    account = b.account[0]
    r = b.rules[0]
    gross = 0.0
    net = 0.0
    if account.positions > 0:
        for n in range(b.symbols.shape[0]):
            s = b.symbols[n]
            if s.qty == 0.0:
                continue
            close = m.panel[CLOSE, t, n]
            if not np.isnan(close):
                s.mark = close
                if s.opened < t:
                    s.age += 1
                s.peak = max(s.peak, close) if s.qty > 0.0 else min(s.peak, close)
                if r.exits_on > 0.0:
                    arm_stops(b, n)
                if r.stop_atr_k > 0.0:
                    tighten_atr_stop(b, n, close, m.signals[ATR_STOP, t, n])
                if r.time_stop > 0.0 and s.age >= r.time_stop and s.exiting == 0:
                    _close_at_next_open(b, t, n, R_TIME_STOP)
            value = s.qty * s.mark
            net += value
            gross += abs(value)
    account.gross = gross
    account.equity = account.cash + net
    b.track[EQUITY, t] = account.equity
    b.track[CASH, t] = account.cash
    b.track[GROSS, t] = gross
    b.track[NET, t] = net


@kernel
def _close_at_next_open(b: Book, t: int, n: int, reason: int) -> None:
    """A market order that closes the position; every other order of the symbol is cancelled and its side locked."""
    s = b.symbols[n]
    order = new_order(b, t, n, -s.qty, MARKET, EXIT, reason, NO_ORDER)
    cancel_symbol_orders(b, n, order, R_EXITED)
    forget_target(b, n, s.qty)
    s.exiting = 1


@kernel
def civil_month(day: int) -> int:
    """Months since year 0 of a day number (days since 1970-01-01), proleptic Gregorian.

    Hinnant, "chrono-Compatible Low-Level Date Algorithms", civil_from_days.
    """
    z = day + 719468
    era = z // 146097
    doe = z - era * 146097
    yoe = (doe - doe // 1460 + doe // 36524 - doe // 146096) // 365
    doy = doe - (365 * yoe + yoe // 4 - yoe // 100)
    mp = (5 * doy + 2) // 153
    month = mp + 3 if mp < 10 else mp - 9
    year = yoe + era * 400 + (1 if month <= 2 else 0)
    return year * 12 + month - 1


@inlined
def same_day(m: Market, t: int, u: int) -> bool:
    """Rows t and u lie in one UTC day."""
    return m.time[t] // DAY_NS == m.time[u] // DAY_NS


@inlined
def same_week(m: Market, t: int, u: int) -> bool:
    """Rows t and u lie in one ISO week (Monday first; day 0, 1970-01-01, was a Thursday)."""
    return (m.time[t] // DAY_NS + 3) // 7 == (m.time[u] // DAY_NS + 3) // 7


@inlined
def same_month(m: Market, t: int, u: int) -> bool:
    """Rows t and u lie in one calendar month."""
    return civil_month(m.time[t] // DAY_NS) == civil_month(m.time[u] // DAY_NS)


@inlined
def monitor(m: Market, b: Book, t: int) -> None:
    """Ruin always ends trading; with risk limits, losses and drawdown stop entries as docs/assumptions.md says."""
    account = b.account[0]
    if account.equity <= 0.0 and (account.halt & HALT_LOCKED) == 0:
        account.halt |= HALT_LOCKED
        _flatten(b, t)
    r = b.rules[0]
    if r.risk_on <= 0.0:
        return
    if t == 0 or not same_day(m, t, t - 1):
        account.day_base = account.last_equity
        account.halt &= ~HALT_DAY
    if t == 0 or not same_week(m, t, t - 1):
        account.week_base = account.last_equity
        account.halt &= ~HALT_WEEK
    if t == 0 or not same_month(m, t, t - 1):
        account.month_base = account.last_equity
        account.halt &= ~HALT_MONTH
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
        account.dirty = 1
        if (account.halt & ~before & HALT_LOCKED) != 0 and r.flatten > 0.0:
            _flatten(b, t)
        else:
            _cancel_opening(b)


@kernel
def _cancel_opening(b: Book) -> None:
    """Cancel every live order that would open or increase a position."""
    k = 0
    while k < b.account[0].working:
        order = b.working[k]
        o = b.orders[order]
        s = b.symbols[o.symbol]
        left = o.quantity - o.filled
        if s.qty * left >= 0.0 or abs(left) > abs(s.qty):
            end_order(b, order, CANCELLED, R_HALT)
        else:
            k += 1


@kernel
def _flatten(b: Book, t: int) -> None:
    """Cancel everything and close every position at the next open."""
    for n in range(b.symbols.shape[0]):
        s = b.symbols[n]
        if s.qty != 0.0 and s.exiting == 0:
            _close_at_next_open(b, t, n, R_FLATTEN)
        elif s.qty == 0.0:
            cancel_symbol_orders(b, n, NO_ORDER, R_HALT)
            s.base = 0.0
            s.acted = 0.0
            s.target_order = NO_ORDER
