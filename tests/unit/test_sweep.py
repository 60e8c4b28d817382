"""A sweep as a plan: every point scores what its backtest says, whoever runs the chunks and in which order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from gpt_trader import backtest
from gpt_trader.adapters.optuna_search import OptunaSearch
from gpt_trader.engine.metric_definitions import METRIC_NAMES
from gpt_trader.research.chunk import Chunk
from gpt_trader.research.early_stopping import MedianRule
from gpt_trader.research.executor import ChunkCompleted, InProcess
from gpt_trader.research.objectives import Objective, parse_objectives
from gpt_trader.research.plan import Plan, PlanResult, run_chunks
from gpt_trader.research.response_surface import BLOCKS, Surface, coarser, joined
from gpt_trader.research.search_methods import GridSearch, RandomSearch, Search
from gpt_trader.research.search_space import Space, make_space
from gpt_trader.research.study import run_study
from gpt_trader.research.sweep_analysis import SweepAnalysis
from gpt_trader.research.sweep_study import SweepStudy
from gpt_trader.research.trials import Trials
from tests.sweep_cases import ALL_IN, BARS, EXPERIMENT, Steady, made

SHARPE = (Objective("sharpe"),)
GRID = make_space(Steady, {"share": "1:9", "days": "2:8:3"}, ["share + days < 15"])


def in_order(plan: Plan) -> PlanResult:
    return run_chunks(plan, InProcess(), None)


class Backwards(InProcess):
    """Works from the last chunk to the first."""

    def run(self, experiment: Any, work: Any, on_done: Any, cancelled: Any) -> None:
        super().run(experiment, work[::-1], on_done, cancelled)


def backwards(plan: Plan) -> PlanResult:
    return run_chunks(plan, Backwards(), None)


def run(
    space: Space, search: Search, work: Any = in_order, rule: MedianRule | None = None, **more: Any
) -> SweepAnalysis:
    return run_study(
        SweepStudy(EXPERIMENT, space, search, more.pop("objectives", SHARPE), rule), work, **more
    )


def same(one: Surface, other: Surface) -> bool:
    return (
        one.points == other.points
        and one.numbers.tolist() == other.numbers.tolist()
        and one.values.tobytes() == other.values.tobytes()
        and one.sums.tobytes() == other.sums.tobytes()
        and (one.errors, one.early_stops.keys()) == (other.errors, other.early_stops.keys())
    )


def check_against_backtests(surface: Surface, rows: Sequence[int]) -> None:
    """Every number of a row is that of a backtest with the row's parameters."""
    for row in rows:
        single = backtest(
            Steady(**surface.parameters(row)), BARS, allocation=ALL_IN.allocation, benchmark=False
        )
        assert surface.metrics(row) == {name: single.metrics[name] for name in METRIC_NAMES}


def test_every_point_of_a_grid_scores_what_its_backtest_says() -> None:
    swept = run(GRID, GridSearch(GRID))
    surface = swept.surface
    assert surface.points == tuple(GRID.point(index) for index in GRID.indices())
    assert surface.numbers.tolist() == list(GRID.indices())
    check_against_backtests(surface, surface.complete.tolist())
    assert {surface.points[row][0] for row in surface.errors} == {7, 8}
    assert "share=7: no" in surface.errors[surface.points.index((7, 2))]
    assert np.isnan(surface.values[list(surface.errors)]).all()
    assert (swept.cut_short, swept.cached) == (False, 0)


def test_the_check_finds_points_that_are_shifted_by_one() -> None:
    surface = run(GRID, GridSearch(GRID)).surface
    shifted = replace(surface, points=(*surface.points[1:], surface.points[0]))
    with pytest.raises(AssertionError):
        check_against_backtests(shifted, [0, 1, 2])


SEARCHES = {
    "grid": lambda space: GridSearch(space),
    "random": lambda space: RandomSearch(space, 12, 3, 5),
    "tpe": lambda space: OptunaSearch(space, "tpe", 1, 40, 3),
    "nsga2": lambda space: OptunaSearch(space, "nsga2", 2, 40, 3),
}


@pytest.mark.parametrize("method", SEARCHES)
def test_the_surface_does_not_depend_on_who_finishes_first(method: str) -> None:
    space = make_space(Steady, {"share": "1:40", "days": "1:10", "tilt": "-1:1:0.5"})
    objectives = parse_objectives(["sharpe", "turnover"] if method == "nsga2" else ["sharpe"])
    if method == "grid":
        space = GRID
    made_ = [
        run(space, SEARCHES[method](space), work, objectives=objectives).surface
        for work in (in_order, backwards)
    ]
    assert same(*made_)
    assert len(made_[0]) >= 12


def test_trials_are_counted_generation_by_generation() -> None:
    counted: list[list[Trials]] = []
    found = run(GRID, RandomSearch(GRID, 11, 0, 4), count=lambda tried: counted.append(list(tried)))
    made = [trials for tried in counted for trials in tried]
    assert [len(trials.keys) for trials in made] == [4, 4, 3]
    assert found.surface.numbers.tolist() == list(range(11))
    per_bar = found.surface["sharpe"] / np.sqrt(found.surface["periods_per_year"])
    np.testing.assert_array_equal(np.concatenate([trials.sharpe for trials in made]), per_bar)


def cut_after(chunks: int) -> Any:
    """Work that is stopped after so many chunks."""

    def work(plan: Plan) -> PlanResult:
        done = 0

        def stop() -> bool:
            nonlocal done
            done += 1
            return done > chunks

        return run_chunks(plan, InProcess(), None, cancelled=stop)

    return work


def test_what_was_reached_before_the_end_of_the_time_is_kept() -> None:
    whole = run(GRID, RandomSearch(GRID, 30, 0, 16)).surface
    swept = run(GRID, RandomSearch(GRID, 30, 0, 16), cut_after(3))
    assert swept.cut_short
    assert 0 < len(swept.surface) < 16
    assert swept.surface.points == whole.points[: len(swept.surface)]
    assert swept.surface.values.tobytes() == whole.values[: len(swept.surface)].tobytes()


class Losing(InProcess):
    """Loses the points of every second chunk."""

    def run(self, experiment: Any, work: Any, on_done: Any, cancelled: Any) -> None:
        def lose(done: ChunkCompleted) -> None:
            lost = ChunkCompleted(done.number, done.places, None, "given up after 3 attempts", 3, "w1")
            on_done(lost if done.number == 1 else done)

        super().run(experiment, work, lose, cancelled)


def losing(plan: Plan) -> PlanResult:
    return run_chunks(plan, Losing(), None)


def test_points_of_a_chunk_without_result_failed() -> None:
    space = make_space(Steady, {"share": "10:20"})
    surface = run(space, RandomSearch(space, 11, 0, 10), losing).surface
    lost = [row for row, text in surface.errors.items() if text == "given up after 3 attempts"]
    assert lost == [2, 3]  # ten points are cut into chunks of two
    assert len(surface) == 11
    assert np.isnan(surface.values[lost]).all()


# -- early stopping ----------------------------------------------------------------------------------------------------


def test_points_worse_than_most_on_the_first_bars_are_given_up_and_remembered() -> None:
    space = make_space(Steady, {"share": "1:90", "mode": "both,first"})
    swept = run(space, RandomSearch(space, 60, 1, 15), rule=MedianRule((100, 200)))
    surface = swept.surface
    assert len(surface) == 60
    assert 5 < len(surface.early_stops) < 45
    assert min(surface.numbers[list(surface.early_stops)]) >= 10  # none before ten are finished
    for row, look in surface.early_stops.items():
        short = BARS.select(end=BARS.time[look.stop - 1])
        single = backtest(
            Steady(**surface.parameters(row)), short, allocation=ALL_IN.allocation, benchmark=False
        )
        assert look.values.tolist() == [single.metrics[name] for name in METRIC_NAMES]
        equity = np.concatenate([[100_000.0], single.equity["equity"].to_numpy()])
        assert look.sums[0].sum() == pytest.approx((np.diff(equity) / equity[:-1]).sum(), abs=1e-5)
        assert not look.sums[:, BLOCKS * look.stop // 400 :].any()
        assert look.sums[1, : BLOCKS * look.stop // 400].all()
        assert np.isnan(surface.values[row]).all()
    check_against_backtests(surface, surface.complete.tolist()[:5])


def test_a_rule_changes_nothing_but_who_is_run_to_the_end() -> None:
    space = make_space(Steady, {"share": "1:90", "mode": "both,first"})
    whole = run(space, RandomSearch(space, 60, 1)).surface
    looked = run(space, RandomSearch(space, 60, 1, 15), rule=MedianRule((100, 200))).surface
    assert looked.points == whole.points
    rows = looked.complete
    assert looked.values[rows].tobytes() == whole.values[rows].tobytes()


@pytest.mark.slow
def test_a_search_that_learns_is_told_of_early_stops() -> None:
    space = make_space(Steady, {"share": "1:90", "tilt": "-1:1"})
    one, other = (
        run(space, OptunaSearch(space, "tpe", 1, 64, 5), work, MedianRule((100,))).surface
        for work in (in_order, backwards)
    )
    assert same(one, other)
    assert one.early_stops


# -- columns -----------------------------------------------------------------------------------------------------------


@given(order=st.permutations(list(range(7))), cuts=st.lists(st.integers(0, 7), max_size=3))
def test_joining_brings_points_into_the_order_of_their_numbers(order: list[int], cuts: list[int]) -> None:
    whole = made([(i, 1) for i in range(7)], {"sharpe": np.arange(7.0)}, errors={2: "two", 5: "five"})
    bounds = [0, *sorted(cuts), 7]
    parts = []
    for start, stop in pairwise(bounds):
        rows = order[start:stop]
        errors = {place: whole.errors[row] for place, row in enumerate(rows) if row in whole.errors}
        points = tuple(whole.points[row] for row in rows)
        parts.append(
            Surface(whole.names, whole.numbers[rows], points, whole.values[rows], whole.sums[rows], errors)
        )
    assert same(joined(parts), whole)


@given(
    arrays.arrays(np.float32, st.tuples(st.integers(1, 4), st.just(2), st.sampled_from([5, 32, 64, 128, 100])),
                  elements=st.floats(-1, 1, width=16)),
)  # fmt: skip
def test_joined_blocks_keep_their_total_and_their_order(sums: np.ndarray) -> None:
    coarse = coarser(sums)
    assert coarse.shape == (len(sums), 2, BLOCKS)
    np.testing.assert_allclose(coarse.sum(axis=2), sums.sum(axis=2, dtype=np.float64), atol=1e-4)
    if sums.shape[2] == 64:
        np.testing.assert_allclose(coarse[..., 3], sums[..., 6] + sums[..., 7], atol=1e-6)
    part = coarser(sums[..., : sums.shape[2] // 2], sums.shape[2])
    assert not part[..., BLOCKS // 2 + 1 :].any()


def test_a_space_of_which_no_point_can_be_made_says_why() -> None:
    space = make_space(Steady, {"share": "7", "days": "1:3"})
    surface = run(space, GridSearch(space)).surface
    assert list(surface.errors.values()) == ["share=7: no"] * 3


def test_the_plan_of_a_grid_holds_each_point_once() -> None:
    seen: list[Chunk] = []

    def noting(plan: Plan) -> PlanResult:
        seen.extend(plan.chunks)
        return in_order(plan)

    run(GRID, GridSearch(GRID), noting)
    assert [point for chunk in seen for point in chunk.points] == [
        GRID.point(index) for index in GRID.indices()
    ]
    assert all(chunk.fixed == (("mode", "both"), ("tilt", 0.0)) for chunk in seen)
