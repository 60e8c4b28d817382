"""Which array rules are known to treat every symbol alike, and that those compiled for plain numbers keep every bit."""

# ruff: noqa: ARG005 - the rules below all have the signature of `decide`

from __future__ import annotations

import math
import random
from collections.abc import Callable
from dataclasses import dataclass
from types import FunctionType
from typing import Any

import numpy as np
import pytest

from gpt_trader import Bars, Strategy, param
from gpt_trader.engine import compiled_rules
from gpt_trader.engine.elementwise_rules import is_elementwise
from tests.markets import random_market
from tests.properties.truth_cases import random_options, run

COLUMNS: dict[str, Any] = {
    "close": np.ones((4, 2)), "flag": np.ones((4, 2), bool), "count": np.ones((4, 2), np.int64), "one": np.ones((4, 1)),
    "small": np.ones((4, 2), np.float32), "word": np.full((4, 2), "x"),
}  # fmt: skip
PARAMETERS: dict[str, Any] = {"k": 3, "x": 0.5, "on": True, "how": "stop"}
LIMIT = 0.25
TABLE = np.arange(4.0)


def helper(value: Any) -> Any:
    return value


def judged(rule: Callable[..., Any]) -> bool:
    assert isinstance(rule, FunctionType)
    return is_elementwise(rule, COLUMNS, PARAMETERS, 3)


def branch_on_a_parameter(self: Any, now: Any, held: Any) -> Any:
    if self.on and self.k > 2:
        wanted = now.close * self.x
    else:
        wanted = -now.close
    return np.where(held.age > 3, 0.0, wanted)


def branch_on_a_symbol(self: Any, now: Any, held: Any) -> Any:
    return 1.0 if now.close > 3 else 0.0


def changed_kind(self: Any, now: Any, held: Any) -> Any:
    if self.on:
        wanted = now.flag
    else:
        wanted = now.close
    return wanted


def loop(self: Any, now: Any, held: Any) -> Any:
    total = 0.0
    for k in range(self.k):
        total += k
    return now.close * total


def in_place(self: Any, now: Any, held: Any) -> Any:
    wanted = now.close
    wanted += 1.0
    return wanted


SAME: list[Callable[..., Any]] = [
    branch_on_a_parameter,
    lambda self, now, held: np.where((now.close > held.peak * (1 - self.x)) & ~now.flag, 1.0, 0.0),
    lambda self, now, held: np.where(now.flag | (held.weight != 0), self.x, np.nan),
    lambda self, now, held: np.minimum(now.close / held.entry, 1) - np.maximum(now.one, -self.x),
    lambda self, now, held: abs(now.count) * self.k / now.close,
    lambda self, now, held: np.where(np.isnan(held.peak), 0, np.sqrt(np.abs(now.close))),
    lambda self, now, held: now.flag,
    lambda self, now, held: now.close > held.equity * LIMIT,
    lambda self, now, held: np.logical_and(now.flag, np.logical_not(now.close > 1.0)),
    lambda self, now, held: np.where(now.flag, compiled_rules.MAX_BARS_AHEAD, now.close * math.tau),
    lambda self, now, held: 0.0,
]  # fmt: skip
OTHER: list[Callable[..., Any]] = [
    branch_on_a_symbol, changed_kind, loop, in_place,
    lambda self, now, held: now.close / now.close.sum(),
    lambda self, now, held: np.where(now.close == np.max(now.close), 1.0, 0.0),
    lambda self, now, held: np.full(now.close.shape, 1.0),
    lambda self, now, held: (now.close > 1) + (now.close > 2),
    lambda self, now, held: (now.close > 1) * now.flag,
    lambda self, now, held: now.close[0],
    lambda self, now, held: now.close**2,
    lambda self, now, held: now.close // 2,
    lambda self, now, held: now.count % 2,
    lambda self, now, held: now.close * (self.x / self.k),
    lambda self, now, held: np.where(~self.on, now.close, 0.0),
    lambda self, now, held: np.where(now.close, 1.0, 0.0),
    lambda self, now, held: now.small * 2.0,
    lambda self, now, held: np.where(now.flag, self.how, 0.0),
    lambda self, now, held: np.where(now.word == "x", 1.0, 0.0),
    lambda self, now, held: now.nothing * 1.0,
    lambda self, now, held: self.missing * now.close,
    lambda self, now, held: helper(now.close),
    lambda self, now, held: now.close * math.sqrt(2.0),
    lambda self, now, held: now.close * compiled_rules.nothing,
    lambda self, now, held: now.close * compiled_rules.PLAIN,
    lambda self, now, held: now.close * TABLE[0],
    lambda self, now, held: np.where(now.close > 1, 1.0, x=0.0),
    lambda self, now, held: np.sqrt(now.count),
    lambda self, now, held: (now.close > 1) and 1.0,
    lambda self, now, held: [now.close],
    lambda self, now, held: -now.flag,
    lambda self, now, held: None,
    lambda self, now: now.close,
    lambda self, now, held, more=1: now.close,
    lambda self, now, *held: now.close,
]  # fmt: skip


@pytest.mark.parametrize("rule", SAME)
def test_rules_that_treat_every_symbol_alike_are_known(rule: Callable[..., Any]) -> None:
    assert judged(rule)


@pytest.mark.parametrize("rule", OTHER)
def test_what_is_not_known_to_be_alike_is_left_as_it_is(rule: Callable[..., Any]) -> None:
    assert not judged(rule)


def test_what_a_rule_closes_over_is_left_as_it_is() -> None:
    level = 3.0
    assert not judged(lambda self, now, held: now.close * level)


@dataclass(frozen=True)
class Alike(Strategy):
    """Uses what is known to be alike, on features of every kind and breadth, missing values among them."""

    k: int = param(3)
    x: float = param(0.4)
    on: bool = param(True)

    def features(self, bars: Bars) -> Any:
        rng = np.random.default_rng(self.k)
        real = rng.normal(0.0, 1.0, (bars.T, bars.N))
        real[rng.random(real.shape) < 0.1] = np.nan
        return {
            "real": real, "zero": np.round(real), "flag": rng.random((bars.T, bars.N)) < 0.5,
            "count": rng.integers(-3, 4, (bars.T, bars.N)), "wide": rng.random(bars.T),
        }  # fmt: skip

    def decide(self, now: Any, held: Any) -> Any:
        away = np.abs(now.real) / now.zero
        fallen = (now.close < held.peak * (1 - self.x * 0.125)) | (held.age > 3 * self.k)
        rich = np.maximum(held.cash * 1e-5, now.wide)
        wanted = np.where(np.isnan(away) | np.isinf(away), now.count * 0.1, np.minimum(away, self.x))
        if self.on:
            wanted = np.where(now.flag ^ (now.wide > 0.7), wanted, np.nan) * rich
        return np.where(fallen & ~np.isnan(held.entry), 0, np.where(now.count == 3, -wanted, wanted))


@dataclass(frozen=True)
class AlikeInArrays(Alike):
    """The same weights, with a look at all symbols together that changes nothing."""

    def decide(self, now: Any, held: Any) -> Any:
        highest = now.close.max()
        away = np.abs(now.real) / now.zero
        fallen = (now.close < held.peak * (1 - self.x * 0.125)) | (held.age > 3 * self.k)
        rich = np.maximum(held.cash * 1e-5, now.wide)
        wanted = np.where(np.isnan(away) | np.isinf(away), now.count * 0.1, np.minimum(away, self.x))
        if self.on:
            wanted = np.where(now.flag ^ (now.wide > 0.7), wanted, np.nan) * rich
        if highest < 0.0:
            wanted = wanted * 0.0
        return np.where(fallen & ~np.isnan(held.entry), 0, np.where(now.count == 3, -wanted, wanted))


@pytest.mark.slow
@pytest.mark.parametrize("number", range(6))
def test_the_form_for_plain_numbers_keeps_every_bit(number: int) -> None:
    """Against Python, and against the array form of the same rule as machine code."""
    rng = random.Random(number)
    bars = random_market(150, 3, number, splits=True, gaps=0.02, sigma=0.02)
    options = random_options(rng, bars.symbols)
    values = number, rng.choice([0.1, 0.7]), number % 2 == 0
    strategy = Alike(*values)
    plain = run(strategy, bars, mode="compiled", **options)
    arrays = run(AlikeInArrays(*values), bars, mode="compiled", **options)
    forms = {kind: form for kind, *_, form, _ in compiled_rules._DRIVERS}
    assert (forms[Alike], forms[AlikeInArrays]) == (compiled_rules.ELEMENTWISE, compiled_rules.COUNTED)
    python = run(strategy, bars, mode="python", **options)
    for other in (arrays, python):
        assert plain.account_curves.tobytes() == other.account_curves.tobytes()
        assert plain.log("orders").size == other.log("orders").size > 10
        for column in ("quantity", "filled", "decided_bar", "symbol"):
            np.testing.assert_array_equal(plain.log("orders")[column], other.log("orders")[column])
