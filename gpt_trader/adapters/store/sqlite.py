"""SQLite made durable: how every connection to a store's file is opened and what its errors mean."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import quote

from gpt_trader.adapters.store.errors import StoreError
from gpt_trader.adapters.store.location import Location

WAL_SIZE_LIMIT_BYTES = 64 * 1024 * 1024
POLL_SECONDS = 0.01

_CAUSES = (
    ("locked", "another process is writing to it; try again when that has finished"),
    ("readonly", "it is read-only; give this user write permission on the file and its folder"),
    ("full", "the disk is full; free space and try again, nothing was changed"),
    ("disk i/o error", "the disk refused; check its space and its health, nothing was changed"),
    (
        "unable to open",
        "the file cannot be opened; check that it exists and that this user may read and write it",
    ),
    ("not a database", "the file is not an SQLite database; move it away or name another store"),
    ("malformed", "the file is damaged; restore a backup or move it away"),
)


def connect(location: Location, busy_timeout: float) -> sqlite3.Connection:
    """A connection to the store's file, made with its folder when absent; waits `busy_timeout` seconds for a writer.

    WAL with synchronous FULL: an acknowledged run survives a power cut. Foreign keys are on, the log's size is capped,
    and the driver begins no transaction by itself.
    """
    assert location.path is not None  # noqa: S101 - callers have told the kinds apart
    mode = "ro" if location.read_only else "rwc"
    if not location.read_only:
        try:
            location.path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as problem:
            raise StoreError(
                f"cannot make the folder of the store {location.path}: {problem.strerror}"
            ) from problem
    connection = sqlite3.connect(
        f"file:{quote(str(location.path))}?mode={mode}",
        uri=True,
        timeout=busy_timeout,
        isolation_level=None,
        check_same_thread=False,  # SQLAlchemy's pool hands connections between threads, one at a time
    )
    try:
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute(f"PRAGMA journal_size_limit = {WAL_SIZE_LIMIT_BYTES}")
        _use_log(connection, busy_timeout)
    except BaseException:
        connection.close()
        raise
    return connection


def _use_log(connection: sqlite3.Connection, busy_timeout: float) -> None:
    """Switch to WAL where that is not done yet. SQLite refuses at once while another connection writes without a log, as a process
    does that makes the same store; so this waits for it, `busy_timeout` seconds."""
    until = time.monotonic() + busy_timeout
    while connection.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as problem:
            if "locked" not in str(problem) or time.monotonic() > until:
                raise
            time.sleep(POLL_SECONDS)


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
    """A writing transaction that has the write lock from its start; committed at the end, undone on any error."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield connection
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def cause(problem: BaseException) -> str:
    """One sentence for what SQLite said: the cause and what to do."""
    message = str(problem).strip()
    return next((f"{hint} ({message})" for needle, hint in _CAUSES if needle in message.lower()), message)
