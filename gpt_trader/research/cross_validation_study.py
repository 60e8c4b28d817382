"""A combinatorial purged cross-validation: the runs it needs, and what its splits and paths say about the choice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from math import ceil

import numpy as np
from numpy.typing import NDArray

from gpt_trader import metrics
from gpt_trader.errors import BadParameter
from gpt_trader.periods import periods_per_year
from gpt_trader.research.experiment import Experiment
from gpt_trader.research.plan import Plan, PlanResult
from gpt_trader.research.points import Points, RunScores, run_scores
from gpt_trader.research.return_profiles import PROFILE_BLOCKS, block_edges
from gpt_trader.validation.cross_validation import (
    OBJECTIVES,
    Choices,
    choose,
    moments_of_sets,
    path_returns,
    sharpe_of,
)
from gpt_trader.validation.durations import Duration
from gpt_trader.validation.splits import CombinatorialSplits
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
    """The question: which of `points` each split would choose by `objective`, and what that earns where it is tested.
    The `splits` were made with `horizon` and `embargo`."""

    experiment: Experiment
    points: Points
    splits: CombinatorialSplits
    horizon: Duration
    embargo: Duration
    objective: str

    @cached_property
    def edges(self) -> Integers:
        """(B + 1,) the rows between which returns are summed: those that bound sets of rows, and those of the profiles."""
        profile = block_edges(0, self.experiment.bars.T, PROFILE_BLOCKS)
        return np.union1d(self.splits.edges, profile).astype(np.int64)

    @cached_property
    def plan(self) -> Plan:
        """One run of every point over all bars, with the sums of its returns between the `edges`."""
        size = self.points.chunk_size(self.experiment.bars)
        return Plan(KIND, self.experiment, tuple(self.points.chunks(size, edges=tuple(self.edges.tolist()))))

    def choose(self, done: PlanResult) -> SplitChoices:
        """What every split chooses. Raises BadParameter when no split can choose a point."""
        runs = run_scores(self.plan.chunks, done, len(self.edges) - 1)
        choices = choose(self.splits, self.edges, runs.sums, self.objective)
        if (choices.point == NONE).all():
            told = f"; the first error: {next(iter(runs.errors.values()))}" if runs.errors else ""
            raise BadParameter(f"none of {len(self.points):,} points traded in any training set{told}")
        return SplitChoices(self, runs, choices)


@dataclass(frozen=True)
class SplitChoices:
    """What every split chose, from the `runs` of all points."""

    question: CrossValidationStudy
    runs: RunScores
    choices: Choices

    @property
    def numbers(self) -> list[int]:
        """The points that any split chose, in order."""
        return sorted(set(self.choices.point.tolist()) - {NONE})

    @cached_property
    def plan(self) -> Plan:
        """The runs of the chosen points again, bar by bar, for the curves of the paths."""
        experiment = self.question.experiment
        rows = tuple(range(experiment.bars.T + 1))
        return Plan(KIND, experiment, tuple(self.question.points.chunks(1, self.numbers, edges=rows)))

    def assemble(self, done: PlanResult) -> CrossValidationResult:
        """The paths, from what came of `plan`."""
        sums = run_scores(self.plan.chunks, done, self.question.experiment.bars.T).sums
        returns = {number: sums[place, 0].astype(np.float64) for place, number in enumerate(self.numbers)}
        paths = path_returns(self.question.splits, self.choices.point, returns)
        return CrossValidationResult(self.question, self.runs, self.choices, paths)


@dataclass(frozen=True)
class CrossValidationResult:
    """The answer. `paths` (P, T) are returns per bar, all of them out of sample; Sharpe ratios are annual."""

    question: CrossValidationStudy
    runs: RunScores
    choices: Choices
    paths: Floats

    @cached_property
    def per_year(self) -> float:
        """Bars a year."""
        bars = self.question.experiment.bars
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
        time = self.question.experiment.bars.time
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
    def inside(self) -> Floats:
        """(S,) the Sharpe ratio of the chosen point on the rows that it was chosen on."""
        annual: Floats = self.choices.in_sample * np.sqrt(self.per_year)
        return annual

    @property
    def outside(self) -> Floats:
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
        inside, outside = float(self.inside[made].mean()), float(self.outside[made].mean())
        beaten = self.choices.beaten[made & np.isfinite(self.choices.beaten)]
        return {
            "in_sample_sharpe": inside,
            "out_of_sample_sharpe": outside,
            "difference": outside - inside,
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
        edges = self.question.edges
        everything = np.ones((1, len(edges) - 1), np.bool_)
        moments = moments_of_sets(self.runs.sums, np.diff(edges), everything)
        return int(best_of_each(moments.gains(self.question.objective).T)[0])
