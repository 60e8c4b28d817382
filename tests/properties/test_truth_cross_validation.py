"""What purged cross-validation must do: agree with the returns themselves, call noise noise, find an edge, and purge leaks."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from gpt_trader import backtest
from gpt_trader.engine.metric_definitions import METRIC_NAMES
from gpt_trader.engine.records import EQUITY
from gpt_trader.research.cross_validation_study import (
    CrossValidationResult,
    CrossValidationStudy,
    holding_bars,
    pilot_plan,
)
from gpt_trader.research.parameter_points import Points, run_scores
from gpt_trader.research.study import run_study
from gpt_trader.validation.durations import NOTHING, Duration
from gpt_trader.validation.splits import combinatorial
from tests.properties.study_cases import (
    Dice,
    Follow,
    experiment_of,
    follows_then_turns,
    grid,
    noise,
    run,
    sharpe_per_bar,
)
from tests.properties.truth_cases import ALL_IN, FREE, UNCAPPED

HORIZON, EMBARGO = Duration(bars=5), Duration(bars=8)


def validated(
    points: Points, bars, folds: int = 8, tested: int = 2, objective: str = "sharpe"
) -> CrossValidationResult:
    experiment = experiment_of(points.strategy, bars)
    study = CrossValidationStudy(experiment, points, folds, tested, HORIZON, EMBARGO, objective)
    return run_study(study, run)


def rows_of(spans) -> np.ndarray:
    return np.concatenate([np.arange(start, stop) for start, stop in spans])


@pytest.mark.parametrize("objective", ["sharpe", "return", "volatility"])
def test_one_run_of_each_point_gives_what_its_returns_give_on_every_split(objective: str) -> None:
    """Against a plain backtest of every point, its returns picked row by row."""
    bars = noise(700, 11)
    points = grid(Follow, side="-1,1", least="0:8:2")
    found = validated(points, bars, objective=objective)
    equity = [
        backtest(
            points.make(n), bars, costs=FREE, fills=UNCAPPED, allocation=ALL_IN, benchmark=False
        ).account_curves[EQUITY]
        for n in range(len(points))
    ]
    returns = np.array([np.diff(curve, prepend=100_000.0) / np.r_[100_000.0, curve[:-1]] for curve in equity])
    gain = {"sharpe": sharpe_per_bar, "return": np.mean, "volatility": lambda part: -np.std(part, ddof=1)}[
        objective
    ]
    splits = found.purged.splits
    for number, split in enumerate(splits.splits):
        train, test = rows_of(split.train), rows_of(split.test)
        best = max(range(len(points)), key=lambda point: gain(returns[point, train]))
        assert found.choices.point[number] == best
        assert found.choices.in_sample[number] == pytest.approx(
            sharpe_per_bar(returns[best, train]), rel=1e-4
        )
        assert found.choices.out_of_sample[number] == pytest.approx(
            sharpe_per_bar(returns[best, test]), rel=1e-4, abs=1e-6
        )
    for path, used in zip(found.paths, splits.paths, strict=True):
        by_hand = np.concatenate(
            [
                returns[found.choices.point[split], a:b]
                for split, (a, b) in zip(used, splits.folds, strict=True)
            ]
        )
        np.testing.assert_allclose(path, by_hand, rtol=1e-6, atol=1e-12)
    # Every weekday is a session of this market.
    assert found.path_sharpe == pytest.approx([sharpe_per_bar(path) * 260**0.5 for path in found.paths])
    figures = found.path_figures[0]
    assert figures["total_return"] == pytest.approx(np.prod(1 + found.paths[0]) - 1)
    assert found.best == max(range(len(points)), key=lambda point: gain(returns[point]))


def test_paths_of_noise_lie_around_zero_and_the_choice_is_worth_nothing() -> None:
    means, overfit, differences = [], [], []
    for seed in range(12):
        found = validated(grid(Dice, number="0:24"), noise(1200, 100 + seed))
        assert found.paths.shape == (7, 1200)
        means.append(found.distribution["mean"])
        overfit.append(found.degradation["overfit"])
        differences.append(found.degradation["difference"])
    error = np.std(means, ddof=1) / np.sqrt(len(means))
    assert abs(np.mean(means)) < 3 * error < 0.6
    assert 0.35 < np.mean(overfit) < 0.75  # what one part has more of the same luck, the other has less
    assert max(differences) < 0  # every one of them looked better where it was chosen


def test_a_planted_edge_is_chosen_by_all_and_kept() -> None:
    bars = follows_then_turns(1200, 1200, seed=2)
    found = validated(grid(Follow, side="-1,1", least="0:3"), bars)
    chosen = {found.study.points.parameters(point)["side"] for point in found.frequency}
    assert chosen == {1}
    assert found.distribution["percentile_5"] > 2.0
    assert found.distribution["below_zero"] == found.degradation["loss"] == 0.0
    assert sum(found.frequency.values()) == 28
    assert found.degradation["overfit"] < 0.2


def test_the_horizon_is_how_long_round_trips_last() -> None:
    """Over the trips of all pilots together, not over their averages; a fold at most, a bar at least."""
    bars = noise(800, 3)
    points = grid(Follow, side="1", least="0:18:2")
    pilots = pilot_plan(experiment_of(Follow, bars), points)
    held = run_scores(pilots.chunks, run(pilots), 1)
    trades = [
        backtest(
            points.make(n), bars, costs=FREE, fills=UNCAPPED, allocation=ALL_IN, benchmark=False
        ).columns("closed_trades")
        for n in range(len(points))
    ]
    bars_held = np.concatenate([table["bars"] for table in trades])
    assert holding_bars(held, 800) == int(np.ceil(bars_held.mean()))
    apart = held.values.copy()
    apart[:, METRIC_NAMES.index("round_trips")] = np.nan
    apart[:2, METRIC_NAMES.index("round_trips")] = 1, 9
    apart[:2, METRIC_NAMES.index("average_trade_bars")] = 100.0, 10.0
    assert holding_bars(replace(held, values=apart), 800) == 19
    assert holding_bars(held, 1) == 1
    many = grid(Dice, number="0:99")
    plan = pilot_plan(experiment_of(Dice, bars), many)
    assert plan.points == 32
    asked = [values[0] for chunk in plan.chunks for values in chunk.points]
    assert (min(asked), max(asked)) == (1, 98)
    still = noise(100, 1)
    nothing = grid(Follow, side="0")
    ineffective = pilot_plan(experiment_of(Follow, still), nothing)
    assert holding_bars(run_scores(ineffective.chunks, run(ineffective), 1), 10) == 1


def nearest_neighbours(seed: int, horizon: int, bars: int = 1000, ahead: int = 20, folds: int = 50) -> float:
    """How often 5 nearest neighbours in 6 slow features guess the direction of a random walk `ahead` bars on, over the splits
    of `folds` short folds purged by `horizon` bars."""
    walk = np.cumsum(np.random.default_rng(seed).normal(0.0, 0.01, bars + 400))
    rows = np.arange(370, 370 + bars - ahead)
    features = np.stack([walk[rows] - walk[rows - lag] for lag in (60, 90, 120, 180, 240, 360)], axis=1)
    features /= features.std(axis=0)
    rises = walk[rows + ahead] > walk[rows]
    time = (np.datetime64("2000-01-01") + np.arange(len(rows))).astype("datetime64[ns]")
    length = Duration(bars=horizon) if horizon else NOTHING
    distance = ((features[:, None] - features[None]) ** 2).sum(axis=2)
    right = []
    for split in combinatorial(time, folds, 1, horizon=length, embargo=length).splits:
        train, test = rows_of(split.train), rows_of(split.test)
        near = train[np.argpartition(distance[np.ix_(test, train)], 5, axis=1)[:, :5]]
        right += ((rises[near].mean(axis=1) > 0.5) == rises[test]).tolist()
    return float(np.mean(right))


def test_without_a_purge_a_model_knows_the_future_of_a_random_walk_and_with_it_nothing() -> None:
    leaking = [nearest_neighbours(seed, 0) for seed in range(6)]
    purged = [nearest_neighbours(seed, 20) for seed in range(6)]
    assert np.mean(leaking) > 0.62
    assert abs(np.mean(purged) - 0.5) < 0.03
    assert all(one > other for one, other in zip(leaking, purged, strict=True))
