"""The simulated venue by itself: it gets orders, meets them with bars, and reports what became of them.

It is the broker's side: it keeps positions, cash and orders of its own, as a broker does, checks buying power and position slots
itself, and watches declared exits and bracket legs. What it charges and fills is in docs/assumptions.md, step 1.
"""

from __future__ import annotations

from collections.abc import Iterable

from gpt_trader.engine import messages
from gpt_trader.engine.account_memory import blank_account, empty_log
from gpt_trader.engine.account_step import (
    FILLS,
    OPEN_ORDERS,
    ORDER_IDS,
    State,
    book_from_state,
    compacted,
    has_new_records,
    integers_of,
    most_live,
)
from gpt_trader.engine.bar_steps import step_venue
from gpt_trader.engine.kernel_calls import direct_call
from gpt_trader.engine.market_window import Window
from gpt_trader.engine.records import (
    CANCELLED,
    DECISION,
    E_ENDED,
    E_FILLED,
    E_OPENED,
    ORDER,
    R_ORDER_RULE,
    R_REPLACED,
    REJECTED,
    REPLACED,
    AccountState,
    Records,
)
from gpt_trader.engine.venue_replies import receive_cancel, receive_order, receive_reduction

_step, _order, _cancel, _reduce = (
    direct_call(step_venue), direct_call(receive_order), direct_call(receive_cancel), direct_call(receive_reduction)
)  # fmt: skip


class SimVenue:
    """A venue for one account of `symbols` symbols with `capital`, under the fill and cost rules of `rules` (RULE)."""

    def __init__(self, symbols: int, capital: float, rules: Records, window: Window) -> None:
        account, records = blank_account(symbols, capital)
        own = rules.copy()
        own["time_stop"] = 0.0  # the account orders it
        self._window = window
        self._book = book_from_state(
            State(account, records, empty_log(0, ORDER), empty_log(0, DECISION)), own, window
        )
        self._counts, self._most_live = integers_of(self._book), most_live(self._book)

    def receive(self, commands: Iterable[messages.Command]) -> list[messages.Event]:
        """Take the account's commands, in their order; returns the answers."""
        answers: list[messages.Event] = []
        for command in commands:
            answers += _execute_command(self._book, command)
            self._compact()
        return answers

    def step(self, next_id: int) -> list[messages.Event]:
        """Meet the orders with the newest bar of the window. `next_id` is the first that the account had given to no order when
        the bar began."""
        self._counts[ORDER_IDS] = next_id
        _step(self._window.market, self._book, self._window.t)
        events = _events(self._book) if self._counts[FILLS] else []
        self._compact()
        return events

    def _compact(self) -> None:
        if has_new_records(self._counts, 0) or self._counts[OPEN_ORDERS] > self._most_live:
            self._book = compacted(self._book)
            self._most_live = most_live(self._book)


def _execute_command(book: AccountState, command: messages.Command) -> list[messages.Event]:
    gone: list[messages.Event]
    match command:
        case messages.Submit(order):
            if not _order(book, order.record()):
                return [messages.Ended(order.id, REJECTED, R_ORDER_RULE)]
            gone = [] if order.replaces < 0 else [messages.Ended(order.replaces, REPLACED, R_REPLACED)]
            return [*gone, messages.Accepted(order.id)]
        case messages.Cancel(number, reason):
            return (
                [messages.Ended(number, CANCELLED, reason)]
                if _cancel(book, number, CANCELLED, reason)
                else []
            )
        case messages.Reduce(number, quantity):
            _reduce(book, number, quantity)
        case messages.Restrict(on):
            book.account["halt"] = int(on)
    return []


def _events(book: AccountState) -> list[messages.Event]:
    """What the log of a venue that reports says, as events in its order."""
    log = book.fills[: int(book.account["fills"][0])]
    orders = book.orders[: int(book.account["orders"][0])]
    rows = dict(zip(orders["id"].tolist(), range(len(orders)), strict=True))
    found: list[messages.Event] = []
    for event, number, quantity, price, fee, slippage, reason in zip(
        *(
            log[name].tolist()
            for name in ("event", "order", "quantity", "price", "commission", "slippage", "reason")
        ),
        strict=True,
    ):
        if event == E_FILLED:
            found.append(messages.Filled(number, quantity, price, fee, slippage))
        elif event == E_OPENED:
            found.append(messages.Opened(messages.Order.of(orders[rows[number]])))
        elif event == E_ENDED:
            found.append(messages.Ended(number, int(orders[rows[number]]["status"]), reason))
        else:
            found.append(messages.Updated(messages.Order.of(orders[rows[number]])))
    return found
