"""The rule strategies of the shipped set as plain loops: closes in, target weights out (T rows of N)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from math import isnan, log, nan, sqrt

import numpy as np

from gpt_trader.bars import Bars
from tests.parity.reference_types import AtrStop, Exit, Matrix, Row


@dataclass(frozen=True, slots=True)
class Rule:
    """What a rule gives to the simulator."""

    targets: Matrix
    score: Matrix | None = None
    exits: tuple[Exit, ...] = ()


# -- indicators on one symbol's present bars --------------------------------------------------------------------------


def sma(values: Row, n: int) -> Row:
    """Mean of the last n values; nan before there are n."""
    return [sum(values[i - n + 1 : i + 1]) / n if i >= n - 1 else nan for i in range(len(values))]


def wilder_atr(high: Row, low: Row, close: Row, n: int) -> Row:
    """First value at bar n: the mean of the true ranges of bars 1 to n; then (previous x (n-1) + true range) / n."""
    out = [nan] * len(close)
    ranges: Row = [nan]
    for i in range(1, len(close)):
        ranges.append(max(high[i] - low[i], abs(high[i] - close[i - 1]), abs(low[i] - close[i - 1])))
        if i == n:
            out[i] = sum(ranges[1 : n + 1]) / n
        elif i > n:
            out[i] = (out[i - 1] * (n - 1) + ranges[i]) / n
    return out


def wilder_rsi(close: Row, n: int) -> Row:
    """First value at bar n from the plain means of the first n gains and losses; then Wilder's smoothing."""
    out = [nan] * len(close)
    up = down = 0.0
    for i in range(1, len(close)):
        change = close[i] - close[i - 1]
        gain, loss = max(change, 0.0), max(-change, 0.0)
        if i <= n:
            up, down = up + gain / n, down + loss / n
        else:
            up, down = (up * (n - 1) + gain) / n, (down * (n - 1) + loss) / n
        if i >= n:
            out[i] = 100.0 * up / (up + down) if up + down > 0.0 else 0.0
    return out


def population_deviation(values: Row, n: int) -> Row:
    """Standard deviation of the last n values, divided by n."""
    out = [nan] * len(values)
    for i in range(n - 1, len(values)):
        part = values[i - n + 1 : i + 1]
        mean = sum(part) / n
        out[i] = sqrt(sum((value - mean) ** 2 for value in part) / n)
    return out


def realised_volatility(close: Row, n: int) -> Row:
    """Sample standard deviation of the last n log returns, times the root of 252."""
    out = [nan] * len(close)
    for i in range(n, len(close)):
        part = [log(close[j] / close[j - 1]) for j in range(i - n + 1, i + 1)]
        mean = sum(part) / n
        out[i] = sqrt(sum((value - mean) ** 2 for value in part) / (n - 1)) * sqrt(252.0)
    return out


def quantile(values: Row, share: float) -> float:
    """Linear interpolation between the order statistics."""
    ordered = sorted(values)
    place = share * (len(ordered) - 1)
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)


# -- columns ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Column:
    """The present bars of one symbol, splits removed on the first bar's basis; `rows` are their rows in the panel."""

    rows: list[int]
    high: Row
    low: Row
    close: Row


def columns(bars: Bars) -> list[Column]:
    """One column per symbol."""
    out = []
    for n in range(bars.N):
        column = Column([], [], [], [])
        factor = 1.0
        for t in range(bars.T):
            factor *= float(bars.split[t, n])
            close = float(bars.close[t, n])
            if close == close:
                column.rows.append(t)
                column.high.append(float(bars.high[t, n]) * factor)
                column.low.append(float(bars.low[t, n]) * factor)
                column.close.append(close * factor)
        out.append(column)
    return out


def spread_out(bars: Bars, per_symbol: list[Row], fill: float = nan) -> Matrix:
    """Values of the present bars as a (T, N) matrix; `fill` where a symbol has no bar."""
    out = [[fill] * bars.N for _ in range(bars.T)]
    for n, column in enumerate(columns(bars)):
        for i, t in enumerate(column.rows):
            out[t][n] = per_symbol[n][i]
    return out


def atr_matrix(bars: Bars, n: int) -> Matrix:
    """Wilder ATR of every symbol, (T, N), first bar's share basis."""
    return spread_out(bars, [wilder_atr(c.high, c.low, c.close, n) for c in columns(bars)])


def regime_row(bars: Bars, symbol: str, window: int) -> list[bool]:
    """True at t when the index has a bar whose close is at least the mean of its last `window` closes."""
    n = bars.symbols.index(symbol)
    column = columns(bars)[n]
    out = [False] * bars.T
    for i, (t, mean) in enumerate(zip(column.rows, sma(column.close, window), strict=True)):
        out[t] = column.close[i] >= mean
    return out


# -- the rules --------------------------------------------------------------------------------------------------------


def buy_and_hold(bars: Bars) -> Rule:
    """1/N of the capital in each symbol from its first bar on."""
    return Rule(spread_out(bars, [[1.0 / bars.N] * len(c.rows) for c in columns(bars)]))


def demo_ma(bars: Bars, fast: int = 10, slow: int = 20, atr: int = 14) -> Rule:
    """1 while the fast mean is above the slow one, else 0; 0 until both and the ATR are defined."""
    out = []
    for c in columns(bars):
        quick, late, ranges = sma(c.close, fast), sma(c.close, slow), wilder_atr(c.high, c.low, c.close, atr)
        out.append([1.0 if f > s and r == r else 0.0 for f, s, r in zip(quick, late, ranges, strict=True)])
    return Rule(spread_out(bars, out))


def trend_breakout(
    bars: Bars,
    donchian: int = 55,
    exit: int = 20,  # noqa: A002 - the parameter's name as users type it
    atr: int = 20,
    atr_k: float = 2.0,
    exit_mode: str = "signal",
) -> Rule:
    """1 on a close above the previous n highs; 0 on one below the previous m lows (mode signal), else ATR stop."""
    weights, scores = [], []
    for c in columns(bars):
        weight, score = [nan] * len(c.rows), [nan] * len(c.rows)
        for i, close in enumerate(c.close):
            upper = max(c.high[i - donchian : i]) if i >= donchian else nan
            lower = min(c.low[i - exit : i]) if i >= exit else nan
            score[i] = (close - upper) / close
            if close > upper:
                weight[i] = 1.0
            elif close < lower and exit_mode == "signal":
                weight[i] = 0.0
        weights.append(weight)
        scores.append(score)
    exits: tuple[Exit, ...] = (AtrStop(atr_k, atr),) if exit_mode == "stop" else ()
    return Rule(spread_out(bars, weights), spread_out(bars, scores), exits)


def mean_reversion(
    bars: Bars,
    rsi: int = 14,
    low: float = 30.0,
    exit: float = 50.0,  # noqa: A002 - the parameter's name as users type it
    atr: int = 14,
) -> Rule:
    """1 when the RSI is at most `low`, 0 when it is at least `exit`, else leave."""
    out = []
    for c in columns(bars):
        strength = wilder_rsi(c.close, rsi)
        out.append([1.0 if value <= low else 0.0 if value >= exit else nan for value in strength])
    return Rule(spread_out(bars, out))


def bollinger(bars: Bars, window: int = 20, width: float = 2.0) -> Rule:
    """1 below the lower band, 0 at or above the middle one, else leave."""
    out = []
    for c in columns(bars):
        middle, deviation = sma(c.close, window), population_deviation(c.close, window)
        weight = [nan] * len(c.rows)
        for i, close in enumerate(c.close):
            if close < middle[i] - width * deviation[i]:
                weight[i] = 1.0
            elif close >= middle[i]:
                weight[i] = 0.0
        out.append(weight)
    return Rule(spread_out(bars, out))


def momentum(bars: Bars, lookback: int = 126, top: int = 20, threshold: float = 0.0) -> Rule:
    """Each month's first bar chooses the best `top` symbols by positive return, of those that traded in the last seven days.

    A symbol's first bar of the month says 1/top when it was chosen, else 0; every other bar leaves.
    """
    returns = [
        [c.close[i] / c.close[i - lookback] - 1 if i >= lookback else nan for i in range(len(c.rows))]
        for c in columns(bars)
    ]
    gain = spread_out(bars, returns)
    days = [date.fromisoformat(str(stamp)[:10]) for stamp in bars.time]
    out = [[nan] * bars.N for _ in days]
    latest: dict[int, int] = {}
    chosen: dict[tuple[int, int], list[int]] = {}
    for t, day in enumerate(days):
        month = (day.year, day.month)
        trading = [n for n in range(bars.N) if not isnan(bars.close[t, n])]
        opening = [
            n for n in trading if n not in latest or (days[latest[n]].year, days[latest[n]].month) != month
        ]
        latest |= dict.fromkeys(trading, t)
        if trading and month not in chosen:
            week = np.timedelta64(7, "D")
            last = {n: gain[row][n] for n, row in latest.items() if bars.time[t] - bars.time[row] <= week}
            eligible = sorted((-value, n) for n, value in last.items() if value > threshold)
            chosen[month] = [n for _, n in eligible[:top]]
        for n in opening:
            out[t][n] = 1.0 / min(top, bars.N) if n in chosen[month] else 0.0
    return Rule(out)


def volatility(bars: Bars, target: float = 0.15, lookback: int = 20, atr: int = 14, w: int = 50) -> Rule:
    """min(1, target / realised volatility), 0 while undefined or the ATR is above its upper quartile of w bars."""
    out = []
    for c in columns(bars):
        realised, ranges = realised_volatility(c.close, lookback), wilder_atr(c.high, c.low, c.close, atr)
        weight = [0.0] * len(c.rows)
        for i, value in enumerate(realised):
            window = ranges[i - w + 1 : i + 1] if i >= w - 1 else [nan]
            if value != value or any(r != r for r in window) or ranges[i] > quantile(window, 0.75):
                continue
            weight[i] = min(1.0, target / value) if value > 0.0 else 1.0
        out.append(weight)
    return Rule(spread_out(bars, out))
