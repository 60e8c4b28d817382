"""The zoo itself: its tables are consistent, and each of its strategies runs in a backtest on its data."""

from __future__ import annotations

import inspect
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from gpt_trader import backtest
from gpt_trader.checking.isolation import Processes
from tests.properties.zoo import HONEST, LEAKS, UNDETECTABLE, Honest, Leak
from tests.properties.zoo.markets import FOLDER, MARKETS, market, write_prices
from tests.properties.zoo.table import EXPECTED

ALL: list[Leak | Honest] = [*LEAKS, *UNDETECTABLE, *HONEST]


def test_the_tables_are_large_and_of_many_kinds() -> None:
    assert len(LEAKS) >= 90
    assert len({entry.kind for entry in LEAKS}) >= 30
    assert len(HONEST) >= 45
    assert {entry.expected for entry in HONEST} == set(EXPECTED)


def test_names_are_unique_and_data_known() -> None:
    names = [entry.name for entry in ALL]
    assert len(names) == len(set(names))
    assert {entry.data for entry in ALL} <= set(MARKETS)


def test_every_strategy_says_in_one_line_what_it_does() -> None:
    for entry in ALL:
        text = inspect.getdoc(entry.strategy) or ""
        assert len(text.splitlines()) == 1, entry.name
        assert not text.startswith(entry.strategy.__name__ + "("), entry.name


@pytest.mark.parametrize("entry", ALL, ids=lambda entry: entry.name)
def test_it_runs_on_its_data(entry: Leak | Honest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bars = market(entry.data)
    monkeypatch.setenv(FOLDER, str(tmp_path))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    if entry.files:
        write_prices(bars, tmp_path)
    kept = dict(os.environ)
    try:
        count = Processes().run(lambda: len(backtest(entry.strategy(), bars, benchmark=False).equity))
    finally:
        for name in set(os.environ) - set(kept):
            del os.environ[name]
    assert count == bars.T


def moves(entries: list[Leak] | list[Honest], where: Path) -> dict[str, int | None]:
    """By name, a bar at which the strategy's answers move when later bars are cut off; see `zoo.acts`."""
    write_prices(market("daily"), where)
    names = [entry.name for entry in entries]
    ran = subprocess.run(
        [sys.executable, "-m", "tests.properties.zoo.acts", *names],
        cwd=Path(__file__).parents[2],
        env=os.environ | {FOLDER: str(where)},
        capture_output=True,
        text=True,
        check=True,
    )
    return dict(json.loads(line) for line in ran.stdout.splitlines())


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_every_leak_acts_on_its_data(tmp_path: Path) -> None:
    found = moves([entry for entry in LEAKS if entry.shown_by == "answers"], tmp_path)
    assert [name for name, bar in found.items() if bar is None] == []


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_no_honest_strategy_moves_but_random_ones(tmp_path: Path) -> None:
    found = moves(list(HONEST), tmp_path)
    moving = {name for name, bar in found.items() if bar is not None}
    assert moving == {entry.name for entry in HONEST if entry.expected == "random"}
