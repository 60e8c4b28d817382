"""`gpt-trader sweep`: one strategy at every point of a grid of parameters, in this process or on Ray."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from gpt_trader.errors import UserError
from jobs.console import Output
from jobs.data_options import DataOptions
from jobs.grouping import grouped
from jobs.numba_start import start_numba
from jobs.rule_options import AllocationOptions, CostOptions, ExitOptions, RiskOptions
from jobs.settings import SettingsOptions, StoreOptions
from jobs.strategy_choice import STRATEGY_HELP, StrategyOptions, pairs
from jobs.studies import Watched, run_study
from jobs.study_options import StudyOptions, WorkerOptions, subject_of

if TYPE_CHECKING:
    from gpt_trader.research.evaluation import Subject
    from gpt_trader.research.plan import Plan
    from gpt_trader.research.space import Space

app = typer.Typer(add_completion=False)
MANY = 1_000_000


@app.command(help="Run a strategy at every point of a grid, and say how likely the best is to be luck.")
@grouped
def sweep(
    *,
    strategy: Annotated[str, typer.Argument(metavar="STRATEGY", help=STRATEGY_HELP)],
    choice: StrategyOptions,
    constraint: Annotated[
        list[str] | None,
        typer.Option(
            "--constraint", metavar="CONDITION", help="What must hold, as 'fast < slow'; may be repeated."
        ),
    ] = None,
    data: DataOptions,
    study: StudyOptions,
    where: WorkerOptions,
    costs: CostOptions,
    allocation: AllocationOptions,
    exits: ExitOptions,
    risk: RiskOptions,
    store: StoreOptions,
    settings: SettingsOptions,
    output: Output,
) -> None:
    """Work the grid off; a point that fails is listed with its error."""
    from gpt_trader.research.space import make_space
    from gpt_trader.strategies import load_strategy

    kind = load_strategy(strategy)
    space = make_space(kind, pairs(choice.param or []), constraint or ())
    if space.size > MANY and not study.yes:
        raise UserError(f"the grid has {space.size:,} points; give longer steps, or --yes to run them all")
    configuration = settings.load()
    with output.progress("loading bars"):
        subject = subject_of(kind, configuration, data, study, costs, allocation, exits, risk)
    start_numba()
    plan = plan_grid(subject, space)

    done = run_study(
        plan,
        where=where,
        output=output,
        runs_dir=study.runs_dir or configuration.runs_dir,
        watched=Watched("sharpe"),
        about={"strategy": strategy},
    )
    output.emit({"run_id": plan.study_id, "points": _points(plan, done.results)})


def plan_grid(subject: Subject, space: Space) -> Plan:
    """The plan of all points of a grid."""
    from gpt_trader.research.evaluation import Evaluation
    from gpt_trader.research.plan import Plan
    from gpt_trader.research.planning import cut, points_per_chunk, seconds_per_run

    size = points_per_chunk(seconds_per_run(subject.strategy(), subject.bars))
    fixed = tuple(sorted(space.fixed.items()))
    points = (space.point(index) for index in space.indices())
    chunks = tuple(Evaluation(space.names, chunk, fixed) for chunk in cut(points, size))
    return Plan("sweep", subject, chunks)


def _points(plan: Plan, results: Any) -> list[dict[str, Any]]:
    from gpt_trader.engine.measures import METRIC_NAMES

    rows = []
    for chunk, result in zip(plan.chunks, results, strict=True):
        if result is None:
            continue
        for place, values in enumerate(chunk.points):
            metrics = dict(zip(METRIC_NAMES, result.values[place].tolist(), strict=True))
            row = {"parameters": dict(zip(chunk.names, values, strict=True)), "metrics": metrics}
            rows.append(row | ({"error": result.errors[place]} if place in result.errors else {}))
    return rows


if __name__ == "__main__":
    from jobs.cli import run_module

    run_module("jobs.sweep", app)
