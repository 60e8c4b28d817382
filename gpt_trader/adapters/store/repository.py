"""The store of runs: saving one whole or not at all, and asking for runs, their tables and their numbers."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from datetime import datetime
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from gpt_trader.adapters.atomic_files import atomic_file
from gpt_trader.adapters.result_protocols import StorableResult
from gpt_trader.adapters.run_files import RunFolder, open_run, read_table
from gpt_trader.adapters.run_tables import TABLES, as_frame, rows_within
from gpt_trader.adapters.store import sqlite
from gpt_trader.adapters.store.checks import CheckRegister
from gpt_trader.adapters.store.errors import StoreError
from gpt_trader.adapters.store.location import locate
from gpt_trader.adapters.store.migrations import HEAD
from gpt_trader.adapters.store.rows import PostgresRows, Rows, SqliteRows
from gpt_trader.adapters.store.studies import STUDY_KINDS, Study, change_study, checked_state, write_study
from gpt_trader.adapters.store.trials import TrialLedger
from gpt_trader.adapters.store.writer import Saving, write_rows
from gpt_trader.errors import UnknownName, UserError

if TYPE_CHECKING:
    import pandas as pd
    from sqlalchemy import Connection, Engine

    from gpt_trader.adapters.store.records import RunRecord

BUSY_TIMEOUT_SECONDS = 5.0
ROW_LIMIT = 50_000
SHOWN_METRICS = ("total_return", "cagr", "sharpe", "max_drawdown", "round_trips", "final_equity")


class RunStore:
    """The runs in an SQLite file or a PostgreSQL database, by URL.

    Opening is lazy: the first call makes or upgrades the schema. Saving to SQLite imports neither SQLAlchemy nor
    pandas. `busy_timeout` (seconds) is how long to wait for another writer. A table of more than `row_limit` rows of
    a run that has a folder stays in its Parquet file, from where `table` reads it: a row costs the store 5 µs and 120
    bytes, so a run of half a million bars and ten thousand trades takes 3.2 s whole, and 0.4 s with its two long
    tables left where they are anyway (0.03 s for 2,520 bars and 200 trades; CPU, either database).

    Every method raises StoreError when the database is locked, full, read only, damaged, unreachable or of a newer
    schema, and UserError for a URL that names no store.
    """

    def __init__(
        self, url: str, *, busy_timeout: float = BUSY_TIMEOUT_SECONDS, row_limit: int = ROW_LIMIT
    ) -> None:
        self.location = locate(url)
        self._busy_timeout = busy_timeout
        self._row_limit = row_limit
        self._checked = False

    def __enter__(self) -> RunStore:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close every connection; the store can be used again."""
        engine = self.__dict__.pop("_engine", None)
        if engine is not None:
            engine.dispose()

    # -- writing ----------------------------------------------------------------------------------------------------

    def save(
        self,
        result: StorableResult,
        folder: RunFolder | Path | None = None,
        *,
        created_at: datetime,
        kind: str = "backtest",
        status: str = "finished",
    ) -> bool:
        """Save a run in one transaction; True when it is new.

        The run's id is the hash of its content: saving it again changes nothing but `seen` and `last_seen`. `folder`
        is where `write_run` has put its files; `created_at` is the clock's time (a naive one is UTC).
        """
        files = open_run(folder) if isinstance(folder, Path) else folder
        saving = Saving(created_at, kind, status, self._row_limit)
        with self._rows_to_write() as rows:
            return write_rows(rows, result, files, saving)

    def save_study(self, study: Study, *, created_at: datetime, status: str = "running") -> bool:
        """Save the row of a study; True when it is new, else it is seen once more and has `status` now."""
        with self._rows_to_write() as rows:
            return write_study(rows, study, checked_state(status), created_at)

    def update_study(
        self,
        run_id: str,
        status: str,
        metrics: Mapping[str, float] | None = None,
        *,
        changed_at: datetime,
    ) -> None:
        """Set the status of a study (running, finished, cancelled, failed) and the metrics that are given.

        Raises UnknownName when there is no study of that id, whole.
        """
        with self._rows_to_write() as rows:
            change_study(rows, run_id, checked_state(status), metrics or {}, changed_at)

    def delete(self, prefix: str) -> RunRecord:
        """Remove the run whose id begins with `prefix` from the store and return it; its folder is not touched."""
        from sqlalchemy import delete

        from gpt_trader.adapters.store import schema
        from gpt_trader.adapters.store.queries import read_run

        self.prepare()
        with self._writing() as connection:
            number, record = read_run(connection, prefix)
            connection.execute(delete(schema.runs).where(schema.runs.c.run == number))
        return record

    @property
    def ledger(self) -> TrialLedger:
        """The trial ledger; deleting a run takes nothing from it."""
        return TrialLedger(self._rows_to_write, self._rows_to_read)

    @property
    def checks(self) -> CheckRegister:
        """The register of look-ahead checks; deleting a run takes nothing from it."""
        return CheckRegister(self._rows_to_write, self._rows_to_read)

    # -- asking -----------------------------------------------------------------------------------------------------

    def runs(
        self,
        limit: int = 20,
        strategy: str | None = None,
        metrics: Sequence[str] = SHOWN_METRICS,
        kind: str | None = None,
    ) -> pd.DataFrame:
        """The newest runs first: run_id, kind, strategy, parameters, symbols, start, end, status, times and metrics."""
        from gpt_trader.adapters.store.queries import list_runs

        with self._reading() as connection:
            return list_runs(connection, limit, strategy, kind, metrics)

    def run(self, prefix: str) -> RunRecord:
        """The run whose id begins with `prefix`.

        Raises UnknownName when there is none (naming the nearest), UserError when there are several.
        """
        from gpt_trader.adapters.store.queries import read_run

        with self._reading() as connection:
            return read_run(connection, prefix)[1]

    def table(self, prefix: str, name: str) -> pd.DataFrame:
        """One table of a run as it was saved: orders, fills, positions, closed_trades, equity or decisions.

        Raises UnknownName for another name, UserError for a study, which has no tables, and StoreError when the table
        was left in a file that is gone or changed.
        """
        from gpt_trader.adapters.store.queries import read_rows, read_run

        if name not in TABLES:
            raise UnknownName("table", name, TABLES)
        with self._reading() as connection:
            number, record = read_run(connection, prefix)
            if record.kind in STUDY_KINDS:
                raise UserError(
                    f"run {record.run_id} is a {record.kind}, which has no table {name}; name a backtest"
                )
            stored = record.tables[name]
            if stored.place == "store":
                return as_frame(name, read_rows(connection, number, name))
        assert record.folder is not None  # noqa: S101 - a table stays in its file only when there is one
        return read_table(record.folder, name, stored.sha256)

    def equity(self, prefix: str, start: Any = None, end: Any = None) -> pd.DataFrame:
        """The equity table indexed by `time`, from `start` to `end`, both inclusive; a date as `end` is a whole day."""
        frame = self.table(prefix, "equity")
        return frame.loc[rows_within(frame["time"], start, end)].set_index("time")

    def compare(self, prefixes: Sequence[str]) -> pd.DataFrame:
        """Runs side by side: one row a run, indexed by run_id; strategy, start, end and every metric as columns."""
        import pandas as pd

        if len(prefixes) < 2:
            raise UserError(f"compare needs at least two runs, got {len(prefixes)}")
        records = [self.run(prefix) for prefix in prefixes]
        rows = [{"strategy": r.strategy, "start": r.start, "end": r.end, **r.metrics} for r in records]
        return pd.DataFrame(rows, index=pd.Index([record.run_id for record in records], name="run_id"))

    def exists(self) -> bool:
        """Whether the store has been made: a file, or a database with its tables. Asking makes nothing."""
        if self.location.path is not None:
            return self.location.path.exists()
        from gpt_trader.adapters.store.migrate import current_revision
        from gpt_trader.adapters.store.sqlalchemy_engines import reading, store_errors

        with store_errors(self.location), reading(self._engine).begin() as connection:
            return current_revision(connection) is not None

    # -- care -------------------------------------------------------------------------------------------------------

    def check(self) -> tuple[str, ...]:
        """What is wrong with the store, one line each; nothing when it is sound.

        SQLite's own quick_check and foreign keys; and on both databases that every run but a study has all its tables
        with all their rows, here or in an unchanged file, and every batch of the ledger all its trials.
        """
        from gpt_trader.adapters.store.queries import find_faults

        with self._reading() as connection:
            return tuple(find_faults(connection))

    def backup(self, file: Path) -> None:
        """Copy an SQLite store into `file` while it is in use; the copy appears complete or not at all.

        Raises UserError for PostgreSQL, whose own pg_dump does this, and for a file that exists.
        """
        if self.location.path is None:
            raise UserError("a PostgreSQL store is backed up with its own tool: pg_dump --format=custom")
        if file.exists():
            raise UserError(f"{file} exists already; name a new file for the backup")
        self.prepare()
        try:
            with atomic_file(file) as part:
                with (
                    self._sqlite_errors(),
                    closing(self._connect()) as source,
                    closing(sqlite3.connect(part)) as copy,
                ):
                    source.backup(copy)
                    copy.execute("PRAGMA journal_mode = DELETE")
                with part.open("rb") as written:
                    os.fsync(written.fileno())
        except OSError as problem:
            raise StoreError(f"cannot write the backup {file}: {problem.strerror or problem}") from problem

    # -- inside -----------------------------------------------------------------------------------------------------

    def _connect(self) -> sqlite3.Connection:
        return sqlite.connect(self.location, self._busy_timeout)

    def _rows(self, driver: Any) -> Rows:
        """How rows are written over the driver's own connection."""
        return PostgresRows(driver) if self.location.path is None else SqliteRows(driver)

    @contextmanager
    def _rows_to_write(self) -> Iterator[Rows]:
        """One writing transaction over the driver itself."""
        self.prepare()
        if self.location.path is None:
            with self._writing() as connection:
                yield self._rows(connection.connection.driver_connection)
        else:
            with self._sqlite_errors(), closing(self._connect()) as database, sqlite.transaction(database):
                yield self._rows(database)

    @contextmanager
    def _rows_to_read(self) -> Iterator[Rows]:
        """One consistent view over the driver itself."""
        self.prepare()
        if self.location.path is None:
            with self._reading() as connection:
                yield self._rows(connection.connection.driver_connection)
        else:
            with self._sqlite_errors(), closing(self._connect()) as database:
                database.execute("BEGIN")
                yield self._rows(database)

    @contextmanager
    def _sqlite_errors(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as problem:
            raise StoreError(f"store {self.location.shown}: {sqlite.cause(problem)}") from problem

    @cached_property
    def _engine(self) -> Engine:
        from gpt_trader.adapters.store.sqlalchemy_engines import open_engine

        return open_engine(self.location, self._busy_timeout)

    def prepare(self) -> None:
        """Make or upgrade the schema, once; the other methods do this themselves. An SQLite store of the newest schema needs no
        SQLAlchemy for that."""
        if self._checked:
            return
        if self.location.path is None or self._sqlite_revision() != HEAD:
            from gpt_trader.adapters.store.migrate import migrate
            from gpt_trader.adapters.store.sqlalchemy_engines import store_errors

            with store_errors(self.location):
                migrate(self._engine, self.location)
        self._checked = True

    def _sqlite_revision(self) -> str | None:
        with self._sqlite_errors(), closing(self._connect()) as connection:
            if not connection.execute(
                "SELECT 1 FROM sqlite_master WHERE name = 'alembic_version'"
            ).fetchone():
                return None
            row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
            return None if row is None else str(row[0])

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        from gpt_trader.adapters.store.sqlalchemy_engines import store_errors

        with store_errors(self.location), self._engine.begin() as connection:
            yield connection

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        from gpt_trader.adapters.store.sqlalchemy_engines import reading, store_errors

        self.prepare()
        with store_errors(self.location), reading(self._engine).begin() as connection:
            yield connection
