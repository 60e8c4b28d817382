"""One chunk of a study: its scores are those of single backtests, its address is of all that decides them."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpt_trader import Allocation, Bars, Costs, FillModel, Strategy, Weights, backtest, param
from gpt_trader.engine.metric_definitions import METRIC_NAMES
from gpt_trader.engine.run_setup import Settings
from gpt_trader.errors import BadParameter
from gpt_trader.performance_tuning import Tuning
from gpt_trader.research.chunk import Chunk, ChunkRunner, block_edges
from gpt_trader.research.chunk_sizes import CHUNK_SECONDS, LARGEST, cut, points_per_chunk, seconds_per_run
from gpt_trader.research.experiment import Experiment, Scenario
from gpt_trader.strategies import load_strategy
from gpt_trader.validation.block_bootstrap import resample, resample_with_index
from tests.markets import random_market

BARS = random_market(300, 2, 5, sigma=0.02)
ALL_IN = Settings(allocation=Allocation(gross=1.0))
DEMO = load_strategy("demo_ma")


@dataclass(frozen=True)
class Moody(Strategy):
    """Holds every symbol by `weight`; refuses 7, raises at 8, answers nonsense at 9."""

    weight: int = param(1, low=0, high=9)

    def validate(self) -> None:
        if self.weight == 7:
            raise BadParameter("weight=7: no")

    def decide(self, now: Any) -> Weights:
        if self.weight == 8:
            raise ZeroDivisionError("eight")
        return np.full((1, 1, 1, 3), 1.0) if self.weight == 9 else np.full_like(now.close, self.weight / 20)


def experiment(**changed: Any) -> Experiment:
    return replace(Experiment(DEMO, BARS, ALL_IN), **changed)


POINTS = Chunk(("fast", "slow"), ((5, 20), (10, 40)))


def test_every_point_scores_what_its_backtest_says() -> None:
    done = POINTS.run(experiment())
    for place, (fast, slow) in enumerate(POINTS.points):
        single = backtest(DEMO(fast=fast, slow=slow), BARS, allocation=ALL_IN.allocation)
        assert done.values[place].tolist() == [single.metrics[name] for name in METRIC_NAMES]
    assert done.errors == {}


def test_the_sums_are_those_of_the_returns_of_each_block() -> None:
    done = POINTS.run(experiment())
    single = backtest(DEMO(fast=5, slow=20), BARS, allocation=ALL_IN.allocation)
    equity = np.concatenate([[100_000.0], single.equity["equity"].to_numpy()])
    returns = np.diff(equity) / equity[:-1]
    edges = block_edges(0, BARS.T)
    expected = [[np.sum(part), np.sum(part**2)] for part in np.split(returns, edges[1:-1])]
    np.testing.assert_allclose(done.sums[0].T, expected, rtol=1e-5, atol=1e-9)
    assert done.sums.dtype == np.float32
    assert done.sums.shape == (2, 2, 128)


def test_points_that_fail_are_listed_and_the_others_go_on() -> None:
    points = tuple((weight,) for weight in (1, 7, 8, 9, 2))
    done = Chunk(("weight",), points).run(Experiment(Moody, BARS, ALL_IN))
    assert list(done.errors) == [1, 2, 3]
    assert "weight=7: no" in done.errors[1]
    assert "eight" in done.errors[2]
    assert "shape" in done.errors[3]
    failed = np.isnan(done.values).all(axis=1)
    assert failed.tolist() == [False, True, True, True, False]
    assert np.isnan(done.sums[1:4]).all()
    alone = Chunk(("weight",), ((2,),)).run(Experiment(Moody, BARS, ALL_IN))
    assert done.values[4].tobytes() == alone.values[0].tobytes()


def test_bars_from_stop_on_are_not_there() -> None:
    early = experiment(bars=BARS.select(end=BARS.time[199]))
    assert replace(POINTS, stop=200).run(experiment()).values.tobytes() == POINTS.run(early).values.tobytes()


def test_fixed_values_stand_for_every_point() -> None:
    fixed = Chunk(("fast",), ((5,),), (("slow", 20),)).run(experiment())
    assert fixed.values[0].tobytes() == POINTS.run(experiment()).values[0].tobytes()


def test_a_variant_changes_costs_and_capital() -> None:
    free = replace(POINTS, scenarios=(Scenario(cost_multiple=0.0),) * 2).run(experiment())
    expected = POINTS.run(experiment(settings=replace(ALL_IN, costs=Costs().times(0.0))))
    assert free.values.tobytes() == expected.values.tobytes()
    rich = replace(POINTS, scenarios=(Scenario(capital_multiple=3.0),) * 2).run(experiment())
    assert (
        rich.values.tobytes()
        == POINTS.run(experiment(settings=replace(ALL_IN, capital=300_000.0))).values.tobytes()
    )


def test_each_point_is_scored_under_its_own_variant() -> None:
    scenarios = (
        Scenario(replicate=3, block=5.0),
        Scenario(),
        Scenario(),
        Scenario(replicate=4, seed=2, block=5.0),
    )
    points = ((5, 20), (10, 40), (5, 20), (10, 40))
    done = Chunk(("fast", "slow"), points, scenarios=scenarios).run(experiment())
    for place, (point, scenario) in enumerate(zip(points, scenarios, strict=True)):
        bars = (
            BARS
            if scenario.replicate is None
            else resample(BARS, scenario.seed, scenario.replicate, block=5.0)
        )
        alone = Chunk(("fast", "slow"), (point,)).run(experiment(bars=bars))
        assert done.values[place].tobytes() == alone.values[0].tobytes()
        assert done.sums[place].tobytes() == alone.sums[0].tobytes()


def test_errors_keep_their_place_under_scenarios() -> None:
    points = tuple((weight,) for weight in (1, 7, 8, 1, 9))
    scenarios = (Scenario(), Scenario(), Scenario(cost_multiple=2.0), Scenario(cost_multiple=2.0), Scenario())
    done = Chunk(("weight",), points, scenarios=scenarios).run(Experiment(Moody, BARS, ALL_IN))
    assert list(done.errors) == [1, 2, 4]
    assert "weight=7" in done.errors[1]
    assert "eight" in done.errors[2]
    assert np.isnan(done.values).all(axis=1).tolist() == [False, True, True, False, True]


def test_a_variant_that_cannot_be_had_fails_its_own_points_only() -> None:
    scenarios = (Scenario(), Scenario(capital_multiple=1e12), Scenario(cost_multiple=2.0))
    points = ((5, 20),) * 3
    done = Chunk(("fast", "slow"), points, scenarios=scenarios).run(experiment())
    assert list(done.errors) == [1]
    assert "capital is 1e+17" in done.errors[1]
    assert np.isnan(done.values).all(axis=1).tolist() == [False, True, False]
    assert np.isnan(done.sums[1]).all()


def test_a_delay_is_added_to_that_of_the_settings() -> None:
    late = replace(ALL_IN, fills=FillModel(delay=1))
    done = replace(POINTS, scenarios=(Scenario(delay=2),) * 2).run(experiment(settings=late))
    expected = POINTS.run(experiment(settings=replace(ALL_IN, fills=FillModel(delay=3))))
    assert done.values.tobytes() == expected.values.tobytes()


def test_a_regime_index_is_resampled_with_the_market() -> None:
    index = random_market(400, 1, 8)
    index = Bars(("IDX",), index.time, index.panel)
    later = Bars(BARS.symbols, index.time[100:], BARS.panel)
    allocation = Allocation(gross=1.0, regime="IDX", regime_window=20)
    given = Experiment(DEMO, later, Settings(allocation=allocation, index=index))
    done = replace(POINTS, scenarios=(Scenario(replicate=1, block=9.0),) * 2).run(given)
    bars, beside = resample_with_index(later, index, 0, 1, block=9.0)
    alone = POINTS.run(Experiment(DEMO, bars, Settings(allocation=allocation, index=beside)))
    assert done.values.tobytes() == alone.values.tobytes()
    with_the_old = POINTS.run(Experiment(DEMO, bars, Settings(allocation=allocation, index=index)))
    assert done.values.tobytes() != with_the_old.values.tobytes()


def test_scenarios_are_one_for_each_point() -> None:
    with pytest.raises(BadParameter, match="2 points has 1 scenarios"):
        replace(POINTS, scenarios=(Scenario(),))


CHANGED_CHUNKS = [
    {"points": ((5, 20), (10, 41))},
    {"points": ((10, 40), (5, 20))},
    {"names": ("slow", "fast")},
    {"fixed": (("atr", 9),)},
    {"first": 1},
    {"stop": 299},
    {"edges": (0, 300)},
    {"scenarios": (Scenario(delay=1),) * 2},
    {"scenarios": (Scenario(replicate=0), Scenario(replicate=1))},
]


@pytest.mark.parametrize("change", CHANGED_CHUNKS, ids=str)
def test_another_chunk_has_another_address(change: dict[str, Any]) -> None:
    assert replace(POINTS, **change).key(experiment()) != POINTS.key(experiment())


def shifted() -> Bars:
    panel = BARS.panel.copy()
    panel[4, 17, 1] += 1.0
    return Bars(BARS.symbols, BARS.time, panel)


CHANGED_SUBJECTS: list[dict[str, Any]] = [
    {"strategy": load_strategy("trend_breakout")},
    {"bars": shifted()},
    {"bars": BARS.select(symbols=["S1", "S0"])},
    {"settings": replace(ALL_IN, capital=100_001.0)},
    {"settings": replace(ALL_IN, costs=Costs(bps=5.5))},
    {"settings": replace(ALL_IN, index=BARS)},
    {"settings": Settings()},
]


@pytest.mark.parametrize("change", CHANGED_SUBJECTS, ids=range(len(CHANGED_SUBJECTS)))
def test_another_subject_has_another_address(change: dict[str, Any]) -> None:
    assert POINTS.key(experiment(**change)) != POINTS.key(experiment())


@pytest.mark.slow
def test_another_process_gives_the_same_address() -> None:
    text = "from tests.unit.test_chunk import POINTS, experiment\nprint(POINTS.key(experiment()))"
    told = subprocess.run([sys.executable, "-c", text], check=True, capture_output=True, text=True)
    assert told.stdout.strip() == POINTS.key(experiment())


@given(first=st.integers(0, 500), rows=st.integers(1, 3000), blocks=st.integers(1, 200))
def test_blocks_cut_the_rows_evenly_and_leave_none_out(first: int, rows: int, blocks: int) -> None:
    edges = block_edges(first, first + rows, blocks)
    lengths = np.diff(edges)
    assert edges[0] == first
    assert edges[-1] == first + rows
    assert len(lengths) == min(blocks, rows)
    assert lengths.max() - lengths.min() <= 1
    assert lengths.min() >= 1


@given(seconds=st.floats(1e-7, 1e4))
def test_a_chunk_is_about_a_second_of_work(seconds: float) -> None:
    size = points_per_chunk(seconds)
    assert size & (size - 1) == 0
    assert size == 1 or size * seconds <= CHUNK_SECONDS
    assert size == LARGEST or 2 * size * seconds > CHUNK_SECONDS


@given(count=st.integers(0, 50), size=st.integers(1, 60))
def test_cutting_loses_and_doubles_nothing(count: int, size: int) -> None:
    points = [(number,) for number in range(count)]
    chunks = list(cut(points, size))
    assert [point for chunk in chunks for point in chunk] == points
    assert all(len(chunk) == size for chunk in chunks[:-1])


def test_rules_that_run_bar_by_bar_are_expected_to_take_longer() -> None:
    @dataclass(frozen=True)
    class Slow(Strategy):
        def decide(self, now: Any, held: Any) -> Weights:
            return np.where(held.weight > 0, 0.0, 1.0)

    assert seconds_per_run(Slow(), BARS) > 10 * seconds_per_run(DEMO(), BARS)


def test_a_bench_gives_what_its_chunks_give_alone_in_any_order() -> None:
    chunks = [
        replace(POINTS, first=first, stop=stop, scenarios=(scenario,) * 2)
        for first, stop in ((0, None), (50, 200), (0, 200))
        for scenario in (Scenario(), Scenario(cost_multiple=2.0))
    ]
    runner = ChunkRunner(experiment())
    for chunk in [*chunks, *reversed(chunks), chunks[0], chunks[0]]:
        together, alone = runner.run(chunk), chunk.run(experiment())
        assert together.values.tobytes() == alone.values.tobytes()
        assert together.sums.tobytes() == alone.sums.tobytes()


def test_a_bench_computes_an_indicator_once_for_all_chunks() -> None:
    from gpt_trader.indicators import sma

    runner = ChunkRunner(experiment())
    runner.run(POINTS)
    known = runner.memo.misses
    runner.run(Chunk(("fast", "slow"), ((10, 20), (5, 40))))
    assert runner.memo.misses == known > 0
    with runner.memo:
        sma(BARS.continuous().close, 5)
    assert runner.memo.misses == known


def test_bars_are_pickled_without_what_is_derived_from_them() -> None:
    import pickle

    bars = random_market(300, 2, 6)
    plain = len(pickle.dumps(bars))
    assert plain < 1.2 * bars.panel.nbytes
    assert bars.present.any()
    bars.continuous()
    assert len(pickle.dumps(bars)) == plain
    again = pickle.loads(pickle.dumps(replace(bars, notes=("a note",), delisted=("2020-01-01", None))))
    assert again.fingerprint() == replace(bars, delisted=("2020-01-01", None)).fingerprint()
    assert (again.notes, again.delisted, again.panel.flags.writeable) == (
        ("a note",),
        ("2020-01-01", None),
        False,
    )


@dataclass(frozen=True)
class Stepwise(Strategy):
    """Runs bar by bar: buys when flat."""

    def decide(self, now: Any, held: Any) -> Weights:
        return np.where(held.weight > 0, np.nan, 0.4)


def test_a_rule_is_compiled_when_all_runs_of_a_chunk_make_it_worth_while(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Runs under scenarios are scored in parts of one; each alone would stay in Python for ever."""
    from gpt_trader import batch

    chosen: list[str] = []
    choose = batch.chosen_mode

    def watched(*arguments: Any) -> str:
        chosen.append(choose(*arguments))
        return "python"

    monkeypatch.setattr(batch, "chosen_mode", watched)
    tuning = Tuning(compile_from=4 * BARS.T)
    for runs, mode in ((3, "python"), (4, "compiled")):
        scenarios = tuple(Scenario(replicate=k) for k in range(runs))
        Chunk((), ((),) * runs, scenarios=scenarios).run(Experiment(Stepwise, BARS, ALL_IN, tuning))
        assert chosen[::2] == [mode] * runs  # every second one is for a run after it, which does not come
        chosen.clear()
    three, four = (seconds_per_run(Stepwise(), BARS, runs, tuning) for runs in (3, 4))
    assert three > 10 * four


@dataclass(frozen=True)
class Rude(Strategy):
    """Raises what is not ours where nothing may be raised, leaves the process, or writes what no file can hold."""

    n: int = param(1, low=0, high=9)

    def validate(self) -> None:
        if self.n == 2:
            raise ValueError("two")

    def features(self, bars: Bars) -> dict[str, Any]:
        if self.n == 3:
            raise SystemExit(3)
        if self.n == 4:
            raise ValueError("bad \ud800 text")
        return {"a": bars.close}

    def decide(self, now: Any) -> Weights:
        return np.full_like(now.close, 0.5)


def test_a_point_that_raises_what_it_must_not_fails_alone() -> None:
    done = Chunk(("n",), ((1,), (2,), (3,), (4,), (5,))).run(experiment(strategy=Rude))
    assert set(done.errors) == {1, 2, 3}
    assert "two" in done.errors[1]
    assert "sys.exit(3)" in done.errors[2]
    assert done.errors[3].encode()
    assert np.isfinite(done.values[[0, 4], METRIC_NAMES.index("sharpe")]).all()
    assert np.isnan(done.values[1:4]).all()
    assert np.isnan(done.sums[1:4]).all()
