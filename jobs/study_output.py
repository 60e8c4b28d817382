"""How the studies of many points describe themselves: points, bars and errors in lines, parameters as columns."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import islice
from typing import TYPE_CHECKING, Any

from gpt_trader.errors import first_line
from gpt_trader.strategy import strategy_name
from jobs.tables import parameters_line

if TYPE_CHECKING:
    from gpt_trader.bars import Bars
    from gpt_trader.research.points import Points

TOLD = 3  # failed runs that are shown


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
