"""A ruined account has no return after its ruin: a study counts the same number of returns as a backtest of that point."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from gpt_trader import Allocation, Strategy, Weights, backtest, param
from gpt_trader.bars import Bars
from gpt_trader.engine.metric_definitions import METRIC_NAMES
from gpt_trader.engine.run_setup import Settings
from gpt_trader.metrics import returns
from gpt_trader.research.experiment import Experiment
from gpt_trader.research.objectives import Objective
from gpt_trader.research.response_surface import Surface
from gpt_trader.research.scenario_runs import ScenarioRun
from gpt_trader.research.search_methods import GridSearch
from gpt_trader.research.search_space import make_space
from gpt_trader.research.selection_bias import returns_counted
from gpt_trader.research.study import run_study
from gpt_trader.research.sweep_analysis import SweepAnalysis
from gpt_trader.research.sweep_study import SweepStudy
from gpt_trader.research.trials import Trials, trials_of_runs
from jobs.command_results import verdict_of_run
from jobs.trial_counting import batches_of, trial_of
from tests.markets import random_market
from tests.unit.test_sweep import in_order

pytestmark = pytest.mark.slow  # many studies

SETTINGS = Settings(allocation=Allocation(gross=2.0, position=2.0))
SHARES = (0, 10, 60, 120, 190)


def jumping() -> Bars:
    """400 bars of a stock that doubles at row 150 and triples at row 301."""
    calm = random_market(400, 1, 3, sigma=0.01)
    panel = calm.panel.copy()
    panel[:4, 150:] *= 2.0
    panel[:4, 301:] *= 3.0
    return Bars(calm.symbols, calm.time, panel)


@dataclass(frozen=True)
class Short(Strategy):
    """Sells `share` per cent of the account short."""

    share: int = param(10, low=0, high=200)

    def decide(self, now: Any) -> Weights:
        return np.full_like(now.close, -self.share / 100)


BARS = jumping()
EXPERIMENT = Experiment(Short, BARS, SETTINGS)
SPACE = make_space(Short, {"share": SHARES})
LENGTHS = [(173, 2), (302, 1), (400, 2)]
"""How many accounts have how many returns."""


def alone(share: int) -> Any:
    return backtest(Short(share=share), BARS, allocation=SETTINGS.allocation)


def lived(share: int) -> int:
    result = alone(share)
    return int(np.isfinite(returns(result.account_curves[0], 100_000.0)).sum())


@pytest.fixture(scope="module")
def swept() -> tuple[Surface, list[Trials]]:
    tried: list[Trials] = []
    study = SweepStudy(EXPERIMENT, SPACE, GridSearch(SPACE), (Objective("sharpe"),))
    return run_study(study, in_order, tried.extend).surface, tried


@pytest.fixture(scope="module")
def surface(swept: tuple[Surface, list[Trials]]) -> Surface:
    return swept[0]


def test_the_market_ruins_some_accounts_early_and_some_late() -> None:
    assert sorted(Counter(map(lived, SHARES)).items()) == LENGTHS


def test_the_returns_of_a_point_are_those_until_its_ruin(surface: Surface) -> None:
    counted = returns_counted(surface.values, surface.sums, BARS.T)
    assert counted.tolist() == [lived(share) for share in SHARES]


def test_a_point_that_failed_has_the_returns_it_would_have_had() -> None:
    nothing = np.full((1, len(METRIC_NAMES)), np.nan), np.full((1, 2, 32), np.nan, np.float32)
    assert returns_counted(*nothing, 400).tolist() == [400]


def test_an_account_that_is_ruined_on_its_first_bar_has_one_return() -> None:
    values = np.full((1, len(METRIC_NAMES)), np.nan)
    values[0, METRIC_NAMES.index("max_drawdown")] = -1.5
    sums = np.zeros((1, 2, 32), np.float32)
    sums[0, :, 0] = -1.5, 2.25
    assert returns_counted(values, sums, 400).tolist() == [1]


def test_a_ruined_point_is_the_trial_that_its_backtest_is(swept: tuple[Surface, list[Trials]]) -> None:
    made = [batch for trials in swept[1] for batch in batches_of(trials, "sweep")]
    assert sorted((batch.observations, len(batch.keys)) for batch in made) == LENGTHS
    by_key = {key.tobytes(): batch for batch in made for key in batch.keys}
    assert len(by_key) == len(SHARES)
    for share in SHARES:
        single = trial_of(alone(share))
        batch = by_key[single.keys[0].tobytes()]
        row = [key.tobytes() for key in batch.keys].index(single.keys[0].tobytes())
        assert batch.observations == single.observations
        np.testing.assert_array_equal(batch.sharpe[row], single.sharpe[0])
        np.testing.assert_allclose(batch.profiles[row], single.profiles[0], atol=1e-6)


def test_runs_of_other_studies_are_these_trials_as_well(surface: Surface) -> None:
    runs: Sequence[Any] = [
        ScenarioRun({"share": share}, None, surface.metrics(row), surface.sums[row], None)  # type: ignore[arg-type]
        for row, share in enumerate(SHARES)
    ]
    made = list(batches_of(trials_of_runs(EXPERIMENT, runs), "compare"))
    assert sorted((batch.observations, len(batch.keys)) for batch in made) == LENGTHS


@pytest.mark.parametrize("row", range(1, len(SHARES)))
def test_what_a_sweep_says_of_a_point_is_what_its_backtest_says(surface: Surface, row: int) -> None:
    result = alone(SHARES[row])
    single = verdict_of_run(result, trial_of(result), None).statistics
    said = SweepAnalysis(EXPERIMENT, SPACE, surface, (Objective("sharpe"),)).statistics_of(row)
    assert (said.observations, said.psr, said.min_track_record_bars) == (
        single.observations,
        pytest.approx(single.psr, rel=1e-12),
        pytest.approx(single.min_track_record_bars, rel=1e-12),
    )
