"""The bare limit: each workload as one hand-written compiled loop that knows nothing else, and the reference for all others.

A loop computes the averages as running sums, trades, keeps the equity curve and takes from it what every report begins
with (return, mean and deviation of returns, deepest drawdown). No logs, no checks, no options.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from benchmarks.definitions import (
    CAPITAL,
    COMMISSION,
    LIMIT_BELOW,
    LOOKBACK,
    SHARES,
    SHARES_EACH,
    STOP_ABOVE,
    STOP_LOSS,
    TARGET_GAIN,
    TOP,
    WEIGHT,
)

Floats = NDArray[np.float64]
NAN = np.nan


@njit(cache=True, error_model="numpy")
def curve_numbers(equity: Floats, capital: float, out: Floats) -> None:
    """Total return, mean and deviation of returns, deepest drawdown of an equity curve, into `out` (4,)."""
    total = squares = 0.0
    before = peak = capital
    deepest = 0.0
    for value in equity:
        change = value / before - 1.0
        total += change
        squares += change * change
        peak = max(peak, value)
        deepest = min(deepest, value / peak - 1.0)
        before = value
    count = equity.shape[0]
    mean = total / count
    out[0] = before / capital - 1.0
    out[1] = mean
    out[2] = np.sqrt(max(squares / count - mean * mean, 0.0))
    out[3] = deepest


@njit(cache=True, error_model="numpy")
def two_averages(
    opened: Floats, close: Floats, fast: int, slow: int, equity: Floats, out: Floats
) -> tuple[int, float]:
    """W1: hold SHARES while the mean of `fast` closes is above that of `slow`; returns (round trips, final equity)."""
    cash, held = CAPITAL, 0.0
    round_trips = 0
    fast_sum = slow_sum = 0.0
    wanted = 0.0
    for t in range(close.shape[0]):
        if wanted != held:
            change = wanted - held
            cash -= change * opened[t] + abs(change) * opened[t] * COMMISSION
            round_trips += wanted == 0.0
            held = wanted
        price = close[t]
        fast_sum += price
        slow_sum += price
        if t >= fast:
            fast_sum -= close[t - fast]
        if t >= slow:
            slow_sum -= close[t - slow]
        wanted = SHARES if t >= slow - 1 and fast_sum * slow > slow_sum * fast else 0.0
        equity[t] = cash + held * price
    curve_numbers(equity, CAPITAL, out)
    return round_trips, equity[-1]


@njit(cache=True, error_model="numpy")
def many_averages(
    opened: Floats, close: Floats, pairs: NDArray[np.int64], finals: Floats, out: Floats
) -> int:
    """W2: W1 for each (fast, slow) of `pairs` (P, 2); final equities into `finals` (P,); returns all round trips."""
    equity = np.empty(close.shape[0])
    round_trips = 0
    for p in range(pairs.shape[0]):
        count, finals[p] = two_averages(opened, close, pairs[p, 0], pairs[p, 1], equity, out)
        round_trips += count
    return round_trips


@njit(cache=True, error_model="numpy")
def wide_averages(
    opened: Floats, close: Floats, pairs: NDArray[np.int64], finals: Floats, out: Floats
) -> int:
    """W6: SHARES_EACH of every symbol whose mean of `fast` closes is above that of `slow`, in one account, for each (fast, slow)
    of `pairs` (P, 2); final equities into `finals` (P,); returns all round trips."""
    bars, symbols = close.shape
    equity = np.empty(bars)
    held, wanted = np.empty(symbols), np.empty(symbols)
    fast_sum, slow_sum = np.empty(symbols), np.empty(symbols)
    round_trips = 0
    for p in range(pairs.shape[0]):
        fast, slow = pairs[p]
        cash = CAPITAL
        held[:] = 0.0
        wanted[:] = 0.0
        fast_sum[:] = 0.0
        slow_sum[:] = 0.0
        for t in range(bars):
            value = 0.0
            for n in range(symbols):
                if wanted[n] != held[n]:
                    change = wanted[n] - held[n]
                    cash -= change * opened[t, n] + abs(change) * opened[t, n] * COMMISSION
                    round_trips += wanted[n] == 0.0
                    held[n] = wanted[n]
                price = close[t, n]
                fast_sum[n] += price
                slow_sum[n] += price
                if t >= fast:
                    fast_sum[n] -= close[t - fast, n]
                if t >= slow:
                    slow_sum[n] -= close[t - slow, n]
                wanted[n] = SHARES_EACH if t >= slow - 1 and fast_sum[n] * slow > slow_sum[n] * fast else 0.0
                value += held[n] * price
            equity[t] = cash + value
        curve_numbers(equity, CAPITAL, out)
        finals[p] = equity[-1]
    return round_trips


@njit(cache=True, error_model="numpy")
def trailing_stops(opened: Floats, close: Floats, settings: Floats, finals: Floats, out: Floats) -> int:
    """W7: W1 that is also out on a bar that closes more than `trail` below the peak of its position (the fill's price and the
    closes since), for each (fast, slow, trail) of `settings` (P, 3); otherwise as `many_averages`."""
    equity = np.empty(close.shape[0])
    round_trips = 0
    for p in range(settings.shape[0]):
        fast, slow, keep = int(settings[p, 0]), int(settings[p, 1]), 1 - settings[p, 2]
        cash, held, wanted, peak = CAPITAL, 0.0, 0.0, 0.0
        fast_sum = slow_sum = 0.0
        for t in range(close.shape[0]):
            if wanted != held:
                change = wanted - held
                cash -= change * opened[t] + abs(change) * opened[t] * COMMISSION
                round_trips += wanted == 0.0
                held = wanted
                peak = opened[t]
            price = close[t]
            peak = max(peak, price)
            fast_sum += price
            slow_sum += price
            if t >= fast:
                fast_sum -= close[t - fast]
            if t >= slow:
                slow_sum -= close[t - slow]
            leads = t >= slow - 1 and fast_sum * slow > slow_sum * fast
            wanted = SHARES if leads and not (held > 0.0 and price < peak * keep) else 0.0
            equity[t] = cash + held * price
        curve_numbers(equity, CAPITAL, out)
        finals[p] = equity[-1]
    return round_trips


@njit(cache=True, error_model="numpy")
def momentum(
    opened: Floats, close: Floats, first: NDArray[np.bool_], equity: Floats, out: Floats
) -> tuple[int, float]:
    """W3: on the first bar of a month target WEIGHT of equity in each of the TOP symbols by return over LOOKBACK bars,
    the rest in cash; fills at the next open; returns (fills, final equity)."""
    symbols = close.shape[1]
    cash = CAPITAL
    held = np.zeros(symbols)
    wanted = np.zeros(symbols)
    strength = np.empty(symbols)
    trading = False
    fills = 0
    for t in range(close.shape[0]):
        if trading:
            for n in range(symbols):
                change = wanted[n] - held[n]
                if change != 0.0:
                    cash -= change * opened[t, n] + abs(change) * opened[t, n] * COMMISSION
                    held[n] = wanted[n]
                    fills += 1
            trading = False
        value = cash
        for n in range(symbols):
            value += held[n] * close[t, n]
        equity[t] = value
        if first[t] and t >= LOOKBACK:
            for n in range(symbols):
                strength[n] = close[t, n] / close[t - LOOKBACK, n]
            least = np.partition(strength, symbols - TOP)[symbols - TOP]
            for n in range(symbols):
                wanted[n] = WEIGHT * value / close[t, n] if strength[n] >= least else 0.0
            trading = True
    curve_numbers(equity, CAPITAL, out)
    return fills, equity[-1]


@njit(cache=True, error_model="numpy")
def brackets(
    opened: Floats,
    high: Floats,
    low: Floats,
    close: Floats,
    fast: int,
    slow: int,
    equity: Floats,
    out: Floats,
) -> tuple[int, float]:
    """W4, see `definitions`: one entry order at a time, then a stop and a target; returns (round trips, final equity).

    A bar that could fill both legs, or a leg in the bar of its entry, does not occur in the data.
    """
    cash, held = CAPITAL, 0.0
    round_trips = 0
    fast_sum = slow_sum = 0.0
    limit = stop = target = loss = NAN
    above = False
    for t in range(close.shape[0]):
        if held != 0.0:
            price = NAN
            if low[t] <= loss:
                price = min(opened[t], loss)
            elif high[t] >= target:
                price = max(opened[t], target)
            if price == price:
                cash += held * price * (1.0 - COMMISSION)
                held = 0.0
                round_trips += 1
        elif limit == limit or stop == stop:
            price = NAN
            if low[t] <= limit:
                price = min(opened[t], limit)
            elif high[t] >= stop:
                price = max(opened[t], stop)
            if price == price:
                held = SHARES
                cash -= held * price * (1.0 + COMMISSION)
                limit = stop = NAN
        price = close[t]
        fast_sum += price
        slow_sum += price
        if t >= fast:
            fast_sum -= close[t - fast]
        if t >= slow:
            slow_sum -= close[t - slow]
        was = above
        above = t >= slow - 1 and fast_sum * slow > slow_sum * fast
        if held == 0.0 and above != was:
            limit = price * (1.0 - LIMIT_BELOW) if above else NAN
            stop = NAN if above else price * (1.0 + STOP_ABOVE)
            entry = limit if above else stop
            target = entry * (1.0 + TARGET_GAIN)
            loss = entry * (1.0 - STOP_LOSS)
        equity[t] = cash + held * price
    curve_numbers(equity, CAPITAL, out)
    return round_trips, equity[-1]
