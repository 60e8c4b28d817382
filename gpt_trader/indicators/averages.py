"""Moving averages and the MACD, which is made of them."""

from __future__ import annotations

from typing import NamedTuple

from gpt_trader.errors import BadParameter
from gpt_trader.indicator_memo import memoised
from gpt_trader.indicators.across_kernels import mean_across, smooth_across
from gpt_trader.indicators.column_blocks import in_blocks
from gpt_trader.indicators.panels import across
from gpt_trader.indicators.recursion_kernels import smooth
from gpt_trader.indicators.rows import Array, pack, period
from gpt_trader.indicators.window_kernels import window_mean, window_weighted_mean


class Macd(NamedTuple):
    """`line` = fast EMA - slow EMA, `signal` = EMA of the line, `histogram` = line - signal."""

    line: Array
    signal: Array
    histogram: Array


def _sma_across(values: Array, n: int) -> Array:
    return mean_across(values, period("sma", "n", n))


def _ema_across(values: Array, n: int) -> Array:
    n = period("ema", "n", n)
    return smooth_across(values, n, 2.0 / (n + 1))


def _rma_across(values: Array, n: int) -> Array:
    n = period("rma", "n", n)
    return smooth_across(values, n, 1.0 / n)


@memoised
@across(_sma_across)
@in_blocks
def sma(values: Array, n: int) -> Array:
    """Simple moving average: the arithmetic mean of the last n present bars.

    sma[t] = (x[t] + ... + x[t - n + 1]) / n

    values: (T,) or (T, N), any unit; the result has the same shape and unit. Warm-up n - 1 bars. The mean of
    a window of equal values is exactly that value. Raises BadParameter for n < 1, n not whole, a wrong shape.
    Source: Murphy (1999), Technical Analysis of the Financial Markets, ch. 9.
    """
    n = period("sma", "n", n)
    rows = pack("sma", values=values)
    return rows.restore(window_mean(rows.rows[0], rows.counts, 0, n))


@memoised
@across(_ema_across)
@in_blocks
def ema(values: Array, n: int) -> Array:
    """Exponential moving average with alpha = 2 / (n + 1), seeded with the mean of the first n present bars.

    ema[n - 1] = sma(n)[n - 1];  ema[t] = ema[t - 1] + alpha (x[t] - ema[t - 1])

    values: (T,) or (T, N), any unit; the result has the same shape and unit. Warm-up n - 1 bars; the seed's
    weight falls by (n - 1) / (n + 1) a bar, to 2e-9 after 10 n bars. Raises BadParameter for n < 1, n not
    whole, a wrong shape.
    Source: Appel (2005), Technical Analysis: Power Tools for Active Investors; seeding as in TA-Lib.
    """
    n = period("ema", "n", n)
    rows = pack("ema", values=values)
    return rows.restore(smooth(rows.rows[0], rows.counts, 0, n, 2.0 / (n + 1)))


@memoised
@in_blocks
def wma(values: Array, n: int) -> Array:
    """Linearly weighted moving average: weight n for the newest present bar, 1 for the oldest of n.

    wma[t] = (n x[t] + (n - 1) x[t - 1] + ... + x[t - n + 1]) / (n (n + 1) / 2)

    values: (T,) or (T, N), any unit; the result has the same shape and unit. Warm-up n - 1 bars.
    Raises BadParameter for n < 1, n not whole, a wrong shape. Source: Murphy (1999), ch. 9.
    """
    n = period("wma", "n", n)
    rows = pack("wma", values=values)
    return rows.restore(window_weighted_mean(rows.rows[0], rows.counts, 0, n))


@memoised
@across(_rma_across)
@in_blocks
def rma(values: Array, n: int) -> Array:
    """Wilder's moving average: exponential with alpha = 1 / n, seeded with the mean of n present bars.

    rma[n - 1] = sma(n)[n - 1];  rma[t] = rma[t - 1] + (x[t] - rma[t - 1]) / n

    values: (T,) or (T, N), any unit; the result has the same shape and unit. Warm-up n - 1 bars; the seed's
    weight falls by (n - 1) / n a bar, to 2e-9 after 20 n bars. Raises BadParameter for n < 1, n not whole, a
    wrong shape.
    Source: Wilder (1978), New Concepts in Technical Trading Systems, the smoothing of section III (average
    true range).
    """
    n = period("rma", "n", n)
    rows = pack("rma", values=values)
    return rows.restore(smooth(rows.rows[0], rows.counts, 0, n, 1.0 / n))


@memoised
@in_blocks
def macd(values: Array, fast: int = 12, slow: int = 26, signal: int = 9) -> Macd:
    """Moving average convergence divergence: the distance between two EMAs, and the EMA of that distance.

    line = ema(x, fast) - ema(x, slow);  signal = ema(line, signal);  histogram = line - signal

    values: (T,) or (T, N), any unit; results have the same shape and unit. Warm-up slow - 1 bars for the
    line, slow + signal - 2 for the others. The fast EMA starts as soon as it can; TA-Lib delays it to start
    with the slow one, which differs by less than 1e-6 of the price after about 7 x fast bars.
    Raises BadParameter for periods < 1 or not whole, fast >= slow, a wrong shape.
    Source: Appel (1979), The Moving Average Convergence-Divergence Method; histogram: Aspray (1986).
    """
    fast, slow = period("macd", "fast", fast), period("macd", "slow", slow)
    signal = period("macd", "signal", signal)
    if fast >= slow:
        raise BadParameter(f"macd: fast must be shorter than slow; got fast {fast}, slow {slow}.")
    rows = pack("macd", values=values)
    (x,), counts = rows.rows, rows.counts
    line = smooth(x, counts, 0, fast, 2.0 / (fast + 1)) - smooth(x, counts, 0, slow, 2.0 / (slow + 1))
    average = smooth(line, counts, slow - 1, signal, 2.0 / (signal + 1))
    return Macd(rows.restore(line), rows.restore(average), rows.restore(line - average))
