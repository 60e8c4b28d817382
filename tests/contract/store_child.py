"""A process that saves runs for the tests of the store, and kills itself at the point TEST_FAILPOINT names.

Without that variable it says "ready", waits for a line, saves eight runs and prints how many were new. It imports
neither pandas nor pytest, so that a test can afford many such processes.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpt_trader.adapters.run_tables import TABLES
from gpt_trader.adapters.store.repository import RunStore
from gpt_trader.adapters.store.rows import Rows

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ROWS = 50


@dataclass(frozen=True)
class WatchedRows:
    """Rows that tell of every statement and, once its rows are in, of every table."""

    rows: Rows
    tell: Callable[[str], None]

    def execute(self, statement: str, values: Sequence[Any]) -> Any:
        answer = self.rows.execute(statement, values)
        self.tell(statement.split()[0])
        return answer

    def insert(self, table: str, columns: Sequence[str], rows: Iterable[tuple[Any, ...]]) -> None:
        self.rows.insert(table, columns, rows)
        self.tell(table)


class WatchedStore(RunStore):
    """A store that calls `tell` after every step of a save, inside its transaction."""

    def __init__(self, url: str, tell: Callable[[str], None]) -> None:
        super().__init__(url)
        self.tell = tell

    def _rows(self, driver: Any) -> Rows:
        return WatchedRows(super()._rows(driver), self.tell)


@dataclass(frozen=True)
class ChildResult:
    """A result of plain arrays alone."""

    run_id: str
    strategy: str = "demo_ma"
    parameters: Mapping[str, Any] = field(default_factory=lambda: {"fast": 5})
    symbols: tuple[str, ...] = ("AAPL",)
    start: str = "2010-01-04"
    end: str = "2010-01-05"
    metrics: Mapping[str, float] = field(default_factory=lambda: {"sharpe": 1.0})
    manifest: Mapping[str, Any] = field(default_factory=dict)
    fingerprint: Mapping[str, str] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()

    def columns(self, name: str) -> dict[str, NDArray[Any]]:
        made = {
            "time": np.datetime64("2010-01-04", "ns") + np.arange(ROWS) * np.timedelta64(1, "D"),
            "text": np.full(ROWS, "text"),
            "integer": np.arange(ROWS),
            "number": np.full(ROWS, 1.5),
        }
        return {column: made[kind] for column, kind in TABLES[name].items()}


def child_result(number: int) -> Any:
    """The result number `number`; the same in every process."""
    return ChildResult(f"child{number}")


def main() -> None:
    """See the module."""
    url, failpoint = os.environ["TEST_STORE"], os.environ.get("TEST_FAILPOINT")

    def kill_at(point: str) -> None:
        if point == failpoint:
            os.kill(os.getpid(), signal.SIGKILL)

    if failpoint is not None:
        WatchedStore(url, kill_at).save(child_result(0), created_at=NOW)
        return
    import alembic.command  # noqa: F401 - so that both processes reach the empty store at the same time

    print("ready", flush=True)
    sys.stdin.readline()
    with RunStore(url, busy_timeout=60) as store:
        print(sum(store.save(child_result(number), created_at=NOW) for number in range(8)))


if __name__ == "__main__":
    main()
