"""`gpt-trader cv`: what choosing the parameters of a strategy is worth, by combinatorial purged cross-validation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gpt_trader.errors import BadParameter
from jobs.options import grouped, option_in
from jobs.preamble import StudyInputs, StudyPreamble
from jobs.strategy_options import STRATEGY_HELP, PointOptions
from jobs.study_progress import Watched

if TYPE_CHECKING:
    from gpt_trader.adapters.store import RunStore
    from gpt_trader.research.cross_validation_study import CrossValidationResult
    from gpt_trader.research.experiment import Experiment
    from gpt_trader.research.points import Points
    from gpt_trader.validation.durations import Duration, Times
    from gpt_trader.validation.splits import CombinatorialSplits
    from jobs.counting import Counted
    from jobs.studies import Study

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

    def wanted(self, time: Times) -> Wanted:
        """The folds of a market with bars at `time`. Raises BadParameter for what cannot be read and for what does not fit."""
        from gpt_trader.validation.durations import parse_duration
        from gpt_trader.validation.splits import check_folds

        check_folds(time.size, self.folds, self.test_folds)
        horizon = None if self.horizon is None else parse_duration(self.horizon, "--horizon")
        made = Wanted(self.folds, self.test_folds, horizon, self._embargo(time))
        if horizon is not None:
            made.cut(time, horizon)
        return made

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


@dataclass(frozen=True, slots=True)
class Wanted:
    """The folds with their times; a `horizon` of None is that of the points' own round trips."""

    folds: int
    test_folds: int
    horizon: Duration | None
    embargo: Duration

    def cut(self, time: Times, horizon: Duration) -> CombinatorialSplits:
        """The splits of a market with bars at `time`. Raises as `combinatorial`."""
        from gpt_trader.validation.splits import combinatorial

        return combinatorial(time, self.folds, self.test_folds, horizon=horizon, embargo=self.embargo)

    def described(self) -> dict[str, Any]:
        """What study.json tells of it."""
        return {
            "folds": self.folds,
            "test_folds": self.test_folds,
            "horizon": "the mean round trip" if self.horizon is None else str(self.horizon),
            "embargo": str(self.embargo),
        }


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
    from gpt_trader.research.cross_validation_study import KIND, checked_objective
    from gpt_trader.strategies import load_strategy

    kind = load_strategy(strategy)
    space = search.space(kind)
    objective = checked_objective(folds.objective)
    inputs = StudyInputs(options)
    points = search.points(kind, space, inputs.seed, yes=options.run.yes)
    experiment = inputs.experiment(kind)
    from jobs.cv_output import conclude

    wanted = folds.wanted(experiment.bars.time)
    chosen = {**wanted.described(), "objective": objective}
    with inputs.study(
        KIND,
        points.study_id(KIND, experiment, chosen),
        experiment,
        expected=len(points),
        watched=Watched("sharpe"),
        about={"parameters": search.described(), **chosen},
    ) as running:
        done, counted = validate(running, experiment, points, wanted, objective, inputs.store)
        conclude(done, counted, running, inputs, strategy)


def validate(
    study: Study, experiment: Experiment, points: Points, wanted: Wanted, objective: str, store: RunStore
) -> tuple[CrossValidationResult, Counted]:
    """The cross-validation in its three steps: some points for the horizon, all of them, the chosen ones bar by bar."""
    from gpt_trader.research.cross_validation_study import CrossValidationStudy, holding_bars, pilot_plan
    from gpt_trader.research.points import run_scores
    from gpt_trader.validation.durations import Duration
    from jobs.counting import work_and_count

    time, horizon = experiment.bars.time, wanted.horizon
    if horizon is None:
        pilots = pilot_plan(experiment, points)
        held = run_scores(pilots.chunks, study.run_chunks(pilots), 1)
        horizon = Duration(bars=holding_bars(held, time.size // wanted.folds))
    question = CrossValidationStudy(
        experiment, points, wanted.cut(time, horizon), horizon, wanted.embargo, objective
    )
    done, counted = work_and_count(study, question.plan, store)
    chosen = question.choose(done)
    return chosen.assemble(study.run_chunks(chosen.plan)), counted


if __name__ == "__main__":
    from jobs.cli import run_module

    run_module("jobs.cv", app)
