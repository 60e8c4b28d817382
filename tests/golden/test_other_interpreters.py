"""A golden run on the other interpreters of this machine: the same id, the same trades, the same metrics as on this one.

Every interpreter found (3.11 or newer, on PATH or under ~/.pyenv/versions) gets a fresh environment with exactly the locked
packages, so this needs a package registry or uv's cache, and one to two and a half minutes for each, most of them to
compile the engine. It runs only when asked for: OTHER_INTERPRETERS=1 python -m pytest tests/golden
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tests.golden.runs import CLOSE, EXACT, golden_run, summary_of, trades_of

ROOT = Path(__file__).resolve().parents[2]
OLDEST = (3, 11)
NAME = "trend_breakout"
REAL = dict(os.environ)
"""The environment before the tests take home and network away: the installer needs its settings and its cache."""
ASKED_FOR = REAL.get("OTHER_INTERPRETERS", "") not in ("", "0")
CHILD = f"""
import json, sys
from tests.golden.runs import golden_run, summary_of, trades_of
result = golden_run({NAME!r})
print(json.dumps([sys.version_info[:2], result.run_id, summary_of(result), trades_of(result)]))
"""


@cache
def interpreters() -> dict[str, str]:
    """Other versions of Python by their number: the first of each that starts."""
    names = [f"python3.{minor}" for minor in range(OLDEST[1], OLDEST[1] + 9)]
    found = [path for name in names if (path := shutil.which(name))]
    found += [
        str(path)
        for name in names
        for path in sorted(Path(REAL.get("HOME", "/")).glob(f".pyenv/versions/*/bin/{name}"))
    ]
    others: dict[str, str] = {}
    for path in found:
        done = subprocess.run([path, "--version"], capture_output=True, text=True, check=False)
        version = re.match(r"Python (3\.(\d+))\.\d+$", done.stdout.strip())
        if done.returncode == 0 and version and int(version[2]) != sys.version_info.minor:
            others.setdefault(version[1], path)
    return others


def run(*command: object, cwd: Path = ROOT) -> str:
    """What a command printed; the test fails with what it said when it failed."""
    done = subprocess.run(
        [str(item) for item in command], cwd=cwd, env={**REAL, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def environment(python: str, folder: Path) -> Path:
    """The interpreter of a new environment with the locked packages, installed by uv where it is there, else by pip."""
    run(python, "-m", "venv", folder)
    made = folder / "bin" / "python"
    uv = shutil.which("uv", path=f"{Path(sys.executable).parent}{os.pathsep}{REAL.get('PATH', '')}")
    lock = ("--quiet", "--require-hashes", "-r", ROOT / "requirements.lock")
    if uv is not None:
        run(uv, "pip", "install", "--python", made, *lock)
    else:
        run(made, "-m", "pip", "install", *lock)
    return made


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.skipif(not ASKED_FOR, reason="takes minutes and a registry: set OTHER_INTERPRETERS=1")
@pytest.mark.parametrize("version", (sorted(interpreters()) if ASKED_FOR else []) or ["none"])
def test_a_golden_run_is_the_same_on_another_interpreter(version: str, tmp_path: Path) -> None:
    if version not in interpreters():
        pytest.skip("no other interpreter of 3.11 or newer on PATH or under ~/.pyenv/versions")
    python = environment(interpreters()[version], tmp_path / "environment")
    theirs: list[Any] = json.loads(run(python, "-c", CHILD).splitlines()[-1])
    mine = golden_run(NAME)
    assert theirs[0] == [int(part) for part in version.split(".")]
    assert theirs[1] == mine.run_id
    summary, expected = theirs[2], summary_of(mine)
    for key in ("parameters", "data", "counts"):
        assert summary[key] == expected[key]
    # the last bits come from NumPy's loops and the C library of each build (test_golden.py)
    assert summary["metrics"] == pytest.approx(expected["metrics"], rel=1e-9, abs=1e-12, nan_ok=True)
    for number, (one, other) in enumerate(zip(theirs[3], trades_of(mine), strict=True)):
        assert {key: one[key] for key in EXACT} == {key: other[key] for key in EXACT}, number
        assert [float(one[key]) for key in CLOSE] == pytest.approx(
            [float(other[key]) for key in CLOSE], rel=1e-9
        ), number
