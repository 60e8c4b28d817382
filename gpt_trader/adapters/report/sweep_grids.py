"""What the report of a sweep draws of its surface: cells over two axes, the effect of each axis, points against points."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpt_trader.adapters.report.figures import short
from gpt_trader.research.parameter_axes import Axis
from gpt_trader.research.sweep_analysis import SweepAnalysis

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

AXES = 5  # with most values; their pairs are drawn
BINS = (
    64,
    48,
    32,
    24,
    16,
    12,
    8,
)  # places of an axis at most, fewer when all pairs together have too many cells
NUMBERS = 480_000
SAMPLED = (6, 20)  # places of an axis of which only some points were run: so that cells hold some
SCATTER = 1_500
DIGITS = 5


@dataclass(frozen=True, slots=True)
class Bins:
    """The values of an axis as places of a chart: one each, or neighbours together when there are many.

    `label` of each place, the `place` (n,) of each point.
    """

    name: str
    labels: list[str]
    place: Integers
    ordered: bool


def binned(axis: Axis, places: Integers, most: int) -> Bins:
    """The axis in at most `most` places, all of its values where they have no order; `places` (n,) are those of points."""
    length = len(axis.values) - axis.fine  # of a fine axis the steps between the values are shared out
    count = min(length, most) if axis.ordered else length
    first = [-(-i * length // count) for i in range(count + 1)]
    labels = [_label(axis, a, b) for a, b in pairwise(first)]
    return Bins(axis.name, labels, np.minimum(places * count // length, count - 1), axis.ordered)


def _label(axis: Axis, first: int, after: int) -> str:
    """The values at places `first` to `after` - 1; of a fine axis the two ends."""
    last = after if axis.fine else after - 1
    ends = written(axis.values[first]), written(axis.values[last])
    return ends[0] if first == last else f"{ends[0]} to {ends[1]}"


def written(value: Any) -> str:
    """A parameter's value as charts and tables show it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.6g}".replace("-", "−") if isinstance(value, int | float) else str(value)


def surface_chart(found: SweepAnalysis, metrics: Sequence[str]) -> dict[str, Any] | None:
    """The cells of every pair of axes for the heat map and the landscape; None with fewer than two axes and
    when no point has the first objective.

    A cell holds all points that lie there. It has the number of those that ran to the end, that failed and that were given
    up early, the number of the point with the best first objective, and of each metric that point's value and
    the median.
    """
    axes = found.space.axes
    if len(axes) < 2 or found.best is None:
        return None
    chosen = sorted(sorted(range(len(axes)), key=lambda i: (-len(axes[i].values), i))[:AXES])
    most = _most(found, [axes[i] for i in chosen], 2 * len(metrics) + 4)
    bins = {i: binned(axes[i], found.places[:, i], most) for i in chosen}
    by_size = sorted(chosen, key=lambda i: (-len(bins[i].labels), i))
    return {
        "axes": [{"name": bins[i].name, "labels": bins[i].labels} for i in chosen],
        "start": sorted(chosen.index(i) for i in by_size[:2]),
        "pairs": [
            {"x": chosen.index(a), "y": chosen.index(b), **_pair(found, bins[a], bins[b], metrics)}
            for a, b in combinations(chosen, 2)
        ],
        "best": [int(bins[i].place[found.best]) for i in chosen],
        "most_robust": [int(bins[i].place[found.most_robust]) for i in chosen]
        if found.most_robust is not None
        else None,
    }


def _most(found: SweepAnalysis, axes: Sequence[Axis], numbers: int) -> int:
    """How many places an axis has at most: all pairs together have at most NUMBERS, `numbers` of them in each cell."""

    def size(most: int) -> int:
        lengths = [min(len(axis.values), most) for axis in axes]
        return numbers * sum(a * b for a, b in combinations(lengths, 2))

    fitting = next((most for most in BINS if size(most) <= NUMBERS), BINS[-1])
    return min(fitting, _filled(found))


def _filled(found: SweepAnalysis) -> int:
    """How many places of an axis the points fill: all when the whole space was run, else about the root of their number."""
    count = len(found.surface)
    if count == found.space.count:
        return BINS[0]
    return min(max(math.isqrt(count), SAMPLED[0]), SAMPLED[1])


def _pair(found: SweepAnalysis, across: Bins, up: Bins, metrics: Sequence[str]) -> dict[str, Any]:
    """The cells of two axes, row by row from the first value of `up`."""
    surface = found.surface
    count = len(across.labels) * len(up.labels)
    cell = up.place * len(across.labels) + across.place
    complete, ranked = surface.complete, found.order
    number, best = np.full(count, -1), np.full(count, -1)
    cells, first = np.unique(cell[ranked], return_index=True)
    best[cells] = ranked[first]
    number[cells] = surface.numbers[ranked[first]]
    columns = {name: surface[name] for name in metrics}
    return {
        "count": np.bincount(cell[complete], minlength=count).tolist(),
        "failed": np.bincount(cell[list(surface.errors)].astype(np.int64), minlength=count).tolist(),
        "stopped": np.bincount(cell[list(surface.early_stops)].astype(np.int64), minlength=count).tolist(),
        "number": number.tolist(),
        "best": {
            name: short(np.where(best < 0, np.nan, values[best]), DIGITS) for name, values in columns.items()
        },
        "median": {
            name: short(medians(values[complete], cell[complete], count), DIGITS)
            for name, values in columns.items()
        },
    }


def medians(values: Floats, group: Integers, count: int, share: float = 0.5) -> Floats:
    """The median, or another quantile, of the values (n,) in each of `count` groups; NaN where there is none."""
    known = np.isfinite(values)
    values, group = values[known], group[known]
    order = np.lexsort((values, group))
    values, group = values[order], group[order]
    start = np.searchsorted(group, np.arange(count))
    size = np.searchsorted(group, np.arange(count), side="right") - start
    place = share * np.maximum(size - 1, 0)
    low = np.minimum(start + place.astype(np.int64), max(values.size - 1, 0))
    high = np.minimum(low + 1, start + np.maximum(size - 1, 0))
    if values.size == 0:
        return np.full(count, np.nan)
    between = values[low] + (place - np.floor(place)) * (
        values[np.minimum(high, values.size - 1)] - values[low]
    )
    return np.where(size > 0, between, np.nan)


def effect_charts(found: SweepAnalysis) -> list[dict[str, Any]]:
    """For each axis, over all other axes: quartiles and the best of the first objective at each of its values."""
    objective, surface = found.objectives[0], found.surface
    values, known = surface[objective.metric], np.isfinite(found.gains[:, 0])
    charts = []
    for column, axis in enumerate(found.space.axes):
        bins = binned(axis, found.places[:, column], _filled(found))
        count, place = len(bins.labels), bins.place[known]
        best = medians(values[known], place, count, 0.0 if objective.smallest else 1.0)
        quarters = [medians(values[known], place, count, share) for share in (0.25, 0.5, 0.75)]
        charts.append(
            {
                "name": bins.name,
                "labels": bins.labels,
                "ordered": bins.ordered,
                "count": np.bincount(place, minlength=count).tolist(),
                "best": short(best, DIGITS),
                **dict(
                    zip(("low", "middle", "high"), (short(part, DIGITS) for part in quarters), strict=True)
                ),
            }
        )
    return charts


def spread_rows(rows: Integers, kept: Sequence[int], most: int = SCATTER) -> Integers:
    """At most about `most` of the rows, evenly chosen, and those `kept` whatever happens."""
    if len(rows) > most:
        rows = rows[np.linspace(0, len(rows) - 1, most).astype(np.int64)]
    return np.unique(np.concatenate([rows, np.array(kept, np.int64)]))


def plateau_chart(found: SweepAnalysis) -> dict[str, Any] | None:
    """The objective of each point against the score of its neighbourhood; None where there is none."""
    if found.plateau is None or found.most_robust is None:
        return None
    metric = found.objectives[0].metric
    rows = np.flatnonzero(np.isfinite(found.plateau_scores) & np.isfinite(found.gains[:, 0]))
    rows = spread_rows(rows, [found.plateau.peak, found.most_robust])
    return {
        "value": short(found.surface[metric][rows], DIGITS),
        "score": short(found.plateau_scores[rows], DIGITS),
        "rows": [point_text(found, row) for row in rows.tolist()],
        "peak": int(np.flatnonzero(rows == found.plateau.peak)[0]),
        "most_robust": int(np.flatnonzero(rows == found.most_robust)[0]),
    }


def front_chart(found: SweepAnalysis) -> dict[str, Any] | None:
    """Points by the first two objectives, and which of them no other beats; None with one objective."""
    if len(found.objectives) < 2 or not len(found.pareto_front):
        return None
    x, y = (found.surface[item.metric] for item in found.objectives[:2])
    known = np.flatnonzero(np.isfinite(found.gains).all(axis=1))
    rows = spread_rows(known, found.pareto_front.tolist())
    return {
        "x": short(x[rows], DIGITS),
        "y": short(y[rows], DIGITS),
        "rows": [point_text(found, row) for row in rows.tolist()],
        "front": np.flatnonzero(np.isin(rows, found.pareto_front)).tolist(),
    }


def overfitting_chart(found: SweepAnalysis, splits: int = 400) -> dict[str, Any] | None:
    """The histogram of the logits, and some splits with the Sharpe ratio a year of their choice in sample and out."""
    from gpt_trader.validation.overfitting import logit_histogram

    test = found.overfitting
    if test is None or test.logits.size == 0 or found.best is None:
        return None
    edges, counts = logit_histogram(test.logits, 24)
    year = float(np.sqrt(found.surface["periods_per_year"][found.best]))
    some = spread_rows(np.arange(test.logits.size), [], splits)
    return {
        "edges": np.round(edges, 6).tolist(),
        "counts": counts.tolist(),
        "inside": short(test.in_sample[some] * year, 4),
        "outside": short(test.out_of_sample[some] * year, 4),
        "slope": None if np.isnan(test.slope) else test.slope,
        "intercept": None if np.isnan(test.intercept) else test.intercept * year,
    }


def point_text(found: SweepAnalysis, row: int) -> str:
    """The parameters of a point in a line."""
    return (
        " · ".join(f"{name} {written(value)}" for name, value in found.surface.parameters(row).items())
        or "all fixed"
    )
