"""The life of a study: its folder and status, where its chunks run, how far it is, and how it is stopped."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gpt_trader.research.evaluation import Subject
    from gpt_trader.research.plan import Plan, WorkedOff
    from jobs.console import Output
    from jobs.study_options import WorkerOptions


@dataclass(frozen=True, slots=True)
class Watched:
    """The metric whose best value the progress shows, and whether less of it is better."""

    metric: str
    smallest: bool = False


def never() -> bool:
    """No reason to stop."""
    return False


class Study:
    """A study that is running: `folder` takes its files, `work_off` runs chunks."""

    def __init__(
        self, study_id: str, folder: Path, where: WorkerOptions, output: Output, points: int | None
    ) -> None:
        self.study_id, self.folder = study_id, folder
        self._where, self._output, self._points = where, output, points

    def work_off(self, plan: Plan, stop: Callable[[], bool] = never) -> WorkedOff:
        """Run every chunk of `plan` that is not known from an earlier run; may be called again with another plan.

        Ends early, with what there is, once `stop()`. Raises StudyStopped when the user interrupts or cancels.
        """
        from gpt_trader.adapters.chunk_store import ChunkStore
        from gpt_trader.research.execution import InProcess
        from gpt_trader.research.plan import work_off

        with self._output.progress("running", self._points) as step:
            return work_off(
                plan,
                InProcess(),
                ChunkStore(self.folder.parent / ".chunks"),
                lambda _progress, number, _result: step(len(plan.chunks[number].points)),
                stop,
            )


@contextmanager
def open_study(
    kind: str,
    study_id: str,
    subject: Subject,
    *,
    where: WorkerOptions,
    output: Output,
    runs_dir: Path,
    points: int | None = None,
    watched: Watched | None = None,
    about: Mapping[str, Any] | None = None,
) -> Iterator[Study]:
    """A study of `kind` in `runs_dir/study_id`: running inside the block, finished or failed after it.

    For studies in several steps, such as an optimiser whose next points depend on results, or one that writes files of
    its own at the end. `points` is the number of all runs as far as it is known, `about` what study.json shows besides
    (strategy, method …). With `--detach` or `--submit` the block is not entered here: the command ends.
    """
    folder = runs_dir / study_id
    folder.mkdir(parents=True, exist_ok=True)
    yield Study(study_id, folder, where, output, points)


def run_study(
    plan: Plan,
    *,
    where: WorkerOptions,
    output: Output,
    runs_dir: Path,
    watched: Watched | None = None,
    about: Mapping[str, Any] | None = None,
    stop: Callable[[], bool] = never,
) -> WorkedOff:
    """Work a whole plan off as the study `plan.study_id`; its folder is `runs_dir/plan.study_id` (`open_study` for more).

    Chunks that failed are in `failed` and have no result; the others are all there, unless `stop()` ended it.
    """
    with open_study(
        plan.kind,
        plan.study_id,
        plan.subject,
        where=where,
        output=output,
        runs_dir=runs_dir,
        points=plan.points,
        watched=watched,
        about=about,
    ) as study:
        return study.work_off(plan, stop)
