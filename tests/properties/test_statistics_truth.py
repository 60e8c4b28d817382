"""The statistics of trials on searches of known truth: luck is refused, an edge passes, the thresholds are where luck ends.

Arrays of returns only; the searches are in tests/searches.py. Everything is seeded, so a bound is either kept or not.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial

import numpy as np
import pytest

from gpt_trader.validation.effective_trials import effective_trials
from gpt_trader.validation.overfitting import overfitting_of_returns
from gpt_trader.validation.sharpe_statistics import CONFIDENCE, deflated_sharpe
from gpt_trader.validation.summary import TrialStatistics, trial_statistics
from tests import searches
from tests.trial_clusters import trial_clusters

pytestmark = pytest.mark.slow

YEAR = 252.0
BARS = 1250
Search = Callable[[np.random.Generator, int], np.ndarray]


@dataclass(frozen=True)
class Judged:
    """The best trial of a search: its statistics, and the DSR that a count of clusters would give."""

    statistics: TrialStatistics
    clustered: float


def judge(returns: np.ndarray) -> Judged:
    ratios = searches.sharpe(returns)
    best = returns[:, int(ratios.argmax())]
    away = best - best.mean()
    square = float((away**2).mean())
    skew, kurtosis = float((away**3).mean()) / square**1.5, float((away**4).mean()) / square**2
    run = (float(ratios.max()), len(returns), skew, kurtosis)
    found = effective_trials(searches.profiles(returns), ratios)
    statistics = trial_statistics(
        *run, YEAR, trials=ratios.size, variance=float(ratios.var(ddof=1)), effective=found.number,
        effective_variance=found.variance,
    )  # fmt: skip
    groups = trial_clusters(searches.profiles(returns), ratios)
    clustered = deflated_sharpe(*run, trials=groups.number, variance=groups.variance)
    return Judged(statistics, clustered.probability)


def judged(search: Search, repeats: int) -> list[Judged]:
    return [judge(search(np.random.default_rng(9000 + number), BARS)) for number in range(repeats)]


def noise(random: np.random.Generator, bars: int, trials: int) -> np.ndarray:
    return searches.noise(random, bars, trials)


def planted(random: np.random.Generator, bars: int) -> np.ndarray:
    """1 % of 1,000 trials have a true Sharpe ratio of 2.38 a year."""
    return searches.planted(random, bars, 1000, 10, 0.15)


# -- the deflated Sharpe ratio -----------------------------------------------------------------------------------------


def test_the_best_of_a_thousand_noise_strategies_is_refused() -> None:
    found = judged(partial(noise, trials=1000), 100)
    assert sum(one.statistics.dsr < CONFIDENCE for one in found) >= 95
    assert sum(not one.statistics.passes for one in found) >= 95
    alone = sum(one.statistics.psr >= CONFIDENCE for one in found)
    assert alone == 100  # what a report without a ledger would have said of every one of them


def test_a_planted_edge_passes_among_as_many() -> None:
    found = judged(planted, 40)
    assert sum(one.statistics.passes for one in found) >= 38
    assert sum(one.statistics.dsr >= CONFIDENCE for one in found) >= 38


CORRELATED: dict[str, Search] = {
    "20 independent": partial(noise, trials=20),
    "correlation 0.5": partial(searches.alike, trials=200, correlation=0.5),
    "correlation 0.9": partial(searches.alike, trials=200, correlation=0.9),
    "10 groups": partial(searches.grouped, groups=10, each=50, own=0.05),
    "moving averages": searches.averages_on_noise,
    "moving averages, long and short": partial(searches.averages_on_noise, short=True),
}


@cache
def correlated(name: str) -> list[Judged]:
    return judged(CORRELATED[name], 150)


@pytest.mark.parametrize("name", CORRELATED)
def test_the_threshold_is_where_the_best_of_a_correlated_search_ends_up(name: str) -> None:
    """Over many searches the mean of the best and of the effective threshold agree, a little on the cautious side."""
    found = correlated(name)
    best = np.mean([one.statistics.sharpe for one in found])
    threshold = np.mean([one.statistics.threshold_effective for one in found])
    # 150 repeats know the mean best to about 0.035 a year; a floor under the variance adds the rest.
    assert best - 0.08 < threshold < best + 0.20
    assert np.mean([one.statistics.passes for one in found]) <= 0.05
    assert np.mean([one.statistics.dsr >= CONFIDENCE for one in found]) <= 0.06


@pytest.mark.parametrize("name", ["correlation 0.5", "moving averages"])
def test_a_count_of_clusters_would_let_luck_pass(name: str) -> None:
    """Why `clusters` is a description only: docs/decisions/0010-effective-number-of-trials.md."""
    assert np.mean([one.clustered >= CONFIDENCE for one in correlated(name)]) > 0.10


# -- the probability of overfitting ------------------------------------------------------------------------------------


def _overfitting(search: Search, repeats: int) -> tuple[np.ndarray, float, float]:
    """PBO of each repeat, mean Sharpe ratio a year of the selected point in and out of the sample."""
    found = [overfitting_of_returns(search(np.random.default_rng(500 + i), 1000)) for i in range(repeats)]
    inside, outside = (
        np.mean([getattr(one, side).mean() for one in found]) for side in ("in_sample", "out_of_sample")
    )
    return np.array([one.pbo for one in found]), inside * np.sqrt(YEAR), outside * np.sqrt(YEAR)


def test_noise_is_overfitted_half_of_the_time_with_a_wide_scatter() -> None:
    pbo, inside, outside = _overfitting(partial(noise, trials=100), 30)
    assert pbo.mean() == pytest.approx(0.5, abs=0.06)
    assert pbo.std() == pytest.approx(0.15, abs=0.05)
    assert inside > 1.5
    assert outside == pytest.approx(0.0, abs=0.2)


def test_moving_averages_on_noise_are_overfitted_half_of_the_time_too() -> None:
    pbo, inside, outside = _overfitting(searches.averages_on_noise, 30)
    assert pbo.mean() == pytest.approx(0.48, abs=0.1)
    assert inside > 0.5
    assert outside == pytest.approx(0.0, abs=0.2)


def test_a_planted_edge_is_not_overfitted() -> None:
    pbo, inside, outside = _overfitting(
        lambda random, bars: searches.planted(random, bars, 100, 10, 0.15), 20
    )
    assert pbo.max() < 0.03
    assert pbo.mean() < 0.003
    assert inside > outside
    assert outside == pytest.approx(2.4, abs=0.3)
