"""How much the price moves: true range, average true range, realised volatility."""

from __future__ import annotations

import numpy as np

from gpt_trader.indicator_memo import memoised
from gpt_trader.indicators.across_kernels import mean_range_across, true_ranges_across
from gpt_trader.indicators.changes import log_of
from gpt_trader.indicators.column_blocks import in_blocks
from gpt_trader.indicators.panels import across
from gpt_trader.indicators.recursion_kernels import smooth, true_ranges
from gpt_trader.indicators.rows import Array, lagged, number, pack, period, ratio
from gpt_trader.indicators.window_kernels import window_moments


def _atr_across(high: Array, low: Array, close: Array, n: int = 14) -> Array:
    n = period("atr", "n", n)
    return mean_range_across(high, low, close, n, 1.0 / n)


@memoised
@across(true_ranges_across)
@in_blocks
def true_range(high: Array, low: Array, close: Array) -> Array:
    """True range: max(high, previous close) - min(low, previous close).

    high, low, close: (T,) or (T, N) prices; the result has the same shape and unit. Warm-up 1 bar: the first
    present bar has no previous close. Raises BadParameter for shapes that differ.
    Source: Wilder (1978), New Concepts in Technical Trading Systems, section III.
    """
    rows = pack("true_range", high=high, low=low, close=close)
    return rows.restore(true_ranges(*rows.rows))


@memoised
@across(_atr_across)
@in_blocks
def atr(high: Array, low: Array, close: Array, n: int = 14) -> Array:
    """Average true range: Wilder's average `rma` of the true range.

    atr[n] = mean(tr[1..n]);  atr[t] = atr[t - 1] + (tr[t] - atr[t - 1]) / n

    high, low, close: (T,) or (T, N) prices; the result has the same shape and unit. Warm-up n bars.
    Raises BadParameter for n < 1, n not whole, shapes that differ.
    Source: Wilder (1978), New Concepts in Technical Trading Systems, section III.
    """
    n = period("atr", "n", n)
    rows = pack("atr", high=high, low=low, close=close)
    return rows.restore(smooth(true_ranges(*rows.rows), rows.counts, 1, n, 1.0 / n))


@memoised
@in_blocks
def realised_volatility(close: Array, n: int = 20, periods_per_year: float = 252.0) -> Array:
    """Annualised sample standard deviation (divisor n - 1) of the last n log returns.

    sqrt(periods_per_year) x std(ln(close[t] / close[t - 1]))

    close: (T,) or (T, N) prices; the result has the same shape, as a fraction per year (0.2 = 20 %). Warm-up
    n bars. `periods_per_year` is the number of bars in a year: 252 for days, 98,280 for minutes of the NYSE.
    Raises BadParameter for n < 2, n not whole, periods_per_year not a number >= 0, a wrong shape.
    Source: Hull (2018), Options, Futures, and Other Derivatives, 10th ed., section 15.4.
    """
    n = period("realised_volatility", "n", n, least=2)
    per_year = number("realised_volatility", "periods_per_year", periods_per_year)
    rows = pack("realised_volatility", close=close)
    log_returns = log_of(ratio(rows.rows[0], lagged(rows.rows[0], 1)))
    return rows.restore(np.sqrt(per_year) * window_moments(log_returns, rows.counts, 1, n, 1)[1])
