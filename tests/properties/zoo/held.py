"""Leaks of rules that run bar by bar: `features` keeps the whole history, `decide(now, held)` reads the next bar from it."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, ClassVar

import numpy as np

from gpt_trader import Bars, Strategy, per_symbol, ta
from tests.properties.zoo.table import DECIDE, leak


def same_row(close: Any, now: Any) -> int:
    """The row of the history that is `now`, found by its closes; -1 where there is none."""
    found = np.flatnonzero((np.nan_to_num(close) == np.nan_to_num(np.asarray(now))).all(axis=1))
    return int(found[0]) if found.size else -1


def rises_next(close: Any, row: int) -> Any:
    """0.5 for each symbol whose next close is higher, 0 where that is not known."""
    if not 0 <= row < len(close) - 1:
        return np.zeros(close.shape[1])
    return np.where(close[row + 1] > close[row], 0.5, 0.0)


@leak("keeps the bars", DECIDE)
@dataclass(frozen=True)
class BarsOnSelf(Strategy):
    """`object.__setattr__(self, "bars", bars)`, then `self.bars.close[i + 1]` with a counter."""

    def features(self, bars: Bars) -> Any:
        object.__setattr__(self, "bars", bars)
        object.__setattr__(self, "row", -1)
        return {}

    def decide(self, now: Any, held: Any) -> Any:
        object.__setattr__(self, "row", self.row + 1)
        return rises_next(self.bars.close, self.row)


@leak("keeps the bars", DECIDE)
@dataclass(frozen=True)
class BarsOnTheClass(Strategy):
    """The bars as a class attribute; the row is found by its close."""

    seen: ClassVar[Any] = None

    def features(self, bars: Bars) -> Any:
        type(self).seen = bars
        return {"mean": ta.sma(bars.close, 10)}

    def decide(self, now: Any, held: Any) -> Any:
        close = type(self).seen.close
        return rises_next(close, same_row(close, now.close))


_SEEN: dict[str, Any] = {}


@leak("keeps the bars", DECIDE)
@dataclass(frozen=True)
class BarsInAGlobal(Strategy):
    """A module's dictionary keeps the bars."""

    def features(self, bars: Bars) -> Any:
        _SEEN["bars"] = bars
        return {}

    def decide(self, now: Any, held: Any) -> Any:
        close = _SEEN["bars"].close
        return rises_next(close, same_row(close, now.close))


@leak("keeps the bars", DECIDE)
@dataclass(frozen=True)
class BarsInAClosure(Strategy):
    """`features` makes a function that knows the next closes and keeps it on the instance."""

    def features(self, bars: Bars) -> Any:
        rows = itertools.count()

        def ahead() -> Any:
            return rises_next(bars.close, next(rows))

        object.__setattr__(self, "ahead", ahead)
        return {}

    def decide(self, now: Any, held: Any) -> Any:
        return self.ahead()


@leak("keeps the bars", DECIDE)
@dataclass(frozen=True)
class BarsInADefaultArgument(Strategy):
    """A mutable default argument is the store."""

    def features(self, bars: Bars) -> Any:
        self.store(bars)
        return {}

    def store(self, bars: Any = None, kept: list[Any] = []) -> Any:  # noqa: B006
        """Keep `bars`, or return what was kept last."""
        if bars is not None:
            kept[:] = [bars]
        return kept[0]

    def decide(self, now: Any, held: Any) -> Any:
        close = self.store().close
        return rises_next(close, same_row(close, now.close))


@leak("keeps the bars", DECIDE)
@dataclass(frozen=True)
class BarsInAField(Strategy):
    """A dataclass field that holds a list."""

    notes: list[Any] = field(default_factory=list, init=False, compare=False)

    def features(self, bars: Bars) -> Any:
        self.notes[:] = [bars.close, 0]
        return {}

    def decide(self, now: Any, held: Any) -> Any:
        close, row = self.notes
        self.notes[1] = row + 1
        return rises_next(close, row)


@leak("keeps the bars", DECIDE)
@dataclass(frozen=True)
class BarsInAGenerator(Strategy):
    """A generator over the next closes, advanced with each decision."""

    def features(self, bars: Bars) -> Any:
        signs = (rises_next(bars.close, row) for row in range(bars.T))
        object.__setattr__(self, "signs", signs)
        return {}

    def decide(self, now: Any, held: Any) -> Any:
        return next(self.signs)


@leak("keeps the bars", DECIDE)
@dataclass(frozen=True)
class KeepsADictionaryOfNextCloses(Strategy):
    """A look-up from this close to the next one."""

    def features(self, bars: Bars) -> Any:
        table = {}
        for n in range(bars.N):
            table |= dict(zip(bars.close[:-1, n].tolist(), bars.close[1:, n].tolist(), strict=True))
        object.__setattr__(self, "table", table)
        return {}

    @per_symbol
    def decide(self, now: Any) -> Any:
        return 0.5 if self.table.get(now.close, 0.0) > now.close else 0.0


@leak("keeps the bars", DECIDE)
@dataclass(frozen=True)
class PerSymbolWithCounter(Strategy):
    """`@per_symbol` with `held`; the bar is counted by calls."""

    def features(self, bars: Bars) -> Any:
        object.__setattr__(self, "state", [bars.close, 0])
        return {}

    @per_symbol
    def decide(self, now: Any, held: Any) -> Any:
        close, calls = self.state
        self.state[1] += 1
        row, n = divmod(calls, close.shape[1])
        if row + 1 < len(close) and close[row + 1, n] > now.close:
            return 0.5
        return 0.0


@leak("keeps the bars", DECIDE)
@dataclass(frozen=True)
class PeeksOnlyWhenHolding(Strategy):
    """Entries are honest; the exit knows whether the next close is lower."""

    def features(self, bars: Bars) -> Any:
        object.__setattr__(self, "bars", bars)
        return {"mean": ta.sma(bars.close, 10)}

    def decide(self, now: Any, held: Any) -> Any:
        close = self.bars.close
        ahead = rises_next(close, same_row(close, now.close))
        return np.where(held.weight > 0, ahead, np.where(now.close > now.mean, 0.5, 0.0))


@leak("keeps the bars", DECIDE)
@dataclass(frozen=True)
class SizeFromTheNextRange(Strategy):
    """The direction is honest, the size shrinks before wide bars: weights move by a tenth of a per cent."""

    def features(self, bars: Bars) -> Any:
        object.__setattr__(self, "bars", bars)
        return {"mean": ta.sma(bars.close, 10)}

    def decide(self, now: Any, held: Any) -> Any:
        bars = self.bars
        row = same_row(bars.close, now.close)
        wide = 0.0
        if 0 <= row < bars.T - 1:
            wide = np.nan_to_num((bars.high[row + 1] - bars.low[row + 1]) / bars.close[row])
        return np.where(now.close > now.mean, 0.3 - 0.1 * wide, 0.0)


@lru_cache(maxsize=4)
def _next_closes(symbols: tuple[str, ...], bars: Any) -> Any:
    return np.vstack([bars.close[1:], bars.close[-1:]])


@leak("cache", DECIDE)
@dataclass(frozen=True)
class LruCachedNext(Strategy):
    """`functools.lru_cache` keeps arrays by the bars object, which `features` keeps as well."""

    def features(self, bars: Bars) -> Any:
        _next_closes(bars.symbols, bars)
        _SEEN["cached"] = bars
        return {"row": np.arange(bars.T, dtype=float)}

    def decide(self, now: Any, held: Any) -> Any:
        bars = _SEEN["cached"]
        row = min(int(now.row[0]), bars.T - 1)
        return np.where(_next_closes(bars.symbols, bars)[row] > now.close, 0.5, 0.0)


@leak("memory of the row", DECIDE)
@dataclass(frozen=True)
class BaseOfTheRow(Strategy):
    """`now.close.base` is the whole panel."""

    def decide(self, now: Any, held: Any) -> Any:
        panel = now.close.base
        if panel is None or panel.ndim != 3:
            return np.zeros(now.close.shape)
        return rises_next(panel[3], same_row(panel[3], now.close))


@leak("memory of the row", DECIDE)
@dataclass(frozen=True)
class StridesBeyondTheRow(Strategy):
    """`as_strided` over the row and the one after it in memory."""

    def features(self, bars: Bars) -> Any:
        # A last row of its own, so that what is read beyond the view is always the feature's memory.
        return {"price": np.vstack([bars.close, bars.close[-1:]])[:-1]}

    def decide(self, now: Any, held: Any) -> Any:
        row = now.price
        if row.base is None or not row.flags.c_contiguous:
            return np.zeros(row.shape)
        two = np.lib.stride_tricks.as_strided(row, (2, row.size), (row.size * row.itemsize, row.itemsize))
        return np.where(two[1] > two[0], 0.5, 0.0)


@leak("memory of the row", DECIDE)
@dataclass(frozen=True)
class BaseOfAFeature(Strategy):
    """The base of a feature's row is the whole feature."""

    def features(self, bars: Bars) -> Any:
        return {"price": bars.close.copy(), "row": np.arange(bars.T, dtype=float)}

    def decide(self, now: Any, held: Any) -> Any:
        whole = now.price.base
        if whole is None or whole.ndim != 2:
            return np.zeros(now.close.shape)
        return rises_next(whole, int(now.row[0]))
