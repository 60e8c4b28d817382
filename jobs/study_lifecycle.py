"""The life of a study: its folder, where its chunks run, how far it is, and how it is stopped or goes on by itself."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from gpt_trader.errors import ClusterError, StudyStopped
from jobs.resuming import check_same, detach, resume_command, resumed
from jobs.study_progress import Tracker, View, Watched, shown

if TYPE_CHECKING:
    from gpt_trader.adapters.chunk_store import ChunkStore
    from gpt_trader.adapters.store import RunStore
    from gpt_trader.adapters.study_files import StudyFolder, StudyRecord
    from gpt_trader.research.chunk import Chunk, ChunkResult
    from gpt_trader.research.plan import ChunkFailed, Plan, PlanResult
    from gpt_trader.research.study import Study
    from jobs.console import Output
    from jobs.executors.executor_choice import ChosenWhenRun
    from jobs.run_options import WorkerOptions
    from jobs.study_record import Recorder

LOOK_SECONDS = 0.25
FAILURES_TOLD = 5


class RunningStudy:
    """A study that is running: `folder` takes its files, `run` runs plans, `notify` tells its user a line."""

    def __init__(
        self,
        folder: StudyFolder,
        recorder: Recorder,
        tracker: Tracker,
        view: View,
        executor: ChosenWhenRun,
        time_limit: float | None = None,
    ) -> None:
        self.study_id, self.folder = folder.path.name, folder.path
        self._folder, self._recorder, self._tracker, self._view, self._executor = (
            folder,
            recorder,
            tracker,
            view,
            executor,
        )
        self._looked = float("-inf")
        self._deadline = None if time_limit is None else time.monotonic() + time_limit

    def notify(self, text: str) -> None:
        """A line on standard error, unless silence or JSON was asked for."""
        self._view.notify(text)

    def headline(self, metrics: Mapping[str, float]) -> None:
        """The metrics of what the study found, where that is not the best of its points: its row in the store has them."""
        self._tracker.headline = metrics

    def run(self, plan: Plan) -> PlanResult:
        """Run every chunk of `plan` that is not known from an earlier run; may be called again with another plan.

        Cut short, with what there is, when the time limit is over. When the user cancels or interrupts as well; then `stopped` of
        the result is the StudyStopped to be raised.
        """
        from gpt_trader.research.plan import PlanResult

        try:
            return self._run(plan)
        except (StudyStopped, KeyboardInterrupt) as stopped:
            store = self._chunk_store()
            return PlanResult(tuple(store.get(key) for key in plan.keys), cancelled=True, stopped=stopped)

    def _run(self, plan: Plan) -> PlanResult:
        from gpt_trader.research.plan import run_chunks

        def on_progress(part: Chunk, result: ChunkResult | None, known: bool) -> None:
            self._tracker.took(part, result, cached=known)
            self._view.show(self._tracker)
            self._recorder.update(self._tracker, self._executor.why)

        self._view.show(self._tracker)
        try:
            done = run_chunks(
                plan,
                self._executor,
                self._chunk_store(),
                on_progress,
                lambda: self._asked() or self._is_over(),
            )
        except KeyboardInterrupt:
            raise StudyStopped("interrupted", interrupted=True) from None
        if done.failed_before:
            self.notify(f"points that failed in an earlier run: {done.failed_before:,}, tried again")
        self._tell_failures(done.failed)
        if done.cancelled and self._folder.is_asked_to_stop():
            raise StudyStopped(f"study {self.study_id} was cancelled", interrupted=False)
        return done

    def _is_over(self) -> bool:
        return self._deadline is not None and time.monotonic() > self._deadline

    def _chunk_store(self) -> ChunkStore:
        from gpt_trader.adapters.chunk_store import ChunkStore

        return ChunkStore(self.folder.parent / ".chunks")

    def _asked(self) -> bool:
        """Whether somebody wants the study to stop, looked up four times a second."""
        if time.monotonic() - self._looked < LOOK_SECONDS:
            return False
        self._looked = time.monotonic()
        return self._folder.is_asked_to_stop()

    def _tell_failures(self, lost: tuple[ChunkFailed, ...]) -> None:
        for place, item in enumerate(lost):
            points = [dict(zip(item.part.names, values, strict=True)) for values in item.part.points]
            self._recorder.fail_chunk(
                {
                    "chunk": item.number,
                    "error": item.error,
                    "attempts": item.attempts,
                    "worker": item.worker,
                    "points": points,
                }
            )
            if place < FAILURES_TOLD:
                shape = " ".join(f"{name} {value}" for name, value in points[0].items())
                more = f" and {len(points) - 1:,} more" if len(points) > 1 else ""
                self.notify(f"failed: {shape}{more}: {item.error}")
        if len(lost) > FAILURES_TOLD:
            self.notify(
                f"failed: {len(lost) - FAILURES_TOLD:,} more chunks, listed in {self.folder / 'study.json'}"
            )


@contextmanager
def open_study(
    study: Study[Any],
    *,
    where: WorkerOptions,
    output: Output,
    runs_dir: Path,
    expected: int | None = None,
    time_limit: float | None = None,
    watched: Watched | None = None,
    about: Mapping[str, Any] | None = None,
    store: RunStore | None = None,
) -> Iterator[RunningStudy]:
    """`study` in `runs_dir/study_id`: running inside the block, finished or failed after it.

    `expected` is about how many runs there will be where the study does not know it; after `time_limit` seconds no more are
    begun. `about` is what study.json and `store` show besides (`parameters`: what is searched). With `--detach` or `--submit`
    the block is not entered: the command ends here.

    Raises StudyStopped when the user cancels or interrupts, UserError when `runs resume` would run another study.
    """
    from gpt_trader.adapters.study_files import StudyFolder
    from gpt_trader.research.executor import InProcess
    from jobs.executors.executor_choice import ChosenWhenRun
    from jobs.interrupts import Interrupts, InTime
    from jobs.study_record import Recorder, record_of

    folder = StudyFolder(runs_dir.resolve() / study.study_id)
    going_on = resumed()
    if going_on is not None:
        check_same(going_on.record, study.study_id, study.experiment.identity)
    record = record_of(folder, study.kind, study.experiment, about or {}, datetime.now(UTC))
    if where.submit is not None or (where.detach and going_on is None):
        detach(folder, record, where.submit, output)
        raise typer.Exit
    interrupts = Interrupts(f"what was kept is there; resume with: {resume_command(record)}")
    in_log = going_on is not None and going_on.log
    with interrupts.watched(), folder.held(), shown(output, study.runs, log=in_log) as view:
        folder.forget_request()
        recorder, tracker = Recorder(folder, record, store, view.notify), Tracker(study.runs, watched)
        recorder.begin(study.experiment)
        here = InTime(InProcess(), interrupts)
        executor = ChosenWhenRun(where.asked(), view.notify, study.runs, here, expected)
        try:
            with _recorded_end(recorder, tracker, executor):
                yield RunningStudy(folder, recorder, tracker, view, executor, time_limit)
        finally:
            executor.close()


@contextmanager
def _recorded_end(recorder: Recorder, tracker: Tracker, executor: ChosenWhenRun) -> Iterator[None]:
    """Records how the study ended; when it was stopped, says what is kept and how to resume."""
    from gpt_trader.adapters import study_files as states

    def end(status: str, error: str | None = None) -> None:
        recorder.end(status, tracker, executor.why, error)

    try:
        yield
    except (KeyboardInterrupt, StudyStopped) as stopped:
        by_signal = isinstance(stopped, KeyboardInterrupt) or stopped.interrupted
        interrupted = by_signal and not recorder.folder.is_asked_to_stop()
        end(states.INTERRUPTED if interrupted else states.CANCELLED, str(stopped) or "interrupted")
        told = f"{str(stopped) or 'interrupted'}; {_kept(tracker, recorder.record)}"
        raise StudyStopped(told, interrupted=interrupted) from None
    except ClusterError as lost:
        end(states.FAILED, str(lost))
        raise ClusterError(
            f"{lost}; {_kept(tracker, recorder.record)}" if tracker.done else str(lost)
        ) from lost
    except typer.Exit:
        end(states.FINISHED)  # the command has said what it had to say
        raise
    except BaseException as error:
        end(states.FAILED, str(error) or type(error).__name__)
        raise
    end(states.FINISHED)


def _kept(tracker: Tracker, record: StudyRecord) -> str:
    """What is there, and the command that goes on from it."""
    of = "" if tracker.points is None else f" of {tracker.points:,}"
    return f"{tracker.done:,}{of} points are kept; resume with: {resume_command(record)}"
