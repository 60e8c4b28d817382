"""What all studies are: plans of runs, each made from what came of the one before, and at the end one result.

A sweep, a walk-forward, a cross-validation, a comparison and a robustness study differ in what they plan and in what they
conclude. Who does the runs, what is stored of them, and where trials are counted is the same for all: `run_study`.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from gpt_trader.engine.metric_definitions import METRIC_NAMES
from gpt_trader.research.experiment import Experiment
from gpt_trader.research.plan import Plan, PlanResult
from gpt_trader.research.selection_bias import returns_counted
from gpt_trader.research.trials import Trials
from gpt_trader.strategy import Strategy
from gpt_trader.too_good import Holding, of_metrics

if TYPE_CHECKING:
    from gpt_trader.validation.overfitting import Overfitting

Work = Callable[[Plan], PlanResult]
"""Runs a plan: `run_chunks` with an executor, or the command of a study, which stores, shows and can be stopped."""


def nothing_to_choose(_done: PlanResult) -> Iterable[Trials]:
    """The trials of a plan from whose runs nobody chooses."""
    return ()


@dataclass(frozen=True, slots=True)
class Step:
    """A plan to be run now, and the `trials` in it: the runs that could have been chosen, also when the plan was cut short."""

    plan: Plan
    trials: Callable[[PlanResult], Iterable[Trials]] = nothing_to_choose


@dataclass(frozen=True, slots=True, eq=False)
class JudgedRun:
    """A run that a study puts forward, to be judged after all trials: its `metrics`, made of so many returns, the
    `strategies` that traded in it with their parameters, and what about it is `too_good` to be true, a sentence each."""

    experiment: Experiment
    strategies: Sequence[tuple[type[Strategy], Mapping[str, Any]]]
    metrics: Mapping[str, float]
    observations: int
    too_good: tuple[str, ...] = ()
    overfitting: Overfitting | None = None


def judged_point(
    experiment: Experiment,
    parameters: Mapping[str, Any],
    metrics: Mapping[str, float],
    sums: NDArray[np.floating[Any]],
) -> JudgedRun:
    """The run of one point over all bars of the experiment, with `sums` (2, B) of its returns in blocks."""
    values = np.array([[metrics[name] for name in METRIC_NAMES]])
    count = int(returns_counted(values, sums[None], experiment.bars.T)[0])
    doubts = of_metrics(metrics, Holding(experiment.bars))
    return JudgedRun(experiment, [(experiment.strategy, parameters)], metrics, count, doubts)


class StudyResult(Protocol):
    """What every study concludes; the rest is its own."""

    @property
    def judged(self) -> Sequence[JudgedRun]:
        """The runs put forward: the best point, the account that traded the choices, every side of a comparison. Empty when
        there is none."""
        ...

    @property
    def headline(self) -> Mapping[str, float]:
        """The metrics that stand for the study in a list of studies; empty when it has none."""
        ...

    @property
    def more_trials(self) -> Iterable[Trials]:
        """Trials beside the runs of the plans: an account that traded what was chosen."""
        ...


ResultT = TypeVar("ResultT", bound=StudyResult, covariant=True)
Steps = Generator[Step, PlanResult, ResultT]


class Study(Protocol[ResultT]):
    """A question to many runs: `kind` is sweep, walkforward, cv, compare or robustness."""

    @property
    def kind(self) -> str: ...

    @property
    def experiment(self) -> Experiment:
        """What the runs share; of a comparison that of the first side."""
        ...

    @property
    def study_id(self) -> str:
        """16 hex digits that stand for the question: the same one has the same id."""
        ...

    @property
    def runs(self) -> int | None:
        """How many runs it takes at the most; None where that is not known before."""
        ...

    def steps(self) -> Steps[ResultT]:
        """Plan, be told what came of it, plan again, conclude. Raises GptTraderError where nothing can be concluded."""
        ...


def run_study(
    study: Study[ResultT], work: Work, count: Callable[[Iterable[Trials]], None] = lambda _trials: None
) -> ResultT:
    """Have `work` run every plan of a study, `count` its trials, and return what it concludes.

    Trials of a plan that was stopped are counted first; then what stopped it is raised.
    """
    steps = study.steps()
    done: Any = None  # what a generator is sent first
    while True:
        try:
            step = steps.send(done)
        except StopIteration as end:
            result: ResultT = end.value
            count(result.more_trials)
            return result
        done = work(step.plan)
        count(step.trials(done))
        if done.stopped is not None:
            raise done.stopped
