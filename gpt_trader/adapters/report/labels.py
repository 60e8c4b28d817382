"""What the report calls each metric and setting, and what it means in plain language."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from gpt_trader.adapters.report import texts
from gpt_trader.allocation import Allocation
from gpt_trader.costs import Costs, FillModel
from gpt_trader.declared_rules import rules_of
from gpt_trader.engine.metric_definitions import METRIC, METRICS, Metric
from gpt_trader.risk import RiskLimits


class Figure(NamedTuple):
    """One metric as the report shows it: `kind` is percent, signed (percent with its sign), ratio,
    cash, count, days, bars or times. `benchmark` is the metric of buy and hold to stand beside it."""

    key: str
    label: str
    kind: str
    hint: str
    benchmark: str = ""


KINDS = {"share": "percent", "gain": "cash"}
"""What the report calls a format of `metric_definitions.UNITS`, where it is not that word."""
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


def written(name: str, value: float, *, signed: bool = True) -> str:
    """A metric's value as the report writes it; without `signed` as `unsigned_kind` says."""
    return texts.write(value, kind_of(name) if signed else unsigned_kind(name))


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

_RULES = {
    f"{section}.{name}": row
    for section, kind in (
        ("costs", Costs),
        ("fills", FillModel),
        ("allocation", Allocation),
        ("risk", RiskLimits),
    )
    for name, row in rules_of(kind).items()
}
ASSUMPTION_LABELS: Mapping[str, str] = {
    "strategy_code": "strategy code, SHA-256",
    **{key: row.label for key, row in _RULES.items() if row.label},
}

SHARES = frozenset(key for key, row in _RULES.items() if row.unit == "share")
"""Settings that are fractions and are written as per cent."""

RULES_OF_FILLING = (
    "A decision made at the close of a bar can never fill in that bar: market orders fill at the next open.",
    "Limits and stops fill inside the bar's range, at the open when it gaps through.",
    "Of a stop and a target in one bar, the worse one is taken first.",
    "A fill's price is a price of its bar; spread and slippage are charged in cash beside it.",
    "Splits change quantities, dividends are cash to the holders on the ex-date.",
    "Positions open at the end stay open at their last price; nothing is sold for the sake of the report.",
)
