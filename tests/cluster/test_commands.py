"""One sweep in this process, on workers of this machine, on a cluster, as a job: the same files; and every refusal is said."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from gpt_trader.errors import ClusterError
from jobs.executors.cluster import check_token
from jobs.executors.local_ray import environment
from tests.cluster.nodes import RAY, Cluster, wait_until
from tests.cluster.processes import descendants, environ, is_gone, listening
from tests.e2e.command import Done, one_message
from tests.e2e.studies import Place

pytestmark = pytest.mark.ray


@pytest.fixture(scope="module")
def meeting(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where strategies meet the test: one folder, because its name is one of their parameters."""
    return tmp_path_factory.mktemp("meeting")


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory, meeting: Path) -> Place:
    """The sweep in one process: what the others must equal."""
    place = Place.in_folder(tmp_path_factory.mktemp("alone"), meeting)
    place.go()
    done = place.run(*place.sweep("--json", "--workers", "1"))
    assert done.code == 0, done.err
    return place


def assert_same(place: Place, alone: Place) -> None:
    """The same result files and the same chunks, byte for byte."""
    assert place.results() == alone.results()
    assert bytes_of(place) == bytes_of(alone)


def bytes_of(place: Place) -> dict[str, bytes]:
    return {name: data for name, (_, data) in place.chunks().items()}


@pytest.fixture
def place(tmp_path: Path, meeting: Path) -> Place:
    """A fresh folder, and nobody at the meeting."""
    for file in meeting.iterdir():
        file.unlink()
    return Place.in_folder(tmp_path / "project", meeting)


def client(cluster: Cluster) -> dict[str, str]:
    """The environment of somebody who may use the cluster."""
    return {"RAY_AUTH_TOKEN_PATH": cluster.environ["RAY_AUTH_TOKEN_PATH"]}


STRANGER = """import sys
from ray._raylet import GcsClient
from ray.exceptions import AuthenticationError
try:
    GcsClient(address=sys.argv[1])
except AuthenticationError:
    print("refused")
"""


def is_refused_without_the_token(address: str) -> bool:
    """Whether a client with a token of its own is turned away."""
    done = subprocess.run(
        [sys.executable, "-c", STRANGER, address], env={**os.environ, "RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": "f" * 64},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    return done.stdout == "refused\n"


def gcs_address(pids: list[int]) -> str:
    """Where the control store of a local Ray listens, from its node's command line."""
    words = [word for pid in pids for word in Path(f"/proc/{pid}/cmdline").read_text().split("\0")]
    return next(word.partition("=")[2] for word in words if word.startswith("--gcs-address="))


def test_local_workers_are_closed_to_others_quiet_and_gone_afterwards(alone: Place, place: Place) -> None:
    process = place.start(*place.sweep("--json", "--workers", "2"))
    worker = place.wait_for_the_meeting(process)
    pids = descendants(process.pid)
    assert worker in pids
    addresses = listening(pids)
    assert len(addresses) > 3
    assert {address.rpartition(":")[0] for address in addresses} == {"127.0.0.1"}
    settings = environ(worker)
    assert (settings["RAY_AUTH_MODE"], settings["OMP_NUM_THREADS"]) == ("token", "1")
    token = Path(settings["RAY_AUTH_TOKEN_PATH"])
    assert (token.stat().st_mode & 0o777, token.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    assert is_refused_without_the_token(gcs_address(pids))
    os.kill(worker, signal.SIGKILL)  # Ray would tell of it on standard output
    place.go()
    done = place.end(process)
    assert (done.code, done.err) == (0, "")
    assert done.json["complete"]
    assert_same(place, alone)
    assert not token.parent.exists()
    wait_until(lambda: all(map(is_gone, pids)), "every process of the local Ray has ended")


def test_four_workers_make_the_same_files_and_say_why(alone: Place, place: Place) -> None:
    place.go()
    done = place.run(*place.sweep("--workers", "4"))
    assert done.code == 0, done.err
    assert (
        done.err == "3 chunks, about 2 seconds on one core: on 3 workers of this machine, started with Ray\n"
    )
    assert_same(place, alone)


SLOW = '''import time
from dataclasses import dataclass
import numpy as np
from gpt_trader import Strategy, param

@dataclass(frozen=True)
class Slow(Strategy):
    """Holds x thousandths, and takes its time."""
    x: int = param(1, low=0, high=1000)

    def decide(self, now):
        time.sleep(0.25)
        return np.full_like(now.close, self.x / 1000)
'''


def test_a_chunk_that_is_slower_than_expected_is_shared_by_workers(place: Place) -> None:
    (place.folder / "slow.py").write_text(SLOW)
    sweep = (
        "sweep", "slow.py", "--param", "x=1:90", "--source", "synthetic", "--symbols", "A", "--start", "2010-01-01",
        "--end", "2010-12-31", "--gross", "1",
    )  # fmt: skip
    shared = place.run(*sweep, "--workers", "8", "--runs-dir", "shared")
    assert shared.code == 0, shared.err
    first, moved = shared.err.splitlines()
    assert first == "1 chunk, a second on one core: in this process"
    assert moved.startswith("slower than expected: ")
    assert moved.endswith(" on one core: on 8 workers of this machine, started with Ray")
    assert place.run(*sweep, "--workers", "1", "--runs-dir", "alone").code == 0
    assert place.results("shared") == place.results("alone")
    assert [data for _, data in place.chunks("shared").values()] == [
        data for _, data in place.chunks("alone").values()
    ]


def test_a_study_in_steps_says_once_where_it_runs(place: Place) -> None:
    arguments = ("--source", "synthetic", "--symbols", "A", "--start", "2004-01-01", "--end", "2010-12-31")
    done = place.run(
        "cv", "demo_ma", "--param", "fast=5:30:1", "--param", "slow=40:100:10", *arguments, "--workers", "2"
    )
    assert done.code == 0, done.err
    assert done.err.splitlines()[1:] == []
    assert done.err.endswith("on 2 workers of this machine, started with Ray\n")


def test_control_c_with_local_workers_keeps_what_is_finished(place: Place) -> None:
    process = place.start(*place.sweep("--json", "--workers", "2"))
    place.wait_for_the_meeting(process)
    pids = descendants(process.pid)
    wait_until(lambda: len(place.chunks()) == 2, "two chunks are kept")
    process.send_signal(signal.SIGINT)
    message = one_message(place.end(process), 130)
    done = place.record()["progress"]["points_done"]
    assert 4_096 <= done < 6_000
    assert f"{done:,} of 6,000 points are kept; resume with: gpt-trader runs resume" in message
    wait_until(lambda: all(map(is_gone, pids)), "every process of the local Ray has ended")


def test_a_cluster_of_two_nodes_makes_the_same_files(two_nodes: Cluster, alone: Place, place: Place) -> None:
    place.go()
    done = place.run(*place.sweep("--cluster", two_nodes.address), env=client(two_nodes))
    assert done.code == 0, done.err
    assert done.err == f"3 chunks, about 2 seconds on one core: on the cluster at {two_nodes.address}\n"
    assert_same(place, alone)
    assert two_nodes.nodes[0].process.poll() is None


def refusal(place: Place, address: str, env: Mapping[str, str] | None = None) -> str:
    """What a sweep on that cluster says when it is refused."""
    place.go()
    return one_message(place.run(*place.sweep("--json", "--cluster", address), env=env), 1)


def test_a_wrong_token_and_none_are_said(two_nodes: Cluster, place: Place) -> None:
    message = refusal(place, two_nodes.address, {"RAY_AUTH_TOKEN": "f" * 64})
    assert f"the cluster at {two_nodes.address} refuses the token in RAY_AUTH_TOKEN" in message
    message = refusal(place, two_nodes.address)
    assert f"the cluster at {two_nodes.address} wants a token, and there is none in RAY_AUTH_TOKEN" in message
    assert not place.chunks()


def test_the_token_is_read_each_time(two_nodes: Cluster) -> None:
    right = {name: two_nodes.environ[name] for name in ("RAY_AUTH_MODE", "RAY_AUTH_TOKEN_PATH")}
    for _ in range(2):
        wrong = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": "f" * 64}
        with environment(wrong), pytest.raises(ClusterError, match="refuses the token"):
            check_token(two_nodes.address)
        with environment(right):
            check_token(two_nodes.address)


def test_an_address_where_no_cluster_answers_is_said(place: Place) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"127.0.0.1:{silent.getsockname()[1]}"
        assert f"what answers at {address} is no Ray cluster" in refusal(place, address)
    assert f"nobody answers at {address} (Connection refused)" in refusal(place, address)
    assert "no Ray cluster runs on this machine" in refusal(place, "auto", {"RAY_TMPDIR": str(place.folder)})


def test_a_job_makes_the_same_files(two_nodes: Cluster, alone: Place, place: Place) -> None:
    place.go()
    _, *arguments = place.sweep("--json", "--workers", "2", runs_dir=str(place.folder / "runs"))
    done = subprocess.run(
        [str(RAY), "job", "submit", "--address", two_nodes.dashboard, "--working-dir", ".", "--no-wait",
         "--submission-id", "by-hand", "--", "python", "-m", "jobs.sweep", *arguments],
        cwd=place.folder, env=dict(two_nodes.environ), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, (done.stdout, done.stderr)
    wait_until(lambda: place.has_ended(), "the job has ended")
    record = place.record()
    assert (record["status"], record["job"]) == ("finished", {"id": "by-hand"})
    assert record["place"] == "3 chunks, about 2 seconds on one core: on the cluster of this job"
    assert_same(place, alone)


def test_a_study_handed_over_runs_as_a_job_that_can_be_cancelled_and_resumed(
    two_nodes: Cluster, place: Place, alone: Place
) -> None:
    submit = ("--json", "--submit", two_nodes.dashboard)
    handed = place.run(*place.sweep(*submit), env=client(two_nodes))
    assert handed.code == 0, handed.err
    study = handed.json["run_id"]
    assert handed.json["job"] == f"gpt-trader-{study}"
    place.wait_for_the_meeting()
    again = place.run(*place.sweep(*submit), env=client(two_nodes))
    assert f"study {study} runs at {two_nodes.dashboard} already" in one_message(again, 2)
    assert place.record()["status"] == "running"
    cancelled = place.run("runs", "cancel", study, "--json", env=client(two_nodes))
    assert cancelled.json == {"job_stopped": True, "run_id": study}
    wait_until(lambda: place.has_ended(), "the job has ended")
    assert (place.record()["status"], len(place.chunks())) == ("cancelled", 2)
    kept = place.chunks()
    place.go()
    tries: list[Done] = []

    def is_taken() -> bool:
        again = ("runs", "resume", study, "--submit", two_nodes.dashboard)
        tries.append(place.run(*again, env=client(two_nodes)))
        return "already, as job" not in tries[-1].err

    wait_until(is_taken, "the process of the first job has ended, after its study")
    assert (tries[-1].code, tries[-1].json["job"]) == (0, f"gpt-trader-{study}-2"), tries[-1]
    wait_until(lambda: place.record()["status"] == "finished", "the second job has finished the study")
    assert {name: place.chunks()[name] for name in kept} == kept


TAKE_THE_NAMES = """import sys, time
import ray
from ray.dashboard.modules.job.common import JOB_ACTOR_NAME_TEMPLATE, SUPERVISOR_ACTOR_RAY_NAMESPACE
class Earlier:
    def ping(self): pass
address, *jobs = sys.argv[1:]
ray.init(address, namespace=SUPERVISOR_ACTOR_RAY_NAMESPACE, log_to_driver=False)
kind = ray.remote(num_cpus=0)(Earlier)
def taken(name):
    # Jobs of other tests have these names until their processes have ended.
    while True:
        try:
            return kind.options(name=name).remote()
        except ValueError:
            time.sleep(0.1)
actors = [taken(JOB_ACTOR_NAME_TEMPLATE.format(job_id=job)) for job in jobs]
ray.get([actor.ping.remote() for actor in actors])
print("taken", flush=True)
sys.stdin.read()
"""


def test_a_job_that_ray_cannot_start_is_an_error(two_nodes: Cluster, place: Place, alone: Place) -> None:
    first = f"gpt-trader-{alone.record()['study_id']}"
    jobs = [first, *(f"{first}-{number}" for number in range(2, 6))]
    earlier = subprocess.Popen(
        [sys.executable, "-c", TAKE_THE_NAMES, two_nodes.address, *jobs], env=dict(two_nodes.environ), text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    with earlier:
        assert earlier.stdout is not None
        assert earlier.stdout.readline() == "taken\n"
        place.go()
        tries: list[Done] = []

        def is_tried() -> bool:
            sweep = place.sweep("--json", "--submit", two_nodes.dashboard)
            tries.append(place.run(*sweep, env=client(two_nodes)))
            return "already, as job" not in tries[-1].err

        wait_until(is_tried, "the process of the job of another test has ended")
        earlier.kill()
    assert f"the cluster at {two_nodes.dashboard} could not start job {first}" in one_message(tries[-1], 1)
    assert not list(place.folder.glob("runs/*/study.json"))


def test_a_dashboard_that_refuses_or_does_not_answer_is_said(two_nodes: Cluster, place: Place) -> None:
    place.go()
    sweep = place.sweep("--json", "--submit", two_nodes.dashboard)
    assert "refuses the token in" in one_message(place.run(*sweep, env={"RAY_AUTH_TOKEN": "f" * 64}), 1)
    assert "wants a token, and there is none in" in one_message(place.run(*sweep), 1)
    absent = place.run(*place.sweep("--json", "--submit", "http://127.0.0.1:1"))
    assert "nobody answers at http://127.0.0.1:1 (Connection refused); " in one_message(absent, 1)
    assert "is that the port of its dashboard (8265 unless" in one_message(absent, 1)
    wrong = place.run(*place.sweep("--json", "--submit", "127.0.0.1:8265"))
    assert "is no address of a dashboard; write http://HOST:8265" in one_message(wrong, 2)
    assert not list(place.folder.glob("runs/*/study.json"))
