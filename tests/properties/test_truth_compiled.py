"""Rules that run bar by bar give the same bytes in Python and as machine code: with `held`, per symbol, and with orders.

The engine chooses the way by the amount of data, so a difference would make a result depend on its length. (The rules keep to
arithmetic that NumPy and LLVM round alike; `exp`, `log`, powers and means may differ in the last digit.) Each class below is
compiled once (some five seconds); the rules read everything that `now` and `held` offer, and decide by random features.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from gpt_trader import (
    AtrStop,
    Bars,
    FillModel,
    OrderRequest,
    OrderStrategy,
    RiskLimits,
    ScaleOut,
    StopLoss,
    Strategy,
    TakeProfit,
    TimeStop,
    param,
    per_symbol,
    ta,
)
from gpt_trader.errors import StrategyError
from gpt_trader.orders import cancel, limit, market, nothing, stop, stop_limit, trailing_stop
from tests.markets import random_market
from tests.properties.truth_cases import NAN, random_options, run

TABLES = ("orders", "fills", "trades", "decisions")
EXITS: Any = [
    (),
    (StopLoss(0.06),),
    (AtrStop(2.0, 5), TakeProfit(0.08)),
    (ScaleOut(((0.02, 0.3),)), TimeStop(9)),
]


def noise(bars: Bars, seed: int, shape: tuple[int, ...]) -> Any:
    return np.random.default_rng(seed).random(shape)


def same_in_both(strategy: Strategy, bars: Bars, **options: Any) -> int:
    """Runs both ways and compares every log and the account curves, bit by bit; returns how many fills there were."""
    python = run(strategy, bars, mode="python", **options)
    compiled = run(strategy, bars, mode="compiled", **options)
    assert (python.outcome.mode, compiled.outcome.mode) == ("python", "compiled")
    for name in TABLES:
        mine, theirs = python.log(name), compiled.log(name)
        assert mine.size == theirs.size, name
        for column in mine.dtype.names:
            assert mine[column].tobytes() == theirs[column].tobytes(), (name, column)
    assert python.account_curves.tobytes() == compiled.account_curves.tobytes()
    return len(python.fills)


def case(number: int, symbols: int) -> tuple[Bars, dict[str, Any]]:
    rng = random.Random(number)
    bars = random_market(200, symbols, number, splits=True, dividends=True, gaps=0.02, sigma=0.02)
    if symbols == 3 and number % 3 == 0:
        bars = Bars(bars.symbols, bars.time, bars.panel, delisted=(None, None, str(bars.time[150])[:10]))
    options = random_options(rng, bars.symbols) | {"exits": rng.choice(EXITS)}
    return bars, options


# -- weights with held ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Follow(Strategy):
    """Long while the fast mean leads and the fall from the peak is small; smaller when old, short of cash or in profit."""

    trail: float = param(0.04, low=0.0, high=1.0)
    fault: int = param(0, low=0, high=3)

    def features(self, bars: Bars) -> Any:
        return {
            "fast": ta.sma(bars.close, 3),
            "slow": ta.sma(bars.close, 10),
            "row": np.arange(bars.T, dtype=float),
            "flag": bars.close > ta.sma(bars.close, 5),
        }

    def decide(self, now: Any, held: Any) -> Any:
        if now.row[0] == 10.0 and self.fault == 1:
            return np.full(now.close.size, np.inf)
        if now.row[0] == 10.0 and self.fault == 2:
            raise ValueError("boom")
        if now.row[0] == 10.0 and self.fault == 3:
            return np.full(now.close.size, now.close[now.close.size + 5])
        stopped = now.close < held.peak * (1.0 - self.trail)
        wanted = np.where((now.fast > now.slow) & ~stopped, 0.3, np.where(now.flag, np.nan, -0.1))
        older = np.where(held.age > 8, 0.5, 1.0) * np.where(held.weight > 0.28, 0.9, 1.0)
        profit = np.where(now.close > held.entry * 1.05, 0.8, 1.0) * np.where(held.quantity < 0, 0.7, 1.0)
        rich = 1.0 if held.cash > 0.5 * held.equity else 0.95
        return wanted * older * profit * rich


def test_a_rule_with_held_gives_the_same_bytes() -> None:
    fills = 0
    for number in range(10):
        bars, options = case(number, 3)
        fills += same_in_both(Follow(0.02 + 0.01 * (number % 3)), bars, **options)
    assert fills > 200


@pytest.mark.parametrize("fault", [1, 2, 3])
def test_a_rule_with_held_fails_alike(fault: int) -> None:
    """Infinity, an error, an index beyond the symbols: never a run on foreign memory."""
    bars, options = case(1, 3)
    for mode in ("python", "compiled"):
        with pytest.raises(StrategyError, match=r"(?i)follow"):
            run(Follow(fault=fault), bars, mode=mode, **options)


# -- orders -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class ScalarOrders(OrderStrategy):
    """One symbol, plain numbers: places every kind of order by random features, with brackets and cancellations."""

    seed: int = 0
    rest: float = 1.0

    def features(self, bars: Bars) -> Any:
        return {
            "what": noise(bars, self.seed, bars.close.shape) * self.rest,
            "how": noise(bars, self.seed + 1, bars.close.shape),
        }

    @per_symbol
    def decide(self, now: Any, held: Any) -> Any:
        size = 50.0 if now.how < 0.7 else -50.0
        side = 1.0 if size > 0.0 else -1.0
        if np.isnan(now.close) or now.what > 0.4:
            return nothing()
        if held.quantity > 0.0 and now.close > held.entry * 1.03:
            return limit(-held.quantity, now.close * 1.005, NAN, NAN, 1)
        if held.quantity > 0.0 and held.age > 12.0 and now.close < held.peak * 0.97:
            return market(-held.quantity)
        if held.cash < 0.2 * held.equity or held.weight > 0.5:
            return cancel()
        if now.what < 0.08:
            return market(size, now.close * (1.0 + 0.04 * side), now.close * (1.0 - 0.04 * side))
        if now.what < 0.16:
            return limit(size, now.close * (1.0 - 0.01 * side), now.close * (1.0 + 0.05 * side))
        if now.what < 0.24:
            return stop(size, now.close * (1.0 + 0.01 * side), NAN, now.close * (1.0 - 0.05 * side))
        if now.what < 0.32:
            return stop_limit(size, now.close * (1.0 + 0.01 * side), now.close * (1.0 + 0.015 * side))
        return trailing_stop(-held.quantity if held.quantity != 0.0 else size, 0.04)


@dataclass(frozen=True)
class VectorOrders(OrderStrategy):
    """Three symbols: a list of orders per bar, some of it nothing."""

    seed: int = 0

    def features(self, bars: Bars) -> Any:
        return {
            "what": noise(bars, self.seed, bars.close.shape),
            "how": noise(bars, self.seed + 1, (bars.T, 1)),
        }

    def decide(self, now: Any, held: Any) -> Any:
        found = [nothing()]
        for n in range(now.close.size):
            close, what = now.close[n], now.what[n]
            if np.isnan(close) or what > 0.2:
                continue
            size = 40.0 if now.how[0] < 0.7 else -40.0
            if held.quantity[n] != 0.0 and what < 0.05:
                found.append(market(-held.quantity[n], symbol=n))
            elif what < 0.1:
                found.append(limit(size, close * 0.99, close * 1.05, close * 0.95, symbol=n))
            elif what < 0.15:
                found.append(stop(size, close * 1.01, symbol=n))
            else:
                found.append(market(size, close * 1.04, close * 0.96, symbol=n))
        return found


@pytest.mark.parametrize(("kind", "symbols"), [(ScalarOrders, 1), (VectorOrders, 3)])
def test_orders_give_the_same_bytes(kind: Any, symbols: int) -> None:
    """Each of the two ways decides for itself in which bars nothing can happen to an order."""
    fills = 0
    for number in range(10):
        bars, options = case(number, symbols)
        options["fills"] = FillModel(random.Random(number).choice([None, 1e-4]))
        fills += same_in_both(kind(number), bars, **options)
    assert fills > 200


@pytest.mark.parametrize("mode", ["python", "compiled"])
@pytest.mark.parametrize("rest", [1.0, 15.0])
def test_skipped_bars_change_nothing(mode: str, rest: float) -> None:
    """With risk limits, even if none is set, every step runs on every bar; the tables and the account curves are the same bytes."""
    everything_off = RiskLimits.profile("custom")
    fills = 0
    for number in range(6):
        bars, options = case(number, 1)
        options |= {"exits": (), "risk": None}
        quick = run(ScalarOrders(number, rest), bars, mode=mode, **options)
        thorough = run(ScalarOrders(number, rest), bars, mode=mode, **options | {"risk": everything_off})
        for name in TABLES:
            assert quick.log(name).tobytes() == thorough.log(name).tobytes(), name
        assert quick.account_curves.tobytes() == thorough.account_curves.tobytes()
        fills += len(quick.fills)
    assert fills > 20


def test_an_order_request_is_what_its_constructor_says() -> None:
    """The types that numba unifies: every constructor gives the same tuple of floats and integers."""
    made = [
        market(1), limit(1, 2), stop(1, 2), stop_limit(1, 2, 3), trailing_stop(1, 0.1),
        cancel(), nothing(),
    ]  # fmt: skip
    kinds = [tuple(type(value) for value in request) for request in made]
    assert set(kinds) == {(int, float, float, float, float, float, float, int, int)}
    assert all(isinstance(request, OrderRequest) for request in made)
