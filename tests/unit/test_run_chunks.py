"""A plan that is worked off: slow chunks in parts, what is kept when it ends early, what is run again and what is not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpt_trader import Allocation, Strategy, Weights, batch, param
from gpt_trader.adapters.chunk_store import ChunkStore
from gpt_trader.engine.run_setup import Settings
from gpt_trader.errors import BadParameter
from gpt_trader.performance_tuning import Tuning
from gpt_trader.research.chunk import Chunk, ChunkResult
from gpt_trader.research.chunk_sizes import CHUNK_SECONDS, GROWTH, LONGEST_SECONDS, MOST_BLIND, BatchSizer
from gpt_trader.research.executor import InProcess
from gpt_trader.research.experiment import Experiment, Scenario
from gpt_trader.research.plan import Plan, PlanResult, run_chunks
from tests.markets import random_market

BARS = random_market(200, 2, 5, sigma=0.02)
ALL_IN = Settings(allocation=Allocation(gross=1.0))
POINTS = 40


class World:
    """What the rules of this test meet: a clock that each run moves, the runs so far, and a file that may be missing."""

    now, pace = 0.0, 0.5
    broken: type[Exception] | None = None
    ran: list[int] = []  # noqa: RUF012 - reset before each test

    def __call__(self) -> float:
        return self.now


WORLD = World()


@pytest.fixture(autouse=True)
def _new_world() -> None:
    WORLD.now, WORLD.pace, WORLD.broken, WORLD.ran = 0.0, 0.5, None, []


@dataclass(frozen=True)
class Slow(Strategy):
    """Holds `x` hundredths and takes long to say so; refuses 13, and cannot read its file at 5 and 21 while that is missing."""

    x: int = param(1, low=0, high=100)

    def validate(self) -> None:
        if self.x == 13:
            raise BadParameter("x=13: no")

    def features(self, bars: Any) -> dict[str, Any]:
        WORLD.ran.append(self.x)
        WORLD.now += WORLD.pace
        if WORLD.broken is not None and self.x in (5, 21):
            raise WORLD.broken("levels.csv")
        return {"half": bars.close * 0.5}

    def decide(self, now: Any) -> Weights:
        return np.full_like(now.half, self.x / 100)


PLAN = Plan("sweep", Experiment(Slow, BARS, ALL_IN), (Chunk(("x",), tuple((x,) for x in range(POINTS))),))


def work(
    kept: ChunkStore | None = None,
    cancelled: Callable[[], bool] = lambda: False,
    plan: Plan = PLAN,
    **more: Any,
) -> PlanResult:
    return run_chunks(plan, InProcess(WORLD), kept, cancelled=cancelled, clock=WORLD, **more)


def result_of(done: PlanResult) -> ChunkResult:
    (result,) = done.results
    assert result is not None
    return result


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_slow_chunk_is_left_within_a_second_of_the_wish_and_what_was_run_is_there(tmp_path: Path) -> None:
    kept, asked = ChunkStore(tmp_path), list[float]()

    def over() -> bool:
        asked.append(WORLD.now)
        return WORLD.now >= 7.0

    done = work(kept, over)
    assert done.cancelled
    assert WORLD.now <= 7.0 + CHUNK_SECONDS
    assert np.diff(asked).max() <= CHUNK_SECONDS
    result = result_of(done)
    assert result.missing == frozenset(range(len(WORLD.ran) + 1, POINTS))  # point 13 was refused, not run
    assert np.isfinite(result.values[result.reached, 0]).sum() == len(WORLD.ran)
    stored = kept.get(PLAN.keys[0])
    assert stored is not None
    assert stored.values.tobytes() == result.values.tobytes()
    assert (stored.missing, stored.errors) == (result.missing, result.errors)


def test_a_study_goes_on_at_the_point_where_it_was_left(tmp_path: Path) -> None:
    whole = work(ChunkStore(tmp_path / "whole"))
    runs = list(WORLD.ran)
    kept = ChunkStore(tmp_path / "parts")
    for limit in (3.0, 11.0):
        WORLD.now = 0.0
        work(kept, lambda limit=limit: WORLD.now >= limit)  # type: ignore[misc]
    WORLD.ran.clear()
    heard: list[tuple[int, bool]] = []
    done = work(kept, on_progress=lambda part, _result, known: heard.append((len(part.points), known)))
    assert 0 < len(WORLD.ran) < POINTS / 2
    assert heard[0] == (POINTS - len(WORLD.ran), True)
    assert sum(points for points, known in heard if not known) == len(WORLD.ran)
    assert result_of(done).values.tobytes() == result_of(whole).values.tobytes()
    assert result_of(done).sums.tobytes() == result_of(whole).sums.tobytes()
    assert files(tmp_path / "parts") == files(tmp_path / "whole")
    assert runs == [x for x in range(POINTS) if x != 13]
    WORLD.ran.clear()
    assert work(kept).cached == 1
    assert not WORLD.ran


def test_what_is_kept_of_a_slow_chunk_is_there_before_it_ends(tmp_path: Path) -> None:
    """Nothing is done at the end of a process that is killed."""
    kept, lost = ChunkStore(tmp_path), list[int]()

    def look() -> bool:
        stored = kept.get(PLAN.keys[0])
        lost.append(len(WORLD.ran) - (0 if stored is None else POINTS - len(stored.missing)))
        return False

    work(kept, look)
    assert max(lost) * WORLD.pace <= 2 * CHUNK_SECONDS


def test_an_interrupt_keeps_what_was_run_before_it(tmp_path: Path) -> None:
    kept = ChunkStore(tmp_path)

    def interrupt() -> bool:
        if WORLD.now >= 4.0:
            raise KeyboardInterrupt
        return False

    with pytest.raises(KeyboardInterrupt):
        work(kept, interrupt)
    stored = kept.get(PLAN.keys[0])
    assert stored is not None
    assert POINTS - len(stored.missing) == len(WORLD.ran)


@pytest.mark.parametrize("kind", [FileNotFoundError, ImportError, MemoryError])
def test_only_errors_that_may_have_passed_are_tried_again(kind: type[Exception], tmp_path: Path) -> None:
    kept, WORLD.pace = ChunkStore(tmp_path), 0.001
    WORLD.broken = kind
    broken = work(kept)
    errors = result_of(broken).errors
    assert list(errors) == [5, 13, 21]
    assert f"{kind.__name__}: levels.csv" in errors[5]
    WORLD.ran.clear()
    still = work(kept)
    assert sorted(WORLD.ran) == [5, 21]
    assert (still.failed_before, still.cached, result_of(still).errors) == (2, 0, errors)
    WORLD.broken = None
    mended = work(kept)
    assert (mended.failed_before, list(result_of(mended).errors)) == (2, [13])
    WORLD.ran.clear()
    again = work(kept)
    assert (again.cached, again.failed_before, WORLD.ran) == (1, 0, [])
    assert result_of(again).values.tobytes() == result_of(work()).values.tobytes()
    assert np.isfinite(result_of(again).values[[5, 21], 0]).all()


@dataclass(frozen=True)
class Stepwise(Strategy):
    """Runs bar by bar: in Python or as machine code, whose last digits may differ."""

    x: int = param(1, low=0, high=100)

    def decide(self, now: Any, held: Any) -> Weights:
        return np.where(held.weight > 0, np.nan, self.x / 200)


@pytest.mark.parametrize(("runs", "mode"), [(10, "compiled"), (9, "python")])
def test_the_parts_of_a_chunk_run_in_the_way_of_the_whole(
    runs: int, mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen: list[str] = []
    choose = batch.chosen_mode

    def watched(*arguments: Any) -> str:
        chosen.append(choose(*arguments))
        return "python"

    monkeypatch.setattr(batch, "chosen_mode", watched)
    experiment = Experiment(Stepwise, BARS, ALL_IN, Tuning(compile_from=10 * BARS.T))
    alone = Chunk(("x",), tuple((x,) for x in range(runs)))
    for chunk in (alone, replace(alone, scenarios=tuple(Scenario(delay=x // 6) for x in range(runs)))):
        whole = chunk.run(experiment)
        for places in (range(3), range(3, runs), range(5, 6)):
            chosen.clear()
            part = chunk.only(places).run(experiment)
            assert chosen[0] == mode
            assert part.values.tobytes() == whole.values[list(places)].tobytes()
            assert part.sums.tobytes() == whole.sums[list(places)].tobytes()


def test_a_part_of_a_part_is_of_the_same_chunk() -> None:
    chunk = replace(PLAN.chunks[0], scenarios=tuple(Scenario(delay=x) for x in range(POINTS)))
    part = chunk.only(range(10, 30)).only([3, 5])
    assert (part.points, part.scenarios) == (((13,), (15,)), (Scenario(delay=13), Scenario(delay=15)))
    assert part.among == POINTS
    assert chunk.only(range(POINTS)) is chunk


def test_points_that_are_lost_keep_their_error_and_are_tried_again(tmp_path: Path) -> None:
    class Losing(InProcess):
        def run(self, experiment: Any, work: Any, on_done: Any, cancelled: Any) -> None:
            def lose(done: Any) -> None:
                on_done(replace(done, result=None, error="its worker died") if 20 in done.places else done)

            super().run(experiment, work, lose, cancelled)

    kept = ChunkStore(tmp_path)
    done = run_chunks(PLAN, Losing(WORLD), kept, clock=WORLD)
    (lost,) = done.failed
    assert (20,) in lost.part.points
    assert (lost.number, lost.error) == (0, "its worker died")
    result = result_of(done)
    assert [text for text in result.errors.values() if text == "its worker died"] == [lost.error] * len(
        lost.part.points
    )
    WORLD.ran.clear()
    assert list(result_of(work(kept)).errors) == [13]
    assert sorted((x,) for x in WORLD.ran) == list(lost.part.points)


# -- how many points at a time -----------------------------------------------------------------------------------------


def parts(
    pace: BatchSizer, seconds: list[float], failing: Callable[[int], bool] = lambda _place: False
) -> list[range]:
    """How points that take so long each are parted."""
    found, at = [], 0
    while at < len(seconds):
        places = range(at, at + pace.of(len(seconds) - at))
        pace.took(len(places), sum(map(failing, places)), sum(seconds[place] for place in places))
        found.append(places)
        at = places.stop
    return found


def test_points_as_quick_as_expected_soon_go_together() -> None:
    pace = BatchSizer()
    sizes = [len(part) for part in parts(pace, [1e-4] * 8192)]
    assert len(sizes) <= 6
    assert [len(part) for part in parts(pace, [1e-4] * 8192)] == [8192]


def test_slow_points_go_about_a_second_at_a_time() -> None:
    pace = BatchSizer()
    sizes = [len(part) for part in parts(pace, [0.3] * 100)]
    assert sizes[0] == 1
    assert set(sizes[1:-1]) == {3}
    assert [len(part) for part in parts(pace, [0.3] * 6)] == [6]
    assert [len(part) for part in parts(BatchSizer(), [30.0] * 5)] == [1] * 5


def test_points_that_are_refused_do_not_hide_how_slow_the_others_are() -> None:
    seconds = [1e-6] * 500 + [1.0] * 100
    for part in parts(BatchSizer(), seconds, lambda place: place < 500):
        assert sum(seconds[place] for place in part) <= MOST_BLIND


@given(st.lists(st.floats(1e-6, 10.0), min_size=1, max_size=200))
def test_a_part_is_as_long_as_the_one_before_it_allows(seconds: list[float]) -> None:
    found = parts(BatchSizer(), seconds)
    assert [place for part in found for place in part] == list(range(len(seconds)))
    assert len(found[0]) == 1
    for before, part in pairwise(found):
        pace = sum(seconds[place] for place in before) / len(before)
        assert len(part) <= GROWTH * len(before)
        assert len(part) == 1 or len(part) * pace <= LONGEST_SECONDS * (1 + 1e-9)
