"""Bars from table files, whatever their format: one file per symbol in a folder, or one long file."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from heapq import nsmallest
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from gpt_trader.adapters.bar_tables import (
    MINUTES,
    adjusted,
    canonical,
    checked_span,
    coarser,
    empty_table,
    infer_timeframe,
    within,
)
from gpt_trader.adapters.table_columns import read_times, rename_columns
from gpt_trader.adapters.typed_rows import TypedRows, release_unused
from gpt_trader.adapters.universe import normalise_symbol
from gpt_trader.bars import parse_time
from gpt_trader.errors import BadData, BadParameter, SymbolNotFound, UserError
from gpt_trader.progress import OnProgress, no_progress
from gpt_trader.quality import find_defects, require_clean
from gpt_trader.sources import ADJUSTMENTS, SERIES_COLUMNS, ArraySeries, BarRequest, Series

if TYPE_CHECKING:
    import pandas as pd

_PRICES = ["open", "high", "low", "close"]
_ADJUSTED_UNUSED = "the adjusted close of the file is not used; ask for adjustment 'all' to use it"


@dataclass(frozen=True, slots=True, eq=False)
class AsFound:
    """One symbol's rows as they stand in a file, defects and all.

    `frame` has time (naive UTC, NaT where unreadable; then `time_text` holds the original), prices, volume and what
    events the file has; its index is the row: for CSV the line in the file, else the position from 0.
    """

    request: BarRequest
    frame: pd.DataFrame
    source: str
    adjustment: str
    timeframe: str
    timezone: str | None
    notes: tuple[str, ...] = ()

    def deliver(self, checked: pd.DataFrame) -> Series:
        """The series asked for, made of `checked`: these rows in order, after the rules of quality were applied."""
        if len(checked) == 0:
            return Series(self.request, empty_table(), self.source, self.request.adjustment, notes=self.notes)
        table, adjustment = adjusted(canonical(checked), self.adjustment, self.request.adjustment)
        table = coarser(table, self.timeframe, self.request, self._days(table))
        table = within(table, *checked_span(self.request))
        return Series(self.request, table, self.source, adjustment, notes=self.notes)

    def _days(self, table: pd.DataFrame) -> NDArray[np.datetime64]:
        times = table["time"].to_numpy("datetime64[ns]")
        return _local_days(times, self.timezone if MINUTES[self.timeframe] < 1440 else None)


@runtime_checkable
class RawSource(Protocol):
    """A source that can also show its rows before any rule was applied."""

    def read(self, request: BarRequest) -> AsFound:
        """The rows of the request as found."""
        ...


class TableFiles(ABC):
    """Common to CSV and Parquet: finding a symbol's rows, reading their times, cutting the span.

    `path` is a folder with one file per symbol (named after it, in any case) or one file; a file with a column
    `symbol` or `ticker` holds many symbols, one without holds the symbol that it is named after. `adjustment` says
    what the prices in the files are. `timezone` is the zone of times without an offset (UTC when None).
    Raises UserError when the path does not exist.
    """

    name = "files"
    suffixes: tuple[str, ...] = ()

    def __init__(
        self,
        path: str | Path,
        *,
        adjustment: str = "raw",
        timezone: str | None = None,
        date_format: str | None = None,
    ) -> None:
        if adjustment not in ADJUSTMENTS:
            raise BadParameter(f"unknown adjustment {adjustment!r}; use one of {', '.join(ADJUSTMENTS)}")
        self.path = Path(path)
        self.adjustment, self.timezone, self.date_format = adjustment, timezone, date_format
        if not self.path.exists():
            raise UserError(f"{self.path}: no such file or folder; give the path of the {self.name} data")
        self._folder = self.path.is_dir()
        self.on_progress: OnProgress = no_progress
        """Hears how much of one long file is read."""
        self._parts: dict[Path, dict[str, pd.DataFrame]] = {}
        self._whole: list[TypedRows | None] = []
        self._listing: tuple[int, dict[str, Path]] | None = None

    @property
    def side_by_side(self) -> bool:
        """Whether symbols may be fetched in threads: each has a file of its own."""
        return self._folder

    @abstractmethod
    def _load(self, path: Path) -> pd.DataFrame:
        """The whole file as it is, its index the row labels. Raises BadData when it cannot be read."""

    @abstractmethod
    def _typed(self, path: Path) -> TypedRows | None:
        """The whole file as typed columns, None when it has to be read by `_load`: a value does not fit its column, or the file
        cannot be read. Headings and rows that `_load` would refuse are None, or BadData."""

    def symbols(self) -> tuple[str, ...]:
        """Every symbol that the files hold, sorted."""
        if self._folder:
            return tuple(sorted(self._files()))
        typed = self._typed_whole()
        return tuple(sorted(self._split(self.path) if typed is None else typed.places))

    def fetch_arrays(self, request: BarRequest) -> ArraySeries | None:
        """The rows of `request` as arrays where they are whole and in order and need no conversion: their times are all
        there and increase, and timeframe and adjustment are those of the file. None where only `read` can tell.

        No rule of quality but that was applied. Raises SymbolNotFound.
        """
        start, end = checked_span(request)
        symbol = normalise_symbol(request.symbol)
        path = self._path_of(symbol)
        rows = self._typed_file(path) if self._folder else self._typed_whole()
        if rows is None or not {"time", *_PRICES, "volume"} <= set(rows.columns):
            return None
        if symbol not in rows.places:
            raise self._absent(symbol, rows.places)
        order = ADJUSTMENTS.index
        if order(request.adjustment) > order(self.adjustment):
            return None
        place = rows.places[symbol]
        times = self._ordered_times(rows, place, f"{self.path.name}: {symbol}")
        if times is None or infer_timeframe(times, rising=True) != request.timeframe:
            return None
        low = 0 if start is None else int(np.searchsorted(times, start, side="left"))
        high = times.size if end is None else int(np.searchsorted(times, end, side="right"))
        cut = slice(place.start + low, place.start + high)
        columns = {name: rows.number(name, cut) for name in SERIES_COLUMNS[1:]}
        notes = (_ADJUSTED_UNUSED,) if "adjusted_close" in rows.columns else ()
        return ArraySeries(
            request,
            {"time": times[low:high], **columns},
            self.name,
            self.adjustment,
            notes=notes,
            labels=rows.labels_of(cut),
        )

    def _ordered_times(self, rows: TypedRows, place: slice, where: str) -> NDArray[np.datetime64] | None:
        """(r,) naive UTC, session dates for daily and longer bars; None when one is not there or they do not increase."""
        times = rows.columns["time"][place]
        if times.dtype.kind != "M" or rows.zone is not None or self.timezone not in (None, "UTC"):
            times = read_times(rows.time_column(place), where, self.timezone, self.date_format)
        if not _rising(times):
            return None
        if MINUTES[infer_timeframe(times, rising=True)] >= 1440:
            times = _session_dates(times, self.timezone)
        return times if _rising(times) else None

    def fetch(self, request: BarRequest) -> Series:
        """The bars of `request`. Raises SymbolNotFound, BadData for rows that break a rule of quality (use `read`
        and `quality.check` to mend them), and BadParameter for a timeframe that the file is too coarse for."""
        found = self.read(request)
        if len(found.frame):
            require_clean(find_defects(found.frame, request.symbol, timeframe=found.timeframe))
        return found.deliver(found.frame)

    def read(self, request: BarRequest) -> AsFound:
        """The rows of `request` before any rule is applied; rows without a readable time are all included."""
        start, end = checked_span(request)
        symbol = normalise_symbol(request.symbol)
        rows = self._rows(symbol)
        where = f"{self.path.name}: {symbol}"
        if "time" not in rows.columns or len(rows) == 0:
            return AsFound(request, rows, self.name, self.adjustment, request.timeframe, self.timezone)
        rows, adjustment, notes = _with_adjusted_close(rows, request.adjustment, self.adjustment)
        times = read_times(rows["time"], where, self.timezone, self.date_format)
        timeframe = infer_timeframe(times)
        if MINUTES[timeframe] >= 1440:
            times = _session_dates(times, self.timezone)
        low, high = _whole_periods(start, end, request.timeframe, timeframe)
        keep = np.isnat(times)
        if keep.any():
            rows = rows.assign(time_text=rows["time"].astype("string"))
        keep |= (times >= low) & (times <= high)
        return AsFound(
            request, rows.assign(time=times)[keep], self.name, adjustment, timeframe, self.timezone, notes
        )

    def _rows(self, symbol: str) -> pd.DataFrame:
        path = self._path_of(symbol)
        typed = None if self._folder else self._typed_whole()
        if typed is not None and symbol in typed.places:
            return typed.frame(symbol)
        if typed is not None:
            raise self._absent(symbol, typed.places)
        held = self._split(path)
        if symbol not in held:
            raise self._absent(symbol, held)
        return held[symbol]

    def _path_of(self, symbol: str) -> Path:
        """The file that a symbol is in, if it is. Raises SymbolNotFound when a folder has none of its name."""
        if not self._folder:
            return self.path
        files = self._files()
        if symbol not in files:
            raise SymbolNotFound(f"{symbol}: no file of that name in {self.path.name}; {_listed(files)}")
        return files[symbol]

    def _absent(self, symbol: str, held: Iterable[str]) -> SymbolNotFound:
        hint = "a file without a column 'symbol' holds the symbol that it is named after"
        return SymbolNotFound(f"{symbol}: not in {self.path.name}; {_listed(held)} ({hint})")

    def _symbol_of(self, path: Path) -> str:
        """The symbol that a file is named after."""
        suffix = next((s for s in self.suffixes if path.name.lower().endswith(s)), path.suffix)
        return normalise_symbol(path.name[: len(path.name) - len(suffix)])

    def _typed_whole(self) -> TypedRows | None:
        """`_typed` of the one long file, read once."""
        if not self._whole:
            self._whole.append(self._typed_file(self.path))
            release_unused()
        return self._whole[0]

    def _typed_file(self, path: Path) -> TypedRows | None:
        return self._typed(path) if self.date_format is None else None

    def _files(self) -> dict[str, Path]:
        """The file of each symbol of the folder, listed anew when the folder has changed."""
        changed = self.path.stat().st_mtime_ns
        if self._listing is None or self._listing[0] != changed:
            self._listing = (changed, self._listed_files())
        return self._listing[1]

    def _listed_files(self) -> dict[str, Path]:
        files: dict[str, Path] = {}
        for path in sorted(self.path.iterdir()):
            suffix = next((s for s in self.suffixes if path.name.lower().endswith(s)), None)
            if suffix is None or path.name.startswith("."):
                continue
            symbol = normalise_symbol(path.name[: -len(suffix)])
            if symbol in files:
                raise BadData(
                    f"{files[symbol].name} and {path.name} are both {symbol}; leave one in the folder"
                )
            files[symbol] = path
        return files

    def _split(self, path: Path) -> dict[str, pd.DataFrame]:
        """The file's rows per symbol; read once and kept, for a folder only the newest file."""
        if path not in self._parts:
            if self._folder:
                self._parts.clear()
            table = rename_columns(self._load(path), path.name)
            if "symbol" in table.columns:
                codes, written = table["symbol"].factorize()
                spelled = np.array([normalise_symbol(str(name)) for name in written] + [""], object)
                names = spelled[codes]
                nameless = table.index[names == ""]
                if nameless.size:
                    raise BadData(f"{path.name}: row {nameless[0]} has no symbol; name it or remove the row")
                groups = table.drop(columns="symbol").groupby(names, sort=False)
                self._parts[path] = {str(name): part for name, part in groups}
            else:
                self._parts[path] = {self._symbol_of(path): table}
        return self._parts[path]


def _local_days(times: NDArray[np.datetime64], timezone: str | None) -> NDArray[np.datetime64]:
    import pandas as pd

    stamps = pd.DatetimeIndex(times)
    if timezone is not None:
        stamps = stamps.tz_localize("UTC").tz_convert(timezone).tz_localize(None)
    return stamps.to_numpy().astype("datetime64[D]")


def _session_dates(times: NDArray[np.datetime64], timezone: str | None) -> NDArray[np.datetime64]:
    """Daily bars stamped with a time of day, such as the exchange's midnight in UTC, become their local date."""
    known = times[~np.isnat(times)]
    if bool((known == known.astype("datetime64[D]")).all()):
        return times
    return _local_days(times, timezone).astype("datetime64[ns]")


def _rising(times: NDArray[np.datetime64]) -> bool:
    return bool(times.size and not np.isnat(times[0]) and (times[1:] > times[:-1]).all())


def _listed(names: Iterable[str]) -> str:
    known = nsmallest(21, names)
    return f"it has {', '.join(known[:20])}{' …' if len(known) > 20 else ''}" if known else "it has none"


def _with_adjusted_close(
    rows: pd.DataFrame, want: str, have: str
) -> tuple[pd.DataFrame, str, tuple[str, ...]]:
    """Uses an adjusted close for the adjustment "all"; for any other it is left out, and said so."""
    import pandas as pd

    if "adjusted_close" not in rows.columns:
        return rows, have, ()
    plain = rows.drop(columns="adjusted_close")
    if want != "all" or have == "all":
        return (
            plain,
            have,
            (_ADJUSTED_UNUSED,),
        )
    numbers = {name: pd.to_numeric(rows[name], errors="coerce") for name in (*_PRICES, "adjusted_close")}
    factor = numbers["adjusted_close"] / numbers["close"]
    scaled = {name: numbers[name] * factor for name in _PRICES}
    return plain.assign(**scaled, split=1.0, dividend=0.0), "all", ()


def _whole_periods(
    start: np.datetime64 | None, end: np.datetime64 | None, want: str, have: str
) -> tuple[np.datetime64, np.datetime64]:
    """The span to read so that every bar asked for is complete: whole days, weeks or months when grouping."""
    low = np.datetime64("1678-01-01", "ns") if start is None else start
    high = np.datetime64("2261-12-31", "ns") if end is None else end
    if MINUTES[want] <= MINUTES[have]:
        return low, high
    margin = np.timedelta64({"1mo": 32, "1w": 8}.get(want, 2), "D")
    after = parse_time((high + margin).astype("datetime64[D]"), end_of_day=True) if end is not None else high
    return (low - margin if start is not None else low), (high if after is None else after)
