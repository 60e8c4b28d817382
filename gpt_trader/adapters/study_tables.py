"""The files of a study in its folder: tables as Parquet and `result.json`, each whole or not at all."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gpt_trader.adapters.atomic_files import atomic_file
from gpt_trader.adapters.canonical_json import canonical_json
from gpt_trader.adapters.store.errors import StoreError

RESULT_FILE = "result.json"
Columns = Mapping[str, Any]


def write_study(folder: Path, result: Mapping[str, Any], tables: Mapping[str, Columns]) -> None:
    """Write `tables` (columns by name, arrays or lists) as `NAME.parquet` and `result` as canonical JSON.

    Equal values are equal bytes. Raises StoreError when the disk refuses; no half-written file stays.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    made = {f"{name}.parquet": pa.table(dict(columns)) for name, columns in tables.items()}
    try:
        for name, table in made.items():
            with atomic_file(folder / name) as part:
                pq.write_table(table, part, compression="zstd")
        with atomic_file(folder / RESULT_FILE) as part:
            part.write_bytes(canonical_json(result))
    except OSError as problem:
        raise StoreError(
            f"cannot write the result of the study into {folder}: {problem.strerror or problem}; free space or choose "
            "another folder (--runs-dir), and run the same command: what was computed is kept"
        ) from problem
