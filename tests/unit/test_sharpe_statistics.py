"""Probabilistic and deflated Sharpe ratios against the papers, an independent library, exact integrals and simulation."""

from __future__ import annotations

import math
from collections.abc import Callable
from statistics import NormalDist

import numpy as np
import pytest

from gpt_trader import metrics
from gpt_trader.errors import BadParameter
from gpt_trader.validation.sharpe_statistics import (
    deflated_sharpe,
    expected_maximum,
    minimum_track_record,
    probabilistic_sharpe,
    standard_error,
)

NORMAL = (0.0, 3.0)  # skew, raw kurtosis


# -- published examples ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("skew", "kurtosis", "trials", "probability"),
    [(-3.0, 10.0, 100, 0.9004), (-3.0, 10.0, 46, 0.9505), (*NORMAL, 88, 0.9505)],
)
def test_the_example_of_the_deflated_sharpe_ratio(
    skew: float, kurtosis: float, trials: int, probability: float
) -> None:
    """Bailey and López de Prado 2014: Sharpe ratio 2.5 a year, 1,250 days of 250 a year, variance of trials 0.5 a year."""
    found = deflated_sharpe(2.5 / math.sqrt(250), 1250, skew, kurtosis, trials=trials, variance=0.5 / 250)
    assert found.probability == pytest.approx(probability, abs=5e-5)
    if trials == 100:
        assert found.threshold == pytest.approx(0.1132, abs=5e-5)


@pytest.mark.parametrize(("moments", "probability"), [(NORMAL, 0.982), ((-2.448, 10.164), 0.913)])
def test_the_example_of_the_probabilistic_sharpe_ratio(
    moments: tuple[float, float], probability: float
) -> None:
    """Bailey and López de Prado 2012: 24 monthly returns of a hedge fund."""
    assert probabilistic_sharpe(0.458, 24, *moments) == pytest.approx(probability, abs=5e-4)


@pytest.mark.parametrize(("yearly", "years"), [(0.5, 10.8), (1.0, 2.7), (1.5, 1.2), (2.0, 0.7)])
def test_years_that_a_sharpe_ratio_needs(yearly: float, years: float) -> None:
    assert minimum_track_record(yearly / math.sqrt(252), *NORMAL) / 252 == pytest.approx(years, abs=0.05)


# -- the expected maximum ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("trials", "value"), [(10, 1.5746), (45, 2.2356), (100, 2.5306), (1000, 3.2551)])
def test_published_expected_maxima(trials: int, value: float) -> None:
    assert expected_maximum(trials) == pytest.approx(value, abs=5e-5)
    assert expected_maximum(trials, 0.04) == pytest.approx(0.2 * value, abs=2e-5)


def _exact_maximum(trials: int) -> float:
    """E max of independent standard normals: the integral of x N phi(x) Phi(x)^(N - 1)."""
    x = np.linspace(-9.0, 9.0, 4001)
    below = np.array([NormalDist().cdf(value) for value in x.tolist()])
    density = np.exp(-0.5 * x * x) / math.sqrt(2.0 * math.pi)
    return float(np.trapezoid(x * trials * density * below ** (trials - 1), x))


@pytest.mark.parametrize(
    ("trials", "error"), [(2, -0.079), (3, 0.008), (5, 0.025), (10, 0.023), (100, 0.009), (1000, 0.004)]
)
def test_the_error_of_the_formula_is_the_one_documented(trials: int, error: float) -> None:
    assert expected_maximum(trials) / _exact_maximum(trials) - 1.0 == pytest.approx(error, abs=6e-4)


def test_the_expected_maximum_grows_from_nothing_with_the_trials() -> None:
    counts = [1.0, 1.1, 1.5, 1.99, 2.0, 2.01, 3.0, 10.0, 1e3, 1e6, 1e12]
    values = [expected_maximum(count) for count in counts]
    assert values[0] == 0.0
    assert values == sorted(values)
    assert len(set(values)) == len(values)
    assert expected_maximum(1, math.nan) == 0.0


def test_no_trials_and_no_variance() -> None:
    assert expected_maximum(50, 0.0) == 0.0
    assert math.isnan(expected_maximum(2, math.nan))
    assert math.isnan(expected_maximum(math.nan, 1.0))
    with pytest.raises(BadParameter, match="at least the run itself"):
        expected_maximum(0)
    with pytest.raises(BadParameter, match="0 or more"):
        expected_maximum(3, -1.0)


# -- laws --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("moments", [NORMAL, (-1.2, 7.0), (2.0, 9.0)])
@pytest.mark.parametrize("benchmark", [0.0, 0.05])
def test_after_the_minimum_track_record_the_confidence_is_reached(
    moments: tuple[float, float], benchmark: float
) -> None:
    needed = minimum_track_record(0.1, *moments, benchmark, 0.9)
    assert probabilistic_sharpe(0.1, math.ceil(needed), *moments, benchmark) >= 0.9
    assert probabilistic_sharpe(0.1, math.ceil(needed) - 1, *moments, benchmark) < 0.9


def test_one_trial_is_the_probabilistic_sharpe_ratio() -> None:
    run = (0.07, 900, -0.5, 6.0)
    assert deflated_sharpe(*run, trials=1, variance=math.nan).probability == probabilistic_sharpe(*run)


def test_an_array_gives_what_its_numbers_give() -> None:
    sharpe, skew, kurtosis = (
        np.array([0.1, -0.2, np.nan]),
        np.array([0.5, -1.0, 0.0]),
        np.array([4.0, 5.0, 3.0]),
    )
    each = [
        probabilistic_sharpe(*run, benchmark=0.02)
        for run in zip(sharpe.tolist(), [300] * 3, skew.tolist(), kurtosis.tolist(), strict=True)
    ]
    np.testing.assert_array_equal(probabilistic_sharpe(sharpe, 300, skew, kurtosis, 0.02), each)
    assert isinstance(each[0], float)
    assert math.isnan(each[2])


# -- what has no answer ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "run",
    [
        (math.nan, 100, *NORMAL),
        (math.inf, 100, *NORMAL),
        (1e200, 100, *NORMAL),
        (0.1, 1, *NORMAL),
        (0.1, 0, *NORMAL),
        (0.1, 100, math.nan, 3.0),
        (0.1, 100, 0.0, math.nan),
        (
            1.5,
            100,
            3.0,
            3.0,
        ),  # a variance of 1 - 4.5 + 1.1 < 0: no returns have a skew of 3 and a kurtosis of 3
    ],
)
def test_what_is_undefined_is_nan(run: tuple[float, int, float, float]) -> None:
    assert math.isnan(standard_error(*run))
    assert math.isnan(probabilistic_sharpe(*run))
    assert math.isnan(deflated_sharpe(*run, trials=10, variance=0.01).probability)


def test_a_record_that_never_suffices() -> None:
    assert minimum_track_record(0.05, *NORMAL, benchmark=0.05) == math.inf
    assert minimum_track_record(-0.1, *NORMAL) == math.inf
    assert math.isnan(minimum_track_record(math.nan, *NORMAL))
    assert math.isnan(minimum_track_record(0.1, 3.0, 3.0))
    assert math.isnan(minimum_track_record(0.1, *NORMAL, benchmark=math.nan))
    with pytest.raises(BadParameter, match="a share between"):
        minimum_track_record(0.1, *NORMAL, confidence=95)


def test_returns_of_two_values_have_the_least_kurtosis_there_is() -> None:
    """Their moments lie on the bound kurtosis = 1 + skew^2, which rounding may miss by a little."""
    returns = np.array([0.01] * 90 + [-0.02] * 10)
    skew, kurtosis = metrics.skew(returns), metrics.kurtosis(returns)
    assert kurtosis == pytest.approx(1.0 + skew**2)
    for scale in (1.0 - 1e-12, 1.0, 1.0 + 1e-12):
        assert standard_error(0.3, 100, skew, kurtosis * scale) > 0.0
    for kurtosis in (2.0, 2.0 - 1e-10):  # there the variance is exactly zero, or below it by rounding
        assert probabilistic_sharpe(2.0, 100, 1.0, kurtosis) == 1.0
        assert probabilistic_sharpe(2.0, 100, 1.0, kurtosis, benchmark=2.5) == 0.0


# -- another library ---------------------------------------------------------------------------------------------------


def _made(columns: int = 12, bars: int = 1500) -> np.ndarray:
    """Returns (T, N) with a crash now and then, from a formula."""
    t, c = np.arange(1, bars + 1)[:, None], np.arange(columns)[None, :]
    return (
        0.0002
        + 0.0001 * c
        + 0.012 * np.sin(t * t * (0.37 + 0.11 * c) + c) ** 3
        - 0.03 * ((t + 7 * c) % 97 == 0)
    )


SKFOLIO_PSR = [
    0.0058147262807847, 0.1161300600037643, 0.10048023382316762, 0.170695146022103, 0.5571447227146891,
    0.9910817982194415, 0.873212203845793, 0.21404334944157405, 0.30990556627781, 0.8854561510316494,
    0.9923840891498522, 0.9997677023465854,
]  # fmt: skip
SKFOLIO_DSR = [
    9.071551795876e-05, 0.00816595142118771, 0.006442304785986975, 0.015469236870263097, 0.14626550508092012,
    0.886942862600784, 0.48641306491004344, 0.022834784608544562, 0.04509536762399283, 0.5097297349651988,
    0.8962834566720568, 0.9909866710665737,
]  # fmt: skip


def test_what_skfolio_gives_for_the_same_returns() -> None:
    """skfolio 1.12.2, skfolio.measures: probabilistic_sharpe_ratio(…, 0.05) and deflated_sharpe_ratio of `_made()`."""
    returns = _made()
    sharpe = returns.mean(axis=0) / returns.std(axis=0, ddof=1)
    skew = np.array([metrics.skew(column) for column in returns.T])
    kurtosis = np.array([metrics.kurtosis(column) for column in returns.T])
    run = (sharpe, len(returns), skew, kurtosis)
    np.testing.assert_allclose(probabilistic_sharpe(*run, 0.05), SKFOLIO_PSR, rtol=1e-6)
    threshold = expected_maximum(sharpe.size, float(sharpe.var(ddof=1)))
    np.testing.assert_allclose(probabilistic_sharpe(*run, threshold), SKFOLIO_DSR, rtol=1e-6)


# -- simulation --------------------------------------------------------------------------------------------------------


def _shares(draw: Callable[[tuple[int, int]], np.ndarray], true: float) -> tuple[float, float, float]:
    """How often 3,000 runs of 250 bars have a PSR against their TRUE Sharpe ratio above 0.95, and below 0.05; and how
    often above 0.95 when normal returns are assumed."""
    returns = draw((3000, 250)) + true
    away = returns - returns.mean(axis=1, keepdims=True)
    square = (away**2).mean(axis=1)
    sharpe = returns.mean(axis=1) / np.sqrt(square * 250 / 249)
    skew, kurtosis = (away**3).mean(axis=1) / square**1.5, (away**4).mean(axis=1) / square**2
    found = probabilistic_sharpe(sharpe, 250, skew, kurtosis, true)
    naive = probabilistic_sharpe(sharpe, 250, 0.0 * skew, 3.0 + 0.0 * skew, true)
    return float((found > 0.95).mean()), float((found < 0.05).mean()), float((naive > 0.95).mean())


def test_one_in_twenty_is_wrong_where_one_in_twenty_may_be() -> None:
    high, low, _ = _shares(np.random.default_rng(11).standard_normal, 0.1)
    assert high == pytest.approx(0.05, abs=0.012)  # three standard errors
    assert low == pytest.approx(0.05, abs=0.012)


def test_negative_skew_is_paid_for() -> None:
    """Returns of skew -2 and kurtosis 9: with the moments the error is as promised, without them more than double."""
    random = np.random.default_rng(12)
    high, low, naive = _shares(lambda shape: 1.0 - random.exponential(size=shape), 0.3)
    assert high == pytest.approx(0.05, abs=0.015)
    assert low == pytest.approx(0.05, abs=0.015)
    assert naive > 0.1
