"""What a walk-forward says: its trials and files, one object for programs, tables for people."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from gpt_trader import metrics
from gpt_trader.engine.metric_definitions import METRIC_NAMES
from gpt_trader.engine.records import EQUITY
from gpt_trader.research.walk_forward_study import KIND
from gpt_trader.strategy import strategy_name
from jobs.conclusion import conclude_study, verdict_of
from jobs.counting import batch_of_curve, count_all, work_and_count
from jobs.look_ahead import known, look_ahead_line, runs_in
from jobs.tables import (
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

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from gpt_trader.adapters.store import RunStore
    from gpt_trader.research.walk_forward_study import WalkForwardResult, WalkForwardStudy, WindowFigures
    from jobs.conclusion import TrialVerdict
    from jobs.console import Output
    from jobs.counting import Counted
    from jobs.preamble import StudyInputs
    from jobs.studies import Study

SHOWN = 60


def conclude(
    walk: WalkForwardStudy, about: Mapping[str, Any], study: Study, inputs: StudyInputs, named: str
) -> None:
    """Run the windows and the account, write the files and the report, print. Raises what the ledger refused, last of all.

    `named` is how the strategy was given."""
    done, counted = work_and_count(study, walk.plan, inputs.store)
    with inputs.output.progress("trading"):
        walked = walk.choose(done).trade(seed=inputs.seed)
    result = walked.result
    study.answer(result.metrics)
    counted = _with_the_account(walked, counted, study, inputs.store)
    state = known(inputs.store if counted.problem is None else None, runs_in(result), named)
    returns = int(np.isfinite(_earned(walked)).sum())
    verdict = verdict_of(result.metrics, returns, counted.count).believed(state, result.too_good)

    def write_report(file: Path) -> None:
        from gpt_trader.adapters.report.walk_forward import write_walk_forward_report

        write_walk_forward_report(walked, study.study_id, about, verdict.statistics, notes_of(walked), file)

    conclude_study(
        study,
        inputs,
        {**result_of(walked, about), **verdict.keys},
        tables_of(walked),
        write_report=write_report,
        show=lambda: show(walked, about, verdict, inputs.output),
        problem=counted.problem,
    )


def _with_the_account(walked: WalkForwardResult, counted: Counted, study: Study, store: RunStore) -> Counted:
    """The ledger's answer with the account itself counted as one more trial."""
    if counted.problem is not None:
        return counted
    result, values = walked.result, walked.result.metrics
    sharpe = values["sharpe"] / np.sqrt(values["periods_per_year"])
    experiment = walked.decided.question.experiment
    account = batch_of_curve(experiment, KIND, study.study_id, result.first, _earned(walked), sharpe)
    return count_all(store, experiment, KIND, [account])


def _earned(walked: WalkForwardResult) -> NDArray[np.float64]:
    """The returns (n,) of the account, NaN after its ruin."""
    result = walked.result
    return metrics.returns(result.track[EQUITY], result.settings.capital)


def result_of(walked: WalkForwardResult, about: Mapping[str, Any]) -> dict[str, Any]:
    """All that a walk-forward says, but for what the trial ledger makes of it."""
    question, result = walked.decided.question, walked.result
    bars = question.experiment.bars
    return {
        "strategy": strategy_name(question.experiment.strategy),
        "symbols": bars.symbols,
        "start": bars.time[0],
        "end": bars.time[-1],
        "bars": bars.T,
        **about,
        "objective": question.objective.metric,
        "fixed": dict(question.points.fixed),
        "points": len(question.points),
        "failed": len(walked.decided.runs.errors),
        "windows": [window_of(walked, window) for window in walked.windows],
        "stitched": {"start": result.start, "end": result.end, **result.metrics},
        "efficiency": walked.efficiency,
        "stability": stability_of(walked),
        "warnings": notes_of(walked),
    }


def window_of(walked: WalkForwardResult, window: WindowFigures) -> dict[str, Any]:
    """One window: spans with their first and last bar, parameters, and figures in and out of sample."""
    time = walked.decided.question.experiment.bars.time
    return {
        "window": window.number + 1,
        "train": {"start": time[window.train[0]], "end": time[window.train[1] - 1]},
        "test": {"start": time[window.test[0]], "end": time[window.test[1] - 1]},
        "parameters": walked.parameters(window),
        "chosen": window.own,
        "in_sample": window.inside,
        "out_of_sample": window.outside,
        "buy_and_hold_return": window.held,
    }


def stability_of(walked: WalkForwardResult) -> dict[str, Any]:
    """How steady the choice was."""
    steady, names = walked.stability, walked.decided.question.points.names
    moves = steady.moves.mean(axis=0) if len(steady.moves) else np.full(len(names), np.nan)
    known = steady.rank_correlation[np.isfinite(steady.rank_correlation)]
    return {
        "kept": steady.unchanged,
        "distinct": steady.distinct,
        "mean_move_in_steps": dict(zip(names, moves.tolist(), strict=True)),
        "rank_correlation": steady.rank_correlation,
        "mean_rank_correlation": float(known.mean()) if known.size else float("nan"),
    }


def notes_of(walked: WalkForwardResult) -> list[str]:
    """What the reader of the numbers should know."""
    decided = walked.decided
    notes = []
    if len(decided.question.points) == 1:
        notes.append(
            "there is one point and nothing to choose: the windows cut the run of that point into parts; give --param to search"
        )
    if decided.begins:
        notes.append(
            f"the first {decided.begins} of {len(decided.chosen)} windows had no point to choose; trading begins after them"
        )
    without = [window.number + 1 for window in walked.windows if not window.own]
    if without:
        notes.append(
            f"windows without a point to choose went on with the one before: {', '.join(map(str, without))}"
        )
    return [*notes, *walked.result.warnings]


def tables_of(walked: WalkForwardResult) -> dict[str, Mapping[str, Any]]:
    """The Parquet tables: windows, the stitched equity, and every point in the training of every window."""
    decided, result = walked.decided, walked.result
    points, time, count = (
        decided.question.points,
        decided.question.experiment.bars.time,
        len(decided.question.windows),
    )
    equity, held = result.track[EQUITY], result.benchmark_equity
    windows = walked.windows
    chosen = {name: [points.parameters(window.point)[name] for window in windows] for name in points.names}
    errors = decided.runs.errors
    return {
        "windows": {
            "window": [window.number + 1 for window in windows],
            "train_start": time[[window.train[0] for window in windows]],
            "train_end": time[[window.train[1] - 1 for window in windows]],
            "test_start": time[[window.test[0] for window in windows]],
            "test_end": time[[window.test[1] - 1 for window in windows]],
            **{f"parameter_{name}": values for name, values in chosen.items()},
            "chosen": [window.own for window in windows],
            **{f"in_sample_{name}": [w.inside[name] for w in windows] for name in windows[0].inside},
            **{f"out_of_sample_{name}": [w.outside[name] for w in windows] for name in windows[0].outside},
            "buy_and_hold_return": [window.held for window in windows],
        },
        "equity": {
            "time": result.time,
            "equity": equity,
            "buy_and_hold": np.full(len(equity), np.nan) if held is None else held,
            "window": np.concatenate([np.full(b - a, w.number + 1) for w in windows for a, b in [w.test]]),
        },
        "points": {
            "window": np.repeat(np.arange(count) + 1, len(points)),
            **{name: values * count for name, values in parameter_columns(points).items()},
            **{name: decided.runs.column(name) for name in METRIC_NAMES},
            "error": [errors.get(number, "") for number in range(len(decided.runs.values))],
        },
    }


# -- for people ----------------------------------------------------------------------------------------------------------


def show(walked: WalkForwardResult, about: Mapping[str, Any], verdict: TrialVerdict, output: Output) -> None:
    """The windows, the account that traded them against buy and hold, what was kept of the training, how steady it was."""
    question = walked.decided.question
    output.line(points_line(question.points))
    output.line(bars_line(question.experiment.bars))
    way = "anchored" if about["anchored"] else "rolling"
    gap = f", gap {about['gap']}" if about["gap"] != "0b" else ""
    fewest = f" with {question.fewest_trades} round trips or more" if question.fewest_trades else ""
    output.line(
        f"{len(question.windows)} {way} windows: train {about['train']}, test {about['test']}, step {about['step']}{gap}; "
        f"chosen: {question.select} of {question.objective}{fewest}\n"
    )
    output.show(_windows(walked))
    output.line(
        f"\nout of sample, {walked.result.start} to {walked.result.end}, one account through all windows\n"
    )
    output.show(summary(walked.result.metrics))
    output.line("")
    for line in (*_kept_lines(walked), *failed_points(walked.decided.runs.errors, question.points)):
        output.line(line)
    for note in notes_of(walked):
        output.line(f"note     {note}")
    output.line(look_ahead_line(verdict.state))
    for line in significance_lines(verdict.as_object()):
        output.line(line)


def _windows(walked: WalkForwardResult) -> Any:
    """The table of the windows; of very many the last ones."""
    time, names = walked.decided.question.experiment.bars.time, walked.decided.question.points.names
    numbers = ["Sharpe in", "out", "Return in", "out ", "Hold"]
    heads = ["", "Trained on", "Traded", *names, *numbers]
    lines = [
        [
            str(window.number + 1),
            *(f"{_day(time[start])} – {_day(time[stop - 1])}" for start, stop in (window.train, window.test)),
            *(str(value) for value in walked.parameters(window).values()),
            text_of(window.inside["sharpe"], kind_of("sharpe")),
            text_of(window.outside["sharpe"], kind_of("sharpe")),
            text_of(window.inside["total_return"], kind_of("total_return")),
            text_of(window.outside["total_return"], kind_of("total_return")),
            text_of(window.held, "percent"),
        ]
        for window in walked.windows[-SHOWN:]
    ]
    return listing(heads, lines, right=["", *names, *numbers])


def _day(moment: Any) -> str:
    return str(moment.astype("datetime64[m]"))[:10]


def _kept_lines(walked: WalkForwardResult) -> list[str]:
    """Efficiency and stability in two lines."""
    kept, steady = walked.efficiency, stability_of(walked)
    inside, outside = (text_of(kept[f"{name}_sample_sharpe"], "ratio") for name in ("in", "out_of"))
    shares = [text_of(kept[name], "share") for name in ("sharpe", "annual_return")]
    first = (
        f"kept     Sharpe {inside} in sample, {outside} out of sample; efficiency {shares[0]} of the Sharpe ratio, "
        f"{shares[1]} of the annual return"
    )
    if len(walked.decided.question.points) == 1 or len(walked.windows) == 1:
        return [first]
    moves = parameters_line({name: f"{move:.1f}" for name, move in steady["mean_move_in_steps"].items()})
    second = (
        f"steady   {steady['distinct']} {'point' if steady['distinct'] == 1 else 'points'} chosen, "
        f"kept at {text_of(steady['kept'], 'share')} of the changes of window; "
        f"mean move in steps: {moves}; rank correlation {text_of(steady['mean_rank_correlation'], 'ratio')}"
    )
    return [first, second]
