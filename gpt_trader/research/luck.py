"""How likely a run is luck: the statistics of `gpt_trader.validation` from the metrics of a run."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from gpt_trader.validation.summary import TrialStatistics


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


def luck_of(
    metrics: Mapping[str, float], observations: int, counted: Counted | None = None
) -> TrialStatistics:
    """The statistics of a run with these `metrics` over so many returns; without a ledger's answer none is deflated.

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
        return trial_statistics(*run)
    number, variance = counted.effective()
    length = counted.observations / observations if observations else math.nan
    return trial_statistics(
        *run,
        trials=counted.overlapping,
        variance=counted.variance * length,
        effective=None if math.isnan(number) else number,
        effective_variance=variance * length,
    )
