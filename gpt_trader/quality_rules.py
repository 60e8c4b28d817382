"""The rules a table of bars must keep, each a vectorised check that names the rows that break it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gpt_trader.calendars import SessionCalendar

if TYPE_CHECKING:
    import pandas as pd

Mask = NDArray[np.bool_]
Floats = NDArray[np.float64]
PRICES = ("open", "high", "low", "close")
NUMBERS = (*PRICES, "volume", "split", "dividend")
REQUIRED = ("time", *PRICES, "volume")
DEFAULTS = {"volume": 0.0, "split": 1.0, "dividend": 0.0}
_DAILY = "1d"
_LONGER = ("1w", "1mo")
_COMMON_SPLITS = (1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 10.0, 15.0, 20.0, 25.0, 50.0, 100.0)


class Severity(StrEnum):
    """ERROR: `strict` refuses the data. WARNING: it is reported and left as it is."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule: what is expected of every row, and what a repair does about a row that breaks it."""

    name: str
    severity: Severity
    expected: str
    repair: str


def _rules(*rows: tuple[str, Severity, str, str]) -> dict[str, Rule]:
    return {row[0]: Rule(*row) for row in rows}


_E, _W = Severity.ERROR, Severity.WARNING
_DROP = "drops the row, so that the bar counts as missing; its split and dividend move to the next row"
RULES = _rules(
    ("missing_column", _E, "a column of this name", "sets a missing volume to 0; cannot make up prices"),
    ("no_rows", _E, "at least one row", "cannot make up rows"),
    ("unparsable_time", _E, "a date or time", "drops the row"),
    ("unsorted", _E, "times that increase from row to row", "sorts the rows by time"),
    ("duplicate_time", _E, "one row per time", "keeps the last row of each time"),
    ("nan_price", _E, "open, high, low and close, all numbers", _DROP),
    ("infinite_price", _E, "a finite price", _DROP),
    ("negative_price", _E, "a price above 0", _DROP),
    ("zero_price", _E, "a price above 0", _DROP),
    ("high_below_low", _E, "high not below low", "sets high and low to the extremes of the four prices"),
    (
        "outside_range",
        _E,
        "open and close between low and high",
        "widens high and low to hold open and close",
    ),
    ("bad_volume", _E, "a finite volume of 0 or more", "sets the volume to 0"),
    ("bad_split", _E, "a split above 0, at most 1000 for 1 either way", "sets the split to 1"),
    ("bad_dividend", _E, "a dividend of 0 or more, below the previous close", "sets the dividend to 0"),
    ("closed_day", _E, "bars on the exchange's sessions only", _DROP),
    ("zero_volume", _W, "a volume above 0", "leaves it"),
    ("jump", _W, "no move by more than half that no split or dividend explains", "leaves it"),
    ("missing_session", _W, "a bar on each session between the first and the last", "leaves it"),
    ("one_row", _W, "two rows or more; one bar has no return", "leaves it"),
)


@dataclass(frozen=True, slots=True)
class Limits:
    """Where absurd begins. `jump`: share of a move up, or of the way back up (0.5: to 1.5 x or to 1 / 1.5).

    `largest_split`: new shares per old, and its inverse. `tolerance`: relative slack of high and low against open
    and close, for prices that were scaled in floating point.
    """

    jump: float = 0.5
    largest_split: float = 1000.0
    tolerance: float = 1e-9


@dataclass(frozen=True, slots=True)
class Defect:
    """One broken rule. `row` is the index label of the row (a file's line), None for the table as a whole."""

    symbol: str
    row: int | None
    time: str
    rule: str
    severity: Severity
    field: str
    value: str

    @property
    def message(self) -> str:
        """One line: where, which rule, what was found and what was expected."""
        where = "" if self.row is None else f" row {self.row}"
        when = f" ({self.time})" if self.time else ""
        found = f"{self.field} {self.value}".strip()
        return f"{self.symbol}{where}{when}: {self.rule}: {found}; expected {RULES[self.rule].expected}"


class Columns:
    """A table's columns as arrays (T,), in the order of its rows; text that is no number counts as NaN."""

    def __init__(
        self,
        frame: pd.DataFrame | Mapping[str, NDArray[Any]],
        labels: NDArray[np.int64] | None = None,
    ) -> None:
        """From a table, or from arrays (T,) by name that are typed already, times and numbers, with the names of the rows."""
        self.frame = frame
        if isinstance(frame, Mapping):
            self.names, self.time = set(frame), frame["time"].astype("datetime64[ns]", copy=False)
            self.labels = np.arange(self.time.size) if labels is None else labels
            self.values: dict[str, Floats] = {
                name: frame[name].astype(np.float64, copy=False) for name in NUMBERS
            }
            return
        self.names = set(frame.columns)
        labels = frame.index.to_numpy()
        self.labels = labels if labels.dtype.kind in "iu" else np.arange(len(frame))
        self.time = _times(frame)
        self.values = {
            name: _numbers(frame, name) for name in NUMBERS if name in frame.columns or name in DEFAULTS
        }

    def __len__(self) -> int:
        return int(self.time.size)

    def __getitem__(self, name: str) -> Floats:
        return self.values[name]

    def text(self, name: str, row: int) -> str:
        """The cell as it stood in the table."""
        if name == "time" and "time_text" in self.names:
            name = "time_text"
        if name not in self.names:
            return ""
        column = self.frame[name]
        cell = column[row] if isinstance(column, np.ndarray) else column.iloc[row]
        return f"{cell:.10g}" if isinstance(cell, float) else str(cell)

    def stamp(self, row: int) -> str:
        """The time of a row: a date alone at midnight, else to the second; empty when it cannot be read."""
        return stamp_text(self.time[row])

    def usable(self) -> NDArray[np.intp]:
        """Rows with a time and a positive finite close, by time; of several rows of one time the last."""
        with np.errstate(invalid="ignore"):
            good = ~np.isnat(self.time) & (self["close"] > 0) & np.isfinite(self["close"])
        rows = np.flatnonzero(good)
        rows = rows[np.argsort(self.time[rows], kind="stable")]
        times = self.time[rows]
        newest: NDArray[np.intp] = rows[np.append(times[1:] != times[:-1], True)[: rows.size]]
        return newest

    def previous_close(self) -> Floats:
        """(T,) close of the usable row before each usable row in time; NaN for the first and the unusable."""
        rows, before = self.usable(), np.full(len(self), np.nan)
        before[rows[1:]] = self["close"][rows[:-1]]
        return before


def _times(frame: pd.DataFrame) -> NDArray[np.datetime64]:
    import pandas as pd

    stamps = pd.DatetimeIndex(pd.to_datetime(frame["time"], errors="coerce"))
    if stamps.tz is not None:
        stamps = stamps.tz_convert("UTC").tz_localize(None)
    return stamps.to_numpy().astype("datetime64[ns]")


def _numbers(frame: pd.DataFrame, name: str) -> Floats:
    import pandas as pd

    if name not in frame.columns:
        return np.full(len(frame), DEFAULTS[name])
    column = frame[name]
    if column.dtype.kind not in "fiu":
        column = pd.to_numeric(column, errors="coerce")
    return column.to_numpy(np.float64, na_value=np.nan)


def stamp_text(time: np.datetime64) -> str:
    """A time as text: the date alone at midnight, else to the second; empty for NaT."""
    if np.isnat(time):
        return ""
    text = str(time.astype("datetime64[s]"))
    return text[:10] if text.endswith("T00:00:00") else text


# -- the checks: each gives a mask (T,) per rule ---------------------------------------------------------------


def spotless(columns: Columns, limits: Limits) -> bool:
    """True when no rule on order, values and moves is broken, not even one that warns: what most symbols are, found quickly.

    It may say False of a table that the rules find nothing in.
    """
    opened, high, low, close = (columns[name] for name in PRICES)
    volume, split, dividend = columns["volume"], columns["split"], columns["dividend"]
    if len(columns) < 2 or "volume" not in columns.names or not (columns.time[1:] > columns.time[:-1]).all():
        return False
    with np.errstate(all="ignore"):
        move = (close[1:] + dividend[1:]) * split[1:] / close[:-1]
        return bool(
            low.min() > 0
            and high.max() < np.inf
            and (low <= np.minimum(opened, close)).all()
            and (high >= np.maximum(opened, close)).all()
            and volume.min() > 0
            and volume.max() < np.inf
            and split.min() >= 1.0 / limits.largest_split
            and split.max() <= limits.largest_split
            and dividend.min() >= 0
            and dividend[0] < np.inf
            and (dividend[1:] * split[1:] < close[:-1]).all()
            and 1.0 / move.min() <= 1.0 + limits.jump
            and move.max() <= 1.0 + limits.jump
        )


def price_masks(columns: Columns, limits: Limits) -> dict[str, Mask]:
    """The price rules; a row counts under the first rule it breaks only."""
    prices = np.stack([columns[name] for name in PRICES])
    opened, high, low, close = prices
    slack = 1.0 + limits.tolerance
    with np.errstate(invalid="ignore", over="ignore"):
        masks = {
            "nan_price": np.isnan(prices).any(axis=0),
            "infinite_price": np.isinf(prices).any(axis=0),
            "negative_price": (prices < 0).any(axis=0),
            "zero_price": (prices == 0).any(axis=0),
            "high_below_low": high < low,
            "outside_range": (np.maximum(opened, close) > high * slack)
            | (np.minimum(opened, close) * slack < low),
        }
    seen = np.zeros(len(columns), bool)
    for name in masks:
        masks[name] &= ~seen
        seen |= masks[name]
    return masks


def volume_mask(columns: Columns) -> Mask:
    """Volumes that are negative, infinite or no number."""
    with np.errstate(invalid="ignore"):
        return ~((columns["volume"] >= 0) & np.isfinite(columns["volume"]))


def event_masks(columns: Columns, limits: Limits) -> dict[str, Mask]:
    """Splits and dividends that cannot be."""
    split, dividend = columns["split"], columns["dividend"]
    most = limits.largest_split
    with np.errstate(invalid="ignore"):
        bad_split = ~((split >= 1.0 / most) & (split <= most))
        too_much = dividend * np.where(bad_split, 1.0, split) >= columns.previous_close()
        bad_dividend = ~((dividend >= 0) & np.isfinite(dividend)) | (too_much & (dividend > 0))
    return {"bad_split": bad_split, "bad_dividend": bad_dividend}


def order_masks(columns: Columns) -> dict[str, Mask]:
    """Rows without a time, out of order, or with a time that an earlier row already has."""
    no_time = np.isnat(columns.time)
    ticks = columns.time.astype(np.int64)
    ticks = np.where(no_time, np.iinfo(np.int64).min, ticks)
    highest = np.maximum.accumulate(ticks) if ticks.size else ticks
    unsorted = ~no_time & (ticks < highest)
    known = np.flatnonzero(~no_time)
    duplicate = np.zeros(len(columns), bool)
    if known.size:
        duplicate[known] = True
        duplicate[known[np.unique(ticks[known], return_index=True)[1]]] = False
    return {"unparsable_time": no_time, "unsorted": unsorted, "duplicate_time": duplicate}


def runs_backwards(columns: Columns) -> bool:
    """True when the whole table runs from the newest row to the oldest."""
    ticks = columns.time[~np.isnat(columns.time)].astype(np.int64)
    return bool(ticks.size > 2 and (np.diff(ticks) <= 0).all() and ticks[0] > ticks[-1])


def closed_mask(columns: Columns, calendar: SessionCalendar, timeframe: str) -> Mask:
    """Bars on days without a session; rows outside the calendar's span are not judged."""
    mask = np.zeros(len(columns), bool)
    if timeframe in _LONGER:
        return mask
    days = _days(columns, calendar, timeframe)
    judged = ~np.isnat(days) & (days >= calendar.first) & (days <= calendar.last)
    mask[judged] = ~calendar.are_sessions(days[judged])
    return mask


def missing_sessions(columns: Columns, calendar: SessionCalendar, timeframe: str) -> NDArray[np.datetime64]:
    """(K,) sessions without a single row between the first and the last row."""
    if timeframe in _LONGER:
        return calendar.dates[:0]
    days = _days(columns, calendar, timeframe)
    days = days[~np.isnat(days) & (days >= calendar.first) & (days <= calendar.last)]
    return calendar.missing(days)


def _days(columns: Columns, calendar: SessionCalendar, timeframe: str) -> NDArray[np.datetime64]:
    if timeframe == _DAILY:
        return columns.time.astype("datetime64[D]")
    days = np.full(len(columns), np.datetime64("NaT"), "datetime64[D]")
    known = ~np.isnat(columns.time)
    days[known] = calendar.session_dates(columns.time[known])
    return days


def jumps(columns: Columns, limits: Limits) -> Iterator[tuple[int, str]]:
    """Rows whose close moved further than splits and dividends explain, with what was found."""
    before = columns.previous_close()
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = (columns["close"] + columns["dividend"]) * columns["split"] / before
        size = np.maximum(ratio, 1.0 / ratio)
        far = np.isfinite(size) & (size > 1.0 + limits.jump)
    for row in np.flatnonzero(far):
        near = min(_COMMON_SPLITS, key=lambda factor: abs(size[row] / factor - 1.0))
        hint = ""
        if abs(size[row] / near - 1.0) < 0.03:
            hint = f", as a {near:g}:1 split would" if ratio[row] < 1 else f", as a 1:{near:g} split would"
        yield int(row), f"moved by {ratio[row] - 1.0:+.1%} from {before[row]:.6g}{hint}"


def rows_of(masks: dict[str, Mask]) -> Iterator[tuple[str, int]]:
    """(rule, row) of every set bit, rule by rule."""
    for rule, mask in masks.items():
        for row in np.flatnonzero(mask):
            yield rule, int(row)


def culprits(columns: Columns, rule: str, row: int) -> tuple[str, str]:
    """Which fields of a row break a rule, and what stands in them."""
    value = {name: columns[name][row] for name in PRICES}
    tests: dict[str, Any] = {
        "nan_price": np.isnan,
        "infinite_price": np.isinf,
        "negative_price": lambda price: price < 0,
        "zero_price": lambda price: price == 0,
    }
    if rule in tests:
        names = [name for name in PRICES if tests[rule](value[name])]
    elif rule == "high_below_low":
        names = ["high", "low"]
    elif rule == "outside_range":
        names = [n for n in ("open", "close") if not value["low"] <= value[n] <= value["high"]]
        found = ", ".join(columns.text(n, row) for n in names)
        return ",".join(names), f"{found} outside {value['low']:.10g} to {value['high']:.10g}"
    else:
        names = [{"bad_volume": "volume", "bad_split": "split", "bad_dividend": "dividend"}[rule]]
    return ",".join(names), ", ".join(columns.text(name, row) for name in names)
