"""What a walk-forward must do: choose on the past alone, find what changed after it changed, and trade exactly the choices."""

from __future__ import annotations

import numpy as np
import pytest

from gpt_trader import Bars, backtest
from gpt_trader.engine.records import EQUITY
from gpt_trader.errors import BadParameter
from gpt_trader.research.objectives import Objective
from gpt_trader.validation.walk_forward import NONE
from tests.properties.study_cases import (
    Dice,
    Follow,
    Survivor,
    Targets,
    follows_then_turns,
    grid,
    noise,
    run,
    walk,
    with_noise_from,
)
from tests.properties.truth_cases import ALL_IN, FREE, UNCAPPED

BARS, TURN, TRAIN, TEST = 1600, 800, 200, 50


@pytest.mark.parametrize("anchored", [False, True])
def test_a_planted_switch_is_found_after_it_happened_and_not_before(anchored: bool) -> None:
    """The sign that pays flips at row 800: no window chooses the new one before it has seen bars of the new regime, and every
    window does that has trained on it alone (or, anchored, on more of it than of the old one)."""
    bars = follows_then_turns(BARS, TURN, seed=1)
    study = walk(Follow, bars, grid(Follow, side="-1,1"), TRAIN, TEST, anchored=anchored)
    choices = study.choose(run(study.plan))
    sides = [study.points.parameters(point)["side"] for point in choices.chosen.tolist()]
    for window, side in zip(study.windows, sides, strict=True):
        ((first, stop),) = window.train
        if stop <= TURN:
            assert side == 1
        elif stop - TURN > (TURN - first if anchored else TRAIN - 1):
            assert side == -1
    assert sides.index(-1) == sides.count(1)  # one switch, and for good
    if not anchored:
        assert study.windows[sides.index(-1)].train[0][1] - TURN < TRAIN
        result = choices.trade(benchmark=False)
        out_of_sample = {w.test[0]: w.out_of_sample["sharpe"] for w in result.windows}
        assert (
            np.mean([v for first, v in out_of_sample.items() if first < TURN - TEST or first >= TURN + TRAIN])
            > 3.0
        )


def test_no_bar_after_its_training_can_move_a_choice() -> None:
    """Bars from row 700 on are replaced: whatever windows see that end before is the same to the last bit."""
    bars = follows_then_turns(1200, 500, seed=3)
    cut = 700
    points = grid(Follow, side="-1,1", least="0:6:2")
    both = [walk(Follow, each, points, 250, 50) for each in (bars, with_noise_from(bars, cut))]
    one, other = (each.choose(run(each.plan)) for each in both)
    before = [number for number, window in enumerate(both[0].windows) if window.train[0][1] <= cut]
    after = [number for number, window in enumerate(both[0].windows) if window.train[0][1] > cut]
    assert before
    assert after
    shape = (len(both[0].windows), len(points), -1)
    values, changed = (each.runs.values.reshape(shape) for each in (one, other))
    np.testing.assert_array_equal(values[before], changed[before])
    np.testing.assert_array_equal(one.chosen[before], other.chosen[before])
    assert (values[after] != changed[after]).any(axis=(1, 2)).all()
    # ... and the account has traded the same until its first bar that is another one.
    rows = cut - both[0].windows[0].test[0][0]
    left, right = (each.trade(benchmark=False).result.account_curves[EQUITY] for each in (one, other))
    np.testing.assert_array_equal(left[:rows], right[:rows])
    assert left[-1] != right[-1]


def test_no_window_knows_who_will_be_delisted_after_its_training() -> None:
    """A rule that holds what never leaves the market: in a training that ends before the delisting it holds everything."""
    bars = follows_then_turns(600, 600, seed=9)
    known = Bars(bars.symbols, bars.time, bars.panel, delisted=(str(bars.time[450])[:10],))
    study = walk(Survivor, known, grid(Survivor, least="0,1"), 200, 100)
    runs = study.choose(run(study.plan)).runs.column("exposure").reshape(len(study.windows), -1)
    ends = [window.train[0][1] for window in study.windows]
    assert (
        [bool(benchmark) for benchmark in runs[:, 0] > 0.9]
        == [end <= 450 for end in ends]
        == [True, True, True, False]
    )


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_stitched_account_is_that_of_the_targets_put_together_by_hand(seed: int) -> None:
    """For a rule that knows nothing of its holdings the windows are one table of targets, traded by one plain backtest."""
    bars = noise(900, seed)
    study = walk(Follow, bars, grid(Follow, side="-1,1", least="0:8:4"), 150, 40)
    choices = study.choose(run(study.plan))
    assert len(set(choices.chosen.tolist())) > 2
    first, stop = study.windows[0].test[0][0], study.windows[-1].test[0][1]
    change = np.zeros((bars.T, 1))
    change[1:] = bars.close[1:] / bars.close[:-1] - 1.0
    table = np.full((bars.T, 1), np.nan)
    for window, point in zip(study.windows, choices.chosen.tolist(), strict=True):
        start, end = window.test[0]
        chosen = study.points.parameters(point)
        part = change[start:end]
        table[start:end] = np.where(
            np.abs(part) > chosen["least"] / 1000, chosen["side"] * np.sign(part), 0.0
        )
    Targets.table = table
    covered = bars.select(end=bars.time[stop - 1])
    by_hand = backtest(
        Targets(), covered, costs=FREE, fills=UNCAPPED, allocation=ALL_IN, first=first, benchmark=False
    )
    found = choices.trade(benchmark=False)
    np.testing.assert_array_equal(found.result.account_curves, by_hand.account_curves)
    assert found.result.metrics["round_trips"] == by_hand.metrics["round_trips"] > 50
    # The windows are the parts of that account.
    gains = [1 + window.out_of_sample["total_return"] for window in found.windows]
    assert np.prod(gains) - 1 == pytest.approx(by_hand.metrics["total_return"])


def test_choosing_among_noise_gains_in_sample_and_nothing_out_of_sample() -> None:
    """Coins on random walks: the best of 25 looks good in its training and is worth nothing afterwards."""
    in_sample, out_of_sample = [], []
    for seed in range(12):
        study = walk(Dice, noise(1500, seed), grid(Dice, number="0:24"), 250, 125)
        found = study.choose(run(study.plan)).trade(benchmark=False)
        in_sample.append(found.efficiency["in_sample_sharpe"])
        out_of_sample.append(found.efficiency["out_of_sample_sharpe"])
        assert np.nanmean(found.stability.rank_correlation) < 0.75  # half of each training is new
    error = np.std(out_of_sample, ddof=1) / np.sqrt(len(out_of_sample))
    assert np.mean(in_sample) > 0.9
    assert abs(np.mean(out_of_sample)) < 3 * error < 0.6
    assert min(in_sample) > max(0.5, float(np.mean(out_of_sample)))


def test_a_window_without_a_choice_goes_on_with_the_last_and_the_first_ones_wait() -> None:
    """Nothing moves in the first 300 bars, so nothing can be chosen there; nor in the bars 700 to 1000."""
    returns = np.random.default_rng(4).normal(0.0, 0.01, 1200)
    returns[:300] = returns[700:1000] = 0.0
    from tests.properties.study_cases import smooth_market

    study = walk(Follow, smooth_market(returns), grid(Follow, side="-1,1"), 100, 50)
    choices = study.choose(run(study.plan))
    chosen = dict(zip((window.test[0][0] for window in study.windows), choices.chosen.tolist(), strict=True))
    assert [row for row, point in chosen.items() if point == NONE] == [
        100,
        150,
        200,
        250,
        300,
        800,
        850,
        900,
        950,
        1000,
    ]
    assert choices.begins == 5
    assert choices.segments[0].first == 350
    found = choices.trade(benchmark=False)
    assert found.result.first == 350
    assert [window.own for window in found.windows if window.test[0] in (750, 800, 1000, 1050)] == [
        True,
        False,
        False,
        True,
    ]
    assert choices.trading[list(chosen).index(900)] == choices.chosen[list(chosen).index(750)]


def test_parameters_that_stay_are_one_segment() -> None:
    bars = follows_then_turns(900, 900, seed=5, strength=0.5)
    study = walk(Follow, bars, grid(Follow, side="-1,1"), 200, 50)
    choices = study.choose(run(study.plan))
    assert set(choices.chosen.tolist()) == {1}
    (segment,) = choices.segments
    assert (segment.first, segment.stop) == (200, 900)
    found = choices.trade(benchmark=False)
    assert found.stability.unchanged == 1.0
    # What a window shows of its training is a backtest of it, an account that begins at its first bar.
    window = found.windows[3]
    (first, stop) = window.train
    alone = backtest(Follow(side=1), bars.select(end=bars.time[stop - 1]), costs=FREE, fills=UNCAPPED, allocation=ALL_IN,
                     first=first, benchmark=False)  # fmt: skip
    earned = (
        np.diff(alone.account_curves[EQUITY], prepend=100_000.0)
        / np.r_[100_000.0, alone.account_curves[EQUITY][:-1]]
    )
    assert window.in_sample["annual_return"] == pytest.approx(
        earned.mean() * alone.metrics["periods_per_year"], rel=1e-9
    )
    assert window.in_sample["total_return"] == alone.metrics["total_return"]
    whole = [window.in_sample["annual_return"] for window in found.windows]
    assert found.efficiency["annual_return"] == pytest.approx(
        found.efficiency["out_of_sample_annual_return"] / np.mean(whole)
    )


def test_a_point_needs_its_trades() -> None:
    bars = noise(800, 6)
    points = grid(Follow, side="1", least="0:20:4")
    study = walk(Follow, bars, points, 200, 100, objective=Objective("volatility", smallest=True))
    free = study.choose(run(study.plan))
    trips = free.runs.column("round_trips").reshape(len(study.windows), -1)
    needed = walk(
        Follow, bars, points, 200, 100, objective=Objective("volatility", smallest=True), fewest_trades=40
    )
    bound = needed.choose(run(needed.plan))
    rows = np.arange(len(study.windows))
    assert (trips[rows, bound.chosen] >= 40).all()
    assert (trips[rows, free.chosen] < 40).any()
    exactly = int(trips[0, bound.chosen[0]])
    just = walk(
        Follow,
        bars,
        points,
        200,
        100,
        objective=Objective("volatility", smallest=True),
        fewest_trades=exactly,
    )
    assert just.choose(run(just.plan)).chosen[0] == bound.chosen[0]
    impossible = walk(Follow, bars, points, 200, 100, fewest_trades=10_000)
    with pytest.raises(BadParameter, match="no point has a sharpe and 10000 round trips"):
        impossible.choose(run(impossible.plan))


def test_a_lone_peak_loses_against_a_plateau() -> None:
    """Coins are no neighbours of each other, so the plateau's choice is another one than the peak's."""
    bars = noise(700, 8)
    points = grid(Dice, number="0:30")
    peak, flat = (walk(Dice, bars, points, 300, 100, select=way) for way in ("peak", "plateau"))
    one, other = (each.choose(run(each.plan)) for each in (peak, flat))
    np.testing.assert_array_equal(one.surface, other.surface)
    assert (one.chosen != other.chosen).any()
    for window, point in enumerate(other.chosen.tolist()):
        row = other.surface[window]
        flat = [min(row[p], np.quantile(row[max(0, p - 1) : p + 2], 0.25)) for p in range(31)]
        assert flat[point] == pytest.approx(max(flat))
