"""What a sweep says: one object for programs, a table and some sentences for people."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from gpt_trader.adapters.sweep_files import typed_columns
from gpt_trader.research.sweep_analysis import too_good_lines
from gpt_trader.strategy import strategy_name
from jobs.command_results import ConcludedStudy, StudyView, TrialVerdict, trials_as_object
from jobs.console_tables import (
    bars_line,
    failed_lines,
    kind_of,
    listing,
    parameters_line,
    significance_lines,
    text_of,
)
from jobs.look_ahead import belief_lines

if TYPE_CHECKING:
    from pathlib import Path

    from rich.table import Table

    from gpt_trader.adapters.store.trials import TrialCount
    from gpt_trader.research.sweep_analysis import SweepAnalysis
    from jobs.console import Output
    from jobs.strategy_options import SearchOptions

SHOWN = 10


class SweepView(StudyView["SweepAnalysis"]):
    """As in `StudyView`; `options` say what is shown."""

    place, file = "points", "points.parquet"

    def __init__(self, options: SearchOptions) -> None:
        self.options = options
        self._judged: SweepAnalysis | None = None

    def judged(self, found: ConcludedStudy[SweepAnalysis]) -> SweepAnalysis:
        """The sweep with what the ledger and the register of checks say about it."""
        if self._judged is None:
            state = found.verdicts[0].state if found.verdicts else None
            self._judged = found.result.after(found.count, state)
        return self._judged

    def as_object(self, found: ConcludedStudy[SweepAnalysis]) -> dict[str, Any]:
        """All that a sweep says but for its points."""
        return result_of(self.judged(found), self.options.chosen_method, found.count)

    def more(self, found: ConcludedStudy[SweepAnalysis]) -> dict[str, Any]:
        """Whether it went through, and its points."""
        sweep = self.judged(found)
        points = points_of(sweep, self.options.top)
        return {"cached": sweep.cached, "complete": not sweep.cut_short, "points": points}

    def tables(self, found: ConcludedStudy[SweepAnalysis]) -> Mapping[str, Mapping[str, Any]]:
        """The points."""
        return {"points": typed_columns(self.judged(found))}

    def write_report(self, found: ConcludedStudy[SweepAnalysis], file: Path) -> None:
        """The HTML report."""
        from gpt_trader.adapters.report.sweep_report import write_sweep_report

        sweep = self.judged(found)
        write_sweep_report(sweep, self.options.chosen_method, found.run_id, file, ended(sweep))

    def show(self, found: ConcludedStudy[SweepAnalysis], _said: Mapping[str, Any], output: Output) -> None:
        """The top table and what it is worth."""
        show(self.judged(found), found.count, self.options, output)


def ended(found: SweepAnalysis) -> str | None:
    """Why a sweep ended before its search did."""
    return "ended by --time-limit" if found.cut_short else None


def nothing_best(found: SweepAnalysis) -> str:
    """Why there is no best point."""
    surface, metric = found.surface, found.objectives[0].metric
    if len(surface) == 0:
        return "no point was finished in time; give a longer --time-limit, and the same command goes on from here"
    if len(surface.errors) == len(surface):
        return f"all {len(surface):,} points failed, the first with: {next(iter(surface.errors.values()))}"
    return f"no point has a {metric} (no trade, or no spread of returns); choose other values or another objective"


def result_of(found: SweepAnalysis, method: str, count: TrialCount | None) -> dict[str, Any]:
    """All that a sweep says but for its points: what `result.json` holds and `--json` begins with."""
    surface, bars = found.surface, found.experiment.bars
    statistics, best = found.statistics, found.best
    said = None if statistics is None else statistics.as_object()
    return {
        "strategy": strategy_name(found.experiment.strategy),
        "method": method,
        "objective": found.objectives[0].metric,
        "objectives": [f"{item.metric}:{'min' if item.smallest else 'max'}" for item in found.objectives],
        "fixed": dict(found.space.fixed),
        "constraints": [item.text for item in found.space.constraints],
        "symbols": bars.symbols,
        "start": bars.time[0],
        "end": bars.time[-1],
        "bars": bars.T,
        "failed": len(surface.errors),
        "ineffective": list(found.ineffective),
        "stopped_early": len(surface.early_stops),
        "best": None if best is None else point_of(found, best, full=True),
        "most_robust": None if found.most_robust is None else point_of(found, found.most_robust, full=True),
        "pareto": [point_of(found, row) for row in found.pareto_front.tolist()] if len(found.objectives) > 1 else [],
        "trials": trials_as_object(count, None if found.independent is None else found.independent[0]),
        **{name: None if said is None else said[name] for name in ("psr", "dsr", "dsr_effective", "pbo", "verdict")},
        "min_track_record": None
        if said is None
        else {"bars": said["min_track_record_bars"], "years": said["min_track_record_years"]},
        "statistics": said,
        "look_ahead": found.state.as_object(),
        "warnings": too_good_lines(found),
        "too_good": len(found.too_good),
        "overfitting": None if found.overfitting is None else found.overfitting.as_object(),
    }  # fmt: skip


def points_of(found: SweepAnalysis, top: int | None) -> list[dict[str, Any]]:
    """Every point in the order of its number, or the best `top` of them, best first."""
    rows: Iterable[int] = range(len(found.surface)) if top is None else found.order[:top].tolist()
    return [point_of(found, row) for row in rows]


def point_of(found: SweepAnalysis, row: int, *, full: bool = False) -> dict[str, Any]:
    """One point: its number, parameters and metrics, the score of its neighbourhood, why it failed or was stopped.

    With `full` also its deflated Sharpe ratio and the parameters that were not swept.
    """
    surface = found.surface
    parameters = surface.parameters(row)
    point = {
        "point": int(surface.numbers[row]),
        "parameters": {**found.space.fixed, **parameters} if full else parameters,
        "metrics": surface.metrics(row),
        "plateau": float(found.plateau_scores[row]),
    }
    if row in surface.errors:
        point["error"] = surface.errors[row]
    if row in surface.early_stops:
        point["stopped_after_bars"] = surface.early_stops[row].stop
    if full:
        point["deflated_sharpe"] = found.deflated(row)
    return point


# -- for people ----------------------------------------------------------------------------------------------------------


def show(found: SweepAnalysis, count: TrialCount | None, options: SearchOptions, output: Output) -> None:
    """The top table and what it is worth."""
    fixed = parameters_line(found.space.fixed) if found.space.fixed else ""
    output.line(f"{strategy_name(found.experiment.strategy)}{f' ({fixed})' if fixed else ''}")
    output.line(described(found, options.chosen_method, ended(found)) + "\n")
    several = len(found.objectives) > 1
    if found.best is not None:
        output.show(pareto_table(found, options.top) if several else top_table(found, options.top))
        output.line("")
    surface = found.surface
    failed = ((surface.parameters(row), text) for row, text in surface.errors.items())
    for line in failed_lines(failed, len(surface.errors)):
        output.line(line)
    for name, text in (("unused", ineffective_line(found)), ("plateau", plateau_line(found))):
        if text is not None:
            output.line(f"{name:<9}{text}")
    for line in belief_lines(found.state, too_good_lines(found)):
        output.line(line)
    if found.statistics is not None:
        for line in significance_lines(TrialVerdict(found.statistics, count).as_object()):
            output.line(line)


def top_table(found: SweepAnalysis, count: int | None) -> Table:
    """The best points by the first objective: parameters, objectives, Sharpe with its deflated value, plateau."""
    shown = found.order[: count or SHOWN].tolist()
    return _table(found, shown)


def pareto_table(found: SweepAnalysis, count: int | None) -> Table:
    """The points that no other beats in all objectives, by the first one."""
    return _table(found, found.pareto_front[: count or 3 * SHOWN].tolist())


def _table(found: SweepAnalysis, rows: list[int]) -> Table:
    surface = found.surface
    columns = metric_columns(found)
    numbers = [*(metric for metric, _ in columns), "DSR", "plateau"]
    heads = ["", *surface.names, *numbers]
    lines = []
    for rank, row in enumerate(rows, 1):
        metrics = surface.metrics(row)
        cells = [text_of(metrics[name], kind) for name, kind in columns]
        score = text_of(float(found.plateau_scores[row]), kind_of(found.objectives[0].metric))
        lines.append(
            [
                str(rank),
                *(str(value) for value in surface.points[row]),
                *cells,
                text_of(found.deflated(row), "share"),
                score,
            ]
        )
    return listing(heads, lines, right=heads)


def metric_columns(found: SweepAnalysis) -> list[tuple[str, str]]:
    """The metrics of a table of points with how they are written: the objectives, then what always is of interest."""
    always = ("sharpe", "cagr", "max_drawdown", "round_trips")
    names = dict.fromkeys((*(item.metric for item in found.objectives), *always))
    return [(name, kind_of(name)) for name in names]


def plateau_line(found: SweepAnalysis) -> str | None:
    """What the neighbourhood of the best point says; None where there is none."""
    flat, best, surface = found.plateau, found.most_robust, found.surface
    if flat is None or best is None:
        return None
    metric = found.objectives[0].metric
    around, at_peak = (
        text_of(float(found.plateau_scores[row]), kind_of(metric)) for row in (best, flat.peak)
    )
    if best == flat.peak:
        text = f"the best point is the most robust: three quarters of its neighbours have {metric} {around} or better"
    else:
        most_robust = parameters_line(surface.parameters(best))
        text = f"most robust is {most_robust}: {around} or better in three quarters around it; around the best {at_peak}"
    return (
        f"{text}; it lies at the end of {' and '.join(found.boundary)}, so look further"
        if found.boundary
        else text
    )


def ineffective_line(found: SweepAnalysis) -> str | None:
    """Which parameters changed nothing; None when each of them did something."""
    if not found.ineffective:
        return None
    return f"{' and '.join(found.ineffective)} changed nothing: every value gave the same returns"


def described(found: SweepAnalysis, method: str, unreached: str | None) -> str:
    """How many points were run and how, in a line."""
    surface = found.surface
    parts = [f"{len(surface):,} {'point' if len(surface) == 1 else 'points'} by {method}"]
    if surface.errors:
        parts.append(f"{len(surface.errors):,} failed")
    if surface.early_stops:
        parts.append(f"{len(surface.early_stops):,} given up early, which count as trials")
    if unreached:
        parts.append(unreached)
    return f"{', '.join(parts)}\n{bars_line(found.experiment.bars)}"
