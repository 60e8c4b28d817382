"""Scores the runs of a batch on one thread or on several, each with a buffer of targets and an account of its own."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from gpt_trader.bars import Bars
from gpt_trader.engine import strategy_calls
from gpt_trader.engine.account_memory import empty_book, grow_logs, initial_log_size
from gpt_trader.engine.account_reset import clear_book
from gpt_trader.engine.decision_delay import DecisionDelay
from gpt_trader.engine.interpreted import is_interpreted
from gpt_trader.engine.metric_formulas import METRIC_NAMES
from gpt_trader.engine.records import BAD_TARGET, DONE, AccountState, MarketData
from gpt_trader.engine.run_modes import AccountRun, RunPlan
from gpt_trader.engine.run_setup import Settings, rules_record
from gpt_trader.engine.run_statistics import score_into, score_many
from gpt_trader.engine.simulation import run_plan
from gpt_trader.errors import BadParameter, GptTraderError
from gpt_trader.performance_tuning import STANDARD, Tuning
from gpt_trader.periods import periods_of
from gpt_trader.strategy import Strategy

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
THREADS = "GPT_TRADER_THREADS"
MOST_THREADS = 4  # what decides in Python is one thread; more than this would wait for it


@dataclass(frozen=True, slots=True)
class BatchSettings:
    """What all runs of a batch share; `edges` (B + 1,), the rows between the blocks, count from row `first`."""

    bars: Bars
    settings: Settings
    first: int
    edges: Integers
    tuning: Tuning = STANDARD

    @property
    def per_year(self) -> float:
        """Bars in a year."""
        return self.bars._once(
            "periods_per_year", lambda: periods_of(self.bars.time.view(np.int64), self.bars.timeframe)
        )


@dataclass(slots=True)
class BatchPart:
    """Some runs of a batch, scored: their `numbers` in the batch, `values` (runs, metrics), block `sums` (runs, 2, B), and the
    errors of those that failed by number."""

    numbers: list[int]
    values: Floats
    sums: Floats
    errors: dict[int, GptTraderError] = field(default_factory=dict)

    @classmethod
    def of(cls, numbers: list[int], batch: BatchSettings) -> Self:
        """Room for the runs of these numbers."""
        blocks = batch.edges.size - 1
        return cls(numbers, np.empty((len(numbers), len(METRIC_NAMES))), np.empty((len(numbers), 2, blocks)))

    @property
    def rows(self) -> slice | list[int]:
        """The numbers as an index of the batch's arrays: a slice where they follow each other, which copies nothing."""
        first, last = self.numbers[0], self.numbers[-1]
        return slice(first, last + 1) if last - first + 1 == len(self.numbers) else self.numbers

    def fail(self, place: int, error: GptTraderError) -> None:
        """Record that the run at `place` failed: its values and sums become NaN."""
        self.values[place] = np.nan
        self.sums[place] = np.nan
        self.errors[self.numbers[place]] = error


class WorkerBuffer:
    """The memory that one thread needs: `targets` (runs, T, N) of the runs in `queued`, and the account in which they are run
    one after the other."""

    def __init__(self, batch: BatchSettings) -> None:
        bars, settings = batch.bars, batch.settings
        self.batch = batch
        runs = max(1, min(64, batch.tuning.chunk // (bars.T * bars.N)))
        self.targets = np.empty((runs, bars.T, bars.N))
        self.unchanged = np.empty(bars.T, np.int8)
        self.scratch = np.empty((3, bars.T))
        self.queued: list[tuple[int, Strategy]] = []
        rules = rules_record(settings, (), False, False)
        orders = batch.tuning.orders or initial_log_size(bars)
        self._use_book(empty_book(bars.T, bars.N, rules, settings.capital, orders, batch.first))

    def _use_book(self, book: AccountState) -> None:
        self.book = book
        self.trade_fields = np.empty((2, book.trades.shape[0]))
        self.trade_bars = np.empty(book.trades.shape[0], np.int64)

    def score_targets(self, market: MarketData, rules: NDArray[Any]) -> BatchPart:
        """Score the queued runs, all under the same rules."""
        batch, targets = self.batch, self.targets[: len(self.queued)]
        queued, self.queued = self.queued, []
        part = BatchPart.of([number for number, _ in queued], batch)
        self.book.rules[:] = rules
        at = 0
        while at < len(queued):
            at, code = score_many(
                market, self.book, targets, at, self.unchanged, batch.settings.capital, batch.per_year, self.scratch,
                self.trade_fields, self.trade_bars, batch.edges, part.values, part.sums,
            )  # fmt: skip
            if code == BAD_TARGET:
                strategy, wanted = queued[at][1], targets[at, batch.first :]
                part.fail(at, strategy_calls.infinite_weight(strategy, wanted, batch.first))
                at += 1
            elif code != DONE:
                self._use_book(grow_logs(self.book))
        return part

    def score_plan(self, number: int, plan: RunPlan, mode: str) -> BatchPart:
        """Score one run that goes bar by bar."""
        batch = self.batch
        part = BatchPart.of([number], batch)
        clear_book(self.book, batch.settings.capital)
        run = AccountRun(self.book, DecisionDelay.empty(batch.settings.fills.delay, batch.bars.N))
        try:
            run_plan(plan, run, batch.first, mode, required=False)
        except GptTraderError as error:
            part.fail(0, error)
            return part
        if run.book is not self.book:
            self._use_book(run.book)
        score_into(
            plan.market, self.book, self.scratch, batch.per_year, self.trade_fields, self.trade_bars, batch.edges,
            part.values[0], part.sums[0],
        )  # fmt: skip
        return part


class WorkerPool:
    """Worker buffers and the threads that score them. One spare buffer, filled while all workers are busy.

    The number of threads changes no result: each run is scored by itself.
    """

    def __init__(self, batch: BatchSettings, threads: int) -> None:
        self.batch = batch
        self.filling = WorkerBuffer(batch)
        self.free: list[WorkerBuffer] = []
        self.may_add = threads if threads > 1 else 0
        self.running: dict[Future[BatchPart], WorkerBuffer] = {}
        self.done: list[BatchPart] = []
        self.executor = ThreadPoolExecutor(threads - 1, "gpt-trader") if threads > 1 else None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.executor is not None:
            self.executor.shutdown(wait=True, cancel_futures=True)

    def score(self, task: Callable[[WorkerBuffer], BatchPart], *, on_this_thread: bool = False) -> None:
        """Run `task` on the buffer that was filled: on another thread when a buffer is free to be filled meanwhile, else, or with
        `on_this_thread`, here."""
        self._collect()
        if self.executor is None or on_this_thread or not (self.free or self.may_add):
            self.done.append(task(self.filling))
            return
        self.running[self.executor.submit(task, self.filling)] = self.filling
        if self.free:
            self.filling = self.free.pop()
        else:
            self.filling = WorkerBuffer(self.batch)
            self.may_add -= 1

    def _collect(self) -> None:
        """Take over what other threads have finished; their buffers are free again."""
        for future in [item for item in self.running if item.done()]:
            self.free.append(self.running.pop(future))
            self.done.append(future.result())

    def finish(self) -> list[BatchPart]:
        """Wait for the last run; everything that was scored, in no order."""
        for future in self.running:
            self.done.append(future.result())
        self.running = {}
        return self.done


def thread_count(threads: int | None) -> int:
    """How many threads score runs: `threads`, else the environment's GPT_TRADER_THREADS, else one for each processor up to four.

    Raises BadParameter for what is no positive whole number.
    """
    given: Any = os.environ.get(THREADS) if threads is None else threads
    if given is None and is_interpreted():
        return 1  # threads of plain Python wait for each other
    if given is None:
        return min(
            MOST_THREADS,
            len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
        )
    if isinstance(given, str) and given.isdigit():
        given = int(given)
    if type(given) is not int or given < 1:
        raise BadParameter(
            f"threads is {given!r}; give a whole number from 1 up (the environment's {THREADS} is the default)"
        )
    return given
