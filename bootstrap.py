"""Sets GPT-Trader up in `.venv`: environment, pinned packages, the package itself, compiled kernels.

Runs with nothing but Python 3.11 or newer; running it again does only what has changed since.
"""

import argparse
import hashlib
import json
import os
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent
NEEDED = (3, 11)
LOCK, UV_PIN, PROJECT = "requirements.lock", "requirements-bootstrap.txt", "pyproject.toml"


def main() -> int:
    """Set up, or say in one message what is missing; 0 when everything is ready, 1 when a step failed."""
    parser = argparse.ArgumentParser(description="Set GPT-Trader up; safe to run again.")
    parser.add_argument(
        "--venv", default=os.environ.get("VENV", ".venv"), help="environment folder (default .venv)"
    )
    parser.add_argument("--no-uv", action="store_true", help="install with pip alone (slower)")
    parser.add_argument("--no-warm", action="store_true", help="leave the kernels uncompiled")
    options = parser.parse_args()
    if sys.version_info < NEEDED:
        return _fail(
            f"Python {NEEDED[0]}.{NEEDED[1]} or newer is needed, not {sys.version.split()[0]}; run it with a newer one"
        )
    folder = (ROOT / options.venv).resolve()
    try:
        done = _read_stamp(folder)
        python = _environment(folder)
        packages = _key([LOCK, UV_PIN, PROJECT])
        if done.get("packages") != packages:
            _install(python, use_uv=not options.no_uv)
            done = {"packages": packages}
            _write_stamp(folder, done)
        kernels = _key(sorted(str(path.relative_to(ROOT)) for path in (ROOT / "gpt_trader").rglob("*.py")))
        if not options.no_warm and done.get("kernels") != kernels:
            _say("compiling the kernels (once)")
            _run([str(python), "-m", "jobs.warm"])
            _write_stamp(folder, {**done, "kernels": kernels})
    except subprocess.CalledProcessError as error:
        step = " ".join(map(str, error.cmd))
        return _fail(
            f"this step failed (exit {error.returncode}): {step}\nIf it fails again, remove {folder} and retry."
        )
    except OSError as error:
        return _fail(str(error))
    _say(f"ready: {folder.name}/bin/gpt-trader")
    return 0


def _environment(folder: Path) -> Path:
    """The interpreter inside `folder`, which is made when it is not there."""
    python = folder / "bin" / "python"
    if not python.exists():
        _say(f"making {folder.name} with Python {sys.version.split()[0]}")
        try:
            venv.create(folder, with_pip=True)
        except subprocess.CalledProcessError as error:
            raise OSError(
                "Python's venv module cannot install pip here. On Debian run `apt-get install python3-venv`, "
                f"remove {folder.name} and try again."
            ) from error
    return python


def _install(python: Path, *, use_uv: bool) -> None:
    """Install exactly the lock (hashes required), then this package; by uv when it can be had, else pip."""
    pip = [str(python), "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
    installer = pip
    if use_uv and _works([*pip, "--require-hashes", "-r", UV_PIN]):
        installer = [str(python), "-m", "uv", "pip", "install", "--quiet", "--python", str(python)]
    _say("installing the pinned packages")
    locked = ["--require-hashes", "--only-binary", ":all:", "-r", LOCK]
    if installer is not pip and not _works([*installer, *locked]):
        _say("uv could not install them; trying pip")
        installer = pip
    if installer is pip:
        _run([*pip, *locked])
    _run([*installer, "--no-deps", "--no-build-isolation", "--editable", "."])


def _works(command: "list[str]") -> bool:
    return subprocess.run(command, cwd=ROOT, env=_environ(), check=False).returncode == 0


def _run(command: "list[str]") -> None:
    subprocess.run(command, cwd=ROOT, env=_environ(), check=True)


def _environ() -> "dict[str, str]":
    """Never let uv fetch an interpreter of its own."""
    return {**os.environ, "UV_PYTHON_DOWNLOADS": "never"}


def _key(names: "list[str]") -> str:
    """SHA-256 over the named files and the interpreter's version: what a finished step depends on."""
    digest = hashlib.sha256(sys.version.encode())
    for name in names:
        digest.update(name.encode() + b"\0" + (ROOT / name).read_bytes())
    return digest.hexdigest()


def _read_stamp(folder: Path) -> "dict[str, str]":
    try:
        stamp = json.loads((folder / "gpt-trader-setup.json").read_text())
    except (OSError, ValueError):
        return {}
    return stamp if isinstance(stamp, dict) else {}


def _write_stamp(folder: Path, done: "dict[str, str]") -> None:
    (folder / "gpt-trader-setup.json").write_text(json.dumps(done))


def _say(text: str) -> None:
    print(f"setup: {text}", flush=True)


def _fail(text: str) -> int:
    print(f"setup: {text}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    raise SystemExit(main())
