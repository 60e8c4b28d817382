"""The bar sources that the contract suite runs on: one factory each.

To add an adapter, write a factory and append `pytest.param(factory, id="name")` to FACTORIES, where the id is the source's
name in `source_registry.SOURCES`, with a dash and more words behind it for a second case.
A factory is a context manager over a fresh folder, so that it can start and stop a local server.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from gpt_trader.sources import BarRequest, BarSource


@dataclass(frozen=True, slots=True)
class SourceCase:
    """A source and what the suite may ask it for; dates are sessions that the source has bars for."""

    source: BarSource
    symbol: str
    start: str
    """A session with a bar, not the first one of the history."""
    end: str
    """A later session with a bar."""
    unknown: str = "NOSUCH1"
    """A symbol that the source does not have."""
    before: tuple[str, str] | None = None
    """A span in which the known symbol has no bar (before its first), or None when the source cannot tell."""
    adjustment: str = "raw"
    """What to ask for."""


BEFORE_SMALL = ("2019-01-02", "2019-06-28")
Factory = Callable[[Path], AbstractContextManager[SourceCase]]


def small_history(symbol_seed: int = 3, sessions: int = 60) -> pd.DataFrame:
    """A seeded daily history from 2020-01-02 with a split and a dividend, as a raw table."""
    from gpt_trader.adapters.synthetic import SyntheticSource

    request = BarRequest("SMALL", "1d", np.datetime64("2020-01-02"), np.datetime64("2020-12-31"))
    frame = SyntheticSource(seed=symbol_seed).fetch(request).frame.head(sessions).copy()
    frame.loc[30:, ["open", "high", "low", "close"]] /= 2.0
    frame.loc[30:, "volume"] *= 2.0
    frame.loc[30, "split"] = 2.0
    frame.loc[40, "dividend"] = 0.25
    return frame


@contextmanager
def demo(folder: Path) -> Iterator[SourceCase]:
    from gpt_trader.adapters.demo import DemoSource

    yield SourceCase(DemoSource(), "AAPL", "2004-12-31", "2005-03-31", before=("1999-01-04", "1999-06-30"))


@contextmanager
def synthetic(folder: Path) -> Iterator[SourceCase]:
    from gpt_trader.adapters.synthetic import SyntheticSource

    yield SourceCase(
        SyntheticSource(seed=7),
        "ABC",
        "2019-07-01",
        "2019-12-31",
        unknown="not a symbol",
        before=("1990-01-02", "1990-03-01"),
    )


@contextmanager
def csv_folder(folder: Path) -> Iterator[SourceCase]:
    from gpt_trader.adapters.csv_files import CsvFiles

    small_history().to_csv(folder / "SMALL.csv", index=False)
    small_history(4).to_csv(folder / "OTHER.csv", index=False)
    yield SourceCase(CsvFiles(folder), "SMALL", "2020-01-06", "2020-03-20", before=BEFORE_SMALL)


@contextmanager
def csv_long(folder: Path) -> Iterator[SourceCase]:
    from gpt_trader.adapters.csv_files import CsvFiles

    parts = [small_history().assign(Symbol="SMALL"), small_history(4).assign(Symbol="OTHER")]
    pd.concat(parts).rename(columns={"time": "Date"}).to_csv(folder / "long.csv", index=False)
    yield SourceCase(CsvFiles(folder / "long.csv"), "SMALL", "2020-01-06", "2020-03-20", before=BEFORE_SMALL)


@contextmanager
def parquet_folder(folder: Path) -> Iterator[SourceCase]:
    from gpt_trader.adapters.parquet_files import ParquetFiles

    small_history().to_parquet(folder / "SMALL.parquet", index=False)
    yield SourceCase(ParquetFiles(folder), "SMALL", "2020-01-06", "2020-03-20", before=BEFORE_SMALL)


@contextmanager
def parquet_long(folder: Path) -> Iterator[SourceCase]:
    from gpt_trader.adapters.parquet_files import ParquetFiles

    parts = [small_history().assign(ticker="SMALL"), small_history(4).assign(ticker="OTHER")]
    pd.concat(parts).to_parquet(folder / "long.parquet", index=False)
    source = ParquetFiles(folder / "long.parquet")
    yield SourceCase(source, "SMALL", "2020-01-06", "2020-03-20", before=BEFORE_SMALL)


@contextmanager
def cached(folder: Path) -> Iterator[SourceCase]:
    from gpt_trader.adapters.cache import CachedSource
    from gpt_trader.adapters.demo import DemoSource

    source = CachedSource(DemoSource(), folder)
    yield SourceCase(source, "AAPL", "2004-12-31", "2005-03-31", before=("1999-01-04", "1999-06-30"))


@contextmanager
def failover(folder: Path) -> Iterator[SourceCase]:
    from gpt_trader.adapters.demo import DemoSource
    from gpt_trader.adapters.failover import FailoverSource
    from gpt_trader.adapters.synthetic import SyntheticSource

    source = FailoverSource([DemoSource(), SyntheticSource(symbols=("ZZZ",))])
    yield SourceCase(source, "IBM", "2004-12-31", "2005-03-31", before=("1999-01-04", "1999-06-30"))


@contextmanager
def yahoo(folder: Path) -> Iterator[SourceCase]:
    from gpt_trader.adapters.yahoo import YahooSource
    from tests.contract.wire.listings import invented
    from tests.contract.wire.patience import policy_at
    from tests.contract.wire.yahoo import serve_yahoo

    with serve_yahoo(folder / "wire", {"ABC": invented()}, "2024-03-28") as wire:
        source = YahooSource(folder / "yahoo", policy_at(wire.now.timestamp()))
        yield SourceCase(source, "ABC", "2024-01-16", "2024-03-14", before=("2019-01-02", "2019-06-28"))


@contextmanager
def alpaca(folder: Path) -> Iterator[SourceCase]:
    from pydantic import SecretStr

    from gpt_trader.adapters.alpaca import AlpacaSource
    from tests.contract.wire.alpaca import KEY_ID, SECRET_KEY, serve_alpaca
    from tests.contract.wire.listings import invented
    from tests.contract.wire.patience import policy_at

    with serve_alpaca({"ABC": invented()}, "2024-03-28") as wire:
        policy = policy_at(wire.now.timestamp())
        source = AlpacaSource(SecretStr(KEY_ID), SecretStr(SECRET_KEY), policy=policy, url=wire.url)
        yield SourceCase(source, "ABC", "2024-01-16", "2024-03-14", before=("2019-01-02", "2019-06-28"))


FACTORIES = [
    pytest.param(demo, id="demo"),
    pytest.param(synthetic, id="synthetic"),
    pytest.param(csv_folder, id="csv-folder"),
    pytest.param(csv_long, id="csv-long"),
    pytest.param(parquet_folder, id="parquet-folder"),
    pytest.param(parquet_long, id="parquet-long"),
    pytest.param(cached, id="cached"),
    pytest.param(failover, id="failover"),
    pytest.param(yahoo, id="yahoo"),
    pytest.param(alpaca, id="alpaca"),
]
