"""The set-up without a network: in a small copy of the repository, with a `uv` on the path that notes what it is asked."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
UV = """#!/bin/sh
echo "$@" >> "$ASKED"
echo "WARNING: Location 'file:///nowhere/' is ignored: it is neither a file nor a directory." >&2
sleep "${UV_SECONDS:-0}"
case "$*" in *requirements.lock*) exit "${UV_CODE:-0}" ;; esac
"""
PYTEST = """import os, signal, sys
if os.environ.get("INTERRUPT"): os.kill(os.getppid(), signal.SIGINT)
with open(os.environ["ASKED"], "a") as file: print("pytest", *sys.argv[1:], file=file)
print("7 passed in 0.01s")
sys.exit("cluster" in sys.argv[-1] and int(os.environ.get("CLUSTER_CODE", "0")))
"""


TELLS = """import os, sys
how = "as plain Python" if os.environ.get("NUMBA_DISABLE_JIT") else "compiled"
with open(os.environ["ASKED"], "a") as file: print("{}", how, file=file)
sys.exit(int(os.environ.get("JOBS_CODE", "0")))
"""


INTERRUPTIBLE = """import runpy, signal
signal.signal(signal.SIGINT, signal.default_int_handler)
runpy.run_path(__file__.replace("bootstrap.py", "own.py"), run_name="__main__")
"""


@dataclass(frozen=True)
class Copy:
    """A folder with what `bootstrap.py` looks at."""

    folder: Path

    @property
    def asked(self) -> list[str]:
        """What uv and pytest were asked, in order."""
        path = self.folder / "asked"
        return path.read_text().splitlines() if path.exists() else []

    def run(self, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
        """One call of `bootstrap.py`."""
        path = f"{self.folder / 'bin'}{os.pathsep}{os.environ['PATH']}"
        return subprocess.run(
            [sys.executable, str(self.folder / "bootstrap.py"), *arguments], cwd=self.folder, check=False, text=True,
            env=os.environ | {"PATH": path, "ASKED": str(self.folder / "asked")} | environ, capture_output=True,
        )  # fmt: skip

    def add_pytest(self) -> None:
        """A pytest in the environment that passes."""
        next((self.folder / ".venv").glob("lib/*/site-packages")).joinpath("pytest.py").write_text(PYTEST)


@pytest.fixture
def copy(tmp_path: Path) -> Copy:
    for name in ("bootstrap.py", "requirements-bootstrap.txt", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path)
    (tmp_path / "requirements.lock").write_text("")
    (tmp_path / "gpt_trader").mkdir()
    (tmp_path / "bin").mkdir()
    uv = tmp_path / "bin" / "uv"
    uv.write_text(UV)
    uv.chmod(0o755)
    return Copy(tmp_path)


def module() -> Any:
    """`bootstrap.py` as a module."""
    spec = spec_from_file_location("bootstrap", ROOT / "bootstrap.py")
    assert spec is not None
    assert spec.loader is not None
    made = module_from_spec(spec)
    spec.loader.exec_module(made)
    return made


def test_an_old_python_can_read_the_file_and_says_what_is_needed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ast.parse((ROOT / "bootstrap.py").read_text(), feature_version=(3, 6))
    bootstrap = module()
    monkeypatch.setattr(sys, "version_info", (3, 9, 18, "final", 0))
    assert bootstrap.main(["demo"]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert "Python 3.11 or newer is needed" in said.err
    assert said.err.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["dmeo"], "invalid choice: 'dmeo'"),
        (["test", "unit"], "unrecognized arguments: unit"),
        (["check", "--", "-k", "x"], "check takes no arguments after --"),
        (["--nouv"], "unrecognized arguments: --nouv"),
    ],
)
def test_wrong_usage_is_told_with_exit_code_2(copy: Copy, arguments: list[str], word: str) -> None:
    done = copy.run(*arguments)
    assert done.returncode == 2
    assert "usage: bootstrap.py" in done.stderr
    assert word in done.stderr
    assert copy.asked == []


def test_packages_are_installed_once_and_noise_is_no_failure(copy: Copy) -> None:
    done = copy.run("--no-warm")
    assert done.returncode == 0, done.stderr
    assert "WARNING" not in done.stdout + done.stderr
    assert done.stdout.splitlines()[-1] == "setup: ready: .venv/bin/gpt-trader"
    lock = [line for line in copy.asked if "requirements.lock" in line]
    assert len(lock) == 1
    assert "--require-hashes" in lock[0]
    before = copy.asked
    assert copy.run("--no-warm").stdout == "setup: ready: .venv/bin/gpt-trader\n"
    assert copy.asked == before
    (copy.folder / "requirements.lock").write_text("# another\n")
    assert copy.run("--no-warm").returncode == 0
    assert len(copy.asked) > len(before)


@pytest.mark.slow
def test_a_failed_step_shows_what_it_said_and_what_to_do(copy: Copy) -> None:
    (copy.folder / "requirements.lock").write_text("there-is-no-such-package==1\n")
    done = copy.run("--no-warm", UV_CODE="3", PIP_NO_INDEX="1")
    assert done.returncode == 1
    assert "this step failed (exit 3)" in done.stdout
    assert "trying pip" in done.stdout
    assert "remove .venv and retry" in done.stderr
    assert copy.run("--no-warm").returncode == 0


@pytest.mark.slow
def test_a_slow_step_says_that_it_goes_on(copy: Copy) -> None:
    done = copy.run("--no-warm", UV_SECONDS="2.5")
    assert "setup: installing the packages ... 2 s" in done.stdout
    assert done.returncode == 0


def test_a_broken_environment_is_made_anew(copy: Copy) -> None:
    assert copy.run("--no-warm").returncode == 0
    python = copy.folder / ".venv" / "bin" / "python"
    python.unlink()
    python.symlink_to("/nowhere/python3")
    done = copy.run("--no-warm")
    assert done.returncode == 0, done.stderr
    assert "making .venv" in done.stdout
    assert python.exists()


def test_test_runs_everything_and_fails_when_a_part_fails(copy: Copy) -> None:
    assert copy.run("--no-warm").returncode == 0
    copy.add_pytest()
    (copy.folder / "asked").unlink()
    done = copy.run("test", "--no-warm")
    assert done.returncode == 0
    assert done.stdout.count("7 passed in 0.01s") == 2
    assert [line.split()[-1] for line in copy.asked] == ["tests/cluster", "tests/cluster"]
    assert copy.run("test", "--no-warm", CLUSTER_CODE="1").returncode == 1


@pytest.mark.skipif(os.name == "nt", reason="sends a signal")
def test_an_interrupted_run_begins_nothing_else(copy: Copy) -> None:
    assert copy.run("--no-warm").returncode == 0
    copy.add_pytest()
    (copy.folder / "asked").unlink()
    path = copy.folder / "bootstrap.py"
    own = path.with_name("own.py")
    path.rename(own)  # a run in the background inherits that interrupts are ignored
    path.write_text(INTERRUPTIBLE)
    done = copy.run("test", "--no-warm", INTERRUPT="1")
    assert done.returncode == 130, done.stderr
    assert len(copy.asked) == 1
    assert "interrupted" in done.stderr


def test_the_first_reports_do_not_wait_for_the_kernels(copy: Copy) -> None:
    assert copy.run("--no-warm").returncode == 0
    jobs = copy.folder / "jobs"
    jobs.mkdir()
    (jobs / "cli.py").write_text(TELLS.format("demo"))
    (jobs / "compile_kernels.py").write_text(TELLS.format("kernels"))
    (copy.folder / "asked").unlink()
    assert copy.run("demo").returncode == 0
    assert copy.asked == ["demo as plain Python", "kernels compiled"]
    assert copy.run("demo").returncode == 0
    assert copy.asked[2:] == ["demo compiled"]
    (copy.folder / "gpt_trader" / "another.py").write_text("")
    done = copy.run("demo", JOBS_CODE="3")
    assert done.returncode == 3
    assert copy.asked[3:] == ["demo as plain Python"]


def test_arguments_after_two_dashes_go_to_pytest(copy: Copy) -> None:
    assert copy.run("--no-warm").returncode == 0
    copy.add_pytest()
    (copy.folder / "asked").unlink()
    assert copy.run("test", "--no-warm", "--", "-q", "tests/unit").returncode == 0
    assert copy.asked == ["pytest -q tests/unit"]


@pytest.mark.parametrize(
    ("line", "package"),
    [
        ("Collecting numpy==2.4.6", "numpy"),
        ("Downloading numba-0.68.1-cp311-cp311-manylinux.whl (3.9 MB)", "numba"),
        ("Downloading ray (69.3MiB)", "ray"),
        (" + scipy==1.17.1", "scipy"),
        ("  Downloading typing_extensions-4.16.0-py3-none-any.whl", "typing_extensions"),
        ("WARNING: Location 'file:///nowhere/' is ignored", None),
        ("Resolved 138 packages in 4.59s", None),
    ],
)
def test_the_package_of_a_line(line: str, package: str | None) -> None:
    assert module()._package(line) == package
