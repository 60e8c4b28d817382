"""Break-even, capacity and jitter as pure functions: known curves give known answers."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpt_trader.errors import BadParameter
from gpt_trader.strategies.demo_ma import DemoMa
from gpt_trader.strategies.trend_breakout import TrendBreakout
from gpt_trader.strategy import Parameter, parameters_of
from gpt_trader.validation.robustness import (
    Curve,
    capacity_level,
    crossing,
    neighbours,
    places_inside,
    summary_of_jitter,
)


def refined(curve: Curve, level: float, measure, rounds: int, *, logarithmic: bool = False):
    """The curve and its crossing after `rounds` times measuring seven places inside the bracket."""
    found = crossing(curve, level, logarithmic=logarithmic)
    for _ in range(rounds if found.found else 0):
        places = places_inside(found, 7, logarithmic=logarithmic)
        curve = curve.with_points(places, measure(places))
        found = crossing(curve, level, logarithmic=logarithmic)
    return curve, found


def curve_of(function, places: Sequence[float]) -> Curve:
    return Curve(tuple(places), tuple(function(x) for x in places))


# -- where a curve falls to a level -----------------------------------------------------------------------------------


def test_a_straight_line_crosses_where_it_crosses() -> None:
    found = crossing(curve_of(lambda x: 6.0 - 2.0 * x, [0, 1, 2, 4, 8]), 0.0)
    assert (found.low, found.high) == (2, 4)
    assert found.at == pytest.approx(3.0)
    assert found.found
    assert crossing(curve_of(lambda x: 6.0 - 2.0 * x, [0, 1, 2, 4, 8]), 4.0).at == pytest.approx(1.0)


def test_over_capital_the_crossing_is_taken_in_logarithms() -> None:
    line = curve_of(lambda x: 2.0 - math.log10(x), [1, 10, 1000])
    found = crossing(line, 0.5, logarithmic=True)
    assert found.at == pytest.approx(10**1.5)
    assert (found.low, found.high) == (10, 1000)


def test_of_several_falls_the_first_counts() -> None:
    found = crossing(Curve((0.0, 1.0, 2.0, 3.0), (1.0, -1.0, 1.0, -1.0)), 0.0)
    assert (found.low, found.high, found.at) == (0.0, 1.0, pytest.approx(0.5))


def test_a_value_at_the_level_is_not_above_it() -> None:
    found = crossing(Curve((0.0, 1.0, 2.0), (1.0, 0.0, -1.0)), 0.0)
    assert (found.low, found.high, found.at) == (0.0, 1.0, 1.0)


def test_a_curve_that_never_or_always_stands_above_says_so() -> None:
    below = crossing(Curve((0.0, 1.0), (-0.1, -0.2)), 0.0)
    assert (below.at, below.high, below.found) == (0.0, 0.0, False)
    assert math.isnan(below.low)
    above = crossing(Curve((0.0, 1.0), (0.2, 0.1)), 0.0)
    assert (above.at, above.low, above.high, above.found) == (math.inf, 1.0, math.inf, False)
    assert math.isnan(crossing(Curve((), ()), 0.0).at)


def test_where_the_metric_is_not_defined_the_strategy_is_not_above() -> None:
    found = crossing(Curve((1.0, 2.0, 4.0), (1.0, math.nan, 1.0)), 0.0)
    assert (found.low, found.high, found.at) == (1.0, 2.0, 1.5)
    assert crossing(Curve((1.0, 2.0), (1.0, 0.5)), math.nan).at == 1.0


def test_a_curve_has_places_that_rise() -> None:
    for x in ((1.0, 1.0), (2.0, 1.0)):
        with pytest.raises(BadParameter, match="rise"):
            Curve(x, (0.0, 0.0))
    with pytest.raises(BadParameter, match="one value for each"):
        Curve((1.0,), ())


@given(root=st.floats(0.01, 63.0), power=st.floats(0.3, 3.0), logarithmic=st.booleans())
def test_rounds_of_runs_side_by_side_close_in_on_the_crossing(
    root: float, power: float, logarithmic: bool
) -> None:
    asked: list[list[float]] = []

    def falls(x: float) -> float:
        return root**power - x**power

    def measure(places: Sequence[float]) -> list[float]:
        asked.append(list(places))
        return [falls(x) for x in places]

    ladder = [0.01 * 2**k for k in range(14)] if logarithmic else [0.0, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0]
    start = curve_of(falls, ladder)
    first = crossing(start, 0.0, logarithmic=logarithmic)
    curve, found = refined(start, 0.0, measure, 2, logarithmic=logarithmic)
    assert [len(round_) for round_ in asked] == ([7, 7] if first.found else [])
    if first.found:
        narrower = (
            math.log(found.high / found.low) / math.log(first.high / first.low)
            if logarithmic
            else (found.high - found.low) / (first.high - first.low)
        )
        assert narrower == pytest.approx(1 / 64, rel=1e-6)
        assert found.low * (1 - 1e-9) <= root <= found.high * (1 + 1e-9)
        assert found.low <= found.at <= found.high
        assert len(curve.x) == len(ladder) + 14
        assert curve.y == tuple(falls(x) for x in curve.x)


def test_a_curve_that_does_not_cross_costs_no_run() -> None:
    def never(_places: Sequence[float]) -> Sequence[float]:
        raise AssertionError

    flat = Curve((0.0, 1.0), (1.0, 1.0))
    assert refined(flat, 0.0, never, 3) == (flat, crossing(flat, 0.0))


def test_more_points_do_not_replace_what_was_measured() -> None:
    assert Curve((1.0, 3.0), (5.0, 6.0)).with_points((2.0, 3.0), (7.0, 8.0)) == Curve(
        (1.0, 2.0, 3.0), (5.0, 7.0, 6.0)
    )


def test_the_capacity_is_where_so_much_of_the_metric_is_left() -> None:
    assert capacity_level(Curve((1.0, 10.0), (1.2, 0.4)), 0.5) == pytest.approx(0.6)
    for curve in (Curve((1.0,), (0.0,)), Curve((1.0,), (-1.0,)), Curve((1.0,), (math.nan,)), Curve((), ())):
        assert math.isnan(capacity_level(curve, 0.5))
    with pytest.raises(BadParameter, match="between 0 and 1"):
        capacity_level(Curve((1.0,), (1.0,)), 1.0)


# -- jitter -----------------------------------------------------------------------------------------------------------


def test_the_summary_of_neighbours_by_hand() -> None:
    found = summary_of_jitter(1.0, [0.5, -0.5, 1.0, 2.0, float("nan")])
    assert found.count == 4
    assert found.median == 0.75
    assert found.kept == 0.75
    assert (found.worst, found.positive) == (-0.5, 0.75)
    assert found.below == pytest.approx(2.5 / 4)
    assert found.low == pytest.approx(-0.5 + 0.15 * 1.0)
    assert found.high == pytest.approx(1.0 + 0.85 * 1.0)


def test_a_summary_without_what_it_needs_is_undefined() -> None:
    nothing = summary_of_jitter(1.0, [float("nan")])
    assert nothing.count == 0
    assert math.isnan(nothing.median)
    assert math.isnan(summary_of_jitter(-0.2, [0.1]).kept)
    assert math.isnan(summary_of_jitter(float("nan"), [0.1]).below)


def test_neighbours_lie_within_the_share_and_fill_it() -> None:
    known = parameters_of(TrendBreakout)
    chosen = {"donchian": 50, "exit": 20, "atr": 2, "atr_k": 2.0, "exit_mode": "signal"}
    found = neighbours(known, chosen, share=0.2, count=400)
    assert len(found) == 400
    donchian = [point["donchian"] for point in found]
    assert set(donchian) == set(range(40, 61))
    assert {point["exit"] for point in found} == set(range(16, 25))
    assert {point["atr"] for point in found} == {1, 2, 3}
    factors = np.array([point["atr_k"] for point in found])
    assert factors.min() >= 1.6
    assert factors.max() <= 2.4
    assert factors.max() - factors.min() > 0.75
    assert {point["exit_mode"] for point in found} == {"signal"}
    assert all(type(point["donchian"]) is int and type(point["atr_k"]) is float for point in found)
    assert len({tuple(point.values()) for point in found}) == 400


def test_neighbours_stay_in_the_range_and_leave_out_the_chosen_point_and_what_is_refused() -> None:
    known = {"n": Parameter("n", int, 2, 2, 5, None, ""), "x": Parameter("x", float, 0.0, 0.0, 1.0, None, "")}
    found = neighbours(known, {"n": 2, "x": 0.0}, share=0.5, count=10)
    assert found == ({"n": 3, "x": 0.0},)
    high = neighbours(known, {"n": 5, "x": 0.9}, share=0.5, count=100, accepts=lambda point: point["n"] != 4)
    assert {point["n"] for point in high} == {3, 5}
    assert max(point["x"] for point in high) == 1.0
    assert min(point["x"] for point in high) < 0.5


def test_neighbours_are_the_same_for_the_same_seed() -> None:
    known, chosen = parameters_of(DemoMa), {"fast": 10, "slow": 50}
    first = neighbours(known, chosen, share=0.3, count=20, seed=1)
    assert first == neighbours(known, chosen, share=0.3, count=20, seed=1)
    assert first != neighbours(known, chosen, share=0.3, count=20, seed=2)
    with pytest.raises(BadParameter, match=r"0\.2 for"):
        neighbours(known, chosen, share=0.0, count=20)
