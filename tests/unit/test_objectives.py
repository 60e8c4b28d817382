"""Objectives: which direction a metric has, which point is best, which points no other beats."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from gpt_trader.engine.metric_definitions import METRIC, METRIC_NAMES
from gpt_trader.errors import BadParameter, UnknownName
from gpt_trader.research.objectives import (
    FIXED,
    LESS_IS_BETTER,
    MORE_IS_BETTER,
    Objective,
    not_beaten,
    parse_objective,
    parse_objectives,
    ranked,
)


@pytest.mark.parametrize(
    ("text", "smallest"),
    [
        ("sharpe", False),
        ("max_drawdown", False),
        ("volatility", True),
        ("costs", True),
        ("max_drawdown_days", True),
        ("exposure:min", True),
        ("exposure:max", False),
        ("sharpe:min", True),
        (" sharpe : max ", False),
    ],
)
def test_a_metric_has_a_direction(text: str, smallest: bool) -> None:
    assert parse_objective(text) == Objective(text.partition(":")[0].strip(), smallest)


def test_every_metric_is_known_to_be_better_worse_or_neither() -> None:
    neither = {name for name in METRIC_NAMES if METRIC[name].better == "neither"}
    assert neither >= {"exposure", "mean_gross", "open_pnl", "round_trips", "average_trade_bars"}
    assert MORE_IS_BETTER | LESS_IS_BETTER | FIXED | neither == set(METRIC_NAMES)
    assert not MORE_IS_BETTER & LESS_IS_BETTER
    for name in neither:
        with pytest.raises(BadParameter, match=f"{name}:max or {name}:min"):
            parse_objective(name)


def test_mistakes_are_named() -> None:
    with pytest.raises(UnknownName, match=r"objective 'sharp'. Did you mean 'sharpe'"):
        parse_objective("sharp")
    with pytest.raises(UnknownName, match="objective 'periods_per_year'"):
        parse_objective("periods_per_year:max")
    with pytest.raises(UnknownName, match=r"direction of --objective 'maximum'. Did you mean 'max'"):
        parse_objective("sharpe:maximum")
    with pytest.raises(BadParameter, match="sharpe is given twice"):
        parse_objectives(["sharpe", "cagr", "sharpe:min"])


def test_gains_turn_the_sign_where_less_is_better_and_know_no_infinity() -> None:
    values = np.zeros((4, len(METRIC_NAMES)))
    values[:, METRIC_NAMES.index("volatility")] = [0.2, np.nan, np.inf, 0.1]
    gains = Objective("volatility", True).gains(values)
    np.testing.assert_array_equal(gains, [-0.2, np.nan, np.nan, -0.1])
    assert ranked(gains).tolist() == [3, 0]
    assert Objective("volatility", False).gains(values)[0] == 0.2


def test_of_equal_points_the_first_ranks_first() -> None:
    assert ranked(np.array([1.0, 2.0, np.nan, 2.0, 1.0])).tolist() == [1, 3, 0, 4]


GAINS = arrays.arrays(
    np.float64,
    st.tuples(st.integers(0, 25), st.integers(1, 3)),
    elements=st.one_of(st.integers(0, 4).map(float), st.just(np.nan)),
)


@pytest.mark.slow
@given(GAINS)
def test_the_front_holds_exactly_the_points_that_none_beats(gains: np.ndarray) -> None:
    def beaten(run: int) -> bool:
        return any((other >= gains[run]).all() and (other > gains[run]).any() for other in gains)

    known = [run for run in range(len(gains)) if np.isfinite(gains[run]).all()]
    pareto_front = not_beaten(gains)
    assert sorted(pareto_front.tolist()) == [run for run in known if not beaten(run)]
    assert np.all(np.diff(gains[pareto_front, 0]) <= 0)
