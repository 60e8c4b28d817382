"""`data`: files are checked and repaired with row and rule, fetches say where bars came from, the cache is listed."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from tests.e2e.command import cli, one_message

BAD = """date,open,high,low,close,volume
2020-01-02,10,11,9,10.5,100
2020-01-03,10,11,9,10.5,100
2020-01-03,10,11,9,10.6,100
2020-01-06,10,8,12,10.5,100
2020-01-07,-1,11,9,10.5,100
2020-01-08,10,11,9,10.5,100
2020-01-11,10,11,9,10.5,100
"""


@pytest.fixture(autouse=True)
def _bad_file() -> None:
    Path("BAD.csv").write_text(BAD)


def test_check_names_row_and_rule_of_each_defect_and_ends_with_1() -> None:
    done = cli("data", "check", "BAD.csv")
    assert (done.code, done.err) == (1, "")
    for words in (
        "row 4 (2020-01-03): duplicate_time",
        "row 5 (2020-01-06): high_below_low",
        "row 6 (2020-01-07): negative_price",
    ):
        assert words in done.out
    assert "closed_day" not in done.out
    assert "row 8 (2020-01-11): closed_day" in cli("data", "check", "BAD.csv", "--calendar", "XNYS").out


def test_check_as_json_lists_the_defects() -> None:
    done = cli("data", "check", "BAD.csv", "--json")
    assert done.code == 1
    assert done.json["ok"] is False
    assert done.json["rows"] == {"BAD": 7}
    assert [(item["row"], item["rule"]) for item in done.json["defects"]] == [
        (4, "duplicate_time"),
        (5, "high_below_low"),
        (6, "negative_price"),
    ]


def test_repair_writes_a_sound_file_and_each_change_and_leaves_the_input() -> None:
    done = cli("data", "repair", "BAD.csv")
    assert (done.code, done.err) == (0, "")
    assert Path("BAD.csv").read_text() == BAD
    changes = pd.read_csv("BAD.repaired.changes.csv")
    assert set(changes["rule"]) == {"duplicate_time", "high_below_low", "negative_price"}
    assert changes["row"].tolist().count(5) == 2  # high and low of that row
    assert cli("data", "check", "BAD.repaired.csv").code == 0
    mended = pd.read_csv("BAD.repaired.csv")
    assert mended["time"].tolist() == ["2020-01-02", "2020-01-03", "2020-01-06", "2020-01-08", "2020-01-11"]
    assert mended.loc[1, "close"] == 10.6
    assert set(mended["symbol"]) == {"BAD"}


def test_repair_into_parquet_and_its_changes_as_json() -> None:
    done = cli(
        "data", "repair", "BAD.csv", "--out", "new/BAD.parquet", "--changes", "new/changes.csv", "--json"
    )
    assert done.json["out"] == "new/BAD.parquet"
    assert len(done.json["changes"]) == len(pd.read_csv("new/changes.csv"))
    assert cli("data", "check", "new/BAD.parquet").code == 0


def test_repair_never_overwrites_the_input_and_other_files_only_when_told() -> None:
    assert "is the input" in one_message(cli("data", "repair", "BAD.csv", "--out", "BAD.csv", "--force"), 2)
    assert cli("data", "repair", "BAD.csv").code == 0
    assert "--force" in one_message(cli("data", "repair", "BAD.csv"), 2)
    assert cli("data", "repair", "BAD.csv", "--force").code == 0


def test_check_of_a_folder_and_of_chosen_symbols() -> None:
    Path("many").mkdir()
    Path("many/bad.csv").write_text(BAD)
    Path("many/good.csv").write_text(
        "".join(BAD.splitlines(keepends=True)[:2]) + "2020-01-03,10,11,9,10.5,100\n"
    )
    assert cli("data", "check", "many", "--json").json["rows"] == {"BAD": 7, "GOOD": 2}
    assert cli("data", "check", "many", "--symbols", "good").code == 0
    message = cli("data", "check", "many", "--symbols", "ugly")
    assert message.code in (1, 2)
    assert "BAD, GOOD" in message.err


def test_fetch_says_what_it_got_and_one_failure_loses_no_other() -> None:
    done = cli("data", "fetch", "--symbols", "AAPL,NOPE,MSFT", "--json")
    assert done.code == 1
    assert done.json["failed"] == ["NOPE"]
    rows = {row["symbol"]: row for row in done.json["series"]}
    assert rows["AAPL"]["bars"] == rows["MSFT"]["bars"] == 3270
    assert rows["AAPL"]["source"] == "demo"
    assert "NOPE" in rows["NOPE"]["error"]
    assert cli("data", "fetch", "--symbols", "AAPL").code == 0


def test_fetch_of_seeded_bars_needs_no_network() -> None:
    fetch = (
        "data",
        "fetch",
        "--source",
        "synthetic",
        "--symbols",
        "ABC",
        "--start",
        "2020-01-01",
        "--end",
        "2020-12-31",
    )
    done = cli(*fetch)
    assert (done.code, done.err) == (0, "")
    assert "253" in done.out
    assert "no network needed" in done.out


def test_fetch_without_the_network_fails_with_one_line_for_the_symbol() -> None:
    done = cli(
        "data",
        "fetch",
        "--source",
        "alpaca",
        "--symbols",
        "AAPL",
        "--start",
        "2020-01-01",
        "--end",
        "2020-02-01",
    )
    assert done.code == 1
    assert "Traceback" not in done.err
    assert "AAPL" in done.err


def test_list_shows_the_demo_symbols_and_an_empty_cache() -> None:
    done = cli("data", "list")
    assert done.code == 0
    assert "AAPL, DEMO, FB, GOOG, IBM, MSFT" in done.out
    assert "empty" in done.out
    assert cli("data", "list", "--json").json["series"] == []


def test_list_shows_what_is_cached() -> None:
    from gpt_trader.adapters.cache import CachedSource
    from gpt_trader.adapters.synthetic import SyntheticSource
    from gpt_trader.bars import parse_time
    from gpt_trader.sources import BarRequest

    cache = CachedSource(SyntheticSource(1), Path(".gpt-trader/cache"))
    start, end = parse_time("2020-01-02"), parse_time("2020-01-31", end_of_day=True)
    cache.fetch(BarRequest("ABC", "1d", start, end))
    rows = cli("data", "list", "--json").json["series"]
    assert [(row["source"], row["symbol"], row["covered"]) for row in rows] == [
        ("synthetic", "ABC", [["2020-01-02", "2020-01-31"]])
    ]
    assert "ABC" in cli("data", "list").out


def test_a_fetch_that_fails_says_why_even_when_quiet() -> None:
    done = cli("data", "fetch", "--source", "alpaca", "--symbols", "AAPL", "--start", "2020-01-01", "--quiet")
    assert (done.code, done.out) == (1, "")
    assert done.err.startswith("error: AAPL: Alpaca needs an API key")


@pytest.mark.parametrize("command", [("data", "check"), ("data", "repair"), ("backtest", "--path")])
def test_a_row_without_a_symbol_is_named_and_never_dropped(command: tuple[str, ...]) -> None:
    rows = ("A,2024-01-02,1,1,1,1,100", "A,2024-01-03,1,1,1,1,100", ",2024-01-03,2,2,2,2,100")
    Path("LONG.csv").write_text("\n".join(("symbol,date,open,high,low,close,volume", *rows)))
    assert "LONG.csv: row 4 has no symbol" in one_message(cli(*command, "LONG.csv"), 2)
