"""The rules of market data: each finds its defect, names the row, and a repair says what it changed."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpt_trader.adapters.exchange_calendar import load_calendar
from gpt_trader.calendars import SessionCalendar
from gpt_trader.errors import BadData, BadParameter
from gpt_trader.quality import RULES, Defect, Limits, Severity, check, find_defects, repair, require_clean
from tests.shared_data import shared_data

SESSIONS = pd.bdate_range("2020-01-06", periods=10)


def clean(rows: int = 10) -> pd.DataFrame:
    """Ten quiet sessions without a holiday, first row labelled 2 as the first data line of a CSV file is."""
    close = 100.0 + np.arange(rows)
    frame = pd.DataFrame(
        {
            "time": SESSIONS[:rows].as_unit("ns"),
            "open": close - 0.5,
            "high": close + 1.0,
            "low": close - 1.0,
            "close": close,
            "volume": 1000.0,
            "split": 1.0,
            "dividend": 0.0,
        }
    )
    return frame.set_axis(range(2, rows + 2), axis=0)


def new_york() -> SessionCalendar:
    return load_calendar("XNYS", "1998-01-01", "2028-12-31")


def found(frame: pd.DataFrame, calendar: SessionCalendar | None = None) -> list[tuple[str, int | None, str]]:
    return [(defect.rule, defect.row, defect.field) for defect in find_defects(frame, "X", calendar=calendar)]


def with_cell(row: int, column: str, value: object) -> pd.DataFrame:
    frame = clean()
    if isinstance(value, str):
        frame[column] = frame[column].astype(object)
    frame.loc[row, column] = value
    return frame


def test_clean_data_have_no_defect_and_stay_as_they_are() -> None:
    assert find_defects(clean(), "X", calendar=new_york()) == ()
    for mode in ("strict", "repair", "off"):
        checked = check(clean(), "X", mode, calendar=new_york())
        pd.testing.assert_frame_equal(checked.frame, clean().reset_index(drop=True))
        assert checked.changes == ()


@pytest.mark.parametrize(
    ("row", "column", "value", "rule", "field"),
    [
        (4, "open", np.nan, "nan_price", "open"),
        (4, "close", "n/a", "nan_price", "close"),
        (5, "high", np.inf, "infinite_price", "high"),
        (6, "low", -99.0, "negative_price", "low"),
        (6, "close", 0.0, "zero_price", "close"),
        (7, "high", 90.0, "high_below_low", "high,low"),
        (7, "open", 120.0, "outside_range", "open"),
        (7, "close", 103.9, "outside_range", "close"),
        (8, "volume", -1.0, "bad_volume", "volume"),
        (8, "volume", np.inf, "bad_volume", "volume"),
        (8, "volume", np.nan, "bad_volume", "volume"),
        (9, "split", 0.0, "bad_split", "split"),
        (9, "split", -2.0, "bad_split", "split"),
        (9, "split", 5000.0, "bad_split", "split"),
        (9, "split", np.nan, "bad_split", "split"),
        (9, "dividend", -0.5, "bad_dividend", "dividend"),
        (9, "dividend", 106.0, "bad_dividend", "dividend"),
        (3, "time", "soon", "unparsable_time", "time"),
    ],
)
def test_each_rule_finds_its_row_and_repair_mends_it(
    row: int, column: str, value: object, rule: str, field: str
) -> None:
    frame = with_cell(row, column, value)
    errors = [d for d in find_defects(frame, "X") if d.severity is Severity.ERROR]
    assert [(d.rule, d.row, d.field) for d in errors] == [(rule, row, field)]
    with pytest.raises(BadData, match=rf"X row {row}.*{rule}"):
        check(frame, "X", "strict")
    mended = check(frame, "X", "repair")
    assert [d for d in find_defects(mended.frame) if d.severity is Severity.ERROR] == []
    assert {change.rule for change in mended.changes} == {rule}
    assert all(change.row == row for change in mended.changes)


def test_a_message_says_where_what_and_what_was_expected() -> None:
    (defect,) = find_defects(with_cell(8, "volume", -7.0), "AAPL")
    assert defect.message == (
        "AAPL row 8 (2020-01-14): bad_volume: volume -7; expected a finite volume of 0 or more"
    )


def test_strict_counts_each_rule_and_shows_the_first() -> None:
    frame = clean()
    frame.loc[[3, 4, 5, 6], "close"] = np.nan
    frame.loc[7, "volume"] = -1.0
    with pytest.raises(BadData) as caught:
        check(frame, "X")
    text = str(caught.value)
    assert "5 rows break a rule (nan_price 4, bad_volume 1)" in text
    assert "row 3 (2020-01-07)" in text
    assert "and 2 more" in text
    assert "repair" in text


def test_the_cell_is_quoted_as_it_stood_in_the_file() -> None:
    (defect,) = find_defects(with_cell(4, "close", "n/a"), "X")
    assert defect.value == "n/a"
    frame = clean().assign(time_text=[str(day) for day in SESSIONS])
    frame.loc[5, "time"] = pd.NaT
    frame.loc[5, "time_text"] = "2020-13-45"
    (defect,) = find_defects(frame, "X")
    assert defect.message.startswith("X row 5: unparsable_time: time 2020-13-45")


def test_missing_columns_and_rows() -> None:
    assert found(clean().drop(columns=["close", "low"])) == [
        ("missing_column", None, "low"),
        ("missing_column", None, "close"),
    ]
    with pytest.raises(BadData, match="missing_column: close"):
        check(clean().drop(columns="close"), "X", "repair")
    assert found(clean().head(0)) == [("no_rows", None, "")]
    with pytest.raises(BadData, match="no row is left"):
        check(clean().assign(close=np.nan), "X", "repair")


def test_an_index_without_volume_can_be_repaired() -> None:
    frame = clean().drop(columns="volume")
    assert found(frame) == [("missing_column", None, "volume")]
    mended = check(frame, "SPX", "repair")
    assert (mended.frame["volume"] == 0.0).all()
    assert mended.changes[0].message.startswith("SPX: set volume absent -> 0 [missing_column]")


def test_split_and_dividend_columns_may_be_absent() -> None:
    checked = check(clean().drop(columns=["split", "dividend"]), "X", calendar=new_york())
    pd.testing.assert_frame_equal(checked.frame, clean().reset_index(drop=True))


def test_unsorted_rows_are_named_and_sorted() -> None:
    frame = clean().loc[[2, 3, 6, 4, 5, 7, 8, 9, 10, 11]]
    assert found(frame) == [("unsorted", 4, "time"), ("unsorted", 5, "time")]
    mended = repair(frame, "X")
    pd.testing.assert_frame_equal(mended.frame, clean().reset_index(drop=True))
    assert [(c.row, c.action) for c in mended.changes] == [(4, "sorted"), (5, "sorted")]


def test_a_table_from_newest_to_oldest_is_one_defect() -> None:
    frame = clean().iloc[::-1]
    defects = find_defects(frame, "X")
    assert [d.rule for d in defects] == ["unsorted"]
    assert "newest to oldest" in defects[0].message
    mended = repair(frame, "X")
    pd.testing.assert_frame_equal(mended.frame, clean().reset_index(drop=True))
    assert len(mended.changes) == 1


def test_of_two_rows_of_one_time_the_last_is_kept() -> None:
    again = clean().loc[[5]].assign(close=103.25).set_axis([99], axis=0)
    frame = pd.concat([clean().loc[:5], again, clean().loc[6:]])
    assert found(frame) == [("duplicate_time", 99, "time")]
    mended = repair(frame, "X")
    assert mended.frame["close"][3] == 103.25
    assert len(mended.frame) == 10
    (change,) = mended.changes
    assert (change.row, change.action) == (5, "dropped")
    assert "row 99" in change.reason


def test_the_split_of_a_dropped_duplicate_is_not_lost() -> None:
    first = clean().loc[[5]].assign(split=2.0).set_axis([99], axis=0)
    frame = pd.concat([clean().loc[:4], first, clean().loc[5:]])
    mended = repair(frame, "X")
    assert mended.frame["split"].tolist() == [1, 1, 1, 2, 1, 1, 1, 1, 1, 1]


def test_events_of_a_dropped_row_move_to_the_next() -> None:
    frame = clean()
    frame.loc[5, "close"] = np.nan
    frame.loc[5, ["split", "dividend"]] = [2.0, 0.5]
    frame.loc[6, "split"] = 3.0
    mended = repair(frame, "X")
    assert mended.frame["split"].tolist()[3] == 6.0
    assert mended.frame["dividend"].tolist()[3] == pytest.approx(0.5 / 3.0)
    assert [c.action for c in mended.changes] == ["dropped", "moved"]


def test_an_event_on_a_dropped_last_row_is_reported_lost() -> None:
    frame = clean()
    frame.loc[11, "close"] = np.nan
    frame.loc[11, "split"] = 2.0
    assert "lost" in [change.after for change in repair(frame, "X").changes]


def test_widening_changes_high_and_low_only() -> None:
    frame = clean()
    frame.loc[7, ["high", "low"]] = [104.0, 106.0]
    mended = repair(frame, "X")
    assert mended.frame.loc[5, ["open", "high", "low", "close"]].tolist() == [104.5, 106.0, 104.0, 105.0]
    assert [(c.field, c.before, c.after) for c in mended.changes] == [
        ("high", "104", "106"),
        ("low", "106", "104"),
    ]


def test_zero_volume_and_one_row_are_warnings() -> None:
    frame = clean()
    frame.loc[4, "volume"] = 0.0
    assert found(frame) == [("zero_volume", 4, "volume")]
    assert len(check(frame, "X", "strict").defects) == 1
    assert found(clean(1)) == [("one_row", 2, "")]
    assert len(check(clean(1), "X", "strict").frame) == 1


def test_a_jump_that_no_event_explains() -> None:
    halved = clean()
    halved.loc[7:, ["open", "high", "low", "close"]] /= 2.0
    (defect,) = find_defects(halved, "X")
    assert (defect.rule, defect.row, defect.severity) == ("jump", 7, Severity.WARNING)
    assert "2:1 split" in defect.value
    explained = halved.copy()
    explained.loc[7, "split"] = 2.0
    assert find_defects(explained, "X") == ()
    assert found(clean().assign(close=lambda f: f["close"] * 1.0)) == []
    assert [d.rule for d in find_defects(clean(), "X", limits=Limits(jump=0.005))] == ["jump"] * 9


def test_a_special_dividend_explains_a_fall() -> None:
    frame = clean()
    frame.loc[7:, ["open", "high", "low", "close"]] -= 60.0
    assert [d.rule for d in find_defects(frame, "X")] == ["jump"]
    frame.loc[7, "dividend"] = 60.0
    assert find_defects(frame, "X") == ()


def test_missing_sessions_and_closed_days_against_the_calendar() -> None:
    frame = clean().drop(index=[4, 9])
    defects = find_defects(frame, "X", calendar=new_york())
    assert [(d.rule, d.time) for d in defects] == [
        ("missing_session", "2020-01-08"),
        ("missing_session", "2020-01-15"),
    ]
    sunday = clean().loc[[5]].assign(time=pd.Timestamp("2020-01-12")).set_axis([50], axis=0)
    frame = pd.concat([clean().loc[:6], sunday, clean().loc[7:]])
    assert found(frame, new_york()) == [("closed_day", 50, "")]
    assert find_defects(frame, "X") == ()
    pd.testing.assert_frame_equal(
        repair(frame, "X", calendar=new_york()).frame, clean().reset_index(drop=True)
    )


def test_intraday_bars_count_under_the_exchanges_own_date() -> None:
    times = pd.to_datetime(["2020-01-06 14:30", "2020-01-07 00:30", "2020-01-07 14:30", "2020-01-11 15:00"])
    frame = clean(4).assign(time=times.as_unit("ns"))
    defects = find_defects(frame, "X", timeframe="1h", calendar=new_york())
    assert [(d.rule, d.row, d.time) for d in defects] == [
        ("missing_session", None, "2020-01-08"),
        ("missing_session", None, "2020-01-09"),
        ("missing_session", None, "2020-01-10"),
        ("closed_day", 5, "2020-01-11T15:00:00"),
    ]


def test_off_puts_rows_in_order_and_leaves_prices() -> None:
    frame = with_cell(4, "close", -1.0).iloc[::-1]
    checked = check(frame, "X", "off")
    assert checked.frame["time"].is_monotonic_increasing
    assert checked.frame["close"][2] == -1.0
    with pytest.raises(BadParameter, match="strict, repair, off"):
        check(frame, "X", "lenient")


def test_every_rule_has_an_expectation_and_a_repair() -> None:
    for name, rule in RULES.items():
        assert rule.name == name
        assert rule.expected
        assert rule.repair
    require_clean([Defect("X", 1, "", "jump", Severity.WARNING, "close", "")])


CELLS = st.tuples(
    st.integers(2, 11),
    st.sampled_from(["open", "high", "low", "close", "volume", "split", "dividend"]),
    st.sampled_from([np.nan, np.inf, -np.inf, -1.0, 0.0, 1e-6, 50.0, 104.0, 1e9]),
)


@pytest.mark.slow
@settings(max_examples=80, deadline=None)
@given(cells=st.lists(CELLS, min_size=1, max_size=8), order=st.permutations(range(10)), twice=st.booleans())
def test_repair_leaves_no_error_and_a_second_repair_changes_nothing(
    cells: list[tuple[int, str, float]], order: list[int], twice: bool
) -> None:
    frame = clean()
    for row, column, value in cells:
        frame.loc[row, column] = value
    frame = frame.iloc[order]
    if twice:
        frame = pd.concat([frame, frame.head(3).set_axis([90, 91, 92], axis=0)])
    before = frame.copy()
    try:
        mended = repair(frame, "X")
    except BadData:
        assert not (clean()["close"].index.difference([row for row, *_ in cells])).size
        return
    pd.testing.assert_frame_equal(frame, before)
    assert [d for d in find_defects(mended.frame) if d.severity is Severity.ERROR] == []
    assert repair(mended.frame).changes == ()


# -- real data with known defects (../shared/data/README.md) ---------------------------------------------------


def defects_of(name: str, calendar: SessionCalendar | None, start: str | None = None) -> list[Defect]:
    table = pd.read_parquet(shared_data(name)).rename(columns={"date": "time"})
    table["time"] = pd.to_datetime(table["time"])
    if start is not None:
        table = table[table["time"] >= start]
    listed: list[Defect] = []
    for symbol, part in table.groupby("symbol"):
        listed += find_defects(part, str(symbol), calendar=calendar)
    return listed


@pytest.mark.slow
def test_the_known_defects_of_the_sp500_file() -> None:
    defects = defects_of("equity/sp500_daily_2013_2018.parquet", new_york())
    counts = Counter(defect.rule for defect in defects)
    assert counts == {
        "nan_price": 9,
        "outside_range": 11,
        "zero_volume": 4,
        "missing_session": 51,
        "jump": 11,
    }
    nan = {(d.symbol, d.time) for d in defects if d.rule == "nan_price"}
    assert nan == {
        ("DHR", "2015-07-17"), ("DHR", "2016-01-12"), ("O", "2015-07-17"), ("O", "2016-01-12"),
        ("ES", "2015-07-17"), ("FTV", "2016-07-01"), ("REGN", "2015-06-09"), ("UA", "2016-04-07"),
        ("WRK", "2015-06-26"),
    }  # fmt: skip


@pytest.mark.slow
def test_the_known_defects_of_the_whole_market_file() -> None:
    defects = defects_of("equity/us_market_daily_2015_2016.parquet", new_york())
    counts = Counter(defect.rule for defect in defects)
    assert (counts["missing_session"], counts["closed_day"], counts["zero_volume"]) == (706, 5, 35)
    # NEE stands at a fifth of its price on 137 days; the jumps into and out of them are what one series can show.
    jumps = [d.time for d in defects if d.symbol == "NEE" and d.rule == "jump"]
    assert jumps == ["2016-06-09", "2016-11-22", "2016-11-29"]


@pytest.mark.slow
def test_the_known_defects_of_the_long_histories() -> None:
    defects = defects_of("equity/long_adjusted_daily.parquet", None)
    counts = Counter(defect.rule for defect in defects)
    assert counts["zero_volume"] == 114
    assert counts["high_below_low"] + counts["outside_range"] == 13
    since_2000 = defects_of("equity/long_adjusted_daily.parquet", new_york(), "2000-01-01")
    assert Counter(defect.rule for defect in since_2000)["missing_session"] == 186


def test_two_securities_under_one_ticker_are_duplicates() -> None:
    table = pd.read_parquet(shared_data("equity/lean_universe_2014.parquet"))
    twice = table.loc[table.duplicated(["date", "symbol"]), "symbol"].unique()
    table = table[table["symbol"].isin(twice)].rename(columns={"date": "time"})
    table = table.assign(open=table["close"], high=table["close"], low=table["close"])
    count = 0
    for symbol, part in table.groupby("symbol"):
        count += sum(d.rule == "duplicate_time" for d in find_defects(part, str(symbol)))
    assert count == 79
