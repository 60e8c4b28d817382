"""Studies in the list of runs: their status as it is now, and those that the store has not heard of."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from gpt_trader.adapters.study_files import RUNNING, StudyFolder, StudyRecord, studies_in


def with_studies(
    rows: list[dict[Any, Any]], runs_dir: Path, limit: int, strategy: str | None, kind: str | None
) -> list[dict[Any, Any]]:
    """The store's rows, the newest first, and at most `limit` of them, with the studies of `runs_dir` among them.

    A study that says it runs although its driver is gone is interrupted. One that was handed over to a cluster, or whose
    store could not be written, is known by its folder alone.
    """
    for row in rows:
        if row["status"] == RUNNING and isinstance(
            row["folder"], str
        ):  # a study without one is NaN in the frame
            folder = StudyFolder(Path(row["folder"]))
            row["status"] = folder.status_now() or row["status"]
    known = {row["run_id"] for row in rows}
    for folder, record in studies_in(runs_dir):
        wanted = kind in (None, record.kind) and strategy in (None, record.identity.get("strategy"))
        if wanted and record.study_id not in known:
            rows.append(_row(folder, record))
    rows.sort(key=lambda row: str(row["created_at"]), reverse=True)
    return rows[:limit]


def _row(folder: StudyFolder, record: StudyRecord) -> dict[str, Any]:
    """A study as a row of the store would have it."""
    best = record.progress.get("best") or {}
    metrics: Mapping[str, Any] = best.get("metrics") or {}
    counts = {name: record.progress.get(name) for name in ("points", "points_done")}
    return {
        **metrics,
        **counts,
        "run_id": record.study_id,
        "kind": record.kind,
        "status": folder.status(record),
        "strategy": record.identity.get("strategy"),
        "parameters": record.about.get("parameters", record.about.get("axes", {})),
        "symbols": record.about.get("symbols", ()),
        "start": record.about.get("start"),
        "end": record.about.get("end"),
        "created_at": datetime.fromisoformat(record.created_at).replace(tzinfo=None),
        "folder": str(folder.path),
    }
