"""How long the blocks of a bootstrap must be for a series, read from its own autocorrelations."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def automatic_block(returns: Floats) -> float:
    """The mean block length, 1 or more, that keeps the memory of `returns` (n,) and of their volatility.

    The longer of `optimal_block` of the returns and of their absolute values: the first alone sees no clustering of volatility,
    and squares see little but the largest of them (Ding, Granger and Engle 1993, J. of Empirical Finance 1(1), pp. 83-106).
    """
    return max(optimal_block(returns), optimal_block(np.abs(returns)))


def optimal_block(series: Floats) -> float:
    """The mean block length of the stationary bootstrap that estimates the variance of a mean of `series` (n,) best.

    Politis and White 2004, "Automatic block-length selection for the dependent bootstrap", Econometric Reviews 23(1),
    pp. 53-70, with the constant of Patton, Politis and White 2009, Econometric Reviews 28(4), pp. 372-375:
    (2 G^2 / D n)^(1/3), D = 2 g(0)^2, where g(0) and G are the sums over the lags k of w(k) R(k) and w(k) |k| R(k), R the
    autocovariance and w the flat-top window 1, then falling to 0 at twice the lag after which no autocorrelation is
    significant. Between 1 and min(3 sqrt(n), n / 3); 1 for a series without spread.
    """
    count = series.size
    if count < 9:
        return 1.0
    centred = series - series.mean()
    run = max(5, int(np.ceil(np.sqrt(np.log10(count)))))
    furthest = min(int(np.ceil(np.sqrt(count))) + run, count - 1)
    covariance = np.array([centred[: count - lag] @ centred[lag:] for lag in range(furthest + 1)]) / count
    if not covariance[0] > 1e-28 * float(np.mean(np.square(series))):
        return 1.0
    bandwidth = min(2 * _last_significant(covariance / covariance[0], count, run), furthest)
    lags = np.arange(1, bandwidth + 1)
    window = np.minimum(1.0, 2.0 * (1.0 - lags / max(bandwidth, 1)))
    weighted = 2.0 * window * covariance[1 : bandwidth + 1]
    slope, spectrum = float(weighted @ lags), float(covariance[0] + weighted.sum())
    if spectrum == 0.0:
        return _longest(count)
    return float(np.clip(np.cbrt(slope**2 / spectrum**2 * count), 1.0, _longest(count)))


def _longest(count: int) -> float:
    return float(np.ceil(min(3.0 * np.sqrt(count), count / 3.0)))


def _last_significant(correlation: Floats, count: int, run: int) -> int:
    """The smallest lag m >= 1 such that the `run` lags after it are all inside +-2 sqrt(log10 n / n), or the last lag."""
    outside = np.abs(correlation[1:]) >= 2.0 * np.sqrt(np.log10(count) / count)
    quiet = np.convolve(outside, np.ones(run), "valid") == 0
    return max(1, int(np.argmax(quiet))) if quiet.any() else outside.size
