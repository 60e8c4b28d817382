"""A copy of the package that is run as plain Python: what makes thirty patched engines testable without thirty compilations."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def interpreted_copy(folder: Path) -> Path:
    """Package, tests and settings copied to `folder`, ready to run uncompiled; returns the folder."""
    ignore = shutil.ignore_patterns("__pycache__")
    for name in ("gpt_trader", "tests"):
        shutil.copytree(ROOT / name, folder / name, ignore=ignore)
    shutil.copy(ROOT / "pyproject.toml", folder)
    return folder


def run_tests(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """pytest in a process of its own, over the copy in `folder`."""
    return subprocess.run(
        [
            sys.executable, "-m", "pytest", "-n0", "-q", "-p", "no:cacheprovider", "--tb=no", "-W", "ignore::RuntimeWarning",
            *arguments,
        ],
        cwd=folder, env=os.environ | {"NUMBA_DISABLE_JIT": "1", "PYTHONDONTWRITEBYTECODE": "1"}, capture_output=True, text=True,
        check=False,
    )  # fmt: skip


def failed(output: str) -> set[str]:
    """The ids of the failed tests in pytest's summary."""
    return {line.split(" ")[1] for line in output.splitlines() if line.startswith(("FAILED ", "ERROR "))}
