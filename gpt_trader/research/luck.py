"""How likely a run is luck: the statistics of `gpt_trader.validation` from the metrics of a run."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from gpt_trader.validation.summary import TrialStatistics


class Counted(Protocol):
    """What is asked of a trial ledger's answer: the number of trials that a run is the best of, the variance of their
    Sharpe ratios per bar, and how many independent ones they amount to, with the variance of one of those."""

    @property
    def overlapping(self) -> int: ...
    @property
    def variance(self) -> float: ...
    def effective(self) -> tuple[float, float]: ...


def luck_of(
    metrics: Mapping[str, float], observations: int, counted: Counted | None = None
) -> TrialStatistics:
    """The statistics of a run with these `metrics` over so many returns; without a ledger's answer none is deflated."""
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
    return trial_statistics(
        *run,
        trials=counted.overlapping,
        variance=counted.variance,
        effective=None if math.isnan(number) else number,
        effective_variance=variance,
    )
