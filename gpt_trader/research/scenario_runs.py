"""Runs on the market that happened, each with its parameters and what was changed about it, as chunks and as results."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpt_trader.bars import Bars
from gpt_trader.engine.metric_definitions import METRIC_NAMES
from gpt_trader.research.chunk import Chunk
from gpt_trader.research.chunk_sizes import cut
from gpt_trader.research.experiment import Scenario
from gpt_trader.research.parameter_points import run_scores
from gpt_trader.research.plan import PlanResult
from gpt_trader.research.return_profiles import PROFILE_BLOCKS, block_edges

ScenarioPoint = tuple[tuple[Any, ...], Scenario]
"""The values of all parameters, and the scenario."""


@dataclass(frozen=True, slots=True, eq=False)
class ScenarioRun:
    """One run: its parameters, what was changed, its metrics and the block sums (2, 32) that make its profile, or its error."""

    parameters: Mapping[str, Any]
    scenario: Scenario
    metrics: Mapping[str, float]
    sums: NDArray[np.float32]
    error: str | None


def chunks_of(
    names: Sequence[str], wanted: Sequence[ScenarioPoint], bars: Bars, size: int
) -> tuple[Chunk, ...]:
    """The runs that are wanted in chunks of `size`."""
    edges = tuple(block_edges(0, bars.T, PROFILE_BLOCKS).tolist())
    return tuple(
        Chunk(
            tuple(names),
            tuple(point for point, _ in part),
            edges=edges,
            scenarios=tuple(scenario for _, scenario in part),
        )
        for part in cut(wanted, size)
    )


def runs_of(wanted: Sequence[ScenarioPoint], chunks: Sequence[Chunk], done: PlanResult) -> list[ScenarioRun]:
    """What came of the runs that were wanted: `chunks` are the first of the plan that is `done`."""
    found = run_scores(chunks, replace(done, results=done.results[: len(chunks)]), PROFILE_BLOCKS)
    names = chunks[0].names
    return [
        ScenarioRun(
            dict(zip(names, point, strict=True)), scenario,
            dict(zip(METRIC_NAMES, found.values[row].tolist(), strict=True)), found.sums[row], found.errors.get(row),
        )
        for row, (point, scenario) in enumerate(wanted)
    ]  # fmt: skip


def reached_runs(
    wanted: Sequence[ScenarioPoint], chunks: Sequence[Chunk], done: PlanResult
) -> list[ScenarioRun]:
    """The same without the runs that were not reached because the plan was cut short."""
    reached: list[bool] = []
    for chunk, result in zip(chunks, done.results, strict=False):
        reached += [False] * len(chunk.points) if result is None else result.reached.tolist()
    runs = runs_of(wanted, chunks, done)
    return [run for run, known in zip(runs, reached, strict=True) if known]
