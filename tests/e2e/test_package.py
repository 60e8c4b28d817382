"""The wheel that `pip install .` makes: every file of the four packages is in it, and it runs from there alone."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.e2e.command import ROOT

PACKAGES = ("gpt_trader", "actors", "jobs", "serve")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built by the project's own build backend."""
    folder = tmp_path_factory.mktemp("wheel")
    code = f"from hatchling.build import build_wheel; print(build_wheel({str(folder)!r}))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return folder / done.stdout.split()[-1]


def test_the_wheel_holds_every_file_of_the_packages(wheel: Path) -> None:
    held = set(zipfile.ZipFile(wheel).namelist())
    wanted = {
        path.relative_to(ROOT).as_posix()
        for package in PACKAGES
        for path in (ROOT / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and path.suffix not in (".pyc", ".nbi", ".nbc")
    }
    assert wanted <= held, sorted(wanted - held)
    assert not [name for name in held if name.startswith("tests/")]
    assert any(name.endswith("LICENSE") for name in held)


def test_the_unpacked_wheel_runs_and_has_its_data(wheel: Path, tmp_path: Path) -> None:
    site = tmp_path / "site"
    zipfile.ZipFile(wheel).extractall(site)
    work = tmp_path / "work"
    work.mkdir()
    program = (
        "import sys; sys.path[:] = [p for p in sys.path if p not in ('', sys.argv[1])]; sys.path.insert(0, sys.argv[2]);"
        "import jobs.cli; assert jobs.cli.__file__.startswith(sys.argv[2]);"
        "sys.exit(jobs.cli.run(jobs.cli.app, ['strategies', 'new', 'mine']) or jobs.cli.run(jobs.cli.app, ['data', 'list'])"
        " or jobs.cli.run(jobs.cli.app, ['config', 'show']))"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-c", program, str(ROOT), str(site)],
        cwd=work,
        env={name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert (work / "mine.py").is_file()
    assert "AAPL" in done.stdout
