"""`gpt-trader robustness`: what is left of a strategy under other costs, delays, capitals, parameters and other histories."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import typer

from jobs.command_inputs import StudyInputs, StudyPreamble
from jobs.options import grouped, number, option_in
from jobs.run_options import ReplicateOptions
from jobs.strategy_options import STRATEGY_HELP, StrategyOptions
from jobs.study_progress import Watched

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
    bootstraps: ReplicateOptions,
    options: StudyPreamble,
) -> None:
    """Run the point as it is, with one thing changed at a time, and on resampled markets."""
    from gpt_trader.research.bootstrap_runs import point_of
    from gpt_trader.research.robustness_study import Changes, RobustnessStudy

    made = choice.make(strategy)
    bootstraps.check_size(1, yes=options.run.yes)
    inputs = StudyInputs(options)
    asked = Changes(changes.metric, changes.delays, changes.jitter, changes.neighbours, seed=inputs.seed)
    experiment = inputs.experiment(type(made))
    bootstrap = bootstraps.bootstrap(inputs.seed).on(experiment.bars) if bootstraps.replicates else None
    study = RobustnessStudy(experiment, made, asked, bootstrap)
    from jobs.command_results import conclude_study
    from jobs.robustness_output import RobustnessView

    conclude_study(
        study,
        RobustnessView(),
        inputs,
        [strategy],
        watched=Watched("sharpe"),
        about={
            "strategy": strategy,
            "parameters": dict(zip(*point_of(made), strict=True)),
            "metric": asked.metric,
        },
    )


if __name__ == "__main__":
    from jobs.cli import run_module

    run_module("jobs.robustness", app)
