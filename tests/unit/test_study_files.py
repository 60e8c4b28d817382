"""The folder of a study: a record that is whole, one driver at a time, and a status that tells a dead one."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from gpt_trader.adapters.store.errors import StoreError
from gpt_trader.adapters.study_files import StudyFolder, StudyRecord, find_study, studies_in
from gpt_trader.errors import UnknownName, UserError

ROOT = Path(__file__).resolve().parents[2]
RECORD = StudyRecord(
    study_id="a1b2", kind="sweep", status="running", command=("sweep", "demo_ma", "--param", "fast=1:9"), directory="/tmp",
    version="1", created_at="2026-01-02T03:04:05+00:00", updated_at="2026-01-02T03:04:06+00:00",
    failures=({"chunk": 3, "error": "hung"},), progress={"points": 9}, job={"id": "x"},
)  # fmt: skip
HOLDER = """import sys, time
from pathlib import Path
from gpt_trader.adapters.study_files import StudyFolder
with StudyFolder(Path(sys.argv[1])).held():
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_record_is_read_as_it_was_written_and_by_this_user_only(tmp_path: Path) -> None:
    folder = StudyFolder(tmp_path / "a1b2")
    folder.write(RECORD)
    assert folder.read() == RECORD
    assert (tmp_path / "a1b2" / "study.json").stat().st_mode & 0o777 == 0o600
    folder.write(replace(RECORD, status="finished"))
    assert folder.read().status == "finished"
    assert sorted(path.name for path in (tmp_path / "a1b2").iterdir()) == ["study.json"]


@pytest.mark.parametrize("damage", ["", "{", "[1]", '{"study_id": "a"}'])
def test_a_damaged_record_is_said_and_not_listed(damage: str, tmp_path: Path) -> None:
    folder = StudyFolder(tmp_path / "a1b2")
    folder.write(RECORD)
    (folder.path / "study.json").write_text(damage)
    with pytest.raises(StoreError, match="is not the record of a study"):
        folder.read()
    assert studies_in(tmp_path) == []
    assert folder.status_now() is None


def test_a_record_of_a_later_version_with_more_in_it_is_read(tmp_path: Path) -> None:
    folder = StudyFolder(tmp_path / "a1b2")
    folder.write(RECORD)
    file = folder.path / "study.json"
    file.write_text(file.read_text().replace('{"about"', '{"of_a_later_version":1,"about"'))
    assert folder.read() == RECORD


def test_one_process_works_on_a_study_at_a_time_and_its_death_is_seen(tmp_path: Path) -> None:
    folder = StudyFolder(tmp_path / "a1b2")
    folder.write(RECORD)
    assert folder.status(RECORD) == "interrupted"
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(folder.path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    assert folder.is_held()
    assert folder.status_now() == "running"
    waited: list[float] = []
    with pytest.raises(UserError, match="study a1b2 is running already"), folder.held(waited.append):
        pytest.fail("two at a time")
    assert sum(waited) == pytest.approx(2.0)
    holder.kill()
    holder.communicate()
    assert folder.status_now() == "interrupted"
    with folder.held():
        assert folder.is_held()
    folder.ask_to_stop()
    assert folder.status_now() == "cancelled"
    folder.forget_request()
    folder.forget_request()
    assert not folder.is_asked_to_stop()


def test_a_study_is_found_by_the_beginning_of_its_id(tmp_path: Path) -> None:
    for name, made in (("a1b2", "2026-01-02"), ("a1c3", "2026-01-03"), ("b4d5", "2026-01-01")):
        StudyFolder(tmp_path / name).write(
            replace(RECORD, study_id=name, created_at=f"{made}T00:00:00+00:00")
        )
    assert [record.study_id for _, record in studies_in(tmp_path)] == ["a1c3", "a1b2", "b4d5"]
    assert find_study(tmp_path, "b")[1].study_id == "b4d5"
    assert find_study(tmp_path, "last")[0].path == tmp_path / "a1c3"
    with pytest.raises(UserError, match="'a1' is the beginning of several studies: a1c3, a1b2"):
        find_study(tmp_path, "a1")
    with pytest.raises(UnknownName, match=r"unknown study in .* 'a1b3'\. Did you mean 'a1"):
        find_study(tmp_path, "a1b3")
    with pytest.raises(UnknownName):
        find_study(tmp_path / "nowhere", "last")
