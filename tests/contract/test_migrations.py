"""The schema's revisions, up and down over a filled database, on SQLite and on a real PostgreSQL."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, inspect
from sqlalchemy.exc import IntegrityError

from gpt_trader.adapters.run_tables import TABLES
from gpt_trader.adapters.store import RunStore, StoreError
from gpt_trader.adapters.store import migrations as revisions
from gpt_trader.adapters.store.location import locate
from gpt_trader.adapters.store.migrate import migrate
from gpt_trader.adapters.store.schema import metadata
from gpt_trader.adapters.store.sqlalchemy_engines import open_engine
from gpt_trader.errors import UnknownName
from tests.contract.postgres import postgres_server
from tests.stored_result import make_result

__all__ = ["postgres_server"]

ROOT = Path(__file__).resolve().parents[2]
NOW = datetime(2026, 3, 1, 12, 30, tzinfo=UTC)
SESSIONS = ("sessions", "session_writers", "journal", "session_snapshots")
LEDGER = ("trial_sets", "trial_batches", "trials", "checks", *SESSIONS)
KILLED = """
import os, signal
from sqlalchemy import event
from gpt_trader.adapters.store.sqlalchemy_engines import open_engine
from gpt_trader.adapters.store.location import locate
from gpt_trader.adapters.store.migrate import migrate

location = locate(os.environ["TEST_STORE"])
engine = open_engine(location, 5.0)

@event.listens_for(engine, "after_cursor_execute")
def kill(connection, cursor, statement, *rest):
    if os.environ["TEST_FAILPOINT"] in statement:
        os.kill(os.getpid(), signal.SIGKILL)

migrate(engine, location)
"""


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty database of either kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/store.sqlite"
    return str(request.getfixturevalue("postgres_server").new_database())


@pytest.fixture
def engine(url: str) -> Iterator[Engine]:
    """An engine of the test's own on that database."""
    made = open_engine(locate(url), 5.0)
    yield made
    made.dispose()


def rows_of(engine: Engine) -> dict[str, list[tuple[object, ...]]]:
    """Every row of every table there is, but for the columns that revision 0002 adds and the tables that 0003, 0004
    and 0005 add."""
    with engine.begin() as connection:
        content = {}
        for name in sorted(set(inspect(connection).get_table_names()) - {"alembic_version", *LEDGER}):
            columns = [
                c["name"]
                for c in inspect(connection).get_columns(name)
                if c["name"] not in ("seen", "last_seen")
            ]
            listed = ", ".join(f'"{column}"' for column in columns)
            content[name] = sorted(
                map(tuple, connection.exec_driver_sql(f"SELECT {listed} FROM {name}")), key=repr
            )
    return content


def fill(url: str) -> None:
    with RunStore(url) as store:
        for seed in range(3):
            store.save(make_result(seed=seed), created_at=NOW)
        store.save(make_result(seed=1), created_at=NOW)


def test_down_and_up_again_keeps_every_row(url: str, engine: Engine) -> None:
    fill(url)
    before = rows_of(engine)
    assert len(before["equity"]) == 180
    assert migrate(engine, locate(url), "0001") == ("0005", "0001")
    assert rows_of(engine) == before
    assert "seen" not in {column["name"] for column in inspect(engine).get_columns("runs")}
    assert migrate(engine, locate(url)) == ("0001", "0005")
    assert rows_of(engine) == before
    with RunStore(url) as store:
        assert store.check() == ()
        listed = store.runs()
        assert listed["seen"].tolist() == [1, 1, 1], "the count is what 0001 cannot keep"
        assert (listed["last_seen"] == listed["created_at"]).all()
        assert store.save(make_result(seed=1), created_at=NOW) is False
        assert store.run("0001").seen == 2


def test_a_store_of_the_older_schema_is_upgraded_when_it_is_opened(url: str, engine: Engine) -> None:
    fill(url)
    before = rows_of(engine)
    migrate(engine, locate(url), "0001")
    with RunStore(url) as store:
        assert store.save(make_result(seed=7), created_at=NOW) is True
        assert len(store.runs()) == 4
        store.delete("0007")
    assert rows_of(engine) == before


def test_down_to_nothing_and_up_again_is_a_new_store(url: str, engine: Engine) -> None:
    fill(url)
    assert migrate(engine, locate(url), "base") == ("0005", None)
    assert inspect(engine).get_table_names() == ["alembic_version"]
    with RunStore(url) as store:
        assert store.runs().empty
        assert store.save(make_result(), created_at=NOW) is True
        assert store.check() == ()


def test_every_step_goes_up_and_down(url: str, engine: Engine) -> None:
    before: str | None = None
    for revision in revisions.REVISIONS:
        assert migrate(engine, locate(url), revision) == (before, revision)
        before = revision
    for lower in reversed((None, *revisions.REVISIONS[:-1])):
        assert migrate(engine, locate(url), lower or "base") == (before, lower)
        before = lower


def test_migrating_to_where_it_is_does_nothing(url: str, engine: Engine) -> None:
    fill(url)
    before = rows_of(engine)
    assert migrate(engine, locate(url)) == ("0005", "0005")
    assert rows_of(engine) == before


def test_the_migrations_make_exactly_the_tables_of_the_code(url: str, engine: Engine) -> None:
    migrate(engine, locate(url))
    with engine.begin() as connection:
        context = MigrationContext.configure(
            connection, opts={"compare_type": True, "compare_server_default": True}
        )
        assert compare_metadata(context, metadata) == []
        for name, kinds in TABLES.items():
            columns = [column["name"] for column in inspect(connection).get_columns(name)]
            assert columns == ["run", "number", *kinds]
            assert inspect(connection).get_pk_constraint(name)["constrained_columns"] == ["run", "number"]


def test_the_list_of_revisions_is_alembics_own() -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(revisions.__file__).parent))
    config.set_main_option("path_separator", "os")
    scripts = ScriptDirectory.from_config(config)
    assert tuple(step.revision for step in reversed(list(scripts.walk_revisions()))) == revisions.REVISIONS
    assert scripts.get_heads() == [revisions.HEAD]


@pytest.mark.skipif(os.name != "posix", reason="SIGKILL is POSIX")
@pytest.mark.parametrize(
    "point",
    [
        "CREATE TABLE closed_trades",
        "UPDATE runs SET last_seen",
        "CREATE TRIGGER trial_sets",
        "CREATE TRIGGER checks",
        "CREATE TRIGGER journal",
    ],
)
def test_a_kill_during_a_migration_leaves_the_old_schema(
    url: str, engine: Engine, tmp_path: Path, point: str
) -> None:
    upgraded_from = {
        "UPDATE runs SET last_seen": "0001", "CREATE TRIGGER trial_sets": "0002", "CREATE TRIGGER checks": "0002",
        "CREATE TRIGGER journal": "0002",
    }.get(point)  # fmt: skip
    if upgraded_from:
        fill(url)
        migrate(engine, locate(url), upgraded_from)
    before = rows_of(engine)
    environment = os.environ | {"TEST_STORE": url, "TEST_FAILPOINT": point, "PYTHONPATH": str(ROOT)}
    child = subprocess.run([sys.executable, "-c", KILLED], env=environment, capture_output=True, check=False)
    assert child.returncode == -signal.SIGKILL, child.stderr.decode()
    assert rows_of(engine) == before
    assert not set(LEDGER) & set(inspect(engine).get_table_names())
    assert migrate(engine, locate(url)) == (upgraded_from, "0005")
    with RunStore(url) as store:
        assert store.check() == ()
        assert len(store.runs()) == (3 if upgraded_from else 0)


def test_a_database_of_something_else_is_left_alone(url: str, engine: Engine) -> None:
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE runs (marathon TEXT)")
        connection.exec_driver_sql("INSERT INTO runs VALUES ('Boston')")
    with RunStore(url) as store, pytest.raises(StoreError, match="already exists"):
        store.save(make_result(), created_at=NOW)
    assert rows_of(engine) == {"runs": [("Boston",)]}


def test_unknown_targets_and_newer_stores_are_refused(url: str, engine: Engine) -> None:
    with pytest.raises(UnknownName, match=r"unknown schema revision '0030'. Did you mean"):
        migrate(engine, locate(url), "0030")
    fill(url)
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '0099'")
    before = rows_of(engine)
    for target in ("0001", "0005", "base"):
        with pytest.raises(StoreError, match="schema 0099, this code knows up to 0005: a newer GPT-Trader"):
            migrate(engine, locate(url), target)
    assert rows_of(engine) == before


def test_sqlite_constraints_hold(tmp_path: Path) -> None:
    """Foreign keys are on for the engine too: a row of no run is refused."""
    location = locate(f"sqlite:///{tmp_path}/store.sqlite")
    engine = open_engine(location, 5.0)
    migrate(engine, location)
    with pytest.raises(IntegrityError, match="FOREIGN KEY constraint failed"), engine.begin() as connection:
        connection.exec_driver_sql("INSERT INTO metrics (run, name, value) VALUES (77, 'sharpe', 1.0)")
    engine.dispose()
