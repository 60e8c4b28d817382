"""Runs a strategy a bar at a time: account and simulated venue apart, as a session trades, with nothing of the bars to come."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import numpy as np

from gpt_trader import Bars
from gpt_trader.engine import messages as say
from gpt_trader.engine.bar_by_bar import Trader, bars_of
from gpt_trader.engine.core import holdings
from gpt_trader.engine.deciding import decide_bar
from gpt_trader.engine.recorder import Recorder
from gpt_trader.engine.session import prepare
from gpt_trader.engine.setup import Settings
from gpt_trader.engine.waiting import Waiting
from gpt_trader.orders import OrderRequest
from gpt_trader.result import Result
from gpt_trader.strategy import Held, OrderStrategy, Row, Strategy, is_per_symbol, uses_held

# what belongs to the venue, or says a row of memory
NOT_COMPARED = ("earlier", "later", "sibling", "charge", "charged", "inside", "replaces", "before")


def trade(strategy: Strategy, bars: Bars, options: dict[str, Any], rows: int = 70) -> tuple[Trader, Recorder]:
    """The strategy over all bars, in a window of `rows`."""
    known = {item.name for item in fields(Settings)}
    settings = Settings(**{key: value for key, value in options.items() if key in known})
    waiting = Waiting.nothing(settings.fills.delay, bars.N)
    plan = prepare(waiting, strategy, bars, settings, 0)
    recorder = Recorder()
    market = plan.market
    trader = Trader(
        market.info, settings.capital, plan.rules, rows, recorder, signals=market.signals.shape[1] > 1
    )
    for t, bar in enumerate(bars_of(market)):
        trader.bar(bar)
        held = None
        if uses_held(strategy):
            factor = plan.factor[t] if plan.factor.shape[0] > 1 else np.ones(bars.N)
            held = holdings(trader.account.book, factor)
        row = Row({name: column[t] for name, column in plan.columns.items()})
        if isinstance(strategy, OrderStrategy):
            trader.decided(say.Requests(waiting.requests_at(t, _asked(strategy, row, held, bars.N))))
        else:
            trader.decided(say.Targets(waiting.weights_at(t, _wanted(strategy, row, held, bars.N))))
    return trader, recorder


def _wanted(strategy: Strategy, row: Row, held: Held | None, symbols: int) -> Any:
    if not is_per_symbol(strategy):
        return decide_bar(strategy, row, held, symbols)
    return np.array([float(strategy.decide(*_of(row, held, n))) for n in range(symbols)])


def _asked(strategy: Any, row: Row, held: Any, symbols: int) -> tuple[OrderRequest, ...]:
    if not is_per_symbol(strategy):
        return _requests(strategy.decide(row, held))
    found: list[OrderRequest] = []
    for n in range(symbols):
        answer = strategy.decide(*_of(row, held, n))
        found += [request._replace(symbol=n) for request in _requests(answer)]
    return tuple(found)


def _requests(answer: Any) -> tuple[OrderRequest, ...]:
    if answer is None:
        return ()
    return (answer,) if isinstance(answer, OrderRequest) else tuple(answer)


def _of(row: Row, held: Held | None, n: int) -> tuple[Any, ...]:
    one = Row({k: (a[n] if a.size > n else a[0]).item() for k, a in vars(row).items()})
    if held is None:
        return (one,)
    return one, Held(*(float(a[n]) for a in held[:5]), held.equity, held.cash)


def assert_same(result: Result, trader: Trader, recorder: Recorder) -> None:
    """Curve, fills, orders, closed trades and decisions have the bits of the backtest."""
    assert np.array_equal(recorder.rows("curve").T, result.track), "curve"
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
