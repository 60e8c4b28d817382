"""The questions the store answers, as functions of an open connection."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, func, select

from gpt_trader.adapters.run_files import file_sha256
from gpt_trader.adapters.run_tables import TABLES
from gpt_trader.adapters.store.records import RunRecord, StoredTable
from gpt_trader.adapters.store.schema import RESULT_TABLES, metrics, run_tables, runs, trial_batches, trials
from gpt_trader.adapters.store.studies import STUDY_KINDS
from gpt_trader.errors import UnknownName, UserError

if TYPE_CHECKING:
    import pandas as pd

SHORT_ID = 12
CANDIDATES = 1000


def read_run(connection: Connection, prefix: str) -> tuple[int, RunRecord]:
    """The number and the record of the run whose id begins with `prefix`.

    Raises UnknownName when there is none (naming the nearest), UserError when there are several.
    """
    found = connection.execute(
        select(runs).where(runs.c.run_id.startswith(prefix, autoescape=True)).order_by(runs.c.run_id).limit(6)
    ).all()
    exact = [row for row in found if row.run_id == prefix]
    if len(found) > 1 and not exact:
        shown = ", ".join(row.run_id[: max(SHORT_ID, len(prefix) + 4)] for row in found[:5])
        more = ", …" if len(found) > 5 else ""
        raise UserError(f"run {prefix!r} is ambiguous: {shown}{more}; type more of the id")
    if not found or not prefix:
        newest = select(runs.c.run_id).order_by(runs.c.run.desc()).limit(CANDIDATES)
        known = [run_id[:SHORT_ID] for run_id in connection.execute(newest).scalars()]
        raise UnknownName("run", prefix, known)
    row = (exact or found)[0]
    values = connection.execute(select(metrics.c.name, metrics.c.value).where(metrics.c.run == row.run)).all()
    places = connection.execute(select(run_tables).where(run_tables.c.run == row.run)).all()
    record = RunRecord(
        run_id=row.run_id,
        kind=row.kind,
        strategy=row.strategy,
        parameters=row.parameters,
        symbols=tuple(row.symbols),
        start=row.start,
        end=row.end,
        fingerprint=row.fingerprint,
        code_version=row.code_version,
        created_at=row.created_at,
        status=row.status,
        manifest=row.manifest,
        warnings=tuple(row.warnings),
        folder=None if row.folder is None else Path(row.folder),
        seen=row.seen,
        last_seen=row.last_seen or row.created_at,
        metrics={name: float("nan") if value is None else value for name, value in sorted(values)},
        tables={place.name: StoredTable(place.rows, place.place, place.sha256) for place in places},
    )
    return row.run, record


def list_runs(
    connection: Connection, limit: int, strategy: str | None, kind: str | None, shown: Sequence[str]
) -> pd.DataFrame:
    """The newest runs first, with the metrics named in `shown` as columns."""
    import pandas as pd

    columns = [
        runs.c[name]
        for name in (
            "run_id", "kind", "strategy", "parameters", "symbols", "start", "end", "status", "created_at", "seen",
            "last_seen", "folder",
        )
    ]  # fmt: skip
    chosen = select(runs.c.run, *columns).order_by(runs.c.created_at.desc(), runs.c.run.desc()).limit(limit)
    if strategy is not None:
        chosen = chosen.where(runs.c.strategy == strategy)
    if kind is not None:
        chosen = chosen.where(runs.c.kind == kind)
    rows = connection.execute(chosen).all()
    wanted = select(metrics.c.run, metrics.c.name, metrics.c.value).where(
        metrics.c.run.in_([row.run for row in rows]), metrics.c.name.in_(shown)
    )
    values = {(run, name): value for run, name, value in connection.execute(wanted)}
    listed = pd.DataFrame([row[1:] for row in rows], columns=[column.name for column in columns])
    for time in ("start", "end", "created_at", "last_seen"):
        listed[time] = pd.to_datetime(listed[time]).astype("datetime64[ns]")
    for name in shown:
        listed[name] = pd.Series([values.get((row.run, name)) for row in rows], dtype="float64")
    return listed


def read_rows(connection: Connection, run: int, name: str) -> dict[str, Sequence[Any]]:
    """The columns of one table of a run, in the result's order."""
    table = RESULT_TABLES[name]
    columns = [table.c[column] for column in TABLES[name]]
    rows = connection.execute(select(*columns).where(table.c.run == run).order_by(table.c.number)).all()
    cells: Sequence[Sequence[Any]] = list(zip(*rows, strict=True)) or [()] * len(columns)
    return dict(zip(TABLES[name], cells, strict=True))


def find_faults(connection: Connection) -> Iterator[str]:
    """Everything that is wrong with the store, one line each."""
    if connection.dialect.name == "sqlite":
        for (line,) in connection.exec_driver_sql("PRAGMA quick_check"):
            if line != "ok":
                yield f"damaged: {line}"
        for table, _, parent, _ in connection.exec_driver_sql("PRAGMA foreign_key_check"):
            yield f"table {table} has rows without their row in {parent}"
    with_tables = runs.c.kind.not_in(STUDY_KINDS)
    stored = connection.execute(select(runs.c.run, runs.c.run_id, runs.c.folder).where(with_tables)).all()
    places = {(row.run, row.name): row for row in connection.execute(select(run_tables))}
    for name, table in RESULT_TABLES.items():
        grouped = select(table.c.run, func.count().label("rows")).group_by(table.c.run)
        counts = {row.run: row.rows for row in connection.execute(grouped)}
        for run, run_id, folder in stored:
            place = places.get((run, name))
            if place is None:
                yield f"run {run_id[:SHORT_ID]} lacks its table {name}"
            elif place.place == "store" and counts.get(run, 0) != place.rows:
                yield f"run {run_id[:SHORT_ID]} has {counts.get(run, 0)} of {place.rows} rows of {name}"
            elif place.place == "file":
                yield from _file_faults(run_id, Path(folder or ""), name, place.sha256)
    yield from _ledger_faults(connection)


def _ledger_faults(connection: Connection) -> Iterator[str]:
    """Batches of the trial ledger that have not all their trials."""
    grouped = select(trials.c.batch, func.count().label("trials")).group_by(trials.c.batch)
    counts = {row.batch: row.trials for row in connection.execute(grouped)}
    for row in connection.execute(select(trial_batches.c.batch, trial_batches.c.trials)):
        found = counts.get(row.batch, 0)
        if found != row.trials:
            yield f"batch {row.batch} of the trial ledger has {found} of {row.trials} trials"


def _file_faults(run_id: str, folder: Path, name: str, sha256: str | None) -> Iterator[str]:
    """What is wrong with a table that is in its file alone."""
    path = folder / f"{name}.parquet"
    if not path.is_file():
        yield f"run {run_id[:SHORT_ID]}: {path} is gone"
    elif file_sha256(path) != sha256:
        yield f"run {run_id[:SHORT_ID]}: {path} was changed"
