"""The look-ahead check finds every planted leak, by name and line, and raises no alarm on an honest strategy."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from gpt_trader import Bars, Strategy, param, ta
from gpt_trader.check import check_strategy
from gpt_trader.errors import BadParameter, BadRange
from gpt_trader.strategies import SHIPPED, load_strategy
from tests.markets import random_market
from tests.properties import leak_zoo


@pytest.mark.parametrize(
    ("leaky", "subject"), leak_zoo.ZOO.items(), ids=lambda item: getattr(item, "__name__", item)
)
def test_every_planted_leak_is_found_and_named(leaky: type[Strategy], subject: str) -> None:
    report = check_strategy(leaky(), random_market(320, 4, seed=5), samples=24)
    assert not report.causal
    named = {finding.subject: finding for finding in report.findings if finding.test == "causal"}
    assert subject in named
    lines, start = inspect.getsourcelines(leaky)
    assert start <= named[subject].line < start + len(lines)
    if subject != "decide":
        assert f'"{subject}"' in lines[named[subject].line - start]


@pytest.mark.parametrize("name", SHIPPED)
@pytest.mark.parametrize("symbols", [1, 5])
def test_no_alarm_on_a_shipped_strategy(name: str, symbols: int) -> None:
    market = random_market(700, symbols, seed=7, gaps=0.01, splits=True)
    report = check_strategy(load_strategy(name)(), market, samples=24)
    assert report.ok, report.findings
    assert report.warmup is not None


@dataclass(frozen=True)
class Held(Strategy):
    trail: float = param(0.05)

    def features(self, bars: Bars) -> Any:
        return {"fast": ta.sma(bars.close, 5), "slow": ta.sma(bars.close, 20)}

    def decide(self, now: Any, held: Any) -> Any:
        return np.where((now.fast > now.slow) & ~(now.close < held.peak * (1 - self.trail)), 1.0, 0.0)


def test_no_alarm_on_a_rule_that_reads_what_it_holds() -> None:
    assert check_strategy(Held(), random_market(400, 3, seed=2), samples=24).ok


@dataclass(frozen=True)
class SinceTheBeginning(Strategy):
    """Causal, but its value depends on where the data begin: different live and in a backtest."""

    def features(self, bars: Bars) -> Any:
        return {"total": np.cumsum(bars.volume, axis=0)}

    def decide(self, now: Any) -> Any:
        return np.where(now.total > 1e8, 1.0, 0.0)


def test_a_feature_that_depends_on_the_first_bar_fails_the_warm_up_only() -> None:
    report = check_strategy(SinceTheBeginning(), random_market(400, 2, seed=3), samples=24)
    assert report.causal
    assert not report.warm_up
    assert report.findings[0].subject == "total"


@dataclass(frozen=True)
class TooShortWarmUp(Strategy):
    warmup = 10

    def features(self, bars: Bars) -> Any:
        return {"slow": ta.sma(bars.close, 50)}

    def decide(self, now: Any) -> Any:
        return np.where(now.close > now.slow, 1.0, 0.0)


def test_a_declared_warm_up_that_is_too_short_is_named() -> None:
    report = check_strategy(TooShortWarmUp(), random_market(400, 1, seed=3), samples=24)
    assert [finding.test for finding in report.findings] == ["warm-up"]


def test_too_few_bars_are_refused() -> None:
    with pytest.raises(BadRange, match="at least"):
        check_strategy(Held(), random_market(40, 1))


@dataclass(frozen=True)
class OnlyOnLongData(Strategy):
    """A feature that a short history does not get."""

    def features(self, bars: Bars) -> Any:
        return {"rose": bars.close > bars.open} | ({"late": bars.close} if bars.T > 70 else {})

    def decide(self, now: Any) -> Any:
        return 0.3 * now.rose


def test_a_feature_that_comes_and_goes_is_a_finding_not_an_error() -> None:
    report = check_strategy(OnlyOnLongData(), random_market(300, 2, seed=4), samples=24)
    assert report.ok
    report = check_strategy(OnlyOnLongData(), random_market(75, 2, seed=4), samples=24)
    assert {(item.test, item.subject) for item in report.findings} == {
        ("causal", "late"),
        ("warm-up", "late"),
    }
    assert all("vanishes" in item.message for item in report.findings)


@dataclass(frozen=True)
class Moods(Strategy):
    """A feature of words; `ahead` bars of the future decide them."""

    ahead: int = param(0, low=0, high=1)

    def features(self, bars: Bars) -> Any:
        return {"mood": np.where(np.roll(bars.close, -self.ahead, axis=0) > bars.open, "up", "down")}

    def decide(self, now: Any) -> Any:
        return np.where(now.mood == "up", 0.3, 0.0)


def test_a_feature_of_words_is_proved_like_one_of_numbers() -> None:
    assert check_strategy(Moods(), random_market(300, 2, seed=4), samples=24).ok
    report = check_strategy(Moods(1), random_market(300, 2, seed=4), samples=24)
    found = {item.subject: item for item in report.findings if item.test == "causal"}
    assert {found["mood"].expected, found["mood"].got} == {"up", "down"}


def test_a_class_is_not_checked() -> None:
    with pytest.raises(BadParameter, match="check_strategy needs a strategy instance"):
        check_strategy(OnlyOnLongData, random_market(75))  # type: ignore[arg-type]
