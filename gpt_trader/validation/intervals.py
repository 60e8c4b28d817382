"""Intervals for the numbers of a run, and the comparison of two runs, from re-runs on resampled markets.

An interval is the spread of the re-runs laid around the estimate: the percentile interval of Efron (1979) after the
median of the re-runs has been moved onto the estimate. The move matters for rules that live on memory longer than a
block, which resampled markets do not have: their re-runs scatter as widely as before, but around another value. The
spread is widened for what a stationary bootstrap of m blocks cannot know: a share of about 2 / m of the variance is lost
because every history has the mean of its own (the weights of its autocovariances, Politis and Romano 1994, add up to
twice the mean block length), and what is left is known as well as from m observations (its variance in Politis and White
2004, corrected in 2009), so that Student's quantile stands for the normal one.

Coverage as measured, and what an interval cannot say: docs/robustness.md.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpt_trader.engine.metric_definitions import INTERVAL_METRICS, METRIC
from gpt_trader.errors import BadParameter

Floats = NDArray[np.float64]

HEADLINE = INTERVAL_METRICS
"""The metrics for which intervals are given."""
GROWTHS = ("total_return", "cagr")
EXTREMES = ("max_drawdown",)
LESS_IS_BETTER = tuple(name for name in HEADLINE if METRIC[name].better == "less")
FEWEST_BLOCKS = 3.0
_RUIN = 1e-12  # what is left, at the least, of a capital that was lost


@dataclass(frozen=True, slots=True)
class Interval:
    """`estimate` of the run on the market that happened and the bounds around it at the `level`, such as 0.95.

    `median` and `deviation` are those of the `count` re-runs in which the metric is defined. Bounds are NaN where the
    estimate is, or where too few re-runs have the metric.
    """

    name: str
    estimate: float
    low: float
    high: float
    median: float
    deviation: float
    count: int
    level: float

    @property
    def lost(self) -> float:
        """How far the median of the re-runs lies below the estimate, in their standard deviations.

        Far above 0 for a rule whose edge is memory longer than a block; NaN when the re-runs do not differ.
        """
        return (self.estimate - self.median) / self.deviation if self.deviation > 0 else float("nan")


@dataclass(frozen=True, slots=True)
class Comparison:
    """How far the first of two strategies is ahead of the second by one metric, from paired re-runs.

    `difference` of the estimates (above 0: the first is better), its interval `low` to `high`; `probability` that the
    first is better, which is the share of the differences of the re-runs, moved like the interval onto `difference`,
    that are above 0 (ties count half); `won` the plain share of resampled markets in which the first was better.
    """

    name: str
    difference: float
    low: float
    high: float
    probability: float
    won: float
    count: int
    level: float


def fewest_replicates(level: float) -> int:
    """How many re-runs an interval needs at the least: 39 at 0.95."""
    if not 0.0 < level < 1.0:
        raise BadParameter(f"level is {level}: give a share between 0 and 1, such as 0.95")
    return int(np.ceil(2.0 / (1.0 - level) - 1.0 - 1e-9))


def intervals(
    names: Sequence[str], estimates: Floats, replicates: Floats, *, blocks: float, level: float = 0.95
) -> tuple[Interval, ...]:
    """An interval for each metric in `names` (M): `estimates` (M,), `replicates` (B, M) of the same run on B markets.

    `blocks` is the number of independent blocks: sessions / mean block length. Growth (`total_return`, `cagr`) is taken
    in logarithms. `max_drawdown` is an extreme of one history, not an average: its bounds are where it lies in that
    share of the histories, as it is, nothing moved or widened.

    Raises BadParameter for fewer re-runs than `fewest_replicates` or fewer than 3 blocks.
    """
    check_counts(replicates.shape[0], blocks, level)
    return tuple(
        _interval(name, float(estimate), values, _widening(blocks, level), level)
        for name, estimate, values in zip(names, estimates, replicates.T, strict=True)
    )


def compare(
    name: str,
    first: tuple[float, Floats],
    second: tuple[float, Floats],
    *,
    blocks: float,
    level: float = 0.95,
) -> Comparison:
    """The first strategy against the second by metric `name`: each an estimate and (B,) values on the same B markets.

    Pairing takes out what the markets have done to both. Of `volatility` less is better. Raises as `intervals` does.
    """
    sign = -1.0 if name in LESS_IS_BETTER else 1.0
    difference = sign * (first[0] - second[0])
    check_counts(first[1].size, blocks, level)
    paired = sign * (first[1] - second[1])
    paired = paired[np.isfinite(paired)]
    if paired.size < fewest_replicates(level) or not np.isfinite(difference):
        nan = float("nan")
        return Comparison(name, difference, nan, nan, nan, nan, paired.size, level)
    widening = _widening(blocks, level)
    low, high = _around(difference, paired, widening, level)
    moved = difference + (paired - np.median(paired)) * widening
    return Comparison(
        name, difference, low, high, _share_above_zero(moved), _share_above_zero(paired), paired.size, level
    )


def check_counts(replicates: int, blocks: float, level: float) -> None:
    """Raises BadParameter for fewer re-runs or blocks than intervals at `level` need."""
    fewest = fewest_replicates(level)
    if replicates < fewest:
        raise BadParameter(
            f"{replicates} resampled markets are too few for intervals of {level:.0%}; at least {fewest} are needed"
        )
    if not blocks >= FEWEST_BLOCKS:
        raise BadParameter(
            f"the history has {blocks:.1f} blocks; an interval needs 3 at the least: give a longer history or shorter blocks"
        )


def _interval(name: str, estimate: float, values: Floats, widening: float, level: float) -> Interval:
    finite = values[np.isfinite(values)]
    low = high = median = deviation = float("nan")
    if finite.size:
        median = float(np.median(finite))
    if finite.size > 1:
        deviation = float(np.std(finite, ddof=1))
    if finite.size >= fewest_replicates(level) and np.isfinite(estimate):
        if name in EXTREMES:
            low, high = _quantiles(finite, level)
        else:
            forth, back = _scale_of(name)
            low, high = _around(float(forth(estimate)), forth(finite), widening, level)
            low, high = float(back(low)), float(back(high))
    return Interval(name, estimate, low, high, median, deviation, finite.size, level)


def _around(estimate: float, values: Floats, widening: float, level: float) -> tuple[float, float]:
    low, high = _quantiles(values, level)
    median = float(np.median(values))
    return estimate + (low - median) * widening, estimate + (high - median) * widening


def _quantiles(values: Floats, level: float) -> tuple[float, float]:
    """The quantiles between which a further value falls with probability `level` (Hyndman and Fan 1996, type 6)."""
    low, high = np.quantile(values, [(1.0 - level) / 2.0, (1.0 + level) / 2.0], method="weibull")
    return float(low), float(high)


def _widening(blocks: float, level: float) -> float:
    """sqrt(m / (m - 2)) t / z with m = `blocks`: Student's quantile of m degrees of freedom over the normal one."""
    from scipy.special import ndtri, stdtrit

    tail = (1.0 + level) / 2.0
    return float(np.sqrt(blocks / (blocks - 2.0)) * stdtrit(blocks, tail) / ndtri(tail))


def _scale_of(name: str) -> tuple[Callable[[Any], Any], Callable[[Any], Any]]:
    """The scale on which the spread of a metric does not depend on its size, and the way back."""
    if name in GROWTHS:
        return (lambda values: np.log(np.maximum(1.0 + values, _RUIN))), np.expm1
    return (lambda values: values), (lambda values: values)


def _share_above_zero(values: Floats) -> float:
    return float(np.mean(values > 0.0) + 0.5 * np.mean(values == 0.0))
