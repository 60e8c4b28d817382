"""The core as one pure function: an account's state and an event give the next state, commands for the venue, and records.

`step` knows no clock, no file and no length of history. The backtest is the same kernels in one compiled loop (`bar_loop.py`), with
the simulated venue between them; `sim_venue.py` is that venue by itself.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gpt_trader.engine import messages
from gpt_trader.engine.account_memory import blank_account, copy_records, empty_log, join_records
from gpt_trader.engine.decision_log import LOOK_BACK
from gpt_trader.engine.event_handlers import HANDLERS
from gpt_trader.engine.kernel_calls import direct_call
from gpt_trader.engine.market_window import Window
from gpt_trader.engine.records import (
    ACCOUNT,
    C_CANCEL,
    C_REDUCE,
    C_SUBMIT,
    DECISION,
    FILL,
    HALT_LOCKED,
    ORDER,
    TRADE,
    UNKNOWN,
    AccountState,
    Records,
)
from gpt_trader.engine.state_compaction import keep_live_orders, keep_verdicts
from gpt_trader.errors import BadParameter
from gpt_trader.strategy import Held

_keep_orders, _keep_verdicts = direct_call(keep_live_orders), direct_call(keep_verdicts)


@dataclass(frozen=True, slots=True)
class State:
    """An account between two events: (1,) ACCOUNT, (N,) SYMBOL, the live orders, and the verdicts on each
    symbol's present signal, which are not logged twice.

    It holds times and counts, no row of any panel, and its size depends on the symbols and the live orders alone.
    """

    account: Records
    symbols: Records
    orders: Records
    verdicts: Records

    @property
    def bar(self) -> int:
        """The number of its bar, from 0; -1 before the first."""
        return int(self.account["bar"][0])

    @property
    def equity(self) -> float:
        """Cash and positions at their marks."""
        return float(self.account["equity"][0])

    @property
    def stage(self) -> str:
        """ "normal", "no entries" (positions may grow), "reduce only", "flatten" (locked, and positions are being closed) or
        "locked", until a person resumes."""
        account = self.account[0]
        if account["halt"] & HALT_LOCKED:
            return "flatten" if (self.symbols["exiting"] != 0).any() else "locked"
        if account["halt"]:
            return "reduce only"
        return "no entries" if account["entries_off"] else "normal"


@dataclass(frozen=True, slots=True)
class Step:
    """What an event leads to."""

    state: State
    commands: tuple[messages.Command, ...]
    written: messages.Written


def new_state(symbols: int, capital: float) -> State:
    """An account of `symbols` symbols with nothing but its capital, whose venue is elsewhere."""
    account, records = blank_account(symbols, capital)
    account["external_venue"] = 1
    return State(account, records, empty_log(0, ORDER), empty_log(0, DECISION))


def step(state: State, event: messages.Event, rules: Records, window: Window) -> Step:
    """The next state, what the venue is asked for, and what is written down.

    `rules`: the (1,) RULE record (`run_setup.rules_record`). `window` stands at the bar that is meant. The state that came in
    is not changed. Raises BadParameter for an event that is none.
    """
    account = Account(state, rules, window)
    commands, written = account.apply((event,))
    return Step(account.state(), commands, written)


class Account:
    """`step` for one account event after event, in place: the same result without a copy of the state each time."""

    def __init__(self, state: State, rules: Records, window: Window) -> None:
        self.window = window
        self.book = book_from_state(state, rules, window)
        self._counts, self._most_live = integers_of(self.book), most_live(self.book)
        self._curve = self.book.account_curves.T

    def state(self) -> State:
        """A copy of what is to be kept."""
        book = self.book
        live, verdicts = int(book.account["open_orders"][0]), int(book.account["decisions"][0])
        return State(
            copy_records(book.account),
            copy_records(book.symbols),
            copy_records(book.orders[:live]),
            copy_records(book.decisions[:verdicts]),
        )

    @property
    def next_id(self) -> int:
        """The first id that it has given to no order."""
        return int(self._counts[ORDER_IDS])

    def apply(
        self, events: Iterable[messages.Event]
    ) -> tuple[tuple[messages.Command, ...], messages.Written]:
        """Let the account have events; returns what `step` would for all of them."""
        commands: list[messages.Command] = []
        parts: list[messages.Written] = []
        halt = self._counts[HALT]
        for event in events:
            if type(event) is messages.Requests:  # there is room for what one of them can write
                for request in event.orders:
                    self._apply_one(messages.Requests((request,)), commands, parts)
            else:
                self._apply_one(event, commands, parts)
        if (self._counts[HALT] != 0) != (halt != 0):
            commands.append(messages.Restrict(on=halt == 0))
        return tuple(commands), _together(parts)

    def _apply_one(
        self, event: messages.Event, commands: list[messages.Command], parts: list[messages.Written]
    ) -> None:
        """Let the account have one event; what it asks for and leaves behind goes to the ends of the lists."""
        counts, book = self._counts, self.book
        old_decisions = counts[DECISIONS]
        handle = HANDLERS.get(type(event))
        if handle is None:
            raise BadParameter(f"{event!r} is no event of an account")
        if handle(book, event, self.window) is False:
            commands.append(messages.Notify(f"{event} names an order that is not open"))
        curve = NO_CURVE
        if type(event) is messages.BarClosed:
            t = self.window.t
            curve = self._curve[t : t + 1].copy()
        if has_new_records(counts, old_decisions) or counts[OPEN_ORDERS] > self._most_live:
            asked, fills = _read_fills(book)
            commands += asked
            parts.append(_written(book, fills, old_decisions, curve))
            self.book = compacted(book)
            self._most_live = most_live(self.book)
        elif curve is not NO_CURVE:
            parts.append(messages.Written(NO_ORDERS, NO_FILLS, NO_TRADES, NO_DECISIONS, curve))


NO_CURVE = np.empty((0, 4))
NO_ORDERS, NO_FILLS, NO_TRADES, NO_DECISIONS = (
    empty_log(0, ORDER),
    empty_log(0, FILL),
    empty_log(0, TRADE),
    empty_log(0, DECISION),
)
NOTHING_WRITTEN = messages.Written(NO_ORDERS, NO_FILLS, NO_TRADES, NO_DECISIONS, NO_CURVE)


def _together(parts: list[messages.Written]) -> messages.Written:
    """What several events wrote, as one."""
    if not parts:
        return NOTHING_WRITTEN
    if len(parts) == 1:
        return parts[0]
    return messages.Written(
        join_records([part.orders for part in parts]), join_records([part.fills for part in parts]),
        join_records([part.trades for part in parts]), join_records([part.decisions for part in parts]),
        np.concatenate([part.curve for part in parts]),
    )  # fmt: skip


def book_from_state(state: State, rules: Records, window: Window) -> AccountState:
    """The engine's memory for a state: copies of it, empty logs behind them, room for the curve of the window."""
    symbols, live, verdicts = len(state.symbols), len(state.orders), len(state.verdicts)
    room = _room(symbols, live)
    open_orders = np.empty(room, np.int64)
    open_orders[:live] = np.arange(live)
    orders, decisions = empty_log(room, ORDER), empty_log(room + LOOK_BACK * symbols, DECISION)
    orders[:live], decisions[:verdicts] = state.orders, state.verdicts
    return AccountState(
        copy_records(state.account), copy_records(state.symbols), copy_records(rules), open_orders,
        np.empty((4, window.market.time.size)), orders,
        empty_log(4 * room, FILL), empty_log(room, TRADE), decisions,
    )  # fmt: skip


def _room(symbols: int, live: int) -> int:
    """Rows of a log in which the most fits that one event can write, and twice the live orders that there are."""
    return 10 * (symbols + 1) + 10 * live + 16


def integers_of(book: AccountState) -> memoryview:
    """The account's record as whole numbers by place (`FILLS` and so on): one is read in a twentieth of the time of a field."""
    return memoryview(book.account.view(np.int64).data)


FILLS, TRADES, ORDERS, OPEN_ORDERS, DECISIONS, HALT, ORDER_IDS = (
    list(ACCOUNT.names or ()).index(name) for name in ("fills", "trades", "orders", "open_orders", "decisions", "halt", "order_ids")
)  # fmt: skip


def has_new_records(counts: memoryview, old_decisions: int) -> bool:
    """Whether there is something in the logs that is not kept: `old_decisions` decisions were there before."""
    return bool(
        counts[FILLS]
        or counts[ORDERS] != counts[OPEN_ORDERS]
        or counts[DECISIONS] != old_decisions
        or counts[TRADES]
    )


def most_live(book: AccountState) -> int:
    """The most live orders with which the next event finds room in the logs for certain."""
    return 2 * ((len(book.orders) - _room(len(book.symbols), 0)) // 10) + 1


def compacted(book: AccountState) -> AccountState:
    """The book with what is to be kept alone: live orders and present verdicts. There is room for one more event then."""
    _keep_orders(book)
    symbols = len(book.symbols)
    verdicts = empty_log(len(book.decisions), DECISION)
    _keep_verdicts(book, verdicts)
    account = book.account
    account["fills"] = account["trades"] = 0
    book = book._replace(decisions=verdicts)
    live = int(account["open_orders"][0])
    if _room(symbols, live // 2) > len(book.orders):
        room = _room(symbols, live)
        orders, open_orders = empty_log(room, ORDER), np.empty(room, np.int64)
        orders[:live], open_orders[:live] = book.orders[:live], book.open_orders[:live]
        fills, trades = empty_log(4 * room, FILL), empty_log(room, TRADE)
        decisions = empty_log(room + LOOK_BACK * symbols, DECISION)
        count = int(account["decisions"][0])
        decisions[:count] = verdicts[:count]
        book = book._replace(
            orders=orders, open_orders=open_orders, fills=fills, trades=trades, decisions=decisions
        )
    return book


def _read_fills(book: AccountState) -> tuple[list[messages.Command], Records]:
    """What the log of fills asks of the venue, and the fills."""
    log = book.fills[: int(book.account["fills"][0])]
    if not log.size:
        return [], NO_FILLS
    asked = log["event"] >= C_SUBMIT
    if not asked.any():
        return [], copy_records(log)
    return _commands(log[asked], book.orders[: int(book.account["orders"][0])]), log[~asked]


def _written(book: AccountState, fills: Records, known: int, curve: NDArray[np.float64]) -> messages.Written:
    """The records that a book's logs hold; `known` decisions are older."""
    account = book.account[0]
    orders = book.orders[: int(account["orders"])]
    ended = orders["status"] > UNKNOWN
    return messages.Written(
        copy_records(orders[ended]) if ended.any() else NO_ORDERS, fills, copy_records(book.trades[: int(account["trades"])]),
        copy_records(book.decisions[known : int(account["decisions"])]), curve,
    )  # fmt: skip


def _commands(asked: Records, orders: Records) -> list[messages.Command]:
    """The commands that rows of the log stand for. An order that was refused before it went out is none."""
    rows = {int(number): row for row, number in enumerate(orders["id"].tolist())}
    made: list[messages.Command] = []
    replaced: set[int] = set()
    for event, number, reason in zip(
        asked["event"].tolist(), asked["order"].tolist(), asked["reason"].tolist(), strict=True
    ):
        order = orders[rows[number]]
        if event == C_SUBMIT:
            if order["status"] <= UNKNOWN:
                made.append(messages.Submit(messages.Order.of(order)))
                replaced.add(int(order["replaces"]))
        elif event == C_CANCEL:
            made.append(messages.Cancel(number, reason))
        elif event == C_REDUCE:
            made.append(messages.Reduce(number, float(order["quantity"])))
    return [
        command for command in made if not (isinstance(command, messages.Cancel) and command.id in replaced)
    ]


def holdings(book: AccountState, factor: NDArray[np.float64]) -> Held:
    """What a strategy holds, arrays (N,), at the close of the bar; `factor` (N,) is the product of all splits so far."""
    s, account = book.symbols, book.account[0]
    equity, quantity = float(account["equity"]), s["qty"].copy()
    held = quantity != 0.0
    weight = quantity * s["mark"] / equity if equity > 0.0 else np.zeros(len(s))
    return Held(
        weight, quantity, np.where(held, s["entry"] * factor, np.nan), np.where(held, s["peak"] * factor, np.nan),
        s["age"].astype(np.float64), equity, float(account["cash"]),
    )  # fmt: skip
