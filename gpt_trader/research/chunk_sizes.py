"""Cuts the points of a study into chunks of about a second, the same ones whoever runs them and on how many workers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any

from gpt_trader.bars import Bars
from gpt_trader.errors import GptTraderError
from gpt_trader.performance_tuning import STANDARD, Tuning
from gpt_trader.research.search_space import Values
from gpt_trader.strategy import OrderStrategy, Strategy, is_per_symbol, uses_held

if TYPE_CHECKING:
    from gpt_trader.research.chunk import Chunk
    from gpt_trader.research.experiment import Experiment

CHUNK_SECONDS = 1.0
LONGEST_SECONDS = 2.0
GROWTH, MOST_BLIND = 8, 16
SMALLEST, LARGEST = 1, 8_192

# Seconds a run takes on one core of the machine that the benchmarks name: a part for each run, one for each bar and symbol.
_ARRAY = (20e-6, 15e-9)
_COMPILED = (100e-6, 60e-9)
_PYTHON = (1e-3, 16e-6)
_RESAMPLED = (200e-6, 40e-9)  # to make a market from the bars


def seconds_per_run(strategy: Strategy, bars: Bars, runs: int = 1, tuning: Tuning = STANDARD) -> float:
    """What one run is expected to take: good to a factor of three, and the same on every machine.

    Of a rule that runs bar by bar, `runs` together decide whether it is compiled.
    """
    from gpt_trader.engine.simulation import calls_of

    cells = bars.T * bars.N
    if not (isinstance(strategy, OrderStrategy) or is_per_symbol(strategy) or uses_held(strategy)):
        return _ARRAY[0] + _ARRAY[1] * cells
    calls = calls_of(strategy, bars, 0)
    enough = tuning.calls_to_compile(ordering=isinstance(strategy, OrderStrategy))
    return _COMPILED[0] + _COMPILED[1] * cells if runs * calls >= enough else _PYTHON[0] + _PYTHON[1] * calls


def expected_seconds(experiment: Experiment, chunks: Iterable[Chunk]) -> float:
    """What `chunks` take on one core, good to a factor of three; nothing when none of their points can be made."""
    some: Strategy | None = None
    runs = 0.0
    for chunk in chunks:
        some = some or _some_point(experiment, chunk)
        share = 1.0 if chunk.stop is None else chunk.stop / experiment.bars.T
        runs += share * len(chunk.points)
    return 0.0 if some is None else runs * seconds_per_run(some, experiment.bars, int(runs))


def _some_point(experiment: Experiment, chunk: Chunk) -> Strategy | None:
    """A strategy of the chunk, the first that can be made."""
    for values in chunk.points:
        try:
            return experiment.strategy(**dict(chunk.fixed), **dict(zip(chunk.names, values, strict=True)))
        except GptTraderError:
            continue
    return None


def seconds_per_replicate(strategy: Strategy, bars: Bars, runs: int) -> float:
    """What one of `runs` runs on resampled markets takes, the market included."""
    return seconds_per_run(strategy, bars, runs) + _RESAMPLED[0] + _RESAMPLED[1] * bars.T * bars.N


def points_per_chunk(seconds: float, tuning: Tuning = STANDARD) -> int:
    """How many points of `seconds` each make a chunk: a power of two, so that near estimates give equal chunks."""
    if tuning.runs_per_chunk is not None:
        return tuning.runs_per_chunk
    size = SMALLEST
    while size < LARGEST and 2 * size * seconds <= CHUNK_SECONDS:
        size *= 2
    return size


class BatchSizer:
    """How long a point takes, as it was measured last, and so how many are run before the executor looks up again.

    What a point scores does not depend on it. The first is run alone, and of others at most eight times as many as were timed,
    so that a strategy far slower than its estimate is not noticed only after minutes. Points that fail are no measure.
    """

    def __init__(self) -> None:
        self.seconds: float | None = None
        self._timed, self._blind = 1, 1

    def of(self, left: int) -> int:
        """How many of the points that are `left` to run now: all when they take hardly longer than a chunk should."""
        if self.seconds is None:
            return min(left, self._blind)
        if left * self.seconds <= LONGEST_SECONDS:
            return min(left, GROWTH * self._timed)
        return max(1, min(left, GROWTH * self._timed, int(CHUNK_SECONDS / self.seconds)))

    def took(self, points: int, failed: int, seconds: float) -> None:
        """So many points took so long together, and so many of them failed."""
        if points > failed:
            self.seconds, self._timed = seconds / (points - failed), points - failed
        else:
            self._blind = MOST_BLIND


def cut(points: Iterable[Values], size: int) -> Iterator[tuple[Values, ...]]:
    """`points` in chunks of `size`, the last one shorter."""
    rest = iter(points)
    while chunk := tuple(islice(rest, size)):
        yield chunk


def work_text(work: Sequence[Any], seconds: float) -> str:
    """How much work a plan is, in words."""
    shown = f"about {seconds:.0f} seconds" if seconds < 120 else f"about {seconds / 60:.0f} minutes"
    return f"{len(work)} {'chunk' if len(work) == 1 else 'chunks'}, {'a second' if seconds < 1.5 else shown} on one core"
