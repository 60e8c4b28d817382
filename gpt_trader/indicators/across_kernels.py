"""Kernels for complete panels: all symbols of a bar at once, in the order in which a panel lies in memory.

Each does for every column what its namesake of `window_kernels` and `recursion_kernels` does for a row, with the same operations
in the same order, so the results have the same bits. Nothing is moved from columns to rows and back, and the inner loop over
symbols becomes vector instructions. They take arrays (T, N) without a missing value, and go through wide ones `BESIDE` columns at a
time, so that their state stays in the processor's cache.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gpt_trader.indicators.kernel_types import REAL, RESULT, RESULTS, ROWS, WHOLE
from gpt_trader.lazy_kernels import declared

Array = NDArray[np.float64]

BESIDE = 128


@declared(RESULT(ROWS, WHOLE), error_model="numpy")
def mean_across(values: Array, n: int) -> Array:
    """`window_mean` of every column."""
    length, symbols = values.shape
    result = np.empty((length, symbols))
    width = min(BESIDE, symbols)
    suffix = np.empty((min(n, length) + 1, width))
    centre, prefix = np.empty(width), np.empty(width)
    scale = 1.0 / n
    for left in range(0, symbols, width):
        right = min(left + width, symbols)
        suffix[:] = np.nan
        centre[:] = 0.0
        begin = 0
        while begin < length:
            prefix[:] = 0.0
            for i in range(min(n - 1, length - begin)):
                x, y, rest = values[begin + i, left:right], result[begin + i, left:right], suffix[i + 1]
                for s in range(right - left):
                    prefix[s] += x[s] - centre[s]
                    y[s] = centre[s] + (rest[s] + prefix[s]) * scale
            if begin + n <= length:
                x, y = values[begin + n - 1, left:right], result[begin + n - 1, left:right]
                for s in range(right - left):
                    centre[s] = x[s]
                    prefix[s] = 0.0
                for i in range(n - 1, -1, -1):
                    x, rest = values[begin + i, left:right], suffix[i]
                    for s in range(right - left):
                        prefix[s] += x[s] - centre[s]
                        rest[s] = prefix[s]
                for s in range(right - left):
                    y[s] = centre[s] + prefix[s] * scale
            begin += n
    return result


@declared(RESULT(ROWS, WHOLE, REAL), error_model="numpy")
def smooth_across(values: Array, n: int, alpha: float) -> Array:
    """`smooth` of every column from its first bar on."""
    length, symbols = values.shape
    result = np.empty((length, symbols))
    width = min(BESIDE, symbols)
    state = np.empty(width)
    result[: n - 1] = np.nan
    if n > length:
        return result
    for left in range(0, symbols, width):
        right = min(left + width, symbols)
        begin, y = values[0, left:right], result[n - 1, left:right]
        state[:] = 0.0
        for t in range(n):
            x = values[t, left:right]
            for s in range(right - left):
                state[s] += x[s] - begin[s]
        for s in range(right - left):
            state[s] = begin[s] + state[s] / n
            y[s] = state[s]
        for t in range(n, length):
            x, y = values[t, left:right], result[t, left:right]
            for s in range(right - left):
                state[s] += alpha * (x[s] - state[s])
                y[s] = state[s]
    return result


@declared(RESULT(ROWS, ROWS, ROWS), error_model="numpy")
def true_ranges_across(high: Array, low: Array, close: Array) -> Array:
    """`true_ranges` of every column."""
    length, symbols = high.shape
    result = np.empty((length, symbols))
    result[:1] = np.nan
    for t in range(1, length):
        for s in range(symbols):
            before = close[t - 1, s]
            result[t, s] = max(high[t, s], before) - min(low[t, s], before)
    return result


@declared(RESULT(ROWS, ROWS, ROWS, WHOLE, REAL), error_model="numpy")
def mean_range_across(high: Array, low: Array, close: Array, n: int, alpha: float) -> Array:
    """`smooth` of the `true_ranges` of every column, from its second bar on."""
    length, symbols = high.shape
    result = np.empty((length, symbols))
    width = min(BESIDE, symbols)
    state, begin = np.empty(width), np.empty(width)
    result[:n] = np.nan
    if n + 1 > length:
        return result
    for left in range(0, symbols, width):
        right = min(left + width, symbols)
        state[:] = 0.0
        for t in range(1, length):
            top, bottom = high[t, left:right], low[t, left:right]
            last, y = close[t - 1, left:right], result[t, left:right]
            for s in range(right - left):
                value = max(top[s], last[s]) - min(bottom[s], last[s])
                if t == 1:
                    begin[s] = value
                if t <= n:
                    state[s] += value - begin[s]
                else:
                    state[s] += alpha * (value - state[s])
                    y[s] = state[s]
            if t == n:
                for s in range(right - left):
                    state[s] = begin[s] + state[s] / n
                    y[s] = state[s]
    return result


@declared(RESULT(ROWS, WHOLE, REAL), error_model="numpy")
def extreme_across(values: Array, n: int, sign: float) -> Array:
    """`window_extreme` of every column."""
    length, symbols = values.shape
    result = np.empty((length, symbols))
    width = min(BESIDE, symbols)
    suffix, prefix = np.empty((min(n, length) + 1, width)), np.empty(width)
    for left in range(0, symbols, width):
        right = min(left + width, symbols)
        suffix[:] = np.nan
        for begin in range(0, length, n):
            prefix[:] = -np.inf
            for i in range(min(n - 1, length - begin)):
                x, y, rest = values[begin + i, left:right], result[begin + i, left:right], suffix[i + 1]
                for s in range(right - left):
                    value = sign * x[s]
                    prefix[s] = value if value > prefix[s] else prefix[s]
                    y[s] = sign * (prefix[s] if prefix[s] > rest[s] else rest[s])
            if begin + n <= length:
                prefix[:] = -np.inf
                for i in range(n - 1, -1, -1):
                    x, rest = values[begin + i, left:right], suffix[i]
                    for s in range(right - left):
                        value = sign * x[s]
                        prefix[s] = value if value > prefix[s] else prefix[s]
                        rest[s] = prefix[s]
                y = result[begin + n - 1, left:right]
                for s in range(right - left):
                    y[s] = sign * prefix[s]
    return result


@declared(RESULTS(ROWS, WHOLE, WHOLE), error_model="numpy")
def moments_across(values: Array, n: int, ddof: int) -> Array:
    """`window_moments` of every column: shape (2, T, N)."""
    length, symbols = values.shape
    result = np.empty((2, length, symbols))
    width = min(BESIDE, symbols)
    suffix, suffix_square = np.empty((min(n, length) + 1, width)), np.empty((min(n, length) + 1, width))
    centre, total, square = np.empty(width), np.empty(width), np.empty(width)
    scale, divisor = 1.0 / n, 1.0 / (n - ddof)
    for left in range(0, symbols, width):
        right = min(left + width, symbols)
        suffix[:] = np.nan
        suffix_square[:] = np.nan
        centre[:] = 0.0
        begin = 0
        while begin < length:
            total[:] = 0.0
            square[:] = 0.0
            for i in range(min(n - 1, length - begin)):
                x, rest, rest_square = values[begin + i, left:right], suffix[i + 1], suffix_square[i + 1]
                mean, deviation = result[0, begin + i, left:right], result[1, begin + i, left:right]
                for s in range(right - left):
                    away = x[s] - centre[s]
                    total[s] += away
                    square[s] += away * away
                    both = rest[s] + total[s]
                    variance = (rest_square[s] + square[s] - both * both * scale) * divisor
                    mean[s] = centre[s] + both * scale
                    deviation[s] = 0.0 if variance < 0.0 else np.sqrt(variance)
            if begin + n <= length:
                x = values[begin + n - 1, left:right]
                for s in range(right - left):
                    centre[s] = x[s]
                total[:] = 0.0
                square[:] = 0.0
                for i in range(n - 1, -1, -1):
                    x, rest, rest_square = values[begin + i, left:right], suffix[i], suffix_square[i]
                    for s in range(right - left):
                        away = x[s] - centre[s]
                        total[s] += away
                        square[s] += away * away
                        rest[s] = total[s]
                        rest_square[s] = square[s]
                last = begin + n - 1
                mean, deviation = result[0, last, left:right], result[1, last, left:right]
                for s in range(right - left):
                    variance = (square[s] - total[s] * total[s] * scale) * divisor
                    mean[s] = centre[s] + total[s] * scale
                    deviation[s] = 0.0 if variance < 0.0 else np.sqrt(variance)
            begin += n
    return result


@declared(RESULT(ROWS, WHOLE), error_model="numpy")
def strength_across(values: Array, n: int) -> Array:
    """`relative_strength` of every column."""
    length, symbols = values.shape
    result = np.empty((length, symbols))
    width = min(BESIDE, symbols)
    gain, loss = np.empty(width), np.empty(width)
    alpha = 1.0 / n
    result[:n] = np.nan
    for left in range(0, symbols, width):
        right = min(left + width, symbols)
        gain[:] = 0.0
        loss[:] = 0.0
        for t in range(1, length):
            x, before, y = values[t, left:right], values[t - 1, left:right], result[t, left:right]
            if t <= n:
                for s in range(right - left):
                    change = x[s] - before[s]
                    gain[s] += max(change, 0.0) * alpha
                    loss[s] += max(-change, 0.0) * alpha
            else:
                for s in range(right - left):
                    change = x[s] - before[s]
                    gain[s] += (max(change, 0.0) - gain[s]) * alpha
                    loss[s] += (max(-change, 0.0) - loss[s]) * alpha
            if t >= n:
                for s in range(right - left):
                    moved = gain[s] + loss[s]
                    y[s] = 100.0 * (gain[s] / moved) if moved != 0.0 else 50.0
    return result
