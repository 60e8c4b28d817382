"""What an order strategy sees in plain Python: a row and its holdings, looked up only when asked for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from gpt_trader.engine.account_memory import grow_logs
from gpt_trader.engine.bar_loop import room_in_logs
from gpt_trader.engine.bar_steps import advance
from gpt_trader.engine.kernel_calls import direct_call
from gpt_trader.engine.records import LOG_FULL, AccountState, MarketData
from gpt_trader.errors import UnknownName

_advance, _room_in_logs = direct_call(advance), direct_call(room_in_logs)
NOTHING_DECIDED = np.empty(0)


class _Column:
    """A column that turns itself into a list of Python floats when it is first read."""

    __slots__ = ("array", "lists", "place")

    def __init__(self, array: NDArray[Any], lists: list[Any], place: int) -> None:
        self.array, self.lists, self.place = array, lists, place

    def __getitem__(self, t: int) -> Any:
        values = self.array.ravel().tolist()
        self.lists[self.place] = values
        return values[t]


class _RowBase:
    """A row at bar `t`; subclasses made by `over` have one property per column."""

    __slots__ = ("lists", "t")
    lists: list[Any]
    t: int

    def __getattr__(self, name: str) -> Any:
        known = [key for key, value in vars(type(self)).items() if isinstance(value, property)]
        raise UnknownName("feature", name, known)

    @classmethod
    def _with_columns(cls, names: list[str]) -> type[Self]:
        def reader(place: int) -> property:
            return property(lambda self: self.lists[place][self.t])

        body = {name: reader(place) for place, name in enumerate(names)}
        return type(cls.__name__, (cls,), {"__slots__": (), **body})


class ScalarRow(_RowBase):
    """One symbol: every attribute is a Python number."""

    __slots__ = ()

    @classmethod
    def over(cls, columns: Mapping[str, NDArray[Any]]) -> Self:
        """A row over (T, 1) columns."""
        row = cls._with_columns(list(columns))()
        row.lists = []
        row.lists.extend(_Column(array, row.lists, place) for place, array in enumerate(columns.values()))
        row.t = 0
        return row


class VectorRow(_RowBase):
    """Several symbols: every attribute is an array (N,)."""

    __slots__ = ()

    @classmethod
    def over(cls, columns: Mapping[str, NDArray[Any]]) -> Self:
        """A row over (T, N) columns."""
        row = cls._with_columns(list(columns))()
        row.lists = list(columns.values())
        row.t = 0
        return row


def advanced(
    market: MarketData,
    book: AccountState,
    decided: NDArray[np.float64] | None,
    start: int,
    stop: int,
    factor: Any,
) -> tuple[AccountState, NDArray[np.float64]]:
    """`advance` with logs that grow: the book, and holdings (5, N) at the close of bar stop-1."""
    held = np.empty((5, book.symbols.shape[0]))
    targets = NOTHING_DECIDED if decided is None else decided
    at, code = _advance(market, book, targets, decided is not None, start, stop, factor, held)
    while code == LOG_FULL:
        book = grow_logs(book)
        at, code = _advance(market, book, targets, False, at, stop, factor, held)
    return book, held


class LiveHeld:
    """The holdings of a running order strategy, with the fields of `Held`.

    `quantity` and `entry` only change when an order fills and are read from memory; the others move with every close
    and bring the engine up to the current bar when they are read.
    """

    __slots__ = ("_scalar", "book", "factor", "market", "rows", "synced", "t")

    def __init__(
        self, market: MarketData, book: AccountState, factor: Any, scalar: bool, start: int = 0
    ) -> None:
        self.market, self.book, self.factor = market, book, factor
        self._scalar = scalar
        self.t = 0
        self.synced = start - 1

    def make_room(self) -> None:
        """Grow the logs until one more bar's worth of rows fits."""
        while not _room_in_logs(self.book):
            self.book = grow_logs(self.book)

    def sync(self, t: int) -> None:
        """Run the engine's steps through bar t."""
        if self.synced < t:
            self.book, held = advanced(self.market, self.book, None, self.synced + 1, t + 1, self.factor)
            self.rows = held[:, 0].tolist() if self._scalar else held
            self.synced = t

    def _moving(self, place: int) -> Any:
        self.sync(self.t)
        return self.rows[place]

    @property
    def quantity(self) -> Any:
        """Shares held, negative for a short."""
        return self.rows[1]

    @property
    def entry(self) -> Any:
        """Average entry price, NaN when flat."""
        return self.rows[2]

    @property
    def weight(self) -> Any:
        """Share of equity."""
        return self._moving(0)

    @property
    def peak(self) -> Any:
        """Best close since entry, NaN when flat."""
        return self._moving(3)

    @property
    def age(self) -> Any:
        """Bars since entry."""
        return self._moving(4)

    @property
    def equity(self) -> float:
        """Cash plus positions at the last close."""
        self.sync(self.t)
        return float(self.book.account[0]["equity"])

    @property
    def cash(self) -> float:
        """Cash at the last close."""
        self.sync(self.t)
        return float(self.book.account[0]["cash"])
