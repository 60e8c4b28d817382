"""Keeps a state small: of the logs only the live orders and the verdicts on each symbol's present signal."""

from __future__ import annotations

import numpy as np

from gpt_trader.engine.decision_log import LOOK_BACK
from gpt_trader.engine.jit import inlined, kernel
from gpt_trader.engine.order_book import NO_ORDER, live_from
from gpt_trader.engine.records import V_NONE, AccountState


@inlined
def _new_place(b: AccountState, order: int) -> int:
    """Place of a row among the live orders, NO_ORDER where it is not live."""
    if order == NO_ORDER:
        return NO_ORDER
    k = live_from(b, order)
    return k if k < b.account[0].open_orders and b.open_orders[k] == order else NO_ORDER


@kernel
def keep_live_orders(b: AccountState) -> None:
    """Move the live orders to the front of their log, in order of their ids; rows that others name move with them."""
    account = b.account[0]
    for k in range(account.open_orders):
        o = b.orders[b.open_orders[k]]
        o.earlier = _new_place(b, o.earlier)
        o.later = _new_place(b, o.later)
        o.sibling = _new_place(b, o.sibling)
    for n in range(b.symbols.shape[0]):
        s = b.symbols[n]
        if s.first_live != NO_ORDER:
            s.first_live = _new_place(b, s.first_live)
            s.last_live = _new_place(b, s.last_live)
        s.target_order = _new_place(b, s.target_order)
    for k in range(account.open_orders):
        if b.open_orders[k] != k:
            b.orders[k] = b.orders[b.open_orders[k]]
            b.open_orders[k] = k
    account.orders = account.open_orders


@kernel
def keep_verdicts(b: AccountState, kept: np.ndarray) -> int:
    """Copy to `kept` (N x LOOK_BACK,) the decisions that `already_logged` still looks at, those since the last order and signal of
    each symbol; returns how many. The symbols' rows are those in `kept` then."""
    count = 0
    for n in range(b.symbols.shape[0]):
        s = b.symbols[n]
        row = s.last_row
        s.last_row = -1
        for _ in range(LOOK_BACK):
            if row < 0 or b.decisions[row].rule == V_NONE or b.decisions[row].bar < s.signal_bar:
                break
            following = b.decisions[row].before
            kept[count] = b.decisions[row]
            if s.last_row < 0:
                s.last_row = count
            else:
                kept[count - 1].before = count
            kept[count].before = -1
            count += 1
            row = following
    b.account[0].decisions = count
    return count
