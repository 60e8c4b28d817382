"""What the report of a sweep draws: cells, effects and dots are those of the points, and names cannot execute."""

from __future__ import annotations

import json
import math
import re
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpt_trader.adapters.report.sweep_grids import (
    NUMBERS,
    binned,
    effect_charts,
    front_chart,
    medians,
    overfitting_chart,
    plateau_chart,
    surface_chart,
)
from gpt_trader.adapters.report.sweep_report import render_sweep
from gpt_trader.adapters.report.sweep_texts import shown_metrics
from gpt_trader.engine.metric_definitions import METRIC_NAMES
from gpt_trader.research.objectives import Objective
from gpt_trader.research.parameter_axes import axis_of_text
from gpt_trader.research.response_surface import BLOCKS, EarlyStop
from gpt_trader.research.search_space import make_space
from gpt_trader.strategy import parameters_of
from tests.sweep_cases import Steady, concluded, made

pytestmark = pytest.mark.slow  # pages: `make test` looks at them, `make check` need not

KNOWN = parameters_of(Steady)
AXES = {"share": "1:4", "days": "2:10:4", "mode": "both,first"}
POINTS = [(share, days, mode) for share in (1, 2, 3, 4) for days in (2, 6, 10) for mode in ("both", "first")]
RNG = np.random.default_rng(5)
SHARPE = RNG.normal(0, 1, len(POINTS)).tolist()
TURNOVER = RNG.uniform(1, 9, len(POINTS)).tolist()


def three_axes(**more: Any) -> Any:
    surface = made(POINTS, {"sharpe": SHARPE, "turnover": TURNOVER}, ("share", "days", "mode"), **more)
    return concluded(surface, AXES)


# -- places ----------------------------------------------------------------------------------------------------------


@given(
    values=st.lists(
        st.tuples(st.integers(0, 4), st.one_of(st.floats(-5, 5), st.just(math.nan))), max_size=30
    ),
    share=st.sampled_from([0.0, 0.25, 0.5, 1.0]),
)
def test_quantiles_of_groups_are_those_of_numpy(values: list[tuple[int, float]], share: float) -> None:
    group = np.array([place for place, _ in values], np.int64)
    numbers = np.array([value for _, value in values], np.float64)
    found = medians(numbers, group, 5, share)
    for place in range(5):
        mine = numbers[(group == place) & np.isfinite(numbers)]
        if mine.size:
            assert found[place] == pytest.approx(np.quantile(mine, share), abs=1e-12)
        else:
            assert np.isnan(found[place])


@given(length=st.integers(2, 200), most=st.sampled_from([6, 8, 20, 64]))
def test_every_value_of_an_axis_is_in_the_place_that_names_it(length: int, most: int) -> None:
    axis = axis_of_text(KNOWN["tilt"], f"0:{(length - 1) / 1000}:0.001")
    bins = binned(axis, np.arange(length), most)
    assert len(bins.labels) == min(length, most)
    assert (np.diff(bins.place) >= 0).all()
    for place, label in enumerate(bins.labels):
        inside = np.flatnonzero(bins.place == place)
        ends = [float(text) for text in label.split(" to ")]
        assert (ends[0], ends[-1]) == (inside[0] / 1000, inside[-1] / 1000)


def test_a_fine_axis_names_the_ends_between_its_values() -> None:
    axis = axis_of_text(KNOWN["tilt"], "-1:1")
    bins = binned(axis, np.array([0, 1_000_000, 2_000_000]), 4)
    assert bins.labels == ["−1 to −0.5", "−0.5 to 0", "0 to 0.5", "0.5 to 1"]
    assert bins.place.tolist() == [0, 2, 3]


# -- the surface -----------------------------------------------------------------------------------------------------


def test_each_cell_has_the_best_point_and_the_median_over_the_other_axes() -> None:
    look = EarlyStop(100, np.zeros(len(METRIC_NAMES)), np.zeros((2, BLOCKS), np.float32))
    sharpe = [*SHARPE]
    sharpe[0] = sharpe[1] = sharpe[8] = math.nan
    surface = made(
        POINTS, {"sharpe": sharpe, "turnover": TURNOVER}, ("share", "days", "mode"),
        errors={0: "no", 1: "no"}, early_stops={8: look},
    )  # fmt: skip
    found = concluded(surface, AXES)
    chart = surface_chart(found, ("sharpe", "turnover"))
    assert chart is not None
    assert [axis["name"] for axis in chart["axes"]] == ["share", "days", "mode"]
    assert chart["start"] == [0, 1]
    assert [(pair["x"], pair["y"]) for pair in chart["pairs"]] == [(0, 1), (0, 2), (1, 2)]
    pair = chart["pairs"][0]
    for i, share in enumerate((1, 2, 3, 4)):
        for j, days in enumerate((2, 6, 10)):
            cell = j * 4 + i
            rows = [row for row, point in enumerate(POINTS) if point[:2] == (share, days)]
            whole = [row for row in rows if row not in (0, 1, 8)]
            assert pair["count"][cell] == len(whole)
            assert pair["failed"][cell] == sum(row in (0, 1) for row in rows)
            assert pair["stopped"][cell] == sum(row == 8 for row in rows)
            if not whole:
                assert pair["best"]["sharpe"][cell] is None
                assert pair["number"][cell] == -1
                continue
            best = max(whole, key=lambda row: sharpe[row])
            assert pair["number"][cell] == best
            assert pair["best"]["sharpe"][cell] == pytest.approx(sharpe[best], rel=1e-4)
            assert pair["best"]["turnover"][cell] == pytest.approx(TURNOVER[best], rel=1e-4)
            median = float(np.median([TURNOVER[row] for row in whole]))
            assert pair["median"]["turnover"][cell] == pytest.approx(median, rel=1e-4)
    best = POINTS[found.best or 0]
    assert chart["best"] == [
        (1, 2, 3, 4).index(best[0]),
        (2, 6, 10).index(best[1]),
        ("both", "first").index(best[2]),
    ]


def test_a_surface_of_any_size_stays_a_page() -> None:
    axes = {"share": "0:90", "days": "1:10", "tilt": "-1:1:0.02"}
    space = make_space(Steady, axes)
    points = [space.point(int(i)) for i in np.random.default_rng(0).integers(0, space.size, 3000)]
    surface = made(points, {"sharpe": np.arange(3000.0)}, ("share", "days", "tilt"))
    chart = surface_chart(concluded(surface, axes), ("sharpe", "cagr", "turnover"))
    assert chart is not None
    assert max(len(axis["labels"]) for axis in chart["axes"]) <= 20  # sampled: so that cells hold points
    cells = sum(len(pair["count"]) for pair in chart["pairs"])
    assert cells * 10 <= NUMBERS
    assert sum(chart["pairs"][0]["count"]) == 3000


def test_without_two_axes_or_without_a_result_there_is_no_surface() -> None:
    assert (
        surface_chart(
            concluded(made([(1,), (2,)], {"sharpe": [1.0, 2.0]}, ("share",)), {"share": "1:2"}), ("sharpe",)
        )
        is None
    )
    nothing = made(POINTS, {"sharpe": [math.nan] * len(POINTS)}, ("share", "days", "mode"))
    assert surface_chart(concluded(nothing, AXES), ("sharpe",)) is None


def test_effects_are_quartiles_and_the_best_at_each_value() -> None:
    charts = effect_charts(three_axes())
    assert [chart["name"] for chart in charts] == ["share", "days", "mode"]
    assert [chart["ordered"] for chart in charts] == [True, True, False]
    days = charts[1]
    mine = [SHARPE[row] for row, point in enumerate(POINTS) if point[1] == 6]
    expected = [max(mine), *np.quantile(mine, (0.25, 0.5, 0.75)).tolist()]
    assert [days[name][1] for name in ("best", "low", "middle", "high")] == pytest.approx(expected, rel=1e-4)
    assert days["labels"] == ["2", "6", "10"]
    surface = made(POINTS, {"turnover": TURNOVER}, ("share", "days", "mode"))
    cheap = effect_charts(concluded(surface, AXES, [Objective("turnover", smallest=True)]))
    assert cheap[1]["best"][1] == pytest.approx(
        min(TURNOVER[r] for r, p in enumerate(POINTS) if p[1] == 6), rel=1e-4
    )


def test_the_front_and_the_plateau_name_their_points() -> None:
    surface = made(POINTS, {"sharpe": SHARPE, "turnover": TURNOVER}, ("share", "days", "mode"))
    found = concluded(surface, AXES, [Objective("sharpe"), Objective("turnover", smallest=True)])
    pareto_front = front_chart(found)
    assert pareto_front is not None
    assert pareto_front["front"] == sorted(found.pareto_front.tolist())
    assert pareto_front["rows"][0] == "share 1 · days 2 · mode both"
    assert front_chart(three_axes()) is None
    flat = plateau_chart(found)
    assert flat is not None
    assert flat["value"][flat["peak"]] == pytest.approx(max(SHARPE), rel=1e-4)
    assert found.most_robust is not None
    assert flat["score"][flat["most_robust"]] == pytest.approx(
        found.plateau_scores[found.most_robust], rel=1e-4
    )


def test_the_test_for_overfitting_is_drawn_per_year() -> None:
    found = three_axes()
    chart, test = overfitting_chart(found), found.overfitting
    assert chart is not None
    assert test is not None
    assert sum(chart["counts"]) == test.logits.size
    assert 0.0 in chart["edges"]
    assert chart["inside"][0] == pytest.approx(test.in_sample[0] * math.sqrt(252), rel=1e-3)
    assert (
        overfitting_chart(concluded(made(POINTS[:1], {"sharpe": [1.0]}, ("share", "days", "mode")), AXES))
        is None
    )


# -- the page ----------------------------------------------------------------------------------------------------------


def payload(page: str) -> Any:
    return json.loads(
        re.findall(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)[0]
    )


def test_the_page_is_the_same_twice_and_needs_nothing_outside() -> None:
    found = three_axes(errors={3: "why not"})
    page = render_sweep(found, "grid", "abc123")
    assert page == render_sweep(found, "grid", "abc123")
    assert not re.search(r"(?:src|href)=.https?:", page)
    assert "why not" in page
    assert payload(page)["metrics"][0] == {"key": "sharpe", "label": "Sharpe", "kind": "ratio"}
    assert len(shown_metrics(found)) == len(payload(page)["metrics"])


def test_hostile_texts_are_text() -> None:
    evil = "</script><script>alert(1)</script>"
    page = render_sweep(three_axes(errors={3: evil}), "grid", evil, ended=evil)
    assert evil not in page
    assert page.count("&lt;/script&gt;&lt;script&gt;alert(1)") >= 3


def test_a_sweep_without_a_result_still_has_a_page() -> None:
    failed = made(
        POINTS,
        {"sharpe": [math.nan] * 24},
        ("share", "days", "mode"),
        errors=dict.fromkeys(range(24), "broken"),
    )
    page = render_sweep(concluded(failed, AXES), "tpe", "abc123")
    assert "No point has a sharpe: broken." in page
    assert payload(page)["account"] is None


def test_the_equity_is_that_of_the_best_point() -> None:
    found = three_axes()
    assert found.best is not None
    result = found.best_result
    assert result is not None
    assert dict(result.parameters).items() >= found.surface.parameters(found.best).items()
    drawn = payload(render_sweep(found, "grid", "abc123"))["account"]["equity"]
    assert drawn[-1] == pytest.approx(result.metrics["final_equity"], rel=1e-6)
