"""The points of a sweep as the columns of `points.parquet`."""

from __future__ import annotations

from typing import Any

from gpt_trader.research.sweep_analysis import SweepAnalysis
from gpt_trader.research.sweep_table import columns_of


def typed_columns(found: SweepAnalysis) -> dict[str, Any]:
    """The whole surface as Arrow arrays, one entry for each point: `columns_of`, of which two may be all None."""
    import pyarrow as pa

    kinds = {"stopped": pa.int64(), "error": pa.string()}
    return {name: pa.array(values, kinds.get(name)) for name, values in columns_of(found).items()}
