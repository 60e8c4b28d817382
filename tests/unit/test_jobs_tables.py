"""Numbers as people read them in a terminal."""

from __future__ import annotations

import io
import math

import pytest
from rich.console import Console

from jobs.console_tables import NOTHING, comparison, sparkline, summary, text_of


@pytest.mark.parametrize(
    ("value", "kind", "text"),
    [
        (0.12345, "percent", "+12.35 %"),
        (-0.5, "percent", "−50.00 %"),
        (0.25, "share", "25.00 %"),
        (1.2345, "ratio", "1.23"),
        (12.0, "count", "12"),
        (1234567.891, "money", "1,234,567.89"),
        (-3.5, "signed_money", "−3.50"),
        (2.5, "times", "2.50 x"),
        (math.nan, "ratio", NOTHING),
        (None, "percent", NOTHING),
        (math.inf, "ratio", "∞"),
        (-math.inf, "ratio", "−∞"),
    ],
)
def test_a_number_reads_as(value: float | None, kind: str, text: str) -> None:
    assert text_of(value, kind) == text


def test_a_sparkline_rises_with_its_values() -> None:
    assert sparkline([1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0]) == "▁▂▃▄▅▆▇█"
    assert sparkline([5.0, 5.0, 5.0]) == "▁▁▁"
    assert sparkline([math.nan, 1.0]) == ""


def test_a_sparkline_keeps_its_width_and_ends_with_the_last_value() -> None:
    line = sparkline([*range(1000), -5000.0], width=40)
    assert len(line) == 40
    assert line[-1] == "▁"
    assert line[-2] == "█"


def _printed(table: object) -> str:
    stream = io.StringIO()
    Console(file=stream, width=120, no_color=True).print(table)
    return stream.getvalue()


def test_the_summary_sets_the_strategy_against_buy_and_hold() -> None:
    text = _printed(
        summary({"total_return": 0.5, "benchmark_total_return": 0.25, "costs": 12.5, "round_trips": 7.0})
    )
    row = next(line for line in text.splitlines() if line.startswith("Total return"))
    assert row.index("Total return") < row.index("+50.00 %") < row.index("+25.00 %")
    assert "Buy and hold" in text
    assert any("Costs" in line and "12.50" in line for line in text.splitlines())
    assert "Buy and hold" not in _printed(summary({"total_return": 0.5}, benchmark=False))


def test_a_comparison_has_a_column_for_each_run() -> None:
    text = _printed(comparison(["one", "two"], [{"sharpe": 1.0}, {"sharpe": 2.0}]))
    row = next(line for line in text.splitlines() if line.startswith("Sharpe"))
    assert row.split() == ["Sharpe", "1.00", "2.00"]
