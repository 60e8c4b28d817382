"""Orders that an OrderStrategy asks for: one plain tuple type and a constructor per kind."""

from __future__ import annotations

from typing import NamedTuple

NAN = float("nan")
MARKET, LIMIT, STOP, STOP_LIMIT, TRAILING = range(5)
NOTHING, CANCEL = -1, -2


class OrderRequest(NamedTuple):
    """One order: `quantity` shares, positive to buy, negative to sell; prices on the basis `now` shows.

    `kind` is one of the codes above; `trail` a fraction of the best close since the order was placed; `take_profit` and
    `stop_loss` the prices of bracket legs that live from the fill on, one cancelling the other; `day` 1 lets the order expire
    at the close of the next bar; `symbol` the column of the symbol.
    """

    kind: int
    quantity: float
    limit: float
    stop: float
    trail: float
    take_profit: float
    stop_loss: float
    day: int
    symbol: int


def market(
    quantity: float, take_profit: float = NAN, stop_loss: float = NAN, symbol: int = 0
) -> OrderRequest:
    """At the next open."""
    return OrderRequest(MARKET, quantity * 1.0, NAN, NAN, NAN, take_profit * 1.0, stop_loss * 1.0, 0, symbol)


def limit(
    quantity: float,
    price: float,
    take_profit: float = NAN,
    stop_loss: float = NAN,
    day: int = 0,
    symbol: int = 0,
) -> OrderRequest:
    """At `price` or better."""
    return OrderRequest(
        LIMIT, quantity * 1.0, price * 1.0, NAN, NAN, take_profit * 1.0, stop_loss * 1.0, day, symbol
    )


def stop(
    quantity: float,
    price: float,
    take_profit: float = NAN,
    stop_loss: float = NAN,
    day: int = 0,
    symbol: int = 0,
) -> OrderRequest:
    """At the market once `price` trades."""
    return OrderRequest(
        STOP, quantity * 1.0, NAN, price * 1.0, NAN, take_profit * 1.0, stop_loss * 1.0, day, symbol
    )


def stop_limit(
    quantity: float, stop_price: float, limit_price: float, take_profit: float = NAN, stop_loss: float = NAN, day: int = 0,
    symbol: int = 0,
) -> OrderRequest:  # fmt: skip
    """A limit order that wakes up once `stop_price` trades."""
    return OrderRequest(
        STOP_LIMIT,
        quantity * 1.0,
        limit_price * 1.0,
        stop_price * 1.0,
        NAN,
        take_profit * 1.0,
        stop_loss * 1.0,
        day,
        symbol,
    )


def trailing_stop(quantity: float, fraction: float, symbol: int = 0) -> OrderRequest:
    """A stop that follows the best close at `fraction` distance."""
    return OrderRequest(TRAILING, quantity * 1.0, NAN, NAN, fraction * 1.0, NAN, NAN, 0, symbol)


def cancel(symbol: int = 0) -> OrderRequest:
    """Cancel every live order of the symbol that is no bracket leg."""
    return OrderRequest(CANCEL, 0.0, NAN, NAN, NAN, NAN, NAN, 0, symbol)


def nothing() -> OrderRequest:
    """No order: what a compiled `decide` returns on a bar without one."""
    return OrderRequest(NOTHING, 0.0, NAN, NAN, NAN, NAN, NAN, 0, 0)
