"""A strategy class travels to another process: by name where it is installed, else with all the files it is made of."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from gpt_trader import Strategy, Weights
from gpt_trader.adapters.strategy_files import class_of
from gpt_trader.errors import StrategyError
from gpt_trader.research.strategy_reference import StrategyReference, reference_of
from gpt_trader.strategies import load_strategy
from gpt_trader.strategy_code import code_hash

ROOT = Path(__file__).resolve().parents[2]
MINE = """from dataclasses import dataclass
from gpt_trader import Strategy
import numpy as np
import levels

@dataclass(frozen=True)
class Mine(Strategy):
    def decide(self, now):
        from rules.entry import share
        return share(now.close) * levels.FULL
"""
FILES = {
    "mine.py": MINE,
    "levels.py": "FULL = 1.0\n",
    "unused.py": "raise RuntimeError('nobody imports this')\n",
    "rules/__init__.py": "",
    "rules/entry.py": "from .depth import DEPTH\ndef share(close):\n    return 0.0 * close + DEPTH\n",
    "rules/depth.py": "DEPTH = 0.25\n",
    "rules/other.py": "OTHER = 1\n",
}
ELSEWHERE = """import pickle, sys
from gpt_trader.adapters.strategy_files import class_of
from gpt_trader.strategy import Row
import numpy as np
strategy = class_of(pickle.loads(sys.stdin.buffer.read()))
print(strategy.__name__, strategy().decide(Row({"close": np.ones(2)})).tolist())
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of the user's on the path, with a strategy, a module and a package; forgotten afterwards."""
    for name, text in FILES.items():
        path = tmp_path / "project" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    monkeypatch.syspath_prepend(str(tmp_path / "project"))
    before = set(sys.modules)
    yield tmp_path / "project"
    for name in set(sys.modules) - before:
        if name.partition(".")[0] in ("levels", "rules"):
            del sys.modules[name]


def elsewhere(reference: StrategyReference, cwd: Path) -> subprocess.CompletedProcess[bytes]:
    """Load the class in a fresh process that knows this package and nothing of the user's files."""
    return subprocess.run(
        [sys.executable, "-c", ELSEWHERE], input=pickle.dumps(reference), cwd=cwd, capture_output=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)}, check=False,
    )  # fmt: skip


def test_a_shipped_strategy_travels_by_name_alone() -> None:
    reference = reference_of(load_strategy("demo_ma"))
    assert (reference.file, reference.companions) == (None, ())
    assert class_of(reference) is load_strategy("demo_ma")


def test_a_file_travels_with_what_it_imports_and_with_nothing_else(project: Path) -> None:
    reference = reference_of(load_strategy(str(project / "mine.py")))
    assert reference.file is not None
    assert reference.file.path == "mine.py"
    assert [file.path for file in reference.companions] == [
        "levels.py", "rules/__init__.py", "rules/depth.py", "rules/entry.py",
    ]  # fmt: skip


@pytest.mark.slow
def test_the_class_works_in_a_process_that_has_none_of_the_files(project: Path, tmp_path: Path) -> None:
    reference = reference_of(load_strategy(str(project / "mine.py")))
    for name in FILES:
        (project / name).unlink()
    away = tmp_path / "away"
    away.mkdir()
    for _ in range(2):  # the second time the files are there
        done = elsewhere(reference, away)
        assert (done.returncode, done.stdout.split(maxsplit=1)) == (0, [b"Mine", b"[0.25, 0.25]\n"]), (
            done.stderr
        )


@pytest.mark.parametrize("name", ["mine.py", "levels.py", "rules/depth.py"])
def test_every_file_it_is_made_of_counts_in_the_code_hash(name: str, project: Path) -> None:
    first = code_hash(load_strategy(str(project / "mine.py")))
    path = project / name
    path.write_text(path.read_text() + "# said anew\n")
    assert code_hash(load_strategy(str(project / "mine.py"))) != first


def test_a_file_that_is_not_imported_does_not_count(project: Path) -> None:
    first = code_hash(load_strategy(str(project / "mine.py")))
    (project / "unused.py").write_text("")
    (project / "rules/other.py").write_text("OTHER = 2\n")
    assert code_hash(load_strategy(str(project / "mine.py"))) == first


def test_a_worker_with_another_version_says_so(project: Path, tmp_path: Path) -> None:
    shipped = replace(reference_of(load_strategy("demo_ma")), code="0" * 64)
    with pytest.raises(StrategyError, match=r"another version of gpt_trader\.strategies\.demo_ma"):
        class_of(shipped)
    absent = StrategyReference("no_such_package.rules", "Mine", "0" * 64)
    with pytest.raises(StrategyError, match=r"cannot load no_such_package\.rules\.Mine: ModuleNotFoundError"):
        class_of(absent)


def test_a_class_inside_a_function_cannot_travel() -> None:
    @dataclass(frozen=True)
    class Inside(Strategy):
        def decide(self, now: object) -> Weights:
            return 0.0

    with pytest.raises(StrategyError, match=r"not defined in a file.*--workers 1"):
        reference_of(Inside)


def test_files_are_written_for_this_user_alone(project: Path) -> None:
    class_of(reference_of(load_strategy(str(project / "mine.py"))))
    folder = Path.home() / ".cache" / "gpt-trader" / "strategies"
    assert folder.stat().st_mode & 0o777 == 0o700
    assert len(list(folder.iterdir())) == 1
