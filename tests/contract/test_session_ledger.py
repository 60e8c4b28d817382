"""A session's ledger on SQLite and on a real PostgreSQL: one writer, nothing lost, nothing changed, nobody back from the dead."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import psycopg
import pytest

from gpt_trader.adapters.store import StoreError
from gpt_trader.adapters.store.location import locate
from gpt_trader.adapters.store.rows import Rows
from gpt_trader.adapters.store.session_ledger import (
    READ_ROWS,
    Fenced,
    Holder,
    JournalConflict,
    LedgerWriter,
    SessionLedger,
    this_process,
)
from gpt_trader.errors import UnknownName
from gpt_trader.session.journal import Entry, JournalBroken, first_hash
from tests.contract.postgres import PostgresServer, postgres_server
from tests.contract.stores import ROOT, url

__all__ = ["postgres_server", "url"]

CHILD = [sys.executable, "-m", "tests.contract.session_child"]


@pytest.fixture
def ledger(url: str) -> SessionLedger:
    """The ledger of an empty store of either kind."""
    return SessionLedger(url, "paper")


def bars(first: int, count: int) -> list[Entry]:
    return [
        Entry("bar", f"bar/{n}", {"n": n, "price": "1.10"}, bytes([n % 256]))
        for n in range(first, first + count)
    ]


def statement(url: str, *texts: str) -> None:
    """Run statements as somebody with the rights of the database's owner."""
    location = locate(url)
    if location.path is not None:
        with closing(sqlite3.connect(location.path)) as file, file:
            for text in texts:
                file.execute(text)
    else:
        with psycopg.connect(url) as server:
            for text in texts:
                server.execute(text.encode())


def without_triggers(url: str) -> None:
    if locate(url).path is None:
        statement(url, "DROP TRIGGER journal_only_grows ON journal")
    else:
        statement(url, *(f"DROP TRIGGER journal_no_{name}" for name in ("update", "delete", "replace")))


# -- writing and reading


def test_what_is_written_is_read(ledger: SessionLedger) -> None:
    with ledger.writer(Holder("here", 7, 9), clock=lambda: 5) as writer:
        rows = writer.append(bars(0, 3))
        assert [row.seq for row in rows] == [2, 3, 4]
        assert (writer.epoch, writer.seq, writer.hash) == (1, 4, rows[-1].hash)
        assert ledger.head() == (4, rows[-1].hash)
        assert ledger.uid() == writer.uid
    first, *others = ledger.rows()
    assert first.body == {"epoch": 1, "host": "here", "pid": 7, "started": 9}
    assert tuple(others) == rows
    assert [row.data for row in others] == [b"\0", b"\1", b"\2"]
    assert {row.at for row in others} == {5}
    assert list(ledger.rows(after=3)) == [rows[-1]]
    assert list(ledger.rows(kinds=["writer"])) == [first]
    assert ledger.verify() == 4


def test_more_rows_than_are_read_at_once(ledger: SessionLedger) -> None:
    with ledger.writer() as writer:
        writer.append(bars(0, 2 * READ_ROWS - 1))
        assert [row.seq for row in ledger.rows()] == list(range(1, 2 * READ_ROWS + 1))
        writer.append(bars(2 * READ_ROWS, 5))
    assert ledger.verify() == 2 * READ_ROWS + 5


def test_a_session_that_is_not_there_is_named(ledger: SessionLedger, url: str) -> None:
    ledger.writer().close()
    with pytest.raises(UnknownName, match=r"unknown session 'papper'. Did you mean 'paper'"):
        SessionLedger(url, "papper").head()


def test_two_sessions_have_nothing_in_common(ledger: SessionLedger, url: str) -> None:
    other = SessionLedger(url, "live: Ä/1")
    with ledger.writer() as one, other.writer() as two:
        one.append(bars(0, 3))
        two.append(bars(0, 1))
        two.keep_snapshot(b"two")
        assert one.uid != two.uid
        assert (one.seq, two.seq) == (4, 2)
    assert ledger.snapshot() is None
    assert (ledger.verify(), other.verify()) == (4, 2)


def test_one_batch_is_written_whole_or_not_at_all(ledger: SessionLedger) -> None:
    with ledger.writer() as writer:
        writer.append(bars(0, 2))
        before = ledger.head()
        with pytest.raises(JournalConflict):
            writer.append([*bars(2, 3), Entry("fill", "bar/1")])
        assert ledger.head() == before
        assert [row.seq for row in writer.append(bars(2, 3))] == [4, 5, 6]
    assert ledger.verify() == 6


# -- the same thing twice


def test_an_entry_is_written_once_however_often_it_comes(ledger: SessionLedger) -> None:
    with ledger.writer() as writer:
        rows = writer.append(bars(0, 3))
        assert writer.append(bars(1, 1)) == rows[1:2]
        again = writer.append([*bars(2, 1), *bars(3, 1), *bars(3, 1), *bars(0, 1)])
        assert [row.seq for row in again] == [4, 5, 5, 2]
        assert writer.append([]) == ()
    with ledger.writer() as writer:
        assert writer.append(bars(0, 3)) == rows
    assert ledger.verify() == 6


@pytest.mark.parametrize(
    "other", [Entry("fill", "bar/0", {"n": 0, "price": "1.10"}, b"\0"), Entry("bar", "bar/0", {"n": 1}, b"\0"),
              Entry("bar", "bar/0", {"n": 0, "price": "1.10"}, b"\1")]
)  # fmt: skip
def test_a_key_that_says_something_else_is_refused(ledger: SessionLedger, other: Entry) -> None:
    with ledger.writer() as writer:
        writer.append(bars(0, 1))
        with pytest.raises(
            JournalConflict, match="bar/0 is in row 2 of the journal already and says something else"
        ):
            writer.append([other])
        with pytest.raises(JournalConflict, match="row 3"):
            writer.append([Entry("a", "new", {"x": 1}), Entry("a", "new", {"x": 2})])
    assert ledger.verify() == 2


# -- one writer


def test_who_was_replaced_writes_nothing_more(ledger: SessionLedger) -> None:
    with ledger.writer(Holder("old", 1, 1)) as old, ledger.writer(Holder("new", 2, 2)) as new:
        assert (old.epoch, new.epoch) == (1, 2)
        for act in (
            lambda: old.append(bars(0, 1)),
            lambda: old.keep_snapshot(b"old"),
            lambda: old.append([]),
        ):
            with pytest.raises(Fenced, match=r"process 2 on new \(writer 2, this is writer 1\)"):
                act()
        assert new.append(bars(0, 1))[0].seq == 3
        with pytest.raises(Fenced):
            old.append(bars(5, 1))
    assert [row.epoch for row in ledger.rows()] == [1, 2, 2]
    assert ledger.snapshot() is None
    assert ledger.verify() == 3


def test_a_new_writer_waits_for_the_transaction_of_the_old_one(ledger: SessionLedger, url: str) -> None:
    """What the old one has begun is whole before the new one reads where the journal ends."""
    reached, go = threading.Event(), threading.Event()

    class Slow(LedgerWriter):
        def _known(self, rows: Rows, entries: object) -> dict[str, object]:  # type: ignore[override]
            reached.set()
            assert go.wait(20)
            return super()._known(rows, entries)  # type: ignore[arg-type, return-value]

    with ledger.writer():
        pass
    made = Slow.__new__(Slow)
    go.set()
    made.__init__(locate(url), "paper", this_process(), lambda: 1, 20.0)  # type: ignore[misc]
    go.clear()
    reached.clear()
    writing = threading.Thread(target=lambda: made.append(bars(0, 1)))
    writing.start()
    assert reached.wait(20)
    taken: list[LedgerWriter] = []
    taking = threading.Thread(
        target=lambda: taken.append(SessionLedger(url, "paper", busy_timeout=20.0).writer())
    )
    taking.start()
    taking.join(0.3)
    assert not taken
    go.set()
    writing.join(20)
    taking.join(20)
    assert [row.kind for row in ledger.rows()] == ["writer", "writer", "bar", "writer"]
    assert taken[0].seq == 4
    made.close()
    taken[0].close()
    assert ledger.verify() == 4


def test_a_crowd_of_writers_leaves_one_chain(ledger: SessionLedger, url: str) -> None:
    ledger.prepare()
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    children = [
        subprocess.Popen(
            [*CHILD, "take", url], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        for _ in range(4)
    ]
    for child in children:
        _, said = child.communicate(timeout=120)
        assert child.returncode == 0, said.decode()
    epochs = [row.epoch for row in ledger.rows()]
    assert epochs == sorted(epochs)
    assert epochs[-1] == 40
    ledger.verify()


# -- crashes


@pytest.mark.skipif(os.name != "posix", reason="SIGKILL is POSIX")
def test_a_kill_loses_nothing_that_was_acknowledged(ledger: SessionLedger, url: str) -> None:
    ledger.prepare()
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    for life, batches in enumerate((1, 120, 7, 60), 1):
        with subprocess.Popen(
            [*CHILD, "append", url], env=environment, stdout=subprocess.PIPE, text=True
        ) as child:
            assert child.stdout is not None
            said = [child.stdout.readline() for _ in range(batches)]
            child.kill()
            said += child.stdout.readlines()
            assert child.wait() == -signal.SIGKILL
        acknowledged = [int(line.split()[1]) for line in said if line.endswith("\n")]
        kept = [row for row in ledger.rows() if row.epoch == life and row.kind == "bar"]
        assert len(kept) % 3 == 0, "a batch is whole or not there"
        assert len(kept) // 3 in (len(acknowledged), len(acknowledged) + 1)
        assert [row.body["batch"] for row in kept[::3]] == list(range(len(kept) // 3))
        ledger.verify()
        if batches > 100:
            found = ledger.snapshot()
            assert found is not None
            assert found == (found[0], str(found[0]).encode())


class LosesTheAnswer(LedgerWriter):
    """A writer whose connection breaks right after the commit, so that it does not hear of it."""

    armed = False

    @contextmanager
    def _transaction(self) -> Iterator[Rows]:
        with super()._transaction() as rows:
            yield rows
        if self.armed:
            self.armed, self._database_was_lost = False, True
            self._drop_connection()
            raise StoreError("the connection broke")


def test_a_commit_whose_answer_is_lost_is_found_by_writing_again(ledger: SessionLedger, url: str) -> None:
    ledger.prepare()
    with LosesTheAnswer(locate(url), "paper", this_process(), lambda: 1, 5.0) as writer:
        writer.armed = True
        with pytest.raises(StoreError, match="broke"):
            writer.append(bars(0, 2))
        assert [row.seq for row in writer.append(bars(0, 2))] == [2, 3]
        writer.armed = True
        with pytest.raises(StoreError, match="broke"):
            writer.append(bars(2, 2))
        assert [row.seq for row in writer.append(bars(4, 1))] == [6], "the position is asked for again"
    assert ledger.verify() == 6


def test_a_server_that_ends_the_connection_is_met_again(postgres_server: PostgresServer) -> None:
    url = postgres_server.new_database()
    ledger = SessionLedger(url, "paper")
    with ledger.writer() as writer:
        writer.append(bars(0, 1))
        statement(url, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() "
                       "AND datname = current_database()")  # fmt: skip
        with pytest.raises(StoreError, match=r"terminating connection|cannot be reached"):
            writer.append(bars(1, 1))
        assert writer.append(bars(1, 1))[0].seq == 3
    assert ledger.verify() == 3


# -- a store that refuses


def test_a_locked_store_refuses_and_the_same_entries_go_in_later(ledger: SessionLedger, url: str) -> None:
    quick = SessionLedger(url, "paper", busy_timeout=0.1)
    with quick.writer() as writer:
        location = locate(url)
        if location.path is not None:
            with closing(sqlite3.connect(location.path, isolation_level=None)) as other:
                other.execute("BEGIN IMMEDIATE")
                with pytest.raises(StoreError, match="another process is writing"):
                    writer.append(bars(0, 1))
        else:
            with psycopg.connect(url) as server:
                server.execute("SELECT * FROM session_writers FOR UPDATE")
                with pytest.raises(StoreError, match="another process is writing"):
                    writer.append(bars(0, 1))
        assert writer.append(bars(0, 1))[0].seq == 2
    assert ledger.verify() == 2


def move(source: Path, target: Path) -> None:
    """A store with all its files."""
    for file in source.glob("store.sqlite*"):
        file.rename(target / file.name)


def test_a_file_that_was_deleted_or_replaced_takes_no_row(tmp_path: Path) -> None:
    file = tmp_path / "store.sqlite"
    ledger = SessionLedger(f"sqlite:///{file}", "paper")
    with ledger.writer() as writer:
        writer.append(bars(0, 1))
        away = tmp_path / "away"
        away.mkdir()
        move(tmp_path, away)
        with pytest.raises(StoreError, match="the file is gone"):
            writer.append(bars(1, 1))
        assert not file.exists(), "nothing is made in its place"
        SessionLedger(f"sqlite:///{file}", "paper").writer().close()
        with pytest.raises(StoreError, match="another file is in its place"):
            writer.append(bars(1, 1))
        other = tmp_path / "other"
        other.mkdir()
        move(tmp_path, other)
        move(away, tmp_path)
        assert writer.append(bars(1, 1))[0].seq == 3
    assert ledger.verify() == 3


def test_a_read_only_store_refuses(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/store.sqlite"
    SessionLedger(url, "paper").writer().close()
    with pytest.raises(StoreError, match="read-only"):
        SessionLedger(f"{url}?mode=ro", "paper").writer()
    assert SessionLedger(f"{url}?mode=ro", "paper").verify() == 1


# -- tampering


def test_the_database_itself_refuses_changes_of_the_journal(ledger: SessionLedger, url: str) -> None:
    with ledger.writer() as writer:
        writer.append(bars(0, 3))
    for text in ("UPDATE journal SET body = '{}'", "DELETE FROM journal WHERE seq = 4",
                 "UPDATE journal SET at = at WHERE seq = 1"):  # fmt: skip
        with pytest.raises(
            (sqlite3.DatabaseError, psycopg.Error), match="the journal of a session only grows"
        ):
            statement(url, text)
    assert ledger.verify() == 4


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("UPDATE journal SET body = '{\"n\":9}' WHERE seq = 3", "row 3 .bar bar/1. is not what was written"),
        ("UPDATE journal SET at = at + 1 WHERE seq = 2", "row 2"),
        ("UPDATE journal SET epoch = 2 WHERE seq = 4", "row 4"),
        ("DELETE FROM journal WHERE seq = 2", "from row 1 to row 3"),
        ("UPDATE journal SET session = 'other' WHERE seq = 1", "from row 0 to row 2"),
    ],
)
def test_a_change_past_the_database_is_found(
    ledger: SessionLedger, url: str, change: str, message: str
) -> None:
    SessionLedger(url, "other").prepare()
    with ledger.writer() as writer:
        writer.append(bars(0, 3))
    without_triggers(url)
    statement(url, "INSERT INTO sessions VALUES ('other', 'ffffffffffffffff', 0)", change)
    with pytest.raises(JournalBroken, match=message):
        ledger.verify()


# -- snapshots


def test_the_newest_whole_snapshot_is_used(ledger: SessionLedger, url: str) -> None:
    with ledger.writer() as writer:
        assert ledger.snapshot() is None
        for n in range(4):
            writer.append(bars(n, 1))
            writer.keep_snapshot(f"state {n}".encode())
        writer.keep_snapshot(b"state 3 again")
    assert ledger.snapshot() == (5, b"state 3 again")
    statement(url, "UPDATE session_snapshots SET state = hash WHERE seq = 5")
    assert ledger.snapshot() == (4, b"state 2")
    statement(url, "UPDATE session_snapshots SET state = hash")
    assert ledger.snapshot() is None


def test_a_writer_whose_session_was_removed_stops(ledger: SessionLedger, url: str) -> None:
    with ledger.writer() as writer:
        statement(url, "DELETE FROM session_writers")
        with pytest.raises(StoreError, match="session paper is no longer in the store"):
            writer.append(bars(0, 1))


def test_an_empty_session_has_a_head_of_its_own(ledger: SessionLedger, url: str) -> None:
    ledger.prepare()
    statement(url, f"INSERT INTO sessions VALUES ('paper', '{'a' * 16}', 0)")
    assert ledger.head() == (0, first_hash("a" * 16))
    assert ledger.verify() == 0
    with ledger.writer() as writer:
        assert (writer.uid, writer.seq) == ("a" * 16, 1)


def test_the_process_that_keeps_an_account_imports_little(tmp_path: Path) -> None:
    """Neither SQLAlchemy nor pandas: a new process is at work within a second after a crash."""
    url = f"sqlite:///{tmp_path}/store.sqlite"
    SessionLedger(url, "paper").prepare()
    code = (
        "import sys; from gpt_trader.adapters.store.session_ledger import SessionLedger; "
        f"SessionLedger({url!r}, 'paper').writer().close(); "
        "print(sorted({'sqlalchemy', 'alembic', 'pandas', 'numba', 'scipy'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
