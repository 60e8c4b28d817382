"""Ctrl-C ends a study whatever its strategy does, and what was kept before stays; so does a study that is killed."""

from __future__ import annotations

import signal
import subprocess
from pathlib import Path

import pytest

from tests.cluster.nodes import wait_until
from tests.e2e.command import one_message
from tests.e2e.studies import Place

LOOPS = '''import time
from dataclasses import dataclass
from pathlib import Path
import numba
import numpy as np
from gpt_trader import Strategy, param

@numba.njit("int64(int64)", nogil=True)
def endless(n):
    while n >= 0:
        n = (n + 1) % 1000
    return n

@dataclass(frozen=True)
class Loops(Strategy):
    """Holds x hundredths; does not come back from point 40, unless the file `mended` is there. Others take a while."""
    x: int = param(1, low=0, high=100)
    how: str = param("python", choices=("python", "deaf", "machine"))

    def decide(self, now):
        if self.x == 40 and not Path("mended").exists():
            Path("loops").touch()
            self.loop()
        time.sleep(0.06)
        return np.full_like(now.close, self.x / 100)

    def loop(self):
        n = 0
        while True:
            try:
                while True:
                    n = endless(n) if self.how == "machine" else n + 1
            except BaseException:
                if self.how == "python":
                    raise
'''
SWEEP = (
    "sweep", "loops.py", "--param", "x=1:60", "--source", "synthetic", "--symbols", "A,B", "--start", "2010-01-01",
    "--end", "2012-12-31", "--gross", "1", "--json",
)  # fmt: skip
POINTS = 60


@pytest.fixture
def place(tmp_path: Path) -> Place:
    place = Place.in_folder(tmp_path)
    (tmp_path / "loops.py").write_text(LOOPS)
    return place


def looping(place: Place, how: str) -> subprocess.Popen[str]:
    """A sweep that does not come back from one of its points."""
    process = place.start(*SWEEP, "--param", f"how={how}")
    wait_until((place.folder / "loops").exists, "the strategy loops")
    return process


def kept(place: Place) -> int:
    """The points that a resumed study found kept, which must be some and not all."""
    (place.folder / "mended").touch()
    resumed = place.run("runs", "resume", "last")
    assert resumed.code == 0, resumed.err
    progress = place.record()["progress"]
    assert progress["points_done"] == POINTS
    assert 0 < progress["points_from_earlier_runs"] < 40
    return int(progress["points_from_earlier_runs"])


def test_control_c_ends_a_rule_that_loops_and_keeps_all_points_before_it(place: Place) -> None:
    process = looping(place, "python")
    process.send_signal(signal.SIGINT)
    message = one_message(place.end(process), 130)
    assert place.record()["status"] == "interrupted"
    assert f" {kept(place)} of 60 points are kept; resume with: gpt-trader runs resume" in f" {message}"


@pytest.mark.parametrize("how", ["deaf", "machine"])
def test_control_c_ends_a_rule_that_does_not_hear_it(how: str, place: Place) -> None:
    process = looping(place, how)
    process.send_signal(signal.SIGINT)
    message = one_message(place.end(process), 130)
    assert (
        "interrupted, and the code of the strategy does not end; what was kept is there; resume with"
        in message
    )
    assert [row["status"] for row in place.run("runs", "list", "--json").json["runs"]] == ["interrupted"]
    kept(place)


def test_the_second_control_c_ends_a_study_at_once(place: Place) -> None:
    process = looping(place, "deaf")
    while process.poll() is None:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(0.1)
        except subprocess.TimeoutExpired:
            continue
    assert "interrupted twice; what was kept is there" in one_message(place.end(process), 130)
    kept(place)


def test_a_study_that_is_killed_in_the_middle_of_a_slow_chunk_goes_on_there(place: Place) -> None:
    process = looping(place, "python")
    process.kill()
    place.end(process)
    kept(place)
    undisturbed = Place.in_folder(place.folder / "undisturbed")
    for name in ("loops.py", "mended"):
        (undisturbed.folder / name).write_bytes((place.folder / name).read_bytes())
    assert undisturbed.run(*SWEEP, "--param", "how=python").json["complete"]
    assert undisturbed.results() == place.results()
    assert [data for _, data in undisturbed.chunks().values()] == [
        data for _, data in place.chunks().values()
    ]


def test_a_time_limit_ends_a_slow_chunk_in_its_middle(place: Place) -> None:
    (place.folder / "mended").touch()
    done = place.run(*SWEEP, "--param", "how=python", "--time-limit", "2s")
    assert done.code == 0, done.err
    assert not done.json["complete"]
    assert 0 < len(done.json["points"]) < POINTS
    again = place.run(*SWEEP, "--param", "how=python")
    assert (again.json["complete"], len(again.json["points"])) == (True, POINTS)
    assert place.record()["progress"]["points_from_earlier_runs"] == len(done.json["points"])
