"""Goes from bar to bar and changes what comes after: first in a process for each bar, then for many bars in one."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial

import numpy as np
from numpy.typing import NDArray

from gpt_trader.checking.alternative_futures import Futures
from gpt_trader.checking.causal import Difference, Examined, Failure, examine
from gpt_trader.checking.isolation import Processes
from gpt_trader.checking.stored_arrays import bases
from gpt_trader.checking.trace import Trace
from gpt_trader.strategy import Strategy

ALONE = 24  # bars that are tried in a process of their own each
FEWEST_ALONE = 6  # ... however long a run takes
ROUND = 1.0  # seconds of work that a process is given at a time


class Examination:
    """What changing the future has shown so far.

    `tried` bars, what was `examined`, and in `unrepeated` what a process found that had made other runs before and a process of
    its own did not: something that the strategy keeps between runs.
    """

    def __init__(
        self,
        strategy: Strategy,
        whole: Trace,
        futures: Futures,
        processes: Processes,
        on_tried: Callable[[int], None],
    ) -> None:
        self._strategy, self._whole, self._futures = strategy, whole, futures
        self._processes, self._on_tried = processes, on_tried
        self._seconds = 0.0  # that a bar takes
        self.examined: list[Examined] = []
        self.unrepeated: list[Difference | Failure] = []

    @property
    def tried(self) -> int:
        """How many bars have been tried."""
        return len(self.examined)

    @property
    def found(self) -> bool:
        """Whether an answer moved with the bars after it."""
        return any(one.differences for one in self.examined)

    def one_by_one(self, order: list[int], enough: Callable[[float], bool]) -> None:
        """Try up to ALONE bars, each in a process that holds no later bar; stop when `enough(seconds so far)`."""
        began = time.monotonic()
        for found in self._processes.run_all([self._alone(t) for t in order[:ALONE]]):
            self._add([found])
            if self.tried >= FEWEST_ALONE and enough(time.monotonic() - began):
                break
        self._seconds = (time.monotonic() - began) / max(1, self.tried)

    def many_at_once(self, order: list[int], enough: Callable[[], bool]) -> None:
        """Try the bars in rounds of about a second; stop when `enough()`."""
        rest = list(order)
        while rest and not enough():
            size = max(1, int(ROUND / max(self._seconds, 1e-4)))
            parts = [rest[k * size : (k + 1) * size] for k in range(self._processes.at_a_time)]
            rest = rest[self._processes.at_a_time * size :]
            began = time.monotonic()
            works = [
                partial(_examine_many, self._strategy, self._whole, self._futures, part)
                for part in parts
                if part
            ]
            for many in self._processes.run_all(works):
                for one in many:
                    self._add([self._confirmed(one)])
                    if one.found and enough():
                        return
            self._seconds = (time.monotonic() - began) / max(map(len, parts))

    def _alone(self, t: int) -> Callable[[], Examined]:
        work = partial(_examine_alone, self._strategy, self._whole, self._futures, t)
        return partial(work, blank=self._processes.forks)

    def _confirmed(self, found: Examined) -> Examined:
        """What was found, as a process of its own finds it."""
        if not found.found:
            return found
        alone = self._processes.run(self._alone(found.t))
        if not alone.found:
            self.unrepeated += [*found.differences, *found.failures]
        return alone

    def _add(self, found: list[Examined]) -> None:
        self.examined += found
        self._on_tried(self.tried)


def _examine_alone(strategy: Strategy, whole: Trace, futures: Futures, t: int, *, blank: bool) -> Examined:
    """One bar, with `blank` in memory that holds no later bar any more."""
    futures.prepare(t)
    if blank:
        for panel in futures.panels():
            _blank(panel, t)
    return examine(strategy, whole, futures, t)


def _examine_many(strategy: Strategy, whole: Trace, futures: Futures, times: list[int]) -> list[Examined]:
    return [examine(strategy, whole, futures, t) for t in times]


def _blank(panel: NDArray[np.float64], t: int) -> None:
    """Overwrite the rows after t with NaN, in memory that belongs to this process alone."""
    chain = list(bases(panel))
    if not chain[-1].flags.owndata:
        return  # shared or mapped memory is not ours to write
    for array in reversed(chain):
        array.setflags(write=True)
    panel[:, t + 1 :] = np.nan
    for array in chain:
        array.setflags(write=False)
