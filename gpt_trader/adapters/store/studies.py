"""Studies: sweeps, walk-forwards and the like, each a row among the runs with its progress and no result tables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from gpt_trader.adapters.store.rows import Rows, moment
from gpt_trader.adapters.store.writer import Saving, insert_metrics, insert_run
from gpt_trader.errors import UnknownName

STUDY_KINDS = ("sweep", "walkforward", "cv", "robustness", "compare")
STUDY_STATES = ("running", "finished", "cancelled", "interrupted", "failed")
DONE, POINTS = "points_done", "points"  # the metrics that tell how far a study is


@dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    """What is known of a study when it begins.

    `parameters` describes what is searched, `folder` is where its files are, `metrics` are those of the best point so
    far, with `points` (how many in all) and `points_done`; the rest is as of a run.
    """

    run_id: str
    kind: str
    strategy: str
    parameters: Mapping[str, Any]
    symbols: tuple[str, ...]
    start: Any
    end: Any
    fingerprint: str
    manifest: Mapping[str, Any]
    folder: Path | None = None
    metrics: Mapping[str, float] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.kind not in STUDY_KINDS:
            raise UnknownName("kind of study", self.kind, STUDY_KINDS)


def write_study(rows: Rows, study: Study, status: str, created_at: datetime) -> bool:
    """Write the row of a study, True when it is new; one that is there is seen once more and has `status` now."""
    run = insert_run(rows, study, study.folder, Saving(created_at, study.kind, status))
    if run is not None:
        insert_metrics(rows, run, study.metrics)
        return True
    statement = "UPDATE runs SET seen = seen + 1, status = ?, last_seen = ? WHERE run_id = ?"
    rows.execute(statement, (status, moment(created_at), study.run_id))
    return False


def change_study(
    rows: Rows, run_id: str, status: str, metrics: Mapping[str, float], changed_at: datetime
) -> None:
    """Set the status of a study and those of its metrics that are given. Raises UnknownName when there is none."""
    kinds = ", ".join("?" * len(STUDY_KINDS))
    run = rows.execute(
        f"UPDATE runs SET status = ?, last_seen = ? WHERE run_id = ? AND kind IN ({kinds}) RETURNING run",
        (status, moment(changed_at), run_id, *STUDY_KINDS),
    )
    if run is None:
        raise UnknownName("study", run_id, ())
    for name, value in metrics.items():
        rows.execute(
            "INSERT INTO metrics (run, name, value) VALUES (?, ?, ?) "
            "ON CONFLICT (run, name) DO UPDATE SET value = excluded.value",
            (run, name, None if value != value else float(value)),
        )


def checked_state(status: str) -> str:
    """`status` when a study can have it. Raises UnknownName for another."""
    if status not in STUDY_STATES:
        raise UnknownName("status of a study", status, STUDY_STATES)
    return status
