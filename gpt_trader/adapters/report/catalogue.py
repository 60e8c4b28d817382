"""What the report calls each metric and setting, and what it means in plain language."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class Figure(NamedTuple):
    """One metric as the report shows it: `kind` is percent, signed (percent with its sign), ratio,
    cash, count, days, bars or times. `benchmark` is the metric of buy and hold to stand beside it."""

    key: str
    label: str
    kind: str
    hint: str
    benchmark: str = ""


HEADLINE = (
    Figure(
        "total_return", "Total return", "signed", "gain or loss over the whole span", "benchmark_total_return"
    ),
    Figure(
        "cagr", "Yearly growth (CAGR)", "signed", "the steady yearly rate with the same end", "benchmark_cagr"
    ),
    Figure(
        "sharpe",
        "Sharpe ratio",
        "ratio",
        "yearly return per unit of ups and downs; 1 is good, 2 rare",
        "benchmark_sharpe",
    ),
    Figure("max_drawdown", "Deepest drawdown", "signed", "worst fall from a peak", "benchmark_max_drawdown"),
    Figure(
        "volatility",
        "Volatility",
        "percent",
        "typical size of a year's ups and downs",
        "benchmark_volatility",
    ),
    Figure("exposure", "Time in the market", "percent", "share of bars with a position"),
    Figure("round_trips", "Round trips", "count", "trades from flat to flat, all closed"),
    Figure("win_rate", "Win rate", "percent", "share of round trips that made money after costs"),
    Figure("profit_factor", "Profit factor", "ratio", "money won per unit of money lost; above 1 earns"),
    Figure("expectancy", "Expectancy", "cash", "average profit of a round trip"),
    Figure("costs", "Costs paid", "cash", "commission, spread, slippage and borrow fees"),
    Figure("turnover", "Turnover a year", "times", "how often the account is replaced in a year"),
)

DETAILS = (
    (
        "Growth",
        (
            Figure(
                "final_equity",
                "Final equity",
                "cash",
                "the account at the last close, open positions at their price",
            ),
            Figure(
                "total_return",
                "Total return",
                "signed",
                "final equity / capital − 1",
                "benchmark_total_return",
            ),
            Figure(
                "cagr",
                "Yearly growth (CAGR)",
                "signed",
                "the steady yearly rate with the same end",
                "benchmark_cagr",
            ),
            Figure(
                "open_pnl",
                "Open profit",
                "cash",
                "profit of positions that are still open, part of the equity",
            ),
        ),
    ),
    (
        "Risk",
        (
            Figure(
                "volatility",
                "Volatility",
                "percent",
                "standard deviation of the bars' returns, per year",
                "benchmark_volatility",
            ),
            Figure(
                "max_drawdown",
                "Deepest drawdown",
                "signed",
                "lowest point under an earlier peak",
                "benchmark_max_drawdown",
            ),
            Figure(
                "max_drawdown_days",
                "Its length",
                "days",
                "from that peak until it was reached again, or to the end",
            ),
            Figure("max_drawdown_bars", "Its length in bars", "count", "the same, counted in bars"),
            Figure("skew", "Skew", "ratio", "below 0: the large moves are mostly losses"),
            Figure("kurtosis", "Kurtosis", "ratio", "3 for a bell curve; higher: more extreme bars"),
        ),
    ),
    (
        "Return for risk",
        (
            Figure("sharpe", "Sharpe ratio", "ratio", "yearly return / volatility", "benchmark_sharpe"),
            Figure("sortino", "Sortino ratio", "ratio", "the same, but only falls count as risk"),
            Figure("calmar", "Calmar ratio", "ratio", "yearly growth / deepest drawdown"),
        ),
    ),
    (
        "Use of the capital",
        (
            Figure("exposure", "Time in the market", "percent", "share of bars with a position at the close"),
            Figure(
                "mean_gross",
                "Mean gross exposure",
                "percent",
                "average value of all positions, long and short, / equity",
            ),
            Figure(
                "turnover", "Turnover a year", "times", "half of all bought and sold / mean equity, per year"
            ),
        ),
    ),
    (
        "Round trips",
        (
            Figure("round_trips", "Closed", "count", "trades from flat to flat"),
            Figure("win_rate", "Win rate", "percent", "share that made money after costs"),
            Figure("profit_factor", "Profit factor", "ratio", "sum of wins / sum of losses"),
            Figure("expectancy", "Expectancy", "cash", "average profit of a round trip"),
            Figure("best_trade", "Best", "signed", "highest return on what its entries cost"),
            Figure("worst_trade", "Worst", "signed", "lowest return on what its entries cost"),
            Figure("average_trade_bars", "Average length", "bars", "mean number of bars held"),
        ),
    ),
    (
        "Costs",
        (
            Figure("costs", "All costs", "cash", "commission, slippage and borrow fees together"),
            Figure("commission", "Commission", "cash", "what the broker takes"),
            Figure(
                "slippage",
                "Spread and slippage",
                "cash",
                "what crossing the spread and moving the price costs",
            ),
            Figure("borrow", "Borrow fees", "cash", "what lent shares cost"),
        ),
    ),
)

ASSUMPTION_LABELS: Mapping[str, str] = {
    "strategy_code": "strategy code, SHA-256",
    "costs.bps": "Commission, basis points of the notional",
    "costs.per_share": "Commission per share, cash",
    "costs.minimum": "Least commission per order, cash",
    "costs.spread_bps": "Spread, basis points (half is paid by a market or stop fill)",
    "costs.slippage_bps": "Fixed slippage, basis points",
    "costs.impact": "Market impact x (share of the bar's volume)²",
    "costs.borrow": "Borrow fee on shorts, a year",
    "fills.volume_cap": "A fill takes at most this share of a bar's volume",
    "fills.delay": "Bars that a decision waits before it is acted on",
    "allocation.gross": "Targets scaled to at most this gross exposure",
    "allocation.position": "Largest weight of one position",
    "allocation.max_positions": "Positions at a time",
    "allocation.leverage": "Leverage",
    "allocation.sizing": "Sizing",
    "allocation.risk": "Risk per trade (only with sizing by risk)",
    "allocation.atr": "ATR bars (only with sizing by risk)",
    "allocation.atr_k": "Stop distance in ATR (only with sizing by risk)",
    "allocation.min_rebalance": "Smallest change worth an order, share of equity",
    "allocation.cadence": "Decisions every",
    "allocation.rebalance": "Rebalanced on",
    "allocation.reentry": "Re-entry after a declared exit",
    "allocation.confirm": "Signals in a row for an entry",
    "allocation.cooldown": "Bars without entry after an exit",
    "allocation.regime": "Regime index",
    "allocation.regime_window": "Regime mean, bars",
    "allocation.allow_short": "Short positions allowed",
}

SHARES = frozenset(
    [
        *("costs.borrow", "fills.volume_cap"),
        *(f"allocation.{name}" for name in ("gross", "position", "risk", "min_rebalance")),
        *(
            f"risk.{name}"
            for name in ("position", "gross", "net", "cash", "drawdown", "order_volume", "sector")
        ),
        *(f"risk.{name}" for name in ("daily_loss", "weekly_loss", "monthly_loss")),
    ]
)
"""Settings that are fractions and are written as per cent."""

RULES_OF_FILLING = (
    "A decision made at the close of a bar can never fill in that bar: market orders fill at the next open.",
    "Limits and stops fill inside the bar's range, at the open when it gaps through.",
    "Of a stop and a target in one bar, the worse one is taken first.",
    "A fill's price is a price of its bar; spread and slippage are charged in cash beside it.",
    "Splits change quantities, dividends are cash to the holders on the ex-date.",
    "Positions open at the end stay open at their last price; nothing is sold for the sake of the report.",
)
