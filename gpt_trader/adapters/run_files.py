"""The files of one run: its tables as Parquet and its two JSON files, in one folder that appears whole or not at all.

`runs/<run_id>/` holds `orders.parquet`, `fills.parquet`, `positions.parquet`, `closed_trades.parquet`,
`equity.parquet`, `decisions.parquet`, `manifest.json` (what went in: the result's manifest, byte for byte canonical)
and `result.json` (what came out: metrics, warnings, and the rows and SHA-256 of every Parquet file).
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from gpt_trader.adapters.canonical_json import canonical_json, iso_time
from gpt_trader.adapters.result_protocols import HasColumns, StorableResult
from gpt_trader.adapters.run_tables import TABLES, arrow_table, as_frame, clean_table
from gpt_trader.adapters.store.errors import StoreError

if TYPE_CHECKING:
    import pandas as pd

MANIFEST_FILE = "manifest.json"
RESULT_FILE = "result.json"
ABANDONED_AFTER_SECONDS = 3600.0
_RUN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{5,127}")


@dataclass(frozen=True, slots=True)
class TableFile:
    """One Parquet file of a run: its table, its number of rows and the SHA-256 (hex) of its bytes."""

    table: str
    rows: int
    sha256: str

    @property
    def file(self) -> str:
        """Name of the file inside the run's folder."""
        return f"{self.table}.parquet"


@dataclass(frozen=True, slots=True)
class RunFolder:
    """A complete run on disk."""

    path: Path
    files: Mapping[str, TableFile]


def table_of(result: StorableResult, name: str) -> dict[str, NDArray[Any]]:
    """Table `name` of a result, cleaned; from its `columns(name)` where it has that, which spares importing pandas."""
    table = result.columns(name) if isinstance(result, HasColumns) else getattr(result, name)
    return clean_table(name, table)


def write_run(result: StorableResult, runs_dir: Path) -> RunFolder:
    """Write `result` into `runs_dir/<run_id>/`; the folder appears complete, or not at all.

    Everything goes into a hidden staging folder first, every file and the folder are fsynced, and one rename makes
    the run visible. The same result gives the same bytes. A complete folder of the same run is left as it is; a damaged
    one is replaced. Raises StoreError when the disk refuses.
    """
    if not _RUN_ID.fullmatch(result.run_id):
        raise StoreError(
            f"run id {result.run_id!r} cannot name a folder: expected 6 to 128 of A-Z a-z 0-9 _ -"
        )
    target = runs_dir / result.run_id
    with _disk_errors(runs_dir):
        if target.is_dir() and not verify(target):
            return open_run(target)
        runs_dir.mkdir(parents=True, exist_ok=True)
        staging = runs_dir / f".staging-{uuid.uuid4().hex}"
        staging.mkdir()
        try:
            folder = _write_staging(result, staging, target)
            _remove_abandoned(runs_dir, staging)
            _publish(staging, target)
        finally:
            shutil.rmtree(staging, ignore_errors=True)
        return folder


def open_run(folder: Path) -> RunFolder:
    """The files of a run as its `result.json` lists them; raises StoreError when that is absent or damaged."""
    try:
        listed = json.loads((folder / RESULT_FILE).read_bytes())["files"]
        files = {
            name: TableFile(name, int(entry["rows"]), str(entry["sha256"])) for name, entry in listed.items()
        }
    except (OSError, ValueError, KeyError, TypeError) as problem:
        listing = folder / RESULT_FILE
        raise StoreError(f"{listing} is not the list of a run's files ({problem}); run it again") from problem
    return RunFolder(folder, files)


def verify(folder: Path) -> tuple[str, ...]:
    """What is wrong with a run's folder: nothing (empty), or one line for each absent or changed file."""
    try:
        run = open_run(folder)
    except StoreError as problem:
        return (str(problem),)
    problems = [f"{folder / name}: absent" for name in (MANIFEST_FILE,) if not (folder / name).is_file()]
    problems += [f"{folder}: table {name} is not listed" for name in TABLES if name not in run.files]
    for entry in run.files.values():
        try:
            changed = file_sha256(folder / entry.file) != entry.sha256
        except OSError:
            problems.append(f"{folder / entry.file}: absent")
        else:
            problems += [f"{folder / entry.file}: changed since it was written"] if changed else []
    return tuple(problems)


def read_table(folder: Path, name: str, sha256: str | None = None) -> pd.DataFrame:
    """Table `name` of a run from its Parquet file. With `sha256` the file must still be that very file.

    Raises StoreError for an absent, damaged or changed file.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = folder / f"{name}.parquet"
    try:
        if sha256 is not None and file_sha256(path) != sha256:
            raise StoreError(f"{path} was changed after its run was saved; delete that run and run it again")
        frame = pq.read_table(path).to_pandas()
    except (OSError, pa.ArrowException) as problem:
        raise StoreError(f"cannot read {path}: {problem}; delete that run and run it again") from problem
    return as_frame(name, clean_table(name, frame))


def _write_staging(result: StorableResult, staging: Path, target: Path) -> RunFolder:
    """Every file of the run into the staging folder, flushed to the disk."""
    files = {}
    for name in TABLES:
        columns = table_of(result, name)
        path = staging / f"{name}.parquet"
        _write_parquet(columns, name, path)
        files[name] = TableFile(name, len(next(iter(columns.values()))), file_sha256(path))
    _write_bytes(staging / MANIFEST_FILE, canonical_json(result.manifest))
    _write_bytes(staging / RESULT_FILE, canonical_json(_summary(result, files)))
    _fsync_folder(staging)
    return RunFolder(target, files)


def _summary(result: StorableResult, files: Mapping[str, TableFile]) -> dict[str, Any]:
    """The content of `result.json`."""
    return {
        "run_id": result.run_id,
        "strategy": result.strategy,
        "parameters": result.parameters,
        "symbols": result.symbols,
        "start": iso_time(result.start),
        "end": iso_time(result.end),
        "metrics": result.metrics,
        "fingerprint": result.fingerprint,
        "warnings": result.warnings,
        "files": {
            name: {"file": item.file, "rows": item.rows, "sha256": item.sha256}
            for name, item in files.items()
        },
    }


def _write_parquet(columns: Mapping[str, NDArray[Any]], name: str, path: Path) -> None:
    """One table as a Parquet file, flushed to the disk; equal tables are equal files."""
    import pyarrow.parquet as pq

    texts = [column for column, kind in TABLES[name].items() if kind == "text"]
    pq.write_table(arrow_table(name, columns), path, compression="zstd", use_dictionary=texts)
    with path.open("rb") as written:
        os.fsync(written.fileno())


def _write_bytes(path: Path, content: bytes) -> None:
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _publish(staging: Path, target: Path) -> None:
    """Give the staging folder its name; a folder that already has it is set aside first, a sound one wins."""
    if target.exists():
        if not verify(target):
            return
        target.rename(staging.parent / f".staging-{uuid.uuid4().hex}-damaged")
    try:
        staging.rename(target)
    except OSError:
        if not target.is_dir() or verify(target):
            raise
    _fsync_folder(target.parent)


def _remove_abandoned(runs_dir: Path, staging: Path) -> None:
    """Remove staging folders that a killed process or a repair left more than an hour before `staging` was made."""
    newest = staging.stat().st_mtime
    for leftover in runs_dir.glob(".staging-*"):
        try:
            if newest - leftover.stat().st_mtime > ABANDONED_AFTER_SECONDS:
                shutil.rmtree(leftover, ignore_errors=True)
        except FileNotFoundError:
            continue


def file_sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _fsync_folder(folder: Path) -> None:
    """Flush a folder's entries; Windows has no such call and needs none."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _disk_errors(runs_dir: Path) -> Iterator[None]:
    """Turn the operating system's refusals into StoreError."""
    try:
        yield
    except OSError as problem:
        reason = problem.strerror or str(problem)
        raise StoreError(
            f"cannot write a run into {runs_dir}: {reason}; free space or choose another folder (runs_dir)"
        ) from problem
