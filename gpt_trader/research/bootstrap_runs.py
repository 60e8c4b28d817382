"""Runs of one strategy on resampled markets as chunks of work, and the intervals that come of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpt_trader.bars import Bars
from gpt_trader.engine.metric_definitions import METRIC_NAMES
from gpt_trader.errors import GptTraderError
from gpt_trader.performance_tuning import STANDARD, Tuning
from gpt_trader.research.chunk import Chunk, ChunkResult
from gpt_trader.research.chunk_sizes import points_per_chunk, seconds_per_replicate
from gpt_trader.research.experiment import Experiment, Scenario
from gpt_trader.research.plan import Plan
from gpt_trader.research.study import Work
from gpt_trader.strategy import Strategy
from gpt_trader.validation.block_bootstrap import independent_blocks, mean_block
from gpt_trader.validation.intervals import HEADLINE, Interval, check_counts
from gpt_trader.validation.intervals import intervals as quantile_intervals

Floats = NDArray[np.float64]
REPLICATES = 500
HEADLINE_COLUMNS = [METRIC_NAMES.index(name) for name in HEADLINE]


@dataclass(frozen=True, slots=True)
class Bootstrap:
    """`count` markets that `seed` draws from the bars in blocks of mean length `block` sessions, for intervals at `level`."""

    count: int = REPLICATES
    seed: int = 0
    block: float | None = None
    level: float = 0.95

    def on(self, bars: Bars) -> Bootstrap:
        """The same with its block length known. Raises BadParameter or BadData where intervals cannot be had of `bars`."""
        check_counts(self.count, independent_blocks(bars, self.block), self.level)
        return dataclasses.replace(self, block=mean_block(bars) if self.block is None else float(self.block))

    def chunks(self, strategy: Strategy, bars: Bars, tuning: Tuning = STANDARD) -> tuple[Chunk, ...]:
        """The runs of `strategy` on every market."""
        size = points_per_chunk(seconds_per_replicate(strategy, bars, self.count), tuning)
        names, values = point_of(strategy)
        made = []
        for first in range(0, self.count, size):
            numbers = range(first, min(first + size, self.count))
            scenarios = tuple(Scenario(replicate=k, seed=self.seed, block=self.block) for k in numbers)
            made.append(Chunk(names, (values,) * len(scenarios), edges=(0, bars.T), scenarios=scenarios))
        return tuple(made)

    def intervals(self, bars: Bars, metrics: Mapping[str, float], replicates: Floats) -> BootstrapIntervals:
        """What the `replicates` (B, metrics) of a run say of its headline numbers among `metrics`."""
        estimates = np.array([metrics[name] for name in HEADLINE])
        blocks = independent_blocks(bars, self.block)
        found = quantile_intervals(
            HEADLINE, estimates, replicates[:, HEADLINE_COLUMNS], blocks=blocks, level=self.level
        )
        return BootstrapIntervals(self, blocks, found)


@dataclass(frozen=True, slots=True)
class BootstrapIntervals:
    """What came of running a strategy again on the markets of `bootstrap`, of whose blocks the history holds so many: an
    interval for each headline number."""

    bootstrap: Bootstrap
    blocks: float
    intervals: tuple[Interval, ...]

    def of(self, metric: str) -> Interval:
        """The interval of a metric."""
        return next(item for item in self.intervals if item.name == metric)

    def as_object(self) -> dict[str, Any]:
        """The JSON object: how the markets were resampled, and the intervals by metric."""
        figures = ("estimate", "low", "high", "median", "deviation", "lost", "count")
        return {
            "level": self.bootstrap.level,
            "replicates": self.bootstrap.count,
            "seed": self.bootstrap.seed,
            "block": self.bootstrap.block,
            "blocks": self.blocks,
            "metrics": {
                item.name: {name: getattr(item, name) for name in figures} for item in self.intervals
            },
        }


def point_of(strategy: Strategy) -> tuple[tuple[str, ...], tuple[Any, ...]]:
    """Names and values of all parameters of a strategy."""
    names = tuple(item.name for item in dataclasses.fields(strategy) if item.init)
    return names, tuple(getattr(strategy, name) for name in names)


def bootstrapped(
    strategy: Strategy, experiment: Experiment, bootstrap: Bootstrap, work: Work, kind: str
) -> Floats:
    """(B, metrics) of `strategy` on every market of `bootstrap`; NaN where it failed.

    Raises GptTraderError with the first message when it failed on all of them.
    """
    chunks = bootstrap.chunks(strategy, experiment.bars, experiment.tuning)
    return replicates_of(chunks, work(Plan(kind, experiment, chunks)).results)


def replicates_of(chunks: Sequence[Chunk], results: Sequence[ChunkResult | None]) -> Floats:
    """The metrics of runs on resampled markets from the results of their chunks. Raises as `bootstrapped`."""
    found = [
        np.full((len(chunk.points), len(METRIC_NAMES)), np.nan) if result is None else result.values
        for chunk, result in zip(chunks, results, strict=True)
    ]
    values = np.concatenate(found)
    if bool(np.isnan(values).all()):
        texts = [text for result in results if result is not None for text in result.errors.values()]
        raise GptTraderError(
            f"the strategy failed on every resampled market: {texts[0] if texts else 'no result'}"
        )
    return values


def rerun(
    strategy: Strategy, experiment: Experiment, metrics: Mapping[str, float], bootstrap: Bootstrap, work: Work
) -> BootstrapIntervals:
    """Intervals for a run that is done: `metrics` of `strategy` on the experiment."""
    known = bootstrap.on(experiment.bars)
    return known.intervals(
        experiment.bars, metrics, bootstrapped(strategy, experiment, known, work, "intervals")
    )
