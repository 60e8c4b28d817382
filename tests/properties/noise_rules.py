"""Strategies that decide by random numbers of a seed, one for each way of deciding, and comparisons of their runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from gpt_trader import Bars, OrderStrategy, Result, Strategy, orders, param, per_symbol
from tests.properties.truth_cases import random_weights

T = 240  # bars that the tables of random numbers cover
LOGS = ("orders", "fills", "trades", "decisions")


@dataclass(frozen=True)
class Table(Strategy):
    """Random weights of a seed for `total` bars, of which the first bar it sees is number `offset`; none before `silent`."""

    seed: int = param(1)
    offset: int = param(0)
    silent: int = param(0)

    def ranks(self, seed: int) -> bool:
        """Whether there is a score."""
        return seed % 3 == 0

    def features(self, bars: Bars) -> Any:
        wanted = random_weights(np.random.default_rng(self.seed), T, bars.N)
        wanted[: self.silent] = np.nan
        rows = slice(self.offset, self.offset + bars.T)
        found = {"wanted": wanted[rows], "number": np.arange(T)[rows]}
        if self.ranks(self.seed):
            found["score"] = np.random.default_rng(self.seed + 1).random((T, bars.N))[rows]
        return found

    def decide(self, now: Any) -> Any:
        return now.wanted


@dataclass(frozen=True)
class Looks(Table):
    """Goes by what it holds."""

    def ranks(self, seed: int) -> bool:
        return True

    def decide(self, now: Any, held: Any) -> Any:  # type: ignore[override]
        old = (held.age > 6) | (now.close < held.peak * 0.97) | (held.weight > 0.4)
        rich = 0.5 if held.equity > 100_000.0 and held.cash > 0.0 else 1.0
        return np.where(now.number < self.silent, np.nan, np.where(old, 0.0, now.wanted * rich))


@dataclass(frozen=True)
class LooksAtOne(Table):
    """The same with plain numbers."""

    def ranks(self, seed: int) -> bool:
        return False

    @per_symbol
    def decide(self, now: Any, held: Any) -> Any:  # type: ignore[override]
        if now.number < self.silent:
            return np.nan
        if held.age > 6 or now.close < held.peak * 0.97:
            return 0.0
        return now.wanted * (0.5 if held.equity > 100_000.0 else 1.0)


@dataclass(frozen=True)
class Places(OrderStrategy):
    """Brackets, trailing stops and day orders by random numbers."""

    seed: int = param(1)
    offset: int = param(0)
    silent: int = param(0)

    def features(self, bars: Bars) -> Any:
        rows = slice(self.offset, self.offset + bars.T)
        return {"luck": np.random.default_rng(self.seed).random(T)[rows], "number": np.arange(T)[rows]}

    def decide(self, now: Any, held: Any) -> Any:
        luck, close = now.luck[0], now.close[0]
        if now.number[0] < self.silent:
            return orders.nothing()
        if held.quantity[0] == 0.0 and luck < 0.2:
            return orders.limit(50.0, close * 0.995, close * 1.03, close * 0.97, int(luck < 0.1))
        if held.quantity[0] > 0.0 and luck > 0.9:
            return orders.trailing_stop(-held.quantity[0], 0.02)
        if held.age[0] > 9.0:
            return orders.market(-held.quantity[0])
        return orders.nothing()


STRATEGIES: list[tuple[type[Strategy], str, int]] = [
    (Table, "array", 3), (Looks, "python", 3), (Looks, "compiled", 3), (LooksAtOne, "python", 2), (LooksAtOne, "compiled", 2),
    (Places, "python", 1), (Places, "compiled", 1),
]  # fmt: skip
WAYS = pytest.mark.parametrize(
    ("kind", "mode", "symbols"), STRATEGIES, ids=lambda item: getattr(item, "__name__", item)
)


def assert_same_run(mine: Result, theirs: Result) -> int:
    """Every log and the account curves, bit for bit; returns how many orders there were."""
    for name in LOGS:
        own, other = mine.log(name), theirs.log(name)
        assert own.size == other.size, name
        for column in own.dtype.names:
            np.testing.assert_array_equal(own[column], other[column], err_msg=f"{name} {column}")
    assert mine.account_curves.tobytes() == theirs.account_curves.tobytes()
    return int(mine.log("orders").size)
