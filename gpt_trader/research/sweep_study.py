"""Works a search off, generation by generation: its points become plans, what they scored becomes a surface."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice

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
from gpt_trader.research.search_methods import Answer, Search
from gpt_trader.research.search_space import Places, Space, Values
from gpt_trader.strategy import Strategy

Floats = NDArray[np.float64]
Work = Callable[[Plan], PlanResult]

KIND = "sweep"
SPREAD = 8
"""A generation on whose results the next depends is cut into so many chunks at least, so that workers can share it."""
SAMPLES = 100


@dataclass(frozen=True, slots=True)
class SweepStudy:
    """What is searched, how, and for what. `rule` gives points up early; None runs each to the end."""

    experiment: Experiment
    space: Space
    search: Search
    objectives: tuple[Objective, ...]
    rule: MedianRule | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Swept:
    """What came of a sweep: the surface of the points that were reached, the chunks that were known before, and whether
    it was cut short."""

    surface: Surface
    cached: int = 0
    cut_short: bool = False


def run_sweep(sweep: SweepStudy, work: Work, keep: Callable[[Surface], None] = lambda _part: None) -> Swept:
    """Ask, run and tell until the search ends or `work` was cut short; `keep` takes the points of each generation.

    The surface depends on the sweep alone, not on who works or in which order.
    """
    parts, cached, cut_short = [empty(sweep.space.names)], 0, False
    sample = sample_of(sweep)
    while not cut_short and (asked := sweep.search.ask()):
        size = points_per_chunk(seconds_per_run(sample, sweep.experiment.bars, len(asked)))
        generation = _Generation(sweep, asked, size, work)
        part = generation.run()
        cached, cut_short = cached + generation.cached, generation.cut_short
        keep(part)
        parts.append(part)
        if not cut_short:
            sweep.search.tell(generation.answers(part))
    return Swept(joined(parts), cached, cut_short)


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
class _Scored:
    """Rows of metrics and of block sums, which of them were reached, and the errors of those that failed."""

    values: Floats
    sums: NDArray[np.float32]
    reached: NDArray[np.bool_]
    errors: dict[int, str]


class _Generation:
    """The points asked for together: looked at on parts of the bars, run on all of them, collected."""

    def __init__(self, sweep: SweepStudy, asked: Sequence[tuple[int, Places]], size: int, work: Work) -> None:
        self.sweep, self.work = sweep, work
        self.numbers = np.array([number for number, _ in asked], np.int64)
        self.points: list[Values] = [sweep.space.at(places) for _, places in asked]
        waited_for = sweep.rule is not None or len(asked) < (sweep.search.total or 0)
        self.size = max(1, min(size, -(-len(asked) // SPREAD))) if waited_for else size
        self.cached, self.cut_short = 0, False
        self.shown: list[list[float]] = [[] for _ in asked]
        self.early_stops: dict[int, EarlyStop] = {}

    def run(self) -> Surface:
        """The points that were reached."""
        rows = np.arange(len(self.points))
        rule = self.sweep.rule
        for rung, stop in enumerate(() if rule is None else rule.rungs):
            rows = self._look(rows, rung, stop)
        scored = self._score(rows, None)
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
            {int(place[row]): look for row, look in sorted(self.early_stops.items())},
        )

    def _look(self, rows: NDArray[np.int64], rung: int, stop: int) -> NDArray[np.int64]:
        """The `rows` that go on after a look at the bars before `stop`; none when it was cut short there."""
        scored = self._score(rows, stop)
        if self.cut_short or self.sweep.rule is None:
            return rows[:0]
        gains = self.sweep.objectives[0].gains(scored.values)
        given_up = self.sweep.rule.to_prune(rung, gains)
        for place, row in enumerate(rows.tolist()):
            self.shown[row].append(float(gains[place]))
            if given_up[place]:
                self.early_stops[row] = EarlyStop(stop, scored.values[place], scored.sums[place])
        return rows[~given_up]

    def _score(self, rows: NDArray[np.int64], stop: int | None) -> _Scored:
        """Run the points `rows` on the bars before `stop`."""
        space = self.sweep.space
        fixed = tuple(sorted(space.fixed.items()))
        parts = tuple(cut((self.points[row] for row in rows.tolist()), self.size))
        edges = block_edges(0, self.sweep.experiment.bars.T)
        seen = None if stop is None else tuple(edges[edges <= stop].tolist())
        chunks = tuple(Chunk(space.names, part, fixed, stop=stop, edges=seen) for part in parts)
        done = self.work(Plan(KIND, self.sweep.experiment, chunks)) if chunks else PlanResult(())
        self.cached += done.cached
        self.cut_short = self.cut_short or done.cancelled
        scored = _Scored(
            np.full((len(rows), len(METRIC_NAMES)), np.nan),
            np.full((len(rows), 2, BLOCKS), np.nan, np.float32),
            np.zeros(len(rows), np.bool_),
            {},
        )
        first = 0
        for part, result in zip(parts, done.results, strict=True):
            place = slice(first, first + len(part))
            if result is not None:
                scored.reached[place] = result.reached
                scored.values[place], scored.sums[place] = result.values, coarser(result.sums, len(edges) - 1)
                scored.errors.update({first + row: text for row, text in result.errors.items()})
            first = place.stop
        return scored

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
