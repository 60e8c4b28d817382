"""How many independent trials a set of correlated ones amounts to, seen through the profiles of their returns.

A grid of 400 moving-average pairs is not 400 independent bets. What matters for the deflated Sharpe ratio is how high the
best of them is expected to come out by luck, so the effective number is DEFINED by that: as many independent trials
as have the same expected maximum. Their Sharpe ratios under luck are jointly normal with the correlations of the
returns, and so is z . u_i for a standard normal vector z, where u_i is the profile of trial i without its mean, scaled to
length 1: the mean of max_i z . u_i over random z is the expected maximum. Two things make that exact enough:

- The length of z is independent of its direction and common to all trials, so only directions are drawn (1,024, seeded,
  both ends of each; fewer above 130,000 trials, down to 128), which leaves an error of 2 % (6 % with 128) in the number.
- B blocks know correlations only to about 1 / sqrt(B). So the result is compared with that of N independent trials
  seen through B blocks too, whose cosines with a direction are correlations of B unrelated pairs of numbers, of
  density (1 - t^2)^((B - 4) / 2) (Fisher 1915, Biometrika 10(4), pp. 507-521). Independent noise comes out as its own number.

The usual other way is a count of clusters; docs/decisions/0010-effective-number-of-trials.md compares.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gpt_trader.errors import BadData

Floats = NDArray[np.float64]

_DIRECTIONS = (128, 1024)  # at least, at most
COSINES = 2**27  # about as many are computed between profiles and directions
_SEED = 20140914
ROWS = 8192  # of profiles that are compared with the directions at a time
_ANGLES = 4001
_SAME = 1e-7  # share of a profile that is rounding


@dataclass(frozen=True, slots=True)
class EffectiveTrials:
    """What correlated trials amount to.

    `number` independent trials have the same expected maximum, between 1 and `trials`, the number of profiles that
    vary (0 without any). `variance` is that of the Sharpe ratio of ONE of them: the trials' variance / (1 - `correlation`),
    the mean correlation between two trials, because what all trials share moves them together and is missing from
    their variance. NaN with fewer than two Sharpe ratios.
    """

    number: float
    trials: int
    correlation: float
    variance: float


def effective_trials(
    profiles: ArrayLike, sharpe: ArrayLike, *, rows: int = ROWS, cosines: int = COSINES
) -> EffectiveTrials:
    """What `profiles` (n, B), sums of returns over B >= 3 blocks of equal length, and `sharpe` (n,) per bar amount to.

    A profile with NaN, or without variation (the trial never traded), is left out; a copy of another changes nothing but
    the variance. About a second for up to a million trials. What blocks cannot tell: trials that trade in a few blocks
    only look alike when those are the same ones. `rows`: profiles that are read at a time; `cosines`: about as many are
    computed. Raises BadData for other shapes.
    """
    known, ratios = checked_profiles(profiles, sharpe)
    unit, varies = unit_profiles(known, rows)
    count = len(unit)
    correlation = _mean_correlation(unit)
    return EffectiveTrials(
        number=_effective_number(unit, rows, cosines),
        trials=count,
        correlation=correlation,
        variance=sample_variance(ratios[varies]) / max(1.0 - correlation, _SAME) if count > 1 else math.nan,
    )


def checked_profiles(profiles: ArrayLike, sharpe: ArrayLike) -> tuple[NDArray[np.float32], Floats]:
    """Profiles (n, B) and Sharpe ratios (n,) as arrays; BadData for other shapes."""
    rows, ratios = np.asarray(profiles), np.asarray(sharpe, np.float64)
    if rows.ndim != 2 or rows.shape[1] < 3 or ratios.shape != rows.shape[:1]:
        raise BadData(
            f"profiles {rows.shape} and sharpe {ratios.shape}: expected (n, B) with B of 3 or more, and (n,)"
        )
    return rows, ratios


def unit_profiles(
    profiles: NDArray[np.float32], rows: int = ROWS
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """The profiles that vary without their means, at length 1, and which they are."""
    unit = np.empty(profiles.shape, np.float32)
    varies = np.empty(len(profiles), np.bool_)
    for begin in range(0, len(profiles), rows):
        part = profiles[begin : begin + rows].astype(np.float64)
        with np.errstate(invalid="ignore"):
            largest = np.abs(part).max(axis=1, keepdims=True)
            part -= part.mean(axis=1, keepdims=True)
            length = np.sqrt((part * part).sum(axis=1, keepdims=True))
            varies[begin : begin + rows] = np.isfinite(length[:, 0]) & (length > _SAME * largest)[:, 0]
        unit[begin : begin + rows] = part / np.where(length > 0.0, length, 1.0)
    return unit[varies], varies


def _mean_correlation(unit: NDArray[np.float32]) -> float:
    """The mean correlation of two different trials; NaN for fewer than two."""
    count = len(unit)
    total = unit.sum(axis=0, dtype=np.float64)
    return float((total @ total - count) / (count * (count - 1))) if count > 1 else math.nan


def sample_variance(values: Floats) -> float:
    """Variance (n - 1) of the values that are known; NaN for fewer than two."""
    known = values[np.isfinite(values)]
    return float(known.var(ddof=1)) if known.size > 1 else math.nan


# -- the effective number ------------------------------------------------------------------------------------------------


def _effective_number(unit: NDArray[np.float32], rows: int, cosines: int) -> float:
    """As many independent trials as have the expected maximum of these."""
    count, blocks = unit.shape
    if count < 2:
        return float(count)
    target = _expected_cosine(unit, rows, cosines)
    low, high = 0.0, math.log(count)
    if _independent_cosine(count, blocks) <= target:
        return float(count)
    for _ in range(40):
        middle = 0.5 * (low + high)
        if _independent_cosine(math.exp(middle), blocks) < target:
            low = middle
        else:
            high = middle
    return math.exp(0.5 * (low + high))


def _expected_cosine(unit: NDArray[np.float32], rows: int, cosines: int) -> float:
    """The mean over random directions of the largest cosine that a trial has with it."""
    number = int(np.clip(cosines // len(unit), *_DIRECTIONS))
    draws = np.random.default_rng(_SEED).standard_normal((unit.shape[1], number))
    draws -= draws.mean(axis=0)
    draws /= np.sqrt((draws * draws).sum(axis=0))
    directions = draws.astype(np.float32)
    largest = np.full(number, -np.inf, np.float32)
    smallest = np.full(number, np.inf, np.float32)
    for begin in range(0, len(unit), rows):
        found = unit[begin : begin + rows] @ directions
        np.maximum(largest, found.max(axis=0), out=largest)
        np.minimum(smallest, found.min(axis=0), out=smallest)
    return 0.5 * (float(largest.mean(dtype=np.float64)) - float(smallest.mean(dtype=np.float64)))


def _independent_cosine(trials: float, blocks: int) -> float:
    """The expected largest cosine of `trials` random profiles of `blocks` blocks with a fixed direction.

    1 - integral of F(t)^trials over the cosines t, F their distribution; angles run from 0 (cosine 1), where the
    upper tail 1 - F that decides is summed without cancellation.
    """
    angle = np.linspace(0.0, math.pi, _ANGLES)
    sine = np.sin(angle)
    density = sine ** (blocks - 3)
    above = np.concatenate(([0.0], np.cumsum(0.5 * (density[1:] + density[:-1]))))
    with np.errstate(divide="ignore"):
        below = np.exp(trials * np.log1p(-above / above[-1]))
    return 1.0 - float(np.trapezoid(below * sine, angle))
