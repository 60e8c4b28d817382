"""Runs a strategy a bar at a time: account and simulated venue apart, as a session trades, with nothing of the bars to come."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import numpy as np

from gpt_trader import Bars
from gpt_trader.engine import messages
from gpt_trader.engine.account_step import Account, holdings
from gpt_trader.engine.bar_by_bar import Trader, bars_of
from gpt_trader.engine.bar_decisions import decided_requests, decided_weights
from gpt_trader.engine.decision_delay import DecisionDelay
from gpt_trader.engine.recorder import Recorder
from gpt_trader.engine.run_setup import Settings
from gpt_trader.engine.simulation import build_plan
from gpt_trader.result import Result
from gpt_trader.strategy import OrderStrategy, Strategy, uses_held

# what belongs to the venue, or says a row of memory
NOT_COMPARED = ("earlier", "later", "sibling", "charge", "charged", "intrabar", "replaces", "before")


def trade(
    strategy: Strategy, bars: Bars, options: dict[str, Any], rows: int = 70, restart: int = 0
) -> tuple[Trader, Recorder]:
    """The strategy over all bars, in a window of `rows`; the account is made anew from its state every `restart` bars."""
    known = {item.name for item in fields(Settings)}
    settings = Settings(**{key: value for key, value in options.items() if key in known})
    waiting = DecisionDelay.empty(settings.fills.delay, bars.N)
    plan = build_plan(waiting, strategy, bars, settings, 0)
    recorder = Recorder()
    market = plan.market
    trader = Trader(
        market.info, settings.capital, plan.rules, rows, recorder, signals=market.signals.shape[1] > 1
    )
    for t, bar in enumerate(bars_of(market)):
        trader.bar(bar)
        if restart and t % restart == 0:
            trader.account = Account(trader.account.state(), plan.rules, trader.window)
        held = None
        if uses_held(strategy):
            factor = plan.factor[t] if plan.factor.shape[0] > 1 else np.ones(bars.N)
            held = holdings(trader.account.book, factor)
        if isinstance(strategy, OrderStrategy):
            asked = decided_requests(strategy, plan.columns, held, t, bars.N)
            trader.decided(messages.Requests(waiting.requests_at(t, asked)))
        else:
            wanted = decided_weights(strategy, plan.columns, held, t, bars.N)
            trader.decided(messages.Targets(waiting.weights_at(t, wanted)))
    return trader, recorder


def assert_same(result: Result, trader: Trader, recorder: Recorder) -> None:
    """Curve, fills, orders, closed trades and decisions have the bits of the backtest."""
    assert np.array_equal(recorder.rows("curve").T, result.account_curves), "curve"
    ours = {name: recorder.rows(name) for name in ("fills", "trades", "decisions", "orders")}
    open_orders = trader.account.state().orders
    ours["orders"] = np.concatenate([ours["orders"], open_orders]) if len(ours["orders"]) else open_orders
    ours["orders"] = ours["orders"][np.argsort(ours["orders"]["id"], kind="stable")]
    for name, mine in ours.items():
        theirs = result.log(name)
        assert len(mine) == len(theirs), (name, len(mine), len(theirs))
        for column in theirs.dtype.names or ():
            if len(theirs) and column not in NOT_COMPARED:
                same = mine[column].tobytes() == theirs[column].tobytes()
                where = () if same else np.flatnonzero(mine[column] != theirs[column])[:5]
                assert same, (name, column, where, mine[where], theirs[where])
