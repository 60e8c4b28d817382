"""The statistics of a finished run as compiled kernels: the one place where each formula stands.

`summary` is what a run calls once; `gpt_trader.metrics` calls the parts by name. What each metric means, and its
source, stands in `gpt_trader.engine.metric_definitions`. All values are float64, ratios are per year, returns and drawdowns are
fractions, and what is undefined is NaN.

Rules that hold for every kernel here:

- A bar's return is simple: equity over the previous bar's equity, minus one; bar 0 is measured against the capital.
- An account whose equity reaches zero or less is ruined. The bar of the ruin still has its return (-100 % or worse:
  a margin account can owe money); no later bar has one, whatever the account does afterwards.
- An equity curve with a NaN or an infinity has no statistics: every field of `Curve` but `final_equity` is NaN.
- A spread no wider than the rounding of a return (`returns_and_drawdowns.ROUNDING`) is no spread: ratios over it are NaN, not 1e15.
- Sums run in one order, without fast-math, so that they do not depend on the processor's vector width.
"""

from __future__ import annotations

from functools import partial

import numpy as np
from numba import float64, types, void
from numpy.typing import NDArray

from gpt_trader.engine.curve_statistics import (
    ROUNDING,
    curve_moments,
    has_spread,
    moments,
    power_sum,
    scan_drawdowns,
)
from gpt_trader.engine.jit import compiled, kernel
from gpt_trader.engine.metric_definitions import METRIC_NAMES as METRIC_NAMES
from gpt_trader.engine.metric_definitions import Activity, Curve, Trades

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

NANOSECONDS_PER_DAY = 86_400_000_000_000
WEEK = 7 * NANOSECONDS_PER_DAY
DAYS_PER_YEAR = 365.25


@kernel
def total_absolute(values: Floats) -> float:
    """Sum of absolute values in four interleaved lanes, which wait for each other four times less."""
    lane0 = lane1 = lane2 = lane3 = 0.0
    whole = values.shape[0] // 4 * 4
    for i in range(0, whole, 4):
        lane0 += abs(values[i])
        lane1 += abs(values[i + 1])
        lane2 += abs(values[i + 2])
        lane3 += abs(values[i + 3])
    for i in range(whole, values.shape[0]):
        lane0 += abs(values[i])
    return (lane0 + lane1) + (lane2 + lane3)


@kernel
def yearly_ratio(excess: float, deviation: float, mean: float, periods_per_year: float) -> float:
    """Excess return per unit of deviation, both per bar, brought to a year; NaN where there is no deviation."""
    if not has_spread(deviation, mean):
        return np.nan
    return float(excess / deviation * np.sqrt(periods_per_year))


@kernel
def rate_per_bar(rate: float, periods_per_year: float) -> float:
    """The return per bar that compounds to the annual `rate`."""
    if rate == 0.0:
        return 0.0
    return float((1.0 + rate) ** (1.0 / periods_per_year) - 1.0)


@kernel
def calendar_years(time: Integers) -> float:
    """Years of 365.25 days between the first and the last time (nanoseconds); 0 for fewer than two bars."""
    if time.shape[0] < 2:
        return 0.0
    return float((time[-1] - time[0]) / NANOSECONDS_PER_DAY / DAYS_PER_YEAR)


@kernel
def annual_growth(capital: float, final_equity: float, years: float) -> float:
    """The constant annual growth between two values (CAGR), see `Curve`; NaN too when it exceeds float64."""
    if not (capital > 0.0 and years > 0.0 and np.isfinite(final_equity)):
        return np.nan
    if final_equity <= 0.0:
        return -1.0
    growth = (final_equity / capital) ** (1.0 / years) - 1.0
    return float(growth) if np.isfinite(growth) else np.nan


@kernel
def curve_statistics(
    equity: Floats, time: Integers, capital: float, periods_per_year: float, risk_free: float, scratch: Floats
) -> tuple[Curve, float]:
    """`Curve` of an equity curve (T,), its times (T,) in nanoseconds and the capital before bar 0; and mean equity.
    `scratch` (2, T)."""
    bars = equity.shape[0]
    final = equity[-1] if bars > 0 else np.nan
    nan = np.nan
    unknown = Curve(nan, nan, nan, nan, nan, nan, nan, nan, nan, nan, nan, final, periods_per_year)
    if bars == 0 or not (capital > 0.0 and np.isfinite(capital)):
        return unknown, nan
    added = power_sum(equity, 0.0, 1, scratch[1])
    if not np.isfinite(added):
        return unknown, nan
    shape = curve_moments(equity, capital, scratch)
    deepest = scan_drawdowns(equity, capital, None)
    excess = shape.mean - rate_per_bar(risk_free, periods_per_year)
    cagr = annual_growth(capital, final, calendar_years(time))
    end = deepest.recovery if deepest.recovery >= 0 else bars - 1
    fell = deepest.depth < 0.0
    curve = Curve(
        final / capital - 1.0,
        cagr,
        shape.deviation * np.sqrt(periods_per_year),
        yearly_ratio(excess, shape.deviation, shape.mean, periods_per_year),
        yearly_ratio(shape.mean, shape.downside, shape.mean, periods_per_year),
        cagr / -deepest.depth if deepest.depth < -ROUNDING else nan,
        deepest.depth,
        float(end - deepest.peak) if fell else 0.0,
        (time[end] - time[max(deepest.peak, 0)]) / NANOSECONDS_PER_DAY if fell else 0.0,
        shape.skew,
        shape.kurtosis,
        final,
        periods_per_year,
    )
    return curve, added / bars


@kernel
def exposure_statistics(gross: Floats) -> tuple[float, float]:
    """Exposure and mean gross exposure, see `Activity`."""
    bars = gross.shape[0]
    held = 0
    for t in range(bars):
        held += int(gross[t] != 0.0)
    added = total_absolute(gross)
    if not np.isfinite(added):
        bars = held = 0
        added = 0.0
        for value in gross:
            if np.isfinite(value):
                bars += 1
                held += value != 0.0
                added += abs(value)
    if bars == 0:
        return np.nan, np.nan
    return held / bars, added / bars


@kernel
def yearly_turnover(traded_notional: float, mean_equity: float, years: float) -> float:
    """One-way turnover per year, see `Activity`; NaN when the mean equity or the time is not positive."""
    if not (mean_equity > 0.0 and years > 0.0):
        return np.nan
    return float(0.5 * traded_notional / mean_equity / years)


@kernel
def trade_statistics(pnl: Floats, return_: Floats, bars: Integers) -> Trades:
    """`Trades` of the closed trades: cash profit, return on cost basis and bars held, (K,) each, any strides."""
    count = pnl.shape[0]
    if count == 0:
        return Trades(0.0, np.nan, np.nan, np.nan, np.nan, np.nan, np.nan)
    wins = held = 0
    won = lost = 0.0
    best, worst, checked = -np.inf, np.inf, 0.0
    for i in range(count):
        if pnl[i] > 0.0:
            wins += 1
            won += pnl[i]
        else:
            lost -= pnl[i]
        best = max(best, return_[i])
        worst = min(worst, return_[i])
        checked += return_[i]
        held += bars[i]
    win_rate, profit_factor, expectancy = np.nan, np.nan, np.nan
    if np.isfinite(won - lost):
        win_rate = wins / count
        profit_factor = won / lost if lost > 0.0 else np.nan
        expectancy = (won - lost) / count
    if not np.isfinite(checked):
        best = worst = np.nan
    return Trades(float(count), win_rate, profit_factor, expectancy, best, worst, held / count)


@kernel
def rolling_statistics(
    returns: Floats,
    window: int,
    periods_per_year: float,
    risk_free: float,
    volatility: Floats,
    sharpe: Floats,
) -> None:
    """Volatility and Sharpe of the last `window` returns at each bar, NaN before there are so many or where one is NaN.

    Each window is computed on its own, so a value depends on its window alone, to the last bit.
    """
    per_bar = rate_per_bar(risk_free, periods_per_year)
    volatility[: window - 1] = np.nan
    sharpe[: window - 1] = np.nan
    for t in range(window - 1, returns.shape[0]):
        shape = moments(returns[t - window + 1 : t + 1], 0.0)
        volatility[t] = shape.deviation * np.sqrt(periods_per_year)
        sharpe[t] = yearly_ratio(shape.mean - per_bar, shape.deviation, shape.mean, periods_per_year)


@kernel
def count_sessions(time: Integers, counts: Integers) -> tuple[int, int, int]:
    """Bars of each UTC calendar day into `counts` (T long); returns the number of days and the bars on Saturdays and on
    Sundays."""
    days = 0
    midnight = np.int64(0)
    weekend = np.int64(0)
    saturday = sunday = 0
    for moment in time:
        if days == 0 or moment >= midnight + WEEK:
            day = moment // NANOSECONDS_PER_DAY
            midnight = (day + 1) * NANOSECONDS_PER_DAY
            weekend = (day + 5) % 7  # 1970-01-01 was a Thursday; 0 = Saturday, 1 = Sunday
            counts[days] = 0
            days += 1
        elif moment >= midnight:
            while moment >= midnight:  # adding is faster than dividing
                midnight += NANOSECONDS_PER_DAY
                weekend = np.int64(0) if weekend == 6 else weekend + 1
            counts[days] = 0
            days += 1
        counts[days - 1] += 1
        saturday += weekend == 0
        sunday += weekend == 1
    return days, saturday, sunday


_CURVE = types.Array(types.float64, 1, "C", readonly=True)
_TIMES = types.Array(types.int64, 1, "C", readonly=True)
_FIELD = types.Array(types.float64, 1, "A", readonly=True, aligned=False)
_COUNT = types.Array(types.int64, 1, "A", readonly=True, aligned=False)


_SUMMARY = void(
    _CURVE, _CURVE, _TIMES, float64, float64, float64, _FIELD, _FIELD, _COUNT,
    float64, float64, float64, float64, types.Array(types.float64, 2, "C"), types.Array(types.float64, 1, "C"),
)  # fmt: skip


@partial(compiled, signature=_SUMMARY)
def summary(
    equity: Floats,
    gross: Floats,
    time: Integers,
    capital: float,
    periods_per_year: float,
    risk_free: float,
    trade_pnl: Floats,
    trade_return: Floats,
    trade_bars: Integers,
    traded_notional: float,
    commission: float,
    slippage: float,
    open_pnl: float,
    scratch: Floats,
    out: Floats,
) -> None:
    """All statistics of one run into `out`, in the order of `METRIC_NAMES`.

    Args: `equity` (T,) account value at each close; `gross` (T,) gross exposure as share of equity; `time` (T,) int64
    nanoseconds (`Bars.time.view(np.int64)`); `capital` the capital before bar 0; `risk_free` an annual rate;
    `trade_*` (K,) of the closed trades, where fields of a structured array's slice, such as `log["pnl"][:k]`, are
    taken as they are, strided and without a copy; `traded_notional` sum of |quantity x price| over all fills; `scratch` (2, T).
    One compiled signature serves read-only and writable, strided and contiguous inputs.
    """
    curve, mean_equity = curve_statistics(equity, time, capital, periods_per_year, risk_free, scratch)
    exposure, mean_gross = exposure_statistics(gross)
    turnover = yearly_turnover(traded_notional, mean_equity, calendar_years(time))
    costs = commission + slippage
    activity = Activity(exposure, mean_gross, turnover, costs, commission, slippage, open_pnl)
    trades = trade_statistics(trade_pnl, trade_return, trade_bars)
    for i in range(len(curve)):
        out[i] = curve[i]
    for i in range(len(activity)):
        out[len(curve) + i] = activity[i]
    for i in range(len(trades)):
        out[len(curve) + len(activity) + i] = trades[i]
