"""The files of a sweep: `points.parquet`, the whole surface, and `result.json`, what it says."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gpt_trader.adapters.canonical import canonical_json
from gpt_trader.adapters.store.errors import StoreError
from gpt_trader.research.conclusions import Conclusions
from gpt_trader.research.sweep_table import columns_of

POINTS, RESULT = "points.parquet", "result.json"


def write_sweep(found: Conclusions, result: Mapping[str, Any], folder: Path) -> None:
    """Write both files, each whole or not at all; equal surfaces are equal bytes. Raises StoreError when the disk refuses."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    kinds = {"stopped": pa.int64(), "error": pa.string()}
    columns = {name: pa.array(values, kinds.get(name)) for name, values in columns_of(found).items()}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with _Whole(folder / POINTS) as part:
            pq.write_table(pa.table(columns), part, compression="zstd")
        with _Whole(folder / RESULT) as part:
            part.write_bytes(canonical_json(result))
    except OSError as problem:
        raise StoreError(
            f"cannot write the result of the sweep into {folder}: {problem.strerror or problem}; free space or choose "
            "another folder (--runs-dir), and run the same command: what was computed is kept"
        ) from problem


class _Whole:
    """A file under another name until it is complete."""

    def __init__(self, path: Path) -> None:
        self.path, self.part = path, path.with_name(f".{path.name}-{uuid.uuid4().hex}")

    def __enter__(self) -> Path:
        return self.part

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self.part.replace(self.path)
        else:
            self.part.unlink(missing_ok=True)
