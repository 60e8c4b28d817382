"""Intraday bars where sessions begin, end and shift: half days, summer time, the bar at the close, minutes across sessions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pytest

from gpt_trader import Bars, Strategy, backtest, load_bars
from gpt_trader.adapters.bar_tables import coarser
from gpt_trader.adapters.cache_spans import Sessions
from gpt_trader.adapters.exchange_calendar import load_calendar
from gpt_trader.metrics import periods_per_year
from gpt_trader.quality import find_defects, repair
from gpt_trader.sources import BarRequest

NEW_YORK = load_calendar("XNYS")
HALF_DAY = "2015-12-24"  # closes at 13:00 in New York, 18:00 UTC
# 2020: summer time from Sunday 8 March to Sunday 1 November in New York


def moments(*texts: str) -> np.ndarray:
    return np.array(texts, "datetime64[ns]")


def minutes(start: str, end: str, timeframe: str = "1m") -> Bars:
    return load_bars("ABC", source="synthetic", timeframe=timeframe, start=start, end=end)


def frame(times: np.ndarray) -> pd.DataFrame:
    return pd.DataFrame(
        {"time": times, "open": 10.0, "high": 11.0, "low": 9.0, "close": 10.0, "volume": 100.0}
    )


def rules_of(times: np.ndarray, timeframe: str, calendar: Any = NEW_YORK) -> list[str]:
    return [item.rule for item in find_defects(frame(times), "ABC", timeframe=timeframe, calendar=calendar)]


# -- half days --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("timeframe", "count", "last"), [("1m", 210, "17:59"), ("30m", 7, "17:30"), ("1h", 4, "17:30")]
)
def test_a_half_day_has_the_bars_of_its_hours(timeframe: str, count: int, last: str) -> None:
    # 14:30 to 18:00 UTC: 210 minutes; the fourth hour is half a one
    bars = minutes(HALF_DAY, HALF_DAY, timeframe)
    assert bars.time.size == count
    assert bars.time[0] == np.datetime64(f"{HALF_DAY}T14:30")
    assert bars.time[-1] == np.datetime64(f"{HALF_DAY}T{last}")


def test_the_afternoon_of_a_half_day_is_not_missing_and_the_day_is_no_closed_one() -> None:
    bars = minutes("2015-12-23", "2015-12-28", "1h")
    assert np.unique(bars.time.astype("datetime64[D]"), return_counts=True)[1].tolist() == [7, 4, 7]
    assert rules_of(bars.time, "1h") == []


def test_a_half_day_is_settled_after_its_own_close() -> None:
    # kept half an hour after the close: at 18:29 the day before counts, at 18:30 the half day itself
    sessions = Sessions(NEW_YORK, "1h")
    at = [float(moments(f"{HALF_DAY}T18:{minute}")[0].astype(np.int64) / 1e9) for minute in ("29", "30")]
    assert [str(sessions.last_settled(now, 1800.0)) for now in at] == ["2015-12-23", HALF_DAY]


# -- summer time ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "after", "opens"),
    [("2020-03-06", "2020-03-09", ("14:30", "13:30")), ("2020-10-30", "2020-11-02", ("13:30", "14:30"))],
)
def test_a_session_keeps_its_length_over_a_change_of_the_clock(
    before: str, after: str, opens: tuple[str, str]
) -> None:
    bars = minutes(before, after)
    days = bars.time.astype("datetime64[D]")
    for day, opened in zip((before, after), opens, strict=True):
        times = bars.time[days == np.datetime64(day)]
        assert times[0] == np.datetime64(f"{day}T{opened}")
        assert times.size == 390
        assert set(np.diff(times).tolist()) == {60_000_000_000}
    assert rules_of(bars.time, "1m") == []


def test_the_local_dates_of_an_evening_follow_the_clock() -> None:
    # midnight in New York is 05:00 UTC in winter and 04:00 in summer
    times = moments("2020-03-07T04:59", "2020-03-07T05:00", "2020-03-10T03:59", "2020-03-10T04:00")
    assert NEW_YORK.local_dates(times).astype(str).tolist() == [
        "2020-03-06", "2020-03-07", "2020-03-09", "2020-03-10",
    ]  # fmt: skip


def test_the_days_of_a_span_reach_from_midnight_to_midnight_of_the_exchange() -> None:
    sessions = Sessions(NEW_YORK, "1m")
    low, high = sessions.bounds((np.datetime64("2020-03-08"), np.datetime64("2020-03-08")))
    assert (low, high) == (np.datetime64("2020-03-08T05:00"), moments("2020-03-09T03:59:59.999999999")[0])
    low, high = sessions.bounds((np.datetime64("2020-11-01"), np.datetime64("2020-11-01")))
    assert high - low == np.timedelta64(25 * 3600 * 10**9 - 1, "ns")  # a day of 25 hours


def test_bars_in_a_year_do_not_count_a_change_of_the_clock() -> None:
    # two years of hours, seven a session, one session at 13:30 to 20:00 or 14:30 to 21:00 UTC: 7 x 252
    times = minutes("2019-01-02", "2020-12-31", "1h").time
    assert periods_per_year(times, "1h") == 7 * 252.0


# -- the bar at the close ---------------------------------------------------------------------------------------------


def test_the_last_hour_of_a_session_is_cut_at_the_close() -> None:
    hours, single = minutes("2020-01-06", "2020-01-06", "1h"), minutes("2020-01-06", "2020-01-06")
    assert [str(moment)[11:16] for moment in hours.time] == [
        "14:30", "15:30", "16:30", "17:30", "18:30", "19:30", "20:30",
    ]  # fmt: skip
    assert hours.close[-1, 0] == single.close[-1, 0]
    assert hours.volume[-1, 0] == single.volume[-30:, 0].sum()


def test_a_bar_that_starts_at_the_close_belongs_to_that_day() -> None:
    # a closing auction printed at 21:00 UTC, and one of the evening before, 01:00 UTC of the next day
    times = moments("2020-01-06T20:00", "2020-01-06T21:00", "2020-01-07T01:00", "2020-01-07T15:00")
    assert rules_of(times, "1h") == []
    assert Sessions(NEW_YORK, "1h").days_of(times).astype(str).tolist() == ["2020-01-06"] * 3 + ["2020-01-07"]


def test_a_friday_evening_is_friday_and_a_saturday_is_closed() -> None:
    evening, saturday = "2020-01-11T00:30", "2020-01-11T15:00"
    times = moments("2020-01-10T15:00", evening, saturday, "2020-01-13T15:00")
    found = repair(frame(times), "ABC", timeframe="1h", calendar=NEW_YORK)
    kept = found.frame["time"].to_numpy("datetime64[ns]")
    assert np.datetime64(evening) in kept
    assert np.datetime64(saturday) not in kept
    assert [change.rule for change in found.changes] == ["closed_day"]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # the library's own use of pandas
def test_a_session_that_opens_on_the_evening_before_has_the_date_of_its_calendar() -> None:
    # the futures session of Monday 2020-01-06 in Chicago trades from Sunday 17:00, 23:00 UTC
    chicago = load_calendar("CMES", "2020-01-01", "2020-01-31")
    opened, closed = chicago.session_bounds("2020-01-06")
    assert str(opened)[:16] == "2020-01-05T23:00"
    times = np.arange(opened, closed, np.timedelta64(1, "h"))
    assert chicago.session_dates(times).astype(str).tolist() == ["2020-01-06"] * times.size
    assert rules_of(times, "1h", chicago) == []
    assert rules_of(moments("2020-01-04T15:00"), "1h", chicago) == ["closed_day", "one_row"]  # Saturday


# -- minutes across sessions ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("timeframe", ["5m", "30m", "1h"])
def test_no_coarser_bar_spans_two_sessions(timeframe: str) -> None:
    bars = minutes("2020-03-05", "2020-03-10")
    table = bars.to_frame().drop(columns="symbol")
    grouped = coarser(table, "1m", BarRequest("ABC", timeframe))
    stamps = grouped["time"].to_numpy("datetime64[ns]")
    days = bars.time.astype("datetime64[D]")
    for day in np.unique(days):
        mine, theirs = table[days == day], grouped[stamps.astype("datetime64[D]") == day]
        assert theirs["open"].iloc[0] == mine["open"].iloc[0]
        assert theirs["close"].iloc[-1] == mine["close"].iloc[-1]
        assert theirs["high"].max() == mine["high"].max()
        assert theirs["volume"].sum() == mine["volume"].sum()


def test_minutes_group_to_the_days_of_the_exchange_over_midnight_utc() -> None:
    # 00:30 UTC still belongs to the day before in New York
    times = moments("2020-01-06T15:00", "2020-01-07T00:30", "2020-01-07T15:00", "2020-01-08T00:30")
    table = frame(times).assign(split=1.0, dividend=0.0, close=[1.0, 2.0, 3.0, 4.0])
    days = coarser(table, "1m", BarRequest("ABC", "1d"), NEW_YORK.local_dates(times))
    assert days["time"].astype(str).tolist() == ["2020-01-06", "2020-01-07"]
    assert days["close"].tolist() == [2.0, 4.0]


@dataclass(frozen=True)
class LastMinute(Strategy):
    """Wants to be long from the last minute of a session on, and flat from the first one of the next."""

    def features(self, bars: Bars) -> dict[str, Any]:
        last = np.append(np.diff(bars.time) > np.timedelta64(1, "h"), False)
        return {"weight": np.where(last, 0.5, 0.0)}

    def decide(self, now: Any) -> Any:
        return now.weight


def test_a_decision_of_the_last_minute_fills_at_the_open_of_the_next_session() -> None:
    bars = minutes("2020-03-06", "2020-03-09")  # over a weekend and the change of the clock
    fills = backtest(LastMinute(), bars).fills
    assert fills["time"].astype(str).tolist()[:2] == ["2020-03-09 13:30:00", "2020-03-09 13:31:00"]
    row = int(np.flatnonzero(bars.time == np.datetime64("2020-03-09T13:30"))[0])
    assert fills["price"].iloc[0] == pytest.approx(bars.open[row, 0], rel=1e-3)
    assert fills["side"].tolist()[:2] == ["buy", "sell"]
