"""Oscillators on a scale of 0 to 100: RSI, stochastic, directional movement."""

from __future__ import annotations

from typing import NamedTuple

from gpt_trader.indicator_memo import memoised
from gpt_trader.indicators.across_kernels import strength_across
from gpt_trader.indicators.column_blocks import in_blocks
from gpt_trader.indicators.order_kernels import window_extreme
from gpt_trader.indicators.panels import across
from gpt_trader.indicators.recursion_kernels import directional, relative_strength, true_ranges
from gpt_trader.indicators.rows import Array, pack, period, ratio
from gpt_trader.indicators.window_kernels import window_mean


class Stochastic(NamedTuple):
    """The stochastic oscillator `k` and its average `d`, 0 to 100, each (T,) or (T, N)."""

    k: Array
    d: Array


class DirectionalMovement(NamedTuple):
    """The average directional index `adx` and the directional indicators, 0 to 100, each (T,) or (T, N)."""

    adx: Array
    plus_di: Array
    minus_di: Array


def _rsi_across(values: Array, n: int = 14) -> Array:
    return strength_across(values, period("rsi", "n", n))


@memoised
@across(_rsi_across)
@in_blocks
def rsi(values: Array, n: int = 14) -> Array:
    """Relative strength index: the share of gains in all movement, with Wilder's averages.

    rsi = 100 gain / (gain + loss), gain = rma(max(change, 0), n), loss = rma(max(-change, 0), n)

    values: (T,) or (T, N), any unit; the result has the same shape, 0 to 100. Warm-up n bars. 50, neither
    strong nor weak, while there has been no movement at all (TA-Lib gives 0 there, which reads as oversold).
    Raises BadParameter for n < 1, n not whole, a wrong shape.
    Source: Wilder (1978), New Concepts in Technical Trading Systems, section VI.
    """
    n = period("rsi", "n", n)
    rows = pack("rsi", values=values)
    return rows.restore(relative_strength(rows.rows[0], rows.counts, n))


@memoised
@in_blocks
def stochastic(
    high: Array, low: Array, close: Array, n: int = 14, smooth_n: int = 3, d_n: int = 3
) -> Stochastic:
    """Stochastic oscillator: where the close stands in the range of the last n present bars (slow form).

    fast = 100 (close - lowest(low, n)) / (highest(high, n) - lowest(low, n));  k = sma(fast, smooth_n);
    d = sma(k, d_n).  `smooth_n=1` gives the fast form.

    high, low, close: (T,) or (T, N) prices; results have the same shape, 0 to 100. Warm-up n + smooth_n - 2
    bars for k, d_n - 1 more for d. `fast` is 50 where the range is zero (TA-Lib gives 0, which reads as
    oversold).
    Raises BadParameter for periods < 1 or not whole, shapes that differ.
    Source: Lane (1984), Lane's Stochastics, Technical Analysis of Stocks and Commodities 2(3).
    """
    n, smooth_n = period("stochastic", "n", n), period("stochastic", "smooth_n", smooth_n)
    d_n = period("stochastic", "d_n", d_n)
    rows = pack("stochastic", high=high, low=low, close=close)
    counts = rows.counts
    top = window_extreme(rows.rows[0], counts, 0, n, 1.0)
    bottom = window_extreme(rows.rows[1], counts, 0, n, -1.0)
    fast = 100.0 * ratio(rows.rows[2] - bottom, top - bottom, undefined=0.5)
    k = window_mean(fast, counts, n - 1, smooth_n)
    d = window_mean(k, counts, n + smooth_n - 2, d_n)
    return Stochastic(rows.restore(k), rows.restore(d))


@memoised
@in_blocks
def adx(high: Array, low: Array, close: Array, n: int = 14) -> DirectionalMovement:
    """Average directional index with the two directional indicators.

    up = high[t] - high[t - 1], down = low[t - 1] - low[t];  +DM = up if up > down and up > 0, else 0;
    -DM = down if down > up and down > 0, else 0;  +DI = 100 rma(+DM, n) / rma(true range, n), -DI alike;
    adx = rma(100 |+DI - -DI| / (+DI + -DI), n)

    high, low, close: (T,) or (T, N) prices; results have the same shape, 0 to 100. Warm-up n bars for +DI and
    -DI, 2 n - 1 for adx. All averages are `rma`, seeded with n values, so the denominator is `atr`; TA-Lib
    seeds the three sums with n - 1 values, a difference that fades by (n - 1) / n a bar. Where nothing moves,
    the DIs and their difference count as 0. Raises BadParameter for n < 1, n not whole, shapes that differ.
    Source: Wilder (1978), New Concepts in Technical Trading Systems, section IV.
    """
    n = period("adx", "n", n)
    rows = pack("adx", high=high, low=low, close=close)
    high, low, close = rows.rows
    average, plus_di, minus_di = directional(high, low, true_ranges(high, low, close), rows.counts, n)
    return DirectionalMovement(rows.restore(average), rows.restore(plus_di), rows.restore(minus_di))
