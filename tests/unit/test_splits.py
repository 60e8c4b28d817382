"""Lengths of time as text, windows of a real calendar, and what is said when they do not fit."""

from __future__ import annotations

import numpy as np
import pytest

from gpt_trader.errors import BadParameter, BadRange
from gpt_trader.validation.durations import DAY, HOUR, Duration, later, parse_duration, share_of
from gpt_trader.validation.splits import combinatorial, walk_forward


def weekdays(first: str, last: str) -> np.ndarray:
    days = np.arange(first, last, dtype="datetime64[D]")
    return days[np.is_busday(days)].astype("datetime64[ns]")


@pytest.mark.parametrize(
    ("text", "expected", "shown"),
    [
        ("24m", Duration(months=24), "24m"),
        ("2y", Duration(months=24), "24m"),
        (" 26W ", Duration(nanoseconds=182 * DAY), "26w"),
        ("90d", Duration(nanoseconds=90 * DAY), "90d"),
        ("12h", Duration(nanoseconds=12 * HOUR), "12h"),
        ("500b", Duration(bars=500), "500b"),
        ("0d", Duration(), "0b"),
    ],
)
def test_lengths_are_read_and_shown(text: str, expected: Duration, shown: str) -> None:
    assert parse_duration(text, "--train") == expected
    assert str(expected) == shown


@pytest.mark.parametrize("text", ["", "24", "m", "24 months", "1.5y", "-3m", "24M5d", "5s", "1e3b", "٣m"])
def test_what_is_no_length_is_refused_with_its_option(text: str) -> None:
    with pytest.raises(BadParameter, match=r"--train .* is no length of time; .* such as 24m, 90d or 500b"):
        parse_duration(text, "--train")


@pytest.mark.parametrize("text", ["201y", "2401m", "99999999d", "200000000b"])
def test_lengths_that_no_market_has_are_refused(text: str) -> None:
    with pytest.raises(BadParameter, match="longer than 200 years"):
        parse_duration(text, "--test")


def test_a_length_of_several_parts_shows_them_all() -> None:
    assert str(Duration(3, 2 * DAY, 5)) == "3m + 2d + 5b"
    assert str(Duration(nanoseconds=DAY + HOUR)) == "25h"
    assert str(Duration(nanoseconds=DAY * 95 // 2 + 1)) == "47.5d"


def test_months_are_calendar_months() -> None:
    time = weekdays("2020-01-01", "2020-06-01")
    moments = np.array(["2020-01-15T10:30", "2020-01-29", "2020-01-31", "2020-01-31T23:00"], "datetime64[ns]")
    expected = np.array(["2020-02-15T10:30", "2020-02-29", "2020-03-01", "2020-03-01"], "datetime64[ns]")
    assert (later(time, moments, Duration(months=1)) == expected).all()


def test_a_share_of_the_time_is_of_time_not_of_rows() -> None:
    time = np.array(["2020-01-01", "2020-01-02", "2020-04-10"], "datetime64[ns]")
    assert share_of(time, 0.01) == Duration(nanoseconds=DAY)


def test_two_years_and_half_years_of_a_calendar() -> None:
    time = weekdays("2015-01-01", "2018-10-02")
    windows = walk_forward(time, Duration(months=24), Duration(months=6))
    days = [tuple(str(time[row])[:10] for row in (*w.train[0], w.test[0][0])) for w in windows]
    assert days == [
        ("2015-01-01", "2017-01-02", "2017-01-02"),
        ("2015-07-01", "2017-07-03", "2017-07-03"),
        ("2016-01-01", "2018-01-01", "2018-01-01"),
        ("2016-07-01", "2018-07-02", "2018-07-02"),
    ]
    # The last half year is there in half: 2018-07-01 to 2018-10-01.
    assert windows[-1].test[0][1] == time.size
    assert len(walk_forward(time[:-1], Duration(months=24), Duration(months=6))) == 3
    anchored = walk_forward(time, Duration(months=24), Duration(months=6), anchored=True)
    assert [w.test for w in anchored] == [w.test for w in windows]
    assert {w.train[0][0] for w in anchored} == {0}


def test_too_few_bars_say_how_many_there_are_and_what_is_needed() -> None:
    time = weekdays("2019-01-01", "2020-01-01")
    with pytest.raises(BadRange) as error:
        walk_forward(time, Duration(months=24), Duration(months=6))
    for part in (
        "261 bars from 2019-01-01 to 2019-12-31 (1.0 years)",
        "24m of training and 6m of testing",
        "2021-04-01",
    ):
        assert part in str(error.value)


def test_a_length_of_zero_and_a_step_without_end_are_refused() -> None:
    time = weekdays("2015-01-01", "2018-01-01")
    with pytest.raises(BadParameter, match="length of test is zero"):
        walk_forward(time, Duration(months=6), Duration())
    with pytest.raises(BadParameter, match="more than 10,000 windows; give a longer step than 1h"):
        walk_forward(time, Duration(months=6), Duration(months=6), Duration(nanoseconds=HOUR))


def test_ten_folds_two_tested_make_45_splits_and_9_paths() -> None:
    made = combinatorial(weekdays("2010-01-01", "2020-01-01"), 10, 2)
    assert len(made.splits) == 45
    assert made.paths.shape == (9, 10)
    assert len(made.edges) == 11
    assert len(combinatorial(weekdays("2010-01-01", "2020-01-01"), 6, 2).paths) == 5  # the book's figure 12.1


@pytest.mark.parametrize(
    ("folds", "tested", "said"),
    [
        (1, 1, "1 folds"),
        (200, 2, "give 2 to 130"),
        (5, 5, "give 1 to 4"),
        (5, 0, "give 1 to 4"),
        (40, 9, "splits"),
    ],
)
def test_folds_that_do_not_fit_are_refused(folds: int, tested: int, said: str) -> None:
    with pytest.raises(BadParameter, match=said):
        combinatorial(weekdays("2019-01-01", "2020-01-01"), folds, tested)


def test_a_horizon_that_leaves_nothing_to_train_on_is_refused() -> None:
    with pytest.raises(
        BadParameter, match="horizon of 12m and an embargo of 5d leave 10 of 10 splits nothing"
    ):
        combinatorial(
            weekdays("2019-01-01", "2020-01-01"),
            5,
            2,
            horizon=Duration(months=12),
            embargo=Duration(nanoseconds=5 * DAY),
        )
