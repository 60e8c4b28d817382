"""Modules that lie beside a strategy's file: found from anywhere, each strategy its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from gpt_trader.strategies import load_strategy
from gpt_trader.strategy_code import code_hash, companions

STRATEGY = """
from dataclasses import dataclass
import numpy as np
from gpt_trader import Strategy
from beside_helper import LEVEL
from beside_package.deep import DEPTH

@dataclass(frozen=True)
class Idea(Strategy):
    level = LEVEL
    depth = DEPTH
    def decide(self, now):
        return np.where(now.close > self.level, 1.0, 0.0)
"""


def write(folder: Path, level: int) -> str:
    """A strategy whose modules say `level`; its path."""
    (folder / "beside_package").mkdir(parents=True)
    (folder / "idea.py").write_text(STRATEGY)
    (folder / "beside_helper.py").write_text(f"LEVEL = {level}\n")
    (folder / "beside_package" / "__init__.py").write_text("")
    (folder / "beside_package" / "deep.py").write_text(f"DEPTH = {level}\n")
    return str(folder / "idea.py")


@pytest.fixture(autouse=True)
def as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setattr(sys, "modules", sys.modules.copy())


def test_two_strategies_have_each_its_own_module_of_one_name(tmp_path: Path) -> None:
    one, two = load_strategy(write(tmp_path / "one", 1)), load_strategy(write(tmp_path / "two", 2))
    assert (one.level, one.depth, two.level, two.depth) == (1, 1, 2, 2)  # type: ignore[attr-defined]
    assert code_hash(one) != code_hash(two)
    assert "LEVEL = 1\n" in {file.text for file in companions(one)}
    assert "LEVEL = 2\n" in {file.text for file in companions(two)}


def test_pythons_own_modules_are_not_shadowed_and_installed_ones_are(tmp_path: Path) -> None:
    path = write(tmp_path / "three", 3)
    load_strategy(path)
    at = sys.path.index(str(tmp_path / "three"))
    installed = [number for number, place in enumerate(sys.path) if place.endswith("site-packages")]
    own = next(
        number for number, place in enumerate(sys.path) if place.endswith(f"python3.{sys.version_info.minor}")
    )
    assert own < at < min(installed)
    load_strategy(path)
    assert sys.path.count(str(tmp_path / "three")) == 1


@pytest.mark.slow
def test_a_command_finds_them_whatever_folder_it_is_run_from(tmp_path: Path) -> None:
    path = write(tmp_path / "four", 4)
    command = [
        sys.executable,
        "-m",
        "jobs.cli",
        "backtest",
        path,
        "--symbols",
        "AAPL",
        "--runs-dir",
        str(tmp_path / "runs"),
    ]
    done = subprocess.run([*command, "--quiet"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
