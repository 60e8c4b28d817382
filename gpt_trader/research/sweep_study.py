"""A sweep as a study: a search names points, generation by generation; they are run, and what they scored is analysed."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpt_trader.engine.metric_definitions import METRIC_NAMES
from gpt_trader.errors import GptTraderError
from gpt_trader.research.chunk import Chunk, block_edges
from gpt_trader.research.chunk_sizes import cut, points_per_chunk, seconds_per_run
from gpt_trader.research.early_stopping import MedianRule
from gpt_trader.research.experiment import Experiment
from gpt_trader.research.objectives import Objective
from gpt_trader.research.plan import Plan, PlanResult
from gpt_trader.research.response_surface import BLOCKS, EarlyStop, Surface, coarser, empty, joined
from gpt_trader.research.return_profiles import profiles_of
from gpt_trader.research.search_methods import Answer, Search
from gpt_trader.research.search_space import Places, Space, Values
from gpt_trader.research.selection_bias import returns_counted
from gpt_trader.research.study import Step, Steps
from gpt_trader.research.sweep_analysis import SweepAnalysis
from gpt_trader.research.trial_identity import id_of_study
from gpt_trader.research.trials import Trials, trials_of_points
from gpt_trader.strategy import Strategy

Floats = NDArray[np.float64]
Rows = NDArray[np.int64]

KIND = "sweep"
SPREAD = 8
"""A generation on whose results the next depends is cut into so many chunks at least, so that workers can share it."""
SAMPLES = 100


@dataclass(frozen=True, slots=True)
class SweepStudy:
    """What is searched, how, and for what. `rule` gives points up early; None runs each to the end.

    The result depends on the study alone, not on who runs it or in which order.
    """

    experiment: Experiment
    space: Space
    search: Search
    objectives: tuple[Objective, ...]
    rule: MedianRule | None = None

    @property
    def kind(self) -> str:
        """As in `Study`."""
        return KIND

    @property
    def runs(self) -> int | None:
        """How many points are run; None where some are given up early, or the search does not know."""
        return None if self.rule else self.search.total

    @property
    def about(self) -> dict[str, Any]:
        """All that decides which points are run, as plain data."""
        return {
            "objectives": [str(item) for item in self.objectives],
            "axes": {axis.name: axis.described() for axis in self.space.axes},
            "fixed": dict(self.space.fixed),
            "constraints": [item.text for item in self.space.constraints],
            **self.search.about,
        }

    @property
    def study_id(self) -> str:
        """As in `Study`."""
        rungs = None if self.rule is None else self.rule.rungs
        return id_of_study([KIND, self.experiment.key, self.about, rungs])

    def steps(self) -> Steps[SweepAnalysis]:
        """Ask, run and tell until the search ends or a plan was cut short."""
        parts, cached, cut_short = [empty(self.space.names)], 0, False
        sample = sample_of(self)
        while not cut_short and (asked := self.search.ask()):
            seconds = seconds_per_run(sample, self.experiment.bars, len(asked))
            size = points_per_chunk(seconds, self.experiment.tuning)
            generation = _Generation(self, asked, size)
            part = yield from generation.steps()
            cached, cut_short = cached + generation.cached, generation.cut_short
            parts.append(part)
            if not cut_short:
                self.search.tell(generation.answers(part))
        return SweepAnalysis(
            self.experiment, self.space, joined(parts), self.objectives, cached=cached, cut_short=cut_short
        )


def sample_of(sweep: SweepStudy) -> Strategy:
    """A strategy of the space, from which is told how long a run takes. Raises what its points raise when all do."""
    space, strategy = sweep.space, sweep.experiment.strategy
    problem: GptTraderError | None = None
    for index in islice(space.indices(), SAMPLES):
        try:
            return strategy(**space.fixed, **dict(zip(space.names, space.point(index), strict=True)))
        except GptTraderError as error:
            problem = error
    try:
        return strategy()
    except GptTraderError as error:
        raise problem or error from None


@dataclass(frozen=True, slots=True, eq=False)
class _Scores:
    """Rows of metrics and of block sums, which of them were reached, and the errors of those that failed."""

    values: Floats
    sums: NDArray[np.float32]
    reached: NDArray[np.bool_]
    errors: dict[int, str]


class _Generation:
    """The points asked for together: looked at on parts of the bars, run on all of them, collected."""

    def __init__(self, sweep: SweepStudy, asked: Sequence[tuple[int, Places]], size: int) -> None:
        self.sweep = sweep
        self.numbers = np.array([number for number, _ in asked], np.int64)
        self.points: list[Values] = [sweep.space.at(places) for _, places in asked]
        waited_for = sweep.rule is not None or len(asked) < (sweep.search.total or 0)
        self.size = max(1, min(size, -(-len(asked) // SPREAD))) if waited_for else size
        self.edges = block_edges(0, sweep.experiment.bars.T)
        self.cached, self.cut_short = 0, False
        self.shown: list[list[float]] = [[] for _ in asked]
        self.early_stops: dict[int, EarlyStop] = {}
        self._newest: tuple[PlanResult, _Scores] | None = None

    def steps(self) -> Generator[Step, PlanResult, Surface]:
        """The points that were reached."""
        rows = np.arange(len(self.points))
        rule = self.sweep.rule
        for rung, stop in enumerate(() if rule is None else rule.rungs):
            if len(rows):
                rows = yield from self._look(rows, rung, stop)
        scored = _no_scores(0)
        if len(rows):
            plan = self._plan(rows, None)
            done = yield Step(plan, partial(self._trials, rows))
            scored = self._scores(plan, done)
        return self._surface(rows, scored)

    def _look(self, rows: Rows, rung: int, stop: int) -> Generator[Step, PlanResult, Rows]:
        """The `rows` that go on after a look at the bars before `stop`; none when it was cut short there."""
        plan = self._plan(rows, stop)
        done = yield Step(plan, partial(self._trials_given_up, rows, rung, stop))
        scored = self._scores(plan, done)
        if self.cut_short:
            return rows[:0]
        gains = self.sweep.objectives[0].gains(scored.values)
        given_up = self._given_up(rung, scored)
        for place, row in enumerate(rows.tolist()):
            self.shown[row].append(float(gains[place]))
            if given_up[place]:
                self.early_stops[row] = EarlyStop(stop, scored.values[place], scored.sums[place])
        return rows[~given_up]

    def _given_up(self, rung: int, scored: _Scores) -> NDArray[np.bool_]:
        rule, gains = self.sweep.rule, self.sweep.objectives[0].gains(scored.values)
        return np.zeros(len(gains), np.bool_) if rule is None else rule.to_prune(rung, gains)

    def _plan(self, rows: Rows, stop: int | None) -> Plan:
        """The points `rows` on the bars before `stop`."""
        space, edges = self.sweep.space, self.edges
        fixed = tuple(sorted(space.fixed.items()))
        seen = None if stop is None else tuple(edges[edges <= stop].tolist())
        parts = cut((self.points[row] for row in rows.tolist()), self.size)
        chunks = tuple(Chunk(space.names, part, fixed, stop=stop, edges=seen) for part in parts)
        return Plan(KIND, self.sweep.experiment, chunks)

    def _scores(self, plan: Plan, done: PlanResult) -> _Scores:
        """What came of a plan, which is told to the generation as well."""
        self.cached += done.cached
        self.cut_short = self.cut_short or done.cancelled
        return self._collected(plan, done)

    def _collected(self, plan: Plan, done: PlanResult) -> _Scores:
        """The scores of a plan as arrays; those of the newest one are kept, because they are asked for twice."""
        if self._newest is not None and self._newest[0] is done:
            return self._newest[1]
        scored = _no_scores(plan.points)
        first = 0
        for chunk, result in zip(plan.chunks, done.results, strict=True):
            place = slice(first, first + len(chunk.points))
            if result is not None:
                scored.reached[place] = result.reached
                scored.values[place] = result.values
                scored.sums[place] = coarser(result.sums, len(self.edges) - 1)
                scored.errors.update({first + row: text for row, text in result.errors.items()})
            first = place.stop
        self._newest = (done, scored)
        return scored

    def _trials(self, rows: Rows, done: PlanResult) -> Iterable[Trials]:
        """The points `rows` that were run to the end."""
        scored = self._collected(self._plan(rows, None), done)
        return self._counted(rows, scored, scored.reached, self.sweep.experiment.bars.T)

    def _trials_given_up(self, rows: Rows, rung: int, stop: int, done: PlanResult) -> Iterable[Trials]:
        """The points of `rows` that are given up after the bars before `stop`: they were tried. None when it was cut short."""
        if done.cancelled:
            return ()
        scored = self._collected(self._plan(rows, stop), done)
        return self._counted(rows, scored, self._given_up(rung, scored), stop)

    def _counted(self, rows: Rows, scored: _Scores, chosen: NDArray[np.bool_], stop: int) -> Iterable[Trials]:
        if not chosen.any():
            return
        values, sums = scored.values[chosen], scored.sums[chosen]
        yield trials_of_points(
            self.sweep.experiment,
            (0, stop),
            (self._parameters(row) for row in rows[chosen].tolist()),
            values,
            profiles_of(sums),
            returns_counted(values, sums, stop),
        )

    def _parameters(self, row: int) -> Mapping[str, Any]:
        space = self.sweep.space
        return {**space.fixed, **dict(zip(space.names, self.points[row], strict=True))}

    def _surface(self, rows: Rows, scored: _Scores) -> Surface:
        """The points that were reached: `rows` to the end, the others given up before."""
        values = np.full((len(self.points), len(METRIC_NAMES)), np.nan)
        sums = np.full((len(self.points), 2, BLOCKS), np.nan, np.float32)
        values[rows], sums[rows] = scored.values, scored.sums
        reached = np.zeros(len(self.points), np.bool_)
        reached[rows[scored.reached]] = True
        reached[list(self.early_stops)] = True
        place = np.cumsum(reached) - 1
        return Surface(
            self.sweep.space.names,
            self.numbers[reached],
            [self.points[row] for row in np.flatnonzero(reached).tolist()],
            values[reached],
            sums[reached],
            {int(place[rows[row]]): text for row, text in scored.errors.items()},
            {int(place[row]): stop for row, stop in sorted(self.early_stops.items())},
        )

    def answers(self, part: Surface) -> list[Answer]:
        """What the search is told of each point; the rule learns of those that ran to the end."""
        gains = part.gains(self.sweep.objectives)
        answers = []
        for row in range(len(part)):
            known = bool(np.isfinite(gains[row]).all())
            shown = self.shown[row]
            if self.sweep.rule is not None and known:
                self.sweep.rule.finished(shown)
            early = (len(shown) - 1, shown[-1]) if row in part.early_stops else None
            answers.append(Answer(tuple(gains[row].tolist()) if known else None, early))
        return answers


def _no_scores(count: int) -> _Scores:
    """Room for so many points, none of which was reached."""
    return _Scores(
        np.full((count, len(METRIC_NAMES)), np.nan),
        np.full((count, 2, BLOCKS), np.nan, np.float32),
        np.zeros(count, np.bool_),
        {},
    )
