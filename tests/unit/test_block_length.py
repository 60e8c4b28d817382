"""The automatic block length against the formula of its paper, written out plainly, and against its theory."""

from __future__ import annotations

import math

import numpy as np
import pytest

from gpt_trader.validation.block_length import automatic_block, optimal_block


def autoregressive(rho: float, count: int, seed: int) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(size=count + 200)
    from scipy.signal import lfilter  # here, for it takes long to load

    series: np.ndarray = lfilter([1.0], [1.0, -rho], noise)
    return series[200:]


def plain(series: list[float]) -> float:
    """Politis and White 2004 with the correction of 2009, by its sums."""
    n = len(series)
    mean = sum(series) / n

    def covariance(lag: int) -> float:
        return sum((series[t] - mean) * (series[t + lag] - mean) for t in range(n - lag)) / n

    quiet = 2 * math.sqrt(math.log10(n) / n)
    run = max(5, math.ceil(math.sqrt(math.log10(n))))
    furthest = math.ceil(math.sqrt(n)) + run
    rho = [covariance(k) / covariance(0) for k in range(furthest + 1)]
    lag = 0
    while lag + run <= furthest and any(abs(rho[lag + k]) >= quiet for k in range(1, run + 1)):
        lag += 1
    if lag + run > furthest:
        lag = furthest
    edge = min(2 * max(lag, 1), furthest)
    spectrum = slope = 0.0
    for k in range(-edge, edge + 1):
        share = abs(k) / edge
        weight = 1.0 if share <= 0.5 else 2 * (1 - share)
        spectrum += weight * covariance(abs(k))
        slope += weight * abs(k) * covariance(abs(k))
    longest = math.ceil(min(3 * math.sqrt(n), n / 3))
    return min(max((2 * slope**2 / (2 * spectrum**2)) ** (1 / 3) * n ** (1 / 3), 1.0), longest)


@pytest.mark.parametrize("rho", [0.0, 0.3, 0.8, 0.99, -0.4])
@pytest.mark.parametrize("count", [12, 60, 400])
def test_the_length_is_that_of_the_paper(rho: float, count: int) -> None:
    for seed in range(4):
        series = 0.01 + 0.02 * autoregressive(rho, count, seed)
        assert optimal_block(series) == pytest.approx(plain(series.tolist()), rel=1e-9)


@pytest.mark.parametrize("rho", [0.3, 0.6, 0.9])
def test_the_length_of_a_long_autoregression_is_that_of_its_known_spectrum(rho: float) -> None:
    """G / g(0) = 2 rho / (1 - rho^2) for an AR(1)."""
    count = 40_000
    expected = (4 * rho**2 / (1 - rho**2) ** 2 * count) ** (1 / 3)
    found = np.median([optimal_block(autoregressive(rho, count, seed)) for seed in range(9)])
    assert found == pytest.approx(expected, rel=0.12)


def test_a_series_without_memory_or_without_spread_needs_no_blocks() -> None:
    assert np.median([optimal_block(autoregressive(0.0, 2_520, seed)) for seed in range(15)]) < 3
    assert optimal_block(np.full(500, 0.3)) == 1.0
    assert optimal_block(np.zeros(500)) == 1.0
    assert optimal_block(np.array([0.1, -0.2, 0.3])) == 1.0
    assert optimal_block(np.empty(0)) == 1.0


def test_the_length_does_not_depend_on_units() -> None:
    series = autoregressive(0.5, 800, 3)
    assert optimal_block(series * 1e-9) == pytest.approx(optimal_block(series), rel=1e-9)


def test_clustered_volatility_makes_blocks_long() -> None:
    rng = np.random.default_rng(0)
    wild = np.cumsum(rng.random(3_000) < 0.01) % 2
    returns = rng.normal(0, 1, 3_000) * np.where(wild, 0.02, 0.005)
    assert optimal_block(returns) < 10
    assert automatic_block(returns) == optimal_block(np.abs(returns))
    assert automatic_block(returns) > 20


def test_one_crash_does_not_hide_the_clusters() -> None:
    rng = np.random.default_rng(0)
    wild = np.cumsum(rng.random(3_000) < 0.01) % 2
    returns = rng.normal(0, 1, 3_000) * np.where(wild, 0.02, 0.005)
    returns[1_234] = -0.5
    assert optimal_block(returns**2) < 10
    assert automatic_block(returns) > 20
