"""`gpt-trader sweep`: one strategy at many points of its parameters, in this process or on Ray."""

from __future__ import annotations

from typing import Annotated

import typer

from gpt_trader.errors import GptTraderError
from jobs.command_inputs import StudyInputs, StudyPreamble
from jobs.options import grouped
from jobs.strategy_options import STRATEGY_HELP, SearchOptions
from jobs.study_progress import Watched

app = typer.Typer(add_completion=False)


@app.command(
    help="Run a strategy at many points of its parameters, and say how likely the best is to be luck."
)
@grouped
def sweep(
    *,
    strategy: Annotated[str, typer.Argument(metavar="STRATEGY", help=STRATEGY_HELP)],
    search: SearchOptions,
    options: StudyPreamble,
) -> None:
    """Run the search; what can be refused is refused before any data is read, a point that fails is listed."""
    from gpt_trader.strategies import load_strategy

    kind = load_strategy(strategy)
    objectives = search.objectives()
    space = search.space(kind)
    search.check_size(space, yes=options.run.yes)
    inputs = StudyInputs(options)
    experiment = inputs.experiment(kind)
    from gpt_trader.research.sweep_study import SweepStudy
    from jobs.command_results import conclude_study
    from jobs.sweep_output import SweepView, nothing_best

    rule = search.rule(experiment.bars.T)
    method = search.search(space, inputs.seed, watched=rule is not None)
    study = SweepStudy(experiment, space, method, objectives, rule)
    found = conclude_study(
        study,
        SweepView(search),
        inputs,
        [strategy],
        watched=Watched(objectives[0].metric, objectives[0].smallest),
        about={"parameters": search.described(), **study.about},
        time_limit=search.time_limit,
    ).result
    if found.best is None:
        raise GptTraderError(nothing_best(found))


if __name__ == "__main__":
    from jobs.cli import run_module

    run_module("jobs.sweep", app)
