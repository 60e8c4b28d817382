"""The folder of a study: its record (study.json), who works on it, and the request to stop."""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from gpt_trader.adapters.atomic_files import atomic_file
from gpt_trader.adapters.canonical_json import canonical_json
from gpt_trader.adapters.store.errors import StoreError
from gpt_trader.errors import UnknownName, UserError

RECORD, LOCK, STOP, LOG = "study.json", ".lock", "cancel", "log.txt"
LOCK_SECONDS = 2.0
RUNNING, FINISHED, CANCELLED, FAILED, INTERRUPTED = (
    "running",
    "finished",
    "cancelled",
    "failed",
    "interrupted",
)
SUBMITTED = "submitted"


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyRecord:
    """What is known of a study.

    `command` are the arguments of `gpt-trader` that make it, typed in `directory`; `identity` is what its results depend
    on; `about` is what the command tells of it; `place` says where it runs, `process` is the process id of its driver;
    `progress` counts points and seconds and names the best so far; `failures` are the chunks without a result; `job` is the
    Ray job it was handed over as. Times are ISO 8601 in UTC.
    """

    study_id: str
    kind: str
    status: str
    command: tuple[str, ...]
    directory: str
    version: str
    created_at: str
    updated_at: str
    identity: Mapping[str, Any] = field(default_factory=dict)
    about: Mapping[str, Any] = field(default_factory=dict)
    place: str = ""
    process: int | None = None
    progress: Mapping[str, Any] = field(default_factory=dict)
    failures: tuple[Mapping[str, Any], ...] = ()
    error: str | None = None
    job: Mapping[str, str] | None = None


class StudyFolder:
    """A study on disk. Its record appears whole or not at all, and is for this user to read: it holds a command line."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def log(self) -> Path:
        """What a detached study prints."""
        return self.path / LOG

    def read(self) -> StudyRecord:
        """The record. Raises StoreError when it is absent or damaged."""
        file = self.path / RECORD
        try:
            content = json.loads(file.read_bytes())
            known = {item.name for item in fields(StudyRecord)}
            given = {name: value for name, value in content.items() if name in known}
            given |= {name: tuple(given[name]) for name in ("command", "failures") if name in given}
            return StudyRecord(**given)
        except (OSError, ValueError, TypeError, AttributeError) as problem:
            raise StoreError(
                f"{file} is not the record of a study ({problem}); run the study again"
            ) from problem

    def write(self, record: StudyRecord) -> None:
        """Replace the record. Raises StoreError when the disk refuses."""
        try:
            with (
                atomic_file(self.path / RECORD) as part,
                os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file,
            ):
                file.write(canonical_json(record))
        except OSError as problem:
            raise StoreError(
                f"cannot write into {self.path}: {problem.strerror or problem}; free space or choose another folder "
                "(--runs-dir)"
            ) from problem

    def status(self, record: StudyRecord) -> str:
        """The status, with the truth about a driver that is gone: killed, or its machine switched off."""
        if record.status != RUNNING or self.is_held():
            return record.status
        return CANCELLED if self.is_asked_to_stop() else INTERRUPTED

    def status_now(self) -> str | None:
        """The status of the study whose record is here; None without one."""
        try:
            return self.status(self.read())
        except StoreError:
            return None

    # -- who works on it --------------------------------------------------------------------------------------------

    @contextmanager
    def held(self, sleep: Callable[[float], None] = time.sleep) -> Iterator[None]:
        """The right to work on the study, which ends with the process.

        Raises UserError while another one has it, StoreError when the disk refuses the folder.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            opened = (self.path / LOCK).open("a")
        except OSError as problem:
            raise StoreError(
                f"cannot write into {self.path}: {problem.strerror or problem}; choose another folder (--runs-dir)"
            ) from problem
        with opened as file:
            for _ in range(int(LOCK_SECONDS / 0.1)):  # somebody may just be asking `is_held`
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    sleep(0.1)
            else:
                raise UserError(
                    f"study {self.path.name} is running already; gpt-trader runs list shows how far it is, "
                    f"gpt-trader runs cancel {self.path.name} stops it"
                )
            yield

    def is_held(self) -> bool:
        """Whether a process works on the study now."""
        try:
            with (self.path / LOCK).open("a") as file:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        except OSError:
            return False
        return False

    # -- the request to stop ----------------------------------------------------------------------------------------

    def ask_to_stop(self) -> None:
        """Ask whoever works on the study to stop soon."""
        (self.path / STOP).touch()

    def is_asked_to_stop(self) -> bool:
        """Whether somebody asked."""
        return (self.path / STOP).exists()

    def forget_request(self) -> None:
        """The request is done with."""
        (self.path / STOP).unlink(missing_ok=True)


def studies_in(runs_dir: Path) -> list[tuple[StudyFolder, StudyRecord]]:
    """Every study of a folder of runs with a readable record, the newest first."""
    found = []
    for file in runs_dir.glob(f"*/{RECORD}"):
        folder = StudyFolder(file.parent)
        try:
            found.append((folder, folder.read()))
        except StoreError:
            continue
    return sorted(found, key=lambda item: (item[1].created_at, item[1].study_id), reverse=True)


def find_study(runs_dir: Path, prefix: str) -> tuple[StudyFolder, StudyRecord]:
    """The study whose id begins with `prefix`; `last` is the newest. Raises UnknownName when there is none, UserError for
    several."""
    studies = studies_in(runs_dir)
    if prefix == "last" and studies:
        return studies[0]
    matching = [item for item in studies if item[1].study_id.startswith(prefix)]
    if not matching:
        raise UnknownName(f"study in {runs_dir}", prefix, [record.study_id for _, record in studies])
    if len(matching) > 1:
        names = ", ".join(record.study_id for _, record in matching)
        raise UserError(f"{prefix!r} is the beginning of several studies: {names}; give more of it")
    return matching[0]
