"""Leaks of strategies that look through memory and the call stack for bars they were not given."""

from __future__ import annotations

import gc
import sys
import weakref
from dataclasses import dataclass
from typing import Any

import numpy as np

from gpt_trader import Bars, Strategy
from tests.properties.zoo.held import rises_next, same_row
from tests.properties.zoo.table import DECIDE, leak, long_if


@leak("inspection", DECIDE)
@dataclass(frozen=True)
class ReadsTheCaller(Strategy):
    """`sys._getframe` finds the panel among the variables of the functions that called `decide`."""

    def decide(self, now: Any, held: Any) -> Any:
        frame = sys._getframe(1)
        while frame is not None:
            market = frame.f_locals.get("market")
            panel = getattr(market, "panel", None)
            if isinstance(panel, np.ndarray) and panel.ndim == 3:
                return rises_next(panel[3], same_row(panel[3], now.close))
            frame = frame.f_back
        return np.zeros(now.close.shape)


@leak("inspection", DECIDE)
@dataclass(frozen=True)
class ReadsTheCallersColumns(Strategy):
    """The caller's `columns` hold every row of every feature."""

    def decide(self, now: Any, held: Any) -> Any:
        frame = sys._getframe(1)
        while frame is not None:
            columns = frame.f_locals.get("columns")
            row = frame.f_locals.get("t")
            if isinstance(columns, dict) and "close" in columns and isinstance(row, int):
                return rises_next(columns["close"], row)
            frame = frame.f_back
        return np.zeros(now.close.shape)


@leak("inspection", "ahead")
@dataclass(frozen=True)
class SearchesTheHeap(Strategy):
    """Any longer `Bars` in memory with the same beginning, by `gc.get_objects()`. Slow: some 20 ms a call."""

    def features(self, bars: Bars) -> Any:
        best = bars
        for other in gc.get_objects():
            if type(other) is Bars and other.symbols == bars.symbols and other.T > best.T:
                best = other if np.array_equal(other.close[:5], bars.close[:5]) else best
        at = np.minimum(np.arange(bars.T) + 1, best.T - 1)
        return {"ahead": best.close[at]}

    def decide(self, now: Any) -> Any:
        return long_if(now.ahead > now.close)


@leak("inspection", DECIDE)
@dataclass(frozen=True)
class FindsBarsByReferrers(Strategy):
    """`features` keeps a weak reference only; the engine keeps the bars alive."""

    def features(self, bars: Bars) -> Any:
        object.__setattr__(self, "reference", weakref.ref(bars))
        return {}

    def decide(self, now: Any, held: Any) -> Any:
        bars = self.reference()
        if bars is None:
            return np.zeros(now.close.shape)
        return rises_next(bars.close, same_row(bars.close, now.close))


@leak("inspection", "ahead")
@dataclass(frozen=True)
class BaseOfThePanel(Strategy):
    """A slice of a panel keeps its whole: `bars.panel.base`, where the panel is a view; else the panel's own next row."""

    def features(self, bars: Bars) -> Any:
        base = bars.panel.base
        whole = bars.panel if base is None or base.ndim != 3 else base
        close = np.vstack([whole[3], whole[3, -1:]])
        return {"ahead": close[1 : bars.T + 1, : bars.N]}

    def decide(self, now: Any) -> Any:
        return long_if(now.ahead > now.close)
