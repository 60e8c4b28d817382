"""How the command of a study is run again: as it was typed, in its folder; or by itself, in a process or a Ray job of its own."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gpt_trader.errors import GptTraderError, UserError

if TYPE_CHECKING:
    from gpt_trader.adapters.study_files import StudyFolder, StudyRecord
    from jobs.console import Output

POLL_SECONDS = 0.1

# -- the command as it was typed -----------------------------------------------------------------------------------------

_typed: ContextVar[tuple[str, ...]] = ContextVar("typed", default=())


@contextmanager
def typing_of(arguments: Sequence[str]) -> Iterator[None]:
    """Inside the block the running command is `gpt-trader ARGUMENTS`."""
    token = _typed.set(tuple(arguments))
    try:
        yield
    finally:
        _typed.reset(token)


def typed() -> tuple[str, ...]:
    """The arguments of the running command; empty when a function was called without the command line."""
    return _typed.get()


def without(
    arguments: Sequence[str], flags: Sequence[str] = (), valued: Sequence[str] = ()
) -> tuple[str, ...]:
    """`arguments` without these flags and without these options and their values."""
    kept: list[str] = []
    skip = False
    for item in arguments:
        if skip:
            skip = False
        elif item in valued:
            skip = True
        elif item not in flags and not item.startswith(tuple(f"{name}=" for name in valued)):
            kept.append(item)
    return tuple(kept)


# -- run again -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Resumed:
    """The study that the running command goes on with; `log` when it prints into the log of a detached study."""

    record: StudyRecord
    log: bool = False


_resumed: ContextVar[Resumed | None] = ContextVar("resumed", default=None)


def resumed() -> Resumed | None:
    """What the running command goes on with, None for a command of its own."""
    return _resumed.get()


@contextmanager
def going_on_with(record: StudyRecord, *, log: bool) -> Iterator[None]:
    """Inside the block, in the folder where the study's command was typed, the command that runs is that study."""
    token, before = _resumed.set(Resumed(record, log)), Path.cwd()
    try:
        os.chdir(record.directory)
    except OSError as error:
        _resumed.reset(token)
        raise UserError(
            f"study {record.study_id} was started in {record.directory}, which cannot be entered ({error.strerror}); "
            "its command may name files there"
        ) from None
    try:
        yield
    finally:
        os.chdir(before)
        _resumed.reset(token)


def check_same(record: StudyRecord, study_id: str, identity: Mapping[str, Any]) -> None:
    """Raises UserError, with what has changed, unless the command still makes the study of the record."""
    if record.study_id == study_id:
        return
    from gpt_trader.adapters.canonical_json import canonical_json

    changes = what_changed(record.identity, json.loads(canonical_json(identity))) or [
        "the points of its plan"
    ]
    raise UserError(
        f"study {record.study_id} cannot go on: {' and '.join(changes)} changed since it was started; "
        f"gpt-trader {' '.join(record.command)} runs it anew as {study_id}"
    )


_WORDS = {
    "engine": "GPT-Trader itself",
    "code": "the code of the strategy",
    "strategy": "the strategy",
    "index": "the bars of the index",
}


def what_changed(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """The parts of an experiment's identity that differ, in words; both as JSON has them."""
    found = [_WORDS[name] for name in _WORDS if before.get(name) != now.get(name)]
    if before.get("data") != now.get("data"):
        found.append(_changed_bars(before.get("data") or (), now.get("data") or ()))
    old, new = before.get("settings") or {}, now.get("settings") or {}
    names = [name for name in sorted({*old, *new}) if old.get(name) != new.get(name)]
    if names:
        found.append(f"the settings ({', '.join(names)})")
    known = {*_WORDS, "data", "settings"}
    found += [name for name in sorted({*before, *now} - known) if before.get(name) != now.get(name)]
    return found


def _changed_bars(before: Sequence[Any], now: Sequence[Any]) -> str:
    """The symbols whose bars differ, as far as they can be named."""
    old = {item[0]: item[1] for item in before if isinstance(item, list | tuple)}
    new = {item[0]: item[1] for item in now if isinstance(item, list | tuple)}
    names = [name for name in sorted({*old, *new}) if old.get(name) != new.get(name)]
    if not names:
        return "the bars (their order or their rows)"
    shown = ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
    return f"the bars of {shown}"


def resume_command(record: StudyRecord) -> str:
    """What is typed to go on with a study."""
    import shlex

    elsewhere = [record.command[i : i + 2] for i, item in enumerate(record.command) if item == "--runs-dir"]
    folder = (
        elsewhere[-1] if elsewhere else [item for item in record.command if item.startswith("--runs-dir=")]
    )
    return shlex.join(["gpt-trader", "runs", "resume", record.study_id, *folder])


# -- by itself -----------------------------------------------------------------------------------------------------------


def detach(folder: StudyFolder, record: StudyRecord, submit_to: str | None, output: Output) -> None:
    """Start the study in a process of its own, or as a job of the cluster at `submit_to`, and say how to follow it."""
    from gpt_trader.adapters import study_files as states

    if submit_to is None:
        folder.write(record)
        process = start_detached(folder, record)
        told = f"study {record.study_id} goes on by itself, as process {process}"
        output.emit(
            {"run_id": record.study_id, "status": states.RUNNING, "process": process, "log": folder.log}
        )
    else:
        from jobs.executors.ray_jobs import submit

        runs_dir = ("--runs-dir", str(folder.path.parent))
        name = submit(submit_to, record.study_id, (*record.command, *runs_dir), Path.cwd())
        folder.write(replace(record, status=states.SUBMITTED, job={"id": name, "address": submit_to}))
        told = f"study {record.study_id} was handed over to {submit_to}, as job {name}"
        output.emit(
            {"run_id": record.study_id, "status": states.SUBMITTED, "job": name, "address": submit_to}
        )
    output.line(told)
    output.line(f"{'how far it is':<16}gpt-trader runs list")
    output.line(f"{'stop it':<16}gpt-trader runs cancel {record.study_id}")
    if submit_to is None:
        output.line(f"{'its output':<16}{folder.log}")
    else:
        output.line(f"{'its output':<16}ray job logs {name} --address {submit_to}")


class StudyDidNotStart(GptTraderError):
    """A detached study ended before it began (exit code 1)."""


def start_detached(
    folder: StudyFolder, record: StudyRecord, sleep: Callable[[float], None] = time.sleep
) -> int:
    """Start `runs resume` for the study in a session of its own, which closing this terminal does not end; its process id.

    Returns when the study runs, or has run already. Raises StudyDidNotStart with what it said when it failed at once.
    """
    import subprocess

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
