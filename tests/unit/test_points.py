"""The points of a study: in the order of their space, as chunks, and gathered again with what failed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest

from gpt_trader import Bars, Strategy, param
from gpt_trader.engine.metric_definitions import METRIC_NAMES
from gpt_trader.engine.run_setup import Settings, settings_of
from gpt_trader.errors import BadParameter
from gpt_trader.performance_tuning import Tuning
from gpt_trader.research.chunk import ChunkResult
from gpt_trader.research.experiment import Experiment
from gpt_trader.research.parameter_points import Points, points_of, run_scores
from gpt_trader.research.plan import PlanResult
from gpt_trader.research.return_profiles import profile_of, profiles_between
from gpt_trader.research.search_space import make_space
from tests.markets import random_market


@dataclass(frozen=True)
class Rule(Strategy):
    """Two numbers, which must differ, and a word."""

    a: int = param(1, low=0, high=100)
    b: int = param(2, low=0, high=100)
    word: str = param("x", choices=("x", "y"))

    def validate(self) -> None:
        if self.a == self.b:
            raise BadParameter("a and b must differ")

    def features(self, bars: Bars) -> Mapping[str, Any]:
        return {}

    def decide(self, now: Any) -> Any:
        return np.ones_like(now.close)


def points(given: Mapping[str, str], constraints: tuple[str, ...] = (), **more: Any) -> Points:
    return points_of(Rule, make_space(Rule, given, constraints), **more)


def test_points_are_in_the_order_of_the_space_with_their_places() -> None:
    found = points({"a": "1:3", "word": "y,x", "b": "7"}, ("a < 3 or word == 'x'",))
    assert found.names == ("a", "word")
    assert found.values == ((1, "y"), (1, "x"), (2, "y"), (2, "x"), (3, "x"))
    assert found.places.tolist() == [[0, 0], [0, 1], [1, 0], [1, 1], [2, 1]]
    assert found.all_parameters(2) == {"a": 2, "b": 7, "word": "y"}
    assert found.make(2) == Rule(a=2, b=7, word="y")
    alone = points({})
    assert (len(alone), alone.values, alone.places.shape) == (1, ((),), (1, 0))
    assert alone.make(0) == Rule()


def test_points_drawn_at_random_are_different_ones_of_the_space_in_its_order() -> None:
    drawn = points({"a": "0:9", "b": "0:9"}, ("a != b",), most=30, seed=4)
    assert len(set(drawn.values)) == len(drawn) == 30
    assert list(drawn.values) == sorted(drawn.values)
    assert all(a != b for a, b in drawn.values)
    assert drawn.values == points({"a": "0:9", "b": "0:9"}, ("a != b",), most=30, seed=4).values
    assert drawn.values != points({"a": "0:9", "b": "0:9"}, ("a != b",), most=30, seed=5).values
    assert points({"a": "0:3"}, most=30).values == ((0,), (1,), (2,), (3,))


def test_the_size_of_chunks_is_asked_of_a_point_that_can_be_made() -> None:
    two, three = points({"a": "2:5", "b": "2"}), points({"a": "3:5", "b": "2"})
    about = Experiment(two.strategy, random_market(500), Settings())
    assert two.chunk_size(about) == three.chunk_size(about)
    assert two.chunk_size(replace(about, tuning=Tuning(runs_per_chunk=3))) == 3
    with pytest.raises(BadParameter, match="a and b must differ"):
        points({"a": "2", "b": "2"}).chunk_size(about)


def test_chunks_hold_all_points_or_those_asked_for() -> None:
    found = points({"a": "0:6", "b": "9"})
    chunks = found.chunks(3, first=5, stop=50, edges=(5, 50))
    assert [chunk.points for chunk in chunks] == [((0,), (1,), (2,)), ((3,), (4,), (5,)), ((6,),)]
    assert {(chunk.first, chunk.stop, chunk.edges, chunk.fixed) for chunk in chunks} == {
        (5, 50, (5, 50), (("b", 9), ("word", "x")))
    }
    assert [chunk.points for chunk in found.chunks(2, [6, 0, 3])] == [((6,), (0,)), ((3,),)]


def test_what_was_gathered_is_point_by_point_with_the_errors() -> None:
    chunks = points({"a": "0:5", "b": "9"}).chunks(2)
    result = ChunkResult(
        np.arange(2.0 * len(METRIC_NAMES)).reshape(2, -1), np.ones((2, 2, 4), np.float32), {1: "no"}
    )
    begun = ChunkResult(result.values[::-1], result.sums, missing=frozenset([1]))
    done = PlanResult((result, begun, None), cancelled=True)
    found = run_scores(chunks, done, 4)
    assert found.values.shape == (6, len(METRIC_NAMES))
    np.testing.assert_array_equal(found.values[:2], result.values)
    assert found.values[2].tolist() == result.values[1].tolist()
    assert np.isnan(found.values[4:]).all()
    assert np.isnan(found.sums[4:]).all()
    assert found.errors == {1: "no", **dict.fromkeys((3, 4, 5), "it was not reached")}
    column = METRIC_NAMES.index("sharpe")
    np.testing.assert_array_equal(found.column("sharpe"), found.values[:, column])


@pytest.mark.parametrize(
    ("first", "stop", "bars"), [(0, 640, 640), (100, 333, 1000), (7, 8, 64), (0, 20, 20)]
)
def test_a_profile_of_a_part_is_that_of_the_whole_with_nothing_around_it(
    first: int, stop: int, bars: int
) -> None:
    returns = np.random.default_rng(1).normal(0.0, 0.01, (3, bars))
    returns[:, :first] = returns[:, stop:] = 0.0
    whole = np.array([profile_of(each) for each in returns])
    blocks = np.arange(33) * bars // 32
    sums = np.stack(
        [np.add.reduceat(np.c_[returns, np.zeros(3)], np.clip(blocks, first, stop), axis=1)[:, :-1]] * 2,
        axis=1,
    )
    sums[:, :, np.diff(np.clip(blocks, first, stop)) == 0] = 0.0
    found = profiles_between(sums, np.clip(blocks, first, stop), bars)
    np.testing.assert_allclose(found, whole, atol=1e-7)
    each = np.stack([returns[:, first:stop]] * 2, axis=1)
    np.testing.assert_allclose(profiles_between(each, np.arange(first, stop + 1), bars), whole, atol=1e-7)


def test_another_question_about_the_same_points_is_another_study() -> None:
    bars = random_market(100)
    experiment = Experiment(Rule, bars, settings_of(bars, 1e5, None, None, None, None, (), (), None))
    found = points({"a": "3:5"})
    one = found.study_id("cv", experiment, {"folds": 10})
    assert one == points({"a": "3,4,5"}).study_id("cv", experiment, {"folds": 10})
    others = {
        found.study_id("walkforward", experiment, {"folds": 10}),
        found.study_id("cv", experiment, {"folds": 9}),
        points({"a": "3:6"}).study_id("cv", experiment, {"folds": 10}),
        points({"a": "3:5", "b": "8"}).study_id("cv", experiment, {"folds": 10}),
        found.study_id(
            "cv", Experiment(Rule, random_market(100, seed=1), experiment.settings), {"folds": 10}
        ),
    }
    assert len({one} | others) == 6
