"""Runs a strategy over bars: chooses how `decide` is called and keeps the book growing until the last bar."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpt_trader.bars import CLOSE, Bars
from gpt_trader.engine import deciding
from gpt_trader.engine.allocating import allocate
from gpt_trader.engine.compiling import (
    FARTHEST,
    Driver,
    compile_driver,
    fill_held,
    keeps_arrays_out,
    refuse_driver,
)
from gpt_trader.engine.live_views import LiveHeld, ScalarRow, VectorRow
from gpt_trader.engine.loop import before_decision, room_in_logs, run_targets, unchanged_rows
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
from gpt_trader.exits import Exit, exits_of
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
COMPILE_FROM = (
    200_000  # bars x symbols below which compiling a rule (seconds) costs more than running it in Python
)


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
    own = exits_of(deciding.call_strategy(strategy, "declared_exits", strategy.declared_exits))
    if not settings.exits:
        return own
    given = {type(item) for item in settings.exits}
    return tuple(item for item in own if type(item) not in given) + settings.exits


def simulate(strategy: Strategy, bars: Bars, settings: Settings, mode: str | None = None) -> Outcome:
    """Run `strategy` over all bars. `mode` forces a way of deciding (for tests); None chooses.

    Raises StrategyError when the strategy raises or answers with a wrong shape or an infinite weight.
    """
    seen = bars.continuous()
    features = deciding.compute_features(strategy, seen)
    exits = all_exits(strategy, settings)
    score = features.get("score")
    market = build_market(bars, settings, exits, None if score is None else whole(score, bars))
    rules = rules_record(settings, exits, counts_units(strategy), score is not None)
    book = empty_book(bars.T, bars.N, rules, settings.capital, room_for_orders(bars))
    columns = deciding.row_values(seen, features)
    factor = UNUSED if seen is bars else bars.split_factor
    chosen = mode or chosen_mode(strategy, bars)
    if chosen not in MODES:
        raise UnknownName("mode", chosen, MODES)
    if chosen == ARRAY:
        book = run_array(market, book, deciding.decide_all(strategy, seen, features))
    elif chosen == COMPILED:
        done = _run_compiled(strategy, market, book, columns, factor, required=mode is not None)
        if done is None:
            return simulate(strategy, bars, settings, PYTHON)
        book = done
    elif isinstance(strategy, OrderStrategy):
        book = _run_orders(strategy, market, book, columns, factor)
    else:
        book = _run_python(strategy, market, book, columns, factor)
    return Outcome(book, market, chosen)


def whole(score: NDArray[Any], bars: Bars) -> NDArray[np.float64]:
    """A feature (T, N) or (T, 1) as a contiguous float array (T, N)."""
    return np.ascontiguousarray(np.broadcast_to(score, (bars.T, bars.N)), dtype=np.float64)


def chosen_mode(strategy: Strategy, bars: Bars) -> str:
    """How `decide` is best called over these bars: for the same result, in the least time."""
    if isinstance(strategy, OrderStrategy) and is_per_symbol(strategy) and bars.N > 1:
        return PYTHON  # the requests of each call belong to its symbol, which the compiled loop does not know
    if isinstance(strategy, OrderStrategy) or uses_held(strategy) or is_per_symbol(strategy):
        return COMPILED if bars.T * bars.N >= COMPILE_FROM else PYTHON
    return ARRAY


def run_array(market: Market, book: Book, targets: NDArray[np.float64]) -> Book:
    """All targets (T, N) are known and finite: one call of the kernel, more when the logs had to grow."""
    unchanged = np.empty(targets.shape[0], np.int8)
    unchanged_rows(market.panel[CLOSE], targets, unchanged)
    at, code = run_targets(market, book, targets, unchanged, 0, targets.shape[0])
    while code != DONE:
        book = grown(book)
        at, code = run_targets(market, book, targets, unchanged, at, targets.shape[0])
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
    scratch = [np.empty(book.symbols.shape[0]) for _ in range(6)]
    arrays = [np.ascontiguousarray(array) for array in columns.values()]
    at, ready, stop = 0, 0, market.panel.shape[1]
    while True:
        try:
            at, code = driver(market, book, at, ready, stop, parameters, factor, *scratch, *arrays)
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


def held_now(book: Book, t: int, factor: Any) -> Held:
    """What the strategy holds at the close of bar t, arrays (N,)."""
    symbols = book.symbols.shape[0]
    weight, quantity, entry, peak, age = (np.empty(symbols) for _ in range(5))
    fill_held(book, t, factor, weight, quantity, entry, peak, age)
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
    with_held, scalar = uses_held(strategy), is_per_symbol(strategy)
    for t in range(bars):
        while not room_in_logs(book):
            book = grown(book)
        before_decision(market, book, t)
        held = held_now(book, t, factor) if with_held else None
        with np.errstate(invalid="ignore", divide="ignore"):
            if scalar:
                target = np.array([_decide_symbol(strategy, columns, held, t, n) for n in range(symbols)])
            else:
                target = deciding.decide_bar(
                    strategy, Row({k: a[t] for k, a in columns.items()}), held, symbols
                )
        allocate(market, book, target, t)
    return book


def _decide_symbol(
    strategy: Strategy, columns: Mapping[str, NDArray[Any]], held: Held | None, t: int, n: int
) -> float:
    row = Row({k: a[t, n if a.shape[1] > n else 0].item() for k, a in columns.items()})
    one = None
    if held is not None:
        one = held_of(held, n)
    return float(deciding.decide_bar(strategy, row, one, 1)[0])


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
    for t in range(bars):
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
    for t in range(bars):
        live.sync(t)
        live.t = t
        held = held_now(live.book, t, factor)
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
