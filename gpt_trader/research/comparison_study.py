"""Several strategies on the same bars and on the same resampled markets: intervals of each, and which beats which."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from gpt_trader.engine.metric_definitions import METRIC_NAMES
from gpt_trader.errors import BadParameter, GptTraderError, UnknownName
from gpt_trader.research.bootstrap_runs import Bootstrap, BootstrapIntervals, point_of, replicates_of
from gpt_trader.research.experiment import BASELINE, Experiment
from gpt_trader.research.plan import Plan, PlanResult
from gpt_trader.research.scenario_runs import ScenarioRun, chunks_of, reached_runs, runs_of
from gpt_trader.research.study import JudgedRun, Step, Steps, judged_point
from gpt_trader.research.trial_identity import id_of_study
from gpt_trader.research.trials import Trials, trials_of_runs
from gpt_trader.strategy import Strategy
from gpt_trader.too_good import Holding, of_metrics
from gpt_trader.validation.intervals import HEADLINE, Comparison, compare

Floats = NDArray[np.float64]

KIND = "compare"


@dataclass(frozen=True, slots=True)
class Candidate:
    """A strategy under a `name` that tells it from the others. All candidates have the bars and settings of their experiments
    in common."""

    name: str
    experiment: Experiment
    strategy: Strategy


def checked_metric(metric: str) -> str:
    """A metric by which can be compared. Raises UnknownName."""
    if metric not in HEADLINE:
        raise UnknownName("metric", metric, HEADLINE)
    return metric


@dataclass(frozen=True, slots=True)
class ComparisonStudy:
    """Which of the candidates is the best by `metric`, on the bars and on the markets of `bootstrap`.

    Raises BadParameter for fewer than two candidates or a name given twice, UnknownName for another metric.
    """

    candidates: tuple[Candidate, ...]
    bootstrap: Bootstrap
    metric: str = "sharpe"

    def __post_init__(self) -> None:
        names = [one.name for one in self.candidates]
        if len(names) < 2:
            raise BadParameter(f"{len(names)} strategy is nothing to compare; give two or more")
        if len(set(names)) < len(names):
            raise BadParameter(f"two strategies have the same name: {', '.join(names)}")
        checked_metric(self.metric)

    @property
    def kind(self) -> str:
        """As in `Study`."""
        return KIND

    @property
    def experiment(self) -> Experiment:
        """That of the first candidate."""
        return self.candidates[0].experiment

    @property
    def study_id(self) -> str:
        """As in `Study`."""
        sides = [(one.name, one.experiment.key, point_of(one.strategy)) for one in self.candidates]
        parts = [KIND, sides, asdict(self.bootstrap), self.metric]
        return id_of_study(parts)

    @property
    def runs(self) -> int:
        """How many runs it takes."""
        return len(self.candidates) * (1 + self.bootstrap.count)

    def steps(self) -> Steps[ComparisonResult]:
        """Run every candidate on the bars and on every resampled market, and compare. Raises GptTraderError when one fails."""
        sides = []
        for candidate in self.candidates:
            side = yield from self._side(candidate)
            sides.append(side)
        pairs = []
        for first, second in combinations(range(len(sides)), 2):
            one, other, blocks = sides[first], sides[second], sides[0].intervals.blocks
            comparisons = tuple(
                compare(
                    metric,
                    _values(one, metric),
                    _values(other, metric),
                    blocks=blocks,
                    level=self.bootstrap.level,
                )
                for metric in HEADLINE
            )
            pairs.append((first, second, comparisons))
        return ComparisonResult(self, tuple(sides), tuple(pairs))

    def _side(self, candidate: Candidate) -> Generator[Step, PlanResult, CandidateResult]:
        experiment, bars = candidate.experiment, candidate.experiment.bars
        names, values = point_of(candidate.strategy)
        wanted = [(values, BASELINE)]
        chunks = chunks_of(names, wanted, bars, 1)
        markets = self.bootstrap.chunks(candidate.strategy, bars, experiment.tuning)

        def trials(done: PlanResult) -> list[Trials]:
            reached = reached_runs(wanted, chunks, done)
            return [trials_of_runs(experiment, reached)] if reached else []

        done = yield Step(Plan(KIND, experiment, (*chunks, *markets)), trials)
        run = runs_of(wanted, chunks, done)[0]
        if run.error is not None:
            raise GptTraderError(f"{candidate.name}: {run.error}")
        replicates = replicates_of(markets, done.results[len(chunks) :])
        intervals = self.bootstrap.intervals(bars, run.metrics, replicates)
        return CandidateResult(candidate, run, replicates, intervals)


@dataclass(frozen=True, slots=True, eq=False)
class CandidateResult:
    """What came of one candidate: its run, and its `replicates` (B, metrics) with what they say."""

    candidate: Candidate
    run: ScenarioRun
    replicates: Floats
    intervals: BootstrapIntervals

    @property
    def too_good(self) -> tuple[str, ...]:
        """What is too good to be true about the run, as far as its metrics tell."""
        return of_metrics(self.run.metrics, Holding(self.candidate.experiment.bars))


@dataclass(frozen=True, slots=True, eq=False)
class ComparisonResult:
    """The result: the sides in the order of the candidates, and for each pair (first, second) the comparison by each
    headline metric."""

    study: ComparisonStudy
    sides: tuple[CandidateResult, ...]
    pairs: tuple[tuple[int, int, tuple[Comparison, ...]], ...]

    @property
    def judged(self) -> tuple[JudgedRun, ...]:
        """Every side's run."""
        return tuple(
            judged_point(side.candidate.experiment, side.run.parameters, side.run.metrics, side.run.sums)
            for side in self.sides
        )

    @property
    def headline(self) -> Mapping[str, float]:
        """The metrics of the first side."""
        return self.sides[0].run.metrics

    more_trials: ClassVar[tuple[Trials, ...]] = ()

    def probabilities(self) -> Floats:
        """(S, S) probability that the row beats the column by the metric of the study; NaN on the diagonal."""
        table = np.full((len(self.sides), len(self.sides)), np.nan)
        for first, second, comparisons in self.pairs:
            table[first, second] = by_metric(comparisons, self.study.metric).probability
            table[second, first] = 1.0 - table[first, second]
        return table


def too_good_in(found: ComparisonResult) -> list[str]:
    """What is too good to be true about each side, with its name."""
    return [f"{side.candidate.name}: {text}" for side in found.sides for text in side.too_good]


def by_metric(comparisons: Sequence[Comparison], metric: str) -> Comparison:
    """The comparison by that metric."""
    return next(item for item in comparisons if item.name == metric)


def _values(side: CandidateResult, metric: str) -> tuple[float, Floats]:
    return side.run.metrics[metric], side.replicates[:, METRIC_NAMES.index(metric)]
