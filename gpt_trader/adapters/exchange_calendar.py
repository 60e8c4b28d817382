"""Loads session calendars: New York from a shipped table, any other exchange from exchange_calendars."""

from __future__ import annotations

import warnings
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from gpt_trader.calendars import DateLike, Dates, SessionCalendar, always_open
from gpt_trader.errors import BadRange, UnknownName

if TYPE_CHECKING:
    import pandas as pd

DEFAULT_CALENDAR = "XNYS"
NEW_YORK_TABLE = Path(__file__).resolve().parents[1] / "data" / "xnys.csv"
FIRST, LAST = np.datetime64("1990-01-01"), np.datetime64("2035-12-31")
_NEW_YORK = ("XNYS", "NYSE", "XNAS", "NASDAQ", "ARCX", "BATS", "US")
_ALWAYS = ("24/7", "24X7", "CRYPTO", "ALWAYS")


def load_calendar(
    name: str = DEFAULT_CALENDAR, start: DateLike = FIRST, end: DateLike = LAST
) -> SessionCalendar:
    """The sessions of an exchange (its ISO 10383 code: "XNYS", "XLON"; or "24/7") from `start` to `end`.

    Both bounds are always pinned, so that the answer does not depend on today. Raises UnknownName, with the
    nearest match, for a name that is no exchange, and BadRange for a reversed span or one before the recorded
    history of the exchange.
    """
    low, high = np.datetime64(start).astype("datetime64[D]"), np.datetime64(end).astype("datetime64[D]")
    if low > high:
        raise BadRange(f"calendar {name}: start {low} lies after end {high}; give the earlier date as start")
    return _load(name.strip().upper(), str(low), str(high))


@lru_cache(maxsize=64)
def _load(name: str, start: str, end: str) -> SessionCalendar:
    low, high = np.datetime64(start), np.datetime64(end)
    if name in _ALWAYS:
        calendar = always_open(low, high)
    elif name in _NEW_YORK and low >= FIRST and high <= LAST:
        calendar = _cut(_new_york(), low, high)
    else:
        calendar = _from_library("XNYS" if name in _NEW_YORK else name, start, end)
    for array in (calendar.dates, calendar.opens, calendar.closes):
        array.setflags(write=False)  # shared by every caller
    return calendar


def _cut(whole: SessionCalendar, low: np.datetime64, high: np.datetime64) -> SessionCalendar:
    if low == whole.first and high == whole.last:
        return whole
    i, j = np.searchsorted(whole.dates, low, "left"), np.searchsorted(whole.dates, high, "right")
    return SessionCalendar(
        whole.name, whole.timezone, low, high, whole.dates[i:j], whole.opens[i:j], whole.closes[i:j]
    )


@lru_cache(maxsize=1)
def _new_york() -> SessionCalendar:
    rows = [line.split(",") for line in NEW_YORK_TABLE.read_text(encoding="utf-8").splitlines()[1:]]
    special = {date: (opens, closes) for date, opens, closes in rows}
    weekdays = np.arange(FIRST, LAST + np.timedelta64(1, "D"), dtype="datetime64[D]")
    weekdays = weekdays[np.is_busday(weekdays)]
    closed = np.array([date for date, hours in special.items() if hours[0] == "closed"], "datetime64[D]")
    dates = np.setdiff1d(weekdays, closed, assume_unique=True)
    opens, closes = np.full(dates.size, 570), np.full(dates.size, 960)
    for date, hours in special.items():
        if hours[0] != "closed":
            row = int(np.searchsorted(dates, np.datetime64(date)))
            opens[row], closes[row] = (int(text[:2]) * 60 + int(text[3:]) for text in hours)
    zone = "America/New_York"
    return SessionCalendar(
        "XNYS", zone, FIRST, LAST, dates, _to_utc(dates, opens, zone), _to_utc(dates, closes, zone)
    )


def _to_utc(dates: Dates, minutes: np.ndarray, zone: str) -> Dates:
    import pandas as pd

    local = dates.astype("datetime64[ns]") + minutes.astype("timedelta64[m]")
    return _naive(pd.DatetimeIndex(local).tz_localize(zone))


def _from_library(name: str, start: str, end: str) -> SessionCalendar:
    import exchange_calendars
    import pandas as pd

    known = exchange_calendars.get_calendar_names(include_aliases=True)
    if name not in known:
        raise UnknownName("calendar", name, known)
    first, last = np.datetime64(start), np.datetime64(end)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the library's own use of deprecated pandas calls
            calendar = exchange_calendars.get_calendar(name, start=start, end=end)
            sessions, opens, closes = calendar.sessions, calendar.opens, calendar.closes
    except exchange_calendars.errors.NoSessionsError:
        empty = np.array([], "datetime64[ns]")
        return SessionCalendar(name, "UTC", first, last, empty.astype("datetime64[D]"), empty, empty)
    except ValueError as error:
        raise BadRange(f"calendar {name}: {error}") from None
    dates = sessions.to_numpy().astype("datetime64[D]")
    bounds = (_naive(pd.DatetimeIndex(moments)) for moments in (opens, closes))
    return SessionCalendar(name, str(calendar.tz), first, last, dates, *bounds)


def _naive(moments: pd.DatetimeIndex) -> Dates:
    return moments.tz_convert("UTC").tz_localize(None).to_numpy("datetime64[ns]")
