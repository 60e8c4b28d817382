"""Two runs that differ in a number have another id; what is kept under an id is never taken for another run's."""

from __future__ import annotations

import numpy as np

from gpt_trader import Bars
from tests.markets import random_market
from tests.properties.truth_cases import hold, run, scripted


def test_a_run_with_a_benchmark_is_not_the_run_without() -> None:
    bars = random_market(60, 1, 1)
    with_one, without = (run(scripted(hold(60)), bars, benchmark=wanted) for wanted in (True, False))
    assert np.isnan(without.metrics["benchmark_sharpe"]) != np.isnan(with_one.metrics["benchmark_sharpe"])
    assert with_one.run_id != without.run_id


def test_an_action_on_a_day_without_a_bar_shows_in_the_fingerprint() -> None:
    """It takes effect (docs/assumptions.md, step 0), so it belongs to the data."""
    found = []
    for dividend in (0.0, 2.0):
        panel = random_market(60, 1, 1).panel.copy()
        panel[:4, 30], panel[4, 30], panel[6, 30] = np.nan, 0.0, dividend
        bars = Bars(("A",), random_market(60, 1, 1).time, panel)
        found.append(run(scripted(hold(60)), bars))
    assert found[0].metrics["final_equity"] != found[1].metrics["final_equity"]
    assert found[0].fingerprint != found[1].fingerprint
    assert found[0].run_id != found[1].run_id


def test_empty_rows_and_other_symbols_do_not_show_in_a_fingerprint() -> None:
    bars = random_market(60, 2, 1, gaps=0.1)
    first = bars.present[:, 0]
    alone = Bars(("S0",), bars.time[first], bars.panel[:, first, :1])
    assert alone.fingerprint()["S0"] == bars.fingerprint()["S0"]
