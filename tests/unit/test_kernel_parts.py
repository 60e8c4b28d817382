"""Kernels as parts of other kernels: kept on disk, read again, and compiled again when what is kept is no good."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from gpt_trader.engine.kernel_linking import write_file

pytestmark = pytest.mark.slow
PROGRAM = """
import sys
sys.path.insert(0, sys.argv[1])
from pair import outer
print(outer(3.0), len(outer.signatures))
"""
PAIR = """
from gpt_trader.engine.jit import not_inlined, inlined, kernel

@kernel
def inner(x):
    return x * 2.0

@inlined
def near(x):
    return inner(x) + 1.0

far = not_inlined(near)

@kernel
def outer(x):
    return near(x) + far(x) + inner(x)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "pair.py").write_text(PAIR)
    return tmp_path


def _start(folder: Path, cache: str = "cache") -> subprocess.Popen[str]:
    environ = {**os.environ, "NUMBA_CACHE_DIR": str(folder / cache)}
    command = [sys.executable, "-c", PROGRAM, str(folder)]
    return subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def _answer(process: subprocess.Popen[str]) -> str:
    out, err = process.communicate(timeout=200)
    assert process.returncode == 0, err
    return out.strip()


def _parts(folder: Path) -> list[Path]:
    return sorted(folder.glob("cache/kernels-*/parts/*"))


def test_parts_are_kept_and_a_damaged_one_is_compiled_again(folder: Path) -> None:
    assert _answer(_start(folder)) == "20.0 1"
    kept = _parts(folder)
    assert {path.name.partition("-")[0] for path in kept} >= {"pair.inner", "pair.near"}
    for machine_code in folder.rglob("*.nb[ic]"):
        machine_code.unlink()
    whole = kept[0].read_bytes()
    kept[0].write_bytes(whole[: len(whole) // 2])
    kept[1].write_bytes(b"no pickle")
    assert _answer(_start(folder)) == "20.0 1"
    assert len(_parts(folder)[0].read_bytes()) > len(whole) // 2


def test_processes_that_compile_at_once_do_no_harm(folder: Path) -> None:
    running = [_start(folder) for _ in range(3)]
    assert [_answer(process) for process in running] == ["20.0 1"] * 3
    assert not [path for path in _parts(folder) if path.name.startswith("tmp")]


def test_a_folder_that_is_a_file_is_no_error(folder: Path) -> None:
    """A place where nothing can be kept, for root as well."""
    _answer(_start(folder))
    parts = _parts(folder)[0].parent
    for path in parts.iterdir():
        path.unlink()
    parts.rmdir()
    parts.write_text("not a folder")
    for machine_code in folder.rglob("*.nb[ic]"):
        machine_code.unlink()
    assert _answer(_start(folder)) == "20.0 1"


def test_a_file_is_for_all_who_see_its_folder_and_nothing_half_written_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "parts" / "one"
    path.parent.mkdir()
    path.parent.chmod(0o755)
    write_file(path, b"code")
    assert (path.read_bytes(), path.stat().st_mode & 0o777) == (b"code", 0o644)

    def interrupted(*_arguments: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_file(path.with_name("two"), b"code")
    assert list(path.parent.iterdir()) == [path]
