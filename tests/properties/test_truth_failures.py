"""Compiled rules that fail, write much or call compiled helpers end as the same rules in Python do.

The engine tries machine code without reference counts first, then with them, then Python; and its logs grow between bars. Neither
may show in a result.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numba
import numpy as np
import pytest

from gpt_trader import Allocation, Bars, Instrument, OrderStrategy, RiskLimits, Strategy, param, per_symbol
from gpt_trader.engine.bar_loop import SPARE
from gpt_trader.engine.compiled_rules import keeps_arrays_out
from gpt_trader.engine.run_setup import Settings
from gpt_trader.engine.simulation import simulate
from gpt_trader.errors import StrategyError
from gpt_trader.orders import OrderRequest, limit, nothing
from tests.markets import random_market
from tests.properties.truth_cases import run, scripted

TABLES = ("orders", "fills", "trades", "decisions")
LEVEL = 0.2


def rows(_: Any, bars: Bars) -> Any:
    return {"row": np.arange(bars.T, dtype=float)}


@dataclass(frozen=True)
class FailsInTheMiddle(Strategy):
    """Fails on a fresh book only: what an attempt leaves behind would let the next one pass."""

    fault: int = param(0, low=0, high=2)
    features = rows

    @per_symbol
    def decide(self, now: Any, held: Any) -> Any:
        if now.row == 5.0:
            return 0.5
        if now.row == 10.0 and held.age < 7.0:
            if self.fault == 0:
                raise ValueError("boom")
            if self.fault == 1:
                raise NotImplementedError("boom")
            return 1.0 / max(0.0, held.age - 7.0)
        return np.nan


@pytest.mark.parametrize("fault", [0, 1, 2])
def test_a_rule_that_fails_in_the_middle_fails_however_it_is_run(
    fault: int,
) -> None:
    bars = random_market(100, 1, 1)
    for mode in ("python", "compiled"):
        with pytest.raises(StrategyError, match=r"boom|division"):
            simulate(FailsInTheMiddle(fault), bars, Settings(), mode, required=False)


@dataclass(frozen=True)
class ManyRequests(OrderStrategy):
    """A list of `count` orders on every bar, none of which lives on: they are rejected."""

    count: int = param(33, low=1, high=2_000)
    features = rows

    @per_symbol
    def decide(self, now: Any, held: Any) -> Any:
        found = [nothing()]
        if now.row % 10.0 == 3.0:
            found.append(limit(1.0, now.close * 0.99, now.close * 1.02, now.close * 0.97, 1))
        for _ in range(self.count):
            found.append(OrderRequest(1, 0.0, 1.0, np.nan, np.nan, np.nan, np.nan, 0, 0))  # noqa: PERF401
        return found


@pytest.mark.parametrize("count", [1, 33, 1500])
def test_a_bar_may_ask_for_more_orders_than_the_logs_have_room_for(count: int) -> None:
    bars = random_market(120, 1, 1)
    python, compiled = (run(ManyRequests(count), bars, mode=mode) for mode in ("python", "compiled"))
    assert python.log("orders").size >= 120 * count
    for name in TABLES:
        assert python.log(name).tobytes() == compiled.log(name).tobytes(), name
    assert python.account_curves.tobytes() == compiled.account_curves.tobytes()
    assert len(python.fills) > 3


def test_no_bar_writes_more_than_the_room_that_is_kept_free() -> None:
    """Every rule that can scale a weight binds for every symbol at once; more rows than this would lie outside the log."""
    symbols = 16
    bars = random_market(30, symbols, 1)
    table = np.full((bars.T, symbols), np.nan)
    table[5:] = 1.0
    limits = RiskLimits(position=0.2, sector=2.5, gross=2.2, net=2.0, cash=2.5, order_volume=1e-4)
    result = run(
        scripted(table), bars, capital=1e8, risk=limits, instruments=[Instrument(name, sector="x") for name in bars.symbols],
        allocation=Allocation(gross=4.0, leverage=4.0, position=0.5, max_positions=symbols),
    )  # fmt: skip
    most = np.bincount(result.log("decisions")["bar"]).max()
    assert most == 9 * symbols
    assert most <= SPARE * (symbols + 1)


@numba.njit
def copied(value: float) -> Any:
    return np.full(100_000, value)


def double(value: float) -> float:
    return 2.0 * value


def through(value: float) -> float:
    return float(copied(value)[0])


def test_a_rule_that_calls_a_compiled_function_counts_references() -> None:
    """Without counts every array that such a function returns would stay in memory: 800 kB a bar here."""
    inner = copied

    def direct(self: Any, now: Any) -> Any:
        return copied(now.close)[0]

    def indirect(self: Any, now: Any) -> Any:
        return through(now.close)

    def enclosed(self: Any, now: Any) -> Any:
        return inner(now.close)[0]

    def nested(self: Any, now: Any) -> Any:
        return sum([copied(value)[0] for value in (now.close, 1.0)])

    def plain(self: Any, now: Any) -> Any:
        return LEVEL if np.isnan(now.close) else min(double(now.close), 0.3)

    assert not any(keeps_arrays_out(rule) for rule in (direct, indirect, enclosed, nested))
    assert keeps_arrays_out(plain)
