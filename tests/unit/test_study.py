"""What all studies have in common: plans, trials that are counted also when it is stopped, one kind of result."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from gpt_trader import Allocation, backtest
from gpt_trader.engine.run_setup import Settings
from gpt_trader.errors import StudyStopped
from gpt_trader.performance_tuning import Tuning
from gpt_trader.research.bootstrap_runs import Bootstrap
from gpt_trader.research.comparison_study import Candidate, ComparisonStudy
from gpt_trader.research.cross_validation_study import CrossValidationStudy
from gpt_trader.research.executor import InProcess
from gpt_trader.research.experiment import Experiment
from gpt_trader.research.objectives import Objective
from gpt_trader.research.parameter_points import points_of
from gpt_trader.research.plan import Plan, PlanResult, run_chunks
from gpt_trader.research.robustness_study import Changes, RobustnessStudy
from gpt_trader.research.search_methods import GridSearch
from gpt_trader.research.search_space import make_space
from gpt_trader.research.study import Study, run_study
from gpt_trader.research.sweep_study import SweepStudy
from gpt_trader.research.trials import Trials
from gpt_trader.research.walk_forward_study import WalkForwardStudy
from gpt_trader.strategies.demo_ma import DemoMa
from gpt_trader.validation.durations import Duration
from gpt_trader.validation.splits import walk_forward
from tests.markets import random_market

BARS = random_market(400)
EXPERIMENT = Experiment(DemoMa, BARS, Settings(allocation=Allocation(gross=1.0)), Tuning(runs_per_chunk=2))
SPACE = make_space(DemoMa, {"fast": "3:7", "slow": "20"})
POINTS = points_of(DemoMa, SPACE)


def sweep() -> SweepStudy:
    return SweepStudy(EXPERIMENT, SPACE, GridSearch(SPACE), (Objective("sharpe"),))


def walk() -> WalkForwardStudy:
    windows = walk_forward(BARS.time, Duration(bars=150), Duration(bars=60))
    return WalkForwardStudy(EXPERIMENT, POINTS, (True,), windows, Objective("sharpe"))


def crossed() -> CrossValidationStudy:
    return CrossValidationStudy(EXPERIMENT, POINTS, 6, 2, None, Duration(bars=5))


def compared() -> ComparisonStudy:
    sides = tuple(Candidate(str(fast), EXPERIMENT, DemoMa(fast, 20)) for fast in (4, 6))
    return ComparisonStudy(sides, Bootstrap(60).on(BARS))


def shaken() -> RobustnessStudy:
    return RobustnessStudy(EXPERIMENT, DemoMa(5, 20), Changes(neighbours=6), Bootstrap(60).on(BARS))


STUDIES: dict[str, Callable[[], Study[Any]]] = {
    "sweep": sweep, "walkforward": walk, "cv": crossed, "compare": compared, "robustness": shaken,
}  # fmt: skip
TRIALS = {"sweep": 5, "walkforward": 5 * 4 + 1, "cv": 5, "compare": 2, "robustness": 1 + 6}
"""Runs that could have been chosen: in every window of a walk-forward each point, and its account."""

every_study = pytest.mark.parametrize("kind", STUDIES)


def work(plan: Plan) -> PlanResult:
    return run_chunks(plan, InProcess(), None)


@every_study
def test_a_study_is_run_its_trials_are_counted_and_what_it_puts_forward_is_judged(kind: str) -> None:
    study, tried = STUDIES[kind](), list[Trials]()
    assert study.kind == kind
    result = run_study(study, work, tried.extend)
    assert sum(len(trials.keys) for trials in tried) == TRIALS[kind]
    assert len(result.judged) == (2 if kind == "compare" else 1)
    for run in result.judged:
        assert run.experiment is EXPERIMENT
        assert run.metrics["sharpe"] == run.metrics["sharpe"]
        assert 0 < run.observations <= BARS.T
        assert {strategy for strategy, _ in run.strategies} == {DemoMa}
    assert np.isfinite(result.headline["sharpe"])


@every_study
def test_what_a_study_puts_forward_are_runs_that_a_backtest_gives(kind: str) -> None:
    if kind == "walkforward":
        return  # its account is traded by several strategies: tests/properties/test_truth_walk_forward.py
    for run in run_study(STUDIES[kind](), work).judged:
        ((strategy, parameters),) = run.strategies
        single = backtest(strategy(**parameters), BARS, allocation=Allocation(gross=1.0))
        assert {name: single.metrics[name] for name in run.metrics} == dict(run.metrics)


@every_study
def test_the_same_question_has_the_same_id_and_another_one_another(kind: str) -> None:
    one, again = STUDIES[kind](), STUDIES[kind]()
    assert one.study_id == again.study_id
    assert len(one.study_id) == 16
    assert len({make().study_id for make in STUDIES.values()}) == len(STUDIES)


@every_study
def test_a_study_that_is_stopped_counts_the_trials_that_were_finished_and_says_why(kind: str) -> None:
    """Cut short within its first plan from whose runs can be chosen."""
    study, tried = STUDIES[kind](), list[Trials]()
    stop = StudyStopped("enough", interrupted=False)

    def stopping(plan: Plan) -> PlanResult:
        if kind == "cv" and len(plan.chunks) == 1:
            return work(plan)  # those that tell the horizon
        done = work(plan)
        first = (done.results[0], *[None] * (len(plan.chunks) - 1))
        return replace(done, results=first, cancelled=True, stopped=stop)

    with pytest.raises(StudyStopped) as caught:
        run_study(study, stopping, tried.extend)
    assert caught.value is stop
    counted = sum(len(trials.keys) for trials in tried)
    assert 0 < counted <= 2
    assert counted < TRIALS[kind] or kind == "compare"


@every_study
def test_a_study_says_how_many_runs_it_takes(kind: str) -> None:
    study, planned = STUDIES[kind](), 0

    def counting(plan: Plan) -> PlanResult:
        nonlocal planned
        planned += plan.points
        return work(plan)

    run_study(study, counting)
    if kind == "robustness":
        assert study.runs is not None
        assert planned <= study.runs
    elif study.runs is not None:
        assert planned == study.runs
    else:
        assert kind == "cv"


def test_a_search_that_names_no_point_ends_without_a_plan() -> None:
    search = GridSearch(SPACE)
    while search.ask():
        pass
    found = run_study(replace(sweep(), search=search), work)
    assert (len(found.surface), found.judged, dict(found.headline)) == (0, (), {})
