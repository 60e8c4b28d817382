"""How a sweep enters the trial ledger: each point once, also failed ones and those given up early."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from gpt_trader import backtest
from gpt_trader.adapters.store import RunStore
from gpt_trader.research.early_stopping import MedianRule
from gpt_trader.research.search_methods import GridSearch, RandomSearch
from gpt_trader.research.search_space import make_space
from gpt_trader.research.study import run_study
from gpt_trader.research.sweep_study import KIND, SweepStudy
from gpt_trader.research.trials import Trials
from jobs.trial_counting import Counting, batches_of, trial_of
from tests.sweep_cases import ALL_IN, BARS, EXPERIMENT, Steady
from tests.unit.test_sweep import SHARPE, in_order

NOW = datetime(2026, 1, 5, tzinfo=UTC)


def counting_in(folder: Path) -> Counting:
    """The ledger in a folder."""
    return Counting(RunStore(f"sqlite:///{folder}/store.sqlite"), KIND, clock=lambda: NOW)


def test_a_point_of_a_sweep_and_its_backtest_are_one_trial() -> None:
    space = make_space(Steady, {"share": "5:9", "days": "3"})
    tried: list[Trials] = []
    run_study(SweepStudy(EXPERIMENT, space, GridSearch(space), SHARPE), in_order, tried.extend)
    (batch,) = (batch for trials in tried for batch in batches_of(trials, KIND))
    single = trial_of(backtest(Steady(share=6, days=3), BARS, allocation=ALL_IN.allocation))
    assert batch.keys[1].tobytes() == single.keys[0].tobytes()
    assert batch.sharpe[1] == single.sharpe[0]
    assert np.isnan(batch.sharpe[[2, 3]]).all()  # 7 and 8 failed; they were tried
    np.testing.assert_allclose(batch.profiles[1], single.profiles[0], atol=1e-6)
    shared = ("family", "data", "symbols", "timeframe", "bars", "periods_per_year", "observations")
    assert [getattr(batch, name) for name in shared] == [getattr(single, name) for name in shared]


@pytest.mark.slow
def test_points_given_up_early_are_trials_on_the_bars_they_saw(tmp_path: Path) -> None:
    space = make_space(Steady, {"share": "1:90", "mode": "both,first"})
    sweep = SweepStudy(EXPERIMENT, space, RandomSearch(space, 60, 1, 15), SHARPE, MedianRule((100, 200)))
    counting, tried = counting_in(tmp_path), list[Trials]()

    def keep(made: Iterable[Trials]) -> None:
        new = list(made)
        tried.extend(new)
        counting.keep(new)

    surface = run_study(sweep, in_order, keep).surface
    count = counting.count(EXPERIMENT)
    assert counting.problem is None
    assert count is not None
    assert (count.raw, count.overlapping, count.family_total) == (60, 60, 60)
    assert {100, 400} <= {int(trials.observations[0]) for trials in tried} <= {100, 200, 400}
    assert sum(len(trials.keys) for trials in tried) == 60
    early = next(trials for trials in tried if trials.observations[0] == 100)
    assert not early.profiles[:, 8:].any()
    assert early.profiles[:, :8].all()
    row = next(row for row, look in surface.early_stops.items() if look.stop == 100)
    short = backtest(
        Steady(**surface.parameters(row)),
        BARS.select(end=BARS.time[99]),
        allocation=ALL_IN.allocation,
        benchmark=False,
    )
    per_bar = short.metrics["sharpe"] / np.sqrt(short.metrics["periods_per_year"])
    assert early.sharpe[0] == per_bar


def test_the_same_points_are_counted_once(tmp_path: Path) -> None:
    space = make_space(Steady, {"share": "10:20"})
    for _ in range(2):
        counting = counting_in(tmp_path)
        run_study(SweepStudy(EXPERIMENT, space, GridSearch(space), SHARPE), in_order, counting.keep)
    count = counting.count(EXPERIMENT)
    assert count is not None
    assert count.raw == 11


def test_a_store_that_refuses_stops_no_sweep(tmp_path: Path) -> None:
    (tmp_path / "store.sqlite").write_bytes(b"no database" * 500)
    space = make_space(Steady, {"share": "10:20"})
    counting = counting_in(tmp_path)
    study = SweepStudy(EXPERIMENT, space, RandomSearch(space, 11, 0, 4), SHARPE)
    assert len(run_study(study, in_order, counting.keep).surface) == 11
    assert counting.count(EXPERIMENT) is None
    assert "NOT counted" in str(counting.problem)
