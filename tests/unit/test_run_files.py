"""The files of a run: whole or absent, the same bytes for the same run, exact when read back."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import subprocess
import sys
from dataclasses import dataclass, replace
from datetime import date, datetime
from enum import Enum, StrEnum
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from pandas.testing import assert_frame_equal

from gpt_trader.adapters.canonical_json import canonical_json, iso_time
from gpt_trader.adapters.run_files import open_run, read_table, verify, write_run
from gpt_trader.adapters.run_tables import TABLES, as_frame, clean_table
from gpt_trader.adapters.store import StoreError
from gpt_trader.errors import UserError
from tests.stored_result import MadeColumns, make_result, with_id

MOMENT = datetime(2010, 1, 4, 9, 30)  # noqa: DTZ001 - naive UTC, as everywhere
ROOT = Path(__file__).resolve().parents[2]
NAMES = {f"{name}.parquet" for name in TABLES} | {"manifest.json", "result.json"}


def bytes_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


# -- what is written ---------------------------------------------------------------------------------------------


def test_a_run_has_one_file_a_table_and_two_of_json(tmp_path: Path) -> None:
    result = make_result()
    run = write_run(result, tmp_path / "new" / "runs")
    assert run.path == tmp_path / "new" / "runs" / result.run_id
    assert {path.name for path in run.path.iterdir()} == NAMES
    assert verify(run.path) == ()
    assert open_run(run.path) == run
    assert {name: file.rows for name, file in run.files.items()} == {
        "orders": 16, "fills": 16, "positions": 30, "closed_trades": 8, "equity": 60, "decisions": 16,
    }  # fmt: skip
    for name, file in run.files.items():
        assert file.sha256 == hashlib.sha256((run.path / f"{name}.parquet").read_bytes()).hexdigest()


def test_the_manifest_is_the_results_own_and_the_summary_its_outcome(tmp_path: Path) -> None:
    result = make_result()
    run = write_run(result, tmp_path)
    assert (run.path / "manifest.json").read_bytes() == canonical_json(result.manifest)
    summary = json.loads((run.path / "result.json").read_bytes())
    assert summary["run_id"] == result.run_id
    assert summary["strategy"] == "demo_ma"
    assert (summary["start"], summary["end"]) == ("2010-01-04", "2010-03-04")
    assert summary["metrics"]["sharpe"] == 1.25
    assert summary["metrics"]["expectancy"] is None
    assert summary["metrics"]["profit_factor"] == "Infinity"
    assert summary["warnings"] == list(result.warnings)
    assert summary["fingerprint"] == result.fingerprint


@pytest.mark.parametrize("name", TABLES)
def test_parquet_holds_the_very_values_with_typed_columns(tmp_path: Path, name: str) -> None:
    result = make_result(seed=1)
    run = write_run(result, tmp_path)
    table = pq.read_table(run.path / f"{name}.parquet")
    types = {"time": "timestamp[ns]", "text": "string", "integer": "int64", "number": "double"}
    assert {field.name: str(field.type) for field in table.schema} == {
        column: types[kind] for column, kind in TABLES[name].items()
    }
    assert not table.schema.metadata, "the file does not tell which library version wrote it"
    source = getattr(result, name)
    source = source.reset_index() if name == "equity" else source
    for column, kind in TABLES[name].items():
        got = (
            table.column(column).to_pylist()
            if kind == "text"
            else table.column(column).to_pandas().to_numpy()
        )
        wanted = source[column]
        if kind == "text":
            assert got == [None if pd.isna(value) else value for value in wanted]
        else:
            np.testing.assert_array_equal(np.asarray(got, float), wanted.to_numpy(float, na_value=np.nan))
    assert_frame_equal(
        read_table(run.path, name), as_frame(name, clean_table(name, source)), check_exact=True
    )


def test_arrays_and_frames_give_the_same_bytes(tmp_path: Path) -> None:
    made = make_result(seed=1)
    plain = MadeColumns(made)
    frames = write_run(made, tmp_path / "frames")
    columns = write_run(plain, tmp_path / "columns")
    assert plain.asked == list(TABLES)
    assert bytes_of(frames.path) == bytes_of(columns.path)


@pytest.mark.slow
def test_the_same_run_gives_the_same_bytes_in_another_process(tmp_path: Path) -> None:
    write_run(make_result(bars=3000, trades=100), tmp_path / "here")
    script = (
        "import sys; from pathlib import Path; from tests.stored_result import make_result;"
        "from gpt_trader.adapters.run_files import write_run;"
        "write_run(make_result(bars=3000, trades=100), Path(sys.argv[1]))"
    )
    environment = os.environ | {"PYTHONPATH": str(ROOT), "PYTHONHASHSEED": "7", "TZ": "Asia/Tokyo"}
    subprocess.run([sys.executable, "-c", script, tmp_path / "there"], env=environment, check=True)
    run_id = make_result().run_id
    assert bytes_of(tmp_path / "here" / run_id) == bytes_of(tmp_path / "there" / run_id)


def test_another_run_gives_other_bytes(tmp_path: Path) -> None:
    one = write_run(make_result(seed=1), tmp_path)
    two = write_run(make_result(seed=2), tmp_path)
    for name in TABLES.keys() - {"orders"}:
        assert one.files[name].sha256 != two.files[name].sha256


def test_kinds_of_cells_that_users_tables_hold() -> None:
    class Side(StrEnum):
        BUY = "buy"

    class Reason(Enum):
        STOP = "stop"

    made = clean_table(
        "fills",
        {
            "fill_id": np.array([1.0, np.nan, 3.0]),
            "order_id": [1, None, 3],
            "symbol": pd.Categorical(["A", "B", "A"]),
            "time": np.array(["2010-01-04", "NaT", "2010-01-05T09:30"], "M8[s]"),
            "side": np.array([Side.BUY, "sell", None], object),
            "quantity": np.array([1, 2, 3], np.int32),
            "price": pd.array([1.5, None, 2.5], dtype="Float64").to_numpy(float, na_value=np.nan),
            "commission": [0, 0, 0],
            "slippage": np.zeros(3, np.float32),
            "reason": np.array([Reason.STOP, np.nan, pd.NA], object),
        },
    )
    frame = as_frame("fills", made)
    assert frame["fill_id"].tolist() == [1, pd.NA, 3]
    assert made["order_id"].tolist() == [1, None, 3]
    assert frame["symbol"].tolist() == ["A", "B", "A"]
    assert frame["time"].isna().tolist() == [False, True, False]
    assert made["side"].tolist() == ["buy", "sell", None]
    assert made["reason"].tolist() == ["stop", None, None]
    assert frame["quantity"].dtype == "float64"
    assert [str(kind) for kind in frame.dtypes] == [
        "Int64", "Int64", "str", "datetime64[ns]", "str", "float64", "float64", "float64", "float64", "str",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"price": None}, r"missing \['price'\], unexpected none"),
        ({"colour": ["red"]}, r"missing none, unexpected \['colour'\]"),
        ({"fill_id": [1.5]}, "'fill_id' of table 'fills' is not of kind integer: it holds fractions"),
        ({"fill_id": ["F-1"]}, "'fill_id' of table 'fills' is not of kind integer"),
        ({"price": ["cheap"]}, "'price' of table 'fills' is not of kind number"),
        ({"time": ["2010-01-04"]}, "'time' of table 'fills' is not of kind time"),
        ({"time": pd.to_datetime(["2010-01-04"], utc=True)}, "'time' of table 'fills' is not of kind time"),
        ({"reason": ["a\0b"]}, "'reason' of table 'fills' is not of kind text: it holds a NUL"),
        ({"reason": ["\ud800"]}, "'reason' of table 'fills' is not of kind text"),
        ({"reason": ["one", "two"]}, "differ in length"),
    ],
)
def test_a_table_that_does_not_fit_is_refused_by_name(change: dict[str, Any], message: str) -> None:
    table: dict[str, Any] = {
        "fill_id": [1], "order_id": [1], "symbol": ["A"], "time": np.array(["2010-01-04"], "M8[ns]"), "side": ["buy"],
        "quantity": [1.0], "price": [1.0], "commission": [0.0], "slippage": [0.0], "reason": ["signal"],
    }  # fmt: skip
    clean_table("fills", table)
    for column, values in change.items():
        table.pop(column, None)
        if values is not None:
            table[column] = values
    with pytest.raises(StoreError, match=message):
        clean_table("fills", table)


# -- whole or absent ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("failing", [1, 3, 7, 8])
def test_a_failure_while_writing_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: int
) -> None:
    """The disk refuses the n-th flush: no folder appears, nothing is left, and the next try succeeds."""
    real, calls = os.fsync, 0

    def fsync(descriptor: int) -> None:
        nonlocal calls
        calls += 1
        if calls == failing:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises(StoreError, match=r"cannot write a run into .*No space left on device; free space"):
        write_run(make_result(), tmp_path)
    assert list(tmp_path.iterdir()) == []
    run = write_run(make_result(), tmp_path)
    assert verify(run.path) == ()


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="SIGKILL is POSIX")
@pytest.mark.parametrize("failing", [1, 5, 8, 9])
def test_a_kill_while_writing_leaves_no_half_run(tmp_path: Path, failing: int) -> None:
    script = f"""
import os, signal, sys
from pathlib import Path
from gpt_trader.adapters.run_files import write_run
from tests.contract.store_child import child_result

real, calls = os.fsync, 0
def fsync(descriptor):
    global calls
    calls += 1
    if calls == {failing}:
        os.kill(os.getpid(), signal.SIGKILL)
    real(descriptor)

os.fsync = fsync
write_run(child_result(0), Path(sys.argv[1]))
"""
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    child = subprocess.run(
        [sys.executable, "-c", script, tmp_path], env=environment, capture_output=True, check=False
    )
    assert child.returncode == -9, child.stderr.decode()
    assert [path.name for path in tmp_path.iterdir() if not path.name.startswith(".staging-")] == []
    left = list(tmp_path.glob(".staging-*"))
    assert len(left) == 1
    os.utime(left[0], (left[0].stat().st_atime, left[0].stat().st_mtime - 2 * 3600))
    run = write_run(make_result(), tmp_path)
    assert verify(run.path) == ()
    assert list(tmp_path.glob(".staging-*")) == [], "what a killed process left goes after an hour"


def test_a_staging_folder_of_another_process_at_work_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / ".staging-other").mkdir()
    write_run(make_result(), tmp_path)
    assert (tmp_path / ".staging-other").is_dir()


def test_a_complete_run_is_left_as_it_is(tmp_path: Path) -> None:
    run = write_run(make_result(), tmp_path)
    (run.path / "report.html").write_text("mine")
    before = {path: path.stat().st_mtime_ns for path in run.path.iterdir()}
    assert write_run(make_result(), tmp_path).files == run.files
    assert {path: path.stat().st_mtime_ns for path in run.path.iterdir()} == before


@pytest.mark.parametrize(
    ("damage", "found"),
    [
        (lambda folder: (folder / "fills.parquet").unlink(), "fills.parquet: absent"),
        (lambda folder: (folder / "manifest.json").unlink(), "manifest.json: absent"),
        (lambda folder: (folder / "fills.parquet").write_bytes(b"PAR1"), "fills.parquet: changed"),
        (lambda folder: (folder / "result.json").write_text("{"), "result.json is not the list"),
        (lambda folder: (folder / "result.json").write_text('{"files": {}}'), "table orders is not listed"),
        (lambda folder: (folder / "result.json").unlink(), "result.json is not the list"),
    ],
)
def test_a_damaged_run_is_found_and_replaced(tmp_path: Path, damage: Any, found: str) -> None:
    run = write_run(make_result(), tmp_path)
    whole = bytes_of(run.path)
    damage(run.path)
    assert any(found in line for line in verify(run.path)), verify(run.path)
    write_run(make_result(), tmp_path)
    assert bytes_of(run.path) == whole


class Slow:
    """A result during whose writing another process writes the same run."""

    def __init__(self, runs_dir: Path) -> None:
        self.made, self.runs_dir = make_result(), runs_dir

    def __getattr__(self, name: str) -> Any:
        return getattr(self.made, name)

    @property
    def warnings(self) -> tuple[str, ...]:
        write_run(self.made, self.runs_dir)
        return self.made.warnings


def test_another_process_that_was_faster_wins(tmp_path: Path) -> None:
    """The folder appears between our look and our rename: it stays, and ours goes."""
    run = write_run(Slow(tmp_path), tmp_path)
    before = run.path.stat().st_ino
    assert [path.name for path in tmp_path.iterdir()] == [run.path.name]
    assert verify(run.path) == ()
    assert write_run(make_result(), tmp_path).path.stat().st_ino == before


@pytest.mark.parametrize(
    "run_id", ["", "../evil", "a/b", "abc", "a" * 200, "-dash-first", ".staging-x", "C:\\x\\y\\z"]
)
def test_an_id_that_cannot_name_a_folder_is_refused(tmp_path: Path, run_id: str) -> None:
    made = replace(make_result(), run_id=run_id)
    with pytest.raises(StoreError, match="cannot name a folder"):
        write_run(made, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match=r"cannot write a run into .*file"):
        write_run(make_result(), tmp_path / "file")


def test_reading_what_is_not_there_or_damaged(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"cannot read .*equity.parquet"):
        read_table(tmp_path, "equity")
    (tmp_path / "equity.parquet").write_bytes(b"PAR1 not really PAR1")
    with pytest.raises(StoreError, match=r"cannot read .*equity.parquet"):
        read_table(tmp_path, "equity")
    run = write_run(with_id(make_result(), "another_run"), tmp_path)
    with pytest.raises(StoreError, match="was changed after its run was saved"):
        read_table(run.path, "equity", "00" * 32)
    assert len(read_table(run.path, "equity", run.files["equity"].sha256)) == 60


# -- canonical JSON ----------------------------------------------------------------------------------------------


def test_canonical_json_has_one_spelling() -> None:
    @dataclass(frozen=True)
    class Costs:
        bps: float

    class Mode(Enum):
        FAST = "fast"

    value = {
        "b": 1, "a": (1.0, np.float64(0.1), np.int64(3), np.bool_(True)), "ü": "Füße",
        "time": np.datetime64("2010-01-04"),
        "moment": MOMENT, "day": date(2010, 1, 4), "path": Path("a") / "b", "set": {"y", "x"},
        "costs": Costs(5.0), "mode": Mode.FAST, "none": None, "nan": float("nan"), "high": float("inf"), "low": -np.inf,
        "array": np.array([1, 2]), 3: "key",
    }  # fmt: skip
    text = canonical_json(value)
    assert (
        text
        == (
            '{"3":"key","a":[1.0,0.1,3,true],"array":[1,2],"b":1,"costs":{"bps":5.0},"day":"2010-01-04","high":"Infinity",'
            '"low":"-Infinity","mode":"fast","moment":"2010-01-04T09:30:00","nan":null,"none":null,"path":"a/b",'
            '"set":["x","y"],"time":"2010-01-04","ü":"Füße"}\n'
        ).encode()
    )
    assert canonical_json(dict(reversed(value.items()))) == text
    with pytest.raises(UserError, match="cannot write a function into a manifest"):
        canonical_json({"f": lambda: None})


_JSON = some.recursive(
    some.none()
    | some.booleans()
    | some.integers()
    | some.floats(allow_nan=False, allow_infinity=False)
    | some.text(),
    lambda inner: some.lists(inner) | some.dictionaries(some.text(), inner),
    max_leaves=20,
)


@pytest.mark.slow
@settings(deadline=None)
@given(_JSON)
def test_canonical_json_loses_nothing(value: Any) -> None:
    assert json.loads(canonical_json(value)) == value
    assert canonical_json(json.loads(canonical_json(value))) == canonical_json(value)


@pytest.mark.parametrize(
    ("moment", "text"),
    [
        ("2010-01-04", "2010-01-04"),
        (np.datetime64("2010-01-04T00:00:00.000000000"), "2010-01-04"),
        (MOMENT, "2010-01-04T09:30:00"),
        ("2010-01-04T09:30:00.25", "2010-01-04T09:30:00.250000"),
        (np.datetime64(1, "ns"), "1970-01-01T00:00:00.000000001"),
        (np.datetime64("NaT"), ""),
    ],
)
def test_times_are_as_short_as_they_can_be(moment: Any, text: str) -> None:
    assert iso_time(moment) == text
