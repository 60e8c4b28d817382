"""A study as a plan: its chunks, its identity, and how it is worked off with what is known already left out."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Protocol

from gpt_trader.research.evaluation import Evaluated, Evaluation, Subject
from gpt_trader.research.execution import Executor, Finished


class Results(Protocol):
    """Where finished chunks are kept by their content address."""

    def get(self, key: str) -> Evaluated | None: ...
    def put(self, key: str, result: Evaluated) -> None: ...


@dataclass(frozen=True)
class Plan:
    """The chunks of a study of `kind` (sweep, walkforward, cv, robustness …) over one subject."""

    kind: str
    subject: Subject
    chunks: tuple[Evaluation, ...]

    @cached_property
    def keys(self) -> tuple[str, ...]:
        """The content address of every chunk."""
        return tuple(chunk.key(self.subject) for chunk in self.chunks)

    @cached_property
    def study_id(self) -> str:
        """16 hex digits that stand for the whole plan: the same study has the same id."""
        return hashlib.sha256("\n".join((self.kind, *self.keys)).encode()).hexdigest()[:16]

    @property
    def points(self) -> int:
        """How many runs the plan holds."""
        return sum(len(chunk.points) for chunk in self.chunks)


@dataclass(slots=True)
class Progress:
    """How far a plan is; handed to the listener after every chunk."""

    chunks: int
    points: int
    done: int = 0
    points_done: int = 0
    cached: int = 0
    failed: list[Finished] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class WorkedOff:
    """What came of a plan: a result for each chunk (None where it failed or was not reached), and how."""

    results: tuple[Evaluated | None, ...]
    failed: tuple[Finished, ...]
    cached: int
    cancelled: bool


Listener = Callable[[Progress, int, Evaluated | None], None]


def work_off(
    plan: Plan,
    executor: Executor,
    kept: Results | None,
    listener: Listener = lambda _progress, _number, _result: None,
    cancelled: Callable[[], bool] = lambda: False,
) -> WorkedOff:
    """Have `executor` run every chunk that `kept` does not hold, keep each as it comes and tell `listener`.

    Raises what keeping a chunk raises, with everything kept before still there.
    """
    progress = Progress(len(plan.chunks), plan.points)
    results: list[Evaluated | None] = [None] * len(plan.chunks)
    todo = []

    def took(number: int, result: Evaluated | None) -> None:
        results[number] = result
        progress.done += 1
        progress.points_done += len(plan.chunks[number].points)
        listener(progress, number, result)

    for number, key in enumerate(plan.keys):
        known = None if kept is None else kept.get(key)
        if known is None:
            todo.append((number, plan.chunks[number]))
        else:
            progress.cached += 1
            took(number, known)

    def done(finished: Finished) -> None:
        if finished.result is None:
            progress.failed.append(finished)
        elif kept is not None:
            kept.put(plan.keys[finished.number], finished.result)
        took(finished.number, finished.result)

    stopped = False

    def stop() -> bool:
        nonlocal stopped
        stopped = stopped or cancelled()
        return stopped

    if todo:
        executor.run(plan.subject, todo, done, stop)
    return WorkedOff(tuple(results), tuple(progress.failed), progress.cached, stopped)
