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


@kernel
def unchanged_rows(close: np.ndarray, targets: np.ndarray, out: np.ndarray) -> None:
    """`out[t]` = 1 where the same symbols have a bar as the bar before and each of them the same target, NaN equal to NaN."""
    out[:] = 1
    out[0] = 0
    if targets.shape[1] == 1:
        for t in range(1, targets.shape[0]):
            out[t] = same_target(close[t, 0], close[t - 1, 0], targets[t, 0], targets[t - 1, 0])
        return
    for t in range(1, targets.shape[0]):
        for n in range(targets.shape[1]):
            out[t] &= same_target(close[t, n], close[t - 1, n], targets[t, n], targets[t - 1, n])


@inlined
def same_target(close: float, close_before: float, target: float, before: float) -> int:
    """1 when a symbol is missing in both bars, or in neither and its target did not change (no branch: this vectorises)."""
    missing = close != close
    alike = (target == before) | ((target != target) & (before != before))
    return int((missing == (close_before != close_before)) & (missing | alike))


@inlined
def may_be_quiet(b: Book) -> bool:
    """True while bars with unchanged targets can only change marks: no live order, exit, limit, short or unfinished target."""
    account = b.account[0]
    r = b.rules[0]
    if account.working > 0 or account.dirty != 0 or r.exits_on > 0.0 or r.risk_on > 0.0:
        return False
    if r.rebalance_bar > 0.0 or r.cadence > 0.0:
        return False
    for n in range(b.symbols.shape[0]):
        s = b.symbols[n]
        if s.qty < 0.0 or (s.prev == s.prev and s.asked != s.prev):
            return False
    return True


@inlined
def hold_through(m: Market, b: Book, n: int, start: int, stop: int) -> None:
    """Add the value of one position to the net exposure of bars start..stop-1 and move its mark, age and peak."""
    s = b.symbols[n]
    quantity, mark, peak, bars = s.qty, s.mark, s.peak, 0
    for t in range(start, stop):
        close = m.panel[CLOSE, t, n]
        if close == close:
            mark = close
            bars += 1
            peak = max(peak, close)
        b.track[NET, t] += quantity * mark
    s.mark = mark
    s.peak = peak
    s.age += bars


@inlined
def lowest_equity_bar(m: Market, b: Book, cash: float, start: int, stop: int) -> int:
    """The first bar of start..stop-1 whose marks would ruin the account, else `stop`: nothing is changed."""
    net = 0.0
    for n in range(b.symbols.shape[0]):
        net += abs(b.symbols[n].qty)
    if cash > 0.0 or net == 0.0:
        return stop
    for t in range(start, stop):
        value = cash
        for n in range(b.symbols.shape[0]):
            close = m.panel[CLOSE, t, n]
            if b.symbols[n].qty != 0.0 and close == close:
                value += b.symbols[n].qty * close
        if value <= 0.0:
            return t
    return stop


@inlined
def quiet_stretch(m: Market, b: Book, unchanged: np.ndarray, start: int, stop: int) -> int:
    """Mark the bars from `start` on in which nothing but prices changes; returns the first bar that needs every step.

    The shortcut of the loop, not another engine: a bar qualifies only if every step would find nothing to do, and what is done
    here is `mark_to_market` symbol by symbol (tests/unit/test_engine_quiet.py runs both ways and compares the bits).
    """
    if start >= stop or unchanged[start] == 0 or not may_be_quiet(b):
        return start
    end = start
    while end < stop and unchanged[end] != 0 and m.flags[end] & EVENT == 0:
        end += 1
    account = b.account[0]
    cash = account.cash
    end = lowest_equity_bar(m, b, cash, start, end)
    if end == start:
        return start
    for t in range(start, end):
        b.track[NET, t] = 0.0
    for n in range(b.symbols.shape[0]):
        if b.symbols[n].qty != 0.0:
            hold_through(m, b, n, start, end)
        if b.symbols[n].prev == b.symbols[n].prev and not np.isnan(m.panel[CLOSE, start, n]):
            b.symbols[n].streak += end - start
    for t in range(start, end):
        b.track[GROSS, t] = b.track[NET, t]
        b.track[CASH, t] = cash
        b.track[EQUITY, t] = cash + b.track[NET, t]
    account.gross = b.track[NET, end - 1]
    account.equity = b.track[EQUITY, end - 1]
    return end


@kernel
def run_targets(
    m: Market, b: Book, targets: np.ndarray, unchanged: np.ndarray, start: int, stop: int
) -> tuple[int, int]:
    """Run bars start..stop-1 on known finite targets (T, N); `unchanged` (T,) as `unchanged_rows` gives it.

    Returns (bar it stopped at, DONE | LOG_FULL).
    """
    t = start
    while t < stop:
        if not room_in_logs(b):
            return t, LOG_FULL
        before_decision(m, b, t)
        allocate(m, b, targets[t], t)
        t = quiet_stretch(m, b, unchanged, t + 1, stop)
    return stop, DONE


@kernel
def run_quiet(m: Market, b: Book, start: int, stop: int) -> tuple[int, int]:
    """Run steps 0 to 3 of bars start..stop-1 without decisions: what an order strategy's silent bars need."""
    for t in range(start, stop):
        if not room_in_logs(b):
            return t, LOG_FULL
        before_decision(m, b, t)
    return stop, DONE
