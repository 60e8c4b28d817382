"""Kernels for indicators that carry a state from bar to bar: smoothing, RSI and sums anchored to a session.

Every kernel takes rows (N, T) and the number of present bars in each row; values before the first defined one
and beyond the present bars are NaN.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gpt_trader.indicators.kernel_types import COUNTS, REAL, RESULT, RESULTS, ROWS, WHOLE
from gpt_trader.lazy_kernels import declared

Array = NDArray[np.float64]
Counts = NDArray[np.int64]


@declared(RESULT(ROWS, COUNTS, WHOLE, WHOLE, REAL), error_model="numpy")
def smooth(rows: Array, counts: Counts, start: int, n: int, alpha: float) -> Array:
    """s += alpha x (value - s), seeded at index start + n - 1 with the mean of the first n values."""
    symbols, length = rows.shape
    result = np.empty((symbols, length))
    for symbol in range(symbols):
        x, y, end = rows[symbol], result[symbol], counts[symbol]
        if start + n > end:
            y[:] = np.nan
            continue
        first = start + n - 1
        y[:first] = np.nan
        away = 0.0
        for i in range(start, first + 1):
            away += x[i] - x[start]
        state = x[start] + away / n
        y[first] = state
        for i in range(first + 1, end):
            state += alpha * (x[i] - state)
            y[i] = state
        y[end:] = np.nan
    return result


@declared(RESULT(ROWS, COUNTS, WHOLE), error_model="numpy")
def relative_strength(rows: Array, counts: Counts, n: int) -> Array:
    """100 x average gain / (average gain + average loss) from index n; 50 while nothing has moved."""
    symbols, length = rows.shape
    result = np.empty((symbols, length))
    alpha = 1.0 / n
    for symbol in range(symbols):
        x, y, end = rows[symbol], result[symbol], counts[symbol]
        y[:n] = np.nan
        gain, loss = 0.0, 0.0
        for i in range(1, min(n, end - 1) + 1):
            change = x[i] - x[i - 1]
            gain += max(change, 0.0) * alpha
            loss += max(-change, 0.0) * alpha
        for i in range(n, end):
            if i > n:
                change = x[i] - x[i - 1]
                gain += (max(change, 0.0) - gain) * alpha
                loss += (max(-change, 0.0) - loss) * alpha
            moved = gain + loss
            y[i] = 100.0 * (gain / moved) if moved != 0.0 else 50.0
        y[end:] = np.nan
    return result


@declared(RESULT(ROWS, ROWS, ROWS), error_model="numpy")
def true_ranges(high: Array, low: Array, close: Array) -> Array:
    """The higher of high and previous close, less the lower of low and previous close; NaN at index 0."""
    symbols, length = high.shape
    result = np.empty((symbols, length))
    for symbol in range(symbols):
        result[symbol, :1] = np.nan
        for i in range(1, length):
            before = close[symbol, i - 1]
            result[symbol, i] = max(high[symbol, i], before) - min(low[symbol, i], before)
    return result


@declared(RESULTS(ROWS, ROWS, ROWS, COUNTS, WHOLE), error_model="numpy")
def directional(high: Array, low: Array, ranges: Array, counts: Counts, n: int) -> Array:
    """ADX, +DI and -DI from `ranges`, the true ranges: shape (3, N, T). An average range of 0 makes the DIs 0."""
    symbols, length = high.shape
    result = np.full((3, symbols, length), np.nan)
    alpha = 1.0 / n
    for symbol in range(symbols):
        plus, minus, spread, average = 0.0, 0.0, 0.0, 0.0
        for i in range(1, counts[symbol]):
            up = high[symbol, i] - high[symbol, i - 1]
            down = low[symbol, i - 1] - low[symbol, i]
            plus_move = up if up > down and up > 0.0 else 0.0
            minus_move = down if down > up and down > 0.0 else 0.0
            fade = alpha if i > n else 0.0  # until index n the mean of n values is being built
            plus += alpha * plus_move - fade * plus
            minus += alpha * minus_move - fade * minus
            spread += alpha * ranges[symbol, i] - fade * spread
            if i < n:
                continue
            plus_di = 100.0 * plus / spread if spread > 0.0 else 0.0
            minus_di = 100.0 * minus / spread if spread > 0.0 else 0.0
            total = plus_di + minus_di
            index = 100.0 * abs(plus_di - minus_di) / total if total > 0.0 else 0.0
            average += alpha * index - (alpha * average if i > 2 * n - 1 else 0.0)
            result[1, symbol, i], result[2, symbol, i] = plus_di, minus_di
            if i >= 2 * n - 1:
                result[0, symbol, i] = average
    return result


@declared(RESULT(ROWS, ROWS, ROWS, COUNTS), error_model="numpy")
def anchored_mean(rows: Array, weights: Array, groups: Array, counts: Counts) -> Array:
    """The weighted mean of the values since the group last changed; NaN while the weights sum to zero."""
    symbols, length = rows.shape
    result = np.empty((symbols, length))
    for symbol in range(symbols):
        x, y, end = rows[symbol], result[symbol], counts[symbol]
        centre, total, away = 0.0, 0.0, 0.0
        for i in range(end):
            if i == 0 or groups[symbol, i] != groups[symbol, i - 1]:
                centre, total, away = x[i], 0.0, 0.0
            total += weights[symbol, i]
            away += weights[symbol, i] * (x[i] - centre)
            y[i] = centre + away / total if total != 0.0 else np.nan
        y[end:] = np.nan
    return result
