"""Still charts: where things are drawn, and that nothing is drawn of nothing."""

from __future__ import annotations

import math
import xml.etree.ElementTree as ET
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpt_trader.adapters.report import svg
from gpt_trader.adapters.report.svg import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH, Axis

plain = "{:.2f}".format


def parsed(chart: object) -> ET.Element:
    return ET.fromstring(str(chart))  # noqa: S314 - our own text


def parts(chart: object, tag: str, kind: str = "") -> list[ET.Element]:
    tree = parsed(chart)
    return [item for item in tree.iter(tag) if not kind or item.get("class") == kind]


def number(item: ET.Element, name: str) -> float:
    return float(item.get(name, "nan"))


def test_an_axis_runs_from_its_low_to_its_high() -> None:
    axis = Axis(-1.0, 3.0, 200.0, 0.0)
    assert [axis.at(value) for value in (-1.0, 0.0, 3.0)] == [200.0, 150.0, 0.0]
    assert (axis.at(99.0), axis.at(-99.0)) == (0.0, 200.0)
    assert axis.ticks(4) == [-1.0, 0.0, 1.0, 2.0, 3.0]
    powers = Axis(1e2, 1e6, 0.0, 400.0, logarithmic=True)
    assert [powers.at(value) for value in (1e2, 1e4, 1e6)] == [0.0, 200.0, 400.0]
    assert powers.ticks(9) == [1e2, 1e3, 1e4, 1e5, 1e6]
    assert powers.ticks(3) == [1e2, 1e4, 1e6]


@given(low=st.floats(-1e6, 1e6), span=st.floats(1e-6, 1e6), count=st.integers(2, 9))
def test_ticks_are_round_inside_and_about_as_many_as_asked_for(low: float, span: float, count: int) -> None:
    axis = Axis(low, low + span, 0.0, 100.0)
    if axis.high - axis.low < 1e-9 * max(abs(axis.low), abs(axis.high)):
        return
    ticks = axis.ticks(count)
    room = 1e-6 * span
    assert all(low - room <= tick <= low + span + room for tick in ticks)
    assert count / 3 - 1 <= len(ticks) <= count + 2
    steps = {round(math.log10(b - a) % 1, 3) for a, b in pairwise(ticks) if b > a}
    assert all(
        min(abs(step - math.log10(unit) % 1) for unit in (1, 2, 2.5, 5, 10)) < 0.01 or step > 0.99
        for step in steps
    )


def test_a_curve_goes_through_its_points_and_skips_those_without_a_value() -> None:
    chart = svg.curve(
        [(0.0, 1.0), (1.0, math.nan), (2.0, -1.0), (4.0, 0.0)],
        "falls",
        write_x=plain,
        write_y=plain,
        mark=2.0,
    )
    (line,) = parts(chart, "polyline")
    points = [tuple(map(float, pair.split(","))) for pair in str(line.get("points")).split()]
    width = WIDTH - RIGHT - LEFT
    assert [x for x, _ in points] == [LEFT, LEFT + width / 2, WIDTH - RIGHT]
    first, second, third = (y for _, y in points)
    assert first < third < second
    (level,) = parts(chart, "line", "level")
    assert number(level, "y1") == number(level, "y2") == pytest.approx(third, abs=0.1)
    (mark,) = parts(chart, "line", "mark")
    assert number(mark, "x1") == number(mark, "x2") == LEFT + width / 2
    told = [str(item.findtext("title")) for item in parts(chart, "circle")]
    assert told == ["0.00: 1.00", "2.00: -1.00", "4.00: 0.00"]


def test_bars_stand_on_zero_and_fall_below_it() -> None:
    chart = svg.columns([("a", 2.0), ("b", -1.0), ("c", math.nan)], "bars", write=plain)
    good, bad = parts(chart, "rect")
    assert (good.get("class"), bad.get("class")) == ("block", "block lost")
    zero = number(good, "y") + number(good, "height")
    assert number(bad, "y") == pytest.approx(zero, abs=0.1)
    assert number(good, "height") == pytest.approx(2 * number(bad, "height"), rel=0.01)
    assert number(bad, "x") > number(good, "x") + number(good, "width")
    assert [item.text for item in parts(chart, "text", "x")] == ["a", "b", "c"]
    assert TOP <= number(good, "y") < zero < HEIGHT - BOTTOM


def test_a_histogram_counts_every_value_once() -> None:
    values = [0.0, 0.1, 0.1, 0.5, 0.9999, 1.0, math.nan]
    chart = svg.histogram(values, "spread", write=plain, mark=2.0)
    told = [str(item.findtext("title")) for item in parts(chart, "rect")]
    assert sum(int(text.rsplit(": ", 1)[1]) for text in told) == 6
    assert told[0] == "0.00 to 0.12: 3"  # up to the mark at 2, in 16 bins
    assert number(parts(chart, "line", "mark")[0], "x1") == WIDTH - RIGHT


def test_the_highest_value_falls_into_the_last_bin() -> None:
    chart = svg.histogram([0.0, 0.5, 1.0], "spread", write=plain)
    told = [str(item.findtext("title")) for item in parts(chart, "rect")]
    assert [text.rsplit(": ", 1)[1] for text in told] == ["1"] + ["0"] * 7 + ["1"] + ["0"] * 6 + ["1"]


def test_whiskers_reach_from_low_to_high_with_the_estimate_between() -> None:
    rows = [("first", -1.0, 0.5, 1.0), ("undefined", math.nan, 1.0, 2.0), ("x" * 90, 0.0, 1.0, 3.0)]
    chart = svg.whiskers(rows, "intervals", write=plain)
    first, last = parts(chart, "line", "line")
    assert number(first, "x1") < number(last, "x1") < number(first, "x2") < number(last, "x2")
    dots = parts(chart, "circle")
    assert number(first, "x1") < number(dots[0], "cx") < number(first, "x2")
    names = [item.text for item in parts(chart, "text", "row")]
    assert names[0] == "first"
    assert len(str(names[1])) == 34


def test_of_nothing_there_is_no_chart() -> None:
    nan = math.nan
    assert svg.curve([(0.0, 1.0), (1.0, nan)], "", write_x=plain, write_y=plain) is None
    assert svg.columns([("a", nan)], "", write=plain) is None
    assert svg.histogram([1.0, nan], "", write=plain) is None
    assert svg.histogram([1.0, 1.0, 1.0], "", write=plain) is None
    assert svg.whiskers([("a", nan, 1.0, 2.0)], "", write=plain) is None


def test_text_cannot_become_markup() -> None:
    hostile = '"><script>x</script>'
    charts = [
        svg.columns([(hostile, 1.0)], hostile, write=lambda _value: hostile),
        svg.whiskers([(hostile, 0.0, 1.0, 2.0)], hostile, write=lambda _value: hostile),
        svg.curve([(0.0, 1.0), (1.0, 2.0)], hostile, write_x=lambda _value: hostile, write_y=plain),
    ]
    for chart in charts:
        assert "<script" not in str(chart)
        parsed(chart)


def test_values_that_are_all_zero_are_drawn_on_the_ground() -> None:
    """The growth of an account that never trades."""
    flat = svg.curve([(1.0, 0.0), (10.0, 0.0)], "flat", write_x=plain, write_y=plain)
    assert {number(dot, "cy") for dot in parts(flat, "circle")} == {HEIGHT - BOTTOM}
    assert svg.columns([("a", 0.0), ("b", 0.0)], "flat", write=plain) is not None
    assert svg.whiskers([("a", 0.0, 0.0, 0.0)], "flat", write=plain) is not None
