"""How sure a Sharpe ratio is: its standard error, the chance that it beats a benchmark, what luck makes of the best of many.

Every Sharpe ratio here is per BAR (mean / standard deviation of the returns), never annual; `observations` counts
returns; `skew` and the RAW `kurtosis` (3 for a normal distribution) are those of the returns, as `gpt_trader.metrics`
gives them. Sources:

- Bailey and López de Prado 2012, "The Sharpe Ratio Efficient Frontier", Journal of Risk 15(2), pp. 3-44: standard
  error (after Mertens 2002) and probabilistic Sharpe ratio in section 3, minimum track record length in section 4; the
  probabilistic Sharpe ratio also in López de Prado 2018, "Advances in Financial Machine Learning", 14.7.2, p. 203.
- Bailey and López de Prado 2014, "The Deflated Sharpe Ratio", Journal of Portfolio Management 40(5), pp. 94-107:
  expected maximum (equation 1) and deflated Sharpe ratio (equation 2).

What is undefined is NaN: a NaN or infinite argument, fewer than two observations, and moments that no returns can have
(kurtosis < 1 + skew^2, the only ones for which the variance of a Sharpe ratio could come out negative). A variance of
zero, which two-valued returns can have, makes probabilities of 0 and 1.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import overload

import numpy as np
from numpy.typing import NDArray

from gpt_trader.errors import BadParameter
from gpt_trader.normal import normal_cdf, normal_quantile

Floats = NDArray[np.float64]

EULER = 0.57721566490153286
CONFIDENCE = 0.95
_ROUNDING = 1e-9  # by how much moments that were computed may miss the bound kurtosis = 1 + skew^2


@dataclass(frozen=True, slots=True)
class Deflated:
    """A deflated Sharpe ratio: the `probability` that the true Sharpe ratio lies above the `threshold`, which is what
    the best of `trials` independent ones is expected to show by luck when their Sharpe ratios have the `variance`."""

    probability: float
    threshold: float
    trials: float
    variance: float


@overload
def standard_error(sharpe: float, observations: int, skew: float, kurtosis: float) -> float: ...
@overload
def standard_error(sharpe: Floats, observations: int, skew: Floats, kurtosis: Floats) -> Floats: ...
def standard_error(
    sharpe: float | Floats, observations: int, skew: float | Floats, kurtosis: float | Floats
) -> float | Floats:
    """Standard deviation of the estimate: sqrt((1 - skew SR + (kurtosis - 1) / 4 SR^2) / (n - 1)); numbers or (N,)."""
    spread = _spread(np.asarray(sharpe), np.asarray(skew), np.asarray(kurtosis))
    error = np.sqrt(spread / (observations - 1)) if observations > 1 else np.full_like(spread, np.nan)
    return _plain(error)


@overload
def probabilistic_sharpe(
    sharpe: float, observations: int, skew: float, kurtosis: float, benchmark: float = 0.0
) -> float: ...
@overload
def probabilistic_sharpe(
    sharpe: Floats, observations: int, skew: Floats, kurtosis: Floats, benchmark: float = 0.0
) -> Floats: ...
def probabilistic_sharpe(
    sharpe: float | Floats,
    observations: int,
    skew: float | Floats,
    kurtosis: float | Floats,
    benchmark: float = 0.0,
) -> float | Floats:
    """The probability that the true Sharpe ratio exceeds the `benchmark`: Phi((SR - benchmark) / standard error).

    Numbers, or one value a run (N,) over the same bars. It is one minus the p-value of a one-sided test, not the
    probability that a strategy earns money.
    """
    error = np.asarray(standard_error(sharpe, observations, skew, kurtosis))  # type: ignore[arg-type]
    with np.errstate(divide="ignore", invalid="ignore"):
        return _plain(normal_cdf((np.asarray(sharpe) - benchmark) / error))


def minimum_track_record(
    sharpe: float, skew: float, kurtosis: float, benchmark: float = 0.0, confidence: float = CONFIDENCE
) -> float:
    """The number of returns after which `probabilistic_sharpe` of this very Sharpe ratio reaches the `confidence`:

    1 + (1 - skew SR + (kurtosis - 1) / 4 SR^2) (z / (SR - benchmark))^2. Infinite for a Sharpe ratio that is not above
    the benchmark. Raises BadParameter unless 0.5 < confidence < 1.
    """
    if not 0.5 < confidence < 1.0:
        raise BadParameter(f"confidence is {confidence!r}: give a share between 0.5 and 1, such as 0.95")
    spread = float(_spread(np.asarray(sharpe), np.asarray(skew), np.asarray(kurtosis)))
    if math.isnan(spread) or math.isnan(benchmark):
        return math.nan
    if sharpe <= benchmark:
        return math.inf
    return 1.0 + spread * (_quantile(confidence) / (sharpe - benchmark)) ** 2


def expected_maximum(trials: float, variance: float = 1.0) -> float:
    """What the largest of `trials` independent Sharpe ratios is expected to be when all of them are luck:

    sqrt(variance) ((1 - e) z(1 - 1 / N) + e z(1 - 1 / (N exp 1))), e Euler's constant, z the normal quantile.

    The formula is the limit for many trials. It is above the exact expectation by 2.3 % at N = 10, 0.9 % at 100 and
    0.4 % at 1000, which is the cautious side, and below it at N = 2 (by 8 %). Effective numbers lie between whole
    ones: from 1 (nothing was selected: 0) to 2, where the formula fails, the value is taken on a straight line.
    Zero for one trial whatever the variance, which one trial does not have. Raises BadParameter for fewer than 1 trial
    or a negative variance.
    """
    if trials < 1.0:
        raise BadParameter(f"trials is {trials!r}: at least the run itself was tried, so give 1 or more")
    if variance < 0.0:
        raise BadParameter(
            f"variance is {variance!r}: the variance of the trials' Sharpe ratios is 0 or more"
        )
    if trials == 1.0:
        return 0.0
    if not (math.isfinite(trials) and math.isfinite(variance)):
        return math.nan
    many = max(trials, 2.0)
    largest = -(1.0 - EULER) * _quantile(1.0 / many) - EULER * _quantile(1.0 / (many * math.e))
    return math.sqrt(variance) * largest * min(trials - 1.0, 1.0)


def deflated_sharpe(
    sharpe: float, observations: int, skew: float, kurtosis: float, *, trials: float, variance: float
) -> Deflated:
    """`probabilistic_sharpe` against `expected_maximum`: of the best run, when `trials` were made to find it.

    `variance` is that of the Sharpe ratios (per bar) across the trials. With one trial, or with trials whose Sharpe
    ratios are all the same, the threshold is 0. Raises BadParameter as `expected_maximum` does.
    """
    threshold = expected_maximum(trials, variance)
    probability = probabilistic_sharpe(sharpe, observations, skew, kurtosis, threshold)
    return Deflated(probability, threshold, trials, variance)


def _spread(sharpe: Floats, skew: Floats, kurtosis: Floats) -> Floats:
    """Variance of a Sharpe ratio x (n - 1); NaN for moments that no returns have."""
    with np.errstate(invalid="ignore", over="ignore"):
        spread = 1.0 - skew * sharpe + 0.25 * (kurtosis - 1.0) * sharpe * sharpe
        possible = (kurtosis >= (1.0 + skew * skew) * (1.0 - _ROUNDING)) & np.isfinite(spread)
        return np.where(possible, np.maximum(spread, 0.0), np.nan)


def _quantile(probability: float) -> float:
    return float(normal_quantile(np.asarray(probability)))


def _plain(values: Floats) -> float | Floats:
    """A number for what was asked as a number."""
    return float(values) if values.ndim == 0 else values
