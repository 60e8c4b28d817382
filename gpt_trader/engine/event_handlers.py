"""What an account does with each event: one function for each, which changes the engine's memory in place."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gpt_trader.engine import messages
from gpt_trader.engine.bar_steps import allocate_bar, begin_account_bar, end_account_bar
from gpt_trader.engine.event_checks import (
    check_end,
    check_fill,
    check_operator,
    checked_weights,
    is_new_order,
)
from gpt_trader.engine.kernel_calls import direct_call
from gpt_trader.engine.market_window import Window
from gpt_trader.engine.order_requests import submit
from gpt_trader.engine.records import AccountState
from gpt_trader.engine.trading_halts import apply_operator_action
from gpt_trader.engine.venue_replies import (
    on_accepted,
    on_ended,
    on_filled,
    on_opened,
    on_unknown,
    on_updated,
)
from gpt_trader.orders import OrderRequest

_begin, _end, _allocate, _submit = (
    direct_call(begin_account_bar), direct_call(end_account_bar), direct_call(allocate_bar), direct_call(submit)
)  # fmt: skip
_accepted, _filled, _ended, _unknown = (
    direct_call(on_accepted), direct_call(on_filled), direct_call(on_ended), direct_call(on_unknown)
)  # fmt: skip
_operator = direct_call(apply_operator_action)
_opened, _updated = direct_call(on_opened), direct_call(on_updated)


def _bar_opened(book: AccountState, _: messages.BarOpened, window: Window) -> None:
    _begin(window.market, book, window.t)


def _bar_closed(book: AccountState, _: messages.BarClosed, window: Window) -> None:
    _end(window.market, book, window.t)


def _targets(book: AccountState, event: messages.Targets, window: Window) -> None:
    _allocate(window.market, book, checked_weights(event.weights, len(book.symbols)), window.t)


def _requests(book: AccountState, event: messages.Requests, window: Window) -> None:
    for request in event.orders:
        _submit(window.market, book, window.t, window.factor, _plain(request))


def _fill(book: AccountState, event: messages.Filled, _: Window) -> bool:
    check_fill(event, book)
    return _filled(book, event.id, event.quantity, event.price, event.fee, event.slippage)


def _end_order(book: AccountState, event: messages.Ended, _: Window) -> bool:
    check_end(event)
    return _ended(book, event.id, event.status, event.reason)


def _open_order(book: AccountState, event: messages.Opened, _: Window) -> bool:
    new = is_new_order(event, book)
    if new:
        _opened(book, event.order.record())
    return new


def _operate(book: AccountState, event: messages.Operator, _: Window) -> None:
    check_operator(event)
    _operator(book, event.action)


# What an account does with each event. False: it names an order that is not open.
HANDLERS: dict[type[messages.Event], Callable[[AccountState, Any, Window], bool | None]] = {
    messages.BarOpened: _bar_opened,
    messages.BarClosed: _bar_closed,
    messages.Targets: _targets,
    messages.Requests: _requests,
    messages.Accepted: lambda book, event, _: _accepted(book, event.id),
    messages.Filled: _fill,
    messages.Ended: _end_order,
    messages.Updated: lambda book, event, _: _updated(book, event.order.record()),
    messages.Unknown: lambda book, event, _: _unknown(book, event.id),
    messages.Opened: _open_order,
    messages.Operator: _operate,
}


def _plain(request: OrderRequest) -> OrderRequest:
    """The request in the types that the kernel is compiled for."""
    numbers = (float(value) for value in request[1:7])
    return OrderRequest._make((int(request.kind), *numbers, int(request.day), int(request.symbol)))
