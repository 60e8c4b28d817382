"""The peers' environments under `benchmarks/.envs/`, one each, made by uv from pinned requirements."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
FOLDER = HERE / ".envs"
OFFLINE = {
    "RAPTORBT_NO_VERSION_CHECK": "1"
}  # raptorbt asks the package index for its newest version when imported
OWN = f"{sys.version_info[0]}.{sys.version_info[1]}"


class Unavailable(Exception):
    """A peer cannot be measured here; the message says why."""


@dataclass(frozen=True, slots=True)
class Environment:
    """`name` is the folder and the requirements file; `python` the version it needs, None for the one that runs this."""

    name: str
    python: str | None = None

    @property
    def requirements(self) -> Path:
        """Its pinned packages."""
        return HERE / f"requirements-{self.name}.txt"


def interpreter(environment: Environment) -> Path:
    """The environment's Python, made or brought up to date first. Raises Unavailable."""
    base = sys.executable if environment.python in (None, OWN) else str(find_python(str(environment.python)))
    folder = FOLDER / environment.name
    python = folder / "bin" / "python"
    wanted = hashlib.sha256(environment.requirements.read_bytes() + base.encode()).hexdigest()
    stamp = folder / "requirements.sha256"
    if not python.exists() or not stamp.exists() or stamp.read_text() != wanted:
        print(f"setting up benchmarks/.envs/{environment.name}", file=sys.stderr, flush=True)
        shutil.rmtree(folder, ignore_errors=True)
        uv = find_uv()
        _run([uv, "venv", "--quiet", "--no-config", "--python", base, str(folder)])
        install = [uv, "pip", "install", "--quiet", "--python", str(python), "--only-binary", ":all:"]
        _run([*install, "--requirement", str(environment.requirements)])
        stamp.write_text(wanted)
    return python


def find_uv() -> str:
    """uv beside this interpreter, else on the path. Raises Unavailable."""
    beside = Path(sys.executable).with_name("uv")
    found = str(beside) if beside.exists() else shutil.which("uv")
    if not found:
        raise Unavailable("uv is not installed beside this Python; run `make setup`")
    return found


def find_python(version: str) -> Path:
    """An interpreter of that version: on the path, or among pyenv's. Raises Unavailable."""
    for candidate in _candidates(version):
        told = subprocess.run(
            [candidate, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"],
            capture_output=True,
            text=True,
            check=False,
        )
        if told.returncode == 0 and told.stdout.strip() == version:
            return Path(candidate)
    raise Unavailable(f"needs Python {version}, and there is no python{version} here")


def _candidates(version: str) -> Iterator[str]:
    found = shutil.which(f"python{version}")
    if found:
        yield found
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    yield from (str(path) for path in sorted(pyenv.glob(f"{version}.*/bin/python{version}")))


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Unavailable(f"{Path(command[0]).name} {command[1]} failed: {done.stderr.strip()[-300:]}")
