"""A study that is interrupted, cancelled, killed, detached, or short of disk: finished chunks stay, and it goes on from them."""

from __future__ import annotations

import os
import pty
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.nodes import wait_until
from tests.e2e.command import ROOT, one_message
from tests.e2e.studies import IN_A_CHUNK, Place


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place.in_folder(tmp_path / "project")


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """Where the sweep has run with nothing coming between."""
    place = Place.in_folder(tmp_path_factory.mktemp("undisturbed"))
    place.go()
    done = place.run(*place.sweep("--json"))
    assert done.code == 0, done.err
    assert len(place.results()) == 2
    return place


def test_control_c_keeps_what_is_finished_and_resume_computes_only_the_rest(
    place: Place, undisturbed: Place
) -> None:
    process = place.start(*place.sweep("--json"))
    place.wait_for_the_meeting(process)
    process.send_signal(signal.SIGINT)
    done = place.end(process)
    study = place.record()
    message = one_message(done, 130)
    assert (
        f"4,096 of 6,000 points are kept; resume with: gpt-trader runs resume {study['study_id']}" in message
    )
    assert (study["status"], study["progress"]["points_done"]) == ("interrupted", 2 * IN_A_CHUNK)
    before = place.chunks()
    assert len(before) == 2

    place.go()
    resumed = place.run("runs", "resume", study["study_id"][:6])
    assert resumed.code == 0, resumed.err
    after = place.chunks()
    assert {name: after[name] for name in before} == before
    assert after.keys() == undisturbed.chunks().keys()
    assert place.results() == undisturbed.results()
    record = place.record()
    assert (record["status"], record["created_at"]) == ("finished", study["created_at"])
    assert record["progress"]["points_from_earlier_runs"] == 2 * IN_A_CHUNK
    assert record["command"] == study["command"]


def test_sigterm_ends_a_study_like_control_c(place: Place) -> None:
    process = place.start(*place.sweep("--json"))
    place.wait_for_the_meeting(process)
    process.terminate()
    assert "resume with" in one_message(place.end(process), 130)
    assert place.record()["status"] == "interrupted"


def test_a_killed_driver_shows_as_interrupted_and_can_be_resumed(place: Place) -> None:
    process = place.start(*place.sweep("--json"))
    place.wait_for_the_meeting(process)
    assert place.record()["status"] == "running"
    refused = place.run("runs", "resume", "last")
    assert "is running, as process" in one_message(refused, 2)
    twice = place.run(*place.sweep())
    assert "is running already" in one_message(twice, 2)
    process.kill()
    place.end(process)
    listed = place.run("runs", "list", "--json")
    assert [row["status"] for row in listed.json["runs"]] == ["interrupted"]
    place.go()
    resumed = place.run("runs", "resume", "last", "--json")
    assert (resumed.code, resumed.json["run_id"]) == (0, place.record()["study_id"])
    assert [row["status"] for row in place.run("runs", "list", "--json").json["runs"]] == ["finished"]


def test_cancel_stops_a_study_at_the_next_look(place: Place) -> None:
    process = place.start(*place.sweep("--json", meet=IN_A_CHUNK + 1))
    place.wait_for_the_meeting(process)
    study = place.record()["study_id"]
    asked = place.run("runs", "cancel", study)
    assert asked.code == 0, asked.err
    place.go()
    message = one_message(place.end(process), 1)
    record = place.record()
    done = record["progress"]["points_done"]
    assert f"study {study} was cancelled; {done:,} of 6,000 points are kept; resume with" in message
    assert record["status"] == "cancelled"
    assert IN_A_CHUNK < done <= 2 * IN_A_CHUNK
    assert "is not running: it is cancelled" in one_message(place.run("runs", "cancel", study), 2)
    assert place.run("runs", "resume", study, "--quiet").code == 0
    assert place.record()["status"] == "finished"


def test_a_study_that_would_be_another_is_not_resumed(place: Place) -> None:
    process = place.start(*place.sweep("--json"))
    place.wait_for_the_meeting(process)
    process.send_signal(signal.SIGINT)
    place.end(process)
    place.go()
    file = place.folder / "moody.py"
    text = file.read_text()
    file.write_text(text + "# a remark\n")
    message = one_message(place.run("runs", "resume", "last"), 2)
    assert (
        "cannot go on: the code of the strategy changed since it was started; gpt-trader sweep moody.py"
        in message
    )
    file.write_text(text)
    (place.folder / "gpt-trader.toml").write_text("[costs]\nbps = 7.0\n[backtest]\ncapital = 5000\n")
    message = one_message(place.run("runs", "resume", "last"), 2)
    assert "the settings (capital, costs) changed since it was started" in message
    assert len(list((place.folder / "runs").glob("*/study.json"))) == 1


def test_a_detached_study_outlives_its_terminal(place: Place, undisturbed: Place) -> None:
    leader, follower = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "jobs.cli", *place.sweep("--detach")], cwd=place.folder, start_new_session=True,
        stdin=follower, stdout=follower, stderr=follower, env={**os.environ, "PYTHONPATH": str(ROOT)},
        preexec_fn=lambda: _own_terminal(follower),
    )  # fmt: skip
    os.close(follower)
    said = b"".join(_read(leader))
    assert process.wait() == 0, said
    study = place.record()
    assert f"study {study['study_id']} goes on by itself, as process".encode() in said
    driver = place.wait_for_the_meeting()
    os.close(leader)  # the terminal is closed
    assert os.getsid(driver) != process.pid
    place.go()
    wait_until(lambda: place.record()["status"] != "running", "the study has ended")
    assert place.record()["status"] == "finished"
    assert place.results() == undisturbed.results()
    log = (place.folder / "runs" / study["study_id"] / "log.txt").read_text()
    assert "6,000 of 6,000 points" in log


def _own_terminal(follower: int) -> None:
    import fcntl
    import termios

    fcntl.ioctl(follower, termios.TIOCSCTTY, 0)


def _read(leader: int) -> Iterator[bytes]:
    """What is printed until the last process has left the terminal."""
    while True:
        try:
            yield os.read(leader, 65_536)
        except OSError:
            return


def test_a_detached_study_that_cannot_start_says_why(place: Place) -> None:
    (place.folder / "moody.py").write_text("import no_such_thing\n")
    assert "no_such_thing" in one_message(place.run(*place.sweep("--detach")), 1)


def _limited() -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))


def test_a_disk_that_refuses_a_chunk_is_one_message(place: Place) -> None:
    place.go()
    done = place.end(place.start(*place.sweep("--json", meet=1), limit=_limited))
    message = one_message(done, 1)
    assert "cannot keep a chunk" in message
    assert place.record()["status"] == "failed"
    assert not place.chunks()
    assert not list((place.folder / "runs" / ".chunks").rglob(".*"))
    assert place.run(*place.sweep("--json", meet=1)).code == 0


@pytest.fixture
def small_disk(place: Place) -> Iterator[Path]:
    """A file system on which two chunks fit and three do not."""
    folder = place.folder / "runs"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=900k", "tmpfs", str(folder)]
    if subprocess.run(command, check=False, capture_output=True).returncode != 0:
        pytest.skip("may not mount a small file system here")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def test_a_disk_that_fills_keeps_the_finished_chunks(place: Place, small_disk: Path) -> None:
    place.go()
    done = place.run(*place.sweep("--json"))
    assert "No space left on device; free space" in one_message(done, 1)
    kept = place.chunks()
    assert len(kept) == 2
    subprocess.run(["mount", "-o", "remount,size=20m", str(small_disk)], check=True)
    assert place.run("runs", "resume", "last", "--json").code == 0
    assert {name: place.chunks()[name] for name in kept} == kept
