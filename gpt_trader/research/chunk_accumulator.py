"""Puts the scores of a chunk together from parts that were run at different times or in different places."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gpt_trader.engine.metric_definitions import METRIC_NAMES
from gpt_trader.research.chunk import ChunkResult


class ChunkAccumulator:
    """One chunk of `size` points as it fills: `waiting` points have still to come, `result` is what there is.

    `known` is what an earlier run has left of it.
    """

    def __init__(self, size: int, known: ChunkResult | None) -> None:
        self._size = size
        self.missing_places = list(range(size)) if known is None else sorted(known.missing | known.transient)
        self.waiting = len(self.missing_places)
        self.result = known if known is None or not self.waiting else known.copy()

    def add(self, places: Sequence[int], part: ChunkResult) -> None:
        """The scores of the points at `places` have come."""
        self.waiting -= len(places)
        if len(places) == self._size:
            self.result = part
            return
        before = self.result or _nothing(self._size, part.sums.shape[1:])
        rows = list(places)
        before.values[rows], before.sums[rows] = part.values, part.sums
        again = frozenset(rows)
        errors = {place: text for place, text in before.errors.items() if place not in again}
        errors |= {rows[row]: text for row, text in part.errors.items()}
        transient = (before.transient - again) | {rows[row] for row in part.transient}
        self.result = ChunkResult(
            before.values, before.sums, dict(sorted(errors.items())), transient, before.missing - again
        )


def _nothing(size: int, blocks: tuple[int, ...]) -> ChunkResult:
    values = np.full((size, len(METRIC_NAMES)), np.nan)
    sums = np.full((size, *blocks), np.nan, np.float32)
    return ChunkResult(values, sums, missing=frozenset(range(size)))
