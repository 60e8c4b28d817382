"""One bar at a time, with all later bars hidden in the very memory that the strategy was given."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpt_trader.bars import Bars
from gpt_trader.checking.causal import HIDDEN, Difference, compare
from gpt_trader.checking.comparing import first_difference
from gpt_trader.checking.futures import Futures
from gpt_trader.checking.report import ROWS, Finding, finding
from gpt_trader.checking.trace import (
    BeforeBar,
    Columns,
    Trace,
    bar_by_bar,
    decided_row_by_row,
    is_stateless,
    renewed,
    with_columns,
)
from gpt_trader.checking.watching import inside
from gpt_trader.engine import deciding
from gpt_trader.engine.running import Plan
from gpt_trader.errors import GptTraderError
from gpt_trader.strategy import OrderStrategy, Strategy, is_per_symbol

MOST_ROWS = 20_000


@dataclass(frozen=True, slots=True)
class Veil:
    """Arrays whose rows after the current bar hold something else until they are lifted, row by row."""

    shown: list[NDArray[Any]]  # what the strategy sees, time in the axis named beside it
    true: list[NDArray[Any]]
    axes: list[int]

    @classmethod
    def over(cls, buffers: list[tuple[NDArray[Any], NDArray[Any], int]]) -> Veil:
        """Hide every row of (array, other values, axis of time)."""
        veil = cls([], [], [])
        for array, other, axis in buffers:
            veil.shown.append(array)
            veil.true.append(array.copy())
            veil.axes.append(axis)
            array[...] = other
        return veil

    def lift(self, start: int, stop: int) -> None:
        """Show the rows from `start` to before `stop`."""
        for shown, true, axis in zip(self.shown, self.true, self.axes, strict=True):
            rows = (slice(None),) * axis + (slice(start, stop),)
            shown[rows] = true[rows]


class _Lifting:
    """Shows every row up to the bar that is decided next."""

    def __init__(self, veil: Veil) -> None:
        self._veil, self._next = veil, 0

    def __call__(self, t: int) -> None:
        self._veil.lift(self._next, t + 1)
        self._next = t + 1


def decided_under_a_veil(
    strategy: Strategy, bars: Bars, whole: Trace, futures: Futures
) -> tuple[list[Difference], list[Finding]]:
    """What moves when later bars are hidden while each bar is decided: peeks at bars that were kept, and faults of the rows
    proof (stateless rules: one row must give what all rows at once gave)."""
    if is_stateless(strategy):
        return _stateless(strategy, bars, whole, futures)
    shown, seen = _own_view(bars)
    held: list[Plan] = []

    def hide(plan: Plan) -> tuple[Plan, BeforeBar]:
        columns, arrays = _own_columns(plan.columns)
        held.append(with_columns(plan, columns))
        buffers = [(shown, futures.replaced(0).strategy_view().panel, 1)]
        if not (
            isinstance(strategy, OrderStrategy) or is_per_symbol(strategy)
        ):  # theirs are read before decide is called
            buffers += [(array, _shuffled(array), 0) for array in arrays]
        return held[0], _Lifting(Veil.over(buffers))

    try:
        again, _ = bar_by_bar(renewed(strategy), bars, seen, hide)
    except GptTraderError as error:
        text = f"fails when the bars after the one that it decides are hidden: {error}"
        return [], [finding(strategy, "causal", "decide", bars, bars.T - 1, text)]
    only = Trace({}, whole.decisions, whole.exits), Trace({}, again.decisions, whole.exits)
    return [item for item in compare(*only, bars.T - 1, HIDDEN) if isinstance(item, Difference)], []


def _stateless(
    strategy: Strategy, bars: Bars, whole: Trace, futures: Futures
) -> tuple[list[Difference], list[Finding]]:
    rows: range | list[int] = range(bars.T)
    if bars.T > MOST_ROWS:
        rows = sorted({int(t) for t in np.linspace(0, bars.T - 1, MOST_ROWS)})
    targets = np.asarray(whole.decisions)[rows]
    try:
        hidden = _rows(strategy, bars, rows, futures)
    except GptTraderError as error:
        return [], [
            finding(strategy, ROWS, "decide", bars, 0, f"works on all bars at once but fails on one: {error}")
        ]
    place = first_difference(targets, hidden)
    if place is None:
        return [], []
    open_rows = _rows(strategy, bars, rows, None)
    if first_difference(targets, open_rows) is None:
        t = rows[place[0]]
        return [Difference(t, HIDDEN, "decide", t, place[1], targets[place], hidden[place])], []
    place = first_difference(targets, open_rows) or place
    text = "one bar at a time gives another target than all bars at once: it looks at other rows"
    return [], [
        finding(strategy, ROWS, "decide", bars, rows[place[0]], text, targets[place], open_rows[place])
    ]


def _rows(
    strategy: Strategy, bars: Bars, rows: range | list[int], futures: Futures | None
) -> NDArray[np.float64]:
    """The targets of the rows, one call each; with `futures` later bars are hidden in each call."""
    fresh = renewed(strategy)
    shown, seen = _own_view(bars)
    with inside("features"):
        features = deciding.compute_features(fresh, seen)
    columns, arrays = _own_columns(deciding.row_values(seen, features))
    before: BeforeBar = _nothing
    if futures is not None:
        buffers = [(array, _shuffled(array), 0) for array in arrays]
        before = _Lifting(Veil.over([(shown, futures.replaced(0).strategy_view().panel, 1), *buffers]))
    return decided_row_by_row(fresh, bars, columns, rows, before)


def _own_view(bars: Bars) -> tuple[NDArray[np.float64], Bars]:
    """What a strategy is given, over a panel of its own, and that panel, which can be written."""
    view = bars.strategy_view()
    panel = view.panel.copy()
    writable = panel[...]
    return writable, Bars(view.symbols, view.time, panel, view.timeframe, view.adjustment)


def _own_columns(columns: Columns) -> tuple[Columns, list[NDArray[Any]]]:
    """Copies of the columns that a rule can only read, and the same memory to be written."""
    arrays = {name: np.array(array) for name, array in columns.items()}
    read = {name: array[...] for name, array in arrays.items()}
    for view in read.values():
        view.setflags(write=False)
    return read, list(arrays.values())


def _shuffled(array: NDArray[Any]) -> NDArray[Any]:
    """The same rows in another order."""
    return np.random.default_rng(0).permutation(array, axis=0)


def _nothing(_t: int) -> None:
    """Nothing is hidden."""
