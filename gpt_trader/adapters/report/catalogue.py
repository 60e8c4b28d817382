"""What the report calls each metric and setting, and what it means in plain language."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from gpt_trader.engine.measures import METRIC, METRICS, Metric


class Figure(NamedTuple):
    """One metric as the report shows it: `kind` is percent, signed (percent with its sign), ratio,
    cash, count, days, bars or times. `benchmark` is the metric of buy and hold to stand beside it."""

    key: str
    label: str
    kind: str
    hint: str
    benchmark: str = ""


KINDS = {"share": "percent", "gain": "cash"}
"""What the report calls a format of `measures.UNITS`, where it is not that word."""
FIRST = (
    "total_return", "cagr", "sharpe", "max_drawdown", "volatility", "exposure", "round_trips", "win_rate", "profit_factor",
    "expectancy", "costs", "turnover",
)  # fmt: skip
"""The metrics of the report's first lines."""
BESIDE = frozenset(("total_return", "cagr", "sharpe", "max_drawdown", "volatility"))
"""Those with the number of buy and hold beside them."""


def kind_of(name: str) -> str:
    """How the report writes a metric: the `kind` of its `Figure`."""
    written = METRIC[name].format
    return KINDS.get(written, written)


def unsigned_kind(name: str) -> str:
    """The same where signs would be noise: fractions are per cent without the plus of a gain."""
    return "percent" if METRIC[name].unit == "fraction" else kind_of(name)


def _figure(row: Metric, label: str, hint: str) -> Figure:
    return Figure(
        row.name, label, kind_of(row.name), hint, f"benchmark_{row.name}" if row.name in BESIDE else ""
    )


def _glance(row: Metric) -> Figure:
    label, hint = row.glance
    return _figure(row, label or row.title, hint or row.hint)


HEADLINE = tuple(_glance(METRIC[name]) for name in FIRST)

DETAILS = tuple(
    (part, tuple(_figure(row, row.title, row.hint) for row in METRICS if row.part == part))
    for part in dict.fromkeys(row.part for row in METRICS if row.part)
)
"""The parts of the report's table of metrics, each with its figures."""

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
