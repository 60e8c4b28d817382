"""Studies among the runs, on an SQLite file and on a real PostgreSQL: their status, their progress, no tables."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gpt_trader.adapters.store import RunStore, StoreError
from gpt_trader.adapters.store.recompute import recompute
from gpt_trader.adapters.store.studies import STUDY_KINDS, Study
from gpt_trader.errors import UnknownName, UserError
from tests.contract.postgres import postgres_server
from tests.contract.stores import NOW, everything, store, url
from tests.stored_result import make_result

__all__ = ["postgres_server", "store", "url"]

LATER = NOW + timedelta(minutes=5)


def study(run_id: str = "5eed5eed00000001", **more: Any) -> Study:
    given: dict[str, Any] = {
        "kind": "sweep", "strategy": "demo_ma", "parameters": {"fast": "5:60:5"}, "symbols": ("AAPL",),
        "start": np.datetime64("2010-01-04"), "end": "2012-12-31", "fingerprint": "ab" * 32,
        "manifest": {"version": "0.2.0", "seed": 1}, "metrics": {"points": 200.0, "points_done": 0.0},
    }  # fmt: skip
    return Study(run_id=run_id, **{**given, **more})


@pytest.mark.parametrize("kind", STUDY_KINDS)
def test_a_study_is_saved_without_tables_and_is_sound(store: RunStore, tmp_path: Path, kind: str) -> None:
    assert store.save_study(study(kind=kind, folder=tmp_path / "runs" / "x"), created_at=NOW) is True
    record = store.run("5eed")
    assert (record.kind, record.status, record.strategy, record.code_version) == (
        kind,
        "running",
        "demo_ma",
        "0.2.0",
    )
    assert (str(record.start), str(record.end)) == ("2010-01-04 00:00:00", "2012-12-31 00:00:00")
    assert record.parameters == {"fast": "5:60:5"}
    assert record.metrics == {"points": 200.0, "points_done": 0.0}
    assert record.folder == tmp_path / "runs" / "x"
    assert record.tables == {}
    assert store.check() == ()


def test_progress_and_end_change_status_and_the_given_metrics_alone(store: RunStore) -> None:
    store.save_study(study(), created_at=NOW)
    store.save(make_result(), created_at=NOW)
    store.update_study(
        "5eed5eed00000001", "running", {"points_done": 40.0, "sharpe": float("nan")}, changed_at=LATER
    )
    record = store.run("5eed")
    np.testing.assert_equal(
        dict(record.metrics), {"points": 200.0, "points_done": 40.0, "sharpe": float("nan")}
    )
    assert record.last_seen == LATER.replace(tzinfo=None)
    assert record.created_at == NOW.replace(tzinfo=None)
    store.update_study(
        "5eed5eed00000001", "finished", {"points_done": 200.0, "sharpe": 0.5}, changed_at=LATER
    )
    record = store.run("5eed")
    assert record.status == "finished"
    assert record.metrics == {"points": 200.0, "points_done": 200.0, "sharpe": 0.5}
    assert store.run("0000").metrics["sharpe"] == 1.25
    store.update_study("5eed5eed00000001", "cancelled", changed_at=LATER)
    assert store.run("5eed").status == "cancelled"


def test_a_study_that_begins_again_is_the_same_row(store: RunStore) -> None:
    store.save_study(study(), created_at=NOW)
    store.update_study("5eed5eed00000001", "cancelled", {"points_done": 40.0}, changed_at=LATER)
    assert store.save_study(study(), created_at=LATER) is False
    record = store.run("5eed")
    assert (record.status, record.seen) == ("running", 2)
    assert record.metrics["points_done"] == 40.0
    assert len(everything(store)["runs"]) == 1


def test_only_studies_can_be_changed_and_only_to_a_known_status(store: RunStore) -> None:
    result = make_result()
    store.save(result, created_at=NOW)
    before = everything(store)
    for run_id in (result.run_id, "5eed", ""):
        with pytest.raises(UnknownName, match="unknown study"):
            store.update_study(run_id, "failed", {"sharpe": 9.0}, changed_at=LATER)
    for attempt in (
        lambda: store.save_study(study(), created_at=NOW, status="done"),
        lambda: store.update_study(result.run_id, "finishd", changed_at=NOW),
    ):
        with pytest.raises(UnknownName, match="unknown status of a study"):
            attempt()
    with pytest.raises(UnknownName, match=r"unknown kind of study 'walk'. Did you mean"):
        study(kind="walk")
    assert everything(store) == before


def test_runs_are_listed_by_kind_and_compared_across_kinds(store: RunStore) -> None:
    store.save(make_result(), created_at=NOW)
    store.save_study(study(metrics={"sharpe": 0.7}), created_at=LATER)
    store.save_study(study("cafe00000001", kind="cv", strategy="momentum"), created_at=LATER)
    assert sorted(store.runs()["kind"]) == ["backtest", "cv", "sweep"]
    assert store.runs(kind="sweep")["run_id"].tolist() == ["5eed5eed00000001"]
    assert store.runs(kind="sweep", strategy="momentum").empty
    assert store.runs(kind="backtest")["run_id"].str[:4].tolist() == ["0000"]
    assert store.compare(["0000", "5eed"])["sharpe"].tolist() == [1.25, 0.7]


def test_a_study_has_no_table_and_says_so(store: RunStore) -> None:
    store.save_study(study(), created_at=NOW)
    for attempt in (
        lambda: store.table("5eed", "equity"),
        lambda: store.equity("5eed"),
        lambda: recompute(store, "5eed"),
    ):
        with pytest.raises(UserError, match="run 5eed5eed00000001 is a sweep, which has no table equity"):
            attempt()
    assert store.delete("5eed").kind == "sweep"
    assert store.runs().empty


def test_a_status_that_cannot_be_written_says_why(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/store.sqlite"
    with RunStore(url) as store:
        store.save_study(study(), created_at=NOW)
    with RunStore(f"{url}?mode=ro") as closed, pytest.raises(StoreError, match="read-only"):
        closed.update_study("5eed5eed00000001", "finished", changed_at=NOW)


def test_a_study_with_a_folder_keeps_its_whole_path(
    store: RunStore, tmp_path: Path, monkeypatch: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    store.save_study(replace(study(), folder=Path("runs/x")), created_at=NOW)
    assert store.run("5eed").folder == tmp_path / "runs" / "x"
