"""Builds the report of a walk-forward: the account with its windows, what each chose, and what was kept of the training."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gpt_trader.adapters.report import figures, texts
from gpt_trader.adapters.report.labels import written
from gpt_trader.adapters.report.luck import luck_section
from gpt_trader.adapters.report.page import check_place, render_page, script_json, write_page
from gpt_trader.adapters.report.study_page_sections import (
    Tile,
    failed_rows,
    header,
    is_intraday,
    point_text,
    tone,
)
from gpt_trader.adapters.report.trust import trust_in
from gpt_trader.research.walk_forward_study import WalkForwardResult, WindowFigures

if TYPE_CHECKING:
    from gpt_trader.validation.summary import TrialStatistics

nan = math.nan


def write_walk_forward_report(
    found: WalkForwardResult,
    run_id: str,
    lengths: Mapping[str, Any],
    statistics: TrialStatistics,
    notes: Sequence[str],
    path: str | os.PathLike[str],
) -> Path:
    """Write the report, whole or not at all, and return the path. Raises BadParameter for a place that cannot be written.

    `lengths` has train, test, step and gap as text, and `anchored`.
    """
    check_place(path)
    return write_page(render_walk_forward(found, run_id, lengths, statistics, notes), path)


def render_walk_forward(
    found: WalkForwardResult,
    run_id: str,
    lengths: Mapping[str, Any],
    statistics: TrialStatistics,
    notes: Sequence[str],
) -> str:
    """The report as one page that needs nothing outside itself; the same walk-forward gives the same text."""
    study, result = found.choices.study, found.result
    clock = figures.Clock(result.time, is_intraday(study.experiment))
    lines = figures.account_lines(result.equity, result.settings.capital)
    account = figures.line_chart(lines, clock)
    drawn, size = len(account["x"]), result.time.size
    payload = {
        "intraday": clock.intraday,
        "capital": result.settings.capital,
        "bars": size,
        "account": account,
        "windows": [_drawn(found, window, clock) for window in found.windows],
        "axes": [_axis(found, name) for name in study.points.names],
    }
    payload["clock"] = clock.knots()
    content = {
        **header(study.experiment, study.points, run_id),
        **trust_in(statistics),
        "lengths": lengths,
        "window_count": len(found.windows),
        "objective": f"{study.select} of {study.objective}",
        "searched": len(study.points) > 1,
        "axis_names": list(study.points.names),
        "has_benchmark": lines.benchmark is not None,
        "has_correlation": bool(np.isfinite(found.stability.rank_correlation).any()),
        "summary": _summary(found),
        "tiles": _tiles(found),
        "notes": [line[:1].upper() + line[1:] for line in notes],
        "luck": luck_section(statistics),
        "window_rows": [_row(found, window) for window in found.windows],
        "stability": _stability(found),
        "failed_rows": failed_rows(study.points, found.choices.runs.errors),
        "thinned": f"The lines draw {drawn:,} of {size:,} bars; no peak is lost." if drawn < size else "",
        "payload": script_json(payload),
    }
    return render_page("walk_forward.html.j2", "walk_forward.js", content)


def _summary(found: WalkForwardResult) -> list[str]:
    """The answer in plain sentences."""
    account, result, kept = found.result.metrics, found.result, found.efficiency
    benchmark = account["benchmark_total_return"]
    against = (
        f", buying and holding over the same time {texts.percent(benchmark, signed=True)}"
        if math.isfinite(benchmark)
        else ""
    )
    first = (
        f"From {result.start} to {result.end} one account traded what {len(found.windows)} windows had chosen on bars before: "
        f"{texts.percent(account['total_return'], signed=True)}{against}."
    )
    if len(found.choices.study.points) == 1:
        return [first]
    second = (
        f"In their training the chosen points had a Sharpe ratio of {texts.number(kept['in_sample_sharpe'])} on average, the "
        f"account had {texts.number(kept['out_of_sample_sharpe'])}."
    )
    return [first, second]


def _tiles(found: WalkForwardResult) -> list[Tile]:
    account, kept, steady = found.result.metrics, found.efficiency, found.stability
    gains = [window.out_of_sample["total_return"] > 0 for window in found.windows]

    def tile(label: str, name: str, hint: str, *, signed: bool = True, colour: str = "") -> Tile:
        benchmark = account[f"benchmark_{name}"]
        against = (
            ("buy and hold", written(name, benchmark, signed=signed)) if math.isfinite(benchmark) else None
        )
        return Tile(label, written(name, account[name], signed=signed), hint, against, colour)

    return [
        tile("Return", "total_return", "out of sample, all windows", colour=tone(account["total_return"])),
        tile("Sharpe", "sharpe", "out of sample, a year"),
        tile("Max drawdown", "max_drawdown", "out of sample", signed=False),
        Tile("Kept of the Sharpe", texts.percent(kept["sharpe"], 0), "walk-forward efficiency: out of sample / in sample",
             ("in sample", texts.number(kept["in_sample_sharpe"]))),
        Tile("Windows with a gain", f"{sum(gains)} of {len(gains)}", "out of sample"),
        Tile("Choice kept", texts.percent(steady.unchanged, 0), "changes of window that left the parameters as they were",
             ("points chosen", f"{steady.distinct:,}")),
    ]  # fmt: skip


def _row(found: WalkForwardResult, window: WindowFigures) -> dict[str, Any]:
    """One line of the table of windows."""
    time, intraday = (
        found.choices.study.experiment.bars.time,
        is_intraday(found.choices.study.experiment),
    )
    clock_x = figures.Clock(found.result.time, intraday).x
    first = found.result.first

    def span(rows: tuple[int, int]) -> str:
        return f"{texts.moment(time[rows[0]], intraday)} – {texts.moment(time[rows[1] - 1], intraday)}"

    start, end = clock_x(np.array([window.test[0] - first, window.test[1] - 1 - first]))
    return {
        "number": window.number + 1,
        "train": span(window.train),
        "test": span(window.test),
        "values": [texts.setting(value) for value in found.parameters(window).values()],
        "own": window.own,
        "trips": written("round_trips", window.in_sample["round_trips"]),
        "sharpe_in": written("sharpe", window.in_sample["sharpe"]),
        "sharpe_out": written("sharpe", window.out_of_sample["sharpe"]),
        "return_in": written("total_return", window.in_sample["total_return"]),
        "return_out": written("total_return", window.out_of_sample["total_return"]),
        "tone": tone(window.out_of_sample["total_return"]),
        "benchmark": texts.percent(window.benchmark_return, signed=True),
        "from": start,
        "to": end,
    }


def _drawn(found: WalkForwardResult, window: WindowFigures, clock: figures.Clock) -> dict[str, Any]:
    """What the charts know of a window."""
    first, number = found.result.first, window.number - found.choices.begins
    start, end = clock.x(np.array([window.test[0] - first, window.test[1] - 1 - first]))
    correlations = found.stability.rank_correlation
    values = found.parameters(window).values()
    numbers = [
        window.in_sample["sharpe"], window.out_of_sample["sharpe"], window.out_of_sample["total_return"], window.benchmark_return,
        correlations[number - 1] if number else nan,
    ]  # fmt: skip
    in_sample, out_of_sample, gain, benchmark, correlation = figures.short(np.array(numbers), 5)
    return {
        "number": window.number + 1,
        "from": start,
        "to": end,
        "label": " · ".join(texts.setting(value) for value in values),
        "point": point_text(found.choices.study.points, window.point),
        "inside": in_sample,
        "outside": out_of_sample,
        "gain": gain,
        "benchmark": benchmark,
        "correlation": correlation,
    }


def _axis(found: WalkForwardResult, name: str) -> dict[str, Any]:
    """What each window chose on an axis: numbers, or places among labels."""
    points = found.choices.study.points
    column = points.names.index(name)
    if found.choices.study.ordered[column]:
        values = [float(points.values[window.point][column]) for window in found.windows]
        every = [float(value[column]) for value in points.values]
        return {"values": values, "labels": None, "low": min(every), "high": max(every)}
    places = [int(points.places[window.point, column]) for window in found.windows]
    labels = {
        int(place): texts.setting(value[column])
        for place, value in zip(points.places[:, column], points.values, strict=True)
    }
    return {
        "values": places,
        "labels": [labels.get(i, "") for i in range(max(labels) + 1)],
        "low": 0,
        "high": max(labels),
    }


def _stability(found: WalkForwardResult) -> list[tuple[str, str, str]]:
    """Rows of the table of stability: what, how much, what it says."""
    steady, names = found.stability, found.choices.study.points.names
    rows = [
        ("Choice kept", texts.percent(steady.unchanged, 0), "share of the changes of window that left the point as it was"),
        ("Points chosen", f"{steady.distinct:,} of {len(found.choices.study.points):,}", "different ones over all windows"),
    ]  # fmt: skip
    moves = steady.moves.mean(axis=0) if len(steady.moves) else np.full(len(names), nan)
    sizes = found.choices.study.points.places.max(axis=0) + 1
    for name, move, size in zip(names, moves.tolist(), sizes.tolist(), strict=True):
        rows.append(
            (
                f"Move of {name}",
                f"{texts.number(move, 1)} steps",
                f"mean over the changes of window; the axis has {size}",
            )
        )
    known = steady.rank_correlation[np.isfinite(steady.rank_correlation)]
    mean = float(known.mean()) if known.size else nan
    hint = (
        "Spearman's, between all points in the training of a window and of the one before; 1: the same order"
    )
    return [*rows, ("Rank correlation", texts.number(mean), hint)]
