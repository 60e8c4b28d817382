"""Bars from table files, whatever their format: one file per symbol in a folder, or one long file."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from gpt_trader.adapters.table_columns import read_times, rename_columns
from gpt_trader.adapters.tables import (
    MINUTES,
    adjusted,
    canonical,
    checked_span,
    coarser,
    empty_table,
    infer_timeframe,
    within,
)
from gpt_trader.adapters.universe import normalise_symbol
from gpt_trader.bars import parse_time
from gpt_trader.errors import BadData, BadParameter, SymbolNotFound, UserError
from gpt_trader.quality import find_defects, require_clean
from gpt_trader.sources import ADJUSTMENTS, BarRequest, Series

if TYPE_CHECKING:
    import pandas as pd

_PRICES = ["open", "high", "low", "close"]


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
        self._parts: dict[Path, dict[str, pd.DataFrame]] = {}

    @abstractmethod
    def _load(self, path: Path) -> pd.DataFrame:
        """The whole file as it is, its index the row labels. Raises BadData when it cannot be read."""

    def symbols(self) -> tuple[str, ...]:
        """Every symbol that the files hold, sorted."""
        if self.path.is_dir():
            return tuple(sorted(self._files()))
        return tuple(sorted(self._split(self.path)))

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
        if not self.path.is_dir():
            held = self._split(self.path)
        else:
            files = self._files()
            if symbol not in files:
                raise SymbolNotFound(f"{symbol}: no file of that name in {self.path.name}; {_listed(files)}")
            held = self._split(files[symbol])
        if symbol not in held:
            hint = "a file without a column 'symbol' holds the symbol that it is named after"
            raise SymbolNotFound(f"{symbol}: not in {self.path.name}; {_listed(held)} ({hint})")
        return held[symbol]

    def _files(self) -> dict[str, Path]:
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
            if self.path.is_dir():
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
                suffix = next((s for s in self.suffixes if path.name.lower().endswith(s)), path.suffix)
                self._parts[path] = {normalise_symbol(path.name[: len(path.name) - len(suffix)]): table}
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


def _listed(names: object) -> str:
    known = sorted(str(name) for name in names) if isinstance(names, dict) else []
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
            ("the adjusted close of the file is not used; ask for adjustment 'all' to use it",),
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
