"""How results look in a terminal: the summary of a run, lists and comparisons of many, the points and intervals of a study."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any

from gpt_trader.engine.metric_definitions import BENCHMARK_METRICS, INTERVAL_METRICS, METRIC
from gpt_trader.errors import first_line

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

    from gpt_trader.bars import Bars
    from gpt_trader.research.parameter_points import Points

NOTHING = "–"
TOLD = 3  # failed runs that are shown
BLOCKS = "▁▂▃▄▅▆▇█"

KINDS = {"signed": "percent", "cash": "money", "gain": "signed_money", "days": "count", "bars": "number"}
"""What `text_of` calls a format of `metric_definitions.UNITS`, where it is not that word."""


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
"""The metrics of a run with their labels and how they are written, those of its performance first."""
LABELS = {name: (METRIC[name].label, kind_of(name)) for name in INTERVAL_METRICS}
"""The label of each metric that has an interval, and how it is written."""
MEMORY = 0.5
"""From so many deviations that the Sharpe ratio loses in resampled markets a note says so."""


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


def significance_lines(statistics: Mapping[str, Any]) -> tuple[str, ...]:
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


# -- studies -------------------------------------------------------------------------------------------------------------


def points_line(points: Points) -> str:
    """The strategy, its fixed parameters, and how many points of which others."""
    from gpt_trader.strategy import strategy_name

    fixed = f" ({parameters_line(dict(points.fixed))})" if points.fixed else ""
    searched = f", {len(points):,} points of {', '.join(points.names)}" if points.names else ""
    return f"{strategy_name(points.strategy)}{fixed}{searched}"


def bars_line(bars: Bars) -> str:
    """Symbols, span and bars."""
    names = ", ".join(bars.symbols[:6]) + (f" and {bars.N - 6} more" if bars.N > 6 else "")
    span = f"{str(bars.time[0])[:10]} to {str(bars.time[-1])[:10]}"
    return f"{names}, {span}, {bars.T:,} bars of {bars.timeframe}"


def failed_lines(
    failed: Iterable[tuple[Mapping[str, Any], str]], count: int, table: str = "points"
) -> list[str]:
    """The first of `count` runs that failed, each with its parameters and the first line of its error, and how many more there
    are and where: all errors stand whole in the column error of a table."""
    lines = [
        f"failed   {parameters_line(parameters)}: {first_line(text)}"
        for parameters, text in islice(failed, TOLD)
    ]
    more = count - TOLD
    return (
        [*lines, f"failed   and {more:,} more, see the column error of {table}.parquet"]
        if more > 0
        else lines
    )


def failed_points(errors: Mapping[int, str], points: Points) -> list[str]:
    """`failed_lines` of runs that are numbered point by point."""
    named = ((points.parameters(number % len(points)), text) for number, text in errors.items())
    return failed_lines(named, len(errors))


def parameter_columns(points: Points, prefix: str = "parameter_") -> dict[str, Any]:
    """The values of the axes as columns."""
    columns = zip(*points.values, strict=True) if points.names else ()
    return {f"{prefix}{name}": list(values) for name, values in zip(points.names, columns, strict=True)}


def interval_table(intervals: Mapping[str, Any]) -> Table:
    """Estimates with their intervals, from the JSON object of `research.replicates.as_object`."""
    level = f"{intervals['level'] * 100:g} %"
    lines = []
    for name, item in intervals["metrics"].items():
        label, kind = LABELS[name]
        lines.append([label, *(text_of(item[key], kind) for key in ("estimate", "low", "high", "median"))])
    heads = ["Interval", "as it is", f"{level} from", "to", "resampled median"]
    return listing(heads, lines, right=heads[1:])


def interval_lines(intervals: Mapping[str, Any]) -> Iterable[str]:
    """How the intervals came about, and what to beware of."""
    yield (
        f"markets  {intervals['replicates']:,} resampled in blocks of {intervals['block']:.1f} sessions "
        f"({intervals['blocks']:,.0f} blocks in the history), seed {intervals['seed']}"
    )
    sharpe = intervals["metrics"]["sharpe"]
    lost = sharpe["lost"]
    if lost is not None and lost > MEMORY:
        yield (
            f"note     in resampled markets the Sharpe ratio is {sharpe['estimate'] - sharpe['median']:.2f} lower: part of it "
            "is memory longer than a block, which they do not have"
        )
    failed = intervals["replicates"] - sharpe["count"]
    if failed:
        yield f"note     on {failed:,} of the resampled markets there is no Sharpe ratio; they are left out"
