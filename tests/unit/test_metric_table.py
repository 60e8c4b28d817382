"""The table of metrics is complete, and what names, writes or compares metrics reads it."""

from __future__ import annotations

from collections import Counter

import pytest

from gpt_trader.adapters.report import intervals, labels, sweep_texts, texts
from gpt_trader.engine.metric_definitions import DIRECTIONS, METRIC, METRIC_NAMES, METRICS, UNITS
from jobs import console_tables as tables
from jobs import robustness_output, runs
from jobs.console_tables import text_of

ALONE = {"borrow"}
"""Metrics of a run that no kernel makes."""


def test_every_metric_has_one_row_in_the_table() -> None:
    twice = [name for name, count in Counter(row.name for row in METRICS).items() if count > 1]
    assert not twice
    missing = set(METRIC_NAMES) - set(METRIC)
    assert not missing, (
        f"add a row to METRICS in gpt_trader/engine/metric_definitions.py for {sorted(missing)}"
    )
    unknown = set(METRIC) - set(METRIC_NAMES) - ALONE
    assert not unknown, (
        f"METRICS has a row for {sorted(unknown)}, which nothing computes; metric_formulas.py does not fill them"
    )


@pytest.mark.parametrize("row", METRICS, ids=lambda row: row.name)
def test_a_row_says_all_that_readers_need(row) -> None:
    assert row.format in UNITS, f"the format of {row.name} is none of {', '.join(UNITS)}"
    assert row.better in DIRECTIONS, f"the direction of {row.name} is none of {', '.join(DIRECTIONS)}"
    assert row.label
    assert row.meaning
    assert bool(row.part) == bool(row.hint)
    assert text_of(0.5, tables.kind_of(row.name))
    assert texts.write(0.5, labels.kind_of(row.name))
    assert texts.write(0.5, labels.unsigned_kind(row.name))


def test_labels_tell_metrics_apart() -> None:
    for names in (
        [row.label for row in METRICS],
        [(row.part, row.title) for row in METRICS],
        [row.column or row.title for row in METRICS],
    ):
        assert not [name for name, count in Counter(names).items() if count > 1]


def test_the_report_shows_every_metric_that_has_a_part() -> None:
    shown = [figure.key for _, figures in labels.DETAILS for figure in figures]
    assert sorted(shown) == sorted(row.name for row in METRICS if row.part)


def test_whoever_lists_metrics_writes_them_as_the_table_says() -> None:
    terminal = (*tables.PERFORMANCE, *tables.TRADING, *runs.NUMBERS, *robustness_output.COLUMNS)
    assert all(kind == tables.kind_of(name) for _, name, kind in terminal)
    assert all(kind == tables.kind_of(name) for name, (_, kind) in tables.LABELS.items())
    figures = (*labels.HEADLINE, *(figure for _, part in labels.DETAILS for figure in part))
    assert all(figure.kind == labels.kind_of(figure.key) for figure in figures)
    assert all(kind == labels.unsigned_kind(name) for name, (_, kind) in intervals.LABELS.items())
    assert all(sweep_texts.metric(name).kind == labels.kind_of(name) for name in METRIC)
