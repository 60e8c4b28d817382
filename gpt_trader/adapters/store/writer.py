"""Writing one run into an open transaction."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import repeat
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpt_trader.adapters.result_protocols import RunContent, StorableResult
from gpt_trader.adapters.run_files import RunFolder, table_of
from gpt_trader.adapters.run_tables import TABLES, Kind
from gpt_trader.adapters.store.errors import StoreError
from gpt_trader.adapters.store.rows import Rows, json_text, moment, names, time_cells, time_of


@dataclass(frozen=True, slots=True)
class Saving:
    """How a run is saved: its kind and status, when, and from how many rows on a table stays in its file alone."""

    created_at: datetime
    kind: str = "backtest"
    status: str = "finished"
    row_limit: int = 50_000


def write_rows(rows: Rows, result: StorableResult, folder: RunFolder | None, saving: Saving) -> bool:
    """Write every row of `result`; True for a new run, False when it was there and only its count of sights rose.

    A table of more than `row_limit` rows stays in its Parquet file when there is a `folder`; the store then keeps its
    number of rows and its hash.
    """
    run = insert_run(rows, result, None if folder is None else folder.path, saving)
    if run is None:
        statement = "UPDATE runs SET seen = seen + 1, last_seen = ? WHERE run_id = ?"
        rows.execute(statement, (moment(saving.created_at), result.run_id))
        return False
    insert_metrics(rows, run, result.metrics)
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


def insert_run(rows: Rows, result: RunContent, folder: Path | None, saving: Saving) -> int | None:
    """The number of the new row in `runs`, None when the run is there already."""
    row: dict[str, Any] = {
        "run_id": result.run_id,
        "kind": saving.kind,
        "strategy": result.strategy,
        "parameters": json_text(dict(result.parameters)),
        "symbols": json_text(list(result.symbols)),
        "start": time_of(result.start),
        "end": time_of(result.end),
        "fingerprint": json_text(result.fingerprint),
        "code_version": str(result.manifest.get("version", "")),
        "created_at": moment(saving.created_at),
        "status": saving.status,
        "manifest": json_text(result.manifest),
        "warnings": json_text(list(result.warnings)),
        "folder": None if folder is None else str(folder.resolve()),
        "seen": 1,
        "last_seen": moment(saving.created_at),
    }
    marks = ", ".join("?" * len(row))
    statement = (
        f"INSERT INTO runs ({names(row)}) VALUES ({marks}) ON CONFLICT (run_id) DO NOTHING RETURNING run"
    )
    run = rows.execute(statement, tuple(row.values()))
    return None if run is None else int(run)


def insert_metrics(rows: Rows, run: int, values: Mapping[str, float]) -> None:
    """The statistics of a run; an undefined one is NULL."""
    cells = ((run, name, None if value != value else float(value)) for name, value in values.items())
    rows.insert("metrics", ("run", "name", "value"), cells)


def _cells(values: NDArray[Any], kind: Kind) -> list[Any]:
    """A cleaned column as what the drivers take; absent cells are None on both databases."""
    if kind == "time":
        return time_cells(values)
    cells: list[Any] = values.tolist()
    if kind == "number":
        for row in np.flatnonzero(np.isnan(values)).tolist():
            cells[row] = None
    return cells
