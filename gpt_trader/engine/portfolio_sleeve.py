"""A sleeve of a portfolio while it runs: one strategy's plan and account, and how it decides at a close."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpt_trader.engine import netting
from gpt_trader.engine.account_memory import grow_logs
from gpt_trader.engine.account_step import holdings
from gpt_trader.engine.bar_decisions import decided_requests, decided_weights
from gpt_trader.engine.kernel_calls import direct_call
from gpt_trader.engine.order_requests import submit
from gpt_trader.engine.records import AccountState, MarketData
from gpt_trader.engine.run_modes import AccountRun, RunPlan
from gpt_trader.engine.strategy_calls import decide_rows
from gpt_trader.strategy import OrderStrategy, is_per_symbol, uses_held

Floats = NDArray[np.float64]
_accept = direct_call(netting.accept_targets_call)


@dataclass(slots=True)
class SleeveRun:
    """One strategy of an account: its plan, its book, and the places of its symbols among the account's.

    `weights` (N,) are the shares of the account's equity that it wants, and `seen` (N,) what they were made of.
    """

    plan: RunPlan
    run: AccountRun
    columns: NDArray[np.int64]
    decide: Callable[[int], None]
    seen: Floats
    weights: Floats

    @property
    def book(self) -> AccountState:
        """Its book."""
        return self.run.book

    @property
    def market(self) -> MarketData:
        """The market as its rules see it."""
        return self.plan.market


def with_room_for_bar(book: AccountState) -> AccountState:
    """The account, with longer logs where one more bar might not fit."""
    account = book.account[0]
    need = 10 * (len(book.symbols) + 1) + 4 * int(account["open_orders"])
    names = ("orders", "fills", "trades", "decisions", "open_orders")
    while any(int(account[name]) + need > len(getattr(book, name)) for name in names):
        book = grow_logs(book)
    return book


def decider(part: SleeveRun, first: int) -> Callable[[int], None]:
    """What a part does at the close of bar t: it decides, and its weights are accepted or its orders submitted."""
    strategy, plan = part.plan.strategy, part.plan
    bars, symbols = plan.market.panel.shape[1:]

    def held(t: int) -> Any:
        factor = plan.factor[t] if plan.factor.shape[0] > 1 else np.ones(symbols)
        return holdings(part.book, factor)

    def orders(t: int) -> None:
        for request in part.run.waiting.requests_at(
            t, decided_requests(strategy, plan.columns, held(t), t, symbols)
        ):
            part.run.book = with_room_for_bar(part.book)
            submit(plan.market, part.book, t, plan.factor, request)

    if isinstance(strategy, OrderStrategy):
        return orders
    known = (
        decide_rows(strategy, plan.columns, first, (bars - first, symbols))
        if not (uses_held(strategy) or is_per_symbol(strategy))
        else None
    )

    def weights(t: int) -> None:
        if known is not None:
            decided = known[t - first]
        else:
            seen = held(t) if uses_held(strategy) else None
            decided = decided_weights(strategy, plan.columns, seen, t, symbols)
        _accept(plan.market, part.book, part.run.waiting.weights_at(t, decided), t)

    return weights
