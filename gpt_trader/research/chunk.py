"""One chunk of work: some points of a strategy on some bars, scored; a pure function that any process can run."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from itertools import groupby
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpt_trader.bars import Bars
from gpt_trader.engine.metric_definitions import METRIC_NAMES
from gpt_trader.errors import BadParameter, GptTraderError, plain
from gpt_trader.indicator_memo import memo
from gpt_trader.research.experiment import BASELINE, Experiment, Scenario, canonical
from gpt_trader.research.search_space import Values

Floats = NDArray[np.float64]
BLOCKS = 128
"""Blocks of bars whose sums of returns are kept for every run: 16 groups of 8 for the combinatorial test."""


@dataclass(frozen=True, slots=True)
class ChunkResult:
    """The scores of the points of one chunk, in their order.

    `values` (n, metrics) by METRIC_NAMES, NaN for a point that failed; `sums` (n, 2, B) float32 the sum of the returns of each
    block of bars and of their squares; `errors` the message of each point that failed, by its place in the chunk.

    `transient` are the places of errors that the same point may not have another time, because they came out of the strategy's own
    code (a file that was missing, memory that ran out): all but refusals. `missing` are the places that were not run yet.
    """

    values: Floats
    sums: NDArray[np.float32]
    errors: Mapping[int, str] = field(default_factory=dict)
    transient: frozenset[int] = frozenset()
    missing: frozenset[int] = frozenset()

    def copy(self) -> ChunkResult:
        """The same in memory of its own, so that memory shared with a worker is free again."""
        return replace(self, values=self.values.copy(), sums=self.sums.copy())

    def only(self, places: Sequence[int]) -> ChunkResult:
        """The scores of the points at `places`, none of which is missing."""
        if len(places) == len(self.values):
            return self
        errors = {row: self.errors[place] for row, place in enumerate(places) if place in self.errors}
        transient = frozenset(row for row, place in enumerate(places) if place in self.transient)
        return ChunkResult(self.values[places], self.sums[places], errors, transient)

    @property
    def reached(self) -> NDArray[np.bool_]:
        """(n,) which points were run."""
        rows = np.ones(len(self.values), np.bool_)
        rows[sorted(self.missing)] = False
        return rows


@dataclass(frozen=True, slots=True)
class Chunk:
    """One chunk: `points` as values of the parameters `names` (the others have their defaults or are in `fixed`).

    The account begins at row `first`; bars from row `stop` on are not there. `edges` are the rows that bound the blocks; None
    for BLOCKS equal ones. `scenarios` has one for each point, which is scored under it; empty: all as it is. `among` is the
    number of runs of the chunk that this is a part of, None for a whole one: so many decide whether a rule is compiled, and
    a point scores the same in any part.
    """

    names: tuple[str, ...]
    points: tuple[Values, ...]
    fixed: tuple[tuple[str, Any], ...] = ()
    first: int = 0
    stop: int | None = None
    edges: tuple[int, ...] | None = None
    scenarios: tuple[Scenario, ...] = ()
    among: int | None = None

    def __post_init__(self) -> None:
        if self.scenarios and len(self.scenarios) != len(self.points):
            raise BadParameter(
                f"a chunk of {len(self.points)} points has {len(self.scenarios)} scenarios; give one for each"
            )

    def key(self, experiment: Experiment) -> str:
        """The content address of the chunk's result: SHA-256 (hex) over the experiment and everything here."""
        return hashlib.sha256(experiment.key.encode() + canonical(asdict(self))).hexdigest()

    def only(self, places: Sequence[int]) -> Chunk:
        """The part of the chunk that has the points at `places`; the chunk itself when these are all."""
        if len(places) == len(self.points):
            return self
        scenarios = tuple(self.scenarios[place] for place in places) if self.scenarios else ()
        points = tuple(self.points[place] for place in places)
        return replace(self, points=points, scenarios=scenarios, among=self.among or len(self.points))

    def run(self, experiment: Experiment) -> ChunkResult:
        """Score every point. Points that cannot be made or that fail are NaN with their message; the others go on."""
        return ChunkRunner(experiment).run(self)

    def cut(self, experiment: Experiment) -> Experiment:
        """The experiment without the bars from row `stop` on, and without what is known of delistings after them."""
        if self.stop is None or self.stop == experiment.bars.T:
            return experiment
        return replace(experiment, bars=experiment.bars.before(self.stop))

    def parts(self) -> Iterator[tuple[Scenario, list[int]]]:
        """The points (by their place) that follow each other under the same scenario, with that scenario."""
        places = range(len(self.points))
        if not self.scenarios:
            yield BASELINE, list(places)
            return
        for scenario, same in groupby(places, lambda place: self.scenarios[place]):
            yield scenario, list(same)

    def edges_of(self, bars: Bars) -> NDArray[np.int64]:
        """The rows that bound the blocks."""
        return block_edges(self.first, bars.T) if self.edges is None else np.array(self.edges, np.int64)

    def score(self, view: Experiment, places: Sequence[int]) -> ChunkResult:
        """The scores of the points at `places` on the experiment as these points see it; errors by place.

        What a strategy raises where it must not, or its `sys.exit`, is the error of that point alone.
        """
        try:
            return self._score(view, places)
        except (GptTraderError, MemoryError):
            raise
        except (Exception, SystemExit) as error:
            if len(places) == 1:
                return replace(
                    self.refused(view.bars, places, error_text(error)), transient=frozenset(places)
                )
        return join_results([self.score(view, [place]) for place in places])

    def refused(self, bars: Bars, places: Sequence[int], text: str) -> ChunkResult:
        """What comes of points that cannot be run."""
        values = np.full((len(places), len(METRIC_NAMES)), np.nan)
        sums = np.full((len(places), 2, self.edges_of(bars).size - 1), np.nan, np.float32)
        return ChunkResult(values, sums, dict.fromkeys(places, plain(text)))

    def failed(self, experiment: Experiment, text: str) -> ChunkResult:
        """What comes of the chunk when the work on it failed, which another time it may not."""
        places = range(len(self.points))
        return replace(self.refused(self.cut(experiment).bars, places, text), transient=frozenset(places))

    def _score(self, view: Experiment, places: Sequence[int]) -> ChunkResult:
        from gpt_trader.batch import score_runs
        from gpt_trader.engine.simulation import calls_of

        made, rows, errors = [], [], {}
        for row, place in enumerate(places):
            try:
                values = zip(self.names, self.points[place], strict=True)
                made.append(view.strategy(**dict(self.fixed), **dict(values)))
                rows.append(row)
            except GptTraderError as error:
                errors[place] = str(error)
        edges = self.edges_of(view.bars)
        runs = len(self.points) if self.among is None else self.among
        others = calls_of(made[0], view.bars, self.first) * (runs - len(places)) if made else 0
        scores = score_runs(
            made,
            view.bars,
            view.settings,
            first=self.first,
            edges=edges,
            keep_going=True,
            called=others,
            tuning=view.tuning,
        )
        table = np.full((len(places), len(scores.names)), np.nan)
        sums = np.full((len(places), *scores.sums.shape[1:]), np.nan, np.float32)
        table[rows], sums[rows] = scores.values, scores.sums
        raised = {places[rows[run]]: message for run, message in scores.errors.items()}
        errors = {place: plain(text) for place, text in sorted({**errors, **raised}.items())}
        return ChunkResult(table, sums, errors, frozenset(raised))


class ChunkRunner:
    """Runs chunks of one experiment one after the other, keeping what they share: the view of the bars, and the indicators."""

    def __init__(self, experiment: Experiment) -> None:
        self.experiment = experiment
        self.memo = memo()
        self._stop: int | None = None
        self._cut = experiment
        self._scenario: Scenario | None = BASELINE
        self._view = experiment

    def run(self, chunk: Chunk) -> ChunkResult:
        """The scores of the points of a chunk."""
        if chunk.stop != self._stop:
            self._cut, self._stop, self._scenario = chunk.cut(self.experiment), chunk.stop, None
        scored = [self._score(chunk, scenario, places) for scenario, places in chunk.parts()]
        return scored[0] if len(scored) == 1 else join_results(scored)

    def _score(self, chunk: Chunk, scenario: Scenario, places: Sequence[int]) -> ChunkResult:
        if scenario != self._scenario:
            self.memo.clear()
            try:
                self._view, self._scenario = scenario.of(self._cut), scenario
            except GptTraderError as error:
                return chunk.refused(self._cut.bars, places, str(error))
        with self.memo:
            return chunk.score(self._view, places)


def join_results(parts: Sequence[ChunkResult]) -> ChunkResult:
    """The scores of parts of a chunk as one."""
    errors = {place: text for part in parts for place, text in part.errors.items()}
    values, sums = (np.concatenate([getattr(part, name) for part in parts]) for name in ("values", "sums"))
    return ChunkResult(values, sums, errors, frozenset().union(*(part.transient for part in parts)))


def error_text(error: BaseException) -> str:
    """What a strategy raised, as a message."""
    if isinstance(error, SystemExit):
        return f"the strategy's code called sys.exit({error.code!r}); raise an exception instead"
    return plain(f"{type(error).__name__}: {error}".rstrip(": "))


def block_edges(first: int, stop: int, blocks: int = BLOCKS) -> NDArray[np.int64]:
    """(B + 1,) rows that cut rows `first` to `stop` - 1 into `blocks` stretches as equal as can be; fewer when rows are few."""
    rows = stop - first
    return first + np.arange(min(blocks, rows) + 1, dtype=np.int64) * rows // min(blocks, rows)
