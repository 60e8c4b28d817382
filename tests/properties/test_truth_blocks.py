"""Block sums of a batch against NumPy on the equity of single runs, and batches that go on past runs that fail."""

from __future__ import annotations

import random
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from gpt_trader import Allocation, Bars, OrderStrategy, Strategy, orders, param
from gpt_trader.batch import BatchResult, backtest_many, score_runs
from gpt_trader.engine.metric_definitions import METRIC_NAMES
from gpt_trader.engine.run_setup import Settings
from gpt_trader.engine.simulation import chosen_mode
from gpt_trader.errors import BadParameter, StrategyError, UnknownName
from gpt_trader.performance_tuning import Tuning
from tests.markets import random_market
from tests.properties.truth_cases import (
    ALL_IN,
    FREE,
    UNCAPPED,
    market,
    random_options,
    random_weights,
    run,
    scripted,
)

BARS = random_market(200, 2, 4, sigma=0.02)


@dataclass(frozen=True)
class Noise(Strategy):
    """Random weights of a seed; `fault` says what goes wrong with it."""

    seed: int = param(1)
    fault: str = param("")

    def validate(self) -> None:
        if self.fault == "construction":
            raise BadParameter("never built")

    def features(self, bars: Bars) -> Any:
        if self.fault == "features":
            raise BadParameter(f"seed {self.seed} has no features")
        if self.fault == "shape":
            return {"wanted": np.zeros(3)}
        return {"wanted": random_weights(np.random.default_rng(self.seed), bars.T, bars.N)}

    def decide(self, now: Any) -> Any:
        if self.fault == "zero":
            return 1 // 0
        if self.fault == "name":
            return now.wnated
        return np.where(now.wanted > 0.9, np.inf, now.wanted) if self.fault == "infinite" else now.wanted

    def declared_exits(self) -> Any:
        return (1,) if self.fault == "exits" else ()


@dataclass(frozen=True)
class HeldNoise(Noise):
    """The same, bar by bar."""

    def decide(self, now: Any, held: Any) -> Any:  # type: ignore[override]
        limit = np.inf if self.fault == "infinite" else 0.0
        return np.where(held.age > 5.0, limit, now.wanted)


@dataclass(frozen=True)
class Ladder(OrderStrategy):
    """A limit order below the close while flat, a market order out of it after some bars."""

    step: float = param(0.01)

    def decide(self, now: Any, held: Any) -> Any:
        if held.quantity[0] == 0.0:
            return orders.limit(100.0, now.close[0] * (1.0 - self.step), day=1)
        return orders.market(-held.quantity[0]) if held.age[0] > 4.0 else orders.nothing()


def expected_sums(
    equity: NDArray[np.float64], capital: float, first: int, edges: NDArray[Any]
) -> NDArray[np.float64]:
    """(2, B) by the definition: simple returns, none after the first bar at or below zero."""
    returns = np.zeros(edges[-1])
    before = capital
    for row, value in enumerate(equity, first):
        if before <= 0.0:
            break
        if row < returns.size:
            returns[row] = value / before - 1.0
        before = value
    parts = [returns[a:b] for a, b in pairwise(edges)]
    return np.array([[part.sum() for part in parts], [(part * part).sum() for part in parts]])


def assert_sums(
    scores: BatchResult, strategies: list[Strategy], bars: Bars, first: int, edges: Any, **options: Any
) -> None:
    assert scores.sums.shape == (len(strategies), 2, len(edges) - 1)
    for row, values, strategy in zip(scores.sums, scores.values, strategies, strict=True):
        single = run(strategy, bars, first=first, **options)
        np.testing.assert_array_equal(values, [single.metrics[name] for name in METRIC_NAMES])
        expected = expected_sums(single.account_curves[0], single.settings.capital, first, np.asarray(edges))
        np.testing.assert_allclose(row, expected, rtol=1e-11, atol=1e-13)


@pytest.mark.parametrize("number", range(8))
def test_the_sums_of_each_block_are_those_of_the_equity_of_the_run(number: int) -> None:
    """Stateless, held, with exits, filters, limits and costs; blocks of any length, empty ones too."""
    rng = random.Random(number)
    options = random_options(rng, BARS.symbols)
    del options["benchmark"]
    first = rng.choice([0, 0, 60])
    edges = np.sort(np.random.default_rng(number).integers(first, BARS.T + 1, rng.choice([2, 9, 33])))
    if number == 0:
        edges[0], edges[-1] = 0, BARS.T
    strategies: list[Strategy] = [Noise(seed) for seed in range(5)] + [HeldNoise(seed) for seed in range(3)]
    rng.shuffle(strategies)
    scores = backtest_many(strategies, BARS, first=first, edges=edges, **options)
    assert_sums(scores, strategies, BARS, first, edges, **options)


@pytest.mark.parametrize("kind", [HeldNoise, Ladder])
def test_rules_that_run_as_machine_code_have_the_same_sums(
    kind: Any,
) -> None:
    """The batch compiles what it calls often; below that many calls it runs in Python."""
    bars = BARS.select(["S0"])
    edges = np.arange(10, 201, 19)
    strategies = (
        [HeldNoise(seed) for seed in range(4)]
        if kind is HeldNoise
        else [Ladder(step / 100) for step in range(4)]
    )
    slow = backtest_many(strategies, bars, first=10, edges=edges)
    assert np.abs(slow.sums).sum() > 0.0
    at_once = Tuning(compile_from=0, orders_compile_from=0)
    quick = backtest_many(strategies, bars, first=10, edges=edges, tuning=at_once)
    assert chosen_mode(strategies[0], bars, tuning=at_once) == "compiled"
    assert quick.sums.tobytes() == slow.sums.tobytes()
    assert quick.values.tobytes() == slow.values.tobytes()
    assert_sums(quick, strategies, bars, 10, edges, costs=None, fills=None, allocation=None)


def test_a_sharpe_over_any_blocks_follows_from_the_sums() -> None:
    edges = np.array([0, 50, 90, 200])
    scores = backtest_many([Noise(3)], BARS, edges=edges)
    first, second = scores.sums[0].sum(axis=1)
    mean = first / 200
    deviation = np.sqrt((second - 200 * mean * mean) / 199)
    per_year = scores["periods_per_year"][0]
    assert mean / deviation * np.sqrt(per_year) == pytest.approx(scores["sharpe"][0], rel=1e-9)


def test_after_the_ruin_there_is_no_return() -> None:
    """The bar of the ruin has its loss; whatever the account does later adds nothing."""
    bars = market(
        [(100.0, 100.0, 100.0, 100.0)] * 3
        + [(100.0, 400.0, 100.0, 400.0)]
        + [(400.0, 800.0, 400.0, 500.0 + t) for t in range(6)]
    )
    options: dict[str, Any] = {"costs": FREE, "fills": UNCAPPED, "allocation": ALL_IN}
    scores = backtest_many([scripted([-1.0] * 10)], bars, edges=np.array([0, 3, 4, 10]), **options)
    ruined = run(scripted([-1.0] * 10), bars)
    loss = ruined.account_curves[0, 3] / 100_000.0 - 1.0
    assert loss <= -1.0
    np.testing.assert_allclose(scores.sums[0], [[0.0, loss, 0.0], [0.0, loss * loss, 0.0]])


def test_without_edges_there_are_no_sums() -> None:
    assert backtest_many([Noise(1), HeldNoise(1)], BARS).sums.shape == (2, 2, 0)
    assert backtest_many([], BARS, edges=np.array([0, 5, 9])).sums.shape == (0, 2, 2)


@pytest.mark.parametrize(
    "edges",
    [[5, 4, 9], [0, 201], [4, 20], [-1, 5], [7], [[5, 9]], [5.0, 9.0], ["5", "9"], 7, [True, False]],
)  # fmt: skip
def test_edges_that_are_no_rows_in_order_are_refused(edges: Any) -> None:
    with pytest.raises(BadParameter, match=r"edges"):
        backtest_many([Noise(1)], BARS, first=5, edges=edges)


FAULTS: list[tuple[type[Noise], str]] = [
    (Noise, "features"), (Noise, "shape"), (Noise, "zero"), (Noise, "name"), (Noise, "infinite"), (Noise, "exits"),
    (HeldNoise, "features"), (HeldNoise, "shape"), (HeldNoise, "infinite"), (HeldNoise, "exits"),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "fault"), FAULTS)
def test_a_run_that_fails_is_a_row_without_numbers_and_the_others_do_not_change(
    kind: Any, fault: str
) -> None:
    edges = np.array([0, 70, 200])
    good: list[Strategy] = [Noise(1), Noise(2), HeldNoise(3)]
    bad = kind(5, fault)
    alone = backtest_many(good, BARS, edges=edges)
    mixed = backtest_many([bad, good[0], good[1], bad, bad, good[2], bad], BARS, edges=edges, keep_going=True)
    rows = [1, 2, 5]
    assert mixed.values[rows].tobytes() == alone.values.tobytes()
    assert mixed.sums[rows].tobytes() == alone.sums.tobytes()
    failed = [0, 3, 4, 6]
    assert np.isnan(mixed.values[failed]).all()
    assert np.isnan(mixed.sums[failed]).all()
    with pytest.raises((StrategyError, BadParameter, UnknownName)) as single:
        run(bad, BARS, costs=None, fills=None, allocation=None)
    assert mixed.errors == dict.fromkeys(failed, str(single.value))
    with pytest.raises(type(single.value)) as stopped:
        backtest_many([good[0], bad, good[1]], BARS)
    assert str(stopped.value) == str(single.value)


@pytest.mark.parametrize("runs", [1, 3, 64])
def test_infinite_weights_at_every_place_of_a_chunk(runs: int) -> None:
    """Full chunks, chunks that end with a failure, chunks of nothing but failures, and logs that have to grow meanwhile."""
    tuning = Tuning(chunk=runs * BARS.T * BARS.N, orders=64)
    rng = random.Random(runs)
    strategies = [Noise(seed, rng.choice(["", "", "infinite"])) for seed in range(30)]
    scores = backtest_many(strategies, BARS, keep_going=True, tuning=tuning)
    for number, strategy in enumerate(strategies):
        assert (number in scores.errors) == (strategy.fault == "infinite")
        alone = backtest_many([Noise(strategy.seed)], BARS)
        row = np.full_like(alone.values[0], np.nan) if strategy.fault else alone.values[0]
        np.testing.assert_array_equal(scores.values[number], row)
    assert list(scores.errors) == sorted(scores.errors)


def test_what_is_wrong_with_every_run_is_no_failure_of_one() -> None:
    wrong: list[dict[str, Any]] = [
        {"allocation": Allocation(regime="NONE")},
        {"capital": -1.0},
        {"exits": [3]},
    ]
    for options in wrong:
        with pytest.raises((UnknownName, BadParameter)):
            backtest_many([Noise(1)], BARS, keep_going=True, **options)
    with pytest.raises(BadParameter, match=r"needs a Strategy"):
        backtest_many([Noise(1), None], BARS, keep_going=True)  # type: ignore[list-item]


def test_with_settings_it_is_the_same() -> None:
    options: dict[str, Any] = {"capital": 5_000.0, "costs": FREE, "allocation": ALL_IN}
    one = backtest_many(
        [Noise(1), Noise(2, "zero")], BARS, first=3, edges=np.array([3, 9]), keep_going=True, **options
    )
    two = score_runs(
        [Noise(1), Noise(2, "zero")],
        BARS,
        Settings(**options),
        first=3,
        edges=np.array([3, 9]),
        keep_going=True,
    )
    assert one.values.tobytes() == two.values.tobytes()
    assert one.sums.tobytes() == two.sums.tobytes()
    assert one.errors == two.errors
