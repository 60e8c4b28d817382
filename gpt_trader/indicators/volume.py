"""Indicators that weigh the price by the volume traded."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gpt_trader.errors import BadParameter
from gpt_trader.indicator_memo import memoised
from gpt_trader.indicators.column_blocks import in_blocks
from gpt_trader.indicators.recursion_kernels import anchored_mean
from gpt_trader.indicators.rows import Array, lagged, pack, period, ratio
from gpt_trader.indicators.window_kernels import window_mean


@memoised
@in_blocks
def obv(close: Array, volume: Array) -> Array:
    """On-balance volume: the running sum of volume, added on a higher close, subtracted on a lower one.

    obv[0] = volume[0];  obv[t] = obv[t - 1] + sign(close[t] - close[t - 1]) volume[t]

    close, volume: (T,) or (T, N); the result has the same shape, in the unit of the volume. No warm-up. The
    LEVEL depends on where the history begins; only differences and slopes mean something. Raises BadParameter
    for shapes that differ.
    Source: Granville (1963), Granville's New Key to Stock Market Profits; starting value as in TA-Lib.
    """
    rows = pack("obv", close=close, volume=volume)
    price, traded = rows.rows
    flow = np.sign(price - lagged(price, 1)) * traded
    flow[:, :1] = traded[:, :1]
    return rows.restore(np.cumsum(flow, axis=1))


@memoised
@in_blocks
def vwap(high: Array, low: Array, close: Array, volume: Array, session: NDArray[np.generic]) -> Array:
    """Volume-weighted average price since the start of the session.

    vwap[t] = sum(p v) / sum(v) over the session's present bars up to t, with p = (high + low + close) / 3

    high, low, close, volume: (T,) or (T, N); session: (T,) of any type that compares, such as session dates;
    a new session begins wherever it differs from the row before. The result has the shape and unit of the
    prices. No warm-up; NaN until the session's first trade (volume above zero).
    Raises BadParameter for shapes that differ, a session of another length or with undefined values (NaN,
    NaT).
    Source: Berkowitz, Logue and Noser (1988), The Total Cost of Transactions on the NYSE, Journal of Finance
    43(1).
    """
    session = np.asarray(session)
    length = np.shape(high)[:1]
    if session.shape != length:
        raise BadParameter(f"vwap: session must have shape (T,) = {length}; got {session.shape}.")
    if np.any(session != session):
        raise BadParameter("vwap: session holds undefined values (NaN or NaT); give every row a session.")
    number = np.zeros(length)
    np.cumsum(session[1:] != session[:-1], out=number[1:])
    group = np.broadcast_to(number.reshape((-1,) + (1,) * (np.ndim(high) - 1)), np.shape(high))
    rows = pack("vwap", high=high, low=low, close=close, volume=volume, session=group)
    top, bottom, last, traded, groups = rows.rows
    return rows.restore(anchored_mean((top + bottom + last) / 3.0, traded, groups, rows.counts))


@memoised
@in_blocks
def rolling_vwap(high: Array, low: Array, close: Array, volume: Array, n: int) -> Array:
    """Volume-weighted average price of the last n present bars.

    sum(p v) / sum(v) over n bars, with p = (high + low + close) / 3

    high, low, close, volume: (T,) or (T, N); the result has the shape and unit of the prices. Warm-up n - 1
    bars. NaN where nothing was traded in the window. Raises BadParameter for n < 1, n not whole, shapes that
    differ.
    Source: as `vwap`.
    """
    n = period("rolling_vwap", "n", n)
    rows = pack("rolling_vwap", high=high, low=low, close=close, volume=volume)
    top, bottom, last, traded = rows.rows
    money = window_mean((top + bottom + last) / 3.0 * traded, rows.counts, 0, n)
    return rows.restore(ratio(money, window_mean(traded, rows.counts, 0, n)))
