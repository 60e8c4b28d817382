"""Searches that learn: they repeat from a seed bit by bit, keep to what is allowed, and beat drawing at random."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from gpt_trader.adapters.optuna_search import OptunaSearch
from gpt_trader.research.objectives import not_beaten
from gpt_trader.research.search_methods import Answer, RandomSearch, Search
from gpt_trader.research.search_space import Values
from tests.search_spaces import WIDE, points, space


def planted(point: Values) -> tuple[float, ...]:
    """Best at x = 1.3, y = -0.7, n = 20, up."""
    x, y, n, mode = point
    return (-((x - 1.3) ** 2) - (y + 0.7) ** 2 - ((n - 20) / 20) ** 2 - (mode == "down"),)


def two_aims(point: Values) -> tuple[float, ...]:
    """A front along y = 0 between x = -1 and x = 1."""
    x, y, _, _ = point
    return -((x - 1) ** 2) - y**2, -((x + 1) ** 2) - y**2


METHODS = [("tpe", planted, 1), ("nsga2", two_aims, 2)]


@pytest.mark.parametrize(("method", "scored", "aims"), METHODS)
def test_an_optimiser_repeats_from_its_seed_and_names_no_point_twice(
    method: str, scored: Any, aims: int
) -> None:
    runs = [points(OptunaSearch(WIDE, method, aims, 70, seed), WIDE, scored) for seed in (5, 5, 6)]
    assert runs[0] == runs[1]
    assert runs[0] != runs[2]
    assert len(set(runs[0])) == 70


CHILD = """
import sys
from tests.properties.test_optuna_search import METHODS, WIDE, OptunaSearch, points
for method, scored, aims in METHODS:
    print(method, points(OptunaSearch(WIDE, method, aims, 50, 5), WIDE, scored))
"""


def test_the_order_of_hashes_changes_nothing() -> None:
    said = {
        subprocess.run(
            [sys.executable, "-c", CHILD],
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(sys.path)},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(said) == 1
    assert b"nsga2 [(" in said.pop()


@pytest.mark.parametrize(("method", "scored", "aims"), METHODS)
def test_an_optimiser_keeps_to_the_constraints_and_ends_with_a_small_space(
    method: str, scored: Any, aims: int
) -> None:
    where = space(("n < 4", "x != 0"), x="-1:1:0.5", y="0:1:0.5", n="1:5", mode="up,down")
    found = points(OptunaSearch(where, method, aims, 1000, 1), where, scored)
    assert sorted(found) == sorted(where.point(i) for i in where.indices())


@pytest.mark.parametrize("method", ["tpe", "nsga2"])
def test_failures_and_early_stops_teach_and_do_not_end_a_search(method: str) -> None:
    search = OptunaSearch(WIDE, method, 1, 64, 3)
    named = []
    while asked := search.ask():
        named += asked
        search.tell(
            [
                Answer(None)
                if number % 3 == 0
                else Answer(None, (0, -1.0))
                if number % 3 == 1
                else Answer((1.0,))
                for number, _ in asked
            ]
        )
    assert [number for number, _ in named] == list(range(64))


def test_tpe_comes_closer_to_a_planted_optimum_than_random_search() -> None:
    def best(search: Search) -> float:
        return max(planted(point)[0] for point in points(search, WIDE, planted))

    seeds = range(7)
    learned = np.median([best(OptunaSearch(WIDE, "tpe", 1, 80, seed)) for seed in seeds])
    drawn = np.median([best(RandomSearch(WIDE, 80, seed)) for seed in seeds])
    assert learned > 0.5 * drawn  # both negative: half the distance
    assert drawn < -0.05


def test_nsga2_covers_a_planted_front_better_than_random_search() -> None:
    def covered(search: Search) -> float:
        """The area between the front and the corner (-10, -10)."""
        gains = np.array([two_aims(point) for point in points(search, WIDE, two_aims)])
        pareto_front = gains[not_beaten(gains)]
        inside = pareto_front[(pareto_front > -10).all(axis=1)]
        area, reached = 0.0, -10.0
        for first, second in inside:
            if second > reached:
                area += (first + 10) * (second - reached)
                reached = second
        return area

    seeds = range(5)
    learned = np.median([covered(OptunaSearch(WIDE, "nsga2", 2, 256, seed)) for seed in seeds])
    drawn = np.median([covered(RandomSearch(WIDE, 256, seed)) for seed in seeds])
    ideal = 100 - 8 / 3
    assert ideal - learned < 0.75 * (ideal - drawn)
