"""A copy of the package whose kernels run as plain Python: what makes thirty patched engines testable without thirty compilations.

With NUMBA_DISABLE_JIT=1 the kernels are ordinary functions, but their records (`b.account[0].cash`) are numpy.void there, which
has no attributes. `ATTRIBUTES`, appended to `engine/records.py` of the COPY, gives the record types a class that has them. The
product itself never runs this way.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

ATTRIBUTES = """

def _with_attributes(kind: np.dtype) -> np.dtype:
    def field(name):
        return property(lambda row: row[name], lambda row, value: row.__setitem__(name, value))

    return np.dtype((type("Record", (np.void,), {name: field(name) for name in kind.names}), kind))


ACCOUNT, SYMBOL, ORDER, FILL, TRADE, DECISION, RULE, INFO = map(
    _with_attributes, (ACCOUNT, SYMBOL, ORDER, FILL, TRADE, DECISION, RULE, INFO)
)
"""


def interpreted_copy(folder: Path) -> Path:
    """Package, tests and settings copied to `folder`, ready to run uncompiled; returns the folder."""
    ignore = shutil.ignore_patterns("__pycache__")
    for name in ("gpt_trader", "tests"):
        shutil.copytree(ROOT / name, folder / name, ignore=ignore)
    shutil.copy(ROOT / "pyproject.toml", folder)
    records = folder / "gpt_trader" / "engine" / "records.py"
    records.write_text(records.read_text() + ATTRIBUTES)
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
