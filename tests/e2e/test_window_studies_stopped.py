"""A walk-forward and a cross-validation that are interrupted: what was finished counts, and resume computes the rest."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest

from tests.e2e.command import one_message
from tests.e2e.studies import IN_A_CHUNK, SYMBOLS, Place

POINTS = 3_000
COMMON = (
    "moody.py", "--param", f"x=1:{POINTS}", "--param", f"at={IN_A_CHUNK + 1}", "--param", "mood=meet", "--param", "folder=.",
    "--source", "synthetic", "--symbols", SYMBOLS, "--start", "2004-01-01", "--end", "2012-12-31", "--gross", "1", "--json",
)  # fmt: skip
STUDIES = {
    "walkforward": ("walkforward", *COMMON, "--train", "4y", "--test", "2y"),
    "cv": ("cv", *COMMON, "--folds", "4", "--test-folds", "1", "--horizon", "5b"),
}


@pytest.mark.parametrize("kind", STUDIES)
def test_what_was_finished_counts_and_resume_computes_the_rest(kind: str, tmp_path: Path) -> None:
    place = Place.in_folder(tmp_path / "stopped")
    process = place.start(*STUDIES[kind])
    place.wait_for_the_meeting(process)
    process.send_signal(signal.SIGINT)
    study = place.end(process)
    assert "resume with: gpt-trader runs resume" in one_message(study, 130)
    finished = len(place.chunks())
    assert finished == 1
    (counted,) = json.loads(place.run("trials", "list", "--json").out)["sets"]
    assert counted["kinds"] == {kind: IN_A_CHUNK}

    place.go()
    before = place.chunks()
    resumed = place.run("runs", "resume", "last")
    assert resumed.code == 0, resumed.err
    assert {name: place.chunks()[name] for name in before} == before
    (counted,) = json.loads(place.run("trials", "list", "--json").out)["sets"]
    runs = {"walkforward": POINTS * 2 + 1, "cv": POINTS}[kind]
    assert counted["kinds"] == {kind: runs}

    undisturbed = Place.in_folder(tmp_path / "undisturbed")
    undisturbed.go()
    done = undisturbed.run(*STUDIES[kind])
    told, again = json.loads(done.out), json.loads(resumed.out)
    # The ledger adds up its batches, which are cut where the study was stopped: the last digit may be another one.
    assert told.pop("dsr") == pytest.approx(again.pop("dsr"), rel=1e-9)
    for name in ("folder", "statistics", "dsr_effective"):
        del told[name], again[name]
    assert told == again
    assert undisturbed.results()["points.parquet"] == place.results()["points.parquet"]
