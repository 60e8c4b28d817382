"""One bar at a time, with all later bars hidden in the very memory that the strategy was given."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpt_trader.bars import Bars
from gpt_trader.checking.access_monitor import within_method
from gpt_trader.checking.alternative_futures import Futures
from gpt_trader.checking.causal import HIDDEN, Difference, compare
from gpt_trader.checking.check_report import CAUSAL, ROWS, Finding, finding
from gpt_trader.checking.comparing import first_difference
from gpt_trader.checking.stored_arrays import Buffer, stored_over_time
from gpt_trader.checking.trace import (
    BeforeBar,
    Columns,
    Trace,
    bar_by_bar,
    decided_row_by_row,
    is_stateless,
    renewed,
    trace,
    with_columns,
)
from gpt_trader.engine import strategy_calls
from gpt_trader.engine.run_modes import RunPlan
from gpt_trader.errors import GptTraderError
from gpt_trader.strategy import OrderStrategy, Strategy, is_per_symbol

MOST_ROWS = 20_000
CONFIRMING = 8  # futures that a difference is confirmed with


class HiddenFuture:
    """Hides, in the panel (7, T, N) and in buffers over time that a strategy was given or keeps, all rows after the current bar.

    Called with a bar it shows the rows up to it; what is hidden holds other values of the same kind. A row that the strategy
    has written before it came stays as it wrote it. `written`: there was such a row; where one was written with what stood there
    hidden, nobody can tell.
    """

    def __init__(self, panel: NDArray[np.float64], other: NDArray[np.float64], buffers: list[Buffer]) -> None:
        self._panel, self._true_panel = panel, panel.copy()
        self._kept: list[Any] = buffers
        self._true: list[Any] = [buffer.copy() for buffer in buffers]
        self._next = 0
        for buffer in buffers:
            _shuffle(buffer)
        panel[...] = other
        self._hidden: list[Any] = [buffer.copy() for buffer in buffers]
        self.written = False

    def __call__(self, t: int) -> None:
        rows = slice(self._next, t + 1)
        self._panel[:, rows] = self._true_panel[:, rows]
        for kept, true, hidden in zip(self._kept, self._true, self._hidden, strict=True):
            if len(kept) == len(true):
                kept[rows], written = _unless_written(kept[rows], true[rows], hidden[rows])
                self.written = self.written or written
        self._kept, self._true, self._hidden = self._of_lasting_length()
        self._next = t + 1

    def _of_lasting_length(self) -> tuple[list[Any], list[Any], list[Any]]:
        """The buffers that are as long as they were. A list that the strategy takes from or adds to is shown as it would be: what
        was taken came from its front."""
        lasting: tuple[list[Any], list[Any], list[Any]] = ([], [], [])
        for kept, true, hidden in zip(self._kept, self._true, self._hidden, strict=True):
            if len(kept) == len(true):
                for group, item in zip(lasting, (kept, true, hidden), strict=True):
                    group.append(item)
            elif len(kept) < len(true):
                kept[:] = true[len(true) - len(kept) :]
            else:
                kept[: len(true)] = true
        return lasting


def decided_with_later_bars_hidden(
    strategy: Strategy, bars: Bars, whole: Trace, futures: Futures
) -> tuple[list[Difference], list[Finding]]:
    """What moves when later bars are hidden while each bar is decided: peeks at bars that were kept, and faults of the rows
    proof (stateless rules: one row must give what all rows at once gave)."""
    if is_stateless(strategy):
        return _stateless(strategy, bars, whole, futures)
    shown, seen = _own_view(bars)
    fresh = renewed(strategy)
    hiding: list[HiddenFuture] = []

    def hide(plan: RunPlan) -> tuple[RunPlan, BeforeBar]:
        columns, arrays = _own_columns(plan.columns)
        kept = _apart_from(shown, stored_over_time(fresh, bars.T))
        if not (
            isinstance(strategy, OrderStrategy) or is_per_symbol(strategy)
        ):  # theirs are read before decide is called
            kept += arrays
        hiding.append(HiddenFuture(shown, _other_panel(futures), kept))
        return with_columns(plan, columns), hiding[-1]

    try:
        again = bar_by_bar(fresh, bars, seen, hide)
    except GptTraderError as error:
        text = f"fails when the bars after the one that it decides are hidden: {error}"
        return [], [finding(strategy, CAUSAL, "decide", bars, bars.T - 1, text)]
    only = Trace({}, whole.decisions, whole.exits), Trace({}, again.decisions, whole.exits)
    moved = [item for item in compare(*only, bars.T - 1, HIDDEN) if isinstance(item, Difference)]
    if any(each.written for each in hiding):
        moved = [item for item in moved if _confirmed(strategy, whole, futures, item.bar)]
    return moved, []


def _confirmed(strategy: Strategy, whole: Trace, futures: Futures, t: int) -> bool:
    """Whether the decisions up to t move when the bars after t are others, too."""
    for seed in range(CONFIRMING):
        try:
            other = trace(strategy, Futures(futures.bars, seed).replaced(t), t)
        except GptTraderError:
            continue
        if compare(
            Trace({}, whole.decisions, whole.exits), Trace({}, other.decisions, whole.exits), t, HIDDEN
        ):
            return True
    return False


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
    with within_method("features"):
        features = strategy_calls.compute_features(fresh, seen)
    columns, arrays = _own_columns(strategy_calls.row_values(seen, features))
    before: BeforeBar = _nothing
    if futures is not None:
        kept = _apart_from(shown, stored_over_time(fresh, bars.T))
        before = HiddenFuture(shown, _other_panel(futures), [*kept, *arrays])
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


def _apart_from(panel: NDArray[np.float64], kept: list[Buffer]) -> list[Buffer]:
    """The buffers that are not views of the panel, which is hidden itself."""
    return [item for item in kept if isinstance(item, list) or not np.may_share_memory(panel, item)]


def _other_panel(futures: Futures) -> NDArray[np.float64]:
    return futures.replaced(0).strategy_view().panel


def _unless_written(now: Any, true: Any, hidden: Any) -> tuple[Any, bool]:
    """The true rows, but what the strategy wrote where it is no longer what was hidden there; and whether it is so anywhere."""
    if isinstance(now, list):
        found = [as_is if item == fake else item for item, as_is, fake in zip(now, true, hidden, strict=True)]
        return found, now != hidden
    untouched = np.asarray((now == hidden) | ((now != now) & (hidden != hidden)))
    if untouched.all():
        return true, False
    return np.where(untouched, true, now), True


def _shuffle(buffer: Buffer) -> None:
    """Put the rows into another order."""
    order = np.random.default_rng(0).permutation(len(buffer))
    buffer[:] = [buffer[k] for k in order] if isinstance(buffer, list) else buffer[order]


def _nothing(_t: int) -> None:
    """Nothing is hidden."""
