"""The port through which chunks are run, and the executor that runs them in this process."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from gpt_trader.errors import GptTraderError
from gpt_trader.research.chunk import Chunk, ChunkResult, ChunkRunner, error_text
from gpt_trader.research.chunk_sizes import BatchSizer
from gpt_trader.research.experiment import Experiment


@dataclass(frozen=True, slots=True)
class ChunkCompleted:
    """Points that are done: the number of their chunk in the work, their `places` in it, and their result or why there is none
    after so many `attempts`."""

    number: int
    places: range
    result: ChunkResult | None
    error: str | None = None
    attempts: int = 1
    worker: str = "this process"


class Executor(Protocol):
    """Runs the chunks of a plan. Every point is reported exactly once, in any order, unless the work is cancelled before."""

    @property
    def workers(self) -> int:
        """How many chunks are worked on at a time."""
        ...

    def run(
        self,
        experiment: Experiment,
        work: Sequence[tuple[int, Chunk]],
        on_done: Callable[[ChunkCompleted], None],
        cancelled: Callable[[], bool],
    ) -> None:
        """Run each (number, chunk), in parts where it takes longer than it should; call `on_done` as they finish, in this
        thread; stop soon once `cancelled()`.

        A part that fails is reported with its error and does not stop the others.
        """
        ...


class InProcess:
    """Chunk after chunk in this process: the reference, and the quickest for small plans.

    By the `clock` (seconds) chunks are parted, so that `cancelled` is asked about every second or after each point.
    """

    workers = 1

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._pace = clock, BatchSizer()

    def run(
        self,
        experiment: Experiment,
        work: Sequence[tuple[int, Chunk]],
        on_done: Callable[[ChunkCompleted], None],
        cancelled: Callable[[], bool],
    ) -> None:
        """As the port says."""
        runner = ChunkRunner(experiment)
        for number, chunk in work:
            at = 0
            while at < len(chunk.points):
                if cancelled():
                    return
                places = range(at, at + self._pace.of(len(chunk.points) - at))
                began = self._clock()
                result, error = attempt(runner, chunk.only(places))
                self._pace.took(len(places), failures(len(places), result), self._clock() - began)
                on_done(ChunkCompleted(number, places, result, error))
                at = places.stop


def attempt(runner: ChunkRunner, chunk: Chunk) -> tuple[ChunkResult, None] | tuple[None, str]:
    """A chunk's result, or the message of what it raised."""
    try:
        return runner.run(chunk), None
    except GptTraderError as error:
        return None, str(error)
    except (Exception, SystemExit) as error:
        return None, error_text(error)


def failures(points: int, result: ChunkResult | None) -> int:
    """How many of the `points` of a part have no scores."""
    return points if result is None else len(result.errors)
