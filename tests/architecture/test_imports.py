"""What starts fast stays fast: modules that must not be loaded by a light import or a help screen."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from jobs.cli import COMMANDS

ROOT = Path(__file__).resolve().parents[2]
HEAVY = (
    "alembic", "alpaca", "exchange_calendars", "gradio", "matplotlib", "numba", "pandas", "plotly", "pyarrow", "ray",
    "scipy", "sklearn", "sqlalchemy", "yfinance",
)  # fmt: skip


def _modules_after(code: str) -> set[str]:
    """Top-level packages loaded in a fresh interpreter once `code` has run; its own output is dropped."""
    program = (
        "import contextlib, io, json, sys\n"
        "with contextlib.redirect_stdout(io.StringIO()):\n"
        "    try:\n"
        + "".join(f"        {line}\n" for line in code.splitlines())
        + "    except SystemExit as stop:\n"
        "        assert not stop.code, stop.code\n"
        "print(json.dumps(sorted({name.partition('.')[0] for name in sys.modules})))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stdout))


@pytest.mark.slow
def test_the_probe_sees_a_heavy_module() -> None:
    assert "pyarrow" in _modules_after("import pyarrow")


def test_importing_the_core_loads_no_heavy_package() -> None:
    loaded = _modules_after("import gpt_trader\ngpt_trader.Strategy, gpt_trader.Bars, gpt_trader.Costs")
    assert not loaded & set(HEAVY)
    assert "gpt_trader" in loaded


def test_no_help_screen_loads_a_heavy_package() -> None:
    screens = [["--help"], ["--version"], *([name, "--help"] for name in COMMANDS)]
    code = f"""
from jobs.cli import app, run
for arguments in {screens!r}:
    assert run(app, arguments) == 0, arguments
"""
    loaded = _modules_after(code.strip())
    assert not loaded & {*HEAVY, "numpy"}
    assert {"jobs", "rich"} <= loaded
