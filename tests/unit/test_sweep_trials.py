"""How a sweep enters the trial ledger: each point once, also failed ones and those given up early."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from gpt_trader import backtest
from gpt_trader.adapters.store import RunStore
from gpt_trader.research.early_stopping import MedianRule
from gpt_trader.research.response_surface import Surface
from gpt_trader.research.search_methods import GridSearch, RandomSearch
from gpt_trader.research.search_space import Space, make_space
from gpt_trader.research.sweep_study import KIND, SweepStudy, run_sweep
from jobs.counting import Counting, trial_of
from jobs.counting import batches_of_surface as batches
from tests.sweep_cases import ALL_IN, BARS, EXPERIMENT, Steady
from tests.unit.test_sweep import SHARPE, in_order

NOW = datetime(2026, 1, 5, tzinfo=UTC)


def counting_in(folder: Path, space: Space) -> tuple[Counting, Callable[[Surface], None]]:
    """The ledger in a folder, and what counts a part of a sweep over `space` in it."""
    counting = Counting(RunStore(f"sqlite:///{folder}/store.sqlite"), EXPERIMENT, KIND, clock=lambda: NOW)
    return counting, lambda part: counting.keep(batches(part, EXPERIMENT, space))


def test_a_point_of_a_sweep_and_its_backtest_are_one_trial() -> None:
    space = make_space(Steady, {"share": "5:9", "days": "3"})
    surface = run_sweep(SweepStudy(EXPERIMENT, space, GridSearch(space), SHARPE), in_order).surface
    (batch,) = batches(surface, EXPERIMENT, space)
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
    counting, keep = counting_in(tmp_path, space)
    surface = run_sweep(sweep, in_order, keep).surface
    count = counting.count()
    assert counting.problem is None
    assert count is not None
    assert (count.raw, count.overlapping, count.family_total) == (60, 60, 60)
    by_length = {batch.observations: batch for batch in batches(surface, EXPERIMENT, space)}
    assert {100, 400} <= by_length.keys() <= {100, 200, 400}
    assert sum(len(batch.keys) for batch in by_length.values()) == 60
    early = by_length[100]
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
        counting, keep = counting_in(tmp_path, space)
        run_sweep(SweepStudy(EXPERIMENT, space, GridSearch(space), SHARPE), in_order, keep)
    count = counting.count()
    assert count is not None
    assert count.raw == 11


def test_a_store_that_refuses_stops_no_sweep(tmp_path: Path) -> None:
    (tmp_path / "store.sqlite").write_bytes(b"no database" * 500)
    space = make_space(Steady, {"share": "10:20"})
    counting, keep = counting_in(tmp_path, space)
    swept = run_sweep(SweepStudy(EXPERIMENT, space, RandomSearch(space, 11, 0, 4), SHARPE), in_order, keep)
    assert len(swept.surface) == 11
    assert counting.count() is None
    assert "NOT counted" in str(counting.problem)
