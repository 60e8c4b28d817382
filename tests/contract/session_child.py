"""Processes of the tests of a session's ledger: `python -m tests.contract.session_child append|take URL`."""

from __future__ import annotations

import sys

from gpt_trader.adapters.store.session_ledger import Fenced, SessionLedger
from gpt_trader.session.journal import Entry


def append(url: str) -> None:
    """Write batches of three until killed; the number of each is printed when it is acknowledged."""
    with SessionLedger(url, "paper").writer() as writer:
        for batch in range(1_000_000):
            writer.append(
                Entry("bar", f"{writer.epoch}/{batch}/{k}", {"batch": batch}, bytes(k)) for k in range(3)
            )
            if batch % 50 == 49:
                writer.keep_snapshot(str(writer.seq).encode())
            print(writer.epoch, batch, flush=True)


def take(url: str) -> None:
    """Become the writer again and again, and write until somebody else has done so."""
    for _ in range(10):
        with SessionLedger(url, "paper", busy_timeout=60.0).writer() as writer:
            try:
                for number in range(5):
                    writer.append([Entry("bar", f"{writer.epoch}/{number}")])
            except Fenced:
                print("fenced", flush=True)


if __name__ == "__main__":
    {"append": append, "take": take}[sys.argv[1]](sys.argv[2])
