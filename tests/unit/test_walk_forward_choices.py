"""What the windows of a walk-forward choose, and how steady that is."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpt_trader.validation.walk_forward import (
    NONE,
    best_of_each,
    carried_forward,
    efficiency,
    rank_correlation,
    ranks,
    stability,
)

nan = float("nan")


def test_the_best_of_each_window_is_the_first_of_the_largest() -> None:
    surface = np.array([[1.0, 3.0, 3.0], [nan, -2.0, -1.0], [nan, nan, nan], [-np.inf, nan, np.inf]])
    assert best_of_each(surface).tolist() == [1, 2, NONE, NONE]


def test_a_window_without_a_choice_goes_on_with_the_last_one() -> None:
    assert carried_forward(np.array([NONE, 4, NONE, NONE, 2, NONE])).tolist() == [NONE, 4, 4, 4, 2, 2]
    assert carried_forward(np.array([NONE, NONE])).tolist() == [NONE, NONE]


def test_moves_are_counted_in_steps_of_each_axis() -> None:
    places = np.array([[0, 0], [0, 1], [3, 1]])
    surface = np.array([[1.0, 2.0, 3.0], [1.0, 2.0, 3.0], [3.0, 2.0, 1.0], [1.0, 3.0, 2.0]])
    steady = stability(surface, np.array([0, 0, 2, 1]), places)
    assert steady.unchanged == pytest.approx(1 / 3)
    assert steady.distinct == 3
    assert steady.moves.tolist() == [[0, 0], [3, 1], [3, 0]]
    assert steady.rank_correlation.tolist() == pytest.approx([1.0, -1.0, -0.5])


def test_one_window_has_nothing_to_compare_with() -> None:
    steady = stability(np.array([[1.0, 2.0, 3.0]]), np.array([2]), np.array([[0], [1], [2]]))
    assert np.isnan(steady.unchanged)
    assert steady.moves.shape == (0, 1)
    assert steady.rank_correlation.size == 0


@given(st.lists(st.integers(-5, 5), min_size=1, max_size=30))
def test_ranks_are_how_many_are_smaller_and_half_the_equal_ones(values: list[int]) -> None:
    found = ranks(np.array(values, np.float64))
    for value, rank in zip(values, found, strict=True):
        smaller = sum(other < value for other in values)
        equal = sum(other == value for other in values) - 1
        assert rank == smaller + equal / 2


def test_rank_correlation_is_that_of_the_ranks_of_what_both_know() -> None:
    random = np.random.default_rng(3)
    left, right = random.integers(0, 9, 40).astype(float), random.integers(0, 9, 40).astype(float)
    assert rank_correlation(left, right) == pytest.approx(np.corrcoef(ranks(left), ranks(right))[0, 1])
    left[5], right[7] = nan, -np.inf
    known = np.delete(np.arange(40), [5, 7])
    assert rank_correlation(left, right) == pytest.approx(rank_correlation(left[known], right[known]))


def test_too_few_points_or_none_that_varies_have_no_rank_correlation() -> None:
    assert np.isnan(rank_correlation(np.array([1.0, 2.0]), np.array([1.0, 2.0])))
    assert np.isnan(rank_correlation(np.array([1.0, 2.0, nan]), np.array([1.0, 2.0, 3.0])))
    assert np.isnan(rank_correlation(np.ones(5), np.arange(5.0)))


def test_efficiency_is_what_is_left_of_a_gain() -> None:
    assert efficiency(0.2, 0.05) == 0.25
    assert efficiency(0.2, -0.05) == -0.25
    assert np.isnan(efficiency(-0.1, 0.05))
    assert np.isnan(efficiency(0.0, 0.05))
