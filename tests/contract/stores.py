"""What the tests of the store share: an empty store of either kind, and every row of a store."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from sqlalchemy import select

from gpt_trader.adapters.run_tables import as_frame, clean_table
from gpt_trader.adapters.store import RunStore
from gpt_trader.adapters.store.schema import metadata
from gpt_trader.adapters.store.sqlalchemy_engines import open_engine, reading
from tests.stored_result import MadeResult

ROOT = Path(__file__).resolve().parents[2]
NOW = datetime(2026, 3, 1, 12, 30, 15, 250_000, tzinfo=UTC)


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
