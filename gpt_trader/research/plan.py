"""A study as a plan: its chunks, and how it is worked off with what is known already left out."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

from gpt_trader.research.chunk import Chunk, ChunkResult
from gpt_trader.research.chunk_accumulator import ChunkAccumulator
from gpt_trader.research.executor import ChunkCompleted, Executor
from gpt_trader.research.experiment import Experiment

KEEP_SECONDS = 1.0


class ChunkResults(Protocol):
    """Where the scores of chunks are kept by their content address, also of chunks that are not whole."""

    def get(self, key: str) -> ChunkResult | None: ...
    def put(self, key: str, result: ChunkResult) -> None: ...


@dataclass(frozen=True)
class Plan:
    """The chunks of a study of `kind` (sweep, walkforward, cv, robustness …) over one experiment."""

    kind: str
    experiment: Experiment
    chunks: tuple[Chunk, ...]

    @cached_property
    def keys(self) -> tuple[str, ...]:
        """The content address of every chunk."""
        return tuple(chunk.key(self.experiment) for chunk in self.chunks)

    @property
    def points(self) -> int:
        """How many runs the plan holds."""
        return sum(len(chunk.points) for chunk in self.chunks)


@dataclass(frozen=True, slots=True)
class ChunkFailed:
    """Points that have no scores because the work on them failed: `part` of chunk `number`, where and after how many attempts."""

    number: int
    part: Chunk
    error: str
    attempts: int
    worker: str


@dataclass(frozen=True, slots=True)
class PlanResult:
    """What came of a plan: a result for each chunk (None where no point was reached), and how.

    What `failed` has its error in the result. `cached` chunks were known before; so many points had `failed_before` and were
    tried again.
    """

    results: tuple[ChunkResult | None, ...]
    failed: tuple[ChunkFailed, ...] = ()
    cached: int = 0
    cancelled: bool = False
    failed_before: int = 0


Listener = Callable[[Chunk, ChunkResult | None, bool], None]
"""Hears of points that are done: the part of a chunk, its scores (None when it was lost), and whether they were known before."""


def unheard(_part: Chunk, _result: ChunkResult | None, _known: bool) -> None:
    """Listens to nothing."""


def run_chunks(
    plan: Plan,
    executor: Executor,
    kept: ChunkResults | None,
    listener: Listener = unheard,
    cancelled: Callable[[], bool] = lambda: False,
    clock: Callable[[], float] = time.monotonic,
) -> PlanResult:
    """Have `executor` run every point that `kept` does not hold, keep what comes and tell `listener`.

    A chunk is kept when it is whole; of one that takes long, what there is every second and at the end, however that comes.
    Raises what keeping a chunk raises, with everything kept before still there.
    """
    working = _PlanRun(plan, kept, listener, clock)
    stopped = False

    def stop() -> bool:
        nonlocal stopped
        stopped = stopped or cancelled()
        return stopped

    if working.todo:
        try:
            executor.run(plan.experiment, list(working.todo.items()), working.done, stop)
        finally:
            working.keep_begun()
    return working.plan_result(stopped)


class _PlanRun:
    """A plan while it is worked off; `todo` are the points to run, by the number of their chunk."""

    def __init__(
        self, plan: Plan, kept: ChunkResults | None, listener: Listener, clock: Callable[[], float]
    ) -> None:
        self._plan, self._kept, self._listener, self._clock = plan, kept, listener, clock
        self._kept_at = clock()
        self._begun: set[int] = set()
        self._lost: list[ChunkFailed] = []
        self._failed_before = 0
        self._chunks = [self._looked_up(number) for number in range(len(plan.chunks))]
        self.todo = {
            number: plan.chunks[number].only(chunk.missing_places)
            for number, chunk in enumerate(self._chunks)
            if chunk.waiting
        }
        self._cached = len(self._chunks) - len(self.todo)

    def _looked_up(self, number: int) -> ChunkAccumulator:
        """What is known of a chunk."""
        chunk, size = self._plan.chunks[number], len(self._plan.chunks[number].points)
        known = None if self._kept is None else self._kept.get(self._plan.keys[number])
        found = ChunkAccumulator(size, known)
        if known is not None:
            self._failed_before += len(known.transient)
            there = sorted(set(range(size)).difference(found.missing_places))
            if there:
                self._listener(chunk.only(there), known.only(there), True)
        return found

    def done(self, finished: ChunkCompleted) -> None:
        """Points of the work are done."""
        number, chunk = finished.number, self._chunks[finished.number]
        places = [chunk.missing_places[place] for place in finished.places]
        part, result = self.todo[number].only(finished.places), finished.result
        self._listener(part, result, False)
        if result is None:
            error = finished.error or "it has no result"
            self._lost.append(ChunkFailed(number, part, error, finished.attempts, finished.worker))
            result = part.lost(self._plan.experiment, error)
        chunk.add(places, result)
        if chunk.waiting == 0:
            self._begun.discard(number)
            self._keep(number)
        else:
            self._begun.add(number)
            if self._clock() - self._kept_at >= KEEP_SECONDS:
                self.keep_begun()

    def keep_begun(self) -> None:
        """Keep what there is of chunks that are not whole yet."""
        while self._begun:
            self._keep(self._begun.pop())
        self._kept_at = self._clock()

    def _keep(self, number: int) -> None:
        result = self._chunks[number].result
        if self._kept is not None and result is not None:
            self._kept.put(self._plan.keys[number], result)

    def plan_result(self, stopped: bool) -> PlanResult:
        """What came of it."""
        results = tuple(chunk.result for chunk in self._chunks)
        return PlanResult(results, tuple(self._lost), self._cached, stopped, self._failed_before)
