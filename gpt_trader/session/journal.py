"""The journal of a session: everything that came in and everything that was decided, in one chain of hashed rows.

A session's state is a fold of its journal, so a first start and a start after a crash are the same path. Nothing is changed or
taken out of it afterwards: each row's hash covers the row and the hash before it (`check_chain`).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from gpt_trader.errors import BadParameter, GptTraderError


class JournalBroken(GptTraderError):
    """A journal's rows are not those that were written: one is missing, changed, or was put in."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing to write down.

    `kind` says what it is, `body` is a mapping of JSON's own types (quantities and money as text, never as floats), `data` holds
    arrays as bytes. `key` is its identity in the session: the same entry is written once, however often it comes.
    """

    kind: str
    key: str
    body: Mapping[str, Any] = field(default_factory=dict)
    data: bytes = b""

    @property
    def text(self) -> str:
        """The body in its one spelling: ASCII JSON with sorted keys. Raises BadParameter for what JSON has no value for."""
        try:
            return json.dumps(dict(self.body), sort_keys=True, separators=(",", ":"), allow_nan=False)
        except (TypeError, ValueError) as problem:
            raise BadParameter(f"an entry {self.kind!r} cannot be written as JSON: {problem}") from None


@dataclass(frozen=True, slots=True)
class JournalRow:
    """An entry as it was written: `seq` counts the session's rows from 1, `epoch` the writers, `at` is the wall clock in ns since
    1970 (for people; nothing is decided by it), `hash` 32 bytes."""

    seq: int
    epoch: int
    at: int
    kind: str
    key: str
    text: str
    data: bytes
    hash: bytes

    @property
    def body(self) -> dict[str, Any]:
        """What was written, as a mapping."""
        return dict(json.loads(self.text))


def first_hash(uid: str) -> bytes:
    """What the first row of a session's chain follows, 32 bytes: no two sessions have one beginning."""
    return _digest(b"gpt-trader journal 1", uid.encode())


def next_row(before: bytes, seq: int, epoch: int, at: int, entry: Entry) -> JournalRow:
    """The row of an entry behind a row with the hash `before`. Raises BadParameter for an entry without kind or key."""
    if not entry.kind or not entry.key:
        raise BadParameter(f"an entry of a journal has a kind and a key: {entry!r}")
    text = entry.text
    digest = row_hash(before, seq, epoch, at, entry.kind, entry.key, text, entry.data)
    return JournalRow(seq, epoch, at, entry.kind, entry.key, text, entry.data, digest)


def row_hash(
    before: bytes, seq: int, epoch: int, at: int, kind: str, key: str, text: str, data: bytes
) -> bytes:
    """SHA-256 over the hash before and every field of a row, each with its length, so that no two rows read alike."""
    return _digest(
        before, str(seq).encode(), str(epoch).encode(), str(at).encode(), kind.encode(), key.encode(), text.encode(), data
    )  # fmt: skip


def check_chain(rows: Iterable[JournalRow], before: bytes, seq: int = 0) -> tuple[int, bytes]:
    """Walk over rows that follow row `seq` with the hash `before`; returns the last number and hash.

    Raises JournalBroken, naming the row, where a number is left out, a writer is older than the one before it, or a hash is not
    that of its row.
    """
    epoch = 0
    for row in rows:
        if row.seq != seq + 1:
            raise JournalBroken(f"the journal goes from row {seq} to row {row.seq}")
        if row.epoch < epoch:
            raise JournalBroken(
                f"row {row.seq} is of writer {row.epoch}, the row before it of writer {epoch}"
            )
        found = row_hash(before, row.seq, row.epoch, row.at, row.kind, row.key, row.text, row.data)
        if found != row.hash:
            raise JournalBroken(
                f"row {row.seq} ({row.kind} {row.key}) is not what was written, or follows another row"
            )
        seq, epoch, before = row.seq, row.epoch, row.hash
    return seq, before


def _digest(*parts: bytes) -> bytes:
    made = hashlib.sha256()
    for part in parts:
        made.update(len(part).to_bytes(8, "big"))
        made.update(part)
    return made.digest()
