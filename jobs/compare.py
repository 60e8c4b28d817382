"""`gpt-trader compare`: several strategies on the same bars and the same resampled markets; how likely each beats each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from gpt_trader.errors import BadParameter
from jobs.command_inputs import StudyInputs, StudyPreamble
from jobs.options import grouped
from jobs.run_options import ReplicateOptions
from jobs.strategy_options import pairs
from jobs.study_progress import Watched

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
    bootstraps: ReplicateOptions,
    options: StudyPreamble,
) -> None:
    """Run every strategy on the bars and on every resampled market, and compare them in pairs."""
    from gpt_trader.research.comparison_study import Candidate, ComparisonStudy, checked_metric
    from gpt_trader.strategy_code import code_hash

    made = named(strategies)
    checked_metric(metric)
    bootstraps.check_size(len(made), yes=options.run.yes)
    inputs = StudyInputs(options)
    first = inputs.experiment(type(next(iter(made.values()))))
    from jobs.command_results import conclude_study
    from jobs.compare_output import ComparisonView

    candidates = tuple(Candidate(name, first.with_strategy(type(one)), one) for name, one in made.items())
    study = ComparisonStudy(candidates, bootstraps.bootstrap(inputs.seed).on(first.bars), metric)
    conclude_study(
        study,
        ComparisonView(),
        inputs,
        [text.partition(",")[0].strip() for text in strategies],
        watched=Watched("sharpe"),
        about={
            "strategies": list(made),
            "metric": metric,
            "codes": [code_hash(type(one)) for one in made.values()],
        },
    )


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
