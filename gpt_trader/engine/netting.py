"""Several strategies in one account: what they order in one symbol meets inside before the rest goes to the venue."""

from __future__ import annotations

import numpy as np

from gpt_trader.bars import OPEN
from gpt_trader.engine.accounting import apply_fill
from gpt_trader.engine.bar_loop import open_bar
from gpt_trader.engine.decision_log import SAME_WEIGHT, log_verdict
from gpt_trader.engine.fill_size_and_costs import fill_upto, payable_size
from gpt_trader.engine.jit import kernel, not_inlined
from gpt_trader.engine.mark_to_market import mark_to_market
from gpt_trader.engine.matching import match_intrabar, match_open, ready_at_open, trail_orders
from gpt_trader.engine.order_book import NO_ORDER, cancel_symbol_orders, new_order
from gpt_trader.engine.records import (
    HALT_RUINED,
    MARKET,
    R_HALT,
    SCALED,
    TARGET,
    UNKNOWN,
    AccountState,
    MarketData,
)
from gpt_trader.engine.target_weights import accept_targets, order_accepted
from gpt_trader.engine.trading_halts import cancel_opening_orders, flatten, monitor

NETTED = -2  # `target_order` of an account's symbol in which an order of some strategy works

open_account = not_inlined(open_bar)
accept_targets_call = not_inlined(accept_targets)
order_accepted_call = not_inlined(order_accepted)


@kernel
def list_due(m: MarketData, b: AccountState, t: int, rows: np.ndarray) -> int:
    """Write the market orders that are due at the open of bar t to `rows` (K, 4): 1 if it reduces, its row, symbol and signed
    quantity left; those that reduce first, each group by id. Returns how many."""
    count = 0
    bar = b.account[0].bar
    for reducing in (1, 0):
        for k in range(b.account[0].open_orders):
            order = b.open_orders[k]
            o = b.orders[order]
            left = o.quantity - o.filled
            reduces = 1 if b.symbols[o.symbol].qty * left < 0.0 else 0
            due = (o.kind == MARKET or o.triggered != 0) and o.created_bar < bar and reduces == reducing
            if due and not np.isnan(m.panel[OPEN, t, o.symbol]):
                rows[count, 0] = reducing
                rows[count, 1] = order
                rows[count, 2] = o.symbol
                rows[count, 3] = left
                count += 1
    return count


@kernel
def open_alone(m: MarketData, b: AccountState, t: int) -> None:
    """The open of bar t for a strategy that meets no other."""
    match_open(m, b, t)


@kernel
def left_at_open(b: AccountState, order: int) -> float:
    """The signed quantity that a due order may still trade; 0 when it has ended."""
    if b.orders[order].status > UNKNOWN or not ready_at_open(b, order):
        return 0.0
    return b.orders[order].quantity - b.orders[order].filled


@kernel
def payable_at_open(m: MarketData, b: AccountState, t: int, order: int) -> float:
    """How many shares of a due order its strategy can pay at the open."""
    return payable_size(m, b, order, m.panel[OPEN, t, b.orders[order].symbol])


@kernel
def cross_at_open(m: MarketData, b: AccountState, t: int, order: int, quantity: float) -> None:
    """A signed quantity of a due order meets an order of another strategy at the open: it costs nothing."""
    price = m.panel[OPEN, t, b.orders[order].symbol]
    apply_fill(b, order, quantity, price, 0.0, 0.0, False)


@kernel
def fill_at_open(m: MarketData, b: AccountState, t: int, order: int, room: float, others: float) -> float:
    """Fill what `room` allows of a due order at the open beside `others` shares of other strategies; the signed quantity."""
    return fill_upto(m, b, t, order, m.panel[OPEN, t, b.orders[order].symbol], False, room, others)


@kernel
def rest_of_bar(m: MarketData, b: AccountState, t: int, used: np.ndarray) -> None:
    """Bar t after its open for one strategy; `used` (N,) is what others have traded in it already."""
    account = b.account[0]
    if account.open_orders > account.market_orders or b.rules[0].exits_on > 0.0:
        for n in range(b.symbols.shape[0]):
            b.symbols[n].used = used[n]
            b.symbols[n].used_bar = account.bar
        match_intrabar(m, b, t)
        trail_orders(m, b, t)


@kernel
def mirror_fill(
    a: AccountState,
    n: int,
    quantity: float,
    price: float,
    fee: float,
    slippage: float,
    kind: int,
    reason: int,
) -> None:
    """The account's side of a fill of one of its strategies."""
    order = new_order(a, n, quantity, kind, TARGET, reason, -1)
    apply_fill(a, order, quantity, price, fee, slippage, False)
    s = a.symbols[n]
    s.used = abs(quantity) + (s.used if s.used_bar == a.account[0].bar else 0.0)
    s.used_bar = a.account[0].bar


@kernel
def close_strategy_bar(m: MarketData, b: AccountState, t: int) -> None:
    """Marks of one strategy's positions at the close of bar t; its ruin ends its trading."""
    mark_to_market(m, b, t)
    monitor(b)


@kernel
def close_account_bar(m: MarketData, a: AccountState, t: int) -> int:
    """Marks and monitors of the account; the halts that are new. It has no order of its own to cancel."""
    before = a.account[0].halt
    mark_to_market(m, a, t)
    monitor(a)
    for n in range(a.symbols.shape[0]):
        if a.symbols[n].first_live != NO_ORDER:
            cancel_symbol_orders(a, n, NO_ORDER, R_HALT)
            a.symbols[n].exiting = 0
    return a.account[0].halt & ~before


@kernel
def apply_halt(b: AccountState, halt: int, new: int, flat: bool) -> None:
    """Take the account's halts over; where some are `new`, cancel what would open, or with `flat` close everything."""
    account = b.account[0]
    account.halt = (account.halt & HALT_RUINED) | halt
    if new != 0:
        account.needs_allocation = 1
        if flat:
            flatten(b)
        else:
            cancel_opening_orders(b)


@kernel
def shrink(b: AccountState, n: int, factor: float, rule: int, value: float, limit: float) -> None:
    """An account-wide limit leaves `factor` of a strategy's accepted weight."""
    s = b.symbols[n]
    wanted = s.accepted
    s.accepted = wanted * factor
    if abs(s.accepted - s.ordered) > SAME_WEIGHT:
        log_verdict(b, n, wanted, SCALED, rule, value, limit)
