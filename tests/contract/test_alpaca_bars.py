"""What AlpacaSource makes of Alpaca's answers, the real alpaca-py in between and real prices on the wire."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pydantic import SecretStr

from gpt_trader.adapters.alpaca import AlpacaSource, alpaca_symbol
from gpt_trader.bars import Bars
from gpt_trader.errors import BadParameter, BadRange
from gpt_trader.sources import BarRequest, Series
from tests.contract.wire.alpaca import KEY_ID, SECRET_KEY, AlpacaWire, serve_alpaca
from tests.contract.wire.listings import OHLC, Listing, invented, lean
from tests.contract.wire.patience import policy_at

Serve = Callable[..., tuple[AlpacaWire, AlpacaSource]]
IEX = "prices and volumes are those of the exchange IEX alone"


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Starts an Alpaca with the given listings, and a source that asks it on the evening of `today`."""
    with ExitStack() as stack:

        def start(
            *listings: Listing, today: str, now: str | None = None, **options: Any
        ) -> tuple[AlpacaWire, AlpacaSource]:
            named = {listing.symbol: listing for listing in listings}
            wire = stack.enter_context(serve_alpaca(named, today, now))
            keys = SecretStr(KEY_ID), SecretStr(SECRET_KEY)
            policy = policy_at(wire.now.timestamp())
            return wire, AlpacaSource(*keys, policy=policy, url=wire.url, **{"feed": "sip", **options})

        yield start


def ask(source: AlpacaSource, symbol: str, start: str | None, end: str | None, **options: Any) -> Series:
    first, last = (None if text is None else np.datetime64(text) for text in (start, end))
    return source.fetch(BarRequest(symbol, start=first, end=last, **options))


def rows(listing: Listing, start: str, end: str) -> pd.DataFrame:
    dates = listing.daily["date"]
    return listing.daily[(dates >= start) & (dates <= end)].reset_index(drop=True)


def test_raw_bars_carry_alpacas_splits_and_dividends(serve: Serve) -> None:
    listing = lean("AAPL")
    _, source = serve(listing, today="2021-03-31")
    series = ask(source, "AAPL", "2014-05-01", "2014-08-29")
    frame, expected = series.frame, rows(listing, "2014-05-01", "2014-08-29")
    assert (series.adjustment, series.source, series.notes) == ("raw", "alpaca", ())
    np.testing.assert_array_equal(frame["time"], expected["date"])
    for name in (*OHLC, "volume"):
        np.testing.assert_array_equal(frame[name], expected[name])
    events = frame[(frame["split"] != 1) | (frame["dividend"] != 0)][["time", "split", "dividend"]]
    assert [(str(t.date()), split) for t, split in zip(events["time"], events["split"], strict=True)] == [
        ("2014-05-08", 1.0),
        ("2014-06-09", 7.0),
        ("2014-08-07", 1.0),
    ]
    np.testing.assert_allclose(events["dividend"], [3.289956, 0.0, 0.470003])


def test_a_dividend_is_found_before_it_is_paid(serve: Serve) -> None:
    _, source = serve(invented(), today="2024-03-11")  # ex on the 7th, paid on the 27th
    frame = ask(source, "ABC", "2024-03-04", "2024-03-11").frame
    assert frame["dividend"].tolist() == [0.0, 0.0, 0.0, 0.3, 0.0, 0.0]


def test_dividends_of_a_split_series_are_on_todays_basis(serve: Serve) -> None:
    listing = lean("AAPL")
    _, source = serve(listing, today="2021-03-31")
    series = ask(source, "AAPL", "2014-05-01", "2014-08-29", adjustment="split")
    expected = rows(listing, "2014-05-01", "2014-08-29")
    later = listing.later_splits(expected["date"].to_numpy("datetime64[D]"), "2021-03-31")
    np.testing.assert_allclose(series.frame["close"], expected["close"] / later, atol=5.1e-5)
    np.testing.assert_array_equal(series.frame["volume"], expected["volume"] * later)
    assert (series.frame["split"] == 1.0).all()
    paid = series.frame[series.frame["dividend"] > 0]["dividend"]
    np.testing.assert_allclose(paid, [3.289956 / 28, 0.470003 / 4])
    assert series.adjustment == "split"


def test_an_all_series_has_no_events_and_asks_for_none(serve: Serve) -> None:
    listing = lean("AAPL")
    wire, source = serve(listing, today="2021-03-31")
    series = ask(source, "AAPL", "2014-05-01", "2014-08-29", adjustment="all")
    days = listing.days("2021-03-31")
    factor = listing.dividend_factor("2021-03-31") / listing.later_splits(
        days["date"].to_numpy("datetime64[D]"), "2021-03-31"
    )
    inside = (days["date"] >= "2014-05-01") & (days["date"] <= "2014-08-29")
    np.testing.assert_allclose(series.frame["close"], (days["close"] * factor)[inside], atol=5.1e-5)
    assert (series.frame["split"] == 1.0).all()
    assert (series.frame["dividend"] == 0.0).all()
    assert {asked.path for asked in wire.asked} == {"/v2/stocks/bars"}


def test_a_reverse_split_and_a_stock_dividend_are_splits(serve: Serve) -> None:
    listing = replace(invented(), splits=(("2024-02-15", 0.1), ("2024-03-11", 1.05)))
    _, source = serve(listing, today="2024-03-28")
    frame = ask(source, "ABC", "2024-02-01", "2024-03-15").frame.set_index("time")
    assert frame["split"].loc["2024-02-15"] == pytest.approx(0.1)
    assert frame["split"].loc["2024-03-11"] == pytest.approx(1.05)


def test_a_spin_off_is_mentioned(serve: Serve) -> None:
    wire, source = serve(invented(), today="2024-03-28")
    wire.spin_offs = [
        {"source_symbol": "ABC", "new_symbol": "XYZ", "ex_date": "2024-03-12", "process_date": "2024-03-12"}
    ]
    notes = ask(source, "ABC", "2024-03-01", "2024-03-15").notes
    assert notes == ("the spin-off of XYZ on 2024-03-12 is not part of the dividends",)


def test_an_action_on_a_day_without_a_bar_waits_for_the_next_bar(serve: Serve) -> None:
    listing = replace(invented(), dividends=(("2024-02-15", 0.2),), absent=("2024-02-15",))
    _, source = serve(listing, today="2024-03-28")
    frame = ask(source, "ABC", "2024-02-13", "2024-02-20").frame
    assert frame["split"].tolist() == [1.0, 1.0, 2.0, 1.0]
    assert frame["dividend"].tolist() == pytest.approx([0.0, 0.0, 0.2, 0.0])
    later = ask(source, "ABC", "2024-02-16", "2024-02-20").frame
    assert later["split"].tolist() == [2.0, 1.0]


def test_pages_are_followed_to_the_end(serve: Serve) -> None:
    listing = lean("AAPL")
    wire, source = serve(listing, today="2021-03-31")
    wire.page_size = 7
    frame = ask(source, "AAPL", "2019-01-02", "2019-06-28").frame
    expected = rows(listing, "2019-01-02", "2019-06-28")
    np.testing.assert_array_equal(frame["close"], expected["close"])
    assert len(wire.bars) == -(-len(rows(listing, "2018-12-23", "2019-06-28")) // 7)
    assert (frame["dividend"] > 0).sum() == 2
    assert sum(asked.path == "/v1/corporate-actions" for asked in wire.asked) == 2


def test_what_is_asked_for_is_what_was_wanted(serve: Serve) -> None:
    wire, source = serve(invented(), today="2024-03-28", feed="iex")
    series = ask(source, "abc", "2024-03-01", "2024-03-15", adjustment="split")
    query = wire.bars[0].query
    assert query["symbols"] == "ABC"
    assert (query["timeframe"], query["adjustment"], query["feed"]) == ("1Day", "split", "iex")
    assert series.notes == (IEX,)
    assert series.request.symbol == "abc"


def test_without_a_start_the_history_begins_in_2016(serve: Serve) -> None:
    listing = lean("AAPL")
    _, source = serve(listing, today="2021-03-31")
    frame = ask(source, "AAPL", None, None).frame
    assert str(frame["time"].iloc[0].date()) == "2016-01-04"
    assert str(frame["time"].iloc[-1].date()) == "2021-03-31"
    assert frame["split"].prod() == 4.0


def test_daily_bars_carry_the_date_in_new_york_on_both_sides_of_summer_time(serve: Serve) -> None:
    listing = lean("AAPL")
    _, source = serve(listing, today="2021-03-31")
    frame = ask(source, "AAPL", "2020-10-26", "2020-11-06").frame
    np.testing.assert_array_equal(frame["time"], rows(listing, "2020-10-26", "2020-11-06")["date"])


def test_a_revision_is_seen_by_the_next_fetch(serve: Serve) -> None:
    def correct(daily: pd.DataFrame) -> None:
        daily.loc[5, ["close", "volume"]] = [99.99, 777_000]

    wire, source = serve(invented(), today="2024-03-28")
    first = ask(source, "ABC", "2024-01-02", "2024-01-31").frame
    wire.listings["ABC"] = invented().changed(correct)
    second = ask(source, "ABC", "2024-01-02", "2024-01-31").frame
    assert (first != second).any(axis=1).to_numpy().nonzero()[0].tolist() == [5]
    assert second.loc[5, "close"] == 99.99


@pytest.mark.parametrize("adjustment", ["raw", "split", "all"])
def test_the_bar_of_a_session_still_open_is_left_out(serve: Serve, adjustment: str) -> None:
    _, source = serve(invented(), today="2024-03-28", now="2024-03-28T19:59")
    series = ask(source, "ABC", "2024-03-25", None, adjustment=adjustment)
    assert [str(t.date()) for t in series.frame["time"]] == ["2024-03-25", "2024-03-26", "2024-03-27"]
    assert series.notes == ("the bar of 2024-03-28 left out: it is still being traded",)
    assert ask(source, "ABC", "2024-03-25", "2024-03-26", adjustment=adjustment).notes == ()


def test_the_bar_of_a_session_just_closed_is_there(serve: Serve) -> None:
    _, source = serve(invented(), today="2024-03-28", now="2024-03-28T20:00")
    assert str(ask(source, "ABC", "2024-03-25", None).frame["time"].iloc[-1].date()) == "2024-03-28"


def test_a_known_symbol_without_bars_in_the_span_is_empty_and_says_so(serve: Serve) -> None:
    _, source = serve(invented(), today="2024-03-28")
    for start, end in (
        ("2024-01-06", "2024-01-07"),
        ("2019-01-02", "2019-02-01"),
        ("2024-03-30", "2024-03-31"),
    ):
        series = ask(source, "ABC", start, end)
        assert len(series.frame) == 0
        assert series.notes == ("Alpaca has no 1d bars of ABC in the span asked for",)


def test_mistakes_are_found_before_anything_is_sent(serve: Serve) -> None:
    wire, source = serve(invented(), today="2024-03-28")
    with pytest.raises(BadRange, match="lies in the future"):
        ask(source, "ABC", "2024-12-02", None)
    with pytest.raises(BadParameter, match="unknown adjustment 'dividend'"):
        ask(source, "ABC", "2024-01-02", None, adjustment="dividend")
    with pytest.raises(BadParameter, match="unknown Alpaca feed 'nyse'"):
        AlpacaSource(feed="nyse")
    assert wire.asked == []


def test_minutes_are_those_of_regular_hours_with_the_half_day(serve: Serve) -> None:
    listing = replace(lean("GOOG"), splits=(), dividends=())
    _, source = serve(listing, today="2015-12-28")
    series = ask(source, "GOOG", "2015-12-23", "2015-12-28", timeframe="1m")
    counts = series.frame["time"].dt.date.astype(str).value_counts().sort_index()
    assert counts.to_dict() == {"2015-12-23": 390, "2015-12-24": 210, "2015-12-28": 382}
    local = series.frame["time"].dt.tz_localize("UTC").dt.tz_convert("America/New_York").dt.tz_localize(None)
    assert listing.minutes is not None
    traded = listing.minutes.set_index("time").loc[local]
    for name in (*OHLC, "volume"):
        np.testing.assert_array_equal(series.frame[name], traded[name])
    assert series.notes == ()


def test_extended_hours_keep_every_minute(serve: Serve) -> None:
    listing = replace(lean("GOOG"), splits=(), dividends=())
    _, source = serve(listing, today="2015-12-28", now="2015-12-29T02:00", extended_hours=True)
    frame = ask(source, "GOOG", "2015-12-23", None, timeframe="1m").frame
    assert listing.minutes is not None
    assert len(frame) == len(listing.minutes)


def test_minutes_over_a_split_are_raw_on_both_sides(serve: Serve) -> None:
    listing = lean("AAPL", "2014-01-02", "2014-06-30")
    _, source = serve(listing, today="2014-06-30")
    raw = ask(source, "AAPL", "2014-06-05", "2014-06-09", timeframe="1m").frame
    split = ask(source, "AAPL", "2014-06-05", "2014-06-09", timeframe="1m", adjustment="split").frame
    events = raw[raw["split"] != 1.0]
    assert [(str(t), ratio) for t, ratio in zip(events["time"], events["split"], strict=True)] == [
        ("2014-06-09 13:30:00", 7.0)
    ]
    before = raw["time"] < "2014-06-09"
    assert raw.loc[before, "close"].min() > 640
    np.testing.assert_allclose(split["close"], raw["close"] / np.where(before, 7, 1), atol=5.1e-5)


@pytest.mark.parametrize(("timeframe", "bars"), [("5m", 198), ("15m", 66), ("30m", 33)])
def test_longer_bars_are_asked_for_as_such(serve: Serve, timeframe: str, bars: int) -> None:
    wire, source = serve(replace(lean("GOOG"), splits=()), today="2015-12-28")
    frame = ask(source, "GOOG", "2015-12-23", "2015-12-28", timeframe=timeframe).frame
    assert len(frame) == bars
    assert wire.bars[0].query["timeframe"] == f"{timeframe.removesuffix('m')}Min"


def test_hours_start_at_the_open_and_hold_no_early_trades(serve: Serve) -> None:
    listing = replace(lean("GOOG"), splits=())
    _, source = serve(listing, today="2015-12-28")
    frame = ask(source, "GOOG", "2015-12-23", "2015-12-24T23:59", timeframe="1h").frame
    assert [str(t)[5:16] for t in frame["time"]] == [
        *(f"12-23 {hour}:30" for hour in range(14, 21)),
        *(f"12-24 {hour}:30" for hour in range(14, 18)),
    ]
    assert listing.minutes is not None
    first = listing.minutes[listing.minutes["time"].between("2015-12-23 09:30", "2015-12-23 10:29")]
    assert frame.loc[0, "open"] == first["open"].iloc[0]
    assert frame.loc[0, "high"] == first["high"].max()
    assert frame.loc[0, "low"] == first["low"].min()
    assert frame.loc[0, "close"] == first["close"].iloc[-1]
    assert frame.loc[0, "volume"] == first["volume"].sum()


def test_an_hour_asked_for_by_its_start_is_whole(serve: Serve) -> None:
    _, source = serve(replace(lean("GOOG"), splits=()), today="2015-12-28")
    whole = ask(source, "GOOG", "2015-12-23", "2015-12-24", timeframe="1h").frame
    one = ask(source, "GOOG", "2015-12-23T15:30", "2015-12-23T15:30", timeframe="1h").frame
    pd.testing.assert_frame_equal(one, whole.iloc[1:2].reset_index(drop=True))


def test_an_hour_still_being_traded_is_left_out_until_it_or_the_session_is_over(serve: Serve) -> None:
    listing = replace(lean("GOOG"), splits=())
    _, source = serve(listing, today="2015-12-28", now="2015-12-28T15:45")
    series = ask(source, "GOOG", "2015-12-28", None, timeframe="1h")
    assert [str(t)[11:16] for t in series.frame["time"]] == ["14:30"]
    assert series.notes == ("the bar of 2015-12-28T15:30 left out: it is still being traded",)
    _, source = serve(listing, today="2015-12-28", now="2015-12-28T21:00")
    assert (
        str(ask(source, "GOOG", "2015-12-28", None, timeframe="1h").frame["time"].iloc[-1])[11:16] == "20:30"
    )


def test_weeks_and_months_do_not_mix_share_bases(serve: Serve) -> None:
    listing = replace(lean("AAPL"), splits=(("2014-06-05", 7.0),))
    _, source = serve(listing, today="2021-03-31")
    week = ask(source, "AAPL", "2014-06-02", "2014-06-02", timeframe="1w").frame.loc[0]
    days = rows(listing, "2014-06-02", "2014-06-06")
    basis = np.where(days["date"] < "2014-06-05", 7.0, 1.0)
    assert week["open"] == pytest.approx(days["open"].iloc[0] / 7)
    assert week["high"] == pytest.approx((days["high"] / basis).max())
    assert week["volume"] == pytest.approx((days["volume"] * basis).sum())
    assert week["split"] == 7.0
    months = ask(source, "AAPL", "2021-01-01", None, timeframe="1mo")
    assert [str(t.date()) for t in months.frame["time"]] == ["2021-01-01", "2021-02-01", "2021-03-01"]


def test_three_symbols_at_once_do_not_get_mixed_up(serve: Serve) -> None:
    listings = {symbol: lean(symbol) for symbol in ("AAPL", "IBM", "SPY")}
    _, source = serve(*listings.values(), today="2021-03-31")
    asked = [symbol for _ in range(3) for symbol in listings]
    with ThreadPoolExecutor(3) as threads:
        answers = list(threads.map(lambda symbol: ask(source, symbol, "2014-01-02", "2014-12-31"), asked))
    for symbol, series in zip(asked, answers, strict=True):
        expected = rows(listings[symbol], "2014-01-02", "2014-12-31")
        np.testing.assert_array_equal(series.frame["close"], expected["close"])


def test_the_frame_becomes_bars(serve: Serve) -> None:
    _, source = serve(lean("AAPL"), today="2021-03-31")
    series = ask(source, "AAPL", "2014-06-01", "2014-06-30")
    bars = Bars.from_frame({"AAPL": series.frame}, adjustment=series.adjustment)
    assert np.abs(np.diff(np.log(bars.continuous().close[:, 0]))).max() < 0.03


@pytest.mark.parametrize(
    ("ours", "alpacas"), [("aapl", "AAPL"), (" brk-b", "BRK.B"), ("BRK.B", "BRK.B"), ("BF-A", "BF.A")]
)
def test_symbols_are_spelt_as_alpaca_spells_them(ours: str, alpacas: str) -> None:
    assert alpaca_symbol(ours) == alpacas
