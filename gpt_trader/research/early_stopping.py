"""Early stopping: a point is first run on the beginning of the bars and given up there when it is worse than most."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

PARTS = (0.25, 0.5)
"""The shares of the bars, from the first, on which a point is looked at before it is run on all of them."""
FEWEST_BARS = 100
"""A part with fewer bars decides nothing: indicators have hardly begun."""
FEWEST_POINTS = 10
"""So many points run to the end before any is given up."""


def rungs_of(bars: int) -> tuple[int, ...]:
    """The rows before which the looks end, of a study over so many bars; none when it is short."""
    return tuple(rows for part in PARTS if (rows := int(bars * part)) >= FEWEST_BARS)


class MedianRule:
    """Gives up what is below the median of the finished points at the same look (Golovin et al. 2017, "Google Vizier: A
    Service for Black-Box Optimization", section 3.2.2, with the value at the look in place of a running mean).

    A look without a gain (no trade yet) decides nothing. A point that is given up was still tried: it counts.
    """

    def __init__(self, rungs: tuple[int, ...]) -> None:
        self.rungs = rungs
        self._finished: list[list[float]] = []

    def to_prune(self, rung: int, gains: Floats) -> NDArray[np.bool_]:
        """Which points to give up, from their gains (n,) at look number `rung`."""
        seen = np.array([early_stops[rung] for early_stops in self._finished])
        seen = seen[np.isfinite(seen)]
        if len(seen) < FEWEST_POINTS:
            return np.zeros(len(gains), np.bool_)
        worse: NDArray[np.bool_] = gains < np.median(seen)
        return worse

    def finished(self, early_stops: list[float]) -> None:
        """Remember the gains that a point had at each look before it ran to the end."""
        self._finished.append(early_stops)
