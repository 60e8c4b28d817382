"""What the report of a sweep says in words: the headline, the tiles, and what a careful reader should know first."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from gpt_trader.adapters.report import labels, texts
from gpt_trader.adapters.report.sweep_grids import point_text
from gpt_trader.engine.metric_definitions import METRIC
from gpt_trader.research.sweep_analysis import SweepAnalysis

if TYPE_CHECKING:
    from gpt_trader.result import Result

FEW_TRIPS = 30
LONE = 0.7
"""A peak of whose height so little is left around it stands alone."""
ALWAYS = ("sharpe", "cagr", "max_drawdown", "round_trips", "turnover")


class Metric(NamedTuple):
    """A metric as the page shows it; `kind` as in `labels.Figure`."""

    key: str
    label: str
    kind: str


def shown_metrics(found: SweepAnalysis) -> tuple[str, ...]:
    """The objectives, then what is always of interest."""
    return tuple(dict.fromkeys((*(item.metric for item in found.objectives), *ALWAYS)))


def metric(key: str) -> Metric:
    """How the page writes a metric."""
    row = METRIC[key]
    return Metric(key, row.column or row.title, labels.kind_of(key))


def write(key: str, value: float) -> str:
    return labels.written(key, value)


def headline(found: SweepAnalysis, best: Result | None, ended: str | None) -> dict[str, Any]:
    if found.best is None or best is None:
        why = next(iter(found.surface.errors.values()), "no point traded, or none has this metric")
        return {
            "summary": [f"No point has a {found.objectives[0].metric}: {why}."],
            "tiles": [],
            "cautions": [],
        }
    return {
        "summary": _summary(found, best),
        "tiles": _tiles(found, found.best),
        "cautions": _cautions(found, found.best, ended),
    }


def _summary(found: SweepAnalysis, best: Result) -> list[str]:
    """What came out in two or three sentences."""
    first, surface, most_robust = found.objectives[0], found.surface, found.most_robust
    row = int(found.order[0])
    values = surface[first.metric][np.isfinite(found.gains[:, 0])]
    top, middle = (
        write(first.metric, float(value)) for value in (surface[first.metric][row], np.median(values))
    )
    end = "lowest" if first.smallest else "highest"
    point = f"{point_text(found, row)} has the {end} {metric(first.metric).label}, {top}"
    lines = [f"Of {len(surface):,} points, {point}; the median of all is {middle}."]
    growth, fall = float(surface["cagr"][row]), float(surface["max_drawdown"][row])
    benchmark = float(best.metrics.get("benchmark_cagr", math.nan))
    beside = (
        f"; buying and holding grew by {texts.percent(benchmark, signed=True)}"
        if math.isfinite(benchmark)
        else ""
    )
    lines.append(
        f"The account of that point grew by {texts.percent(growth, signed=True)} a year with a deepest fall of "
        f"{texts.percent(abs(fall))}{beside}."
    )
    if most_robust is not None and most_robust != row:
        score = write(first.metric, float(found.plateau_scores[most_robust]))
        lines.append(
            f"The most robust neighbourhood is around {point_text(found, most_robust)}, where three quarters of the "
            f"points have {score} or better."
        )
    return lines


def _tiles(found: SweepAnalysis, row: int) -> list[dict[str, str]]:
    first, surface, statistics = found.objectives[0], found.surface, found.statistics_of(row)
    top, around = (write(first.metric, float(v[row])) for v in (surface[first.metric], found.plateau_scores))
    pbo = math.nan if statistics.pbo is None else statistics.pbo
    counted = "what the ledger counts of this strategy on these data"
    if statistics.effective_trials is not None:
        counted = f"as good as {texts.number(statistics.effective_trials, 1)} independent ones"
    rows = [
        (metric(first.metric).label, top, "of the best point"),
        ("Deflated Sharpe", texts.percent(found.deflated(row)), "confidence that the best is more than luck; 95 % is asked for"),
        ("Overfitting (PBO)", texts.percent(pbo), "how often the best of one half is below the median of the other"),
        ("Trials", "–" if statistics.trials is None else f"{statistics.trials:,}", counted),
        ("Around it", around, "three quarters of the neighbours do at least as well"),
        ("Round trips", write("round_trips", float(surface["round_trips"][row])), "of the best point; few prove little"),
    ]  # fmt: skip
    return [{"label": label, "value": value, "hint": hint} for label, value, hint in rows]


def _cautions(found: SweepAnalysis, row: int, ended: str | None) -> list[str]:
    """What a careful reader should know before trading the best point."""
    surface, flat = found.surface, found.plateau
    trips = float(surface["round_trips"][row])
    boundary = " and ".join(found.boundary)
    early = len(surface.early_stops)
    left = 1.0 if flat is None or math.isnan(flat.peak_ratio) else max(flat.peak_ratio, 0.0)
    notes = (
        (trips < FEW_TRIPS, f"The best point closed {trips:.0f} round trips. So few trades say little, whatever the ratio."),
        (boundary, f"The best neighbourhood lies at the end of {boundary}: what is better may lie beyond. Look further."),
        (left < LONE, f"The best point stands alone: {texts.percent(left, 0)} of its height is left in its neighbourhood."),
        (early, f"{early:,} points were given up on the first bars, where most were better; they count."),
        (surface.errors, f"{len(surface.errors):,} points failed; they are listed below."),
        (ended, f"The search was {ended}; what it had not reached may be better or worse."),
        (found.trials is None, "The trials were not counted, so nothing here is deflated."),
        (True, "Every number here is in sample: the parameters were chosen on these bars. A walk-forward says what is left."),
    )  # fmt: skip
    return [text for applies, text in notes if applies]
