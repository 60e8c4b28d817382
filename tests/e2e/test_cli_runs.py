"""`runs` and `report`: what was stored is listed, shown, compared and computed anew to the same numbers."""

from __future__ import annotations

import json
import sqlite3
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from gpt_trader.adapters.store import RunStore
from gpt_trader.adapters.store.studies import STUDY_KINDS, Study
from jobs.report import prices_again
from jobs.runs import BACKTEST
from tests.e2e.command import cli, one_message

SPAN = ("--start", "2008-01-02", "--end", "2010-12-31")


@pytest.fixture
def two() -> list[Any]:
    """Two stored runs, the older first."""
    return [cli("backtest", name, *SPAN, "--json").json for name in ("demo_ma", "mean_reversion")]


def test_an_empty_store_says_so() -> None:
    assert "no runs yet" in cli("runs", "list").out
    assert "no runs of momentum yet" in cli("runs", "list", "--strategy", "momentum").out
    assert cli("runs", "list", "--json").json == {"runs": []}


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ("runs list", 0, "no runs yet"),
        ("runs show last", 2, "there are no runs yet"),
        ("runs show abcd", 2, "unknown run 'abcd'"),
        ("runs compare abcd ef01", 2, "unknown run 'abcd'"),
        ("report", 2, "there are no runs yet"),
        ("trials list", 0, "no trials yet"),
        ("trials show demo_ma", 2, "unknown family 'demo_ma'"),
    ],
)
def test_reading_makes_no_store(words: str, code: int, said: str) -> None:
    done = cli(*words.split())
    assert done.code == code
    assert said in done.out + done.err
    elsewhere = one_message(cli(*words.split(), "--store", "sqlite:///other/runs.sqlite"), 2)
    assert "there is no store sqlite:///other/runs.sqlite" in elsewhere
    assert not list(Path().iterdir())


def test_list_shows_the_newest_first(two: list[Any]) -> None:
    rows = cli("runs", "list", "--json").json["runs"]
    assert [row["run_id"] for row in rows] == [two[1]["run_id"], two[0]["run_id"]]
    assert rows[0]["sharpe"] == two[1]["metrics"]["sharpe"]
    table = cli("runs", "list").out
    assert two[0]["run_id"][:12] in table
    assert [row["strategy"] for row in cli("runs", "list", "-n", 1, "--json").json["runs"]] == [
        "mean_reversion"
    ]
    assert len(cli("runs", "list", "--strategy", "demo_ma", "--json").json["runs"]) == 1


def test_show_gives_the_run_back(two: list[Any]) -> None:
    shown = cli("runs", "show", two[0]["run_id"][:8], "--json").json
    for key in ("run_id", "strategy", "parameters", "symbols", "metrics", "fingerprint"):
        assert shown[key] == two[0][key], key
    assert shown["manifest"]["costs"]["bps"] == 5.0
    table = cli("runs", "show", "last")
    assert table.code == 0
    assert two[1]["run_id"] in table.out


def test_compare_sets_runs_side_by_side(two: list[Any]) -> None:
    both = [run["run_id"] for run in two]
    compared = cli("runs", "compare", *both, "--json").json["runs"]
    assert [run["metrics"]["sharpe"] for run in compared] == [run["metrics"]["sharpe"] for run in two]
    table = cli("runs", "compare", *both).out
    assert "demo_ma" in table
    assert "mean_reversion" in table


def test_a_misspelt_run_is_answered_with_the_nearest(two: list[Any]) -> None:
    wrong = "x" + two[0]["run_id"][1:12]
    assert two[0]["run_id"][:12] in one_message(cli("runs", "show", wrong), 2)


def test_report_computes_the_numbers_of_the_run_anew(two: list[Any]) -> None:
    again = cli("report", two[0]["run_id"], "--json").json
    assert again["differing"] == []
    for name, value in two[0]["metrics"].items():
        if name in again["metrics"] and value is not None:
            assert again["metrics"][name] == pytest.approx(value, rel=1e-9, abs=1e-9), name
    assert {"total_return", "sharpe", "max_drawdown", "costs", "win_rate"} <= set(again["metrics"])


def test_report_of_a_span_differs_from_the_whole_and_ends_inside_it(two: list[Any]) -> None:
    part = cli("report", two[0]["run_id"], "--from", "2009-01-01", "--to", "2009-12-31", "--json").json
    assert part["metrics"]["total_return"] != two[0]["metrics"]["total_return"]
    assert part["metrics"]["round_trips"] < two[0]["metrics"]["round_trips"]
    assert "2009-01-01 to 2009-12-31" in cli("report", "--from", "2009-01-01", "--to", "2009-12-31").out
    one_message(cli("report", "--from", "2009-12-31", "--to", "2009-01-01"), 2)
    assert "no bar from 2020-01-01 to the end" in one_message(cli("report", "--from", "2020-01-01"), 2)


def test_report_notices_that_the_stored_rows_were_changed(two: list[Any]) -> None:
    with sqlite3.connect(".gpt-trader/store.sqlite") as store:
        tables = {name for (name,) in store.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        assert "fills" in tables
        store.execute("UPDATE fills SET commission = commission + 1000")
    store.close()
    done = cli("report", two[0]["run_id"])
    assert done.code == 1
    assert "costs" in done.err


def test_report_writes_the_page_of_a_stored_run(two: list[Any]) -> None:
    done = cli("report", two[1]["run_id"], "--out", "pages/run.html")
    assert done.code == 0
    page = Path("pages/run.html").read_text()
    assert "mean_reversion" in page
    assert two[1]["run_id"] in page
    assert "Prices were not kept" not in page, "the demo's prices can be had again"


def test_a_report_made_later_draws_only_the_very_same_prices(two: list[Any]) -> None:
    Path("XYZ.csv").write_text(
        "date,open,high,low,close,volume\n" + "".join(f"2024-01-{day:02},1,2,1,2,9\n" for day in range(1, 31))
    )
    other = cli("backtest", "buy_and_hold", "--path", "XYZ.csv", "--json").json["run_id"]
    assert cli("report", other, "--out", "other.html").code == 0
    assert "Prices were not kept" in Path("other.html").read_text()
    manifest = json.loads((Path("runs") / two[0]["run_id"] / "manifest.json").read_text())
    bars = prices_again(manifest)
    assert bars is not None
    assert bars.fingerprint() == manifest["data"]
    assert prices_again({**manifest, "data": {"AAPL": "0" * 64}}) is None
    assert prices_again({**manifest, "symbols": ["NONE"]}) is None
    assert prices_again({}) is None


def test_another_store_is_another_list(two: list[Any]) -> None:
    other = ("--store", "sqlite:///other/store.sqlite")
    run = cli("backtest", "bollinger", *SPAN, *other, "--json").json
    assert [row["run_id"] for row in cli("runs", "list", *other, "--json").json["runs"]] == [run["run_id"]]
    assert len(cli("runs", "list", "--json").json["runs"]) == 2


def test_a_store_that_refuses_loses_neither_numbers_nor_tables() -> None:
    Path("broken.sqlite").write_text("this is no database, but text of some length " * 40)
    done = cli("backtest", *SPAN, "--store", "sqlite:///broken.sqlite", "--json")
    assert done.code == 1
    assert "broken.sqlite" in done.err
    assert "Traceback" not in done.err
    assert (Path("runs") / done.json["run_id"] / "equity.parquet").is_file()


def test_studies_are_listed_with_their_progress(two: list[Any]) -> None:
    now = datetime(2099, 1, 1, tzinfo=UTC)
    with RunStore("sqlite:///.gpt-trader/store.sqlite") as store:
        study = Study(
            run_id="5eed5eed5eed5eed", kind="sweep", strategy="demo_ma", parameters={"fast": "5:60:5"}, symbols=("AAPL",),
            start="2008-01-02", end="2010-12-31", fingerprint="ab" * 32, manifest={"version": "0.2.0"},
            metrics={"points": 1200.0, "points_done": 40.0, "sharpe": 0.75},
        )  # fmt: skip
        store.save_study(study, created_at=now)
        assert "running 40 of 1,200" in cli("runs", "list").out
        assert "sweep 5eed5eed5eed5eed · running 40 of 1,200" in cli("runs", "show", "last").out
        store.update_study(study.run_id, "finished", {"points_done": 1200.0}, changed_at=now)
    table = cli("runs", "list").out
    assert "sweep" in table
    assert "finished 1,200" in table
    for kind, ids in (
        ("sweep", ["5eed5eed5eed5eed"]),
        ("backtest", [two[1]["run_id"], two[0]["run_id"]]),
        ("cv", []),
    ):
        assert [row["run_id"] for row in cli("runs", "list", "--kind", kind, "--json").json["runs"]] == ids
    assert "no runs of kind cv yet" in cli("runs", "list", "--kind", "cv").out
    assert "Did you mean 'sweep'?" in one_message(cli("runs", "list", "--kind", "swep"), 2)
    shown = cli("runs", "show", "last", "--json").json
    assert (shown["kind"], shown["status"], shown["tables"]) == ("sweep", "finished", {})
    assert shown["metrics"] == {"points": 1200.0, "points_done": 1200.0, "sharpe": 0.75}
    compared = cli("runs", "compare", "5eed", two[0]["run_id"], "--json").json["runs"]
    assert [run["metrics"]["sharpe"] for run in compared] == [0.75, two[0]["metrics"]["sharpe"]]
    assert cli("report", "--json").json["run_id"] == two[1]["run_id"], "the last backtest, not the study"
    assert "is a sweep, which has no table equity" in one_message(cli("report", "5eed"), 2)


def test_the_help_names_every_kind_of_run() -> None:
    said = " ".join(cli("runs", "list", "--help").out.replace("│", " ").split())
    assert f"Only of this kind: {', '.join((BACKTEST, *STUDY_KINDS))}." in said
