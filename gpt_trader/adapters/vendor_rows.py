"""How a vendor's rows and corporate actions become a Series: spans, ex-dates, bars that are still being traded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from gpt_trader.adapters import bar_tables
from gpt_trader.adapters.bar_tables import Floats, Span, Times, group_bars, period_start
from gpt_trader.errors import BadParameter, BadRange
from gpt_trader.sources import BarRequest

if TYPE_CHECKING:
    import pandas as pd

DAY = np.timedelta64(1, "D")
LOOK_BACK = 10 * DAY
"""Daily answers start this much earlier, so that an action on a day without a bar finds its bar."""
INTRADAY_MINUTES = {"1m": 1, "5m": 5, "15m": 15, "30m": 30, "1h": 60}


@dataclass(frozen=True, slots=True, eq=False)
class Actions:
    """Corporate actions of one symbol, in order of date.

    `date` (E,) datetime64[D]; `split` (E,) new shares per old; `dividend` (E,) cash per share on the share
    basis of TODAY, that is after every split so far.
    """

    date: Times
    split: Floats
    dividend: Floats

    def placed(self, session: Times) -> tuple[Floats, Floats, Floats]:
        """(split, dividend, later), each (T,), for bars of the sessions `session` (T,), not descending.

        An event falls on the first bar on or after its date, so none is lost when its own day has no bar.
        `later` is the product of all splits after the bar: raw price = price on today's basis * later.
        """
        row = np.searchsorted(session, self.date, side="left")
        inside = row < session.size
        split, dividend = np.ones(session.size), np.zeros(session.size)
        np.multiply.at(split, row[inside], self.split[inside])
        np.add.at(dividend, row[inside], self.dividend[inside])
        from_row_on = np.cumprod(np.append(split, self.split[~inside].prod())[::-1])[::-1]
        return split, dividend, from_row_on[1:]


def checked_span(request: BarRequest, now: np.datetime64) -> Span:
    """Start and end of the request, as `bar_tables.checked_span` gives them.

    Raises BadParameter for a blank symbol too, and BadRange also when start lies more than LOOK_BACK after `now` (a
    cache may well ask from tomorrow on).
    """
    if not request.symbol.strip():
        raise BadParameter("the symbol is blank; give one such as AAPL")
    start, end = bar_tables.checked_span(request)
    if start is not None and start > now + LOOK_BACK:
        raise BadRange(f"start {request.start} lies in the future; give a date that has been traded")
    return start, end


def running_period(session: Times, today: np.datetime64, timeframe: str) -> np.datetime64 | None:
    """The week or month that goes on after the last of the sessions `session` (T,), None when that ended it."""
    weekdays_only = bool(np.is_busday(session).all())
    following = np.busday_offset(session[-1:], 1, roll="forward") if weekdays_only else session[-1:] + 1
    days = np.concatenate([session[-1:], following, [today]])
    last, coming, current = period_start(days, timeframe)
    return last if last == coming == current else None


def unfinished_note(time: np.datetime64) -> str:
    """What a Series says of the bar it leaves out because its time is not over."""
    day = time.astype("datetime64[D]")
    return f"the bar of {day if day == time else str(time)[:16]} left out: it is still being traded"


def whole_periods(
    frame: pd.DataFrame, session: Times, today: np.datetime64, timeframe: str
) -> tuple[pd.DataFrame, np.datetime64 | None]:
    """Daily bars of the sessions `session` (T,) as 1w or 1mo bars, and the period left out as still running."""
    if frame.empty:
        return frame, None
    grouped, running = (
        group_bars(frame, period_start(session, timeframe)),
        running_period(session, today, timeframe),
    )
    return (grouped, None) if running is None else (grouped[grouped["time"] < running], running)
