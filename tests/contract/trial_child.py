"""A process that records trials for the tests of the ledger, and kills itself once it has written to TEST_FAILPOINT.

Without that variable it says "ready", waits for a line, records 300 trials from number TEST_FIRST on in pieces of ten,
and prints how many were new.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from gpt_trader.adapters.store.repository import RunStore
from gpt_trader.adapters.store.rows import Rows
from tests.contract.trial_batches import batch

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class FatalRows:
    """Rows that kill the process once a table has been written to."""

    rows: Rows
    table: str

    def execute(self, statement: str, values: Sequence[Any]) -> Any:
        answer = self.rows.execute(statement, values)
        self._end(statement.startswith(f"INSERT INTO {self.table} "))
        return answer

    def insert(self, table: str, columns: Sequence[str], rows: Iterable[tuple[Any, ...]]) -> None:
        self.rows.insert(table, columns, rows)
        self._end(table == self.table)

    def select(self, statement: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        return self.rows.select(statement, values)

    def queue(self, lock: int) -> None:
        self.rows.queue(lock)

    def _end(self, now: bool) -> None:
        if now:
            os.kill(os.getpid(), signal.SIGKILL)


class FatalStore(RunStore):
    """A store whose rows are fatal."""

    def _rows(self, driver: Any) -> Rows:
        return FatalRows(super()._rows(driver), os.environ["TEST_FAILPOINT"])


def main() -> None:
    """See the module."""
    url = os.environ["TEST_STORE"]
    if "TEST_FAILPOINT" in os.environ:
        FatalStore(url).ledger.record(batch(range(100)), made_at=NOW)
        return
    first = int(os.environ["TEST_FIRST"])
    with RunStore(url, busy_timeout=60) as store:
        print("ready", flush=True)
        sys.stdin.readline()
        pieces = [batch(range(at, at + 10)) for at in range(first, first + 300, 10)]
        print(sum(store.ledger.record(piece, made_at=NOW) for piece in pieces))


if __name__ == "__main__":
    main()
