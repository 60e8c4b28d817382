"""What a comparison says: its files, one object for programs, tables for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gpt_trader.adapters.study_tables import write_study
from gpt_trader.engine.measures import METRIC_NAMES
from gpt_trader.research.comparison_study import KIND, Decided, by_metric, too_good_in
from gpt_trader.strategy import strategy_name
from jobs.look_ahead import known, look_ahead_line
from jobs.replicate_options import LABELS, interval_lines
from jobs.study_counting import Counted, batches_of_runs, count_all, worth_of_run
from jobs.study_output import bars_line
from jobs.tables import listing, text_of

if TYPE_CHECKING:
    from rich.table import Table

    from gpt_trader.adapters.store import RunStore
    from gpt_trader.look_ahead import LookAhead
    from jobs.console import Output
    from jobs.studies import Study


def conclude(
    found: Decided, study: Study, store: RunStore, report: Path | None, output: Output, given: Sequence[str]
) -> None:
    """Count each strategy's run, write the files and the report, print. Raises what the store refused, last of all. `given` are
    the strategies as they were typed."""
    counted = [
        count_all(store, batches_of_runs(side.contender.subject, KIND, [side.run])) for side in found.sides
    ]
    study.answer(found.sides[0].run.metrics)
    there = store if all(answer.problem is None for answer in counted) else None
    states = {
        side.contender.name: known(
            there, [(side.contender.subject.strategy, side.run.parameters)], text.partition(",")[0].strip()
        )
        for side, text in zip(found.sides, given, strict=True)
    }
    result = {"run_id": study.study_id, **result_of(found, counted, states)}
    write_study(study.folder, result, tables_of(found))
    if report is not None:
        from gpt_trader.adapters.report.comparison import write_comparison_report

        write_comparison_report(found, study.study_id, report, states)
    output.emit({**result, "folder": study.folder})
    if output.tables:
        show(found, result, output)
        for name, state in states.items():
            output.line(look_ahead_line(state, name))
        for warning in too_good_in(found):
            output.line(f"note     {warning}")
        output.line(f"tables   {study.folder}")
        if report is not None:
            output.line(f"report   {report}")
        output.line(f"run      {study.study_id}")
    for answer in counted:
        if answer.problem is not None:
            raise answer.problem


def result_of(found: Decided, counted: Sequence[Counted], states: Mapping[str, LookAhead]) -> dict[str, Any]:
    """All that the comparison says."""
    contest, bars = found.contest, found.contest.contenders[0].subject.bars
    sides = []
    for side, answer in zip(found.sides, counted, strict=True):
        state = states[side.contender.name]
        worth = worth_of_run(side.run.metrics, side.run.sums, bars.T, answer.count, state, side.too_good)
        sides.append(
            {
                "name": side.contender.name,
                "strategy": strategy_name(side.contender.subject.strategy),
                "parameters": side.run.parameters,
                "metrics": side.run.metrics,
                "intervals": side.reruns.as_object()["metrics"],
                **worth.keys,
                "warnings": side.too_good,
            }
        )
    names = [side.contender.name for side in found.sides]
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
            "strategy": [side.contender.name for side in found.sides for _ in range(count)],
            "replicate": np.tile(np.arange(count), len(found.sides)),
            **dict(zip(METRIC_NAMES, values.T, strict=True)),
        }
    }


# -- for people ----------------------------------------------------------------------------------------------------------


def show(found: Decided, result: Mapping[str, Any], output: Output) -> None:
    """The metrics with their intervals side by side, then who beats whom."""
    output.line(bars_line(found.contest.contenders[0].subject.bars) + "\n")
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
    names = [side.contender.name for side in found.sides]
    label = LABELS[found.contest.metric][0]
    heads = [f"Beats, by {label.lower()}", *names]
    lines = [
        [name, *(text_of(float(chance), "share") for chance in row)]
        for name, row in zip(names, found.probabilities(), strict=True)
    ]
    return listing(heads, lines, right=names)
