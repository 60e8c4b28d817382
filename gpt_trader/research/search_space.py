"""The parameter space of a study: its axes, what must hold between them, and its points in one fixed order."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import MISSING, dataclass, fields
from functools import cached_property
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpt_trader.errors import BadParameter, UnknownName
from gpt_trader.research.constraints import Constraint, parse_constraint
from gpt_trader.research.parameter_axes import Axis, axis_of_text, axis_of_values
from gpt_trader.strategy import Strategy, parameters_of, require_defaults, strategy_name

Values = tuple[Any, ...]
Places = tuple[int, ...]
COUNTABLE = 4_000_000
"""Up to so many combinations the points that constraints leave are counted before anything runs: a second."""
PAGE = 65_536
"""Combinations that are looked at in one go."""


@dataclass(frozen=True)
class Space:
    """The axes of a study of one strategy class, what must hold between them, and the values of all other parameters.

    Points are tuples of values in the order of `names`; the last axis runs fastest. Nothing is kept of the points: a
    space of 10^12 of them is as small as one of ten.
    """

    axes: tuple[Axis, ...]
    constraints: tuple[Constraint, ...]
    fixed: Mapping[str, Any]

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the axes."""
        return tuple(axis.name for axis in self.axes)

    @property
    def shape(self) -> tuple[int, ...]:
        """The number of values on each axis."""
        return tuple(len(axis.values) for axis in self.axes)

    @property
    def size(self) -> int:
        """The number of points before constraints."""
        return prod(self.shape)

    @property
    def fine(self) -> tuple[str, ...]:
        """The axes that stand for all numbers between two ends; a grid cannot work through them."""
        return tuple(axis.name for axis in self.axes if axis.fine)

    def position(self, index: int) -> Places:
        """Where on each axis point `index` lies."""
        places = []
        for length in reversed(self.shape):
            index, place = divmod(index, length)
            places.append(place)
        return tuple(reversed(places))

    def at(self, places: Sequence[int]) -> Values:
        """The values of the point that lies at `places` on its axes."""
        return tuple(axis.values[place] for axis, place in zip(self.axes, places, strict=True))

    def point(self, index: int) -> Values:
        """The values of point `index`, 0 to size - 1."""
        return self.at(self.position(index))

    def index(self, point: Sequence[Any]) -> int:
        """The index of a point given by its values. Raises ValueError for one that is not in the space."""
        number = 0
        for axis, value in zip(self.axes, point, strict=True):
            number = number * len(axis.values) + axis.values.index(value)
        return number

    def allows(self, point: Sequence[Any]) -> bool:
        """Whether every constraint holds there."""
        columns = {**self.fixed, **dict(zip(self.names, point, strict=True))}
        return all(bool(item.holds(columns)) for item in self.constraints)

    def allowed(self, places: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Which of the points at `places` (n, axes) every constraint allows: (n,)."""
        answer = np.ones(len(places), np.bool_)
        if self.constraints:
            named = {axis.name: axis.many(places[:, i]) for i, axis in enumerate(self.axes)}
            for item in self.constraints:
                answer &= item.holds({**self.fixed, **named})
        return answer

    def indices(self) -> Iterator[int]:
        """The indices of the points that the constraints allow, in order."""
        for start in range(0, self.size, PAGE):
            page = range(start, min(start + PAGE, self.size))
            yield from (start + np.flatnonzero(self._allowed_of(page))).tolist() if self.constraints else page

    @cached_property
    def count(self) -> int | None:
        """How many points the constraints allow; None where there are too many combinations to look at each."""
        if not self.constraints:
            return self.size
        if self.size > COUNTABLE:
            return None
        pages = (range(start, min(start + PAGE, self.size)) for start in range(0, self.size, PAGE))
        return sum(int(self._allowed_of(page).sum()) for page in pages)

    def _allowed_of(self, page: range) -> NDArray[np.bool_]:
        index = np.arange(page.start, page.stop, dtype=np.int64)
        places = np.empty((len(index), len(self.axes)), np.int64)
        for column in reversed(range(len(self.axes))):
            index, places[:, column] = np.divmod(index, self.shape[column])
        return self.allowed(places)


def make_space(strategy: type[Strategy], given: Mapping[str, Any], constraints: Sequence[str] = ()) -> Space:
    """The space that `{"fast": "5:60:5", "slow": "20,50,100", "atr_k": "0.5:4", "exit_mode": "stop"}` describes.

    `low:high:step` (both ends included; step 1 for whole numbers) and lists make an axis, `low:high` of a number that is
    not whole makes a fine one, one value fixes the parameter; values may also be Python's (`range(5, 60, 5)`).
    Raises UnknownName for a parameter that is not there; BadParameter for a range that is empty, for a value that the
    strategy does not accept, and when constraints leave no point; StrategyError for a parameter without a default.
    """
    known = parameters_of(strategy)
    require_defaults(strategy)
    told = (item for item in fields(strategy) if item.init and item.default is not MISSING)
    axes, fixed = [], {item.name: item.default for item in told}
    for name, values in given.items():
        if name not in known:
            raise UnknownName(f"parameter of {strategy_name(strategy)}", name, known)
        read = axis_of_text if isinstance(values, str) else axis_of_values
        axis = read(known[name], values)
        if len(axis.values) == 1:
            fixed[name] = axis.values[0]
        else:
            axes.append(axis)
            fixed.pop(name, None)
    conditions = tuple(parse_constraint(text, known) for text in constraints)
    space = Space(tuple(axes), conditions, fixed)
    if space.count == 0:
        raise BadParameter(no_point(space))
    return space


def no_point(space: Space) -> str:
    """What to say when the constraints leave nothing."""
    told = " and ".join(item.text for item in space.constraints)
    what = "the values given" if space.size == 1 else f"none of {space.size:,} combinations"
    return (
        f"no point is left: {told} holds for {what}" if space.size > 1 else f"{told} does not hold for {what}"
    )
