"""Whether a leak really acts, and an honest strategy never, found without the check: answers on whole and on shorter data.

Run as a program, with names of strategies, it prints one line of JSON for each: its name and a bar whose features, answers or
exits move when later bars are cut off (None where nothing moved). Every run is a forked process of its own, so that nothing
is remembered.
"""

from __future__ import annotations

import gc
import json
import os
import pickle
import sys
from dataclasses import dataclass
from typing import Any

import numpy as np

from gpt_trader import Bars, OrderStrategy, StopLoss, Strategy, ta
from gpt_trader.engine.run_setup import Settings
from gpt_trader.engine.simulation import simulate
from gpt_trader.errors import GptTraderError
from gpt_trader.orders import limit
from gpt_trader.strategy import is_per_symbol, uses_held
from tests.properties.zoo import HONEST, LEAKS, Honest, Leak
from tests.properties.zoo.markets import market

CUTS = 40


@dataclass(frozen=True)
class Idle(Strategy):
    """Holds nothing."""

    def features(self, bars: Bars) -> Any:
        return {
            "mean": ta.sma(bars.close, 3),
            "atr": ta.atr(bars.high, bars.low, bars.close),
            "roc": ta.roc(bars.close, 3),
        }

    def decide(self, now: Any) -> Any:
        return np.zeros(now.close.shape)


@dataclass(frozen=True)
class IdleHeld(Strategy):
    """Holds a little, bar by bar."""

    def decide(self, now: Any, held: Any) -> Any:
        return np.full(now.close.shape, 0.1)


@dataclass(frozen=True)
class IdleOrders(OrderStrategy):
    """Buys one share on each bar."""

    def decide(self, now: Any, held: Any) -> Any:
        return limit(1.0, float(now.close[0]))


def recording(strategy: type[Strategy], log: list[Any], features: dict[str, Any]) -> Strategy:
    """An instance of a subclass that writes down its features and every answer of `decide`."""

    @dataclass(frozen=True)
    class Recording(strategy):  # type: ignore[misc, valid-type]
        def features(self, bars: Bars) -> Any:
            found = strategy.features(self, bars)
            features.update({key: _plain(np.asarray(value)) for key, value in found.items()})
            return found

    def keep(answer: Any) -> Any:
        log.append(_plain(answer))
        return answer

    if uses_held(strategy()) or issubclass(strategy, OrderStrategy):

        def decide(self: Any, now: Any, held: Any) -> Any:
            return keep(strategy.decide(self, now, held))
    else:

        def decide(self: Any, now: Any) -> Any:  # type: ignore[misc]
            return keep(strategy.decide(self, now))

    decide.__per_symbol__ = is_per_symbol(strategy())  # type: ignore[attr-defined]
    Recording.decide = decide
    return Recording()


def _plain(value: Any) -> Any:
    """A copy that can be sent and compared."""
    if isinstance(value, tuple | list | type(None)):
        return repr(value)
    array = np.array(value)
    return array if array.dtype.kind != "O" else np.zeros(len(array))


def answers(strategy: type[Strategy], bars: Bars) -> dict[str, Any] | None:
    """Features (bars first), answers per bar, and the declared exits, in a process of its own; None where it fails."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            gc.freeze()  # the whole bars are not found by `gc.get_objects()` in the process of the cut ones
            log: list[Any] = []
            features: dict[str, Any] = {}
            instance = recording(strategy, log, features)
            simulate(instance, bars, Settings(), "array" if _at_once(instance) else "python")
            found = {"features": features, "answers": log, "exits": repr(instance.declared_exits())}
            with os.fdopen(writing, "wb") as pipe:
                pickle.dump(found, pipe)
            status = 0
        except GptTraderError:
            status = 0
        finally:
            os._exit(status)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        text = pipe.read()
    os.waitpid(child, 0)
    found: dict[str, Any] | None = pickle.loads(text) if text else None
    return found


def _at_once(strategy: Strategy) -> bool:
    return not (uses_held(strategy) or is_per_symbol(strategy) or isinstance(strategy, OrderStrategy))


def moved(
    entry: Leak | Honest, whole: dict[str, Any], cut: dict[str, Any] | None, last: int, bars: Bars
) -> bool:
    """True when anything known at row `last` or before differs between the two; data that are too short move nothing."""
    if cut is None:
        return False
    if whole["exits"] != cut["exits"]:
        return True
    for name, values in whole["features"].items():
        if name in cut["features"] and not _same(values[: last + 1], cut["features"][name][: last + 1]):
            return True
    strategy = entry.strategy()
    if _at_once(strategy):
        full = np.broadcast_to(whole["answers"][0], bars.close.shape)
        return not _same(full[: last + 1], np.broadcast_to(cut["answers"][0], (last + 1, bars.N)))
    calls = (last + 1) * (bars.N if is_per_symbol(strategy) else 1)
    pairs = zip(whole["answers"][:calls], cut["answers"][:calls], strict=True)
    return any(a != b if isinstance(a, str) or isinstance(b, str) else not _same(a, b) for a, b in pairs)


def _same(a: Any, b: Any) -> bool:
    numbers = a.dtype.kind in "biufc" and b.dtype.kind in "biufc"
    if a.shape != b.shape:
        return False
    return bool(np.allclose(a, b, rtol=1e-9, atol=1e-12, equal_nan=True) if numbers else (a == b).all())


def known_at(bars: Bars, row: int) -> Bars:
    """The bars up to `row`, without the delistings that come later."""
    cut = bars.select(end=bars.time[row])
    gone = tuple(date if date and np.datetime64(date) <= cut.time[-1] else None for date in cut.delisted)
    return Bars(cut.symbols, cut.time, cut.panel, cut.timeframe, cut.adjustment, cut.sources, gone)


def first_move(entry: Leak | Honest) -> int | None:
    """A row at which cutting moves something known by then; None when nothing moved anywhere."""
    bars = market(entry.data)
    whole = answers(entry.strategy, bars)
    if whole is None:
        raise RuntimeError(f"{entry.name} fails on its own data")
    rows = np.linspace(15, bars.T - 2, CUTS).astype(int)
    order = sorted(
        range(len(rows)), key=lambda k: (k % 8 != 3, k)
    )  # a few spread ones first: most leaks act everywhere
    for row in rows[order][: None if isinstance(entry, Leak) else 12]:
        cut = known_at(bars, row)
        if moved(entry, whole, answers(entry.strategy, cut), int(row), bars):
            return int(row)
    return _at_special_rows(entry, bars, whole)


def _at_special_rows(entry: Leak | Honest, bars: Bars, whole: dict[str, Any]) -> int | None:
    """Rare leaks: cuts at the rows at which the answers change; a few of them for honest strategies."""
    if _at_once(entry.strategy()):
        full = np.nan_to_num(np.broadcast_to(whole["answers"][0], bars.close.shape))
        changes = np.flatnonzero((full[1:] != full[:-1]).any(axis=1)) + 1
    else:
        texts = [str(answer) for answer in whole["answers"][:: len(whole["answers"]) // bars.T]]
        changes = np.array([row for row in range(1, bars.T) if texts[row] != texts[row - 1]], int)
    for row in changes[: 400 if isinstance(entry, Leak) else 8]:
        if 15 <= row < bars.T - 1:
            cut = known_at(bars, row)
            if moved(entry, whole, answers(entry.strategy, cut), int(row), bars):
                return int(row)
    return None


def load_the_engine() -> None:
    """Run a strategy of each form once, so that every forked process has the engine's machine code already."""
    bars = market("seventy")
    for strategy, mode in ((Idle(), "array"), (IdleHeld(), "python"), (IdleOrders(), "python")):
        simulate(strategy, bars, Settings(exits=(StopLoss(0.5),)), mode)


if __name__ == "__main__":
    load_the_engine()
    wanted = set(sys.argv[1:])
    for one in [*LEAKS, *HONEST]:
        if one.name in wanted:
            sys.stdout.write(json.dumps([one.name, first_move(one)]) + "\n")
            sys.stdout.flush()
