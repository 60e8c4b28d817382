"""How far a study is: what is counted, which point is the best, how long it still takes, and how it is said."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from gpt_trader.engine.metric_definitions import METRIC_NAMES
from gpt_trader.research.chunk import Chunk, ChunkResult
from jobs.study_progress import Tracker, Watched, duration


class Clock:
    """Seconds that pass when they are told to."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


def chunk(first: int, *sharpes: float) -> tuple[Chunk, ChunkResult]:
    """Points first, first + 1 … with these Sharpe ratios."""
    values = np.zeros((len(sharpes), len(METRIC_NAMES)))
    values[:, METRIC_NAMES.index("sharpe")] = sharpes
    points = tuple((first + n,) for n in range(len(sharpes)))
    return Chunk(("x",), points), ChunkResult(values, np.zeros((len(sharpes), 2, 1), np.float32))


def test_the_best_is_over_all_chunks_and_failed_points_do_not_count() -> None:
    tracker = Tracker(10, Watched("sharpe"))
    for item in (chunk(0, 0.5, np.nan), chunk(2, np.nan, np.nan), chunk(4, 0.25, 1.5), chunk(6, 1.5, 1.25)):
        tracker.took(*item, cached=False)
    assert tracker.best is not None
    assert (tracker.best.value, tracker.best.parameters) == (1.5, {"x": 5})
    assert str(tracker.best) == "best sharpe 1.5 at x 5"
    assert tracker.as_metrics()["sharpe"] == 1.5


def test_the_smallest_can_be_the_best() -> None:
    tracker = Tracker(None, Watched("sharpe", smallest=True))
    for item in (chunk(0, 0.5, np.nan), chunk(2, 0.75, -0.25), chunk(4, 3.0)):
        tracker.took(*item, cached=False)
    assert tracker.best is not None
    assert (tracker.best.value, tracker.best.parameters) == (-0.25, {"x": 3})


def test_points_from_earlier_runs_do_not_count_in_the_rate() -> None:
    clock = Clock()
    tracker = Tracker(100, None, clock)
    clock.now += 3.0
    tracker.took(*chunk(0, *[1.0] * 60), cached=True)
    assert (tracker.rate, tracker.left) == (0.0, None)
    assert str(tracker) == "60 of 100 points"
    clock.now += 2.0
    tracker.took(*chunk(60, *[1.0] * 10), cached=False)
    assert (tracker.rate, tracker.left) == (5.0, 6.0)
    assert str(tracker) == "70 of 100 points, 5.0 points/s, 6 s left"
    tracker.took(chunk(70, *[1.0] * 30)[0], None, cached=False)
    clock.now += 2.0
    assert str(tracker) == "100 of 100 points, 30 failed, 10.0 points/s"
    assert tracker.as_json() == {
        "points": 100, "points_done": 100, "points_from_earlier_runs": 60, "points_failed": 30, "points_per_second": 10.0,
        "seconds_left": 0.0, "best": None,
    }  # fmt: skip


def test_a_study_without_a_known_end_says_no_time_left() -> None:
    clock = Clock()
    tracker = Tracker(None, None, clock)
    tracker.took(*chunk(0, 1.0), cached=False)
    clock.now += 1.0
    assert (str(tracker), tracker.left) == ("1 points, 1.0 points/s", None)
    assert tracker.as_metrics() == {"points_done": 1.0}


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.4, "0 s"), (59.4, "59 s"), (60.0, "1 min 0 s"), (3725.0, "1 h 2 min")]
)
def test_a_duration_in_words(seconds: float, text: Any) -> None:
    assert duration(seconds) == text
