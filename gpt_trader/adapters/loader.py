"""Loads Bars by name: picks the source, checks the quality, and puts the symbols into one panel."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from gpt_trader.adapters.source_registry import LOCAL, SourceOptions, open_source
from gpt_trader.adapters.universe import normalise_symbol
from gpt_trader.bars import FIELDS, SPLIT, TIMEFRAMES, VOLUME, Bars, parse_time
from gpt_trader.checking.watching import LOAD_BARS
from gpt_trader.errors import BadData, BadParameter, BadRange, GptTraderError, SymbolNotFound, UnknownName
from gpt_trader.quality import MODES, Change, Defect, Severity, check, find_row_defects
from gpt_trader.quality_rules import Columns
from gpt_trader.sources import ADJUSTMENTS, ArraySeries, ArraySource, BarRequest, BarSource, Series

if TYPE_CHECKING:
    import pandas as pd

    from gpt_trader.calendars import SessionCalendar

__all__ = ["Loaded", "load", "load_bars", "open_source"]

TimeLike = str | date | np.datetime64 | None


@dataclass(frozen=True, slots=True, eq=False)
class Loaded:
    """Bars and everything that was noticed on the way. `skipped` maps a symbol that was left out to the reason."""

    bars: Bars
    defects: tuple[Defect, ...] = ()
    changes: tuple[Change, ...] = ()
    skipped: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()
    stale: tuple[str, ...] = ()

    @property
    def warnings(self) -> tuple[str, ...]:
        """One line each, as `bars.notes`: what was noted before the data were read, then `_noticed`."""
        return self.bars.notes


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
) -> Loaded:
    """As `load_bars`, with the defects, changes, skipped symbols, notes and stale symbols beside the bars.

    `noted` is what the caller noticed before: it begins `bars.notes`.
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
    reader = _Reader(source, quality, sessions, skip_missing, noted)
    for name in names:
        reader.add(BarRequest(name, timeframe, low, high, adjustment))
    return reader.loaded(timeframe, adjustment, delisted or {})


class _Reader:
    """Fetches and checks one symbol after the other and remembers what was noticed."""

    def __init__(
        self,
        source: BarSource,
        quality: str,
        calendar: SessionCalendar | None,
        skip_missing: bool,
        noted: Sequence[str],
    ) -> None:
        self.source, self.quality, self.calendar, self.skip_missing = source, quality, calendar, skip_missing
        self.noted = tuple(noted)
        self.series: dict[str, Series | ArraySeries] = {}
        self.defects: list[Defect] = []
        self.changes: list[Change] = []
        self.skipped: list[tuple[str, str]] = []

    def add(self, request: BarRequest) -> None:
        """Adds one symbol, or notes why it was left out."""
        try:
            series = self._checked(request)
        except SymbolNotFound as error:
            if not self.skip_missing:
                self._raise_unknown(request.symbol)
                raise
            self.skipped.append((request.symbol, str(error)))
            return
        if _times_of(series).size == 0:
            reason = self._no_bars(request)
            if not self.skip_missing:
                raise BadRange(reason)
            self.skipped.append((request.symbol, reason))
            return
        self.series[request.symbol] = series

    def _checked(self, request: BarRequest) -> Series | ArraySeries:
        from gpt_trader.adapters.table_files import RawSource

        if isinstance(self.source, ArraySource):
            arrays = self.source.fetch_arrays(request)
            if arrays is not None and self._clean(arrays):
                return arrays
        if isinstance(self.source, RawSource):
            found = self.source.read(request)
            if len(found.frame) == 0 and {"time", *FIELDS[:VOLUME]} <= set(found.frame.columns):
                return found.deliver(found.frame)
            return found.deliver(self._check(found.frame, request.symbol, found.timeframe))
        series = self.source.fetch(request)
        if len(series.frame) == 0:
            return series
        frame = self._check(series.frame, request.symbol, request.timeframe)
        return Series(series.request, frame, series.source, series.adjustment, series.stale, series.notes)

    def _clean(self, series: ArraySeries) -> bool:
        """True when the arrays break no rule that would refuse or mend them; warnings are remembered."""
        symbol, timeframe = series.request.symbol, series.request.timeframe
        if self.quality == "off" or series.columns["time"].size == 0:
            return True
        defects = find_row_defects(Columns(series.columns), symbol, timeframe, self.calendar)
        if any(defect.severity is Severity.ERROR for defect in defects):
            return False
        self.defects += defects
        return True

    def _check(self, frame: pd.DataFrame, symbol: str, timeframe: str) -> pd.DataFrame:
        checked = check(frame, symbol, self.quality, timeframe=timeframe, calendar=self.calendar)
        self.defects += checked.defects
        self.changes += checked.changes
        return checked.frame

    def _raise_unknown(self, symbol: str) -> None:
        known = self.source.symbols() if hasattr(self.source, "symbols") else ()
        if known:
            raise UnknownName("symbol", symbol, known) from None

    def _no_bars(self, request: BarRequest) -> str:
        asked = f"from {_day(request.start) or 'the beginning'} to {_day(request.end) or 'the end'}"
        held = ""
        if self.source.name in LOCAL:  # looking at its whole span costs nothing
            try:
                times = self.source.fetch(replace(request, start=None, end=None)).frame["time"]
                held = (
                    f"; it has bars from {_day(times.iloc[0])} to {_day(times.iloc[-1])}"
                    if len(times)
                    else ""
                )
            except GptTraderError:
                held = ""
        return f"{request.symbol}: no {request.timeframe} bars {asked}{held}"

    def loaded(self, timeframe: str, adjustment: str, delisted: Mapping[str, str]) -> Loaded:
        """The panel of everything added. Raises BadRange when nothing, or in strict mode a single bar, is there."""
        if not self.series:
            reasons = "; ".join(reason for _, reason in self.skipped[:3])
            raise BadRange(f"none of the symbols has a bar to load ({reasons})")
        delivered = sorted({series.adjustment for series in self.series.values()})
        if len(delivered) > 1:
            raise BadData(
                f"the symbols come in different adjustments ({', '.join(delivered)}), which cannot be compared; "
                "ask for an adjustment that the source has for all of them"
            )
        notes = [f"{symbol}: {note}" for symbol, series in self.series.items() for note in series.notes]
        if delivered != [adjustment]:
            notes.append(f"asked for adjustment {adjustment!r}, the source has {delivered[0]!r}")
        stale = tuple(symbol for symbol, series in self.series.items() if series.stale)
        noted = (*self.noted, *self._noticed(stale), *notes)
        bars = assemble(self.series, timeframe, delivered[0], delisted, noted)
        if bars.T == 1 and self.quality == "strict":
            raise BadRange(
                f"only one bar ({_day(bars.time[0])}) lies in the span; two or more are needed for a return: widen it"
            )
        return Loaded(
            bars,
            tuple(self.defects),
            tuple(self.changes),
            tuple(self.skipped),
            tuple(notes),
            stale,
        )

    def _noticed(self, stale: Sequence[str]) -> list[str]:
        """One line each: stale symbols, skipped symbols, repairs (counted), quality warnings (counted)."""
        lines = [f"{symbol}: stale, the source did not answer" for symbol in stale]
        lines += [f"{symbol}: left out: {reason}" for symbol, reason in self.skipped]
        if self.changes:
            many = "a repair was" if len(self.changes) == 1 else f"{len(self.changes)} repairs were"
            lines.append(f"{many} made; the first: {self.changes[0].message}")
        left = [defect for defect in self.defects if defect.severity is Severity.WARNING]
        if left:
            many = "a quality warning" if len(left) == 1 else f"{len(left)} quality warnings"
            lines.append(f"{many}; the first: {left[0].message}")
        return lines


def assemble(
    series: Mapping[str, Series | ArraySeries],
    timeframe: str,
    adjustment: str,
    delisted: Mapping[str, str] = MappingProxyType({}),
    notes: Sequence[str] = (),
) -> Bars:
    """One panel (7, T, N) over the union of all times; a symbol without a bar is NaN, volume 0, split 1, dividend 0.

    A row whose four prices are NaN counts as no bar: its volume becomes 0, its events stay.
    """
    columns = [_times_of(one) for one in series.values()]
    times = columns[0] if len(columns) == 1 else np.unique(np.concatenate(columns))
    panel = np.full((len(FIELDS), times.size, len(series)), np.nan)
    panel[VOLUME:] = 0.0
    panel[SPLIT] = 1.0
    for n, (one, stamps) in enumerate(zip(series.values(), columns, strict=True)):
        values = _fields_of(one)
        halted = np.isnan(values[:VOLUME]).all(axis=0)
        panel[:, np.searchsorted(times, stamps), n] = values
        panel[VOLUME, np.searchsorted(times, stamps[halted]), n] = 0.0
    sources = tuple(one.source for one in series.values())
    left = tuple(delisted.get(name) for name in series)
    return Bars(tuple(series), times, panel, timeframe, adjustment, sources, left, tuple(notes))


def _times_of(series: Series | ArraySeries) -> NDArray[np.datetime64]:
    if isinstance(series, ArraySeries):
        return series.columns["time"]
    return series.frame["time"].to_numpy("datetime64[ns]")


def _fields_of(series: Series | ArraySeries) -> NDArray[np.float64]:
    """(7, T), in the order of FIELDS."""
    if isinstance(series, ArraySeries):
        return np.stack([series.columns[name] for name in FIELDS])
    return series.frame[list(FIELDS)].to_numpy(np.float64).T


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


def _day(moment: np.datetime64 | None) -> str:
    return "" if moment is None else str(moment)[:10]


def _sessions(calendar: str) -> SessionCalendar:
    from gpt_trader.adapters.exchange_calendar import load_calendar

    return load_calendar(calendar)
