"""Chooses where chunks run, from what they will take and what was asked for, and says why in one line."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from gpt_trader.errors import ClusterError
from gpt_trader.research.chunk_sizes import CHUNK_SECONDS, expected_seconds, work_text
from gpt_trader.research.executor import ChunkCompleted, Executor, InProcess

if TYPE_CHECKING:
    from gpt_trader.research.chunk import Chunk
    from gpt_trader.research.experiment import Experiment

Work = Sequence[tuple[int, "Chunk"]]

RAY_START_SECONDS = 8.0
"""What a local Ray takes until its workers take chunks, on a busy machine of two cores."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What the user said about where chunks run; None is for us to decide.

    `cluster` is an address, `job_cluster` that of the cluster which runs this very process as a job; `chunk_timeout` is in
    seconds.
    """

    workers: int | None = None
    cluster: str | None = None
    job_cluster: str | None = None
    chunk_timeout: float | None = None


@dataclass(frozen=True, slots=True)
class Choice:
    """The place and the number of workers (None on a cluster: all it has), with the reason in words."""

    place: Literal["process", "local", "cluster"]
    workers: int | None
    address: str | None
    why: str


def choose(chunks: int, seconds: float, asked: Asked, cores: int) -> Choice:
    """Where `chunks` that would take `seconds` on one core run.

    A cluster that is named is used; so is a number of workers above one, though never more than there are chunks. Else
    workers are started when they save more time than their start takes. A time limit on chunks needs a worker to end.
    """
    work = work_text(range(chunks), seconds)
    if asked.cluster is not None:
        return Choice("cluster", asked.workers, asked.cluster, f"{work}: on the cluster at {asked.cluster}")
    workers = max(1, min(asked.workers or cores, chunks))
    saved = seconds - seconds / workers
    several = workers > 1 and (asked.workers is not None or saved > RAY_START_SECONDS)
    if asked.job_cluster is not None and (several or saved > RAY_START_SECONDS):
        return Choice("cluster", asked.workers, asked.job_cluster, f"{work}: on the cluster of this job")
    if several or asked.chunk_timeout is not None:
        named = f"{workers} {'worker' if workers == 1 else 'workers'}"
        return Choice("local", workers, None, f"{work}: on {named} of this machine, started with Ray")
    return Choice("process", 1, None, f"{work}: in this process")


def available_cores() -> int:
    """The cores this process may use: its affinity, and the quota of its control group where there is one."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text().split()
        return max(1, min(cores, int(quota) // int(period)))
    except (OSError, ValueError):
        return cores


class Begun:
    """Work that was begun in this process: what is left of it, for how many `seconds` it has run, and what a point takes.

    The first part does not count: kernels are loaded and rules compiled in it.
    """

    def __init__(
        self, work: Work, on_done: Callable[[ChunkCompleted], None], clock: Callable[[], float]
    ) -> None:
        self._work, self._on_done, self._clock = dict(work), on_done, clock
        self._done = dict.fromkeys(self._work, 0)
        self._first = self._done.copy()
        self.points_left = sum(len(chunk.points) for chunk in self._work.values())
        self.seconds = self.pace = 0.0
        self._began: float | None = None
        self._timed = 0

    def took(self, finished: ChunkCompleted) -> None:
        """More points are done: of the work as it was, or of what was `left`."""
        now, count = self._clock(), len(finished.places)
        if self._began is None:
            self._began = now
        else:
            self._timed += count
            self.seconds = now - self._began
            self.pace = self.seconds / self._timed
        self.points_left -= count
        shift = self._first[finished.number]
        places = range(finished.places.start + shift, finished.places.stop + shift)
        self._on_done(replace(finished, places=places))
        self._done[finished.number] = places.stop

    def left(self) -> Work:
        """The rest of the work, the points of each chunk counted from its first that is not done."""
        self._first = self._done.copy()
        rest = ((number, chunk, self._done[number]) for number, chunk in self._work.items())
        return [
            (number, chunk.only(range(done, len(chunk.points))))
            for number, chunk, done in rest
            if done < len(chunk.points)
        ]


class ChosenWhenRun:
    """An executor that chooses the place when it sees the work that is left, and leaves Ray when it is closed.

    Work that was begun in this process goes on elsewhere when it turns out so slow that workers are worth their start.

    `here` is the executor of this process. `notify` hears the reason, once for each place. `points` is the number of all runs that
    will come, where it is known, so that an optimiser's first few do not decide alone; `expected` that of a study in steps of
    different size, the first of which decides for all.
    """

    def __init__(
        self,
        asked: Asked,
        notify: Callable[[str], None],
        points: int | None = None,
        here: Executor | None = None,
        expected: int | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._asked, self._notify, self._points_to_come = asked, notify, points or expected or 0
        self._in_steps, self._clock = expected is not None, clock
        self._open = ExitStack()
        self._here = here or InProcess()
        self._workers: Executor | None = None
        self.why = ""
        self._choice: Choice | None = None
        self._stays = False

    def close(self) -> None:
        """End the workers that were started, leave the cluster that was joined."""
        self._workers = None
        self._open.close()

    @property
    def workers(self) -> int:
        """How many chunks are worked on at a time."""
        return 1 if self._workers is None else self._workers.workers

    def run(
        self,
        experiment: Experiment,
        work: Sequence[tuple[int, Chunk]],
        on_done: Callable[[ChunkCompleted], None],
        cancelled: Callable[[], bool],
    ) -> None:
        """As the port says."""
        choice = self._chosen(experiment, work)
        if self._workers is None and choice.place == "process":
            self._begin_here(experiment, work, on_done, cancelled)
            return
        if self._workers is None:
            self._workers = self._connect(choice, experiment.bars.panel.nbytes)
        self._workers.run(experiment, work, on_done, cancelled)

    def _begin_here(
        self,
        experiment: Experiment,
        work: Work,
        on_done: Callable[[ChunkCompleted], None],
        cancelled: Callable[[], bool],
    ) -> None:
        """Run the work in this process, as long as that is best."""
        begun = Begun(work, on_done, self._clock)
        better: Choice | None = None

        def slow() -> bool:
            nonlocal better
            better = self._better(begun)
            return better is not None

        self._here.run(experiment, work, begun.took, lambda: cancelled() or slow())
        if better is None:
            return
        self._go_on(replace(better, why=f"slower than expected: {better.why}"))
        try:
            self._workers = self._connect(better, experiment.bars.panel.nbytes)
        except ClusterError as error:
            self._notify(f"{error}; going on in this process")
            self._stays = True
        (self._workers or self._here).run(experiment, begun.left(), begun.took, cancelled)

    def _chosen(self, experiment: Experiment, work: Work) -> Choice:
        """Where this work runs by the estimate of what it takes."""
        points = sum(len(chunk.points) for _, chunk in work)
        seconds = expected_seconds(experiment, (chunk for _, chunk in work))
        share = max(1.0, self._points_to_come / max(points, 1))
        self._points_to_come -= points
        if self._choice is not None and self._in_steps:
            return self._choice
        chunks = ceil(len(work) * share) if self._in_steps else len(work)
        return self._go_on(choose(chunks, seconds * share, self._asked, available_cores()))

    def _better(self, begun: Begun) -> Choice | None:
        """Where work that was begun here goes on: when it has run for as long as workers take to start, and they save more."""
        if self._stays or begun.seconds < RAY_START_SECONDS:
            return None
        points = begun.points_left + max(0, self._points_to_come)
        seconds = points * begun.pace
        pieces = max(1, min(points, ceil(seconds / CHUNK_SECONDS)))
        choice = choose(pieces, seconds, self._asked, available_cores())
        several = choice.place == "cluster" or seconds - seconds / (choice.workers or 1) > RAY_START_SECONDS
        return choice if several and choice.place != "process" else None

    def _go_on(self, choice: Choice) -> Choice:
        """The user hears of another place, unless workers were started before and do the work."""
        moves = self._choice is None or choice.place != self._choice.place
        self._choice = choice
        if moves and self._workers is None:
            self.why = choice.why
            self._notify(choice.why)
        return choice

    def _connect(self, choice: Choice, shared_bytes: int) -> Executor:
        """The executor of a choice; workers are started, or a cluster joined, unless this process is connected already."""
        from jobs.executors.cluster import answers, joined
        from jobs.executors.local_ray import is_connected, local_ray
        from jobs.executors.ray_tasks import RayTasks

        if is_connected():
            return RayTasks(choice.workers, self._asked.chunk_timeout, self._notify)
        if choice.address is None:
            self._open.enter_context(local_ray(choice.workers or 1, shared_bytes))
            return RayTasks(choice.workers, self._asked.chunk_timeout, self._notify)
        head = self._open.enter_context(joined(choice.address))
        return RayTasks(
            choice.workers, self._asked.chunk_timeout, self._notify, head_answers=lambda: answers(head)
        )
