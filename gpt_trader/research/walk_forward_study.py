"""A walk-forward: the runs it needs, what each window chooses from them, and the one account that trades the choices."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpt_trader import metrics
from gpt_trader.engine.metric_definitions import METRIC_NAMES
from gpt_trader.engine.records import EQUITY
from gpt_trader.errors import BadParameter
from gpt_trader.research.experiment import Experiment
from gpt_trader.research.objectives import Objective
from gpt_trader.research.parameter_points import Points, RunScores, run_scores
from gpt_trader.research.plan import Plan, PlanResult
from gpt_trader.research.return_profiles import PROFILE_BLOCKS, block_edges
from gpt_trader.research.study import JudgedRun, Step, Steps
from gpt_trader.research.trials import Trials, trial_of_account, trials_of_plan
from gpt_trader.result import Result
from gpt_trader.segmented_backtest import Segment, backtest_segments
from gpt_trader.strategy import parameter_values
from gpt_trader.validation.plateau import plateau
from gpt_trader.validation.splits import Span, Split
from gpt_trader.validation.walk_forward import (
    NONE,
    Stability,
    best_of_each,
    carried_forward,
    efficiency,
    stability,
)

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
KIND = "walkforward"
PEAK, PLATEAU = "peak", "plateau"
SELECTIONS = (PEAK, PLATEAU)


@dataclass(frozen=True)
class WalkForwardStudy:
    """Which of `points` each of W windows chooses on its training rows, and what trading the choices earns.

    `ordered` says which axes of the points have an order; `select` takes the best point or the best plateau by the
    `objective`; points with fewer than `fewest_trades` round trips in the training are not chosen. `seed` is that of the
    account; `about` says how the windows were asked for.
    """

    experiment: Experiment
    points: Points
    ordered: tuple[bool, ...]
    windows: tuple[Split, ...]
    objective: Objective
    select: str = PEAK
    fewest_trades: int = 0
    seed: int = 0
    about: Mapping[str, Any] = field(default_factory=dict)

    @property
    def kind(self) -> str:
        """As in `Study`."""
        return KIND

    @cached_property
    def study_id(self) -> str:
        """As in `Study`."""
        asked = [self.windows, self.ordered, str(self.objective), self.select, self.fewest_trades, self.about]
        return self.points.study_id(KIND, self.experiment, asked)

    @property
    def runs(self) -> int:
        """Every point in the training of every window."""
        return self.plan.points

    def steps(self) -> Steps[WalkForwardResult]:
        """Score every point in every training, choose, trade the choices with one account."""
        done = yield Step(self.plan, partial(trials_of_plan, self.plan))
        return self.choose(done).trade()

    @cached_property
    def plan(self) -> Plan:
        """Every point on the training rows of every window: an account that begins at its first row and does not see the
        bars after its last. The blocks are those of a profile of all bars, empty outside the window, so that the trials of
        different windows stand side by side."""
        size = self.points.chunk_size(self.experiment)
        profile = block_edges(0, self.experiment.bars.T, PROFILE_BLOCKS)
        chunks = []
        for window in self.windows:
            ((first, stop),) = window.train
            edges = tuple(np.clip(profile, first, stop).tolist())
            chunks += self.points.chunks(size, first=first, stop=stop, edges=edges)
        return Plan(KIND, self.experiment, tuple(chunks))

    def choose(self, done: PlanResult) -> WindowChoices:
        """What every window chooses. Raises BadParameter when none can choose a point, StrategyError when all
        runs failed."""
        runs = run_scores(self.plan.chunks, done, PROFILE_BLOCKS)
        gains = np.where(
            runs.column("round_trips") >= self.fewest_trades, self.objective.gains(runs.values), np.nan
        )
        surface = gains.reshape(len(self.windows), len(self.points))
        if self.select == PLATEAU:
            chosen = np.array([plateau(self.points.places, row, self.ordered).best for row in surface])
        else:
            chosen = best_of_each(surface)
        if (chosen == NONE).all():
            runs.refuse_if_all_failed()
            raise BadParameter(self._nothing_to_choose(runs))
        return WindowChoices(self, runs, surface, chosen)

    def _nothing_to_choose(self, runs: RunScores) -> str:
        few = f" and {self.fewest_trades} round trips" if self.fewest_trades else ""
        return (
            f"no point has a {self.objective.metric}{few} in the training of any window; give longer windows, another "
            f"objective, or fewer trades{runs.failures}"
        )


@dataclass(frozen=True)
class WindowChoices:
    """What every window chose. `runs` are window by window, in each point by point; `surface` (W, P) how good they are;
    `chosen` (W,) the choice, NONE for a window without one."""

    study: WalkForwardStudy
    runs: RunScores
    surface: Floats
    chosen: Integers

    @cached_property
    def trading(self) -> Integers:
        """(W,) the point that trades in each window: of one without a choice that of the window before."""
        return carried_forward(self.chosen)

    @property
    def begins(self) -> int:
        """The first window that trades."""
        return int(np.argmax(self.trading != NONE))

    @property
    def spans(self) -> list[Span]:
        """The rows from the first test row of each window to where the next one begins, which it trades from `begins` on."""
        starts = [window.test[0][0] for window in self.study.windows]
        stops = [*starts[1:], self.study.windows[-1].test[0][1]]
        return list(zip(starts, stops, strict=True))

    @property
    def segments(self) -> list[Segment]:
        """Who has the account from which row to which; windows with one point after each other are one segment."""
        segments: list[tuple[int, int, int]] = []
        for number, (start, stop) in list(zip(self.trading.tolist(), self.spans, strict=True))[self.begins :]:
            if segments and segments[-1][0] == number:
                start = segments.pop()[1]
            segments.append((number, start, stop))
        return [Segment(self.study.points.make(number), start, stop) for number, start, stop in segments]

    def trade(self, *, benchmark: bool = True) -> WalkForwardResult:
        """Run the one account through all windows."""
        experiment, settings = self.study.experiment, self.study.experiment.settings
        result = backtest_segments(
            self.segments,
            experiment.bars,
            capital=settings.capital,
            costs=settings.costs,
            allocation=settings.allocation,
            risk=settings.risk,
            fills=settings.fills,
            exits=settings.exits,
            instruments=settings.instruments,
            index=settings.index,
            benchmark=benchmark,
            seed=self.study.seed,
        )
        return WalkForwardResult(self, result)

    def in_sample(self, window: int) -> Mapping[str, float]:
        """The metrics, in its training, of the point that trades in a window."""
        row = window * len(self.study.points) + int(self.trading[window])
        return dict(zip(METRIC_NAMES, self.runs.values[row].tolist(), strict=True))


@dataclass(frozen=True, slots=True)
class WindowFigures:
    """One window that traded: its number from 0, rows trained on and traded, the point, whether it is its own choice, and
    what the point and the account did.

    `in_sample` and `out_of_sample` have sharpe, annual_return (mean return of a bar x bars a year), total_return, max_drawdown
    and `in_sample` round_trips; `benchmark_return` is that of buy and hold over the rows traded, or NaN.
    """

    number: int
    train: Span
    test: Span
    point: int
    own: bool
    in_sample: Mapping[str, float]
    out_of_sample: Mapping[str, float]
    benchmark_return: float


@dataclass(frozen=True)
class WalkForwardResult:
    """The result: the `choices` of the windows, and the `result` of the account that traded it, all of it out of sample."""

    choices: WindowChoices
    result: Result

    @property
    def study(self) -> WalkForwardStudy:
        """What was asked."""
        return self.choices.study

    @cached_property
    def returns(self) -> Floats:
        """(n,) of the account, NaN after its ruin."""
        return metrics.returns(self.result.account_curves[EQUITY], self.result.settings.capital)

    @property
    def judged(self) -> tuple[JudgedRun, ...]:
        """The account, in which several strategies traded."""
        result = self.result
        strategies = [(type(each), parameter_values(each)) for each in result.strategies]
        count = int(np.isfinite(self.returns).sum())
        return (JudgedRun(self.study.experiment, strategies, result.metrics, count, tuple(result.too_good)),)

    @property
    def headline(self) -> Mapping[str, float]:
        """The metrics of the account."""
        return self.result.metrics

    @property
    def more_trials(self) -> tuple[Trials, ...]:
        """The account itself: one more trial."""
        values, study = self.result.metrics, self.study
        sharpe = values["sharpe"] / math.sqrt(values["periods_per_year"])
        return (trial_of_account(study.experiment, study.study_id, self.result.first, self.returns, sharpe),)

    @cached_property
    def windows(self) -> list[WindowFigures]:
        """Every window that traded, in order."""
        choices, study = self.choices, self.study
        return [
            WindowFigures(
                number,
                study.windows[number].train[0],
                span,
                int(choices.trading[number]),
                bool(choices.chosen[number] != NONE),
                _in_sample(choices.in_sample(number)),
                self._out_of_sample(span),
                self._gain(self.result.benchmark_equity, span),
            )
            for number, span in list(enumerate(choices.spans))[choices.begins :]
        ]

    def _out_of_sample(self, span: Span) -> dict[str, float]:
        """What the account did in the rows of `span`."""
        before, equity = self._part(self.result.account_curves[EQUITY], span)
        earned = metrics.returns(equity, before)
        per_year = self.result.metrics["periods_per_year"]
        return {
            "sharpe": metrics.sharpe(earned, periods_per_year=per_year),
            "annual_return": float(np.nanmean(earned)) * per_year,
            "total_return": metrics.total_return(equity, before),
            "max_drawdown": metrics.max_drawdown(equity, before),
        }

    def _gain(self, equity: Floats | None, span: Span) -> float:
        if equity is None:
            return math.nan
        before, part = self._part(equity, span)
        return float(part[-1] / before - 1.0)

    def _part(self, equity: Floats, span: Span) -> tuple[float, Floats]:
        """The equity before `span` and in it."""
        start, stop = (row - self.result.first for row in span)
        before = self.result.settings.capital if start == 0 else float(equity[start - 1])
        return before, equity[start:stop]

    @cached_property
    def stability(self) -> Stability:
        """How steady the choice and its surface were over the windows that traded."""
        choices, begins = self.choices, self.choices.begins
        return stability(choices.surface[begins:], choices.trading[begins:], choices.study.points.places)

    @property
    def efficiency(self) -> dict[str, float]:
        """Walk-forward efficiency: what the account keeps of the mean annual return, and of the mean Sharpe ratio, that the
        chosen points had in their training."""
        in_sample = {
            name: float(np.mean([window.in_sample[name] for window in self.windows]))
            for name in ("annual_return", "sharpe")
        }
        whole = self._out_of_sample(
            (self.result.first, self.result.first + self.result.account_curves.shape[1])
        )
        return {
            "in_sample_sharpe": in_sample["sharpe"],
            "in_sample_annual_return": in_sample["annual_return"],
            "out_of_sample_sharpe": whole["sharpe"],
            "out_of_sample_annual_return": whole["annual_return"],
            "sharpe": efficiency(in_sample["sharpe"], whole["sharpe"]),
            "annual_return": efficiency(in_sample["annual_return"], whole["annual_return"]),
        }

    def parameters(self, window: WindowFigures) -> dict[str, Any]:
        """The values of the axes that trade in a window."""
        return self.study.points.parameters(window.point)


def _in_sample(values: Mapping[str, float]) -> dict[str, float]:
    """The figures of a training from the metrics of the run."""
    return {
        "sharpe": values["sharpe"],
        "annual_return": values["sharpe"] * values["volatility"],
        "total_return": values["total_return"],
        "max_drawdown": values["max_drawdown"],
        "round_trips": values["round_trips"],
    }
