"""Many runs over the same bars: the engine's own loop and the statistics in one compiled call per run."""

from __future__ import annotations

import numpy as np

from gpt_trader.bars import CLOSE
from gpt_trader.engine.jit import compiled
from gpt_trader.engine.loop import run_targets, unchanged_rows
from gpt_trader.engine.measures import METRIC_NAMES
from gpt_trader.engine.records import DONE, EQUITY, GROSS, Book, Market
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
def statistics_into(
    m: Market, b: Book, gross: np.ndarray, per_year: float, risk_free: float, trade_fields: np.ndarray,
    trade_bars: np.ndarray, out: np.ndarray,
) -> None:  # fmt: skip
    """Statistics of a finished run into `out` (METRIC_NAMES); `gross` (T,), `trade_fields` (2, K), `trade_bars` (K,) scratch."""
    account = b.account[0]
    for t in range(gross.shape[0]):
        gross[t] = b.track[GROSS, t] / b.track[EQUITY, t] if b.track[GROSS, t] != 0.0 else 0.0
    count = account.trades
    for k in range(count):
        trade_fields[0, k] = b.trades[k].pnl
        trade_fields[1, k] = b.trades[k].return_
        trade_bars[k] = b.trades[k].bars
    summary(
        b.track[EQUITY], gross, m.time, account.capital, per_year, risk_free, trade_fields[0, :count], trade_fields[1, :count],
        trade_bars[:count], account.traded, account.commission, account.slippage + account.borrow, open_profit(b), out,
    )  # fmt: skip
    out[SLIPPAGE] -= account.borrow


@compiled
def score_targets(
    m: Market, b: Book, targets: np.ndarray, unchanged: np.ndarray, capital: float, per_year: float, gross: np.ndarray,
    trade_fields: np.ndarray, trade_bars: np.ndarray, out: np.ndarray,
) -> int:  # fmt: skip
    """One run on known targets and its statistics; returns DONE, or LOG_FULL when the book is too small for it."""
    clear_book(b, capital)
    unchanged_rows(m.panel[CLOSE], targets, unchanged)
    _, code = run_targets(m, b, targets, unchanged, 0, targets.shape[0])
    if code == DONE:
        statistics_into(m, b, gross, per_year, 0.0, trade_fields, trade_bars, out)
    return code
