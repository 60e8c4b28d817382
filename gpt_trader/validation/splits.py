"""Splits of a market's time into rows to choose on and rows to judge on, with nothing that leaks from one to the other.

Rows are half-open stretches `(start, stop)`. What separates them is measured in time, not in rows, so that it holds for
irregular and intraday bars as well.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations, pairwise
from math import comb

import numpy as np
from numpy.typing import NDArray

from gpt_trader.errors import BadParameter, BadRange
from gpt_trader.validation.durations import NOTHING, Duration, Times, later

Span = tuple[int, int]
Integers = NDArray[np.int64]
MOST_WINDOWS = 10_000
MOST_SPLITS = 20_000


@dataclass(frozen=True, slots=True)
class Split:
    """Rows to choose on and rows to judge on, each as stretches in order."""

    train: tuple[Span, ...]
    test: tuple[Span, ...]


def walk_forward(
    time: Times,
    train: Duration,
    test: Duration,
    step: Duration | None = None,
    *,
    anchored: bool = False,
    gap: Duration = NOTHING,
) -> tuple[Split, ...]:
    """Windows that move through the bars at `time` (T,): choose on `train`, judge on the `test` that follows.

    The first window begins at the first bar, each next one a `step` (default `test`) later; `anchored` ones all begin at
    the first bar, so their training grows. Boundaries are moments, computed from the first bar each, so that they do
    not drift. A training row t is left out when t + `gap` reaches the first test row. The last window may lack some of
    its test: it is kept when the bars reach at least the middle of it. Windows without a row to train or test on
    (a long closure of an intraday market) are left out. With a step of at least `test` no row is tested twice.

    Pardo 2008, "The Evaluation and Optimization of Trading Strategies", ch. 11.

    Raises BadParameter for a length of zero and for too many windows, BadRange when the bars are too few for one.
    """
    step = test if step is None else step
    for name, length in (("train", train), ("test", test), ("step", step)):
        if not length:
            raise BadParameter(f"the length of {name} is zero; it must be above zero")
    first = time[:1]
    cut = later(time, first, train)
    holds = later(time, time, gap)
    windows: list[Split] = []
    number = 0
    while True:
        begin, end = later(time, cut, step * number)[0], later(time, cut, step * number + test)[0]
        if time[-1] < begin + (end - begin) // 2:
            break
        if number >= MOST_WINDOWS:
            raise BadParameter(f"more than {MOST_WINDOWS:,} windows; give a longer step than {step}")
        start = 0 if anchored else int(np.searchsorted(time, later(time, first, step * number)[0]))
        c, d = (int(row) for row in np.searchsorted(time, [begin, end]))
        number += 1
        if c < d and (stop := int(np.searchsorted(holds, time[c]))) > start:
            windows.append(Split(((start, stop),), ((c, d),)))
    if not windows:
        raise BadRange(_too_short(time, train, test))
    return tuple(windows)


def _too_short(time: Times, train: Duration, test: Duration) -> str:
    begin = later(time, time[:1], train)[0]
    middle = begin + (later(time, time[:1], train + test)[0] - begin) // 2
    years = (time[-1] - time[0]) / np.timedelta64(1, "D") / 365.25
    return (
        f"{time.size:,} bars from {_day(time[0])} to {_day(time[-1])} ({years:.1f} years) are too few for {train} of training "
        f"and {test} of testing: one window needs bars to {_day(middle)} at least (half of its test); "
        "give shorter ones or load more bars"
    )


def _day(moment: np.datetime64) -> str:
    return str(moment.astype("datetime64[D]"))


@dataclass(frozen=True)
class CombinatorialSplits:
    """All ways to judge on `tested` of the folds and to choose on the rest, as rows.

    `folds` (N) are stretches of rows; `tested` (S, k) says which folds split s judges on, in the order of
    `itertools.combinations`; `splits` (S) are their rows: one test stretch for each fold tested. `zones` (N) are the
    rows that may not be trained on when fold n is tested: the fold, what is purged before it and embargoed after it.
    """

    folds: tuple[Span, ...]
    tested: Integers
    zones: tuple[Span, ...]
    splits: tuple[Split, ...]

    @cached_property
    def paths(self) -> Integers:
        """(P, N): the split whose test gives fold n of path p; P = k/N C(N, k), and each test fold is used once.

        Path p takes for each fold the p-th of the splits that test it (López de Prado 2018, section 12.4.1).
        """
        count = len(self.folds)
        return np.stack([np.flatnonzero((self.tested == fold).any(axis=1)) for fold in range(count)], axis=1)

    @cached_property
    def edges(self) -> Integers:
        """(B + 1,) rows that bound blocks such that every training and every test set is a union of whole blocks."""
        return np.unique(np.array([*self.folds, *self.zones], np.int64))


def blocks_in(edges: Integers, spans: Sequence[Span]) -> NDArray[np.bool_]:
    """(B,): the blocks between `edges` (B + 1,) that lie in `spans`."""
    inside = np.zeros(len(edges) - 1, np.bool_)
    for start, stop in spans:
        inside |= (edges[:-1] >= start) & (edges[1:] <= stop)
    return inside


def check_folds(bars: int, folds: int, test_folds: int) -> None:
    """Raises BadParameter for numbers of folds that do not fit so many bars or each other, or that make too many splits."""
    if folds < 2 or 2 * folds > bars:
        raise BadParameter(f"{folds} folds of {bars:,} bars: give 2 to {bars // 2:,}")
    if not 1 <= test_folds < folds:
        raise BadParameter(f"{test_folds} of {folds} folds cannot be tested; give 1 to {folds - 1}")
    count = comb(folds, test_folds)
    if count > MOST_SPLITS:
        raise BadParameter(
            f"{test_folds} of {folds} folds make {count:,} splits, more than {MOST_SPLITS:,}; give fewer folds"
        )


def combinatorial(
    time: Times, folds: int, test_folds: int, *, horizon: Duration = NOTHING, embargo: Duration = NOTHING
) -> CombinatorialSplits:
    """Combinatorial purged cross-validation of the bars at `time` (T,): C(`folds`, `test_folds`) splits.

    The folds are stretches of as equal numbers of rows as can be. What is decided at row t has its outcome at
    t + `horizon`. A training row is purged when [t, t + horizon] meets [first row, last row + horizon] of a fold that is
    tested; after that last outcome nothing is trained on for `embargo` more.

    López de Prado 2018, "Advances in Financial Machine Learning", ch. 7.4 (purging, embargo) and 12.4 (combinations).

    Raises BadParameter as `check_folds`, and for a split that has nothing to train on.
    """
    check_folds(time.size, folds, test_folds)
    bounds = np.arange(folds + 1) * time.size // folds
    cut = tuple((int(start), int(stop)) for start, stop in pairwise(bounds))
    outcomes = later(time, time, horizon)
    zones = tuple(_zone(time, outcomes, fold, embargo) for fold in cut)
    tested = np.array(list(combinations(range(folds), test_folds)), np.int64)
    splits = tuple(
        Split(_outside([zones[fold] for fold in chosen], time.size), tuple(cut[fold] for fold in chosen))
        for chosen in tested.tolist()
    )
    bare = sum(not split.train for split in splits)
    if bare:
        raise BadParameter(
            f"a horizon of {horizon} and an embargo of {embargo} leave {bare} of {len(splits)} splits nothing to train on; "
            f"give shorter ones or fewer than {folds} folds (one is {cut[0][1]:,} bars)"
        )
    return CombinatorialSplits(cut, tested, zones, splits)


def _zone(time: Times, outcomes: Times, fold: Span, embargo: Duration) -> Span:
    """The rows that meet `fold`, of outcomes (T,), and those embargoed after it."""
    start, stop = fold
    free = later(time, outcomes[stop - 1 : stop], embargo)[0]
    return int(np.searchsorted(outcomes, time[start])), int(np.searchsorted(time, free, side="right"))


def _outside(zones: Sequence[Span], rows: int) -> tuple[Span, ...]:
    """The rows 0 to `rows` - 1 that are in none of `zones`, which are in order of both ends."""
    left, at = [], 0
    for start, stop in zones:
        if start > at:
            left.append((at, start))
        at = stop
    if at < rows:
        left.append((at, rows))
    return tuple(left)
