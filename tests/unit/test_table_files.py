"""CSV and Parquet files as people have them: headings, dates, zones, summer time, damage, row numbers."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from gpt_trader.adapters.bar_tables import infer_timeframe
from gpt_trader.adapters.csv_files import CsvFiles
from gpt_trader.adapters.parquet_files import ParquetFiles
from gpt_trader.adapters.table_columns import read_times
from gpt_trader.errors import BadData, BadParameter, SymbolNotFound, UserError
from gpt_trader.quality import find_defects, repair
from gpt_trader.sources import BarRequest, Series
from tests.shared_data import shared_data

ROWS = [
    "2020-01-02,10,12,9,11,100",
    "2020-01-03,11,13,10,12,200",
    "2020-01-06,12,14,11,13,300",
]
HEADER = "date,open,high,low,close,volume"


def write(folder: Path, text: str | list[str], name: str = "ABC.csv") -> Path:
    path = folder / name
    path.write_text(text if isinstance(text, str) else "\n".join(text) + "\n", encoding="utf-8")
    return path


def fetch(
    path: Path, timeframe: str = "1d", adjustment: str = "raw", symbol: str = "ABC", **options: str
) -> Series:
    return CsvFiles(path, **options).fetch(BarRequest(symbol, timeframe, adjustment=adjustment))  # type: ignore[arg-type]


# -- headings ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "header",
    [
        HEADER,
        "Date,Open,High,Low,Close,Volume",
        "DATETIME, OPEN ,HIGH,LOW,CLOSE,VOL",
        "timestamp,o,h,l,c,v",
        "<DATE>,<OPEN>,<HIGH>,<LOW>,<CLOSE>,<VOL>",
        "timestamp,1. open,2. high,3. low,4. close,5. volume",
        ",open,high,low,close,volume",
        "Date,Open,High,Low,Close/Last,Volume",
    ],
)
def test_headings_in_every_common_spelling(tmp_path: Path, header: str) -> None:
    frame = fetch(write(tmp_path, [header, *ROWS])).frame
    assert frame["close"].tolist() == [11.0, 12.0, 13.0]
    assert frame["time"].tolist() == [pd.Timestamp(day) for day in ("2020-01-02", "2020-01-03", "2020-01-06")]
    assert (frame["split"] == 1).all()
    assert (frame["dividend"] == 0).all()


def test_separators_decimal_commas_byte_order_mark_and_gzip(tmp_path: Path) -> None:
    semicolon = [row.replace(",", ";").replace("11;", "11,5;", 1) for row in ROWS[1:]]
    frame = fetch(write(tmp_path, ["\ufeffDate;Open;High;Low;Close;Volume", *semicolon])).frame
    assert frame["open"].tolist() == [11.5, 12.0]
    tabs = write(tmp_path, [line.replace(",", "\t") for line in [HEADER, *ROWS]], "TABS.tsv")
    assert len(fetch(tabs, symbol="TABS").frame) == 3
    with gzip.open(tmp_path / "ZIP.csv.gz", "wt") as file:
        file.write("\n".join([HEADER, *ROWS]))
    assert len(fetch(tmp_path / "ZIP.csv.gz", symbol="zip").frame) == 3


def test_two_columns_with_one_meaning_are_refused(tmp_path: Path) -> None:
    rows = [row + ",1" for row in ROWS]
    with pytest.raises(BadData, match=r"ABC\.csv: columns 'close' and 'Last' both mean close"):
        fetch(write(tmp_path, [HEADER + ",Last", *rows]))


def test_date_and_clock_in_two_columns(tmp_path: Path) -> None:
    lines = [
        "<DATE>,<TIME>,<OPEN>,<HIGH>,<LOW>,<CLOSE>,<VOL>",
        "2020-01-02,09:30,1,1,1,1,1",
        "2020-01-02,09:31,1,1,1,1,1",
    ]
    frame = fetch(write(tmp_path, lines), "1m", timezone="America/New_York").frame
    assert str(frame["time"][0]) == "2020-01-02 14:30:00"


def test_events_as_yfinance_writes_them(tmp_path: Path) -> None:
    lines = [HEADER + ",Dividends,Stock Splits", ROWS[0] + ",0.0,0.0", ROWS[1] + ",0.25,2.0", ROWS[2] + ",,"]
    frame = fetch(write(tmp_path, lines)).frame
    assert frame["split"].tolist() == [1.0, 2.0, 1.0]
    assert frame["dividend"].tolist() == [0.0, 0.25, 0.0]


def test_an_adjusted_close_is_used_when_asked_for(tmp_path: Path) -> None:
    path = write(tmp_path, [HEADER + ",Adj Close", ROWS[0] + ",5.5", ROWS[1] + ",6", ROWS[2] + ",13"])
    plain, full = fetch(path), fetch(path, adjustment="all")
    assert plain.frame["close"].tolist() == [11.0, 12.0, 13.0]
    assert (plain.adjustment, "not used" in plain.notes[0]) == ("raw", True)
    assert full.frame["close"].tolist() == [5.5, 6.0, 13.0]
    assert full.frame["high"].tolist() == [6.0, 6.5, 14.0]
    assert full.adjustment == "all"


def test_what_a_file_is_not_cannot_be_had(tmp_path: Path) -> None:
    path = write(tmp_path, [HEADER, *ROWS])
    assert fetch(path, adjustment="raw").adjustment == "raw"
    already = CsvFiles(path, adjustment="split").fetch(BarRequest("ABC"))
    assert already.adjustment == "split", (
        "raw was asked for, the file is split-adjusted, and the series says so"
    )
    with pytest.raises(BadParameter, match="1d bars only"):
        fetch(path, "5m")


# -- which file -------------------------------------------------------------------------------------------------


def test_a_folder_holds_one_file_per_symbol_in_any_case(tmp_path: Path) -> None:
    write(tmp_path, [HEADER, *ROWS], "abc.csv")
    write(tmp_path, [HEADER, *ROWS], "BRK-B.csv")
    write(tmp_path, "not a table", "README.md")
    source = CsvFiles(tmp_path)
    assert source.symbols() == ("ABC", "BRK.B")
    assert len(source.fetch(BarRequest("brk.b")).frame) == 3
    with pytest.raises(SymbolNotFound, match=r"XYZ: no file of that name.*ABC, BRK\.B"):
        source.fetch(BarRequest("XYZ"))
    write(tmp_path, [HEADER, *ROWS], "Abc.csv.gz")
    with pytest.raises(BadData, match="both ABC"):
        source.symbols()


@pytest.mark.parametrize("column", ["symbol", "Ticker", "Name"])
def test_a_long_file_holds_many_symbols(tmp_path: Path, column: str) -> None:
    lines = [f"{column},{HEADER}", *[f"abc,{row}" for row in ROWS], *[f"XYZ,{row}" for row in ROWS[:2]]]
    source = CsvFiles(write(tmp_path, lines, "long.csv"))
    assert source.symbols() == ("ABC", "XYZ")
    assert len(source.fetch(BarRequest("XYZ")).frame) == 2
    with pytest.raises(SymbolNotFound, match="QQQ: not in"):
        source.fetch(BarRequest("QQQ"))


def test_missing_empty_and_damaged_files(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such file or folder"):
        CsvFiles(tmp_path / "none.csv")
    for name, content in (("E.csv", b""), ("B.csv", b"\xff\xfe\x00\x01\x02"), ("G.csv.gz", b"not gzip")):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(BadData, match=name):
            CsvFiles(tmp_path / name).fetch(BarRequest(name[0]))
    (tmp_path / "P.parquet").write_bytes(b"PAR1 and then nothing")
    with pytest.raises(BadData, match="not a readable Parquet file"):
        ParquetFiles(tmp_path / "P.parquet").fetch(BarRequest("P"))
    with pytest.raises(BadData, match="missing_column: close"):
        fetch(write(tmp_path, ["date,open,high,low,volume", "2020-01-02,1,1,1,1"]))
    with pytest.raises(BadParameter, match="adjustment"):
        CsvFiles(tmp_path, adjustment="half")


# -- rows -------------------------------------------------------------------------------------------------------


def test_defects_are_named_by_the_line_of_the_file(tmp_path: Path) -> None:
    lines = [HEADER, ROWS[0], "", ROWS[1].replace("12,200", "null,200"), "soon,1,1,1,1,1", ROWS[2]]
    path = write(tmp_path, lines)
    with pytest.raises(BadData, match=r"ABC row 4 \(2020-01-03\): nan_price"):
        fetch(path)
    found = CsvFiles(path).read(BarRequest("ABC"))
    assert [(d.row, d.rule, d.value) for d in find_defects(found.frame, "ABC")] == [
        (4, "nan_price", "nan"),
        (5, "unparsable_time", "soon"),
    ]
    mended = found.deliver(repair(found.frame, "ABC").frame)
    assert mended.frame["close"].tolist() == [11.0, 13.0]


def test_a_word_among_the_prices_is_quoted(tmp_path: Path) -> None:
    path = write(tmp_path, [HEADER, ROWS[0], ROWS[1].replace("12,200", "twelve,200")])
    with pytest.raises(BadData, match="close twelve"):
        fetch(path)


def test_defects_outside_the_span_do_not_matter(tmp_path: Path) -> None:
    path = write(tmp_path, [HEADER, ROWS[0].replace(",11,", ",-11,"), *ROWS[1:]])
    request = BarRequest("ABC", "1d", np.datetime64("2020-01-03"), np.datetime64("2020-01-06"))
    assert len(CsvFiles(path).fetch(request).frame) == 2
    with pytest.raises(BadData, match="negative_price"):
        fetch(path)


# -- times ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "texts",
    [
        ["2020-01-02", "2020-12-30"],
        ["2020-01-02 00:00:00", "2020-12-30 00:00:00"],
        ["2020-01-02T00:00:00Z", "2020-12-30T00:00:00Z"],
        ["2020-01-02 00:00:00-05:00", "2020-12-30 00:00:00-04:00"],
        ["2020/01/02", "2020/12/30"],
        ["01/02/2020", "12/30/2020"],
        ["02.01.2020", "30.12.2020"],
        ["2-Jan-2020", "30-Dec-2020"],
        ["Jan 2, 2020", "Dec 30, 2020"],
        ["20200102", "20201230"],
        [20200102, 20201230],
        [1577923200, 1609286400],
        [1577923200000, 1609286400000],
        [1577923200.0 * 1e9, 1609286400.0 * 1e9],
    ],
)
def test_dates_in_every_common_spelling(texts: list[object]) -> None:
    times = read_times(pd.Series(texts), "X")
    assert times.tolist() == np.array(["2020-01-02", "2020-12-30"], "datetime64[ns]").tolist()


def test_a_date_that_can_be_read_two_ways_is_refused() -> None:
    column = pd.Series(["03/04/2020", "05/06/2020"])
    with pytest.raises(BadData, match="month or the day first"):
        read_times(column, "X")
    day_first = read_times(column, "X", date_format="%d/%m/%Y")
    assert str(day_first[0])[:10] == "2020-04-03"
    assert str(read_times(pd.Series(["03/04/2020", "25/06/2020"]), "X")[0])[:10] == "2020-04-03"


def test_what_is_no_time_is_not_a_time() -> None:
    times = read_times(pd.Series(["2020-01-02", "soon", None, "2020-02-30"]), "X")
    assert np.isnat(times).tolist() == [False, True, True, True]
    assert np.isnat(read_times(pd.Series(["x", "y"]), "X")).all()
    assert np.isnat(read_times(pd.Series([1.0, 2.0]), "X")).all()


NEW_YORK = "America/New_York"


def test_new_york_minutes_become_utc_on_both_sides_of_summer_time(tmp_path: Path) -> None:
    local = ["2020-03-06 09:30:00", "2020-03-06 09:31:00", "2020-03-09 09:30:00", "2020-03-09 09:31:00"]
    path = write(tmp_path, [HEADER, *[f"{stamp},1,1,1,1,1" for stamp in local]])
    frame = fetch(path, "1m", timezone=NEW_YORK).frame
    assert [str(time) for time in frame["time"]] == [
        "2020-03-06 14:30:00",
        "2020-03-06 14:31:00",
        "2020-03-09 13:30:00",
        "2020-03-09 13:31:00",
    ]
    assert str(fetch(path, "1m").frame["time"][0]) == "2020-03-06 09:30:00", (
        "without a zone the file is in UTC"
    )
    with pytest.raises(BadParameter, match="Mars/Olympus"):
        fetch(path, "1m", timezone="Mars/Olympus")


def test_offsets_win_over_the_zone_and_may_differ_by_row() -> None:
    column = pd.Series(["2020-03-06T09:30:00-05:00", "2020-03-09T09:30:00-04:00", "2020-03-10T13:30:00Z"])
    times = read_times(column, "X", NEW_YORK)
    assert [str(time)[11:16] for time in times] == ["14:30", "13:30", "13:30"]


def test_the_hour_that_comes_twice_is_told_apart_by_its_order_or_is_no_time() -> None:
    hours = ["2020-11-01 00:30", "2020-11-01 01:30", "2020-11-01 01:30", "2020-11-01 02:30"]
    times = read_times(pd.Series(hours), "X", NEW_YORK)
    assert [str(time)[11:16] for time in times] == ["04:30", "05:30", "06:30", "07:30"]
    once = read_times(pd.Series(["2020-11-01 00:30", "2020-11-01 01:30", "2020-11-01 02:30"]), "X", NEW_YORK)
    assert np.isnat(once).tolist() == [False, True, False]
    skipped = read_times(
        pd.Series(["2020-03-08 01:30", "2020-03-08 02:30", "2020-03-08 03:30"]), "X", NEW_YORK
    )
    assert np.isnat(skipped).tolist() == [False, True, False]


def test_daily_bars_stamped_with_the_exchanges_midnight_in_utc(tmp_path: Path) -> None:
    stamps = ["2020-03-06 05:00:00+00:00", "2020-03-09 04:00:00+00:00", "2020-03-10 04:00:00+00:00"]
    path = write(tmp_path, [HEADER, *[f"{stamp},1,1,1,1,1" for stamp in stamps]])
    days = fetch(path, timezone=NEW_YORK).frame["time"].dt.strftime("%Y-%m-%d").tolist()
    assert days == ["2020-03-06", "2020-03-09", "2020-03-10"]


@pytest.mark.parametrize(
    ("step", "timeframe"), [("1min", "1m"), ("5min", "5m"), ("15min", "15m"), ("30min", "30m"), ("1h", "1h")]
)
def test_the_timeframe_is_read_off_the_times(step: str, timeframe: str) -> None:
    times = pd.date_range("2020-01-02 14:30", periods=7, freq=step).to_numpy()
    assert infer_timeframe(times) == timeframe
    assert infer_timeframe(pd.bdate_range("2020-01-02", periods=9).to_numpy()) == "1d"
    assert infer_timeframe(np.array(["2024-01-02", "2024-01-03", "2024-01-15"], "datetime64[ns]")) == "1d"
    assert infer_timeframe(pd.date_range("2020-01-06", periods=9, freq="7D").to_numpy()) == "1w"
    assert infer_timeframe(pd.date_range("2020-01-01", periods=9, freq="MS").to_numpy()) == "1mo"


# -- coarser bars and real files --------------------------------------------------------------------------------


def test_minutes_of_a_file_group_to_days_of_the_exchange(tmp_path: Path) -> None:
    table = pd.read_parquet(shared_data("equity/lean_minute_trades.parquet"))
    table = table[table["symbol"] == "GOOG"]
    table.drop(columns="symbol").to_csv(tmp_path / "GOOG.csv", index=False)
    source = CsvFiles(tmp_path, timezone=NEW_YORK)
    days = source.fetch(BarRequest("GOOG", "1d")).frame
    assert days["time"].dt.strftime("%Y-%m-%d").tolist() == ["2015-12-23", "2015-12-24", "2015-12-28"]
    local = pd.to_datetime(table["time"]).dt.date
    assert days["volume"].tolist() == table.groupby(local)["volume"].sum().tolist()
    assert days["high"].tolist() == table.groupby(local)["high"].max().tolist()
    request = BarRequest("GOOG", "5m", np.datetime64("2015-12-24T14:30"), np.datetime64("2015-12-24T17:55"))
    half_day = source.fetch(request).frame
    assert len(half_day) == 42
    one = BarRequest("GOOG", "1d", np.datetime64("2015-12-24"), np.datetime64("2015-12-24"))
    pd.testing.assert_frame_equal(source.fetch(one).frame, days.iloc[[1]].reset_index(drop=True))


def test_a_week_is_complete_or_absent(tmp_path: Path) -> None:
    days = pd.bdate_range("2020-01-06", "2020-01-24")
    rows = [f"{day.date()},{n + 1},{n + 2},{n + 1},{n + 2},10" for n, day in enumerate(days)]
    path = write(tmp_path, [HEADER, *rows])

    def weeks(start: str, end: str) -> list[str]:
        request = BarRequest("ABC", "1w", np.datetime64(start), np.datetime64(end))
        return CsvFiles(path).fetch(request).frame["time"].dt.strftime("%d").tolist()

    assert weeks("2020-01-06", "2020-01-24") == ["06", "13", "20"]
    assert weeks("2020-01-06", "2020-01-23") == ["06", "13"]
    assert weeks("2020-01-07", "2020-01-26") == ["13", "20"]


@pytest.mark.slow
def test_a_long_parquet_file_of_real_data() -> None:
    source = ParquetFiles(shared_data("equity/lean_daily.parquet"))
    assert "AAPL" in source.symbols()
    frame = source.fetch(
        BarRequest("AAPL", "1d", np.datetime64("1998-01-02"), np.datetime64("2021-03-31"))
    ).frame
    assert (str(frame["time"].iloc[0].date()), str(frame["time"].iloc[-1].date())) == (
        "1998-01-02",
        "2021-03-31",
    )
    assert len(frame) == 5849
    with pytest.raises(BadData, match="nan_price"):
        ParquetFiles(shared_data("equity/sp500_daily_2013_2018.parquet")).fetch(BarRequest("DHR"))


def test_parquet_keeps_zones(tmp_path: Path) -> None:
    times = pd.to_datetime(["2020-03-06 09:30", "2020-03-09 09:30"]).tz_localize(NEW_YORK)
    pd.DataFrame({"time": times, "open": 1.0, "high": 1.0, "low": 1.0, "close": 1.0, "volume": 1}).to_parquet(
        tmp_path / "ABC.parquet"
    )
    frame = ParquetFiles(tmp_path).fetch(BarRequest("ABC", "1d")).frame
    assert frame["time"].dt.strftime("%Y-%m-%d").tolist() == ["2020-03-06", "2020-03-09"]
