"""What a walk-forward says: its trials and files, one object for programs, tables for people."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from gpt_trader.engine.metric_definitions import METRIC_NAMES
from gpt_trader.engine.records import EQUITY
from gpt_trader.strategy import strategy_name
from jobs.command_results import ConcludedStudy, StudyView
from jobs.console_tables import (
    bars_line,
    failed_points,
    kind_of,
    listing,
    parameter_columns,
    parameters_line,
    points_line,
    significance_lines,
    summary,
    text_of,
)
from jobs.look_ahead import look_ahead_line

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from gpt_trader.research.walk_forward_study import WalkForwardResult, WalkForwardStudy, WindowFigures
    from jobs.command_results import TrialVerdict
    from jobs.console import Output

SHOWN = 60


class WalkForwardView(StudyView["WalkForwardResult"]):
    """As in `StudyView`."""

    def as_object(self, found: ConcludedStudy[WalkForwardResult]) -> dict[str, Any]:
        """All that a walk-forward says."""
        return {**result_of(found.result), **found.verdicts[0].keys}

    def tables(self, found: ConcludedStudy[WalkForwardResult]) -> Mapping[str, Mapping[str, Any]]:
        """Windows, the stitched equity, and every point in the training of every window."""
        return tables_of(found.result)

    def write_report(self, found: ConcludedStudy[WalkForwardResult], file: Path) -> None:
        """The HTML report."""
        from gpt_trader.adapters.report.walk_forward import write_walk_forward_report

        result, about = found.result, about_of(found.result.study)
        statistics = found.verdicts[0].statistics
        write_walk_forward_report(result, found.run_id, about, statistics, notes_of(result), file)

    def show(
        self, found: ConcludedStudy[WalkForwardResult], _said: Mapping[str, Any], output: Output
    ) -> None:
        """The windows, the account that traded them against buy and hold, what was kept of the training, how steady it was."""
        show(found.result, about_of(found.result.study), found.verdicts[0], output)


def about_of(study: WalkForwardStudy) -> dict[str, Any]:
    """How the windows were asked for, and how each chose."""
    return {
        **study.about,
        "objective": str(study.objective),
        "select": study.select,
        "min_trades": study.fewest_trades,
    }


def result_of(found: WalkForwardResult) -> dict[str, Any]:
    """All that a walk-forward says, but for what the trial ledger makes of it."""
    study, result = found.choices.study, found.result
    bars = study.experiment.bars
    return {
        "strategy": strategy_name(study.experiment.strategy),
        "symbols": bars.symbols,
        "start": bars.time[0],
        "end": bars.time[-1],
        "bars": bars.T,
        **about_of(study),
        "objective": study.objective.metric,
        "fixed": dict(study.points.fixed),
        "points": len(study.points),
        "failed": len(found.choices.runs.errors),
        "windows": [window_of(found, window) for window in found.windows],
        "stitched": {"start": result.start, "end": result.end, **result.metrics},
        "efficiency": found.efficiency,
        "stability": stability_of(found),
        "warnings": notes_of(found),
    }


def window_of(found: WalkForwardResult, window: WindowFigures) -> dict[str, Any]:
    """One window: spans with their first and last bar, parameters, and figures in and out of sample."""
    time = found.choices.study.experiment.bars.time
    return {
        "window": window.number + 1,
        "train": {"start": time[window.train[0]], "end": time[window.train[1] - 1]},
        "test": {"start": time[window.test[0]], "end": time[window.test[1] - 1]},
        "parameters": found.parameters(window),
        "chosen": window.own,
        "in_sample": window.in_sample,
        "out_of_sample": window.out_of_sample,
        "buy_and_hold_return": window.benchmark_return,
    }


def stability_of(found: WalkForwardResult) -> dict[str, Any]:
    """How steady the choice was."""
    steady, names = found.stability, found.choices.study.points.names
    moves = steady.moves.mean(axis=0) if len(steady.moves) else np.full(len(names), np.nan)
    known = steady.rank_correlation[np.isfinite(steady.rank_correlation)]
    return {
        "kept": steady.unchanged,
        "distinct": steady.distinct,
        "mean_move_in_steps": dict(zip(names, moves.tolist(), strict=True)),
        "rank_correlation": steady.rank_correlation,
        "mean_rank_correlation": float(known.mean()) if known.size else float("nan"),
    }


def notes_of(found: WalkForwardResult) -> list[str]:
    """What the reader of the numbers should know."""
    choices = found.choices
    notes = []
    if len(choices.study.points) == 1:
        notes.append(
            "there is one point and nothing to choose: the windows cut the run of that point into parts; give --param to search"
        )
    if choices.begins:
        notes.append(
            f"the first {choices.begins} of {len(choices.chosen)} windows had no point to choose; trading begins after them"
        )
    without = [window.number + 1 for window in found.windows if not window.own]
    if without:
        notes.append(
            f"windows without a point to choose went on with the one before: {', '.join(map(str, without))}"
        )
    return [*notes, *found.result.warnings]


def tables_of(found: WalkForwardResult) -> dict[str, Mapping[str, Any]]:
    """The Parquet tables: windows, the stitched equity, and every point in the training of every window."""
    choices, result = found.choices, found.result
    points, time, count = (
        choices.study.points,
        choices.study.experiment.bars.time,
        len(choices.study.windows),
    )
    equity, benchmark = result.account_curves[EQUITY], result.benchmark_equity
    windows = found.windows
    chosen = {name: [points.parameters(window.point)[name] for window in windows] for name in points.names}
    errors = choices.runs.errors
    return {
        "windows": {
            "window": [window.number + 1 for window in windows],
            "train_start": time[[window.train[0] for window in windows]],
            "train_end": time[[window.train[1] - 1 for window in windows]],
            "test_start": time[[window.test[0] for window in windows]],
            "test_end": time[[window.test[1] - 1 for window in windows]],
            **{f"parameter_{name}": values for name, values in chosen.items()},
            "chosen": [window.own for window in windows],
            **{f"in_sample_{name}": [w.in_sample[name] for w in windows] for name in windows[0].in_sample},
            **{
                f"out_of_sample_{name}": [w.out_of_sample[name] for w in windows]
                for name in windows[0].out_of_sample
            },
            "buy_and_hold_return": [window.benchmark_return for window in windows],
        },
        "equity": {
            "time": result.time,
            "equity": equity,
            "buy_and_hold": np.full(len(equity), np.nan) if benchmark is None else benchmark,
            "window": np.concatenate([np.full(b - a, w.number + 1) for w in windows for a, b in [w.test]]),
        },
        "points": {
            "window": np.repeat(np.arange(count) + 1, len(points)),
            **{name: values * count for name, values in parameter_columns(points).items()},
            **{name: choices.runs.column(name) for name in METRIC_NAMES},
            "error": [errors.get(number, "") for number in range(len(choices.runs.values))],
        },
    }


# -- for people ----------------------------------------------------------------------------------------------------------


def show(found: WalkForwardResult, about: Mapping[str, Any], verdict: TrialVerdict, output: Output) -> None:
    """The windows, the account that traded them against buy and hold, what was kept of the training, how steady it was."""
    study = found.choices.study
    output.line(points_line(study.points))
    output.line(bars_line(study.experiment.bars))
    way = "anchored" if about["anchored"] else "rolling"
    gap = f", gap {about['gap']}" if about["gap"] != "0b" else ""
    fewest = f" with {study.fewest_trades} round trips or more" if study.fewest_trades else ""
    output.line(
        f"{len(study.windows)} {way} windows: train {about['train']}, test {about['test']}, step {about['step']}{gap}; "
        f"chosen: {study.select} of {study.objective}{fewest}\n"
    )
    output.show(_windows(found))
    output.line(
        f"\nout of sample, {found.result.start} to {found.result.end}, one account through all windows\n"
    )
    output.show(summary(found.result.metrics))
    output.line("")
    for line in (*_efficiency_lines(found), *failed_points(found.choices.runs.errors, study.points)):
        output.line(line)
    for note in notes_of(found):
        output.line(f"note     {note}")
    output.line(look_ahead_line(verdict.state))
    for line in significance_lines(verdict.as_object()):
        output.line(line)


def _windows(found: WalkForwardResult) -> Any:
    """The table of the windows; of very many the last ones."""
    time, names = found.choices.study.experiment.bars.time, found.choices.study.points.names
    numbers = ["Sharpe in", "out", "Return in", "out ", "Hold"]
    heads = ["", "Trained on", "Traded", *names, *numbers]
    lines = [
        [
            str(window.number + 1),
            *(f"{_day(time[start])} – {_day(time[stop - 1])}" for start, stop in (window.train, window.test)),
            *(str(value) for value in found.parameters(window).values()),
            text_of(window.in_sample["sharpe"], kind_of("sharpe")),
            text_of(window.out_of_sample["sharpe"], kind_of("sharpe")),
            text_of(window.in_sample["total_return"], kind_of("total_return")),
            text_of(window.out_of_sample["total_return"], kind_of("total_return")),
            text_of(window.benchmark_return, "percent"),
        ]
        for window in found.windows[-SHOWN:]
    ]
    return listing(heads, lines, right=["", *names, *numbers])


def _day(moment: Any) -> str:
    return str(moment.astype("datetime64[m]"))[:10]


def _efficiency_lines(found: WalkForwardResult) -> list[str]:
    """Efficiency and stability in two lines."""
    kept, steady = found.efficiency, stability_of(found)
    in_sample, out_of_sample = (text_of(kept[f"{name}_sample_sharpe"], "ratio") for name in ("in", "out_of"))
    shares = [text_of(kept[name], "share") for name in ("sharpe", "annual_return")]
    first = (
        f"kept     Sharpe {in_sample} in sample, {out_of_sample} out of sample; efficiency {shares[0]} of the Sharpe ratio, "
        f"{shares[1]} of the annual return"
    )
    if len(found.choices.study.points) == 1 or len(found.windows) == 1:
        return [first]
    moves = parameters_line({name: f"{move:.1f}" for name, move in steady["mean_move_in_steps"].items()})
    second = (
        f"steady   {steady['distinct']} {'point' if steady['distinct'] == 1 else 'points'} chosen, "
        f"kept at {text_of(steady['kept'], 'share')} of the changes of window; "
        f"mean move in steps: {moves}; rank correlation {text_of(steady['mean_rank_correlation'], 'ratio')}"
    )
    return [first, second]
