"""Keeps the record of a running study up to date: study.json in its folder, and its row in the store."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gpt_trader.adapters.store.errors import StoreError
from gpt_trader.adapters.study_files import RUNNING, StudyFolder, StudyRecord
from gpt_trader.version import __version__
from jobs.resuming import resumed, typed, without

if TYPE_CHECKING:
    from gpt_trader.adapters.store import RunStore
    from gpt_trader.research.experiment import Experiment
    from jobs.study_progress import Tracker

SAVE_SECONDS = 1.0


def record_of(
    folder: StudyFolder, kind: str, experiment: Experiment, about: Mapping[str, Any], now: datetime
) -> StudyRecord:
    """The record of a study that begins now, or goes on: how and when it was first started, and as which job, stays."""
    going_on = resumed()
    try:
        before = folder.read()
    except StoreError:
        before = None
    return StudyRecord(
        study_id=folder.path.name,
        kind=kind,
        status=RUNNING,
        command=without(typed(), ("--detach",), ("--submit",))
        if going_on is None
        else going_on.record.command,
        directory=str(Path.cwd()),
        version=__version__,
        created_at=now.isoformat() if before is None else before.created_at,
        updated_at=now.isoformat(),
        identity=experiment.identity,
        about={**_span_of(experiment), **about},
        progress={} if before is None else before.progress,
        job=(None if before is None else before.job) or _own_job(),
    )


def _span_of(experiment: Experiment) -> dict[str, Any]:
    bars = experiment.bars
    return {"symbols": bars.symbols, "start": bars.time[0], "end": bars.time[-1]}


def _own_job() -> Mapping[str, str] | None:
    """The Ray job that this process is, when it is one."""
    try:
        metadata = json.loads(os.environ["RAY_JOB_CONFIG_JSON_ENV_VAR"])["metadata"]
        return {"id": str(metadata["job_submission_id"])}
    except (KeyError, ValueError, TypeError):
        return None


class Recorder:
    """Writes the record of a study as it runs, at most once a second.

    A store that refuses is reported once to `notify` and left alone: the study does not depend on it. A disk that refuses the
    study's own record does so for its chunks as well, and ends it.
    """

    def __init__(
        self,
        folder: StudyFolder,
        record: StudyRecord,
        store: RunStore | None,
        notify: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.folder, self.record = folder, record
        self._store, self._notify, self._clock = store, notify, clock
        self._saved = float("-inf")

    def begin(self, experiment: Experiment) -> None:
        """The study runs from now on, in this process."""
        self._write(replace(self.record, process=os.getpid()))
        if self._store is not None:
            self._in_store(
                lambda store: store.save_study(_row(self.record, self.folder, experiment), created_at=_now())
            )

    def update(self, tracker: Tracker, place: str) -> None:
        """How far the study is; written when a second has passed since the last time."""
        if self._clock() - self._saved < SAVE_SECONDS:
            return
        self._saved = self._clock()
        self._write(
            replace(self.record, place=place, progress=tracker.as_json(), updated_at=_now().isoformat())
        )
        self._tell_store(RUNNING, tracker)

    def fail_chunk(self, failure: Mapping[str, Any]) -> None:
        """One more chunk that has no result."""
        self.record = replace(self.record, failures=(*self.record.failures, failure))

    def end(self, status: str, tracker: Tracker, place: str, error: str | None = None) -> None:
        """The study has ended so; where the disk refuses even this, the lock that ends with the process tells it."""
        record = replace(
            self.record, status=status, place=place, progress=tracker.as_json(), updated_at=_now().isoformat(),
            error=error, process=None,
        )  # fmt: skip
        try:
            self._write(record)
        except StoreError:
            if error is None:
                raise
        self._tell_store(status, tracker)

    def _write(self, record: StudyRecord) -> None:
        self.record = record
        self.folder.write(record)

    def _tell_store(self, status: str, tracker: Tracker) -> None:
        metrics = tracker.as_metrics()
        self._in_store(
            lambda store: store.update_study(self.record.study_id, status, metrics, changed_at=_now())
        )

    def _in_store(self, write: Callable[[RunStore], Any]) -> None:
        if self._store is None:
            return
        try:
            with self._store as opened:
                write(opened)
        except StoreError as problem:
            self._store = None
            self._notify(f"note: {problem}; the study goes on without its row in the store")


def _row(record: StudyRecord, folder: StudyFolder, experiment: Experiment) -> Any:
    """The study as a row of the store."""
    from gpt_trader.adapters.store.studies import Study
    from gpt_trader.strategy import strategy_name

    return Study(
        run_id=record.study_id,
        kind=record.kind,
        strategy=strategy_name(experiment.strategy),
        parameters=record.about.get("parameters", record.about.get("axes", {})),
        **_span_of(experiment),
        fingerprint=experiment.key,
        manifest={**record.identity, "about": record.about, "version": record.version},
        folder=folder.path,
    )


def _now() -> datetime:
    return datetime.now(UTC)
