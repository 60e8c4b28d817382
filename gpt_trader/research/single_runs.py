"""Runs on the market that happened, each with its parameters and what was changed about it, as chunks and as results."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpt_trader.bars import Bars
from gpt_trader.engine.metric_definitions import METRIC_NAMES
from gpt_trader.research.evaluation import Evaluation, Variant
from gpt_trader.research.plan import WorkedOff
from gpt_trader.research.planning import cut
from gpt_trader.research.points import gathered
from gpt_trader.research.profiles import PROFILE_BLOCKS, block_edges

Wanted = tuple[tuple[Any, ...], Variant]
"""The values of all parameters, and the variant."""


@dataclass(frozen=True, slots=True, eq=False)
class Run:
    """One run: its parameters, what was changed, its metrics and the block sums (2, 32) that make its profile, or its error."""

    parameters: Mapping[str, Any]
    variant: Variant
    metrics: Mapping[str, float]
    sums: NDArray[np.float32]
    error: str | None


def chunks_of(
    names: Sequence[str], wanted: Sequence[Wanted], bars: Bars, size: int
) -> tuple[Evaluation, ...]:
    """The runs that are wanted in chunks of `size`."""
    edges = tuple(block_edges(0, bars.T, PROFILE_BLOCKS).tolist())
    return tuple(
        Evaluation(
            tuple(names),
            tuple(point for point, _ in part),
            edges=edges,
            variants=tuple(variant for _, variant in part),
        )
        for part in cut(wanted, size)
    )


def runs_of(wanted: Sequence[Wanted], chunks: Sequence[Evaluation], done: WorkedOff) -> list[Run]:
    """What came of the runs that were wanted: `chunks` are the first of the plan that is `done`."""
    found = gathered(chunks, replace(done, results=done.results[: len(chunks)]), PROFILE_BLOCKS)
    names = chunks[0].names
    return [
        Run(
            dict(zip(names, point, strict=True)), variant,
            dict(zip(METRIC_NAMES, found.values[row].tolist(), strict=True)), found.sums[row], found.errors.get(row),
        )
        for row, (point, variant) in enumerate(wanted)
    ]  # fmt: skip
