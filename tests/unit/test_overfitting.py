"""The probability of overfitting against plain loops over returns, and what ties, failures and idle halves do."""

from __future__ import annotations

import json
import math
from itertools import combinations

import numpy as np
import pytest

from gpt_trader.errors import BadData, BadParameter
from gpt_trader.validation import overfitting
from gpt_trader.validation.overfitting import (
    logit_histogram,
    overfitting_of_returns,
    probability_of_overfitting,
)
from tests import searches


def by_loops(returns: np.ndarray, groups: int) -> np.ndarray:
    """In-sample and out-of-sample Sharpe ratio of the selected point and its logit, per split, sorted."""
    edges = np.arange(groups + 1) * len(returns) // groups
    rows = []
    for half in combinations(range(groups), groups // 2):
        inside = np.zeros(len(returns), bool)
        for group in half:
            inside[edges[group] : edges[group + 1]] = True
        before, after = searches.sharpe(returns[inside]), searches.sharpe(returns[~inside])
        best = int(before.argmax())
        rank = 1 + sum(value < after[best] for value in after)
        share = rank / (returns.shape[1] + 1)
        rows.append((before[best], after[best], math.log(share / (1.0 - share))))
    return np.array(sorted(rows))


@pytest.mark.parametrize(("bars", "points", "groups"), [(503, 12, 8), (97, 3, 6), (40, 30, 4), (21, 2, 2)])
def test_the_same_as_plain_loops_over_returns(bars: int, points: int, groups: int) -> None:
    returns = searches.planted(np.random.default_rng(bars), bars, points, 1, 0.1)
    found = overfitting_of_returns(returns, groups)
    expected = by_loops(returns, groups)
    rows = sorted(zip(found.in_sample, found.out_of_sample, found.logits, strict=True))
    np.testing.assert_allclose(rows, expected, rtol=1e-9, atol=1e-12)
    below, even = (expected[:, 2] < 0).mean(), (expected[:, 2] == 0).mean()
    assert found.pbo == pytest.approx(below + even / 2)
    assert found.loss == (expected[:, 1] < 0).mean()
    slope, intercept = np.polyfit(expected[:, 0], expected[:, 1], 1)
    assert found.slope == pytest.approx(slope)
    assert found.intercept == pytest.approx(intercept)
    assert (found.points, found.left_out, found.groups) == (points, 0, groups)
    assert found.possible == found.logits.size == math.comb(groups, groups // 2)


def test_block_sums_say_the_same_as_returns() -> None:
    """40 blocks of unequal length in 10 groups, whose edges are those of every fourth block."""
    returns = searches.noise(np.random.default_rng(1), 1283, 25)
    sums, lengths = searches.block_sums(returns, 40)
    edges = np.concatenate(([0], np.cumsum(lengths)))[::4]
    grouped = np.stack(
        [np.add.reduceat(power, edges[:-1], axis=0).T for power in (returns, returns**2)], axis=1
    )
    fine = probability_of_overfitting(sums, lengths, 10)
    coarse = probability_of_overfitting(grouped, np.diff(edges), 10)
    assert fine.possible == fine.logits.size == 252
    np.testing.assert_allclose(fine.out_of_sample, coarse.out_of_sample, rtol=1e-9)
    assert fine.pbo == coarse.pbo


# -- known truth; the distributions are in tests/properties/test_statistics_truth.py -----------------------------------


def test_a_planted_edge_survives_every_split() -> None:
    found = overfitting_of_returns(searches.planted(np.random.default_rng(2), 1000, 100, 10, 0.15))
    assert found.pbo < 0.02
    assert found.loss < 0.02
    assert found.in_sample.mean() > found.out_of_sample.mean() > 0.1


def test_points_that_win_in_turns_are_overfitted() -> None:
    """Each of 8 points gains in a group of its own and loses in the other 7: the best of one half is bad in the other."""
    returns = searches.noise(np.random.default_rng(3), 400, 8) - 0.002
    for point in range(8):
        returns[50 * point : 50 * point + 50, point] += 0.02
    found = overfitting_of_returns(returns, 8)
    assert found.pbo == 1.0
    assert found.loss == 1.0
    assert found.slope < 0.0


# -- ties, failures, idle points ---------------------------------------------------------------------------------------


def test_points_that_are_all_the_same_have_one_half() -> None:
    returns = np.repeat(searches.noise(np.random.default_rng(3), 320, 1), 7, axis=1)
    found = overfitting_of_returns(returns, 8)
    assert found.pbo == 0.5
    assert not found.logits.any()


def test_copies_share_their_rank_wherever_they_stand() -> None:
    returns = searches.noise(np.random.default_rng(4), 640, 9)
    doubled = np.repeat(returns, 2, axis=1)
    shuffled = doubled[:, np.random.default_rng(5).permutation(18)]
    found, same = overfitting_of_returns(doubled, 10), overfitting_of_returns(shuffled, 10)
    np.testing.assert_array_equal(found.logits, same.logits)
    single = overfitting_of_returns(returns, 10)
    rank = 10.0 / (1.0 + np.exp(-single.logits))  # of 9: r; of twice as many: the middle of 2 r - 1 and 2 r
    share = (2.0 * rank - 0.5) / 19.0
    np.testing.assert_allclose(found.logits, np.log(share / (1.0 - share)), rtol=1e-9)


def test_what_failed_or_never_traded_is_left_out() -> None:
    returns = searches.noise(np.random.default_rng(6), 640, 10)
    plain = overfitting_of_returns(returns, 8)
    failed, endless = np.full((640, 1), 0.001), np.full((640, 1), 0.001)
    failed[333], endless[5] = np.nan, np.inf
    idle, steady = np.zeros((640, 1)), np.full((640, 1), 0.0003)
    half = np.where(np.arange(640)[:, None] < 320, 0.0003, returns[:, :1])
    found = overfitting_of_returns(np.hstack([failed, idle, returns, steady, half, endless]), 8)
    assert (found.points, found.left_out) == (10, 5)
    np.testing.assert_array_equal(found.logits, plain.logits)


def test_an_idle_half_is_a_sharpe_ratio_of_zero() -> None:
    """One point trades in the first half only; where that is out of the sample, the sample has nothing to select."""
    first = np.where(np.arange(80) < 40, 0.01 + 0.001 * np.sin(np.arange(80.0)), 0.0)
    loser = -0.01 + 0.001 * np.cos(np.arange(80.0))
    found = overfitting_of_returns(np.column_stack([first, loser]), 2)
    assert sorted(found.in_sample) == pytest.approx([0.0, float(searches.sharpe(first[:40]))], rel=1e-9)
    assert found.out_of_sample.min() == 0.0
    assert found.pbo == 0.0


@pytest.mark.parametrize("points", [0, 1])
def test_too_few_points_have_no_probability(points: int) -> None:
    found = overfitting_of_returns(
        np.hstack([np.zeros((64, 1)), searches.noise(np.random.default_rng(1), 64, points)])
    )
    assert math.isnan(found.pbo)
    assert (found.points, found.left_out, found.logits.size) == (points, 1, 0)
    assert found.as_object()["pbo"] is None
    assert found.as_object()["logit_counts"] == []


@pytest.mark.parametrize("groups", [0, 3, 22])
def test_groups_are_even_and_not_too_many(groups: int) -> None:
    with pytest.raises(BadParameter, match="even number from 2 to 20"):
        overfitting_of_returns(np.zeros((100, 3)), groups)


def test_wrong_shapes_are_refused() -> None:
    with pytest.raises(BadData, match="one column a point"):
        overfitting_of_returns(np.zeros(100))
    with pytest.raises(BadData, match="15 bars"):
        overfitting_of_returns(np.zeros((15, 2)))
    with pytest.raises(BadData, match=r"expected \(N, 2, B\)"):
        probability_of_overfitting(np.zeros((3, 2, 16)), np.ones(15))
    with pytest.raises(BadParameter, match="8 blocks"):
        probability_of_overfitting(np.zeros((3, 2, 8)), np.ones(8))
    with pytest.raises(BadData, match="at least one bar"):
        probability_of_overfitting(np.zeros((3, 2, 16)), np.zeros(16))


# -- the bound on work -------------------------------------------------------------------------------------------------


def test_many_points_take_evenly_chosen_splits() -> None:
    returns = searches.planted(np.random.default_rng(7), 640, 30, 3, 0.1)
    everything = overfitting_of_returns(returns, 12)
    some = overfitting_of_returns(returns, 12, work=30 * 400)
    assert some.logits.size == 400
    assert some.possible == everything.logits.size == 924
    assert some.pbo == pytest.approx(everything.pbo, abs=0.03)
    known = set(zip(everything.in_sample, everything.out_of_sample, strict=True))
    assert set(zip(some.in_sample, some.out_of_sample, strict=True)) <= known
    chosen = np.bincount(np.concatenate(overfitting._pairs(12, 30, 30 * 400)))
    assert chosen[0] == 200  # its mirror image has the others
    assert chosen[1:].min() > 75
    assert chosen[1:].max() < 105  # 5 of 11 in 200 are 91
    assert overfitting_of_returns(returns, 12, work=1).logits.size == 128


# -- what a report shows -----------------------------------------------------------------------------------------------


def test_the_histogram_shows_the_probability_left_of_zero() -> None:
    found = overfitting_of_returns(searches.noise(np.random.default_rng(8), 640, 40), 10)
    edges, counts = logit_histogram(found.logits)
    assert (edges.size, counts.size) == (21, 20)
    assert edges[10] == 0.0
    assert counts.sum() == found.logits.size
    assert counts[:10].sum() / found.logits.size == found.pbo
    assert np.abs(found.logits).max() == edges[-1] == -edges[0]
    with pytest.raises(BadParameter, match="even"):
        logit_histogram(found.logits, 7)


def test_the_object_is_json() -> None:
    found = overfitting_of_returns(searches.noise(np.random.default_rng(8), 640, 40), 10)
    said = json.loads(json.dumps(found.as_object(), allow_nan=False))
    assert said["pbo"] == found.pbo
    assert said["splits"] == said["possible_splits"] == 252
    assert said["in_sample_sharpe_per_bar"] == pytest.approx(found.in_sample.mean())
    same = overfitting_of_returns(np.repeat(np.tile([0.01, -0.01], 40)[:, None], 2, axis=1), 2)
    assert same.as_object()["degradation_slope"] is None
