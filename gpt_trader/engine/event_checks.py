"""Events that cannot be are refused before an account takes them: nothing has changed then."""

from __future__ import annotations

from math import isfinite

import numpy as np
from numpy.typing import NDArray

from gpt_trader.engine import messages
from gpt_trader.engine.records import CANCELLED, EXPIRED, REASONS, REJECTED, REPLACED, AccountState
from gpt_trader.engine.trading_halts import FLATTEN, NO_ENTRIES, REDUCE_ONLY, RESUME
from gpt_trader.errors import BadParameter

END_STATUSES = (CANCELLED, REPLACED, EXPIRED, REJECTED)
OPERATOR_ACTIONS = (NO_ENTRIES, REDUCE_ONLY, FLATTEN, RESUME)


def checked_weights(weights: NDArray[np.float64], symbols: int) -> NDArray[np.float64]:
    """Targets as the kernel is compiled for: (N,) float64. Raises BadParameter for another shape or kind."""
    if type(weights) is np.ndarray and weights.dtype == np.float64 and weights.shape == (symbols,):
        return weights if weights.flags.c_contiguous else weights.copy()
    found = np.asarray(weights)
    if found.shape != (symbols,) or found.dtype.kind not in "fiu":
        raise BadParameter(f"targets are {symbols} numbers, one for each symbol, not {weights!r}")
    return found.astype(np.float64)


def check_fill(event: messages.Filled, book: AccountState) -> None:
    """Raises BadParameter for a fill without quantity, price or finite fee, or of the other side than its order."""
    quantity, price = event.quantity, event.price
    if not (isfinite(quantity * price + event.fee + event.slippage) and quantity != 0.0 and price > 0.0):
        raise BadParameter(f"{event}: a fill has a quantity that is not 0, a price above 0 and a finite fee")
    if quantity * _quantity_of(book, event.id) < 0.0:
        raise BadParameter(f"{event}: order {event.id} is of the other side; a fill has its sign")


def check_end(event: messages.Ended) -> None:
    """Raises BadParameter for a status that ends no order, or a reason that is none."""
    if event.status not in END_STATUSES or not 0 <= event.reason < len(REASONS):
        raise BadParameter(f"{event}: status or reason is no code of `records` that ends an order")


def is_new_order(event: messages.Opened, book: AccountState) -> bool:
    """Whether the account does not know the order that a venue has opened: False when it is told twice, or late.

    Raises BadParameter for a symbol that the account does not have.
    """
    if not 0 <= event.order.symbol < len(book.symbols):
        raise BadParameter(f"{event}: the account has {len(book.symbols)} symbols")
    live = int(book.account["open_orders"][0])
    return live == 0 or event.order.id > int(book.orders["id"][book.open_orders[live - 1]])


def check_operator(event: messages.Operator) -> None:
    """Raises BadParameter for an action that is none."""
    if event.action not in OPERATOR_ACTIONS:
        raise BadParameter(f"{event}: an operator's action is NO_ENTRIES, REDUCE_ONLY, FLATTEN or RESUME")


def _quantity_of(book: AccountState, number: int) -> float:
    """The signed quantity of a live order, 0 when there is none with this id. Raises BadParameter for an id that is no number."""
    if type(number) is not int:
        raise BadParameter(f"the id of an order is a whole number, not {number!r}")
    live = book.orders[book.open_orders[: int(book.account["open_orders"][0])]]
    found = np.flatnonzero(live["id"] == number)
    return float(live["quantity"][found[0]]) if found.size else 0.0
