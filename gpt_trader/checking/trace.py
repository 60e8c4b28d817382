"""One run of a strategy and everything it answered: features, the decision of every bar, declared exits."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpt_trader.bars import DIVIDEND, Bars
from gpt_trader.checking.access_monitor import within_method
from gpt_trader.engine import strategy_calls
from gpt_trader.engine.run_modes import RunPlan
from gpt_trader.engine.run_setup import Settings
from gpt_trader.engine.simulation import PYTHON, all_exits, build_plan, open_account, run_plan
from gpt_trader.exits import Exit
from gpt_trader.orders import NOTHING, limit
from gpt_trader.strategy import (
    MARKET_FIELDS,
    OrderStrategy,
    Row,
    Strategy,
    counts_units,
    is_per_symbol,
    uses_held,
)

SETTINGS = Settings()
BeforeBar = Callable[[int], None]
Columns = Mapping[str, NDArray[Any]]


@dataclass(frozen=True, slots=True)
class Trace:
    """What a strategy answered on T bars of N symbols.

    `features` are (T, N) or (T, 1); `decisions` target weights or units (T, N), NaN where a weight was left alone, or for an
    order strategy the order requests of each bar. `units`: its targets are quantities.
    """

    features: dict[str, NDArray[Any]]
    decisions: NDArray[np.float64] | list[tuple[Any, ...]]
    exits: tuple[Exit, ...]
    units: bool = False


def is_stateless(strategy: Strategy) -> bool:
    """Whether `decide` is called once for all bars and knows nothing of what is held."""
    return not (uses_held(strategy) or is_per_symbol(strategy) or isinstance(strategy, OrderStrategy))


def renewed(strategy: Strategy) -> Strategy:
    """A new instance with the same parameters, which remembers nothing."""
    values = {item.name: getattr(strategy, item.name) for item in dataclasses.fields(strategy) if item.init}
    with within_method("__init__"):
        return type(strategy)(**values)


def trace(strategy: Strategy, bars: Bars, last: int | None = None) -> Trace:
    """Run a new instance of `strategy` over `bars` in plain Python, bar by bar no further than bar `last`.

    Raises StrategyError when it fails.
    """
    fresh = renewed(strategy)
    if is_stateless(fresh):
        seen = bars.strategy_view()
        with within_method("features"):
            features = strategy_calls.compute_features(fresh, seen)
        with within_method("decide"):
            targets = strategy_calls.decide_all(fresh, seen, features)
        with within_method("declared_exits"):
            exits = all_exits(fresh, SETTINGS)
        return Trace(features, targets, exits, counts_units(fresh))
    return bar_by_bar(fresh, bars, last=last)


def bar_by_bar(
    fresh: Strategy,
    bars: Bars,
    seen: Bars | None = None,
    hide: Callable[[RunPlan], tuple[RunPlan, BeforeBar]] | None = None,
    last: int | None = None,
) -> Trace:
    """Run an instance through the engine, one call of `decide` for each bar (and symbol).

    It is given `seen` instead of its view of the bars; decisions after bar `last` are not made.
    `hide` may change the plan once the features are computed, and gives
    a function that is called before each bar's decision.
    """
    run = open_account(bars, SETTINGS, 0)
    with within_method("features"):
        plan = build_plan(run.waiting, fresh, bars, SETTINGS, 0, seen)
    with within_method("declared_exits"):
        exits = all_exits(fresh, SETTINGS)
    features = {name: array for name, array in plan.columns.items() if name not in MARKET_FIELDS}
    before: BeforeBar = _nothing
    if hide is not None:
        plan, before = hide(plan)
    recorder = _Recorder(fresh, bars.N, before, bars.T if last is None else last)
    object.__setattr__(fresh, "decide", recorder)  # the engine asks the instance
    with within_method("decide"), contextlib.suppress(_EnoughError):
        run_plan(plan, run, 0, PYTHON, required=False)
    return Trace(features, recorder.decisions(), exits, counts_units(fresh))


def decided_row_by_row(
    fresh: Strategy, bars: Bars, columns: Columns, rows: range | list[int], before: BeforeBar
) -> NDArray[np.float64]:
    """The targets (len(rows), N) of a stateless rule that is called with one row at a time."""
    targets = np.empty((len(rows), bars.N))
    with within_method("decide"), np.errstate(invalid="ignore", divide="ignore"):
        for place, t in enumerate(rows):
            before(t)
            row = Row({name: array[t] for name, array in columns.items()})
            targets[place] = strategy_calls.decide_bar(fresh, row, None, bars.N)
    return targets


def with_columns(plan: RunPlan, columns: Columns) -> RunPlan:
    """The plan with other columns for its rows."""
    return replace(plan, columns=columns)


@dataclass(frozen=True)
class _Waits(Strategy):
    """Holds nothing."""

    def decide(self, now: Any, held: Any) -> Any:  # noqa: ARG002
        return 0.0 * held.weight


@dataclass(frozen=True)
class _AsksForNothing(OrderStrategy):
    """Orders a share at a price that never comes."""

    def decide(self, now: Any, held: Any) -> Any:
        return limit(1, float(now.close[0]) / 2, day=1) if held.quantity[0] == 0 else None


def load_kernels() -> None:
    """Load the engine's machine code, or compile it, in this process, so that its children have it."""
    times = np.datetime64("2020-01-01", "ns") + np.arange(4) * np.timedelta64(1, "D")
    panel = np.ones((7, 4, 2))
    panel[DIVIDEND] = 0.0
    bars = Bars(("A", "B"), times, panel)
    for rule in (_Waits(), _AsksForNothing()):
        bar_by_bar(rule, bars)


class _EnoughError(BaseException):
    """Ends a run whose later bars nobody asks for; no rule catches it."""


class _Recorder:
    """Stands for `decide` of an instance and keeps what it answers."""

    def __init__(self, strategy: Strategy, symbols: int, before: BeforeBar, last: int) -> None:
        self._decide = strategy.decide
        self._orders = isinstance(strategy, OrderStrategy)
        self._per_symbol = is_per_symbol(strategy)
        self._calls = symbols if self._per_symbol else 1  # of one bar
        self._symbols, self._before, self._last = symbols, before, last
        self._answers: list[Any] = []

    def __call__(self, *arguments: Any) -> Any:
        bar, place = divmod(len(self._answers), self._calls)
        if place == 0:
            if bar > self._last:
                raise _EnoughError
            self._before(bar)
        answer = self._decide(*arguments)
        self._answers.append(self._copied(answer))
        return answer

    def _copied(self, answer: Any) -> Any:
        """A copy of an answer that a rule may change later."""
        if self._orders:
            return requests_in(answer)
        return np.array(answer, np.float64) if isinstance(answer, np.ndarray) else answer

    def decisions(self) -> NDArray[np.float64] | list[tuple[Any, ...]]:
        bars = len(self._answers) // self._calls
        if self._orders:
            answers, calls = self._answers, self._calls
            if calls == 1:
                return answers
            return [_of_symbols(answers[t * calls : (t + 1) * calls]) for t in range(bars)]
        if self._per_symbol:
            flat = np.array([float(answer) for answer in self._answers[: bars * self._calls]])
            return flat.reshape(bars, self._symbols)
        rows = [np.broadcast_to(np.asarray(answer, np.float64), (self._symbols,)) for answer in self._answers]
        return np.array(rows).reshape(bars, self._symbols)


def requests_in(answer: Any) -> tuple[Any, ...]:
    """The order requests in an answer; one for nothing is none."""
    asked = () if answer is None else (answer,) if hasattr(answer, "kind") else tuple(answer)
    return tuple(request for request in asked if request.kind != NOTHING)


def _of_symbols(answers: list[tuple[Any, ...]]) -> tuple[Any, ...]:
    return tuple(request._replace(symbol=n) for n, asked in enumerate(answers) for request in asked)


def _nothing(_t: int) -> None:
    """Called before a bar in which nothing is hidden."""
