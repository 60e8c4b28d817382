"""The report of a comparison: every strategy with its intervals, and how likely each beats each."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gpt_trader.adapters.report import svg, texts
from gpt_trader.adapters.report.intervals import LABELS, made_of, memory_note
from gpt_trader.adapters.report.page import check_place, render_page, script_json, write_page
from gpt_trader.adapters.report.study_page_sections import experiment_header
from gpt_trader.adapters.report.trust import trust
from gpt_trader.look_ahead import LookAhead
from gpt_trader.research.comparison_study import by_metric, too_good_in

if TYPE_CHECKING:
    from gpt_trader.research.comparison_study import ComparisonResult
    from gpt_trader.validation.intervals import Interval

EXPLANATION = (
    "Every strategy is run on the same resampled markets, so that what a market does to all of them falls out of their "
    "differences. The probability is the share of these differences that are above 0 after their median has been moved onto the "
    "difference as it is. Near 50 % nobody knows which is better; above 95 % chance is an unlikely explanation of the lead, unless "
    "the winner was picked from many."
)


def write_comparison_report(
    found: ComparisonResult,
    run_id: str,
    path: str | os.PathLike[str],
    states: Mapping[str, LookAhead] | None = None,
) -> Path:
    """Write the page to `path`, whole or not at all, and return the path. `states` are what is known of the look-ahead of each
    strategy, by its name here. Raises BadParameter as `write_page`."""
    target = check_place(path)
    return write_page(render_page("comparison.html.j2", "still.js", content(found, run_id, states)), target)


def content(
    found: ComparisonResult, run_id: str, states: Mapping[str, LookAhead] | None = None
) -> dict[str, Any]:
    """Everything the template shows."""
    study = found.study
    metric = study.metric
    names = [side.candidate.name for side in found.sides]
    label, kind = LABELS[metric]
    pictured = [(side.candidate.name, side.intervals.of(metric)) for side in found.sides]
    return {
        **experiment_header(study.candidates[0].experiment, run_id),
        "strategy": " against ".join(names),
        **trust({name: (states or {}).get(name, LookAhead()) for name in names}, too_good_in(found)),
        "label": label,
        "level": f"{study.bootstrap.level * 100:g} %",
        "names": names,
        "rows": [
            {"name": LABELS[item.name][0], "cells": [_cell(side.intervals.of(item.name)) for side in found.sides]}
            for item in found.sides[0].intervals.intervals
        ],
        "picture": svg.whiskers(
            [(name, item.low, item.estimate, item.high) for name, item in pictured],
            f"Intervals of the {label} of each strategy", write=lambda value: texts.write(value, kind),
        ),
        "chances": [
            {"name": name, "cells": [texts.percent(float(chance)) for chance in row]}
            for name, row in zip(names, found.probabilities(), strict=True)
        ],
        "pairs": [_pair(names, pair, metric) for pair in found.pairs],
        "parameters": [
            (side.candidate.name, [(name, texts.setting(value)) for name, value in side.run.parameters.items()])
            for side in found.sides
        ],
        "made": made_of(found.sides[0].intervals),
        "warnings": [
            f"{side.candidate.name}: {note}" for side in found.sides if (note := memory_note(side.intervals))
        ],
        "explanation": EXPLANATION,
        "payload": script_json({}),
    }  # fmt: skip


def _cell(item: Interval) -> tuple[str, str]:
    kind = LABELS[item.name][1]
    low, high = (texts.write(value, kind) for value in (item.low, item.high))
    return texts.write(item.estimate, kind), f"{low} to {high}"


def _pair(names: list[str], pair: Any, metric: str) -> dict[str, str]:
    first, second, comparisons = pair
    kind, found = LABELS[metric][1], by_metric(comparisons, metric)
    low, high = (texts.write(value, kind) for value in (found.low, found.high))
    return {
        "name": f"{names[first]} over {names[second]}",
        "difference": texts.write(found.difference, kind),
        "interval": f"{low} to {high}",
        "probability": texts.percent(found.probability),
        "won": texts.percent(found.won),
    }
