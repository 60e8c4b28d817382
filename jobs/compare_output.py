"""What a comparison says: its files, one object for programs, tables for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from gpt_trader.engine.metric_definitions import METRIC_NAMES
from gpt_trader.research.comparison_study import ComparisonResult, by_metric, too_good_in
from gpt_trader.strategy import strategy_name
from jobs.command_results import ConcludedStudy, StudyView, TrialVerdict
from jobs.console_tables import LABELS, bars_line, interval_lines, listing, text_of
from jobs.look_ahead import look_ahead_line

if TYPE_CHECKING:
    from pathlib import Path

    from rich.table import Table

    from gpt_trader.look_ahead import LookAhead
    from jobs.console import Output


class ComparisonView(StudyView["ComparisonResult"]):
    """As in `StudyView`."""

    def as_object(self, found: ConcludedStudy[ComparisonResult]) -> dict[str, Any]:
        """All that the comparison says."""
        return result_of(found.result, found.verdicts)

    def tables(self, found: ConcludedStudy[ComparisonResult]) -> Mapping[str, Mapping[str, Any]]:
        """One row for each strategy and resampled market."""
        return tables_of(found.result)

    def write_report(self, found: ConcludedStudy[ComparisonResult], file: Path) -> None:
        """The HTML report."""
        from gpt_trader.adapters.report.comparison import write_comparison_report

        write_comparison_report(found.result, found.run_id, file, states_of(found))

    def show(self, found: ConcludedStudy[ComparisonResult], said: Mapping[str, Any], output: Output) -> None:
        """The metrics with their intervals side by side, then who beats whom."""
        show(found.result, said, states_of(found), output)


def states_of(found: ConcludedStudy[ComparisonResult]) -> dict[str, LookAhead]:
    """What is known of the look-ahead of each strategy, by its name."""
    sides = zip(found.result.sides, found.verdicts, strict=True)
    return {side.candidate.name: verdict.state for side, verdict in sides}


def result_of(found: ComparisonResult, verdicts: Sequence[TrialVerdict]) -> dict[str, Any]:
    """All that the comparison says."""
    study, bars = found.study, found.study.experiment.bars
    sides = [
        {
            "name": side.candidate.name,
            "strategy": strategy_name(side.candidate.experiment.strategy),
            "parameters": side.run.parameters,
            "metrics": side.run.metrics,
            "intervals": side.intervals.as_object()["metrics"],
            **verdict.keys,
            "warnings": side.too_good,
        }
        for side, verdict in zip(found.sides, verdicts, strict=True)
    ]
    names = [side.candidate.name for side in found.sides]
    setting = found.sides[0].intervals.as_object()
    return {
        "symbols": bars.symbols,
        "start": bars.time[0],
        "end": bars.time[-1],
        "bars": bars.T,
        "metric": study.metric,
        **{name: setting[name] for name in ("level", "replicates", "seed", "block", "blocks")},
        "strategies": sides,
        "pairs": [
            {
                "first": names[first],
                "second": names[second],
                **_comparison(by_metric(comparisons, study.metric)),
                "by_metric": {item.name: _comparison(item) for item in comparisons},
            }
            for first, second, comparisons in found.pairs
        ],
    }


def _comparison(item: Any) -> dict[str, Any]:
    return {
        name: getattr(item, name) for name in ("probability", "difference", "low", "high", "won", "count")
    }


def tables_of(found: ComparisonResult) -> dict[str, Mapping[str, Any]]:
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


def show(
    found: ComparisonResult, result: Mapping[str, Any], states: Mapping[str, LookAhead], output: Output
) -> None:
    """The metrics with their intervals side by side, then who beats whom."""
    output.line(bars_line(found.study.candidates[0].experiment.bars) + "\n")
    output.show(_metrics(result))
    output.line("")
    output.show(_chances(found))
    output.line("")
    kind = LABELS[found.study.metric][1]
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


def _chances(found: ComparisonResult) -> Table:
    names = [side.candidate.name for side in found.sides]
    label = LABELS[found.study.metric][0]
    heads = [f"Beats, by {label.lower()}", *names]
    lines = [
        [name, *(text_of(float(chance), "share") for chance in row)]
        for name, row in zip(names, found.probabilities(), strict=True)
    ]
    return listing(heads, lines, right=names)
