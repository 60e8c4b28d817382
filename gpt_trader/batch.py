"""Many parameter sets of a strategy over the same bars: metrics and block sums only, indicators computed once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sized
from dataclasses import dataclass, field
from sys import getrefcount
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpt_trader.allocation import Allocation
from gpt_trader.bars import Bars
from gpt_trader.batch_workers import BatchPart, BatchSettings, WorkerBuffer, WorkerPool, thread_count
from gpt_trader.costs import Costs, FillModel
from gpt_trader.engine import strategy_calls
from gpt_trader.engine.decision_delay import DecisionDelay
from gpt_trader.engine.metric_formulas import METRIC_NAMES
from gpt_trader.engine.run_setup import Settings, build_market, checked_first, rules_record, settings_of
from gpt_trader.engine.simulation import (
    ARRAY,
    COMPILED,
    all_exits,
    build_plan,
    calls_of,
    chosen_mode,
    ranks_by_action_bar,
)
from gpt_trader.errors import BadParameter, GptTraderError
from gpt_trader.exits import Exit
from gpt_trader.indicator_memo import shared_memo
from gpt_trader.instruments import Instrument
from gpt_trader.performance_tuning import STANDARD, Tuning
from gpt_trader.risk import RiskLimits
from gpt_trader.strategy import Strategy, checked_instance, counts_units

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
NO_EDGES = np.zeros(1, np.int64)


@dataclass(frozen=True, slots=True)
class BatchResult:
    """The runs of a batch: `values` (runs, metrics) in the order of `names`; `sums` (runs, 2, B), the sums of the simple returns
    per bar and of their squares in the B blocks between the edges that were asked for. A run that failed has NaN rows and its
    message in `errors`, by its number."""

    names: tuple[str, ...]
    values: Floats
    sums: Floats
    errors: Mapping[int, str] = field(default_factory=dict)

    def __getitem__(self, name: str) -> Floats:
        column: Floats = self.values[:, self.names.index(name)]
        return column

    def row(self, index: int) -> Mapping[str, float]:
        """The metrics of one run by name."""
        return dict(zip(self.names, self.values[index].tolist(), strict=True))


def backtest_many(
    strategies: Iterable[Strategy],
    bars: Bars,
    *,
    capital: float = 100_000.0,
    costs: Costs | None = None,
    allocation: Allocation | None = None,
    risk: RiskLimits | None = None,
    fills: FillModel | None = None,
    exits: Iterable[Exit] = (),
    instruments: Mapping[str, Instrument] | Iterable[Instrument] = (),
    index: Bars | None = None,
    first: int = 0,
    edges: Integers | None = None,
    keep_going: bool = False,
    threads: int | None = None,
    tuning: Tuning = STANDARD,
) -> BatchResult:
    """The metrics of every strategy, each exactly what `backtest` gives for it; tables are not kept.

    Arguments as in `backtest`. Indicators of equal arguments are computed once. `edges` (B + 1,) are rows of the bars, in
    order, none before `first`: block i covers rows edges[i] to edges[i + 1] - 1. A bar after the ruin of an account has no
    return and adds nothing to its block. With `keep_going` a strategy that fails is a row of NaN and its message in
    `BatchResult.errors`. `threads` share the work (None: as many as there are processors, at most four, or what GPT_TRADER_THREADS
    says); features and decisions in Python stay on the calling one, and no number depends on it, nor on `tuning`.

    Raises as `backtest` does, for the first strategy that fails; with `keep_going` only for what is wrong with every run.
    """
    settings = settings_of(bars, capital, costs, allocation, risk, fills, exits, instruments, index)
    return score_runs(
        strategies,
        bars,
        settings,
        first=first,
        edges=edges,
        keep_going=keep_going,
        threads=threads,
        tuning=tuning,
    )


def score_runs(
    strategies: Iterable[Strategy],
    bars: Bars,
    settings: Settings,
    *,
    first: int = 0,
    edges: Integers | None = None,
    keep_going: bool = False,
    threads: int | None = None,
    called: int = 0,
    tuning: Tuning = STANDARD,
) -> BatchResult:
    """`backtest_many` with all that is neither strategy nor data in one `settings`.

    `called` is how often `decide` is called for other runs of the same study in this process: a rule that runs bar by bar is
    compiled when all of them make it worth while.
    """
    first = checked_first(first, bars)
    blocks = NO_EDGES if edges is None else checked_edges(edges, first, bars) - first
    batch = BatchSettings(bars, settings, first, blocks, tuning)
    expected = len(strategies) if isinstance(strategies, Sized) else 1
    quiet = np.errstate(invalid="ignore", divide="ignore")
    with WorkerPool(batch, thread_count(threads)) as workers, shared_memo(), quiet:
        runner = _BatchRunner(batch, workers, expected, called)
        for strategy in strategies:
            runner.add(checked_instance(strategy, "backtest_many"))
            if not keep_going and runner.failed:
                break
        runner.flush()
        return batch_result(batch, workers.finish(), runner.failed, runner.runs, keep_going)


def batch_result(
    batch: BatchSettings,
    done: list[BatchPart],
    failed: Mapping[int, GptTraderError],
    runs: int,
    keep_going: bool,
) -> BatchResult:
    """The parts put together in the order of the runs. Raises the error of the first run that failed unless `keep_going`."""
    errors = dict(failed)
    for part in done:
        errors |= part.errors
    if errors and not keep_going:
        raise errors[min(errors)]
    values, sums = np.empty((runs, len(METRIC_NAMES))), np.empty((runs, 2, batch.edges.size - 1))
    for part in done:
        values[part.rows], sums[part.rows] = part.values, part.sums
    for number in failed:
        values[number], sums[number] = np.nan, np.nan
    return BatchResult(METRIC_NAMES, values, sums, {number: str(errors[number]) for number in sorted(errors)})


def checked_edges(edges: Any, first: int, bars: Bars) -> Integers:
    """`edges` as row numbers (B + 1,). Raises BadParameter unless they are whole, in order and within first..T."""
    rows = np.asarray(edges)
    if rows.ndim != 1 or rows.size < 2 or rows.dtype.kind not in "iu":
        raise BadParameter("edges are the rows between blocks: an array of two or more whole numbers")
    if rows[0] < first or rows[-1] > bars.T or bool((rows[1:] < rows[:-1]).any()):
        raise BadParameter(
            f"edges run from {rows[0]} to {rows[-1]}; they must rise, from {first} on, to {bars.T} at most"
        )
    return np.ascontiguousarray(rows, np.int64)


def is_unshared(answer: Any, shape: tuple[int, ...]) -> bool:
    """Whether an answer is an array of weights that nothing else refers to, so that it can be used without a copy.

    The caller passes a local variable: an unshared array then has three references, that variable and two of this call.
    """
    return (
        type(answer) is np.ndarray
        and answer.shape == shape
        and answer.dtype == np.float64
        and answer.base is None
        and answer.flags.carray
        and getrefcount(answer) == 3
    )


class _BatchRunner:
    """Hands runs to the workers: targets of stateless strategies many at a time under the same rules, other strategies one by
    one.

    `expected` is the number of runs, if known; `called` how often `decide` is called for other runs of the same study.
    """

    def __init__(self, batch: BatchSettings, workers: WorkerPool, expected: int, called: int) -> None:
        self.batch, self.workers, self.expected, self.called_elsewhere = batch, workers, expected, called
        self.seen = batch.bars.strategy_view()
        self.fields = strategy_calls.row_values(self.seen, {})
        self.modes: dict[type[Strategy], str] = {}
        self.called: dict[type[Strategy], int] = {}
        self.markets: dict[Any, Any] = {}
        self.runs = 0
        self.failed: dict[int, GptTraderError] = {}
        self.rules_key: Any = None
        self._choose_market(
            (batch.settings.exits, False, False), None
        )  # raises for settings that no run can have

    def add(self, strategy: Strategy) -> None:
        """Take one more run: its targets are queued, or it is scored at once when it goes bar by bar."""
        number = self.runs
        self.runs += 1
        kind = type(strategy)
        try:
            if kind not in self.modes:
                self.modes[kind] = self._mode(strategy, self.expected - 1)
            if self.modes[kind] == ARRAY:
                self._queue_targets(number, strategy)
            else:
                self._run_bar_by_bar(number, strategy)
        except GptTraderError as error:
            self.failed[number] = error

    def _mode(self, strategy: Strategy, others: int) -> str:
        """The mode of this class when `others` runs of it come as well: so many calls decide whether compiling pays."""
        bars, first = self.batch.bars, self.batch.first
        calls = others * calls_of(strategy, bars, first) + self.called_elsewhere
        return chosen_mode(strategy, bars, first, calls, self.batch.tuning)

    def _queue_targets(self, number: int, strategy: Strategy) -> None:
        """Compute the targets of a stateless strategy and queue them."""
        first, settings = self.batch.first, self.batch.settings
        features = strategy_calls.compute_features(strategy, self.seen)
        score = features.get("score")
        key = (all_exits(strategy, settings), counts_units(strategy), score is not None)
        buffer = self.workers.filling
        if key != self.rules_key or score is not None or len(buffer.queued) == len(buffer.targets):
            self.flush()
            self._choose_market(key, score)
            buffer = self.workers.filling
        row = strategy_calls.rows_from({**self.fields, **features}, first)
        answer = strategy_calls.call_strategy(strategy, "decide", strategy.decide, row)
        slot = buffer.targets[len(buffer.queued), first:]
        if (
            len(buffer.targets) == 1
            and first == settings.fills.delay == 0
            and is_unshared(answer, slot.shape)
        ):
            buffer.targets = answer[np.newaxis]
            buffer.queued.append((number, strategy))
            return
        if type(answer) is not np.ndarray or answer.shape != slot.shape or answer.dtype != np.float64:
            answer = strategy_calls.checked_targets(strategy, answer, slot.shape, first)
        delay = min(settings.fills.delay, len(slot))
        slot[:delay] = np.nan
        slot[delay:] = answer[: len(slot) - delay]
        buffer.queued.append((number, strategy))

    def _choose_market(self, key: Any, score: NDArray[Any] | None) -> None:
        """Set the market and the rules of the runs to come; those with ranks of their own need new ones each."""
        exits, units, ranked = key
        if key not in self.markets or score is not None:
            if len(self.markets) == self.batch.tuning.markets:
                self.markets.clear()
            bars, settings = self.batch.bars, self.batch.settings
            ranks = ranks_by_action_bar(self._no_delayed_targets(), score, bars, self.batch.first)
            self.markets[key] = (
                build_market(bars, settings, exits, ranks),
                rules_record(settings, exits, units, ranked),
            )
        self.rules_key = key
        self.market, self.rules = self.markets[key]

    def _no_delayed_targets(self) -> DecisionDelay:
        return DecisionDelay.empty(self.batch.settings.fills.delay, self.batch.bars.N)

    def flush(self) -> None:
        """Have the queued runs scored."""
        if self.workers.filling.queued:
            market, rules = self.market, self.rules
            self.workers.score(lambda buffer: buffer.score_targets(market, rules))

    def _run_bar_by_bar(self, number: int, strategy: Strategy) -> None:
        """Have a strategy scored that decides bar by bar; in Python, or where it may have to be compiled, on this thread."""
        self.flush()
        kind, batch = type(strategy), self.batch
        mode, before = self.modes[kind], self.called.get(kind, 0)
        self.called[kind] = before + 1
        self.modes[kind] = self._mode(strategy, max(self.expected - 1, before + 1))
        plan = build_plan(self._no_delayed_targets(), strategy, batch.bars, batch.settings, batch.first)

        def score(buffer: WorkerBuffer) -> BatchPart:
            return buffer.score_plan(number, plan, mode)

        self.workers.score(score, on_this_thread=mode != COMPILED or before == 0)
