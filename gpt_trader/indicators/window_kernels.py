"""Kernels for sums over a sliding window of n bars, free of drift and of anything before the window.

Method. The present bars are cut into blocks of n. A window of n bars that ends inside a block is a suffix of
the block before plus a prefix of this one, so suffix sums (built once when a block is complete) and one
running prefix sum give every window in two additions a bar, whatever n is; the scheme of van Herk (1992) and
of Gil and Werman (1993), used here for sums. Unlike the running sum `+= new - old` nothing is ever
subtracted: no drift over a long history, no trace of a spike or an infinity after it has left the window, and
the same result to rounding wherever the history begins.

All values enter as differences from a `centre`, a bar that lies inside every window it serves (the last bar
of the block before; for the window that is a whole block, its own last bar): the shifted-data algorithm of
Chan, Golub and LeVeque (1983), The American Statistician 37(3), which keeps variances of prices accurate, and
makes the mean of a constant window that constant and its variance zero, exactly.

Every kernel takes rows (N, T), the number of present bars in each row, the index `start` of the first usable
bar and the window n, and returns NaN up to index start + n - 2 and beyond the present bars.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gpt_trader.indicators.kernel_types import COUNTS, RESULT, RESULTS, ROWS, WHOLE
from gpt_trader.lazy_kernels import declared

Array = NDArray[np.float64]
Counts = NDArray[np.int64]


@declared(RESULT(ROWS, COUNTS, WHOLE, WHOLE), error_model="numpy")
def window_mean(rows: Array, counts: Counts, start: int, n: int) -> Array:
    """The mean of each window."""
    symbols, length = rows.shape
    result = np.empty((symbols, length))
    sums = np.empty((2, min(n, length) + 1))
    scale = 1.0 / n
    for symbol in range(symbols):
        x, y, end = rows[symbol], result[symbol], counts[symbol]
        y[:start] = np.nan
        sums[0] = np.nan  # no block before the first: its windows are not full
        centre, begin, turn = 0.0, start, 0
        while begin + n <= end:
            block, out = x[begin : begin + n], y[begin : begin + n]
            suffix, following = sums[turn], sums[1 - turn]
            last = block[n - 1]
            prefix = added = 0.0
            for i in range(n - 1):  # two sums that do not wait for each other
                prefix += block[i] - centre
                out[i] = centre + (suffix[i + 1] + prefix) * scale
                added += block[n - 1 - i] - last
                following[n - 1 - i] = added
            added += block[0] - last
            following[0] = added
            out[n - 1] = last + added * scale
            centre, turn = last, 1 - turn
            begin += n
        suffix, prefix = sums[turn], 0.0
        for i in range(end - begin):
            prefix += x[begin + i] - centre
            y[begin + i] = centre + (suffix[i + 1] + prefix) * scale
        y[end:] = np.nan
    return result


@declared(RESULT(ROWS, COUNTS, WHOLE, WHOLE), error_model="numpy")
def window_weighted_mean(rows: Array, counts: Counts, start: int, n: int) -> Array:
    """The mean of each window with weights 1, 2, ..., n from the oldest bar to the newest.

    With `lean` the sum of (index - block begin) x value, a window that ends at block index i sums to
    lean + (n - i) x sum; the whole block, seen from the begin of the next, has i = -1.
    """
    symbols, length = rows.shape
    result = np.empty((symbols, length))
    suffix, suffix_lean = np.empty(min(n, length) + 1), np.empty(min(n, length) + 1)
    scale = 1.0 / (0.5 * n * (n + 1))
    for symbol in range(symbols):
        x, y, end = rows[symbol], result[symbol], counts[symbol]
        y[:start] = np.nan
        suffix[:] = np.nan
        centre, begin = 0.0, start
        while begin < end:
            prefix, lean = 0.0, 0.0
            for i in range(min(n - 1, end - begin)):
                prefix += x[begin + i] - centre
                lean += i * (x[begin + i] - centre)
                total = suffix_lean[i + 1] + lean + (n - i) * (suffix[i + 1] + prefix)
                y[begin + i] = centre + total * scale
            if begin + n <= end:
                centre = x[begin + n - 1]
                prefix, lean = 0.0, 0.0
                for i in range(n - 1, -1, -1):
                    prefix += x[begin + i] - centre
                    lean += (i - n) * (x[begin + i] - centre)
                    suffix[i] = prefix
                    suffix_lean[i] = lean
                y[begin + n - 1] = centre + (lean + (n + 1) * prefix) * scale
            begin += n
        y[end:] = np.nan
    return result


@declared(RESULTS(ROWS, COUNTS, WHOLE, WHOLE, WHOLE), error_model="numpy")
def window_moments(rows: Array, counts: Counts, start: int, n: int, ddof: int) -> Array:
    """The mean and the standard deviation, with divisor n - ddof, of each window: shape (2, N, T)."""
    symbols, length = rows.shape
    result = np.empty((2, symbols, length))
    suffix, suffix_square = np.empty(min(n, length) + 1), np.empty(min(n, length) + 1)
    scale, divisor = 1.0 / n, 1.0 / (n - ddof)
    for symbol in range(symbols):
        x, mean, deviation, end = rows[symbol], result[0, symbol], result[1, symbol], counts[symbol]
        mean[:start] = np.nan
        deviation[:start] = np.nan
        suffix[:] = np.nan
        centre, begin = 0.0, start
        while begin < end:
            total, square = 0.0, 0.0
            for i in range(min(n - 1, end - begin)):
                away = x[begin + i] - centre
                total += away
                square += away * away
                both = suffix[i + 1] + total
                variance = (suffix_square[i + 1] + square - both * both * scale) * divisor
                mean[begin + i] = centre + both * scale
                deviation[begin + i] = 0.0 if variance < 0.0 else np.sqrt(variance)
            if begin + n <= end:
                centre = x[begin + n - 1]
                total, square = 0.0, 0.0
                for i in range(n - 1, -1, -1):
                    away = x[begin + i] - centre
                    total += away
                    square += away * away
                    suffix[i] = total
                    suffix_square[i] = square
                variance = (square - total * total * scale) * divisor
                mean[begin + n - 1] = centre + total * scale
                deviation[begin + n - 1] = 0.0 if variance < 0.0 else np.sqrt(variance)
            begin += n
        mean[end:] = np.nan
        deviation[end:] = np.nan
    return result


@declared(RESULTS(ROWS, ROWS, COUNTS, WHOLE, WHOLE), error_model="numpy")
def window_comoments(rows: Array, others: Array, counts: Counts, start: int, n: int) -> Array:
    """In each window the sums of squared deviations of x and of y and of their products: shape (3, N, T)."""
    symbols, length = rows.shape
    result = np.empty((3, symbols, length))
    suffix = np.empty((min(n, length) + 1, 5))
    for symbol in range(symbols):
        x, y, out, end = rows[symbol], others[symbol], result[:, symbol], counts[symbol]
        out[:, :start] = np.nan
        suffix[:] = np.nan
        centre_x, centre_y, begin = 0.0, 0.0, start
        while begin < end:
            sum_x, sum_y, sum_xx, sum_yy, sum_xy = 0.0, 0.0, 0.0, 0.0, 0.0
            for i in range(min(n - 1, end - begin)):
                a, b, rest = x[begin + i] - centre_x, y[begin + i] - centre_y, suffix[i + 1]
                sum_x, sum_y = sum_x + a, sum_y + b
                sum_xx, sum_yy, sum_xy = sum_xx + a * a, sum_yy + b * b, sum_xy + a * b
                mean_x, mean_y = (rest[0] + sum_x) / n, (rest[1] + sum_y) / n
                squares_x = rest[2] + sum_xx - n * mean_x * mean_x
                squares_y = rest[3] + sum_yy - n * mean_y * mean_y
                out[0, begin + i] = 0.0 if squares_x < 0.0 else squares_x
                out[1, begin + i] = 0.0 if squares_y < 0.0 else squares_y
                out[2, begin + i] = rest[4] + sum_xy - n * mean_x * mean_y
            if begin + n <= end:
                last = begin + n - 1
                centre_x, centre_y = x[last], y[last]
                sum_x, sum_y, sum_xx, sum_yy, sum_xy = 0.0, 0.0, 0.0, 0.0, 0.0
                for i in range(n - 1, -1, -1):
                    a, b, rest = x[begin + i] - centre_x, y[begin + i] - centre_y, suffix[i]
                    sum_x, sum_y = sum_x + a, sum_y + b
                    sum_xx, sum_yy, sum_xy = sum_xx + a * a, sum_yy + b * b, sum_xy + a * b
                    rest[0], rest[1], rest[2], rest[3], rest[4] = sum_x, sum_y, sum_xx, sum_yy, sum_xy
                squares_x, squares_y = sum_xx - sum_x * sum_x / n, sum_yy - sum_y * sum_y / n
                out[0, last] = 0.0 if squares_x < 0.0 else squares_x
                out[1, last] = 0.0 if squares_y < 0.0 else squares_y
                out[2, last] = sum_xy - sum_x * sum_y / n
            begin += n
        out[:, end:] = np.nan
    return result
