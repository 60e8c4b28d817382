"""Rules, markets and helpers for the truth tests of walk-forward and cross-validation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from gpt_trader import Bars, Strategy, param
from gpt_trader.engine.run_setup import settings_of
from gpt_trader.research.executor import InProcess
from gpt_trader.research.experiment import Experiment
from gpt_trader.research.objectives import Objective
from gpt_trader.research.parameter_points import Points, points_of
from gpt_trader.research.plan import Plan, PlanResult, run_chunks
from gpt_trader.research.search_space import make_space
from gpt_trader.research.walk_forward_study import WalkForwardStudy
from gpt_trader.validation.durations import Duration
from gpt_trader.validation.splits import walk_forward
from tests.properties.truth_cases import ALL_IN, FREE, UNCAPPED, days

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Follow(Strategy):
    """Holds `side` times the sign of the last return, if that was larger than `least` tenths of a per cent."""

    side: int = param(1, low=-1, high=1)
    least: int = param(0, low=0, high=20)

    def features(self, bars: Bars) -> Mapping[str, Any]:
        change = np.zeros_like(bars.close)
        change[1:] = bars.close[1:] / bars.close[:-1] - 1.0
        return {"change": change}

    def decide(self, now: Any) -> Any:
        return np.where(np.abs(now.change) > self.least / 1000.0, self.side * np.sign(now.change), 0.0)


@dataclass(frozen=True)
class Dice(Strategy):
    """Long or flat as a coin falls that knows no market; `number` is the coin."""

    number: int = param(0, low=0, high=10_000)

    def features(self, bars: Bars) -> Mapping[str, Any]:
        fallen = np.random.default_rng(self.number).integers(0, 2, 20_000)[: bars.T]
        return {"held": np.repeat(fallen[:, None], bars.N, axis=1)}

    def decide(self, now: Any) -> Any:
        return now.held.astype(np.float64)


@dataclass(frozen=True)
class Survivor(Strategy):
    """Holds what is not known to leave the market."""

    least: int = param(0, low=0, high=1)

    def features(self, bars: Bars) -> Mapping[str, Any]:
        stays = np.array([day is None for day in bars.delisted])
        return {"stays": np.broadcast_to(stays, bars.close.shape).copy()}

    def decide(self, now: Any) -> Any:
        return np.where(now.stays, 0.99, 0.0)


@dataclass(frozen=True)
class Targets(Strategy):
    """Holds the weights that a test wrote into `table` (T, N)."""

    table: ClassVar[Floats]

    def features(self, bars: Bars) -> Mapping[str, Any]:
        return {"target": self.table[: bars.T]}

    def decide(self, now: Any) -> Any:
        return now.target


def smooth_market(returns: Floats) -> Bars:
    """One symbol with these returns (T,) from open to close; each bar opens at the close before."""
    close = 100.0 * np.cumprod(1.0 + returns)
    opened = np.concatenate([[100.0], close[:-1]])
    panel = np.ones((7, len(returns), 1))
    panel[:4, :, 0] = opened, np.maximum(opened, close), np.minimum(opened, close), close
    panel[4], panel[6] = 1e9, 0.0
    return Bars(("A",), days(len(returns)), panel)


def noise(bars: int, seed: int) -> Bars:
    """A random walk without drift."""
    return smooth_market(np.random.default_rng(seed).normal(0.0, 0.01, bars))


def follows_then_turns(bars: int, turn: int, seed: int, strength: float = 0.4) -> Bars:
    """Returns that follow the one before until row `turn`, and run against it from there on."""
    shocks = np.random.default_rng(seed).normal(0.0, 0.01, bars)
    made = np.empty(bars)
    before = 0.0
    for t in range(bars):
        before = made[t] = (strength if t < turn else -strength) * before + shocks[t]
    return smooth_market(made)


def with_noise_from(bars: Bars, row: int, seed: int = 99) -> Bars:
    """The same bars up to `row` - 1, something else from there on."""
    shuffled = np.random.default_rng(seed).normal(0.001, 0.03, bars.T)
    returns = np.where(np.arange(bars.T) < row, bars.close[:, 0] / bars.open[:, 0] - 1.0, shuffled)
    panel = smooth_market(returns).panel.copy()
    panel[:, :row] = bars.panel[:, :row]
    return Bars(bars.symbols, bars.time, panel)


def experiment_of(strategy: type[Strategy], bars: Bars) -> Experiment:
    """The experiment of a study without costs."""
    settings = settings_of(bars, 100_000.0, FREE, ALL_IN, None, UNCAPPED, (), (), None)
    return Experiment(strategy, bars, settings)


def grid(strategy: type[Strategy], **given: str) -> Points:
    """All points of a grid."""
    return points_of(strategy, make_space(strategy, given))


def run(plan: Plan) -> PlanResult:
    """The plan worked off in this process, with nothing kept."""
    return run_chunks(plan, InProcess(), None)


def walk(
    strategy: type[Strategy],
    bars: Bars,
    points: Points,
    train: int,
    test: int,
    *,
    anchored: bool = False,
    **options: Any,
) -> WalkForwardStudy:
    """A walk-forward by Sharpe ratio over windows of so many bars."""
    windows = walk_forward(bars.time, Duration(bars=train), Duration(bars=test), anchored=anchored)
    ordered = (True,) * len(points.names)
    options = {"objective": Objective("sharpe"), **options}
    return WalkForwardStudy(experiment_of(strategy, bars), points, ordered, windows, **options)


def sharpe_per_bar(returns: Sequence[float] | Floats) -> float:
    """Mean by standard deviation."""
    values = np.asarray(returns, np.float64)
    return float(values.mean() / values.std(ddof=1))
