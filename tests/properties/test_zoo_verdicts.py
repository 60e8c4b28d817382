"""What the check says of the zoo: with default options every leak is found and named, no honest strategy is accused."""

from __future__ import annotations

from pathlib import Path

import pytest

from gpt_trader.check import CheckReport, check_strategy
from gpt_trader.checking.check_report import CAUSAL, FAIL, OK, REPEAT, ROWS, WARNING
from tests.properties.zoo import HONEST, LEAKS, Honest, Leak
from tests.properties.zoo.markets import FOLDER, market, write_prices

pytestmark = pytest.mark.slow
METHODS = {"import", "__init__", "features", "decide", "declared_exits"}
HONEST_SAMPLES = (
    40  # bars of an honest strategy: the default goes on for twenty seconds where nothing is found
)


@pytest.fixture
def _files(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The folder of prepared price files, and a temporary folder of the test's own."""
    monkeypatch.setenv(FOLDER, str(tmp_path))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    entry = request.getfixturevalue("entry")
    if entry.files:
        write_prices(market(entry.data), tmp_path)


def verdict(entry: Leak | Honest, samples: int | None = None) -> CheckReport:
    """The check's report on a fresh instance and the bars on which it acts."""
    return check_strategy(entry.strategy(), market(entry.data), samples)


@pytest.mark.usefixtures("_files")
@pytest.mark.parametrize("entry", LEAKS, ids=lambda entry: entry.name)
def test_the_leak_is_found(entry: Leak) -> None:
    report = verdict(entry)
    assert report.causal is False
    named = {item.subject for item in report.findings if item.test == CAUSAL}
    assert (
        entry.subject in named or (named & METHODS and entry.shown_by == "file") or "declared_exits" in named
    )


@pytest.mark.usefixtures("_files")
@pytest.mark.parametrize("entry", HONEST, ids=lambda entry: entry.name)
def test_the_honest_strategy_is_not_accused(entry: Honest) -> None:
    report = verdict(entry, HONEST_SAMPLES)
    assert [item for item in report.findings if item.test in (CAUSAL, ROWS)] == []
    said = report.state(REPEAT) == FAIL, _worst(report)
    allowed = {
        "ok": [(False, OK)],
        "warning": [(False, WARNING)],
        "random": [(True, FAIL)],
        "reads file": [(False, WARNING)],
        "ok or warning": [(False, OK), (False, WARNING)],
        "ok or random": [(False, OK), (True, FAIL)],
        "ok or reads file": [(False, OK), (False, WARNING)],
    }
    assert said in allowed[entry.expected], report
    if entry.expected == "reads file":
        assert any("reads" in item.message for item in report.warnings)


def _worst(report: CheckReport) -> str:
    return FAIL if report.findings else WARNING if report.warnings else OK
