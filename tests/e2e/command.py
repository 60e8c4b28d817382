"""Runs `gpt-trader` for a test: in this process for speed, or as a user's shell would."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Done:
    """How a command ended and what it printed."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Standard output as the one JSON object it must be."""
        return json.loads(self.out)


def cli(*arguments: object, stdin: str = "") -> Done:
    """`gpt-trader ARGUMENTS` in this process, which knows no more than a new one; what is printed is caught, exit code as `main`
    would leave with."""
    from gpt_trader.look_ahead import forget_checks
    from jobs.cli import app, run

    forget_checks()
    out, err = io.StringIO(), io.StringIO()
    before = sys.stdin
    sys.stdin = io.StringIO(stdin)
    try:
        with redirect_stdout(out), redirect_stderr(err):
            code = run(app, [str(item) for item in arguments])
    finally:
        sys.stdin = before
    return Done(code, out.getvalue(), err.getvalue())


def shell(*arguments: object, cwd: Path, env: Mapping[str, str] | None = None, stdin: str = "") -> Done:
    """`python -m jobs.cli ARGUMENTS` as a process of its own in `cwd`."""
    done = subprocess.run(
        [sys.executable, "-m", "jobs.cli", *map(str, arguments)],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(ROOT), **(env or {})},
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
    )
    return Done(done.returncode, done.stdout, done.stderr)


def one_message(done: Done, code: int) -> str:
    """Assert that a command ended with `code` and one message, no traceback and nothing on standard output."""
    assert done.code == code, (done.code, done.out, done.err)
    assert "Traceback" not in done.err
    assert not done.out, done.out
    first = done.err.splitlines()[0]
    assert first.startswith("error: ")
    assert len(done.err.splitlines()) <= 3, done.err
    return first
