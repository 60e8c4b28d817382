"""A combinatorial purged cross-validation: the runs it needs, and what its splits and paths say about the choice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from math import ceil
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from gpt_trader import metrics
from gpt_trader.engine.metric_definitions import METRIC_NAMES
from gpt_trader.errors import BadParameter
from gpt_trader.periods import periods_per_year
from gpt_trader.research.experiment import Experiment
from gpt_trader.research.parameter_points import Points, RunScores, run_scores
from gpt_trader.research.plan import Plan, PlanResult
from gpt_trader.research.return_profiles import PROFILE_BLOCKS, block_edges
from gpt_trader.research.study import JudgedRun, Step, Steps, judged_point
from gpt_trader.research.trials import Trials, trials_of_plan
from gpt_trader.validation.cross_validation import (
    OBJECTIVES,
    Choices,
    choose,
    moments_of_sets,
    path_returns,
    sharpe_of,
)
from gpt_trader.validation.durations import Duration
from gpt_trader.validation.splits import CombinatorialSplits, check_folds, combinatorial
from gpt_trader.validation.walk_forward import NONE, best_of_each

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
KIND = "cv"
PILOTS = 32
"""Points that are run before all others to see how long their round trips last."""
LOW = 5.0
"""Per cent of the paths that lie below the low end of their distribution."""


def checked_objective(name: str) -> str:
    """`name` when it can be had of rows that are not contiguous. Raises BadParameter."""
    if name not in OBJECTIVES:
        raise BadParameter(
            f"--objective {name} needs one stretch of rows; the training rows of cross-validation are several, of which "
            f"only {', '.join(OBJECTIVES)} are known: choose one of these, or use walkforward"
        )
    return name


def pilot_plan(experiment: Experiment, points: Points) -> Plan:
    """The plan of PILOTS points, spread evenly over all, whose round trips tell the horizon."""
    count = min(PILOTS, len(points))
    numbers = [(2 * i + 1) * len(points) // (2 * count) for i in range(count)]
    return Plan(KIND, experiment, tuple(points.chunks(count, numbers, edges=(0, experiment.bars.T))))


def holding_bars(pilots: RunScores, fold: int) -> int:
    """How many bars a round trip of the pilots is held on average, over all their trips: 1 at least, a `fold` at most."""
    trips, bars = pilots.column("round_trips"), pilots.column("average_trade_bars")
    known = np.isfinite(bars) & (trips > 0)
    if not known.any():
        return 1
    mean = float((trips[known] * bars[known]).sum() / trips[known].sum())
    return max(1, min(ceil(mean), fold))


@dataclass(frozen=True)
class CrossValidationStudy:
    """Which of `points` each split would choose by `objective`, and what that earns where it is tested.

    All bars are cut into `folds`, of which every choice of `test_folds` is tested once. A decision works for `horizon`; None
    takes the mean round trip of some of the points, which are run first. `embargo` is left out after a test.
    Raises BadParameter for folds that do not fit.
    """

    experiment: Experiment
    points: Points
    folds: int
    test_folds: int
    horizon: Duration | None
    embargo: Duration
    objective: str = "sharpe"

    def __post_init__(self) -> None:
        checked_objective(self.objective)
        check_folds(self.experiment.bars.T, self.folds, self.test_folds)
        if self.horizon is not None:
            self.splits_with(self.horizon)

    @property
    def kind(self) -> str:
        """As in `Study`."""
        return KIND

    @property
    def about(self) -> dict[str, Any]:
        """What was asked for, as plain data."""
        return {
            "folds": self.folds,
            "test_folds": self.test_folds,
            "horizon": "the mean round trip" if self.horizon is None else str(self.horizon),
            "embargo": str(self.embargo),
            "objective": self.objective,
        }

    @property
    def study_id(self) -> str:
        """As in `Study`."""
        return self.points.study_id(KIND, self.experiment, [self.about])

    @property
    def runs(self) -> None:
        """Not known before: those that are chosen run once more."""
        return

    def splits_with(self, horizon: Duration) -> CombinatorialSplits:
        """The splits where a decision works for `horizon`. Raises as `combinatorial`."""
        time = self.experiment.bars.time
        return combinatorial(time, self.folds, self.test_folds, horizon=horizon, embargo=self.embargo)

    def steps(self) -> Steps[CrossValidationResult]:
        """Some points for the horizon, all of them, the chosen ones bar by bar."""
        horizon = self.horizon
        if horizon is None:
            pilots = pilot_plan(self.experiment, self.points)
            done = yield Step(pilots)
            trips = run_scores(pilots.chunks, done, 1)
            horizon = Duration(bars=holding_bars(trips, self.experiment.bars.T // self.folds))
        splits = PurgedSplits(self, self.splits_with(horizon), horizon)
        done = yield Step(splits.plan, partial(trials_of_plan, splits.plan))
        choices = splits.choose(done)
        return choices.assemble((yield Step(choices.plan)))


@dataclass(frozen=True)
class PurgedSplits:
    """The `splits` of a study with its `horizon`, and the runs they choose from."""

    study: CrossValidationStudy
    splits: CombinatorialSplits
    horizon: Duration

    @property
    def experiment(self) -> Experiment:
        """That of the study."""
        return self.study.experiment

    @property
    def points(self) -> Points:
        """Those of the study."""
        return self.study.points

    @cached_property
    def edges(self) -> Integers:
        """(B + 1,) the rows between which returns are summed: those that bound sets of rows, and those of the profiles."""
        profile = block_edges(0, self.experiment.bars.T, PROFILE_BLOCKS)
        return np.union1d(self.splits.edges, profile).astype(np.int64)

    @cached_property
    def plan(self) -> Plan:
        """One run of every point over all bars, with the sums of its returns between the `edges`."""
        size = self.points.chunk_size(self.experiment)
        return Plan(KIND, self.experiment, tuple(self.points.chunks(size, edges=tuple(self.edges.tolist()))))

    def choose(self, done: PlanResult) -> SplitChoices:
        """What every split chooses. Raises BadParameter when no split can choose a point, StrategyError when all
        runs failed."""
        runs = run_scores(self.plan.chunks, done, len(self.edges) - 1)
        choices = choose(self.splits, self.edges, runs.sums, self.study.objective)
        if (choices.point == NONE).all():
            runs.refuse_if_all_failed()
            raise BadParameter(
                f"none of {len(self.points):,} points traded in any training set{runs.failures}"
            )
        return SplitChoices(self, runs, choices)


@dataclass(frozen=True)
class SplitChoices:
    """What every split chose, from the `runs` of all points."""

    purged: PurgedSplits
    runs: RunScores
    choices: Choices

    @property
    def numbers(self) -> list[int]:
        """The points that any split chose, in order."""
        return sorted(set(self.choices.point.tolist()) - {NONE})

    @cached_property
    def plan(self) -> Plan:
        """The runs of the chosen points again, bar by bar, for the curves of the paths."""
        experiment = self.purged.experiment
        rows = tuple(range(experiment.bars.T + 1))
        return Plan(KIND, experiment, tuple(self.purged.points.chunks(1, self.numbers, edges=rows)))

    def assemble(self, done: PlanResult) -> CrossValidationResult:
        """The paths, from what came of `plan`."""
        sums = run_scores(self.plan.chunks, done, self.purged.experiment.bars.T).sums
        returns = {number: sums[place, 0].astype(np.float64) for place, number in enumerate(self.numbers)}
        paths = path_returns(self.purged.splits, self.choices.point, returns)
        return CrossValidationResult(self.purged, self.runs, self.choices, paths)


@dataclass(frozen=True)
class CrossValidationResult:
    """The result. `paths` (P, T) are returns per bar, all of them out of sample; Sharpe ratios are annual."""

    purged: PurgedSplits
    runs: RunScores
    choices: Choices
    paths: Floats

    @property
    def study(self) -> CrossValidationStudy:
        """What was asked."""
        return self.purged.study

    @cached_property
    def best_metrics(self) -> dict[str, float]:
        """The metrics over all bars of the point that all bars choose."""
        return dict(zip(METRIC_NAMES, self.runs.values[self.best].tolist(), strict=True))

    @property
    def judged(self) -> tuple[JudgedRun, ...]:
        """The point that all bars together choose."""
        experiment, parameters = self.study.experiment, self.study.points.all_parameters(self.best)
        return (judged_point(experiment, parameters, self.best_metrics, self.runs.sums[self.best]),)

    @property
    def headline(self) -> Mapping[str, float]:
        """The figures of the path in the middle."""
        return self.path_figures[int(np.argsort(self.path_sharpe, kind="stable")[len(self.paths) // 2])]

    more_trials: ClassVar[tuple[Trials, ...]] = ()

    @cached_property
    def per_year(self) -> float:
        """Bars a year."""
        bars = self.study.experiment.bars
        return periods_per_year(bars.time, bars.timeframe)

    @property
    def equity(self) -> Floats:
        """(P, T) what a capital of 1 becomes on every path."""
        equity: Floats = np.cumprod(1.0 + self.paths, axis=1, dtype=np.float64)
        return equity

    @cached_property
    def path_sharpe(self) -> Floats:
        """(P,) of every path; 0 for one on which nothing was traded."""
        annual = sharpe_of(self.paths) * np.sqrt(self.per_year)
        return np.where(self.paths.any(axis=1), annual, 0.0)

    @property
    def path_figures(self) -> list[dict[str, float]]:
        """Per path: sharpe, total_return, cagr, volatility, max_drawdown."""
        time = self.study.experiment.bars.time
        return [
            {
                "sharpe": float(sharpe),
                "total_return": float(equity[-1] - 1.0),
                "cagr": metrics.cagr(equity, time, 1.0),
                "volatility": metrics.volatility(path, periods_per_year=self.per_year),
                "max_drawdown": metrics.max_drawdown(equity, 1.0),
            }
            for sharpe, equity, path in zip(self.path_sharpe, self.equity, self.paths, strict=True)
        ]

    @property
    def in_sample(self) -> Floats:
        """(S,) the Sharpe ratio of the chosen point on the rows that it was chosen on."""
        annual: Floats = self.choices.in_sample * np.sqrt(self.per_year)
        return annual

    @property
    def out_of_sample(self) -> Floats:
        """(S,) its Sharpe ratio on the rows it was tested on."""
        annual: Floats = self.choices.out_of_sample * np.sqrt(self.per_year)
        return annual

    @property
    def distribution(self) -> dict[str, float]:
        """The Sharpe ratio over the paths: mean, deviation, lowest, the LOW percentile, median, highest, share below 0."""
        sharpe = self.path_sharpe
        return {
            "mean": float(sharpe.mean()),
            "deviation": float(sharpe.std(ddof=1)) if sharpe.size > 1 else float("nan"),
            "lowest": float(sharpe.min()),
            "percentile_5": float(np.percentile(sharpe, LOW)),
            "median": float(np.median(sharpe)),
            "highest": float(sharpe.max()),
            "below_zero": float((sharpe < 0).mean()),
        }

    @property
    def degradation(self) -> dict[str, float]:
        """From in sample to out of sample, over the splits that chose: both mean Sharpe ratios and their `difference`; the
        share of splits whose choice loses money (`loss`), and that in which it is worse than half of the others
        (`overfit`, about 0.5 when choosing is no better than chance; NaN with one point)."""
        made = self.choices.point != NONE
        in_sample, out_of_sample = float(self.in_sample[made].mean()), float(self.out_of_sample[made].mean())
        beaten = self.choices.beaten[made & np.isfinite(self.choices.beaten)]
        return {
            "in_sample_sharpe": in_sample,
            "out_of_sample_sharpe": out_of_sample,
            "difference": out_of_sample - in_sample,
            "loss": float((self.choices.out_of_sample_mean[made] < 0).mean()),
            "overfit": float(((beaten < 0.5) + 0.5 * (beaten == 0.5)).mean())
            if beaten.size
            else float("nan"),
        }

    @property
    def frequency(self) -> Mapping[int, int]:
        """How many splits chose each point, the most frequent first, of equal ones in their order."""
        counts = Counter(self.choices.point.tolist())
        counts.pop(NONE, None)
        return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))

    @cached_property
    def best(self) -> int:
        """The point that all bars together would choose: what one would go on with."""
        edges = self.purged.edges
        everything = np.ones((1, len(edges) - 1), np.bool_)
        moments = moments_of_sets(self.runs.sums, np.diff(edges), everything)
        return int(best_of_each(moments.gains(self.study.objective).T)[0])
