"""The report of a robustness study: what is left of the run under other costs, delays, capitals, parameters and histories."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gpt_trader.adapters.report import luck, svg, texts
from gpt_trader.adapters.report.intervals import intervals_section
from gpt_trader.adapters.report.labels import unsigned_kind
from gpt_trader.adapters.report.page import check_place, render_page, script_json, write_page
from gpt_trader.adapters.report.study_page_sections import experiment_header
from gpt_trader.adapters.report.trust import trust_in
from gpt_trader.engine.metric_definitions import METRIC
from gpt_trader.research.robustness_text import (
    METRIC_WORDS,
    capacity_line,
    changes,
    costs_line,
    jitter_line,
    middle,
)

if TYPE_CHECKING:
    from markupsafe import Markup

    from gpt_trader.research.robustness_study import RobustnessResult
    from gpt_trader.research.scenario_runs import ScenarioRun
    from gpt_trader.validation.summary import TrialStatistics

COLUMNS = tuple(
    (METRIC[name].label, name, unsigned_kind(name))
    for name in ("sharpe", "cagr", "max_drawdown", "costs", "round_trips")
)
WIDEST = 2.0
"""The curve of costs is drawn up to so many times the break-even, and to 8 times the costs at the least."""


def write_robustness_report(
    found: RobustnessResult, run_id: str, statistics: TrialStatistics, path: str | os.PathLike[str]
) -> Path:
    """Write the page to `path`, whole or not at all, and return the path. Raises BadParameter as `write_page`."""
    target = check_place(path)
    return write_page(
        render_page("robustness.html.j2", "still.js", content(found, run_id, statistics)), target
    )


def content(found: RobustnessResult, run_id: str, statistics: TrialStatistics) -> dict[str, Any]:
    """Everything the template shows."""
    study = found.study
    metric = study.changes.metric
    return {
        **experiment_header(study.experiment, run_id),
        **trust_in(statistics),
        "parameters": [(name, texts.setting(value)) for name, value in found.base.parameters.items()],
        "metric": METRIC_WORDS[metric],
        "heads": [name for name, _, _ in COLUMNS],
        "rows": [
            {"name": name, "cells": [texts.write(middle(runs, key), kind) for _, key, kind in COLUMNS]}
            for name, runs in changes(found)
        ],
        "costs": {"line": costs_line(found), "chart": _costs(found, metric)},
        "delays": _delays(found.delays, metric),
        "capital_left": {"line": capacity_line(found), "chart": _capital(found)},
        "jitter": {"line": jitter_line(found), "chart": _jitter(found, metric), "share": study.changes.jitter},
        "intervals": None if found.intervals is None else intervals_section(found.intervals),
        "luck": luck.luck_section(statistics),
        "failed": [(texts.setting(dict(run.parameters)), run.error) for run in found.runs if run.error],
        "payload": script_json({}),
    }  # fmt: skip


def _write(metric: str) -> svg.Write:
    return (lambda value: texts.number(value)) if metric == "sharpe" else (lambda value: texts.percent(value))


def _costs(found: RobustnessResult, metric: str) -> Markup | None:
    edge = max(8.0, WIDEST * found.break_even.at) if found.break_even.found else 64.0
    points = [
        (run.scenario.cost_multiple, run.metrics[metric])
        for run in found.costs
        if run.scenario.cost_multiple <= edge
    ]
    label = f"Curve of the {METRIC_WORDS[metric]} over the multiple of the costs: {costs_line(found)}"
    return svg.curve(
        points, label, write_x=lambda x: f"× {x:g}" if x == round(x, 2) else f"× {x:.2f}", write_y=_write(metric),
        mark=found.break_even.at if found.break_even.found else None,
    )  # fmt: skip


def _delays(runs: Sequence[ScenarioRun], metric: str) -> Markup | None:
    values = [
        ("as it is" if not run.scenario.delay else f"+{run.scenario.delay}", run.metrics[metric])
        for run in runs
    ]
    return svg.columns(values, f"Bars of the {METRIC_WORDS[metric]} by bars of delay", write=_write(metric))


def _capital(found: RobustnessResult) -> Markup | None:
    points = [(found.capital_of(run), run.metrics["cagr"]) for run in found.capitals]
    scale = found.study.experiment.settings.capital
    return svg.curve(
        points, f"Curve of the yearly growth over the capital: {capacity_line(found)}", write_x=_short, write_y=_write("cagr"),
        logarithmic=True, level=0.0, mark=found.capacity.at * scale if found.capacity.found else None,
    )  # fmt: skip


def _jitter(found: RobustnessResult, metric: str) -> Markup | None:
    values = [run.metrics[metric] for run in found.neighbours]
    label = f"Histogram of the {METRIC_WORDS[metric]} of the neighbours, with a line at the chosen point"
    return svg.histogram(values, label, write=_write(metric), mark=found.jitter.chosen)


def _short(value: float) -> str:
    """A capital in a few letters: 100k, 10M, 1bn."""
    for unit, name in ((1e12, "tn"), (1e9, "bn"), (1e6, "M"), (1e3, "k")):
        if value >= unit:
            return f"{value / unit:,.3g}{name}"
    return f"{value:,.0f}"
