"""`--universe`: a CSV file says what each symbol is, and the run trades by it: sector, lot and last session."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from tests.e2e.command import cli, one_message

SPAN = ("--start", "2008-01-02", "--end", "2009-12-31")
HOLD = ("backtest", "buy_and_hold", "--universe", "universe.csv", *SPAN, "--no-save", "--json")
SECTORS = "symbol,sector\nAAPL,technology\nMSFT,technology\nIBM,services\n"
SECTOR_LIMIT = ("--limit-sector", "0.2", "--gross", "0.9", "--position", "0.3")


def tables(*more: str) -> dict[str, pd.DataFrame]:
    """Run with its tables kept, and read them."""
    run = cli(*(item for item in HOLD if item != "--no-save"), *more).json
    return {path.stem: pd.read_parquet(path) for path in Path("runs", run["run_id"]).glob("*.parquet")}


def first_weights(positions: pd.DataFrame) -> dict[str, float]:
    first = positions[positions["time"] == positions["time"].min()]
    return dict(zip(first["symbol"], first["weight"], strict=True))


def test_the_sector_limit_binds_with_sectors_of_the_universe_and_changes_what_is_held() -> None:
    Path("universe.csv").write_text("symbol\nAAPL\nMSFT\nIBM\n")
    unknown = tables(*SECTOR_LIMIT)
    assert "risk sector" not in set(unknown["decisions"]["rule"])
    assert first_weights(unknown["positions"]) == pytest.approx(
        dict.fromkeys(("AAPL", "MSFT", "IBM"), 0.3), abs=0.01
    )
    Path("universe.csv").write_text(SECTORS)
    known = tables(*SECTOR_LIMIT)
    scaled = known["decisions"].query("rule == 'risk sector'")
    assert set(scaled["symbol"]) == {"AAPL", "MSFT", "IBM"}
    assert set(scaled["verdict"]) == {"scaled"}
    weights = first_weights(known["positions"])
    assert weights == pytest.approx({"AAPL": 0.1, "MSFT": 0.1, "IBM": 0.2}, abs=0.01)


def test_the_sectors_and_lots_stand_in_the_manifest() -> None:
    Path("universe.csv").write_text("Symbol;Sector;Lot\nAAPL;technology;100\nMSFT;;\nIBM; services ;0\n")
    cli(*(item for item in HOLD if item != "--no-save"))
    assert instruments() == [
        {"symbol": "AAPL", "lot": 100.0, "sector": "technology"},
        {"symbol": "MSFT", "lot": 1.0, "sector": None},
        {"symbol": "IBM", "lot": 0.0, "sector": "services"},
    ]
    fills = pd.read_parquet(next(Path("runs").glob("*/fills.parquet")))
    bought = fills.groupby("symbol")["quantity"].first()
    assert bought["AAPL"] % 100 == 0
    assert bought["MSFT"] == int(bought["MSFT"])
    assert bought["IBM"] != int(bought["IBM"])


def instruments() -> Any:
    return cli("runs", "show", "last", "--json").json["manifest"]["instruments"]


def test_fractional_wins_over_lots_and_keeps_sectors() -> None:
    Path("universe.csv").write_text("symbol,sector,lot\nAAPL,technology,100\n")
    cli(*(item for item in HOLD if item != "--no-save"), "--fractional")
    assert instruments() == [{"symbol": "AAPL", "lot": 0.0, "sector": "technology"}]


def test_a_delisting_of_the_universe_closes_the_position_after_that_session() -> None:
    Path("universe.csv").write_text("symbol,delisted\nAAPL,\nIBM,2008-10-10\n")
    run = tables()
    trade = run["closed_trades"].set_index("symbol").loc["IBM"]
    assert trade["exit_reason"] == "delisted"
    assert str(trade["exit_time"])[:10] == "2008-10-13"
    assert run["positions"].query("symbol == 'IBM'")["time"].max() == pd.Timestamp("2008-10-10")
    assert run["positions"].query("symbol == 'AAPL'")["time"].max() == pd.Timestamp("2009-12-31")


def test_lines_with_wrong_facts_are_left_out_and_named() -> None:
    Path("universe.csv").write_text(
        "symbol,sector,lot,delisted\nAAPL,technology,1,\nMSFT,technology,many,\nIBM,services,1,soon\nAAPL,energy,1,\n"
    )
    run = cli(*HOLD).json
    assert run["symbols"] == ["AAPL"]
    said = "\n".join(run["warnings"])
    assert "line 3" in said
    assert "'many'" in said
    assert "line 4" in said
    assert "'soon'" in said
    assert "line 5" in said
    assert "again, with other facts; the first line counts" in said


def test_two_columns_for_one_fact_are_refused() -> None:
    Path("universe.csv").write_text("symbol,sector,Sector\nAAPL,a,b\n")
    assert "two columns 'sector'" in one_message(cli(*HOLD), 2)
