"""The store of runs: what is saved comes back, on an SQLite file and on a real PostgreSQL."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal
from sqlalchemy import select

from gpt_trader.adapters.run_files import read_table, write_run
from gpt_trader.adapters.run_tables import TABLES
from gpt_trader.adapters.store import RunStore, StoreError
from gpt_trader.adapters.store.schema import metadata
from gpt_trader.adapters.store.sqlalchemy_engines import open_engine
from gpt_trader.errors import UnknownName, UserError
from tests.contract.postgres import postgres_server
from tests.contract.stores import NOW, everything, expected, store, url
from tests.stored_result import MadeColumns, make_result, with_id

__all__ = ["postgres_server", "store", "url"]


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


def test_a_store_is_there_once_something_was_asked_of_it(store: RunStore) -> None:
    assert not store.exists()
    assert not store.exists(), "asking made it"
    assert store.runs().empty
    assert store.exists()


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
    if isinstance(result, MadeColumns):
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
    with pytest.raises(UnknownName, match=r"unknown run 'abc'. Known: none"):
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
