"""Walk-forwards and cross-validations for the tests of their pages: small, of a rule with an axis without an order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from gpt_trader import Bars, Strategy, param, ta
from gpt_trader.engine.run_setup import settings_of
from gpt_trader.research.cross_validation_study import CrossValidationResult, CrossValidationStudy
from gpt_trader.research.executor import InProcess
from gpt_trader.research.experiment import Experiment
from gpt_trader.research.objectives import Objective
from gpt_trader.research.parameter_points import Points, points_of
from gpt_trader.research.plan import Plan, PlanResult, run_chunks
from gpt_trader.research.search_space import Space, make_space
from gpt_trader.research.study import run_study
from gpt_trader.research.walk_forward_study import WalkForwardResult, WalkForwardStudy
from gpt_trader.validation.durations import Duration
from gpt_trader.validation.splits import walk_forward
from tests.report_cases import random_bars

HOSTILE = "</script><img src=x onerror=window.hacked=1>"
LENGTHS = {"train": "100b", "test": "50b", "step": "50b", "gap": "0b", "anchored": False}


@dataclass(frozen=True)
class Moody(Strategy):
    """Above its mean long, or the other way round."""

    mode: str = param("long", choices=("long", HOSTILE))
    length: int = param(10, low=2, high=100)

    def features(self, bars: Bars) -> Mapping[str, Any]:
        return {"mean": ta.sma(bars.close, self.length)}

    def decide(self, now: Any) -> Any:
        return np.where((now.close > now.mean) == (self.mode == "long"), 0.9, 0.0)


def _subject(bars: Bars) -> Experiment:
    return Experiment(Moody, bars, settings_of(bars, 100_000.0, None, None, None, None, (), (), None))


def _points(searched: bool) -> tuple[Space, Points]:
    given = {"mode": f"long,{HOSTILE}", "length": "5:20:5"} if searched else {}
    space = make_space(Moody, given)
    return space, points_of(Moody, space)


def _run(plan: Plan) -> PlanResult:
    return run_chunks(plan, InProcess(), None)


def walked(
    timeframe: str = "1d", *, searched: bool = True, bars: int = 500, train: int = 100, test: int = 50
) -> WalkForwardResult:
    """A walk-forward over random bars."""
    market = random_bars(("AAA", HOSTILE), bars, timeframe)
    space, points = _points(searched)
    windows = walk_forward(market.time, Duration(bars=train), Duration(bars=test))
    ordered = tuple(axis.ordered for axis in space.axes)
    study = WalkForwardStudy(_subject(market), points, ordered, windows, Objective("sharpe"))
    return run_study(study, _run)


def crossed(
    timeframe: str = "1d", *, searched: bool = True, bars: int = 500, folds: int = 6, tested: int = 2
) -> CrossValidationResult:
    """A cross-validation over random bars."""
    market = random_bars(("AAA", HOSTILE), bars, timeframe)
    _, points = _points(searched)
    horizon, embargo = Duration(bars=5), Duration(bars=8)
    study = CrossValidationStudy(_subject(market), points, folds, tested, horizon, embargo)
    return run_study(study, _run)
