"""Puts the scores of a chunk together from parts that were run at different times or in different places."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gpt_trader.engine.metric_definitions import METRIC_NAMES
from gpt_trader.research.evaluation import Evaluated


class Assembly:
    """One chunk of `size` points as it fills: `waiting` points have still to come, `result` is what there is.

    `known` is what an earlier run has left of it.
    """

    def __init__(self, size: int, known: Evaluated | None) -> None:
        self._size = size
        self.lacking = list(range(size)) if known is None else sorted(known.missing | known.passing)
        self.waiting = len(self.lacking)
        self.result = known if known is None or not self.waiting else known.copy()

    def add(self, places: Sequence[int], part: Evaluated) -> None:
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
        passing = (before.passing - again) | {rows[row] for row in part.passing}
        self.result = Evaluated(
            before.values, before.sums, dict(sorted(errors.items())), passing, before.missing - again
        )


def _nothing(size: int, blocks: tuple[int, ...]) -> Evaluated:
    values = np.full((size, len(METRIC_NAMES)), np.nan)
    sums = np.full((size, *blocks), np.nan, np.float32)
    return Evaluated(values, sums, missing=frozenset(range(size)))
