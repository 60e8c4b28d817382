"""What is compiled to byte code ahead: every module that a module of ours imports, wherever it does so."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from jobs.compile_kernels import compile_all, imports_of


def test_imports_within_functions_are_seen_and_relative_ones_left_out(tmp_path: Path) -> None:
    path = tmp_path / "module.py"
    path.write_text("import os, a.b as c\nfrom . import near\ndef f():\n    from d.e import g\n")
    assert list(imports_of(path)) == ["os", "a.b", "d.e"]


def test_a_module_that_does_not_load_stops_nothing_and_others_leave_byte_code(tmp_path: Path) -> None:
    mine, other = tmp_path / "mine", tmp_path / "elsewhere"
    for folder in (mine, other):
        folder.mkdir()
        (folder / "__init__.py").write_text("")
    (mine / "one.py").write_text("def f():\n    import elsewhere.lazy, elsewhere.broken, not_installed\n")
    (other / "lazy.py").write_text("")
    (other / "broken.py").write_text("raise RuntimeError\n")
    code = "from jobs.compile_kernels import keep_byte_code; keep_byte_code(('mine', 'gone'))"
    environ = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=environ, check=True)
    assert list((mine / "__pycache__").glob("one.*"))
    assert list((other / "__pycache__").glob("lazy.*"))


@pytest.mark.slow
def test_a_doctor_compiles_kernels_and_loads_nothing_else() -> None:
    code = (
        "import sys; from jobs.compile_kernels import warm_up; warm_up(); "
        "assert not {'ray', 'optuna', 'yfinance'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_what_keeps_kernels_or_byte_code_from_being_made_is_not_handed_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NUMBA_DISABLE_JIT", "1")
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    told: list[str] = []
    one = ((lambda: [("one", print)],),)
    assert compile_all(told.append, one, str(_echoing(tmp_path))) == 0
    assert told == ["1 of 1: jit= bytecode="]


def _echoing(folder: Path) -> Path:
    """A program in place of Python that tells what it finds in its environment."""
    path = folder / "python"
    path.write_text('#!/bin/sh\necho "jit=$NUMBA_DISABLE_JIT bytecode=$PYTHONDONTWRITEBYTECODE"\n')
    path.chmod(0o755)
    return path
