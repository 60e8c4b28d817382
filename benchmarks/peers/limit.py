"""The bare limit as a participant: the loops of `benchmarks.limit`."""

from __future__ import annotations

from functools import partial
from typing import Any

import numba
import numpy as np

from benchmarks import definitions as given
from benchmarks import limit
from benchmarks.data import Data, Floats
from benchmarks.worker import Makers, Task, serve


def averages(data: Data, *, at_close: bool = False) -> Task:
    """W1; `at_close` fills at the close of the decision instead of the next open, for a library that cannot do that."""
    close = data.close[:, 0].copy()
    opened = np.concatenate((close[:1], close[:-1])) if at_close else data.open[:, 0].copy()

    def run(_: None) -> Any:
        equity, out = np.empty(close.size), np.empty(4)
        return limit.two_averages(opened, close, given.FAST, given.SLOW, equity, out)

    return Task(run, tuple)


def pairs(data: Data, chosen: tuple[tuple[int, int], ...] = given.PAIRS) -> Task:
    """W2."""
    opened, close = data.open[:, 0].copy(), data.close[:, 0].copy()

    def run(_: None) -> tuple[int, Floats]:
        finals = np.empty(len(chosen))
        return limit.many_averages(opened, close, np.array(chosen), finals, np.empty(4)), finals

    return Task(run, lambda result: (result[0], result[1].mean()))


def wide(data: Data) -> Task:
    """W6."""

    def run(_: None) -> tuple[int, Floats]:
        finals = np.empty(len(given.PAIRS))
        return limit.wide_averages(data.open, data.close, np.array(given.PAIRS), finals, np.empty(4)), finals

    return Task(run, lambda result: (result[0], result[1].mean()))


def trails(data: Data, chosen: tuple[tuple[int, int, float], ...] = given.TRAILS) -> Task:
    """W7."""
    opened, close = data.open[:, 0].copy(), data.close[:, 0].copy()

    def run(_: None) -> tuple[int, Floats]:
        finals = np.empty(len(chosen))
        return limit.trailing_stops(opened, close, np.array(chosen), finals, np.empty(4)), finals

    return Task(run, lambda result: (result[0], result[1].mean()))


def momentum(data: Data) -> Task:
    """W3."""

    def run(_: None) -> Any:
        equity, out = np.empty(data.close.shape[0]), np.empty(4)
        return limit.momentum(data.open, data.close, first_of_month(data), equity, out)

    return Task(run, tuple)


def first_of_month(data: Data) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """(T,): True on the first bar of each calendar month."""
    months = data.time.astype("datetime64[M]")
    return np.concatenate(([True], months[1:] != months[:-1]))


def brackets(data: Data) -> Task:
    """W4."""
    opened, high, low, close = (
        column[:, 0].copy() for column in (data.open, data.high, data.low, data.close)
    )

    def run(_: None) -> Any:
        equity, out = np.empty(close.size), np.empty(4)
        return limit.brackets(opened, high, low, close, given.FAST, given.SLOW, equity, out)

    return Task(run, tuple)


MAKERS: Makers = {
    "W1": averages, "W1L": averages, "W2": pairs, "W3": momentum, "W4": brackets,
    "W5": partial(pairs, chosen=given.MANY_PAIRS), "W6": wide, "W7": trails,
}  # fmt: skip


REFERENCES: Makers = {
    **MAKERS,
    "W1/close": partial(averages, at_close=True),
    "W1L/close": partial(averages, at_close=True),
    "W2/ten": partial(pairs, chosen=given.TEN_PAIRS),
}


def expected(key: str, data: Data) -> tuple[int, float]:
    """The reference answer (count, final equity) of a workload, or of a variant of it, for some data."""
    task = REFERENCES[key](data)
    count, equity = task.answer(task.run(task.before()))
    return int(count), float(equity)


if __name__ == "__main__":
    serve("bare loop", f"numba {numba.__version__}", MAKERS)
