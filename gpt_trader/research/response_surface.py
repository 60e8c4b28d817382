"""What came of the points of a sweep, as columns: metrics, block sums of returns, errors, and what was stopped early."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpt_trader.engine.metric_definitions import METRIC_NAMES
from gpt_trader.research.objectives import Objective
from gpt_trader.research.search_space import Values

Floats = NDArray[np.float64]

BLOCKS = 32
"""Blocks of bars whose sums are kept of every point: two for each of the 16 groups of the combinatorial test."""


@dataclass(frozen=True, slots=True, eq=False)
class EarlyStop:
    """What a point that was given up early had shown: the metrics (metrics,) and block sums (2, BLOCKS) of the bars
    before row `stop`; the blocks are those of all bars, zero from there on."""

    stop: int
    values: Floats
    sums: NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Surface:
    """The points of a sweep in the order of their numbers.

    `numbers` (n,); `points` values of the parameters `names`; `values` (n, metrics) by METRIC_NAMES, NaN for a point that
    failed or was stopped early; `sums` (n, 2, BLOCKS) of the returns of each block of bars and of their squares;
    `errors` the message of each that failed and `early_stops` what those stopped early had shown, by row.
    """

    names: tuple[str, ...]
    numbers: NDArray[np.int64]
    points: Sequence[Values]
    values: Floats
    sums: NDArray[np.float32]
    errors: Mapping[int, str] = field(default_factory=dict)
    early_stops: Mapping[int, EarlyStop] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.points)

    def __getitem__(self, metric: str) -> Floats:
        column: Floats = self.values[:, METRIC_NAMES.index(metric)]
        return column

    @property
    def complete(self) -> NDArray[np.int64]:
        """The rows that ran to the end."""
        odd = self.errors.keys() | self.early_stops.keys()
        return np.array([row for row in range(len(self)) if row not in odd], np.int64)

    def metrics(self, row: int) -> dict[str, float]:
        """The metrics of one point by name."""
        return dict(zip(METRIC_NAMES, self.values[row].tolist(), strict=True))

    def parameters(self, row: int) -> dict[str, Any]:
        """The values of the swept parameters of one point by name."""
        return dict(zip(self.names, self.points[row], strict=True))

    def gains(self, objectives: Sequence[Objective]) -> Floats:
        """How good each point is (n, k) by each objective; more is better, NaN where it is not defined."""
        return np.column_stack([item.gains(self.values) for item in objectives])


def ineffective_parameters(surface: Surface, places: NDArray[np.int64]) -> tuple[str, ...]:
    """The parameters that change nothing: points that differ in their value alone have the same returns in every block.

    `places` (n, axes) says where each point lies. Only points that ran to the end are compared, and a parameter is not named when
    no two of them differ in it alone.
    """
    rows = surface.complete
    at, sums = places[rows], surface.sums[rows]
    different = len(np.unique(at, axis=0))
    ineffective = []
    for axis, name in enumerate(surface.names):
        _, first, group = np.unique(
            np.delete(at, axis, axis=1), axis=0, return_index=True, return_inverse=True
        )
        if len(first) < different and np.array_equal(sums, sums[first[group.ravel()]], equal_nan=True):
            ineffective.append(name)
    return tuple(ineffective)


def empty(names: tuple[str, ...]) -> Surface:
    """The surface of no point."""
    nothing = np.empty((0, len(METRIC_NAMES)))
    return Surface(names, np.empty(0, np.int64), (), nothing, np.empty((0, 2, BLOCKS), np.float32))


def joined(parts: Sequence[Surface]) -> Surface:
    """Several surfaces of the same parameters as one, in the order of the points' numbers."""
    numbers = np.concatenate([part.numbers for part in parts])
    order = np.argsort(numbers, kind="stable")
    row_of = np.empty(len(order), np.int64)
    row_of[order] = np.arange(len(order))
    starts = np.cumsum([0, *(len(part) for part in parts)]).tolist()
    errors: dict[int, str] = {}
    early_stops: dict[int, EarlyStop] = {}
    for start, part in zip(starts, parts, strict=False):
        errors |= {int(row_of[start + row]): text for row, text in part.errors.items()}
        early_stops |= {int(row_of[start + row]): look for row, look in part.early_stops.items()}
    points = [point for part in parts for point in part.points]
    return Surface(
        parts[0].names,
        numbers[order],
        tuple(points[row] for row in order.tolist()),
        np.concatenate([part.values for part in parts])[order],
        np.concatenate([part.sums for part in parts])[order],
        dict(sorted(errors.items())),
        dict(sorted(early_stops.items())),
    )


def coarser(sums: NDArray[np.float32], whole: int | None = None) -> NDArray[np.float32]:
    """Block sums (n, 2, B) joined to (n, 2, BLOCKS), neighbours together, the same number of each as near as can be.

    `sums` may be those of the first B of `whole` blocks: the others, which were not lived through, are zero.
    """
    runs, kinds, given = sums.shape
    group = np.arange(given) * BLOCKS // (whole or given)
    out = np.zeros((BLOCKS, runs, kinds))
    np.add.at(out, group, np.moveaxis(sums, 2, 0).astype(np.float64))
    return np.moveaxis(out, 0, 2).astype(np.float32)
