"""Counts the points of a sweep in the trial ledger, also those that failed or were given up early."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from gpt_trader.adapters.store import StoreError
from gpt_trader.adapters.store.trials import TrialBatch, TrialCount, TrialLedger
from gpt_trader.engine.measures import METRIC_NAMES
from gpt_trader.periods import periods_per_year
from gpt_trader.research.identity import TrialKeys, data_hash
from gpt_trader.research.profiles import profiles_of
from gpt_trader.strategy import strategy_name

if TYPE_CHECKING:
    from gpt_trader.research.evaluation import Subject
    from gpt_trader.research.space import Space
    from gpt_trader.research.surface import Surface

SHARPE, PER_YEAR = METRIC_NAMES.index("sharpe"), METRIC_NAMES.index("periods_per_year")


class Counting:
    """The ledger while a sweep runs. What it refuses is kept in `problem`: the sweep goes on, its points are not counted."""

    def __init__(
        self, ledger: TrialLedger, subject: Subject, space: Space, clock: Callable[[], datetime]
    ) -> None:
        self._ledger, self._subject, self._space, self._clock = ledger, subject, space, clock
        self._data = data_hash(subject.bars.fingerprint())
        self.problem: StoreError | None = None

    def keep(self, part: Surface) -> None:
        """Count the points of a part of the surface."""
        if self.problem is not None:
            return
        try:
            for batch in batches(part, self._subject, self._space, self._data):
                self._ledger.record(batch, made_at=self._clock())
        except StoreError as problem:
            self.problem = problem

    def count(self) -> TrialCount | None:
        """How often the family was tried now; None when the ledger refused."""
        bars = self._subject.bars
        if self.problem is None:
            try:
                return self._ledger.count(
                    strategy_name(self._subject.strategy), self._data, bars.symbols, bars.time[0], bars.time[-1],
                    bars.timeframe,
                )  # fmt: skip
            except StoreError as problem:
                self.problem = problem
        return None


def batches(part: Surface, subject: Subject, space: Space, data: str) -> Iterator[TrialBatch]:
    """The points of a surface as the ledger takes them: those that saw all bars, and those stopped at each look."""
    rows = [row for row in range(len(part)) if row not in part.looks]
    if rows:
        yield _batch(part, rows, part.values[rows], part.sums[rows], subject, space, data, subject.bars.T)
    for stop in sorted({look.stop for look in part.looks.values()}):
        rows = [row for row, look in part.looks.items() if look.stop == stop]
        values = np.array([part.looks[row].values for row in rows])
        sums = np.array([part.looks[row].sums for row in rows])
        yield _batch(part, rows, values, sums, subject, space, data, stop)


def _batch(
    part: Surface,
    rows: list[int],
    values: NDArray[np.float64],
    sums: NDArray[np.float32],
    subject: Subject,
    space: Space,
    data: str,
    stop: int,
) -> TrialBatch:
    bars = subject.bars
    keys = TrialKeys(subject.strategy, subject.settings, data, 0, stop - 1)
    return TrialBatch(
        family=strategy_name(subject.strategy),
        data=data,
        symbols=bars.symbols,
        start=bars.time[0],
        end=bars.time[-1],
        timeframe=bars.timeframe,
        bars=bars.T,
        periods_per_year=periods_per_year(bars.time, bars.timeframe),
        kind="sweep",
        keys=keys.of_all({**space.fixed, **part.parameters(row)} for row in rows),
        sharpe=values[:, SHARPE] / np.sqrt(values[:, PER_YEAR]),
        observations=stop,
        profiles=profiles_of(sums.astype(np.float64)),
    )
