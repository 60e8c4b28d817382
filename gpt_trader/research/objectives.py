"""What a search looks for: a metric and whether more or less of it is better; which point is best, which are not beaten."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gpt_trader.engine.metric_definitions import METRIC, METRIC_NAMES
from gpt_trader.errors import BadParameter, UnknownName

Floats = NDArray[np.float64]


def _better(direction: str) -> frozenset[str]:
    """The metrics of which `direction` (see `metric_definitions.DIRECTIONS`) is said."""
    return frozenset(name for name in METRIC_NAMES if METRIC[name].better == direction)


MORE_IS_BETTER = _better("more")  # drawdowns and losses are negative numbers
LESS_IS_BETTER = _better("less")
FIXED = _better("fixed")


@dataclass(frozen=True, slots=True)
class Objective:
    """A metric that is to become as large as can be, or with `smallest` as small."""

    metric: str
    smallest: bool = False

    @property
    def column(self) -> int:
        """Its place in METRIC_NAMES."""
        return METRIC_NAMES.index(self.metric)

    def gains(self, values: Floats) -> Floats:
        """How good each run is (n,): the metric, its sign changed where less is better, NaN where it is not finite."""
        found = values[:, self.column]
        gains: Floats = np.where(np.isfinite(found), -found if self.smallest else found, np.nan)
        return gains

    def __str__(self) -> str:
        return f"{'smallest' if self.smallest else 'largest'} {self.metric}"


def parse_objective(text: str) -> Objective:
    """`sharpe`, or `exposure:min` to say whether more or less is better.

    Raises UnknownName for a metric or a direction that is not there, BadParameter where the direction must be said.
    """
    name, colon, way = (part.strip() for part in text.partition(":"))
    if name not in METRIC_NAMES or name in FIXED:
        raise UnknownName("objective", name, set(METRIC_NAMES) - FIXED)
    if colon:
        if way not in ("max", "min"):
            raise UnknownName("direction of --objective", way, ("max", "min"))
        return Objective(name, way == "min")
    if name in MORE_IS_BETTER or name in LESS_IS_BETTER:
        return Objective(name, name in LESS_IS_BETTER)
    raise BadParameter(
        f"--objective {name}: more of it is neither better nor worse; say which, as {name}:max or {name}:min"
    )


def parse_objectives(texts: Sequence[str]) -> tuple[Objective, ...]:
    """The objectives of a study. Raises as `parse_objective`, and BadParameter for a metric that is given twice."""
    found = tuple(parse_objective(text) for text in texts)
    names = [item.metric for item in found]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise BadParameter(f"--objective {twice} is given twice; give it once")
    return found


def ranked(gains: Floats) -> NDArray[np.int64]:
    """The runs by their gains (n,), best first, of equal ones the first; runs without a gain are left out."""
    order = np.argsort(-gains, kind="stable")
    return order[np.isfinite(gains[order])]


def not_beaten(gains: Floats) -> NDArray[np.int64]:
    """The Pareto front of runs with `gains` (n, k): those that no other is as good as in all and better in one.

    Sorted by the first gain, best first; runs without all gains are left out; of runs with equal gains all stay.
    """
    known = np.flatnonzero(np.isfinite(gains).all(axis=1))
    order = known[np.lexsort(tuple(-gains[known].T[::-1]))]  # who beats a run stands before it
    pareto_front: list[int] = []
    kept = np.empty((0, gains.shape[1]))
    for run in order.tolist():
        at_least = (kept >= gains[run]).all(axis=1)
        if not (at_least & (kept > gains[run]).any(axis=1)).any():
            pareto_front.append(run)
            kept = gains[pareto_front]
    return np.array(pareto_front, np.int64)
