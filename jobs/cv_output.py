"""What a cross-validation says: its files, one object for programs, tables for people."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from gpt_trader.engine.metric_definitions import METRIC_NAMES
from gpt_trader.strategy import strategy_name
from jobs.conclusion import conclude_study, verdict_of_point
from jobs.look_ahead import belief_lines
from jobs.tables import (
    bars_line,
    failed_points,
    listing,
    parameter_columns,
    parameters_line,
    points_line,
    significance_lines,
    text_of,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from gpt_trader.research.cross_validation_study import CrossValidationResult
    from jobs.conclusion import TrialVerdict
    from jobs.console import Output
    from jobs.counting import Counted
    from jobs.preamble import StudyInputs
    from jobs.studies import Study

SHOWN = 10


def conclude(
    found: CrossValidationResult, counted: Counted, study: Study, inputs: StudyInputs, named: str
) -> None:
    """Write the files and the report, print. Raises what the ledger refused, last of all. `named` is how the strategy was given."""
    study.answer(found.path_figures[np.argsort(found.path_sharpe, kind="stable")[len(found.paths) // 2]])
    experiment, parameters = found.question.experiment, found.question.points.all_parameters(found.best)
    sums, metrics = found.runs.sums[found.best], best_metrics(found)
    verdict = verdict_of_point(experiment, parameters, metrics, sums, counted, inputs.store, named)

    def write_report(file: Path) -> None:
        from gpt_trader.adapters.report.cross_validation import write_cross_validation_report

        write_cross_validation_report(found, study.study_id, verdict.statistics, file)

    conclude_study(
        study,
        inputs,
        {**result_of(found), **verdict.keys, "warnings": verdict.statistics.too_good},
        tables_of(found),
        write_report=write_report,
        show=lambda: show(found, verdict, inputs.output),
        problem=counted.problem,
    )


def best_metrics(found: CrossValidationResult) -> dict[str, float]:
    """The metrics over all bars of the point that all bars choose."""
    return dict(zip(METRIC_NAMES, found.runs.values[found.best].tolist(), strict=True))


def result_of(found: CrossValidationResult) -> dict[str, Any]:
    """All that a cross-validation says, but for what the trial ledger makes of it."""
    question, bars = found.question, found.question.experiment.bars
    return {
        "strategy": strategy_name(question.experiment.strategy),
        "symbols": bars.symbols,
        "start": bars.time[0],
        "end": bars.time[-1],
        "bars": bars.T,
        "objective": question.objective,
        "fixed": dict(question.points.fixed),
        "points": len(question.points),
        "failed": len(found.runs.errors),
        "folds": len(question.splits.folds),
        "test_folds": question.splits.tested.shape[1],
        "horizon": str(question.horizon),
        "embargo": str(question.embargo),
        "splits": len(question.splits.splits),
        "paths": found.path_figures,
        "path_sharpe": found.distribution,
        "degradation": found.degradation,
        "choices": [
            {"parameters": question.points.parameters(number), "splits": times}
            for number, times in found.frequency.items()
        ],
        "best": {"parameters": question.points.all_parameters(found.best), "metrics": best_metrics(found)},
    }


def tables_of(found: CrossValidationResult) -> dict[str, Mapping[str, Any]]:
    """The Parquet tables: points, splits and paths."""
    question, choices = found.question, found.choices
    errors = found.runs.errors
    names = [f"path_{number}" for number in range(len(found.paths))]
    return {
        "points": {
            "point": np.arange(len(question.points)),
            **parameter_columns(question.points),
            **{name: found.runs.column(name) for name in METRIC_NAMES},
            "error": [errors.get(number, "") for number in range(len(question.points))],
        },
        "splits": {
            "split": np.arange(len(choices.point)),
            "test_folds": [" ".join(map(str, tested)) for tested in question.splits.tested.tolist()],
            "train_bars": [sum(b - a for a, b in split.train) for split in question.splits.splits],
            "test_bars": [sum(b - a for a, b in split.test) for split in question.splits.splits],
            "point": choices.point,
            "in_sample_sharpe": found.inside,
            "out_of_sample_sharpe": found.outside,
            "out_of_sample_mean_return": choices.out_of_sample_mean,
            "beaten": choices.beaten,
        },
        "paths": {
            "time": question.experiment.bars.time,
            **dict(zip(names, found.paths, strict=True)),
        },
    }


# -- for people ----------------------------------------------------------------------------------------------------------


def show(found: CrossValidationResult, verdict: TrialVerdict, output: Output) -> None:
    """The distribution over the paths, what is lost out of sample, and what was chosen how often."""
    question = found.question
    output.line(points_line(question.points))
    output.line(bars_line(question.experiment.bars))
    output.line(
        f"{len(question.splits.splits):,} splits: {question.splits.tested.shape[1]} of {len(question.splits.folds)} folds "
        f"tested, horizon {question.horizon}, embargo {question.embargo}, chosen by {question.objective}\n"
    )
    output.show(_distribution(found))
    output.line("")
    output.show(_choices(found))
    output.line("")
    for line in failed_points(found.runs.errors, question.points):
        output.line(line)
    if len(question.points) == 1:
        output.line("note     there is one point and nothing to choose: the paths show that point in parts")
    output.line(f"best     on all bars: {parameters_line(question.points.all_parameters(found.best))}")
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
    points, frequency = found.question.points, list(found.frequency.items())
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
