"""Reads the column names and the times of other people's tables: aliases, date formats, zones, summer time."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from gpt_trader.errors import BadData, BadParameter

if TYPE_CHECKING:
    import pandas as pd

Times = NDArray[np.datetime64]

_ALIASES = {
    "time": ("time", "datetime", "timestamp", "date/time", "date time", "open time", "dt", "t"),
    "date": ("date", "day", "trade date", "session"),
    "open": ("open", "o", "open price"),
    "high": ("high", "h", "high price"),
    "low": ("low", "l", "low price"),
    "close": ("close", "c", "last", "close price", "close/last"),
    "volume": ("volume", "vol", "v"),
    "adjusted_close": ("adj close", "adjclose", "adjusted close", "adjusted"),
    "split": ("split", "split ratio", "split coefficient"),
    "stock_splits": ("stock splits", "splits"),
    "dividend": ("dividend", "dividends", "ex dividend", "dividend amount", "divcash", "div"),
    "symbol": ("symbol", "ticker", "sym"),
}
_INDEX_NAMES = ("", "Unnamed: 0", "__index_level_0__", "index")
_NAMES = {alias: name for name, aliases in _ALIASES.items() for alias in aliases}
_MIDNIGHT = r"(\d{4}-\d{2}-\d{2})(?:[T ]00:00(?::00(?:\.0+)?)?(?:Z|[+-]\d{2}:?\d{2})?)?"
_OFFSET = r".*\d{2}:\d{2}.*(?:Z|[+-]\d{2}:?\d{2})"
_DAY_FIRST, _MONTH_FIRST = "%d/%m/%Y", "%m/%d/%Y"
_DATE_FORMATS = (_MONTH_FIRST, _DAY_FIRST, "%Y-%m-%d", "%Y/%m/%d", "%Y.%m.%d", "%d.%m.%Y", "%d-%b-%Y", "%b %d, %Y",
                 "%Y%m%d")  # fmt: skip
_CLOCKS = ("", " %H:%M", " %H:%M:%S", " %H:%M:%S.%f", " %I:%M %p")
_EPOCH_UNITS = ((1e8, 1e11, "s"), (1e11, 1e14, "ms"), (1e14, 1e17, "us"), (1e17, 1e20, "ns"))


def rename_columns(frame: pd.DataFrame, where: str) -> pd.DataFrame:
    """The table with our column names: time, open, high, low, close, volume, adjusted_close, split, dividend, symbol.

    Names are matched without regard to case, underscores, brackets and numbering ("<DATE>", "1. open", "Adj_Close").
    A `date` and a `time` column are joined. Blank splits and dividends mean none, and so does a 0 under the heading
    "Stock Splits", as yfinance writes it. Raises BadData when two columns claim one name.
    """
    new = our_names(frame.columns, where)
    table = frame.rename(columns=new)[list(new.values())]
    table = _one_time_column(table, frame)
    if "stock_splits" in table.columns:
        events = table.pop("stock_splits")
        table["split"] = events.mask(events == 0, 1.0)
    for name, neutral in (("split", 1.0), ("dividend", 0.0)):
        if name in table.columns:
            table[name] = table[name].fillna(neutral)
    return table


def our_names(headings: Iterable[object], where: str) -> dict[str, str]:
    """Our name for each heading that we know. Raises BadData when two headings claim one name."""
    new: dict[str, str] = {}
    known = [str(heading) for heading in headings]
    for heading in known:
        plain = re.sub(r"^\d+\.\s*", "", heading.strip().strip("<>").lower())
        name = _NAMES.get(re.sub(r"[\s_-]+", " ", plain).strip())
        if name is None:
            continue
        if name in new.values():
            first = next(key for key, value in new.items() if value == name)
            raise BadData(
                f"{where}: columns {first!r} and {heading!r} both mean {name}; leave one of them out"
            )
        new[heading] = name
    if "symbol" not in new.values() and "Name" in known:
        new["Name"] = "symbol"
    return new


def plain_names(headings: Sequence[str], where: str) -> dict[str, str] | None:
    """`our_names` where every column can be taken as it is, one `time` among them; None where columns must be joined or guessed.

    Raises BadData when two headings claim one name.
    """
    new = our_names(headings, where)
    known = set(new.values())
    if len(set(headings)) != len(headings) or {"date", "time"} <= known:
        return None
    if "date" in known:
        return {heading: "time" if name == "date" else name for heading, name in new.items()}
    if "time" not in known and headings and headings[0] in _INDEX_NAMES:
        return {headings[0]: "time"} | new  # the index of a pandas table, written without a name
    return new if "time" in known else None


def _one_time_column(table: pd.DataFrame, original: pd.DataFrame) -> pd.DataFrame:
    if "date" in table.columns and "time" in table.columns:
        joined = table["date"].astype("string").str.strip() + " " + table["time"].astype("string").str.strip()
        return table.assign(time=joined).drop(columns="date")
    if "date" in table.columns:
        return table.rename(columns={"date": "time"})
    first = original.columns[0] if len(original.columns) else ""
    if "time" not in table.columns and str(first) in _INDEX_NAMES:
        return table.assign(time=original[first])  # the index of a pandas table, written without a name
    return table


def read_times(
    column: pd.Series, where: str, timezone: str | None = None, date_format: str | None = None
) -> Times:
    """(T,) naive UTC datetime64[ns] of a column of dates or times; NaT where a row cannot be read.

    Dates, and times that all stand at midnight, are session dates and stay as written, whatever zone they name.
    Other times with an offset become UTC; times without one are in `timezone` (an IANA name, UTC when None), and an
    hour that summer time skips or repeats without telling which is NaT. Numbers are yyyymmdd or seconds, milli-,
    micro- or nanoseconds since 1970. Raises BadData when 03/04/2020 could be March or April throughout, and
    BadParameter for an unknown zone.
    """
    import pandas as pd

    if pd.api.types.is_datetime64_any_dtype(column):
        return _from_stamps(pd.DatetimeIndex(column), timezone)
    if pd.api.types.is_numeric_dtype(column):
        return _from_numbers(column, timezone)
    text = column.astype("string").str.strip()
    if date_format is not None:
        return _from_stamps(
            pd.DatetimeIndex(pd.to_datetime(text, format=date_format, errors="coerce")), timezone
        )
    dates = text.str.extract(f"^{_MIDNIGHT}$", expand=False)
    rest = text[dates.isna() & text.notna()]
    if dates.notna().any():
        clocked = pd.to_datetime(rest, format="ISO8601", errors="coerce", utc=True)
        if not clocked.notna().any():
            return _stamps(pd.to_datetime(dates, format="%Y-%m-%d", errors="coerce"))
        return _from_iso(text, timezone)
    known = text.dropna()
    if known.str.fullmatch(r"\d+(\.\d+)?").mean() > 0.5:
        return _from_numbers(pd.to_numeric(text, errors="coerce"), timezone)
    if pd.to_datetime(known.head(100), format="ISO8601", errors="coerce", utc=True).notna().any():
        return _from_iso(text, timezone)
    return _from_stamps(_from_other_formats(text, where), timezone)


def _from_iso(text: pd.Series, timezone: str | None) -> Times:
    import pandas as pd

    offset = text.str.fullmatch(_OFFSET).fillna(False).to_numpy(bool)
    times = np.full(len(text), np.datetime64("NaT"), "datetime64[ns]")
    aware = pd.to_datetime(text[offset], format="ISO8601", errors="coerce", utc=True)
    times[offset] = _stamps(aware.dt.tz_localize(None))
    naive = pd.to_datetime(text[~offset], format="ISO8601", errors="coerce")
    times[~offset] = _localised(pd.DatetimeIndex(naive), timezone)
    return times


def _from_numbers(column: pd.Series, timezone: str | None) -> Times:
    import pandas as pd

    numbers = column.to_numpy(np.float64, na_value=np.nan)
    known = numbers[np.isfinite(numbers)]
    if known.size == 0:
        return np.full(len(numbers), np.datetime64("NaT"), "datetime64[ns]")
    middle = float(np.median(known))
    if 1.5e7 < middle < 2.5e7:
        text = pd.Series(numbers).astype("Int64").astype("string")
        return _stamps(pd.to_datetime(text, format="%Y%m%d", errors="coerce"))
    unit = next((unit for low, high, unit in _EPOCH_UNITS if low <= middle < high), None)
    if unit is None:
        return np.full(len(numbers), np.datetime64("NaT"), "datetime64[ns]")
    nanoseconds = numbers * {"s": 1e9, "ms": 1e6, "us": 1e3, "ns": 1.0}[unit]
    moments = pd.DatetimeIndex(pd.to_datetime(nanoseconds.round(), errors="coerce"))
    return _stamps(moments) if timezone is None else _from_stamps(moments.tz_localize("UTC"), timezone)


def _from_other_formats(text: pd.Series, where: str) -> pd.DatetimeIndex:
    import pandas as pd

    sample = text.dropna().head(200)
    reads: dict[str, float] = {}
    for layout in (date + clock for clock in _CLOCKS for date in _DATE_FORMATS):
        share = (
            float(pd.to_datetime(sample, format=layout, errors="coerce").notna().mean())
            if len(sample)
            else 0.0
        )
        if share > 0:
            reads[layout] = share
    if not reads:
        return pd.DatetimeIndex([pd.NaT] * len(text))
    best = max(reads, key=reads.__getitem__)
    if best.startswith((_MONTH_FIRST, _DAY_FIRST)):
        best = _day_or_month_first(text, best, where)
    return pd.DatetimeIndex(pd.to_datetime(text, format=best, errors="coerce"))


def _day_or_month_first(text: pd.Series, layout: str, where: str) -> str:
    import pandas as pd

    clock = layout[len(_DAY_FIRST) :]
    lost = {
        date: int(pd.to_datetime(text, format=date + clock, errors="coerce").isna().sum())
        for date in (_MONTH_FIRST, _DAY_FIRST)
    }
    if lost[_MONTH_FIRST] == lost[_DAY_FIRST]:
        raise BadData(
            f"{where}: dates such as {text.dropna().iloc[0]!r} can be read with the month or the day first; "
            f"write them as 2024-12-31, or in Python give date_format={_MONTH_FIRST!r} or {_DAY_FIRST!r} to CsvFiles"
        )
    return min(lost, key=lost.__getitem__) + clock


def _from_stamps(stamps: pd.DatetimeIndex, timezone: str | None) -> Times:
    known = stamps[stamps.notna()]
    if bool((known == known.normalize()).all()):
        return _stamps(stamps.tz_localize(None))
    if stamps.tz is not None:
        return _stamps(stamps.tz_convert("UTC").tz_localize(None))
    return _localised(stamps, timezone)


def _localised(stamps: pd.DatetimeIndex, timezone: str | None) -> Times:
    if timezone is None or timezone == "UTC":
        return _stamps(stamps)
    try:
        local = stamps.tz_localize(timezone, ambiguous="infer", nonexistent="NaT")
    except (KeyError, OSError):
        raise BadParameter(
            f"unknown time zone {timezone!r}; use an IANA name such as America/New_York"
        ) from None
    except ValueError:  # the repeated hour is not there twice, or not in order
        local = stamps.tz_localize(timezone, ambiguous="NaT", nonexistent="NaT")
    return _stamps(local.tz_convert("UTC").tz_localize(None))


def _stamps(stamps: pd.Series | pd.DatetimeIndex) -> Times:
    return stamps.to_numpy().astype("datetime64[ns]")
