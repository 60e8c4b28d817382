"""What a cross-validation says: its files, one object for programs, tables for people."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from gpt_trader.engine.metric_definitions import METRIC_NAMES
from gpt_trader.strategy import strategy_name
from jobs.command_results import ConcludedStudy, StudyView
from jobs.console_tables import (
    bars_line,
    failed_points,
    listing,
    parameter_columns,
    parameters_line,
    points_line,
    significance_lines,
    text_of,
)
from jobs.look_ahead import belief_lines

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from gpt_trader.research.cross_validation_study import CrossValidationResult
    from jobs.command_results import TrialVerdict
    from jobs.console import Output

SHOWN = 10


class CrossValidationView(StudyView["CrossValidationResult"]):
    """As in `StudyView`."""

    def as_object(self, found: ConcludedStudy[CrossValidationResult]) -> dict[str, Any]:
        """All that a cross-validation says."""
        (verdict,) = found.verdicts
        return {**result_of(found.result), **verdict.keys, "warnings": verdict.statistics.too_good}

    def tables(self, found: ConcludedStudy[CrossValidationResult]) -> Mapping[str, Mapping[str, Any]]:
        """Points, splits and paths."""
        return tables_of(found.result)

    def write_report(self, found: ConcludedStudy[CrossValidationResult], file: Path) -> None:
        """The HTML report."""
        from gpt_trader.adapters.report.cross_validation import write_cross_validation_report

        write_cross_validation_report(found.result, found.run_id, found.verdicts[0].statistics, file)

    def show(
        self, found: ConcludedStudy[CrossValidationResult], _said: Mapping[str, Any], output: Output
    ) -> None:
        """The distribution over the paths, what is lost out of sample, and what was chosen how often."""
        show(found.result, found.verdicts[0], output)


def result_of(found: CrossValidationResult) -> dict[str, Any]:
    """All that a cross-validation says, but for what the trial ledger makes of it."""
    study, bars = found.study, found.study.experiment.bars
    return {
        "strategy": strategy_name(study.experiment.strategy),
        "symbols": bars.symbols,
        "start": bars.time[0],
        "end": bars.time[-1],
        "bars": bars.T,
        "objective": study.objective,
        "fixed": dict(study.points.fixed),
        "points": len(study.points),
        "failed": len(found.runs.errors),
        "folds": len(found.purged.splits.folds),
        "test_folds": found.purged.splits.tested.shape[1],
        "horizon": str(found.purged.horizon),
        "embargo": str(study.embargo),
        "splits": len(found.purged.splits.splits),
        "paths": found.path_figures,
        "path_sharpe": found.distribution,
        "degradation": found.degradation,
        "choices": [
            {"parameters": study.points.parameters(number), "splits": times}
            for number, times in found.frequency.items()
        ],
        "best": {"parameters": study.points.all_parameters(found.best), "metrics": found.best_metrics},
    }


def tables_of(found: CrossValidationResult) -> dict[str, Mapping[str, Any]]:
    """The Parquet tables: points, splits and paths."""
    study, choices = found.study, found.choices
    errors = found.runs.errors
    names = [f"path_{number}" for number in range(len(found.paths))]
    return {
        "points": {
            "point": np.arange(len(study.points)),
            **parameter_columns(study.points),
            **{name: found.runs.column(name) for name in METRIC_NAMES},
            "error": [errors.get(number, "") for number in range(len(study.points))],
        },
        "splits": {
            "split": np.arange(len(choices.point)),
            "test_folds": [" ".join(map(str, tested)) for tested in found.purged.splits.tested.tolist()],
            "train_bars": [sum(b - a for a, b in split.train) for split in found.purged.splits.splits],
            "test_bars": [sum(b - a for a, b in split.test) for split in found.purged.splits.splits],
            "point": choices.point,
            "in_sample_sharpe": found.in_sample,
            "out_of_sample_sharpe": found.out_of_sample,
            "out_of_sample_mean_return": choices.out_of_sample_mean,
            "beaten": choices.beaten,
        },
        "paths": {
            "time": study.experiment.bars.time,
            **dict(zip(names, found.paths, strict=True)),
        },
    }


# -- for people ----------------------------------------------------------------------------------------------------------


def show(found: CrossValidationResult, verdict: TrialVerdict, output: Output) -> None:
    """The distribution over the paths, what is lost out of sample, and what was chosen how often."""
    study, splits = found.study, found.purged.splits
    output.line(points_line(study.points))
    output.line(bars_line(study.experiment.bars))
    output.line(
        f"{len(splits.splits):,} splits: {splits.tested.shape[1]} of {len(splits.folds)} folds "
        f"tested, horizon {found.purged.horizon}, embargo {study.embargo}, chosen by {study.objective}\n"
    )
    output.show(_distribution(found))
    output.line("")
    output.show(_choices(found))
    output.line("")
    for line in failed_points(found.runs.errors, study.points):
        output.line(line)
    if len(study.points) == 1:
        output.line("note     there is one point and nothing to choose: the paths show that point in parts")
    output.line(f"best     on all bars: {parameters_line(study.points.all_parameters(found.best))}")
    for line in (
        *significance_lines(verdict.as_object()),
        *belief_lines(verdict.state, verdict.statistics.too_good),
    ):
        output.line(line)


def _distribution(found: CrossValidationResult) -> Any:
    sharpe, lost = found.distribution, found.degradation
    rows = [
        ("Mean", sharpe["mean"], "ratio", "In sample", lost["in_sample_sharpe"], "ratio"),
        ("Deviation", sharpe["deviation"], "ratio", "Out of sample", lost["out_of_sample_sharpe"], "ratio"),
        ("Lowest", sharpe["lowest"], "ratio", "Difference", lost["difference"], "ratio"),
        ("5th percentile", sharpe["percentile_5"], "ratio", "Choice loses money", lost["loss"], "share"),
        ("Median", sharpe["median"], "ratio", "Worse than half", lost["overfit"], "share"),
        ("Highest", sharpe["highest"], "ratio", "", None, "ratio"),
        ("Below zero", sharpe["below_zero"], "share", "", None, "ratio"),
    ]
    heads = [f"Sharpe of {len(found.paths)} paths", "", "Choice of a split", ""]
    table = listing(heads, [], right=[""])
    for name, value, kind, other, second, second_kind in rows:
        table.add_row(name, text_of(value, kind), other, text_of(second, second_kind) if other else "")
    return table


def _choices(found: CrossValidationResult) -> Any:
    points, frequency = found.study.points, list(found.frequency.items())
    heads = [*points.names, "splits", "share"]
    lines = [
        [*map(str, points.values[number]), str(times), text_of(times / len(found.choices.point), "share")]
        for number, times in frequency[:SHOWN]
    ]
    more = len(frequency) - SHOWN
    if more > 0:
        rest = sum(times for _, times in frequency[SHOWN:])
        lines.append([f"{more} more", *[""] * (len(points.names) - 1), str(rest), ""])
    return listing(heads, lines, right=heads)
