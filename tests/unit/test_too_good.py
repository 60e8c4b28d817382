"""Results that are too good are called so, by every rule; honest ones, lucky ones and those of a strong trend are not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from gpt_trader import Bars, Costs, Strategy, backtest, load_bars, param, sweep
from gpt_trader.bars import FIELDS
from gpt_trader.strategies import SHIPPED, load_strategy
from gpt_trader.too_good import (
    FILLS,
    GROWTH,
    MONTHS,
    PREFIX,
    RULES,
    SHARPE,
    WINS,
    Holding,
    fills_that_knew,
    flags_of,
    is_too_good,
    of_metrics,
    sharpe_limit,
)

FREE = Costs(bps=0.0, spread_bps=0.0, slippage_bps=0.0, impact=0.0)


def market(count: int, seed: int = 1, *, drift: float = 0.0, noise: float = 0.01, symbols: int = 1) -> Bars:
    """Daily bars of a random walk."""
    rng = np.random.default_rng(seed)
    close = 100.0 * np.exp(np.cumsum(rng.normal(drift, noise, (count, symbols)), axis=0))
    opened = np.vstack([np.full((1, symbols), 100.0), close[:-1]]) * np.exp(
        rng.normal(0, noise / 4, close.shape)
    )
    columns = {
        "open": opened, "high": np.maximum(opened, close) * 1.001, "low": np.minimum(opened, close) * 0.999, "close": close,
        "volume": np.full(close.shape, 1e9), "split": np.ones(close.shape), "dividend": np.zeros(close.shape),
    }  # fmt: skip
    time = np.busday_offset("2010-01-04", np.arange(count)).astype("datetime64[ns]")
    return Bars(tuple(f"S{n}" for n in range(symbols)), time, np.stack([columns[name] for name in FIELDS]))


@dataclass(frozen=True)
class KeepsTheBars(Strategy):
    """The leak of the issue: `features` keeps the bars, `decide` reads the next close."""

    def features(self, bars: Bars) -> Any:
        object.__setattr__(self, "bars", bars)
        return {"row": np.broadcast_to(np.arange(float(bars.T))[:, None], bars.close.shape)}

    def decide(self, now: Any, held: Any) -> Any:
        kept: Bars = self.bars  # type: ignore[attr-defined]
        following = kept.close[min(int(now.row[0]) + 1, kept.T - 1)]
        return np.where(following > now.close, 1.0, 0.0)


@dataclass(frozen=True)
class Coin(Strategy):
    seed: int = param(0)

    def features(self, bars: Bars) -> Any:
        return {"coin": np.random.default_rng(self.seed).integers(0, 2, bars.close.shape).astype(float)}

    def decide(self, now: Any) -> Any:
        return now.coin


def names(flags: dict[str, Any]) -> set[str]:
    return {name for name, found in flags.items() if found.any()}


def test_the_leak_of_the_issue_is_too_good_by_its_sharpe_ratio_and_its_fills() -> None:
    result = backtest(KeepsTheBars(), load_bars(["DEMO"]), mode="python")
    assert len(result.too_good) == 2
    assert result.too_good[0].startswith(f"{PREFIX}a Sharpe ratio of 5.")
    assert "of the fills at an open the bar moved their way" in result.too_good[1]
    assert result.warnings[:2] == result.too_good
    assert all(map(is_too_good, result.too_good))
    assert sum(map(is_too_good, result.warnings)) == 2


@pytest.mark.parametrize("name", SHIPPED)
def test_the_shipped_strategies_are_not_too_good(name: str) -> None:
    for bars in (load_bars(["DEMO"]), load_bars(["AAPL", "IBM", "MSFT"]), market(1500, drift=0.002)):
        for costs in (None, FREE):
            assert backtest(load_strategy(name)(), bars, costs=costs).too_good == ()


def test_coins_on_random_walks_are_not_too_good() -> None:
    for seed in range(40):
        for count in (60, 250, 1000):
            assert backtest(Coin(seed), market(count, seed), costs=FREE).too_good == (), (seed, count)


def test_what_is_as_good_as_a_symbol_itself_is_not_too_good() -> None:
    steady = market(800, drift=0.0005, noise=0.0004)
    result = backtest(load_strategy("buy_and_hold")(), steady, costs=FREE)
    assert result.metrics["sharpe"] > 15.0
    assert result.too_good == ()


def test_the_limit_of_the_sharpe_ratio_follows_the_bars_and_the_length() -> None:
    assert sharpe_limit(252.0, 10.0) == sharpe_limit(365.0, 1.0) == sharpe_limit(12.0, 20.0) == 4.0
    assert sharpe_limit(252.0, 0.25) == pytest.approx(8.0)
    assert sharpe_limit(252.0 * 390, 5.0) == pytest.approx(4.0 * 390**0.25)
    assert sharpe_limit(1764.0, 5.0) == pytest.approx(4.0 * 7**0.25)


NORMAL = {"sharpe": 1.0, "total_return": 1.0, "round_trips": 100.0, "win_rate": 0.6, "profit_factor": 2.0}


@pytest.mark.parametrize(
    ("changed", "rule"),
    [
        ({"sharpe": 4.01}, SHARPE),
        ({"total_return": 11.0**4 + 1}, GROWTH),
        ({"win_rate": 0.91, "profit_factor": 10.1}, WINS),
        ({"win_rate": 1.0, "profit_factor": np.nan, "round_trips": 30.0}, WINS),
    ],
)
def test_each_rule_on_the_metrics_by_itself(changed: dict[str, float], rule: Any) -> None:
    holding = Holding(market(1008))
    assert names(flags_of({**NORMAL, **changed}, holding)) == {rule.name}
    (said,) = of_metrics({**NORMAL, **changed}, holding)
    assert said.startswith(PREFIX)


@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"sharpe": 3.99},
        {"sharpe": np.nan, "total_return": np.nan, "win_rate": np.nan, "profit_factor": np.nan},
        {"total_return": 11.0**4 + 1, "round_trips": 29.0},
        {"win_rate": 0.91, "profit_factor": 9.9},
        {"win_rate": 1.0, "profit_factor": np.nan, "round_trips": 29.0},
        {"win_rate": 0.95, "profit_factor": 20.0, "sharpe": -3.0},
    ],
)
def test_nothing_is_said_within_the_limits(changed: dict[str, float]) -> None:
    assert of_metrics({**NORMAL, **changed}, Holding(market(1008))) == ()


def test_rules_on_metrics_take_many_points_at_once() -> None:
    many = {name: np.full(3, value) for name, value in NORMAL.items()} | {
        "sharpe": np.array([1.0, 5.0, np.nan])
    }
    assert flags_of(many, Holding(market(1008)))[SHARPE.name].tolist() == [False, True, False]


def test_months_without_a_loss() -> None:
    result = backtest(KeepsTheBars(), market(900), costs=FREE, mode="python")
    assert any("not one losing month in " in text for text in result.too_good)
    short = backtest(KeepsTheBars(), market(400), costs=FREE, mode="python")
    assert not any("losing month" in text for text in short.too_good)


def test_fills_are_judged_against_what_bars_do_anyway() -> None:
    rising = market(800, drift=0.01)
    share, errors = fills_that_knew(backtest(Coin(), rising, costs=FREE))
    assert share < FILLS.limit
    assert abs(errors) < 4.0
    share, errors = fills_that_knew(backtest(KeepsTheBars(), market(800), costs=FREE, mode="python"))
    assert share > 0.8
    assert errors > 10.0


def test_fills_of_no_trade_are_not_known() -> None:
    flat = backtest(load_strategy("trend_breakout")(), market(70, drift=-0.01))
    assert all(map(np.isnan, fills_that_knew(flat)))


def test_a_sweep_counts_the_points_that_are_too_good() -> None:
    @dataclass(frozen=True)
    class Knows(Strategy):
        ahead: int = param(0, low=0, high=1)

        def features(self, bars: Bars) -> Any:
            return {"next": np.roll(bars.close, -self.ahead, axis=0)}

        def decide(self, now: Any) -> Any:
            return np.where(now.next > now.close, 1.0, 0.0)

    found = sweep(Knows, market(1008), {"ahead": [0, 1]}).conclusions
    assert [found.surface.parameters(row)["ahead"] for row in found.too_good.tolist()] == [1]
    assert found.too_good_of_best
    assert found.statistics is not None
    assert found.statistics.verdict().startswith("Too good to be true: a Sharpe ratio of ")
    assert not found.statistics.passes


def test_every_rule_has_a_name_and_says_what_it_asks() -> None:
    assert len({rule.name for rule in RULES}) == len(RULES)
    assert MONTHS in RULES
    assert all(rule.text and rule.unit and rule.limit > 0 for rule in RULES)
