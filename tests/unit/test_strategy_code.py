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


@pytest.mark.slow
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


_MADE = """from dataclasses import dataclass
from gpt_trader import Strategy

def make(share, label="x"):
    @dataclass(frozen=True)
    class Rule(Strategy):
        BOUND = {bound}

        @staticmethod
        def level():
            return share

        def decide(self, now):
            return self.level()
    return Rule

Half, Quarter, Again = make(0.5), make(0.25), make(0.5)
"""


def test_classes_that_a_function_made_are_told_apart_by_what_they_close_over(tmp_path: Path) -> None:
    """They have the same file and the same name; a cache that took one for the other would hand out wrong numbers."""
    path = tmp_path / "made.py"
    path.write_text(_MADE.format(bound=1))
    half, quarter, again = (
        code_hash(load_strategy(f"{path}:{name}")) for name in ("Half", "Quarter", "Again")
    )
    assert half == again != quarter
    path.write_text(_MADE.format(bound=2))
    assert code_hash(load_strategy(f"{path}:Half")) != half


def test_classes_of_one_name_made_in_a_loop_are_told_apart(tmp_path: Path) -> None:
    path = tmp_path / "looped.py"
    path.write_text(
        "from gpt_trader import Strategy\n"
        "for share in (0.5, 0.25):\n"
        "    globals()[f'Rule{share:g}'.replace('.', '_')] = type('Rule', (Strategy,), {'SHARE': share})\n"
        "    globals()[f'Rule{share:g}'.replace('.', '_')].__module__ = __name__\n"
    )
    hashes = {code_hash(load_strategy(f"{path}:{name}")) for name in ("Rule0_5", "Rule0_25")}
    assert len(hashes) == 2


def test_what_is_hashed_is_what_was_loaded(tmp_path: Path) -> None:
    """Editing a file between loading it and asking for its hash must not give the old code the new code's identity."""
    new = hash_of(tmp_path / "new", level=11)
    hash_of(tmp_path / "old", level=10)
    path = tmp_path / "old" / "mine.py"
    strategy = load_strategy(str(path))
    path.write_text((tmp_path / "new" / "mine.py").read_text())
    assert code_hash(strategy) != new
    assert code_hash(load_strategy(str(path))) == new


def test_a_file_changed_within_a_second_is_run_as_it_is_now(tmp_path: Path) -> None:
    """Python's bytecode files go by size and second: an older text of the same length must not be run for the new one."""
    path = tmp_path / "quick.py"
    for share in ("0.5", "0.4"):
        path.write_text(f"from gpt_trader import Strategy\nclass Quick(Strategy):\n    SHARE = {share}\n")
        os.utime(path, (1_700_000_000, 1_700_000_000))
        assert vars(load_strategy(str(path)))["SHARE"] == float(share)
