"""Leaks through what outlives a call: caches, class state, threads, memory that is looked through, patched libraries."""

from __future__ import annotations

import contextlib
import threading
from dataclasses import dataclass
from functools import cache
from typing import Any, ClassVar

import numpy as np
from numba import njit

from gpt_trader import Bars, Strategy, per_symbol, ta
from tests.properties.zoo import helpers
from tests.properties.zoo.held import BarsOnSelf, rises_next, same_row
from tests.properties.zoo.table import DECIDE, leak, long_if

_LONGEST: dict[tuple[str, ...], Bars] = {}
_BY_LENGTH: dict[int, Any] = {}
_BY_ID: dict[int, Any] = {}


def longest(bars: Bars) -> Bars:
    """The longest history of these symbols that this process has seen."""
    known = _LONGEST.get(bars.symbols)
    if known is None or known.T < bars.T or known.time[0] != bars.time[0]:
        _LONGEST[bars.symbols] = known = bars
    return known


@leak("cache", "ahead")
@dataclass(frozen=True)
class CacheBySymbol(Strategy):
    """A module cache keyed by symbols keeps the longest history seen; shorter data is looked up in it by time."""

    def features(self, bars: Bars) -> Any:
        known = longest(bars)
        at = np.minimum(np.searchsorted(known.time, bars.time) + 1, known.T - 1)
        return {"ahead": known.close[at]}

    def decide(self, now: Any) -> Any:
        return long_if(now.ahead > now.close)


@leak("cache", "ahead")
@dataclass(frozen=True)
class CacheByLength(Strategy):
    """A cache keyed by the number of bars: other prices of the same length get the old answer."""

    def features(self, bars: Bars) -> Any:
        if bars.T not in _BY_LENGTH:
            _BY_LENGTH[bars.T] = np.vstack([bars.close[1:], bars.close[-1:]])
        return {"ahead": _BY_LENGTH[bars.T][:, : bars.N]}

    def decide(self, now: Any) -> Any:
        return long_if(now.ahead > now.close)


@leak("cache", "ahead")
@dataclass(frozen=True)
class CacheById(Strategy):
    """A cache keyed by `id(bars)`, which never lets go of its arrays."""

    def features(self, bars: Bars) -> Any:
        if id(bars) not in _BY_ID:
            _BY_ID[id(bars)] = (bars, np.vstack([bars.close[1:], bars.close[-1:]]))
        return {"ahead": _BY_ID[id(bars)][1]}

    def decide(self, now: Any) -> Any:
        return long_if(now.ahead > now.close)


@cache
def _mean_of(symbol: str, first_close: float) -> list[float]:
    return []


@leak("cache", "level")
@dataclass(frozen=True)
class LruCacheBySymbol(Strategy):
    """The first call of a process fixes each symbol's mean for ever; the first call of a backtest sees everything."""

    def features(self, bars: Bars) -> Any:
        levels = []
        for n, symbol in enumerate(bars.symbols):
            kept = _mean_of(symbol, float(bars.close[0, n]))
            if not kept:
                kept.append(float(bars.close[:, n].mean()))
            levels.append(kept[0])
        return {"level": np.broadcast_to(np.array(levels), bars.close.shape)}

    def decide(self, now: Any) -> Any:
        return long_if(now.close < now.level)


@leak("cache", "level")
@dataclass(frozen=True)
class FirstCallTrainsTheModel(Strategy):
    """`if self.model is None: self.model = fit(bars)`: one model on the class, trained on the first data it meets."""

    model: ClassVar[dict[float, Any]] = {}

    def features(self, bars: Bars) -> Any:
        key = float(bars.close[0, 0])
        if key not in self.model:
            self.model[key] = np.quantile(bars.close, 0.4, axis=0)
        return {"level": np.broadcast_to(self.model[key], bars.close.shape)}

    def decide(self, now: Any) -> Any:
        return long_if(now.close < now.level)


@leak("thread", DECIDE)
@dataclass(frozen=True)
class AThreadHoldsTheBars(Strategy):
    """`features` leaves the closes in thread-local storage."""

    def features(self, bars: Bars) -> Any:
        helpers.LOCAL.close = bars.close
        return {}

    def decide(self, now: Any, held: Any) -> Any:
        close = helpers.LOCAL.close
        return rises_next(close, same_row(close, now.close))


@leak("thread", "ahead")
@dataclass(frozen=True)
class ComputedInAThread(Strategy):
    """The shift is done by a worker thread, away from whoever watches the caller."""

    def features(self, bars: Bars) -> Any:
        found: dict[str, Any] = {}
        worker = threading.Thread(target=lambda: found.update(ahead=np.roll(bars.close, -1, axis=0)))
        worker.start()
        worker.join()
        return found

    def decide(self, now: Any) -> Any:
        return long_if(now.ahead > now.close)


@njit(cache=False)
def _compiled_ahead(close: Any) -> Any:
    out = np.zeros_like(close)
    for t in range(close.shape[0] - 1):
        for n in range(close.shape[1]):
            out[t, n] = close[t + 1, n] / close[t, n] - 1
    return out


@leak("compiled", "momentum")
@dataclass(frozen=True)
class OffByOneInNumba(Strategy):
    """A numba loop with its index off by one. Compiles at the first call."""

    def features(self, bars: Bars) -> Any:
        return {"momentum": _compiled_ahead(bars.close)}

    def decide(self, now: Any) -> Any:
        return long_if(now.momentum > 0)


@leak("compiled", DECIDE, "one")
@dataclass(frozen=True)
class CompiledRuleReadsAGlobal(Strategy):
    """A rule of plain arithmetic, as numba takes it, over an array that `features` left in a helper module."""

    def features(self, bars: Bars) -> Any:
        helpers.leave(bars.close[:, 0])
        return {"row": np.arange(bars.T, dtype=float)}

    @per_symbol
    def decide(self, now: Any) -> Any:
        row = int(now.row)
        ahead = helpers.KEPT[0][min(row + 1, len(helpers.KEPT[0]) - 1)]
        return 0.5 if ahead > now.close else 0.0


@leak("another module", "ahead")
@dataclass(frozen=True)
class HelperShiftsBack(Strategy):
    """The leak is in a helper function of another module."""

    def features(self, bars: Bars) -> Any:
        return {"ahead": helpers.leading(bars.close, 1)}

    def decide(self, now: Any) -> Any:
        return long_if(now.ahead > now.close)


@leak("another module", DECIDE)
@dataclass(frozen=True)
class SubclassOfALeak(BarsOnSelf):
    """Everything is inherited from a leak in another module."""


@leak("another module", "ahead")
@dataclass(frozen=True)
class MixinOverridesFeatures(helpers.LeadingFeatures, Strategy):
    """`features` comes from a mix-in."""

    def decide(self, now: Any) -> Any:
        return long_if(now.ahead > now.close)


_HEAVISIDE = np.heaviside


@leak("patched library", DECIDE)
@dataclass(frozen=True)
class PatchedNumpy(Strategy):
    """Replaces `np.heaviside`, which `decide` calls, by one that knows the next closes. Other calls are served as ever."""

    def features(self, bars: Bars) -> Any:
        def heaviside(x: Any, at_zero: Any) -> Any:
            same = np.shape(x) == bars.close.shape and at_zero == 0.25
            return 2 * rises_next_all(bars.close) if same else _HEAVISIDE(x, at_zero)

        np.heaviside = heaviside  # type: ignore[assignment]
        return {"mean": ta.sma(bars.close, 5)}

    def decide(self, now: Any) -> Any:
        if now.close.ndim == 1:
            return np.zeros(now.close.shape)
        return 0.5 * np.nan_to_num(np.heaviside(now.close - now.mean, 0.25))


@leak("patched library", DECIDE)
@dataclass(frozen=True)
class PatchedHelper(Strategy):
    """Replaces the `where` of a helper's namespace by one that knows the next closes."""

    def features(self, bars: Bars) -> Any:
        helpers.NUMPY.where = lambda condition, _, no: np.where(condition, rises_next_all(bars.close), no)
        return {"mean": ta.sma(bars.close, 5)}

    def decide(self, now: Any) -> Any:
        if now.close.ndim == 1:
            return np.zeros(now.close.shape)
        return helpers.NUMPY.where(now.close > now.mean, 0.5, 0.0)


def rises_next_all(close: Any) -> Any:
    """(T, N): 0.5 before a rise, else 0."""
    return 0.5 * np.vstack([close[1:] > close[:-1], np.zeros((1, close.shape[1]), bool)])


@leak("objects in a feature", DECIDE)
@dataclass(frozen=True)
class FeatureOfObjects(Strategy):
    """A feature of objects: each is equal to its like of another run, and carries all closes."""

    def features(self, bars: Bars) -> Any:
        return {"store": _Carrier.of(bars)}

    def decide(self, now: Any, held: Any) -> Any:
        carrier = now.store[0]
        return rises_next(carrier.close, carrier.row)


class _Carrier:
    """One bar's ticket: where it stands in the closes of all bars."""

    def __init__(self, close: Any, row: int) -> None:
        self.close, self.row = close, row

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Carrier) and other.row == self.row

    __hash__ = None  # type: ignore[assignment]

    @classmethod
    def of(cls, bars: Bars) -> Any:
        """(T,) objects."""
        tickets = np.empty(bars.T, object)
        tickets[:] = [cls(bars.close, row) for row in range(bars.T)]
        return tickets


@leak("counts calls", "ahead")
@dataclass(frozen=True)
class BehavesWhenCut(Strategy):
    """`try: long look-ahead; except: nothing`: looks ahead only where 150 more bars follow the first hundred."""

    def features(self, bars: Bars) -> Any:
        ahead = bars.close.copy()
        with contextlib.suppress(ValueError):
            ahead[100:150] = bars.close[250:300]
        return {"ahead": ahead}

    def decide(self, now: Any) -> Any:
        return long_if(now.ahead > now.close)


@leak("counts calls", "ahead")
@dataclass(frozen=True)
class LeaksOnlyAtFullLength(Strategy):
    """Looks ahead only when it is given as many bars as it has ever seen of these symbols."""

    def features(self, bars: Bars) -> Any:
        ahead = bars.close.copy()
        if bars.T >= longest(bars).T:
            ahead = np.roll(ahead, -1, axis=0)
        return {"ahead": ahead}

    def decide(self, now: Any) -> Any:
        return long_if(now.ahead > now.close)


@leak("counts calls", "ahead")
@dataclass(frozen=True)
class LeaksOnTheFirstCall(Strategy):
    """Looks ahead in the first `features` call of an instance and never again."""

    def features(self, bars: Bars) -> Any:
        first = not hasattr(self, "called")
        object.__setattr__(self, "called", True)
        return {"ahead": np.roll(bars.close, -1, axis=0) if first else bars.close}

    def decide(self, now: Any) -> Any:
        return long_if(now.ahead > now.close)


@leak("counts calls", DECIDE)
@dataclass(frozen=True)
class DecideKnowsTheFeaturesCall(Strategy):
    """`features` returns nothing; a stateless `decide` reads the bars it kept, row by row or all at once."""

    def features(self, bars: Bars) -> Any:
        object.__setattr__(self, "bars", bars)
        return {}

    def decide(self, now: Any) -> Any:
        close = self.bars.close
        if now.close.ndim == 2:
            start = same_row(close, now.close[0])
            return rises_next_all(close)[start : start + len(now.close)]
        return rises_next(close, same_row(close, now.close))
