"""Reads one symbol after the other from a source, checks it, and remembers what was noticed on the way."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from gpt_trader.adapters.panel_assembly import assemble, times_of
from gpt_trader.adapters.source_registry import LOCAL
from gpt_trader.bars import FIELDS, VOLUME, Bars
from gpt_trader.errors import BadData, BadRange, GptTraderError, SymbolNotFound, UnknownName
from gpt_trader.progress import OnProgress
from gpt_trader.quality import Change, Defect, Severity, check, find_defects, find_row_defects
from gpt_trader.quality_rules import Columns
from gpt_trader.sources import ArraySeries, ArraySource, BarRequest, BarSource, Series

if TYPE_CHECKING:
    import pandas as pd

    from gpt_trader.calendars import SessionCalendar

_Fetched = Callable[[], ArraySeries | None]
_FEW, _MOST_THREADS = 8, 8
NAMED = 5  # symbols of one kind of note that get a line each
_LISTED = 20  # names in the line for the rest


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


class Reader:
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

    def add_all(self, requests: Sequence[BarRequest], on_progress: OnProgress) -> None:
        """Adds the symbols in their order; `on_progress` is told how many are done."""
        for done, (request, arrays) in enumerate(fetched(self.source, requests), start=1):
            self._add(request, arrays)
            on_progress("symbols", done, len(requests))

    def _add(self, request: BarRequest, fetched: _Fetched) -> None:
        """Adds one symbol, or notes why it was left out."""
        try:
            series = self._checked(request, fetched)
        except SymbolNotFound as error:
            if not self.skip_missing:
                self._raise_unknown(request.symbol)
                raise
            self.skipped.append((request.symbol, str(error)))
            return
        if times_of(series).size == 0:
            reason = self._no_bars(request)
            if not self.skip_missing:
                raise BadRange(reason)
            self.skipped.append((request.symbol, reason))
            return
        self.series[request.symbol] = series

    def _checked(self, request: BarRequest, fetched: _Fetched) -> Series | ArraySeries:
        from gpt_trader.adapters.bar_files import RawSource

        arrays = fetched()
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
        if self.quality == "off" or series.columns["time"].size == 0:
            return True
        defects = _defects_of(series, self.calendar)
        if _has_error(defects):
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
                times = times_of(self._whole(replace(request, start=None, end=None)))
                if times.size:
                    held = f"; it has bars from {_day(times[0])} to {_day(times[-1])}"
            except GptTraderError:
                held = ""
        return f"{request.symbol}: no {request.timeframe} bars {asked}{held}"

    def _whole(self, request: BarRequest) -> Series | ArraySeries:
        """All that the source has, free of errors; raises BadData and what the source raises."""
        source = self.source
        arrays = source.fetch_arrays(request) if isinstance(source, ArraySource) else None
        if arrays is None or (arrays.columns["time"].size and _has_error(_defects_of(arrays, None))):
            return source.fetch(request)
        return arrays

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
        notes = _by_symbol((symbol, note) for symbol, series in self.series.items() for note in series.notes)
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
        lines = _by_symbol((symbol, "stale, the source did not answer") for symbol in stale)
        lines += shortened(
            [f"{symbol}: left out: {reason}" for symbol, reason in self.skipped],
            [symbol for symbol, _ in self.skipped],
            "symbols are left out",
        )
        if self.changes:
            many = "a repair was" if len(self.changes) == 1 else f"{len(self.changes)} repairs were"
            lines.append(f"{many} made; the first: {self.changes[0].message}")
        left = [defect for defect in self.defects if defect.severity is Severity.WARNING]
        if left:
            many = "a quality warning" if len(left) == 1 else f"{len(left)} quality warnings"
            lines.append(f"{many}; the first: {left[0].message}")
        return lines


def _defects_of(series: ArraySeries, calendar: SessionCalendar | None) -> tuple[Defect, ...]:
    request = series.request
    return find_row_defects(
        Columns(series.columns, series.labels), request.symbol, request.timeframe, calendar
    )


def _has_error(defects: Iterable[Defect]) -> bool:
    return any(defect.severity is Severity.ERROR for defect in defects)


def fetched(source: BarSource, requests: Sequence[BarRequest]) -> Iterator[tuple[BarRequest, _Fetched]]:
    """Each request with a call that gives its arrays, or raises; files of their own are read ahead in threads."""
    if not isinstance(source, ArraySource):
        for request in requests:
            yield request, lambda: None
        return
    if len(requests) < _FEW or not getattr(source, "side_by_side", False):
        for request in requests:
            yield request, partial(source.fetch_arrays, request)
        return
    workers = min(os.cpu_count() or 1, _MOST_THREADS)
    with ThreadPoolExecutor(workers) as pool:
        waiting = deque(requests)
        ahead: deque[tuple[BarRequest, Future[ArraySeries | None]]] = deque()
        while waiting or ahead:
            while waiting and len(ahead) < 4 * workers:
                request = waiting.popleft()
                ahead.append((request, pool.submit(source.fetch_arrays, request)))
            request, future = ahead.popleft()
            yield request, future.result


def found_defects(
    source: BarSource, request: BarRequest, fetched: _Fetched, calendar: SessionCalendar | None
) -> tuple[int, tuple[Defect, ...]]:
    """How many rows a file has of a symbol, and every defect in them. Raises what the source raises."""
    from gpt_trader.adapters.bar_files import RawSource

    arrays = fetched()
    if arrays is not None and arrays.columns["time"].size:
        defects = _defects_of(arrays, calendar)
        if not _has_error(defects):  # of an error the cell is shown as it stands
            return arrays.columns["time"].size, defects
    if not isinstance(source, RawSource):
        raise TypeError(f"{source.name} cannot show its rows")
    table = source.read(request)
    return len(table.frame), find_defects(
        table.frame, request.symbol, timeframe=table.timeframe, calendar=calendar
    )


def watch(source: BarSource, on_progress: OnProgress) -> None:
    """`on_progress` is told how much of one long file is read, where the source reads one."""
    from gpt_trader.adapters.bar_files import TableFiles

    if isinstance(source, TableFiles):
        source.on_progress = on_progress


def _by_symbol(noted: Iterable[tuple[str, str]]) -> list[str]:
    """A line for each symbol and note, or one line for a note of many symbols."""
    symbols: dict[str, list[str]] = {}
    for symbol, note in noted:
        symbols.setdefault(note, []).append(symbol)
    lines: list[str] = []
    for note, names in symbols.items():
        if len(names) > NAMED:
            lines.append(f"{len(names):,} symbols: {note}")
        else:
            lines += [f"{name}: {note}" for name in names]
    return lines


def shortened(lines: Sequence[str], names: Sequence[str], what: str) -> list[str]:
    """The first lines as they are, and one for the rest with what it is about and the first of its `names`."""
    more = names[NAMED:]
    if len(more) < 2:
        return list(lines)
    listed = ", ".join(more[:_LISTED]) + (" …" if len(more) > _LISTED else "")
    return [*lines[:NAMED], f"{len(more):,} more {what}: {listed}"]


def _day(moment: np.datetime64 | None) -> str:
    return "" if moment is None else str(moment)[:10]
