"""Selection bias: what a run is worth as the best of many trials; the statistics of `gpt_trader.validation` from its metrics."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from gpt_trader.engine.metric_definitions import METRIC_NAMES

if TYPE_CHECKING:
    from gpt_trader.validation.overfitting import Overfitting
    from gpt_trader.validation.summary import TrialStatistics

_SHARPE, _VOLATILITY, _PER_YEAR, _DRAWDOWN = (
    METRIC_NAMES.index(name) for name in ("sharpe", "volatility", "periods_per_year", "max_drawdown")
)


class Counted(Protocol):
    """What is asked of a trial ledger's answer: the number of trials that a run is the best of, the variance of their
    Sharpe ratios per bar over so many observations, and how many independent ones they amount to, with the variance of
    one of those."""

    @property
    def overlapping(self) -> int: ...
    @property
    def variance(self) -> float: ...
    @property
    def observations(self) -> int: ...
    def effective(self) -> tuple[float, float]: ...


@dataclass(frozen=True)
class CountedOnce:
    """The same answer, whose number of independent trials is worked out once, however often it is asked for."""

    answer: Counted

    @property
    def overlapping(self) -> int:
        """As in the protocol."""
        return self.answer.overlapping

    @property
    def variance(self) -> float:
        """As in the protocol."""
        return self.answer.variance

    @property
    def observations(self) -> int:
        """As in the protocol."""
        return self.answer.observations

    @cached_property
    def _effective(self) -> tuple[float, float]:
        return self.answer.effective()

    def effective(self) -> tuple[float, float]:
        """As in the protocol."""
        return self._effective


def trial_statistics_of(
    metrics: Mapping[str, float],
    observations: int,
    counted: Counted | None = None,
    overfitting: Overfitting | None = None,
) -> TrialStatistics:
    """The statistics of a run with these `metrics` over so many returns; without a ledger's answer none is deflated.
    `overfitting` is the test over the points among which it was chosen.

    The variance of the trials is brought to the length of the run: that of luck is inverse to the number of returns.
    """
    from gpt_trader.validation.summary import trial_statistics

    per_year = metrics["periods_per_year"]
    run = (
        metrics["sharpe"] / math.sqrt(per_year),
        observations,
        metrics["skew"],
        metrics["kurtosis"],
        per_year,
    )
    if counted is None:
        return trial_statistics(*run, overfitting=overfitting)
    number, variance = counted.effective()
    length = counted.observations / observations if observations else math.nan
    return trial_statistics(
        *run,
        trials=counted.overlapping,
        variance=counted.variance * length,
        effective=None if math.isnan(number) else number,
        effective_variance=variance * length,
        overfitting=overfitting,
    )


def returns_counted(
    values: NDArray[np.float64], sums: NDArray[np.floating[Any]], bars: int
) -> NDArray[np.int64]:
    """How many returns the Sharpe ratio of each run is made of: `bars`, or as many as there were up to the account's ruin.

    `values` (n, metrics) by METRIC_NAMES, `sums` (n, 2, B) the sums of the returns and of their squares in blocks of the
    bars. The number follows from what is kept of a run: the squares of n returns with the mean m and the sample deviation s
    sum up to (n - 1) s² + n m².
    """
    deviation = values[:, _VOLATILITY] / np.sqrt(values[:, _PER_YEAR])
    mean = values[:, _SHARPE] / np.sqrt(values[:, _PER_YEAR]) * deviation
    squares = sums[:, 1].sum(axis=1, dtype=np.float64)
    number = (squares + deviation**2) / (deviation**2 + mean**2)
    lived = np.where(np.isfinite(number), np.rint(np.nan_to_num(number)), 1.0)  # one return has no deviation
    return np.where(values[:, _DRAWDOWN] <= -1.0, np.minimum(lived, bars), bars).astype(np.int64)
