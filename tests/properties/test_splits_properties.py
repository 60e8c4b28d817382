"""What must hold for every split of every market's time, and equality with plain loops over rows."""

from __future__ import annotations

from itertools import combinations, pairwise
from math import comb

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from gpt_trader.errors import BadParameter, BadRange
from gpt_trader.validation.durations import DAY, HOUR, Duration, later
from gpt_trader.validation.splits import CombinatorialSplits, Split, blocks_in, combinatorial, walk_forward

START = np.datetime64("2019-01-31", "ns")


@st.composite
def times(draw: st.DrawFn, most: int = 200) -> np.ndarray:
    """Increasing times: days with holes, hours with nights, or anything."""
    count = draw(st.integers(8, most))
    unit = draw(st.sampled_from([DAY, HOUR, 37 * 60_000_000_000]))
    seed = draw(st.integers(0, 10_000))
    rng = np.random.default_rng(seed)
    steps = rng.choice([1, 1, 1, 1, 2, 3, draw(st.integers(1, 60))], count)
    return START + np.cumsum(steps * unit).astype("timedelta64[ns]")


lengths = st.one_of(
    st.builds(Duration, months=st.integers(1, 7)),
    st.builds(Duration, nanoseconds=st.integers(1, 80 * 24).map(lambda hours: hours * HOUR)),
    st.builds(Duration, bars=st.integers(1, 60)),
)
pauses = st.one_of(st.just(Duration()), lengths)


def rows(spans: tuple[tuple[int, int], ...]) -> list[int]:
    return [row for start, stop in spans for row in range(start, stop)]


# -- moments ---------------------------------------------------------------------------------------------------------


@given(times(), lengths, lengths)
def test_what_is_later_stays_later(time: np.ndarray, by: Duration, more: Duration) -> None:
    moments = later(time, time, by)
    assert (moments > time).all()
    assert (np.diff(moments) >= np.timedelta64(0)).all()
    assert (later(time, time, by * 2) >= moments).all()
    if by.months == 0:
        assert (np.diff(moments) > np.timedelta64(0)).all()


@given(times(), st.integers(0, 300))
def test_bars_later_are_rows_later(time: np.ndarray, bars: int) -> None:
    moments = later(time, time, Duration(bars=bars))
    inside = max(0, time.size - bars)
    assert (moments[:inside] == time[bars:]).all()
    assert (moments[inside:] > time[-1]).all() or bars == 0


# -- walk-forward ----------------------------------------------------------------------------------------------------


def windows_or_skip(time: np.ndarray, *lengths: Duration, **options: object) -> tuple[Split, ...]:
    try:
        return walk_forward(time, *lengths, **options)  # type: ignore[arg-type]
    except BadRange:
        assume(False)
        raise


@given(times(), lengths, lengths, st.one_of(st.none(), lengths), st.booleans(), pauses)
def test_windows_of_a_walk_forward(
    time: np.ndarray,
    train: Duration,
    test: Duration,
    step: Duration | None,
    anchored: bool,
    gap: Duration,
) -> None:
    windows = windows_or_skip(time, train, test, step, anchored=anchored, gap=gap)
    for window in windows:
        (a, b), (c, d) = window.train[0], window.test[0]
        assert 0 <= a < b <= c < d <= time.size
        assert later(time, time[b - 1 : b], gap)[0] < time[c]
        if b < c:  # nothing more could have been trained on
            assert later(time, time[b : b + 1], gap)[0] >= time[c]
        assert not anchored or a == 0
    for one, two in pairwise(windows):
        assert one.train[0][0] <= two.train[0][0]
        assert one.train[0][1] <= two.train[0][1]
        assert one.test[0][0] <= two.test[0][0]
        if step is None and anchored and not gap:
            assert one.test[0][1] == two.test[0][0]


@given(times(), lengths, lengths, lengths)
def test_steps_of_at_least_a_test_judge_no_row_twice(
    time: np.ndarray, train: Duration, test: Duration, more: Duration
) -> None:
    windows = windows_or_skip(time, train, test, test + more)
    judged = [row for window in windows for row in rows(window.test)]
    assert len(judged) == len(set(judged))
    assert judged == sorted(judged)


@given(times(), st.integers(1, 60), st.integers(1, 30), st.integers(1, 30), st.integers(0, 9), st.booleans())
def test_windows_counted_in_bars(
    time: np.ndarray, train: int, test: int, step: int, gap: int, anchored: bool
) -> None:
    """Against plain row arithmetic: bars are rows, whatever their times are."""
    expected = []
    for cut in range(train, time.size, step):
        start = 0 if anchored else cut - train
        if cut - gap > start:
            expected.append((start, cut - gap, cut, min(cut + test, time.size)))
    found = [
        (*window.train[0], *window.test[0])
        for window in windows_or_skip(
            time,
            Duration(bars=train),
            Duration(bars=test),
            Duration(bars=step),
            anchored=anchored,
            gap=Duration(bars=gap),
        )
    ]
    whole = [window for window in expected if window[3] - window[2] == test and window[3] < time.size]
    assert found[: len(whole)] == whole
    assert found == expected[: len(found)]


@given(times(), st.integers(1, 90), st.integers(1, 60), st.integers(1, 60), st.integers(0, 20), st.booleans())
def test_windows_counted_in_days(
    time: np.ndarray, train: int, test: int, step: int, gap: int, anchored: bool
) -> None:
    """Against a loop over rows that asks of each whether its moment lies in the window."""
    day = np.timedelta64(DAY, "ns")
    expected = []
    for number in range(10_000):
        begin, end = time[0] + (train + number * step) * day, time[0] + (train + number * step + test) * day
        if time[-1] < begin + (end - begin) // 2:
            break
        tested = [row for row in range(time.size) if begin <= time[row] < end]
        origin = time[0] if anchored else time[0] + number * step * day
        trained = [
            row
            for row in range(time.size)
            if tested and time[row] >= origin and time[row] + gap * day < time[tested[0]]
        ]
        if trained and tested:
            expected.append((trained, tested))
    options = {"anchored": anchored, "gap": Duration(nanoseconds=gap * DAY)}
    lengths = (Duration(nanoseconds=days * DAY) for days in (train, test, step))
    if not expected:
        with pytest.raises(BadRange, match="too few"):
            walk_forward(time, *lengths, **options)
        return
    found = walk_forward(time, *lengths, **options)
    assert [(rows(window.train), rows(window.test)) for window in found] == expected


# -- combinatorial purged cross-validation ------------------------------------------------------------------------------


@st.composite
def cross_validations(draw: st.DrawFn) -> tuple[np.ndarray, CombinatorialSplits, Duration, Duration]:
    time = draw(times(120))
    folds = draw(st.integers(2, min(8, time.size // 2)))
    tested = draw(st.integers(1, folds - 1))
    horizon, embargo = draw(pauses), draw(pauses)
    try:
        made = combinatorial(time, folds, tested, horizon=horizon, embargo=embargo)
    except BadParameter:
        assume(False)
        raise
    return time, made, horizon, embargo


@given(cross_validations())
def test_no_training_row_meets_a_test(
    case: tuple[np.ndarray, CombinatorialSplits, Duration, Duration],
) -> None:
    """Row by row, in time: the training rows are exactly those whose outcome is known before the test begins and those
    that come after the test's last outcome and the embargo."""
    time, made, horizon, embargo = case
    known = later(time, time, horizon)
    for split in made.splits:
        free = set(range(time.size))
        for start, stop in split.test:
            end = later(time, known[stop - 1 : stop], embargo)[0]
            free -= set(np.flatnonzero((known >= time[start]) & (time <= end)).tolist())
        trained = rows(split.train)
        assert trained == sorted(free)
        assert trained
        assert not set(trained) & set(rows(split.test))


@given(cross_validations())
def test_every_fold_is_tested_equally_often_and_every_path_covers_all_rows_once(
    case: tuple[np.ndarray, CombinatorialSplits, Duration, Duration],
) -> None:
    time, made, _, _ = case
    folds, k = len(made.folds), made.tested.shape[1]
    assert rows(made.folds) == list(range(time.size))
    sizes = [stop - start for start, stop in made.folds]
    assert max(sizes) - min(sizes) <= 1
    assert len(made.splits) == comb(folds, k)
    for fold in made.folds:
        assert sum(fold in split.test for split in made.splits) == comb(folds - 1, k - 1)
    paths = made.paths
    assert paths.shape == (k * comb(folds, k) // folds, folds)
    for path in paths:
        judged = [row for fold, split in enumerate(path) for row in rows((made.folds[fold],))]
        assert judged == list(range(time.size))
        assert all(made.folds[fold] in made.splits[split].test for fold, split in enumerate(path))
    used = [(fold, int(split)) for path in paths for fold, split in enumerate(path)]
    assert len(used) == len(set(used)) == folds * comb(folds - 1, k - 1)


@given(cross_validations())
def test_every_set_is_a_union_of_blocks(
    case: tuple[np.ndarray, CombinatorialSplits, Duration, Duration],
) -> None:
    time, made, _, _ = case
    edges = made.edges
    assert edges[0] == 0
    assert edges[-1] == time.size
    for split in made.splits:
        for spans in (split.train, split.test):
            blocks = np.flatnonzero(blocks_in(edges, spans))
            assert [row for b in blocks for row in range(edges[b], edges[b + 1])] == rows(spans)


@given(st.integers(2, 7), st.integers(1, 6), st.integers(14, 60), st.integers(0, 5), st.integers(0, 5))
def test_against_an_enumeration_in_plain_python(
    folds: int, k: int, count: int, horizon: int, embargo: int
) -> None:
    """Daily bars, everything in rows: what the book's snippets 7.1, 7.2 and section 12.4 say, by loops over rows."""
    assume(k < folds)
    time = START + np.arange(count) * np.timedelta64(DAY, "ns")
    fold_of = [next(f for f in range(folds) if row < (f + 1) * count // folds) for row in range(count)]
    splits, paths = [], {}
    for number, tested in enumerate(combinations(range(folds), k)):
        test_rows = [row for row in range(count) if fold_of[row] in tested]
        banned = set()
        for fold in tested:
            mine = [row for row in range(count) if fold_of[row] == fold]
            for row in range(count):
                before = row < mine[0] and row + horizon >= mine[0]
                after = row > mine[-1] and row <= mine[-1] + horizon + embargo
                if row in mine or before or after:
                    banned.add(row)
            seen = sum(1 for (fold_seen, _) in paths if fold_seen == fold)
            paths[(fold, seen)] = number
        splits.append(([row for row in range(count) if row not in banned], test_rows))
    options = {"horizon": Duration(bars=horizon), "embargo": Duration(bars=embargo)}
    if any(not train for train, _ in splits):
        with pytest.raises(BadParameter, match="nothing to train on"):
            combinatorial(time, folds, k, **options)
        return
    made = combinatorial(time, folds, k, **options)
    assert [(rows(split.train), rows(split.test)) for split in made.splits] == splits
    assert {
        (fold, p): int(split) for p, path in enumerate(made.paths) for fold, split in enumerate(path)
    } == paths
