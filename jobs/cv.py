"""`gpt-trader cv`: what choosing the parameters of a strategy is worth, by combinatorial purged cross-validation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from gpt_trader.errors import BadParameter
from jobs.command_inputs import StudyInputs, StudyPreamble
from jobs.options import grouped, option_in
from jobs.strategy_options import STRATEGY_HELP, PointOptions
from jobs.study_progress import Watched

if TYPE_CHECKING:
    from gpt_trader.research.cross_validation_study import CrossValidationStudy
    from gpt_trader.research.experiment import Experiment
    from gpt_trader.research.parameter_points import Points
    from gpt_trader.validation.durations import Duration, Times

app = typer.Typer(add_completion=False)
PANEL = "Cross-validation"

_folds = option_in(PANEL)


# fmt: off
@dataclass(frozen=True, slots=True)
class FoldOptions:
    """The folds, and what keeps a test away from its training."""

    folds: Annotated[int, _folds("--folds", text="Stretches that the bars are cut into.", metavar="COUNT")] = 10
    test_folds: Annotated[int, _folds("--test-folds", text="How many of them are tested at a time.", metavar="COUNT")] = 2
    horizon: Annotated[
        str | None,
        _folds("--horizon", text="How long a decision works, as 20b or 30d. (default: the mean round trip)", metavar="TIME")
    ] = None
    embargo: Annotated[str, _folds("--embargo", text="Time left out after a test, as 5d, or 1% of all.", metavar="TIME")] = "1%"
    objective: Annotated[
        str, _folds("--objective", text="What is chosen by: sharpe, return or volatility.", metavar="METRIC")
    ] = "sharpe"
    # fmt: on

    def study(self, experiment: Experiment, points: Points) -> CrossValidationStudy:
        """The study over these points. Raises BadParameter for what cannot be read and for what does not fit."""
        from gpt_trader.research.cross_validation_study import CrossValidationStudy
        from gpt_trader.validation.durations import parse_duration

        horizon = None if self.horizon is None else parse_duration(self.horizon, "--horizon")
        embargo = self._embargo(experiment.bars.time)
        return CrossValidationStudy(
            experiment, points, self.folds, self.test_folds, horizon, embargo, self.objective
        )

    def _embargo(self, time: Times) -> Duration:
        from gpt_trader.validation.durations import parse_duration, share_of

        if not self.embargo.strip().endswith("%"):
            return parse_duration(self.embargo, "--embargo")
        try:
            share = float(self.embargo.strip().removesuffix("%")) / 100.0
        except ValueError:
            share = -1.0
        if not 0.0 <= share < 1.0:
            raise BadParameter(f"--embargo {self.embargo!r} is no share of the time; write 1%, or a time such as 5d")
        return share_of(time, share)


@app.command(help="Combinatorial purged cross-validation: what choosing the parameters is worth out of sample.")
@grouped
def cv(
    *,
    strategy: Annotated[str, typer.Argument(metavar="STRATEGY", help=STRATEGY_HELP)],
    search: PointOptions,
    folds: FoldOptions,
    options: StudyPreamble,
) -> None:
    """Run every point once, choose on every split, put the paths together."""
    from gpt_trader.research.cross_validation_study import checked_objective
    from gpt_trader.strategies import load_strategy

    kind = load_strategy(strategy)
    space = search.space(kind)
    checked_objective(folds.objective)
    inputs = StudyInputs(options)
    points = search.points(kind, space, inputs.seed, yes=options.run.yes)
    experiment = inputs.experiment(kind)
    from jobs.command_results import conclude_study
    from jobs.cv_output import CrossValidationView

    study = folds.study(experiment, points)
    conclude_study(
        study,
        CrossValidationView(),
        inputs,
        [strategy],
        expected=len(points),
        watched=Watched("sharpe"),
        about={"parameters": search.described(), **study.about},
    )


if __name__ == "__main__":
    from jobs.cli import run_module

    run_module("jobs.cv", app)
