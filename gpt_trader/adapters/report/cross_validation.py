"""Builds the report of a cross-validation: its paths as a fan, their Sharpe ratios, and what each split lost out of sample."""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gpt_trader.adapters.report import figures, texts
from gpt_trader.adapters.report.labels import written
from gpt_trader.adapters.report.luck import luck_section
from gpt_trader.adapters.report.page import check_place, render_page, script_json, write_page
from gpt_trader.adapters.report.study_page_sections import (
    Tile,
    failed_rows,
    header,
    is_intraday,
    point_text,
    tone,
)
from gpt_trader.adapters.report.trust import trust_in
from gpt_trader.research.cross_validation_study import CrossValidationResult
from gpt_trader.validation.walk_forward import NONE

if TYPE_CHECKING:
    from gpt_trader.validation.summary import TrialStatistics

PATHS_DRAWN = 40
CHOICES_SHOWN = 20
POINTS, BUCKETS = 1_200, 150  # of a line; there are many lines


def write_cross_validation_report(
    found: CrossValidationResult, run_id: str, statistics: TrialStatistics, path: str | os.PathLike[str]
) -> Path:
    """Write the report, whole or not at all, and return the path. Raises BadParameter for a place that cannot be written."""
    check_place(path)
    return write_page(render_cross_validation(found, run_id, statistics), path)


def render_cross_validation(found: CrossValidationResult, run_id: str, statistics: TrialStatistics) -> str:
    """The report as one page that needs nothing outside itself; the same cross-validation gives the same text."""
    study = found.study
    time = study.experiment.bars.time
    clock = figures.Clock(time, is_intraday(study.experiment))
    payload = {
        "intraday": clock.intraday,
        "bars": time.size,
        "fan": _fan(found, clock),
        "sharpe": figures.short(np.sort(found.path_sharpe), 5),
        "splits": _splits(found),
    }
    payload["clock"] = clock.knots()
    made = int((found.choices.point != NONE).sum())
    content = {
        **header(study.experiment, study.points, run_id),
        **trust_in(statistics),
        "fold_count": len(found.purged.splits.folds),
        "test_count": found.purged.splits.tested.shape[1],
        "split_count": f"{len(found.purged.splits.splits):,}",
        "path_count": f"{len(found.paths):,}",
        "drawn_count": min(len(found.paths), PATHS_DRAWN),
        "horizon": str(found.purged.horizon),
        "embargo": str(study.embargo),
        "objective": study.objective,
        "searched": len(study.points) > 1,
        "axis_names": list(study.points.names),
        "summary": _summary(found),
        "tiles": _tiles(found),
        "luck": luck_section(statistics),
        "best": point_text(study.points, found.best),
        "path_rows": _path_rows(found),
        "choice_rows": [
            ([texts.setting(value) for value in study.points.values[number]], f"{times:,}", texts.percent(times / made))
            for number, times in list(found.frequency.items())[:CHOICES_SHOWN]
        ],
        "choice_count": len(found.frequency),
        "failed_rows": failed_rows(study.points, found.runs.errors),
        "payload": script_json(payload),
    }  # fmt: skip
    return render_page("cross_validation.html.j2", "cross_validation.js", content)


def _fan(found: CrossValidationResult, clock: figures.Clock) -> dict[str, Any]:
    """Some of the paths, from the worst to the best, and the median of all at each bar."""
    equity, order = found.equity, np.argsort(found.path_sharpe, kind="stable")
    drawn = order[np.unique(np.linspace(0, len(order) - 1, min(len(order), PATHS_DRAWN)).astype(np.int64))]
    middle = np.median(equity, axis=0)
    rows = figures.extreme_rows([middle], POINTS, BUCKETS)
    return {
        "x": figures.differences(clock.x(rows)),
        "median": figures.short(middle[rows], 6),
        "paths": [figures.short(equity[path][rows], 6) for path in drawn.tolist()],
        "numbers": [int(path) + 1 for path in drawn],
        "folds": clock.x(np.array([start for start, _ in found.purged.splits.folds])),
        "end": clock.x(np.array([clock.time.size - 1]))[0],
    }


def _splits(found: CrossValidationResult) -> dict[str, Any]:
    """In-sample and out-of-sample Sharpe ratio of every split that chose, with its test folds and its choice."""
    made = np.flatnonzero(found.choices.point != NONE)
    points, tested = found.study.points, found.purged.splits.tested
    return {
        "inside": figures.short(found.in_sample[made], 5),
        "outside": figures.short(found.out_of_sample[made], 5),
        "folds": [", ".join(str(fold + 1) for fold in tested[split].tolist()) for split in made.tolist()],
        "points": [point_text(points, int(found.choices.point[split])) for split in made.tolist()],
    }


def _summary(found: CrossValidationResult) -> list[str]:
    """The answer in plain sentences."""
    study, splits, spread, lost = found.study, found.purged.splits, found.distribution, found.degradation
    paths = f"{len(found.paths):,} path{'s' if len(found.paths) > 1 else ''}"
    first = (
        f"Put together out of sample, the bars make {paths} with a Sharpe ratio of {texts.number(spread['mean'])} on average, "
        f"{texts.number(spread['percentile_5'])} at the 5th percentile; {texts.percent(spread['below_zero'], 0)} lie below zero."
    )
    if len(study.points) == 1:
        return [first, "There was one point and nothing to choose: the paths show that point in parts."]
    second = (
        f"The points that the {len(splits.splits):,} splits chose had {texts.number(lost['in_sample_sharpe'])} where they "
        f"were chosen and {texts.number(lost['out_of_sample_sharpe'])} where they were tested."
    )
    return [first, second]


def _tiles(found: CrossValidationResult) -> list[Tile]:
    spread, lost = found.distribution, found.degradation
    return [
        Tile("Mean Sharpe", texts.number(spread["mean"]), f"of {len(found.paths):,} paths, out of sample",
             ("deviation", texts.number(spread["deviation"])), tone(spread["mean"])),
        Tile("5th percentile", texts.number(spread["percentile_5"]), "Sharpe of the worst paths", None,
             tone(spread["percentile_5"])),
        Tile("Below zero", texts.percent(spread["below_zero"], 0), "paths with a Sharpe below 0"),
        Tile("Out of sample", texts.number(lost["out_of_sample_sharpe"]), "Sharpe of the choice of a split, mean",
             ("in sample", texts.number(lost["in_sample_sharpe"]))),
        Tile("Choice loses", texts.percent(lost["loss"], 0), "splits whose choice loses money where it is tested"),
        Tile("Worse than half", texts.percent(lost["overfit"], 0), "splits whose choice is below the median; 50 % by luck"),
    ]  # fmt: skip


def _path_rows(found: CrossValidationResult) -> list[list[str]]:
    """The paths from the best to the worst, of very many some."""
    figures_of = found.path_figures
    order = np.argsort(-found.path_sharpe, kind="stable")
    kept = order[np.unique(np.linspace(0, len(order) - 1, min(len(order), PATHS_DRAWN)).astype(np.int64))]
    return [
        [
            str(path + 1),
            *(written(name, figures_of[path][name]) for name in ("sharpe", "total_return", "cagr", "volatility")),
            written("max_drawdown", fall, signed=False) if math.isfinite(fall := figures_of[path]["max_drawdown"]) else "",
        ]
        for path in kept.tolist()
    ]  # fmt: skip
