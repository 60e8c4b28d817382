"""The trial ledger on an SQLite file and on a real PostgreSQL: counts that only grow, in any order and by anyone."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.exc import DBAPIError

from gpt_trader.adapters.store import RunStore, StoreError
from gpt_trader.adapters.store.location import locate
from gpt_trader.adapters.store.migrate import migrate
from gpt_trader.adapters.store.sqlalchemy_engines import open_engine
from gpt_trader.adapters.store.trials import TrialBatch, TrialCount
from gpt_trader.errors import BadParameter
from tests.contract.postgres import postgres_server
from tests.contract.stores import NOW, ROOT, everything, store, url
from tests.contract.trial_batches import batch, numbers
from tests.stored_result import make_result

__all__ = ["postgres_server", "store", "url"]

CHILD = [sys.executable, "-m", "tests.contract.trial_child"]


def count(store: RunStore, asked: TrialBatch) -> TrialCount:
    """The ledger's answer about the family and the data of a batch."""
    return store.ledger.count(
        asked.family, asked.data, asked.symbols, asked.start, asked.end, asked.timeframe
    )


def counts(store: RunStore, asked: TrialBatch) -> tuple[int, int, int]:
    found = count(store, asked)
    return found.raw, found.overlapping, found.family_total


# -- what is counted -----------------------------------------------------------------------------------------------


def test_an_empty_ledger_counts_nothing(store: RunStore) -> None:
    found = count(store, batch(range(1)))
    assert (found.raw, found.overlapping, found.family_total) == (0, 0, 0)
    assert np.isnan(found.variance)
    assert (found.sample.profiles.shape, found.sample.sharpe.shape) == ((0, 32), (0,))
    assert store.ledger.sets() == ()
    assert store.ledger.days("demo_ma") == {}
    assert store.check() == ()


def test_a_recorded_trial_is_in_the_store_as_it_was_given(store: RunStore) -> None:
    given = batch(range(3), kind="sweep")
    assert store.ledger.record(given, made_at=NOW) == 3
    content = everything(store)
    assert [(row[0], bytes(row[1]), row[3]) for row in content["trials"]] == sorted(
        (1, given.keys[row].tobytes(), given.sharpe[row]) for row in range(3)
    )
    of_key = {bytes(row[1]): np.frombuffer(row[4], "<f4") for row in content["trials"]}
    for row in range(3):
        np.testing.assert_array_equal(of_key[given.keys[row].tobytes()], given.profiles[row])
    (summed,) = content["trial_batches"]
    assert summed[2:5] == ("sweep", 250, NOW.replace(tzinfo=None))
    assert summed[5:7] == (3, 3)
    assert summed[7] == pytest.approx(given.sharpe.mean())
    assert summed[8] == pytest.approx(given.sharpe.var() * 3)
    assert summed[9] == given.sharpe.max()
    ((_, family, data, symbols, start, end, timeframe, bars, per_year),) = content["trial_sets"]
    assert (family, data, symbols, timeframe, bars, per_year) == (
        "demo_ma", given.data, ["AAPL", "MSFT"], "1d", 300, 252.0,
    )  # fmt: skip
    assert (str(start)[:10], str(end)[:10]) == ("2010-01-04", "2012-12-31")


def test_the_same_trial_again_changes_nothing(store: RunStore) -> None:
    store.ledger.record(batch(range(5)), made_at=NOW)
    before = everything(store)
    again = replace(batch(range(5)), kind="sweep", sharpe=np.full(5, 0.3), observations=7)
    assert store.ledger.record(again, made_at=NOW + timedelta(days=1)) == 0
    assert everything(store) == before
    assert store.ledger.record(batch(range(3, 8)), made_at=NOW) == 3
    assert counts(store, again) == (8, 8, 8)


def test_a_trial_twice_in_one_batch_is_one(store: RunStore) -> None:
    given = batch([1, 2, 1, 1])
    given.sharpe[:] = 0.1, 0.2, 0.3, 0.4
    assert store.ledger.record(given, made_at=NOW) == 2
    assert counts(store, given) == (2, 2, 2)
    assert sorted(store.ledger.sample(given.family, given.data).sharpe) == [0.1, 0.2], "the first counts"


def test_what_is_there_is_found_in_more_queries_than_one(store: RunStore) -> None:
    ledger = replace(store.ledger, keys_per_query=3)
    assert ledger.record(batch(range(10)), made_at=NOW) == 10
    assert ledger.record(batch(range(12)), made_at=NOW) == 2


def test_an_empty_batch_leaves_no_batch(store: RunStore) -> None:
    assert store.ledger.record(batch([]), made_at=NOW) == 0
    assert everything(store)["trial_batches"] == []


def test_a_trial_without_a_sharpe_ratio_counts_as_one(store: RunStore) -> None:
    given = batch(range(4))
    given.sharpe[1:3] = np.nan, np.inf
    store.ledger.record(given, made_at=NOW)
    store.ledger.record(replace(batch([9]), sharpe=np.array([np.nan])), made_at=NOW)
    found = count(store, given)
    assert found.overlapping == 5
    assert found.variance == pytest.approx(np.var(given.sharpe[[0, 3]], ddof=1))
    (listed,) = store.ledger.sets()
    assert (listed.trials, listed.best) == (5, given.sharpe[[0, 3]].max())


def test_variance_is_that_of_all_trials_however_they_were_split(store: RunStore) -> None:
    store.ledger.record(batch(range(7)), made_at=NOW)
    store.ledger.record(batch(range(7, 8)), made_at=NOW)
    store.ledger.record(batch(range(20, 50)), made_at=NOW)
    every = batch([*range(8), *range(20, 50)])
    assert count(store, every).variance == pytest.approx(np.var(every.sharpe, ddof=1), rel=1e-12)


def test_a_short_trial_counts_as_the_luck_of_a_long_one(store: RunStore) -> None:
    """Luck over a quarter of the returns varies four times as much: it must not raise the bar for the long ones."""
    long, short = batch(range(6)), replace(batch(range(10, 30)), observations=62)
    short.sharpe[4] = np.nan
    store.ledger.record(short, made_at=NOW)
    alone = count(store, short)
    assert (alone.observations, alone.variance) == (62, pytest.approx(np.nanvar(short.sharpe, ddof=1)))
    store.ledger.record(long, made_at=NOW)
    found = count(store, long)
    as_long = np.concatenate([long.sharpe, short.sharpe * np.sqrt(62 / 250)])
    assert (found.overlapping, found.observations) == (26, 250)
    assert found.variance == pytest.approx(np.nanvar(as_long, ddof=1))
    alike = replace(short, sharpe=short.sharpe * np.sqrt(62 / 250), observations=250)
    in_one = replace(alike, data="d", keys=np.concatenate([long.keys, short.keys]), sharpe=as_long,
                     profiles=np.concatenate([long.profiles, short.profiles]))  # fmt: skip
    store.ledger.record(in_one, made_at=NOW)
    number, variance = found.effective()
    assert store.ledger.sample(in_one.family, "d").effective(26) == pytest.approx(
        (number, variance), rel=1e-6
    )


def test_other_data_overlap_when_they_share_a_symbol_and_a_span(store: RunStore) -> None:
    mine = batch(range(10))
    others = {
        "a day later": replace(mine, data="d1", start="2010-01-05"),
        "one symbol in common": replace(mine, data="d2", symbols=("MSFT", "IBM")),
        "one bar in common": replace(mine, data="d3", start="2000-01-03", end="2010-01-04"),
        "other bars": replace(mine, data="d4", timeframe="1h", sharpe=mine.sharpe + 5.0),
    }
    apart = {
        "no symbol in common": replace(mine, data="e1", symbols=("IBM", "AAPLX")),
        "before": replace(mine, data="e2", start="2000-01-03", end="2010-01-03"),
        "after": replace(mine, data="e3", start="2013-01-01", end="2014-12-31"),
    }
    other_family = replace(mine, family="momentum")
    for each in (mine, *others.values(), *apart.values(), other_family):
        assert store.ledger.record(each, made_at=NOW) == 10
    assert counts(store, mine) == (10, 50, 80)
    assert counts(store, other_family) == (10, 10, 10)
    never_tried = replace(mine, data="f", start="2012-12-31", end="2013-01-01")
    assert counts(store, never_tried) == (0, 50, 80)
    assert counts(store, replace(mine, data="f", symbols=("IBM",))) == (0, 20, 80)
    assert count(store, mine).variance == pytest.approx(np.var(np.tile(mine.sharpe, 4), ddof=1))


def test_the_sample_is_of_exactly_these_data(store: RunStore) -> None:
    mine = batch(range(30))
    mine.sharpe[3] = np.nan
    store.ledger.record(replace(mine, data="other", profiles=mine.profiles + 1), made_at=NOW)
    store.ledger.record(mine, made_at=NOW)
    by_key = np.argsort([key.tobytes() for key in mine.keys])
    for sample in (count(store, mine).sample, store.ledger.sample(mine.family, mine.data)):
        np.testing.assert_array_equal(sample.profiles, mine.profiles[by_key])
        np.testing.assert_array_equal(sample.sharpe, mine.sharpe[by_key])
        assert sample.profiles.dtype == np.float32
    few = replace(store.ledger, sample_limit=10).sample(mine.family, mine.data)
    np.testing.assert_array_equal(few.profiles, mine.profiles[by_key[:10]])


def test_the_effective_number_counts_copies_once_and_other_data_with_the_same_share(store: RunStore) -> None:
    mine = batch(range(12))
    mine.profiles[6:] = mine.profiles[:6] * 2
    store.ledger.record(mine, made_at=NOW)
    number, variance = count(store, mine).effective()
    assert 4.0 < number < 8.0
    assert variance > 0
    store.ledger.record(replace(batch(range(8)), data="a day later", start="2010-01-05"), made_at=NOW)
    assert count(store, mine).effective()[0] == pytest.approx(number / 12 * 20)
    fresh = replace(mine, data="two days later", start="2010-01-06")
    assert np.isnan(count(store, fresh).effective()[0])
    store.ledger.record(replace(batch([99]), data=fresh.data, start=fresh.start), made_at=NOW)
    assert count(store, fresh).effective()[0] == 21.0, "a new start date resets nothing"


def test_sets_and_days_list_what_was_tried(store: RunStore) -> None:
    mine = batch(range(10), kind="sweep")
    store.ledger.record(mine, made_at=NOW)
    store.ledger.record(batch([50], kind="backtest"), made_at=NOW + timedelta(days=2))
    store.ledger.record(batch([51], kind="sweep"), made_at=NOW + timedelta(days=2))
    store.ledger.record(batch([52, 53], kind="sweep"), made_at=NOW + timedelta(days=2))
    store.ledger.record(replace(batch([60]), family="momentum"), made_at=NOW + timedelta(days=1))
    first, second = store.ledger.sets()
    assert (first.family, second.family) == ("demo_ma", "momentum")
    assert [(each.family, each.trials) for each in store.ledger.sets("momentum")] == [("momentum", 1)]
    every = batch([*range(10), *range(50, 54)])
    assert (first.trials, first.kinds) == (14, {"backtest": 1, "sweep": 13})
    assert first.best == every.sharpe.max()
    assert first.variance == pytest.approx(np.var(every.sharpe, ddof=1))
    assert (first.symbols, first.data, first.bars, first.periods_per_year) == (
        ("AAPL", "MSFT"), mine.data, 300, 252.0,
    )  # fmt: skip
    assert (str(first.start), str(first.end)) == ("2010-01-04 00:00:00", "2012-12-31 00:00:00")
    assert first.first_made == NOW.replace(tzinfo=None)
    assert first.last_made == (NOW + timedelta(days=2)).replace(tzinfo=None)
    assert store.ledger.days("demo_ma") == {
        "2026-03-01": {"sweep": 10},
        "2026-03-03": {"backtest": 1, "sweep": 3},
    }


def test_arrays_that_do_not_fit_are_refused() -> None:
    given = batch(range(4))
    with pytest.raises(
        BadParameter, match=r"keys of a batch of trials has shape \(4, 15\), expected \(4, 16\)"
    ):
        replace(given, keys=given.keys[:, 1:])
    with pytest.raises(BadParameter, match="sharpe"):
        replace(given, sharpe=given.sharpe[1:])
    with pytest.raises(BadParameter, match="profiles"):
        replace(given, profiles=given.profiles[:, :31])


# -- it only grows -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("table", ["trial_sets", "trial_batches", "trials"])
def test_the_database_itself_refuses_to_change_or_remove(store: RunStore, table: str) -> None:
    store.ledger.record(batch(range(3)), made_at=NOW)
    before = everything(store)
    column = "family" if table == "trial_sets" else "trial_set"
    attempts = [f"UPDATE {table} SET {column} = {column}", f"DELETE FROM {table}"]
    if store.location.path is None:
        attempts += [f"TRUNCATE {table} CASCADE"]
    else:
        attempts += [
            f"INSERT OR REPLACE INTO {table} SELECT * FROM {table}",
            f"REPLACE INTO {table} SELECT * FROM {table}",
        ]
    engine = open_engine(store.location, 5.0)
    for attempt in attempts:
        with pytest.raises(DBAPIError, match="the trial ledger only grows"), engine.begin() as connection:
            connection.exec_driver_sql(attempt)
    engine.dispose()
    assert everything(store) == before


def test_a_user_of_postgresql_may_be_allowed_to_add_and_nothing_else(request: pytest.FixtureRequest) -> None:
    """What docs/trials.md says: owned by another user, the ledger cannot be changed even by dropping its triggers."""
    url = request.getfixturevalue("postgres_server").new_database()
    with RunStore(url) as owner:
        owner.ledger.record(batch(range(3)), made_at=NOW)
        role = f"researcher_{url.rpartition('/')[2]}"
        with psycopg.connect(url, autocommit=True) as admin:
            for statement in (
                f"CREATE ROLE {role} LOGIN",
                f"GRANT SELECT ON alembic_version TO {role}",
                f"GRANT SELECT, INSERT ON trial_sets, trial_batches, trials TO {role}",
                f"GRANT USAGE ON SEQUENCE trial_sets_trial_set_seq, trial_batches_batch_seq TO {role}",
            ):
                admin.execute(statement.encode())
        with RunStore(url.replace("postgres@", f"{role}@")) as researcher:
            assert researcher.ledger.record(replace(batch(range(5)), family="new"), made_at=NOW) == 5
            assert researcher.ledger.record(batch(range(5)), made_at=NOW) == 2
            engine = open_engine(researcher.location, 5.0)
            for attempt in (
                "DELETE FROM trials", "UPDATE trials SET sharpe = 9", "TRUNCATE trials", "DROP TABLE trials",
                "DROP TRIGGER trials_only_grow ON trials", "ALTER TABLE trials DISABLE TRIGGER ALL",
            ):  # fmt: skip
                with (
                    pytest.raises(DBAPIError, match=r"permission denied|must be owner"),
                    engine.begin() as one,
                ):
                    one.exec_driver_sql(attempt)
            engine.dispose()
        assert counts(owner, batch([0])) == (5, 5, 5)


def test_deleting_a_run_keeps_its_trials(store: RunStore) -> None:
    store.save(make_result(), created_at=NOW)
    store.ledger.record(batch([0]), made_at=NOW)
    store.delete("0000")
    assert counts(store, batch([0])) == (1, 1, 1)


@pytest.mark.parametrize("target", ["0002", "0001", "base"])
def test_a_ledger_with_trials_cannot_be_migrated_away(store: RunStore, target: str) -> None:
    store.ledger.record(batch(range(2)), made_at=NOW)
    before = everything(store)
    engine = open_engine(store.location, 5.0)
    with pytest.raises(StoreError, match=r"this one holds trials, which nothing removes"):
        migrate(engine, store.location, target)
    engine.dispose()
    assert everything(store) == before
    assert store.ledger.record(batch(range(3)), made_at=NOW) == 1


# -- kills, crowds, order ------------------------------------------------------------------------------------------


@pytest.mark.skipif(os.name != "posix", reason="SIGKILL is POSIX")
@pytest.mark.parametrize("point", ["trial_sets", "trial_batches", "trials"])
def test_a_kill_during_a_recording_leaves_nothing_half(
    url: str, store: RunStore, tmp_path: Path, point: str
) -> None:
    store.ledger.record(replace(batch(range(2)), data="other"), made_at=NOW)
    before = everything(store)
    child = subprocess.run(
        CHILD, env=environment(url, TEST_FAILPOINT=point), capture_output=True, cwd=tmp_path, check=False
    )
    assert child.returncode == -signal.SIGKILL, child.stderr.decode()
    assert everything(store) == before
    assert store.check() == ()
    assert store.ledger.record(batch(range(100)), made_at=NOW) == 100


def test_recorders_at_once_count_right(url: str, store: RunStore, tmp_path: Path) -> None:
    """Three processes record the same trials in pieces: every trial is new exactly once, and sums agree with rows."""
    store.ledger.count("demo_ma", "", (), "2010-01-01", "2010-01-01", "1d")
    children = [
        subprocess.Popen(
            CHILD, env=environment(url, TEST_FIRST=str(first)), cwd=tmp_path, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )
        for first in (0, 0, 100)
    ]  # fmt: skip
    for child in children:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
    for child in children:
        assert child.stdin is not None
        child.stdin.write("go\n")
        child.stdin.flush()
    answers = [child.communicate() for child in children]
    assert [child.returncode for child in children] == [0, 0, 0], [error for _, error in answers]
    assert sum(int(output) for output, _ in answers) == 400
    every = batch(range(400))
    found = count(store, every)
    assert (found.raw, found.overlapping, found.family_total) == (400, 400, 400)
    assert found.variance == pytest.approx(np.var(every.sharpe, ddof=1))
    assert store.check() == ()


def environment(url: str, **more: str) -> dict[str, str]:
    return os.environ | {"TEST_STORE": url, "PYTHONPATH": str(ROOT)} | more


@pytest.fixture
def other_urls(request: pytest.FixtureRequest, url: str, tmp_path: Path) -> Iterator[Any]:
    """A function that gives the URL of another empty store of the same kind."""
    if url.startswith("sqlite"):
        made = iter(range(10_000))
        yield lambda: f"sqlite:///{tmp_path}/other/{next(made)}.sqlite"
    else:
        yield request.getfixturevalue("postgres_server").new_database


@given(
    recordings=st.lists(st.lists(st.integers(0, 40), max_size=12), min_size=1, max_size=8), order=st.randoms()
)
@settings(max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_order_and_any_number_of_times_gives_the_same_count(
    other_urls: Any, recordings: list[list[int]], order: Any
) -> None:
    different = sorted({trial for part in recordings for trial in part})
    shuffled = [*recordings, *recordings]
    order.shuffle(shuffled)
    found = []
    for sequence in (recordings, shuffled):
        with RunStore(other_urls()) as store:
            new = [store.ledger.record(batch(part), made_at=NOW) for part in sequence]
            assert sum(new) == len(different)
            assert store.check() == ()
            found.append(count(store, batch([0])))
    one, other = found
    assert one.raw == other.raw == one.overlapping == one.family_total == len(different)
    np.testing.assert_array_equal(one.sample.profiles, other.sample.profiles)
    assert one.variance == pytest.approx(other.variance, rel=1e-9, nan_ok=True)
    if len(different) > 1:
        assert one.variance == pytest.approx(np.var(numbers(different), ddof=1), rel=1e-9)


# -- care ----------------------------------------------------------------------------------------------------------


def test_check_finds_a_ledger_that_was_tampered_with(store: RunStore) -> None:
    store.ledger.record(batch(range(10)), made_at=NOW)
    engine = open_engine(store.location, 5.0)
    with engine.begin() as connection:
        if store.location.path is None:
            connection.exec_driver_sql("ALTER TABLE trials DISABLE TRIGGER USER")
        else:
            connection.exec_driver_sql("DROP TRIGGER trials_no_delete")
        connection.exec_driver_sql("DELETE FROM trials WHERE sharpe = (SELECT max(sharpe) FROM trials)")
    engine.dispose()
    (fault,) = store.check()
    assert "batch 1 of the trial ledger has 9 of 10 trials" in fault


def test_a_ledger_that_cannot_be_written_says_why(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/store.sqlite"
    with RunStore(url) as store:
        store.ledger.record(batch(range(3)), made_at=NOW)
    with RunStore(f"{url}?mode=ro") as closed:
        with pytest.raises(StoreError, match="read-only"):
            closed.ledger.record(batch(range(5)), made_at=NOW)
        assert counts(closed, batch([0])) == (3, 3, 3)


def test_recording_in_sqlite_imports_neither_sqlalchemy_nor_pandas(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/store.sqlite"
    with RunStore(url) as store:
        store.runs()
    script = """
import os, sys
from datetime import UTC, datetime
from gpt_trader.adapters.store import RunStore
from tests.contract.trial_batches import batch

store, given = RunStore(os.environ["TEST_STORE"]), batch(range(20))
assert store.ledger.record(given, made_at=datetime(2026, 1, 1, tzinfo=UTC)) == 20
found = store.ledger.count(given.family, given.data, given.symbols, given.start, given.end, given.timeframe)
assert found.raw == 20 and len(store.ledger.sets()) == 1
print(sorted({"sqlalchemy", "pandas", "alembic", "numba", "scipy"} & set(sys.modules)))
"""
    child = subprocess.run(
        [sys.executable, "-c", script], env=environment(url), capture_output=True, text=True, check=False
    )
    assert child.stdout.strip() == "[]", child.stderr


def test_a_store_of_the_older_schema_gets_its_ledger_when_it_is_opened(url: str) -> None:
    location = locate(url)
    engine = open_engine(location, 5.0)
    migrate(engine, location, "0002")
    engine.dispose()
    with RunStore(url) as store:
        assert store.ledger.record(batch(range(3)), made_at=NOW) == 3
