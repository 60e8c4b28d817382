"""The manifest's hash of a strategy's code moves with everything the strategy's own files say, and with nothing else."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from gpt_trader import backtest, load_bars
from gpt_trader.strategies import SHIPPED, load_strategy
from gpt_trader.strategy_code import code_hash

BASE = """from dataclasses import dataclass
from gpt_trader import Strategy

@dataclass(frozen=True)
class Base(Strategy):
    def decide(self, now):
        return self.share(now)

    def share(self, now):
        return 0.5
"""
MINE = """from dataclasses import dataclass
from gpt_trader import Strategy
{extra}
LEVEL = {level}

def helper(close):
    return close > LEVEL

@dataclass(frozen=True)
class Mine({base}):
    def decide(self, now):
        return helper(now.close) * 0.5
"""


def hash_of(folder: Path, name: str = "mine.py", **words: object) -> str:
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(MINE.format(**({"extra": "", "level": 10, "base": "Strategy"} | words)))
    return code_hash(load_strategy(f"{path}:Mine"))


def test_a_changed_helper_or_constant_changes_the_hash(tmp_path: Path) -> None:
    first = hash_of(tmp_path / "a")
    assert hash_of(tmp_path / "b") == first
    assert hash_of(tmp_path / "a", level=11) != first
    assert hash_of(tmp_path / "a") == first


def test_the_manifest_and_the_run_id_move_with_a_helper(tmp_path: Path) -> None:
    bars = load_bars(["AAPL"], start="2008-01-01", end="2008-03-31")
    ids = []
    for level in (10, 10, 11):
        folder = tmp_path / str(len(ids))
        hash_of(folder, level=level)
        ids.append(backtest(load_strategy(str(folder / "mine.py"))(), bars).run_id)
    assert ids[0] == ids[1] != ids[2]


@pytest.mark.parametrize("changed", ["return 0.4", "return 0.5  # said anew"])
def test_a_changed_base_class_in_another_file_changes_the_hash(
    changed: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    extra = {"extra": "from base_of_mine import Base", "base": "Base"}
    base = tmp_path / "base_of_mine.py"
    found = []
    for text in (BASE, BASE.replace("return 0.5", changed), BASE):
        base.write_text(text)
        sys.modules.pop("base_of_mine", None)
        importlib.invalidate_caches()
        found.append(hash_of(tmp_path, **extra))
    monkeypatch.delitem(sys.modules, "base_of_mine")
    assert found[0] == found[2] != found[1]


def test_a_file_that_is_edited_after_it_was_loaded_keeps_its_hash(tmp_path: Path) -> None:
    hash_of(tmp_path)
    strategy = load_strategy(str(tmp_path / "mine.py"))
    first = code_hash(strategy)
    (tmp_path / "mine.py").write_text("# gone")
    assert code_hash(strategy) == first


def test_the_shipped_strategies_have_a_hash_each() -> None:
    assert len({code_hash(load_strategy(name)) for name in SHIPPED}) == len(SHIPPED)


_TYPED = """
from dataclasses import dataclass
from gpt_trader.strategy_code import code_hash
from gpt_trader.strategy import Strategy
class Own(Strategy):
    def decide(self, now):
        return {value}
@dataclass(frozen=True)
class Heir(Own):
    pass
print(code_hash(Heir))
"""


def test_without_a_file_the_inherited_methods_count() -> None:
    """A class typed at a prompt has no source to read: its compiled methods, and those it inherits, stand for it."""
    root = Path(__file__).resolve().parents[2]
    found = [
        subprocess.run(
            [sys.executable, "-"], input=_TYPED.format(value=value), env=os.environ | {"PYTHONPATH": str(root)},
            capture_output=True, text=True, check=True,
        ).stdout
        for value in ("0.5", "0.5", "0.4")
    ]  # fmt: skip
    assert found[0] == found[1] != found[2]
