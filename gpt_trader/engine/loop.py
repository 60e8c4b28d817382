"""The one order of events: the steps of a bar in sequence, for a whole run or bar by bar."""

from __future__ import annotations

import numpy as np

from gpt_trader.bars import CLOSE
from gpt_trader.engine.allocating import allocate
from gpt_trader.engine.corporate import corporate_actions
from gpt_trader.engine.jit import inlined, kernel
from gpt_trader.engine.marking import mark_to_market, monitor
from gpt_trader.engine.matching import match_inside, match_open, trail_orders
from gpt_trader.engine.records import (
    BAD_TARGET,
    CASH,
    DONE,
    EQUITY,
    EVENT,
    GROSS,
    LOG_FULL,
    NET,
    Book,
    Market,
)

SPARE = 8


@inlined
def room_in_logs(b: Book) -> bool:
    """True when every log has room for the most that one bar can write."""
    account = b.account[0]
    need = SPARE * (b.symbols.shape[0] + 1) + 4 * account.working
    return (
        account.orders + need <= b.orders.shape[0]
        and account.fills + need <= b.fills.shape[0]
        and account.trades + need <= b.trades.shape[0]
        and account.decisions + need <= b.decisions.shape[0]
        and account.working + need <= b.working.shape[0]
    )


@inlined
def before_decision(m: Market, b: Book, t: int) -> None:
    """Steps 0 to 3 of bar t."""
    account = b.account[0]
    if account.positions > 0 or account.working > 0:
        corporate_actions(m, b, t)
        if account.markets > 0:
            match_open(m, b, t)
        if account.working > account.markets or b.rules[0].exits_on > 0.0:
            match_inside(m, b, t)
            trail_orders(m, b, t)
    mark_to_market(m, b, t)
    monitor(m, b, t)


@inlined
def may_be_quiet(b: Book) -> bool:
    """True while a bar can only change marks: no live order, exit, limit, short or unfinished target, weights by signal."""
    account = b.account[0]
    r = b.rules[0]
    if account.working > 0 or account.dirty != 0 or r.exits_on > 0.0 or r.risk_on > 0.0:
        return False
    if r.rebalance_bar > 0.0 or r.cadence > 0.0:
        return False
    for n in range(b.symbols.shape[0]):
        if b.symbols[n].qty < 0.0:
            return False
    return True


@inlined
def quiet_stretch(m: Market, b: Book, targets: np.ndarray, start: int, stop: int) -> int:
    """Mark the bars from `start` on in which nothing but prices changes; returns the first bar that needs every step.

    The shortcut of the loop, not another engine: a bar qualifies only if every step would find nothing to do, and what is done here is
    `mark_to_market` without its branches (tests/unit/test_engine_quiet.py runs both and compares the bits).
    """
    if not may_be_quiet(b):
        return start
    symbols = b.symbols.shape[0]
    account = b.account[0]
    cash = account.cash
    for t in range(start, stop):
        if m.flags[t] & EVENT != 0:
            return t
        for n in range(symbols):
            s = b.symbols[n]
            w = targets[t, n]
            if np.isnan(w):
                if not np.isnan(s.prev):
                    return t
            elif w != s.prev or w != s.asked or np.isnan(m.panel[CLOSE, t, n]):
                return t
        net = 0.0
        for n in range(symbols):
            s = b.symbols[n]
            if s.qty != 0.0:
                close = m.panel[CLOSE, t, n]
                net += s.qty * (s.mark if np.isnan(close) else close)
        if cash + net <= 0.0:
            return t
        for n in range(symbols):
            s = b.symbols[n]
            if not np.isnan(targets[t, n]):
                s.streak += 1
            if s.qty != 0.0:
                close = m.panel[CLOSE, t, n]
                if not np.isnan(close):
                    s.mark = close
                    s.age += 1
                    s.peak = max(s.peak, close)
        account.gross = net
        account.equity = cash + net
        b.track[EQUITY, t] = cash + net
        b.track[CASH, t] = cash
        b.track[GROSS, t] = net
        b.track[NET, t] = net
    return stop


@kernel
def run_targets(m: Market, b: Book, targets: np.ndarray, start: int, stop: int) -> tuple[int, int]:
    """Run bars start..stop-1 on known targets (T, N). Returns (bar it stopped at, DONE | LOG_FULL | BAD_TARGET)."""
    t = start
    while t < stop:
        if not room_in_logs(b):
            return t, LOG_FULL
        for n in range(targets.shape[1]):
            if np.isinf(targets[t, n]):
                return t, BAD_TARGET
        before_decision(m, b, t)
        allocate(m, b, targets[t], t)
        t = quiet_stretch(m, b, targets, t + 1, stop)
    return stop, DONE


@kernel
def run_quiet(m: Market, b: Book, start: int, stop: int) -> tuple[int, int]:
    """Run steps 0 to 3 of bars start..stop-1 without decisions: what an order strategy's silent bars need."""
    for t in range(start, stop):
        if not room_in_logs(b):
            return t, LOG_FULL
        before_decision(m, b, t)
    return stop, DONE
