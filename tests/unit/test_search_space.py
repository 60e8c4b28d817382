"""The parameter space: exact values, one order of points, and what is refused before any data are read."""

from __future__ import annotations

import itertools
import tracemalloc
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpt_trader import Strategy, param
from gpt_trader.errors import BadParameter, StrategyError, UnknownName
from gpt_trader.research.parameter_axes import Steps, axis_of_text
from gpt_trader.research.search_space import make_space
from gpt_trader.strategies import load_strategy
from gpt_trader.strategy import parameters_of

DEMO, TREND = load_strategy("demo_ma"), load_strategy("trend_breakout")


@dataclass(frozen=True)
class Odd(Strategy):
    """A parameter of every kind."""

    bars: int = param(10)
    share: float = param(0.5)
    long: bool = param(True)
    name: str = param("a")
    mode: str = param("x", choices=("x", "y", "z"))


ODD = parameters_of(Odd)


def values(name: str, text: str) -> list[Any]:
    return list(axis_of_text(ODD[name], text).values)


# -- values ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("bars", "5:20:5", [5, 10, 15, 20]),
        ("bars", "5:19:5", [5, 10, 15]),
        ("bars", "3:6", [3, 4, 5, 6]),
        ("bars", "-2:1", [-2, -1, 0, 1]),
        ("bars", "7:7", [7]),
        ("bars", "1e1:3e1:1e1", [10, 20, 30]),
        ("bars", "20, 5 ,10", [5, 10, 20]),
        ("bars", "10.0:12.0:1.0", [10, 11, 12]),
        ("share", "0.1:0.5:0.1", [0.1, 0.2, 0.3, 0.4, 0.5]),
        ("share", "1:2:0.25", [1.0, 1.25, 1.5, 1.75, 2.0]),
        ("share", "2,0.5", [0.5, 2.0]),
        ("share", "0.7:0.7", [0.7]),
        ("long", "true,no", [True, False]),
        ("name", "b,a:c", ["b", "a:c"]),
        ("mode", "z,x", ["z", "x"]),
    ],
)
def test_values_of_a_text(name: str, text: str, expected: list[Any]) -> None:
    found = values(name, text)
    assert found == expected
    assert [type(value) for value in found] == [type(value) for value in expected]


@given(
    low=st.integers(-(10**6), 10**6),
    step=st.integers(1, 10**4),
    count=st.integers(2, 200),
    places=st.integers(0, 6),
)
def test_steps_are_the_floats_of_exact_decimals(low: int, step: int, count: int, places: int) -> None:
    first, width = Decimal(low).scaleb(-places), Decimal(step).scaleb(-places)
    exact = [float(first + width * i) for i in range(count)]
    axis = axis_of_text(ODD["share"], f"{first}:{first + width * (count - 1)}:{width}")
    assert list(axis.values) == exact
    assert axis.many(np.arange(count)).tolist() == exact
    assert [axis.values.index(value) for value in exact] == list(range(count))
    assert axis.values[-1] == exact[-1]
    assert axis.values[1:3] == tuple(exact[1:3])


def test_what_lies_between_steps_is_not_in_them() -> None:
    steps = axis_of_text(ODD["share"], "0.1:0.9:0.2").values
    for odd in (0.2, 0.0, 1.1, 0.30000001, float("nan"), float("inf")):
        assert odd not in steps
    assert "x" not in steps
    with pytest.raises(ValueError, match=r"0\.2 is not"):
        steps.index(0.2)
    with pytest.raises(IndexError):
        steps[5]


def test_a_range_without_a_step_is_a_fine_one_for_numbers_that_are_not_whole() -> None:
    axis = axis_of_text(ODD["share"], "0.5:4")
    assert axis.fine
    assert len(axis.values) == 3_500_001
    assert (axis.values[0], axis.values[1], axis.values[-1]) == (0.5, 0.500001, 4.0)
    assert not axis_of_text(ODD["bars"], "5:40").fine
    assert not axis_of_text(ODD["share"], "0.5:4:0.5").fine
    assert len(axis_of_text(ODD["share"], "0:0.00002").values) == 2_000_001


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("bars", "20:10:5", "is empty: 10 lies below 20"),
        ("bars", "5:20:0", "must be above 0"),
        ("bars", "5:20:-5", "must be above 0"),
        ("bars", "5:20:2:1", "low:high:step"),
        ("bars", "5:", "no range of numbers"),
        ("bars", "a:b", "no range of numbers"),
        ("bars", "1:inf", "finite"),
        ("bars", "nan:5", "finite"),
        ("bars", "1:9:0.5", "bars takes whole numbers"),
        ("bars", "5,,10", "a value is missing"),
        ("bars", "5,5.0", "expected int"),
        ("bars", "5,10,5", "5 is given twice"),
        ("share", "0.5,0.50", "0.5 is given twice"),
        ("share", "0:1:1e-30", "too many digits"),
        ("share", "0:1e20:1", "too many digits"),
        ("share", "0.123456789:12345678.9:1", "too many digits"),
        ("long", "1:0", "write true or false"),
        ("mode", "x,w", "choose one of x, y, z"),
    ],
)
def test_a_text_that_is_no_axis_says_why(name: str, text: str, said: str) -> None:
    with pytest.raises(BadParameter, match=said):
        axis_of_text(ODD[name], text)


@pytest.mark.parametrize("text", ["1:501", "0:20", "-5,10", "10,20,501"])
def test_values_outside_the_range_of_the_strategy_are_refused(text: str) -> None:
    with pytest.raises(BadParameter, match="must lie between 1 and 500"):
        make_space(DEMO, {"fast": text})


@pytest.mark.parametrize(
    ("given_values", "expected"),
    [
        ({"bars": range(5, 20, 5)}, [(5,), (10,), (15,)]),
        ({"bars": range(15, 4, -5)}, [(5,), (10,), (15,)]),
        ({"bars": np.array([10, 5])}, [(5,), (10,)]),
        ({"bars": (5.0, 10)}, [(5,), (10,)]),
        ({"share": [1, 0.5]}, [(0.5,), (1.0,)]),
        ({"long": [True, False]}, [(True,), (False,)]),
        ({"bars": 7, "share": "1:2:0.5"}, [(1.0,), (1.5,), (2.0,)]),
    ],
)
def test_python_values_make_the_same_axes(given_values: dict[str, Any], expected: list[Any]) -> None:
    space = make_space(Odd, given_values)
    found = [space.point(i) for i in range(space.size)]
    assert found == expected
    assert all(
        type(a) is type(b) for p, q in zip(found, expected, strict=True) for a, b in zip(p, q, strict=True)
    )


@pytest.mark.parametrize(
    "wrong",
    [{"bars": []}, {"bars": [1.5]}, {"bars": ["a", "b"]}, {"long": [1, 0]}, {"share": [float("nan")]}],
)
def test_python_values_of_another_kind_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(BadParameter):
        make_space(Odd, wrong)


# -- points ------------------------------------------------------------------------------------------------------------


@pytest.mark.slow
@given(lengths=st.lists(st.integers(2, 7), min_size=0, max_size=4))
def test_index_and_point_are_each_others_inverse(lengths: list[int]) -> None:
    names = ("bars", "share", "mode", "name")[: len(lengths)]
    options: dict[str, Any] = {
        "bars": range(9),
        "share": [i / 4 for i in range(9)],
        "mode": "xyz",
        "name": "abcdefg",
    }
    chosen = {name: list(options[name])[:length] for name, length in zip(names, lengths, strict=True)}
    space = make_space(Odd, chosen)
    expected = list(itertools.product(*chosen.values()))
    assert [space.point(i) for i in range(space.size)] == expected
    assert [space.index(point) for point in expected] == list(range(space.size))
    assert [space.at(space.position(i)) for i in range(space.size)] == expected


def test_a_space_without_axes_is_one_point() -> None:
    space = make_space(DEMO, {"fast": "5"})
    assert (space.names, space.size, list(space.indices()), space.point(0)) == ((), 1, [0], ())
    assert space.fixed == {"fast": 5, "slow": 20, "atr": 14}


def test_a_grid_of_any_size_answers_at_once_and_takes_no_memory() -> None:
    tracemalloc.start()
    space = make_space(Odd, {"bars": "1:1000000000000", "share": "0:1000:0.001", "long": "true,false"})
    point = space.point(space.size - 1)
    used = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert space.size == 10**12 * 1_000_001 * 2
    assert point == (10**12, 1000.0, False)
    assert space.index(point) == space.size - 1
    assert used < 100_000


def test_values_that_are_not_swept_are_fixed_at_what_is_given_or_their_default() -> None:
    space = make_space(TREND, {"donchian": "20:40:10", "atr_k": "3", "exit_mode": "stop"})
    assert space.fixed == {"exit": 20, "atr": 20, "atr_k": 3.0, "exit_mode": "stop"}


def test_an_unknown_parameter_is_named_with_its_nearest() -> None:
    with pytest.raises(UnknownName, match=r"unknown parameter of demo_ma 'fats'. Did you mean 'fast'"):
        make_space(DEMO, {"fats": "5:10"})


def test_a_strategy_with_a_bare_field_is_refused() -> None:
    @dataclass(frozen=True)
    class Bare(Strategy):
        bars: int

    with pytest.raises(StrategyError, match="'bars' of bare has no default"):
        make_space(Bare, {})


# -- constraints over many points ------------------------------------------------------------------------------------


@pytest.mark.slow
@given(
    lengths=st.tuples(st.integers(1, 12), st.integers(1, 12)),
    condition=st.sampled_from(
        [
            "bars < 7",
            "bars * share <= 3",
            "mode != 'y' and bars % 2 == 0",
            "not (long and bars > 3)",
            "share >= 0.75",
        ]
    ),
)
def test_allowed_points_are_those_for_which_python_says_so(lengths: tuple[int, int], condition: str) -> None:
    chosen = {
        "bars": range(1, lengths[0] + 1),
        "share": [0.25 * i for i in range(lengths[1])],
        "mode": ["x", "y"],
        "long": [True, False],
    }
    points = list(itertools.product(*chosen.values()))
    truth = [bool(eval(condition, dict(zip(chosen, point, strict=True)))) for point in points]  # noqa: S307
    if not any(truth):
        with pytest.raises(BadParameter, match="no point is left"):
            make_space(Odd, chosen, [condition])
        return
    space = make_space(Odd, chosen, [condition])
    expected = [number for number, holds in enumerate(truth) if holds]
    if len(space.axes) == len(chosen):
        assert list(space.indices()) == expected
        assert [space.allows(point) for point in points] == truth
    assert space.count == len(expected)


def test_constraints_see_values_that_are_fixed() -> None:
    space = make_space(DEMO, {"fast": "10:30:10"}, ["fast < slow"])
    assert [space.point(i) for i in space.indices()] == [(10,)]


def test_constraints_that_leave_nothing_are_refused_with_how_many_there_were() -> None:
    with pytest.raises(BadParameter, match="fast > slow and fast < 3 holds for none of 12 combinations"):
        make_space(DEMO, {"fast": "2:5", "slow": "10,20,30"}, ["fast > slow", "fast < 3"])
    with pytest.raises(BadParameter, match="fast > slow does not hold for the values given"):
        make_space(DEMO, {"fast": "5"}, ["fast > slow"])


def test_pages_of_a_large_grid_join_without_a_seam() -> None:
    space = make_space(Odd, {"bars": "1:400", "share": "1:500:1"}, ["(bars * 500 + share) % 1000 < 2"])
    expected = [i for i in range(200_000) if ((i // 500 + 1) * 500 + i % 500 + 1) % 1000 < 2]
    assert list(space.indices()) == expected
    assert space.count == len(expected)


def test_too_many_combinations_are_not_counted() -> None:
    space = make_space(Odd, {"bars": "1:100000", "share": "1:100:1"}, ["bars > share"])
    assert space.count is None
    assert next(space.indices()) == 100  # bars 2, share 1


def test_steps_of_a_range_hold_nothing() -> None:
    assert Steps(5, 5, 10**12)[10**12 - 1] == 5 * 10**12


@dataclass(frozen=True)
class Made(Strategy):
    """Fields that are no parameters of a search: one made anew for each instance, one that nobody gives."""

    n: int = param(10)
    lengths: tuple[int, ...] = field(default_factory=lambda: (20, 50))
    derived: int = field(init=False, default=7)


def test_a_field_that_is_made_or_derived_keeps_its_value() -> None:
    space = make_space(Made, {"n": "5,10"})
    point = Made(**space.fixed, **dict(zip(space.names, space.point(0), strict=True)))
    assert (point.n, point.lengths, point.derived) == (5, (20, 50), 7)
    with pytest.raises(UnknownName, match="derived"):
        make_space(Made, {"derived": "1,2"})
    with pytest.raises(BadParameter, match="only numbers, text"):
        make_space(Made, {"lengths": "1,2"})
