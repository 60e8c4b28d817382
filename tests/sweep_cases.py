"""Sweeps for tests: a strategy whose points are quick, and surfaces made by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gpt_trader import Allocation, Strategy, Weights, param
from gpt_trader.engine.metric_definitions import METRIC_NAMES
from gpt_trader.engine.run_setup import Settings
from gpt_trader.errors import BadParameter
from gpt_trader.research.experiment import Experiment
from gpt_trader.research.objectives import Objective
from gpt_trader.research.response_surface import BLOCKS, Surface
from gpt_trader.research.search_space import Values, make_space
from gpt_trader.research.sweep_analysis import SweepAnalysis
from tests.markets import random_market

BARS = random_market(400, 2, 5, sigma=0.02)
ALL_IN = Settings(allocation=Allocation(gross=1.0))


@dataclass(frozen=True)
class Steady(Strategy):
    """Holds `share` per cent of the account for `days` bars of every ten; refuses share 7, raises at 8, never trades at 0."""

    share: int = param(10, low=0, high=90)
    days: int = param(5, low=1, high=10)
    tilt: float = param(0.0, low=-1.0, high=1.0)
    mode: str = param("both", choices=("both", "first"))

    def validate(self) -> None:
        if self.share == 7:
            raise BadParameter("share=7: no")

    def decide(self, now: Any) -> Weights:
        if self.share == 8:
            raise ZeroDivisionError("eight")
        held = np.full_like(now.close, (self.share + self.tilt) / 100)
        held[np.arange(len(held)) % 10 >= self.days] = 0.0
        if self.mode == "first":
            held[:, 1:] = 0.0
        return held


EXPERIMENT = Experiment(Steady, BARS, ALL_IN)


def made(
    points: Sequence[Values],
    metrics: Mapping[str, Sequence[float]],
    names: tuple[str, ...] = ("share", "days"),
    sums: np.ndarray | None = None,
    **more: Any,
) -> Surface:
    """A surface of these points; metrics that are not given are those of an account that earns a little."""
    values = np.ones((len(points), len(METRIC_NAMES)))
    given = {
        "periods_per_year": [252.0] * len(points),
        "kurtosis": [3.0] * len(points),
        "skew": [0.0] * len(points),
    }
    for name, column in {**given, **metrics}.items():
        values[:, METRIC_NAMES.index(name)] = column
    values[[*more.get("errors", ()), *more.get("early_stops", ())]] = np.nan
    if sums is None:
        rng = np.random.default_rng(0)
        sums = np.abs(rng.normal(0, 0.01, (len(points), 2, BLOCKS)))
    return Surface(names, np.arange(len(points)), tuple(points), values, sums.astype(np.float32), **more)


def concluded(
    surface: Surface,
    axes: Mapping[str, Any],
    objectives: Sequence[Objective] = (Objective("sharpe"),),
    **more: Any,
) -> SweepAnalysis:
    """What a surface over these axes says."""
    return SweepAnalysis(EXPERIMENT, make_space(Steady, axes), surface, tuple(objectives), **more)
