"""How much a result depends on its assumptions: costs, delay, capital and parameters a little other than those chosen."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpt_trader.errors import BadParameter
from gpt_trader.strategy import Parameter

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Curve:
    """A metric `y` as it was measured at the places `x`, which rise; NaN where it is not defined."""

    x: tuple[float, ...]
    y: tuple[float, ...]

    def __post_init__(self) -> None:
        if len(self.x) != len(self.y) or any(a >= b for a, b in zip(self.x, self.x[1:], strict=False)):
            raise BadParameter("a curve needs places that rise, and one value for each")

    def with_points(self, x: Sequence[float], y: Sequence[float]) -> Curve:
        """The curve with more points; a place that was known keeps its value."""
        values = {**dict(zip(x, y, strict=True)), **dict(zip(self.x, self.y, strict=True))}
        places = sorted(values)
        return Curve(tuple(places), tuple(values[place] for place in places))


@dataclass(frozen=True, slots=True)
class Crossing:
    """Where a curve first falls to `level`: between `low`, where it is above, and `high`, where it is not; `at` in between.

    A curve that is never above has at = high = its first place and low NaN; one that is above everywhere has
    low = its last place and at = high = infinity. NaN all of them for a curve without a point.
    """

    level: float
    at: float
    low: float
    high: float

    @property
    def found(self) -> bool:
        """Whether the curve goes from above to below the level."""
        return bool(np.isfinite(self.low) and np.isfinite(self.high))


def crossing(curve: Curve, level: float, *, logarithmic: bool = False) -> Crossing:
    """The first fall of `curve` to `level`. A place where the metric is not defined is one where it is not above.

    `at` is interpolated linearly over x, or over its logarithm; halfway where one end has no value.
    """
    if not curve.x:
        return Crossing(level, np.nan, np.nan, np.nan)
    above = [value > level for value in curve.y]
    if not above[0]:
        return Crossing(level, curve.x[0], np.nan, curve.x[0])
    if all(above):
        return Crossing(level, np.inf, curve.x[-1], np.inf)
    right = above.index(False)
    low, high = curve.x[right - 1], curve.x[right]
    fallen = curve.y[right - 1] - curve.y[right]
    share = (curve.y[right - 1] - level) / fallen if np.isfinite(fallen) else 0.5
    at = low * (high / low) ** share if logarithmic else low + (high - low) * share
    return Crossing(level, float(at), low, high)


def places_inside(found: Crossing, points: int, *, logarithmic: bool = False) -> list[float]:
    """So many places at equal steps inside the bracket of a crossing that was found, to be measured side by side: the bracket
    is `points` + 1 times as narrow with them."""
    spaced = np.geomspace if logarithmic else np.linspace
    places: list[float] = spaced(found.low, found.high, points + 2)[1:-1].tolist()
    return places


def capacity_level(curve: Curve, share: float) -> float:
    """What is left of the first value of `curve` when `share` of it is: the level that defines the capacity.

    NaN, which nothing is above, when there is nothing to lose: the first value is not positive.
    """
    if not 0.0 < share < 1.0:
        raise BadParameter(
            f"the share is {share}; capacity is where a share between 0 and 1 of the metric is left"
        )
    return share * curve.y[0] if curve.y and curve.y[0] > 0 else float("nan")


# -- parameters a little other than those chosen ----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Jitter:
    """A metric at `count` points near the chosen one, whose value is `chosen`.

    `low` and `high` are the 5 % and 95 % quantiles, `worst` the lowest; `below` is the share of neighbours that are
    worse than the chosen point (near 1: it stands on a peak), `positive` the share above 0, and `kept` the median over
    the chosen value, NaN when that is not positive. Neighbours without the metric are left out.
    """

    chosen: float
    count: int
    median: float
    low: float
    high: float
    worst: float
    below: float
    positive: float
    kept: float


def summary_of_jitter(chosen: float, neighbours: Sequence[float]) -> Jitter:
    """What the values of the neighbours say about the chosen point."""
    values = np.asarray(neighbours, np.float64)
    values = values[np.isfinite(values)]
    if not values.size:
        nan = float("nan")
        return Jitter(chosen, 0, nan, nan, nan, nan, nan, nan, nan)
    median = float(np.median(values))
    low, high = np.quantile(values, [0.05, 0.95]).tolist()
    return Jitter(
        chosen, values.size, median, low, high, float(values.min()),
        float(np.mean(values < chosen) + 0.5 * np.mean(values == chosen)) if np.isfinite(chosen) else float("nan"),
        float(np.mean(values > 0.0)), median / chosen if chosen > 0.0 else float("nan"),
    )  # fmt: skip


def neighbours(
    parameters: Mapping[str, Parameter],
    chosen: Mapping[str, Any],
    *,
    share: float,
    count: int,
    seed: int = 0,
    accepts: Callable[[Mapping[str, Any]], bool] = lambda _point: True,
) -> tuple[dict[str, Any], ...]:
    """At most `count` different points around `chosen`: every number moved at once, evenly by up to +-`share` of itself.

    Whole numbers move by one step at the least; none leaves its range; other kinds of parameters stay. Points that are
    the chosen one or that `accepts` refuses are left out: fewer than `count` when there are not so many.

    Raises BadParameter for a share that is not between 0 and 1.
    """
    if not 0.0 < share < 1.0:
        raise BadParameter(f"the jitter is {share}; give a share between 0 and 1, such as 0.2 for +-20 %")
    moved = {name: _moves(parameters[name], value, share) for name, value in chosen.items()}
    draw = np.random.default_rng(seed)
    seen = {tuple(chosen.values())}
    found: list[dict[str, Any]] = []
    for _ in range(50 * count):
        if len(found) == count:
            break
        point = {name: move(float(draw.random())) for name, move in moved.items()}
        values = tuple(point.values())
        if values not in seen:
            seen.add(values)
            if accepts(point):
                found.append(point)
    return tuple(found)


def _moves(parameter: Parameter, value: Any, share: float) -> Callable[[float], Any]:
    """From a uniform number to the value of a parameter near `value`."""
    if parameter.kind not in (int, float):
        return lambda _uniform: value
    reach = abs(value) * share
    low = -np.inf if parameter.low is None else parameter.low
    high = np.inf if parameter.high is None else parameter.high
    if parameter.kind is float:
        return lambda uniform: float(min(max(value + (2.0 * uniform - 1.0) * reach, low), high))
    steps = max(1, round(reach))
    first, last = int(max(value - steps, np.ceil(low))), int(min(value + steps, np.floor(high)))
    return lambda uniform: first + int(uniform * (last - first + 1))
