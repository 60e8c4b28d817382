"""The store when things go wrong: kills, crowds, locks, full and damaged disks, newer code; and its upkeep."""

from __future__ import annotations

import os
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import psycopg
import pytest

from gpt_trader.adapters.run_tables import TABLES
from gpt_trader.adapters.store import RunStore, StoreError
from gpt_trader.adapters.store import sqlite as sqlite_store
from gpt_trader.adapters.store.location import locate
from gpt_trader.adapters.store.sqlalchemy_engines import open_engine
from gpt_trader.errors import UserError
from tests.contract.postgres import postgres_server
from tests.contract.store_child import WatchedStore, child_result
from tests.contract.stores import NOW, ROOT, everything, store, url
from tests.stored_result import make_result

__all__ = ["postgres_server", "store", "url"]

CHILD = [sys.executable, "-m", "tests.contract.store_child"]


# -- saving again, half, twice, at once --------------------------------------------------------------------------


def test_the_same_run_again_changes_nothing_but_its_count(store: RunStore) -> None:
    result = make_result()
    store.save(result, created_at=NOW)
    before = everything(store, "seen", "last_seen")
    assert store.save(result, created_at=NOW + timedelta(days=2)) is False
    assert everything(store, "seen", "last_seen") == before
    record = store.run(result.run_id)
    assert record.seen == 2
    assert record.created_at == NOW.replace(tzinfo=None)
    assert record.last_seen == (NOW + timedelta(days=2)).replace(tzinfo=None)


def test_a_save_that_fails_half_way_leaves_nothing(store: RunStore) -> None:
    store.save(make_result(seed=1), created_at=NOW)
    before = everything(store)
    bad = make_result(seed=2)
    bad = replace(bad, decisions=bad.decisions.drop(columns="verdict"))
    with pytest.raises(StoreError, match=r"decisions.*missing \['verdict'\]"):
        store.save(bad, created_at=NOW)
    assert everything(store) == before
    assert store.save(make_result(seed=2), created_at=NOW) is True


def test_a_run_is_invisible_until_it_is_whole(url: str) -> None:
    seen = []

    def look(point: str) -> None:
        with RunStore(url) as other:
            seen.append((point, len(other.runs()), sum(len(rows) for rows in everything(other).values())))

    with WatchedStore(url, look) as store:
        store.save(make_result(), created_at=NOW)
        assert [point for point, _, _ in seen] == ["INSERT", "metrics", *TABLES, "run_tables"]
        assert {(count, rows) for _, count, rows in seen} == {(0, 0)}
        assert len(store.runs()) == 1


@pytest.mark.skipif(os.name != "posix", reason="SIGKILL is POSIX")
@pytest.mark.parametrize("point", ["INSERT", "equity", "run_tables"])
def test_a_kill_during_a_save_leaves_no_half_run(
    url: str, store: RunStore, tmp_path: Path, point: str
) -> None:
    """A real process is killed with the run's row in, half its tables in, and all of it in but the commit."""
    store.save(make_result(), created_at=NOW)
    before = everything(store)
    environment = os.environ | {"TEST_STORE": url, "TEST_FAILPOINT": point, "PYTHONPATH": str(ROOT)}
    child = subprocess.run(CHILD, env=environment, capture_output=True, cwd=tmp_path, check=False)
    assert child.returncode == -signal.SIGKILL, child.stderr.decode()
    assert store.check() == ()
    assert everything(store) == before
    assert store.save(child_result(0), created_at=NOW) is True
    assert len(store.table(child_result(0).run_id, "equity")) == 50
    assert store.check() == ()


def test_processes_that_save_at_once_lose_and_double_nothing(
    url: str, store: RunStore, tmp_path: Path
) -> None:
    """Two processes open the same new store and save the same eight runs; the schema is made once too."""
    environment = os.environ | {"TEST_STORE": url, "PYTHONPATH": str(ROOT)}
    children = [
        subprocess.Popen(
            CHILD, env=environment, cwd=tmp_path, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )
        for _ in range(2)
    ]  # fmt: skip
    for child in children:  # both have imported everything and wait for the word
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
    for child in children:
        assert child.stdin is not None
        child.stdin.write("go\n")
        child.stdin.flush()
    answers = [child.communicate() for child in children]
    assert [child.returncode for child in children] == [0, 0], [error for _, error in answers]
    assert sum(int(output) for output, _ in answers) == 8
    assert store.runs(limit=100)["seen"].tolist() == [2] * 8
    assert store.check() == ()


# -- what goes wrong ---------------------------------------------------------------------------------------------


def test_a_new_file_that_another_process_is_making_is_waited_for(tmp_path: Path) -> None:
    """SQLite itself fails at once when it is asked for the log while another connection writes to a file without one."""
    path = tmp_path / "new.sqlite"
    with closing(sqlite3.connect(path, isolation_level=None, check_same_thread=False)) as other:
        other.execute("BEGIN IMMEDIATE")
        end = threading.Timer(0.1, other.execute, ["COMMIT"])
        end.start()
        with closing(sqlite_store.connect(locate(f"sqlite:///{path}"), 30.0)) as connection:
            assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        end.join()


def test_check_finds_lost_rows(store: RunStore) -> None:
    store.save(make_result(), created_at=NOW)
    engine = open_engine(store.location, 5.0)
    with engine.begin() as connection:
        connection.exec_driver_sql("DELETE FROM fills WHERE number = 3")
        connection.exec_driver_sql("DELETE FROM run_tables WHERE name = 'orders'")
    engine.dispose()
    faults = store.check()
    assert len(faults) == 2
    assert "has 15 of 16 rows of fills" in "".join(faults)
    assert "lacks its table orders" in "".join(faults)


def test_a_store_of_newer_code_is_refused(url: str, store: RunStore) -> None:
    store.save(make_result(), created_at=NOW)
    engine = open_engine(store.location, 5.0)
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    engine.dispose()
    with RunStore(url) as opened:
        for attempt in (opened.runs, lambda: opened.save(make_result(seed=1), created_at=NOW)):
            with pytest.raises(StoreError, match=r"schema 9999.*a newer GPT-Trader made it; upgrade"):
                attempt()
    assert len(everything(store)["runs"]) == 1


@contextmanager
def writer_holding_the_lock(url: str, store: RunStore) -> Iterator[None]:
    if store.location.path is not None:
        with closing(sqlite3.connect(store.location.path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            yield
    else:
        with psycopg.connect(url) as other:
            other.execute("LOCK TABLE runs IN EXCLUSIVE MODE")
            yield
            other.rollback()


def test_a_locked_store_says_so_and_reads_go_on(url: str, store: RunStore) -> None:
    store.save(make_result(), created_at=NOW)
    with RunStore(url, busy_timeout=0.05) as hasty, writer_holding_the_lock(url, store):
        for attempt in (
            lambda: hasty.save(make_result(seed=1), created_at=NOW),
            lambda: hasty.delete("0000"),
        ):
            with pytest.raises(StoreError, match="another process is writing to it; try again"):
                attempt()
        assert len(hasty.runs()) == 1
    assert store.save(make_result(seed=1), created_at=NOW) is True


def test_a_read_only_store_can_be_read_and_says_why_it_is_not_written(url: str, store: RunStore) -> None:
    store.save(make_result(), created_at=NOW)
    if store.location.path is not None:
        url = f"{url}?mode=ro"
    else:
        with psycopg.connect(url, autocommit=True) as admin:
            name = url.rpartition("/")[2]
            admin.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on".encode())
    with RunStore(url) as opened:
        assert len(opened.runs()) == 1
        for attempt in (lambda: opened.save(make_result(seed=1), created_at=NOW), lambda: opened.delete("0")):
            with pytest.raises(StoreError, match="read-only"):
                attempt()


def test_a_full_disk_leaves_the_store_as_it_was(tmp_path: Path) -> None:
    class FullStore(RunStore):
        def _connect(self) -> sqlite3.Connection:
            connection = super()._connect()
            connection.execute("PRAGMA max_page_count = 60")
            return connection

    url = f"sqlite:///{tmp_path}/store.sqlite"
    with RunStore(url) as store, FullStore(url) as full:
        store.save(make_result(), created_at=NOW)
        before = everything(store)
        with pytest.raises(
            StoreError, match="the disk is full; free space and try again, nothing was changed"
        ):
            full.save(make_result(bars=5000, seed=1), created_at=NOW)
        assert everything(store) == before
        assert store.check() == ()
        assert store.save(make_result(bars=5000, seed=1), created_at=NOW) is True


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "store.sqlite"
    file.write_bytes(b"this is not a database, it is a letter" * 100)
    with RunStore(f"sqlite:///{file}") as store:
        for attempt in (store.runs, lambda: store.save(make_result(), created_at=NOW)):
            with pytest.raises(StoreError, match="not an SQLite database; move it away"):
                attempt()
    assert file.read_bytes().startswith(b"this is not")


def test_a_damaged_page_is_found_by_check(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/store.sqlite"
    with RunStore(url) as store:
        store.save(make_result(bars=3000), created_at=NOW)
        assert store.check() == ()
    with (tmp_path / "store.sqlite").open("r+b") as file:
        for page in range(20, 60):
            file.seek(page * 4096 + 100)
            file.write(b"\xff" * 200)
    with RunStore(url) as store:
        try:
            faults = store.check()
        except StoreError as problem:
            faults = (str(problem),)
        assert any("damaged" in fault for fault in faults)


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with (
        RunStore(f"sqlite:///{tmp_path}/file/store.sqlite") as store,
        pytest.raises(StoreError, match="folder"),
    ):
        store.runs()


def test_a_server_that_is_not_there_is_named_without_its_password() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
        store = RunStore(f"postgresql://me:canary@127.0.0.1:{port}/db")
        with pytest.raises(StoreError, match="the server cannot be reached") as caught:
            store.runs()
    assert "canary" not in str(caught.value)
    assert "me:***@127.0.0.1" in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "store.sqlite",
        "mysql://u:canary@h/db",
        "sqlite://",
        "sqlite:///:memory:",
        "sqlite:///a.db?cache=shared",
        "",
    ],
)
def test_a_url_that_names_no_store_is_refused(url: str) -> None:
    with pytest.raises(UserError, match=r"expected sqlite:///|only mode=ro") as caught:
        RunStore(url)
    assert "canary" not in str(caught.value)


def test_a_password_is_never_shown() -> None:
    location = RunStore("postgresql://me:canary@host:5/db?sslmode=require&sslpassword=canary").location
    assert location.shown == "postgresql://me:***@host:5/db?sslmode=require&sslpassword=***"
    assert location.url == "postgresql+psycopg://me:canary@host:5/db?sslmode=require&sslpassword=canary"
    assert "canary" not in repr(location)


# -- care --------------------------------------------------------------------------------------------------------


def test_backup_is_a_complete_store(url: str, store: RunStore, tmp_path: Path) -> None:
    store.save(make_result(), created_at=NOW)
    target = tmp_path / "copies" / "backup.sqlite"
    if store.location.path is None:
        with pytest.raises(UserError, match="pg_dump"):
            store.backup(target)
        return
    store.backup(target)
    with RunStore(f"sqlite:///{target}") as copy:
        assert everything(copy) == everything(store)
        assert copy.check() == ()
    with pytest.raises(UserError, match="exists already"):
        store.backup(target)
    assert not list(target.parent.glob(".*"))


def test_sqlite_is_durable(tmp_path: Path) -> None:
    """The settings of reliability.md section 3, as the connection itself reports them."""
    with RunStore(f"sqlite:///{tmp_path}/store.sqlite") as store:
        store.runs()
        with closing(store._connect()) as connection:
            asked = {
                name: connection.execute(f"PRAGMA {name}").fetchone()[0]
                for name in (
                    "journal_mode",
                    "synchronous",
                    "foreign_keys",
                    "busy_timeout",
                    "journal_size_limit",
                )
            }
    assert asked == {
        "journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": 5000,
        "journal_size_limit": 64 * 1024 * 1024,
    }  # fmt: skip


def test_saving_to_sqlite_imports_neither_sqlalchemy_nor_pandas(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/store.sqlite"
    with RunStore(url) as store:
        store.save(make_result(), created_at=NOW)
    script = """
import os, sys
from datetime import UTC, datetime
from pathlib import Path
import gpt_trader.adapters.configuration
from gpt_trader.adapters.run_files import write_run
from gpt_trader.adapters.store import RunStore
from tests.contract.store_child import child_result

gpt_trader.adapters.configuration.load(environment={}, flags={"backtest.capital": 5000.0})
result = child_result(0)
folder = write_run(result, Path(os.environ["TEST_RUNS"]))
assert RunStore(os.environ["TEST_STORE"]).save(result, folder, created_at=datetime(2026, 1, 1, tzinfo=UTC))
print(sorted({"sqlalchemy", "pandas", "alembic", "pydantic"} & set(sys.modules)))
"""
    environment = os.environ | {
        "TEST_STORE": url,
        "TEST_RUNS": str(tmp_path / "runs"),
        "PYTHONPATH": str(ROOT),
    }
    child = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=False
    )
    assert child.stdout.strip() == "[]", child.stderr
    with RunStore(url) as store:
        assert store.run("child0").tables["equity"].rows == 50
        assert store.table("child0", "fills")["price"].tolist() == [1.5] * 50


def test_the_clock_comes_from_the_caller(store: RunStore) -> None:
    """A naive clock is UTC; nothing in the store is from this machine's clock."""
    store.save(make_result(), created_at=datetime(1999, 12, 31, 23, 59))  # noqa: DTZ001
    record = store.run("0000")
    assert record.created_at == record.last_seen == datetime(1999, 12, 31, 23, 59)  # noqa: DTZ001
