"""Counts the points of a sweep in the trial ledger, also those that failed or were given up early."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from numpy.typing import NDArray

from gpt_trader.adapters.store.errors import StoreError
from gpt_trader.adapters.store.trials import TrialBatch, TrialCount
from gpt_trader.research.identity import TrialKeys
from gpt_trader.research.luck import returns_counted
from gpt_trader.research.profiles import profiles_of
from jobs.study_counting import by_length, described

if TYPE_CHECKING:
    from gpt_trader.adapters.store import RunStore
    from gpt_trader.research.evaluation import Subject
    from gpt_trader.research.space import Space
    from gpt_trader.research.surface import Surface

Answer = TypeVar("Answer")


class Counting:
    """The ledger while a sweep runs. What it refuses is kept in `problem`: the sweep goes on, its points are not counted."""

    def __init__(
        self, store: RunStore, subject: Subject, space: Space, clock: Callable[[], datetime]
    ) -> None:
        self._store, self._subject, self._space, self._clock = store, subject, space, clock
        self.problem: StoreError | None = None

    def keep(self, part: Surface) -> None:
        """Count the points of a part of the surface."""

        def record(store: RunStore) -> None:
            for batch in batches(part, self._subject, self._space):
                store.ledger.record(batch, made_at=self._clock())

        self._with_store(record)

    def count(self) -> TrialCount | None:
        """How often the family was tried now; None when the ledger refused."""
        of = described(self._subject, "sweep")
        asked = [of[name] for name in ("family", "data", "symbols", "start", "end", "timeframe")]
        return self._with_store(lambda store: store.ledger.count(*asked))

    def _with_store(self, ask: Callable[[RunStore], Answer]) -> Answer | None:
        if self.problem is not None:
            return None
        try:
            with self._store as opened:
                return ask(opened)
        except StoreError as problem:
            lost = "These points were NOT counted, so nothing is deflated; the same command counts them"
            self.problem = StoreError(f"{problem}. {lost}")
        return None


def batches(part: Surface, subject: Subject, space: Space) -> Iterator[TrialBatch]:
    """The points of a surface as the ledger takes them: those that saw all bars, and those given up at each look."""
    rows = [row for row in range(len(part)) if row not in part.looks]
    if rows:
        yield from _batches(part, rows, part.values[rows], part.sums[rows], subject, space, subject.bars.T)
    for stop in sorted({look.stop for look in part.looks.values()}):
        rows = [row for row, look in part.looks.items() if look.stop == stop]
        values = np.array([part.looks[row].values for row in rows])
        sums = np.array([part.looks[row].sums for row in rows])
        yield from _batches(part, rows, values, sums, subject, space, stop)


def _batches(
    part: Surface,
    rows: list[int],
    values: NDArray[np.float64],
    sums: NDArray[np.float32],
    subject: Subject,
    space: Space,
    stop: int,
) -> Iterator[TrialBatch]:
    of = described(subject, "sweep")
    keys = TrialKeys(subject.strategy, subject.settings, of["data"], 0, stop - 1)
    parameters = ({**space.fixed, **part.parameters(row)} for row in rows)
    yield from by_length(
        of, keys.of_all(parameters), values, profiles_of(sums), returns_counted(values, sums, stop)
    )
