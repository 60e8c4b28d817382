"""`gpt-trader robustness`: what is left of a strategy under other costs, delays, capitals, parameters and other histories."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import typer

from jobs.backtest import check_report_path
from jobs.console import Output
from jobs.data_options import DataOptions
from jobs.numba_start import start_numba
from jobs.options import grouped, number, option_in
from jobs.replicate_options import ReplicateOptions
from jobs.rule_options import AllocationOptions, CostOptions, ExitOptions, RiskOptions
from jobs.settings import SettingsOptions, StoreOptions
from jobs.strategy_options import STRATEGY_HELP, StrategyOptions
from jobs.studies import Watched, open_study
from jobs.study_options import StudyOptions, WorkerOptions, subject_of

app = typer.Typer(add_completion=False)
PANEL = "Changes"

_change = option_in(PANEL)


# fmt: off
@dataclass(frozen=True, slots=True)
class ChangeOptions:
    """What is changed about the run."""

    metric: Annotated[str, _change("--metric", text="What costs must not eat: sharpe or cagr.", metavar="METRIC")] = "sharpe"
    delays: Annotated[int, _change("--delays", text="Bars more that decisions wait, at the most.", min=0, metavar="BARS")] = 2
    jitter: Annotated[
        float, _change("--jitter", text="How far parameters are moved, as a share of each.", parser=number, metavar="SHARE")
    ] = 0.2
    neighbours: Annotated[int, _change("--neighbours", text="Points run near the chosen one.", min=0, metavar="COUNT")] = 60
# fmt: on


@app.command(
    help="What is left under other costs, delays, capitals and parameters, and on resampled markets."
)
@grouped
def robustness(
    *,
    strategy: Annotated[str, typer.Argument(metavar="STRATEGY", help=STRATEGY_HELP)],
    choice: StrategyOptions,
    changes: ChangeOptions,
    redraws: ReplicateOptions,
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
    """Run the point as it is, with one thing changed at a time, and on resampled markets."""
    from gpt_trader.research.replicates import point_of
    from gpt_trader.research.robustness_study import KIND, Changes, Question, answer

    made = choice.make(strategy)
    redraws.check_size(1, yes=study.yes)
    check_report_path(study.report)
    configuration = settings.load()
    seed = configuration.backtest.seed if study.seed is None else study.seed
    asked = Changes(changes.metric, changes.delays, changes.jitter, changes.neighbours, seed=seed)
    runs = store.open(configuration)
    with output.counting("loading bars") as told:
        subject = subject_of(type(made), configuration, data, study, costs, allocation, exits, risk, told)
    redraw = redraws.redraw(seed).on(subject.bars) if redraws.replicates else None
    question = Question(subject, made, asked, redraw)
    start_numba()
    from jobs.robustness_output import conclude

    with open_study(
        KIND,
        question.study_id,
        subject,
        where=where,
        output=output,
        runs_dir=study.runs_dir or configuration.runs_dir,
        points=question.runs,
        watched=Watched("sharpe"),
        about={
            "strategy": strategy,
            "parameters": dict(zip(*point_of(made), strict=True)),
            "metric": asked.metric,
        },
        store=runs,
    ) as running:
        conclude(answer(question, running.work_off), running, runs, study.report, output, strategy)


if __name__ == "__main__":
    from jobs.cli import run_module

    run_module("jobs.robustness", app)
