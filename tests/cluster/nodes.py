"""Ray nodes for tests: each a process group of its own, on ports of its own, ended by its id; never `ray stop`."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.cluster.processes import descendants, descends

ROOT = Path(__file__).resolve().parents[2]
RAY = Path(sys.executable).with_name("ray")
READY = "Ray runtime started."
PATIENCE = 180.0
STORE_BYTES = 100 * 2**20
# A node counts as dead after two seconds of silence instead of 18.
HEALTH = {
    "health_check_initial_delay_ms": 1000, "health_check_period_ms": 500, "health_check_timeout_ms": 1000,
    "health_check_failure_threshold": 4,
}  # fmt: skip


def wait_until(happened: Callable[[], object], what: str, seconds: float = PATIENCE) -> None:
    """Return as soon as `happened()`; fails the test when it has not after `seconds`."""
    deadline = time.monotonic() + seconds
    while not happened():
        if time.monotonic() > deadline:
            pytest.fail(f"{what}: not after {seconds:.0f} seconds")
        time.sleep(0.05)


@dataclass(frozen=True)
class Node:
    """A started node: the process that leads its group."""

    process: subprocess.Popen[bytes]

    def owns(self, pid: int) -> bool:
        """Whether a process descends from this node's first."""
        return descends(pid, self.process.pid)

    def kill(self) -> None:
        """End the node like a power cut: workers too, which Ray puts into groups of their own."""
        for pid in descendants(self.process.pid):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait()


@dataclass(frozen=True)
class Cluster:
    """A head at `address` (HOST:PORT) with a `dashboard` (URL), and the nodes added to it; `environ` is for its clients."""

    folder: Path
    address: str
    dashboard: str
    environ: Mapping[str, str]
    nodes: list[Node]

    def add_node(self, cpus: int) -> Node:
        """One more node, which has joined when this returns."""
        name = f"node-{len(self.nodes)}"
        node = _start(name, self.folder, self.environ, ["--address", self.address, "--num-cpus", str(cpus)])
        self.nodes.append(node)
        return node

    def node_of(self, pid: int) -> Node:
        """The node whose process that is."""
        return next(node for node in self.nodes if node.owns(pid))


def _free_ports(count: int) -> list[str]:
    sockets = [socket.socket() for _ in range(count)]
    for item in sockets:
        item.bind(("", 0))
    ports = [str(item.getsockname()[1]) for item in sockets]
    for item in sockets:
        item.close()
    return ports


def _start(name: str, folder: Path, environ: Mapping[str, str], arguments: list[str]) -> Node:
    """A node that is up. On a busy machine Ray gives up after half a minute; then it is started once more."""
    try:
        return _try_start(name, folder, environ, arguments)
    except NotStarted:
        shutil.rmtree(folder / name, ignore_errors=True)
        return _try_start(name, folder, environ, arguments)


class NotStarted(AssertionError):
    """Ray ended before the node was up."""


def _try_start(name: str, folder: Path, environ: Mapping[str, str], arguments: list[str]) -> Node:
    ports = _free_ports(6)
    names = ("node-manager-port", "object-manager-port", "dashboard-agent-listen-port", "dashboard-agent-grpc-port",
             "runtime-env-agent-port", "metrics-export-port")  # fmt: skip
    fixed = [word for item in zip(names, ports, strict=True) for word in (f"--{item[0]}", item[1])]
    # Two nodes of one machine would unpack a job's files over each other's.
    fixed += [
        "--temp-dir",
        str(folder / name),
        "--min-worker-port",
        "0",
        "--max-worker-port",
        "0",
        "--object-store-memory",
        str(STORE_BYTES),
    ]
    log = folder / f"{name}.log"
    with log.open("wb") as file:
        process = subprocess.Popen(
            [str(RAY), "start", *arguments, *fixed, "--block", "--disable-usage-stats"],
            env=dict(environ), cwd=folder, stdin=subprocess.DEVNULL, stdout=file, stderr=file, start_new_session=True,
        )  # fmt: skip
    node = Node(process)
    try:
        wait_until(lambda: process.poll() is not None or READY in log.read_text(), f"{name} is up")
        if process.poll() is not None:
            raise NotStarted(log.read_text())
    except BaseException:
        node.kill()
        raise
    return node


@contextmanager
def running_cluster(cpus: int) -> Iterator[Cluster]:
    """A head with a dashboard, asking for a token; it and every node added to it are gone afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="gpt-cl-"))  # short: socket paths lie below it
    token = folder / "token"
    token.touch(mode=0o600)
    token.write_text(secrets.token_hex(32))
    metrics, autoscaler, port, dashboard, client = _free_ports(5)
    environ = {
        **{name: value for name, value in os.environ.items() if "proxy" not in name.lower()},
        "PYTHONPATH": str(ROOT), "PATH": f"{RAY.parent}:{os.environ['PATH']}",
        "RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": str(token),
        "DASHBOARD_METRIC_PORT": metrics, "AUTOSCALER_METRIC_PORT": autoscaler, "HOME": str(folder),
    }  # fmt: skip
    head = _start("head", folder, environ, [
        "--head", "--port", port, "--dashboard-port", dashboard, "--ray-client-server-port", client, "--num-cpus", str(cpus),
        "--system-config", json.dumps(HEALTH),
    ])  # fmt: skip
    nodes = [head]
    try:
        written = folder / "head" / "ray_current_cluster"
        wait_until(
            lambda: written.exists() and ":" in written.read_text(), "the head has written its address"
        )
        address = written.read_text().strip()
        yield Cluster(folder, address, f"http://127.0.0.1:{dashboard}", environ, nodes)
    finally:
        for node in nodes:
            node.kill()
        shutil.rmtree(folder, ignore_errors=True)
