"""What a sweep says: one object for programs, a table and some sentences for people."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from gpt_trader.research.conclusions import too_good_lines
from gpt_trader.strategy import strategy_name
from jobs.tables import kind_of, listing, parameters_line, text_of

if TYPE_CHECKING:
    from rich.table import Table

    from gpt_trader.adapters.store.trials import TrialCount
    from gpt_trader.research.conclusions import Conclusions

SHOWN = 10


def result_of(found: Conclusions, method: str, count: TrialCount | None) -> dict[str, Any]:
    """All that a sweep says but for its points: what `result.json` holds and `--json` begins with."""
    surface, bars = found.surface, found.subject.bars
    statistics, best = found.statistics, found.best
    said = None if statistics is None else statistics.as_object()
    return {
        "strategy": strategy_name(found.subject.strategy),
        "method": method,
        "objective": found.objectives[0].metric,
        "objectives": [f"{item.metric}:{'min' if item.smallest else 'max'}" for item in found.objectives],
        "fixed": dict(found.space.fixed),
        "constraints": [item.text for item in found.space.constraints],
        "symbols": bars.symbols,
        "start": bars.time[0],
        "end": bars.time[-1],
        "bars": bars.T,
        "failed": len(surface.errors),
        "idle": list(found.idle),
        "stopped_early": len(surface.looks),
        "best": None if best is None else point_of(found, best, full=True),
        "steadiest": None if found.steadiest is None else point_of(found, found.steadiest, full=True),
        "pareto": [point_of(found, row) for row in found.front.tolist()] if len(found.objectives) > 1 else [],
        "trials": None
        if count is None
        else {
            "raw": count.raw,
            "overlapping": count.overlapping,
            "family": count.family_total,
            "effective": None if found.independent is None else found.independent[0],
        },
        **{name: None if said is None else said[name] for name in ("psr", "dsr", "dsr_effective", "pbo", "verdict")},
        "min_track_record": None
        if said is None
        else {"bars": said["min_track_record_bars"], "years": said["min_track_record_years"]},
        "statistics": said,
        "look_ahead": found.state.as_object(),
        "warnings": too_good_lines(found),
        "too_good": len(found.too_good),
        "overfitting": None if found.overfitting is None else found.overfitting.as_object(),
    }  # fmt: skip


def points_of(found: Conclusions, top: int | None) -> list[dict[str, Any]]:
    """Every point in the order of its number, or the best `top` of them, best first."""
    rows: Iterable[int] = range(len(found.surface)) if top is None else found.order[:top].tolist()
    return [point_of(found, row) for row in rows]


def point_of(found: Conclusions, row: int, *, full: bool = False) -> dict[str, Any]:
    """One point: its number, parameters and metrics, the score of its neighbourhood, why it failed or was stopped.

    With `full` also its deflated Sharpe ratio and the parameters that were not swept.
    """
    surface = found.surface
    parameters = surface.parameters(row)
    point = {
        "point": int(surface.numbers[row]),
        "parameters": {**found.space.fixed, **parameters} if full else parameters,
        "metrics": surface.metrics(row),
        "plateau": float(found.steadiness[row]),
    }
    if row in surface.errors:
        point["error"] = surface.errors[row]
    if row in surface.looks:
        point["stopped_after_bars"] = surface.looks[row].stop
    if full:
        point["deflated_sharpe"] = found.deflated(row)
    return point


# -- for people ----------------------------------------------------------------------------------------------------------


def top_table(found: Conclusions, count: int | None) -> Table:
    """The best points by the first objective: parameters, objectives, Sharpe with its deflated value, plateau."""
    shown = found.order[: count or SHOWN].tolist()
    return _table(found, shown)


def front_table(found: Conclusions, count: int | None) -> Table:
    """The points that no other beats in all objectives, by the first one."""
    return _table(found, found.front[: count or 3 * SHOWN].tolist())


def _table(found: Conclusions, rows: list[int]) -> Table:
    surface = found.surface
    columns = metric_columns(found)
    numbers = [*(metric for metric, _ in columns), "DSR", "plateau"]
    heads = ["", *surface.names, *numbers]
    lines = []
    for rank, row in enumerate(rows, 1):
        metrics = surface.metrics(row)
        cells = [text_of(metrics[name], kind) for name, kind in columns]
        score = text_of(float(found.steadiness[row]), kind_of(found.objectives[0].metric))
        lines.append(
            [
                str(rank),
                *(str(value) for value in surface.points[row]),
                *cells,
                text_of(found.deflated(row), "share"),
                score,
            ]
        )
    return listing(heads, lines, right=heads)


def metric_columns(found: Conclusions) -> list[tuple[str, str]]:
    """The metrics of a table of points with how they are written: the objectives, then what always is of interest."""
    always = ("sharpe", "cagr", "max_drawdown", "round_trips")
    names = dict.fromkeys((*(item.metric for item in found.objectives), *always))
    return [(name, kind_of(name)) for name in names]


def plateau_line(found: Conclusions) -> str | None:
    """What the neighbourhood of the best point says; None where there is none."""
    flat, best, surface = found.plateau, found.steadiest, found.surface
    if flat is None or best is None:
        return None
    metric = found.objectives[0].metric
    around, at_peak = (text_of(float(found.steadiness[row]), kind_of(metric)) for row in (best, flat.peak))
    if best == flat.peak:
        text = f"the best point is the steadiest: three quarters of its neighbours have {metric} {around} or better"
    else:
        steadiest = parameters_line(surface.parameters(best))
        text = f"steadiest is {steadiest}: {around} or better in three quarters around it; around the best {at_peak}"
    return f"{text}; it lies at the end of {' and '.join(found.rim)}, so look further" if found.rim else text


def idle_line(found: Conclusions) -> str | None:
    """Which parameters changed nothing; None when each of them did something."""
    if not found.idle:
        return None
    return f"{' and '.join(found.idle)} changed nothing: every value gave the same returns"


def described(found: Conclusions, method: str, unreached: str | None) -> str:
    """How many points were run and how, in a line."""
    surface, bars = found.surface, found.subject.bars
    parts = [f"{len(surface):,} {'point' if len(surface) == 1 else 'points'} by {method}"]
    if surface.errors:
        parts.append(f"{len(surface.errors):,} failed")
    if surface.looks:
        parts.append(f"{len(surface.looks):,} given up early, which count as trials")
    if unreached:
        parts.append(unreached)
    names = ", ".join(bars.symbols[:6]) + (f" and {bars.N - 6} more" if bars.N > 6 else "")
    span = f"{str(bars.time[0])[:10]} to {str(bars.time[-1])[:10]}"
    return f"{', '.join(parts)}\n{names}, {span}, {bars.T:,} bars of {bars.timeframe}"


def luck_of(found: Conclusions, count: TrialCount | None) -> Mapping[str, Any] | None:
    """What `jobs.tables.luck_lines` shows; None when no point has a Sharpe ratio."""
    if found.statistics is None:
        return None
    family = None if count is None else count.family_total
    return {**found.statistics.as_object(), "counted": count is not None, "trials_of_the_family": family}
