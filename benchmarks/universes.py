"""Files of whole markets for the benchmark of loading: seeded, ragged, as vendors deliver them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
LATE, LEFT, GAPS, ABROAD = 0.3, 0.2, 0.002, 0.05
MINUTES_A_DAY = 390


@dataclass(frozen=True, slots=True)
class Market:
    """`symbols` names over `bars` times, sessions of New York or, with `minutes`, their minutes.

    Of the symbols 30 % are listed late, 20 % leave early, 5 % keep other holidays, and 0.2 % of the bars are missing.
    """

    symbols: int
    bars: int
    minutes: bool = False
    seed: int = 8

    def names(self) -> list[str]:
        """AAAA, AAAB, … each of four letters."""
        letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
        return ["".join(letters[n // 26**place % 26] for place in (3, 2, 1, 0)) for n in range(self.symbols)]

    def times(self) -> NDArray[np.datetime64]:
        """(bars,) datetime64[s]: weekdays, or their minutes from 14:30 UTC."""
        count = -(-self.bars // MINUTES_A_DAY) if self.minutes else self.bars
        days = np.busday_offset("2004-01-05", np.arange(count), roll="forward").astype("datetime64[s]")
        if not self.minutes:
            return days
        clock = np.timedelta64(14 * 60 + 30, "m") + np.arange(MINUTES_A_DAY).astype("timedelta64[m]")
        return (days[:, None] + clock).reshape(-1)[: self.bars]

    def columns(self) -> Iterator[tuple[str, dict[str, NDArray[Any]]]]:
        """Each symbol with its own rows: time, prices of four decimals, volume."""
        times = self.times()
        for n, name in enumerate(self.names()):
            rng = np.random.default_rng([self.seed, n])
            rows = self._rows(rng, n)
            close = 40.0 * np.exp(np.cumsum(rng.normal(0.0002, 0.015, rows.size)))
            opened = np.append(close[0], close[:-1]) * (1.0 + rng.normal(0.0, 0.003, rows.size))
            high = np.maximum(opened, close) * (1.0 + rng.random(rows.size) * 0.01)
            low = np.minimum(opened, close) * (1.0 - rng.random(rows.size) * 0.01)
            prices = {"open": opened, "high": high, "low": low, "close": close}
            found: dict[str, NDArray[Any]] = {"time": times[rows]}
            found |= {key: np.round(np.maximum(values, 0.01), 4) for key, values in prices.items()}
            found["volume"] = rng.integers(1_000, 5_000_000, rows.size)
            yield name, found

    def _rows(self, rng: np.random.Generator, n: int) -> NDArray[np.intp]:
        first = int(rng.integers(1, self.bars // 2)) if rng.random() < LATE else 0
        last = int(rng.integers(self.bars * 3 // 4, self.bars)) if rng.random() < LEFT else self.bars
        keep = rng.random(last - first) >= GAPS
        if n % int(1 / ABROAD) == 1:
            keep &= np.arange(first, last) % 31 != 7
        return np.flatnonzero(keep) + first


def write_long_parquet(market: Market, path: Path, *, by_day: bool = False) -> int:
    """One long table, by symbol and time, or by time and symbol as it is collected day by day; the number of rows."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    if not by_day:
        rows, writer = 0, None
        for name, columns in market.columns():
            symbol = pa.DictionaryArray.from_arrays(np.zeros(columns["time"].size, np.int32), [name])
            table = pa.table({"symbol": symbol.cast(pa.string()), **_typed(market, columns)})
            writer = writer or pq.ParquetWriter(path, table.schema, compression="zstd")
            writer.write_table(table)
            rows += table.num_rows
        if writer is not None:
            writer.close()
        return rows
    names = market.names()
    parts = [columns for _, columns in market.columns()]
    code = np.repeat(np.arange(len(parts)), [part["time"].size for part in parts])
    whole = {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}
    order = np.lexsort((code, whole["time"]))
    symbol = pa.DictionaryArray.from_arrays(code[order].astype(np.int32), names)
    whole = {key: values[order] for key, values in whole.items()}
    table = pa.table({"symbol": symbol.cast(pa.string()), **_typed(market, whole)})
    pq.write_table(table, path, compression="zstd")
    return table.num_rows


def write_long_csv(market: Market, path: Path) -> int:
    """One long table as CSV; the number of rows."""
    import pyarrow as pa
    from pyarrow import csv

    rows = 0
    with path.open("wb") as file:
        for name, columns in market.columns():
            table = pa.table({"symbol": [name] * columns["time"].size, **_typed(market, columns)})
            csv.write_csv(table, file, csv.WriteOptions(include_header=rows == 0, quoting_style="none"))
            rows += table.num_rows
    return rows


def write_folder(market: Market, folder: Path, kind: str) -> int:
    """One file per symbol, `kind` csv or parquet; the number of rows."""
    import pyarrow as pa
    import pyarrow.parquet as pq
    from pyarrow import csv

    folder.mkdir()
    rows = 0
    for name, columns in market.columns():
        table = pa.table(_typed(market, columns))
        rows += table.num_rows
        if kind == "csv":
            csv.write_csv(table, folder / f"{name}.csv", csv.WriteOptions(quoting_style="none"))
        else:
            pq.write_table(table, folder / f"{name}.parquet", compression="zstd")
    return rows


def write_universe(market: Market, path: Path) -> None:
    """A universe file of every name, with sectors, a name in fifty that no file has, and a few lines that are none."""
    lines = ["symbol,sector"]
    for n, name in enumerate(market.names()):
        lines.append(f"{name},sector {n % 11}")
        if n % 50 == 49:
            lines.append(f"GONE{n},sector 0")
        if n % 1000 == 999:
            lines.append("not a symbol!,sector 0")
    path.write_text("\n".join(lines) + "\n")


def _typed(market: Market, columns: Mapping[str, NDArray[Any]]) -> dict[str, Any]:
    import pyarrow as pa

    time = pa.array(columns["time"], pa.timestamp("s"))
    time = time.cast(pa.timestamp("us")) if market.minutes else time.cast(pa.date32())
    named = {"time" if market.minutes else "date": time}
    return named | {key: pa.array(values) for key, values in columns.items() if key != "time"}


WRITERS: dict[str, tuple[str, str, Callable[[Market, Path], int]]] = {
    "one Parquet file": ("parquet", "all.parquet", write_long_parquet),
    "one Parquet file, by day": (
        "parquet",
        "by_day.parquet",
        lambda market, path: write_long_parquet(market, path, by_day=True),
    ),
    "folder of Parquet files": (
        "parquet",
        "parquet",
        lambda market, path: write_folder(market, path, "parquet"),
    ),
    "one CSV file": ("csv", "all.csv", write_long_csv),
    "folder of CSV files": ("csv", "csv", lambda market, path: write_folder(market, path, "csv")),
}
"""What the files look like: source, name, writer."""
