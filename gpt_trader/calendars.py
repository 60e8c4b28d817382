"""Sessions of an exchange as plain arrays: which days it trades, and when it opens and closes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gpt_trader.errors import BadRange

Dates = NDArray[np.datetime64]
DateLike = str | np.datetime64

_DAY = np.timedelta64(1, "D")


@dataclass(frozen=True, slots=True, eq=False)
class SessionCalendar:
    """The sessions of one exchange between `first` and `last`, both inclusive.

    `dates` is (S,) datetime64[D], strictly increasing: the local session dates. `opens` and `closes` are (S,)
    naive UTC datetime64[ns]: the first and the last moment of regular trading. `timezone` is the IANA zone of
    the exchange. A market that never closes has every day as a session from 00:00 to 24:00 UTC.

    Every method raises BadRange for a date outside [first, last]: the calendar does not guess.
    """

    name: str
    timezone: str
    first: np.datetime64
    last: np.datetime64
    dates: Dates
    opens: Dates
    closes: Dates

    def sessions(self, start: DateLike, end: DateLike) -> Dates:
        """(K,) session dates from `start` to `end`, both inclusive; empty when none lies between them."""
        low, high = self._index(start, "left"), self._index(end, "right")
        return self.dates[low : max(low, high)]

    def is_session(self, date: DateLike) -> bool:
        """True when the exchange trades on the day of `date`."""
        row = self._index(date, "left")
        return bool(row < self.dates.size and self.dates[row] == _day(date))

    def are_sessions(self, dates: Dates) -> NDArray[np.bool_]:
        """(K,): True where the day of `dates` is a session."""
        days = np.asarray(dates).astype("datetime64[D]")
        if days.size:
            self._check(days.min())
            self._check(days.max())
        rows = np.minimum(np.searchsorted(self.dates, days), self.dates.size - 1)
        return np.asarray(self.dates[rows] == days) if self.dates.size else np.zeros(days.shape, bool)

    def session_bounds(self, date: DateLike) -> tuple[np.datetime64, np.datetime64]:
        """Open and close of one session, naive UTC. Raises BadRange when the day is not a session."""
        row = self._index(date, "left")
        if row == self.dates.size or self.dates[row] != _day(date):
            raise BadRange(f"{_day(date)} is not a session of {self.name}; the exchange is closed that day")
        return self.opens[row], self.closes[row]

    def missing(self, present: Dates) -> Dates:
        """(K,) sessions between the first and the last day of `present` that are not in it."""
        days = np.unique(np.asarray(present).astype("datetime64[D]"))
        if not days.size:
            return self.dates[:0]
        return np.setdiff1d(self.sessions(days[0], days[-1]), days)

    def previous_session(self, date: DateLike) -> np.datetime64:
        """The last session on or before the day of `date`."""
        row = self._index(date, "right") - 1
        if row < 0:
            raise BadRange(f"{self.name} has no session up to {_day(date)}; load a longer calendar")
        return np.datetime64(self.dates[row])

    def local_dates(self, times: Dates) -> Dates:
        """(K,) the exchange's calendar date at each naive UTC moment; summer time is respected."""
        import pandas as pd

        utc = pd.DatetimeIndex(np.asarray(times, "datetime64[ns]")).tz_localize("UTC")
        return utc.tz_convert(self.timezone).tz_localize(None).to_numpy().astype("datetime64[D]")

    def session_dates(self, times: Dates) -> Dates:
        """(K,) the date of the session that trades at each naive UTC moment, the local date outside of sessions.

        The two differ where a session opens on the evening before, as on a futures exchange.
        """
        moments = np.asarray(times, "datetime64[ns]")
        days = self.local_dates(moments)
        if self.dates.size:
            row = np.searchsorted(self.opens, moments, side="right") - 1
            inside = (row >= 0) & (moments < self.closes[row])
            days = np.where(inside, self.dates[row], days)
        return days

    def _index(self, date: DateLike, side: str) -> int:
        day = _day(date)
        self._check(day)
        return int(np.searchsorted(self.dates, day, side="left" if side == "left" else "right"))

    def _check(self, day: np.datetime64) -> None:
        if not self.first <= day <= self.last:
            span = f"{self.first} to {self.last}"
            raise BadRange(f"{day} lies outside the calendar {self.name} as loaded ({span})")


def always_open(first: DateLike, last: DateLike) -> SessionCalendar:
    """The calendar "24/7" of a market that never closes, such as crypto: every day is a session in UTC."""
    low, high = _day(first), _day(last)
    dates = np.arange(low, high + _DAY, dtype="datetime64[D]")
    opens = dates.astype("datetime64[ns]")
    closes: Dates = np.asarray(opens + _DAY, "datetime64[ns]")
    return SessionCalendar("24/7", "UTC", low, high, dates, opens, closes)


def _day(date: DateLike) -> np.datetime64:
    try:
        day: np.datetime64 = np.datetime64(date).astype("datetime64[D]")
    except ValueError:
        raise BadRange(f"{date!r} is no date; write it as 2020-12-31") from None
    if np.isnat(day):
        raise BadRange(f"{date!r} is no date; write it as 2020-12-31")
    return day
