"""The points that a study compares on several stretches of the bars: as chunks of work, and what came of them as arrays."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpt_trader.engine.metric_definitions import METRIC_NAMES
from gpt_trader.errors import GptTraderError, StrategyError
from gpt_trader.research.chunk import Chunk
from gpt_trader.research.chunk_sizes import cut, points_per_chunk, seconds_per_run
from gpt_trader.research.experiment import Experiment
from gpt_trader.research.plan import PlanResult
from gpt_trader.research.search_methods import Draws
from gpt_trader.research.search_space import Space, Values
from gpt_trader.research.trial_identity import id_of_study
from gpt_trader.strategy import Strategy

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
SAMPLES = 100


@dataclass(frozen=True, eq=False)
class Points:
    """P points of a strategy class: their `values` of the parameters `names`, and where they lie on the axes, `places`
    (P, A). All other parameters are in `fixed`."""

    strategy: type[Strategy]
    names: tuple[str, ...]
    fixed: tuple[tuple[str, Any], ...]
    values: tuple[Values, ...]
    places: Integers

    def __len__(self) -> int:
        return len(self.values)

    def parameters(self, number: int) -> dict[str, Any]:
        """The values of the axes of one point by name."""
        return dict(zip(self.names, self.values[number], strict=True))

    def all_parameters(self, number: int) -> dict[str, Any]:
        """The values of all parameters of one point by name."""
        return {**dict(self.fixed), **self.parameters(number)}

    def make(self, number: int) -> Strategy:
        """The strategy at one point. Raises what the strategy raises there."""
        return self.strategy(**self.all_parameters(number))

    def study_id(self, kind: str, experiment: Experiment, asked: Any) -> str:
        """16 hex digits that stand for a study of `kind` over these points of `experiment`, with what else was `asked`."""
        parts = [kind, experiment.key, self.names, self.fixed, self.values, asked]
        return id_of_study(parts)

    def chunk_size(self, experiment: Experiment) -> int:
        """How many points make a chunk of about a second. Raises what the points raise when none of them can be made."""
        problem: GptTraderError | None = None
        for number in range(min(len(self), SAMPLES)):
            try:
                seconds = seconds_per_run(self.make(number), experiment.bars, len(self))
                return points_per_chunk(seconds, experiment.tuning)
            except GptTraderError as error:
                problem = error
        raise problem or ValueError("a study needs a point")

    def chunks(self, size: int, numbers: Iterable[int] | None = None, **view: Any) -> list[Chunk]:
        """The points `numbers` (default all) in chunks of `size`, each with `first`, `stop` or `edges` from `view`."""
        wanted = self.values if numbers is None else (self.values[number] for number in numbers)
        return [Chunk(self.names, part, self.fixed, **view) for part in cut(wanted, size)]


def points_of(strategy: type[Strategy], space: Space, most: int | None = None, seed: int = 0) -> Points:
    """The points of a space that its constraints allow, in its order; of more than `most` so many drawn at random."""
    if most is None:
        places = [space.position(index) for index in space.indices()]
    else:
        places = sorted(Draws(space, seed).take(most))
    grid = np.array(places, np.int64).reshape(len(places), len(space.axes))
    fixed = tuple(sorted(space.fixed.items()))
    return Points(strategy, space.names, fixed, tuple(space.at(place) for place in places), grid)


@dataclass(frozen=True, slots=True, eq=False)
class RunScores:
    """The scores of n runs in the order of their chunks: `values` (n, metrics) by METRIC_NAMES and `sums` (n, 2, B), NaN
    for a run that failed, whose message is in `errors` by its number."""

    values: Floats
    sums: NDArray[np.float32]
    errors: Mapping[int, str]

    def column(self, metric: str) -> Floats:
        """(n,) one metric."""
        column: Floats = self.values[:, METRIC_NAMES.index(metric)]
        return column

    @property
    def failures(self) -> str:
        """How many failed, as the end of a sentence; empty when none did."""
        if not self.errors:
            return ""
        return f"; {len(self.errors):,} of {len(self.values):,} runs failed, the first with: {next(iter(self.errors.values()))}"

    def refuse_if_all_failed(self) -> None:
        """Raises StrategyError with the first message when no run came to an end."""
        if self.errors and len(self.errors) == len(self.values):
            raise StrategyError(
                f"all {len(self.values):,} runs failed, the first with: {next(iter(self.errors.values()))}"
            )


def run_scores(chunks: Sequence[Chunk], done: PlanResult, blocks: int) -> RunScores:
    """What came of `chunks`, the work of one plan, with `blocks` blocks of bars each."""
    count = sum(len(chunk.points) for chunk in chunks)
    values = np.full((count, len(METRIC_NAMES)), np.nan)
    sums = np.full((count, 2, blocks), np.nan, np.float32)
    errors: dict[int, str] = {}
    first = 0
    for chunk, result in zip(chunks, done.results, strict=True):
        stop = first + len(chunk.points)
        missing: Iterable[int] = range(len(chunk.points))
        if result is not None:
            values[first:stop], sums[first:stop] = result.values, result.sums
            errors |= {first + row: text for row, text in result.errors.items()}
            missing = result.missing
        errors |= {first + row: "it was not reached" for row in missing}
        first = stop
    return RunScores(values, sums, errors)
