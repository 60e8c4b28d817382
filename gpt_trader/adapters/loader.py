"""Loads Bars by name: picks the source, checks the quality, and puts the symbols into one panel."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from gpt_trader.adapters.bar_reader import Loaded, Reader
from gpt_trader.adapters.source_registry import SourceOptions, open_source
from gpt_trader.adapters.universe import normalise_symbol
from gpt_trader.bars import TIMEFRAMES, Bars, parse_time
from gpt_trader.checking.access_monitor import LOAD_BARS
from gpt_trader.errors import BadParameter, BadRange, UnknownName
from gpt_trader.progress import OnProgress, no_progress
from gpt_trader.quality import MODES
from gpt_trader.sources import ADJUSTMENTS, BarRequest, BarSource

if TYPE_CHECKING:
    from gpt_trader.calendars import SessionCalendar

__all__ = ["Loaded", "load", "load_bars", "open_source"]

TimeLike = str | date | np.datetime64 | None


# -- loading -------------------------------------------------------------------------------------------------


def load_bars(
    symbols: str | Sequence[str],
    *,
    source: str | BarSource = "demo",
    start: TimeLike = None,
    end: TimeLike = None,
    timeframe: str = "1d",
    adjustment: str = "raw",
    quality: str = "strict",
    cache_dir: str | Path | None = None,
    path: str | Path | None = None,
    seed: int = 0,
    skip_missing: bool = False,
    calendar: str | None = None,
    timezone: str | None = None,
    delisted: Mapping[str, str] | None = None,
) -> Bars:
    """Bars (T, N) of `symbols` from a named source: the union of all times, missing where a symbol has no bar.

    `start` and `end` are inclusive; a bare date as `end` includes its whole day. `quality` is strict (refuse errors),
    repair (mend them) or off. `path` is for csv and parquet, `seed` for synthetic, `cache_dir` for yahoo and alpaca
    (without it nothing is kept). With `calendar` (such as "XNYS") closed days and missing sessions are judged, and a
    cache counts its sessions. `timezone` is the zone of file times without an offset. `skip_missing` leaves out
    symbols that the source does not know or has no bars for. `delisted` maps a symbol to its last session (ISO date),
    for no source reports it. `load` returns what was noticed on the way as well.

    Raises UnknownName for a source or symbol (with the nearest match where the source can list its symbols, else
    SymbolNotFound), BadRange for a reversed or empty span, BadData for defects, BadParameter for another setting,
    SourceUnavailable when the provider is down and nothing is cached.
    """
    loaded = load(
        symbols,
        source=source,
        start=start,
        end=end,
        timeframe=timeframe,
        adjustment=adjustment,
        quality=quality,
        cache_dir=cache_dir,
        path=path,
        seed=seed,
        skip_missing=skip_missing,
        calendar=calendar,
        timezone=timezone,
        delisted=delisted,
    )
    return loaded.bars


def load(
    symbols: str | Sequence[str],
    *,
    source: str | BarSource = "demo",
    start: TimeLike = None,
    end: TimeLike = None,
    timeframe: str = "1d",
    adjustment: str = "raw",
    quality: str = "strict",
    cache_dir: str | Path | None = None,
    path: str | Path | None = None,
    seed: int = 0,
    skip_missing: bool = False,
    calendar: str | None = None,
    timezone: str | None = None,
    delisted: Mapping[str, str] | None = None,
    noted: Sequence[str] = (),
    on_progress: OnProgress = no_progress,
) -> Loaded:
    """As `load_bars`, with the defects, changes, skipped symbols, notes and stale symbols beside the bars.

    `noted` is what the caller noticed before: it begins `bars.notes`. `on_progress` is told how many symbols are read.
    """
    names = _symbol_names(symbols)
    sys.audit(LOAD_BARS, *names[:3])
    for kind, value, known in (
        ("timeframe", timeframe, TIMEFRAMES),
        ("adjustment", adjustment, ADJUSTMENTS),
        ("quality", quality, MODES),
    ):
        if value not in known:
            raise UnknownName(kind, str(value), known)
    low, high = _span(start, end)
    if isinstance(source, str):
        place = None if path is None else Path(path)
        source = open_source(source, SourceOptions(place, seed, timezone, calendar=calendar), cache_dir)
    sessions = None if calendar is None else _sessions(calendar)
    reader = Reader(source, quality, sessions, skip_missing, noted)
    reader.add_all([BarRequest(name, timeframe, low, high, adjustment) for name in names], on_progress)
    return reader.loaded(timeframe, adjustment, delisted or {})


# -- reading what the user typed -----------------------------------------------------------------------------------


def _symbol_names(symbols: str | Sequence[str]) -> list[str]:
    given = symbols.split(",") if isinstance(symbols, str) else list(symbols)
    names = list(dict.fromkeys(normalise_symbol(str(name)) for name in given if str(name).strip()))
    if not names:
        raise BadParameter("no symbols were given; name one or more, such as AAPL,MSFT")
    return names


def _span(start: TimeLike, end: TimeLike) -> tuple[np.datetime64 | None, np.datetime64 | None]:
    low, high = _moment(start, "start", False), _moment(end, "end", True)
    if low is not None and high is not None and low > high:
        raise BadRange(f"start {start} lies after end {end}; give the earlier date as start")
    return low, high


def _moment(value: TimeLike, name: str, end_of_day: bool) -> np.datetime64 | None:
    if isinstance(value, str):
        if not re.fullmatch(r"\d{4}(-\d{2}(-\d{2}([T ].+)?)?)?", value.strip()):
            raise BadRange(f"{name} {value!r} is no date; write it as 2020-12-31")
        value = value.strip()
        if len(value) > 10:
            try:
                value = datetime.fromisoformat(value)
            except ValueError:
                raise BadRange(f"{name} {value!r} is no time; write it as 2020-12-31T15:30") from None
    if isinstance(value, datetime):
        value = np.datetime64(value.astimezone(UTC).replace(tzinfo=None) if value.tzinfo else value)
    if isinstance(value, date):
        value = np.datetime64(value, "D")
    moment = parse_time(value, end_of_day=end_of_day)
    if moment is not None and not np.datetime64("1700") <= np.datetime64(value) <= np.datetime64("2200"):
        raise BadRange(f"{name} {value} lies outside the years 1700 to 2200")
    return moment


def _sessions(calendar: str) -> SessionCalendar:
    from gpt_trader.adapters.exchange_calendar import load_calendar

    return load_calendar(calendar)
