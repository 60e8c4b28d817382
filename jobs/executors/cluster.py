"""Joins a Ray cluster that runs already, after asking within seconds whether it is there and takes our token."""

from __future__ import annotations

import os
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gpt_trader.errors import ClusterError, UserError
from jobs.executors.local_ray import QUIET, diverted, environment, read_token_anew, start, stop

REACH_SECONDS = 3.0
TOKEN_PLACES = "RAY_AUTH_TOKEN, RAY_AUTH_TOKEN_PATH or ~/.ray/auth_token"  # noqa: S105 - where it is, not what it is


@contextmanager
def joined(address: str) -> Iterator[str]:
    """This process as a driver of the cluster at `address` (HOST:PORT or auto) inside the block; yields HOST:PORT.

    Raises UserError for an address of another form, ClusterError when nobody answers there or the token is refused.
    """
    host, port = located(address)
    found = f"{host}:{port}"
    with environment({**QUIET, **({"RAY_AUTH_MODE": "token"} if has_token() else {})}):
        check_reachable(host, port, found)
        if os.environ.get("RAY_USE_TLS", "0") in ("", "0"):
            _check_speech(host, port, found)
        check_token(found)
        _check_is_node(found)
        start(f"cannot join the cluster at {found}", address=found)
        try:
            yield found
        finally:
            stop()


def located(address: str) -> tuple[str, int]:
    """Host and port of a cluster's address; `auto` is the one this machine is a node of."""
    text = address
    if address == "auto":
        text = os.environ.get("RAY_ADDRESS") or _of_this_machine()
    if "://" in text:
        raise UserError(
            f"--cluster {text} cannot be joined from here; hand the study over with --submit http://HOST:8265, or run "
            "the command on a node with --cluster auto"
        )
    host, colon, port = text.rpartition(":")
    if not (colon and host and port.isdigit() and 0 < int(port) < 65536):
        raise UserError(f"--cluster {text!r} is no address; write HOST:PORT, such as 10.0.0.5:6379, or auto")
    return host.strip("[]"), int(port)


def _of_this_machine() -> str:
    """The address that `ray start` leaves behind on a node."""
    file = Path(os.environ.get("RAY_TMPDIR", tempfile.gettempdir())) / "ray" / "ray_current_cluster"
    try:
        return file.read_text().strip()
    except OSError:
        raise ClusterError(
            "--cluster auto: no Ray cluster runs on this machine; start one with `ray start --head`, or name its "
            "address as HOST:PORT"
        ) from None


def check_reachable(host: str, port: int, shown: str, usual: str = "head (6379") -> None:
    """Raises ClusterError unless somebody accepts connections there; `usual` is whose port is asked for, and which it mostly is."""
    try:
        socket.create_connection((host, port), timeout=REACH_SECONDS).close()
    except OSError as error:
        raise ClusterError(
            f"nobody answers at {shown} ({error.strerror or error}); is the cluster up, and is that the port of its "
            f"{usual} unless it was started with another)?"
        ) from None


def _check_speech(host: str, port: int, shown: str) -> None:
    """Raises ClusterError unless a server there answers the opening of HTTP/2 (RFC 9113, 3.4) with settings, as Ray's does:
    Ray itself would wait 40 seconds for one that does not."""
    answer = b""
    try:
        with socket.create_connection((host, port), timeout=REACH_SECONDS) as connection:
            connection.sendall(_OPENING)
            while len(answer) < _HEADER_BYTES and (more := connection.recv(_HEADER_BYTES - len(answer))):
                answer += more
    except OSError:
        pass
    if len(answer) < _HEADER_BYTES or answer[3] != _SETTINGS:
        raise ClusterError(
            f"what answers at {shown} is no Ray cluster; --cluster wants the port of its head, 6379 if not changed"
        )


_SETTINGS, _HEADER_BYTES = 4, 9
_OPENING = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes([0, 0, 0, _SETTINGS, 0, 0, 0, 0, 0])


def answers(address: str) -> bool:
    """Whether somebody accepts connections at HOST:PORT."""
    host, port = located(address)
    try:
        check_reachable(host, port, address)
    except ClusterError:
        return False
    return True


def has_token() -> bool:
    """Whether this user has a Ray token, the right one or not."""
    if os.environ.get("RAY_AUTH_TOKEN"):
        return True
    path = os.environ.get("RAY_AUTH_TOKEN_PATH")
    try:
        return bool((Path(path) if path else Path.home() / ".ray" / "auth_token").read_text().strip())
    except OSError:
        return False


def check_token(found: str) -> None:
    """Ask the cluster for its id: Ray's own driver would ask for 20 seconds before it gives up. Raises ClusterError."""
    from ray._raylet import GcsClient  # type: ignore[attr-defined]
    from ray.exceptions import AuthenticationError, RpcError

    read_token_anew()
    with diverted():
        try:
            GcsClient(address=found)
        except AuthenticationError:
            told = "refuses the token in" if has_token() else "wants a token, and there is none in"
            raise ClusterError(f"the cluster at {found} {told} {TOKEN_PLACES}") from None
        except (RpcError, OSError, ValueError) as error:
            raise ClusterError(
                f"what answers at {found} is no Ray cluster ({type(error).__name__})"
            ) from None


def _check_is_node(found: str) -> None:
    """Raises ClusterError when no Ray node runs on this machine: Ray would look for one for a minute."""
    from ray._private import services

    if not services.find_node_ids():  # type: ignore[no-untyped-call]
        raise ClusterError(
            f"this machine is no node of the cluster at {found}; run the command on one, or hand the study over with "
            "--submit http://HOST:8265"
        )
