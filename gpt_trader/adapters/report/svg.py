"""Small still charts as inline SVG: a curve, bars, a histogram, intervals. Colours come from the page's style."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from markupsafe import Markup

Write = Callable[[float], str]
WIDTH, HEIGHT = 560.0, 240.0
LEFT, RIGHT, TOP, BOTTOM = 58.0, 14.0, 14.0, 28.0
BINS = 16
LONGEST_NAME = 34


@dataclass(frozen=True, slots=True)
class Axis:
    """Values from `low` to `high` along the pixels `start` to `stop`, on a logarithmic scale or not."""

    low: float
    high: float
    start: float
    stop: float
    logarithmic: bool = False

    def at(self, value: float) -> float:
        """The pixel of a value; one outside lies at the edge."""
        kept = min(max(value, self.low), self.high)
        if self.logarithmic:
            share = math.log(kept / self.low) / math.log(self.high / self.low)
        else:
            share = (kept - self.low) / (self.high - self.low)
        return self.start + share * (self.stop - self.start)

    def ticks(self, count: int) -> list[float]:
        """About `count` round values; on a logarithmic scale powers of ten."""
        if self.logarithmic:
            first, last = math.ceil(math.log10(self.low) - 1e-9), math.floor(math.log10(self.high) + 1e-9)
            decades = max(1, -(-(last - first) // count))
            return [10.0**power for power in range(first, last + 1, decades)]
        rough = (self.high - self.low) / count
        power = 10.0 ** math.floor(math.log10(rough))
        step = next(
            unit for unit in (power, 2 * power, 2.5 * power, 5 * power, 10 * power) if unit >= rough * 0.999
        )
        first = math.ceil(self.low / step - 1e-9)
        return [number * step for number in range(first, math.floor(self.high / step + 1e-9) + 1)]


def curve(
    points: Sequence[tuple[float, float]],
    label: str,
    *,
    write_x: Write,
    write_y: Write,
    logarithmic: bool = False,
    level: float = 0.0,
    mark: float | None = None,
) -> Markup | None:
    """A line through `points` with a dot and a tooltip at each, a dashed line at `level` and an upright one at `mark`.

    None with fewer than two points whose y is a number.
    """
    known = [(x, y) for x, y in points if math.isfinite(y)]
    if len(known) < 2:
        return None
    x_axis = Axis(known[0][0], known[-1][0], LEFT, WIDTH - RIGHT, logarithmic)
    y_axis = _upright([y for _, y in known] + [level])
    parts = _frame(x_axis, y_axis, write_x, write_y)
    parts.append(_line("level", LEFT, y_axis.at(level), WIDTH - RIGHT, y_axis.at(level)))
    if mark is not None and math.isfinite(mark):
        parts.append(_line("mark", x_axis.at(mark), TOP, x_axis.at(mark), HEIGHT - BOTTOM))
    path = " ".join(f"{x_axis.at(x):.1f},{y_axis.at(y):.1f}" for x, y in known)
    parts.append(f'<polyline class="line" points="{path}"/>')
    parts += [_dot(x_axis.at(x), y_axis.at(y), f"{write_x(x)}: {write_y(y)}") for x, y in known]
    return _drawn(parts, label)


def columns(values: Sequence[tuple[str, float]], label: str, *, write: Write) -> Markup | None:
    """A bar for each named value, its number above it. None without a value."""
    known = [value for _, value in values if math.isfinite(value)]
    if not known:
        return None
    y_axis = _upright([*known, 0.0])
    width = (WIDTH - LEFT - RIGHT) / len(values)
    parts = _frame(None, y_axis, str, write)
    for place, (name, value) in enumerate(values):
        x = LEFT + width * (place + 0.5)
        parts.append(_text("x", x, HEIGHT - 8, name))
        if math.isfinite(value):
            parts.append(_bar(x - width * 0.3, width * 0.6, y_axis, value, f"{name}: {write(value)}"))
            parts.append(_text("value", x, y_axis.at(max(value, 0.0)) - 5, write(value)))
    return _drawn(parts, label)


def histogram(
    values: Sequence[float], label: str, *, write: Write, mark: float | None = None
) -> Markup | None:
    """How often values fall into each of equal bins, and an upright line at `mark`. None with fewer than two values that
    differ."""
    known = sorted(value for value in values if math.isfinite(value))
    if len(known) < 2 or known[0] == known[-1]:
        return None
    ends = [*known, mark] if mark is not None and math.isfinite(mark) else known
    x_axis = Axis(min(ends), max(ends), LEFT, WIDTH - RIGHT)
    step = (x_axis.high - x_axis.low) / BINS
    counts = [0] * BINS
    for value in known:
        counts[min(int((value - x_axis.low) / step), BINS - 1)] += 1
    y_axis = Axis(0.0, float(max(counts)) * 1.06, HEIGHT - BOTTOM, TOP)
    parts = _frame(x_axis, y_axis, write, lambda count: f"{count:.0f}" if count == int(count) else "")
    for place, count in enumerate(counts):
        left, right = (x_axis.at(x_axis.low + step * edge) for edge in (place, place + 1))
        edges = f"{write(x_axis.low + step * place)} to {write(x_axis.low + step * (place + 1))}: {count}"
        parts.append(_bar(left + 0.5, right - left - 1, y_axis, count, edges))
    if mark is not None and math.isfinite(mark):
        parts.append(_line("mark", x_axis.at(mark), TOP, x_axis.at(mark), HEIGHT - BOTTOM))
    return _drawn(parts, label)


def whiskers(rows: Sequence[tuple[str, float, float, float]], label: str, *, write: Write) -> Markup | None:
    """A line from low to high with a dot at the estimate for each (name, low, estimate, high), one below the other; and an
    upright line at 0. None without a row that has all three."""
    known = [row for row in rows if all(math.isfinite(value) for value in row[1:])]
    if not known:
        return None
    left = 20.0 + 7.0 * max(min(len(name), LONGEST_NAME) for name, *_ in known)
    height = TOP + BOTTOM + 30.0 * len(known)
    x_axis = _padded([value for row in known for value in row[1:]] + [0.0], left, WIDTH - RIGHT)
    parts = [_tick_x(x_axis.at(value), write(value), height) for value in x_axis.ticks(6)]
    parts.append(_line("level", x_axis.at(0.0), TOP, x_axis.at(0.0), height - BOTTOM))
    for place, (name, low, estimate, high) in enumerate(known):
        y = TOP + 30.0 * (place + 0.5)
        shown = name if len(name) <= LONGEST_NAME else name[: LONGEST_NAME - 1] + "…"
        parts.append(_text("row", left - 10, y + 4, shown))
        parts.append(_line("line", x_axis.at(low), y, x_axis.at(high), y))
        parts.append(
            _dot(x_axis.at(estimate), y, f"{name}: {write(estimate)}, {write(low)} to {write(high)}")
        )
    return _drawn(parts, label, height)


# -- parts ----------------------------------------------------------------------------------------------------------------


def _upright(values: Sequence[float]) -> Axis:
    return _padded(values, HEIGHT - BOTTOM, TOP)


def _padded(values: Sequence[float], start: float, stop: float) -> Axis:
    low, high = min(values), max(values)
    room = (high - low) * 0.08 or abs(high) * 0.1 or 1.0
    above = high > 0 or low == high == 0
    return Axis(low - room if low < 0 else 0.0, high + room if above else 0.0, start, stop)


def _frame(x_axis: Axis | None, y_axis: Axis, write_x: Write, write_y: Write) -> list[str]:
    parts = []
    for value in y_axis.ticks(5):
        y = y_axis.at(value)
        parts.append(_line("grid", LEFT, y, WIDTH - RIGHT, y))
        parts.append(_text("y", LEFT - 6, y + 4, write_y(value)))
    if x_axis is not None:
        parts += [_tick_x(x_axis.at(value), write_x(value), HEIGHT) for value in x_axis.ticks(7)]
    return parts


def _tick_x(x: float, text: str, height: float) -> str:
    return _line("grid", x, TOP, x, height - BOTTOM) + _text("x", x, height - 8, text)


def _bar(x: float, width: float, axis: Axis, value: float, told: str) -> str:
    top, bottom = sorted((axis.at(value), axis.at(0.0)))
    kind = "block" if value >= 0 else "block lost"
    return (
        f'<rect class="{kind}" x="{x:.1f}" y="{top:.1f}" width="{width:.1f}" height="{bottom - top:.1f}">'
        f"<title>{_escaped(told)}</title></rect>"
    )


def _dot(x: float, y: float, told: str) -> str:
    return f'<circle class="dot" cx="{x:.1f}" cy="{y:.1f}" r="3.5"><title>{_escaped(told)}</title></circle>'


def _line(kind: str, x1: float, y1: float, x2: float, y2: float) -> str:
    return f'<line class="{kind}" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>'


def _text(kind: str, x: float, y: float, text: str) -> str:
    return f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}">{_escaped(text)}</text>' if text else ""


def _escaped(text: Any) -> str:
    from markupsafe import escape

    return str(escape(text))


def _drawn(parts: Sequence[str], label: str, height: float = HEIGHT) -> Markup:
    from markupsafe import Markup

    inner = "".join(parts)
    head = f'<svg class="still" viewBox="0 0 {WIDTH:g} {height:g}" role="img" aria-label="{_escaped(label)}">'
    return Markup(f"{head}{inner}</svg>")
