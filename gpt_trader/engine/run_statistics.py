"""The statistics of a finished run, and many runs one after the other in one compiled call."""

from __future__ import annotations

from functools import partial

import numpy as np

from gpt_trader.engine.account_reset import clear_book
from gpt_trader.engine.bar_loop import run_decided
from gpt_trader.engine.curve_statistics import bars_until_ruin, block_sums
from gpt_trader.engine.jit import compiled
from gpt_trader.engine.metric_definitions import METRIC_NAMES
from gpt_trader.engine.metric_formulas import summary
from gpt_trader.engine.records import DONE, EQUITY, GROSS, AccountState, MarketData

SLIPPAGE = METRIC_NAMES.index("slippage")
TOTAL_RETURN = METRIC_NAMES.index("total_return")


@compiled
def open_profit(b: AccountState) -> float:
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
    m: MarketData, b: AccountState, scratch: np.ndarray, per_year: float, risk_free: float, trade_fields: np.ndarray,
    trade_bars: np.ndarray, out: np.ndarray,
) -> None:  # fmt: skip
    """Statistics of a finished run into `out` (METRIC_NAMES); `scratch` (3, T), `trade_fields` (2, K) and
    `trade_bars` (K,) are room to work in."""
    account = b.account[0]
    first = account.first
    equity = b.account_curves[EQUITY, first:]
    gross = scratch[2, first:]
    exposure_of(b.account_curves[GROSS, first:], equity, gross)
    count = account.trades
    for k in range(count):
        trade_fields[0, k] = b.trades[k].pnl
        trade_fields[1, k] = b.trades[k].return_
        trade_bars[k] = b.trades[k].bars
    summary(
        equity, gross, m.time[first:], account.capital, per_year, risk_free, trade_fields[0, :count], trade_fields[1, :count],
        trade_bars[:count], account.traded, account.commission, account.slippage + account.borrow, open_profit(b), scratch[:2], out,
    )  # fmt: skip
    out[SLIPPAGE] -= account.borrow


@compiled
def score_into(
    m: MarketData, b: AccountState, scratch: np.ndarray, per_year: float, trade_fields: np.ndarray, trade_bars: np.ndarray,
    edges: np.ndarray, out: np.ndarray, sums: np.ndarray,
) -> None:  # fmt: skip
    """`statistics_into`, and the sums of the returns and of their squares in each block of bars between two `edges` (B + 1,),
    counted from the account's first row, into `sums` (2, B). A bar after the ruin has no return and adds nothing."""
    statistics_into(m, b, scratch, per_year, 0.0, trade_fields, trade_bars, out)
    if sums.shape[1] == 0:
        return
    if np.isnan(out[TOTAL_RETURN]):
        sums[:] = np.nan
        return
    account = b.account[0]
    block_sums(
        scratch[0], bars_until_ruin(b.account_curves[EQUITY, account.first :], account.capital), edges, sums
    )


@partial(compiled, nogil=True)
def score_many(
    m: MarketData, b: AccountState, targets: np.ndarray, start: int, unchanged: np.ndarray, capital: float, per_year: float,
    scratch: np.ndarray, trade_fields: np.ndarray, trade_bars: np.ndarray, edges: np.ndarray, out: np.ndarray, sums: np.ndarray,
) -> tuple[int, int]:  # fmt: skip
    """Runs `start` and on of `targets` (runs, T, N), of which rows from the account's first on count; statistics of each into
    `out` (runs, METRIC_NAMES) and block sums into `sums` (runs, 2, B). Other threads of Python go on meanwhile.

    Returns (runs, DONE), or the run it stopped at with BAD_TARGET when a target is infinite, or LOG_FULL when the book is too
    small.
    """
    runs = targets.shape[0]
    for k in range(start, runs):
        clear_book(b, capital)
        _, code = run_decided(m, b, targets[k], unchanged, b.account[0].first)
        if code != DONE:
            return k, code
        score_into(m, b, scratch, per_year, trade_fields, trade_bars, edges, out[k], sums[k])
    return runs, DONE
