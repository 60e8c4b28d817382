"""Allocates the arrays of an account: empty at first, and longer logs when they are full."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpt_trader.bars import Bars
from gpt_trader.engine.account_reset import clear_book
from gpt_trader.engine.records import ACCOUNT, DECISION, FILL, ORDER, RULE, SYMBOL, TRADE, AccountState

BLANK_RULES = np.zeros(1, RULE)
BLANK_RULES.setflags(write=False)


def initial_log_size(bars: Bars) -> int:
    """How many orders the logs of a run hold at first: more than most runs need, for memory costs only where it is written."""
    return 256 + 24 * (bars.N + 1) + min(bars.T * bars.N // 8, 100_000)


def empty_book(
    bars_count: int, symbols: int, rules: NDArray[Any], capital: float, orders: int, first: int = 0
) -> AccountState:
    """A book for T bars and N symbols of an account that begins at row `first`, with room for `orders` orders before the logs
    have to grow."""
    account, symbol = _blank_records(float(capital))
    logs = (empty_log(orders, kind) for kind in (ORDER, FILL, TRADE, DECISION))
    book = AccountState(
        repeat_record(account, 1), repeat_record(symbol, symbols), repeat_record(rules, 1), np.empty(orders, np.int64),
        np.empty((4, bars_count)), *logs,
    )  # fmt: skip
    if first:
        book.account["first"] = first
        book.account["bar"] = first - 1
    return book


def repeat_record(record: NDArray[Any], count: int) -> NDArray[Any]:
    """So many copies of a record (1,), moved as bytes: NumPy would go field by field."""
    return np.frombuffer(bytearray(record.tobytes() * count), record.dtype)


def copy_records(rows: NDArray[Any]) -> NDArray[Any]:
    """A copy of contiguous records, moved as bytes: NumPy would go field by field."""
    return np.frombuffer(bytearray(rows.tobytes()), rows.dtype)


def join_records(parts: Sequence[NDArray[Any]]) -> NDArray[Any]:
    """Contiguous records of one type one after the other, put together as bytes as `copy_records` does it."""
    full = [part for part in parts if part.size]
    if len(full) <= 1:
        return full[0] if full else parts[0]
    return np.frombuffer(bytearray(b"".join([part.tobytes() for part in full])), full[0].dtype)


def empty_log(count: int, record: np.dtype[Any]) -> NDArray[Any]:
    """An empty log: `np.empty(count, record)`, made of bytes: NumPy would look at each field."""
    return np.frombuffer(np.empty(count * record.itemsize, np.uint8), record)


@lru_cache(maxsize=16)
def _blank_records(capital: float) -> tuple[NDArray[Any], NDArray[Any]]:
    """The records (1,) of an account and of a symbol as `clear_book` leaves them."""
    logs = (np.empty(0, kind) for kind in (ORDER, FILL, TRADE, DECISION))
    book = AccountState(
        np.zeros(1, ACCOUNT), np.zeros(1, SYMBOL), np.zeros(1, RULE), np.empty(0, np.int64), np.empty((4, 0)), *logs
    )  # fmt: skip
    clear_book(book, capital)
    return book.account, book.symbols


def blank_account(symbols: int, capital: float) -> tuple[NDArray[Any], NDArray[Any]]:
    """(1,) ACCOUNT and (symbols,) SYMBOL of an account with nothing but its capital."""
    account, symbol = _blank_records(float(capital))
    return repeat_record(account, 1), repeat_record(symbol, symbols)


def grow_logs(book: AccountState) -> AccountState:
    """The same account with more room: every log that is more than half full is twice as long, and all of them where none is."""
    account = book.account[0]
    used = {name: int(account[name]) for name in ("open_orders", "orders", "fills", "trades", "decisions")}
    full = [name for name, rows in used.items() if 2 * rows > len(getattr(book, name))] or list(used)

    def longer(name: str) -> NDArray[Any]:
        log: NDArray[Any] = getattr(book, name)
        more = np.empty(2 * log.shape[0], log.dtype)
        more[: used[name]] = log[: used[name]]
        return more

    return book._replace(**{name: longer(name) for name in full})
