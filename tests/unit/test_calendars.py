"""Sessions, half days and zones of the exchanges."""

from __future__ import annotations

from typing import Any

import exchange_calendars
import numpy as np
import pandas as pd
import pytest

from gpt_trader.adapters.exchange_calendar import FIRST, LAST, load_calendar
from gpt_trader.calendars import SessionCalendar
from gpt_trader.errors import BadRange, UnknownName
from tests.shared_data import shared_data


def day(text: str) -> np.datetime64:
    return np.datetime64(text, "D")


def half_days(calendar: SessionCalendar, start: str, end: str) -> Any:
    """The sessions from `start` to `end` that are shorter than most."""
    lengths = calendar.closes - calendar.opens
    short = calendar.dates[lengths < np.median(lengths.astype(np.int64)).astype("timedelta64[ns]")]
    return short[(short >= day(start)) & (short <= day(end))]


def test_new_york_agrees_with_the_shared_calendar() -> None:
    table = pd.read_parquet(shared_data("equity/us_calendar.parquet"))
    calendar = load_calendar("XNYS", "1998-01-01", "2028-12-31")
    weekdays = np.arange("1998-01-01", "2029-01-01", dtype="datetime64[D]")
    weekdays = weekdays[np.is_busday(weekdays)]
    closed = table.loc[table["kind"] == "closed", "date"].to_numpy().astype("datetime64[D]")
    np.testing.assert_array_equal(calendar.dates, np.setdiff1d(weekdays, closed))
    is_early = table["kind"] == "early_close"
    early = table.loc[is_early, "date"].to_numpy().astype("datetime64[D]")
    early = np.sort(early[(early >= day("2000-01-01")) & (early <= day("2026-12-31"))])
    early = early[np.is_busday(early)]  # the file also lists the Sunday 2017-12-24
    assert early.size == 60
    np.testing.assert_array_equal(half_days(calendar, "2000-01-01", "2026-12-31"), early)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # the library's own use of pandas
def test_the_shipped_table_equals_the_library() -> None:
    library = exchange_calendars.get_calendar("XNYS", start=str(FIRST), end=str(LAST))
    calendar = load_calendar("XNYS")
    np.testing.assert_array_equal(calendar.dates, library.sessions.to_numpy().astype("datetime64[D]"))
    for mine, theirs in ((calendar.opens, library.opens), (calendar.closes, library.closes)):
        expected = pd.DatetimeIndex(theirs).tz_convert("UTC").tz_localize(None).to_numpy("datetime64[ns]")
        np.testing.assert_array_equal(mine, expected)


def test_a_half_day_closes_at_one_in_new_york() -> None:
    calendar = load_calendar("XNYS", "2015-01-01", "2015-12-31")
    opened, closed = calendar.session_bounds("2015-12-24")
    assert opened == np.datetime64("2015-12-24T14:30")
    assert closed == np.datetime64("2015-12-24T18:00")
    assert half_days(calendar, "2015-12-01", "2015-12-31").tolist() == [day("2015-12-24").item()]


def test_the_open_moves_in_utc_with_summer_time() -> None:
    calendar = load_calendar("XNYS", "2020-01-01", "2020-12-31")
    assert calendar.session_bounds("2020-03-06")[0] == np.datetime64("2020-03-06T14:30")
    assert calendar.session_bounds("2020-03-09")[0] == np.datetime64("2020-03-09T13:30")


def test_sessions_skip_weekends_and_holidays() -> None:
    calendar = load_calendar("XNYS", "2020-06-01", "2020-07-31")
    found = calendar.sessions("2020-07-02", "2020-07-06").astype(str).tolist()
    assert found == ["2020-07-02", "2020-07-06"]
    assert calendar.sessions("2020-07-03", "2020-07-05").size == 0
    assert calendar.is_session("2020-07-06")
    assert not calendar.is_session("2020-07-03")
    pair = np.array(["2020-07-03", "2020-07-06"], "datetime64[D]")
    assert calendar.are_sessions(pair).tolist() == [False, True]
    assert calendar.previous_session("2020-07-05") == day("2020-07-02")


def test_missing_sessions_lie_between_the_first_and_the_last_bar() -> None:
    calendar = load_calendar("XNYS", "2020-01-01", "2020-12-31")
    have = np.array(["2020-07-01", "2020-07-07"], "datetime64[D]")
    assert calendar.missing(have).astype(str).tolist() == ["2020-07-02", "2020-07-06"]


def test_the_day_of_mourning_is_closed() -> None:
    assert not load_calendar("XNYS", "2025-01-01", "2025-12-31").is_session("2025-01-09")


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_market_that_never_closes() -> None:
    calendar = load_calendar("24/7", "2020-02-28", "2020-03-01")
    assert calendar.dates.astype(str).tolist() == ["2020-02-28", "2020-02-29", "2020-03-01"]
    assert calendar.session_bounds("2020-02-29") == (np.datetime64("2020-02-29"), np.datetime64("2020-03-01"))
    assert half_days(calendar, "2020-02-28", "2020-03-01").size == 0
    library = exchange_calendars.get_calendar("24/7", start="2020-02-28", end="2020-03-01")
    assert library.sessions.size == calendar.dates.size


def test_another_exchange_comes_from_the_library() -> None:
    calendar = load_calendar("XLON", "2020-12-01", "2021-01-31")
    assert calendar.timezone == "Europe/London"
    assert not calendar.is_session("2020-12-28")
    assert calendar.is_session("2020-12-29")
    assert half_days(calendar, "2020-12-01", "2021-01-31").astype(str).tolist() == [
        "2020-12-24",
        "2020-12-31",
    ]


def test_the_local_date_of_a_late_bar_is_the_exchanges() -> None:
    calendar = load_calendar("XNYS", "2020-01-01", "2020-12-31")
    times = np.array(["2020-01-03T00:30", "2020-01-03T05:00"], "datetime64[ns]")
    assert calendar.local_dates(times).astype(str).tolist() == ["2020-01-02", "2020-01-03"]


def test_a_calendar_does_not_guess_beyond_its_span() -> None:
    calendar = load_calendar("XNYS", "2020-01-01", "2020-12-31")
    with pytest.raises(BadRange, match="2021-01-04"):
        calendar.is_session("2021-01-04")
    with pytest.raises(BadRange, match="not a session"):
        calendar.session_bounds("2020-07-04")
    with pytest.raises(BadRange, match="start"):
        load_calendar("XNYS", "2020-12-31", "2020-01-01")


def test_a_misspelt_exchange_gets_the_nearest_name() -> None:
    with pytest.raises(UnknownName, match="XLON"):
        load_calendar("XLOM", "2020-01-01", "2020-12-31")
    with pytest.raises(BadRange, match="XHKG"):
        load_calendar("XHKG", "1950-01-01", "1955-12-31")
