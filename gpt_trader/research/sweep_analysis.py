"""What a surface says: which points are best, on what ground they stand, and how likely the best one is to be luck."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from gpt_trader.engine.metric_definitions import METRIC_NAMES
from gpt_trader.look_ahead import LookAhead, look_ahead_here
from gpt_trader.research.experiment import Experiment
from gpt_trader.research.objectives import Objective, not_beaten, ranked
from gpt_trader.research.response_surface import BLOCKS, Surface, ineffective_parameters
from gpt_trader.research.return_profiles import profiles_of
from gpt_trader.research.search_space import Space
from gpt_trader.research.selection_bias import Counted, CountedOnce, returns_counted, trial_statistics_of
from gpt_trader.research.study import JudgedRun
from gpt_trader.research.trials import Trials
from gpt_trader.strategy import Strategy
from gpt_trader.too_good import PREFIX, Holding, flags_of, of_metrics
from gpt_trader.validation.effective_trials import effective_trials
from gpt_trader.validation.overfitting import GROUPS, Overfitting, probability_of_overfitting
from gpt_trader.validation.plateau import ENOUGH, Plateau, plateau
from gpt_trader.validation.summary import TrialStatistics

if TYPE_CHECKING:
    from gpt_trader.result import Result

Floats = NDArray[np.float64]

FEWEST_BARS = 128
"""Below so many bars the blocks are of one bar or two: nothing to cross-validate."""
LASTING = (
    "gains",
    "order",
    "best",
    "pareto_front",
    "plateau",
    "places",
    "ineffective",
    "overfitting",
    "too_good",
    "_holding",
)
"""What is worked out of the points alone."""


@dataclass(frozen=True)
class SweepAnalysis:
    """The surface of `experiment` over `space` seen by its objectives; `trials` is None without a ledger, `look_ahead` (of the
    best point) where nobody was asked: then what this process knows counts. `best_too_good` is what a run of the best point
    of its own showed to be too good; without one its metrics alone tell. `cached` chunks were stored before; `cut_short` when
    not all points were reached."""

    experiment: Experiment
    space: Space
    surface: Surface
    objectives: tuple[Objective, ...]
    trials: Counted | None = None
    look_ahead: LookAhead | None = None
    best_too_good: tuple[str, ...] | None = None
    cached: int = 0
    cut_short: bool = False

    def after(self, trials: Counted | None, look_ahead: LookAhead | None) -> SweepAnalysis:
        """The same once trials are counted and the checks of the code are asked for; what does not depend on them and is
        worked out already goes along."""
        made = replace(self, trials=trials, look_ahead=look_ahead)
        made.__dict__.update({name: self.__dict__[name] for name in LASTING if name in self.__dict__})
        return made

    @cached_property
    def gains(self) -> Floats:
        """How good each point is (n, k); more is better."""
        return self.surface.gains(self.objectives)

    @cached_property
    def order(self) -> NDArray[np.int64]:
        """The rows by the first objective, best first; those without it are left out."""
        return ranked(self.gains[:, 0])

    @cached_property
    def best(self) -> int | None:
        """The row of the best point by the first objective, None when no point has one."""
        return int(self.order[0]) if len(self.order) else None

    @cached_property
    def pareto_front(self) -> NDArray[np.int64]:
        """The rows that no other beats in all objectives, by the first one; with one objective the best alone."""
        if len(self.objectives) > 1:
            return not_beaten(self.gains)
        return self.order[:1]

    @cached_property
    def plateau(self) -> Plateau | None:
        """How good the neighbourhood of each point is by the first objective.

        None where there are no neighbours: without axes that have an order, on fine ones, and when in a part of a space there
        are too few.
        """
        ordered = [axis.ordered for axis in self.space.axes]
        if not any(ordered) or self.space.fine or self.best is None:
            return None
        found = plateau(self.places, self.gains[:, 0], ordered)
        whole = len(self.surface) == self.space.count
        return found if whole or (found.known >= ENOUGH).any() else None

    @cached_property
    def plateau_scores(self) -> Floats:
        """The plateau score (n,) of each point in units of the first objective; NaN where, in a space of which not all was
        run, less than half of the neighbourhood is known."""
        if self.plateau is None:
            return np.full(len(self.surface), np.nan)
        scores = -self.plateau.scores if self.objectives[0].smallest else self.plateau.scores
        whole = len(self.surface) == self.space.count
        return np.where(whole | (self.plateau.known >= ENOUGH), scores, np.nan)

    @property
    def most_robust(self) -> int | None:
        """The row of the best point of the best neighbourhood."""
        return None if self.plateau is None or self.plateau.best < 0 else self.plateau.best

    @cached_property
    def places(self) -> NDArray[np.int64]:
        """Where on each axis each point lies (n, axes)."""
        columns = zip(*self.surface.points, strict=True)
        return np.column_stack(
            [axis.find(column) for axis, column in zip(self.space.axes, columns, strict=True)]
        )

    @cached_property
    def ineffective(self) -> tuple[str, ...]:
        """The swept parameters that changed nothing; none where values of an axis are too fine to meet again."""
        comparable = len(self.surface) > 0 and bool(self.space.axes) and not self.space.fine
        return ineffective_parameters(self.surface, self.places) if comparable else ()

    @property
    def boundary(self) -> tuple[str, ...]:
        """The parameters at whose end the most robust point lies, but for those that changed nothing."""
        names = () if self.plateau is None else (self.surface.names[axis] for axis in self.plateau.boundary)
        return tuple(name for name in names if name not in self.ineffective)

    @cached_property
    def overfitting(self) -> Overfitting | None:
        """The test by symmetric cross-validation over all points that ran to the end; None for bars too few to cut."""
        rows = self.surface.complete
        lengths = np.diff(np.arange(BLOCKS + 1) * self.experiment.bars.T // BLOCKS)
        if self.experiment.bars.T < FEWEST_BARS or len(rows) < 2:
            return None
        return probability_of_overfitting(self.surface.sums[rows], lengths, GROUPS)

    @cached_property
    def statistics(self) -> TrialStatistics | None:
        """What the Sharpe ratio of the best point is worth; None when there is none."""
        if self.best is None:
            return None
        return self.statistics_of(self.best).believed(self.state, self.too_good_of_best)

    @cached_property
    def state(self) -> LookAhead:
        """What is known of the code and the best point's parameters: `look_ahead`, or what this process knows."""
        if self.look_ahead is not None:
            return self.look_ahead
        return look_ahead_here([self.best_run])

    @property
    def best_run(self) -> tuple[type[Strategy], dict[str, Any]]:
        """The strategy with all parameters of the best point; of a sweep without one with those that were fixed."""
        chosen = {} if self.best is None else self.surface.parameters(self.best)
        return self.experiment.strategy, {**self.space.fixed, **chosen}

    @cached_property
    def best_result(self) -> Result | None:
        """The best point run once more by itself, with buy and hold, for its equity and its tables; None when there is none."""
        if self.best is None:
            return None
        from gpt_trader.backtesting import buy_and_hold
        from gpt_trader.engine.simulation import simulate
        from gpt_trader.result import Result

        strategy, parameters = self.best_run
        bars, settings = self.experiment.bars, self.experiment.settings
        made = strategy(**parameters)
        return Result(made, bars, settings, 0, simulate(made, bars, settings), buy_and_hold(bars, settings))

    @cached_property
    def too_good(self) -> NDArray[np.int64]:
        """The rows of the points whose metrics are too good to be true (`gpt_trader.too_good`)."""
        columns = {name: self.surface.values[:, place] for place, name in enumerate(METRIC_NAMES)}
        return np.flatnonzero(np.logical_or.reduce(list(flags_of(columns, self._holding).values())))

    @cached_property
    def too_good_of_best(self) -> tuple[str, ...]:
        """What is too good to be true about the best point, a sentence each."""
        if self.best_too_good is not None or self.best is None:
            return self.best_too_good or ()
        return of_metrics(self.surface.metrics(self.best), self._holding)

    @cached_property
    def _holding(self) -> Holding:
        return Holding(self.experiment.bars)

    @cached_property
    def independent(self) -> tuple[float, float] | None:
        """How many independent trials there were and the variance of one; None without a count or where it tells nothing."""
        found = None if self._counted is None else self._counted.effective()
        return None if found is None or math.isnan(found[0]) else found

    def statistics_of(self, row: int) -> TrialStatistics:
        """What the Sharpe ratio of a point is worth as the best of all trials."""
        count = self._observations(row)
        return trial_statistics_of(self.surface.metrics(row), count, self._counted, self.overfitting)

    @cached_property
    def _counted(self) -> CountedOnce | None:
        return None if self.trials is None else CountedOnce(self.trials)

    def _observations(self, row: int) -> int:
        """How many returns the Sharpe ratio of a point is made of."""
        here = slice(row, row + 1)
        values, sums = self.surface.values[here], self.surface.sums[here]
        return int(returns_counted(values, sums, self.experiment.bars.T)[0])

    @property
    def judged(self) -> tuple[JudgedRun, ...]:
        """The best point; none when no point has the first objective."""
        if self.best is None:
            return ()
        metrics, count = self.surface.metrics(self.best), self._observations(self.best)
        return (
            JudgedRun(
                self.experiment, [self.best_run], metrics, count, self.too_good_of_best, self.overfitting
            ),
        )

    @property
    def headline(self) -> Mapping[str, float]:
        """The metrics of the best point."""
        return {} if self.best is None else self.surface.metrics(self.best)

    more_trials: ClassVar[tuple[Trials, ...]] = ()

    def deflated(self, row: int) -> float:
        """The deflated Sharpe ratio of a point, by the effective number of trials where that is known; NaN without a ledger."""
        found = self.statistics_of(row)
        chosen = found.dsr if found.dsr_effective is None else found.dsr_effective
        return math.nan if chosen is None else chosen


def too_good_lines(found: SweepAnalysis) -> list[str]:
    """What is too good to be true about the best point, and about how many points."""
    lines = list(found.too_good_of_best)
    number = len(found.too_good)
    if number:
        lines.append(f"{PREFIX}{number:,} of {len(found.surface):,} points, by their metrics")
    return lines


@dataclass(frozen=True)
class Claimed:
    """So many trials over as many `observations` as somebody says there were, of which nothing is known but the `surface` of
    some."""

    overlapping: int
    observations: int
    surface: Surface

    @cached_property
    def _sharpe(self) -> Floats:
        """Per bar, of the points that ran to the end."""
        rows = self.surface.complete
        ratios: Floats = self.surface["sharpe"][rows] / np.sqrt(self.surface["periods_per_year"][rows])
        return ratios

    @property
    def variance(self) -> float:
        """As in the protocol."""
        known = self._sharpe[np.isfinite(self._sharpe)]
        return float(known.var(ddof=1)) if known.size > 1 else math.nan

    def effective(self) -> tuple[float, float]:
        """As in the protocol: the share of the surface's points that is independent, taken of all trials."""
        profiles = profiles_of(self.surface.sums[self.surface.complete].astype(np.float64))
        found = effective_trials(profiles, self._sharpe)
        return (found.number / found.trials if found.trials else math.nan) * self.overlapping, found.variance
