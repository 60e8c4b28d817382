"""At which bars the future is changed first: where decisions change, and evenly over the whole span."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

SPREAD = 8  # bars evenly over the span that come before all others


def bars_in_order(events: NDArray[np.float64], seed: int) -> list[int]:
    """Every bar but the last, the most telling first.

    `events` (T,) says how telling a bar is, 0 for one in which nothing was decided. A few bars spread over the whole span
    come first, then bars of events and others in turn; both are drawn so that any number of them cover the span.
    """
    last = len(events) - 2
    spread = [int(t) for t in np.linspace(last, min(1, last), SPREAD)]
    telling = np.flatnonzero(events[: last + 1] > 0)
    rng = np.random.default_rng(seed)
    # A leak acts in the decision of bar c itself, or keeps back in c - 1 what is then decided in c.
    weights = events[telling] * rng.uniform(0.5, 1.0, len(telling))
    order = telling[np.argsort(-weights, kind="stable")]
    around = [t for c in order for t in (int(c), int(c) - 1) if t >= 0]
    others = [int(t) for t in evenly(last + 1)]
    return list(dict.fromkeys([*spread, *_in_turn(around, others)]))


def evenly(count: int) -> Iterator[int]:
    """0 to count-1 in an order whose beginnings are spread over all of it (van der Corput's sequence in base 2)."""
    bits = max(1, (count - 1).bit_length())
    for number in range(1 << bits):
        place = int(f"{number:0{bits}b}"[::-1], 2)
        if place < count:
            yield place


def informative_bars(
    features: Mapping[str, NDArray[Any]], decisions: NDArray[np.float64] | Sequence[Any]
) -> NDArray[np.float64]:
    """(T,): how telling each bar is: the sum over symbols of 1 / (how often their decision changes) where one changes.

    Decisions are targets (T, N), or the order requests of each bar. Features of words, flags and whole numbers count like
    decisions.
    """
    kinds = [array for array in features.values() if array.dtype.kind in "biuUSO"]
    if isinstance(decisions, np.ndarray):
        kinds.append(decisions)
        found = np.zeros(len(decisions))
    else:
        found = np.array([float(bool(asked)) for asked in decisions])
    for array in kinds:
        changed = _changes(array)
        found += (changed / np.maximum(changed.sum(axis=0), 1)).sum(axis=1)
    return found


def _changes(array: NDArray[Any]) -> NDArray[np.float64]:
    changed = np.asarray(array[1:] != array[:-1])
    if array.dtype.kind == "f":
        changed &= ~(np.isnan(array[1:]) & np.isnan(array[:-1]))
    return np.concatenate([np.zeros((1, array.shape[1])), changed.astype(float)])


def _in_turn(first: list[int], second: list[int]) -> Iterator[int]:
    """Two of the first list, one of the second, and so on to the end of both."""
    a, b = iter(first), iter(second)
    taken = True
    while taken:
        taken = False
        for source in (a, a, b):
            for item in source:
                taken = True
                yield item
                break
