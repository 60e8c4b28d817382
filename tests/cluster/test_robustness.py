"""Runs under scenarios and on resampled markets come out of workers as they come out of this process."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from gpt_trader import Allocation, load_bars
from gpt_trader.engine.run_setup import Settings
from gpt_trader.performance_tuning import Tuning
from gpt_trader.research.bootstrap_runs import Bootstrap
from gpt_trader.research.executor import Executor, InProcess
from gpt_trader.research.experiment import Experiment
from gpt_trader.research.plan import Plan, PlanResult, run_chunks
from gpt_trader.research.robustness_study import Changes, RobustnessStudy
from gpt_trader.research.study import run_study
from gpt_trader.strategies import load_strategy
from jobs.executors.ray_tasks import RayTasks
from tests.cluster.nodes import Cluster

pytestmark = pytest.mark.ray


def by(executor: Executor) -> Callable[[Plan], PlanResult]:
    return lambda plan: run_chunks(plan, executor, None)


def test_workers_change_nothing(driver: Cluster) -> None:
    bars = load_bars(["AAPL", "IBM"], start="2008-01-01", end="2010-12-31")
    settings = Settings(allocation=Allocation(gross=1.0, regime="IBM"))
    kind = load_strategy("demo_ma")
    study = RobustnessStudy(
        Experiment(kind, bars, settings, Tuning(runs_per_chunk=16)),
        kind(5, 20),
        Changes(neighbours=5),
        Bootstrap(80).on(bars),
    )
    here, there = run_study(study, by(InProcess())), run_study(study, by(RayTasks(None)))
    assert here.replicates is not None
    assert there.replicates is not None
    assert here.replicates.tobytes() == there.replicates.tobytes()
    assert here.intervals == there.intervals
    assert len(here.runs) == len(there.runs)
    for one, other in zip(here.runs, there.runs, strict=True):
        assert (one.parameters, one.scenario, one.error) == (other.parameters, other.scenario, other.error)
        assert np.array_equal(list(one.metrics.values()), list(other.metrics.values()), equal_nan=True)
        assert one.sums.tobytes() == other.sums.tobytes()
