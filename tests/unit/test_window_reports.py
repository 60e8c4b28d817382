"""The pages of a walk-forward and of a cross-validation say what was found, show hostile text as text, and run no other script."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from gpt_trader.adapters.report.cross_validation import (
    render_cross_validation,
    write_cross_validation_report,
)
from gpt_trader.adapters.report.walk_forward import render_walk_forward, write_walk_forward_report
from gpt_trader.errors import BadParameter
from gpt_trader.research.cross_validation_study import CrossValidationResult
from gpt_trader.research.selection_bias import trial_statistics_of
from gpt_trader.research.walk_forward_study import WalkForwardResult
from tests.report_cases import Page
from tests.study_pages import HOSTILE, LENGTHS, crossed, walked

STATISTICS = trial_statistics_of(
    {"sharpe": 1.0, "skew": 0.0, "kurtosis": 3.0, "periods_per_year": 252.0}, 700
)
NOTES = [f"beware of {HOSTILE}"]


@pytest.fixture(scope="module")
def walk() -> WalkForwardResult:
    return walked()


@pytest.fixture(scope="module")
def cross() -> CrossValidationResult:
    return crossed()


def running(steps: list[int]) -> list[int]:
    return np.cumsum(steps).tolist()


def test_the_page_of_a_walk_forward_shows_every_window_as_it_was(walk: WalkForwardResult) -> None:
    page = Page(render_walk_forward(walk, "abc123", LENGTHS, STATISTICS, NOTES))
    data, windows = page.data, walk.windows
    assert len(data["windows"]) == len(windows)
    days = walk.result.time.astype("datetime64[D]").astype(int)
    for drawn, window in zip(data["windows"], windows, strict=True):
        start, stop = (row - walk.result.first for row in window.test)
        assert (drawn["from"], drawn["to"]) == (days[start], days[stop - 1])
        assert drawn["inside"] == pytest.approx(window.in_sample["sharpe"], rel=1e-4)
        assert drawn["outside"] == pytest.approx(window.out_of_sample["sharpe"], rel=1e-4)
        assert drawn["gain"] == pytest.approx(window.out_of_sample["total_return"], rel=1e-4)
        parameters = walk.parameters(window)
        assert drawn["label"] == f"{parameters['mode']} · {parameters['length']}"
    correlations = [drawn["correlation"] for drawn in data["windows"]]
    assert correlations[0] is None
    assert correlations[1:] == pytest.approx(walk.stability.rank_correlation, rel=1e-4)
    mode, length = data["axes"]
    assert mode["labels"] == ["long", HOSTILE]
    assert [mode["labels"][place] for place in mode["values"]] == [
        walk.parameters(w)["mode"] for w in windows
    ]
    assert length["labels"] is None
    assert length["values"] == [walk.parameters(w)["length"] for w in windows]
    assert (length["low"], length["high"]) == (5, 20)
    assert data["account"]["equity"][-1] == pytest.approx(walk.result.metrics["final_equity"])
    shows = [
        given for tag, given, _ in page.elements if tag == "button" and given.get("data-target") == "equity"
    ]
    assert [(int(given["data-from"]), int(given["data-to"])) for given in shows] == [
        (drawn["from"], drawn["to"]) for drawn in data["windows"]
    ]
    assert "rolling: train 100b, test 50b, step 50b" in page.find("dl", class_="facts")[0]
    assert "abc123" in page.find("footer")[0]
    assert any("The Sharpe ratio of 1.00" in text for text in page.find("section", id="luck"))
    assert f"Beware of {HOSTILE}" in page.find("li")


def test_the_page_of_a_cross_validation_shows_its_paths_and_splits(cross: CrossValidationResult) -> None:
    page = Page(render_cross_validation(cross, "abc123", STATISTICS))
    data = page.data
    assert data["sharpe"] == pytest.approx(np.sort(cross.path_sharpe), rel=1e-4)
    order = np.argsort(cross.path_sharpe, kind="stable")
    assert [number - 1 for number in data["fan"]["numbers"]] == order.tolist()
    for drawn, path in zip(data["fan"]["paths"], order, strict=True):
        assert drawn[-1] == pytest.approx(cross.equity[path, -1], rel=1e-5)
    assert data["fan"]["median"][-1] == pytest.approx(np.median(cross.equity[:, -1]), rel=1e-5)
    time = cross.study.experiment.bars.time.astype("datetime64[D]").astype(int)
    assert data["fan"]["folds"] == [time[start] for start, _ in cross.purged.splits.folds]
    assert running(data["fan"]["x"])[-1] == data["fan"]["end"] == time[-1]
    assert data["splits"]["inside"] == pytest.approx(cross.in_sample, rel=1e-4)
    assert data["splits"]["outside"] == pytest.approx(cross.out_of_sample, rel=1e-4)
    assert data["splits"]["folds"][0] == "1, 2"
    most = next(iter(cross.frequency))
    assert (
        data["splits"]["points"].count(
            f"mode {cross.study.points.parameters(most)['mode']} · length {cross.study.points.parameters(most)['length']}"
        )
        == cross.frequency[most]
    )
    assert "15: 2 of 6 folds tested" in page.find("dl", class_="facts")[0]
    assert "horizon 5b, embargo 8b" in page.find("dl", class_="facts")[0]


def test_only_the_scripts_of_the_page_run_and_hostile_text_stays_text(
    walk: WalkForwardResult, cross: CrossValidationResult
) -> None:
    pages = (
        render_walk_forward(walk, HOSTILE, LENGTHS, STATISTICS, NOTES),
        render_cross_validation(cross, HOSTILE, STATISTICS),
    )
    for text in pages:
        page = Page(text)
        policy = next(
            given["content"]
            for tag, given, _ in page.elements
            if tag == "meta" and "content" in given and "script-src" in given["content"]
        )
        scripts = [
            ("".join(own), given)
            for tag, given, own in page.elements
            if tag == "script" and "type" not in given
        ]
        assert len(scripts) == 2
        for script, _ in scripts:
            digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
            assert f"'sha256-{digest}'" in policy
        assert HOSTILE not in text
        assert HOSTILE in page.find("footer")[0]
        assert not [tag for tag, _, _ in page.elements if tag in ("img", "iframe", "object")]


def test_the_same_study_is_the_same_page(walk: WalkForwardResult, cross: CrossValidationResult) -> None:
    assert render_walk_forward(walk, "a", LENGTHS, STATISTICS, NOTES) == render_walk_forward(
        walk, "a", LENGTHS, STATISTICS, NOTES
    )
    assert render_cross_validation(cross, "a", STATISTICS) == render_cross_validation(cross, "a", STATISTICS)


def test_of_many_paths_some_are_drawn_from_the_worst_to_the_best(cross: CrossValidationResult) -> None:
    many = replace(cross, paths=np.repeat(cross.paths, 20, axis=0) * np.linspace(0.5, 1.5, 100)[:, None])
    data = Page(render_cross_validation(many, "a", STATISTICS)).data
    assert len(data["sharpe"]) == 100
    assert len(data["fan"]["paths"]) == 40
    sharpe = many.path_sharpe[[number - 1 for number in data["fan"]["numbers"]]]
    assert sharpe[0] == many.path_sharpe.min()
    assert sharpe[-1] == many.path_sharpe.max()
    assert (np.diff(sharpe) >= 0).all()


def test_pages_are_written_whole_or_not_at_all(
    walk: WalkForwardResult, cross: CrossValidationResult, tmp_path: Path
) -> None:
    one = write_walk_forward_report(walk, "a", LENGTHS, STATISTICS, NOTES, tmp_path / "new" / "walk.html")
    other = write_cross_validation_report(cross, "a", STATISTICS, tmp_path / "cv.html")
    assert one.read_text().endswith("</html>")
    assert other.read_text().endswith("</html>")
    with pytest.raises(BadParameter, match="is a folder"):
        write_walk_forward_report(walk, "a", LENGTHS, STATISTICS, NOTES, tmp_path)
    with pytest.raises(BadParameter, match="is a folder"):
        write_cross_validation_report(cross, "a", STATISTICS, tmp_path)
