"""The one order of events: the steps of a bar in sequence, for a whole run or bar by bar."""

from __future__ import annotations

import numpy as np

from gpt_trader.bars import CLOSE
from gpt_trader.engine.account_clock import begin_bar, skip_bars
from gpt_trader.engine.corporate_actions import corporate_actions
from gpt_trader.engine.jit import inlined, kernel
from gpt_trader.engine.mark_to_market import mark_to_market
from gpt_trader.engine.matching import match_intrabar, match_open, trail_orders
from gpt_trader.engine.records import (
    BAD_TARGET,
    CASH,
    DONE,
    EQUITY,
    EVENT,
    GROSS,
    LOG_FULL,
    NET,
    AccountState,
    MarketData,
)
from gpt_trader.engine.target_weights import allocate
from gpt_trader.engine.trading_halts import monitor

SPARE = 10  # rows per symbol and bar: a target that seven rules scale and the order volume cuts writes nine decisions


@inlined
def room_in_logs(b: AccountState) -> bool:
    """True when every log has room for the most that one bar can write."""
    account = b.account[0]
    need = SPARE * (b.symbols.shape[0] + 1) + 4 * account.open_orders
    event_rows = (
        4 * need if account.external_venue + account.reports_events > 0 else need
    )  # what happens to orders is written there as well
    return (
        account.orders + need <= b.orders.shape[0]
        and account.fills + event_rows <= b.fills.shape[0]
        and account.trades + need <= b.trades.shape[0]
        and account.decisions + need <= b.decisions.shape[0]
        and account.open_orders + need <= b.open_orders.shape[0]
    )


@inlined
def open_bar(m: MarketData, b: AccountState, t: int) -> None:
    """Step 0 of bar t: the account's clock moves on, and what is effective before the open happens to what it holds."""
    begin_bar(m, b, t)
    if b.account[0].positions > 0 or b.account[0].open_orders > 0:
        corporate_actions(m, b, t)


@inlined
def match_bar(m: MarketData, b: AccountState, t: int) -> None:
    """Step 1 of bar t at the simulated venue."""
    account = b.account[0]
    if account.positions > 0 or account.open_orders > 0:
        if account.market_orders > 0:
            match_open(m, b, t)
        if account.open_orders > account.market_orders or b.rules[0].exits_on > 0.0:
            match_intrabar(m, b, t)
            trail_orders(m, b, t)


@inlined
def close_bar(m: MarketData, b: AccountState, t: int) -> None:
    """Steps 2 and 3 of bar t: marks at its close, and the monitors."""
    mark_to_market(m, b, t)
    monitor(b)


@inlined
def before_decision(m: MarketData, b: AccountState, t: int) -> None:
    """Steps 0 to 3 of bar t."""
    open_bar(m, b, t)
    match_bar(m, b, t)
    close_bar(m, b, t)


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
        now, before, target, last = close[t], close[t - 1], targets[t], targets[t - 1]
        changed = 0
        for n in range(target.shape[0]):
            changed += 1 - same_target(now[n], before[n], target[n], last[n])
        out[t] = 1 if changed == 0 else 0


@inlined
def same_target(close: float, close_before: float, target: float, before: float) -> int:
    """1 when a symbol is missing in both bars, or in neither and its target did not change (no branch: this vectorises)."""
    missing = close != close
    alike = (target == before) | ((target != target) & (before != before))
    return int((missing == (close_before != close_before)) & (missing | alike))


@inlined
def may_be_idle(b: AccountState) -> bool:
    """True while bars with unchanged targets can only change marks: no live order, exit, limit, short or unfinished target."""
    account = b.account[0]
    r = b.rules[0]
    if account.open_orders > 0 or account.needs_allocation != 0 or r.exits_on > 0.0 or r.risk_on > 0.0:
        return False
    if r.rebalance_bar > 0.0 or r.cadence > 0.0:
        return False
    for n in range(b.symbols.shape[0]):
        s = b.symbols[n]
        if s.qty < 0.0 or (s.previous_target == s.previous_target and s.requested != s.previous_target):
            return False
    return True


@inlined
def hold_through(m: MarketData, b: AccountState, n: int, start: int, stop: int, first: bool) -> None:
    """Put (`first`) or add the value of one position into the net exposure of bars start..stop-1; move mark, age, peak."""
    s = b.symbols[n]
    quantity = s.qty
    close = m.panel[CLOSE, start:stop, n]
    net = b.account_curves[NET, start:stop]
    bars = close.shape[0]
    present = 0
    for i in range(bars):
        present += close[i] == close[i]
    if present == bars:  # the usual case; loops without a branch become vector instructions
        if first:
            for i in range(bars):
                net[i] = 0.0 + quantity * close[i]
        else:
            for i in range(bars):
                net[i] += quantity * close[i]
        s.mark = close[bars - 1]
        s.peak = max(s.peak, highest(close))
    else:
        mark = s.mark
        for i in range(bars):
            if close[i] == close[i]:
                mark = close[i]
                s.peak = max(s.peak, mark)
            net[i] = (0.0 if first else net[i]) + quantity * mark
        s.mark = mark
    s.age += present


@inlined
def highest(values: np.ndarray) -> float:
    """The greatest of at least one number (no NaN), in four lanes that do not wait for each other."""
    best0 = best1 = best2 = best3 = values[0]
    whole = values.shape[0] // 4 * 4
    for i in range(0, whole, 4):
        best0 = max(best0, values[i])
        best1 = max(best1, values[i + 1])
        best2 = max(best2, values[i + 2])
        best3 = max(best3, values[i + 3])
    for i in range(whole, values.shape[0]):
        best0 = max(best0, values[i])
    return max(max(best0, best1), max(best2, best3))


@inlined
def first_ruin_bar(m: MarketData, b: AccountState, cash: float, start: int, stop: int) -> int:
    """The first bar of start..stop-1 that could ruin the account (a missing mark counts as nothing), else `stop`."""
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
def write_account_curves(b: AccountState, cash: float, start: int, stop: int, flat: bool) -> None:
    """Gross exposure, cash and equity of bars start..stop-1 without shorts; the net exposure is known, or 0 when `flat`."""
    net = b.account_curves[NET, start:stop]
    gross = b.account_curves[GROSS, start:stop]
    held = b.account_curves[CASH, start:stop]
    equity = b.account_curves[EQUITY, start:stop]
    if flat:
        for i in range(net.shape[0]):
            net[i] = 0.0
            gross[i] = 0.0
            held[i] = cash
            equity[i] = cash + 0.0
        return
    for i in range(net.shape[0]):
        gross[i] = net[i]
        held[i] = cash
        equity[i] = cash + net[i]


@inlined
def idle_bars(unchanged: np.ndarray, flags: np.ndarray) -> int:
    """How many bars from the first on have unchanged targets and no corporate action."""
    count = 0
    for i in range(unchanged.shape[0]):
        if unchanged[i] == 0 or flags[i] & EVENT != 0:
            break
        count += 1
    return count


@inlined
def skip_idle_bars(m: MarketData, b: AccountState, unchanged: np.ndarray, start: int, stop: int) -> int:
    """Mark the bars from `start` on in which nothing but prices changes; returns the first bar that needs every step.

    The shortcut of the loop, not another engine: a bar qualifies only if every step would find nothing to do, and what is done
    here is `mark_to_market` symbol by symbol (tests/unit/test_engine_quiet.py runs both ways and compares the bits).
    """
    if start >= stop or unchanged[start] == 0 or not may_be_idle(b):
        return start
    end = start + idle_bars(unchanged[start:stop], m.flags[start:stop])
    account = b.account[0]
    cash = account.cash
    end = first_ruin_bar(m, b, cash, start, end)
    if end == start:
        return start
    first = True
    for n in range(b.symbols.shape[0]):
        if b.symbols[n].qty != 0.0:
            hold_through(m, b, n, start, end, first)
            first = False
        if b.symbols[n].previous_target == b.symbols[n].previous_target and not np.isnan(
            m.panel[CLOSE, start, n]
        ):
            b.symbols[n].signal_bars += end - start
    write_account_curves(b, cash, start, end, first)
    skip_bars(m, b, start, end)
    account.gross = b.account_curves[NET, end - 1]
    account.equity = b.account_curves[EQUITY, end - 1]
    return end


@kernel
def run_targets(
    m: MarketData, b: AccountState, targets: np.ndarray, unchanged: np.ndarray, start: int, stop: int
) -> tuple[int, int]:
    """Run bars start..stop-1 on known finite targets (T, N), or (1, N) that stand in every bar; `unchanged` (T,) as
    `unchanged_rows` gives it.

    Returns (bar it stopped at, DONE | LOG_FULL).
    """
    t = start
    while t < stop:
        if not room_in_logs(b):
            return t, LOG_FULL
        before_decision(m, b, t)
        allocate(m, b, targets[min(t, targets.shape[0] - 1)], t)
        t = skip_idle_bars(m, b, unchanged, t + 1, stop)
    return stop, DONE


@inlined
def has_infinity(targets: np.ndarray) -> bool:
    """Whether a target of (T, N) is infinite."""
    found = 0
    for t in range(targets.shape[0]):
        for n in range(targets.shape[1]):
            found |= int(abs(targets[t, n]) == np.inf)
    return found != 0


@kernel
def run_decided(
    m: MarketData, b: AccountState, targets: np.ndarray, unchanged: np.ndarray, start: int
) -> tuple[int, int]:
    """Run bars `start` to the last on known targets (T, N); `unchanged` (T,) is room to work in, and holds afterwards what
    `unchanged_rows` gives.

    Returns (bar it stopped at, DONE | LOG_FULL), or (start, BAD_TARGET) before anything is done where a target is infinite.
    """
    if has_infinity(targets[start:]):
        return start, BAD_TARGET
    unchanged_rows(m.panel[CLOSE, start:], targets[start:], unchanged[start:])
    return run_targets(m, b, targets, unchanged, start, unchanged.shape[0])
