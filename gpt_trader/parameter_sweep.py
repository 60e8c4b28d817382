"""The sweep as a function: a strategy class, bars and a grid in, the points with what they are worth out."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from gpt_trader.allocation import Allocation
from gpt_trader.bars import Bars
from gpt_trader.costs import Costs, FillModel
from gpt_trader.errors import BadParameter, UnknownName
from gpt_trader.exits import Exit
from gpt_trader.instruments import Instrument
from gpt_trader.research.search_methods import Search
from gpt_trader.research.search_space import Space
from gpt_trader.research.sweep_analysis import Claimed, SweepAnalysis
from gpt_trader.risk import RiskLimits
from gpt_trader.strategy import Strategy

if TYPE_CHECKING:
    import pandas as pd

    from gpt_trader.validation.summary import TrialStatistics

METHODS = ("grid", "random")


@dataclass(frozen=True, slots=True)
class Point:
    """One point of a sweep: the strategy as it was run, the swept parameters, all metrics, and the score of its
    neighbourhood by the first objective (None where there is none)."""

    strategy: Strategy
    parameters: Mapping[str, Any]
    metrics: Mapping[str, float]
    plateau: float | None


@dataclass(frozen=True)
class SweepResult:
    """What came of a sweep. `conclusions` holds all of it; the rest is what is asked for most."""

    conclusions: SweepAnalysis

    def __len__(self) -> int:
        return len(self.conclusions.surface)

    @cached_property
    def table(self) -> pd.DataFrame:
        """One row a point, best first by the first objective, failed points last; columns as in docs/sweeps.md."""
        import numpy as np
        import pandas as pd

        from gpt_trader.research.sweep_table import columns_of

        rest = np.setdiff1d(np.arange(len(self)), self.conclusions.order)
        rows = np.concatenate([self.conclusions.order, rest])
        return pd.DataFrame(columns_of(self.conclusions)).iloc[rows].reset_index(drop=True)

    @cached_property
    def best(self) -> Point:
        """The best point by the first objective. Raises BadParameter when no point has one."""
        row = self.conclusions.best
        if row is None:
            errors = self.conclusions.surface.errors
            why = f"; the first failed with: {next(iter(errors.values()))}" if errors else ""
            raise BadParameter(f"no point has a {self.conclusions.objectives[0].metric}{why}")
        return self.point(row)

    @cached_property
    def most_robust(self) -> Point | None:
        """The best point of the best neighbourhood; None where the space has no neighbours."""
        row = self.conclusions.most_robust
        return None if row is None else self.point(row)

    @property
    def pareto_front(self) -> tuple[Point, ...]:
        """With several objectives the points that no other beats in all of them; with one the best."""
        return tuple(self.point(row) for row in self.conclusions.pareto_front.tolist())

    @property
    def statistics(self) -> TrialStatistics | None:
        """What the best point's Sharpe ratio is worth; deflated only when `trials` were given."""
        return self.conclusions.statistics

    @property
    def errors(self) -> dict[tuple[Any, ...], str]:
        """Why points failed, by their values."""
        surface = self.conclusions.surface
        return {surface.points[row]: text for row, text in surface.errors.items()}

    def point(self, row: int) -> Point:
        """One point by its row in `conclusions.surface`."""
        found, surface = self.conclusions, self.conclusions.surface
        parameters = surface.parameters(row)
        strategy = found.experiment.strategy(**found.space.fixed, **parameters)
        score = float(found.plateau_scores[row])
        return Point(strategy, parameters, surface.metrics(row), None if math.isnan(score) else score)


def sweep(
    strategy: type[Strategy],
    bars: Bars,
    grid: Mapping[str, Any],
    *,
    constraints: Sequence[str] = (),
    objective: str | Sequence[str] = "sharpe",
    method: str = "grid",
    points: int = 100,
    seed: int = 0,
    trials: int | None = None,
    capital: float = 100_000.0,
    costs: Costs | None = None,
    allocation: Allocation | None = None,
    risk: RiskLimits | None = None,
    fills: FillModel | None = None,
    exits: Iterable[Exit] = (),
    instruments: Mapping[str, Instrument] | Iterable[Instrument] = (),
    index: Bars | None = None,
) -> SweepResult:
    """Run `strategy` at every point of `grid`, or with `method="random"` at `points` of them drawn by `seed`.

    `grid` gives for each parameter the values it takes: `range(5, 60, 5)`, a list, a text such as "5:60:5" or, for a
    random search, "0.5:4"; the others have their defaults. `constraints` such as "fast < slow" must hold. `objective`
    is a metric, or several; "turnover:max" turns its direction. `trials` is how many configurations of this strategy
    were tried on these data in all, this sweep included: without it nothing is deflated, because nothing here
    counts. The other arguments are those of `backtest`, of which each point has exactly the metrics.

    Everything runs in this process, and nothing is kept: `gpt-trader sweep` has workers, a ledger of trials and reports.
    Raises as `make_space`, `parse_objective` and `backtest` do for settings; a point that fails is in `errors`.
    """
    from gpt_trader.engine.run_setup import settings_of
    from gpt_trader.research.executor import InProcess
    from gpt_trader.research.experiment import Experiment
    from gpt_trader.research.objectives import parse_objectives
    from gpt_trader.research.plan import run_chunks
    from gpt_trader.research.search_space import make_space
    from gpt_trader.research.study import run_study
    from gpt_trader.research.sweep_study import SweepStudy

    space = make_space(strategy, grid, constraints)
    objectives = parse_objectives((objective,) if isinstance(objective, str) else objective)
    if not objectives:
        raise BadParameter("no objective is given; name at least one, such as sharpe")
    search = _search(space, method, points, seed)
    settings = settings_of(bars, capital, costs, allocation, risk, fills, exits, instruments, index)
    experiment = Experiment(strategy, bars, settings)
    study = SweepStudy(experiment, space, search, objectives)
    found = run_study(study, lambda plan: run_chunks(plan, InProcess(), None))
    counted = None if trials is None else Claimed(max(trials, len(found.surface)), bars.T, found.surface)
    return SweepResult(replace(found, trials=counted))


def _search(space: Space, method: str, points: int, seed: int) -> Search:
    from gpt_trader.research.search_methods import GridSearch, RandomSearch, refuse_fine

    if method not in METHODS:
        raise UnknownName("method of sweep()", method, METHODS)
    if method == "random":
        if points < 1:
            raise BadParameter(f"points is {points}: draw at least one")
        return RandomSearch(space, points, seed)
    refuse_fine(space)
    return GridSearch(space)
