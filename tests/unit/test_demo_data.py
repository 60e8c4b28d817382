"""The demo prices: what is in them, and that their events are the real ones."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from gpt_trader.adapters.demo import PRICES, DemoSource
from gpt_trader.adapters.exchange_calendar import load_calendar
from gpt_trader.errors import BadParameter, SymbolNotFound
from gpt_trader.quality import find_defects
from gpt_trader.sources import BarRequest
from tests.shared_data import shared_data


def bars(symbol: str, adjustment: str = "raw", timeframe: str = "1d", end: str | None = None) -> pd.DataFrame:
    until = None if end is None else np.datetime64(end, "ns")
    return DemoSource().fetch(BarRequest(symbol, timeframe, None, until, adjustment)).frame


@pytest.mark.parametrize(
    ("symbol", "first", "rows", "splits", "dividends"),
    [
        ("AAPL", "2000-03-01", 3270, 2, 3),
        ("FB", "2012-05-18", 196, 0, 0),
        ("GOOG", "2004-08-19", 2148, 0, 0),
        ("IBM", "2000-03-01", 3270, 0, 52),
        ("MSFT", "2000-03-01", 3270, 1, 37),
    ],
)
def test_the_set_holds_what_its_readme_says(
    symbol: str, first: str, rows: int, splits: int, dividends: int
) -> None:
    frame = bars(symbol)
    assert (len(frame), str(frame["time"].iloc[0].date())) == (rows, first)
    assert str(frame["time"].iloc[-1].date()) == "2013-03-01"
    assert int((frame["split"] != 1).sum()) == splits
    assert int((frame["dividend"] != 0).sum()) == dividends
    readme = PRICES.with_name("README.md").read_text(encoding="utf-8")
    assert f"| {symbol} | {first} | 2013-03-01 | {rows:,} |" in readme


@pytest.mark.parametrize("symbol", ["AAPL", "FB", "GOOG", "IBM", "MSFT", "DEMO"])
def test_every_series_is_clean_and_complete(symbol: str) -> None:
    defects = find_defects(bars(symbol), symbol, calendar=load_calendar("XNYS", "2000-01-01", "2024-12-31"))
    rules = {defect.rule for defect in defects}
    assert rules <= {"jump"}, [defect.message for defect in defects]
    if symbol == "AAPL":  # the profit warning of September 2000
        assert [d.time for d in defects] == ["2000-09-29"]


@pytest.mark.parametrize("symbol", ["AAPL", "IBM"])
def test_splits_and_dividends_agree_with_lean(symbol: str) -> None:
    lean = pd.read_parquet(shared_data("equity/lean_actions.parquet"))
    dates = pd.to_datetime(lean["ex_date"])
    lean = lean[(lean["file"] == symbol) & (dates > "2000-03-01") & (dates <= "2013-03-01")]
    frame = bars(symbol)
    for kind, neutral, tolerance in (("split", 1.0, 0.0), ("dividend", 0.0, 2e-4)):
        mine = frame.loc[frame[kind] != neutral, ["time", kind]]
        theirs = lean[lean["kind"] == kind]
        assert mine["time"].tolist() == pd.to_datetime(theirs["ex_date"]).tolist()
        np.testing.assert_allclose(mine[kind], theirs["value"], rtol=0, atol=tolerance)


def test_closes_agree_with_lean() -> None:
    lean = pd.read_parquet(shared_data("equity/lean_daily.parquet"))
    lean = lean[lean["symbol"] == "AAPL"].assign(time=lambda f: pd.to_datetime(f["date"]))
    both = bars("AAPL").merge(lean, on="time", suffixes=("", "_lean"))
    assert len(both) == 3270
    ratio = both["close"] / both["close_lean"]
    assert float((ratio - 1).abs().median()) < 1e-4
    assert float(((ratio - 1).abs() > 0.02).mean()) < 0.01


def test_dividends_are_whole_cents_and_the_special_one_is_whole() -> None:
    msft = bars("MSFT")
    paid = msft.loc[msft["dividend"] > 0].set_index("time")["dividend"]
    assert paid[pd.Timestamp("2004-11-15")] == 3.08
    assert paid[pd.Timestamp("2003-02-19")] == 0.08
    assert (paid == paid.round(2)).all()
    assert msft.loc[msft["split"] != 1, "time"].tolist() == [pd.Timestamp("2003-02-18")]


def test_split_adjusted_prices_have_no_jump_and_keep_the_last_price() -> None:
    raw, split = bars("AAPL"), bars("AAPL", "split")
    assert split["close"].iloc[-1] == raw["close"].iloc[-1]
    assert split["close"].iloc[0] == pytest.approx(raw["close"].iloc[0] / 4)
    assert split["volume"].iloc[0] == raw["volume"].iloc[0] * 4
    assert (split["split"] == 1).all()
    row = raw.index[raw["split"] != 1][0]
    move = split["close"][row] / split["close"][row - 1]
    assert move == pytest.approx(raw["close"][row] * 2 / raw["close"][row - 1])


def test_fully_adjusted_prices_return_what_a_holder_earned() -> None:
    raw, everything = bars("MSFT"), bars("MSFT", "all")
    before = raw["close"].shift()
    earned = np.log(raw["close"] * raw["split"] / (before - raw["dividend"] * raw["split"])).iloc[1:].sum()
    assert np.log(everything["close"].iloc[-1] / everything["close"].iloc[0]) == pytest.approx(
        earned, abs=1e-9
    )
    assert (everything["dividend"] == 0).all()


def test_weeks_group_days_and_a_split_inside_a_week_is_no_move() -> None:
    days, weeks = bars("AAPL"), bars("AAPL", timeframe="1w")
    week = weeks[weeks["time"] == "2000-06-19"].iloc[0]
    part = days[(days["time"] >= "2000-06-19") & (days["time"] <= "2000-06-23")]
    assert week["split"] == 2.0
    assert week["open"] == pytest.approx(part["open"].iloc[0] / 2)
    assert week["close"] == part["close"].iloc[-1]
    basis = np.where(part["time"] < "2000-06-21", 2.0, 1.0)
    assert week["high"] == pytest.approx((part["high"] / basis).max())
    assert week["volume"] == pytest.approx((part["volume"] * basis).sum())
    assert weeks["volume"].count() < 700


def test_a_week_that_is_not_over_is_left_out() -> None:
    assert str(bars("AAPL", timeframe="1w", end="2004-06-17")["time"].iloc[-1].date()) == "2004-06-07"
    assert str(bars("AAPL", timeframe="1w", end="2004-06-18")["time"].iloc[-1].date()) == "2004-06-14"
    assert str(bars("AAPL", timeframe="1mo", end="2004-06-30")["time"].iloc[-1].date()) == "2004-06-01"


def test_demo_says_that_it_is_synthetic() -> None:
    series = DemoSource().fetch(BarRequest("DEMO"))
    assert series.source == "demo (synthetic)"
    assert "not a real stock" in series.notes[0]
    assert str(series.frame["time"].iloc[0].date()) == "2018-01-02"
    assert str(series.frame["time"].iloc[-1].date()) == "2024-12-31"


def test_symbols_in_any_case_and_unknown_ones() -> None:
    assert len(bars("aapl")) == 3270
    with pytest.raises(SymbolNotFound, match="AAPL, DEMO, FB"):
        bars("AAPK")
    with pytest.raises(BadParameter, match="daily"):
        bars("AAPL", timeframe="5m")
