"""The statistics of returns, equity curves and closed trades as functions of plain arrays, each usable alone.

Definitions and sources stand in `gpt_trader.engine.metric_definitions`, the formulas with their rules for ruin and rounding in
`gpt_trader.engine.metric_formulas`; these functions check their arguments and call its kernels. What is undefined is NaN,
never an error: an empty series, one bar, no spread, no trade. Arguments that make no sense (two dimensions, text,
times that do not increase, a window of one bar) raise a `UserError`.

Everywhere: `equity` (T,) is the account at the close of each bar, `capital` what it began with before bar 0 (left
out: the curve begins with its own first value); `returns` (T,) are simple returns per bar as fractions, in which NaN
means that the bar has none; `periods_per_year` is the number of bars in a year, see `periods_per_year`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gpt_trader.arrays import times, vector
from gpt_trader.errors import BadParameter
from gpt_trader.periods import TRADING_DAYS, periods_per_year

__all__ = [
    "TRADING_DAYS", "Drawdown", "MonthlyReturns", "cagr", "calmar", "drawdown", "drawdowns", "expectancy", "kurtosis",
    "max_drawdown", "monthly_returns", "periods_per_year", "profit_factor", "returns", "rolling_sharpe",
    "rolling_volatility", "sharpe", "skew", "sortino", "summarise", "total_return", "turnover", "value_at_risk",
    "volatility", "win_rate",
]  # fmt: skip

if TYPE_CHECKING:
    from gpt_trader.engine.metric_definitions import Curve, DeepestDrawdown, Moments, Trades

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Drawdown:
    """One fall of the equity below a high: `depth` as a fraction (negative); the bars of the `peak` (the last one at
    that high; -1 = the capital, before bar 0), the `trough` and the `recovery` (the first bar back at the high or
    above; -1 = not yet); `bars` from the peak to the recovery, or to the last bar."""

    depth: float
    peak: int
    trough: int
    recovery: int
    bars: int


@dataclass(frozen=True, slots=True, eq=False)
class MonthlyReturns:
    """Returns of calendar months (UTC) that have a bar: `year`, `month` (1 to 12) and `value`, (M,) each, in order."""

    year: Integers
    month: Integers
    value: Floats

    def table(self) -> tuple[Integers, Floats]:
        """The years (Y,) from the first to the last, and their months (Y, 12); NaN where a month has no bar."""
        if self.year.size == 0:
            return np.empty(0, np.int64), np.empty((0, 12))
        years = np.arange(self.year[0], self.year[-1] + 1)
        cells = np.full((years.size, 12), np.nan)
        cells[self.year - years[0], self.month - 1] = self.value
        return years, cells


# -- returns ----------------------------------------------------------------------------------------------------------


def returns(equity: ArrayLike, capital: float | None = None) -> Floats:
    """Simple returns (T,) of an equity curve; the first is measured against the capital, NaN when that is left out.

    The bar on which equity reaches zero or less still has its return (-1 or lower), the bars after it have NaN.
    """
    from gpt_trader.engine import curve_statistics

    values, base = _curve_and_base(equity, capital)
    out = np.empty(values.size)
    curve_statistics.simple_returns(values, base, out)
    out[curve_statistics.bars_until_ruin(values, base) :] = np.nan
    if capital is None:
        out[:1] = np.nan
    return out


def volatility(returns: ArrayLike, *, periods_per_year: float = TRADING_DAYS) -> float:
    """Sample standard deviation (n - 1) of the returns x sqrt(periods per year)."""
    return _moments(returns).deviation * float(np.sqrt(_periods(periods_per_year)))


def sharpe(returns: ArrayLike, *, periods_per_year: float = TRADING_DAYS, risk_free: float = 0.0) -> float:
    """Sharpe ratio (Sharpe 1994) per year over an annual risk-free rate; see `measures.Curve`."""
    from gpt_trader.engine import metric_formulas

    shape, periods = _moments(returns), _periods(periods_per_year)
    excess = shape.mean - metric_formulas.rate_per_bar(_rate("risk_free", risk_free), periods)
    return metric_formulas.yearly_ratio(excess, shape.deviation, shape.mean, periods)


def sortino(returns: ArrayLike, *, periods_per_year: float = TRADING_DAYS, target: float = 0.0) -> float:
    """Sortino ratio (Sortino and Price 1994) per year: mean return above an annual target / deviation below it."""
    from gpt_trader.engine import metric_formulas

    periods = _periods(periods_per_year)
    per_bar = metric_formulas.rate_per_bar(_rate("target", target), periods)
    shape = _moments(returns, per_bar)
    return metric_formulas.yearly_ratio(shape.mean - per_bar, shape.downside, shape.mean, periods)


def skew(returns: ArrayLike) -> float:
    """Skewness g1 = m3 / m2^1.5 of the returns, with population moments (no small-sample correction)."""
    return _moments(returns).skew


def kurtosis(returns: ArrayLike) -> float:
    """Raw (Pearson) kurtosis b2 = m4 / m2^2 of the returns, with population moments: 3 for a normal distribution."""
    return _moments(returns).kurtosis


def value_at_risk(returns: ArrayLike, confidence: float = 0.95) -> float:
    """Historical value at risk per bar: the loss, as a POSITIVE fraction, exceeded on 1 - confidence of the bars.

    The empirical quantile is interpolated linearly (Hyndman and Fan 1996, "Sample Quantiles in Statistical Packages",
    The American Statistician 50(4), type 7); negative when even that bar gained. NaN without returns.
    """
    if not 0.0 < confidence < 1.0:
        raise BadParameter(f"confidence is {confidence!r}: give a share between 0 and 1, such as 0.95")
    known = _known(returns)
    return -float(np.quantile(known, 1.0 - confidence)) if known.size else float("nan")


def rolling_sharpe(
    returns: ArrayLike, window: int, periods_per_year: float = TRADING_DAYS, risk_free: float = 0.0
) -> Floats:
    """`sharpe` of the last `window` returns at each bar (T,); NaN before there are so many, or where one is NaN."""
    return _rolling(returns, window, periods_per_year, risk_free)[1]


def rolling_volatility(returns: ArrayLike, window: int, periods_per_year: float = TRADING_DAYS) -> Floats:
    """`volatility` of the last `window` returns at each bar (T,); NaN before there are so many, or where one is NaN."""
    return _rolling(returns, window, periods_per_year, 0.0)[0]


# -- equity -----------------------------------------------------------------------------------------------------------


def total_return(equity: ArrayLike, capital: float | None = None) -> float:
    """Final equity / capital - 1."""
    return _curve(equity, capital).total_return


def cagr(equity: ArrayLike, time: ArrayLike, capital: float | None = None) -> float:
    """Compound annual growth over the calendar years from the first to the last of `time` (T,), 365.25 days each."""
    return _curve(equity, capital, time).cagr


def calmar(equity: ArrayLike, time: ArrayLike, capital: float | None = None) -> float:
    """`cagr` / |`max_drawdown`|, both over the whole run."""
    return _curve(equity, capital, time).calmar


def max_drawdown(equity: ArrayLike, capital: float | None = None) -> float:
    """The deepest fall from a high as a fraction, 0 or negative; below -1 when the account owes money."""
    return _curve(equity, capital).max_drawdown


def drawdown(equity: ArrayLike, capital: float | None = None) -> Floats:
    """Equity below its highest value so far, the capital included: (T,) fractions, 0 at a high, negative below."""
    from gpt_trader.engine import curve_statistics

    values, base = _curve_and_base(equity, capital)
    out = np.empty(values.size)
    curve_statistics.drawdown_path(values, base, out)
    return out


def drawdowns(
    equity: ArrayLike, capital: float | None = None, worst: int | None = None
) -> tuple[Drawdown, ...]:
    """All drawdowns, or the `worst` so many, deepest first (of equal ones the earlier); none for a curve with NaN."""
    from gpt_trader.engine import curve_statistics

    if worst is not None and worst < 0:
        raise BadParameter(f"worst is {worst}: give how many drawdowns to list, 0 or more")
    values, base = _curve_and_base(equity, capital)
    if not (np.isfinite(values).all() and base > 0.0):
        return ()
    rows = np.empty((values.size // 2 + 1, 3), np.int64)
    found: DeepestDrawdown = curve_statistics.scan_drawdowns(values, base, rows)
    path = drawdown(values, base)
    rows = rows[: found.episodes]
    order = np.argsort(path[rows[:, 1]], kind="stable")[:worst]
    listed = []
    for peak, trough, recovery in rows[order].tolist():
        end = recovery if recovery >= 0 else values.size - 1
        listed.append(Drawdown(float(path[trough]), peak, trough, recovery, end - peak))
    return tuple(listed)


def monthly_returns(time: ArrayLike, equity: ArrayLike, capital: float | None = None) -> MonthlyReturns:
    """Return of each calendar month (UTC): its last equity over that of the last month that has a bar.

    The first month counts from the capital, so that all months compound to the total return.
    """
    values, base = _curve_and_base(equity, capital)
    moments = times(time, values.size)
    month = moments.astype("datetime64[M]").astype(np.int64)
    last = np.flatnonzero(np.append(month[1:] != month[:-1], True)) if values.size else np.empty(0, np.int64)
    number = month[last]
    return MonthlyReturns(1970 + number // 12, number % 12 + 1, returns(values[last], base))


# -- trades and use of capital ----------------------------------------------------------------------------------------


def win_rate(pnl: ArrayLike) -> float:
    """Share of closed trades with a profit above 0 after costs; `pnl` (K,) in cash."""
    return _trades(pnl).win_rate


def profit_factor(pnl: ArrayLike) -> float:
    """Sum of the profits / |sum of the losses| of closed trades; NaN without a loss."""
    return _trades(pnl).profit_factor


def expectancy(pnl: ArrayLike) -> float:
    """Mean profit of a closed trade, in cash."""
    return _trades(pnl).expectancy


def turnover(traded_notional: float, equity: ArrayLike, time: ArrayLike) -> float:
    """One-way turnover per year: half the value of all fills / mean equity / calendar years."""
    from gpt_trader.engine import metric_formulas

    values = vector("equity", equity, np.float64)
    years = metric_formulas.calendar_years(times(time, values.size).view(np.int64))
    mean_equity = float(values.mean()) if values.size else float("nan")
    return metric_formulas.yearly_turnover(float(traded_notional), mean_equity, years)


# -- everything at once -----------------------------------------------------------------------------------------------


def summarise(
    equity: ArrayLike,
    time: ArrayLike,
    capital: float,
    *,
    gross: ArrayLike | None = None,
    trade_pnl: ArrayLike = (),
    trade_return: ArrayLike | None = None,
    trade_bars: ArrayLike | None = None,
    traded_notional: float = float("nan"),
    commission: float = float("nan"),
    slippage: float = float("nan"),
    open_pnl: float = float("nan"),
    periods_per_year: float | None = None,
    timeframe: str | None = None,
    risk_free: float = 0.0,
) -> dict[str, float]:
    """Every metric of a run by name, in the order of `METRIC_NAMES`; what was not told is NaN.

    `gross` (T,) gross exposure as share of equity; `trade_pnl` (K,) cash, `trade_return` (K,) fractions of the cost
    basis, `trade_bars` (K,) bars held; `traded_notional` sum of |quantity x price| over all fills; `commission` and
    `slippage` in cash; `risk_free` an annual rate. `periods_per_year` defaults to what `time` and `timeframe` say.
    """
    from gpt_trader.engine import metric_formulas

    values = vector("equity", equity, np.float64)
    moments = times(time, values.size)
    pnl = vector("trade_pnl", trade_pnl, np.float64)
    bars_held = None if trade_bars is None else vector("trade_bars", trade_bars, np.int64, pnl.size)
    if periods_per_year is None:
        periods_per_year = _inferred_periods(moments, timeframe)
    out = np.empty(len(metric_formulas.METRIC_NAMES))
    metric_formulas.summary(
        values,
        np.full(values.size, np.nan) if gross is None else vector("gross", gross, np.float64, values.size),
        moments.view(np.int64),
        float(capital),
        _periods(periods_per_year),
        _rate("risk_free", risk_free),
        pnl,
        np.full(pnl.size, np.nan)
        if trade_return is None
        else vector("trade_return", trade_return, np.float64, pnl.size),
        np.zeros(pnl.size, np.int64) if bars_held is None else bars_held,
        float(traded_notional),
        float(commission),
        float(slippage),
        float(open_pnl),
        np.empty((2, values.size)),
        out,
    )
    metrics = dict(zip(metric_formulas.METRIC_NAMES, out.tolist(), strict=True))
    if bars_held is None:
        metrics["average_trade_bars"] = float("nan")
    return metrics


# -- arguments --------------------------------------------------------------------------------------------------------


_inferred_periods = periods_per_year  # under a name that no argument hides


def _curve_and_base(equity: ArrayLike, capital: float | None) -> tuple[Floats, float]:
    """The curve and what its first bar is measured against."""
    values = vector("equity", equity, np.float64)
    if capital is not None:
        return values, float(capital)
    return values, float(values[0]) if values.size else float("nan")


def _known(returns: ArrayLike) -> Floats:
    values = vector("returns", returns, np.float64)
    return values[~np.isnan(values)]


def _moments(returns: ArrayLike, target: float = 0.0) -> Moments:
    from gpt_trader.engine import curve_statistics

    return curve_statistics.moments(_known(returns), target)


def _curve(equity: ArrayLike, capital: float | None, time: ArrayLike | None = None) -> Curve:
    from gpt_trader.engine import metric_formulas

    values, base = _curve_and_base(equity, capital)
    moments = np.zeros(values.size, np.int64) if time is None else times(time, values.size).view(np.int64)
    return metric_formulas.curve_statistics(
        values, moments, base, TRADING_DAYS, 0.0, np.empty((2, values.size))
    )[0]


def _trades(pnl: ArrayLike) -> Trades:
    from gpt_trader.engine import metric_formulas

    values = vector("pnl", pnl, np.float64)
    return metric_formulas.trade_statistics(values, np.zeros(values.size), np.zeros(values.size, np.int64))


def _rolling(
    returns: ArrayLike, window: int, periods_per_year: float, risk_free: float
) -> tuple[Floats, Floats]:
    from gpt_trader.engine import metric_formulas

    if window < 2:
        raise BadParameter(f"window is {window}: a standard deviation needs at least 2 returns")
    values = vector("returns", returns, np.float64)
    spread, ratio = np.full(values.size, np.nan), np.full(values.size, np.nan)
    periods, rate = _periods(periods_per_year), _rate("risk_free", risk_free)
    metric_formulas.rolling_statistics(values, int(window), periods, rate, spread, ratio)
    return spread, ratio


def _periods(periods_per_year: float) -> float:
    """A positive number of bars per year (NaN passes: unknown)."""
    if periods_per_year <= 0.0 or np.isinf(periods_per_year):
        raise BadParameter(
            f"periods_per_year is {periods_per_year!r}: give the number of bars in a year, such as 252"
        )
    return float(periods_per_year)


def _rate(name: str, rate: float) -> float:
    if not -1.0 < rate < np.inf:
        raise BadParameter(
            f"{name} is {rate!r}: give an annual rate as a fraction above -1, such as 0.03 for 3 %"
        )
    return float(rate)
