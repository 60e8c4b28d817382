"""A batch on several threads: the same bytes as on one, the same error first, and no thread left behind."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from gpt_trader import Strategy, param, per_symbol
from gpt_trader.batch import backtest_many
from gpt_trader.batch_workers import THREADS, thread_count
from gpt_trader.errors import BadParameter, StrategyError
from gpt_trader.indicators import sma
from gpt_trader.performance_tuning import Tuning
from gpt_trader.strategies import load_strategy
from tests.markets import random_market
from tests.properties.noise_rules import Looks, LooksAtOne, T, Table
from tests.properties.truth_cases import random_options

BARS = random_market(T, 3, 4, sigma=0.02, gaps=0.01)
EDGES = np.arange(0, T + 1, 16)
COMPILED = Tuning(compile_from=1)


@dataclass(frozen=True)
class Faulty(Table):
    """Infinite weights, or none at all."""

    fault: str = param("infinite")

    def decide(self, now: Any) -> Any:
        return np.where(now.wanted > 0.9, np.inf, now.wanted) if self.fault == "infinite" else None


@pytest.mark.parametrize("threads", [2, 3, 4])
@pytest.mark.parametrize("number", range(4))
def test_the_number_of_threads_changes_no_bit(threads: int, number: int) -> None:
    """Small chunks, logs that grow, ranks of their own, exits, filters, delays; runs that fail among the others."""
    rng = random.Random(number)
    options = random_options(rng, BARS.symbols)
    options["tuning"] = Tuning(chunk=2 * BARS.T * BARS.N, orders=64)
    del options["benchmark"]
    kinds: list[Any] = [Table, Table, Table, Faulty, Looks]
    strategies = [rng.choice(kinds)(seed=rng.randrange(40)) for _ in range(60)]
    strategies += [load_strategy("demo_ma")(fast=fast, slow=20) for fast in range(2, 12)]
    one = backtest_many(strategies, BARS, edges=EDGES, keep_going=True, threads=1, **options)
    for _ in range(3):
        many = backtest_many(iter(strategies), BARS, edges=EDGES, keep_going=True, threads=threads, **options)
        assert many.values.tobytes() == one.values.tobytes()
        assert many.sums.tobytes() == one.sums.tobytes()
        assert many.errors == one.errors


def test_compiled_rules_run_on_several_threads_as_on_one() -> None:
    strategies: list[Strategy] = [
        Looks(seed=seed) if seed % 3 else LooksAtOne(seed=seed) for seed in range(40)
    ]
    one = backtest_many(strategies, BARS, edges=EDGES, threads=1, tuning=COMPILED)
    many = backtest_many(strategies, BARS, edges=EDGES, threads=3, tuning=COMPILED)
    assert many.values.tobytes() == one.values.tobytes()
    assert many.sums.tobytes() == one.sums.tobytes()
    assert (one["round_trips"] > 0).sum() > 30


@dataclass(frozen=True)
class Divides(Strategy):
    """Fails as machine code and in Python for k = 0; asks for an indicator while it decides."""

    k: int = param(1)

    @per_symbol
    def decide(self, now: Any, held: Any) -> Any:
        return 0.1 * (7 // self.k) * (held.age < 3.0)


def test_a_compiled_rule_that_raises_fails_alone_on_any_thread() -> None:
    strategies = [Divides(k % 5) for k in range(25)]
    one = backtest_many(strategies, BARS, keep_going=True, threads=1, tuning=COMPILED)
    many = backtest_many(strategies, BARS, keep_going=True, threads=2, tuning=COMPILED)
    assert sorted(one.errors) == [0, 5, 10, 15, 20]
    assert many.errors == one.errors
    assert many.values.tobytes() == one.values.tobytes()


@pytest.mark.parametrize("threads", [1, 2, 4])
@pytest.mark.parametrize("first", [3, 17])
def test_the_error_is_that_of_the_first_run_that_fails(threads: int, first: int) -> None:
    """An infinite weight is seen when its chunk is scored, a wrong answer at once: the earlier run counts all the same."""
    tuning = Tuning(chunk=4 * BARS.T * BARS.N)
    strategies: list[Strategy] = [Table(seed=seed) for seed in range(40)]
    strategies[first], strategies[first + 1] = Faulty(seed=7), Faulty(seed=7, fault="none")
    with pytest.raises(StrategyError, match=r"an infinite weight"):
        backtest_many(strategies, BARS, threads=threads, tuning=tuning)
    strategies[first], strategies[first + 1] = strategies[first + 1], strategies[first]
    with pytest.raises(StrategyError, match=r"decide returned NoneType"):
        backtest_many(strategies, BARS, threads=threads, tuning=tuning)


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_an_interrupt_ends_the_threads(error: type[BaseException]) -> None:
    def interrupted() -> Iterator[Strategy]:
        for seed in range(200):
            yield Table(seed=seed)
        raise error

    before = threading.active_count()
    with pytest.raises(error):
        backtest_many(interrupted(), BARS, threads=3)
    assert threading.active_count() == before


def test_an_indicator_on_another_thread_does_not_touch_the_memo() -> None:
    from gpt_trader.indicator_memo import memo

    found: list[Any] = []
    with memo() as store:
        expected = sma(BARS.close, 5)
        thread = threading.Thread(target=lambda: found.append(sma(BARS.close, 5)))
        thread.start()
        thread.join()
        assert sma(BARS.close, 5) is expected
    assert (store.hits, store.misses, store.bypassed) == (1, 1, 1)
    np.testing.assert_array_equal(found[0], expected)


def test_how_many_threads_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(THREADS, raising=False)
    assert 1 <= thread_count(None) <= 4
    monkeypatch.setenv(THREADS, "3")
    assert thread_count(None) == 3
    assert thread_count(1) == 1
    for wrong in ("0", "two", "-1", ""):
        monkeypatch.setenv(THREADS, wrong)
        with pytest.raises(BadParameter, match=r"threads is"):
            thread_count(None)
    for given in (0, -1, 2.0, True, "2.5"):
        with pytest.raises(BadParameter, match=r"threads is"):
            backtest_many([Table()], BARS, threads=given)  # type: ignore[arg-type]


def test_memory_does_not_grow_with_the_number_of_runs() -> None:
    """The worker buffers are all: ten times the runs need as many of them."""
    import tracemalloc

    def peak(count: int) -> int:
        tracemalloc.start()
        try:
            backtest_many((Table(seed=k % 7) for k in range(count)), BARS, threads=2)
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    peak(50)
    few, many = peak(100), peak(1000)
    assert many - few < 900 * 8 * 60 * 3  # three times the result rows
