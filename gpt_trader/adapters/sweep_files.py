"""The files of a sweep: `points.parquet`, the whole surface, and `result.json`, what it says."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gpt_trader.adapters.study_tables import write_study
from gpt_trader.research.sweep_analysis import SweepAnalysis
from gpt_trader.research.sweep_table import columns_of


def write_sweep(found: SweepAnalysis, result: Mapping[str, Any], folder: Path) -> None:
    """Write both files, each whole or not at all; equal surfaces are equal bytes. Raises StoreError when the disk refuses."""
    import pyarrow as pa

    kinds = {"stopped": pa.int64(), "error": pa.string()}
    columns = {name: pa.array(values, kinds.get(name)) for name, values in columns_of(found).items()}
    write_study(folder, result, {"points": columns})
