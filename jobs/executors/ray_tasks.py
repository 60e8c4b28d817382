"""The executor on Ray: a task for each chunk or part of one, a few ahead, lost ones sent again, hung ones given up."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from gpt_trader.errors import ClusterError, GptTraderError, first_line
from gpt_trader.research.chunk_sizes import BatchSizer, expected_seconds
from gpt_trader.research.executor import ChunkCompleted, failures
from jobs.executors.ray_worker import ExperimentPackage, run_chunk

if TYPE_CHECKING:
    from gpt_trader.research.chunk import Chunk, ChunkResult
    from gpt_trader.research.experiment import Experiment

ATTEMPTS = 3
AHEAD = 2
"""Chunks in flight for each worker: the one it works on, and one that is there when it is done."""
POLL_SECONDS = 0.25
LOOK_SECONDS = 5.0
HEAD_SILENCES = 3
TELL_SECONDS = 20.0
SHORTEST_TIMEOUT = 600.0
TIMEOUT_MULTIPLE = 20.0


@dataclass(eq=False, slots=True)
class _Flight:
    """Points of a chunk that are sent out: which attempt it is, when a worker began with them, and which one."""

    number: int
    chunk: Chunk
    places: range
    attempt: int
    stream: Any = None
    began: float | None = None
    worker: str = "a worker"


@dataclass(frozen=True, slots=True)
class _Landed:
    """What came back: a result, the error the chunk raised, or how it was `lost` before it could end; the seconds it took."""

    result: ChunkResult | None = None
    error: str | None = None
    lost: str | None = None
    seconds: float = 0.0


class RayTasks:
    """Runs chunks as tasks of the Ray that this process is connected to.

    `workers` bounds how many run at a time; None uses every CPU of the cluster, also those that join later.
    `chunk_timeout` (seconds) is when a chunk counts as hung; None is 20 times what it should take, at least ten minutes.
    `notify` is given what a user should know, `clock` gives seconds, `head_answers` tells whether the cluster's head is there.
    `engine` is the hash of the engine that workers must have; None for that of this process.

    A chunk whose worker or node dies is sent again and reported as failed after the third time; one that raises is reported
    at once, because it would raise again.
    """

    def __init__(
        self,
        workers: int | None,
        chunk_timeout: float | None = None,
        notify: Callable[[str], None] = lambda _text: None,
        clock: Callable[[], float] = time.monotonic,
        head_answers: Callable[[], bool] = lambda: True,
        engine: str | None = None,
    ) -> None:
        self._wanted, self._timeout, self._notify, self._clock = workers, chunk_timeout, notify, clock
        self._engine = engine
        self._head_answers, self._looked, self._unanswered = head_answers, float("-inf"), 0
        self._cpus, self._sizer = 1, BatchSizer()
        self._flying: dict[Any, _Flight] = {}
        self._waiting: deque[_Flight] = deque()

    @property
    def workers(self) -> int:
        """How many chunks are worked on at a time."""
        return self._wanted or self._cpus

    def run(
        self,
        experiment: Experiment,
        work: Sequence[tuple[int, Chunk]],
        on_done: Callable[[ChunkCompleted], None],
        cancelled: Callable[[], bool],
    ) -> None:
        """As the port says. Raises ClusterError when workers cannot run any chunk, StrategyError when they lack the class."""
        import ray

        task = ray.remote(num_cpus=1, max_retries=0, num_returns="streaming")(run_chunk)
        package = ray.put(ExperimentPackage.of(experiment, self._engine))
        limit = self._limit(experiment, work)
        self._waiting.extend(_Flight(number, chunk, range(len(chunk.points)), 1) for number, chunk in work)
        heard = self._clock()
        try:
            while (self._waiting or self._flying) and not cancelled():
                with _plain_errors():
                    self._look_at_cluster()
                    self._send(
                        lambda flight: task.remote(
                            experiment.key, [package], flight.chunk.only(flight.places)
                        )
                    )
                    ready, _ = ray.wait(list(self._flying), num_returns=1, timeout=POLL_SECONDS)
                    over = [*self._landed(ready), *self._given_up(limit)]
                for done in over:
                    on_done(done)
                heard = self._notify_of_silence(heard, bool(ready))
        finally:
            for stream in self._flying:
                with suppress(OSError):
                    ray.cancel(stream, force=True)
            self._flying.clear()
            self._waiting.clear()

    def _look_at_cluster(self) -> None:
        """Count the processors, now and then. Raises ClusterError once the head has not answered three times: Ray itself would
        end this process after a minute, without a word to its user."""
        import ray

        if self._clock() - self._looked < LOOK_SECONDS:
            return
        self._looked = self._clock()
        if not self._head_answers():
            self._unanswered += 1
            if self._unanswered == HEAD_SILENCES:
                raise ClusterError("the head of the cluster no longer answers")
            return
        self._unanswered = 0
        if self._wanted is None:
            self._cpus = max(1, int(ray.cluster_resources().get("CPU", 0)))  # type: ignore[no-untyped-call]

    def _limit(self, experiment: Experiment, work: Sequence[tuple[int, Chunk]]) -> float:
        """The seconds after which a chunk counts as hung."""
        if self._timeout is not None:
            return self._timeout
        longest = max(expected_seconds(experiment, [chunk]) for _, chunk in work)
        return max(SHORTEST_TIMEOUT, TIMEOUT_MULTIPLE * longest)

    def _send(self, remote: Callable[[_Flight], Any]) -> None:
        """Send chunks out until every worker has one to do and one ahead."""
        while self._waiting and len(self._flying) < AHEAD * self.workers:
            flight = self._part(self._waiting.popleft())
            flight.stream = remote(flight)
            self._flying[flight.stream] = flight

    def _part(self, flight: _Flight) -> _Flight:
        """As much of a flight as a worker should take at a time; the rest waits on."""
        places, count = flight.places, self._sizer.of(len(flight.places))
        if count < len(places):
            self._waiting.appendleft(replace(flight, places=places[count:]))
        return replace(flight, places=places[:count])

    def _landed(self, ready: Sequence[Any]) -> Iterator[ChunkCompleted]:
        """What has come back for good; a lost chunk waits for its next attempt instead."""
        for stream in ready:
            landed = self._next_of(self._flying[stream])
            if landed is None:
                continue
            flight = self._flying.pop(stream)
            if landed.lost is None:
                points = len(flight.places)
                self._sizer.took(points, failures(points, landed.result), landed.seconds)
                yield _finished(flight, landed.result, landed.error)
            elif flight.attempt < ATTEMPTS:
                self._waiting.append(_Flight(flight.number, flight.chunk, flight.places, flight.attempt + 1))
            else:
                yield _finished(flight, None, f"given up after {ATTEMPTS} attempts: {landed.lost}")

    def _next_of(self, flight: _Flight) -> _Landed | None:
        """The end of a flight; None when this was the news that a worker has begun with it."""
        import ray
        from ray import exceptions

        try:
            item = ray.get(next(flight.stream))
        except exceptions.RayTaskError as error:
            return _raised(error)
        except (exceptions.RayError, StopIteration) as error:
            return _Landed(lost=_how_lost(error))
        if flight.began is None:
            flight.began, flight.worker = self._clock(), item
            return None
        result, message, seconds = item
        return _Landed(None if result is None else result.copy(), message, seconds=seconds)

    def _given_up(self, limit: float) -> Iterator[ChunkCompleted]:
        """The chunks that have run for longer than `limit` seconds; their workers are killed."""
        import ray

        hung = [
            flight
            for flight in self._flying.values()
            if flight.began is not None and self._clock() - flight.began > limit
        ]
        for flight in hung:
            del self._flying[flight.stream]
            ray.cancel(flight.stream, force=True)
            yield _finished(flight, None, f"hung: no result after {limit:,.0f} seconds (--chunk-timeout)")

    def _notify_of_silence(self, heard: float, news: bool) -> float:
        """Say so, once, when nothing runs and nothing comes back; when there was news last, or never after the remark."""
        if news or any(flight.began is not None for flight in self._flying.values()):
            return self._clock()
        if self._clock() - heard > TELL_SECONDS:
            self._notify("no worker is free yet; waiting for one")
            return float("inf")
        return heard


def _finished(flight: _Flight, result: ChunkResult | None, error: str | None) -> ChunkCompleted:
    return ChunkCompleted(flight.number, flight.places, result, error, flight.attempt, flight.worker)


@contextmanager
def _plain_errors() -> Iterator[None]:
    """Ray's own troubles as what they are: Ctrl-C inside its C++ part, and the loss of the node it speaks through."""
    from ray.exceptions import RaySystemError

    try:
        yield
    except SystemError as error:
        if isinstance(error.__cause__, KeyboardInterrupt):
            raise KeyboardInterrupt from None
        raise
    except (OSError, RaySystemError) as error:
        raise ClusterError(f"the connection to Ray was lost ({first_line(error)})") from error


def _raised(error: Any) -> _Landed:
    """An exception outside the chunk itself: of this package or of an import, it concerns every chunk and is raised."""
    cause = getattr(error, "cause", None)
    if isinstance(cause, GptTraderError):
        raise cause
    if isinstance(cause, ImportError):
        raise ClusterError(
            f"the workers cannot load GPT-Trader ({cause}); install it on every node, or send the folder along with "
            "`ray job submit --working-dir .`"
        ) from error
    return _Landed(
        error=f"{type(cause).__name__}: {cause}" if cause is not None else str(error).splitlines()[-1]
    )


def _how_lost(error: Exception) -> str:
    """In words what became of a worker."""
    from ray import exceptions

    if isinstance(error, exceptions.OutOfMemoryError):
        return "its worker was killed because the memory of the node ran out"
    if isinstance(error, exceptions.NodeDiedError):
        return "its node died"
    if isinstance(error, exceptions.WorkerCrashedError):
        return "its worker died (killed, out of memory, or crashed)"
    kind, said = type(error).__name__, first_line(error)
    return kind if said == kind else f"{kind}: {said}"
