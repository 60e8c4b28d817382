"""How a study chooses its points: every one of a grid, or drawn at random without drawing one twice."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from gpt_trader.errors import BadParameter
from gpt_trader.research.search_space import COUNTABLE, Places, Space

Floats = NDArray[np.float64]

GENERATION = 65_536
"""Points that are planned, run and collected together, where no choice depends on a result."""
DRAW = 4_096
FRUITLESS = 250
"""Draws of DRAW points that may bring nothing new before a space counts as used up."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of one point: its `gains` (more is better), None where it failed or one is not defined.

    `early` is (rung, gain) of a point that was given up on part of the bars.
    """

    gains: tuple[float, ...] | None
    early: tuple[int, float] | None = None


class Search(Protocol):
    """Names the points of a study, generation by generation; the same from the same seed, whoever runs them."""

    @property
    def total(self) -> int | None:
        """How many points it will name; None where that is not known."""
        ...

    @property
    def about(self) -> dict[str, Any]:
        """All that decides which points it names, as plain data: `method`, and for most `seed` and `trials`."""
        ...

    def ask(self) -> list[tuple[int, Places]]:
        """The next points by number and place, none when it has ended. A number says where a point is listed."""
        ...

    def tell(self, answers: Sequence[Answer]) -> None:
        """What came of the points asked for last, in their order."""
        ...


def refuse_fine(space: Space) -> None:
    """Raises BadParameter when an axis has no step, which a grid needs."""
    if space.fine:
        name = space.fine[0]
        axis = next(axis for axis in space.axes if axis.name == name)
        low, high = axis.values[0], axis.values[-1]
        raise BadParameter(
            f"--param {name}={low:g}:{high:g}: {name} is not a whole number; give a step, such as "
            f"{low:g}:{high:g}:{_round_step(high - low)}, or search with --method random or tpe"
        )


def _round_step(length: float) -> str:
    """About a tenth of the length, in one digit that is read easily."""
    power = math.floor(math.log10(length / 5))
    return f"{10**power:g}"


class GridSearch:
    """Every point that the constraints allow, in the order of the space; its number is its index there."""

    def __init__(self, space: Space) -> None:
        self.space, self.total = space, space.count
        self.about: dict[str, Any] = {"method": "grid"}
        self._rest = space.indices()

    def ask(self) -> list[tuple[int, Places]]:
        """As the protocol says."""
        indices = [index for index, _ in zip(self._rest, range(GENERATION), strict=False)]
        return [(index, self.space.position(index)) for index in indices]

    def tell(self, answers: Sequence[Answer]) -> None:
        """Nothing that is told changes a grid."""


class Draws:
    """Allowed points of a space in a random order that `seed` fixes, each at most once."""

    def __init__(self, space: Space, seed: int) -> None:
        self.space = space
        self._random = np.random.default_rng(seed)
        self._seen: set[Places] = set()
        self._ready: list[Places] = []
        self._order: NDArray[np.int64] | None = None
        if space.size <= COUNTABLE:
            self._order = self._random.permutation(np.fromiter(space.indices(), np.int64))

    def take(self, count: int, known: set[Places] | frozenset[Places] = frozenset()) -> list[Places]:
        """The next `count` points that are not in `known`; fewer when the space is used up."""
        taken: list[Places] = []
        while len(taken) < count:
            if not self._ready and not self._draw():
                break
            places = self._ready.pop()
            if places not in known:
                taken.append(places)
        return taken

    def _draw(self) -> bool:
        """Make some more points ready, the next one last. False when there are no more."""
        if self._order is not None:
            part, self._order = self._order[:DRAW], self._order[DRAW:]
            self._ready = [self.space.position(index) for index in part.tolist()][::-1]
            return bool(self._ready)
        for _ in range(FRUITLESS):
            found = self._random.integers(0, self.space.shape, (DRAW, len(self.space.shape)))
            for row in found[self.space.allowed(found)].tolist():
                if (places := tuple(row)) not in self._seen:
                    self._seen.add(places)
                    self._ready.append(places)
            if self._ready:
                self._ready.reverse()
                return True
        return False


class RandomSearch:
    """`trials` points drawn without drawing one twice; more trials of the same seed begin with the same points."""

    def __init__(self, space: Space, trials: int, seed: int, generation: int = GENERATION) -> None:
        self.draws, self.left, self.generation, self.named = Draws(space, seed), trials, generation, 0
        self.about = {"method": "random", "seed": seed, "trials": trials}
        within = space.count
        self.total = trials if within is None else min(trials, within)

    def ask(self) -> list[tuple[int, Places]]:
        """As the protocol says."""
        places = self.draws.take(min(self.left, self.generation))
        self.left -= len(places)
        self.named += len(places)
        return list(enumerate(places, self.named - len(places)))

    def tell(self, answers: Sequence[Answer]) -> None:
        """Nothing that is told changes what is drawn."""
