"""Builds the report of a run: gathers figures, tables and charts of a result and fills the page with them."""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from gpt_trader.adapters.report import figures, labels, luck, manifest_settings, run_report_tables, texts
from gpt_trader.adapters.report.intervals import intervals_section
from gpt_trader.adapters.report.page import check_place, render_page, script_json, write_page
from gpt_trader.adapters.report.trust import trust_in
from gpt_trader.adapters.result_protocols import ReportableResult
from gpt_trader.research.selection_bias import trial_statistics_of

if TYPE_CHECKING:
    from gpt_trader.bars import Bars
    from gpt_trader.research.bootstrap_runs import BootstrapIntervals
    from gpt_trader.validation.summary import TrialStatistics

PAGE_ROWS = 25
TRADE_ROWS = 2_000
POSITION_ROWS = 20
WARNING_ROWS = 50
DIVIDENDS = "Dividends are booked to the cash and are part of the equity."


def write_report(
    result: ReportableResult,
    path: str | os.PathLike[str],
    statistics: TrialStatistics | None = None,
    reruns: BootstrapIntervals | None = None,
) -> Path:
    """Writes the report of `result` to `path`, whole or not at all, and returns the path; missing folders are made.

    `statistics` are those with the trial ledger's count and what the store knows of the code's look-ahead check; without them
    nothing is deflated, the page says so, and of the check it says what `result.look_ahead` does.
    `reruns` are the intervals from resampled markets, where they were asked for.
    Raises BadParameter when the path is a folder or cannot be written.
    """
    check_place(path)
    return write_page(render(result, statistics, reruns), path)


def render(
    result: ReportableResult,
    statistics: TrialStatistics | None = None,
    reruns: BootstrapIntervals | None = None,
) -> str:
    """The report of `result` as one page that needs nothing outside itself; the same result gives the same text."""
    return render_page("report.html.j2", "report.js", _content(result, statistics, reruns))


class _Run(NamedTuple):
    """What several parts of the report need."""

    result: ReportableResult
    clock: figures.Clock
    capital: float
    years: float
    lines: figures.Lines


def _content(
    result: ReportableResult, statistics: TrialStatistics | None, reruns: BootstrapIntervals | None
) -> dict[str, Any]:
    """Everything the template shows."""
    equity = result.equity
    time = equity.index.to_numpy("datetime64[ns]")
    clock = figures.Clock(time, bool((time != time.astype("datetime64[D]")).any()))
    capital = float(result.manifest.get("capital", equity["equity"].iloc[0]))
    years = float((time[-1] - time[0]) / np.timedelta64(1, "D")) / 365.25
    lines = figures.account_lines(equity, capital)
    run = _Run(result, clock, capital, years, lines)
    charts = _charts(run)
    if statistics is None:
        statistics = trial_statistics_of(result.metrics, int(np.isfinite(lines.returns).sum()))
        statistics = statistics.believed(result.look_ahead, result.too_good)
    return {
        **trust_in(statistics),
        **_header(run),
        **_headline(run),
        **_account_tables(run),
        **_trade_tables(run),
        "sleeve_rows": run_report_tables.sleeve_table(
            getattr(result, "attribution", None), result.metrics, capital
        ),
        "luck": luck.luck_section(statistics),
        "intervals": None if reruns is None else intervals_section(reruns),
        "prices": [chart["symbol"] for chart in charts["payload"]["prices"]],
        "price_notes": charts["notes"],
        "thinned": charts["thinned"],
        "has_rolling": charts["payload"]["rolling"] is not None,
        "has_bar_histogram": charts["payload"]["bar_returns"] is not None,
        "has_trip_histogram": charts["payload"]["trip_returns"] is not None,
        "bar_note": charts["bar_note"],
        "trip_note": charts["trip_note"],
        "payload": script_json(charts["payload"]),
    }


def _header(run: _Run) -> dict[str, Any]:
    result, manifest = run.result, run.result.manifest
    names = [str(name) for name in result.symbols]
    more = f" and {len(names) - 8} more" if len(names) > 8 else ""
    fingerprint = _fingerprint(result.fingerprint)
    return {
        "strategy": result.strategy,
        "parameters": [(name, texts.setting(value)) for name, value in result.parameters.items()],
        "symbols": names,
        "symbols_short": ", ".join(names[:8]) + more,
        "first": texts.moment(run.clock.time[0], run.clock.intraday),
        "last": texts.moment(run.clock.time[-1], run.clock.intraday),
        "bars_count": texts.number(run.clock.time.size, 0),
        "timeframe": result.bars.timeframe if result.bars is not None else str(manifest.get("timeframe", "")),
        "capital": texts.cash(run.capital),
        "run_id": result.run_id,
        "fingerprint": fingerprint,
        "fingerprint_short": fingerprint[:12],
        "version": str(manifest.get("version", "")),
        "warnings": [line[:1].upper() + line[1:] for line in result.warnings[:WARNING_ROWS]],
        "warnings_left": max(0, len(result.warnings) - WARNING_ROWS),
        "rules": labels.RULES_OF_FILLING,
        "settings": manifest_settings.settings_table(manifest),
        "series": manifest_settings.data_table(names, manifest),
        "month_names": run_report_tables.MONTHS,
    }


def _fingerprint(value: Any) -> str:
    """One text for the data: the fingerprint itself, or the SHA-256 over those of the symbols."""
    if isinstance(value, Mapping):
        if len(value) == 1:
            return str(next(iter(value.values())))
        return hashlib.sha256(json.dumps(dict(value), sort_keys=True).encode()).hexdigest()
    return str(value)


def _headline(run: _Run) -> dict[str, Any]:
    values, closed = run.result.metrics, run.result.closed_trades
    first, last = (texts.moment(run.clock.time[row], run.clock.intraday) for row in (0, -1))

    def shown(figure: labels.Figure) -> dict[str, str]:
        value = float(values.get(figure.key, math.nan))
        toned = figure.key in ("total_return", "cagr", "expectancy") and math.isfinite(value) and value != 0
        other = float(values.get(figure.benchmark, math.nan)) if figure.benchmark else math.nan
        return {
            "key": figure.key,
            "label": figure.label,
            "value": texts.write(value, figure.kind),
            "benchmark": texts.write(other, figure.kind) if math.isfinite(other) else "",
            "hint": figure.hint,
            "tone": ("gain" if value > 0 else "loss") if toned else "",
        }

    best = float(closed["pnl"].max()) if len(closed) else 0.0
    return {
        "summary": texts.summary(values, run.capital, first, last),
        "cautions": texts.cautions(values, run.capital, run.years, float(closed["gross_pnl"].sum()), best),
        "headline": [shown(figure) for figure in labels.HEADLINE],
        "details": [(title, [shown(figure) for figure in rows]) for title, rows in labels.DETAILS],
        "has_net": run.lines.net is not None,
        "has_benchmark": run.lines.benchmark is not None,
        "deepest": texts.percent(abs(float(values.get("max_drawdown", math.nan)))),
    }


def _account_tables(run: _Run) -> dict[str, Any]:
    result, lines = run.result, run.lines
    fills, orders = result.fills, result.orders
    traded = float((fills["quantity"] * fills["price"]).sum())
    return {
        "months": run_report_tables.monthly_table(run.clock.time, lines.equity, lines.benchmark, run.capital),
        "rolling_window": f"{lines.window} {'days' if lines.rolling_rows.size < run.clock.time.size else 'bars'}",
        "episodes": run_report_tables.drawdown_table(lines.equity, run.capital, run.clock),
        "cost_rows": run_report_tables.cost_table(result.metrics, run.capital, run.years, traded),
        "fill_note": f"{len(fills):,} fills of {len(orders):,} orders, {texts.cash(traded)} traded in all. "
        + DIVIDENDS,
        "counts": [
            ("Decisions by verdict", run_report_tables.decision_table(result.decisions), "Verdict"),
            ("Orders by what became of them", run_report_tables.order_table(orders), "Status"),
        ],
    }


def _trade_tables(run: _Run) -> dict[str, Any]:
    result, closed = run.result, run.result.closed_trades
    final = result.positions[result.positions["time"].to_numpy("datetime64[ns]") == run.clock.time[-1]]
    rows = run_report_tables.symbol_table(result.symbols, closed, result.fills, final)
    some = run_report_tables.best_and_worst(rows)
    income = float(result.metrics.get("open_pnl", math.nan)) - sum(row.open for row in rows)
    by_size = final.reindex(final["value"].abs().sort_values(ascending=False, kind="stable").index)
    shown = min(len(closed), TRADE_ROWS)
    cut = f"the last {shown:,} of {len(closed):,}; all are in the table closed_trades"
    best = f"the {len(some)} best and worst of {len(rows)}"
    return {
        "exits": run_report_tables.exit_table(closed),
        "symbol_rows": some,
        "symbol_scale": max([abs(row.total) for row in rows], default=1.0) or 1.0,
        "symbol_note": best if len(some) < len(rows) else "profit after costs, best first",
        "open_income": texts.cash(income) if abs(income) >= 0.01 else "",
        "trade_count": len(closed),
        "trade_note": cut if shown < len(closed) else f"all {shown:,}",
        "trade_heads": run_report_tables.TRADE_HEADS,
        "trade_rows": run_report_tables.trade_rows(closed, PAGE_ROWS, run.clock.intraday),
        "position_note": f"the {POSITION_ROWS} largest of {len(by_size)}"
        if len(by_size) > POSITION_ROWS
        else "",
        "position_rows": run_report_tables.position_rows(by_size.head(POSITION_ROWS)),
    }


def _charts(run: _Run) -> dict[str, Any]:
    """The JSON the page's scripts draw, and what to say about it."""
    result, lines, clock = run.result, run.lines, run.clock
    closed, bars = result.closed_trades, result.bars
    prices = figures.PriceCharts([], 0, 1, False)
    notes = ["Prices were not kept with this run, so its trades cannot be drawn."] if bars is None else []
    if bars is not None:
        if clock.time.size < bars.T:  # of the bars before the account began the features alone know
            bars = bars.select(start=clock.time[0])
        prices = figures.price_charts(bars, result.fills, closed, clock)
        notes = _price_notes(prices, bars)
    account = figures.line_chart(lines, clock)
    moves = lines.returns[lines.returns != 0]
    flat = int((lines.returns == 0).sum())
    against = (
        None if lines.benchmark_returns is None else lines.benchmark_returns[lines.benchmark_returns != 0]
    )
    trips = closed["return_"].to_numpy(np.float64)
    size, drawn = clock.time.size, len(account["x"])
    payload = {
        "intraday": clock.intraday,
        "capital": run.capital,
        "bars": size,
        "account": account,
        "rolling": figures.rolling_chart(lines, clock),
        "prices": prices.charts,
        "bar_returns": figures.histogram_chart(figures.histogram(moves), against),
        "trip_returns": figures.histogram_chart(figures.histogram(trips, 30)),
        "page": PAGE_ROWS,
        "trades": figures.trade_columns(closed, clock, TRADE_ROWS) if len(closed) else None,
    }
    payload["clock"] = clock.knots()
    thinned = f"The lines draw {drawn:,} of {size:,} bars, the lowest and the highest of each stretch: no peak is lost."
    return {
        "payload": payload,
        "notes": notes,
        "thinned": thinned + " Every figure is computed from all bars." if drawn < size else "",
        "bar_note": f"{flat:,} bars without a change are left out" if flat else "returns of single bars",
        "trip_note": "return on what the entries cost, after costs",
    }


def _price_notes(prices: figures.PriceCharts, bars: Bars) -> list[str]:
    notes = []
    if prices.left_out:
        notes.append(f"Charts are drawn for the {len(prices.charts)} most traded of {bars.N} symbols.")
    if prices.bars_per_candle > 1:
        joined = f"{prices.bars_per_candle:,} bars of {bars.timeframe}"
        notes.append(f"Each candle joins {joined}; fills stand at their own price.")
    if prices.splits:
        notes.append(
            "The chart stands on the share basis of the last bar (splits removed); the tables show what was traded."
        )
    return notes
