"""What a robustness study says: its files, one object for programs, a table and some sentences for people."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np

from gpt_trader.engine.metric_definitions import METRIC_NAMES
from gpt_trader.research.robustness_study import RobustnessResult
from gpt_trader.research.robustness_text import capacity_line, changes, costs_line, jitter_line, middle
from gpt_trader.strategy import strategy_name
from jobs.command_results import ConcludedStudy, StudyView
from jobs.console_tables import (
    bars_line,
    failed_lines,
    interval_lines,
    interval_table,
    listing,
    metric_row,
    parameters_line,
    significance_lines,
    text_of,
)
from jobs.look_ahead import belief_lines

if TYPE_CHECKING:
    from pathlib import Path

    from gpt_trader.research.scenario_runs import ScenarioRun
    from gpt_trader.validation.robustness import Crossing
    from jobs.command_results import TrialVerdict
    from jobs.console import Output

COLUMNS = tuple(map(metric_row, ("sharpe", "cagr", "max_drawdown", "costs", "round_trips")))


class RobustnessView(StudyView["RobustnessResult"]):
    """As in `StudyView`."""

    def as_object(self, found: ConcludedStudy[RobustnessResult]) -> dict[str, Any]:
        """All that the study says."""
        (verdict,) = found.verdicts
        return {**result_of(found.result), **verdict.keys, "warnings": verdict.statistics.too_good}

    def tables(self, found: ConcludedStudy[RobustnessResult]) -> Mapping[str, Mapping[str, Any]]:
        """The runs on the market that happened, and those on resampled markets."""
        return tables_of(found.result)

    def write_report(self, found: ConcludedStudy[RobustnessResult], file: Path) -> None:
        """The HTML report."""
        from gpt_trader.adapters.report.robustness import write_robustness_report

        write_robustness_report(found.result, found.run_id, found.verdicts[0].statistics, file)

    def show(self, found: ConcludedStudy[RobustnessResult], said: Mapping[str, Any], output: Output) -> None:
        """One thing changed at a time, where costs and capital end it, and the intervals."""
        show(found.result, said, found.verdicts[0], output)


def result_of(found: RobustnessResult) -> dict[str, Any]:
    """All that the study says, but for what the trial ledger makes of it."""
    study, bars = found.study, found.study.experiment.bars
    base = found.base
    return {
        "strategy": strategy_name(study.experiment.strategy),
        "parameters": base.parameters,
        "symbols": bars.symbols,
        "start": bars.time[0],
        "end": bars.time[-1],
        "bars": bars.T,
        "metric": study.changes.metric,
        "base": base.metrics,
        "costs": {
            "points": [_point(run, "multiple", run.scenario.cost_multiple) for run in found.costs],
            "break_even": {**_crossing(found.break_even), "bps_a_side": found.break_even.at * found.proportional_bps},
            "bps_a_side": found.proportional_bps,
        },
        "delays": [_point(run, "bars", run.scenario.delay) for run in found.delays],
        "capital": {
            "points": [
                {**_point(run, "multiple", run.scenario.capital_multiple), "capital": found.capital_of(run)}
                for run in found.capitals
            ],
            "capacity": {
                **_crossing(found.capacity),
                "capital": found.capacity.at * study.experiment.settings.capital,
                "kept": study.changes.kept,
            },
        },
        "jitter": {
            "share": study.changes.jitter,
            **asdict(found.jitter),
            "points": [{"parameters": run.parameters, **_outcome(run)} for run in found.neighbours],
        },
        "intervals": None if found.intervals is None else found.intervals.as_object(),
    }  # fmt: skip


def _point(run: ScenarioRun, name: str, place: float) -> dict[str, Any]:
    return {name: place, **_outcome(run)}


def _outcome(run: ScenarioRun) -> dict[str, Any]:
    return {"metrics": run.metrics, **({} if run.error is None else {"error": run.error})}


def _crossing(found: Crossing) -> dict[str, Any]:
    return {"multiple": found.at, "low": found.low, "high": found.high, "level": found.level}


def tables_of(found: RobustnessResult) -> dict[str, Mapping[str, Any]]:
    """The Parquet tables: the runs on the market that happened, and those on resampled markets."""
    runs = found.runs
    names = list(found.base.parameters)
    tables: dict[str, Mapping[str, Any]] = {
        "runs": {
            "cost_multiple": [run.scenario.cost_multiple for run in runs],
            "delay": [run.scenario.delay for run in runs],
            "capital_multiple": [run.scenario.capital_multiple for run in runs],
            **{f"parameter_{name}": [run.parameters[name] for run in runs] for name in names},
            **{name: [run.metrics[name] for run in runs] for name in METRIC_NAMES},
            "error": [run.error or "" for run in runs],
        }
    }
    if found.replicates is not None:
        columns = dict(zip(METRIC_NAMES, found.replicates.T, strict=True))
        tables["replicates"] = {"replicate": np.arange(len(found.replicates)), **columns}
    return tables


# -- for people ----------------------------------------------------------------------------------------------------------


def show(found: RobustnessResult, result: Mapping[str, Any], verdict: TrialVerdict, output: Output) -> None:
    """One thing changed at a time, where costs and capital end it, and the intervals."""
    output.line(f"{result['strategy']} ({parameters_line(found.base.parameters)})")
    output.line(bars_line(found.study.experiment.bars) + "\n")
    output.show(_changes(found))
    output.line("")
    if result["intervals"] is not None:
        output.show(interval_table(result["intervals"]))
        output.line("")
    output.line(f"costs    {costs_line(found)}")
    output.line(f"capacity {capacity_line(found)}")
    output.line(f"jitter   {jitter_line(found)}")
    for line in _failed(found):
        output.line(line)
    for line in () if result["intervals"] is None else interval_lines(result["intervals"]):
        output.line(line)
    for line in (
        *significance_lines(verdict.as_object()),
        *belief_lines(verdict.state, verdict.statistics.too_good),
    ):
        output.line(line)


def _changes(found: RobustnessResult) -> Any:
    heads = ["Changed", *(name for name, _, _ in COLUMNS)]
    table = listing(heads, [], right=heads[1:])
    for name, runs in changes(found):
        table.add_row(name, *(text_of(middle(runs, key), kind) for _, key, kind in COLUMNS))
    return table


def _failed(found: RobustnessResult) -> Iterable[str]:
    failed = [(run.parameters, run.error) for run in found.runs if run.error is not None]
    return failed_lines(failed, len(failed), "runs")
