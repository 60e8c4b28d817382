"""The standard normal distribution and its inverse in plain arithmetic, so that no number depends on a library."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

# M. J. Wichura, Algorithm AS 241: The Percentage Points of the Normal Distribution, Applied Statistics 37 (1988),
# 477-484, routine PPND16 (about 16 digits): numerator and denominator of each region, highest power first.
_CENTRE = (
    (2509.0809287301226727, 33430.575583588128105, 67265.770927008700853, 45921.953931549871457,
     13731.693765509461125, 1971.5909503065514427, 133.14166789178437745, 3.387132872796366608),
    (5226.495278852854561, 28729.085735721942674, 39307.89580009271061, 21213.794301586595867,
     5394.1960214247511077, 687.1870074920579083, 42.313330701600911252, 1.0),
)  # fmt: skip
_SHOULDER = (
    (7.7454501427834140764e-4, 0.0227238449892691845833, 0.24178072517745061177, 1.27045825245236838258,
     3.64784832476320460504, 5.7694972214606914055, 4.6303378461565452959, 1.42343711074968357734),
    (1.05075007164441684324e-9, 5.475938084995344946e-4, 0.0151986665636164571966, 0.14810397642748007459,
     0.68976733498510000455, 1.6763848301838038494, 2.05319162663775882187, 1.0),
)  # fmt: skip
_TAIL = (
    (2.01033439929228813265e-7, 2.71155556874348757815e-5, 0.0012426609473880784386, 0.026532189526576123093,
     0.29656057182850489123, 1.7848265399172913358, 5.4637849111641143699, 6.6579046435011037772),
    (2.04426310338993978564e-15, 1.4215117583164458887e-7, 1.8463183175100546818e-5, 7.868691311456132591e-4,
     0.0148753612908506148525, 0.13692988092273580531, 0.59983220655588793769, 1.0),
)  # fmt: skip


_ERFC = np.frompyfunc(math.erfc, 1, 1)


def normal_cdf(value: Floats) -> Floats:
    """The probability that a standard normal variable is at most `value`, element by element; NaN for NaN."""
    return 0.5 * np.asarray(_ERFC(value * -math.sqrt(0.5)), np.float64)


def normal_quantile(probability: Floats) -> Floats:
    """The standard normal value below which `probability` lies, element by element; probabilities inside (0, 1)."""
    centred = probability - 0.5
    middle = 0.180625 - centred * centred
    with np.errstate(invalid="ignore"):
        root = np.sqrt(-np.log(np.minimum(probability, 1.0 - probability)))
        outer = np.where(root <= 5.0, _ratio(_SHOULDER, root - 1.6), _ratio(_TAIL, root - 5.0))
    return np.where(np.abs(centred) <= 0.425, centred * _ratio(_CENTRE, middle), np.copysign(outer, centred))


def _ratio(coefficients: tuple[tuple[float, ...], tuple[float, ...]], x: Floats) -> Floats:
    top, bottom = coefficients
    return _polynomial(top, x) / _polynomial(bottom, x)


def _polynomial(coefficients: tuple[float, ...], x: Floats) -> Floats:
    value = np.full_like(x, coefficients[0])
    for coefficient in coefficients[1:]:
        value = value * x + coefficient
    return value
