"""The port through which a plan is worked off, and the executor that does it in this process."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from gpt_trader.errors import GptTraderError
from gpt_trader.research.evaluation import Bench, Evaluated, Evaluation, Subject, told_of


@dataclass(frozen=True, slots=True)
class Finished:
    """A chunk that is done: its place in the work, and its result or why there is none after so many `attempts`."""

    number: int
    result: Evaluated | None
    error: str | None = None
    attempts: int = 1
    worker: str = "this process"


class Executor(Protocol):
    """Works off a plan. Every chunk is reported exactly once, in any order, unless the work is cancelled before."""

    @property
    def workers(self) -> int:
        """How many chunks are worked on at a time."""
        ...

    def run(
        self,
        subject: Subject,
        work: Sequence[tuple[int, Evaluation]],
        on_done: Callable[[Finished], None],
        cancelled: Callable[[], bool],
    ) -> None:
        """Run each (number, chunk); call `on_done` as they finish, in this thread; stop soon once `cancelled()`.

        A chunk that fails is reported with its error and does not stop the others.
        """
        ...


class InProcess:
    """Chunk after chunk in this process: the reference, and the quickest for small plans."""

    workers = 1

    def run(
        self,
        subject: Subject,
        work: Sequence[tuple[int, Evaluation]],
        on_done: Callable[[Finished], None],
        cancelled: Callable[[], bool],
    ) -> None:
        """As the port says."""
        bench = Bench(subject)
        for number, chunk in work:
            if cancelled():
                return
            result, error = attempt(bench, chunk)
            on_done(Finished(number, result, error))


def attempt(bench: Bench, chunk: Evaluation) -> tuple[Evaluated, None] | tuple[None, str]:
    """A chunk's result, or the message of what it raised."""
    try:
        return bench.run(chunk), None
    except GptTraderError as error:
        return None, str(error)
    except (Exception, SystemExit) as error:
        return None, told_of(error)
