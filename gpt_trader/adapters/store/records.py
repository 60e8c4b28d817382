"""What the store tells about a run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class StoredTable:
    """One table of a stored run: its rows, and whether they are in the "store" or in the run's Parquet "file" alone."""

    rows: int
    place: str
    sha256: str | None


@dataclass(frozen=True, slots=True)
class RunRecord:
    """One stored run. Times are naive UTC; `seen` counts how often the same run was saved."""

    run_id: str
    kind: str
    strategy: str
    parameters: Mapping[str, Any]
    symbols: tuple[str, ...]
    start: datetime
    end: datetime
    fingerprint: Any
    code_version: str
    created_at: datetime
    status: str
    manifest: Mapping[str, Any]
    warnings: tuple[str, ...]
    folder: Path | None
    seen: int
    last_seen: datetime
    metrics: Mapping[str, float]
    tables: Mapping[str, StoredTable]
