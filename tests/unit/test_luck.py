"""The trials' variance is brought to the length of the run that is judged."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from gpt_trader.research.selection_bias import trial_statistics_of
from gpt_trader.validation.sharpe_statistics import expected_maximum

METRICS = {"sharpe": 1.0, "skew": 0.0, "kurtosis": 3.0, "periods_per_year": 252.0}


@dataclass(frozen=True)
class Count:
    overlapping: int = 40
    variance: float = 0.0016
    observations: int = 1000

    def effective(self) -> tuple[float, float]:
        return 10.0, 0.002


@pytest.mark.parametrize("observations", [1000, 500, 2000])
def test_the_bar_is_that_of_luck_over_as_many_returns_as_the_run_has(observations: int) -> None:
    found = trial_statistics_of(METRICS, observations, Count())
    assert found.threshold is not None
    assert found.threshold / 252**0.5 == pytest.approx(expected_maximum(40, 0.0016 * 1000 / observations))
    assert found.threshold_effective is not None
    assert found.threshold_effective / 252**0.5 == pytest.approx(
        expected_maximum(10.0, 0.002 * 1000 / observations)
    )
