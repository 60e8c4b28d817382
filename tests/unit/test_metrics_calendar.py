"""Bars per year read from the bars' own calendar, and the table of months."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from gpt_trader import metrics
from gpt_trader.errors import UnknownName
from tests.shared_data import shared_data


def exchange_days(years: int) -> pd.DatetimeIndex:
    """Weekdays less nine holidays a year: 252 days."""
    days = pd.bdate_range("2010-01-01", f"{2009 + years}-12-31")
    return days[[index % 29 != 0 for index in range(len(days))]]


def intraday(days: pd.DatetimeIndex, first: str, count: int, step: str) -> np.ndarray:
    moments = [pd.date_range(day + pd.Timedelta(first), periods=count, freq=step) for day in days]
    return np.concatenate([piece.to_numpy() for piece in moments])


@pytest.mark.parametrize("timeframe", ["1d", None])
@pytest.mark.parametrize("years", [1, 2, 11])
def test_daily_bars_of_an_exchange(years: int, timeframe: str | None) -> None:
    assert metrics.periods_per_year(exchange_days(years), timeframe) == 252.0


@pytest.mark.parametrize(("count", "expected"), [(30, 365.0), (365 * 4, 365.0)])
def test_daily_bars_around_the_clock(count: int, expected: float) -> None:
    days = pd.date_range("2015-01-01", periods=count)
    assert metrics.periods_per_year(days, "1d") == expected
    with_gaps = days[np.arange(count) % 10 != 3]
    assert metrics.periods_per_year(with_gaps, "1d") == expected


def test_daily_bars_of_currencies() -> None:
    assert metrics.periods_per_year(pd.bdate_range("2010-01-01", "2014-12-31"), "1d") == 260.0
    sundays_too = pd.date_range("2010-01-01", "2014-12-31")
    assert metrics.periods_per_year(sundays_too[sundays_too.day_of_week != 5], "1d") == 313.0


def test_a_few_saturday_sessions_do_not_make_a_week_of_seven_days() -> None:
    days = exchange_days(4)
    with_saturdays = days.append(pd.date_range("2010-01-02", periods=12, freq="91D")).sort_values()
    assert (with_saturdays.day_of_week == 5).sum() == 12
    assert metrics.periods_per_year(with_saturdays, "1d") == 252.0


def test_holes_do_not_shorten_the_year() -> None:
    days = exchange_days(6)
    assert metrics.periods_per_year(np.concatenate([days[:300], days[900:]]), "1d") == 252.0


@pytest.mark.parametrize(
    ("timeframe", "step", "count"), [("1h", "1h", 7), ("15m", "15min", 26), ("1m", "1min", 390)]
)
def test_intraday_bars_of_an_exchange(timeframe: str, step: str, count: int) -> None:
    whole = intraday(exchange_days(1)[:60], "14h30min", count, step)
    cut = whole[3:-2]  # the first and the last day are not whole
    half_day = np.delete(cut, slice(10 * count, 10 * count + count // 2))
    for time in (whole, cut, half_day):
        assert metrics.periods_per_year(time, timeframe) == count * 252.0
        assert metrics.periods_per_year(time) == count * 252.0


def test_cut_days_at_both_ends_do_not_count() -> None:
    time = intraday(exchange_days(1)[:3], "14h30min", 7, "1h")
    assert metrics.periods_per_year(time[6:-6], "1h") == 7 * 252.0  # 1, 7 and 1 bars
    assert metrics.periods_per_year(time[:10], "1h") == 5 * 252.0  # 7 and 3 bars: nothing but ends


def test_intraday_bars_around_the_clock_and_of_currencies() -> None:
    hours = pd.date_range("2020-01-01", periods=24 * 400, freq="1h")
    assert metrics.periods_per_year(hours, "1h") == 24 * 365.0
    # Sunday 22:00 to Friday 22:00: parts of six days a week that make five.
    open_ = ~(
        (hours.day_of_week == 5)
        | ((hours.day_of_week == 4) & (hours.hour >= 22))
        | ((hours.day_of_week == 6) & (hours.hour < 22))
    )
    assert metrics.periods_per_year(hours[open_], "1h") == 24 * 260.0


def test_a_session_across_midnight() -> None:
    """23:00 to 04:00 UTC: most of each Friday's session is a Saturday's, and yet no Sunday is traded."""
    time = intraday(exchange_days(3), "23h", 6, "1h")
    assert metrics.periods_per_year(time, "1h") == 6 * 252.0


@pytest.mark.parametrize(("freq", "timeframe", "expected"), [("W-FRI", "1w", 52.0), ("MS", "1mo", 12.0)])
def test_bars_longer_than_a_day(freq: str, timeframe: str, expected: float) -> None:
    time = pd.date_range("2010-01-01", periods=50, freq=freq)
    assert metrics.periods_per_year(time, timeframe) == expected
    assert metrics.periods_per_year(time) == expected


def test_no_bars_and_one_bar() -> None:
    assert metrics.periods_per_year([], "1d") == 252.0
    assert metrics.periods_per_year([]) == 252.0
    assert math.isnan(metrics.periods_per_year([], "1m"))
    assert metrics.periods_per_year(["2020-01-06"]) == 252.0
    assert (
        metrics.periods_per_year(["2020-01-04"], "1d") == 252.0
    )  # a Saturday alone is no market around the clock


def test_weekends_before_the_epoch() -> None:
    assert metrics.periods_per_year(["1969-12-26", "1969-12-27", "1969-12-28"], "1d") == 365.0
    assert metrics.periods_per_year(["1969-12-25", "1969-12-26", "1969-12-28", "1969-12-29"], "1d") == 252.0


def test_a_timeframe_that_is_none() -> None:
    with pytest.raises(UnknownName, match=r"'1day'.*'1d'"):
        metrics.periods_per_year(["2020-01-06"], "1day")


def test_bars_per_year_can_be_given() -> None:
    time = exchange_days(1)
    equity = np.linspace(100.0, 120.0, len(time))
    assert metrics.summarise(equity, time, 100.0)["periods_per_year"] == 252.0
    assert metrics.summarise(equity, time, 100.0, periods_per_year=256.0)["periods_per_year"] == 256.0
    assert metrics.summarise(equity, time, 100.0, timeframe="1w")["periods_per_year"] == 52.0


@pytest.mark.parametrize(
    ("name", "symbol", "column", "timeframe", "expected"),
    [
        ("equity/lean_daily.parquet", "SPY", "date", "1d", 252.0),
        ("crypto/coinbase_daily.parquet", "BTCUSD", "date", "1d", 365.0),  # two months are missing
        ("fx/oanda_hour.parquet", "EURUSD", "time", "1h", 24 * 260.0),
        ("equity/lean_hour.parquet", "SPY", "time", "1h", 7 * 252.0),
    ],
)
def test_recorded_markets(name: str, symbol: str, column: str, timeframe: str, expected: float) -> None:
    frame = pd.read_parquet(shared_data(name), columns=["symbol", column])
    time = pd.to_datetime(frame.loc[frame["symbol"] == symbol, column]).to_numpy()
    assert metrics.periods_per_year(time, timeframe) == expected


def test_months_by_hand() -> None:
    time = ["2019-12-30", "2019-12-31", "2020-01-02", "2020-03-31", "2020-04-01", "2021-02-01"]
    equity = [102.0, 110.0, 121.0, 60.5, 60.5, 121.0]
    found = metrics.monthly_returns(time, equity, 100.0)
    assert list(zip(found.year.tolist(), found.month.tolist(), strict=True)) == [
        (2019, 12),
        (2020, 1),
        (2020, 3),
        (2020, 4),
        (2021, 2),
    ]
    np.testing.assert_allclose(found.value, [0.1, 0.1, -0.5, 0.0, 1.0], atol=1e-15)
    years, table = found.table()
    assert years.tolist() == [2019, 2020, 2021]
    assert table.shape == (3, 12)
    assert table[0, 11] == found.value[0]
    assert np.isnan(table[1, 1])  # February 2020 has no bar
    np.testing.assert_array_equal(table[~np.isnan(table)], found.value)


def test_months_before_the_epoch_and_a_year_without_a_bar() -> None:
    years, table = metrics.monthly_returns(["1968-01-15", "1970-01-15"], [110.0, 121.0], 100.0).table()
    assert years.tolist() == [1968, 1969, 1970]
    assert np.isnan(table[1]).all()
    assert table[2, 0] == pytest.approx(0.1)
