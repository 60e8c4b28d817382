"""What a surface says: best point, front, plateau, overfitting, and the Sharpe ratio after so many trials."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest

import gpt_trader
from gpt_trader import backtest
from gpt_trader.engine.metric_definitions import METRIC_NAMES
from gpt_trader.errors import BadParameter, UnknownName
from gpt_trader.research.objectives import Objective
from gpt_trader.research.response_surface import BLOCKS, EarlyStop, empty
from gpt_trader.research.sweep_analysis import Claimed
from gpt_trader.research.sweep_table import columns_of, names_of
from gpt_trader.validation.sharpe_statistics import deflated_sharpe
from tests.sweep_cases import ALL_IN, BARS, Steady, concluded, made

AXES = {"share": "1:4", "days": "1:3"}
POINTS = [(share, days) for share in (1, 2, 3, 4) for days in (1, 2, 3)]
HILL = [1.0 - 0.1 * abs(share - 2) - 0.2 * abs(days - 2) for share, days in POINTS]
WIDE = {"share": "1:6", "days": "1:7"}
FIELD = [(share, days) for share in range(1, 7) for days in range(1, 8)]
MOUND = [1.0 - 0.02 * (share - 3) ** 2 - 0.02 * (days - 4) ** 2 for share, days in FIELD]


class Ledger:
    """An answer of the trial ledger."""

    overlapping, variance, observations = 40, 0.0004, 200

    def effective(self) -> tuple[float, float]:
        return 9.5, 0.0005


def test_the_best_point_leads_the_order_and_failed_ones_are_not_in_it() -> None:
    surface = made(POINTS, {"sharpe": [*HILL[:11], math.nan]}, errors={11: "no"})
    found = concluded(surface, AXES)
    assert found.best == POINTS.index((2, 2))
    assert found.order[0] == found.best
    assert 11 not in found.order
    assert found.pareto_front.tolist() == [found.best]
    worst = concluded(surface, AXES, [Objective("sharpe", smallest=True)])
    assert worst.best == found.order[-1]
    assert concluded(made(POINTS, {"sharpe": [math.nan] * 12}), AXES).best is None
    assert concluded(made(POINTS, {"sharpe": [math.nan] * 12}), AXES).statistics is None


def test_the_plateau_of_a_lone_peak_is_low_and_that_of_a_mound_is_found() -> None:
    spiked = [*MOUND]
    spiked[FIELD.index((6, 1))] = 5.0
    found = concluded(made(FIELD, {"sharpe": spiked}), WIDE)
    assert found.best == FIELD.index((6, 1))
    assert found.most_robust == FIELD.index((3, 4))
    assert found.plateau_scores[found.best] < 0.8
    around = [spiked[FIELD.index((a, b))] for a in (2, 3, 4) for b in (3, 4, 5)]
    assert found.plateau_scores[found.most_robust] == pytest.approx(np.quantile(around, 0.25))


def test_with_a_cost_the_most_robust_is_where_it_is_small_and_scores_stay_in_its_units() -> None:
    costs = [10.0 - value for value in MOUND]
    found = concluded(made(FIELD, {"costs": costs}), WIDE, [Objective("costs", smallest=True)])
    assert found.most_robust == FIELD.index((3, 4))
    assert 9.0 < found.plateau_scores[found.most_robust] < 9.1


def test_a_point_whose_neighbours_were_not_run_has_no_plateau_score() -> None:
    some = [*(FIELD.index((a, b)) for a in (2, 3, 4) for b in (3, 4, 5)), FIELD.index((6, 1))]
    found = concluded(made([FIELD[i] for i in some], {"sharpe": [MOUND[i] for i in some]}), WIDE)
    assert np.isfinite(found.plateau_scores[4])
    assert np.isnan(found.plateau_scores[9])
    lone = concluded(made([(1, 1), (6, 3)], {"sharpe": [1.0, 2.0]}), WIDE)
    assert lone.most_robust is None
    assert np.isnan(lone.plateau_scores).all()
    corner = concluded(made(FIELD, {"sharpe": MOUND}), WIDE)
    assert np.isfinite(corner.plateau_scores).all()
    fine = concluded(made([(0.5,), (0.25,)], {"sharpe": [1.0, 2.0]}, ("tilt",)), {"tilt": "-1:1"})
    assert fine.plateau is None
    words = concluded(
        made([("both",), ("first",)], {"sharpe": [1.0, 2.0]}, ("mode",)), {"mode": "both,first"}
    )
    assert words.plateau is None, "values without an order have no neighbours"


def test_places_are_found_on_lists_and_on_steps() -> None:
    points = [(3, 0.3, "first"), (2, 0.1, "both"), (4, 0.2, "both")]
    surface = made(points, {}, ("share", "tilt", "mode"))
    found = concluded(surface, {"share": [2, 3, 4], "tilt": "0.1:0.3:0.1", "mode": "first,both"})
    assert found.places.tolist() == [[1, 2, 0], [0, 0, 1], [2, 1, 1]]


@pytest.mark.slow
def test_the_sharpe_ratio_is_deflated_by_the_ledgers_count() -> None:
    surface = made(POINTS, {"sharpe": HILL, "skew": [-0.4] * 12, "kurtosis": [5.0] * 12})
    found = concluded(surface, AXES, trials=Ledger())
    best, per_bar = found.best, max(HILL) / math.sqrt(252)
    assert best is not None
    said = found.statistics
    assert said is not None
    # trials over 200 bars scatter twice as much by luck as this run of 400
    raw = deflated_sharpe(per_bar, BARS.T, -0.4, 5.0, trials=40, variance=0.0002)
    luck = 1 / (BARS.T - 1)
    independent = deflated_sharpe(per_bar, BARS.T, -0.4, 5.0, trials=9.5, variance=max(0.00025, luck))
    assert (said.dsr, said.dsr_effective) == (raw.probability, independent.probability)
    assert found.deflated(best) == independent.probability
    assert found.deflated(0) < found.deflated(best)
    without = concluded(surface, AXES)
    assert without.statistics is not None
    assert without.statistics.dsr is None
    assert math.isnan(without.deflated(best))


def test_the_test_for_overfitting_sees_the_blocks_of_all_points_that_ran_to_the_end() -> None:
    rng = np.random.default_rng(1)
    lengths = np.diff(np.arange(BLOCKS + 1) * BARS.T // BLOCKS)
    first = rng.normal(0.0, 0.01, (12, BLOCKS)) * np.sqrt(lengths)
    first[3] += 0.2  # better than the others in every block
    sums = np.stack([first, first**2 + 0.0001 * lengths], axis=1)
    look = EarlyStop(100, np.zeros(len(METRIC_NAMES)), np.zeros((2, BLOCKS), np.float32))
    surface = made(POINTS, {"sharpe": HILL}, sums=sums, errors={11: "no"}, early_stops={10: look})
    test = concluded(surface, AXES).overfitting
    assert test is not None
    assert test.points == 10
    assert test.pbo < 0.01
    assert concluded(made(POINTS[:1], {"sharpe": [1.0]}), AXES).overfitting is None


def test_claimed_trials_count_as_their_surface_shows() -> None:
    rng = np.random.default_rng(2)
    alike = np.repeat(rng.normal(0, 1, (1, BLOCKS)), 12, axis=0) + rng.normal(0, 1e-4, (12, BLOCKS))
    surface = made(POINTS, {"sharpe": HILL}, sums=np.stack([alike, np.ones_like(alike)], axis=1))
    copies = Claimed(1200, BARS.T, surface)
    assert copies.effective()[0] < 300
    free = rng.normal(0, 1, (12, BLOCKS))
    others = Claimed(
        1200, BARS.T, made(POINTS, {"sharpe": HILL}, sums=np.stack([free, np.ones_like(free)], axis=1))
    )
    assert others.effective()[0] > 900
    assert others.variance == pytest.approx(np.var(HILL, ddof=1) / 252)


def test_columns_hold_every_point_and_parameters_do_not_hide_metrics() -> None:
    look = EarlyStop(100, np.zeros(len(METRIC_NAMES)), np.zeros((2, BLOCKS), np.float32))
    columns = columns_of(
        concluded(made(POINTS, {"sharpe": HILL}, errors={1: "why"}, early_stops={2: look}), AXES)
    )
    assert columns["share"] == [point[0] for point in POINTS]
    assert columns["sharpe"][3:].tolist() == HILL[3:]
    assert np.isnan(columns["sharpe"][[1, 2]]).all()
    assert columns["error"][:3] == [None, "why", None]
    assert columns["stopped"][:4] == [None, None, 100, None]
    assert names_of(("fast", "turnover", "error", "point")) == (
        "fast", "parameter_turnover", "parameter_error", "parameter_point",
    )  # fmt: skip


# -- the function ------------------------------------------------------------------------------------------------------


def swept(**more: Any) -> Any:
    grid = {"share": range(2, 40, 4), "days": [2, 5, 8]}
    return gpt_trader.sweep(Steady, BARS, grid, allocation=ALL_IN.allocation, **more)


def test_the_best_point_of_a_sweep_is_a_backtest_with_its_parameters() -> None:
    result = swept(objective="cagr")
    single = backtest(result.best.strategy, BARS, allocation=ALL_IN.allocation)
    assert result.best.metrics == {name: single.metrics[name] for name in METRIC_NAMES}
    assert result.best.metrics["cagr"] == result.table["cagr"].max()
    assert result.table.loc[0, ["share", "days"]].to_dict() == result.best.parameters
    assert len(result) == 30
    assert result.pareto_front[0].parameters == result.best.parameters
    assert result.most_robust is not None


def test_a_table_has_failed_points_last_and_is_of_pandas() -> None:
    result = gpt_trader.sweep(Steady, BARS, {"share": [5, 6, 7, 8, 9]}, allocation=ALL_IN.allocation)
    assert isinstance(result.table, pd.DataFrame)
    assert set(result.table["share"][-2:]) == {7, 8}
    assert list(result.errors) == [(7,), (8,)]


@pytest.mark.slow
def test_nothing_is_deflated_without_a_count_of_trials() -> None:
    alone, counted, fewer = swept(), swept(trials=500), swept(trials=1)
    assert alone.statistics.dsr is None
    assert counted.statistics.trials == 500
    assert fewer.statistics.trials == 30  # this sweep at least
    assert counted.statistics.dsr < fewer.statistics.dsr


@pytest.mark.slow
def test_random_points_are_those_of_the_seed() -> None:
    grid = {"share": "1:90", "tilt": "-1:1"}
    results = [
        gpt_trader.sweep(Steady, BARS, grid, method="random", points=8, seed=seed, constraints=["share > 40"])
        for seed in (1, 1, 2)
    ]
    tables = [result.table.sort_values("point")["tilt"].tolist() for result in results]
    assert tables[0] == tables[1] != tables[2]
    assert (results[0].table["share"] > 40).all()


def test_mistakes_are_refused() -> None:
    with pytest.raises(UnknownName, match="method of sweep"):
        swept(method="tpe")
    with pytest.raises(BadParameter, match=r"give a step, such as -1:1:0\.1"):
        gpt_trader.sweep(Steady, BARS, {"tilt": "-1:1"})
    with pytest.raises(BadParameter, match="at least one"):
        swept(method="random", points=0)
    with pytest.raises(BadParameter, match="no objective"):
        swept(objective=[])
    with pytest.raises(BadParameter, match="no point has a sharpe; the first failed with: share=7: no"):
        _ = gpt_trader.sweep(Steady, BARS, {"share": [7, 8]}).best


def test_a_parameter_that_changes_nothing_is_named_and_one_that_was_never_changed_alone_is_not() -> None:
    rng = np.random.default_rng(3)
    by_share = {share: rng.normal(0, 0.01, (2, BLOCKS)) for share in (1, 2, 3, 4)}
    sums = np.stack([by_share[share] for share, _ in POINTS])
    assert concluded(made(POINTS, {"sharpe": HILL}, sums=sums), AXES).ineffective == ("days",)
    rising = concluded(made(POINTS, {"sharpe": [share + days for share, days in POINTS]}, sums=sums), AXES)
    assert rising.plateau is not None
    assert (rising.plateau.boundary, rising.boundary) == ((1,), ())
    other = sums.copy()
    other[5, 0, 7] += 1e-3
    assert concluded(made(POINTS, {"sharpe": HILL}, sums=other), AXES).ineffective == ()
    assert concluded(made(POINTS, {"sharpe": HILL}, sums=other, errors={5: "no"}), AXES).ineffective == (
        "days",
    )
    apart = [(1, 1), (2, 2), (3, 3), (4, 1)]
    assert concluded(made(apart, {"sharpe": HILL[:4]}, sums=sums[[0, 3, 6, 9]]), AXES).ineffective == ()
    assert concluded(made(POINTS, {"sharpe": HILL}, sums=sums * 0), AXES).ineffective == ("share", "days")
    assert concluded(made(apart, {}, errors=dict.fromkeys(range(4), "no")), AXES).ineffective == ()
    assert concluded(empty(("share", "days")), AXES).ineffective == ()
