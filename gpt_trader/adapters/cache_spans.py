"""Spans of days: which of those asked for are not covered yet, counted in sessions so that closed days never matter."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from gpt_trader.adapters.bar_tables import period_start
from gpt_trader.adapters.exchange_calendar import FIRST, LAST, load_calendar
from gpt_trader.calendars import Dates, SessionCalendar

Day = np.datetime64
Span = tuple[np.datetime64, np.datetime64]
OLDEST = np.datetime64("1678-01-01")
_ONE = np.timedelta64(1, "D")


def joined(spans: Iterable[Span]) -> tuple[Span, ...]:
    """The same days as few spans as possible, in order; neighbours without a day between them are joined."""
    result: list[Span] = []
    for low, high in sorted(spans):
        if result and low <= result[-1][1] + _ONE:
            result[-1] = (result[-1][0], max(high, result[-1][1]))
        else:
            result.append((low, high))
    return tuple(result)


def subtract(wanted: Span, covered: Sequence[Span]) -> tuple[Span, ...]:
    """The parts of `wanted` that no span of `covered` holds, in order."""
    gaps: list[Span] = []
    low, high = wanted
    for first, last in joined(covered):
        if last < low or first > high:
            continue
        if first > low:
            gaps.append((low, first - _ONE))
        low = max(low, last + _ONE)
    if low <= high:
        gaps.append((low, high))
    return tuple(gaps)


@dataclass(frozen=True, slots=True)
class Sessions:
    """Spans seen through a calendar and a timeframe. Days outside the calendar's span all count as sessions."""

    calendar: SessionCalendar
    timeframe: str

    @classmethod
    def named(cls, calendar: str, timeframe: str) -> Sessions:
        """The sessions of an exchange by name, over the longest span that is shipped."""
        return cls(load_calendar(calendar, FIRST, LAST), timeframe)

    def trimmed(self, span: Span) -> Span | None:
        """The span without closed days at its ends; None when it holds no session. Weeks and months stay whole."""
        low, high = span
        if low > high:
            return None
        first, last = self.calendar.first, self.calendar.last
        if first <= low and high <= last:
            inside = self.calendar.sessions(low, high)
            if inside.size == 0:
                return None
            low, high = inside[0], inside[-1]
        elif first <= high <= last and self.calendar.dates[0] <= high:
            high = max(low, self.calendar.previous_session(high))
        return (low, high) if self.timeframe not in ("1w", "1mo") else span

    def whole_periods(self, span: Span) -> Span:
        """For weeks and months: from the first day of the first period to the last day of the last complete one."""
        if self.timeframe not in ("1w", "1mo"):
            return span
        low, high = span
        if low > OLDEST:
            low = period_start(np.array([low]), self.timeframe)[0]
        following = period_start(np.array([self.after(high, 1)]), self.timeframe)[0]
        return low, following - _ONE

    def before(self, day: Day, count: int) -> Day:
        """The session `count` sessions before `day`, or as many days where the calendar does not reach."""
        return self._step(day, -count)

    def after(self, day: Day, count: int) -> Day:
        """The session `count` sessions after `day`, or as many days where the calendar does not reach."""
        return self._step(day, count)

    def _step(self, day: Day, count: int) -> Day:
        dates = self.calendar.dates
        row = int(np.searchsorted(dates, day, "left" if count < 0 else "right"))
        row += count if count < 0 else count - 1
        inside = 0 <= row < dates.size and self.calendar.first <= day <= self.calendar.last
        return np.datetime64(dates[row]) if inside else day + np.timedelta64(count, "D")

    def days_of(self, times: Dates) -> Dates:
        """(T,) the session date of each bar time: the date itself for daily bars, the exchange's for intraday."""
        if self.timeframe in ("1d", "1w", "1mo"):
            return times.astype("datetime64[D]")
        return self.calendar.local_dates(times)

    def bounds(self, span: Span) -> tuple[np.datetime64, np.datetime64]:
        """First and last moment (naive UTC, ns) of the span's days, midnight to midnight at the exchange."""
        low, high = (day.astype("datetime64[ns]") for day in (span[0], span[1] + _ONE))
        if self.timeframe not in ("1d", "1w", "1mo") and self.calendar.timezone != "UTC":
            import pandas as pd

            local = pd.DatetimeIndex([low, high]).tz_localize(self.calendar.timezone)
            low, high = local.tz_convert("UTC").tz_localize(None).to_numpy("datetime64[ns]")
        return low, high - np.timedelta64(1, "ns")

    def last_settled(self, now: float, settle: float) -> Day:
        """The last session that closed at least `settle` seconds before `now` (Unix time)."""
        moment = np.datetime64(int((now - settle) * 1e3), "ms").astype("datetime64[ns]")
        row = int(np.searchsorted(self.calendar.closes, moment, "right")) - 1
        beyond = moment.astype("datetime64[D]") - _ONE
        if row < 0 or beyond > self.calendar.last:
            return np.datetime64(beyond)
        return np.datetime64(self.calendar.dates[row])
