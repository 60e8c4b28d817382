"""The best of many rules that know nothing, traded by the engine, is refused; one that knows something passes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from gpt_trader import Allocation, Bars, Costs, Features, Strategy, Weights, backtest_many, param
from gpt_trader.batch import BatchResult
from gpt_trader.research.chunk import block_edges
from gpt_trader.validation.overfitting import probability_of_overfitting
from gpt_trader.validation.sharpe_statistics import deflated_sharpe
from tests.markets import random_market

BARS = 500
RULES = 1_000
MARKETS = 100
TRADING_DAYS = 252
FREE = Costs(bps=0.0, spread_bps=0.0, impact=0.0, borrow=0.0)


@dataclass(frozen=True)
class Blind(Strategy):
    """Long or flat by the toss of coins of its own; `foresight` is the share of bars on which it knows the next open to open
    move and follows it."""

    seed: int = param(0)
    foresight: float = param(0.0, low=0.0, high=1.0)

    def features(self, bars: Bars) -> Features:
        rng = np.random.default_rng(self.seed)
        long = rng.random((bars.T, bars.N)) < 0.5
        if self.foresight:
            move = np.vstack([bars.open[2:] > bars.open[1:-1], np.zeros((2, bars.N), np.bool_)])
            long = np.where(rng.random((bars.T, bars.N)) < self.foresight, move, long)
        return {"long": long.astype(np.float64)}

    def decide(self, now: Any) -> Weights:
        return now.long


def scores(strategies: list[Strategy], market: Bars) -> BatchResult:
    return backtest_many(
        strategies, market, costs=FREE, allocation=Allocation(gross=1.0), edges=block_edges(0, market.T)
    )


def probability_of_the_best(found: BatchResult) -> float:
    """The deflated Sharpe ratio of the best run, from the spread and the number of all."""
    per_bar = found["sharpe"] / np.sqrt(TRADING_DAYS)
    best = int(np.argmax(per_bar))
    return deflated_sharpe(
        float(per_bar[best]), BARS, float(found["skew"][best]), float(found["kurtosis"][best]),
        trials=len(per_bar), variance=float(np.var(per_bar, ddof=1)),
    ).probability  # fmt: skip


@pytest.mark.slow
def test_the_best_of_a_thousand_blind_rules_is_refused() -> None:
    refused = 0
    for number in range(MARKETS):
        market = random_market(BARS, 1, number, sigma=0.01)
        blind: list[Strategy] = [Blind(seed) for seed in range(number * RULES, (number + 1) * RULES)]
        refused += probability_of_the_best(scores(blind, market)) < 0.95
    assert refused >= 95


@pytest.mark.parametrize("seed", range(5))
def test_a_rule_that_knows_something_passes_among_the_blind(seed: int) -> None:
    market = random_market(BARS, 1, seed, sigma=0.01)
    rules: list[Strategy] = [*(Blind(number) for number in range(200)), Blind(777, foresight=0.6)]
    found = scores(rules, market)
    assert int(np.argmax(found["sharpe"])) == len(rules) - 1
    assert probability_of_the_best(found) > 0.95


@pytest.mark.slow
def test_choosing_among_blind_rules_is_overfitting_half_of_the_time_and_among_knowing_ones_never() -> None:
    lengths = np.diff(block_edges(0, BARS))
    blind, knowing = [], []
    for number in range(20):
        market = random_market(BARS, 1, number, sigma=0.01)
        rules: list[Strategy] = [Blind(number * 100 + i) for i in range(100)]
        blind.append(probability_of_overfitting(scores(rules, market).sums, lengths).pbo)
        some: list[Strategy] = [*rules[:90], *(Blind(90_000 + i, foresight=0.5) for i in range(10))]
        knowing.append(probability_of_overfitting(scores(some, market).sums, lengths).pbo)
    error = float(np.std(blind, ddof=1)) / np.sqrt(len(blind))
    assert abs(float(np.mean(blind)) - 0.5) < 4 * error
    assert max(knowing) < 0.05
