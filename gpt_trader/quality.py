"""Whether one symbol's table of bars can be trusted: list its defects, refuse it, or mend it and say how.

Rows are named by the label of the frame's index, which a file source sets to the line in the file. The frame has
the columns of `gpt_trader.sources.SERIES_COLUMNS`; `split` and `dividend` may be absent.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from gpt_trader import quality_rules as rules
from gpt_trader.calendars import SessionCalendar
from gpt_trader.errors import BadData, BadParameter
from gpt_trader.quality_rules import RULES, Columns, Defect, Limits, Mask, Rule, Severity

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "MODES",
    "RULES",
    "Change",
    "Checked",
    "Defect",
    "Limits",
    "Rule",
    "Severity",
    "check",
    "find_defects",
    "repair",
    "require_clean",
]

MODES = ("strict", "repair", "off")
_STANDARD = Limits()


@dataclass(frozen=True, slots=True)
class Change:
    """One thing a repair did: which row, because of which rule, what stood there and what stands there now."""

    symbol: str
    row: int | None
    time: str
    rule: str
    action: str
    """dropped, set, sorted or moved"""
    field: str
    before: str
    after: str
    reason: str

    @property
    def message(self) -> str:
        """One line for a report."""
        where = "" if self.row is None else f" row {self.row}"
        when = f" ({self.time})" if self.time else ""
        what = f" {self.field} {self.before} -> {self.after}" if self.field else ""
        return f"{self.symbol}{where}{when}: {self.action}{what} [{self.rule}]: {self.reason}"


@dataclass(frozen=True, slots=True, eq=False)
class Checked:
    """A table after the check: `frame` as it may be used, what was found in it and what was changed."""

    frame: pd.DataFrame
    defects: tuple[Defect, ...]
    changes: tuple[Change, ...] = ()


def find_defects(
    frame: pd.DataFrame,
    symbol: str = "table",
    *,
    timeframe: str = "1d",
    calendar: SessionCalendar | None = None,
    limits: Limits = _STANDARD,
) -> tuple[Defect, ...]:
    """Every broken rule of a table, in the order of its rows; defects of the table as a whole come first.

    Sessions and closed days are judged only with a `calendar`. Never raises for what the data hold.
    """
    found = [_defect(symbol, "missing_column", field=name) for name in _missing_columns(frame)]
    if any(defect.field != "volume" for defect in found):
        return tuple(found)
    if len(frame) == 0:
        return (*found, _defect(symbol, "no_rows"))
    return (*found, *find_row_defects(Columns(frame), symbol, timeframe, calendar, limits))


def find_row_defects(
    columns: Columns,
    symbol: str = "table",
    timeframe: str = "1d",
    calendar: SessionCalendar | None = None,
    limits: Limits = _STANDARD,
) -> tuple[Defect, ...]:
    """`find_defects` of a table that has all columns and a row: missing sessions, then the rows in their order."""
    found = []
    spotless = rules.spotless(columns, limits)
    rows = [] if spotless else [*_order_defects(columns, symbol), *_value_defects(columns, symbol, limits)]
    if calendar is not None:
        closed = {"closed_day": rules.closed_mask(columns, calendar, timeframe)}
        rows += [(row, _at(columns, symbol, rule, row)) for rule, row in rules.rows_of(closed)]
        gone = rules.missing_sessions(columns, calendar, timeframe)
        found += [_defect(symbol, "missing_session", time=str(day)) for day in gone]
    if not spotless:
        rows += [
            (r, _at(columns, symbol, "jump", r, "close", text)) for r, text in rules.jumps(columns, limits)
        ]
    if len(columns) == 1:
        rows.append((0, _at(columns, symbol, "one_row", 0)))
    rows.sort(key=lambda pair: pair[0])
    return (*found, *(defect for _, defect in rows))


def _missing_columns(frame: pd.DataFrame) -> list[str]:
    return [name for name in rules.REQUIRED if name not in frame.columns]


def _order_defects(columns: Columns, symbol: str) -> list[tuple[int, Defect]]:
    masks = rules.order_masks(columns)
    found: list[tuple[int, Defect]] = []
    if rules.runs_backwards(columns):
        masks["unsorted"][:] = False
        found.append((1, _at(columns, symbol, "unsorted", 1, "time", "the rows run from newest to oldest")))
    for rule, row in rules.rows_of(masks):
        value = columns.text("time", row)
        if rule == "unsorted":
            value = f"{columns.stamp(row)} after a later row"
        found.append((row, _at(columns, symbol, rule, row, "time", value)))
    return found


def _value_defects(columns: Columns, symbol: str, limits: Limits) -> list[tuple[int, Defect]]:
    masks = rules.price_masks(columns, limits)
    has_volume = "volume" in columns.names
    masks["bad_volume"] = rules.volume_mask(columns) & ~masks["nan_price"] & has_volume
    masks |= rules.event_masks(columns, limits)
    found = [
        (row, _at(columns, symbol, rule, row, *rules.culprits(columns, rule, row)))
        for rule, row in rules.rows_of(masks)
    ]
    silent = (columns["volume"] == 0) & has_volume
    found += [
        (row, _at(columns, symbol, "zero_volume", row, "volume", "0"))
        for row in np.flatnonzero(silent).tolist()
    ]
    return found


def _at(columns: Columns, symbol: str, rule: str, row: int, field: str = "", value: str = "") -> Defect:
    return _defect(symbol, rule, int(columns.labels[row]), columns.stamp(row), field, value)


def _defect(
    symbol: str, rule: str, row: int | None = None, time: str = "", field: str = "", value: str = ""
) -> Defect:
    return Defect(symbol, row, time, rule, RULES[rule].severity, field, value)


# -- refusing ------------------------------------------------------------------------------------------------


def require_clean(defects: Sequence[Defect], *, shown: int = 3) -> None:
    """Raises BadData when a defect is an error: how many of which rule, and the first `shown` in full."""
    errors = [defect for defect in defects if defect.severity is Severity.ERROR]
    if not errors:
        return
    counts = ", ".join(f"{rule} {count}" for rule, count in Counter(d.rule for d in errors).most_common())
    first = "\n  ".join(defect.message for defect in errors[:shown])
    more = f"\n  … and {len(errors) - shown} more" if len(errors) > shown else ""
    broken = "1 row breaks" if len(errors) == 1 else f"{len(errors)} rows break"
    raise BadData(
        f"{errors[0].symbol}: {broken} a rule ({counts}):\n  {first}{more}\n"
        "To mend them and see each change: quality 'repair' (`--quality repair`, `gpt-trader data repair`)."
    )


def check(
    frame: pd.DataFrame,
    symbol: str,
    mode: str = "strict",
    *,
    timeframe: str = "1d",
    calendar: SessionCalendar | None = None,
    limits: Limits = _STANDARD,
) -> Checked:
    """The table under one of MODES: `strict` refuses errors, `repair` mends them, `off` only puts rows in order.

    Raises BadData in strict mode for any error, in the other modes for what cannot be mended (a missing column,
    nothing left); BadParameter for an unknown mode.
    """
    if mode not in MODES:
        raise BadParameter(f"unknown quality {mode!r}; use one of {', '.join(MODES)}")
    if mode == "repair":
        return repair(frame, symbol, timeframe=timeframe, calendar=calendar, limits=limits)
    if mode == "off":
        mender = _Mender(frame, symbol, limits)
        mender.put_in_order()
        return Checked(mender.result(), (), tuple(mender.changes))
    defects = find_defects(frame, symbol, timeframe=timeframe, calendar=calendar, limits=limits)
    require_clean(defects)
    return Checked(_Mender(frame, symbol, limits).result(), defects)


def repair(
    frame: pd.DataFrame,
    symbol: str = "table",
    *,
    timeframe: str = "1d",
    calendar: SessionCalendar | None = None,
    limits: Limits = _STANDARD,
) -> Checked:
    """The table with every error mended as RULES[...].repair says, one Change for each; the input is untouched.

    `defects` are those of the input. Warnings are left as they are. Raises BadData when a price or time column is
    missing or when no row is left.
    """
    defects = find_defects(frame, symbol, timeframe=timeframe, calendar=calendar, limits=limits)
    if not any(defect.severity is Severity.ERROR for defect in defects):
        return Checked(_Mender(frame, symbol, limits).result(), defects)
    mender = _Mender(frame, symbol, limits)
    mender.put_in_order()
    mender.mend_events()
    mender.drop_broken(calendar, timeframe)
    mender.mend_values()
    return Checked(mender.result(), defects, tuple(mender.changes))


class _Mender:
    """Works on a copy of the table; every method records what it changes."""

    def __init__(self, frame: pd.DataFrame, symbol: str, limits: Limits) -> None:
        self.symbol, self.limits = symbol, limits
        self.changes: list[Change] = []
        lacking = [name for name in _missing_columns(frame) if name != "volume"]
        if lacking:
            require_clean([_defect(symbol, "missing_column", field=name) for name in lacking])
        columns = Columns(frame)
        import pandas as pd

        self.table = pd.DataFrame({"time": columns.time, **columns.values}, index=frame.index)
        self.source = frame
        if "volume" not in frame.columns:
            self._record(None, "missing_column", "set", "volume", "absent", "0")

    def result(self) -> pd.DataFrame:
        """The table as it stands, numbered from 0. Raises BadData when nothing is left."""
        from gpt_trader.sources import SERIES_COLUMNS

        if len(self.table) == 0:
            raise BadData(
                f"{self.symbol}: no row is left after the repair; {len(self.source)} rows were unusable"
            )
        return self.table[list(SERIES_COLUMNS)].reset_index(drop=True)

    def put_in_order(self) -> None:
        """Drops rows without a time, sorts, and keeps the last row of each time with the events of all."""
        columns = Columns(self.source)
        masks = rules.order_masks(columns)
        for row in np.flatnonzero(masks["unparsable_time"]).tolist():
            self._record(row, "unparsable_time", "dropped", "time", columns.text("time", row), "", columns)
        if masks["unsorted"].any():
            backwards = rules.runs_backwards(columns)
            moved: list[int] = [] if backwards else np.flatnonzero(masks["unsorted"]).tolist()
            if backwards:
                self._record(None, "unsorted", "sorted", "rows", "newest first", "oldest first")
            for row in moved:
                self._record(row, "unsorted", "sorted", "row", "out of order", "in its place", columns)
        self.table = self.table[~masks["unparsable_time"]].sort_values("time", kind="stable")
        self._keep_last_of_each_time()

    def _keep_last_of_each_time(self) -> None:
        last = ~self.table["time"].duplicated(keep="last").to_numpy()
        if last.all():
            return
        columns = Columns(self.table)
        events = {"split": columns["split"].copy(), "dividend": columns["dividend"].copy()}
        keeper = np.flatnonzero(last)[np.cumsum(last) - last]
        for row in np.flatnonzero(~last).tolist():
            kept = int(keeper[row])
            same = bool((self.table.iloc[row] == self.table.iloc[kept]).all())
            reason = "an equal row" if same else "another row"
            reason = f"{reason} of the same time follows (row {columns.labels[kept]}); the last is kept"
            self._record(row, "duplicate_time", "dropped", "row", "", "", columns, reason)
            for name, values in events.items():
                neutral = rules.DEFAULTS[name]
                if values[row] != neutral and values[kept] == neutral:
                    values[kept] = values[row]
                    was, now = f"{neutral:g}", f"{values[row]:g}"
                    reason = f"only row {columns.labels[row]} of this time had it"
                    self._record(kept, "duplicate_time", "set", name, was, now, columns, reason)
        self.table = self.table.assign(**events)[last]

    def mend_events(self) -> None:
        """Sets impossible splits to 1 and impossible dividends to 0."""
        columns = Columns(self.table)
        for rule, mask in rules.event_masks(columns, self.limits).items():
            name, neutral = ("split", 1.0) if rule == "bad_split" else ("dividend", 0.0)
            self._set(columns, rule, name, mask, np.full(len(columns), neutral))

    def drop_broken(self, calendar: SessionCalendar | None, timeframe: str) -> None:
        """Drops rows without usable prices and rows on closed days; their events move to the next row kept."""
        columns = Columns(self.table)
        masks = rules.price_masks(columns, self.limits)
        masks = {
            rule: masks[rule] for rule in ("nan_price", "infinite_price", "negative_price", "zero_price")
        }
        if calendar is not None:
            masks["closed_day"] = rules.closed_mask(columns, calendar, timeframe)
        why: dict[int, str] = {}
        for rule, row in rules.rows_of(masks):
            if row in why:
                continue
            why[row] = rule
            field, value = rules.culprits(columns, rule, row) if rule != "closed_day" else ("row", "")
            self._record(row, rule, "dropped", field, value, "missing bar", columns)
        self._carry_events(columns, why)
        keep = np.ones(len(columns), bool)
        keep[list(why)] = False
        self.table = self.table[keep]

    def _carry_events(self, columns: Columns, why: Mapping[int, str]) -> None:
        split, dividend = columns["split"].copy(), columns["dividend"].copy()
        for row in sorted(why):
            if split[row] == 1.0 and dividend[row] == 0.0:
                continue
            events = f"split {split[row]:g}, dividend {dividend[row]:g}"
            if row + 1 == len(columns):
                reason = "the row was dropped and none follows"
                self._record(row, why[row], "dropped", "events", events, "lost", columns, reason)
                continue
            dividend[row + 1] += dividend[row] / split[row + 1]
            split[row + 1] *= split[row]
            target = f"row {columns.labels[row + 1]}"
            self._record(row, why[row], "moved", "events", events, target, columns, "the row was dropped")
        self.table = self.table.assign(split=split, dividend=dividend)

    def mend_values(self) -> None:
        """Widens high and low, and sets impossible volumes to 0."""
        columns = Columns(self.table)
        masks = rules.price_masks(columns, self.limits)
        prices = np.stack([columns[name] for name in rules.PRICES])
        for rule in ("high_below_low", "outside_range"):
            self._set(columns, rule, "high", masks[rule], prices.max(axis=0))
            self._set(columns, rule, "low", masks[rule], prices.min(axis=0))
        self._set(columns, "bad_volume", "volume", rules.volume_mask(columns), np.zeros(len(columns)))

    def _set(self, columns: Columns, rule: str, name: str, mask: Mask, new: Any) -> None:
        old = columns[name]
        values = self.table[name].to_numpy(copy=True)
        for row in np.flatnonzero(mask & ~(old == new)):
            values[row] = new[row]
            self._record(row, rule, "set", name, f"{old[row]:.10g}", f"{new[row]:.10g}", columns)
        self.table = self.table.assign(**{name: values})

    def _record(
        self,
        row: Any,
        rule: str,
        action: str,
        field: str,
        before: str,
        after: str,
        columns: Columns | None = None,
        reason: str = "",
    ) -> None:
        label = None if row is None or columns is None else int(columns.labels[row])
        time = "" if label is None or columns is None else columns.stamp(row)
        reason = reason or f"expected {RULES[rule].expected}"
        self.changes.append(Change(self.symbol, label, time, rule, action, field, before, after, reason))
