"""Writes `xnys.csv`: the weekdays on which the New York exchange is closed or keeps hours other than usual.

Usual is 09:30-16:00. A copy of what `exchange_calendars` says, so that a daily backtest need not load that
library; a test holds the two together. Run it again after an upgrade of the library:
`python gpt_trader/data/build_calendar.py`.
"""

from __future__ import annotations

from pathlib import Path

import exchange_calendars
import numpy as np

FIRST, LAST = "1990-01-01", "2035-12-31"
TARGET = Path(__file__).with_name("xnys.csv")


def main() -> None:
    calendar = exchange_calendars.get_calendar("XNYS", start=FIRST, end=LAST)
    schedule = calendar.schedule
    local = {day: [schedule[c].iloc[i].tz_convert(calendar.tz) for c in ("open", "close")]
             for i, day in enumerate(calendar.sessions.strftime("%Y-%m-%d"))}  # fmt: skip
    weekdays = np.arange(FIRST, np.datetime64(LAST) + 1, dtype="datetime64[D]")
    lines = [f"# XNYS {FIRST} {LAST} 09:30 16:00"]
    for day in weekdays[np.is_busday(weekdays)].astype(str):
        if day not in local:
            lines.append(f"{day},closed,closed")
        elif (hours := [f"{moment:%H:%M}" for moment in local[day]]) != ["09:30", "16:00"]:
            lines.append(",".join([day, *hours]))
    TARGET.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
