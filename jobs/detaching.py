"""Lets a study go on by itself: in a session of its own on this machine, or as a job of a Ray cluster."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from gpt_trader.errors import GptTraderError

if TYPE_CHECKING:
    from gpt_trader.adapters.study_files import StudyFolder, StudyRecord

POLL_SECONDS = 0.1


class StudyDidNotStart(GptTraderError):
    """A detached study ended before it began (exit code 1)."""


def start_detached(
    folder: StudyFolder, record: StudyRecord, sleep: Callable[[float], None] = time.sleep
) -> int:
    """Start `runs resume` for the study in a session of its own, which closing this terminal does not end; its process id.

    Returns when the study runs, or has run already. Raises StudyDidNotStart with what it said when it failed at once.
    """
    command = [sys.executable, "-m", "jobs.cli", "runs", "resume", record.study_id, "--log"]
    with folder.log.open("ab") as log:
        began = log.tell()
        process = subprocess.Popen(
            [*command, "--runs-dir", str(folder.path.parent)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            cwd=record.directory,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )
    while process.poll() is None and not folder.is_held():
        sleep(POLL_SECONDS)
    if process.poll():
        said = folder.log.read_bytes()[began:].decode(errors="replace").strip().splitlines()
        reason = said[-1].removeprefix("error: ") if said else f"it ended with exit code {process.returncode}"
        raise StudyDidNotStart(f"study {record.study_id} did not start: {reason}; its log is {folder.log}")
    return process.pid
