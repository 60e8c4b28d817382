"""Comparing strategies: every side on the same markets, pairs that agree with the pure function, names that tell apart."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from gpt_trader import Allocation, Costs, Strategy, Weights, backtest, param
from gpt_trader.engine.run_setup import Settings
from gpt_trader.errors import BadParameter, GptTraderError, UnknownName
from gpt_trader.research.bootstrap_runs import Bootstrap
from gpt_trader.research.comparison_study import Candidate, ComparisonStudy, by_metric
from gpt_trader.research.executor import InProcess
from gpt_trader.research.experiment import Experiment
from gpt_trader.research.plan import Plan, PlanResult, run_chunks
from gpt_trader.research.study import run_study
from gpt_trader.strategies.buy_and_hold import BuyAndHold
from gpt_trader.strategies.demo_ma import DemoMa
from gpt_trader.validation.block_bootstrap import resample
from gpt_trader.validation.intervals import compare
from jobs.compare import named
from tests.markets import random_market

pytestmark = pytest.mark.slow  # hundreds of runs on resampled markets

BARS = random_market(600, 1, 3, sigma=0.01, drift=0.0005)
ALL_IN = Settings(allocation=Allocation(gross=1.0), costs=Costs.commission_only(0))


@dataclass(frozen=True)
class Knowing(Strategy):
    """Holds on a bar that closed well, which its own next open does not know: worth nothing; with `edge` knows the future."""

    edge: float = param(0.0, low=0.0, high=1.0)

    def decide(self, now: Any) -> Weights:
        tomorrow = np.append(now.close[1:] / now.close[:-1], np.ones((1, now.close.shape[1])), axis=0)
        return np.where(tomorrow > 1.0, 1.0, 1.0 - self.edge)


def work(plan: Plan) -> PlanResult:
    return run_chunks(plan, InProcess(), None)


def study(*strategies: Strategy, count: int = 60, metric: str = "sharpe") -> ComparisonStudy:
    candidates = tuple(
        Candidate(f"{type(one).__name__} {number}", Experiment(type(one), BARS, ALL_IN), one)
        for number, one in enumerate(strategies)
    )
    return ComparisonStudy(candidates, Bootstrap(count).on(BARS), metric)


def test_every_side_is_run_on_the_bars_and_on_the_same_markets() -> None:
    found = run_study(study(DemoMa(5, 20), BuyAndHold()), work)
    for side in found.sides:
        strategy = side.candidate.strategy
        alone = backtest(strategy, BARS, allocation=ALL_IN.allocation, costs=ALL_IN.costs)
        expected = [alone.metrics[name] for name in side.run.metrics]
        assert np.array_equal(list(side.run.metrics.values()), expected, equal_nan=True)
        again = backtest(strategy, resample(BARS, 0, 7), allocation=ALL_IN.allocation, costs=ALL_IN.costs)
        expected = [again.metrics[name] for name in side.run.metrics]
        assert np.array_equal(side.replicates[7], expected, equal_nan=True)
        assert side.intervals.of("sharpe").estimate == alone.metrics["sharpe"]


def test_pairs_are_those_of_the_pure_function() -> None:
    found = run_study(study(DemoMa(5, 20), BuyAndHold(), DemoMa(20, 60)), work)
    assert [(first, second) for first, second, _ in found.pairs] == [(0, 1), (0, 2), (1, 2)]
    sharpe = list(found.sides[0].run.metrics).index("sharpe")
    values = [(side.run.metrics["sharpe"], side.replicates[:, sharpe]) for side in found.sides]
    blocks = found.sides[0].intervals.blocks
    for first, second, comparisons in found.pairs:
        assert by_metric(comparisons, "sharpe") == compare(
            "sharpe", values[first], values[second], blocks=blocks
        )
    table = found.probabilities()
    assert np.isnan(np.diag(table)).all()
    assert table[0, 2] == by_metric(found.pairs[1][2], "sharpe").probability
    assert np.allclose((table + table.T)[~np.eye(3, dtype=bool)], 1.0)


def test_a_strategy_that_is_planted_better_wins_and_its_equal_ties() -> None:
    found = run_study(study(Knowing(edge=1.0), Knowing(), BuyAndHold(), count=100), work)
    table = found.probabilities()
    assert table[0, 1] > 0.99
    assert table[0, 2] > 0.99
    assert table[1, 2] == 0.5


def test_the_metric_decides_who_is_better() -> None:
    by_sharpe = run_study(study(DemoMa(5, 20), BuyAndHold(), metric="sharpe"), work).probabilities()
    by_calm = run_study(study(DemoMa(5, 20), BuyAndHold(), metric="volatility"), work).probabilities()
    assert by_calm[0, 1] > 0.9
    assert by_sharpe[0, 1] < 0.9


def test_a_strategy_that_fails_is_named() -> None:
    @dataclass(frozen=True)
    class Broken(Strategy):
        def decide(self, now: Any) -> Weights:
            raise ZeroDivisionError("no")

    with pytest.raises(GptTraderError, match=r"Broken 1: .*ZeroDivisionError"):
        run_study(study(BuyAndHold(), Broken()), work)


def test_contests_that_make_no_sense_are_refused() -> None:
    with pytest.raises(BadParameter, match="two or more"):
        study(BuyAndHold())
    with pytest.raises(UnknownName, match="unknown metric 'calmer'"):
        study(BuyAndHold(), DemoMa(), metric="calmer")
    side = study(BuyAndHold(), DemoMa()).candidates[0]
    with pytest.raises(BadParameter, match="the same name"):
        ComparisonStudy((side, side), Bootstrap(60))


def test_another_contest_has_another_id() -> None:
    ids = {
        study(DemoMa(5, 20), BuyAndHold()).study_id,
        study(BuyAndHold(), DemoMa(5, 20)).study_id,
        study(DemoMa(5, 21), BuyAndHold()).study_id,
        study(DemoMa(5, 20), BuyAndHold(), metric="cagr").study_id,
        study(DemoMa(5, 20), BuyAndHold(), count=61).study_id,
    }
    assert len(ids) == 5


def test_names_tell_strategies_apart() -> None:
    made = named(["demo_ma", "demo_ma, fast=5 ,slow=60", "buy_and_hold"])
    assert list(made) == ["demo_ma", "demo_ma fast=5 slow=60", "buy_and_hold"]
    assert made["demo_ma fast=5 slow=60"] == DemoMa(5, 60)
    with pytest.raises(BadParameter, match="'demo_ma' is given twice"):
        named(["demo_ma", "demo_ma"])
    with pytest.raises(BadParameter, match="alone is nothing to compare"):
        named(["demo_ma"])
    with pytest.raises(UnknownName, match="parameter of demo_ma 'quick'"):
        named(["demo_ma,quick=5", "buy_and_hold"])
    with pytest.raises(BadParameter, match="write name=value"):
        named(["demo_ma,fast", "buy_and_hold"])
