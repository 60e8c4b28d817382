"""Where chunks run is decided by what they will take and what was asked for, and said in one line."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from gpt_trader import Strategy, Weights, param
from gpt_trader.engine.run_setup import Settings
from gpt_trader.errors import BadParameter
from gpt_trader.research.chunk import Chunk
from gpt_trader.research.chunk_sizes import expected_seconds, seconds_per_run
from gpt_trader.research.executor import ChunkCompleted
from gpt_trader.research.experiment import Experiment
from gpt_trader.strategies import load_strategy
from jobs.executors.executor_choice import Asked, Begun, ChosenWhenRun, choose
from tests.markets import random_market

NOTHING_ASKED = Asked()


@pytest.mark.parametrize(
    ("chunks", "seconds", "asked", "cores", "place", "workers"),
    [
        (12, 9.0, NOTHING_ASKED, 2, "process", 1),
        (15, 15.9, NOTHING_ASKED, 2, "process", 1),  # two workers save 7.95 s, their start takes 8
        (17, 16.1, NOTHING_ASKED, 2, "local", 2),
        (12, 9.0, NOTHING_ASKED, 16, "local", 12),
        (240, 240.0, NOTHING_ASKED, 1, "process", 1),
        (240, 240.0, NOTHING_ASKED, 16, "local", 16),
        (1, 500.0, NOTHING_ASKED, 16, "process", 1),
        (12, 0.1, Asked(workers=4), 2, "local", 4),
        (3, 0.1, Asked(workers=4), 2, "local", 3),
        (240, 240.0, Asked(workers=1), 16, "process", 1),
        (1, 0.1, Asked(workers=4), 2, "process", 1),
        (1, 0.1, Asked(chunk_timeout=5.0), 2, "local", 1),
        (2, 0.1, Asked(workers=1, chunk_timeout=5.0), 2, "local", 1),
        (2, 0.1, Asked(cluster="head:6379"), 2, "cluster", None),
        (2, 0.1, Asked(cluster="head:6379", workers=3), 2, "cluster", 3),
        (12, 9.0, Asked(job_cluster="head:6379"), 2, "process", 1),
        (240, 240.0, Asked(job_cluster="head:6379"), 2, "cluster", None),
        (12, 0.1, Asked(job_cluster="head:6379", workers=3), 2, "cluster", 3),
    ],
)
def test_the_place_is_chosen_by_what_is_saved_and_asked(
    chunks: int, seconds: float, asked: Asked, cores: int, place: str, workers: int | None
) -> None:
    choice = choose(chunks, seconds, asked, cores)
    assert (choice.place, choice.workers) == (place, workers)
    assert choice.address == ("head:6379" if place == "cluster" else None)


@pytest.mark.parametrize(
    ("choice", "why"),
    [
        (choose(12, 9.0, NOTHING_ASKED, 2), "12 chunks, about 9 seconds on one core: in this process"),
        (choose(1, 0.2, NOTHING_ASKED, 2), "1 chunk, a second on one core: in this process"),
        (
            choose(240, 240.0, NOTHING_ASKED, 2),
            "240 chunks, about 4 minutes on one core: on 2 workers of this machine, started with Ray",
        ),
        (
            choose(2, 0.2, Asked(chunk_timeout=9, workers=1), 2),
            "2 chunks, a second on one core: on 1 worker of this machine, started with Ray",
        ),
        (
            choose(2, 2.0, Asked(cluster="head:6379"), 2),
            "2 chunks, about 2 seconds on one core: on the cluster at head:6379",
        ),
        (
            choose(99, 99.0, Asked(job_cluster="head:6379"), 2),
            "99 chunks, about 99 seconds on one core: on the cluster of this job",
        ),
    ],
)
def test_the_reason_is_one_line(choice: Any, why: str) -> None:
    assert choice.why == why


@dataclass(frozen=True)
class Picky(Strategy):
    """Refuses even numbers, and its default."""

    x: int = param(0, low=0, high=100)

    def validate(self) -> None:
        if self.x % 2 == 0:
            raise BadParameter("even")

    def decide(self, now: Any) -> Weights:
        return 0.0 * now.close


BARS = random_market(400, 2, 3)


def test_what_chunks_take_is_the_sum_over_their_points_and_rows() -> None:
    experiment = Experiment(load_strategy("demo_ma"), BARS, Settings())
    whole = Chunk(("fast", "slow"), ((5, 20), (5, 30), (5, 40)))
    half = Chunk(("fast", "slow"), ((5, 20),), stop=200)
    one = seconds_per_run(load_strategy("demo_ma")(), BARS)
    assert expected_seconds(experiment, [whole]) == pytest.approx(3 * one)
    assert expected_seconds(experiment, [whole, half]) == pytest.approx(3.5 * one)
    assert expected_seconds(experiment, []) == 0.0


def test_a_point_that_cannot_be_made_does_not_hide_what_the_others_take() -> None:
    experiment = Experiment(Picky, BARS, Settings())
    assert expected_seconds(experiment, [Chunk(("x",), ((2,), (4,), (5,)))]) > 0
    assert expected_seconds(experiment, [Chunk(("x",), ((2,), (4,)))]) == 0.0


def test_the_reason_is_said_once_and_chunks_run_in_this_process() -> None:
    experiment = Experiment(load_strategy("demo_ma"), BARS, Settings())
    work = [(n, Chunk(("fast", "slow"), ((5 + n, 20),))) for n in range(3)]
    said: list[str] = []
    done: list[ChunkCompleted] = []
    executor = ChosenWhenRun(NOTHING_ASKED, said.append)
    for _ in range(2):
        executor.run(experiment, work, done.append, lambda: False)
    executor.close()
    assert said == ["3 chunks, a second on one core: in this process"]
    assert [item.number for item in done] == [0, 1, 2, 0, 1, 2]
    assert {item.worker for item in done} == {"this process"}
    assert executor.workers == 1


def test_the_first_step_of_a_study_in_steps_decides_for_all_of_them() -> None:
    experiment = Experiment(load_strategy("demo_ma"), BARS, Settings())
    together = [(0, Chunk(("fast", "slow"), tuple((5 + n, 20) for n in range(3))))]
    single = [(n, Chunk(("fast", "slow"), ((5 + n, 20),))) for n in range(3)]
    said: list[str] = []
    done: list[ChunkCompleted] = []
    executor = ChosenWhenRun(Asked(workers=2), said.append, expected=3)
    for work in (together, single):  # three chunks would be worth the two workers
        executor.run(experiment, work, done.append, lambda: False)
    executor.close()
    assert said == ["1 chunk, a second on one core: in this process"]
    assert sum(len(item.places) for item in done) == 6


def test_work_that_was_begun_goes_on_with_the_points_that_are_left() -> None:
    chunks = [Chunk(("x",), tuple((10 * n + x,) for x in range(4))) for n in range(3)]
    heard: list[tuple[int, range]] = []
    now = iter((1.0, 5.0, 8.0, 9.0, 9.5))
    begun = Begun(
        list(enumerate(chunks)), lambda done: heard.append((done.number, done.places)), lambda: next(now)
    )
    begun.took(ChunkCompleted(0, range(4), None))
    assert (begun.pace, begun.points_left) == (0.0, 8)  # the first part loads and compiles
    begun.took(ChunkCompleted(1, range(1), None))
    assert (begun.pace, begun.points_left) == (4.0, 7)
    begun.took(ChunkCompleted(1, range(1, 3), None))
    assert (begun.pace, begun.seconds) == (7.0 / 3, 7.0)
    left = begun.left()
    assert [(number, chunk.points, chunk.among) for number, chunk in left] == [
        (1, ((13,),), 4),
        (2, ((20,), (21,), (22,), (23,)), None),
    ]
    begun.took(ChunkCompleted(2, range(2, 4), None))
    begun.took(ChunkCompleted(1, range(1), None))
    assert heard == [
        (0, range(4)), (1, range(1)), (1, range(1, 3)), (2, range(2, 4)), (1, range(3, 4)),
    ]  # fmt: skip
    assert begun.points_left == 2
