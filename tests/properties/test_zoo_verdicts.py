"""What the check says of the zoo with its default options: every leak is found and named, no honest strategy is accused."""

from __future__ import annotations

from pathlib import Path

import pytest

from gpt_trader.check import CheckReport, check_strategy
from tests.properties.zoo import HONEST, LEAKS, Honest, Leak
from tests.properties.zoo.markets import FOLDER, market, write_prices


@pytest.fixture
def _files(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The folder of prepared price files, and a temporary folder of the test's own."""
    monkeypatch.setenv(FOLDER, str(tmp_path))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    entry = request.getfixturevalue("entry")
    if entry.files:
        write_prices(market(entry.data), tmp_path)


def verdict(entry: Leak | Honest) -> CheckReport:
    """The check's report on a fresh instance and the bars on which it acts."""
    return check_strategy(entry.strategy(), market(entry.data))


@pytest.mark.usefixtures("_files")
@pytest.mark.parametrize("entry", LEAKS, ids=lambda entry: entry.name)
def test_the_leak_is_found(entry: Leak) -> None:
    report = verdict(entry)
    assert report.causal is False
    named = [finding.subject for finding in report.findings if finding.test == "causal"]
    assert entry.subject in named


@pytest.mark.usefixtures("_files")
@pytest.mark.parametrize("entry", HONEST, ids=lambda entry: entry.name)
def test_the_honest_strategy_is_not_accused(entry: Honest) -> None:
    report = verdict(entry)
    assert [finding for finding in report.findings if finding.test == "causal"] == []
