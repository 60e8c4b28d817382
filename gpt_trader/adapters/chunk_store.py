"""The scores of chunks on disk, each under its content address, so that nothing is computed twice."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from gpt_trader.adapters.atomic_files import atomic_file
from gpt_trader.adapters.store.errors import StoreError
from gpt_trader.engine.metric_definitions import METRIC_NAMES
from gpt_trader.research.chunk import ChunkResult

SETTLED, PASSING, MISSING = range(3)
"""Of a point: it has its scores or was refused; it has an error that may have passed; it was not run yet."""


class ChunkStore:
    """Results by key in `folder`, one Parquet file each, in folders of the key's first two digits.

    A file appears whole or not at all; one that cannot be read, or does not fit, counts as not there. Deleting any of
    them is safe: they are computed again. Several processes may write the same chunk; the bytes are the same once all its
    points are there.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, key: str) -> Path:
        """Where the chunk of that key lies, or would."""
        return self.folder / key[:2] / f"{key}.parquet"

    def get(self, key: str) -> ChunkResult | None:
        """The chunk's result, None when it is not there."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        path = self.path(key)
        if not path.exists():
            return None
        try:
            table = pq.read_table(path, memory_map=True)
            rows = table.num_rows
            values = np.column_stack([table[name].to_numpy() for name in METRIC_NAMES])
            lists = table["sums"].combine_chunks()
            sums = lists.flatten().to_numpy(zero_copy_only=False).reshape(rows, 2, -1)
            messages, states = table["error"].to_pylist(), table["state"].to_numpy()
        except (OSError, KeyError, ValueError, pa.ArrowException):
            return None
        errors = {row: text for row, text in enumerate(messages) if text is not None}
        transient, missing = (
            frozenset(np.flatnonzero(states == state).tolist()) for state in (PASSING, MISSING)
        )
        return ChunkResult(values, sums, errors, transient, missing)

    def put(self, key: str, result: ChunkResult) -> None:
        """Keep a result. Raises StoreError when the disk refuses; nothing half-written stays."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        rows, width = len(result.values), int(np.prod(result.sums.shape[1:]))
        columns = {name: result.values[:, i] for i, name in enumerate(METRIC_NAMES)}
        sums = pa.FixedSizeListArray.from_arrays(pa.array(result.sums.reshape(-1)), width)
        errors = pa.array([result.errors.get(row) for row in range(rows)], pa.string())
        states = np.full(rows, SETTLED, np.int8)
        states[sorted(result.transient)], states[sorted(result.missing)] = PASSING, MISSING
        table = pa.table({**columns, "sums": sums, "error": errors, "state": states})
        try:
            with atomic_file(self.path(key)) as part:
                pq.write_table(table, part, compression="zstd", compression_level=1, use_dictionary=False)
        except OSError as problem:
            raise StoreError(
                f"cannot keep a chunk in {self.folder}: {problem.strerror or problem}; free space or choose another "
                "folder (--runs-dir); the chunks that are there are kept, and the same command goes on from them"
            ) from problem
