"""How the studies of many points describe themselves: points, bars and errors in lines, parameters as columns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from gpt_trader.strategy import strategy_name
from jobs.tables import parameters_line

if TYPE_CHECKING:
    from gpt_trader.bars import Bars
    from gpt_trader.research.points import Points


def points_line(points: Points) -> str:
    """The strategy, its fixed parameters, and how many points of which others."""
    fixed = f" ({parameters_line(dict(points.fixed))})" if points.fixed else ""
    searched = f", {len(points):,} points of {', '.join(points.names)}" if points.names else ""
    return f"{strategy_name(points.strategy)}{fixed}{searched}"


def bars_line(bars: Bars) -> str:
    """Symbols, span and bars."""
    names = ", ".join(bars.symbols[:6]) + (f" and {bars.N - 6} more" if bars.N > 6 else "")
    span = f"{str(bars.time[0])[:10]} to {str(bars.time[-1])[:10]}"
    return f"{names}, {span}, {bars.T:,} bars of {bars.timeframe}"


def failed_lines(errors: Mapping[int, str], points: Points, count: int = 3) -> list[str]:
    """The first runs that failed, each with the first line of its error, and how many more there are; runs are numbered point
    by point."""
    lines = [
        f"failed   {parameters_line(points.parameters(number % len(points)))}: {first_line(text)}"
        for number, text in list(errors.items())[:count]
    ]
    more = len(errors) - count
    return (
        [*lines, f"failed   and {more:,} more, see the column error of points.parquet"] if more > 0 else lines
    )


def first_line(text: str) -> str:
    """What a list of errors shows of one; the tables have all of it."""
    return text.partition("\n")[0]


def parameter_columns(points: Points, prefix: str = "parameter_") -> dict[str, Any]:
    """The values of the axes as columns."""
    columns = zip(*points.values, strict=True) if points.names else ()
    return {f"{prefix}{name}": list(values) for name, values in zip(points.names, columns, strict=True)}
