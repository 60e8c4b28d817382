"""Proves a strategy honest on the user's data: the same twice, causal, the same row by row, and warm after a bounded history.

The proofs change what the strategy must not know and look whether its answers move: bars after t are cut off, replaced or
hidden (causal), `decide` gets one row instead of all (rows), bars long before t are cut off (warm-up). freqtrade's
look-ahead and recursive analysis ask the same questions; here no signal has to fire for a leak to be found.

Every run is made in a process of its own, or in one that has never seen later bars: what a strategy keeps outside itself
cannot hide a leak.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from gpt_trader.bars import Bars
from gpt_trader.checking.carrying import carried_tables
from gpt_trader.checking.causal import CUT, Difference, Examined, Failure, as_findings, compare, examine
from gpt_trader.checking.futures import Futures
from gpt_trader.checking.hidden import decided_under_a_veil
from gpt_trader.checking.isolation import FORKS, Loaded, in_child, in_children
from gpt_trader.checking.reaching import accesses_of_import, as_access_findings
from gpt_trader.checking.report import (
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
from gpt_trader.checking.sampling import bars_in_order, telling_bars
from gpt_trader.checking.trace import Trace, is_stateless, load_kernels, trace
from gpt_trader.checking.warm_up import warm_up
from gpt_trader.checking.watching import Access, listening
from gpt_trader.errors import BadParameter, BadRange, GptTraderError
from gpt_trader.strategy import Strategy, checked_instance, strategy_name

__all__ = ["CHECK_VERSION", "CheckReport", "Finding", "check_strategy"]

FEWEST_BARS = 60
ALONE = 24  # bars that are tried in a process of their own each
FEWEST_ALONE = 6  # ... however long a run takes
FEW = 64  # bars below which the report says that there was no time for more
BUDGET = 20.0  # seconds after which no further bar is tried, when the number is not given
ROUND = 1.0  # seconds of work that a process is given at a time
Tell = Callable[[int, int], None]


def check_strategy(
    strategy: Strategy,
    bars: Bars,
    samples: int | None = None,
    seed: int = 0,
    *,
    budget: float = BUDGET,
    allowed: tuple[str, ...] = (),
    on_progress: Tell = lambda _done, _total: None,
) -> CheckReport:
    """Run the proofs on `bars`. The future is changed at `samples` bars, at all of them when there are not more; without a
    number at as many as `budget` seconds allow, those where decisions change first (the choice is seeded).

    `allowed` are files that the strategy may read, as they are named in a finding. `on_progress` hears how many bars of how
    many have been tried.

    Raises BadParameter for no instance, BadRange for fewer than FEWEST_BARS bars and StrategyError when the strategy fails
    on the full data.
    """
    checked_instance(strategy, "check_strategy")
    if bars.T < FEWEST_BARS:
        raise BadRange(f"check needs at least {FEWEST_BARS} bars, got {bars.T}")
    if samples is not None and samples < 1:
        raise BadParameter(f"check needs at least 1 sample, got {samples}")
    return _Check(strategy, bars, samples, seed, budget, allowed, on_progress).report()


@dataclass(frozen=True, slots=True)
class _Whole:
    """The strategy on all bars: its answers, what it reached for, and where a second run in the same process differs."""

    trace: Trace
    accesses: tuple[Access, ...]
    again: tuple[Difference, ...]


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
        tell: Tell,
    ) -> None:
        self.strategy, self.bars, self.samples, self.seed = strategy, bars, samples, seed
        # A rule that knows nothing of what it holds sees prices without splits, and no engine is needed to ask it.
        self.futures = Futures(bars.strategy_view() if is_stateless(strategy) else bars, seed)
        self.allowed, self.tell = allowed, tell
        self.ends = time.monotonic() + budget
        self.budget = budget
        self.processes = min(2, len(os.sched_getaffinity(0))) if FORKS else 1
        self.faults: list[Finding] = []
        self.warnings: list[Finding] = []
        self.skipped: list[tuple[str, str]] = []
        self.tried = 0
        self.warm: int | None = None

    def report(self) -> CheckReport:
        """The proofs one after the other; a rule without repeatable answers cannot be proved anything else."""
        bars, strategy = self.bars, self.strategy
        middle = bars.T // 2
        if not is_stateless(strategy):
            load_kernels()
        # The first run sees the past only: what it leaves on disk or in a cache cannot come from later bars.
        first, heard_first, loaded = in_child(partial(_first_run, strategy, self.futures, middle), self.seed)
        loaded.load()
        whole = in_child(partial(_whole_run, strategy, bars), self.seed)
        self._reached(whole.accesses, heard_first)
        if not self._repeats(whole):
            reason = "its answers are not the same twice"
            self.skipped += [(CAUSAL, reason), (ROWS, reason), (WARM_UP, reason)]
            return self._made()
        order = bars_in_order(telling_bars(whole.trace.features, whole.trace.decisions), self.seed)
        self._hidden(whole.trace)
        examined = self._examine(whole.trace, order)
        examined.append(self._from_first(whole.trace, first, middle))
        faults, warned = as_findings(strategy, bars, examined)
        self.faults += faults
        self.warnings += warned
        if self.samples is None and not self.faults and self.tried < min(FEW, bars.T - 1):
            text = f"is slow: only {self.tried} of {bars.T:,} bars were tried in {self.budget:g} seconds; --samples tries more"
            self.warnings.append(finding(strategy, CAUSAL, "features", bars, bars.T - 1, text))
        if not is_stateless(strategy):
            self.skipped.append((ROWS, "its decisions are made one bar at a time anyway"))
        problem, self.warm = in_child(partial(warm_up, strategy, bars, whole.trace.features), self.seed)
        if self.warm is not None:  # what fails on fewer bars than the warm-up takes is nothing to say
            self.warnings = [
                item for item in self.warnings if item not in warned or item.bar + 1 >= self.warm
            ]
        moved = {item.subject for item in self.faults if item.test == CAUSAL}
        if problem is not None and problem.subject not in moved:
            (self.faults if strategy.warmup else self.warnings).append(problem)
        return self._made()

    def _made(self) -> CheckReport:
        return CheckReport(
            strategy_name(type(self.strategy)),
            self.bars.T,
            self.tried,
            first_of_each(self.faults),
            self.warm,
            first_of_each(self.warnings),
            tuple(self.skipped),
        )

    def _reached(self, whole: tuple[Access, ...], first: tuple[Access, ...]) -> None:
        """What the strategy reads besides its bars."""
        imported = in_child(partial(accesses_of_import, type(self.strategy)), self.seed)
        faults, warned = as_access_findings(
            self.strategy, self.bars, dict.fromkeys((*imported, *whole, *first)), self.allowed
        )
        self.faults += faults + carried_tables(self.strategy, self.bars)
        self.warnings += warned

    def _repeats(self, whole: _Whole) -> bool:
        """Whether two runs on the same bars agree, in one process and in two with other random numbers."""
        other = in_child(partial(trace, self.strategy, self.bars), self.seed + 1)
        random = compare(whole.trace, other, self.bars.T - 1, REPEAT)
        text = "is random: two runs on the same bars give different answers; give it a seed"
        for item in random:
            self._not_repeated(item, text)
        if not random:
            text = "keeps something between runs (in its module or class): a second run in the same process differs"
            for item in whole.again:
                self._not_repeated(item, text)
        return not (random or whole.again)

    def _not_repeated(self, item: object, text: str) -> None:
        bar = getattr(item, "bar", 0)
        expected, got = getattr(item, "expected", np.nan), getattr(item, "got", np.nan)
        subject = getattr(item, "subject", "features")
        self.faults.append(finding(self.strategy, REPEAT, subject, self.bars, bar, text, expected, got))

    def _hidden(self, whole: Trace) -> None:
        moved, faults = in_child(
            partial(decided_under_a_veil, self.strategy, self.bars, whole, self.futures), self.seed
        )
        found, _ = as_findings(self.strategy, self.bars, [Examined(0, tuple(moved), ())])
        self.faults += [*found, *faults]

    def _from_first(self, whole: Trace, first: Trace | str, t: int) -> Examined:
        """What the very first run, which had seen no later bar, says beside the whole."""
        if isinstance(first, str):
            return Examined(t, (), (Failure(t, CUT, "features", first),))
        found = compare(whole, first, t, CUT)
        return Examined(
            t,
            tuple(item for item in found if isinstance(item, Difference)),
            tuple(item for item in found if isinstance(item, Failure)),
        )

    def _examine(self, whole: Trace, order: list[int]) -> list[Examined]:
        """Change the future at bars of `order`: some in processes of their own, the rest many to a process."""
        total = len(order) if self.samples is None else min(self.samples, len(order))
        order = order[:total]
        run = partial(_examine_alone, self.strategy, whole, self.futures)
        began = time.monotonic()
        examined: list[Examined] = []
        alone = order[:ALONE]
        for found in in_children([partial(run, t) for t in alone], self.processes, self.seed):
            examined.append(found)
            self._count(1, total)
            late = time.monotonic() - began > self.budget / 3
            known = bool(self.faults) or any(one.differences for one in examined)
            if self.samples is None and (late or known) and len(examined) >= FEWEST_ALONE:
                break
        seconds = (time.monotonic() - began) / len(examined)
        rest = order[len(examined) :]
        while rest and not any(one.differences for one in examined):
            if self.samples is None and (self.faults or time.monotonic() > self.ends):
                break
            size = max(1, int(ROUND / max(seconds, 1e-4)))
            parts = [rest[k * size : (k + 1) * size] for k in range(self.processes)]
            rest = rest[self.processes * size :]
            began = time.monotonic()
            works = [
                partial(_examine_many, self.strategy, whole, self.futures, part) for part in parts if part
            ]
            for many in in_children(works, self.processes, self.seed):
                examined += [self._confirmed(run, one) for one in many]
                self._count(len(many), total)
            seconds = max(1e-4, (time.monotonic() - began) / max(1, max(map(len, parts))))
        return examined

    def _confirmed(self, run: Callable[[int], Examined], found: Examined) -> Examined:
        """What was found in a process that had made other runs before, as a process of its own finds it.

        What is not found again comes from something kept between the runs, which is a fault of another kind.
        """
        if not found.found:
            return found
        alone = in_child(partial(run, found.t), self.seed)
        if not alone.found:
            text = "keeps something between runs (in its module or class): a run after others in the same process differs"
            item = (*found.differences, *found.failures)[0]
            self._not_repeated(item, text)
        return alone

    def _count(self, more: int, total: int) -> None:
        self.tried += more
        self.tell(self.tried, total)


def _first_run(
    strategy: Strategy, futures: Futures, t: int
) -> tuple[Trace | str, tuple[Access, ...], Loaded]:
    """The strategy on the bars up to t, in a process that has run nothing before; an error as its text. With what it reached
    for and what it loaded."""
    before = frozenset(sys.modules)
    with listening() as heard:
        try:
            made: Trace | str = trace(strategy, futures.cut(t))
        except GptTraderError as error:
            made = str(error)
    return made, tuple(heard), Loaded.since(before)


def _whole_run(strategy: Strategy, bars: Bars) -> _Whole:
    """The strategy on all bars, twice in one process."""
    with listening() as heard:
        once = trace(strategy, bars)
    again = compare(once, trace(strategy, bars), bars.T - 1, REPEAT)
    return _Whole(once, tuple(heard), tuple(item for item in again if isinstance(item, Difference)))


def _examine_alone(strategy: Strategy, whole: Trace, futures: Futures, t: int) -> Examined:
    """One bar, in a process whose memory holds no later bar."""
    futures.prepare(t)
    if FORKS:
        for panel in futures.panels():
            _blank(panel, t)
    return examine(strategy, whole, futures, t)


def _examine_many(strategy: Strategy, whole: Trace, futures: Futures, times: list[int]) -> list[Examined]:
    return [examine(strategy, whole, futures, t) for t in times]


def _blank(panel: NDArray[np.float64], t: int) -> None:
    """Overwrite the rows after t with NaN, in memory that belongs to this process alone."""
    chain = [panel]
    while isinstance(chain[-1].base, np.ndarray):
        chain.append(chain[-1].base)
    if not chain[-1].flags.owndata:
        return  # shared or mapped memory is not ours to write
    for array in reversed(chain):
        array.setflags(write=True)
    panel[:, t + 1 :] = np.nan
    for array in chain:
        array.setflags(write=False)
