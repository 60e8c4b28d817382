"""Table files as vendors write them, with the defects of every kind: what two ways of reading must agree on."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

HEADER = "date,open,high,low,close,volume"
ROWS = [
    "2020-01-02,10,12,9,11,100",
    "2020-01-03,11,13,10.5,12,200",
    "2020-01-06,12,14,11,13,300",
    "2020-01-07,13,14,12,12.5,400",
]
LONG = "symbol,date,open,high,low,close,volume"


def _long(*rows: str) -> list[str]:
    return [LONG, *(f"AAA,{row}" for row in ROWS), *rows]


BBB = [f"BBB,{row}" for row in ROWS]
FOLDER_CASES: dict[str, list[str]] = {
    "plain": [HEADER, *ROWS],
    "one row": [HEADER, ROWS[0]],
    "heading only": [HEADER],
    "empty": [],
    "byte order mark": ["\ufeff" + HEADER, *ROWS],
    "quoted": [
        ",".join(f'"{name}"' for name in HEADER.split(",")),
        *(row.replace(",", '","').join('""') for row in ROWS),
    ],
    "semicolons": [line.replace(",", ";") for line in (HEADER, *ROWS)],
    "decimal commas": [HEADER.replace(",", ";"), *(row.replace(",", ";").replace(".", ",") for row in ROWS)],
    "tabs": [line.replace(",", "\t") for line in (HEADER, *ROWS)],
    "blanks around": [HEADER, *(row.replace(",", ", ") for row in ROWS)],
    "unsorted": [HEADER, ROWS[0], ROWS[2], ROWS[1], ROWS[3]],
    "newest first": [HEADER, *reversed(ROWS)],
    "twice": [HEADER, *ROWS, ROWS[3]],
    "twice with other prices": [HEADER, *ROWS, "2020-01-07,13,15,12,14,500"],
    "negative price": [HEADER, *ROWS, "2020-01-08,-1,14,-2,13,100"],
    "zero price": [HEADER, *ROWS, "2020-01-08,0,14,0,13,100"],
    "high below low": [HEADER, *ROWS, "2020-01-08,13,12,14,13,100"],
    "close outside": [HEADER, *ROWS, "2020-01-08,13,14,12,15,100"],
    "infinite": [HEADER, *ROWS, "2020-01-08,13,inf,12,13,100"],
    "blank price": [HEADER, *ROWS, "2020-01-08,13,14,12,,100"],
    "halted": [HEADER, *ROWS[:2], "2020-01-06,,,,,0", ROWS[3]],
    "no number": [HEADER, *ROWS, "2020-01-08,13,14,12,abc,100"],
    "N/A": [HEADER, *ROWS, "2020-01-08,13,14,12,N/A,100"],
    "thousands": [HEADER, *ROWS, '2020-01-08,13,14,12,13,"1,000"'],
    "negative volume": [HEADER, *ROWS, "2020-01-08,13,14,12,13,-12345678901"],
    "broken shares": [HEADER, *ROWS, "2020-01-08,13,14,12,13,100.5"],
    "no volume": ["date,open,high,low,close", *(row.rpartition(",")[0] for row in ROWS)],
    "blank volume": [HEADER, *ROWS, "2020-01-08,13,14,12,13,"],
    "zero volume": [HEADER, *ROWS, "2020-01-08,13,14,12,13,0"],
    "no close": ["date,open,high,low,volume", *(row.rpartition(",")[0] for row in ROWS)],
    "jump": [HEADER, *ROWS, "2020-01-08,30,31,29,30,100"],
    "split": [HEADER + ",split", *(row + ",1" for row in ROWS), "2020-01-08,6,7,5,6,100,2"],
    "bad split": [HEADER + ",split", *(row + ",1" for row in ROWS), "2020-01-08,6,7,5,6,100,-2"],
    "stock splits": [HEADER + ",Stock Splits", *(row + ",0" for row in ROWS), "2020-01-08,6,7,5,6,100,2.0"],
    "blank events": [
        HEADER + ",split,dividend",
        *(row + ",," for row in ROWS),
        "2020-01-08,13,14,12,13,100,,0.25",
    ],
    "bad dividend": [HEADER + ",dividend", *(row + ",0" for row in ROWS), "2020-01-08,13,14,12,13,100,20"],
    "adjusted close": [HEADER + ",adj close", *(row + ",10.5" for row in ROWS)],
    "unreadable date": [HEADER, *ROWS, "2020-13-45,13,14,12,13,100"],
    "blank date": [HEADER, *ROWS, ",13,14,12,13,100"],
    "American dates": [HEADER, *(f"1/{day}/2020,10,12,9,11,100" for day in (13, 14, 15))],
    "numbers as dates": [HEADER, *(row.replace("-", "", 2) for row in ROWS)],
    "seconds": [HEADER, *(f"{1577923200 + 86400 * n},10,12,9,11,100" for n in range(4))],
    "milliseconds": [HEADER, *(f"{1577975400000 + 60000 * n},10,12,9,11,100" for n in range(4))],
    "minutes": [HEADER, *(f"2020-01-02 14:3{n},10,12,9,11,100" for n in range(4))],
    "minutes over midnight": [
        HEADER,
        *(
            f"2020-01-0{day} {clock},10,12,9,11,100"
            for day, clock in ((2, "23:59"), (3, "00:00"), (3, "00:01"))
        ),
    ],
    "a day among minutes": [
        HEADER,
        "2020-01-02,10,12,9,11,100",
        *(f"2020-01-02T14:3{n}:00,10,12,9,11,100" for n in range(4)),
    ],
    "offsets": [HEADER, *(f"2020-01-02T09:3{n}:00-05:00,10,12,9,11,100" for n in range(4))],
    "days with a clock": [HEADER, *(f"{row[:10]} 00:00:00{row[10:]}" for row in ROWS)],
    "days at five": [HEADER, *(f"{row[:10]} 05:00{row[10:]}" for row in ROWS)],
    "repeated hour": [
        HEADER,
        *(f"2020-11-01 0{h}:{m:02d},10,12,9,11,100" for h, m in ((0, 30), (1, 0), (1, 30), (2, 0))),
    ],
    "date and clock": [
        "date,time,open,high,low,close,volume",
        *(f"2020-01-02,14:3{n},10,12,9,11,100" for n in range(4)),
    ],
    "an index without a name": ["," + HEADER.partition(",")[2], *ROWS],
    "two closes": [HEADER + ",last", *(row + ",1" for row in ROWS)],
    "close twice": [HEADER + ",close", *(row + ",1" for row in ROWS)],
    "a name": [HEADER + ",company", *(row + ",Ünlü AŞ" for row in ROWS)],
    "a comma at the end": [HEADER, *(row + "," for row in ROWS)],
    "a cell too few": [HEADER, *ROWS, "2020-01-08,13,14,12"],
    "a cell too many": [HEADER, *ROWS, "2020-01-08,13,14,12,13,100,7"],
    "blank lines": [HEADER, *ROWS[:2], "", *ROWS[2:], "", ""],
    "commas only": [HEADER, *ROWS, ",,,,,"],
    "a line break in a cell": [HEADER + ",note", ROWS[0] + ',"two\nlines"', *(row + "," for row in ROWS[1:])],
    "long numbers": [
        HEADER,
        *(f"{row[:10]},10.123456789012345,12.000000000000002,9.1,11.3333333333333339,100" for row in ROWS),
    ],
}
CLOCK_CASES = (
    "plain", "seconds", "milliseconds", "minutes", "minutes over midnight", "a day among minutes", "offsets",
    "days with a clock", "days at five", "repeated hour", "date and clock",
)  # fmt: skip
"""Those for which the zone of the file may matter."""
LONG_CASES: dict[str, list[str]] = {
    "by symbol": _long(*BBB),
    "by day": [LONG, *(row for pair in zip(_long()[1:], BBB, strict=True) for row in pair)],
    "in two pieces": [LONG, *BBB[:2], *_long()[1:], *BBB[2:]],
    "small letters": _long(*(row.lower() for row in BBB)),
    "two spellings": _long("brk-b,2020-01-02,10,12,9,11,100", "BRK.B,2020-01-03,10,12,9,11,100"),
    "unsorted in one": _long(BBB[1], BBB[0], *BBB[2:]),
    "twice in one": _long(*BBB, BBB[3]),
    "a defect in one": _long(*BBB, "BBB,2020-01-08,13,12,14,13,100"),
    "a large negative volume": _long(*BBB, "BBB,2020-01-08,13,14,12,13,-12345678901"),
    "a blank symbol": _long(*BBB, ",2020-01-08,13,14,12,13,100"),
    "text in one": _long(*BBB, "BBB,2020-01-08,13,14,12,abc,100"),
    "a blank date in one": _long(*BBB, "BBB,,13,14,12,13,100"),
    "blank lines": _long(*BBB[:2], "", *BBB[2:]),
    "late listing": _long(*BBB[2:]),
    "zero volume in one": _long(*BBB, "BBB,2020-01-08,13,14,12,13,0"),
    "heading only": [LONG],
}  # fmt: skip


def write_csv(path: Path, lines: list[str]) -> Path:
    """The lines as a file, packed when its name says so."""
    text = "".join(f"{line}\n" for line in lines)
    if path.suffix == ".gz":
        path.write_bytes(gzip.compress(text.encode()))
    else:
        path.write_text(text, encoding="utf-8")
    return path


def _frame(lines: list[str]) -> pd.DataFrame:
    return pd.DataFrame([line.split(",") for line in lines[1:]], columns=lines[0].split(","))


def _table(change: Callable[[pd.DataFrame], pd.DataFrame] = lambda frame: frame) -> pa.Table:
    frame = _frame(_long(*BBB))
    for name in ("open", "high", "low", "close", "volume"):
        frame[name] = pd.to_numeric(frame[name])
    frame["date"] = pd.to_datetime(frame["date"])
    return pa.Table.from_pandas(change(frame), preserve_index=False)


def _retyped(**types: pa.DataType) -> pa.Table:
    table = _table()
    for name, kind in types.items():
        place = table.schema.get_field_index(name)
        table = table.set_column(place, name, table.column(name).cast(kind))
    return table


PARQUET_CASES: dict[str, Callable[[], pa.Table]] = {
    "plain": _table,
    "days": lambda: _retyped(date=pa.date32()),
    "text dates": lambda: _table(lambda frame: frame.assign(date=frame["date"].astype("string"))),
    "American text dates": lambda: _table(lambda frame: frame.assign(date=frame["date"].dt.strftime("%m/%d/%Y"))),
    "a zone": lambda: _table(lambda frame: frame.assign(date=frame["date"].dt.tz_localize("America/New_York"))),
    "nine in New York": lambda: _table(
        lambda frame: frame.assign(date=(frame["date"] + pd.Timedelta("9h")).dt.tz_localize("America/New_York"))
    ),
    "whole numbers": lambda: _retyped(open=pa.float32(), volume=pa.int32()),
    "decimal": lambda: _retyped(close=pa.decimal128(10, 4)),
    "numbers as dates": lambda: _table(
        lambda frame: frame.assign(date=frame["date"].dt.strftime("%Y%m%d").astype("int64"))
    ),
    "no date in one": lambda: _table(lambda frame: frame.assign(date=frame["date"].where(frame.index != 5))),
    "blank volume": lambda: _table(lambda frame: frame.assign(volume=frame["volume"].where(frame.index != 5))),
    "blank price": lambda: _table(lambda frame: frame.assign(close=frame["close"].where(frame.index != 5))),
    "large negative volume": lambda: _table(
        lambda frame: frame.assign(volume=frame["volume"].where(frame.index != 5, -12345678901))
    ),
    "categories": lambda: _retyped(symbol=pa.dictionary(pa.int8(), pa.string())),
    "numbers as symbols": lambda: _table(
        lambda frame: frame.assign(symbol=[int(name == "BBB") + 600518 for name in frame["symbol"]])
    ),
    "a blank symbol": lambda: _table(lambda frame: frame.assign(symbol=frame["symbol"].where(frame.index != 5))),
    "by day": lambda: _table(lambda frame: frame.sort_values("date", kind="stable")),
    "unsorted": lambda: _table(lambda frame: frame.iloc[::-1]),
    "a split": lambda: _table(lambda frame: frame.assign(split=[1.0] * 7 + [None])),
    "adjusted close": lambda: _table(lambda frame: frame.assign(**{"Adj Close": frame["close"] / 2})),
    "no rows": lambda: _table().slice(0, 0),
    "a company": lambda: _table(lambda frame: frame.assign(company="Ünlü AŞ")),
    "close twice": lambda: _table().append_column("close", _table().column("close")),
}  # fmt: skip


def write_parquet(path: Path, table: pa.Table) -> Path:
    """The table as a file of several row groups."""
    pq.write_table(table, path, row_group_size=3)
    return path
