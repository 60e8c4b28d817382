"""Builds the report of a sweep: what its surface says as sentences, tables and charts, and the best point's equity."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gpt_trader.adapters.report import figures, labels, manifest_settings, sweep_grids, sweep_texts, texts
from gpt_trader.adapters.report.luck import luck_section
from gpt_trader.adapters.report.page import check_place, render_page, script_json, write_page
from gpt_trader.adapters.report.sweep_grids import written
from gpt_trader.adapters.report.sweep_texts import metric, write
from gpt_trader.adapters.report.trust import trust
from gpt_trader.engine.metric_definitions import METRIC_NAMES
from gpt_trader.research.parameter_axes import Axis
from gpt_trader.research.sweep_analysis import SweepAnalysis, too_good_lines
from gpt_trader.strategy import strategy_name

if TYPE_CHECKING:
    from gpt_trader.result import Result

SCRIPTS = ("sweep_map.js", "sweep_landscape.js", "sweep.js")
TOP_ROWS = 25
FAILED_ROWS = 50
METHODS = {
    "grid": "every point of a grid",
    "random": "points drawn at random",
    "tpe": "a search that learns (TPE)",
    "nsga2": "a search that learns (NSGA-II)",
}


def write_sweep_report(
    found: SweepAnalysis, method: str, run_id: str, path: str | os.PathLike[str], ended: str | None = None
) -> Path:
    """Write the report of a sweep, whole or not at all, and return the path. Raises BadParameter for a place that cannot be
    written. The best point is run once more for its equity."""
    check_place(path)
    return write_page(render_sweep(found, method, run_id, ended), path)


def render_sweep(found: SweepAnalysis, method: str, run_id: str, ended: str | None = None) -> str:
    """The report as one page; the same sweep gives the same text. `ended` says why not all points were reached."""
    best = found.best_result
    if best is not None:
        found = replace(found, look_ahead=found.state, best_too_good=best.too_good)
    shown = sweep_texts.shown_metrics(found)
    content = {
        **_header(found, method, run_id, best),
        **trust({"": found.state}, too_good_lines(found)),
        **sweep_texts.headline(found, best, ended),
        **_points(found, shown),
        **_ground(found),
        **_equity(best),
        "luck": None if found.statistics is None else luck_section(found.statistics),
        "failed_rows": _failed(found),
    }
    payload = {
        "intraday": content.pop("intraday"),
        "clock": content.pop("clock"),
        "capital": found.experiment.settings.capital,
        "bars": found.experiment.bars.T,
        "account": content.pop("account"),
        "metrics": [item._asdict() for item in map(metric, shown)],
        "objectives": len(found.objectives),
        "surface": sweep_grids.surface_chart(found, shown),
        "effects": sweep_grids.effect_charts(found) if found.best is not None else [],
        "plateau": sweep_grids.plateau_chart(found),
        "front": sweep_grids.front_chart(found),
        "overfitting": sweep_grids.overfitting_chart(found),
    }
    flags = {
        "has_surface": payload["surface"] is not None,
        "effects": [chart["name"] for chart in payload["effects"]],
        "has_plateau": payload["plateau"] is not None,
        "has_front": payload["front"] is not None,
        "has_overfitting": payload["overfitting"] is not None,
        "payload": script_json(payload),
    }
    return render_page("sweep.html.j2", SCRIPTS, {**content, **flags}, "sweep.css")


# -- the head ------------------------------------------------------------------------------------------------------------


def _header(found: SweepAnalysis, method: str, run_id: str, best: Result | None) -> dict[str, Any]:
    bars = found.experiment.bars
    names = [str(name) for name in bars.symbols]
    intraday = bars.timeframe not in ("1d", "1w", "1mo")
    manifest = {} if best is None else dict(best.manifest)
    manifest.pop("parameters", None)
    prints = bars.fingerprint()
    return {
        "strategy": strategy_name(found.experiment.strategy),
        "axes": [(axis.name, _span(axis)) for axis in found.space.axes],
        "fixed": [(name, texts.setting(value)) for name, value in found.space.fixed.items()],
        "constraints": [item.text for item in found.space.constraints],
        "symbols": names,
        "symbols_short": ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else ""),
        "first": texts.moment(bars.time[0], intraday),
        "last": texts.moment(bars.time[-1], intraday),
        "bars_count": texts.number(bars.T, 0),
        "timeframe": bars.timeframe,
        "capital": texts.cash(found.experiment.settings.capital),
        "points_count": texts.number(len(found.surface), 0),
        "method": METHODS.get(method, method),
        "objective": ", ".join(str(item).replace("_", " ") for item in found.objectives),
        "run_id": run_id,
        "fingerprint_short": "" if best is None else str(best.fingerprint)[:12],
        "fingerprint": "" if best is None else str(best.fingerprint),
        "version": str(manifest.get("version", "")),
        "rules": labels.RULES_OF_FILLING,
        "settings": manifest_settings.settings_table(manifest),
        "series": [(name, prints[name]) for name in names[: manifest_settings.DATA_ROWS]],
    }


def _span(axis: Axis) -> str:
    count = len(axis.values)
    ends = f"{written(axis.values[0])} … {written(axis.values[-1])}"
    if axis.fine:
        return f"{ends}, all between"
    if count <= 3:
        return ", ".join(written(value) for value in axis.values)
    return f"{ends if axis.ordered else 'several'}, {count:,} values"


# -- points --------------------------------------------------------------------------------------------------------------


def _points(found: SweepAnalysis, shown: Sequence[str]) -> dict[str, Any]:
    heads = [
        *((axis.name, "n" if axis.ordered else "") for axis in found.space.axes),
        *((metric(key).label, "n") for key in shown),
    ]
    heads += [("DSR", "n"), ("Around it", "n")]
    return {
        "point_heads": heads,
        "top_rows": [_row(found, row, shown) for row in found.order[:TOP_ROWS].tolist()],
        "front_rows": [_row(found, row, shown) for row in found.pareto_front[: 2 * TOP_ROWS].tolist()]
        if len(found.objectives) > 1
        else [],
        "front_count": len(found.pareto_front),
        "ranked_count": len(found.order),
    }


def _row(found: SweepAnalysis, row: int, shown: Sequence[str]) -> list[tuple[str, str, str]]:
    """The cells of a point: text, class, and the number it is sorted by."""
    surface, first = found.surface, found.objectives[0]
    cells = []
    for axis, value in zip(found.space.axes, surface.points[row], strict=True):
        cells.append((written(value), "n" if axis.ordered else "", str(value)))
    for key in shown:
        value = float(surface.values[row, METRIC_NAMES.index(key)])
        cells.append((write(key, value), "n", repr(value)))
    deflated, around = found.deflated(row), float(found.plateau_scores[row])
    cells.append((texts.percent(deflated), "n", repr(deflated)))
    cells.append((write(first.metric, around), "n", repr(around)))
    return cells


def _ground(found: SweepAnalysis) -> dict[str, Any]:
    """Peak and plateau beside each other, and what the test for overfitting found."""
    first, surface = found.objectives[0], found.surface
    rows = []
    if found.plateau is not None and found.most_robust is not None and found.best is not None:
        for name, row in (("Highest point", found.best), ("Steadiest neighbourhood", found.most_robust)):
            value, score = float(surface[first.metric][row]), float(found.plateau_scores[row])
            known = texts.percent(float(found.plateau.known[row]), 0)
            rows.append(
                (
                    name,
                    sweep_grids.point_text(found, row),
                    write(first.metric, value),
                    write(first.metric, score),
                    known,
                )
            )
    test = found.overfitting
    return {
        "objective_label": metric(first.metric).label,
        "objective_labels": [metric(item.metric).label for item in found.objectives],
        "ineffective": " and ".join(found.ineffective),
        "plateau_rows": rows,
        "pbo": None if test is None or math.isnan(test.pbo) else texts.percent(test.pbo),
        "pbo_points": "" if test is None else f"{test.points:,}",
        "pbo_splits": "" if test is None else f"{test.logits.size:,}",
        "pbo_loss": "" if test is None else texts.percent(test.loss),
    }


def _failed(found: SweepAnalysis) -> list[tuple[str, str]]:
    errors = list(found.surface.errors.items())[:FAILED_ROWS]
    return [(sweep_grids.point_text(found, row), text) for row, text in errors]


# -- the best point's equity ---------------------------------------------------------------------------------------------


def _equity(best: Result | None) -> dict[str, Any]:
    if best is None:
        return {
            "account": None,
            "intraday": False,
            "clock": None,
            "thinned": "",
            "best_run": "",
            "deepest": "",
        }
    time = best.equity.index.to_numpy("datetime64[ns]")
    clock = figures.Clock(time, bool((time != time.astype("datetime64[D]")).any()))
    lines = figures.account_lines(best.equity, best.settings.capital)
    account = figures.line_chart(lines, clock)
    drawn = len(account["x"])
    thinned = f"The lines draw {drawn:,} of {time.size:,} bars; no peak is lost." if drawn < time.size else ""
    return {
        "account": account,
        "intraday": clock.intraday,
        "clock": clock.knots(),
        "thinned": thinned,
        "best_run": best.run_id,
        "deepest": texts.percent(abs(best.metrics["max_drawdown"])),
    }
