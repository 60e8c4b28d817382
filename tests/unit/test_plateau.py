"""The plateau score: spikes and hills, rims and holes, axes with and without an order, against plain loops."""

from __future__ import annotations

import math
from itertools import product

import numpy as np
import pytest

from gpt_trader.errors import BadData, BadParameter
from gpt_trader.validation.plateau import plateau


def grid(*levels: int) -> np.ndarray:
    return np.array(list(product(*map(range, levels))))


def hill(index: np.ndarray, top: tuple[float, ...], width: float = 4.0) -> np.ndarray:
    return np.exp(-((index - np.array(top)) ** 2).sum(axis=1) / (2.0 * width**2))


def by_loops(index: np.ndarray, values: np.ndarray, ordered: list[bool], quantile: float) -> np.ndarray:
    scores = []
    for here, value in zip(index, values, strict=True):
        around = [
            other
            for there, other in zip(index, values, strict=True)
            if all(abs(a - b) <= steps for a, b, steps in zip(here, there, ordered, strict=True))
        ]
        known = [other for other in around if np.isfinite(other)]
        scores.append(min(value, np.quantile(known, quantile)) if np.isfinite(value) else math.nan)
    return np.array(scores)


# -- what it is for ----------------------------------------------------------------------------------------------------


def test_a_lone_spike_loses_against_a_broad_hill() -> None:
    index = grid(20, 20)
    values = hill(index, (13, 6))
    spike = 20 * 4 + 15
    values[spike] = 10.0
    found = plateau(index, values)
    assert found.peak == spike
    assert index[found.best].tolist() == [13, 6]
    assert found.scores[spike] < 0.05
    assert found.peak_ratio < 0.005
    assert found.boundary == ()


def test_a_spike_lends_nothing_to_its_neighbours() -> None:
    index = grid(9, 9)
    flat = np.ones(81)
    raised = flat.copy()
    raised[40] = 100.0
    found = plateau(index, raised)
    np.testing.assert_array_equal(found.scores, plateau(index, flat).scores)
    assert found.best == 40  # of equal scores that of the larger value, else the first
    assert plateau(index, flat).best == 1


def test_a_pit_in_a_plateau_is_not_the_plateau() -> None:
    index = grid(9, 9)
    values = hill(index, (4, 4))
    values[40] = 0.1  # the middle, around which all are better than around any other point
    found = plateau(index, values)
    assert found.scores[40] == 0.1
    assert values[found.best] > 0.9
    assert found.scores[found.best] == max(found.scores) > 0.8


def test_the_peak_of_a_plateau_keeps_its_value() -> None:
    index = grid(12, 12)
    found = plateau(index, hill(index, (6, 6), 8.0))
    assert found.best == found.peak
    assert found.peak_ratio == pytest.approx(math.exp(-2.0 / 128.0))  # the four corners are the worst of nine


def test_three_quarters_of_the_neighbours_do_at_least_as_well() -> None:
    found = plateau(grid(3, 3), np.arange(9.0))
    assert found.scores[4] == 2.0
    assert plateau(grid(3, 3), np.arange(9.0), quantile=0.0).scores[4] == 0.0
    assert plateau(grid(3, 3), np.arange(9.0), quantile=0.5).scores[4] == 4.0


# -- rims and holes ----------------------------------------------------------------------------------------------------


def test_a_rim_is_scored_with_what_is_there_and_says_so() -> None:
    found = plateau(grid(4, 5), np.arange(20.0))
    shares = found.known.reshape(4, 5)
    assert (shares[0, 0], shares[0, 2], shares[1, 2]) == pytest.approx((4 / 9, 6 / 9, 1.0))
    assert found.scores[1] == min(1, np.quantile([0, 1, 2, 5, 6, 7], 0.25))
    assert found.scores[18] == np.quantile([12, 13, 14, 17, 18, 19], 0.25)


def test_a_corner_is_no_plateau_and_a_plateau_on_the_rim_names_its_axes() -> None:
    index = grid(6, 6)
    values = index.sum(axis=1).astype(float)
    found = plateau(index, values)
    assert index[found.peak].tolist() == [5, 5]
    assert found.scores[found.peak] == max(found.scores)
    assert found.known[found.best] >= 0.5
    assert sorted(index[found.best].tolist()) == [4, 5]
    assert found.boundary == tuple(np.flatnonzero(index[found.best] == 5))


def test_an_axis_of_one_or_two_values_has_no_rim() -> None:
    found = plateau(grid(7, 1, 2), np.repeat([0, 1, 2, 3, 2, 1, 0.0], 2))
    assert found.boundary == ()
    assert found.known[found.best] == 1.0
    assert found.known[0] == pytest.approx(4 / 6)


def test_missing_and_failed_points_are_not_invented() -> None:
    index = grid(8, 8)
    values = hill(index, (3, 3))
    kept = index[:, 0] <= index[:, 1]  # a constraint: fast <= slow
    failed = values.copy()
    failed[~kept] = np.where(np.arange((~kept).sum()) % 2, np.nan, -np.inf)
    whole, part = plateau(index, failed), plateau(index[kept], values[kept])
    np.testing.assert_array_equal(whole.scores[kept], part.scores)
    np.testing.assert_array_equal(whole.known[kept], part.known)
    assert np.isnan(whole.scores[~kept]).all()
    assert index[kept][part.best].tolist() == index[whole.best].tolist()


def test_nothing_known_is_no_plateau() -> None:
    for index, values in ((grid(3, 3), np.full(9, np.nan)), (np.empty((0, 2), int), np.empty(0))):
        found = plateau(index, values)
        assert (found.best, found.peak, found.boundary) == (-1, -1, ())
        assert np.isnan(found.scores).all()
        assert math.isnan(found.peak_ratio)


def test_a_single_point_is_its_own_neighbourhood() -> None:
    found = plateau([[0, 0]], [1.5])
    assert (found.best, found.peak, found.peak_ratio) == (0, 0, 1.0)
    assert math.isnan(plateau([[0, 0]], [-1.5]).peak_ratio)


def test_isolated_points_still_have_a_best() -> None:
    found = plateau([[0, 0], [5, 5], [9, 2]], [1.0, 3.0, 2.0])
    assert found.best == 1
    assert found.known[1] == pytest.approx(1 / 9)


# -- axes --------------------------------------------------------------------------------------------------------------


def test_categories_are_no_neighbours() -> None:
    index = grid(5, 3)
    values = np.where(index[:, 1] == 1, 10.0, 1.0)
    assert plateau(index, values).scores.max() == 1.0
    found = plateau(index, values, ordered=[True, False])
    assert found.scores.max() == 10.0
    assert index[found.best, 1] == 1
    np.testing.assert_array_equal(plateau(index, values, ordered=[False, False]).scores, values)


@pytest.mark.parametrize("axes", [1, 2, 3, 4])
def test_the_same_as_plain_loops(axes: int) -> None:
    random = np.random.default_rng(axes)
    index = np.unique(random.integers(0, 5, (90, axes)), axis=0)
    random.shuffle(index)
    values = random.normal(size=len(index))
    values[::7] = np.nan
    ordered = (random.random(axes) > 0.4).tolist()
    expected = by_loops(index, values, ordered, 0.3)
    np.testing.assert_allclose(plateau(index, values, ordered, 0.3).scores, expected)
    np.testing.assert_allclose(plateau(index, values, ordered, 0.3, cells=100).scores, expected)


def test_the_order_of_the_points_does_not_matter() -> None:
    index = grid(7, 7)
    values = hill(index, (2, 5))
    shuffle = np.random.default_rng(1).permutation(49)
    found, other = plateau(index, values), plateau(index[shuffle], values[shuffle])
    np.testing.assert_array_equal(found.scores[shuffle], other.scores)
    assert shuffle[other.best] == found.best


# -- refusals ----------------------------------------------------------------------------------------------------------


def test_what_is_refused() -> None:
    with pytest.raises(BadData, match=r"\(n, d\) and \(n,\)"):
        plateau([1, 2], [1.0, 2.0])
    with pytest.raises(BadData, match="whole numbers from 0"):
        plateau([[0.5]], [1.0])
    with pytest.raises(BadData, match="whole numbers from 0"):
        plateau([[-1]], [1.0])
    with pytest.raises(BadData, match="2 entries for 1 axes"):
        plateau([[1]], [1.0], ordered=[True, True])
    with pytest.raises(BadParameter, match="quantile is 25"):
        plateau([[1]], [1.0], quantile=25)
    with pytest.raises(BadParameter, match="10 axes or fewer"):
        plateau(np.zeros((1, 11), int), [1.0])
    with pytest.raises(BadParameter, match="too large"):
        plateau(np.full((1, 9), 10**8), [1.0])
