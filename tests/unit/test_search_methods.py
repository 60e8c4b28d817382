"""Searches: which points they name, and when a point is given up early."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from gpt_trader.research.early_stopping import MedianRule, rungs_of
from gpt_trader.research.search_methods import Draws, GridSearch, RandomSearch
from tests.search_spaces import points, space


def test_a_grid_names_every_allowed_point_by_its_index() -> None:
    grid = space(("n < 5",), x="0:1:0.5", n="1:6")
    search = GridSearch(grid)
    asked = search.ask()
    assert [number for number, _ in asked] == [i for i in range(18) if i % 6 < 4]
    assert [grid.at(places) for _, places in asked] == [(x, n) for x in (0.0, 0.5, 1.0) for n in (1, 2, 3, 4)]
    assert search.total == 12
    assert search.ask() == []


@given(seed=st.integers(0, 2**32), trials=st.integers(1, 40), limit=st.sampled_from([(), ("n * x < 3",)]))
def test_draws_are_allowed_and_never_twice_the_same(seed: int, trials: int, limit: tuple[str, ...]) -> None:
    where = space(limit, x="0:1:0.25", n="1:6")
    search = RandomSearch(where, trials, seed)
    found = points(search, where)
    assert len(found) == len(set(found)) == min(trials, where.count or 0)
    assert all(where.allows(point) for point in found)
    assert points(RandomSearch(where, trials + 7, seed), where)[: len(found)] == found


def test_random_search_of_a_whole_grid_names_all_of_it() -> None:
    where = space(x="0:1:0.25", n="1:6")
    assert sorted(points(RandomSearch(where, 1000, 3), where)) == [where.point(i) for i in range(30)]


def test_every_point_is_equally_likely() -> None:
    where = space(n="1:5", mode="up,down")
    first = [where.index(points(RandomSearch(where, 1, seed), where)[0]) for seed in range(2000)]
    counts = np.bincount(first, minlength=10)
    assert (np.abs(counts - 200) < 5 * np.sqrt(200 * 0.9)).all()


def test_large_spaces_are_drawn_from_without_looking_at_all_of_them() -> None:
    where = space(("x < y",), x="-4:4", y="-4:4", n="1:1000000")
    found = points(RandomSearch(where, 500, 1), where)
    assert len(set(found)) == 500
    x, y, n = np.array(found).T
    assert (x < y).all()
    assert abs(np.mean(n) / 500_000 - 1) < 0.15
    assert abs(np.mean(x) - (-4 / 3)) < 0.4  # of a triangle
    assert points(RandomSearch(where, 20, 1), where) == found[:20]
    assert points(RandomSearch(where, 20, 2), where) != found[:20]


def test_no_point_of_a_large_space_is_drawn_twice() -> None:
    where = space(("n <= 1500",), n="1:4200000")
    found = points(RandomSearch(where, 1000, 1), where)
    assert len(found) == len(set(found)) == 1000


def test_a_large_space_in_which_constraints_leave_little_ends() -> None:
    where = space(("n == 7", "x == 0.5"), x="0:4:0.5", y="0:4:0.5", n="1:1000000")
    assert where.count is None
    assert sorted(points(RandomSearch(where, 100, 0), where))[:2] in ([], [(0.5, 0.0, 7), (0.5, 0.5, 7)])
    assert len(Draws(where, 0).take(10)) <= 9


# -- early stopping ------------------------------------------------------------------------------------------------------


def test_looks_are_taken_at_a_quarter_and_a_half_of_the_bars() -> None:
    assert rungs_of(2_000) == (500, 1_000)
    assert rungs_of(300) == (150,)
    assert rungs_of(199) == ()


def test_nothing_is_given_up_before_enough_points_are_finished() -> None:
    rule = MedianRule((100,))
    for gain in range(9):
        rule.finished([float(gain)])
    assert not rule.to_prune(0, np.array([-100.0])).any()
    rule.finished([float("nan")])
    assert not rule.to_prune(0, np.array([-100.0])).any()
    rule.finished([9.0])
    assert rule.to_prune(0, np.array([-100.0, 4.4, 4.5, np.nan, 5.0])).tolist() == [
        True,
        True,
        False,
        False,
        False,
    ]


def test_the_rule_gives_up_what_the_median_pruner_of_optuna_gives_up() -> None:
    import optuna
    from optuna.trial import TrialState

    random = np.random.default_rng(0)
    rule = MedianRule((100,))
    pruner = optuna.pruners.MedianPruner(n_startup_trials=10)
    study = optuna.create_study(
        direction="maximize", pruner=pruner, sampler=optuna.samplers.RandomSampler(seed=0)
    )
    given_up = []
    for gain in random.normal(size=200).tolist():
        trial = study.ask()
        trial.report(gain, 0)
        ours = bool(rule.to_prune(0, np.array([gain]))[0])
        assert ours == trial.should_prune()
        given_up.append(ours)
        if ours:
            study.tell(trial, state=TrialState.PRUNED)
        else:
            study.tell(trial, gain)
            rule.finished([gain])
    assert 20 < sum(given_up) < 190
