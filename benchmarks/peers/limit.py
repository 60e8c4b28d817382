"""The bare limit as a participant: the loops of `benchmarks.limit`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba
import numpy as np

from benchmarks import definitions as given
from benchmarks import limit
from benchmarks.data import Data, Floats
from benchmarks.worker import Makers, Task, serve


def averages(data: Data) -> Task:
    """W1."""
    opened, close = data.open[:, 0].copy(), data.close[:, 0].copy()

    def run(_: None) -> Any:
        equity, out = np.empty(close.size), np.empty(4)
        return limit.two_averages(opened, close, given.FAST, given.SLOW, equity, out)

    return Task(run, tuple)


def pairs(data: Data) -> Task:
    """W2."""
    opened, close = data.open[:, 0].copy(), data.close[:, 0].copy()

    def run(_: None) -> tuple[int, Floats]:
        finals = np.empty(len(given.PAIRS))
        return limit.many_averages(opened, close, np.array(given.PAIRS), finals, np.empty(4)), finals

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
    opened, high, low, close = (column[:, 0].copy() for column in (data.open, data.high, data.low, data.close))

    def run(_: None) -> Any:
        equity, out = np.empty(close.size), np.empty(4)
        return limit.brackets(opened, high, low, close, given.FAST, given.SLOW, equity, out)

    return Task(run, tuple)


MAKERS: Makers = {"W1": averages, "W1L": averages, "W2": pairs, "W3": momentum, "W4": brackets}


def expected(key: str) -> Callable[[Data], tuple[int, float]]:
    """The reference answer (count, final equity) of a workload for some data."""
    return lambda data: _answer(MAKERS[key](data))


def _answer(task: Task) -> tuple[int, float]:
    count, equity = task.answer(task.run(task.before()))
    return int(count), float(equity)


if __name__ == "__main__":
    serve("bare loop", f"numba {numba.__version__}", MAKERS)
