"""The normal distribution against the standard library."""

from __future__ import annotations

from statistics import NormalDist

import numpy as np

from gpt_trader.normal import normal_cdf, normal_quantile


def test_the_quantile_agrees_with_the_standard_library() -> None:
    inside = (np.arange(1, 4000) - 0.5) / 4000
    tails = 10.0 ** -np.arange(1.0, 16.0)
    probability = np.concatenate([inside, tails, 1.0 - tails[:14]])
    expected = [NormalDist().inv_cdf(value) for value in probability.tolist()]
    np.testing.assert_allclose(normal_quantile(probability), expected, rtol=1e-14, atol=1e-15)


def test_the_distribution_keeps_its_digits_in_the_lower_tail() -> None:
    values = np.array([-38.0, -8.0, -1.0, 0.0, 2.5, 40.0, np.inf, -np.inf, np.nan])
    published = [
        2.885428360068784e-316,
        6.220960574271785e-16,
        0.15865525393145707,
        0.5,
        0.9937903346742238,
        1,
        1,
        0,
    ]
    np.testing.assert_allclose(normal_cdf(values), [*published, np.nan], rtol=1e-9)


def test_the_distribution_undoes_the_quantile() -> None:
    probability = np.concatenate([10.0 ** -np.arange(1.0, 300.0, 7.0), np.linspace(0.01, 0.99, 99)])
    np.testing.assert_allclose(normal_cdf(normal_quantile(probability)), probability, rtol=1e-11)
