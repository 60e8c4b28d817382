"""`gpt-trader compare`: several strategies on the same bars and the same resampled markets; how likely each beats each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from gpt_trader.errors import BadParameter
from jobs.backtest import check_report_path
from jobs.console import Output
from jobs.data_options import DataOptions
from jobs.numba_start import start_numba
from jobs.options import grouped
from jobs.replicate_options import ReplicateOptions
from jobs.rule_options import AllocationOptions, CostOptions, ExitOptions, RiskOptions
from jobs.settings import SettingsOptions, StoreOptions
from jobs.strategy_options import pairs
from jobs.studies import Watched, open_study
from jobs.study_options import StudyOptions, WorkerOptions, subject_of

if TYPE_CHECKING:
    from gpt_trader.strategy import Strategy

app = typer.Typer(add_completion=False)
SIDES_HELP = "Two or more: a shipped name or file.py[:Class], each with parameters as demo_ma,fast=5,slow=40."


@app.command(help="Compare strategies on the same bars: which is better, and how likely that is chance.")
@grouped
def compare(
    *,
    strategies: Annotated[list[str], typer.Argument(metavar="STRATEGY STRATEGY …", help=SIDES_HELP)],
    metric: Annotated[
        str,
        typer.Option(
            "--metric", metavar="METRIC", help="What the better one has more of: sharpe, cagr, max_drawdown …"
        ),
    ] = "sharpe",
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
    """Run every strategy on the bars and on every resampled market, and compare them in pairs."""
    from gpt_trader.research.comparison_study import KIND, Contender, Contest, checked_metric, decide
    from gpt_trader.strategy_code import code_hash

    made = named(strategies)
    checked_metric(metric)
    redraws.check_size(len(made), yes=study.yes)
    check_report_path(study.report)
    configuration = settings.load()
    seed = configuration.backtest.seed if study.seed is None else study.seed
    runs = store.open(configuration)
    with output.counting("loading bars") as told:
        first = subject_of(
            type(next(iter(made.values()))), configuration, data, study, costs, allocation, exits, risk, told
        )
    start_numba()
    from jobs.compare_output import conclude

    contenders = tuple(Contender(name, first.with_strategy(type(one)), one) for name, one in made.items())
    contest = Contest(contenders, redraws.redraw(seed).on(first.bars), metric)
    with open_study(
        KIND,
        contest.study_id,
        first,
        where=where,
        output=output,
        runs_dir=study.runs_dir or configuration.runs_dir,
        points=contest.runs,
        watched=Watched("sharpe"),
        about={
            "strategies": list(made),
            "metric": metric,
            "codes": [code_hash(type(one)) for one in made.values()],
        },
        store=runs,
    ) as running:
        conclude(decide(contest, running.work_off), running, runs, study.report, output, strategies)


def named(given: Sequence[str]) -> dict[str, Strategy]:
    """The strategies by a name that tells them apart: `["demo_ma", "demo_ma,fast=5"]` are "demo_ma" and "demo_ma fast=5".

    Raises BadParameter for fewer than two or for one given twice, and as `StrategyOptions.make` does.
    """
    from gpt_trader.strategies import load_strategy
    from gpt_trader.strategy import make_strategy, strategy_name

    if len(given) < 2:
        raise BadParameter(f"{given[0]!r} alone is nothing to compare; give two strategies or more")
    made: dict[str, Strategy] = {}
    for text in given:
        choice, *parameters = (part.strip() for part in text.split(","))
        kind = load_strategy(choice)
        name = " ".join([strategy_name(kind), *parameters])
        if name in made:
            raise BadParameter(f"{text!r} is given twice; give each strategy once, or other parameters")
        made[name] = make_strategy(kind, pairs(parameters))
    return made


if __name__ == "__main__":
    from jobs.cli import run_module

    run_module("jobs.compare", app)
