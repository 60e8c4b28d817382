"""Starts a Ray of our own on this machine, for this process alone, and ends it again."""

from __future__ import annotations

import logging
import os
import secrets
import shutil
import signal
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from gpt_trader.errors import ClusterError

START_TRIES = 3
"""Ray gives a node half a minute to come up, which a loaded machine of two cores has exceeded."""
SMALLEST_STORE = 128 * 2**20
RESULT_BYTES = 16 * 2**20

QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_BACKEND_LOG_LEVEL": "error",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
}
_POOLS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
_ONE_THREAD = dict.fromkeys(_POOLS, "1")
# Ray's switch for machines whose firewall would ask about open ports: every listener is on 127.0.0.1.
_LOOPBACK = {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}
_OTHER_CLUSTERS = ("RAY_ADDRESS", "RAY_AUTH_TOKEN", "RAY_JOB_CONFIG_JSON_ENV_VAR")


@contextmanager
def local_ray(workers: int, shared_bytes: int) -> Iterator[None]:
    """A Ray with `workers` processes inside the block; `shared_bytes` is what they will share (the bars).

    It listens on the loopback address alone, asks for a token that only this process and its children have, and keeps its
    files in a folder of this user. Raises ClusterError when it does not come up.
    """
    folder = Path(tempfile.mkdtemp(prefix="gpt-ray-"))  # mode 0700, and short: socket paths lie below it
    token = folder / "token"
    token.touch(mode=0o600)
    token.write_text(secrets.token_hex(32))
    guarded = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": str(token)}
    store = SMALLEST_STORE + 2 * shared_bytes + 2 * workers * RESULT_BYTES
    try:
        with environment({**guarded, **_LOOPBACK, **QUIET, **_ONE_THREAD}, without=_OTHER_CLUSTERS):
            _start_with_patience(workers, store, folder)
            try:
                yield
            finally:
                stop()
    finally:
        _end_leftovers(folder)
        shutil.rmtree(folder, ignore_errors=True)


def _start_with_patience(workers: int, store_bytes: int, folder: Path) -> None:
    for attempt in range(1, START_TRIES + 1):
        try:
            start(
                f"cannot start {workers} workers on this machine",
                address="local",
                num_cpus=workers,
                num_gpus=0,
                include_dashboard=False,
                object_store_memory=store_bytes,
                _temp_dir=str(folder / str(attempt)),
            )
            return
        except ClusterError as error:
            _end_leftovers(folder)
            if "timed out" not in str(error) or attempt == START_TRIES:
                raise ClusterError(
                    f"{error}; try again when the machine is less busy, or stay in this process with --workers 1"
                ) from error


def read_token_anew() -> None:
    """Ray keeps the first token it reads, and whether there is one, for the life of the process."""
    from ray._raylet import AuthenticationTokenLoader, Config  # type: ignore[attr-defined]

    Config.initialize("")
    AuthenticationTokenLoader.instance().reset_cache()


def start(what: str, **arguments: Any) -> None:
    """`ray.init` without a word on our streams. Raises ClusterError with `what` failed and the reason."""
    import ray
    from ray._private import worker

    read_token_anew()
    with diverted() as said, _own_answer_to_sigterm():
        try:
            ray.init(log_to_driver=False, logging_level=logging.CRITICAL, **arguments)
        except Exception as error:  # Ray raises plain ones too
            with suppress(Exception):
                ray.shutdown()
            raise ClusterError(f"{what}: {_reason(error, said)}") from error
    worker._worker_logs_enabled = False  # else Ray tells of lost workers on standard output


@contextmanager
def _own_answer_to_sigterm() -> Iterator[None]:
    """What SIGTERM did before; Ray would print a stack and call sys.exit."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before or signal.SIG_DFL)


def stop() -> None:
    """Leave Ray, ending it when this process started it."""
    import ray

    with diverted():
        ray.shutdown()


def is_connected() -> bool:
    """Whether this process is connected to a Ray already, whoever did it."""
    ray = sys.modules.get("ray")
    return ray is not None and bool(ray.is_initialized())


@contextmanager
def environment(settings: Mapping[str, str], without: tuple[str, ...] = ()) -> Iterator[None]:
    """The environment with these settings, as Ray's processes inherit it, and as it was afterwards."""
    touched = (*settings, *without)
    before = {name: os.environ[name] for name in touched if name in os.environ}
    for name in without:
        os.environ.pop(name, None)
    os.environ.update(settings)
    try:
        yield
    finally:
        for name in touched:
            os.environ.pop(name, None)
        os.environ.update(before)


@contextmanager
def diverted() -> Iterator[IO[bytes]]:
    """What is written to standard output and error goes to the file that is yielded: Ray's C++ part writes there itself."""
    with tempfile.TemporaryFile() as file:
        kept = {}
        for stream, descriptor in ((sys.stdout, 1), (sys.stderr, 2)):
            with suppress(ValueError, AttributeError):
                stream.flush()
            kept[descriptor] = os.dup(descriptor)
            os.dup2(file.fileno(), descriptor)
        try:
            yield file
        finally:
            for descriptor, copy in kept.items():
                os.dup2(copy, descriptor)
                os.close(copy)


def _reason(error: Exception, said: IO[bytes]) -> str:
    """The first sentence of an error, else the last line Ray wrote."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    if not lines:
        said.seek(0)
        lines = said.read().decode(errors="replace").splitlines()[-1:]
    return lines[0] if lines else type(error).__name__


def _end_leftovers(folder: Path) -> None:
    """Kill what still runs with its files in `folder`: a Ray that did not come up leaves its processes behind."""
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError, ValueError):
            if str(folder).encode() in entry.read_bytes() and int(entry.parent.name) != os.getpid():
                os.kill(int(entry.parent.name), signal.SIGKILL)
