"""The files of a study: what was written is read back, equal values are equal bytes, and nothing half-written stays."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from gpt_trader.adapters.store.errors import StoreError
from gpt_trader.adapters.study_tables import write_study

TABLES = {
    "windows": {"window": [1, 2], "sharpe": np.array([0.5, np.nan])},
    "equity": {
        "time": np.array(["2020-01-02", "2020-01-03"], "datetime64[ns]"),
        "equity": np.array([1.0, 2.0]),
    },
}


def test_tables_and_result_are_read_back_and_written_alike(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_study(tmp_path / "new" / name, {"z": float("nan"), "a": np.float64(1.5)}, TABLES)
    one, other = tmp_path / "new" / "a", tmp_path / "new" / "b"
    assert sorted(path.name for path in one.iterdir()) == ["equity.parquet", "result.json", "windows.parquet"]
    for path in one.iterdir():
        assert path.read_bytes() == (other / path.name).read_bytes()
    assert json.loads((one / "result.json").read_text()) == {"a": 1.5, "z": None}
    table = pq.read_table(one / "equity.parquet")
    assert table["time"].type == pa.timestamp("ns")
    np.testing.assert_array_equal(table["equity"].to_numpy(), [1.0, 2.0])
    write_study(one, {"again": True}, {"windows": TABLES["equity"]})
    assert pq.read_table(one / "windows.parquet").column_names == ["time", "equity"]


def test_a_disk_that_refuses_is_said_and_leaves_nothing_half_written(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    (folder / "windows.parquet").mkdir(parents=True)  # a folder is in the way
    with pytest.raises(
        StoreError, match=r"cannot write the result of the study into .*run: .*; free space or choose another"
    ):
        write_study(folder, {}, TABLES)
    assert [path.name for path in folder.iterdir()] == ["windows.parquet"]
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="what was computed is kept"):
        write_study(tmp_path / "file", {}, TABLES)
