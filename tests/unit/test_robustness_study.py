"""The robustness study and runs on resampled markets: what is run, and that the answer is what single backtests say."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest

from gpt_trader import Allocation, Costs, FillModel, Strategy, Weights, backtest, param
from gpt_trader.engine.run_setup import Settings
from gpt_trader.errors import BadData, BadParameter, GptTraderError, UnknownName
from gpt_trader.performance_tuning import Tuning
from gpt_trader.research.bootstrap_runs import Bootstrap, bootstrapped, rerun
from gpt_trader.research.executor import InProcess
from gpt_trader.research.experiment import BASELINE, Experiment
from gpt_trader.research.plan import Plan, PlanResult, run_chunks
from gpt_trader.research.robustness_study import Changes, RobustnessStudy
from gpt_trader.research.study import run_study
from gpt_trader.strategies import load_strategy
from gpt_trader.validation.block_bootstrap import mean_block, resample
from gpt_trader.validation.intervals import HEADLINE
from tests.markets import random_market

BARS = random_market(500, 2, 5, sigma=0.01, drift=0.0008)
DEMO = load_strategy("demo_ma")
CHOSEN = DEMO(fast=5, slow=20)


class Worked:
    """Works plans off here and remembers how many runs each had."""

    def __init__(self) -> None:
        self.runs: list[int] = []

    def __call__(self, plan: Plan) -> PlanResult:
        self.runs.append(plan.points)
        return run_chunks(plan, InProcess(), None)


def asking(**changed: Any) -> RobustnessStudy:
    settings = Settings(allocation=Allocation(gross=1.0), **changed.pop("settings", {}))
    experiment = Experiment(changed.pop("kind", DEMO), changed.pop("bars", BARS), settings)
    strategy, bootstrap = changed.pop("strategy", CHOSEN), changed.pop("bootstrap", None)
    return RobustnessStudy(experiment, strategy, Changes(**{"neighbours": 12, **changed}), bootstrap)


@dataclass(frozen=True)
class Fragile(Strategy):
    """Holds half of the account; refuses n above 10, and fails where a price exceeds the limit."""

    n: int = param(10, low=1, high=50)
    limit: float = param(1e9, low=0.0)

    def validate(self) -> None:
        if self.n > 10:
            raise BadParameter("n is above 10")

    def decide(self, now: Any) -> Weights:
        if now.close.max() > self.limit:
            raise ZeroDivisionError("too high")
        return np.full_like(now.close, 0.25)


def test_every_run_is_what_its_backtest_says() -> None:
    found = run_study(asking(), Worked())
    allocation = Allocation(gross=1.0)
    for run in found.runs:
        scenario = run.scenario
        single = backtest(
            DEMO(**run.parameters), BARS, allocation=allocation, costs=Costs().times(scenario.cost_multiple),
            capital=100_000.0 * scenario.capital_multiple, fills=FillModel(delay=scenario.delay),
        )  # fmt: skip
        assert run.error is None
        assert run.metrics == {name: single.metrics[name] for name in run.metrics}
    assert found.base.parameters == {"fast": 5, "slow": 20, "atr": 14}
    assert [run.scenario.delay for run in found.delays] == [0, 1, 2]


def test_what_is_changed_is_run_once_and_crossings_are_narrowed_side_by_side() -> None:
    worked = Worked()
    asked = asking()
    found = run_study(asked, worked)
    assert worked.runs[0] == len(asked.real_runs()) == 1 + 8 + 2 + 8 + 12
    assert set(worked.runs[1:]) == {7}
    keys = [(tuple(run.parameters.values()), run.scenario) for run in found.runs]
    assert len(set(keys)) == len(keys)
    assert sum(worked.runs) == len(keys) <= asked.runs
    multiples = [run.scenario.cost_multiple for run in found.costs]
    assert multiples == sorted(set(multiples))
    assert found.break_even.found
    above, below = (
        next(run for run in found.costs if run.scenario.cost_multiple == x)
        for x in (found.break_even.low, found.break_even.high)
    )
    assert above.metrics["sharpe"] > 0 >= below.metrics["sharpe"]
    assert found.break_even.high - found.break_even.low <= 32 / 64


def test_the_capacity_is_where_half_of_the_growth_is_left() -> None:
    thin = replace_volume(2_000.0)
    found = run_study(asking(bars=thin), Worked())
    assert found.base.metrics["cagr"] > 0.02
    assert found.capacity.level == 0.5 * found.base.metrics["cagr"]
    low = next(run for run in found.capitals if run.scenario.capital_multiple == found.capacity.low)
    high = next(run for run in found.capitals if run.scenario.capital_multiple == found.capacity.high)
    assert low.metrics["cagr"] > found.capacity.level >= high.metrics["cagr"]
    assert found.capacity.low <= found.capacity.at <= found.capacity.high
    more = run_study(asking(bars=thin, kept=0.2), Worked())
    assert more.capacity.at > found.capacity.at


def replace_volume(volume: float) -> Any:
    panel = BARS.panel.copy()
    panel[4] = volume
    return replace_panel(panel)


def replace_panel(panel: np.ndarray) -> Any:
    from gpt_trader import Bars

    return Bars(BARS.symbols, BARS.time, panel)


def test_without_costs_there_is_no_break_even_and_without_growth_no_capacity() -> None:
    free = run_study(asking(settings={"costs": Costs.commission_only(0)}), Worked())
    assert [run.scenario for run in free.costs] == [BASELINE]
    assert np.isnan([free.break_even.at, free.break_even.low]).all()
    falling = BARS.panel.copy()
    falling[:4] = falling[[0, 2, 1, 3]] = 1e4 / falling[:4]
    lost = run_study(asking(bars=replace_panel(falling)), Worked())
    assert lost.base.metrics["cagr"] < 0
    assert np.isnan(lost.capacity.at)
    assert lost.break_even.at == 0.0
    assert not lost.break_even.found


def test_an_account_that_is_too_big_to_be_is_not_tried() -> None:
    asked = asking(settings={"capital": 1e12})
    assert asked.capital_places == (1.0, 10.0, 100.0)


def test_neighbours_depend_on_the_seed() -> None:
    assert asking(seed=1).points_nearby() == asking(seed=1).points_nearby()
    assert asking(seed=1).points_nearby() != asking(seed=2).points_nearby()


def test_neighbours_that_the_strategy_refuses_are_not_run() -> None:
    found = run_study(asking(kind=Fragile, strategy=Fragile(), neighbours=50), Worked())
    assert {run.parameters["n"] for run in found.neighbours} == {8, 9, 10}
    assert found.jitter.count == 50


def test_a_strategy_that_fails_as_it_is_ends_the_study() -> None:
    with pytest.raises(GptTraderError, match="ZeroDivisionError"):
        run_study(asking(kind=Fragile, strategy=Fragile(limit=1.0)), Worked())


def test_another_question_has_another_id_and_the_same_the_same() -> None:
    bootstrap = Bootstrap(100)
    ids = {
        asking().study_id,
        asking(metric="cagr").study_id,
        asking(seed=1).study_id,
        asking(strategy=DEMO(fast=6, slow=20)).study_id,
        asking(bootstrap=bootstrap).study_id,
        asking(bootstrap=replace(bootstrap, block=3.0)).study_id,
        asking(settings={"capital": 5.0}).study_id,
    }
    assert len(ids) == 7
    assert asking().study_id in ids


def test_questions_that_make_no_sense_are_refused() -> None:
    with pytest.raises(UnknownName, match="unknown metric 'sharp'"):
        asking(metric="sharp")
    for changed in ({"jitter": 0.0}, {"kept": 1.0}, {"delays": -1}, {"neighbours": -1}):
        with pytest.raises(BadParameter):
            asking(**changed)


# -- runs on resampled markets ----------------------------------------------------------------------------------------


def test_replicates_are_runs_on_the_resampled_markets_in_order() -> None:
    experiment = asking().experiment
    bootstrap = Bootstrap(40, seed=3).on(BARS)
    assert bootstrap.block == mean_block(BARS)
    values = bootstrapped(CHOSEN, experiment, bootstrap, Worked(), "test")
    assert values.shape[0] == 40
    for k in (0, 17, 39):
        single = backtest(CHOSEN, resample(BARS, 3, k), allocation=Allocation(gross=1.0))
        assert values[k].tolist() == list(single.metrics.values())[: values.shape[1]]


def test_chunks_do_not_change_what_comes_out() -> None:
    experiment, bootstrap = asking().experiment, Bootstrap(45).on(BARS)
    in_fours = replace(experiment, tuning=Tuning(runs_per_chunk=4))
    whole = bootstrapped(CHOSEN, experiment, bootstrap, Worked(), "test")
    worked = Worked()
    assert len(bootstrap.chunks(CHOSEN, BARS, in_fours.tuning)) == 12
    assert bootstrapped(CHOSEN, in_fours, bootstrap, worked, "test").tobytes() == whole.tobytes()


@pytest.mark.slow
def test_intervals_of_a_run_hold_its_numbers() -> None:
    experiment = asking().experiment
    single = backtest(CHOSEN, BARS, allocation=Allocation(gross=1.0))
    intervals = rerun(CHOSEN, experiment, single.metrics, Bootstrap(60), Worked())
    found = intervals.intervals
    assert [item.name for item in found] == list(HEADLINE)
    for item in found:
        assert item.estimate == single.metrics[item.name]
        assert item.count == 60
        if item.name != "max_drawdown":
            assert item.low < item.estimate < item.high
    again = np.array([backtest(CHOSEN, resample(BARS, 0, k)).metrics["sharpe"] for k in range(60)])
    ours = next(item for item in found if item.name == "sharpe")
    assert ours.deviation == pytest.approx(
        np.std(again, ddof=1), rel=0.05
    )  # the gross cap differs, and hardly matters
    narrow = rerun(CHOSEN, experiment, single.metrics, Bootstrap(60, level=0.5), Worked())
    assert narrow.of("sharpe").high - narrow.of("sharpe").low < 0.6 * (ours.high - ours.low)
    study = run_study(asking(bootstrap=Bootstrap(60).on(BARS)), Worked())
    assert study.intervals == intervals
    assert study.replicates is not None
    assert study.replicates.shape[0] == 60


def test_what_intervals_cannot_be_had_of_is_refused_before_any_run() -> None:
    with pytest.raises(BadParameter, match="38 resampled markets are too few"):
        Bootstrap(38).on(BARS)
    with pytest.raises(BadParameter, match="3 at the least"):
        Bootstrap(100, block=200.0).on(BARS)
    with pytest.raises(BadData, match="cannot be resampled"):
        Bootstrap(100).on(random_market(12, 1))


def test_a_strategy_that_fails_on_some_markets_counts_the_others_and_on_all_it_says_why() -> None:
    experiment, bootstrap = asking(kind=Fragile, strategy=Fragile()).experiment, Bootstrap(60).on(BARS)
    highest = np.array([resample(BARS, 0, k).close.max() for k in range(60)])
    limit = float(np.median(highest))
    values = bootstrapped(Fragile(limit=limit), experiment, bootstrap, Worked(), "test")
    assert np.isnan(values).all(axis=1).tolist() == (highest > limit).tolist()
    found = bootstrap.intervals(BARS, dict.fromkeys(HEADLINE, 0.1), values).intervals
    assert {item.count for item in found} == {30}
    with pytest.raises(GptTraderError, match=r"every resampled market: .*ZeroDivisionError"):
        bootstrapped(Fragile(limit=1.0), experiment, bootstrap, Worked(), "test")
