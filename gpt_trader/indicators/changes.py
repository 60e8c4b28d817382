"""Comparison of a bar with earlier present bars: lags, returns and crossings."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gpt_trader.errors import BadParameter
from gpt_trader.indicator_memo import memoised
from gpt_trader.indicators.column_blocks import in_blocks
from gpt_trader.indicators.panels import across
from gpt_trader.indicators.rows import Array, lagged, pack, period, ratio, read_only


def _shift_across(values: Array, n: int = 1) -> Array:
    n = _lag(n)
    moved = np.empty(values.shape)
    moved[:n] = np.nan
    moved[n:] = values[: max(len(values) - n, 0)]
    return moved


@memoised
@across(_shift_across)
@in_blocks
def shift(values: Array, n: int = 1) -> Array:
    """The value of n present bars earlier: shift(x, 1) at bar t is x at the symbol's previous present bar.

    values: (T,) or (T, N), any unit; the result has the same shape and unit. Warm-up n bars.
    Example: the channel of the 55 bars BEFORE this one is `shift(highest(bars.high, 55), 1)`.
    Raises BadParameter for n < 0, which would read the future, n not whole, a wrong shape.
    """
    n = _lag(n)
    rows = pack("shift", values=values)
    return rows.restore(lagged(rows.rows[0], n))


def _lag(n: int) -> int:
    """How many bars are looked back. Raises BadParameter for a negative number."""
    try:
        return period("shift", "n", n, least=0)
    except BadParameter as error:
        raise BadParameter(f"{error} A negative shift would read the future.") from None


@memoised
@in_blocks
def returns(values: Array, n: int = 1, log: bool = False) -> Array:
    """Return over n present bars, as a fraction: x[t] / x[t - n] - 1, or its logarithm ln(x[t] / x[t - n]).

    values: (T,) or (T, N) prices; the result has the same shape and no unit (0.01 = 1 %). Warm-up n bars. NaN
    where the earlier price is zero, and for `log` where the ratio is not positive.
    Raises BadParameter for n < 1, n not whole, a wrong shape.
    Source: Campbell, Lo and MacKinlay (1997), The Econometrics of Financial Markets, section 1.4.
    """
    n = period("returns", "n", n)
    rows = pack("returns", values=values)
    growth = ratio(rows.rows[0], lagged(rows.rows[0], n))
    return rows.restore(log_of(growth) if log else growth - 1.0)


@memoised
@in_blocks
def roc(values: Array, n: int = 10) -> Array:
    """Rate of change over n present bars, in per cent: 100 (x[t] / x[t - n] - 1).

    values: (T,) or (T, N); the result has the same shape, in per cent. Warm-up n bars. NaN where the earlier
    value is zero.
    Raises BadParameter for n < 1, n not whole, a wrong shape. Source: Murphy (1999), ch. 10.
    """
    n = period("roc", "n", n)
    rows = pack("roc", values=values)
    return rows.restore(100.0 * (ratio(rows.rows[0], lagged(rows.rows[0], n)) - 1.0))


@memoised
@in_blocks
def momentum(values: Array, n: int = 10) -> Array:
    """Change over n present bars, in the unit of the values: x[t] - x[t - n].

    values: (T,) or (T, N); the result has the same shape and unit. Warm-up n bars.
    Raises BadParameter for n < 1, n not whole, a wrong shape. Source: Murphy (1999), ch. 10.
    """
    n = period("momentum", "n", n)
    rows = pack("momentum", values=values)
    return rows.restore(rows.rows[0] - lagged(rows.rows[0], n))


@memoised
@in_blocks
def crossover(values: Array, other: Array | float) -> NDArray[np.bool_]:
    """True where `values` rises above `other`: above it now, and not above it at the previous present bar.

    values: (T,) or (T, N); other: the same shape, or one number. Result: bool of the same shape, False during
    the warm-up of 1 bar and at missing bars. Raises BadParameter for a wrong shape.
    """
    return _crossed("crossover", values, other, 1.0)


@memoised
@in_blocks
def crossunder(values: Array, other: Array | float) -> NDArray[np.bool_]:
    """True where `values` falls below `other`: below it now, and not below it at the previous present bar.

    values: (T,) or (T, N); other: the same shape, or one number. Result: bool of the same shape, False during
    the warm-up of 1 bar and at missing bars. Raises BadParameter for a wrong shape.
    """
    return _crossed("crossunder", values, other, -1.0)


def log_of(growth: Array) -> Array:
    """Natural logarithm, NaN where the argument is not positive."""
    with np.errstate(all="ignore"):
        result: Array = np.log(np.where(growth > 0.0, growth, np.nan))
    return result


def _crossed(indicator: str, values: Array, other: Array | float, direction: float) -> NDArray[np.bool_]:
    level = np.full(np.shape(values), float(other)) if isinstance(other, int | float | np.number) else other
    rows = pack(indicator, values=values, other=level)
    first, second = rows.rows
    above = np.where(np.isnan(first), np.nan, direction * first > direction * second)
    crossed: NDArray[np.bool_] = rows.restore(np.where(lagged(above, 1) == 0.0, above, 0.0)) == 1.0
    return read_only(crossed)
