"""What is measured of a run: the definition and source of every metric, and the order of their names.

`METRIC_NAMES` is the order of `gpt_trader.engine.statistics.summary`'s output. This module needs no compiler.
"""

from __future__ import annotations

from typing import NamedTuple


class Moments(NamedTuple):
    """Sample moments of returns, per bar.

    mean; deviation: sample standard deviation (n - 1), NaN below two returns; downside: root of the mean, over ALL
    returns, of the squared shortfall below the target (Sortino and Price 1994, "Performance Measurement in a
    Downside Risk Framework", J. of Investing 3(3), p. 61); skew = m3 / m2^1.5 and kurtosis = m4 / m2^2 with the
    population moments m_k (divisor n), so kurtosis is raw (Pearson): 3 for a normal distribution, not 0.
    """

    mean: float
    deviation: float
    downside: float
    skew: float
    kurtosis: float


class Powers(NamedTuple):
    """Sums over returns: their number, the first four powers of their distance from a shift, and the squared
    shortfalls below a target."""

    number: int
    first: float
    second: float
    third: float
    fourth: float
    shortfall: float


class Deepest(NamedTuple):
    """The deepest drawdown: depth (<= 0), the bars of its peak (-1 = the capital before bar 0; of equal highs the
    last), trough and recovery (first bar back at the peak, -1 = never), and the number of all drawdowns."""

    depth: float
    peak: int
    trough: int
    recovery: int
    episodes: int


class Curve(NamedTuple):
    """What the equity curve says.

    - total_return: final equity / capital - 1.
    - cagr: (final equity / capital)^(1 / years) - 1, years = days between the first and the last bar's time / 365.25;
      -1 when the final equity is zero or less; NaN for one bar.
    - volatility: sample standard deviation of the bars' returns x sqrt(periods per year).
    - sharpe: (mean return - risk-free return per bar) / standard deviation x sqrt(periods per year). Sharpe 1994, "The
      Sharpe Ratio", J. of Portfolio Management 21(1); the annual rate f is (1 + f)^(1 / periods per year) - 1 a bar.
    - sortino: mean return / downside deviation against 0 x sqrt(periods per year). Sortino and Price 1994.
    - calmar: cagr / |max_drawdown|, both over the whole run. Young 1991, "Calmar Ratio: A Smoother Tool", Futures 20
      (who took the last 36 months).
    - max_drawdown: lowest equity / highest equity before it - 1, the capital counting as the first high; below -1 when
      the account owes money.
    - max_drawdown_bars, max_drawdown_days: bars and calendar days of that deepest drawdown from its peak to the first
      bar back at the peak, or to the last bar when it never came back; days count from bar 0 when the peak is the
      capital.
    - skew, kurtosis: see `Moments` (kurtosis raw: 3 = normal).
    - final_equity: the account at the last bar's close.
    - periods_per_year: bars per year, as used above.
    """

    total_return: float
    cagr: float
    volatility: float
    sharpe: float
    sortino: float
    calmar: float
    max_drawdown: float
    max_drawdown_bars: float
    max_drawdown_days: float
    skew: float
    kurtosis: float
    final_equity: float
    periods_per_year: float


class Activity(NamedTuple):
    """How the capital was used.

    - exposure: share of bars with a position at the close (gross exposure not 0).
    - mean_gross: mean over all bars of gross exposure (sum of |position value| / equity). Bars whose gross exposure
      is NaN or infinite (equity of zero) count in neither.
    - turnover: one-way, per year: half the value of all fills (buys + sells) / mean equity / years; 1 = the account
      was replaced once a year. (SEC Form N-1A item 13 takes the lesser of buys and sells instead of half their sum.)
    - costs = commission + slippage, in cash; open_pnl: profit of positions still open, in cash.
    """

    exposure: float
    mean_gross: float
    turnover: float
    costs: float
    commission: float
    slippage: float
    open_pnl: float


class Trades(NamedTuple):
    """What the round trips (closed trades) earned, after their own costs.

    - round_trips: their number. win_rate: share with pnl > 0 (a pnl of exactly 0 is no win).
    - profit_factor: sum of winning pnl / |sum of losing pnl|; NaN without a losing trade.
    - expectancy: mean pnl in cash. best_trade, worst_trade: highest and lowest return on the trade's cost basis.
    - average_trade_bars: mean number of bars held.
    NaN without trades, and where an input of the metric is NaN or infinite.
    """

    round_trips: float
    win_rate: float
    profit_factor: float
    expectancy: float
    best_trade: float
    worst_trade: float
    average_trade_bars: float


METRIC_NAMES: tuple[str, ...] = Curve._fields + Activity._fields + Trades._fields

BENCHMARK_METRICS = (
    "total_return", "cagr", "volatility", "sharpe", "sortino", "calmar", "max_drawdown", "max_drawdown_days", "final_equity",
)  # fmt: skip
"""What is said of the benchmark too, as `benchmark_<name>`."""
