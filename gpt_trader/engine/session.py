"""Runs a strategy over bars: chooses how `decide` is called and keeps the book growing until the last bar."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import isinf
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpt_trader.bars import CLOSE, Bars
from gpt_trader.engine import deciding
from gpt_trader.engine.compiling import FARTHEST, Driver, compile_driver, keeps_arrays_out, refuse_driver
from gpt_trader.engine.live_views import LiveHeld, ScalarRow, VectorRow, advanced
from gpt_trader.engine.loop import run_targets, unchanged_rows
from gpt_trader.engine.records import ANSWER_FULL, BAD_TARGET, DONE, Book, Market
from gpt_trader.engine.resetting import clear_book
from gpt_trader.engine.setup import (
    UNUSED,
    Settings,
    build_market,
    empty_book,
    grown,
    room_for_orders,
    rules_record,
)
from gpt_trader.engine.submitting import next_busy, submit
from gpt_trader.errors import GptTraderError, StrategyError, UnknownName
from gpt_trader.exits import Exit, checked_exits
from gpt_trader.orders import OrderRequest
from gpt_trader.strategy import (
    Held,
    OrderStrategy,
    Row,
    Strategy,
    counts_units,
    is_per_symbol,
    strategy_name,
    uses_held,
)

ARRAY, COMPILED, PYTHON = "array", "compiled", "python"
MODES = (ARRAY, COMPILED, PYTHON)
COMPILE_FROM = 500_000  # calls of a rule below which compiling it (some ten seconds) costs more than calling it in Python
ORDERS_COMPILE_FROM = 5_000_000  # the same for order strategies, whose calls are ten times as fast


@dataclass(frozen=True, slots=True)
class Outcome:
    """A finished run: its book and market, and how decisions were made ("array", "compiled" or "python")."""

    book: Book
    market: Market
    mode: str


def all_exits(strategy: Strategy, settings: Settings) -> tuple[Exit, ...]:
    """The strategy's own exits and those of the run; a kind given for the run replaces the strategy's.

    Raises BadParameter where what the strategy declares are no exits, and StrategyError when declaring them fails.
    """
    declared = deciding.call_strategy(strategy, "declared_exits", strategy.declared_exits)
    own = () if declared == () else checked_exits(declared, strategy_name(type(strategy)))
    if not settings.exits:
        return own
    given = {type(item) for item in settings.exits}
    return tuple(item for item in own if type(item) not in given) + settings.exits


def simulate(
    strategy: Strategy,
    bars: Bars,
    settings: Settings,
    mode: str | None = None,
    *,
    first: int = 0,
    required: bool = True,
) -> Outcome:
    """Run `strategy` over the bars from row `first` on; its features see those before as well. `mode` names a way of deciding;
    None chooses. A rule that numba cannot compile runs in Python, or is an error when "compiled" is named and `required`.

    Raises StrategyError when the strategy raises or answers with a wrong shape or an infinite weight.
    """
    seen = bars.continuous()
    features = deciding.compute_features(strategy, seen)
    exits = all_exits(strategy, settings)
    score = features.get("score")
    market = build_market(bars, settings, exits, None if score is None else whole(score, bars))
    rules = rules_record(settings, exits, counts_units(strategy), score is not None)
    book = empty_book(bars.T, bars.N, rules, settings.capital, room_for_orders(bars), first)
    columns = deciding.row_values(seen, features)
    factor = UNUSED if seen is bars else bars.split_factor
    chosen = mode or chosen_mode(strategy, bars, first)
    if chosen not in MODES:
        raise UnknownName("mode", chosen, MODES)
    if chosen == ARRAY:
        book = run_array(market, book, deciding.decide_all(strategy, seen, features, first))
    elif chosen == COMPILED:
        done = _run_compiled(strategy, market, book, columns, factor, required=required and mode is not None)
        if done is None:
            return simulate(strategy, bars, settings, PYTHON, first=first)
        book = done
    elif isinstance(strategy, OrderStrategy):
        book = _run_orders(strategy, market, book, columns, factor)
    else:
        book = _run_python(strategy, market, book, columns, factor)
    return Outcome(book, market, chosen)


def whole(score: NDArray[Any], bars: Bars) -> NDArray[np.float64]:
    """A feature (T, N) or (T, 1) as a contiguous float array (T, N)."""
    return np.ascontiguousarray(np.broadcast_to(score, (bars.T, bars.N)), dtype=np.float64)


def chosen_mode(strategy: Strategy, bars: Bars, first: int = 0, called: int = 0) -> str:
    """How `decide` is best called over these bars from row `first` on, when the same class was `called` so often in Python
    before; the result is the same in every way."""
    ordering, scalar = isinstance(strategy, OrderStrategy), is_per_symbol(strategy)
    if ordering and scalar and bars.N > 1:
        return PYTHON  # the requests of each call belong to its symbol, which the compiled loop does not know
    if not (ordering or scalar or uses_held(strategy)):
        return ARRAY
    enough = ORDERS_COMPILE_FROM if ordering else COMPILE_FROM
    return COMPILED if called + calls_of(strategy, bars, first) >= enough else PYTHON


def calls_of(strategy: Strategy, bars: Bars, first: int) -> int:
    """How often `decide` is called over these bars from row `first` on when it is called bar by bar."""
    return (bars.T - first) * (bars.N if is_per_symbol(strategy) else 1)


def run_array(market: Market, book: Book, decided: NDArray[np.float64]) -> Book:
    """All targets from the account's first row on are known and finite (T - first, N): one call of the kernel, more when the
    logs had to grow."""
    first, bars = int(book.account[0]["first"]), market.panel.shape[1]
    targets, unchanged = decided, np.empty(bars, np.int8)
    if first > 0:
        targets = np.empty((bars, decided.shape[1]))
        targets[first:] = decided
    unchanged_rows(market.panel[CLOSE, first:], targets[first:], unchanged[first:])
    at, code = run_targets(market, book, targets, unchanged, first, bars)
    while code != DONE:
        book = grown(book)
        at, code = run_targets(market, book, targets, unchanged, at, bars)
    return book


def _run_compiled(
    strategy: Strategy,
    market: Market,
    book: Book,
    columns: Mapping[str, NDArray[Any]],
    factor: Any,
    *,
    required: bool,
) -> Book | None:
    """The fused driver; None when numba cannot compile the rule (raises StrategyError then if `required`)."""
    import numba

    name = strategy_name(type(strategy))
    refusal: Exception | None = None
    uncounted = is_per_symbol(strategy) and keeps_arrays_out(type(strategy).decide)
    for counted in (False, True) if uncounted else (True,):
        found = compile_driver(strategy, columns, book.symbols.shape[0], counted)
        if found is None:
            continue
        if refusal is not None:  # what failed may have failed in the middle of the run
            clear_book(book, float(book.account[0]["capital"]))
        try:
            return _drive(found, name, market, book, columns, factor)
        except (numba.core.errors.NumbaError, NotImplementedError) as error:
            refusal = error
        except StrategyError as error:
            if required or error.__cause__ is None:
                raise
            refusal = error  # Python runs it again and either succeeds or names the fault
        refuse_driver(found[0])
    if required:
        raise StrategyError(f"{name}.decide does not compile: {refusal or 'it did not before'}") from refusal
    return None


def _drive(
    found: tuple[Driver, Any],
    name: str,
    market: Market,
    book: Book,
    columns: Mapping[str, NDArray[Any]],
    factor: Any,
) -> Book:
    """Run a compiled driver over all bars. Raises StrategyError for what the rule raises or for an infinite weight."""
    import numba

    driver, parameters = found
    held, target = np.empty((5, book.symbols.shape[0])), np.empty(book.symbols.shape[0])
    arrays = [np.ascontiguousarray(array) for array in columns.values()]
    at = ready = int(book.account[0]["first"])
    stop = market.panel.shape[1]
    while True:
        try:
            at, code = driver(market, book, at, ready, stop, parameters, factor, held, target, *arrays)
        except (numba.core.errors.NumbaError, NotImplementedError):
            raise
        except Exception as error:
            raise StrategyError(f"{name}.decide raised {type(error).__name__}: {error}") from error
        if code == BAD_TARGET:
            raise StrategyError(f"{name}.decide returned an infinite weight at bar {at}")
        if code == DONE:
            return book
        ready = at + 1 if code == ANSWER_FULL else at
        book = grown(book)


def held_view(book: Book, held: NDArray[np.float64]) -> Held:
    """What the strategy holds, arrays (N,), from the rows of `advanced`."""
    weight, quantity, entry, peak, age = held
    account = book.account[0]
    return Held(weight, quantity, entry, peak, age, float(account["equity"]), float(account["cash"]))


def held_of(held: Held, n: int) -> Held:
    """The scalars of symbol n."""
    return Held(
        float(held.weight[n]), float(held.quantity[n]), float(held.entry[n]), float(held.peak[n]), float(held.age[n]),
        held.equity, held.cash,
    )  # fmt: skip


def _run_python(
    strategy: Strategy, market: Market, book: Book, columns: Mapping[str, NDArray[Any]], factor: Any
) -> Book:
    """Bar by bar in Python: the same steps around a `decide` that numba did not take."""
    bars, symbols = market.panel.shape[1:]
    decide = _decide_each if is_per_symbol(strategy) else _decide_row
    with_held = uses_held(strategy)
    target = None
    with np.errstate(invalid="ignore", divide="ignore"):
        for t in range(int(book.account[0]["first"]), bars):
            book, held = advanced(market, book, target, t, t + 1, factor)
            target = decide(strategy, columns, held_view(book, held) if with_held else None, t, symbols)
    return advanced(market, book, target, bars, bars, factor)[0]


def _decide_row(
    strategy: Strategy, columns: Mapping[str, NDArray[Any]], held: Held | None, t: int, symbols: int
) -> NDArray[np.float64]:
    """The targets (N,) of one bar from one call."""
    return deciding.decide_bar(strategy, Row({k: a[t] for k, a in columns.items()}), held, symbols)


def _decide_each(
    strategy: Strategy, columns: Mapping[str, NDArray[Any]], held: Held | None, t: int, symbols: int
) -> NDArray[np.float64]:
    """The targets (N,) of one bar from a call per symbol with plain numbers."""
    cells = [a[t].tolist() if a.shape[1] == symbols else a[t].tolist() * symbols for a in columns.values()]
    rows = [Row(dict(zip(columns, values, strict=True))) for values in zip(*cells, strict=True)]
    if held is None:
        answers = [deciding.call_strategy(strategy, "decide", strategy.decide, row) for row in rows]
    else:
        answers = [
            deciding.call_strategy(strategy, "decide", strategy.decide, row, held_of(held, n))
            for n, row in enumerate(rows)
        ]
    if all(type(answer) is float and not isinf(answer) for answer in answers):
        return np.array(answers)
    return np.array([deciding.checked_targets(strategy, answer, (1,))[0] for answer in answers])


def _run_orders(
    strategy: Strategy, market: Market, book: Book, columns: Mapping[str, NDArray[Any]], factor: Any
) -> Book:
    """An order strategy in Python: the engine is called only for bars in which something may happen to an order."""
    bars, symbols = market.panel.shape[1:]
    scalar = is_per_symbol(strategy)
    if scalar and symbols > 1:
        return _run_orders_per_symbol(strategy, market, book, columns, factor)
    live = LiveHeld(market, book, factor, scalar)
    row = ScalarRow.over(columns) if scalar else VectorRow.over(columns)
    decide, name = strategy.decide, strategy_name(type(strategy))
    busy, ahead = 0, 1
    for t in range(int(book.account[0]["first"]), bars):
        if t >= busy:
            live.sync(t)
            busy = next_busy(live.market, live.book, t, ahead)
            ahead = min(2 * ahead, FARTHEST)
        live.t = row.t = t
        try:
            answer = decide(row, live)
        except GptTraderError:
            raise
        except Exception as error:
            raise StrategyError(f"{name}.decide raised {type(error).__name__} at bar {t}: {error}") from error
        if answer is not None and answer != ():
            live.sync(t)
            submit_answer(market, live, t, factor, answer, name)
            ahead = 64
            busy = next_busy(market, live.book, t, ahead)
    live.sync(bars - 1)
    return live.book


def _run_orders_per_symbol(
    strategy: Strategy, market: Market, book: Book, columns: Mapping[str, NDArray[Any]], factor: Any
) -> Book:
    """`@per_symbol` order strategies over several symbols: one call per symbol and bar; requests go to that symbol."""
    bars, symbols = market.panel.shape[1:]
    name = strategy_name(type(strategy))
    live = LiveHeld(market, book, factor, False)
    for t in range(int(book.account[0]["first"]), bars):
        live.sync(t)
        live.t = t
        held = held_view(live.book, live.rows)
        for n in range(symbols):
            row = Row({k: a[t, n if a.shape[1] > n else 0].item() for k, a in columns.items()})
            one = held_of(held, n)
            answer = deciding.call_strategy(strategy, "decide", strategy.decide, row, one)
            if answer is not None and answer != ():
                submit_answer(market, live, t, factor, _for_symbol(answer, n), name)
    return live.book


def _for_symbol(answer: Any, n: int) -> Any:
    """The requests of one `@per_symbol` call, addressed to column n."""
    if isinstance(answer, OrderRequest):
        return answer._replace(symbol=n)
    if isinstance(answer, tuple | list):
        return [item._replace(symbol=n) if isinstance(item, OrderRequest) else item for item in answer]
    return answer


def submit_answer(market: Market, live: LiveHeld, t: int, factor: Any, answer: Any, name: str) -> None:
    """Hand one request or a sequence of them to the engine. Raises StrategyError for anything else."""
    requests = (answer,) if isinstance(answer, OrderRequest) else answer
    if not isinstance(requests, tuple | list) or not all(isinstance(item, OrderRequest) for item in requests):
        raise StrategyError(f"{name}.decide returned {type(answer).__name__}; return OrderRequests or None")
    for request in requests:
        live.make_room()
        submit(market, live.book, t, factor, request)
