"""Choosing on unions of blocks: the same as on the returns themselves, and paths put together fold by fold."""

from __future__ import annotations

import numpy as np
import pytest

from gpt_trader.validation.cross_validation import (
    Choices,
    choose,
    moments_of_sets,
    path_returns,
    sharpe_of,
)
from gpt_trader.validation.durations import Duration
from gpt_trader.validation.splits import CombinatorialSplits, combinatorial
from gpt_trader.validation.walk_forward import NONE

ROWS, POINTS = 260, 12


@pytest.fixture(scope="module")
def splits() -> CombinatorialSplits:
    time = np.arange("2020-01-01", ROWS, dtype="datetime64[D]").astype("datetime64[ns]")
    return combinatorial(time, 6, 2, horizon=Duration(bars=4), embargo=Duration(bars=3))


@pytest.fixture(scope="module")
def returns() -> np.ndarray:
    return np.random.default_rng(5).normal(0.0002, 0.01, (POINTS, ROWS))


def block_sums(splits: CombinatorialSplits, returns: np.ndarray) -> np.ndarray:
    powers = np.stack([returns, returns**2], axis=1)
    return np.add.reduceat(powers, splits.edges[:-1], axis=2)


def rows_of(spans: tuple[tuple[int, int], ...]) -> np.ndarray:
    return np.concatenate([np.arange(start, stop) for start, stop in spans])


def by_hand(
    splits: CombinatorialSplits, returns: np.ndarray, gain
) -> list[tuple[int, float, float, float, float]]:
    """Split by split from the returns: the chosen point, its Sharpe in and out of sample, its mean, the share it beats."""
    found = []
    for split in splits.splits:
        inside, outside = returns[:, rows_of(split.train)], returns[:, rows_of(split.test)]
        mine = max(range(len(returns)), key=lambda point: gain(inside[point]))
        beaten = np.mean(
            [gain(outside[other]) < gain(outside[mine]) for other in range(len(returns)) if other != mine]
        )
        sharpe = [part[mine].mean() / part[mine].std(ddof=1) for part in (inside, outside)]
        found.append((mine, *sharpe, outside[mine].mean(), float(beaten)))
    return found


@pytest.mark.parametrize(
    ("objective", "gain"),
    [
        ("sharpe", lambda returns: returns.mean() / returns.std(ddof=1)),
        ("return", np.mean),
        ("volatility", lambda returns: -returns.std(ddof=1)),
    ],
)
def test_choices_are_those_of_the_returns_themselves(
    splits: CombinatorialSplits, returns: np.ndarray, objective: str, gain
) -> None:
    made = choose(splits, splits.edges, block_sums(splits, returns), objective)
    expected = np.array(by_hand(splits, returns, gain)).T
    found = (made.point, made.in_sample, made.out_of_sample, made.out_of_sample_mean, made.beaten)
    for ours, theirs in zip(found, expected, strict=True):
        assert ours == pytest.approx(theirs, rel=1e-9)
    assert len(set(made.point.tolist())) > 1


def test_points_that_do_nothing_are_never_chosen_and_earn_nothing(
    splits: CombinatorialSplits, returns: np.ndarray
) -> None:
    """A point that trades in the first fold only is best wherever that is trained on and 0 wherever it is not."""
    quiet = np.zeros((3, ROWS))
    start, stop = splits.folds[0]
    quiet[1, start:stop] = np.abs(returns[0, start:stop])
    quiet[2] = -np.abs(returns[1])
    made = choose(splits, splits.edges, block_sums(splits, quiet), "sharpe")
    seen = np.array([not (combination == 0).any() for combination in splits.tested])
    assert (made.point[seen] == 1).all()
    assert (made.out_of_sample[seen] == 0).all()
    assert (made.out_of_sample_mean[seen] == 0).all()
    assert (made.beaten[seen] == 0.75).all()  # one that loses is beaten, one that did as little is equal
    assert (made.point[~seen] == 2).all()
    nothing = choose(splits, splits.edges, block_sums(splits, np.zeros((2, ROWS))), "sharpe")
    assert (nothing.point == NONE).all()
    assert np.isnan(nothing.in_sample).all()
    assert np.isnan(nothing.beaten).all()


def test_failed_points_are_left_out(splits: CombinatorialSplits, returns: np.ndarray) -> None:
    with_failed = np.concatenate([np.full((1, ROWS), np.nan), returns])
    made, plain = (
        choose(splits, splits.edges, block_sums(splits, each), "sharpe") for each in (with_failed, returns)
    )
    assert (made.point == plain.point + 1).all()
    assert (made.beaten == plain.beaten).all()


def test_a_steady_gain_has_no_sharpe_even_in_single_precision() -> None:
    sums = np.array([[[0.3, 0.2], [0.0003, 0.0002]]], np.float32)
    moments = moments_of_sets(sums, np.array([300, 200]), np.array([[True, True]]))
    assert moments.mean == pytest.approx(0.001)
    assert np.isnan(moments.sharpe).all()


def test_paths_take_each_fold_from_the_split_that_tested_it(
    splits: CombinatorialSplits, returns: np.ndarray
) -> None:
    made: Choices = choose(splits, splits.edges, block_sums(splits, returns), "sharpe")
    point = made.point.copy()
    point[3] = NONE
    paths = path_returns(splits, point, dict(enumerate(returns)))
    assert paths.shape == (5, ROWS)
    for fold, (start, stop) in enumerate(splits.folds):
        testing = [split for split, tested in enumerate(splits.tested.tolist()) if fold in tested]
        for path, split in enumerate(testing):
            expected = np.zeros(stop - start) if split == 3 else returns[point[split], start:stop]
            assert (paths[path, start:stop] == expected).all()
    assert sharpe_of(paths)[1] == pytest.approx(paths[1].mean() / paths[1].std(ddof=1))
