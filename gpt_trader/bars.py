"""The panel of market data that everything else reads: T bars of N symbols with corporate actions."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from gpt_trader.errors import BadData, BadParameter, BadRange, UnknownName

if TYPE_CHECKING:
    import pandas as pd

Floats = NDArray[np.float64]
Times = NDArray[np.datetime64]

FIELDS = ("open", "high", "low", "close", "volume", "split", "dividend")
OPEN, HIGH, LOW, CLOSE, VOLUME, SPLIT, DIVIDEND = range(len(FIELDS))
_BLOCK = 32  # symbols looked at together
_CELLS = 1 << 18  # bars times symbols looked at together
TIMEFRAMES = ("1m", "5m", "15m", "30m", "1h", "1d", "1w", "1mo")
Made = TypeVar("Made")
Kind = TypeVar("Kind", bound=np.generic)
TimeLike = str | np.datetime64 | None


@dataclass(frozen=True, eq=False, repr=False)
class Bars:
    """T bars of N symbols.

    `symbols` has N names; `time` is (T,) naive UTC datetime64[ns], strictly increasing: the session date for daily and
    longer bars, the START of the bar for intraday ones. `panel` is (7, T, N) float64 in the order of FIELDS: prices in
    the instrument's currency, volume in shares, `split` new shares per old (effective before the bar's open), `dividend`
    cash per share on the ex-date. A missing or halted bar is NaN in the four prices, volume 0, split 1, dividend 0.

    `adjustment` says what the prices are: "raw" (as traded; splits are events in the panel), "split" or "all".
    `delisted` names, per symbol, the ISO date of its last session when it is known to have left the market, else None.
    `notes` are what its reader should know: stale or skipped symbols, repairs, a failover; a run hands them on.
    The arrays are read-only. `bars.close` and its like are (T, N) views, the same object at every access.

    Raises BadData when shapes disagree, times do not increase, or a price, split or dividend breaks its rule.
    """

    symbols: tuple[str, ...]
    time: Times
    panel: Floats
    timeframe: str = "1d"
    adjustment: str = "raw"
    sources: tuple[str, ...] = ()
    delisted: tuple[str | None, ...] = ()
    notes: tuple[str, ...] = ()
    open: Floats = field(init=False, repr=False)
    high: Floats = field(init=False, repr=False)
    low: Floats = field(init=False, repr=False)
    close: Floats = field(init=False, repr=False)
    volume: Floats = field(init=False, repr=False)
    split: Floats = field(init=False, repr=False)
    dividend: Floats = field(init=False, repr=False)
    _derived: dict[str, Any] = field(init=False, repr=False, default_factory=dict)

    def __post_init__(self) -> None:
        time = np.ascontiguousarray(self.time, dtype="datetime64[ns]")
        panel = np.ascontiguousarray(self.panel, dtype=np.float64)
        _check_shapes(self.symbols, time, panel, self.timeframe, self.adjustment)
        _check_values(self.symbols, time, panel)
        self._take(time, panel)

    @classmethod
    def of_checked(
        cls,
        symbols: tuple[str, ...],
        time: Times,
        panel: Floats,
        timeframe: str,
        adjustment: str,
        sources: tuple[str, ...] = (),
        delisted: tuple[str | None, ...] = (),
        notes: tuple[str, ...] = (),
    ) -> Bars:
        """Bars made of others, whose times and values hold by the way they are made: nothing is checked."""
        bars = object.__new__(cls)
        given = {"symbols": symbols, "timeframe": timeframe, "adjustment": adjustment, "sources": sources}
        for name, value in {**given, "delisted": delisted, "notes": notes, "_derived": {}}.items():
            object.__setattr__(bars, name, value)
        bars._take(np.ascontiguousarray(time), np.ascontiguousarray(panel))
        return bars

    def _take(self, time: Times, panel: Floats) -> None:
        """Keep the arrays and what follows from them."""
        time, panel = _frozen(time), _frozen(panel)
        put = object.__setattr__
        put(self, "symbols", tuple(self.symbols))
        put(self, "time", time)
        put(self, "panel", panel)
        put(self, "sources", tuple(self.sources) or ("memory",) * len(self.symbols))
        put(self, "delisted", tuple(self.delisted) or (None,) * len(self.symbols))
        put(self, "notes", tuple(self.notes))
        for index, name in enumerate(FIELDS):
            put(self, name, panel[index])

    # -- shape ------------------------------------------------------------------------------------------------------

    @property
    def T(self) -> int:  # noqa: N802 - the field's own letter
        """Number of bars."""
        return int(self.panel.shape[1])

    @property
    def N(self) -> int:  # noqa: N802
        """Number of symbols."""
        return int(self.panel.shape[2])

    @property
    def present(self) -> NDArray[np.bool_]:
        """(T, N): True where the symbol has a bar."""
        return self._once("present", lambda: _frozen(~np.isnan(self.close)))

    @property
    def last_session(self) -> NDArray[np.int64]:
        """(N,): row of the last bar before a known delisting, T for a symbol that is not known to leave before the bars end."""
        return self._once("last_session", self._last_session)

    def _last_session(self) -> NDArray[np.int64]:
        rows = np.full(self.N, self.T, np.int64)
        if not any(self.delisted):
            return rows
        end = self.time[-1].astype("datetime64[D]")
        for n, date in enumerate(self.delisted):
            if date is not None and np.datetime64(date, "D") <= end:
                rows[n] = np.searchsorted(self.time, np.datetime64(date, "ns") + np.timedelta64(1, "D")) - 1
        return rows

    def continuous(self) -> Bars:
        """The same bars without split jumps, on the share basis of each symbol's FIRST bar: what a strategy sees.

        Prices x and volume / the product of all splits up to that bar. The basis is the first bar, not the last, so
        that a value at t never moves when later bars arrive. Bars without split events return themselves.
        """
        return self._once("continuous", self._continuous) if self.has_splits else self

    @property
    def has_splits(self) -> bool:
        """Whether there is a split in any bar."""
        return self._once("has_splits", lambda: bool((self.split != 1.0).any()))

    def strategy_view(self) -> Bars:
        """What a strategy is given: `continuous()` bars without the dates of delistings, sources and notes, which know what is
        to come. Bars that have none of these return themselves."""
        smooth = self.continuous()
        if not (any(self.delisted) or self.notes):
            return smooth
        return self._once("strategy_view", lambda: Bars.of_checked(
            self.symbols, self.time, smooth.panel, self.timeframe, smooth.adjustment
        ))  # fmt: skip

    def before(self, stop: int) -> Bars:
        """The bars before row `stop`, in which no later delisting is known."""
        if stop == self.T:
            return self
        last = np.datetime64(self.time[stop - 1], "D")
        known = tuple(None if day is None or np.datetime64(day, "D") > last else day for day in self.delisted)
        return Bars.of_checked(
            self.symbols,
            self.time[:stop],
            self.panel[:, :stop],
            self.timeframe,
            self.adjustment,
            self.sources,
            known,
            self.notes,
        )

    @property
    def split_factor(self) -> Floats:
        """(T, N): the product of all splits up to and including bar t."""
        return self._once("split_factor", self._split_factor)

    def _split_factor(self) -> Floats:
        factor: Floats = np.cumprod(self.split, axis=0, dtype=np.float64)
        return _frozen(factor)

    def _continuous(self) -> Bars:
        panel = self.panel.copy()
        panel[OPEN : CLOSE + 1] *= self.split_factor
        panel[VOLUME] /= self.split_factor
        panel[DIVIDEND] *= self.split_factor
        panel[SPLIT] = 1.0
        return Bars(self.symbols, self.time, panel, self.timeframe, "split", self.sources, self.delisted)

    def _once(self, key: str, make: Callable[[], Made]) -> Made:
        if key not in self._derived:
            self._derived[key] = make()
        made: Made = self._derived[key]
        return made

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickled without what is derived from it; a receiver in shared memory uses the panel where it lies."""
        given = (
            self.symbols,
            self.time,
            self.panel,
            self.timeframe,
            self.adjustment,
            self.sources,
            self.delisted,
        )
        return (Bars, (*given, self.notes))

    def __repr__(self) -> str:
        names = ", ".join(self.symbols[:5]) + (", …" if self.N > 5 else "")
        span = f"{str(self.time[0])[:16]} to {str(self.time[-1])[:16]}"
        return f"Bars({self.T} x {self.N} {self.timeframe} {self.adjustment}: {names}; {span})"

    # -- choosing ---------------------------------------------------------------------------------------------------

    def select(
        self, symbols: Sequence[str] | None = None, start: TimeLike = None, end: TimeLike = None
    ) -> Bars:
        """The bars of `symbols` from `start` to `end`, both inclusive; a date as `end` includes its whole day.

        Raises UnknownName for a symbol that is not there and BadRange for an empty or reversed span.
        """
        first, last = parse_time(start), parse_time(end, end_of_day=True)
        if first is not None and last is not None and first > last:
            raise BadRange(f"start {start} lies after end {end}; give the earlier date as start")
        lo = 0 if first is None else int(np.searchsorted(self.time, first, side="left"))
        hi = self.T if last is None else int(np.searchsorted(self.time, last, side="right"))
        if lo >= hi:
            raise BadRange(
                f"no bars between {start} and {end}; the data runs from {self.time[0]} to {self.time[-1]}"
            )
        names = self.symbols if symbols is None else tuple(symbols)
        place = {name: n for n, name in enumerate(self.symbols)}
        for name in names:
            if name not in place:
                raise UnknownName("symbol", name, self.symbols)
        index = [place[name] for name in names]
        panel = self.panel[:, lo:hi]
        return Bars(
            names,
            self.time[lo:hi],
            panel if names == self.symbols else panel[:, :, index],
            self.timeframe,
            self.adjustment,
            tuple(self.sources[i] for i in index),
            tuple(self.delisted[i] for i in index),
            self.notes,
        )

    def fingerprint(self) -> dict[str, str]:
        """SHA-256 (hex) per symbol over its times and seven fields, timeframe, adjustment and last session.

        Rows where the symbol has neither a bar nor a split or dividend do not count.
        """
        return dict(self._once("fingerprint", self._fingerprints))

    def _fingerprints(self) -> dict[str, str]:
        found: dict[str, str] = {}
        for first in range(0, self.N, _BLOCK):  # a single symbol lies scattered in the panel
            block = np.ascontiguousarray(self.panel[:, :, first : first + _BLOCK].transpose(2, 0, 1), "<f8")
            for n, values in enumerate(block, start=first):
                found[self.symbols[n]] = self._fingerprint_of(n, values)
        return found

    def _fingerprint_of(self, n: int, values: Floats) -> str:
        rows = ~np.isnan(values[CLOSE]) | (values[SPLIT] != 1.0) | (values[DIVIDEND] != 0.0)
        whole = bool(rows.all())
        digest = hashlib.sha256(
            f"{self.symbols[n]}|{self.timeframe}|{self.adjustment}|{self.delisted[n]}".encode()
        )
        digest.update((self.time if whole else self.time[rows]).astype("<i8").data)
        digest.update((values if whole else np.ascontiguousarray(values[:, rows])).data)
        return digest.hexdigest()

    # -- tables -----------------------------------------------------------------------------------------------------

    @classmethod
    def from_frame(
        cls,
        data: pd.DataFrame | Mapping[str, pd.DataFrame],
        timeframe: str = "1d",
        adjustment: str = "raw",
        delisted: Mapping[str, str] | None = None,
    ) -> Bars:
        """Bars from a long frame (symbol, date or time, open, high, low, close, volume, optional dividend and split)
        or from a dict of frames by symbol. Times with a zone are turned into naive UTC; rows need not be sorted.

        Raises BadData naming the missing column, or the row and rule of a defect.
        """
        from gpt_trader.frames import bars_from_frames, split_long_frame

        frames = dict(data) if isinstance(data, Mapping) else split_long_frame(data)
        return bars_from_frames(frames, timeframe, adjustment, delisted or {})

    def to_frame(self) -> pd.DataFrame:
        """Long frame: symbol, time and the seven fields, one row per present bar, sorted by symbol and time."""
        from gpt_trader.frames import long_frame

        return long_frame(self)


def parse_time(value: TimeLike, *, end_of_day: bool = False) -> np.datetime64 | None:
    """A date or time as datetime64[ns]; None stays None; with `end_of_day` a bare date means its last nanosecond.

    Raises BadRange when the text is no ISO date.
    """
    if value is None:
        return None
    if isinstance(value, str) and not re.match(r"\d{4}(-\d{2}(-\d{2})?)?([T ]|$)", value):
        raise BadRange(f"{value!r} is no date; write it as 2020-12-31 or 2020-12-31T15:30")
    try:
        stamp = np.datetime64(value)
    except ValueError:
        raise BadRange(f"{value!r} is no date; write it as 2020-12-31 or 2020-12-31T15:30") from None
    if np.isnat(stamp):
        raise BadRange(f"{value!r} is no date; write it as 2020-12-31")
    unit = np.datetime_data(stamp.dtype)[0]
    if end_of_day and unit in ("Y", "M", "W", "D"):
        stamp = (stamp + 1).astype("datetime64[D]").astype("datetime64[ns]") - np.timedelta64(1, "ns")
    moment: np.datetime64 = stamp.astype("datetime64[ns]")
    return moment


def _frozen(array: NDArray[Kind]) -> NDArray[Kind]:
    if array.flags.writeable and array.base is not None:
        array = array.copy()
    array.setflags(write=False)
    return array


def _check_shapes(
    symbols: Sequence[str], time: Times, panel: Floats, timeframe: str, adjustment: str
) -> None:
    if timeframe not in TIMEFRAMES:
        raise BadParameter(f"unknown timeframe {timeframe!r}; use one of {', '.join(TIMEFRAMES)}")
    if adjustment not in ("raw", "split", "all"):
        raise BadParameter(f"unknown adjustment {adjustment!r}; use raw, split or all")
    if panel.shape != (len(FIELDS), time.shape[0], len(symbols)):
        expected = (len(FIELDS), time.shape[0], len(symbols))
        raise BadData(f"the panel has shape {panel.shape}, expected {expected} (fields, bars, symbols)")
    if len(set(symbols)) != len(symbols):
        twice = sorted(name for name, count in Counter(symbols).items() if count > 1)
        raise BadData(f"symbols given twice: {', '.join(twice)}")
    if not symbols or not time.shape[0]:
        raise BadData("no bars: at least one symbol with one bar is needed")
    rising = time[1:] > time[:-1]
    if not bool(rising.all()):
        row = int(np.argmin(rising)) + 1
        raise BadData(f"row {row} ({time[row]}): times must strictly increase")


def _check_values(symbols: Sequence[str], time: Times, panel: Floats) -> None:
    """What the engine relies on: whole bars, positive finite prices, splits > 0, dividends >= 0, volume >= 0."""
    step = max(
        1, _CELLS // panel.shape[2]
    )  # some rows at a time: the masks of a large panel would be as large as a field
    blocks = range(0, panel.shape[1], step)
    if not any(mask.any() for first in blocks for _, mask in _broken(panel[:, first : first + step])):
        return
    for rule, broken in _broken(panel):
        if broken.any():
            t, n = (int(i) for i in np.argwhere(broken)[0])
            more = int(broken.sum()) - 1
            also = f" (and {more} more)" if more else ""
            raise BadData(
                f"{symbols[n]} row {t} ({time[t]}): {rule}{also}; `gpt-trader data repair` shows and mends it"
            )


def _broken(panel: Floats) -> tuple[tuple[str, NDArray[np.bool_]], ...]:
    """What is wrong, and the (T, N) mask of where."""
    prices = panel[OPEN : CLOSE + 1]
    partial = bad_price = np.zeros(prices.shape[1:], np.bool_)
    if not (bool((prices > 0).all()) and bool((prices < np.inf).all())):
        missing = np.isnan(prices)
        partial = np.any(missing, axis=0) & ~np.all(missing, axis=0)
        with np.errstate(invalid="ignore"):
            bad_price = np.any((prices <= 0) | np.isinf(prices), axis=0)
    return (
        ("part of the bar is NaN (open, high, low and close must all be there, or none)", partial),
        ("a price is not positive and finite", bad_price),
        ("high is below low", panel[HIGH] < panel[LOW]),
        ("volume is negative or not a number", ~(panel[VOLUME] >= 0)),
        ("split must be positive and finite", ~((panel[SPLIT] > 0) & (panel[SPLIT] < np.inf))),
        ("dividend is negative or not finite", ~((panel[DIVIDEND] >= 0) & (panel[DIVIDEND] < np.inf))),
    )
