"""A plan: chunks of one experiment, and how they are run with what is stored already left out."""

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

STORE_SECONDS = 1.0


class ChunkResultStore(Protocol):
    """Where the scores of chunks are stored by their content address, also of chunks that are not complete."""

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
    tried again. `cancelled` when it was cut short; `stopped` is what is to be raised when that was the user's wish.
    """

    results: tuple[ChunkResult | None, ...]
    failed: tuple[ChunkFailed, ...] = ()
    cached: int = 0
    cancelled: bool = False
    failed_before: int = 0
    stopped: BaseException | None = None


OnProgress = Callable[[Chunk, ChunkResult | None, bool], None]
"""Called with points that are done: the part of a chunk, its scores (None when it was lost), and whether they were known before."""


def no_progress(_part: Chunk, _result: ChunkResult | None, _known: bool) -> None:
    """Nobody is told."""


def run_chunks(
    plan: Plan,
    executor: Executor,
    store: ChunkResultStore | None,
    on_progress: OnProgress = no_progress,
    cancelled: Callable[[], bool] = lambda: False,
    clock: Callable[[], float] = time.monotonic,
) -> PlanResult:
    """Have `executor` run every point that `store` does not hold, store what comes and tell `on_progress`.

    A chunk is stored when it is complete; of one that takes long, what there is every second and at the end, however that
    comes. Raises what storing a chunk raises; everything stored before is still there.
    """
    working = _PlanRun(plan, store, on_progress, clock)
    stopped = False

    def stop() -> bool:
        nonlocal stopped
        stopped = stopped or cancelled()
        return stopped

    if working.todo:
        try:
            executor.run(plan.experiment, list(working.todo.items()), working.done, stop)
        finally:
            working.store_begun()
    return working.plan_result(stopped)


class _PlanRun:
    """A plan while it runs; `todo` are the points to run, by the number of their chunk."""

    def __init__(
        self, plan: Plan, store: ChunkResultStore | None, on_progress: OnProgress, clock: Callable[[], float]
    ) -> None:
        self._plan, self._store, self._on_progress, self._clock = plan, store, on_progress, clock
        self._stored_at = clock()
        self._begun: set[int] = set()
        self._failed: list[ChunkFailed] = []
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
        known = None if self._store is None else self._store.get(self._plan.keys[number])
        found = ChunkAccumulator(size, known)
        if known is not None:
            self._failed_before += len(known.transient)
            there = sorted(set(range(size)).difference(found.missing_places))
            if there:
                self._on_progress(chunk.only(there), known.only(there), True)
        return found

    def done(self, completed: ChunkCompleted) -> None:
        """Points of the work are done."""
        number, chunk = completed.number, self._chunks[completed.number]
        places = [chunk.missing_places[place] for place in completed.places]
        part, result = self.todo[number].only(completed.places), completed.result
        self._on_progress(part, result, False)
        if result is None:
            error = completed.error or "it has no result"
            self._failed.append(ChunkFailed(number, part, error, completed.attempts, completed.worker))
            result = part.failed(self._plan.experiment, error)
        chunk.add(places, result)
        if chunk.waiting == 0:
            self._begun.discard(number)
            self._put(number)
        else:
            self._begun.add(number)
            if self._clock() - self._stored_at >= STORE_SECONDS:
                self.store_begun()

    def store_begun(self) -> None:
        """Store what there is of chunks that are not complete yet."""
        while self._begun:
            self._put(self._begun.pop())
        self._stored_at = self._clock()

    def _put(self, number: int) -> None:
        result = self._chunks[number].result
        if self._store is not None and result is not None:
            self._store.put(self._plan.keys[number], result)

    def plan_result(self, stopped: bool) -> PlanResult:
        """What came of it."""
        results = tuple(chunk.result for chunk in self._chunks)
        return PlanResult(results, tuple(self._failed), self._cached, stopped, self._failed_before)
