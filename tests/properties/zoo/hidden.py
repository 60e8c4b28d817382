"""Leaks hidden where values look equal, or handed over through places that nobody reads."""

from __future__ import annotations

import builtins
import subprocess
import sys
from contextvars import ContextVar
from dataclasses import dataclass
from hashlib import sha256
from types import ModuleType
from typing import Any

import numpy as np

from gpt_trader import Bars, StopLoss, Strategy, ta
from tests.properties.zoo.files import following
from tests.properties.zoo.held import rises_next, same_row
from tests.properties.zoo.markets import folder
from tests.properties.zoo.table import DECIDE, leak, long_if

_CONTEXT: ContextVar[Any] = ContextVar("bars")


def rises(bars: Bars) -> Any:
    """(T, N): whether the next close is higher."""
    return np.vstack([bars.close[1:] > bars.close[:-1], np.zeros((1, bars.N), bool)])


@leak("hidden in a value", DECIDE)
@dataclass(frozen=True)
class SignOfZero(Strategy):
    """-0.0 before a fall and 0.0 before a rise: the two are equal."""

    def features(self, bars: Bars) -> Any:
        return {"nothing": np.where(rises(bars), 0.0, -0.0)}

    def decide(self, now: Any) -> Any:
        return np.where(np.signbit(now.nothing), 0.0, 0.5)


@leak("hidden in a value", DECIDE)
@dataclass(frozen=True)
class SignOfZeroHeld(Strategy):
    """The same in a rule that is called bar by bar."""

    def features(self, bars: Bars) -> Any:
        return {"nothing": np.where(rises(bars), 0.0, -0.0)}

    def decide(self, now: Any, held: Any) -> Any:
        return np.where(np.signbit(now.nothing), 0.0, 0.5)


@leak("hidden in a value", DECIDE)
@dataclass(frozen=True)
class NanPayload(Strategy):
    """A feature that is NaN throughout, with the answer in the bits of the NaN."""

    def features(self, bars: Bars) -> Any:
        bits = np.full(bars.close.shape, 0x7FF8_0000_0000_0000, np.uint64) + rises(bars).astype(np.uint64)
        return {"empty": bits.view(np.float64)}

    def decide(self, now: Any) -> Any:
        return np.where(np.ascontiguousarray(now.empty).view(np.uint64) & np.uint64(1) > 0, 0.5, 0.0)


@leak("hidden in a value", DECIDE)
@dataclass(frozen=True)
class BelowAnyTolerance(Strategy):
    """The close, a few units in the last place higher before a rise."""

    def features(self, bars: Bars) -> Any:
        return {"price": np.where(rises(bars), np.nextafter(bars.close, np.inf), bars.close)}

    def decide(self, now: Any) -> Any:
        return long_if(now.price > now.close)


@leak("hidden in a value", "wave")
@dataclass(frozen=True)
class ImaginaryPart(Strategy):
    """A complex feature: the real part is honest."""

    def features(self, bars: Bars) -> Any:
        return {"wave": bars.close + 1j * rises(bars)}

    def decide(self, now: Any) -> Any:
        return long_if(now.wave.imag > 0)


@leak("hidden in a value", "record")
@dataclass(frozen=True)
class FieldOfARecord(Strategy):
    """A structured feature with one honest field and one that is not."""

    def features(self, bars: Bars) -> Any:
        record = np.zeros(bars.close.shape, [("close", float), ("next", float)])
        record["close"], record["next"] = bars.close, np.vstack([bars.close[1:], bars.close[-1:]])
        return {"record": record}

    def decide(self, now: Any) -> Any:
        return long_if(now.record["next"] > now.close)


@leak("hidden in a value", "until")
@dataclass(frozen=True)
class DateOfTheNextHigh(Strategy):
    """A feature of dates: when the close will be exceeded."""

    def features(self, bars: Bars) -> Any:
        until = np.full(bars.close.shape, np.datetime64("NaT"), "datetime64[D]")
        for ahead in (3, 2, 1):
            higher = bars.close[ahead:] > bars.close[:-ahead]
            day = bars.time[ahead:].astype("datetime64[D]")[:, None]
            until[:-ahead] = np.where(higher, day, until[:-ahead])
        return {"until": until}

    def decide(self, now: Any) -> Any:
        return long_if(~np.isnat(now.until))


@leak("full-sample statistic", "lucky")
@dataclass(frozen=True)
class HashOfAllBars(Strategy):
    """A hash of the whole history picks the days: no use, yet it knows all of them."""

    def features(self, bars: Bars) -> Any:
        seed = int.from_bytes(sha256(bars.close.tobytes()).digest()[:8], "big")
        return {"lucky": np.random.default_rng(seed).random(bars.T)}

    def decide(self, now: Any) -> Any:
        return np.where(now.close > 0, 0.4 * (now.lucky > 0.5), np.nan)


@leak("keeps the bars", DECIDE)
@dataclass(frozen=True)
class BarsInBuiltins(Strategy):
    """The bars as an attribute of `builtins`."""

    def features(self, bars: Bars) -> Any:
        builtins.zoo_bars = bars  # type: ignore[attr-defined]
        return {}

    def decide(self, now: Any, held: Any) -> Any:
        close = builtins.zoo_bars.close  # type: ignore[attr-defined]
        return rises_next(close, same_row(close, now.close))


@leak("keeps the bars", DECIDE)
@dataclass(frozen=True)
class BarsInAModuleMadeUp(Strategy):
    """A module of its own making in `sys.modules`."""

    def features(self, bars: Bars) -> Any:
        store = sys.modules.setdefault("zoo_store", ModuleType("zoo_store"))
        store.close = bars.close  # type: ignore[attr-defined]
        return {}

    def decide(self, now: Any, held: Any) -> Any:
        close = sys.modules["zoo_store"].close  # type: ignore[attr-defined]
        return rises_next(close, same_row(close, now.close))


@leak("keeps the bars", DECIDE)
@dataclass(frozen=True)
class BarsInAContextVariable(Strategy):
    """A context variable carries the bars from `features` to `decide`."""

    def features(self, bars: Bars) -> Any:
        _CONTEXT.set(bars)
        return {}

    def decide(self, now: Any, held: Any) -> Any:
        close = _CONTEXT.get().close
        return rises_next(close, same_row(close, now.close))


@leak("keeps the bars", DECIDE)
@dataclass(frozen=True)
class BarsOnTheFunction(Strategy):
    """The bars as an attribute of the method `decide`."""

    def features(self, bars: Bars) -> Any:
        BarsOnTheFunction.decide.close = bars.close  # type: ignore[attr-defined]
        return {}

    def decide(self, now: Any, held: Any) -> Any:
        close = BarsOnTheFunction.decide.close  # type: ignore[attr-defined]
        return rises_next(close, same_row(close, now.close))


@leak("declared exits", DECIDE)
@dataclass(frozen=True)
class ExitsOnTheClass(Strategy):
    """`features` rewrites the class's `exits`: a stop at three mean ranges of all bars."""

    exits = (StopLoss(0.05),)

    def features(self, bars: Bars) -> Any:
        ranges = (bars.high - bars.low) / bars.close
        type(self).exits = (StopLoss(float(3 * ranges.mean())),)
        return {"mean": ta.sma(bars.close, 10)}

    def decide(self, now: Any) -> Any:
        return long_if(now.close > now.mean)


@leak("file of prices", "ahead", shown_by="file", files=True)
@dataclass(frozen=True)
class AnotherProcessReadsTheFile(Strategy):
    """A child process prints the file. Slow: some 5 ms a call."""

    def features(self, bars: Bars) -> Any:
        found = subprocess.run(
            ["/bin/cat", str(folder() / "prices.bin")], capture_output=True, check=True
        )  # fmt: skip
        prices = np.frombuffer(found.stdout, "<f8").reshape(-1, bars.N)
        return {"ahead": following(prices, bars.T)}

    def decide(self, now: Any) -> Any:
        return long_if(now.ahead > now.close)
