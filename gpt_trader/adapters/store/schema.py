"""The tables of the store; the newest revision under `migrations/` makes exactly these.

Only SQLAlchemy's Core is used: its ORM doubles the import time and nothing here needs it. Rows of a run are keyed by
the run's number and their place in the result's table, so one run lies together on disk and goes with its run. Times
are naive UTC. The trial ledger (`trial_sets`, `trial_batches`, `trials`) belongs to no run: its rows stay when runs go,
and triggers that the migration makes refuse to change or remove them; so it is with the register of look-ahead
checks (`checks`), which belongs to code, and with the journal of a session (`journal`). Models and predictions get
their tables with the issue that makes models.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    DateTime,
    Double,
    ForeignKey,
    Integer,
    LargeBinary,
    MetaData,
    Named,
    Table,
    Text,
    UniqueConstraint,
)
from sqlalchemy import TypedColumns as Typed
from sqlalchemy.types import TypeEngine

from gpt_trader.adapters.run_tables import TABLES, Kind

NAMING = {
    "pk": "pk_%(table_name)s",
    "fk": "fk_%(table_name)s_%(referred_table_name)s",
    "uq": "uq_%(table_name)s_%(column_0_name)s",
    "ix": "ix_%(table_name)s_%(column_0_name)s",
}
metadata = MetaData(naming_convention=NAMING)
RUN_NUMBER = BigInteger().with_variant(Integer(), "sqlite")  # SQLite numbers rows by itself only in INTEGER


class RunColumns(Typed):
    """One run: what was asked, of which data and code, when it was made and how often it was seen."""

    run: Named[int] = Column(RUN_NUMBER, primary_key=True)
    run_id: Named[str] = Column(Text, unique=True)
    kind: Named[str] = Column(Text)
    strategy: Named[str] = Column(Text, index=True)
    parameters: Named[dict[str, Any]] = Column(JSON, nullable=False)
    symbols: Named[list[str]] = Column(JSON, nullable=False)
    start: Named[datetime] = Column(DateTime)
    end: Named[datetime] = Column(DateTime)
    fingerprint: Named[Any] = Column(JSON, nullable=False)
    code_version: Named[str] = Column(Text)
    created_at: Named[datetime] = Column(DateTime)
    status: Named[str] = Column(Text)
    manifest: Named[dict[str, Any]] = Column(JSON, nullable=False)
    warnings: Named[list[str]] = Column(JSON, nullable=False)
    folder: Named[str | None] = Column(Text)
    seen: Named[int] = Column(BigInteger, server_default="1")
    last_seen: Named[datetime | None] = Column(DateTime)


class MetricColumns(Typed):
    """One statistic of a run; an undefined one is NULL."""

    run: Named[int] = Column(RUN_NUMBER, ForeignKey("runs.run", ondelete="CASCADE"), primary_key=True)
    name: Named[str] = Column(Text, primary_key=True)
    value: Named[float | None] = Column(Double)


class RunTableColumns(Typed):
    """How many rows a table of a run has and where they are: "store", or "file" for its Parquet file alone."""

    run: Named[int] = Column(RUN_NUMBER, ForeignKey("runs.run", ondelete="CASCADE"), primary_key=True)
    name: Named[str] = Column(Text, primary_key=True)
    rows: Named[int] = Column(BigInteger)
    place: Named[str] = Column(Text)
    sha256: Named[str | None] = Column(Text)


class TrialSetColumns(Typed):
    """A family of strategies tried on one data set: `data` is the hash of the data, `bars` their number."""

    trial_set: Named[int] = Column(RUN_NUMBER, primary_key=True)
    family: Named[str] = Column(Text)
    data: Named[str] = Column(Text)
    symbols: Named[list[str]] = Column(JSON, nullable=False)
    start: Named[datetime] = Column(DateTime)
    end: Named[datetime] = Column(DateTime)
    timeframe: Named[str] = Column(Text)
    bars: Named[int] = Column(BigInteger)
    periods_per_year: Named[float | None] = Column(Double)


class TrialBatchColumns(Typed):
    """Trials recorded together, and what is asked of them most: their number, how many have a Sharpe ratio (per bar),
    the mean of those, their sum of squared distances from it, and the best."""

    batch: Named[int] = Column(RUN_NUMBER, primary_key=True)
    trial_set: Named[int] = Column(RUN_NUMBER, ForeignKey("trial_sets.trial_set"), index=True)
    kind: Named[str] = Column(Text)
    observations: Named[int] = Column(BigInteger)
    made_at: Named[datetime] = Column(DateTime)
    trials: Named[int] = Column(BigInteger)
    defined: Named[int] = Column(BigInteger)
    mean: Named[float] = Column(Double)
    squares: Named[float] = Column(Double)
    best: Named[float | None] = Column(Double)


class TrialColumns(Typed):
    """One trial: its key (16 bytes), its Sharpe ratio per bar, and its returns in 32 block sums (float32)."""

    trial_set: Named[int] = Column(RUN_NUMBER, ForeignKey("trial_sets.trial_set"), primary_key=True)
    key: Named[bytes] = Column(LargeBinary, primary_key=True)
    batch: Named[int] = Column(RUN_NUMBER, ForeignKey("trial_batches.batch"))
    sharpe: Named[float | None] = Column(Double)
    profile: Named[bytes] = Column(LargeBinary)


class CheckColumns(Typed):
    """One look-ahead check: of which code (its hash) with which parameters, how it ended and what it found, by which
    version of the check, and on which bars; see `gpt_trader.check_records.CheckRecord`."""

    number: Named[int] = Column(RUN_NUMBER, primary_key=True)
    code: Named[str] = Column(Text, index=True)
    strategy: Named[str] = Column(Text)
    parameters: Named[dict[str, Any]] = Column(JSON, nullable=False)
    version: Named[int] = Column(BigInteger)
    outcome: Named[str] = Column(Text)
    finding: Named[str] = Column(Text)
    data: Named[str] = Column(Text)
    symbols: Named[list[str]] = Column(JSON, nullable=False)
    start: Named[str] = Column(Text)
    end: Named[str] = Column(Text)
    timeframe: Named[str] = Column(Text)
    bars: Named[int] = Column(BigInteger)
    samples: Named[int] = Column(BigInteger)
    checked_at: Named[datetime] = Column(DateTime)
    code_version: Named[str] = Column(Text)


class SessionColumns(Typed):
    """One trading session by its name: `uid` (16 hexadecimal digits) begins the ids of its orders; times are ns since 1970."""

    session: Named[str] = Column(Text, primary_key=True)
    uid: Named[str] = Column(Text, unique=True)
    created_at: Named[int] = Column(BigInteger)


class SessionWriterColumns(Typed):
    """Who may write a session's journal: the newest epoch, and the process that has it."""

    session: Named[str] = Column(Text, ForeignKey("sessions.session"), primary_key=True)
    epoch: Named[int] = Column(BigInteger)
    host: Named[str] = Column(Text)
    pid: Named[int] = Column(BigInteger)
    started: Named[int] = Column(BigInteger)


class JournalColumns(Typed):
    """One row of a session's journal, see `gpt_trader.session.journal.JournalRow`."""

    session: Named[str] = Column(Text, ForeignKey("sessions.session"), primary_key=True)
    seq: Named[int] = Column(BigInteger, primary_key=True, autoincrement=False)
    epoch: Named[int] = Column(BigInteger)
    at: Named[int] = Column(BigInteger)
    kind: Named[str] = Column(Text)
    key: Named[str] = Column(Text)
    body: Named[str] = Column(Text)
    data: Named[bytes] = Column(LargeBinary)
    hash: Named[bytes] = Column(LargeBinary)


class SessionSnapshotColumns(Typed):
    """A session's state after row `seq` of its journal, with the SHA-256 of its bytes."""

    session: Named[str] = Column(Text, ForeignKey("sessions.session"), primary_key=True)
    seq: Named[int] = Column(BigInteger, primary_key=True, autoincrement=False)
    state: Named[bytes] = Column(LargeBinary)
    hash: Named[bytes] = Column(LargeBinary)


runs = Table("runs", metadata, RunColumns)
metrics = Table("metrics", metadata, MetricColumns, sqlite_with_rowid=False)
run_tables = Table("run_tables", metadata, RunTableColumns, sqlite_with_rowid=False)
trial_sets = Table("trial_sets", metadata, TrialSetColumns, UniqueConstraint("family", "data"))
trial_batches = Table("trial_batches", metadata, TrialBatchColumns)
trials = Table("trials", metadata, TrialColumns)
checks = Table("checks", metadata, CheckColumns)
sessions = Table("sessions", metadata, SessionColumns)
session_writers = Table("session_writers", metadata, SessionWriterColumns)
journal = Table("journal", metadata, JournalColumns, UniqueConstraint("session", "key"))
session_snapshots = Table("session_snapshots", metadata, SessionSnapshotColumns)


def _result_table(name: str) -> Table:
    """The table for one of the result's tables, its columns after the key."""
    types: dict[Kind, type[TypeEngine[Any]]] = {
        "time": DateTime, "text": Text, "integer": BigInteger, "number": Double,
    }  # fmt: skip
    return Table(
        name,
        metadata,
        Column("run", RUN_NUMBER, ForeignKey("runs.run", ondelete="CASCADE"), primary_key=True),
        Column("number", BigInteger, primary_key=True, autoincrement=False),
        *(Column(column, types[kind]) for column, kind in TABLES[name].items()),
        sqlite_with_rowid=False,
    )


RESULT_TABLES = {name: _result_table(name) for name in TABLES}
