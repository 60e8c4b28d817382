"""What a comparison says: its files, one object for programs, tables for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from gpt_trader.engine.metric_definitions import METRIC_NAMES
from gpt_trader.research.comparison_study import KIND, Decided, by_metric, too_good_in
from gpt_trader.strategy import strategy_name
from jobs.conclusion import conclude_study, verdict_of_blocks
from jobs.counting import Counted, batches_of_runs, count_all
from jobs.look_ahead import known, look_ahead_line
from jobs.tables import LABELS, bars_line, interval_lines, listing, text_of

if TYPE_CHECKING:
    from pathlib import Path

    from rich.table import Table

    from gpt_trader.adapters.store import RunStore
    from gpt_trader.look_ahead import LookAhead
    from gpt_trader.research.experiment import Experiment
    from gpt_trader.research.scenario_runs import Run
    from jobs.console import Output
    from jobs.preamble import StudyInputs
    from jobs.studies import Study


def conclude(found: Decided, study: Study, inputs: StudyInputs, given: Sequence[str]) -> None:
    """Count each strategy's run, write the files and the report, print. Raises what the store refused, last of all. `given` are
    the strategies as they were typed."""
    store = inputs.store
    counted = [_counted(side.candidate.experiment, side.run, store) for side in found.sides]
    problem = next((answer.problem for answer in counted if answer.problem is not None), None)
    study.answer(found.sides[0].run.metrics)
    states = {
        side.candidate.name: known(
            store if problem is None else None,
            [(side.candidate.experiment.strategy, side.run.parameters)],
            text.partition(",")[0].strip(),
        )
        for side, text in zip(found.sides, given, strict=True)
    }
    result = result_of(found, counted, states)

    def write_report(file: Path) -> None:
        from gpt_trader.adapters.report.comparison import write_comparison_report

        write_comparison_report(found, study.study_id, file, states)

    conclude_study(
        study,
        inputs,
        result,
        tables_of(found),
        write_report=write_report,
        show=lambda: show(found, result, states, inputs.output),
        problem=problem,
    )


def _counted(experiment: Experiment, run: Run, store: RunStore) -> Counted:
    return count_all(store, experiment, KIND, batches_of_runs(experiment, KIND, [run]))


def result_of(found: Decided, counted: Sequence[Counted], states: Mapping[str, LookAhead]) -> dict[str, Any]:
    """All that the comparison says."""
    contest, bars = found.contest, found.contest.candidates[0].experiment.bars
    sides = []
    for side, answer in zip(found.sides, counted, strict=True):
        state = states[side.candidate.name]
        verdict = verdict_of_blocks(side.run.metrics, side.run.sums, bars.T, answer.count)
        sides.append(
            {
                "name": side.candidate.name,
                "strategy": strategy_name(side.candidate.experiment.strategy),
                "parameters": side.run.parameters,
                "metrics": side.run.metrics,
                "intervals": side.reruns.as_object()["metrics"],
                **verdict.believed(state, side.too_good).keys,
                "warnings": side.too_good,
            }
        )
    names = [side.candidate.name for side in found.sides]
    setting = found.sides[0].reruns.as_object()
    return {
        "symbols": bars.symbols,
        "start": bars.time[0],
        "end": bars.time[-1],
        "bars": bars.T,
        "metric": contest.metric,
        **{name: setting[name] for name in ("level", "replicates", "seed", "block", "blocks")},
        "strategies": sides,
        "pairs": [
            {
                "first": names[first],
                "second": names[second],
                **_comparison(by_metric(comparisons, contest.metric)),
                "by_metric": {item.name: _comparison(item) for item in comparisons},
            }
            for first, second, comparisons in found.pairs
        ],
    }


def _comparison(item: Any) -> dict[str, Any]:
    return {
        name: getattr(item, name) for name in ("probability", "difference", "low", "high", "won", "count")
    }


def tables_of(found: Decided) -> dict[str, Mapping[str, Any]]:
    """The Parquet table of the re-runs: one row for each strategy and resampled market."""
    count = len(found.sides[0].replicates)
    values = np.concatenate([side.replicates for side in found.sides])
    return {
        "replicates": {
            "strategy": [side.candidate.name for side in found.sides for _ in range(count)],
            "replicate": np.tile(np.arange(count), len(found.sides)),
            **dict(zip(METRIC_NAMES, values.T, strict=True)),
        }
    }


# -- for people ----------------------------------------------------------------------------------------------------------


def show(found: Decided, result: Mapping[str, Any], states: Mapping[str, LookAhead], output: Output) -> None:
    """The metrics with their intervals side by side, then who beats whom."""
    output.line(bars_line(found.contest.candidates[0].experiment.bars) + "\n")
    output.show(_metrics(result))
    output.line("")
    output.show(_chances(found))
    output.line("")
    kind = LABELS[found.contest.metric][1]
    for pair in result["pairs"]:
        output.line(f"ahead    {_lead(pair, result['level'], kind)}")
    for number, side in enumerate(result["strategies"]):
        lines = list(interval_lines({**result, "metrics": side["intervals"]}))
        for line in lines[1:] if number else lines:
            output.line(line.replace("note     ", f"note     {side['name']}: "))
    for name, state in states.items():
        output.line(look_ahead_line(state, name))
    for warning in too_good_in(found):
        output.line(f"note     {warning}")


def _lead(pair: Mapping[str, Any], level: float, kind: str) -> str:
    """Who of a pair is ahead, by how much, and how sure that is."""
    first, second, low, high, won = (pair[name] for name in ("first", "second", "low", "high", "won"))
    if not np.isfinite(pair["difference"]):
        return f"nobody: {first} and {second} do not both have the metric"
    if not np.isfinite(low):
        return f"unknown: {first} and {second} have the metric on {pair['count']:,} of the resampled markets, too few"
    if pair["difference"] < 0:
        first, second, low, high, won = second, first, -high, -low, 1.0 - won
    return (
        f"{first} of {second} by {text_of(abs(pair['difference']), kind)}, {level * 100:g} % {text_of(low, kind)} to "
        f"{text_of(high, kind)}; better on {text_of(won, 'share')} of the resampled markets"
    )


def _metrics(result: Mapping[str, Any]) -> Table:
    sides = result["strategies"]
    heads = ["Metric", *(side["name"] for side in sides)]
    table = listing(heads, [], right=heads[1:])
    for name, (label, kind) in LABELS.items():
        table.add_row(label, *(text_of(side["metrics"][name], kind) for side in sides))
        bounds = [[text_of(side["intervals"][name][end], kind) for end in ("low", "high")] for side in sides]
        table.add_row(
            f"  {result['level'] * 100:g} % interval",
            *(f"{low} … {high}" for low, high in bounds),
            style="dim",
        )
    table.add_row("Deflated Sharpe ratio", *(text_of(side["dsr"], "share") for side in sides))
    return table


def _chances(found: Decided) -> Table:
    names = [side.candidate.name for side in found.sides]
    label = LABELS[found.contest.metric][0]
    heads = [f"Beats, by {label.lower()}", *names]
    lines = [
        [name, *(text_of(float(chance), "share") for chance in row)]
        for name, row in zip(names, found.probabilities(), strict=True)
    ]
    return listing(heads, lines, right=names)
