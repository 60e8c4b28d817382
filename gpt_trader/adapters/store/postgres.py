"""PostgreSQL over its own driver: how a connection is opened, and what its errors mean."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gpt_trader.adapters.store.location import Location
from gpt_trader.errors import first_line

if TYPE_CHECKING:
    import psycopg

CONNECT_TIMEOUT_SECONDS = 10
_CAUSES = {
    "55P03": "another process is writing to it; try again when that has finished",
    "25006": "the database is read-only; use a primary server or another user",
    "42501": "this user lacks the permission; grant it or use another user",
    "53100": "the server's disk is full; free space and try again, nothing was changed",
    "53300": "the server has no free connection; try again later",
}


def options(busy_timeout: float) -> dict[str, Any]:
    """What every connection is opened with; `busy_timeout` is how long, in seconds, to wait for another writer."""
    return {
        "connect_timeout": CONNECT_TIMEOUT_SECONDS,
        "options": f"-c timezone=UTC -c lock_timeout={int(busy_timeout * 1000)}",
    }


def connect(location: Location, busy_timeout: float) -> psycopg.Connection[Any]:
    """A connection whose transactions begin where they are asked for."""
    import psycopg

    url = location.url.replace("postgresql+psycopg://", "postgresql://", 1)
    return psycopg.connect(url, autocommit=True, **options(busy_timeout))


def cause(problem: BaseException) -> str:
    """One sentence for what the server said, or that it said nothing."""
    first = first_line(problem)
    state = getattr(problem, "sqlstate", None)
    if state is None:
        return f"the server cannot be reached; check that it runs, and its host, port, user and password ({first})"
    return f"{_CAUSES[state]} ({first})" if state in _CAUSES else first
