"""Proves a strategy honest on the user's data: the same twice, causal, the same row by row, and warm after a bounded history.

The proofs change what the strategy must not know and look whether its answers move: bars after t are cut off, replaced or
hidden (causal), `decide` gets one row instead of all (rows), bars long before t are cut off (warm-up). freqtrade's
look-ahead and recursive analysis ask the same questions; here no signal has to fire for a leak to be found.

On Linux every run is made in a process of its own, or in one that has never seen later bars: what a strategy keeps outside
itself cannot hide a leak. Elsewhere it is made in the user's process, and the report says what was not tried.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from gpt_trader.bars import Bars
from gpt_trader.checking.access_findings import accesses_of_import, as_access_findings
from gpt_trader.checking.access_monitor import Access, current_method, recorded_accesses
from gpt_trader.checking.alternative_futures import Futures
from gpt_trader.checking.carried_tables import carried_tables
from gpt_trader.checking.causal import CUT, Difference, Examined, Failure, as_findings, compare
from gpt_trader.checking.check_report import (
    CAUSAL,
    CHECK_VERSION,
    REPEAT,
    ROWS,
    WARM_UP,
    CheckReport,
    Finding,
    finding,
    first_of_each,
)
from gpt_trader.checking.examination import Examination
from gpt_trader.checking.hidden_future import decided_with_later_bars_hidden
from gpt_trader.checking.isolation import CAN_FORK, Loaded, Processes
from gpt_trader.checking.replayed_decisions import bars_that_differ
from gpt_trader.checking.sampling import bars_in_order, informative_bars
from gpt_trader.checking.screening import suspicious_bars
from gpt_trader.checking.trace import Trace, is_stateless, load_kernels, trace
from gpt_trader.checking.warm_up import warm_up
from gpt_trader.errors import BadParameter, BadRange, GptTraderError
from gpt_trader.strategy import Strategy, checked_instance, strategy_name

__all__ = ["CHECK_VERSION", "CheckReport", "Finding", "check_strategy"]

FEWEST_BARS = 60
BUDGET = 20.0  # seconds after which no further bar is tried, when the number is not given
FEW = 64  # bars below which it goes on for a while, and the report says that there was no time for more
PATIENCE = 2.0  # ... how long, in budgets
OnProgress = Callable[[int, int], None]
RANDOM = "is random: two runs on the same bars give different answers; give it a seed"
KEEPS = "keeps something between runs (in its module, its class or a field): a run after others in the same process differs"


def check_strategy(
    strategy: Strategy,
    bars: Bars,
    samples: int | None = None,
    seed: int = 0,
    *,
    budget: float = BUDGET,
    allowed: tuple[str, ...] = (),
    on_progress: OnProgress = lambda _done, _total: None,
    isolated: bool = True,
) -> CheckReport:
    """Run the proofs on `bars`. The future is changed at `samples` bars, at all of them when there are not more; without a
    number at as many as `budget` seconds allow, those where decisions change first (the choice is seeded).

    `allowed` are files that the strategy may read, as they are named in a finding. `on_progress` is told how many bars of how
    many have been tried. Each run is made in a process of its own where the system can fork; without `isolated` in this one, so
    that a debugger can follow it, and the report says what was not tried. Call it before the strategy has run in this process, as
    `gpt-trader check` does: what its module or class kept of a run on all bars, such as a cache or a model, is in every fork.

    Raises BadParameter for no instance, BadRange for fewer than FEWEST_BARS bars and StrategyError when the strategy fails
    on the full data.
    """
    checked_instance(strategy, "check_strategy")
    if bars.T < FEWEST_BARS:
        raise BadRange(f"check needs at least {FEWEST_BARS} bars, got {bars.T}")
    if current_method() is not None:  # a script that checks its strategy, imported once more by a check
        return CheckReport(strategy_name(type(strategy)), bars.T, 0, (), None)
    if samples is not None and samples < 1:
        raise BadParameter(f"check needs at least 1 sample, got {samples}")
    return _Check(strategy, bars, samples, seed, budget, allowed, on_progress, isolated).report()


@dataclass(frozen=True, slots=True)
class _Whole:
    """The strategy on all bars: its answers, what it reached for, and where a second run in the same process differs."""

    trace: Trace
    accesses: tuple[Access, ...]
    again: list[Difference | Failure]


class _Check:
    """One check from its first run to its report."""

    def __init__(
        self,
        strategy: Strategy,
        bars: Bars,
        samples: int | None,
        seed: int,
        budget: float,
        allowed: tuple[str, ...],
        on_progress: OnProgress,
        isolated: bool,
    ) -> None:
        self.strategy, self.bars, self.samples, self.seed = strategy, bars, samples, seed
        self.allowed, self.on_progress, self.budget = allowed, on_progress, budget
        self.ends = time.monotonic() + budget
        # A rule that knows nothing of what it holds sees prices without splits, and no engine is needed to ask it.
        self.futures = Futures(bars.strategy_view() if is_stateless(strategy) else bars, seed)
        forks = isolated and CAN_FORK
        self.processes = Processes(min(2, len(os.sched_getaffinity(0))) if forks else 1, seed, forks)
        self.faults: list[Finding] = []
        self.warnings: list[Finding] = []
        self.skipped: list[tuple[str, str]] = []
        self.tried = self.screened = 0
        self.warm: int | None = None

    def report(self) -> CheckReport:
        """The proofs one after the other; a rule without repeatable answers cannot be proved anything else."""
        strategy, middle = self.strategy, self.bars.T // 2
        if not is_stateless(strategy):
            load_kernels()
        # The first run sees the past only: what it leaves on disk or in a cache cannot come from later bars.
        first, accesses, loaded = self.processes.run(partial(_first_run, strategy, self.futures, middle))
        loaded.load()
        whole = self.processes.run(partial(_whole_run, strategy, self.bars))
        self._outside({**dict.fromkeys(whole.accesses), **dict.fromkeys(accesses)})
        if self._repeats(whole):
            self._hidden(whole.trace)
            problem, self.warm = self.processes.run(
                partial(warm_up, strategy, self.bars, whole.trace.features)
            )
            self._examine(whole.trace, _from_first(whole.trace, first, middle))
            self._warm_up(problem)
            if not is_stateless(strategy):
                self.skipped.append((ROWS, "its decisions are made one bar at a time anyway"))
        else:
            self.skipped += [(test, "its answers are not the same twice") for test in (CAUSAL, ROWS, WARM_UP)]
        return CheckReport(
            strategy_name(type(strategy)),
            self.bars.T,
            self.tried,
            first_of_each(self.faults),
            self.warm,
            first_of_each(self.warnings),
            tuple(self.skipped),
            self.screened,
        )

    def _outside(self, accesses: dict[Access, None]) -> None:
        """What the strategy reads besides its bars."""
        work = partial(accesses_of_import, type(self.strategy))  # changes the modules of its process
        imported = self.processes.run(work) if self.processes.forks else ()
        accesses = {**dict.fromkeys(imported), **accesses}
        faults, warned = as_access_findings(self.strategy, self.bars, accesses, self.allowed)
        self.faults += faults + carried_tables(self.strategy, self.bars)
        self.warnings += warned

    def _repeats(self, whole: _Whole) -> bool:
        """Whether two runs on the same bars agree, in one process and in two with other random numbers."""
        other = replace(self.processes, seed=self.seed + 1).run(partial(trace, self.strategy, self.bars))
        moved = compare(whole.trace, other, self.bars.T - 1, REPEAT)
        self._not_repeated(moved, RANDOM)
        if not moved:
            self._not_repeated(whole.again, KEEPS)
        return not (moved or whole.again)

    def _not_repeated(self, items: list[Difference | Failure], text: str) -> None:
        for item in items:
            moved = isinstance(item, Difference)
            values = (item.expected, item.got) if isinstance(item, Difference) else (np.nan, np.nan)
            bar = item.bar if isinstance(item, Difference) else item.t
            why = text if moved else f"{text} ({item.why})" if isinstance(item, Failure) else text
            self.faults.append(finding(self.strategy, REPEAT, item.subject, self.bars, bar, why, *values))

    def _hidden(self, whole: Trace) -> None:
        if not self.processes.forks:  # both would change the user's own modules and arrays
            why = "it was checked in this process" if CAN_FORK else "this system cannot fork processes"
            text = f"was not imported anew and nothing was hidden in place: {why}"
            self.warnings.append(finding(self.strategy, CAUSAL, "features", self.bars, 0, text))
            return
        moved, faults = self.processes.run(
            partial(decided_with_later_bars_hidden, self.strategy, self.bars, whole, self.futures)
        )
        found, _ = as_findings(self.strategy, self.bars, [Examined(0, tuple(moved), ())])
        self.faults += [*found, *faults]

    def _examine(self, whole: Trace, first: Examined) -> None:
        """Change the future at one bar after the other: as many as were asked for, or as time allows."""
        strategy, bars = self.strategy, self.bars
        order = bars_in_order(informative_bars(whole.features, whole.decisions), self.seed)
        total = len(order) if self.samples is None else min(self.samples, len(order))
        examination = Examination(
            strategy, whole, self.futures, self.processes, lambda done: self.on_progress(done, total)
        )
        timed = self.samples is None

        def known() -> bool:
            return (
                examination.found
                or bool(first.differences)
                or (timed and bool(self.faults or examination.unrepeated))
            )

        examination.one_by_one(
            order[:total], lambda seconds: timed and (known() or seconds > self.budget / 3)
        )
        rest = order[examination.tried : total]
        if timed and not known():
            rest = list(dict.fromkeys([*self._suspects(whole, rest), *rest]))

        def enough() -> bool:
            late = time.monotonic() - self.ends
            few = examination.tried + self.screened < FEW
            return known() or (timed and late > (PATIENCE * self.budget if few else 0.0))

        examination.many_at_once(rest, enough)
        self.tried = examination.tried
        self._not_repeated(examination.unrepeated, KEEPS)
        faults, warned = as_findings(strategy, bars, [first, *examination.examined])
        self.faults += faults
        # What fails on fewer bars than the warm-up takes is nothing to say.
        self.warnings += [item for item in warned if self.warm is None or item.bar + 1 >= self.warm]
        if timed and not self.faults and self.tried + self.screened < min(FEW, bars.T - 1):
            text = f"is slow: only {self.tried} of {bars.T:,} bars were tried in {self.budget:g} seconds; --samples tries more"
            self.warnings.append(finding(strategy, CAUSAL, "features", bars, bars.T - 1, text))

    def _suspects(self, whole: Trace, rest: list[int]) -> list[int]:
        """The bars of `rest` that look as if later bars were known there; half of the time that is left is for this."""
        suspects: list[int] = []
        began = time.monotonic()
        left = max(0.0, self.ends - began)
        rule = self.strategy, self.bars
        if self.warm is not None:
            half = began + left / (2 if is_stateless(self.strategy) else 4)
            suspects, self.screened = suspicious_bars(
                *rule, whole, max(self.warm, 2), rest, half, self.processes
            )
        if not is_stateless(self.strategy):
            suspects = [*bars_that_differ(*rule, rest, began + left / 2, self.processes), *suspects]
        return suspects

    def _warm_up(self, problem: Finding | None) -> None:
        """A value that depends on where the data begin is a warning; a leak explains it, and a declared warm-up must hold."""
        moved = {item.subject for item in self.faults if item.test == CAUSAL}
        if problem is not None and problem.subject not in moved:
            (self.faults if self.strategy.warmup else self.warnings).append(problem)


def _from_first(whole: Trace, first: Trace | str, t: int) -> Examined:
    """What the very first run, which had seen no later bar, says beside the whole."""
    if isinstance(first, str):
        return Examined(t, (), (Failure(t, CUT, "features", first),))
    found = compare(whole, first, t, CUT)
    moved = tuple(item for item in found if isinstance(item, Difference))
    return Examined(t, moved, tuple(item for item in found if isinstance(item, Failure)))


def _first_run(
    strategy: Strategy, futures: Futures, t: int
) -> tuple[Trace | str, tuple[Access, ...], Loaded]:
    """The strategy on the bars up to t, in a process that has run nothing before; an error as its text. With what it reached
    for and what it loaded."""
    before = frozenset(sys.modules)
    with recorded_accesses() as accesses:
        try:
            made: Trace | str = trace(strategy, futures.cut(t))
        except GptTraderError as error:
            made = str(error)
    return made, tuple(accesses), Loaded.since(before)


def _whole_run(strategy: Strategy, bars: Bars) -> _Whole:
    """The strategy on all bars, twice in one process."""
    with recorded_accesses() as accesses:
        once = trace(strategy, bars)
    return _Whole(once, tuple(accesses), compare(once, trace(strategy, bars), bars.T - 1, REPEAT))
