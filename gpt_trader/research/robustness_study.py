"""The robustness of one point of a strategy: runs under other costs, delays, capitals, parameters and on resampled markets."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from gpt_trader.errors import BadParameter, GptTraderError, UnknownName
from gpt_trader.research.bootstrap_runs import Bootstrap, BootstrapIntervals, point_of, replicates_of
from gpt_trader.research.chunk import Chunk
from gpt_trader.research.chunk_sizes import points_per_chunk, seconds_per_run
from gpt_trader.research.experiment import BASELINE, Experiment, Scenario
from gpt_trader.research.plan import Plan, PlanResult
from gpt_trader.research.scenario_runs import ScenarioPoint, ScenarioRun, chunks_of, reached_runs, runs_of
from gpt_trader.research.study import JudgedRun, Step, Steps, judged_point
from gpt_trader.research.trial_identity import id_of_study
from gpt_trader.research.trials import Trials, trials_of_runs
from gpt_trader.strategy import Strategy, parameters_of
from gpt_trader.validation.robustness import (
    Crossing,
    Curve,
    Jitter,
    capacity_level,
    crossing,
    neighbours,
    places_inside,
    summary_of_jitter,
)

Floats = NDArray[np.float64]

KIND = "robustness"
METRICS = ("sharpe", "cagr")
GROWTH = "cagr"
COSTS = (0.0, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0)
CAPITALS = (1.0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8)
MOST_CAPITAL = 1e15
ROUNDS, PLACES = 2, 7
"""The bracket of a crossing is narrowed so often, with so many runs side by side: to 1/64."""


@dataclass(frozen=True, slots=True)
class Changes:
    """What is changed about a run, and when that has gone too far.

    Costs have eaten the edge where `metric` falls to 0; the capacity is reached where a share `kept` of the yearly growth is
    left (not of the Sharpe ratio: an account too big for its market lies idle, and idle cash has no risk). `delays` bars
    more are waited at the most; `neighbours` points within +-`jitter` of each parameter are drawn by `seed`. Raises
    UnknownName for another metric and BadParameter for shares or counts that make no sense.
    """

    metric: str = "sharpe"
    delays: int = 2
    jitter: float = 0.2
    neighbours: int = 60
    kept: float = 0.5
    seed: int = 0

    def __post_init__(self) -> None:
        if self.metric not in METRICS:
            raise UnknownName("metric", self.metric, METRICS)
        if not 0.0 < self.jitter < 1.0:
            raise BadParameter(f"the jitter is {self.jitter}; give a share between 0 and 1, such as 0.2")
        if not 0.0 < self.kept < 1.0:
            raise BadParameter(f"the share that is left at capacity is {self.kept}; give one between 0 and 1")
        if self.delays < 0 or self.neighbours < 0:
            raise BadParameter("bars of delay and neighbours are counts from 0 up")


@dataclass(frozen=True, slots=True)
class RobustnessStudy:
    """What is left of `strategy` when one thing is changed at a time. `bootstrap` None leaves the resampled markets out."""

    experiment: Experiment
    strategy: Strategy
    changes: Changes = Changes()
    bootstrap: Bootstrap | None = None

    @property
    def kind(self) -> str:
        """As in `Study`."""
        return KIND

    @property
    def study_id(self) -> str:
        """As in `Study`."""
        bootstrap = None if self.bootstrap is None else asdict(self.bootstrap)
        parts = [KIND, self.experiment.key, point_of(self.strategy), asdict(self.changes), bootstrap]
        return id_of_study(parts)

    @property
    def runs(self) -> int:
        """How many runs it takes at the most."""
        markets = 0 if self.bootstrap is None else self.bootstrap.count
        return len(self.real_runs()) + 2 * ROUNDS * PLACES + markets

    def steps(self) -> Steps[RobustnessResult]:
        """Run everything, and more where costs and capital end the edge.

        Raises GptTraderError when the strategy fails as it is, or on every resampled market.
        """
        return _Perturbed(self).steps()

    def real_runs(self) -> list[ScenarioPoint]:
        """The points and scenarios on the market that happened, the run as it is first, each once."""
        _, chosen = point_of(self.strategy)
        scenarios = [BASELINE, *(Scenario(cost_multiple=x) for x in self.cost_places if x != 1.0)]
        scenarios += [Scenario(delay=bars) for bars in range(1, self.changes.delays + 1)]
        scenarios += [Scenario(capital_multiple=x) for x in self.capital_places if x != 1.0]
        return [(chosen, scenario) for scenario in scenarios] + [
            (point, BASELINE) for point in self.points_nearby()
        ]

    @property
    def cost_places(self) -> tuple[float, ...]:
        """The multiples of the costs; without any cost only 1."""
        costs = self.experiment.settings.costs
        return (1.0,) if costs.times(0.0) == costs else COSTS

    @property
    def capital_places(self) -> tuple[float, ...]:
        """The multiples of the capital that an account can have."""
        return tuple(x for x in CAPITALS if x * self.experiment.settings.capital < MOST_CAPITAL)

    def points_nearby(self) -> tuple[tuple[Any, ...], ...]:
        """The neighbours of the strategy's parameters that it accepts."""
        kind = type(self.strategy)
        names, values = point_of(self.strategy)

        def accepts(point: Mapping[str, Any]) -> bool:
            try:
                kind(**point)
            except GptTraderError:
                return False
            return True

        found = neighbours(
            parameters_of(kind), dict(zip(names, values, strict=True)), share=self.changes.jitter,
            count=self.changes.neighbours, seed=self.changes.seed, accepts=accepts,
        )  # fmt: skip
        return tuple(tuple(point.values()) for point in found)


@dataclass(frozen=True, slots=True, eq=False)
class RobustnessResult:
    """The result. `costs`, `delays` and `capitals` contain the run as it is, in the order of what was changed; `replicates`
    (B, metrics) are those of the resampled markets, None when there are none."""

    study: RobustnessStudy
    base: ScenarioRun
    costs: tuple[ScenarioRun, ...]
    delays: tuple[ScenarioRun, ...]
    capitals: tuple[ScenarioRun, ...]
    neighbours: tuple[ScenarioRun, ...]
    break_even: Crossing
    capacity: Crossing
    jitter: Jitter
    replicates: Floats | None
    intervals: BootstrapIntervals | None

    @property
    def runs(self) -> tuple[ScenarioRun, ...]:
        """Every run on the market that happened, each once."""
        changed = (
            run for axis in (self.costs, self.delays, self.capitals) for run in axis if run is not self.base
        )
        return (self.base, *changed, *self.neighbours)

    @property
    def judged(self) -> tuple[JudgedRun, ...]:
        """The run as it is."""
        base = self.base
        return (judged_point(self.study.experiment, base.parameters, base.metrics, base.sums),)

    @property
    def headline(self) -> Mapping[str, float]:
        """The metrics of the run as it is."""
        return self.base.metrics

    more_trials: ClassVar[tuple[Trials, ...]] = ()

    def capital_of(self, run: ScenarioRun) -> float:
        """The capital that a run began with."""
        return self.study.experiment.settings.capital * run.scenario.capital_multiple

    @property
    def proportional_bps(self) -> float:
        """What one side of a trade costs at a market order, in basis points, without impact and costs per share."""
        costs = self.study.experiment.settings.costs
        return costs.bps + costs.spread_bps / 2.0 + costs.slippage_bps


def at_costs(multiple: float) -> Scenario:
    """All costs so many times as high."""
    return Scenario(cost_multiple=multiple)


def at_capital(multiple: float) -> Scenario:
    """So many times the capital."""
    return Scenario(capital_multiple=multiple)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Axis:
    """One thing that is changed: what it makes of the experiment at each of the `places`, and the level to which `metric` falls."""

    scenario_at: Callable[[float], Scenario]
    places: tuple[float, ...]
    metric: str
    level_of: Callable[[Curve], float]
    logarithmic: bool


class _Perturbed:
    """The runs of a study and what came of them."""

    def __init__(self, study: RobustnessStudy) -> None:
        self.study = study
        self.names, self.chosen = point_of(study.strategy)
        self.wanted = study.real_runs()
        self.seconds = seconds_per_run(study.strategy, study.experiment.bars, len(self.wanted))

    def steps(self) -> Steps[RobustnessResult]:
        study = self.study
        bootstrap, bars = study.bootstrap, study.experiment.bars
        markets = () if bootstrap is None else bootstrap.chunks(study.strategy, bars, study.experiment.tuning)
        runs, replicates = yield from self._run(self.wanted, markets, self._trials)
        base = runs[0]
        if base.error is not None:
            raise GptTraderError(base.error)
        changed = {run.scenario: run for run in runs if run.scenario != BASELINE} | {BASELINE: base}
        nearby = tuple(run for run in runs[1:] if run.scenario == BASELINE)
        paid, break_even = yield from self._narrowed(
            _Axis(
                scenario_at=at_costs, places=study.cost_places, metric=study.changes.metric, level_of=lambda _curve: 0.0,
                logarithmic=False,
            ),
            changed,
        )  # fmt: skip
        invested, capacity = yield from self._narrowed(
            _Axis(
                scenario_at=at_capital, places=study.capital_places, metric=GROWTH,
                level_of=lambda curve: capacity_level(curve, study.changes.kept), logarithmic=True,
            ),
            changed,
        )  # fmt: skip
        intervals = None
        if bootstrap is not None and replicates is not None:
            intervals = bootstrap.intervals(bars, base.metrics, replicates)
        return RobustnessResult(
            study, base, paid, tuple(changed[Scenario(delay=bars)] for bars in range(study.changes.delays + 1)), invested,
            nearby, break_even, capacity,
            summary_of_jitter(base.metrics[study.changes.metric], [run.metrics[study.changes.metric] for run in nearby]),
            replicates, intervals,
        )  # fmt: skip

    def _run(
        self,
        wanted: Sequence[ScenarioPoint],
        markets: tuple[Chunk, ...] = (),
        trials: Callable[[Sequence[ScenarioRun]], Iterable[Trials]] = lambda _runs: (),
    ) -> Generator[Step, PlanResult, tuple[list[ScenarioRun], Floats | None]]:
        """The runs that are wanted, and those on the resampled `markets`, in one plan."""
        experiment = self.study.experiment
        chunks = chunks_of(
            self.names, wanted, experiment.bars, points_per_chunk(self.seconds, experiment.tuning)
        )
        plan = Plan(KIND, experiment, (*chunks, *markets))
        done = yield Step(plan, lambda done: trials(reached_runs(wanted, chunks, done)))
        replicates = replicates_of(markets, done.results[len(chunks) :]) if markets else None
        return runs_of(wanted, chunks, done), replicates

    def _trials(self, runs: Sequence[ScenarioRun]) -> Iterable[Trials]:
        """The runs that could have been chosen instead: the point and its neighbours.

        Runs at other costs, delays and capitals choose nothing. They do not count, as those on resampled markets do not: the
        Sharpe ratios at 64 times the costs would widen the spread of the trials, and with it what the best of them owes to
        luck.
        """
        chosen = [run for run in runs if run.scenario == BASELINE]
        return (trials_of_runs(self.study.experiment, chosen),) if chosen else ()

    def _narrowed(
        self, axis: _Axis, runs: Mapping[Scenario, ScenarioRun]
    ) -> Generator[Step, PlanResult, tuple[tuple[ScenarioRun, ...], Crossing]]:
        """The runs of an axis, with more of them where its metric falls to its level."""
        known = {x: runs[axis.scenario_at(x)] for x in axis.places}
        curve = Curve(tuple(known), tuple(run.metrics[axis.metric] for run in known.values()))
        level = axis.level_of(curve)
        if len(curve.x) < 2 or np.isnan(level):
            return tuple(known.values()), Crossing(level, np.nan, np.nan, np.nan)
        found = crossing(curve, level, logarithmic=axis.logarithmic)
        for _ in range(ROUNDS):
            if not found.found:
                break
            between = places_inside(found, PLACES, logarithmic=axis.logarithmic)
            more, _ = yield from self._run([(self.chosen, axis.scenario_at(x)) for x in between])
            known.update(zip(between, more, strict=True))
            curve = curve.with_points(between, [run.metrics[axis.metric] for run in more])
            found = crossing(curve, level, logarithmic=axis.logarithmic)
        return tuple(known[x] for x in sorted(known)), found
