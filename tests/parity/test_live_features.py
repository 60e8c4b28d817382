"""Features from a window of bars: their last row is the batch's, and a strategy that trades on them trades as in the backtest."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from gpt_trader import Allocation, Bars, Strategy, backtest
from gpt_trader.engine import messages
from gpt_trader.engine.account_step import holdings
from gpt_trader.engine.bar_by_bar import Trader, bars_of
from gpt_trader.engine.bar_decisions import decided_weights
from gpt_trader.engine.decision_delay import DecisionDelay
from gpt_trader.engine.live_features import LiveFeatures
from gpt_trader.engine.recorder import Recorder
from gpt_trader.engine.run_setup import Settings
from gpt_trader.engine.simulation import build_plan
from gpt_trader.engine.strategy_calls import compute_features
from gpt_trader.strategies import SHIPPED
from gpt_trader.strategy import uses_held
from tests.parity.test_bar_by_bar import busy_market
from tests.properties.truth_cases import shipped

HISTORY = 420  # of parameters below 35, smoothed ones included: what older bars weigh is below 1e-12
BARS = 900


def rows_of(strategy: Strategy, bars: Bars, history: int | None) -> list[Mapping[str, Any]]:
    live = LiveFeatures(strategy, bars.symbols, bars.timeframe, history)
    plan = build_plan(DecisionDelay.empty(0, bars.N), strategy, bars, Settings(), 0)
    return [live.push(bar) for bar in bars_of(plan.market)]


@pytest.mark.parametrize("name", SHIPPED)
@pytest.mark.parametrize("history", [HISTORY, None])
def test_the_last_row_is_the_batchs(name: str, history: int | None) -> None:
    bars = busy_market(3, BARS)
    strategy = shipped(name, random.Random(name))
    whole = compute_features(strategy, bars.strategy_view())
    seen = bars.strategy_view()
    for t, row in enumerate(rows_of(strategy, bars, history)):
        assert row["close"][0].tobytes() == seen.close[t].tobytes()
        for key, values in whole.items():
            np.testing.assert_allclose(
                row[key][0].astype(float),
                values[t].astype(float),
                rtol=1e-9,
                atol=1e-12,
                err_msg=f"{key} at {t}",
            )


@pytest.mark.parametrize("name", SHIPPED)
def test_a_strategy_on_live_features_trades_as_in_the_backtest(name: str) -> None:
    """Nothing of the batch is used but the average true ranges of its exits."""
    bars = busy_market(9, BARS)
    strategy = shipped(name, random.Random(f"live {name}"))
    settings = Settings(allocation=Allocation(gross=0.9))
    waiting = DecisionDelay.empty(0, bars.N)
    plan = build_plan(waiting, strategy, bars, settings, 0)
    recorder = Recorder()
    signals = plan.market.signals.shape[1] > 1
    trader = Trader(plan.market.info, settings.capital, plan.rules, HISTORY, recorder, signals=signals)
    live = LiveFeatures(strategy, bars.symbols, bars.timeframe, HISTORY)
    for bar in bars_of(plan.market):
        trader.bar(bar)
        row = live.push(bar)
        held = (
            holdings(trader.account.book, trader.window.factor[trader.window.t])
            if uses_held(strategy)
            else None
        )
        trader.decided(messages.Targets(decided_weights(strategy, row, held, 0, bars.N)))
    result = backtest(strategy, bars, allocation=settings.allocation)
    assert recorder.rows("fills").size > 0
    for column in ("quantity", "price", "bar", "symbol", "reason"):
        np.testing.assert_allclose(recorder.rows("fills")[column], result.log("fills")[column], rtol=1e-9)


@dataclass(frozen=True)
class SinceTheStart(Strategy):
    """The mean of all closes so far: its value depends on where the data begin."""

    def features(self, bars: Bars) -> dict[str, Any]:
        counts = np.arange(1, bars.T + 1)[:, None]
        return {"mean": np.nancumsum(bars.close, axis=0) / counts}

    def decide(self, now: Any) -> Any:
        return np.where(now.close > now.mean, 0.3, 0.0)


def test_endless_memory_is_right_from_a_declared_start_and_wrong_in_a_window() -> None:
    bars = busy_market(5, 600)
    whole = compute_features(SinceTheStart(), bars.strategy_view())["mean"]
    endless = rows_of(SinceTheStart(), bars, None)
    np.testing.assert_allclose([row["mean"][0] for row in endless], whole, rtol=1e-12)
    short = rows_of(SinceTheStart(), bars, 100)
    assert not np.allclose(short[-1]["mean"][0], whole[-1])


def test_a_window_takes_no_more_memory_the_longer_it_runs() -> None:
    bars = busy_market(6, 400)
    live = LiveFeatures(shipped("demo_ma", random.Random(1)), bars.symbols, "1d", 60)
    before = live._panel.nbytes
    plan = build_plan(DecisionDelay.empty(0, bars.N), live.strategy, bars, Settings(), 0)
    for bar in bars_of(plan.market):
        live.push(bar)
    assert live._panel.nbytes == before
