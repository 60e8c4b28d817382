"""All the set-up of GPT-Trader in one file: `bootstrap.py demo` makes the first report, `bootstrap.py test` runs every test.

Runs with nothing but Python 3.11 or newer; an older one says so, which is why nothing here is newer than Python 3.6. Running it
again does only what has changed.
"""

import argparse
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent
NEEDED = (3, 11)
LOCK, UV_PIN, PROJECT, INTERRUPTED = "requirements.lock", "requirements-bootstrap.txt", "pyproject.toml", 130
QUIET_SECONDS = 2.0  # a step that takes longer says that it is alive
LINE_SECONDS = 10.0  # and so often where nobody watches a terminal
COMMANDS = {
    "setup": "make the environment, install the packages, compile the kernels (the default)",
    "demo": "install the packages, backtest two strategies and write their reports, compile the kernels",
    "test": "set up, then run every test; arguments after -- go to pytest instead",
    "check": "set up, then lint, types, import rules and unit tests",
}


def main(arguments: "list[str]") -> int:
    """Set up and run the command; 0 when all is well, 1 when a step failed, 2 for wrong usage, 130 after Ctrl-C."""
    if sys.version_info < NEEDED:
        return _fail(_too_old(arguments))
    options, passed = _parse(arguments)
    folder = (ROOT / options.venv).resolve()
    try:
        if options.command == "demo":
            return _demo(folder, options, passed)
        python = _set_up(folder, options)
        _compile(folder, python, options)
        if options.command == "test":
            return _test(python, passed)
        if options.command == "check":
            return _check(python)
        _say("ready: {}".format(_shown(Path(python).parent / "gpt-trader")))
        return 0
    except Failed as error:
        return _fail(f"{error}\nsetup: if it fails again, remove {_shown(folder)} and retry")
    except OSError as error:
        return _fail(str(error))
    except KeyboardInterrupt:
        _fail("interrupted; the same command goes on where it stopped")
        return INTERRUPTED


class Failed(Exception):
    """A step that did not succeed, with what it printed."""


def _parse(arguments: "list[str]") -> "tuple[argparse.Namespace, list[str]]":
    """Our own options, and what stands after `--`."""
    cut = arguments.index("--") if "--" in arguments else len(arguments)
    own, passed = arguments[:cut], arguments[cut + 1 :]
    parser = argparse.ArgumentParser(
        prog="bootstrap.py",
        description="Set GPT-Trader up and run it; safe to run again.",
        epilog="\n".join(f"  {name:<6} {text}" for name, text in COMMANDS.items()),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("command", nargs="?", choices=list(COMMANDS), default="setup", help="see below")
    venv = os.environ.get("VENV", ".venv")
    parser.add_argument("--venv", default=venv, help="environment folder (default .venv)")
    parser.add_argument("--no-uv", action="store_true", help="install with pip alone (slower)")
    parser.add_argument("--no-warm", action="store_true", help="leave the kernels to their first use")
    options = parser.parse_args(own)
    if passed and options.command not in ("demo", "test"):
        parser.error(f"{options.command} takes no arguments after --")
    return options, passed


def _too_old(arguments: "list[str]") -> str:
    """What to do about the interpreter that runs this."""
    text = f"Python {NEEDED[0]}.{NEEDED[1]} or newer is needed, this is {sys.version.split()[0]}"
    for minor in (14, 13, 12, 11):
        newer = f"python3.{minor}"
        if shutil.which(newer) and _quietly([newer, "-c", ""]):
            return " ".join([f"{text}; run:", newer, "bootstrap.py", *arguments])
    return text + "; install one (apt-get install python3.11, brew install python, python.org)"


# The environment


def _set_up(folder: Path, options: argparse.Namespace) -> str:
    """The environment with its packages, made when something has changed; its interpreter."""
    python = _environment(folder)
    packages = _key([LOCK, UV_PIN, PROJECT])
    if _read_stamp(folder).get("packages") != packages:
        _install(folder, python, use_uv=not options.no_uv)
        _write_stamp(folder, {"packages": packages})
    return python


def _compile(folder: Path, python: str, options: argparse.Namespace) -> None:
    """The kernels of the engine, unless they are there."""
    done, kernels = _read_stamp(folder), _kernels()
    if not options.no_warm and done.get("kernels") != kernels:
        _watched([python, "-m", "jobs.compile_kernels"], "compiling the kernels, once")
        _write_stamp(folder, dict(done, kernels=kernels))


def _kernels() -> str:
    return _key(sorted(str(path.relative_to(ROOT)) for path in ROOT.glob("gpt_trader/**/*.py")))


def _demo(folder: Path, options: argparse.Namespace, passed: "list[str]") -> int:
    """The first reports. Where no kernel is compiled yet they are made without, which gives the same numbers and takes less time
    than compiling; the kernels come after them."""
    python = _set_up(folder, options)
    environ = _environ()
    if _read_stamp(folder).get("kernels") != _kernels():
        environ["NUMBA_DISABLE_JIT"] = "1"
    code = _call([python, "-m", "jobs.cli", "demo", *passed], environ, None)
    if code == 0 and "NUMBA_DISABLE_JIT" in environ and not options.no_warm:
        _say("the reports are there; now the engine is compiled, for fast runs from here on")
        _compile(folder, python, options)
    return code


def _environment(folder: Path) -> str:
    """The interpreter inside `folder`, which is made when it is not there or does not run."""
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    probe = f"import sys; sys.exit(sys.version_info < {NEEDED!r})"
    if python.exists() and _quietly([str(python), "-c", probe]):
        return str(python)
    broken = (folder / "pyvenv.cfg").exists()
    _say(f"making {_shown(folder)} with Python {sys.version.split()[0]}")
    if os.name == "nt":
        _say("Windows itself is not tested; if a step fails, run the same command inside WSL")
    try:
        import venv
    except ImportError as error:
        raise OSError("Python's venv module is missing; on Debian: apt-get install python3-venv") from error
    venv.create(str(folder), with_pip=False, clear=broken)
    return str(python)


def _install(folder: Path, python: str, use_uv: bool) -> None:
    """Install exactly the lock (hashes required), then this package; by uv when it can be had, else by pip."""
    uv = _find_uv(folder, python) if use_uv else None
    locked = ["--require-hashes", "--only-binary", ":all:", "-r", LOCK]
    here = ["--no-deps", "--no-build-isolation", "--editable", "."]
    what = "installing the packages"
    if uv is not None:
        install = [*uv, "pip", "install", "--python", python]
        try:
            _watched(install + locked, what, _package)
            _watched(install + here, "installing gpt-trader")
            return
        except Failed as error:
            _say(f"{error}\nsetup: uv could not install them; trying pip")
    install = [*_pip(folder, python), "install"]
    _watched(install + locked, what, _package)
    _watched(install + here, "installing gpt-trader")


def _find_uv(folder: Path, python: str) -> "list[str] | None":
    """How to call uv: the machine's own, or the pinned one, installed into the environment; None when it cannot be had."""
    own = shutil.which("uv")
    if own and _quietly([own, "--version"]):
        return [own]
    pinned = ["install", "--require-hashes", "-r", UV_PIN]
    try:
        _watched([*_pip(folder, python), *pinned], "installing uv", _package)
        return [python, "-m", "uv"]
    except Failed as error:
        _say(f"{error}\nsetup: uv cannot be had; going on with pip, which is slower")
        return None


def _pip(folder: Path, python: str) -> "list[str]":
    """How to call pip inside the environment: unpacked from the wheel that Python brings with it, else by ensurepip."""
    if not _quietly([python, "-m", "pip", "--version"]):
        where = [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]
        site = subprocess.check_output(where, universal_newlines=True).strip()
        wheel = _bundled_pip()
        if wheel is not None:
            shutil.unpack_archive(str(wheel), site, "zip")
        if not _quietly([python, "-m", "pip", "--version"]) and not _quietly([python, "-m", "ensurepip"]):
            raise OSError(
                f"Python has no pip here; on Debian: apt-get install python3-venv, then remove {_shown(folder)} and try again"
            )
    return [python, "-m", "pip", "--disable-pip-version-check", "--no-input"]


def _bundled_pip() -> "Path | None":
    """The wheel of pip that this Python carries."""
    folders = [Path("/usr/share/python-wheels")]
    try:
        import ensurepip

        folders.insert(0, Path(ensurepip.__file__).parent / "_bundled")
    except ImportError:
        pass
    wheels = [wheel for folder in folders for wheel in sorted(folder.glob("pip-*.whl"))]
    return wheels[0] if wheels else None


def _package(line: str) -> "str | None":
    """The package that a line of pip or uv is about; None for other lines."""
    about = r"\s*(?:Collecting|Downloading|Downloaded|Using cached|\+)\s+([A-Za-z0-9][\w.]*(?:-[A-Za-z]\w*)*)"
    found = re.match(about, line)
    return found.group(1) if found else None


# Tests


def _test(python: str, passed: "list[str]") -> int:
    """Every test, those that start Ray one after the other; or one pytest with the arguments that were given."""
    _name_missing()
    pytest = [python, "-m", "pytest"]
    if passed:
        return _call(pytest + passed, os.environ, ROOT)
    codes = [
        _call([*pytest, "-n", "2", "--dist", "worksteal", "--ignore", "tests/cluster"], os.environ, ROOT),
        _call([*pytest, "tests/cluster"], os.environ, ROOT),
    ]
    return 1 if any(codes) else 0


def _check(python: str) -> int:
    """Lint, import rules and unit tests, while mypy runs beside them; 1 when any of them complains."""
    mypy = subprocess.Popen(
        [python, "-m", "mypy"], cwd=str(ROOT), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, universal_newlines=True
    )  # fmt: skip
    try:
        linter = "from importlinter.cli import lint_imports_command; lint_imports_command(['--no-logo'])"
        quick = ["-q", "-n", "2", "--dist", "worksteal", "-m", "not slow", "tests/unit", "tests/architecture"]
        codes = [
            _call([python, "-m", "ruff", "check", "."], os.environ, ROOT),
            _call([python, "-c", linter], os.environ, ROOT),
            _call([python, "-m", "pytest", *quick], os.environ, ROOT),
        ]
        said = mypy.communicate()[0]
    finally:
        if mypy.poll() is None:
            mypy.terminate()
            mypy.wait()
    print(said, end="", flush=True)
    return 1 if any(codes) or mypy.returncode else 0


def _name_missing() -> None:
    """What some tests would like to have and this machine has not; they are skipped with a reason."""
    if not any(shutil.which(name) for name in ("chromium", "chromium-browser", "google-chrome")):
        _say("no chromium: tests in a browser are skipped; on Debian: apt-get install chromium")
    if not shutil.which("git"):
        _say("no git: tests of the repository are skipped; on Debian: apt-get install git")


# Steps and what they show


def _call(command: "list[str]", environ: "object", folder: "Path | None") -> int:
    """The exit code of a command that talks to the user itself."""
    child = subprocess.Popen(command, env=dict(environ), cwd=str(folder) if folder else None)
    try:
        return child.wait()
    except KeyboardInterrupt:
        child.wait()  # the terminal interrupts the child as well; it ends in its own way
        raise


def _watched(command: "list[str]", what: str, detail: "object" = None) -> None:
    """Run a step that shows only that it goes on: how long, and the last of what `detail` finds in its lines. Raises Failed."""
    child = subprocess.Popen(
        command, cwd=str(ROOT), env=_environ(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, universal_newlines=True,
        errors="replace",
    )  # fmt: skip
    lines, seen = [], []  # type: ignore[var-annotated]

    def read() -> None:
        for line in child.stdout:  # type: ignore[union-attr]
            lines.append(line)
            found = detail(line) if detail else line.strip()  # type: ignore[operator]
            if found and found not in seen:
                seen.append(found)

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    progress = _Progress(what)
    try:
        while child.poll() is None:
            count = f"{len(seen)} " if detail and seen else ""
            progress.show("{}{}".format(count, seen[-1] if seen else ""))
            time.sleep(0.1)
    except BaseException:
        child.terminate()
        child.wait()
        raise
    reader.join(5.0)
    progress.end()
    if child.returncode:
        said, code, step = "".join(lines), child.returncode, " ".join(command)
        raise Failed(f"{said}this step failed (exit {code}): {step}")


class _Progress:
    """One line that lives on a terminal, or now and then a plain line; nothing for a step of less than two seconds."""

    def __init__(self, what: str) -> None:
        self.what, self.began = what, time.time()
        self.live, self.shown = sys.stdout.isatty(), False
        self.due = QUIET_SECONDS if not self.live else 0.5

    def show(self, detail: str) -> None:
        """Tell how far the step is, if it is time to."""
        seconds = time.time() - self.began
        if seconds < self.due:
            return
        text = f"setup: {self.what} ... {seconds:.0f} s {detail}".rstrip()
        if self.live:
            width = shutil.get_terminal_size((80, 24)).columns - 1
            sys.stdout.write("\r\033[K" + text[:width])
            sys.stdout.flush()
            self.due = seconds + 0.2
        else:
            print(text, flush=True)
            self.due = seconds + LINE_SECONDS
        self.shown = True

    def end(self) -> None:
        """The line of a finished step."""
        cleared = "\r\033[K" if self.live and self.shown else ""
        print(f"{cleared}setup: {self.what}: {time.time() - self.began:.1f} s", flush=True)


def _quietly(command: "list[str]") -> bool:
    """Whether a command succeeds; what it says is of no interest."""
    try:
        done = subprocess.run(
            command, cwd=str(ROOT), env=_environ(), check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )  # fmt: skip
    except OSError:
        return False
    return done.returncode == 0


def _environ() -> "dict[str, str]":
    """uv fetches no interpreter of its own; byte code is kept even where others may not write any, so that commands start fast."""
    environ = dict(os.environ, UV_PYTHON_DOWNLOADS="never")
    environ.pop("PYTHONDONTWRITEBYTECODE", None)
    return environ


# What was done before


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


def _shown(path: Path) -> str:
    """A path as it is typed in this folder."""
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)


def _say(text: str) -> None:
    print(f"setup: {text}", flush=True)


def _fail(text: str) -> int:
    print(f"setup: {text}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
