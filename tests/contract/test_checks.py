"""The register of look-ahead checks on an SQLite file and on a real PostgreSQL: it says what it was told, and only grows."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from gpt_trader.adapters.store import RunStore, StoreError
from gpt_trader.adapters.store.location import locate
from gpt_trader.adapters.store.migrate import migrate
from gpt_trader.adapters.store.sqlalchemy_engines import open_engine
from gpt_trader.check_records import CheckOutcome, CheckRecord
from gpt_trader.look_ahead import LookAheadState, judged
from tests.contract.postgres import postgres_server
from tests.contract.stores import NOW, everything, store, url
from tests.stored_result import make_result

__all__ = ["postgres_server", "store", "url"]

AT = NOW.replace(tzinfo=None)
PASSED = CheckRecord(
    code="c0de",
    strategy="my_idea",
    parameters={"fast": 10, "share": 0.25, "kind": "Größe “x”", "list": [1, 2]},
    version=3,
    outcome=CheckOutcome.PASSED,
    data="da7a",
    symbols=("AAPL", "IBM"),
    start="2010-01-04T00:00:00",
    end="2012-12-31T00:00:00",
    timeframe="1d",
    bars=755,
    samples=32,
    checked_at=AT,
)
FAILED = replace(
    PASSED,
    outcome=CheckOutcome.FAILED,
    finding="tomorrow, bar 3: the value moves",
    checked_at=AT + timedelta(seconds=1),
)


def test_an_empty_register_knows_no_code(store: RunStore) -> None:
    assert store.checks.of("c0de") == ()


def test_a_check_comes_back_as_it_was_recorded(store: RunStore) -> None:
    store.checks.record(PASSED)
    store.checks.record(replace(PASSED, code="other"))
    store.checks.record(FAILED)
    assert store.checks.of("c0de") == (PASSED, FAILED)
    assert store.checks.of("other") == (replace(PASSED, code="other"),)
    assert store.check() == ()


def test_the_order_is_that_of_the_checks_whatever_the_order_of_recording(store: RunStore) -> None:
    store.checks.record(FAILED)
    store.checks.record(PASSED)
    assert store.checks.of("c0de") == (PASSED, FAILED)


def test_the_same_check_twice_is_on_record_twice_and_says_the_same(store: RunStore) -> None:
    store.checks.record(PASSED)
    store.checks.record(PASSED)
    assert judged(store.checks.of("c0de"), PASSED.parameters, version=3).state is LookAheadState.PASSED
    store.checks.record(FAILED)
    assert judged(store.checks.of("c0de"), PASSED.parameters, version=3).state is LookAheadState.FAILED


def test_a_check_without_a_time_is_refused(store: RunStore) -> None:
    with pytest.raises(StoreError, match="my_idea has no time"):
        store.checks.record(replace(PASSED, checked_at=None))
    assert store.checks.of("c0de") == ()


def test_deleting_runs_takes_nothing_from_the_register(store: RunStore) -> None:
    store.checks.record(PASSED)
    store.save(make_result(), created_at=NOW)
    store.delete("0000")
    assert store.checks.of("c0de") == (PASSED,)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE checks SET outcome = 'passed'",
        "DELETE FROM checks",
        "INSERT OR REPLACE INTO checks SELECT * FROM checks",
    ],
)
def test_the_database_itself_refuses_to_change_or_remove_a_check(store: RunStore, statement: str) -> None:
    if "REPLACE" in statement and store.location.path is None:
        statement = "TRUNCATE checks"
    store.checks.record(FAILED)
    before = everything(store)
    engine = open_engine(store.location, 5.0)
    with pytest.raises(DBAPIError, match="only grows"), engine.begin() as connection:
        connection.execute(text(statement))
    engine.dispose()
    assert everything(store) == before


def test_a_register_that_holds_checks_is_not_migrated_away(url: str) -> None:
    with RunStore(url) as made:
        made.checks.record(PASSED)
    engine = open_engine(locate(url), 5.0)
    with pytest.raises(StoreError, match="no register of checks, and this one holds some"):
        migrate(engine, locate(url), "0003")
    engine.dispose()
    with RunStore(url) as again:
        assert again.checks.of("c0de") == (PASSED,)


def test_times_come_back_as_naive_times_of_utc(store: RunStore) -> None:
    store.checks.record(replace(PASSED, checked_at=NOW))
    (found,) = store.checks.of("c0de")
    assert found.checked_at == AT
