"""The engine one bar at a time, for a rule that is called in Python: the steps between two decisions in one call."""

from __future__ import annotations

import numpy as np

from gpt_trader.engine.bar_loop import before_decision, close_bar, match_bar, open_bar, room_in_logs
from gpt_trader.engine.jit import inlined, kernel, not_inlined
from gpt_trader.engine.mark_to_market import mark_to_market
from gpt_trader.engine.records import DONE, LOG_FULL, AccountState, MarketData
from gpt_trader.engine.target_weights import allocate


@inlined
def fill_held(b: AccountState, t: int, factor: np.ndarray, held: np.ndarray) -> None:
    """`held` (5, N) as the strategy sees its positions at the close of bar t, on the continuous basis: weight, quantity, entry,
    peak, age."""
    equity = b.account[0].equity
    for n in range(b.symbols.shape[0]):
        s = b.symbols[n]
        scale = factor[t, n] if factor.shape[0] > 1 else 1.0
        held[0, n] = s.qty * s.mark / equity if equity > 0.0 else 0.0
        held[1, n] = s.qty
        held[2, n] = s.entry * scale if s.qty != 0.0 else np.nan
        held[3, n] = s.peak * scale if s.qty != 0.0 else np.nan
        held[4, n] = s.age


@kernel
def advance(
    m: MarketData, b: AccountState, decided: np.ndarray, pending: bool, start: int, stop: int, factor: np.ndarray, held: np.ndarray
) -> tuple[int, int]:  # fmt: skip
    """If `pending`, steps 5 and 6 of bar start-1 with the targets `decided` (N,); then steps 0 to 3 of bars start..stop-1.

    `held` (5, N) becomes what `fill_held` says at the close of bar stop-1. Returns (stop, DONE), or (bar, LOG_FULL) before the
    steps of a bar for which a log has no room: go on from there with nothing pending.
    """
    if pending:
        allocate(m, b, decided, start - 1)
    for t in range(start, stop):
        if not room_in_logs(b):
            return t, LOG_FULL
        before_decision(m, b, t)
    fill_held(b, max(stop - 1, 0), factor, held)
    return stop, DONE


allocate_bar = not_inlined(allocate)


@kernel
def begin_account_bar(m: MarketData, b: AccountState, t: int) -> None:
    """Step 0 for an account whose venue is elsewhere: what happens to its orders happens there as well and needs no request."""
    account = b.account[0]
    external_venue, account.external_venue = account.external_venue, 0
    open_bar(m, b, t)
    account.external_venue = external_venue


@kernel
def end_account_bar(m: MarketData, b: AccountState, t: int) -> None:
    """Steps 2 and 3 for an account whose venue is elsewhere."""
    close_bar(m, b, t)


@kernel
def step_venue(m: MarketData, v: AccountState, t: int) -> None:
    """Bar t at a venue that reports: it knows of corporate actions, matches, and marks what it holds for its exits."""
    open_bar(m, v, t)
    account = v.account[0]
    account.reports_events = 1
    match_bar(m, v, t)
    account.reports_events = 0
    mark_to_market(m, v, t)
