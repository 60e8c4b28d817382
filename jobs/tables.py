"""How results look in a terminal: the summary of one run, lists and comparisons of many."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from gpt_trader.engine.measures import BENCHMARK_METRICS, METRIC

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

NOTHING = "–"
BLOCKS = "▁▂▃▄▅▆▇█"

KINDS = {"signed": "percent", "cash": "money", "gain": "signed_money", "days": "count", "bars": "number"}
"""What `text_of` calls a format of `measures.UNITS`, where it is not that word."""


def kind_of(name: str) -> str:
    """How a terminal writes a metric: a kind of `text_of`."""
    written = METRIC[name].format
    return KINDS.get(written, written)


def metric_row(name: str) -> tuple[str, str, str]:
    """A metric's label, its name and its kind."""
    return METRIC[name].label, name, kind_of(name)


PERFORMANCE = tuple(map(metric_row, BENCHMARK_METRICS))
TRADING = tuple(
    map(
        metric_row,
        (
            *("round_trips", "win_rate", "profit_factor", "expectancy", "average_trade_bars"),
            *("exposure", "turnover", "costs", "open_pnl"),
        ),
    )
)


def text_of(value: float | None, kind: str) -> str:
    """A number as people read it; a dash for one that is not defined."""
    if value is None or math.isnan(value):
        return NOTHING
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    shown = {
        "percent": f"{value * 100:+,.2f} %",
        "share": f"{value * 100:,.2f} %",
        "ratio": f"{value:,.2f}",
        "number": f"{value:,.1f}",
        "count": f"{value:,.0f}",
        "times": f"{value:,.2f} x",
        "money": f"{value:,.2f}",
        "signed_money": f"{value:+,.2f}",
    }[kind]
    return shown.replace("-", "−")


def _colour(value: float | None, kind: str) -> str:
    if value is None or math.isnan(value) or value == 0 or kind not in ("percent", "signed_money"):
        return ""
    return "green" if value > 0 else "red"


def sparkline(values: Sequence[float], width: int = 60) -> str:
    """`values` as a line of blocks, the lowest to the highest; at most `width` characters wide."""
    finite = [value for value in values if math.isfinite(value)]
    if len(finite) < 2:
        return ""
    step = max(1.0, len(finite) / width)
    picked = [finite[min(int(i * step), len(finite) - 1)] for i in range(min(width, len(finite)))]
    picked[-1] = finite[-1]
    low, span = min(picked), max(picked) - min(picked) or 1.0
    return "".join(BLOCKS[min(int((value - low) / span * len(BLOCKS)), len(BLOCKS) - 1)] for value in picked)


def summary(metrics: Mapping[str, float], *, benchmark: bool = True) -> RenderableType:
    """The table of one run: performance against buy and hold on the left, trading on the right."""
    from rich.table import Table

    left = _plain_table("Performance", "Strategy", *(["Buy and hold"] if benchmark else []))
    for label, key, kind in PERFORMANCE:
        cells = [_cell(metrics.get(key), kind)]
        if benchmark:
            cells.append(_cell(metrics.get(f"benchmark_{key}"), kind))
        left.add_row(label, *cells)
    right = _plain_table("Trading", "")
    for label, key, kind in TRADING:
        right.add_row(label, _cell(metrics.get(key), kind))
    grid = Table.grid(padding=(0, 4))
    grid.add_row(left, right)
    return grid


def _plain_table(title: str, *columns: str) -> Table:
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, header_style="bold")
    table.add_column(title, no_wrap=True)
    for name in columns:
        table.add_column(name, justify="right", no_wrap=True)
    return table


def _cell(value: float | None, kind: str) -> Any:
    from rich.text import Text

    return Text(text_of(value, kind), style=_colour(value, kind))


def listing(columns: Sequence[str], rows: Iterable[Sequence[Any]], *, right: Sequence[str] = ()) -> Table:
    """A plain table of texts; the columns named in `right` hold numbers."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, header_style="bold")
    for name in columns:
        table.add_column(name, justify="right" if name in right else "left", overflow="fold")
    for row in rows:
        table.add_row(*(cell if isinstance(cell, Text) else Text(str(cell)) for cell in row))
    return table


def comparison(names: Sequence[str], runs: Sequence[Mapping[str, float]]) -> Table:
    """Several runs side by side, one metric a row; the metric's difference to the first run is plain to see."""
    table = listing(["Metric", *names], [], right=names)
    for label, key, kind in (*PERFORMANCE, *TRADING):
        table.add_row(label, *(_cell(metrics.get(key), kind) for metrics in runs))
    return table


def parameters_line(parameters: Mapping[str, Any]) -> str:
    """`fast 10 · slow 50`, or a word when there are none."""
    return " · ".join(f"{name} {value}" for name, value in parameters.items()) or "no parameters"


def named(symbols: Iterable[str]) -> str:
    """The first four symbols, and how many more there are."""
    shown = list(symbols)
    return ", ".join(shown[:4]) + (f" +{len(shown) - 4}" if len(shown) > 4 else "")


def luck_lines(statistics: Mapping[str, Any]) -> tuple[str, ...]:
    """What the trial ledger and the statistics say about luck, as lines with a label."""
    years = statistics["min_track_record_years"]
    psr = f"PSR {text_of(statistics['psr'], 'share')}"
    needed = "" if years is None else f" · {years:.1f} years would do to tell such a Sharpe ratio from 0"
    verdict = f"verdict  {statistics['verdict']}"
    if not statistics["counted"]:
        return "trials   NOT counted", f"luck     {psr} · no DSR without a count{needed}", verdict
    trials, family = statistics["trials"], statistics["trials_of_the_family"]
    counted = f"{trials:,} on these or overlapping data"
    deflated = f"DSR {text_of(statistics['dsr'], 'share')}"
    if trials > 1 and statistics["effective_trials"] is not None:
        counted += f", as good as {statistics['effective_trials']:,.1f} independent ones"
        deflated += f" ({text_of(statistics['dsr_effective'], 'share')} with those)"
    return (
        f"trials   {counted}; {family:,} of this family in all",
        f"luck     {psr} · {deflated}{needed}",
        verdict,
    )
