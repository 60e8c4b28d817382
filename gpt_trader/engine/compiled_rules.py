"""Turns a strategy's bar-by-bar `decide` into machine code fused with the engine's steps.

A driver function is generated per strategy: it loops over the bars, runs the engine's steps and calls the user's
`decide` on named tuples of the same shape as in plain Python. When numba cannot compile the rule, `None` comes back
and the run goes on in Python with the same results.
"""

from __future__ import annotations

import dataclasses
import hashlib
import math
from collections import namedtuple
from collections.abc import Callable, Mapping
from types import CodeType, FunctionType, ModuleType
from typing import Any

import numba
import numpy as np
from numba.extending import overload, register_jitable
from numpy.typing import NDArray

from gpt_trader import orders
from gpt_trader.engine.account_clock import begin_bar
from gpt_trader.engine.bar_loop import before_decision, room_in_logs
from gpt_trader.engine.bar_steps import fill_held
from gpt_trader.engine.compiled_rule_store import compiled_driver, labelled, rule_key
from gpt_trader.engine.elementwise_rules import for_plain_numbers, is_elementwise
from gpt_trader.engine.mark_to_market import mark_to_market
from gpt_trader.engine.order_requests import (
    count_due,
    has_place,
    has_room,
    next_event_bar,
    push_request,
    submit,
    submit_due,
)
from gpt_trader.engine.records import ANSWER_FULL, BAD_TARGET, DONE, LOG_FULL, AccountState, MarketData
from gpt_trader.engine.target_weights import allocate
from gpt_trader.engine.trading_halts import monitor
from gpt_trader.orders import NOTHING, OrderRequest
from gpt_trader.strategy import Held, OrderStrategy, Strategy, is_per_symbol, uses_held

Driver = Callable[..., tuple[int, int]]
_njit: Any = numba.njit  # its stub does not know `_nrt`
PLAIN = (bool, int, float, str)
ELEMENTWISE, UNCOUNTED, COUNTED = "elementwise", "uncounted", "counted"
MAX_BARS_AHEAD = 4_096  # bars that an order strategy's loop looks ahead at most


for _make in (
    orders.market, orders.limit, orders.stop, orders.stop_limit, orders.trailing_stop, orders.cancel, orders.nothing
):  # fmt: skip
    register_jitable(_make)  # so that `orders.limit(...)` compiles like `limit(...)`


def submit_all(m: MarketData, b: AccountState, t: int, factor: Any, answer: Any) -> None:
    """Submit one request, a tuple or list of them, or nothing (compiled by type; see the overload below)."""
    raise TypeError("submit_all only exists in compiled code")


@overload(submit_all)
def _submit_all(m: Any, b: Any, t: Any, factor: Any, answer: Any) -> Any:
    def nothing(m: Any, b: Any, t: Any, factor: Any, answer: Any) -> Any:
        return None

    def one(m: Any, b: Any, t: Any, factor: Any, answer: Any) -> Any:
        if answer.kind != NOTHING:
            submit(m, b, t, factor, answer)

    def many(m: Any, b: Any, t: Any, factor: Any, answer: Any) -> Any:
        for request in answer:
            if request.kind != NOTHING:
                submit(m, b, t, factor, request)

    if isinstance(answer, numba.types.NoneType):
        return nothing
    return one if _is_request(answer) else many


def _is_request(answer: Any) -> bool:
    """Whether the numba type `answer` is that of one OrderRequest."""
    return getattr(answer, "instance_class", None) is OrderRequest


def push_all(queue: Any, ends: Any, due: int, answer: Any) -> None:
    """Queue one request, a tuple or list of them, or nothing for bar `due` (compiled by type; see the overload below)."""
    raise TypeError("push_all only exists in compiled code")


@overload(push_all)
def _push_all(queue: Any, ends: Any, due: Any, answer: Any) -> Any:
    def nothing(queue: Any, ends: Any, due: Any, answer: Any) -> Any:
        return None

    def one(queue: Any, ends: Any, due: Any, answer: Any) -> Any:
        if answer.kind != NOTHING:
            push_request(queue, ends, due, answer)

    def many(queue: Any, ends: Any, due: Any, answer: Any) -> Any:
        for request in answer:
            if request.kind != NOTHING:
                push_request(queue, ends, due, request)

    if isinstance(answer, numba.types.NoneType):
        return nothing
    return one if _is_request(answer) else many


def requests_in(answer: Any) -> int:
    """How many requests a decision has at most (compiled by type; see the overload below)."""
    raise TypeError("requests_in only exists in compiled code")


@overload(requests_in)
def _requests_in(answer: Any) -> Any:
    def none(answer: Any) -> Any:
        return 0

    def one(answer: Any) -> Any:
        return 1

    def counted(answer: Any) -> Any:
        return len(answer)

    if isinstance(answer, numba.types.NoneType):
        return none
    return one if _is_request(answer) else counted


def parameter_tuple(strategy: Strategy) -> Any:
    """The strategy's plain parameters as a named tuple: what `self` is inside compiled code.

    There is one class for each set of names, an attribute of this module by a name of its own: so stored machine code finds it.
    """
    values = ((f.name, getattr(strategy, f.name)) for f in dataclasses.fields(strategy))
    plain = {name: value for name, value in values if isinstance(value, PLAIN)}
    names = tuple(plain)
    if names not in _PARAMETER_TYPES:
        name = "Parameters_" + hashlib.sha256(repr(names).encode()).hexdigest()[:16]
        _PARAMETER_TYPES[names] = globals()[name] = namedtuple(name, names, module=__name__)
    return _PARAMETER_TYPES[names](**plain)


_PARAMETER_TYPES: dict[tuple[str, ...], Any] = {}


def jitted(
    function: Callable[..., Any], counted: bool, label: str | None, seen: dict[str, Any] | None = None
) -> Any:
    """A compiled copy of a plain function whose plain helper functions are compiled as well, with counted references or without;
    named as in `labelled`."""
    if not isinstance(function, FunctionType):
        return function
    seen = {} if seen is None else seen
    scope = dict(function.__globals__)
    for name in function.__code__.co_names:
        value = scope.get(name)
        if isinstance(value, FunctionType) and value is not function:
            key = f"{value.__module__}.{value.__qualname__}"
            if key not in seen:
                seen[key] = None
                seen[key] = jitted(value, counted, label and f"{label}_{len(seen)}", seen)
            scope[name] = seen[key] or value
    copy = FunctionType(
        function.__code__, scope, function.__name__, function.__defaults__, function.__closure__
    )
    copy.__kwdefaults__ = function.__kwdefaults__
    return _njit(error_model="python", boundscheck=True, _nrt=counted)(labelled(copy, label))


def names_in(code: CodeType) -> list[str]:
    """The global names and attributes that `code`, or a comprehension inside it, may look up."""
    inner = [name for item in code.co_consts if isinstance(item, CodeType) for name in names_in(item)]
    return [*code.co_names, *inner]


def keeps_arrays_out(function: Any, seen: set[Any] | None = None) -> bool:
    """True when nothing that `function` calls can hand it an array or a list that it would have to free.

    numba refuses to compile allocations without reference counts, those of NumPy included, but not calls of a function that the
    user compiled (`@njit`): without counts every array that such a function returns would stay in memory.
    """
    seen = set() if seen is None else seen
    if not isinstance(function, FunctionType) or function in seen:
        return not hasattr(function, "py_func")
    seen.add(function)
    closed = [cell.cell_contents for cell in function.__closure__ or ()]
    named = [
        function.__globals__[name] for name in names_in(function.__code__) if name in function.__globals__
    ]
    return all(
        value in (np, orders, math) if isinstance(value, ModuleType) else keeps_arrays_out(value, seen)
        for value in closed + named
    )


def driver_source(
    strategy: Strategy, columns: Mapping[str, NDArray[Any]], symbols: int, scalar: bool, delayed: bool
) -> str:
    """Python text of the driver; `columns` are the row's arrays by name. With `scalar` it calls `decide` for each symbol with plain
    numbers; a decision is acted on later if `delayed`."""
    held = uses_held(strategy)
    names = list(columns)
    arguments = ", ".join(f"c{i}" for i in range(len(names)))
    place = "[t, n]" if scalar else "[t]"
    cells = ", ".join(
        f"c{i}" + ("[t, 0]" if scalar and columns[name].shape[1] == 1 and symbols > 1 else place)
        for i, name in enumerate(names)
    )
    if not held:
        view = ""
    elif scalar:
        view = ", Held(held[0, n], held[1, n], held[2, n], held[3, n], held[4, n], b.account[0].equity, b.account[0].cash)"
    else:
        view = ", Held(held[0], held[1], held[2], held[3], held[4], b.account[0].equity, b.account[0].cash)"
    call = f"decide(self, Row({cells}){view})"
    head = f"def drive(m, b, start, ready, stop, self, factor, held, target, delay, waiting, ends, {arguments}):\n"
    show = "fill_held(b, t, factor, held)" if held else "pass"
    if isinstance(strategy, OrderStrategy):
        return head + ORDER_LOOP.format(show=show, call=call, act=SUBMIT_LATER if delayed else SUBMIT)
    ask = f"for n in range({symbols}): target[n] = {call}" if scalar else f"target[:] = {call}"
    return head + TARGET_LOOP.format(show=show, ask=ask, symbols=symbols, act=ACT_LATER if delayed else ACT)


TARGET_LOOP = """
    for t in range(start, stop):
        if not room_in_logs(b):
            return t, LOG_FULL
        before_decision(m, b, t)
        {show}
        {ask}
        for n in range({symbols}):
            if np.isinf(target[n]):
                return t, BAD_TARGET
        {act}
    return stop, DONE
"""
ACT = "allocate(m, b, target, t)"
ACT_LATER = """
        allocate(m, b, waiting[t % delay], t)
        for n in range(target.shape[0]):
            waiting[t % delay, n] = target[n]
"""

# Until the bar `busy` no order can fill and nothing can be paid: such a bar needs its marks alone. Before the bar `ready` steps
# 0 to 3 have run: the driver comes back to a bar whose requests did not fit into the logs, and asks for them again.
ORDER_LOOP = """
    busy, ahead = start, 1
    account = b.account[0]
    for t in range(start, stop):
        if t >= busy:
            if t >= ready:
                if not room_in_logs(b):
                    return t, LOG_FULL
                before_decision(m, b, t)
            busy = next_event_bar(m, b, t, ahead)
            ahead = min(2 * ahead, MAX_BARS_AHEAD)
        else:
            begin_bar(m, b, t)
            mark_to_market(m, b, t)
            monitor(b)
        orders, working = account.orders, account.open_orders
        {show}
        n = 0
        answer = {call}
        {act}
        if account.orders != orders or account.open_orders != working or account.market_orders > 0:
            busy, ahead = t + 1, 1
    return stop, DONE
"""
SUBMIT = """
        if not has_room(b, requests_in(answer)):
            return t, ANSWER_FULL
        submit_all(m, b, t, factor, answer)
"""
SUBMIT_LATER = """
        if not (has_room(b, count_due(waiting, ends, t)) and has_place(waiting, ends, requests_in(answer))):
            return t, ANSWER_FULL
        submit_due(m, b, t, factor, waiting, ends)
        push_all(waiting, ends, t + delay, answer)
"""


def forms_of(strategy: Strategy, columns: Mapping[str, NDArray[Any]]) -> tuple[str, ...]:
    """The forms in which a rule may be compiled, the fastest first: an array rule that does the same to every symbol for plain
    numbers; a rule of plain numbers without counting references, for which it must make no array or list; and any rule with
    counting."""
    key = (type(strategy).decide, *_types_of(strategy, columns))
    if key not in _FORMS:
        decide = type(strategy).decide
        if is_per_symbol(strategy):
            quick = (UNCOUNTED,) if keeps_arrays_out(decide) else ()
        else:
            parameters = parameter_tuple(strategy)._asdict()
            alike = not isinstance(strategy, OrderStrategy) and is_elementwise(
                decide, columns, parameters, 2 + uses_held(strategy)
            )
            quick = (ELEMENTWISE,) if alike else ()
        _FORMS[key] = (*quick, COUNTED)
    return _FORMS[key]


def _types_of(strategy: Strategy, columns: Mapping[str, NDArray[Any]]) -> tuple[Any, Any]:
    """What machine code is made for: columns by name, type and breadth, and parameters by name and type."""
    shapes = tuple((name, array.dtype.str, array.shape[1] == 1) for name, array in columns.items())
    return shapes, tuple((name, type(value)) for name, value in parameter_tuple(strategy)._asdict().items())


def compile_driver(
    strategy: Strategy, columns: Mapping[str, NDArray[Any]], symbols: int, form: str, delayed: bool
) -> tuple[Driver, Any] | None:
    """(driver, parameters) for this strategy and these columns in one of its forms, or None when numba could not compile it
    before. A driver that is `delayed` acts on decisions and submits requests some bars later.
    """
    decide = type(strategy).decide
    key = (type(strategy), decide, *_types_of(strategy, columns), symbols, form, delayed)
    if key not in _DRIVERS:
        scalar = form == ELEMENTWISE or is_per_symbol(strategy)
        source = driver_source(strategy, columns, symbols, scalar, delayed)
        parameters = parameter_tuple(strategy)._fields
        label = rule_key(decide, (source, form, repr(tuple(columns)), repr(parameters)))
        rule = plain_rule(decide, label) if form == ELEMENTWISE else jitted(decide, form == COUNTED, label)
        scope = ENGINE | {"decide": rule, "Row": namedtuple("Row", list(columns))}
        _DRIVERS[key] = compiled_driver(source, scope, label, form == COUNTED)
    driver = _DRIVERS[key]
    return None if driver is None else (driver, parameter_tuple(strategy))


def plain_rule(decide: Any, label: str | None) -> Any:
    """An elementwise rule for plain numbers; they divide as the elements of an array do."""
    return _njit(error_model="numpy", _nrt=False)(labelled(for_plain_numbers(decide), label))


ENGINE: dict[str, Any] = {
    "np": np, "Held": Held, "room_in_logs": room_in_logs, "before_decision": before_decision, "fill_held": fill_held,
    "allocate": allocate, "submit_all": submit_all, "mark_to_market": mark_to_market, "monitor": monitor,
    "next_event_bar": next_event_bar,
    "MAX_BARS_AHEAD": MAX_BARS_AHEAD, "DONE": DONE, "LOG_FULL": LOG_FULL, "BAD_TARGET": BAD_TARGET, "ANSWER_FULL": ANSWER_FULL,
    "has_room": has_room, "requests_in": requests_in, "count_due": count_due, "has_place": has_place, "submit_due": submit_due,
    "push_all": push_all, "begin_bar": begin_bar,
}  # fmt: skip
_FORMS: dict[Any, tuple[str, ...]] = {}
_DRIVERS: dict[Any, Driver | None] = {}


def refuse_driver(driver: Driver) -> None:
    """Remember that this driver did not compile, so that the next run goes straight to Python."""
    for key, known in _DRIVERS.items():
        if known is driver:
            _DRIVERS[key] = None
