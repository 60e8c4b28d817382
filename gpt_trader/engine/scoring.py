"""The statistics of a finished run, and many runs one after the other in one compiled call."""

from __future__ import annotations

import numpy as np

from gpt_trader.bars import CLOSE
from gpt_trader.engine.jit import compiled, inlined
from gpt_trader.engine.loop import run_targets, unchanged_rows
from gpt_trader.engine.measures import METRIC_NAMES
from gpt_trader.engine.records import BAD_TARGET, DONE, EQUITY, GROSS, Book, Market
from gpt_trader.engine.resetting import clear_book
from gpt_trader.engine.statistics import summary

SLIPPAGE = METRIC_NAMES.index("slippage")


@compiled
def open_profit(b: Book) -> float:
    """What the open positions have earned so far after their costs, in cash."""
    total = 0.0
    for n in range(b.symbols.shape[0]):
        s = b.symbols[n]
        if s.qty != 0.0:
            total += s.qty * s.mark - np.sign(s.qty) * (s.in_cash - s.out_cash) - s.costs + s.income
    return total


@compiled
def exposure_of(value: np.ndarray, equity: np.ndarray, out: np.ndarray) -> None:
    """`out[t]`: gross exposure `value` as share of equity, 0 without positions whatever the equity."""
    for t in range(out.shape[0]):
        out[t] = (0.0 if value[t] == 0.0 else value[t]) / (1.0 if value[t] == 0.0 else equity[t])


@compiled
def statistics_into(
    m: Market, b: Book, scratch: np.ndarray, per_year: float, risk_free: float, trade_fields: np.ndarray,
    trade_bars: np.ndarray, out: np.ndarray,
) -> None:  # fmt: skip
    """Statistics of a finished run into `out` (METRIC_NAMES); `scratch` (3, T), `trade_fields` (2, K) and
    `trade_bars` (K,) are room to work in."""
    account = b.account[0]
    gross = scratch[2]
    exposure_of(b.track[GROSS], b.track[EQUITY], gross)
    count = account.trades
    for k in range(count):
        trade_fields[0, k] = b.trades[k].pnl
        trade_fields[1, k] = b.trades[k].return_
        trade_bars[k] = b.trades[k].bars
    summary(
        b.track[EQUITY], gross, m.time, account.capital, per_year, risk_free, trade_fields[0, :count], trade_fields[1, :count],
        trade_bars[:count], account.traded, account.commission, account.slippage + account.borrow, open_profit(b), scratch[:2], out,
    )  # fmt: skip
    out[SLIPPAGE] -= account.borrow


@inlined
def has_infinity(targets: np.ndarray) -> bool:
    """Whether a target of (T, N) is infinite."""
    found = 0
    for t in range(targets.shape[0]):
        for n in range(targets.shape[1]):
            found |= int(abs(targets[t, n]) == np.inf)
    return found != 0


@compiled
def score_many(
    m: Market, b: Book, targets: np.ndarray, first: int, unchanged: np.ndarray, capital: float, per_year: float,
    scratch: np.ndarray, trade_fields: np.ndarray, trade_bars: np.ndarray, out: np.ndarray,
) -> tuple[int, int]:  # fmt: skip
    """Runs `first` and on of `targets` (runs, T, N) and the statistics of each into `out` (runs, METRIC_NAMES).

    Returns (runs, DONE), or the run it stopped at with BAD_TARGET when a target is infinite, or LOG_FULL when the book is too
    small.
    """
    runs, bars = targets.shape[:2]
    for k in range(first, runs):
        if has_infinity(targets[k]):
            return k, BAD_TARGET
        clear_book(b, capital)
        unchanged_rows(m.panel[CLOSE], targets[k], unchanged)
        _, code = run_targets(m, b, targets[k], unchanged, 0, bars)
        if code != DONE:
            return k, code
        statistics_into(m, b, scratch, per_year, 0.0, trade_fields, trade_bars, out[k])
    return runs, DONE
