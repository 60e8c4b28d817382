"""Runs the command of an earlier study again, and says what has changed when it would be another study."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gpt_trader.errors import UserError

if TYPE_CHECKING:
    from gpt_trader.adapters.study_files import StudyRecord


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
    from gpt_trader.adapters.canonical import canonical_json

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
    """The parts of a subject's identity that differ, in words; both as JSON has them."""
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
