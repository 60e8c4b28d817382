"""Lengths of time as a person writes them, `24m`, `90d` or `500b`, and what lies that much later in a market's time."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gpt_trader.errors import BadParameter

Times = NDArray[np.datetime64]

HOUR = 3_600_000_000_000
DAY = 24 * HOUR
LONGEST_YEARS, MOST_BARS = 200, 100_000_000
_UNITS = {"y": ("months", 12), "m": ("months", 1), "w": ("nanoseconds", 7 * DAY), "d": ("nanoseconds", DAY),
          "h": ("nanoseconds", HOUR), "b": ("bars", 1)}  # fmt: skip
_LAST = np.datetime64("2261-12-31", "ns")


@dataclass(frozen=True, slots=True)
class Duration:
    """Calendar `months`, then `nanoseconds`, then `bars` of the market: usually one of the three."""

    months: int = 0
    nanoseconds: int = 0
    bars: int = 0

    def __add__(self, other: Duration) -> Duration:
        return Duration(
            self.months + other.months, self.nanoseconds + other.nanoseconds, self.bars + other.bars
        )

    def __mul__(self, times: int) -> Duration:
        return Duration(self.months * times, self.nanoseconds * times, self.bars * times)

    def __bool__(self) -> bool:
        return self != NOTHING

    def __str__(self) -> str:
        parts = [f"{self.months}m"] if self.months else []
        if self.nanoseconds:
            parts.append(_short(self.nanoseconds))
        return " + ".join(parts + ([f"{self.bars}b"] if self.bars or not parts else []))


def _short(nanoseconds: int) -> str:
    """In the longest unit that it is whole in, else in days."""
    for unit, size in (("w", 7 * DAY), ("d", DAY), ("h", HOUR)):
        if nanoseconds % size == 0:
            return f"{nanoseconds // size}{unit}"
    return f"{nanoseconds / DAY:.4g}d"


NOTHING = Duration()


def parse_duration(text: str, option: str) -> Duration:
    """`24m`, `2y`, `26w`, `90d`, `12h` or `500b`; m is months, b bars.

    Raises BadParameter, naming `option`, for any other text and for lengths that no market has.
    """
    found = re.fullmatch(r"([0-9]{1,9})\s*([a-z])", text.strip().lower())
    if found is None or found[2] not in _UNITS:
        raise BadParameter(
            f"{option} {text!r} is no length of time; write a whole number and y, m (months), w, d, h or b (bars), "
            "such as 24m, 90d or 500b"
        )
    name, size = _UNITS[found[2]]
    count = int(found[1]) * size
    limit = {"months": 12 * LONGEST_YEARS, "nanoseconds": 366 * DAY * LONGEST_YEARS, "bars": MOST_BARS}[name]
    if count > limit:
        raise BadParameter(f"{option} {text} is longer than {LONGEST_YEARS} years or {MOST_BARS:,} bars")
    return Duration(**{name: count})


def later(time: Times, moments: Times, by: Duration) -> Times:
    """What lies `by` after each of `moments` (M,) in a market whose bars are at `time` (T,): (M,), never decreasing.

    A day that a month does not have is the end of that month: a month after the 31st of January is the 1st of March,
    00:00. Bars are counted from the first bar at or after the moment; past the last bar they lie as far apart as the
    bars do in the median.
    """
    moments = np.asarray(moments, "datetime64[ns]")
    if by.months:
        month = moments.astype("datetime64[M]")
        offset = moments - month.astype("datetime64[ns]")
        start = (month + by.months).astype("datetime64[ns]")
        moments = np.minimum(start + offset, (month + by.months + 1).astype("datetime64[ns]"))
    moments = moments + np.timedelta64(by.nanoseconds, "ns")
    if by.bars:
        rows = np.searchsorted(time, moments) + by.bars
        distance = np.median(np.diff(time).astype(np.int64)) if time.size > 1 else DAY
        room = float((_LAST - time[-1]).astype(np.int64))
        beyond = np.minimum(np.maximum(rows - (time.size - 1), 0) * float(distance), room)
        moments = time[np.minimum(rows, time.size - 1)] + beyond.astype(np.int64).astype("timedelta64[ns]")
    return moments


def share_of(time: Times, share: float) -> Duration:
    """That share (0.01 for one per cent) of the time from the first to the last bar."""
    return Duration(
        nanoseconds=round(share * float((time[-1] - time[0]).astype("timedelta64[ns]").astype(np.int64)))
    )
