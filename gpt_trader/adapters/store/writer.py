"""Writing one run into an open transaction: the same statements for SQLite and PostgreSQL, over their own drivers.

No SQLAlchemy here, on purpose: its import takes a third of the time a whole `gpt-trader backtest` may take.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import repeat
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from gpt_trader.adapters.canonical import canonical_json
from gpt_trader.adapters.run_files import RunFolder, StorableResult, table_of
from gpt_trader.adapters.run_tables import TABLES, Kind
from gpt_trader.adapters.store.errors import StoreError

if TYPE_CHECKING:
    import sqlite3

    import psycopg


@dataclass(frozen=True, slots=True)
class Saving:
    """How a run is saved: its kind and status, when, and from how many rows on a table stays in its file alone."""

    created_at: datetime
    kind: str = "backtest"
    status: str = "finished"
    row_limit: int = 50_000


class Rows(Protocol):
    """What writing needs of a database: one statement, and many rows at once."""

    def execute(self, statement: str, values: Sequence[Any]) -> Any:
        """Run a statement with `?` for its values; the first value of the first row, None without a row."""
        ...

    def insert(self, table: str, columns: Sequence[str], rows: Iterable[tuple[Any, ...]]) -> None:
        """Insert the rows."""
        ...


@dataclass(frozen=True, slots=True)
class SqliteRows:
    """Rows by the standard library's driver."""

    connection: sqlite3.Connection

    def execute(self, statement: str, values: Sequence[Any]) -> Any:
        """See Rows."""
        row = self.connection.execute(statement, values).fetchone()
        return None if row is None else row[0]

    def insert(self, table: str, columns: Sequence[str], rows: Iterable[tuple[Any, ...]]) -> None:
        """See Rows."""
        marks = ", ".join("?" * len(columns))
        self.connection.executemany(f"INSERT INTO {table} ({_names(columns)}) VALUES ({marks})", rows)


@dataclass(frozen=True, slots=True)
class PostgresRows:
    """Rows by psycopg: many at once go through COPY."""

    connection: psycopg.Connection[Any]

    def execute(self, statement: str, values: Sequence[Any]) -> Any:
        """See Rows."""
        cursor = self.connection.execute(statement.replace("?", "%s").encode(), values)
        row = cursor.fetchone() if cursor.description else None
        return None if row is None else row[0]

    def insert(self, table: str, columns: Sequence[str], rows: Iterable[tuple[Any, ...]]) -> None:
        """See Rows."""
        statement = f"COPY {table} ({_names(columns)}) FROM STDIN"
        with self.connection.cursor() as cursor, cursor.copy(statement.encode()) as copy:
            for row in rows:
                copy.write_row(row)


def _names(columns: Iterable[str]) -> str:
    return ", ".join(f'"{column}"' for column in columns)


def write_rows(rows: Rows, result: StorableResult, folder: RunFolder | None, saving: Saving) -> bool:
    """Write every row of `result`; True for a new run, False when it was there and only its count of sights rose.

    A table of more than `row_limit` rows stays in its Parquet file when there is a `folder`; the store then keeps its
    number of rows and its hash.
    """
    run = _insert_run(rows, result, folder, saving)
    if run is None:
        statement = "UPDATE runs SET seen = seen + 1, last_seen = ? WHERE run_id = ?"
        rows.execute(statement, (_moment(saving.created_at), result.run_id))
        return False
    values = ((run, name, None if value != value else float(value)) for name, value in result.metrics.items())
    rows.insert("metrics", ("run", "name", "value"), values)
    places = []
    for name, kinds in TABLES.items():
        columns = table_of(result, name)
        length = len(next(iter(columns.values())))
        file = None if folder is None else folder.files[name]
        in_store = length <= saving.row_limit or file is None
        places.append(
            (run, name, length, "store" if in_store else "file", None if file is None else file.sha256)
        )
        if file is not None and file.rows != length:
            raise StoreError(f"{file.file} of run {result.run_id} has {file.rows} rows, the result {length}")
        if in_store and length:
            cells = [_cells(columns[column], kind) for column, kind in kinds.items()]
            rows.insert(
                name, ("run", "number", *kinds), zip(repeat(run), range(length), *cells, strict=False)
            )
    rows.insert("run_tables", ("run", "name", "rows", "place", "sha256"), places)
    return True


def _insert_run(rows: Rows, result: StorableResult, folder: RunFolder | None, saving: Saving) -> int | None:
    """The number of the new row in `runs`, None when the run is there already."""
    row: dict[str, Any] = {
        "run_id": result.run_id,
        "kind": saving.kind,
        "strategy": result.strategy,
        "parameters": _json(dict(result.parameters)),
        "symbols": _json(list(result.symbols)),
        "start": _time_of(result.start),
        "end": _time_of(result.end),
        "fingerprint": _json(result.fingerprint),
        "code_version": str(result.manifest.get("version", "")),
        "created_at": _moment(saving.created_at),
        "status": saving.status,
        "manifest": _json(result.manifest),
        "warnings": _json(list(result.warnings)),
        "folder": None if folder is None else str(Path(folder.path).resolve()),
        "seen": 1,
        "last_seen": _moment(saving.created_at),
    }
    marks = ", ".join("?" * len(row))
    statement = (
        f"INSERT INTO runs ({_names(row)}) VALUES ({marks}) ON CONFLICT (run_id) DO NOTHING RETURNING run"
    )
    run = rows.execute(statement, tuple(row.values()))
    return None if run is None else int(run)


def _json(value: Any) -> str:
    return canonical_json(value).decode("utf-8").rstrip("\n")


def _moment(clock: datetime) -> str:
    """A moment as naive UTC text; a naive one is UTC already."""
    moment = clock.astimezone(UTC) if clock.tzinfo is not None else clock
    return moment.strftime("%Y-%m-%d %H:%M:%S.%f")


def _time_of(value: Any) -> str:
    """A bar's time as text."""
    text = _time_cells(np.array([np.datetime64(value, "ns")]))[0]
    if text is None:
        raise StoreError("the result has no start or no end")
    return text


def _cells(values: NDArray[Any], kind: Kind) -> list[Any]:
    """A cleaned column as what the drivers take; absent cells are None on both databases."""
    if kind == "time":
        return _time_cells(values)
    cells: list[Any] = values.tolist()
    if kind == "number":
        for row in np.flatnonzero(np.isnan(values)).tolist():
            cells[row] = None
    return cells


def _time_cells(values: NDArray[np.datetime64]) -> list[str | None]:
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
