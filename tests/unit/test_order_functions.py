"""An order strategy may reach the order functions by name or through their module: both compile, with one result."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from gpt_trader import Bars, OrderStrategy, backtest, load_bars, orders
from gpt_trader.orders import market, nothing


@dataclass(frozen=True)
class ByName(OrderStrategy):
    """Buys once, with the functions imported by name."""

    def decide(self, now: Any, held: Any) -> Any:
        return market(10.0) if held.quantity[0] == 0.0 else nothing()


@dataclass(frozen=True)
class ThroughModule(OrderStrategy):
    """The same through the module."""

    def decide(self, now: Any, held: Any) -> Any:
        return orders.market(10.0) if held.quantity[0] == 0.0 else orders.nothing()


@pytest.fixture(scope="module")
def bars() -> Bars:
    return load_bars(["AAPL"], start="2008-01-01", end="2008-06-30")


@pytest.mark.parametrize("mode", ["python", pytest.param("compiled", marks=pytest.mark.slow)])
def test_both_ways_give_the_same_run(bars: Bars, mode: str) -> None:
    by_name, through = (backtest(item(), bars, mode=mode) for item in (ByName, ThroughModule))
    assert by_name.outcome.mode == through.outcome.mode == mode
    assert by_name.fills.equals(through.fills)
    assert len(through.fills) == 1
