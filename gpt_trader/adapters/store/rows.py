"""Rows of a database over its own driver: the same few statements for SQLite and PostgreSQL, and values as they take them.

No SQLAlchemy here, on purpose: its import takes a third of the time a whole `gpt-trader backtest` may take.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from gpt_trader.adapters.canonical_json import canonical_json
from gpt_trader.adapters.store.errors import StoreError

if TYPE_CHECKING:
    import sqlite3

    import psycopg


class Rows(Protocol):
    """What the store needs of a database: one statement, its rows, many rows at once, and one writer at a time."""

    def execute(self, statement: str, values: Sequence[Any]) -> Any:
        """Run a statement with `?` for its values; the first value of the first row, None without a row."""
        ...

    def select(self, statement: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """All rows of a question."""
        ...

    def insert(self, table: str, columns: Sequence[str], rows: Iterable[tuple[Any, ...]]) -> None:
        """Insert the rows."""
        ...

    def queue(self, lock: int) -> None:
        """Wait until no other transaction that has called this with the same number is open."""
        ...


@dataclass(frozen=True, slots=True)
class SqliteRows:
    """Rows by the standard library's driver; a writing transaction is alone from its start."""

    connection: sqlite3.Connection

    def execute(self, statement: str, values: Sequence[Any]) -> Any:
        """See Rows."""
        row = self.connection.execute(statement, values).fetchone()
        return None if row is None else row[0]

    def select(self, statement: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """See Rows."""
        return self.connection.execute(statement, values).fetchall()

    def insert(self, table: str, columns: Sequence[str], rows: Iterable[tuple[Any, ...]]) -> None:
        """See Rows."""
        marks = ", ".join("?" * len(columns))
        self.connection.executemany(f"INSERT INTO {table} ({names(columns)}) VALUES ({marks})", rows)

    def queue(self, lock: int) -> None:
        """See Rows."""


@dataclass(frozen=True, slots=True)
class PostgresRows:
    """Rows by psycopg: many at once go through COPY."""

    connection: psycopg.Connection[Any]

    def execute(self, statement: str, values: Sequence[Any]) -> Any:
        """See Rows."""
        cursor = self.connection.execute(statement.replace("?", "%s").encode(), values)
        row = cursor.fetchone() if cursor.description else None
        return None if row is None else row[0]

    def select(self, statement: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """See Rows."""
        return self.connection.execute(statement.replace("?", "%s").encode(), values).fetchall()

    def insert(self, table: str, columns: Sequence[str], rows: Iterable[tuple[Any, ...]]) -> None:
        """See Rows."""
        statement = f"COPY {table} ({names(columns)}) FROM STDIN"
        with self.connection.cursor() as cursor, cursor.copy(statement.encode()) as copy:
            for row in rows:
                copy.write_row(row)

    def queue(self, lock: int) -> None:
        """See Rows. An advisory lock: it needs no right on any table."""
        self.connection.execute(b"SELECT pg_advisory_xact_lock(%s)", (lock,))


def names(columns: Iterable[str]) -> str:
    """Columns as SQL lists them."""
    return ", ".join(f'"{column}"' for column in columns)


def json_text(value: Any) -> str:
    """A value as canonical JSON."""
    return canonical_json(value).decode("utf-8").rstrip("\n")


def moment(clock: datetime) -> str:
    """A moment as naive UTC text; a naive one is UTC already."""
    at = clock.astimezone(UTC) if clock.tzinfo is not None else clock
    return at.strftime("%Y-%m-%d %H:%M:%S.%f")


def time_of(value: Any) -> str:
    """A bar's time as text. Raises StoreError for none."""
    text = time_cells(np.array([np.datetime64(value, "ns")]))[0]
    if text is None:
        raise StoreError("the result has no start or no end")
    return text


def time_cells(values: NDArray[np.datetime64]) -> list[str | None]:
    """Times as SQLAlchemy's own text in SQLite, `2010-01-04 00:00:00.000000`, which PostgreSQL reads too."""
    micro = values.astype("datetime64[us]")
    absent = np.isnat(values)
    if not np.array_equal(micro.astype("datetime64[ns]")[~absent], values[~absent]):
        raise StoreError("a time is finer than a microsecond; the databases cannot keep it")
    text = np.ascontiguousarray(np.datetime_as_string(micro, unit="us").astype("U26"))
    if len(text):
        text.view("U1").reshape(len(text), 26)[:, 10] = " "
    cells: list[Any] = text.tolist()
    for row in np.flatnonzero(absent).tolist():
        cells[row] = None
    return cells
