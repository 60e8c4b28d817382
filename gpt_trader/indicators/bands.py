"""Channels around the price: highest and lowest, Donchian, Bollinger, Keltner."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from gpt_trader.indicator_memo import memoised
from gpt_trader.indicators.across_kernels import extreme_across, moments_across
from gpt_trader.indicators.column_blocks import in_blocks
from gpt_trader.indicators.order_kernels import window_extreme
from gpt_trader.indicators.panels import across
from gpt_trader.indicators.recursion_kernels import smooth, true_ranges
from gpt_trader.indicators.rows import Array, number, pack, period
from gpt_trader.indicators.window_kernels import window_moments


class Bands(NamedTuple):
    """A channel: `upper`, `middle` and `lower` line, each (T,) or (T, N) in the unit of the price."""

    upper: Array
    middle: Array
    lower: Array


def _highest_across(values: Array, n: int) -> Array:
    return extreme_across(values, period("highest", "n", n), 1.0)


def _lowest_across(values: Array, n: int) -> Array:
    return extreme_across(values, period("lowest", "n", n), -1.0)


def _bollinger_across(values: Array, n: int = 20, width: float = 2.0) -> Bands:
    n, width = period("bollinger", "n", n), number("bollinger", "width", width)
    middle, reach = moments_across(values, n, 0)
    reach *= width
    upper = middle + reach
    return Bands(upper, middle, np.subtract(middle, reach, out=reach))


@memoised
@across(_highest_across)
@in_blocks
def highest(values: Array, n: int) -> Array:
    """The highest value of the last n present bars, the current one included.

    values: (T,) or (T, N), any unit; the result has the same shape and unit. Warm-up n - 1 bars.
    Raises BadParameter for n < 1, n not whole, a wrong shape.
    """
    n = period("highest", "n", n)
    rows = pack("highest", values=values)
    return rows.restore(window_extreme(rows.rows[0], rows.counts, 0, n, 1.0))


@memoised
@across(_lowest_across)
@in_blocks
def lowest(values: Array, n: int) -> Array:
    """The lowest value of the last n present bars, the current one included.

    values: (T,) or (T, N), any unit; the result has the same shape and unit. Warm-up n - 1 bars.
    Raises BadParameter for n < 1, n not whole, a wrong shape.
    """
    n = period("lowest", "n", n)
    rows = pack("lowest", values=values)
    return rows.restore(window_extreme(rows.rows[0], rows.counts, 0, n, -1.0))


@memoised
@in_blocks
def donchian(high: Array, low: Array, n: int = 20) -> Bands:
    """Donchian channel: highest high and lowest low of the last n present bars, and the mean of the two.

    The CURRENT bar is included, so the price never leaves this channel. A breakout is measured against the
    channel of the bars before: `close > shift(donchian(high, low, n).upper, 1)`.
    high, low: (T,) or (T, N) prices; results have the same shape and unit. Warm-up n - 1 bars.
    Raises BadParameter for n < 1, n not whole, shapes that differ.
    Source: Donchian (1960), High Finance in Copper, Financial Analysts Journal 16(6) (the four-week rule).
    """
    n = period("donchian", "n", n)
    rows = pack("donchian", high=high, low=low)
    upper = window_extreme(rows.rows[0], rows.counts, 0, n, 1.0)
    lower = window_extreme(rows.rows[1], rows.counts, 0, n, -1.0)
    return Bands(rows.restore(upper), rows.restore(lower + 0.5 * (upper - lower)), rows.restore(lower))


@memoised
@across(_bollinger_across)
@in_blocks
def bollinger(values: Array, n: int = 20, width: float = 2.0) -> Bands:
    """Bollinger bands: the mean of the last n present bars, plus and minus `width` standard deviations.

    middle = sma(x, n);  upper, lower = middle +- width sqrt(sum((x - middle)^2) / n)

    values: (T,) or (T, N), any unit; results have the same shape and unit. Warm-up n - 1 bars.
    Raises BadParameter for n < 1, n not whole, width < 0 or not finite, a wrong shape.
    Source: Bollinger (2001), Bollinger on Bollinger Bands, with the population deviation as he and
    TA-Lib use it.
    """
    n, width = period("bollinger", "n", n), number("bollinger", "width", width)
    rows = pack("bollinger", values=values)
    middle, deviation = window_moments(rows.rows[0], rows.counts, 0, n, 0)
    reach = width * deviation
    return Bands(rows.restore(middle + reach), rows.restore(middle), rows.restore(middle - reach))


@memoised
@in_blocks
def keltner(high: Array, low: Array, close: Array, n: int = 20, atr_n: int = 10, width: float = 2.0) -> Bands:
    """Keltner channel: the EMA of the close, plus and minus `width` average true ranges.

    middle = ema(close, n);  upper, lower = middle +- width atr(high, low, close, atr_n)

    high, low, close: (T,) or (T, N) prices; results have the same shape and unit. Warm-up n - 1 bars for the
    middle, max(n - 1, atr_n) for the bands.
    Raises BadParameter for periods < 1 or not whole, width < 0 or not finite, shapes that differ.
    Source: Keltner (1960), How to Make Money in Commodities; in Raschke's form with EMA and ATR.
    """
    n, atr_n = period("keltner", "n", n), period("keltner", "atr_n", atr_n)
    width = number("keltner", "width", width)
    rows = pack("keltner", high=high, low=low, close=close)
    middle = smooth(rows.rows[2], rows.counts, 0, n, 2.0 / (n + 1))
    reach = width * smooth(true_ranges(*rows.rows), rows.counts, 1, atr_n, 1.0 / atr_n)
    return Bands(rows.restore(middle + reach), rows.restore(middle), rows.restore(middle - reach))
