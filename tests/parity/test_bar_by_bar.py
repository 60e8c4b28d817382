"""A bar at a time, with the account on one side and the simulated venue on the other, gives the bits of the backtest."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from gpt_trader import (
    Allocation,
    AtrStop,
    Bars,
    BreakEven,
    FillModel,
    OrderStrategy,
    RiskLimits,
    ScaleOut,
    StopLoss,
    Strategy,
    TakeProfit,
    TimeStop,
    TrailingStop,
    backtest,
    orders,
    per_symbol,
)
from gpt_trader.engine.records import STATUSES
from gpt_trader.strategies import SHIPPED
from tests.markets import random_market
from tests.parity.bar_by_bar import assert_same, trade
from tests.properties.test_truth_accounting import RandomOrders
from tests.properties.truth_cases import random_options, random_weights, scripted, shipped

BATCHES, BATCH = 8, 12
EXITS = (
    StopLoss(0.03), TrailingStop(0.04, after=0.01), BreakEven(0.02), AtrStop(2.0, 5), TakeProfit(0.06),
    ScaleOut(((0.02, 0.3), (0.04, 0.5))), TimeStop(6),
)  # fmt: skip
LIMITS = (
    RiskLimits.profile("conservative"), RiskLimits(position=0.2, gross=0.5, net=0.3, cash=0.4), RiskLimits(correlation=0.3),
    RiskLimits(daily_loss=0.01, weekly_loss=0.02, monthly_loss=0.03), RiskLimits(drawdown=0.03, on_drawdown="flatten"),
    RiskLimits(order_volume=0.01), RiskLimits(positions=1),
)  # fmt: skip


def busy_market(seed: int, count: int = 160) -> Bars:
    """Three symbols with gaps, splits and dividends, of which one leaves the market."""
    plain = random_market(count, 3, seed, gaps=0.02, splits=True, dividends=True, volume=1e5, sigma=0.02)
    panel = plain.panel.copy()
    last = count * 3 // 4
    panel[:4, last:, 1] = np.nan
    panel[4, last:, 1] = 0.0
    return Bars(plain.symbols, plain.time, panel, delisted=(None, str(plain.time[last - 1])[:10], None))


def compare(strategy: Strategy, bars: Bars, options: dict[str, Any]) -> int:
    """How many orders both made."""
    result = backtest(strategy, bars, mode="python", **options)
    assert_same(result, *trade(strategy, bars, options))
    return len(result.log("orders"))


@pytest.mark.parametrize("batch", range(BATCHES))
def test_random_weights_units_and_orders(batch: int) -> None:
    made = 0
    for number in range(batch * BATCH, (batch + 1) * BATCH):
        rng = random.Random(number)
        bars = busy_market(number)
        options = random_options(rng, bars.symbols)
        options["fills"] = FillModel(options["fills"].volume_cap, delay=rng.choice([0, 0, 1, 3]))
        weights = random_weights(np.random.default_rng(number), bars.T, bars.N)
        strategy: Strategy = scripted(weights)
        if number % 4 == 2:
            strategy = scripted(np.round(weights * 300), target="units")
        elif number % 4 == 3:
            strategy = RandomOrders(number)
        made += compare(strategy, bars, options)
    assert made > 200


def test_an_order_whose_rest_nobody_wants_any_more() -> None:
    """The target becomes what the order has bought so far: it ends, and no order comes after it."""
    bars = random_market(12, 1, 5, gaps=0.0, volume=1e5, sigma=0.01)
    units = np.full((12, 1), np.nan)
    units[2], units[3], units[6], units[7] = 500.0, 62.0, 400.0, 133.0
    options = {"fills": FillModel(0.001), "allocation": Allocation(gross=1.0)}
    assert compare(scripted(units, target="units"), bars, options) == 2
    result = backtest(scripted(units, target="units"), bars, mode="python", **options)
    assert [STATUSES[status] for status in result.log("orders")["status"]] == ["replaced", "replaced"]


@pytest.mark.parametrize("name", SHIPPED)
def test_every_shipped_strategy(name: str) -> None:
    rng = random.Random(name)
    made = 0
    for number in range(4):
        bars = busy_market(100 + number, 300)
        made += compare(shipped(name, rng), bars, random_options(rng, bars.symbols))
    assert made > 0


@pytest.mark.parametrize("item", EXITS, ids=lambda item: type(item).__name__)
def test_every_exit(item: Any) -> None:
    bars = busy_market(7, 300)
    weights = random_weights(np.random.default_rng(7), bars.T, bars.N)
    for fills in (FillModel(), FillModel(0.001)):  # the second fills in parts
        assert compare(scripted(weights), bars, {"exits": (item,), "fills": fills}) > 20


@pytest.mark.parametrize("limits", LIMITS, ids=range(len(LIMITS)))
def test_every_limit(limits: RiskLimits) -> None:
    bars = busy_market(8, 300)
    weights = random_weights(np.random.default_rng(8), bars.T, bars.N)
    whole = Allocation(gross=1.0)
    assert compare(scripted(weights), bars, {"risk": limits, "allocation": whole}) > 10
    assert compare(RandomOrders(8), bars, {"risk": limits, "allocation": whole}) > 10


@dataclass(frozen=True)
class UntilTired(Strategy):
    """Reads all that it holds."""

    def decide(self, now: Any, held: Any) -> Any:
        tired = (held.age > 8) | (now.close < 0.95 * held.peak) | (held.weight > 0.5)
        return np.where(tired | (held.cash < 0.2 * held.equity), 0.0, 0.4)


@dataclass(frozen=True)
class EachByItself(Strategy):
    """Plain numbers of one symbol."""

    @per_symbol
    def decide(self, now: Any, held: Any) -> float:
        if held.quantity != 0.0 and now.close < 0.98 * held.entry:
            return 0.0
        return 0.3 if now.close > now.open else float("nan")


@dataclass(frozen=True)
class BracketEach(OrderStrategy):
    """A bracket for every symbol that is flat."""

    @per_symbol
    def decide(self, now: Any, held: Any) -> Any:
        if held.quantity != 0.0 or now.close != now.close:
            return None
        return orders.limit(
            10, now.close * 0.995, take_profit=now.close * 1.02, stop_loss=now.close * 0.98, day=1
        )


@pytest.mark.parametrize(
    "strategy", [UntilTired(), EachByItself(), BracketEach()], ids=lambda s: type(s).__name__
)
def test_rules_that_read_what_they_hold(strategy: Strategy) -> None:
    for number in range(4):
        assert compare(strategy, busy_market(20 + number), {"allocation": Allocation(gross=0.9)}) > 5


@pytest.mark.parametrize("rows", [60, 61, 100])
def test_the_size_of_the_window_does_not_matter_once_it_holds_what_rules_read(rows: int) -> None:
    bars = busy_market(5, 400)
    weights = random_weights(np.random.default_rng(5), bars.T, bars.N)
    options = {"risk": RiskLimits(correlation=0.5, correlation_bars=60)}
    assert_same(backtest(scripted(weights), bars, **options), *trade(scripted(weights), bars, options, rows))


@pytest.mark.parametrize("number", range(8))
def test_an_account_made_anew_from_its_state_goes_on_as_if_nothing_had_been(number: int) -> None:
    rng = random.Random(number)
    bars = busy_market(number)
    options = random_options(rng, bars.symbols)
    weights = random_weights(np.random.default_rng(number), bars.T, bars.N)
    strategy: Strategy = RandomOrders(number) if number % 2 else scripted(weights)
    result = backtest(strategy, bars, mode="python", **options)
    assert_same(result, *trade(strategy, bars, options, restart=3))
