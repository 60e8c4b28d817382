"""What a backtest from the command line does not load, and that nothing is missing for it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.e2e.command import ROOT

RULE = """
from dataclasses import dataclass
import numpy as np
from gpt_trader import Strategy

@dataclass(frozen=True)
class Dotted(Strategy):
    def decide(self, now, held):
        return np.where(np.dot(now.close, now.close) > 0.0, 0.5, 0.0) + 0.0 * held.weight
"""


def python(code: str, folder: Path) -> str:
    """What a new interpreter prints for `code`."""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True,
        text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_a_backtest_loads_neither_pandas_nor_a_database_nor_linear_algebra(tmp_path: Path) -> None:
    run = (
        "import sys; from jobs.cli import app, run\n"
        "assert run(app, ['backtest', 'demo_ma', '--symbols', 'AAPL,MSFT', '--quiet']) == 0\n"
    )
    heavy = "{'pandas', 'sqlalchemy', 'alembic', 'scipy.linalg', 'coverage', 'pydantic', 'rich.console'}"
    python(run, tmp_path)  # the first one makes the store
    assert python(run + f"print(sorted(set(sys.modules) & {heavy}))", tmp_path) == "[]"


def test_a_compiled_rule_still_has_its_linear_algebra(tmp_path: Path) -> None:
    (tmp_path / "dotted.py").write_text(RULE)
    code = """
from jobs.numba_start import start_numba
start_numba()
import sys
assert not {"scipy.linalg", "scipy.linalg.cython_blas", "coverage"} & set(sys.modules)
from gpt_trader import backtest, load_bars
from gpt_trader.strategies import load_strategy
result = backtest(load_strategy("dotted.py")(), load_bars(["AAPL", "IBM"], start="2012-06-01"), mode="compiled")
import coverage, numpy, numba
print(result.outcome.mode, len(result.fills) > 0, "scipy.linalg.cython_blas" in sys.modules)
print(numba.njit(lambda a: numpy.linalg.inv(a))(numpy.eye(2) * 2.0)[0, 0])
"""
    assert python(code, tmp_path) == "compiled True True\n0.5"


def test_numba_that_is_loaded_is_left_alone(tmp_path: Path) -> None:
    code = """
import numba, sys
before = set(sys.modules)
from jobs.numba_start import start_numba
start_numba()
print(sorted(name for name in set(sys.modules) - before if not name.startswith("jobs")))
"""
    assert python(code, tmp_path) == "[]"
