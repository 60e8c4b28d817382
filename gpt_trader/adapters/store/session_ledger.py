"""A session's journal in a database: one writer at a time, every acknowledged row kept, a process that was replaced kept out.

SQLite (WAL, synchronous FULL) and PostgreSQL, over their own drivers: the process that keeps the account imports little, so that
it is soon back after a crash.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import socket
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gpt_trader.adapters.store import postgres, sqlite
from gpt_trader.adapters.store.errors import StoreError
from gpt_trader.adapters.store.location import Location, locate
from gpt_trader.adapters.store.migrations import HEAD
from gpt_trader.adapters.store.repository import RunStore
from gpt_trader.adapters.store.rows import PostgresRows, Rows, SqliteRows
from gpt_trader.errors import UnknownName
from gpt_trader.session.journal import Entry, JournalBroken, JournalRow, check_chain, first_hash, next_row

BUSY_TIMEOUT_SECONDS = 5.0
READ_ROWS = 2_000
KEYS_ASKED = 500
JOURNAL = ("session", "seq", "epoch", "at", "kind", "key", "body", "data", "hash")
ROW = "seq, epoch, at, kind, key, body, data, hash"
SNAPSHOTS_KEPT = 2


class Fenced(StoreError):
    """Another process has become the writer of the session: this one may not act any more."""


class JournalConflict(StoreError):
    """An entry with the key of another one says something else than that one."""


@dataclass(frozen=True, slots=True)
class Holder:
    """The process that writes: its host, its number and when it was started (clock ticks since the host's start, 0 if unknown)."""

    host: str
    pid: int
    started: int


def this_process() -> Holder:
    """This process as a holder."""
    try:
        started = int(Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19])
    except (OSError, ValueError, IndexError):  # not Linux
        started = 0
    return Holder(socket.gethostname(), os.getpid(), started)


class SessionLedger:
    """The journal of the session `session` in the store of `url`, for reading; `writer` is the one that may write.

    Every method raises StoreError as those of `RunStore` do.
    """

    def __init__(self, url: str, session: str, *, busy_timeout: float = BUSY_TIMEOUT_SECONDS) -> None:
        self.location: Location = locate(url)
        self.session = session
        self._busy_timeout = busy_timeout

    def prepare(self) -> None:
        """Make the store or bring its schema up to date; `writer` does this where it is needed."""
        with RunStore(self.location.url, busy_timeout=self._busy_timeout) as store:
            store.prepare()

    def writer(self, holder: Holder | None = None, clock: Callable[[], int] = time.time_ns) -> LedgerWriter:
        """Become the writer: the session is made when there is none, and whoever wrote before is kept out from now on."""
        if not self._is_ready():
            self.prepare()
        return LedgerWriter(self.location, self.session, holder or this_process(), clock, self._busy_timeout)

    def uid(self) -> str:
        """The session's own 16 hexadecimal digits. Raises UnknownName where there is no such session."""
        with self._reading() as rows:
            return _uid(rows, self.session)

    def head(self) -> tuple[int, bytes]:
        """Number and hash of the last row; 0 and the first hash of the session before there is one."""
        with self._reading() as rows:
            return _head(rows, self.session, _uid(rows, self.session))

    def rows(self, after: int = 0, kinds: Sequence[str] = ()) -> Iterator[JournalRow]:
        """The rows behind number `after`, oldest first, of the given kinds or of all. Memory does not grow with their number."""
        chosen = f" AND kind IN ({', '.join('?' * len(kinds))})" if kinds else ""
        question = (
            f"SELECT {ROW} FROM journal WHERE session = ? AND seq > ?{chosen} ORDER BY seq LIMIT {READ_ROWS}"
        )
        while True:
            with self._reading() as rows:
                found = rows.select(question, (self.session, after, *kinds))
            for values in found:
                yield _row(values)
            if len(found) < READ_ROWS:
                return
            after = found[-1][0]

    def verify(self) -> int:
        """Walk over the whole chain; the number of rows. Raises JournalBroken where it is not what was written."""
        seq, digest = check_chain(self.rows(), first_hash(self.uid()))
        if (seq, digest) != self.head():
            raise JournalBroken(f"the journal has rows behind row {seq} that belong to nothing")
        return seq

    def snapshot(self) -> tuple[int, bytes] | None:
        """The newest state that is whole and the row after which it was taken; None when there is none."""
        with self._reading() as rows:
            for seq, state, digest in rows.select(
                "SELECT seq, state, hash FROM session_snapshots WHERE session = ? ORDER BY seq DESC",
                (self.session,),
            ):
                if hashlib.sha256(state).digest() == bytes(digest):
                    return int(seq), bytes(state)
        return None

    def _is_ready(self) -> bool:
        try:
            with self._reading() as rows:
                return bool(rows.execute("SELECT version_num FROM alembic_version", ()) == HEAD)
        except StoreError:  # no such table yet, or something that `prepare` says better
            return False

    @contextmanager
    def _reading(self) -> Iterator[Rows]:
        with _errors(self.location), closing(_connect(self.location, self._busy_timeout)) as database:
            if self.location.path is not None:
                database.execute("BEGIN")
            yield _rows(self.location, database)


class LedgerWriter:
    """The one writer of a session's journal; made by `SessionLedger.writer`. One thread uses it.

    `epoch` counts the writers from 1, `seq` and `hash` are those of the last row.
    """

    def __init__(
        self,
        location: Location,
        session: str,
        holder: Holder,
        clock: Callable[[], int],
        busy_timeout: float,
    ) -> None:
        self.session, self.holder = session, holder
        self._location, self._clock, self._busy_timeout = location, clock, busy_timeout
        self._database: Any = None
        self._database_was_lost = False
        self._file = 0
        self.epoch, self.seq, self.hash, self.uid = 0, 0, b"", ""
        with self._transaction() as rows:
            self.uid = self._session_uid(rows)
            self.epoch = self._next_epoch(rows)
            arrived = Entry("writer", f"writer/{self.epoch}", {
                "epoch": self.epoch, "host": holder.host, "pid": holder.pid, "started": holder.started,
            })  # fmt: skip
            seq, digest, _ = self._write(rows, (arrived,), *_head(rows, session, self.uid))
        self.seq, self.hash = seq, digest

    def append(self, entries: Iterable[Entry]) -> tuple[JournalRow, ...]:
        """Write entries, all or none, and return their rows when they are safe on disk.

        An entry whose key is there already is not written again; its row is the old one. Raises JournalConflict when that one says
        something else, Fenced when another writer has come, and StoreError when the database failed: whether the entries are there
        is then unknown, and appending the same entries again makes it known.
        """
        asked = tuple(entries)
        with self._transaction() as rows:
            self._refuse_if_fenced(rows)
            seq, digest, known = self._write(rows, asked, *self._position(rows))
        self.seq, self.hash = seq, digest
        return tuple(known[entry.key] for entry in asked)

    def keep_snapshot(self, state: bytes) -> None:
        """Keep the state after the last row; the last two are kept. Raises Fenced and StoreError as `append` does."""
        with self._transaction() as rows:
            self._refuse_if_fenced(rows)
            seq, _ = self._position(rows)
            rows.execute("DELETE FROM session_snapshots WHERE session = ? AND seq = ?", (self.session, seq))
            rows.insert("session_snapshots", ("session", "seq", "state", "hash"), [
                (self.session, seq, state, hashlib.sha256(state).digest())
            ])  # fmt: skip
            kept = rows.select(
                "SELECT seq FROM session_snapshots WHERE session = ? ORDER BY seq DESC", (self.session,)
            )
            for (old,) in kept[SNAPSHOTS_KEPT:]:
                rows.execute(
                    "DELETE FROM session_snapshots WHERE session = ? AND seq = ?", (self.session, old)
                )

    def close(self) -> None:
        """Close the connection; the session can have another writer."""
        database, self._database = self._database, None
        if database is not None:
            database.close()

    def __enter__(self) -> LedgerWriter:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # -- inside

    def _write(
        self, rows: Rows, entries: Sequence[Entry], seq: int, digest: bytes
    ) -> tuple[int, bytes, dict[str, JournalRow]]:
        """Write what is not there behind row `seq`; number and hash of the last row, and the rows of all entries by key."""
        known = self._known(rows, entries)
        new: list[JournalRow] = []
        for entry in entries:
            old = known.get(entry.key)
            if old is None:
                row = next_row(digest, seq + 1, self.epoch, self._clock(), entry)
                seq, digest = row.seq, row.hash
                known[entry.key] = row
                new.append(row)
            elif (old.kind, old.text, old.data) != (entry.kind, entry.text, entry.data):
                raise JournalConflict(
                    f"{entry.kind} {entry.key} is in row {old.seq} of the journal already and says something else"
                )
        if new:
            rows.insert("journal", JOURNAL, (
                (self.session, row.seq, row.epoch, row.at, row.kind, row.key, row.text, row.data, row.hash)
                for row in new
            ))  # fmt: skip
        return seq, digest, known

    def _session_uid(self, rows: Rows) -> str:
        rows.execute(
            "INSERT INTO sessions (session, uid, created_at) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
            (self.session, secrets.token_hex(8), self._clock()),
        )
        return str(rows.execute("SELECT uid FROM sessions WHERE session = ?", (self.session,)))

    def _next_epoch(self, rows: Rows) -> int:
        holder = (self.holder.host, self.holder.pid, self.holder.started, self.session)
        rows.execute(
            "INSERT INTO session_writers (host, pid, started, session, epoch) VALUES (?, ?, ?, ?, 0) ON CONFLICT DO NOTHING",
            holder,
        )
        epoch = self._writer_row(rows)[0] + 1
        rows.execute(
            "UPDATE session_writers SET epoch = ?, host = ?, pid = ?, started = ? WHERE session = ?",
            (epoch, *holder),
        )
        return epoch

    def _writer_row(self, rows: Rows) -> tuple[int, str, int]:
        """Epoch, host and process of the newest writer. On PostgreSQL with a lock on the row, on which a new writer waits until the
        end of this transaction; on SQLite the transaction has the whole file."""
        lock = "" if self._location.path is not None else " FOR UPDATE"
        found = rows.select(
            f"SELECT epoch, host, pid FROM session_writers WHERE session = ?{lock}", (self.session,)
        )
        if not found:
            raise StoreError(f"session {self.session} is no longer in the store {self._location.shown}")
        epoch, host, pid = found[0]
        return int(epoch), str(host), int(pid)

    def _refuse_if_fenced(self, rows: Rows) -> None:
        epoch, host, pid = self._writer_row(rows)
        if epoch != self.epoch:
            raise Fenced(
                f"session {self.session} has another writer since: process {pid} on {host} (writer {epoch}, "
                f"this is writer {self.epoch}); this process must end"
            )

    def _position(self, rows: Rows) -> tuple[int, bytes]:
        """Number and hash of the last row: asked again after an error, for then it is unknown what was written."""
        if self._database_was_lost:
            return _head(rows, self.session, self.uid)
        return self.seq, self.hash

    def _known(self, rows: Rows, entries: Sequence[Entry]) -> dict[str, JournalRow]:
        """The rows of those entries whose keys are there."""
        keys = [entry.key for entry in entries]
        found: dict[str, JournalRow] = {}
        for first in range(0, len(keys), KEYS_ASKED):
            some = keys[first : first + KEYS_ASKED]
            marks = ", ".join("?" * len(some))
            for values in rows.select(
                f"SELECT {ROW} FROM journal WHERE session = ? AND key IN ({marks})", (self.session, *some)
            ):
                row = _row(values)
                found[row.key] = row
        return found

    @contextmanager
    def _transaction(self) -> Iterator[Rows]:
        """One writing transaction on the connection that is kept; a connection that failed is left and the next one asks anew."""
        try:
            with _errors(self._location):
                self._refuse_if_gone()
                if self._database is None:
                    self._database = _connect(self._location, self._busy_timeout)
                if self._location.path is not None:
                    with sqlite.transaction(self._database) as database:
                        yield SqliteRows(database)
                else:
                    with self._database.transaction():
                        yield PostgresRows(self._database)
        except (Fenced, JournalConflict):
            raise
        except BaseException:
            self._database_was_lost = True
            self._drop_connection()
            raise
        self._database_was_lost = False

    def _refuse_if_gone(self) -> None:
        """An SQLite file that was moved or deleted takes rows as if it were there; nobody would find them again."""
        path = self._location.path
        if path is None:
            return
        try:
            file = path.stat().st_ino
        except OSError as problem:
            raise StoreError(
                f"store {self._location.shown}: the file is gone ({problem.strerror})"
            ) from problem
        if self._file not in (0, file):
            raise StoreError(f"store {self._location.shown}: another file is in its place")
        self._file = file

    def _drop_connection(self) -> None:
        database, self._database = self._database, None
        if database is not None:
            with suppress(Exception):  # it is lost already
                database.close()


def _connect(location: Location, busy_timeout: float) -> Any:
    """A connection of the driver itself."""
    database: Any = sqlite if location.path is not None else postgres
    return database.connect(location, busy_timeout)


def _rows(location: Location, database: Any) -> Rows:
    return SqliteRows(database) if location.path is not None else PostgresRows(database)


@contextmanager
def _errors(location: Location) -> Iterator[None]:
    """The driver's errors as StoreError."""
    if location.path is not None:
        driver_error: type[Exception] = sqlite3.Error
    else:
        from psycopg import Error as driver_error  # noqa: N813
    try:
        yield
    except driver_error as problem:
        said = (sqlite if location.path is not None else postgres).cause(problem)
        raise StoreError(f"store {location.shown}: {said}") from problem


def _uid(rows: Rows, session: str) -> str:
    names = dict(rows.select("SELECT session, uid FROM sessions"))
    if session not in names:
        raise UnknownName("session", session, tuple(names))
    return str(names[session])


def _head(rows: Rows, session: str, uid: str) -> tuple[int, bytes]:
    found = rows.select(
        "SELECT seq, hash FROM journal WHERE session = ? ORDER BY seq DESC LIMIT 1", (session,)
    )
    return (int(found[0][0]), bytes(found[0][1])) if found else (0, first_hash(uid))


def _row(values: Sequence[Any]) -> JournalRow:
    seq, epoch, at, kind, key, text, data, digest = values
    return JournalRow(
        int(seq), int(epoch), int(at), str(kind), str(key), str(text), bytes(data), bytes(digest)
    )
