"""The ways to run a strategy from a row to the last: all its targets at once, fused machine code, or Python bar by bar."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpt_trader.engine import strategy_calls
from gpt_trader.engine.account_memory import grow_logs
from gpt_trader.engine.account_reset import clear_book
from gpt_trader.engine.bar_decisions import Requests, checked_requests, decide_each, decide_row, held_of
from gpt_trader.engine.bar_loop import run_decided, run_targets
from gpt_trader.engine.compiled_rules import (
    MAX_BARS_AHEAD,
    Driver,
    compile_driver,
    forms_of,
    refuse_driver,
)
from gpt_trader.engine.decision_delay import DecisionDelay, delayed_rows
from gpt_trader.engine.kernel_calls import direct_call
from gpt_trader.engine.order_requests import next_event_bar, submit
from gpt_trader.engine.records import ANSWER_FULL, BAD_TARGET, DONE, AccountState, MarketData
from gpt_trader.engine.strategy_views import LiveHeld, ScalarRow, VectorRow, advanced
from gpt_trader.errors import GptTraderError, StrategyError
from gpt_trader.orders import OrderRequest
from gpt_trader.strategy import Held, OrderStrategy, Row, Strategy, is_per_symbol, strategy_name, uses_held

Columns = Mapping[str, NDArray[Any]]
_run_decided, _run_targets, _next_event_bar = (
    direct_call(run_decided),
    direct_call(run_targets),
    direct_call(next_event_bar),
)
MIN_BARS_AHEAD = 64  # bars that an order strategy looks ahead at first, and after something nearer was found


@dataclass(frozen=True, slots=True)
class RunPlan:
    """What a strategy brings to a run: the market as its rules see it, its RULE record, the columns of its rows, and the
    splits up to each bar, (1, 1) without any."""

    strategy: Strategy
    market: MarketData
    rules: NDArray[Any]
    columns: Columns
    factor: NDArray[np.float64]


@dataclass(slots=True)
class AccountRun:
    """An account while it runs: its state, and the decisions that wait for a delay."""

    book: AccountState
    waiting: DecisionDelay

    def snapshot(self) -> AccountRun:
        """An independent deep copy."""
        copies: dict[str, Any] = {name: array.copy() for name, array in self.book._asdict().items()}
        return AccountRun(AccountState(**copies), self.waiting.copy())


def run_rows(
    market: MarketData,
    book: AccountState,
    targets: NDArray[np.float64],
    unchanged: NDArray[np.int8],
    start: int,
) -> AccountState:
    """`run_targets` to the last bar: one call of the kernel, more when the logs had to grow."""
    bars = unchanged.shape[0]
    at, code = _run_targets(market, book, targets, unchanged, start, bars)
    while code != DONE:
        book = grow_logs(book)
        at, code = _run_targets(market, book, targets, unchanged, at, bars)
    return book


def run_at_once(plan: RunPlan, run: AccountRun, start: int) -> None:
    """A stateless strategy: one call of `decide` for all bars from `start` on."""
    bars, symbols = plan.market.panel.shape[1:]
    decided = strategy_calls.decide_rows(
        plan.strategy, plan.columns, start, (bars - start, symbols), finite=False
    )
    acted = delayed_rows(run.waiting.weights, decided, start)
    if start > 0:
        acted = np.concatenate([np.full((start, symbols), np.nan), acted])
    unchanged = np.empty(bars, np.int8)
    at, code = _run_decided(plan.market, run.book, acted, unchanged, start)
    if code == BAD_TARGET:
        raise strategy_calls.infinite_weight(plan.strategy, decided, start)
    if code != DONE:
        run.book = run_rows(plan.market, grow_logs(run.book), acted, unchanged, at)


def run_compiled(plan: RunPlan, run: AccountRun, start: int, *, required: bool) -> bool:
    """The fused driver. False, with the run as it was, when numba cannot compile the rule (StrategyError then if
    `required`)."""
    import numba

    strategy, columns = plan.strategy, plan.columns
    name = strategy_name(type(strategy))
    begins = start == int(run.book.account[0]["first"])
    before = None if begins else run.snapshot()
    refusal: Exception | None = None
    for form in forms_of(strategy, columns):
        found = compile_driver(strategy, columns, plan.market.panel.shape[2], form, run.waiting.delay > 0)
        if found is None:
            continue
        try:
            _drive(found, name, plan, run, start)
        except (numba.core.errors.NumbaError, NotImplementedError) as error:
            refusal = error
        except StrategyError as error:
            if required or error.__cause__ is None:
                raise
            refusal = error  # Python runs it again and either succeeds or names the fault
        else:
            return True
        refuse_driver(found[0])
        _put_back(run, before)  # what failed may have failed in the middle of the run
    if required:
        raise StrategyError(f"{name}.decide does not compile: {refusal or 'it did not before'}") from refusal
    return False


def _put_back(run: AccountRun, before: AccountRun | None) -> None:
    """The run as it was `before`, None standing for the beginning of the account."""
    if before is None:
        clear_book(run.book, float(run.book.account[0]["capital"]))
        run.waiting = DecisionDelay.empty(run.waiting.delay, run.book.symbols.shape[0])
    else:
        fresh = before.snapshot()
        run.book, run.waiting = fresh.book, fresh.waiting


def _drive(found: tuple[Driver, Any], name: str, plan: RunPlan, run: AccountRun, start: int) -> None:
    """Run a compiled driver to the last bar. Raises StrategyError for what the rule raises or for an infinite weight."""
    import numba

    driver, parameters = found
    book, waiting = run.book, run.waiting
    held, target = np.empty((5, book.symbols.shape[0])), np.empty(book.symbols.shape[0])
    arrays = [_read_only(array) for array in plan.columns.values()]
    ordering = isinstance(plan.strategy, OrderStrategy)
    rows, ends = waiting.queue() if ordering else (waiting.weights, np.zeros(2, np.int64))
    at, ready, stop = start, start, plan.market.panel.shape[1]
    while True:
        try:
            at, code = driver(
                plan.market, book, at, ready, stop, parameters, plan.factor, held, target, waiting.delay, rows, ends, *arrays
            )  # fmt: skip
        except (numba.core.errors.NumbaError, NotImplementedError):
            raise
        except Exception as error:
            raise StrategyError(f"{name}.decide raised {type(error).__name__}: {error}") from error
        if code == BAD_TARGET:
            raise StrategyError(f"{name}.decide returned an infinite weight at bar {at}")
        if code == DONE:
            run.book = book
            if ordering:
                waiting.restore(rows, ends)
            return
        ready = at + 1 if code == ANSWER_FULL else at
        book = grow_logs(book)
        if code == ANSWER_FULL and waiting.delay > 0:
            rows = np.concatenate([rows, np.empty_like(rows)])


def _read_only(array: NDArray[Any]) -> NDArray[Any]:
    """The array in C order as one that is not written: whoever made it, the driver is compiled for one type."""
    view = np.ascontiguousarray(array).view()
    view.setflags(write=False)
    return view


def held_view(book: AccountState, held: NDArray[np.float64]) -> Held:
    """What the strategy holds, arrays (N,), from the rows of `advanced`."""
    weight, quantity, entry, peak, age = held
    account = book.account[0]
    return Held(weight, quantity, entry, peak, age, float(account["equity"]), float(account["cash"]))


def run_in_python(plan: RunPlan, run: AccountRun, start: int) -> None:
    """Bar by bar in Python: the same steps around a `decide` that numba did not take."""
    if isinstance(plan.strategy, OrderStrategy):
        _run_orders(plan, run, start)
        return
    bars, symbols = plan.market.panel.shape[1:]
    decide = decide_each if is_per_symbol(plan.strategy) else decide_row
    with_held = uses_held(plan.strategy)
    market, book, target = plan.market, run.book, None
    with np.errstate(invalid="ignore", divide="ignore"):
        for t in range(start, bars):
            book, held = advanced(market, book, target, t, t + 1, plan.factor)
            seen = held_view(book, held) if with_held else None
            target = run.waiting.weights_at(t, decide(plan.strategy, plan.columns, seen, t, symbols))
    run.book = advanced(market, book, target, bars, bars, plan.factor)[0]


def _run_orders(plan: RunPlan, run: AccountRun, start: int) -> None:
    """An order strategy in Python: the engine is called only for bars in which something may happen to an order."""
    market, factor = plan.market, plan.factor
    bars, symbols = market.panel.shape[1:]
    scalar = is_per_symbol(plan.strategy)
    live = LiveHeld(market, run.book, factor, scalar and symbols == 1, start)
    decide = _requests_of_all(plan, live) if scalar and symbols > 1 else _requests_of_one(plan, live, scalar)
    busy, ahead = start, 1
    for t in range(start, bars):
        if t >= busy:
            live.sync(t)
            busy = _next_event_bar(market, live.book, t, ahead)
            ahead = min(max(2 * (busy - t), MIN_BARS_AHEAD), MAX_BARS_AHEAD)
        requests = run.waiting.requests_at(t, decide(t))
        if requests:
            live.sync(t)
            for request in requests:
                live.make_room()
                submit(market, live.book, t, factor, request)
            ahead = MIN_BARS_AHEAD
            busy = _next_event_bar(market, live.book, t, ahead)
    live.sync(bars - 1)
    run.book = live.book


def _requests_of_one(plan: RunPlan, live: LiveHeld, scalar: bool) -> Callable[[int], Requests]:
    """`decide` of an order strategy at bar t, called once a bar."""
    row = ScalarRow.over(plan.columns) if scalar else VectorRow.over(plan.columns)
    decide, name = plan.strategy.decide, strategy_name(type(plan.strategy))

    def requests(t: int) -> Requests:
        live.t = row.t = t
        try:
            answer = decide(row, live)
        except GptTraderError:
            raise
        except Exception as error:
            raise StrategyError(f"{name}.decide raised {type(error).__name__} at bar {t}: {error}") from error
        return () if answer is None or answer == () else checked_requests(answer, name)

    return requests


def _requests_of_all(plan: RunPlan, live: LiveHeld) -> Callable[[int], Requests]:
    """A `@per_symbol` order strategy over several symbols at bar t: one call per symbol, its requests go to that symbol."""
    strategy, name = plan.strategy, strategy_name(type(plan.strategy))

    def requests(t: int) -> Requests:
        live.sync(t)
        live.t = t
        held = held_view(live.book, live.rows)
        found: list[OrderRequest] = []
        for n in range(plan.market.panel.shape[2]):
            row = Row({k: a[t, n if a.shape[1] > n else 0].item() for k, a in plan.columns.items()})
            answer = strategy_calls.call_strategy(strategy, "decide", strategy.decide, row, held_of(held, n))
            if answer is not None and answer != ():
                found += [request._replace(symbol=n) for request in checked_requests(answer, name)]
        return tuple(found)

    return requests
