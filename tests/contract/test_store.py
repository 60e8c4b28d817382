"""The store of runs: one suite on an SQLite file and on a real PostgreSQL."""

from __future__ import annotations

import os
import signal
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import psycopg
import pytest
from pandas.testing import assert_frame_equal
from sqlalchemy import select

from gpt_trader.adapters.run_files import read_table, write_run
from gpt_trader.adapters.run_tables import TABLES, as_frame, clean_table
from gpt_trader.adapters.store import RunStore, StoreError
from gpt_trader.adapters.store.engine import open_engine, reading
from gpt_trader.adapters.store.tables import metadata
from gpt_trader.errors import UnknownName, UserError
from tests.contract.postgres import postgres_server
from tests.contract.store_child import WatchedStore, child_result
from tests.stored_result import MadeColumns, MadeResult, make_result, with_id

__all__ = ["postgres_server"]

ROOT = Path(__file__).resolve().parents[2]
NOW = datetime(2026, 3, 1, 12, 30, 15, 250_000, tzinfo=UTC)
CHILD = [sys.executable, "-m", "tests.contract.store_child"]


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty store of either kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/stores/store.sqlite"
    return str(request.getfixturevalue("postgres_server").new_database())


@pytest.fixture
def store(url: str) -> Iterator[RunStore]:
    """An empty store of either kind."""
    with RunStore(url) as made:
        yield made


def everything(store: RunStore, *without: str) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every table, for comparing a store with itself."""
    engine = open_engine(store.location, 5.0)
    with reading(engine).begin() as connection:
        content = {
            table.name: [
                tuple(row) for row in connection.execute(
                    select(*(c for c in table.columns if c.name not in without)).order_by(*table.primary_key)
                )
            ]
            for table in metadata.sorted_tables
        }  # fmt: skip
    engine.dispose()
    return content


def expected(result: MadeResult, name: str) -> pd.DataFrame:
    return as_frame(name, clean_table(name, getattr(result, name)))


# -- a saved run comes back --------------------------------------------------------------------------------------


def test_a_run_comes_back_as_it_was_saved(store: RunStore, tmp_path: Path) -> None:
    result = make_result()
    folder = write_run(result, tmp_path / "runs")
    clock = NOW.astimezone(timezone(timedelta(hours=5)))
    assert store.save(result, folder, created_at=clock) is True
    record = store.run(result.run_id)
    assert (record.run_id, record.kind, record.strategy, record.status) == (
        result.run_id, "backtest", "demo_ma", "finished",
    )  # fmt: skip
    assert record.parameters == {"fast": 10, "slow": 50, "trail": 0.05, "sides": ["long"]}
    assert record.symbols == result.symbols
    assert (record.start, record.end) == (datetime(2010, 1, 4), datetime(2010, 3, 4))  # noqa: DTZ001
    assert record.created_at == record.last_seen == NOW.replace(tzinfo=None)
    assert record.fingerprint == result.fingerprint
    assert record.manifest == result.manifest
    assert record.code_version == "0.1.0"
    assert record.warnings == result.warnings
    assert record.folder == (tmp_path / "runs" / result.run_id).resolve()
    assert record.seen == 1
    np.testing.assert_equal(dict(record.metrics), result.metrics)
    assert {name: table.rows for name, table in record.tables.items()} == {
        "orders": 16, "fills": 16, "positions": 30, "closed_trades": 8, "equity": 60, "decisions": 16,
    }  # fmt: skip
    assert store.check() == ()


@pytest.mark.parametrize("plain", [False, True], ids=["frames", "columns"])
@pytest.mark.parametrize("name", TABLES)
def test_every_table_comes_back_exactly(store: RunStore, tmp_path: Path, name: str, plain: bool) -> None:
    made = make_result(seed=1)
    result = MadeColumns(made) if plain else made
    folder = write_run(result, tmp_path)
    store.save(result, folder, created_at=NOW)
    frame = store.table(made.run_id, name)
    assert_frame_equal(frame, expected(made, name), check_exact=True)
    assert_frame_equal(frame, read_table(folder.path, name), check_exact=True)
    assert list(frame.columns) == list(TABLES[name])
    if plain:
        assert name in result.asked


def test_a_table_holds_the_values_that_went_in(store: RunStore) -> None:
    """Independent of clean_table: the frame of the test itself against the frame of the store."""
    result = make_result()
    store.save(result, created_at=NOW)
    equity = store.equity(result.run_id)
    for column in result.equity.columns:
        np.testing.assert_array_equal(equity[column].to_numpy(), result.equity[column].to_numpy())
    np.testing.assert_array_equal(equity.index.to_numpy(), result.equity.index.to_numpy())
    orders = store.table(result.run_id, "orders")
    assert orders["parent_id"].tolist() == result.orders["parent_id"].tolist()
    assert orders["side"].tolist() == result.orders["side"].tolist()
    assert orders["reason"].isna().tolist() == [False, True] * 8
    assert orders["reason"].dropna().tolist() == ["signal"] * 8
    assert orders["stop"].isna().tolist() == [True, False] * 8


def test_an_empty_run_has_empty_tables_with_their_columns(store: RunStore) -> None:
    made = make_result(trades=0)
    made = replace(made, positions=made.positions.iloc[:0])
    store.save(made, created_at=NOW)
    for name in ("orders", "fills", "closed_trades", "decisions", "positions"):
        frame = store.table(made.run_id, name)
        assert len(frame) == 0
        assert frame.dtypes.to_dict() == expected(make_result(), name).dtypes.to_dict() | {
            column: np.dtype("int64") for column, kind in TABLES[name].items() if kind == "integer"
        }
    assert store.check() == ()


def test_texts_are_data_never_statements(store: RunStore) -> None:
    nasty = ["'; DROP TABLE runs; --", 'quote " and %s ? :x {y}', "Füße 日本 🙂", "a\tb\nc\\N", ""]
    made = make_result(strategy=nasty[0])
    made = replace(made, fills=made.fills.assign(reason=np.resize(np.array(nasty, object), 16)))
    store.save(made, created_at=NOW)
    assert store.table(made.run_id, "fills")["reason"].tolist() == list(
        np.resize(np.array(nasty, object), 16)
    )
    assert store.runs(strategy=nasty[0])["run_id"].tolist() == [made.run_id]
    assert store.run(made.run_id).strategy == nasty[0]


def test_rows_can_be_asked_for_with_plain_sql(url: str, store: RunStore) -> None:
    """Rows are typed columns, not blobs: join and filter by time work in the database."""
    result = make_result()
    store.save(result, created_at=NOW)
    engine = open_engine(store.location, 5.0)
    with engine.begin() as connection:
        count = connection.exec_driver_sql(
            "SELECT count(*) FROM equity JOIN runs ON runs.run = equity.run "
            "WHERE runs.strategy = 'demo_ma' AND time >= '2010-01-10' AND time < '2010-01-20' AND equity > 0"
        ).scalar_one()
        at = metadata.tables["equity"].c.time == datetime(2010, 1, 10)  # noqa: DTZ001
        one = connection.execute(select(metadata.tables["equity"].c.number).where(at)).scalars().all()
    engine.dispose()
    assert count == 10
    assert one == [6]


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
    answers = [child.communicate("go\n") for child in children]
    assert [child.returncode for child in children] == [0, 0], [error for _, error in answers]
    assert sum(int(output) for output, _ in answers) == 8
    assert store.runs(limit=100)["seen"].tolist() == [2] * 8
    assert store.check() == ()


# -- asking ------------------------------------------------------------------------------------------------------


def test_runs_are_listed_newest_first(store: RunStore) -> None:
    for seed in range(4):
        strategy = "demo_ma" if seed % 2 else "momentum"
        store.save(make_result(seed=seed, strategy=strategy), created_at=NOW + timedelta(hours=seed))
    listed = store.runs(limit=3, metrics=("cagr", "expectancy", "unheard_of"))
    assert listed["run_id"].str[:4].tolist() == ["0003", "0002", "0001"]
    assert listed["cagr"].tolist() == [0.13, 0.12, 0.11]
    assert listed["expectancy"].isna().all()
    assert listed["unheard_of"].isna().all()
    assert listed["parameters"].iloc[0]["slow"] == 50
    assert listed["created_at"].iloc[0] == pd.Timestamp("2026-03-01T15:30:15.25")
    assert store.runs(strategy="momentum")["run_id"].str[:4].tolist() == ["0002", "0000"]
    assert store.runs(strategy="nope").empty


def test_an_empty_store_lists_nothing(store: RunStore) -> None:
    assert store.runs().empty
    assert "run_id" in store.runs().columns
    assert store.check() == ()
    with pytest.raises(UnknownName, match="unknown run 'abc'. Known: none"):
        store.run("abc")


def test_a_run_is_found_by_the_beginning_of_its_id(store: RunStore) -> None:
    for run_id in ("aaaa1111", "aaaa2222", "aaaa1111ff", "bbbb_333"):
        store.save(with_id(make_result(), run_id), created_at=NOW)
    assert store.run("aaaa2").run_id == "aaaa2222"
    assert store.run("aaaa1111").run_id == "aaaa1111", "the whole id wins over longer ones"
    assert store.run("b").run_id == "bbbb_333"
    with pytest.raises(UserError, match=r"'aaaa' is ambiguous: aaaa1111, aaaa1111ff, aaaa2222; type more"):
        store.run("aaaa")
    with pytest.raises(UnknownName, match=r"unknown run 'aaaa2223'. Did you mean 'aaaa2222'\?"):
        store.run("aaaa2223")
    for wild in ("%", "_", "bbbbx"):
        with pytest.raises(UnknownName):
            store.run(wild)
    with pytest.raises(UserError):
        store.run("")


def test_unknown_table_is_refused(store: RunStore) -> None:
    store.save(make_result(), created_at=NOW)
    with pytest.raises(UnknownName, match=r"unknown table 'order'. Did you mean 'orders'\?"):
        store.table("0000", "order")


def test_runs_are_compared_side_by_side(store: RunStore) -> None:
    one, two = make_result(seed=1), make_result(seed=2)
    store.save(one, created_at=NOW)
    store.save(two, created_at=NOW)
    compared = store.compare(["0002", "0001"])
    assert compared.index.tolist() == [two.run_id, one.run_id]
    assert compared["cagr"].tolist() == [0.12, 0.11]
    assert compared["final_equity"].tolist() == [two.metrics["final_equity"], one.metrics["final_equity"]]
    with pytest.raises(UserError, match="at least two"):
        store.compare(["0001"])


def test_equity_of_a_span_includes_both_ends(store: RunStore) -> None:
    result = make_result()
    store.save(result, created_at=NOW)
    span = store.equity("0000", "2010-01-10", "2010-01-12")
    assert span.index.tolist() == [pd.Timestamp(f"2010-01-{day}") for day in (10, 11, 12)]
    assert len(store.equity("0000", start="2010-03-01")) == 4
    assert len(store.equity("0000", end="2010-01-04")) == 1
    with pytest.raises(UserError, match=r"later than|lies after"):
        store.equity("0000", "2010-02-01", "2010-01-01")


def test_a_date_as_end_is_its_whole_day(store: RunStore) -> None:
    result = make_result(bars=1000, minutes=True)
    store.save(result, created_at=NOW)
    day = store.equity("0000", end="2010-01-04")
    assert day.index[-1] == pd.Timestamp("2010-01-04T23:59")
    assert store.equity("0000", end="2010-01-04T15:00").index[-1] == pd.Timestamp("2010-01-04T15:00")


def test_delete_removes_one_run_and_every_row_of_it(store: RunStore) -> None:
    store.save(make_result(seed=1), created_at=NOW)
    before = everything(store)
    store.save(make_result(seed=2), created_at=NOW)
    assert store.delete("0002").run_id == make_result(seed=2).run_id
    assert everything(store) == before
    with pytest.raises(UnknownName):
        store.delete("0002")


# -- large tables ------------------------------------------------------------------------------------------------


def test_a_table_over_the_limit_stays_in_its_file(url: str, tmp_path: Path) -> None:
    result = make_result(bars=200)
    with RunStore(url, row_limit=150) as store:
        folder = write_run(result, tmp_path)
        store.save(result, folder, created_at=NOW)
        places = {name: table.place for name, table in store.run("0000").tables.items()}
        assert places == dict.fromkeys(TABLES, "store") | {"equity": "file"}
        assert len(everything(store)["equity"]) == 0
        assert_frame_equal(store.table("0000", "equity"), expected(result, "equity"), check_exact=True)
        assert store.check() == ()
        path = folder.path / "equity.parquet"
        path.write_bytes(path.read_bytes()[:-1] + b"X")
        with pytest.raises(StoreError, match="changed after its run was saved"):
            store.table("0000", "equity")
        assert any("was changed" in line for line in store.check())
        path.unlink()
        with pytest.raises(StoreError, match=r"cannot read .*equity.parquet"):
            store.table("0000", "equity")
        assert any("is gone" in line for line in store.check())


def test_without_a_folder_large_tables_are_in_the_store(url: str) -> None:
    with RunStore(url, row_limit=10) as store:
        store.save(make_result(), created_at=NOW)
        assert store.run("0000").tables["equity"].place == "store"
        assert len(store.table("0000", "equity")) == 60


def test_files_of_another_result_are_refused(store: RunStore, tmp_path: Path) -> None:
    folder = write_run(make_result(bars=61), tmp_path)
    with pytest.raises(StoreError, match=r"equity.parquet .* has 61 rows, the result 60"):
        store.save(make_result(bars=60), folder, created_at=NOW)
    assert store.runs().empty


# -- what goes wrong ---------------------------------------------------------------------------------------------


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
        with RunStore(f"postgresql://me:canary@127.0.0.1:{port}/db") as store:
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
    with pytest.raises(UserError, match="expected sqlite:///|only mode=ro") as caught:
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
