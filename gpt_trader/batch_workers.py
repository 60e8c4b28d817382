"""Where the runs of a batch are scored: buffers of targets with a book each, on one thread or on several."""

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
from gpt_trader.engine import deciding
from gpt_trader.engine.decision_delay import DecisionDelay
from gpt_trader.engine.interpreted import is_interpreted
from gpt_trader.engine.opening import empty_book, grown, room_for_orders
from gpt_trader.engine.records import BAD_TARGET, DONE, AccountState, MarketData
from gpt_trader.engine.resetting import clear_book
from gpt_trader.engine.running import Plan, Run
from gpt_trader.engine.scoring import score_into, score_many
from gpt_trader.engine.session import run_plan
from gpt_trader.engine.setup import Settings, rules_record
from gpt_trader.engine.statistics import METRIC_NAMES
from gpt_trader.errors import BadParameter, GptTraderError
from gpt_trader.performance_tuning import STANDARD, Tuning
from gpt_trader.periods import periods_of
from gpt_trader.strategy import Strategy

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
THREADS = "GPT_TRADER_THREADS"
MOST_THREADS = 4  # what decides in Python is one thread; more than this would wait for it


@dataclass(frozen=True, slots=True)
class Terms:
    """What all runs of a batch share; `edges` (B + 1,) count from row `first`."""

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
class Scored:
    """Finished runs by number: `values` (runs, metrics), `sums` (runs, 2, B), and what was wrong with those that failed."""

    numbers: list[int]
    values: Floats
    sums: Floats
    errors: dict[int, GptTraderError] = field(default_factory=dict)

    @classmethod
    def of(cls, numbers: list[int], terms: Terms) -> Self:
        """Room for these runs."""
        blocks = terms.edges.size - 1
        return cls(numbers, np.empty((len(numbers), len(METRIC_NAMES))), np.empty((len(numbers), 2, blocks)))

    @property
    def rows(self) -> slice | list[int]:
        """The numbers as an index, without a list where they follow each other."""
        first, last = self.numbers[0], self.numbers[-1]
        return slice(first, last + 1) if last - first + 1 == len(self.numbers) else self.numbers

    def fail(self, place: int, error: GptTraderError) -> None:
        """Run `place` of these has no numbers."""
        self.values[place] = np.nan
        self.sums[place] = np.nan
        self.errors[self.numbers[place]] = error


class Lane:
    """Room for the targets of some runs that wait, and a book in which they run one after the other."""

    def __init__(self, terms: Terms) -> None:
        bars, settings = terms.bars, terms.settings
        self.terms = terms
        runs = max(1, min(64, terms.tuning.chunk // (bars.T * bars.N)))
        self.targets = np.empty((runs, bars.T, bars.N))
        self.unchanged = np.empty(bars.T, np.int8)
        self.scratch = np.empty((3, bars.T))
        self.waiting: list[tuple[int, Strategy]] = []
        rules = rules_record(settings, (), False, False)
        orders = terms.tuning.orders or room_for_orders(bars)
        self._keep(empty_book(bars.T, bars.N, rules, settings.capital, orders, terms.first))

    def _keep(self, book: AccountState) -> None:
        self.book = book
        self.trade_fields = np.empty((2, book.trades.shape[0]))
        self.trade_bars = np.empty(book.trades.shape[0], np.int64)

    def score_targets(self, market: MarketData, rules: NDArray[Any]) -> Scored:
        """Score the runs that wait, all under the same rules."""
        terms, targets = self.terms, self.targets[: len(self.waiting)]
        waiting, self.waiting = self.waiting, []
        scored = Scored.of([number for number, _ in waiting], terms)
        self.book.rules[:] = rules
        at = 0
        while at < len(waiting):
            at, code = score_many(
                market, self.book, targets, at, self.unchanged, terms.settings.capital, terms.per_year, self.scratch,
                self.trade_fields, self.trade_bars, terms.edges, scored.values, scored.sums,
            )  # fmt: skip
            if code == BAD_TARGET:
                strategy, wanted = waiting[at][1], targets[at, terms.first :]
                scored.fail(at, deciding.infinite_weight(strategy, wanted, terms.first))
                at += 1
            elif code != DONE:
                self._keep(grown(self.book))
        return scored

    def score_plan(self, number: int, plan: Plan, mode: str) -> Scored:
        """Score one run that goes bar by bar."""
        terms = self.terms
        scored = Scored.of([number], terms)
        clear_book(self.book, terms.settings.capital)
        run = Run(self.book, DecisionDelay.nothing(terms.settings.fills.delay, terms.bars.N))
        try:
            run_plan(plan, run, terms.first, mode, required=False)
        except GptTraderError as error:
            scored.fail(0, error)
            return scored
        if run.book is not self.book:
            self._keep(run.book)
        score_into(
            plan.market, self.book, self.scratch, terms.per_year, self.trade_fields, self.trade_bars, terms.edges,
            scored.values[0], scored.sums[0],
        )  # fmt: skip
        return scored


class Lanes:
    """Lanes and the threads that score them. One lane more than threads: while one is filled, each thread has one and the first
    has the next.

    What is scored does not depend on the number of threads: a run is scored alone, whoever does it.
    """

    def __init__(self, terms: Terms, threads: int) -> None:
        self.terms = terms
        self.filling = Lane(terms)
        self.free: list[Lane] = []
        self.spare = threads if threads > 1 else 0
        self.running: dict[Future[Scored], Lane] = {}
        self.done: list[Scored] = []
        self.pool = ThreadPoolExecutor(threads - 1, "gpt-trader") if threads > 1 else None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.pool is not None:
            self.pool.shutdown(wait=True, cancel_futures=True)

    def score(self, task: Callable[[Lane], Scored], *, here: bool = False) -> None:
        """Do `task` with the lane that was filled: on another thread when one has time, else (or with `here`) on this one."""
        self._collect()
        if self.pool is None or here or not (self.free or self.spare):
            self.done.append(task(self.filling))
            return
        self.running[self.pool.submit(task, self.filling)] = self.filling
        if self.free:
            self.filling = self.free.pop()
        else:
            self.filling = Lane(self.terms)
            self.spare -= 1

    def _collect(self) -> None:
        """Take what the other threads have finished."""
        for future in [item for item in self.running if item.done()]:
            self.free.append(self.running.pop(future))
            self.done.append(future.result())

    def finish(self) -> list[Scored]:
        """All that was scored, when the last run is through."""
        for future in self.running:
            self.done.append(future.result())
        self.running = {}
        return self.done


def thread_count(threads: int | None) -> int:
    """How many threads score: `threads`, else the environment's GPT_TRADER_THREADS, else one for each processor up to four.

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
