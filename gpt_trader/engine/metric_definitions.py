"""What is measured of a run: the definition and source of every metric, their order, and one row on each in `METRICS`.

`METRIC_NAMES` is the order of `gpt_trader.engine.metric_formulas.summary`'s output. `METRICS` is read by whatever names, writes or
compares metrics: terminal, report, docs/results.md, objectives. This module needs no compiler.
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


class PowerSums(NamedTuple):
    """Sums over returns: their number, the first four powers of their distance from a shift, and the squared
    shortfalls below a target."""

    number: int
    first: float
    second: float
    third: float
    fourth: float
    shortfall: float


class DeepestDrawdown(NamedTuple):
    """The deepest drawdown: depth (<= 0), the bars of its peak (-1 = the capital before bar 0; of equal highs the
    last), trough and recovery (first bar back at the peak, -1 = never), and the number of all drawdowns."""

    depth: float
    peak: int
    trough: int
    recovery: int
    episodes: int


class Curve(NamedTuple):
    """What the equity curve says; METRICS defines each field. Beyond that:

    - cagr: -1 when the final equity is zero or less.
    - sharpe: the annual risk-free rate f is (1 + f)^(1 / periods per year) - 1 a bar (Sharpe 1994, "The Sharpe Ratio").
    - sortino: the deviation is against 0 (`Moments.downside`).
    - calmar: Young 1991, "Calmar Ratio: A Smoother Tool".
    - max_drawdown: below -1 when the account owes money.
    - max_drawdown_days: they count from bar 0 when the peak is the capital.
    - skew, kurtosis: see `Moments` (kurtosis raw: 3 = normal).
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
    """How the capital was used; METRICS defines each field.

    Bars whose gross exposure is NaN or infinite (equity of zero) count in neither exposure nor mean_gross.
    """

    exposure: float
    mean_gross: float
    turnover: float
    costs: float
    commission: float
    slippage: float
    open_pnl: float


class Trades(NamedTuple):
    """What the round trips (closed trades) earned, after their own costs; METRICS defines each field.

    NaN without trades, and where an input of the metric is NaN or infinite. A pnl of exactly 0 is no win.
    """

    round_trips: float
    win_rate: float
    profit_factor: float
    expectancy: float
    best_trade: float
    worst_trade: float
    average_trade_bars: float


METRIC_NAMES: tuple[str, ...] = Curve._fields + Activity._fields + Trades._fields

UNITS = {
    "signed": "fraction", "share": "fraction", "ratio": "ratio", "cash": "cash", "gain": "cash", "count": "count",
    "days": "days", "bars": "bars", "times": "times",
}  # fmt: skip
"""The formats of metrics and the unit of each: `signed` is per cent with its sign, `share` per cent that is never negative,
`gain` cash with its sign, `count` a whole number, `bars` a mean number of bars."""
DIRECTIONS = ("more", "less", "neither", "fixed")
"""What of a metric is better; `fixed`: it is a property of the data, nothing to look for."""


class Metric(NamedTuple):
    """One metric for those who read it.

    `format` is one of UNITS, `better` one of DIRECTIONS. `label` is its name in a terminal, `title` in the report's section
    `part` ("" = not there), with `hint` beside it, `column` at the head of a column; `glance` is name and hint in the report's
    first lines, where they differ. `meaning` and `source` are its row in docs/results.md, in Markdown. `benchmark`: it is
    said of buy and hold too, as `benchmark_<name>`; `interval`: resampled markets give it an interval.
    """

    name: str
    format: str
    better: str
    label: str
    part: str
    title: str
    hint: str
    meaning: str
    source: str = "–"
    column: str = ""
    glance: tuple[str, str] = ("", "")
    benchmark: bool = False
    interval: bool = False

    @property
    def unit(self) -> str:
        """What it is measured in, by its format."""
        return UNITS[self.format]


METRICS = (
    Metric("final_equity", "cash", "more", label="Final equity", part="Growth", title="Final equity",
        hint="the account at the last close, open positions at their price",
        meaning="cash + positions at the last close", benchmark=True,
    ),
    Metric("total_return", "signed", "more", label="Total return", part="Growth", title="Total return",
        hint="final equity / capital − 1",
        meaning="final equity / capital - 1",
        glance=("", "gain or loss over the whole span"), benchmark=True, interval=True,
    ),
    Metric("cagr", "signed", "more", label="CAGR", part="Growth", title="Yearly growth (CAGR)",
        hint="the steady yearly rate with the same end",
        meaning=("(final equity / capital)^(1 / years) - 1, years = days from the first to the last bar / 365.25; -1 "
                 "when nothing is left; NaN for one bar"), source="compound annual growth",
        column="CAGR", benchmark=True, interval=True,
    ),
    Metric("open_pnl", "gain", "neither", label="Open P&L", part="Growth", title="Open profit",
        hint="profit of positions that are still open, part of the equity",
        meaning="profit of the positions still open at the end, after their costs so far, dividends included",
    ),
    Metric("volatility", "share", "less", label="Volatility a year", part="Risk", title="Volatility",
        hint="standard deviation of the bars' returns, per year",
        meaning="sample standard deviation (n - 1) of the returns x sqrt(`periods_per_year`)",
        glance=("", "typical size of a year's ups and downs"), benchmark=True, interval=True,
    ),
    Metric("max_drawdown", "signed", "more", label="Max drawdown", part="Risk", title="Deepest drawdown",
        hint="lowest point under an earlier peak",
        meaning="lowest equity / highest equity before it - 1; the capital is the first high",
        glance=("", "worst fall from a peak"), benchmark=True, interval=True,
    ),
    Metric("max_drawdown_days", "days", "less", label="… its length, days", part="Risk", title="Its length",
        hint="from that peak until it was reached again, or to the end",
        meaning="the same in calendar days",
        column="Days under water", benchmark=True,
    ),
    Metric("max_drawdown_bars", "count", "less", label="… its length, bars", part="Risk", title="Its length in bars",
        hint="the same, counted in bars",
        meaning="bars of that drawdown, from its peak to the first bar back at the peak, or to the end",
        column="Bars under water",
    ),
    Metric("skew", "ratio", "more", label="Skew", part="Risk", title="Skew",
        hint="below 0: the large moves are mostly losses",
        meaning="m3 / m2^1.5 of the returns, population moments",
    ),
    Metric("kurtosis", "ratio", "less", label="Kurtosis", part="Risk", title="Kurtosis",
        hint="3 for a bell curve; higher: more extreme bars",
        meaning="m4 / m2^2, population moments: 3 for a normal distribution",
    ),
    Metric("sharpe", "ratio", "more", label="Sharpe", part="Return for risk", title="Sharpe ratio",
        hint="yearly return / volatility",
        meaning="mean return / sample standard deviation x sqrt(`periods_per_year`); NaN without spread",
        source="Sharpe 1994, J. of Portfolio Management 21(1)",
        column="Sharpe", glance=("", "yearly return per unit of ups and downs; 1 is good, 2 rare"), benchmark=True, interval=True,
    ),
    Metric("sortino", "ratio", "more", label="Sortino", part="Return for risk", title="Sortino ratio",
        hint="the same, but only falls count as risk",
        meaning=("mean return / downside deviation x sqrt(`periods_per_year`); downside: root of the mean, over all "
                 "returns, of the squared returns below 0"), source="Sortino, Price 1994, J. of Investing 3(3)",
        benchmark=True, interval=True,
    ),
    Metric("calmar", "ratio", "more", label="Calmar", part="Return for risk", title="Calmar ratio",
        hint="yearly growth / deepest drawdown",
        meaning="`cagr` / -`max_drawdown`, over the whole run", source="Young 1991, Futures 20 (who took 36 months)",
        benchmark=True,
    ),
    Metric("exposure", "share", "neither", label="Exposure", part="Use of the capital", title="Time in the market",
        hint="share of bars with a position at the close",
        meaning="share of bars with a position at the close",
        glance=("", "share of bars with a position"),
    ),
    Metric("mean_gross", "share", "neither", label="Mean gross exposure", part="Use of the capital",
        title="Mean gross exposure",
        hint="average value of all positions, long and short, / equity",
        meaning="mean over all bars of gross exposure: sum of absolute position values / equity",
    ),
    Metric("turnover", "times", "less", label="Turnover a year", part="Use of the capital", title="Turnover a year",
        hint="half of all bought and sold / mean equity, per year",
        meaning="half the value of all fills / mean equity / years; 1 = the account replaced once a year",
        source="SEC Form N-1A item 13, which takes the lesser of buys and sells",
        column="Turnover", glance=("", "how often the account is replaced in a year"),
    ),
    Metric("round_trips", "count", "neither", label="Round trips", part="Round trips", title="Closed",
        hint="trades from flat to flat",
        meaning="their number",
        column="Round trips", glance=("Round trips", "trades from flat to flat, all closed"),
    ),
    Metric("win_rate", "share", "more", label="Win rate", part="Round trips", title="Win rate",
        hint="share that made money after costs",
        meaning="share with a profit above 0",
        glance=("", "share of round trips that made money after costs"),
    ),
    Metric("profit_factor", "ratio", "more", label="Profit factor", part="Round trips", title="Profit factor",
        hint="sum of wins / sum of losses",
        meaning="sum of profits / sum of losses; NaN without a loss",
        glance=("", "money won per unit of money lost; above 1 earns"),
    ),
    Metric("expectancy", "gain", "more", label="Expectancy", part="Round trips", title="Expectancy",
        hint="average profit of a round trip",
        meaning="mean profit, cash",
    ),
    Metric("best_trade", "signed", "more", label="Best trade", part="Round trips", title="Best",
        hint="highest return on what its entries cost",
        meaning="highest return on what the entries cost",
        column="Best trade",
    ),
    Metric("worst_trade", "signed", "more", label="Worst trade", part="Round trips", title="Worst",
        hint="lowest return on what its entries cost",
        meaning="lowest of them",
        column="Worst trade",
    ),
    Metric("average_trade_bars", "bars", "neither", label="Average bars held", part="Round trips", title="Average length",
        hint="mean number of bars held",
        meaning="mean number of bars from entry to exit",
        column="Bars in a trade",
    ),
    Metric("costs", "cash", "less", label="Costs", part="Costs", title="All costs",
        hint="commission, slippage and borrow fees together",
        meaning="`commission` + `slippage` + `borrow`, cash",
        column="Costs paid", glance=("Costs paid", "commission, spread, slippage and borrow fees"),
    ),
    Metric("commission", "cash", "less", label="Commission", part="Costs", title="Commission",
        hint="what the broker takes",
        meaning="cash",
    ),
    Metric("slippage", "cash", "less", label="Spread and slippage", part="Costs", title="Spread and slippage",
        hint="what crossing the spread and moving the price costs",
        meaning="spread, fixed slippage and impact, cash",
    ),
    Metric("borrow", "cash", "less", label="Borrow fees", part="Costs", title="Borrow fees",
        hint="what lent shares cost",
        meaning="fee on shorts, cash",
    ),
    Metric("periods_per_year", "ratio", "fixed", label="Periods per year", part="", title="Periods per year",
        hint="",
        meaning="bars a year, from the times: 252, 260, 313 or 365 days x bars a day; 52 for weeks, 12 for months",
        source="`gpt_trader.metrics.periods_per_year`",
    ),
)  # fmt: skip
"""Every metric, by part of the report and in its order there; `borrow` is a run's alone, the others are METRIC_NAMES."""

METRIC = {row.name: row for row in METRICS}

BENCHMARK_METRICS = tuple(name for name in METRIC_NAMES if name in METRIC and METRIC[name].benchmark)
"""What is said of the benchmark too, as `benchmark_<name>`."""
INTERVAL_METRICS = tuple(name for name in METRIC_NAMES if name in METRIC and METRIC[name].interval)
"""What resampled markets give intervals for."""
