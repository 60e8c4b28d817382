"""Intervals from resampled markets as a section of a report."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from gpt_trader.adapters.report import svg, texts
from gpt_trader.adapters.report.labels import unsigned_kind
from gpt_trader.engine.metric_definitions import INTERVAL_METRICS, METRIC

if TYPE_CHECKING:
    from gpt_trader.research.bootstrap_runs import BootstrapIntervals
    from gpt_trader.validation.intervals import Interval

_NAMES = {"sharpe": METRIC["sharpe"].title, "max_drawdown": METRIC["max_drawdown"].label}
LABELS = {
    name: (_NAMES.get(name) or METRIC[name].column or METRIC[name].title, unsigned_kind(name))
    for name in INTERVAL_METRICS
}
"""What the section calls the metrics that have intervals, and how it writes them: without signs."""
RATIOS = ("sharpe", "sortino")
RATES = ("cagr", "volatility", "max_drawdown")
EXPLANATION = (
    "Other histories of the same length are put together from blocks of what happened, and the strategy is run again on each. "
    "An interval is the spread of these runs, laid around the number as it is; that of the drawdown is where it lies in the "
    "other histories. It says how far chance alone may have moved the number, if what comes next is like what was and remembers "
    "no more than a block. It knows nothing of other times, and nothing of how many rules were tried."
)
MEMORY = 0.5


def intervals_section(found: BootstrapIntervals) -> dict[str, Any]:
    """What the template shows: rows, a picture of the ratios and one of the rates, how it was made and what to beware of."""
    rows = [
        {"name": label, "cells": [texts.write(value, kind) for value in (item.estimate, item.low, item.high, item.median)]}
        for item in found.intervals
        for label, kind in (LABELS[item.name],)
    ]  # fmt: skip
    return {
        "level": f"{found.bootstrap.level * 100:g} %",
        "rows": rows,
        "ratios": _picture([item for item in found.intervals if item.name in RATIOS], "ratio"),
        "rates": _picture([item for item in found.intervals if item.name in RATES], "percent"),
        "made": made_of(found),
        "warning": memory_note(found),
        "explanation": EXPLANATION,
    }


def made_of(found: BootstrapIntervals) -> str:
    """How the markets were resampled."""
    drawn = found.bootstrap
    return (
        f"{drawn.count:,} resampled markets, seed {drawn.seed}, blocks of {drawn.block or 0.0:.1f} sessions on average, "
        f"of which the history holds {found.blocks:,.0f}"
    )


def memory_note(found: BootstrapIntervals) -> str:
    """A warning when the Sharpe ratio is much lower in resampled markets; empty otherwise."""
    sharpe = found.of("sharpe")
    if not sharpe.lost > MEMORY:
        return ""
    return (
        f"In resampled markets the Sharpe ratio is {sharpe.estimate - sharpe.median:.2f} lower: part of it is memory longer than "
        "a block, which they do not have. The interval is the chance around the number as it is, not a doubt about that memory."
    )


def _picture(found: Sequence[Interval], kind: str) -> Any:
    rows = [(LABELS[item.name][0], item.low, item.estimate, item.high) for item in found]
    label = "; ".join(
        f"{name} {texts.write(low, kind)} to {texts.write(high, kind)}" for name, low, _, high in rows
    )
    return svg.whiskers(rows, f"Intervals: {label}", write=lambda value: texts.write(value, kind))
