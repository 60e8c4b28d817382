"""The effective number of trials on searches whose number of independent bets is known; clusters against SciPy."""

from __future__ import annotations

import math

import numpy as np
import pytest

from gpt_trader.errors import BadData
from gpt_trader.validation.effective_trials import EffectiveTrials, effective_trials
from gpt_trader.validation.sharpe_statistics import expected_maximum
from tests import searches
from tests.trial_clusters import TrialClusters, average_linkage, trial_clusters


def found(returns: np.ndarray, **sizes: int) -> EffectiveTrials:
    return effective_trials(searches.profiles(returns), searches.sharpe(returns), **sizes)


def clusters(returns: np.ndarray) -> TrialClusters:
    return trial_clusters(searches.profiles(returns), searches.sharpe(returns))


# -- known answers -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("trials", "tolerance"), [(2, 0.2), (12, 0.12), (150, 0.06), (1500, 0.06)])
def test_independent_noise_counts_in_full(trials: int, tolerance: float) -> None:
    """Although 32 blocks span only 31 dimensions."""
    returns = searches.noise(np.random.default_rng(2), 640, trials)
    result = found(returns)
    assert result.number == pytest.approx(trials, rel=tolerance)
    assert result.trials == trials
    assert result.variance == pytest.approx(1.0 / 639, rel=1.0 if trials < 100 else 0.25)
    if trials == 12:
        assert clusters(returns).number == 12


@pytest.mark.parametrize("groups", [1, 3, 8, 20])
def test_copies_of_a_few_bets_count_as_those(groups: int) -> None:
    returns = searches.grouped(np.random.default_rng(3), 640, groups, 40, own=0.0)
    result = found(returns)
    single = found(searches.grouped(np.random.default_rng(3), 640, groups, 1, own=0.0))
    assert result.number == pytest.approx(groups, rel=0.15)
    assert result.number == pytest.approx(min(single.number, groups), rel=0.05)
    assert clusters(returns).number == groups
    assert result.trials == 40 * groups


@pytest.mark.parametrize("groups", [3, 8, 14])
def test_near_copies_are_as_many_clusters(groups: int) -> None:
    returns = searches.grouped(np.random.default_rng(4), 640, groups, 30, own=0.05)
    assert (
        groups <= found(returns).number <= 3 * groups
    )  # the best of 30 near copies is a little better than one of them
    assert clusters(returns).number == groups
    means = searches.sharpe(returns).reshape(groups, 30).mean(axis=1)
    assert clusters(returns).variance == pytest.approx(means.var(ddof=1), rel=1e-5)


@pytest.mark.parametrize("correlation", [0.3, 0.6, 0.9])
def test_equal_correlation_has_a_known_expected_maximum(correlation: float) -> None:
    """The maximum of N such trials is sqrt(1 - correlation) times that of N independent ones."""
    result = found(searches.alike(np.random.default_rng(5), 6400, 200, correlation))
    expected = math.sqrt(1.0 - correlation) * expected_maximum(200)
    assert expected_maximum(result.number) == pytest.approx(expected, rel=0.12)
    assert result.correlation == pytest.approx(correlation, abs=0.1)
    assert result.variance == pytest.approx(1.0 / 6399, rel=0.4)


def test_a_grid_of_moving_averages_is_a_few_bets() -> None:
    numbers = [
        found(searches.averages_on_noise(np.random.default_rng(seed), 1250)).number for seed in range(8)
    ]
    assert 2.0 < np.median(numbers) < 10.0
    assert max(numbers) < 20.0


def test_a_mirror_image_is_no_copy() -> None:
    one = searches.noise(np.random.default_rng(6), 640, 1)
    assert found(np.hstack([one, -one])).number == 2.0
    assert found(np.hstack([one, 3.0 * one])).number == pytest.approx(1.0)


# -- laws --------------------------------------------------------------------------------------------------------------


def test_neither_order_nor_scale_nor_copies_change_the_number() -> None:
    returns = searches.noise(np.random.default_rng(7), 640, 40)
    plain = found(returns).number
    assert found(returns[:, ::-1] * np.arange(1, 41)).number == pytest.approx(plain, rel=1e-4)
    assert found(np.hstack([returns, returns[:, :15]])).number == pytest.approx(plain, rel=1e-4)
    assert found(returns).number == plain


def test_many_profiles_are_taken_in_parts() -> None:
    returns = searches.alike(np.random.default_rng(7), 640, 50, 0.5)
    plain = found(returns)
    parts = found(returns, rows=7)
    assert parts.number == pytest.approx(plain.number, rel=1e-5)
    assert parts.variance == pytest.approx(plain.variance)
    fewer = found(returns, cosines=50 * 200)
    assert fewer.number == pytest.approx(plain.number, rel=0.2)
    assert fewer.number != plain.number


def test_trials_that_say_nothing_are_left_out() -> None:
    returns = searches.noise(np.random.default_rng(8), 640, 30)
    rows, ratios = searches.profiles(returns), searches.sharpe(returns)
    idle = np.zeros((3, 32), np.float32)
    steady = 0.1 + 1e-10 * np.random.default_rng(1).normal(size=(2, 32))
    failed = np.full((2, 32), np.nan, np.float32)
    failed[0, 1:] = 0.01
    everything = np.vstack([idle, rows, failed, steady]), [*[math.nan] * 3, *ratios, *[9.0] * 4]
    assert effective_trials(*everything) == effective_trials(rows, ratios)
    assert trial_clusters(*everything) == trial_clusters(rows, ratios)


def test_few_trials_and_none() -> None:
    for rows, number in ((np.zeros((4, 32)), 0), (np.arange(5.0)[None, :], 1)):
        result, groups = (f(rows, np.full(len(rows), 0.1)) for f in (effective_trials, trial_clusters))
        assert (result.number, result.trials, groups.number) == (number, number, number)
        assert math.isnan(result.variance)
        assert math.isnan(groups.variance)
    without = effective_trials(np.random.default_rng(1).normal(size=(3, 8)), [math.nan, 0.1, math.nan])
    assert without.number > 2.0
    assert math.isnan(without.variance)


@pytest.mark.parametrize(("shape", "ratios"), [((4,), 4), ((4, 2), 4), ((4, 32), 3)])
def test_wrong_shapes_are_refused(shape: tuple[int, ...], ratios: int) -> None:
    with pytest.raises(BadData, match="expected"):
        effective_trials(np.zeros(shape), np.zeros(ratios))
    with pytest.raises(BadData, match="expected"):
        trial_clusters(np.zeros(shape), np.zeros(ratios))


def test_of_many_trials_some_are_clustered() -> None:
    returns = searches.grouped(np.random.default_rng(9), 640, 5, 300, own=0.02)
    assert clusters(returns).number == 5


# -- clustering --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("ties", [False, True])
def test_clusters_are_those_of_scipy(seed: int, ties: bool) -> None:
    from scipy.cluster.hierarchy import fcluster, linkage
    from scipy.spatial.distance import squareform

    points = np.random.default_rng(seed).normal(size=(60, 3))
    far = np.sqrt(((points[:, None] - points[None]) ** 2).sum(axis=2))
    if ties:  # copies at distance zero; other ties may be joined either way
        far = np.repeat(np.repeat(far, 2, axis=0), 2, axis=1)
    for cut in (0.3, 0.8, 1.5, 2.5, 10.0):
        mine = average_linkage(far, cut)
        theirs = fcluster(linkage(squareform(far), "average"), cut, "distance")
        assert len(set(zip(mine.tolist(), theirs.tolist(), strict=True))) == mine.max() + 1 == theirs.max()


def test_labels_count_from_the_first_item() -> None:
    far = np.array([[0, 9, 1, 9], [9, 0, 9, 9], [1, 9, 0, 9], [9, 9, 9, 0]], np.float64)
    assert average_linkage(far, 1.0).tolist() == [0, 1, 0, 2]
    assert average_linkage(far, 0.99).tolist() == [0, 1, 2, 3]
    assert average_linkage(far, 9.0).tolist() == [0, 0, 0, 0]
    assert average_linkage(np.zeros((1, 1)), 1.0).tolist() == [0]
