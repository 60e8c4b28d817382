"""`init` as a process of its own: answers from a pipe, and typed at a terminal, where a wrong one is asked again."""

from __future__ import annotations

import os
import pty
import select
import signal
import stat
import subprocess
import sys
import time
import tomllib
from collections.abc import Sequence
from pathlib import Path

from tests.e2e.command import ROOT, shell

FILE = "gpt-trader.toml"
PATIENCE = 120.0


def at_a_terminal(script: Sequence[tuple[str, str | None]], *arguments: str, folder: Path) -> tuple[int, str]:
    """Run `gpt-trader ARGUMENTS` at a terminal; each answer is typed once its prompt stands there.

    None stands for Ctrl-C. Gives the exit code and all that the terminal showed.
    """
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "jobs.cli", *arguments],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "TERM": "dumb"},
        start_new_session=True,
        # A runner in the background hands down an ignored Ctrl-C; a user's terminal does not.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    os.close(theirs)
    shown, seen, end = "", 0, time.monotonic() + PATIENCE
    waiting = list(script)
    try:
        while True:
            assert time.monotonic() < end, shown
            if not select.select([ours], [], [], 1.0)[0]:
                continue
            try:
                piece = os.read(ours, 4096)
            except OSError:  # the other end is closed
                break
            if not piece:
                break
            shown += piece.decode()
            while waiting and waiting[0][0] in shown[seen:]:
                prompt, answer = waiting.pop(0)
                seen = shown.index(prompt, seen) + len(prompt)
                if answer is None:
                    process.send_signal(signal.SIGINT)
                else:
                    os.write(ours, f"{answer}\n".encode())
        return process.wait(PATIENCE), shown
    finally:
        os.close(ours)
        if process.poll() is None:
            process.kill()
            process.wait()


def test_answers_from_a_pipe_become_the_file(tmp_path: Path) -> None:
    done = shell("init", "--skip-api", cwd=tmp_path, stdin="synthetic\n5000\n1\naggressive\n")
    assert done.code == 0, done.err
    written = tomllib.loads((tmp_path / FILE).read_text())
    assert written["data"]["source"] == "synthetic"
    assert written["backtest"]["capital"] == 5000.0
    assert written["costs"]["bps"] == 1.0
    assert written["risk"]["profile"] == "aggressive"
    assert shell("config", "check", cwd=tmp_path).code == 0


def test_a_pipe_that_ends_early_leaves_the_defaults(tmp_path: Path) -> None:
    assert shell("init", cwd=tmp_path, stdin="csv\n").code == 0
    written = tomllib.loads((tmp_path / FILE).read_text())
    assert written["data"] == {"source": "csv"}
    assert written["backtest"]["capital"] == 100_000.0
    assert "secrets" not in written or not written["secrets"]


def test_a_wrong_answer_from_a_pipe_ends_it_without_a_file(tmp_path: Path) -> None:
    done = shell("init", "--skip-api", cwd=tmp_path, stdin="demo\nmuch\n")
    assert done.code == 2
    assert "'much' is not a number" in done.err
    assert "Traceback" not in done.err
    assert list(tmp_path.iterdir()) == []


def test_at_a_terminal_a_wrong_answer_is_asked_again_and_a_key_is_not_shown(tmp_path: Path) -> None:
    key, secret = "PKTYPEDKEY987654321", "typed-s3cr3t-of-the-test"
    code, shown = at_a_terminal(
        [
            ("Where prices come from", "yahooo"),
            ("Did you mean 'yahoo'", ""),
            ("Capital of a backtest [100000]: ", "-1"),
            ("not a number from 0 up", "2500"),
            ("Commission in basis points [5]: ", ""),
            ("Risk limits", "conservative"),
            ("Alpaca key id (empty: none): ", key),
            ("Alpaca secret key (empty: none): ", secret),
        ],
        "init",
        folder=tmp_path,
    )
    assert code == 0, shown
    assert "wrote gpt-trader.toml" in shown
    assert key not in shown
    assert secret not in shown
    path = tmp_path / FILE
    written = tomllib.loads(path.read_text())
    assert written["data"]["source"] == "demo"  # the empty answer to the question asked again
    assert written["backtest"]["capital"] == 2500.0
    assert written["risk"]["profile"] == "conservative"
    assert written["secrets"] == {"alpaca_key_id": key, "alpaca_secret_key": secret}
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_ctrl_c_at_a_question_writes_nothing(tmp_path: Path) -> None:
    code, shown = at_a_terminal(
        [("Where prices come from", "demo"), ("Capital of a backtest [100000]: ", None)],
        "init",
        "--skip-api",
        folder=tmp_path,
    )
    assert code == 130, shown
    assert "interrupted" in shown
    assert list(tmp_path.iterdir()) == []
