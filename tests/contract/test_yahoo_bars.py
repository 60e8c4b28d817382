"""What YahooSource makes of Yahoo's answers, the real yfinance in between and real prices on the wire."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from gpt_trader.adapters.yahoo import YahooSource, yahoo_symbol
from gpt_trader.bars import Bars
from gpt_trader.errors import BadData, BadParameter, BadRange
from gpt_trader.sources import BarRequest, Series
from tests.contract.wire.listings import OHLC, Listing, invented, lean
from tests.contract.wire.patience import policy_at
from tests.contract.wire.yahoo import YahooWire, serve_yahoo

Serve = Callable[..., tuple[YahooWire, YahooSource]]
RELATIVE = 1e-6


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """Starts a Yahoo with the given listings, and a source that asks it on the evening of `today`."""
    with ExitStack() as stack:

        def start(*listings: Listing, today: str, now: str | None = None) -> tuple[YahooWire, YahooSource]:
            named = {listing.symbol: listing for listing in listings}
            wire = stack.enter_context(serve_yahoo(tmp_path / "wire", named, today, now))
            return wire, YahooSource(tmp_path / "yahoo", policy_at(wire.now.timestamp()))

        yield start


def ask(source: YahooSource, symbol: str, start: str | None, end: str | None, **options: Any) -> Series:
    first, last = (None if text is None else np.datetime64(text) for text in (start, end))
    return source.fetch(BarRequest(symbol, start=first, end=last, **options))


def rows(listing: Listing, start: str, end: str) -> pd.DataFrame:
    dates = listing.daily["date"]
    return listing.daily[(dates >= start) & (dates <= end)].reset_index(drop=True)


def test_raw_prices_volumes_and_splits_are_those_that_were_traded(serve: Serve) -> None:
    listing = lean("AAPL")
    _, source = serve(listing, today="2021-03-31")
    series = ask(source, "AAPL", None, None)
    frame = series.frame
    assert (series.adjustment, series.source, series.notes) == ("raw", "yahoo", ())
    np.testing.assert_array_equal(frame["time"], listing.daily["date"])
    for name in OHLC:
        np.testing.assert_allclose(frame[name], listing.daily[name], rtol=RELATIVE, atol=0)
    np.testing.assert_allclose(frame["volume"], listing.daily["volume"], rtol=0, atol=0.5)
    events = frame[frame["split"] != 1.0]
    assert [(str(t.date()), ratio) for t, ratio in zip(events["time"], events["split"], strict=True)] == [
        ("2000-06-21", 2.0),
        ("2005-02-28", 2.0),
        ("2014-06-09", 7.0),
        ("2020-08-31", 4.0),
    ]


def test_dividends_are_on_the_basis_of_their_day(serve: Serve) -> None:
    listing = lean("AAPL")
    _, source = serve(listing, today="2021-03-31")
    frame = ask(source, "AAPL", "2012-01-01", "2021-03-31").frame
    paid = frame[frame["dividend"] > 0]
    assert [str(day.date()) for day in paid["time"]] == [date for date, _ in listing.dividends]
    np.testing.assert_allclose(paid["dividend"], [cash for _, cash in listing.dividends], atol=5e-5)


def test_raw_bars_that_end_early_still_undo_the_splits_that_came_later(serve: Serve) -> None:
    listing = lean("AAPL")
    wire, source = serve(listing, today="2021-03-31")
    frame = ask(source, "AAPL", "2005-02-25", "2005-02-28").frame
    np.testing.assert_allclose(
        frame["close"], rows(listing, "2005-02-25", "2005-02-28")["close"], rtol=RELATIVE
    )
    assert frame["split"].tolist() == [1.0, 2.0]
    assert int(wire.charts[-1].query["period2"]) > pd.Timestamp("2021-03-31").timestamp()


def test_a_split_series_is_handed_on_as_sent(serve: Serve) -> None:
    listing = lean("AAPL")
    wire, source = serve(listing, today="2021-03-31")
    series = ask(source, "AAPL", "2014-06-02", "2014-08-29", adjustment="split")
    expected = rows(listing, "2014-06-02", "2014-08-29")
    later = listing.later_splits(expected["date"].to_numpy("datetime64[D]"), "2021-03-31")
    assert series.adjustment == "split"
    for name in OHLC:
        sent = (expected[name] / later).astype(np.float32).astype(float)
        np.testing.assert_array_equal(series.frame[name], sent)
    np.testing.assert_array_equal(series.frame["volume"], expected["volume"] * later)
    assert (series.frame["split"] == 1.0).all()
    assert series.frame["dividend"].sum() == pytest.approx(0.470003 / 4, abs=1e-6)
    assert int(wire.charts[-1].query["period2"]) < pd.Timestamp("2014-09-02").timestamp()


def test_an_all_series_earns_the_dividends_in_its_prices(serve: Serve) -> None:
    listing = lean("AAPL")
    _, source = serve(listing, today="2021-03-31")
    frame = ask(source, "AAPL", "2014-06-02", "2014-08-29", adjustment="all").frame
    raw = rows(listing, "2014-06-02", "2014-08-29")
    assert (frame["split"] == 1.0).all()
    assert (frame["dividend"] == 0.0).all()
    through = {"2014-06-09": 7.0}
    earned = frame["close"].pct_change().to_numpy()[1:]
    held = raw["date"].dt.strftime("%Y-%m-%d").map(through).fillna(1.0) * raw["close"]
    plain = (held / raw["close"].shift()).to_numpy()[1:] - 1
    days = raw["date"].dt.strftime("%Y-%m-%d").tolist()[1:]
    paid = np.array([0.470003 if day == "2014-08-07" else 0.0 for day in days])
    before = raw["close"].to_numpy()[:-1]
    np.testing.assert_allclose(earned, (1 + plain) / (1 - paid / before) - 1, atol=1e-6)
    assert (frame["high"] >= frame["close"]).all()


def test_a_reverse_split_makes_old_prices_smaller(serve: Serve) -> None:
    listing = replace(invented(), splits=(("2024-02-15", 0.1),))
    _, source = serve(listing, today="2024-03-28")
    frame = ask(source, "ABC", "2024-02-14", "2024-02-15").frame
    np.testing.assert_allclose(
        frame["close"], rows(listing, "2024-02-14", "2024-02-15")["close"], rtol=RELATIVE
    )
    assert frame["split"].tolist() == [1.0, 0.1]


@pytest.mark.parametrize("how", ["empty", "absent"])
def test_an_action_on_a_day_without_a_bar_waits_for_the_next_bar(serve: Serve, how: str) -> None:
    listing = replace(invented(), dividends=(("2024-02-15", 0.2),), **{how: ("2024-02-15",)})
    _, source = serve(listing, today="2024-03-28")
    frame = ask(source, "ABC", "2024-02-12", "2024-02-20").frame
    expected = rows(listing, "2024-02-12", "2024-02-20")
    expected = expected[expected["date"] != "2024-02-15"]
    np.testing.assert_array_equal(frame["time"], expected["date"])
    np.testing.assert_allclose(frame["close"], expected["close"], rtol=RELATIVE)
    assert frame["split"].tolist() == [1.0, 1.0, 1.0, 2.0, 1.0]
    assert frame["dividend"].tolist() == pytest.approx([0.0, 0.0, 0.0, 0.2, 0.0])
    # A later request that begins right after that day still sees both.
    later = ask(source, "ABC", "2024-02-16", "2024-02-20").frame
    assert later["split"].tolist() == [2.0, 1.0]
    assert later["dividend"].tolist() == pytest.approx([0.2, 0.0])


def test_rows_without_prices_are_left_out_and_named(serve: Serve) -> None:
    listing = replace(invented(), empty=("2024-01-10", "2024-01-11", "2024-03-11"))
    _, source = serve(listing, today="2024-03-28")
    series = ask(source, "ABC", "2024-01-02", "2024-01-31")
    assert len(series.frame) == len(rows(listing, "2024-01-02", "2024-01-31")) - 2
    assert series.frame.notna().all().all()
    assert series.notes == ("2 rows without prices left out: 2024-01-10, 2024-01-11",)


def test_a_part_of_a_price_row_missing_drops_the_row(serve: Serve) -> None:
    def lose_an_open(daily: pd.DataFrame) -> None:
        daily.loc[3, "open"] = np.nan

    listing = invented().changed(lose_an_open)
    _, source = serve(listing, today="2024-03-28")
    series = ask(source, "ABC", "2024-01-02", "2024-01-31")
    assert len(series.frame) == len(rows(listing, "2024-01-02", "2024-01-31")) - 1
    assert "2024-01-05" in series.notes[0]


def test_a_split_announced_for_tomorrow_is_not_undone_today(serve: Serve) -> None:
    listing = invented()
    wire, source = serve(listing, today="2024-03-26")
    epoch = int(pd.Timestamp("2024-03-27T13:30Z").timestamp())
    wire.more_events = {"splits": {str(epoch): {"date": epoch, "numerator": 4, "denominator": 1}}}
    frame = ask(source, "ABC", "2024-03-20", None).frame
    assert wire.charts[-1].query["period2"] > str(epoch)
    np.testing.assert_allclose(
        frame["close"], rows(listing, "2024-03-20", "2024-03-26")["close"], rtol=RELATIVE
    )


def test_what_the_frame_cannot_say_is_noted(serve: Serve) -> None:
    wire, source = serve(invented(), today="2024-03-28")
    epoch = int(pd.Timestamp("2024-01-18T14:30Z").timestamp())
    wire.more_events = {
        "dividends": {str(epoch): {"date": epoch, "amount": 0.25, "currency": "GBP"}},
        "capitalGains": {str(epoch): {"date": epoch, "amount": 1.0}},
    }
    series = ask(source, "ABC", "2024-01-02", "2024-01-31")
    assert series.notes == (
        "dividends in GBP, prices in USD: they are not converted",
        "capital gain distributions of this fund are not part of its dividends",
    )


def test_a_close_without_an_adjusted_close_is_named_where_it_is_needed(serve: Serve) -> None:
    wire, source = serve(invented(), today="2024-03-28")
    wire.without_adjusted_close = ("2024-01-17",)
    assert len(ask(source, "ABC", "2024-01-02", "2024-01-31").frame) == 21
    with pytest.raises(BadData, match="2024-01-17: Yahoo sends no adjusted close"):
        ask(source, "ABC", "2024-01-02", "2024-01-31", adjustment="all")


def test_a_revision_is_seen_by_the_next_fetch(serve: Serve) -> None:
    def correct(daily: pd.DataFrame) -> None:
        daily.loc[5, ["close", "volume"]] = [99.99, 777_000]

    wire, source = serve(invented(), today="2024-03-28")
    first = ask(source, "ABC", "2024-01-02", "2024-01-31", adjustment="split").frame
    wire.listings["ABC"] = invented().changed(correct)
    second = ask(source, "ABC", "2024-01-02", "2024-01-31", adjustment="split").frame
    changed = (first != second).any(axis=1)
    assert changed.tolist().index(True) == 5
    assert changed.sum() == 1
    assert second.loc[5, "volume"] == 777_000 * 2


@pytest.mark.parametrize("adjustment", ["raw", "split", "all"])
def test_the_bar_of_a_session_still_open_is_left_out(serve: Serve, adjustment: str) -> None:
    _, source = serve(invented(), today="2024-03-28", now="2024-03-28T15:00")
    series = ask(source, "ABC", "2024-03-25", None, adjustment=adjustment)
    assert [str(t.date()) for t in series.frame["time"]] == ["2024-03-25", "2024-03-26", "2024-03-27"]
    assert series.notes == ("the bar of 2024-03-28 left out: it is still being traded",)
    earlier = ask(source, "ABC", "2024-03-25", "2024-03-26", adjustment=adjustment)
    assert earlier.notes == ()


def test_the_bar_of_a_session_just_closed_is_there(serve: Serve) -> None:
    _, source = serve(invented(), today="2024-03-28", now="2024-03-28T20:00")
    series = ask(source, "ABC", "2024-03-25", None)
    assert str(series.frame["time"].iloc[-1].date()) == "2024-03-28"
    assert series.notes == ()


def test_a_known_symbol_without_bars_in_the_span_is_empty_and_says_so(serve: Serve) -> None:
    _, source = serve(invented(), today="2024-03-28")
    for start, end in (
        ("2024-01-06", "2024-01-07"),
        ("2019-01-02", "2019-02-01"),
        ("2024-03-30", "2024-03-31"),
    ):
        for adjustment in ("raw", "split", "all"):
            series = ask(source, "ABC", start, end, adjustment=adjustment)
            assert len(series.frame) == 0
            assert series.notes == ("Yahoo has no 1d bars of ABC in the span asked for",)


def test_mistakes_are_found_before_anything_is_sent(serve: Serve) -> None:
    wire, source = serve(invented(), today="2024-03-28")
    with pytest.raises(BadRange, match="2024-12-02 lies in the future"):
        ask(source, "ABC", "2024-12-02", None)
    with pytest.raises(BadRange, match="lies after end"):
        ask(source, "ABC", "2024-03-02", "2024-03-01")
    with pytest.raises(BadParameter, match="symbol is blank"):
        ask(source, "  ", "2024-03-01", None)
    assert wire.asked == []


def test_a_minute_series_keeps_the_half_day(serve: Serve) -> None:
    listing = lean("GOOG")
    _, source = serve(listing, today="2015-12-28")
    series = ask(source, "GOOG", "2015-12-23", "2015-12-28", timeframe="1m")
    frame, minutes = series.frame, listing.minutes
    assert minutes is not None
    counts = frame["time"].dt.date.astype(str).value_counts().sort_index()
    assert counts.to_dict() == {"2015-12-23": 390, "2015-12-24": 210, "2015-12-28": 382}
    first_and_last = frame.groupby(frame["time"].dt.date)["time"].agg(["min", "max"])
    assert str(first_and_last["min"].iloc[1]) == "2015-12-24 14:30:00"  # UTC
    assert str(first_and_last["max"].iloc[1]) == "2015-12-24 17:59:00"
    local = frame["time"].dt.tz_localize("UTC").dt.tz_convert("America/New_York").dt.tz_localize(None)
    traded = minutes.set_index("time").loc[local]
    for name in OHLC:
        np.testing.assert_allclose(frame[name], traded[name], rtol=RELATIVE)
    np.testing.assert_array_equal(frame["volume"], traded["volume"])
    assert series.notes == ("8 rows without prices left out: 2015-12-28",)


def test_minutes_over_a_split_are_raw_on_both_sides(serve: Serve) -> None:
    listing = lean("AAPL", "2014-01-02", "2014-06-30")
    _, source = serve(listing, today="2014-06-30")
    raw, split, everything = (
        ask(source, "AAPL", "2014-06-05", "2014-06-09", timeframe="1m", adjustment=adjustment).frame
        for adjustment in ("raw", "split", "all")
    )
    traded = listing.minutes
    assert traded is not None
    local = raw["time"].dt.tz_localize("UTC").dt.tz_convert("America/New_York").dt.tz_localize(None)
    np.testing.assert_allclose(raw["close"], traded.set_index("time").loc[local, "close"], rtol=RELATIVE)
    events = raw[raw["split"] != 1.0]
    assert [(str(t), ratio) for t, ratio in zip(events["time"], events["split"], strict=True)] == [
        ("2014-06-09 13:30:00", 7.0)
    ]
    before = raw["time"] < "2014-06-09"
    np.testing.assert_allclose(split["close"], raw["close"] / np.where(before, 7, 1), rtol=RELATIVE)
    assert (split["split"] == 1.0).all()
    np.testing.assert_allclose(everything["close"], split["close"], rtol=RELATIVE)  # no dividend until August


def test_minutes_on_an_ex_date_carry_the_dividend_once(serve: Serve) -> None:
    listing = replace(lean("AAPL", "2014-01-02", "2014-06-30"), dividends=(("2014-06-06", 0.7),), splits=())
    _, source = serve(listing, today="2014-06-30")
    raw = ask(source, "AAPL", "2014-06-05", "2014-06-09", timeframe="5m").frame
    paid = raw[raw["dividend"] != 0]
    assert [(str(t), cash) for t, cash in zip(paid["time"], paid["dividend"], strict=True)] == [
        ("2014-06-06 13:30:00", 0.7)
    ]
    everything = ask(source, "AAPL", "2014-06-05", "2014-06-09", timeframe="5m", adjustment="all").frame
    before = raw["time"] < "2014-06-06"
    factor = 1 - 0.7 / 647.35
    np.testing.assert_allclose(everything["close"], raw["close"] * np.where(before, factor, 1), rtol=RELATIVE)


@pytest.mark.parametrize(("timeframe", "width", "bars"), [("5m", 5, 198), ("15m", 15, 66), ("30m", 30, 33)])
def test_longer_bars_of_a_day_are_whole(serve: Serve, timeframe: str, width: int, bars: int) -> None:
    listing = lean("GOOG")
    wire, source = serve(listing, today="2015-12-28")
    minutes = ask(source, "GOOG", "2015-12-23", "2015-12-28", timeframe="1m").frame
    frame = ask(source, "GOOG", "2015-12-23", "2015-12-28", timeframe=timeframe).frame
    assert len(frame) == bars
    grouped = minutes.groupby(minutes["time"].dt.floor(f"{width}min"))
    np.testing.assert_array_equal(frame["time"], grouped["open"].first().index)
    for name, rule in {
        "open": "first",
        "high": "max",
        "low": "min",
        "close": "last",
        "volume": "sum",
    }.items():
        np.testing.assert_allclose(frame[name], grouped[name].agg(rule), rtol=RELATIVE)
    assert wire.charts[-1].query["interval"] == {"30m": "15m"}.get(timeframe, timeframe)


def test_hours_start_at_the_open(serve: Serve) -> None:
    _, source = serve(lean("GOOG"), today="2015-12-28")
    times = ask(source, "GOOG", "2015-12-23", "2015-12-24", timeframe="1h").frame["time"]
    assert [str(t)[5:16] for t in times] == [
        *(f"12-23 {hour}:30" for hour in range(14, 21)),
        *(f"12-24 {hour}:30" for hour in range(14, 18)),
    ]


def test_a_half_hour_asked_for_by_its_start_is_whole(serve: Serve) -> None:
    _, source = serve(lean("GOOG"), today="2015-12-28")
    whole = ask(source, "GOOG", "2015-12-23", "2015-12-23T23:59", timeframe="30m").frame
    one = ask(source, "GOOG", "2015-12-23T15:30", "2015-12-23T15:30", timeframe="30m").frame
    pd.testing.assert_frame_equal(one, whole.iloc[2:3].reset_index(drop=True))


def test_the_last_hour_is_there_when_the_session_is_over(serve: Serve) -> None:
    _, source = serve(lean("GOOG"), today="2015-12-28", now="2015-12-28T20:59")
    assert (
        str(ask(source, "GOOG", "2015-12-28", None, timeframe="1h").frame["time"].iloc[-1])[11:16] == "19:30"
    )
    _, source = serve(lean("GOOG"), today="2015-12-28", now="2015-12-28T21:00")
    assert (
        str(ask(source, "GOOG", "2015-12-28", None, timeframe="1h").frame["time"].iloc[-1])[11:16] == "20:30"
    )


def test_a_minute_still_being_traded_is_left_out(serve: Serve) -> None:
    _, source = serve(lean("GOOG"), today="2015-12-28", now="2015-12-28T15:00:30")
    series = ask(source, "GOOG", "2015-12-28", "2015-12-28T15:00", timeframe="1m")
    assert str(series.frame["time"].iloc[-1]) == "2015-12-28 14:59:00"
    assert "the bar of 2015-12-28T15:00 left out: it is still being traded" in series.notes


def test_both_bounds_of_a_minute_span_are_inclusive(serve: Serve) -> None:
    _, source = serve(lean("GOOG"), today="2015-12-28")
    times = ask(source, "GOOG", "2015-12-23T15:00", "2015-12-23T15:04", timeframe="1m").frame["time"]
    assert [str(t)[11:] for t in times] == [f"15:0{minute}:00" for minute in range(5)]


def test_minutes_are_asked_for_a_week_at_a_time(serve: Serve) -> None:
    wire, source = serve(lean("GOOG"), today="2015-12-28")
    frame = ask(source, "GOOG", "2015-12-05", "2015-12-28", timeframe="1m").frame
    assert len(frame) == 390 + 210 + 382
    spans = [
        (int(asked.query["period1"]), int(asked.query["period2"]))
        for asked in wire.charts
        if asked.query["interval"] == "1m"
    ]
    assert len(spans) == 4
    assert max(last - first for first, last in spans) <= 7 * 86_400 + 1
    assert all(left[1] == right[0] for left, right in pairwise(spans))


def test_minutes_without_a_start_are_the_last_seven_days(serve: Serve) -> None:
    _, source = serve(lean("GOOG"), today="2015-12-28")
    frame = ask(source, "GOOG", None, None, timeframe="1m").frame
    assert sorted(set(frame["time"].dt.date.astype(str))) == ["2015-12-23", "2015-12-24", "2015-12-28"]


@pytest.mark.parametrize(
    ("timeframe", "label", "through"), [("1w", "2014-06-02", 6), ("1mo", "2014-06-01", 29)]
)
def test_weeks_and_months_do_not_mix_share_bases(
    serve: Serve, timeframe: str, label: str, through: int
) -> None:
    listing = replace(lean("AAPL"), splits=(("2014-06-05", 7.0),))
    _, source = serve(listing, today="2021-03-31")
    frame = ask(source, "AAPL", "2014-05-01", "2014-07-31", timeframe=timeframe).frame.set_index("time")
    last = str(np.datetime64(label) + through)
    days = rows(listing, label, last)
    basis = np.where(days["date"] < "2014-06-05", 7.0, 1.0)
    bar = frame.loc[label]
    assert bar["open"] == pytest.approx(days["open"].iloc[0] / 7, rel=RELATIVE)
    assert bar["high"] == pytest.approx((days["high"] / basis).max(), rel=RELATIVE)
    assert bar["low"] == pytest.approx((days["low"] / basis).min(), rel=RELATIVE)
    assert bar["close"] == pytest.approx(days["close"].iloc[-1], rel=RELATIVE)
    assert bar["volume"] == pytest.approx((days["volume"] * basis).sum(), rel=1e-7)
    assert bar["split"] == 7.0
    assert (frame.drop(pd.Timestamp(label))["split"] == 1.0).all()


def test_weeks_start_on_monday_and_the_running_one_is_left_out(serve: Serve) -> None:
    _, source = serve(invented(), today="2024-03-27")  # a Wednesday
    series = ask(source, "ABC", "2024-02-28", None, timeframe="1w")
    assert [str(t.date()) for t in series.frame["time"]] == ["2024-03-04", "2024-03-11", "2024-03-18"]
    assert series.notes == ("the bar of 2024-03-25 left out: it is still being traded",)
    months = ask(source, "ABC", "2024-01-01", None, timeframe="1mo")
    assert [str(t.date()) for t in months.frame["time"]] == ["2024-01-01", "2024-02-01"]


def test_a_week_is_whole_on_its_last_evening(serve: Serve) -> None:
    _, source = serve(invented(last="2024-03-22"), today="2024-03-22")  # a Friday
    series = ask(source, "ABC", "2024-03-11", None, timeframe="1w")
    assert [str(t.date()) for t in series.frame["time"]] == ["2024-03-11", "2024-03-18"]
    assert series.notes == ()


def test_a_week_asked_for_by_its_monday_is_whole_in_every_adjustment(serve: Serve) -> None:
    _, source = serve(invented(), today="2024-03-28")
    raw = ask(source, "ABC", "2024-03-04", "2024-03-04", timeframe="1w").frame
    split = ask(source, "ABC", "2024-03-04", "2024-03-04", timeframe="1w", adjustment="split").frame
    pd.testing.assert_frame_equal(raw, split, check_exact=False, rtol=RELATIVE)
    assert raw["volume"].tolist() == [rows(invented(), "2024-03-04", "2024-03-08")["volume"].sum()]
    assert raw["dividend"].tolist() == pytest.approx([0.3])


def test_three_symbols_at_once_do_not_get_mixed_up(serve: Serve) -> None:
    listings = {symbol: lean(symbol) for symbol in ("AAPL", "IBM", "SPY")}
    _, source = serve(*listings.values(), today="2021-03-31")
    asked = [symbol for _ in range(3) for symbol in listings]
    with ThreadPoolExecutor(3) as threads:
        answers = list(threads.map(lambda symbol: ask(source, symbol, "2014-01-02", "2014-12-31"), asked))
    for symbol, series in zip(asked, answers, strict=True):
        assert series.request.symbol == symbol
        expected = rows(listings[symbol], "2014-01-02", "2014-12-31")
        np.testing.assert_allclose(series.frame["close"], expected["close"], rtol=RELATIVE)


def test_the_frame_becomes_bars(serve: Serve) -> None:
    _, source = serve(lean("AAPL"), today="2021-03-31")
    series = ask(source, "AAPL", "2014-06-01", "2014-06-30")
    bars = Bars.from_frame({"AAPL": series.frame}, adjustment=series.adjustment)
    jump = bars.continuous().close[:, 0]
    assert np.abs(np.diff(np.log(jump))).max() < 0.03


@pytest.mark.parametrize(
    ("ours", "yahoos"),
    [
        ("aapl", "AAPL"),
        (" BRK.B ", "BRK-B"),
        ("brk-b", "BRK-B"),
        ("VOD.L", "VOD.L"),
        ("7203.T", "7203.T"),
        ("^GSPC", "^GSPC"),
        ("BTC-USD", "BTC-USD"),
    ],
)
def test_symbols_are_spelt_as_yahoo_spells_them(ours: str, yahoos: str) -> None:
    assert yahoo_symbol(ours) == yahoos
