"""Kernels for the order statistics of a sliding window: extremes, quantiles and ranks.

Every kernel takes rows (N, T), the number of present bars in each row, the index `start` of the first usable
bar and the window n, and returns NaN up to index start + n - 2 and beyond the present bars.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gpt_trader.indicators.kernel_types import COUNTS, REAL, RESULT, RESULTS, ROWS, WHOLE
from gpt_trader.lazy_kernels import declared

Array = NDArray[np.float64]
Counts = NDArray[np.int64]


@declared(RESULT(ROWS, COUNTS, WHOLE, WHOLE, REAL), error_model="numpy")
def window_extreme(rows: Array, counts: Counts, start: int, n: int, sign: float) -> Array:
    """The highest (`sign` 1) or lowest (-1) value of each window, in three comparisons a bar for any n.

    Blocks of n with suffix and prefix maxima: van Herk (1992), Pattern Recognition Letters 13(7), p. 517; Gil
    and Werman (1993), IEEE Trans. Pattern Analysis and Machine Intelligence 15(5), p. 504.
    """
    symbols, length = rows.shape
    result = np.empty((symbols, length))
    suffix = np.empty(min(n, length) + 1)
    for symbol in range(symbols):
        x, y, end = rows[symbol], result[symbol], counts[symbol]
        y[:start] = np.nan
        suffix[:] = np.nan  # no block before the first: its windows are not full
        for begin in range(start, end, n):
            prefix = -np.inf
            for i in range(min(n - 1, end - begin)):
                value = sign * x[begin + i]
                prefix = value if value > prefix else prefix
                y[begin + i] = sign * (prefix if prefix > suffix[i + 1] else suffix[i + 1])
            if begin + n <= end:
                prefix = -np.inf
                for i in range(n - 1, -1, -1):
                    value = sign * x[begin + i]
                    prefix = value if value > prefix else prefix
                    suffix[i] = prefix
                y[begin + n - 1] = sign * prefix
        y[end:] = np.nan
    return result


@declared(RESULTS(ROWS, COUNTS, WHOLE, WHOLE, REAL), error_model="numpy")
def window_order(rows: Array, counts: Counts, start: int, n: int, q: float) -> Array:
    """The q-quantile of each window and the rank 1..n of its newest value, ties averaged: shape (2, N, T).

    The window is kept sorted; a new bar takes the place of the one that leaves and moves to where it belongs.
    """
    symbols, length = rows.shape
    result = np.full((2, symbols, length), np.nan)
    window = np.empty(min(n, length) + 1)
    place = (n - 1) * q
    below = int(place)
    above, share = min(below + 1, n - 1), place - below
    for symbol in range(symbols):
        x = rows[symbol]
        for i in range(start, counts[symbol]):
            size = min(i - start + 1, n)
            value = x[i]
            at = size - 1
            if i - start >= n:
                at = np.searchsorted(window[:n], x[i - n])
            while at > 0 and window[at - 1] > value:
                window[at] = window[at - 1]
                at -= 1
            while at < size - 1 and window[at + 1] < value:
                window[at] = window[at + 1]
                at += 1
            window[at] = value
            if size < n:
                continue
            first, last = at, at
            while first > 0 and window[first - 1] == value:
                first -= 1
            while last < n - 1 and window[last + 1] == value:
                last += 1
            low, high = window[below], window[above]
            result[0, symbol, i] = low if low == high else low + share * (high - low)
            result[1, symbol, i] = 0.5 * (first + last) + 1.0
    return result
