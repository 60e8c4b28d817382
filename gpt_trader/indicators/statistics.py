"""Statistics of a sliding window: deviation, z-score, regression, rank."""

from __future__ import annotations

import numpy as np

from gpt_trader.errors import BadParameter
from gpt_trader.indicator_memo import memoised
from gpt_trader.indicators.across_kernels import moments_across
from gpt_trader.indicators.column_blocks import in_blocks
from gpt_trader.indicators.order_kernels import window_order
from gpt_trader.indicators.panels import across
from gpt_trader.indicators.rows import Array, Rows, number, pack, period, ratio
from gpt_trader.indicators.window_kernels import window_comoments, window_moments


def _rolling_std_across(values: Array, n: int, ddof: int = 1) -> Array:
    deviation: Array = moments_across(values, _window("rolling_std", n, ddof), ddof)[1]
    return deviation


@memoised
@across(_rolling_std_across)
@in_blocks
def rolling_std(values: Array, n: int, ddof: int = 1) -> Array:
    """Standard deviation of the last n present bars, with divisor n - ddof (1 = sample, 0 = population).

    values: (T,) or (T, N), any unit; the result has the same shape and unit. Warm-up n - 1 bars. Exactly 0
    for a window of equal values. Raises BadParameter for n < 1 + ddof, n not whole, ddof not 0 or 1, a wrong
    shape.
    Source: Chan, Golub and LeVeque (1983), Algorithms for Computing the Sample Variance, The American
    Statistician 37(3).
    """
    n = _window("rolling_std", n, ddof)
    rows = pack("rolling_std", values=values)
    return rows.restore(window_moments(rows.rows[0], rows.counts, 0, n, ddof)[1])


def _window(indicator: str, n: int, ddof: int) -> int:
    """The bars of a window for a deviation with divisor n - ddof."""
    if isinstance(ddof, bool) or ddof not in (0, 1):
        raise BadParameter(f"{indicator}: ddof must be 0 (population) or 1 (sample); got {ddof!r}.")
    return period(indicator, "n", n, least=1 + ddof)


@memoised
@in_blocks
def zscore(values: Array, n: int) -> Array:
    """Distance from the mean of the last n present bars, in population standard deviations (divisor n).

    (x - sma(x, n)) / rolling_std(x, n, ddof=0): 2 is the upper Bollinger band of width 2

    values: (T,) or (T, N), any unit; the result has the same shape and no unit. Warm-up n - 1 bars. NaN where
    the deviation is 0. Raises BadParameter for n < 2, n not whole, a wrong shape. Source: Bollinger (2001),
    where the same distance, scaled to the bands, is %b.
    """
    n = period("zscore", "n", n, least=2)
    rows = pack("zscore", values=values)
    middle, deviation = window_moments(rows.rows[0], rows.counts, 0, n, 0)
    return rows.restore(ratio(rows.rows[0] - middle, deviation))


@memoised
@in_blocks
def rolling_beta(asset: Array, market: Array, n: int) -> Array:
    """Regression slope of asset on market over the last n present bars: cov(asset, market) / var(market).

    asset: (T,) or (T, N), usually `returns(bars.close)`; market: the same shape, or (T,) or (T, 1) for one
    market beside all columns. A bar is present when both are. The result has the shape of asset and no unit
    if both are returns.
    Warm-up n - 1 bars. NaN where the market did not vary.
    Raises BadParameter for n < 2, n not whole, shapes that do not fit.
    Source: Sharpe (1963), A Simplified Model for Portfolio Analysis, Management Science 9(2).
    """
    n = period("rolling_beta", "n", n, least=2)
    rows = _pair("rolling_beta", "asset", asset, "market", market)
    _, market_squares, products = window_comoments(rows.rows[0], rows.rows[1], rows.counts, 0, n)
    return rows.restore(ratio(products, market_squares))


@memoised
@in_blocks
def rolling_corr(values: Array, other: Array, n: int) -> Array:
    """Pearson correlation of the last n present bars of two series.

    values: (T,) or (T, N); other: the same shape, or (T,) or (T, 1) for one series beside all columns. A bar
    is present when both are. The result has the shape of values, -1 to 1. Warm-up n - 1 bars. NaN where
    either is constant.
    Raises BadParameter for n < 2, n not whole, shapes that do not fit.
    Source: Pearson (1895), Note on Regression and Inheritance, Proc. Royal Society of London 58.
    """
    n = period("rolling_corr", "n", n, least=2)
    rows = _pair("rolling_corr", "values", values, "other", other)
    squares, other_squares, products = window_comoments(rows.rows[0], rows.rows[1], rows.counts, 0, n)
    return rows.restore(np.clip(ratio(products, np.sqrt(squares) * np.sqrt(other_squares)), -1.0, 1.0))


@memoised
@in_blocks
def percentile_rank(values: Array, n: int) -> Array:
    """Rank of the newest value among the last n present bars, as a fraction: 1 = highest, 1 / n = lowest.

    Equal values share the mean of their ranks, as in pandas' rolling(n).rank(pct=True); the highest quartile
    is above 0.75. values: (T,) or (T, N), any unit; the result has the same shape, in (0, 1]. Warm-up n - 1
    bars.
    Raises BadParameter for n < 1, n not whole, a wrong shape.
    """
    n = period("percentile_rank", "n", n)
    rows = pack("percentile_rank", values=values)
    return rows.restore(window_order(rows.rows[0], rows.counts, 0, n, 0.5)[1] / n)


@memoised
@in_blocks
def rolling_quantile(values: Array, n: int, q: float) -> Array:
    """The q-quantile of the last n present bars, interpolated linearly between neighbours (0.5 = the median).

    values: (T,) or (T, N), any unit; the result has the same shape and unit. Warm-up n - 1 bars.
    Raises BadParameter for n < 1, n not whole, q outside 0..1, a wrong shape.
    Source: Hyndman and Fan (1996), Sample Quantiles in Statistical Packages, The American Statistician 50(4),
    type 7.
    """
    n, q = period("rolling_quantile", "n", n), number("rolling_quantile", "q", q, 0.0, 1.0)
    rows = pack("rolling_quantile", values=values)
    return rows.restore(window_order(rows.rows[0], rows.counts, 0, n, q)[0])


def _pair(indicator: str, first_name: str, first: Array, second_name: str, second: Array) -> Rows:
    """Rows of two inputs; one column in the second is repeated beside every column of the first."""
    shape, other = np.shape(first), np.shape(second)
    if len(shape) == 2 and other in ((shape[0],), (shape[0], 1)):
        second = np.broadcast_to(np.reshape(second, (-1, 1)), shape)
    return pack(indicator, **{first_name: first, second_name: second})
