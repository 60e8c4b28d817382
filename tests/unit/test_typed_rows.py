"""Reading files as typed columns gives what reading them cell by cell gives: bars, notes, defects, changes and errors."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from gpt_trader.adapters.bar_files import TableFiles
from gpt_trader.adapters.csv_files import CsvFiles
from gpt_trader.adapters.loader import load
from gpt_trader.adapters.parquet_files import ParquetFiles
from gpt_trader.errors import GptTraderError
from gpt_trader.sources import BarRequest
from tests.awkward_files import (
    BBB,
    CLOCK_CASES,
    FOLDER_CASES,
    HEADER,
    LONG,
    LONG_CASES,
    PARQUET_CASES,
    ROWS,
    write_csv,
    write_parquet,
)

pytestmark = pytest.mark.slow  # some hundred and fifty files, each read in both ways

MODES_ASKED: list[dict[str, Any]] = [
    {"quality": "strict"},
    {"quality": "repair", "skip_missing": True},
    {"quality": "off", "skip_missing": True, "start": "2020-01-03", "end": "2020-01-06"},
]
CONVERTED: list[dict[str, Any]] = [
    {"start": "2021-01-01", "skip_missing": True},
    {"adjustment": "all", "quality": "repair", "skip_missing": True},
    {"timeframe": "1w", "skip_missing": True},
    {"timeframe": "1m", "skip_missing": True},
]
CONVERTED_CASES = (
    "plain",
    "split",
    "adjusted close",
    "bad dividend",
    "minutes",
    "offsets",
    "by day",
    "a split",
)


class CsvCells(CsvFiles):
    """CSV files read by pandas."""

    def _typed(self, path: Path) -> None:
        """Never."""


class ParquetCells(ParquetFiles):
    """Parquet files read by pandas."""

    def _typed(self, path: Path) -> None:
        """Never."""


def outcome(source: TableFiles, symbols: list[str], **asked: Any) -> Any:
    """All that a caller can see of what was loaded, or of the error."""
    try:
        loaded = load(symbols, source=source, **asked)
    except GptTraderError as error:
        return type(error), str(error)
    bars = loaded.bars
    return (
        (bars.symbols, bars.sources, bars.adjustment, bars.timeframe, bars.notes),
        (bars.time.tobytes(), bars.panel.tobytes(), bars.fingerprint()),
        (loaded.defects, loaded.changes, loaded.skipped, loaded.notes),
    )


def assert_same(typed: TableFiles, cells: TableFiles, symbols: list[str], case: str = "") -> None:
    """Both readers give the same in every mode, and for some cases for every kind of request."""
    for asked in (*MODES_ASKED, *(CONVERTED if case in CONVERTED_CASES else ())):
        assert outcome(typed, symbols, **asked) == outcome(cells, symbols, **asked), asked


@pytest.mark.filterwarnings("ignore:Length of header")  # pandas, of a comma at the end of each line
@pytest.mark.parametrize(
    ("case", "zone"),
    [*((case, None) for case in FOLDER_CASES), *((case, "America/New_York") for case in CLOCK_CASES)],
)
def test_a_folder_of_csv_files(tmp_path: Path, case: str, zone: str | None) -> None:
    write_csv(tmp_path / "ccc.csv", FOLDER_CASES[case])
    write_csv(tmp_path / "DDD.csv.gz", FOLDER_CASES["plain"])
    readers = CsvFiles(tmp_path, timezone=zone), CsvCells(tmp_path, timezone=zone)
    assert_same(*readers, ["DDD", "ccc", "EEE"], case)
    assert outcome(readers[0], ["CCC"]) == outcome(readers[1], ["CCC"])
    assert readers[0].symbols() == readers[1].symbols()


@pytest.mark.parametrize("name", ["all.csv", "all.csv.gz"])
@pytest.mark.parametrize("case", LONG_CASES)
def test_one_long_csv_file(tmp_path: Path, case: str, name: str) -> None:
    path = write_csv(tmp_path / name, LONG_CASES[case])
    typed, cells = CsvFiles(path), CsvCells(path)
    assert_same(typed, cells, ["AAA", "BBB", "ZZZ"], case)
    assert outcome(typed, ["BBB"]) == outcome(cells, ["BBB"])


@pytest.mark.parametrize("zone", [None, "America/New_York"])
@pytest.mark.parametrize("case", PARQUET_CASES)
def test_one_long_parquet_file(tmp_path: Path, case: str, zone: str | None) -> None:
    path = write_parquet(tmp_path / "all.parquet", PARQUET_CASES[case]())
    typed, cells = ParquetFiles(path, timezone=zone), ParquetCells(path, timezone=zone)
    assert_same(typed, cells, ["AAA", "BBB", "600518", "ZZZ"], case)
    assert outcome(typed, ["BBB"]) == outcome(cells, ["BBB"])


@pytest.mark.parametrize("runs", [2, 40])
def test_names_without_rows_do_not_hide_that_rows_are_mixed(tmp_path: Path, runs: int) -> None:
    rows = pd.DataFrame({
        "symbol": pd.Categorical(["A", "B"] * runs, categories=[*"ABCD", *(f"X{n}" for n in range(60))]),
        "date": np.repeat(pd.date_range("2024-01-01", periods=runs), 2),
        "open": 1.0, "high": 1.0, "low": 1.0, "close": 1.0, "volume": 1.0,
    })  # fmt: skip
    rows.to_parquet(tmp_path / "mixed.parquet")
    assert load(["A", "B"], source=ParquetFiles(tmp_path / "mixed.parquet")).bars.present.sum() == 2 * runs


def test_a_damaged_file_is_refused_in_the_same_words(tmp_path: Path) -> None:
    (tmp_path / "AAA.parquet").write_bytes(b"PAR1 no more")
    (tmp_path / "AAA.csv").write_bytes(b"date,close\n2020-01-02,\xe4\xff\n")
    assert_same(ParquetFiles(tmp_path), ParquetCells(tmp_path), ["AAA"])
    assert_same(CsvFiles(tmp_path), CsvCells(tmp_path), ["AAA"])


def test_what_most_files_are_is_read_as_typed_columns(tmp_path: Path) -> None:
    write_csv(tmp_path / "AAA.csv", [HEADER, *ROWS])
    long = write_csv(tmp_path / "long.txt", LONG_CASES["by day"])
    table = write_parquet(tmp_path / "all.parquet", PARQUET_CASES["plain"]())
    for source in (CsvFiles(tmp_path), CsvFiles(long), ParquetFiles(table)):
        found = source.fetch_arrays(BarRequest("AAA"))
        assert found is not None, source
        np.testing.assert_array_equal(found.columns["close"], [11.0, 12.0, 13.0, 12.5])


def test_symbols_are_text_so_that_zeros_stay_and_na_is_a_ticker(tmp_path: Path) -> None:
    names = ["000001", "NA", "NAN", "NULL", "TRUE"]
    rows = [f"{name},{row}" for name in names for row in ROWS]
    path = write_csv(tmp_path / "all.csv", [LONG, *rows])
    for reader in (CsvFiles, CsvCells):
        assert reader(path).symbols() == tuple(names)
        assert load(names, source=reader(path)).bars.N == 5
    path = write_csv(tmp_path / "numbers.csv", [LONG, *(f"000001,{row}" for row in ROWS)])
    for reader in (CsvFiles, CsvCells):
        assert reader(path).symbols() == ("000001",)


def test_a_folder_that_grows_is_listed_anew(tmp_path: Path) -> None:
    write_csv(tmp_path / "AAA.csv", [HEADER, *ROWS])
    source = CsvFiles(tmp_path)
    assert source.symbols() == ("AAA",)
    write_csv(tmp_path / "BBB.csv", [HEADER, *ROWS])
    assert source.symbols() == ("AAA", "BBB")


def test_csv_and_parquet_of_the_same_floats_have_the_same_fingerprint(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    days = np.busday_offset("2020-01-02", np.arange(500), roll="forward").astype("datetime64[ns]")
    close = 100.0 + rng.random(500)
    import pandas as pd

    frame = pd.DataFrame({"symbol": "AAA", "date": days, "open": close, "high": close + rng.random(500)})
    frame = frame.assign(low=close - rng.random(500), close=close, volume=rng.integers(1, 10**12, 500))
    frame.to_csv(tmp_path / "all.csv", index=False)
    frame.to_parquet(tmp_path / "all.parquet")
    found = [
        load(["AAA"], source=reader(tmp_path / name)).bars.fingerprint()
        for reader, name in (
            (CsvFiles, "all.csv"),
            (CsvCells, "all.csv"),
            (ParquetFiles, "all.parquet"),
            (ParquetCells, "all.parquet"),
        )
    ]
    assert found == [found[0]] * 4


def test_a_note_of_many_symbols_is_one_line(tmp_path: Path) -> None:
    lines = [LONG + ",adj close", *(f"S{n:03d}{row[3:]},10" for n in range(30) for row in BBB)]
    path = write_csv(tmp_path / "all.csv", lines)
    wanted = [f"S{n:03d}" for n in range(60)]
    loaded = load(wanted, source=CsvFiles(path), skip_missing=True)
    assert len(loaded.skipped) == 30
    assert len(loaded.bars.notes) < 8
    assert any(line.startswith("30 symbols: the adjusted close") for line in loaded.bars.notes)
    assert any("more symbols are left out: S0" in line for line in loaded.bars.notes)
