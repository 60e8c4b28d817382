"""`backtest_many` is `backtest`, run after run: the same metrics bit for bit, the same refusals."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from gpt_trader import (
    Allocation,
    AtrStop,
    Bars,
    ScaleOut,
    StopLoss,
    Strategy,
    TakeProfit,
    TimeStop,
    per_symbol,
)
from gpt_trader.batch import backtest_many
from gpt_trader.batch_workers import BatchSettings, WorkerBuffer
from gpt_trader.engine.metric_definitions import METRIC_NAMES
from gpt_trader.engine.run_setup import Settings
from gpt_trader.errors import BadParameter, StrategyError, UnknownName
from gpt_trader.performance_tuning import STANDARD, Tuning
from tests.markets import random_market
from tests.properties.truth_cases import random_options, random_weights, run

BARS = random_market(150, 3, 1, splits=True, dividends=True, gaps=0.02, sigma=0.02)
DECLARED: list[Any] = [
    (),
    (StopLoss(0.04),),
    [StopLoss(0.04), TakeProfit(0.06)],
    (AtrStop(2.0, 5),),
    (AtrStop(3.0, 9), TimeStop(6)),
    (ScaleOut(([0.02, 0.3], [0.05, 0.5])),),  # type: ignore[arg-type]
]


def strategy_of(decide: Any, **body: Any) -> Strategy:
    found: Strategy = type("Given", (Strategy,), {"decide": decide} | body)()
    return found


def long_when_it_rose(self: Any, now: Any) -> Any:
    return np.where(now.close > now.open, 0.3, 0.0)


def random_strategy(rng: random.Random, bars: Bars) -> Strategy:
    """Weights or units, with or without ranks and exits of its own, stateless or bar by bar, in any type of array."""
    units = rng.random() < 0.25
    table = random_weights(np.random.default_rng(rng.randrange(10**6)), bars.T, bars.N)
    table = np.round(table * 200.0) if units else table
    features: dict[str, Any] = {"wanted": table}
    if rng.random() < 0.3:
        features["score"] = rng.choice([bars.volume, -bars.close, bars.close[:, 0], bars.close > 100.0])
    how = rng.choice(["array", "array", "array", "narrow", "fortran", "held", "per symbol"])

    def stateless(self: Any, now: Any) -> Any:
        if how == "narrow":
            return now.wanted.astype(np.float32)
        return np.asfortranarray(now.wanted) if how == "fortran" else now.wanted

    def with_held(self: Any, now: Any, held: Any) -> Any:
        return np.where(held.age > 9, 0.0, now.wanted)

    @per_symbol
    def one_symbol(self: Any, now: Any) -> Any:
        return now.wanted

    decide = {"held": with_held, "per symbol": one_symbol}.get(how, stateless)
    return strategy_of(
        decide, features=lambda *_: features, exits=rng.choice(DECLARED),
        target_kind="units" if units else "weight",
    )  # fmt: skip


def assert_same(strategies: list[Strategy], bars: Bars, *, tuning: Tuning = STANDARD, **options: Any) -> int:
    """Metrics of both ways, bit for bit; returns the number of round trips."""
    scores = backtest_many(iter(strategies), bars, tuning=tuning, **options)
    trips = 0
    for k, strategy in enumerate(strategies):
        metrics = run(strategy, bars, benchmark=False, **options).metrics
        np.testing.assert_array_equal(scores.values[k], [metrics[name] for name in METRIC_NAMES])
        trips += int(metrics["round_trips"])
    return trips


@pytest.mark.parametrize("number", range(12))
def test_a_mixed_batch_gives_what_backtest_gives(number: int) -> None:
    """Chunks of a few runs, few kept markets, small first logs: every border inside the batch is crossed."""
    rng = random.Random(number)
    bars = random_market(150, 3, number, splits=True, dividends=True, gaps=0.02, sigma=0.02)
    chunk, markets, orders = (
        rng.choice(some) for some in ([1, 3 * bars.T * bars.N, 2**19], [1, 2, 16], [64, 512])
    )
    tuning = Tuning(chunk=chunk, markets=markets, orders=orders)
    options = random_options(rng, bars.symbols)
    del options["benchmark"]
    if options["allocation"].regime is None and rng.random() < 0.4:
        options["index"] = Bars(("INDEX",), bars.time, random_market(bars.T, 1, number + 50).panel)
        options["allocation"] = Allocation(regime="INDEX", regime_window=10, gross=1.0)
    kinds = [random_strategy(rng, bars) for _ in range(8)]
    strategies = [rng.choice(kinds) for _ in range(20)]
    assert assert_same(strategies, bars, tuning=tuning, **options) > 5


def test_the_tuning_cuts_the_batch_and_sizes_the_logs() -> None:
    bars = random_market(150, 3, 1)
    tuning = Tuning(chunk=7 * 150 * 3 + 1, orders=64)
    buffer = WorkerBuffer(BatchSettings(bars, Settings(), 0, np.zeros(1, np.int64), tuning))
    assert (buffer.targets.shape, buffer.book.orders.size) == ((7, 150, 3), 64)


def test_the_same_list_twice_and_backwards_gives_the_same_rows() -> None:
    rng = random.Random(5)
    strategies = [random_strategy(rng, BARS) for _ in range(10)]
    once, twice = backtest_many(strategies, BARS).values, backtest_many(strategies * 2, BARS).values
    np.testing.assert_array_equal(twice, np.concatenate([once, once]))
    np.testing.assert_array_equal(backtest_many(strategies[::-1], BARS).values, once[::-1])


@pytest.mark.parametrize("candidate", [Strategy, lambda _: 1.0, None])
def test_no_strategy_is_refused_as_backtest_refuses_it(candidate: Any) -> None:
    with pytest.raises(BadParameter, match=r"backtest_many needs a"):
        backtest_many([strategy_of(long_when_it_rose), candidate], BARS)


@pytest.mark.parametrize(
    "answer",
    [
        lambda _, now: np.where(now.close > 1e9, np.nan, np.inf), lambda *_: -np.inf, lambda *_: None,
        lambda *_: "long", lambda _, now: np.full(now.close.shape[0], 0.1), lambda _, now: now.close[:, :2],
        lambda _, now: now.colse, lambda *_: 1 // 0,
    ],
)  # fmt: skip
def test_a_wrong_answer_in_the_middle_is_refused_with_the_same_words(answer: Any) -> None:
    good, bad = strategy_of(long_when_it_rose), strategy_of(answer)
    with pytest.raises((StrategyError, UnknownName)) as alone:
        run(bad, BARS)
    with pytest.raises((StrategyError, UnknownName)) as batch:
        backtest_many([good, good, bad, good], BARS)
    assert str(alone.value) == str(batch.value)
    assert type(alone.value) is type(batch.value)


def test_an_error_of_the_iterable_comes_out_as_it_is() -> None:
    def broken() -> Iterator[Strategy]:
        yield strategy_of(long_when_it_rose)
        raise LookupError("no more")

    with pytest.raises(LookupError, match="no more"):
        backtest_many(broken(), BARS)
    assert len(backtest_many([strategy_of(long_when_it_rose)], BARS).values) == 1


# -- declarations that are none, alike in both ------------------------------------------------------------------------


def many(strategy: Strategy, **options: Any) -> Any:
    return backtest_many([strategy], BARS, **options)


def single(strategy: Strategy, **options: Any) -> Any:
    return run(strategy, BARS, **options)


@pytest.mark.parametrize("way", [single, many])
@pytest.mark.parametrize("exits", [StopLoss(0.05), (StopLoss,), ("stop",), None, 0.05])
def test_exits_that_are_none_are_refused(way: Any, exits: Any) -> None:
    """They would otherwise be ignored, and the run would go unprotected."""
    with pytest.raises(BadParameter, match="exits"):
        way(strategy_of(long_when_it_rose, exits=exits))
    with pytest.raises(BadParameter, match="exits"):
        way(strategy_of(long_when_it_rose), exits=exits)


@pytest.mark.parametrize("steps", [(0.05, 0.5), 0.05, ((0.05, 0.5, 1),)])
def test_scale_out_steps_that_are_no_pairs_are_refused(steps: Any) -> None:
    with pytest.raises(BadParameter, match="pairs"):
        ScaleOut(steps)


@pytest.mark.parametrize("way", [single, many])
def test_other_declarations_that_are_none_are_refused(way: Any) -> None:
    def broken(self: Any) -> Any:
        raise RuntimeError("boom")

    with pytest.raises(UnknownName, match="units"):
        way(strategy_of(long_when_it_rose, target_kind="unit"))
    with pytest.raises(StrategyError, match=r"declared_exits raised RuntimeError: boom"):
        way(strategy_of(long_when_it_rose, declared_exits=broken))
    names = np.full((BARS.T, BARS.N), "A")
    with pytest.raises(StrategyError, match="score"):
        way(strategy_of(long_when_it_rose, features=lambda *_: {"score": names}))
