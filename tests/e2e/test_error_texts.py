"""What a strategy says in colours is said without them, wherever it is written; nothing but a terminal gets colours."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tests.e2e.command import ROOT, cli, shell

RED = "\x1b[1;31mred\x1b[0m"
STRATEGY = f"""
from dataclasses import dataclass
from gpt_trader import Strategy, param

@dataclass(frozen=True)
class Loud(Strategy):
    'Speaks in colours.'
    number: int = param(1, low=1, high=9)
    @classmethod
    def _say(cls):
        raise ValueError({RED!r} + " and \\ud800 half\\nof it\\x07")
    def PLACE(self, *_):
        if self.number > 1:
            self._say()
        return {{}}
    def decide(self, now):
        return now.close * 0 + 0.5
"""


@pytest.mark.parametrize("place", ["features", "validate"])
def test_the_points_of_a_sweep_that_fail_say_so_without_colours(
    place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("loud.py").write_text(STRATEGY.replace("PLACE", place), encoding="utf-8")
    told = f"loud.{place} raised ValueError: red and \\ud800 half\nof it"
    words = ("sweep", "loud.py", "--symbols", "AAPL", "--end", "2001-03-01", "--workers", 1)
    some = cli(*words, "--param", "number=1:3")
    assert some.code == 0
    assert f"failed   number 2: {told.splitlines()[0]}\nfailed   number 3: " in some.out
    found = json.loads(cli(*words, "--param", "number=1:3", "--json").out)
    assert [point["error"] for point in found["points"][1:]] == [told, told]
    table = pq.read_table(Path("runs") / found["run_id"] / "points.parquet")
    assert table["error"].to_pylist() == [None, told, told]
    none = cli(*words, "--param", "number=2:3")
    assert none.code == 1
    assert told in none.err
    assert "\x1b" not in some.out + none.err


def test_a_list_of_failed_points_has_a_line_for_each(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("loud.py").write_text(STRATEGY.replace("PLACE", "features"), encoding="utf-8")
    where = ("--symbols", "AAPL", "--end", "2002-03-01", "--workers", 1)
    for words in (
        ("walkforward", "loud.py", "-p", "number=1:2", "--train", "6m", "--test", "3m"),
        ("cv", "loud.py", "-p", "number=1:2"),
        ("robustness", "loud.py", "-p", "number=1", "--replicates", 0),
    ):
        done = cli(*words, *where)
        assert done.code == 0, done.err
        assert "failed   number 2: loud.features raised ValueError: red and \\ud800 half\n" in done.out
        assert "\nof it" not in done.out


def test_an_error_without_words_is_listed_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    silent = STRATEGY.replace("PLACE", "validate").replace("ValueError(", "BadParameter('') or (")
    Path("loud.py").write_text("from gpt_trader.errors import BadParameter\n" + silent, encoding="utf-8")
    done = cli("sweep", "loud.py", "-p", "number=1:2", "--symbols", "AAPL", "--end", "2001-03-01")
    assert done.code == 0, done.err
    assert "failed   number 2: \n" in done.out


# -- colours -----------------------------------------------------------------------------------------------------------


def on_a_terminal(folder: Path, *arguments: str, **variables: str) -> str:
    """What the command shows when standard output and standard error are a terminal."""
    ours, theirs = pty.openpty()
    environment = {"TERM": "xterm-256color", "PYTHONPATH": str(ROOT), **variables}
    kept = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "FORCE_COLOR")}
    with subprocess.Popen(
        [sys.executable, "-m", "jobs.cli", *arguments],
        cwd=folder, env={**kept, **environment}, stdin=subprocess.DEVNULL, stdout=theirs, stderr=theirs,
    ) as process:  # fmt: skip
        os.close(theirs)
        shown = b""
        with suppress(OSError):  # how Linux says that the other end is closed
            while part := os.read(ours, 4096):
                shown += part
        os.close(ours)
    assert process.returncode in (0, 2)
    return shown.decode()


def test_what_is_not_a_terminal_gets_no_colours_whatever_is_asked_for(tmp_path: Path) -> None:
    forced = {"FORCE_COLOR": "1", "CLICOLOR_FORCE": "1", "TERM": "xterm-256color", "GITHUB_ACTIONS": "true"}
    for words in (("strategies", "list"), ("runs", "show", "x"), ("sweep", "--nonsense")):
        done = shell(*words, cwd=tmp_path, env=forced)
        assert done.out + done.err
        assert "\x1b" not in done.out + done.err


def test_a_terminal_gets_colours_unless_it_wants_none(tmp_path: Path) -> None:
    assert "\x1b[1;31merror:\x1b[0m unknown run" in on_a_terminal(tmp_path, "runs", "show", "x")
    assert "\x1b[" in on_a_terminal(tmp_path, "strategies", "list")
    for without in ({"NO_COLOR": "1"}, {"TERM": "dumb"}):
        assert "\x1b[1;31m" not in on_a_terminal(tmp_path, "runs", "show", "x", **without)
    numbers = ("backtest", "demo_ma", "--symbols", "AAPL", "--end", "2001-03-01")
    assert "\x1b[3" in on_a_terminal(tmp_path, *numbers)
    assert "\x1b[3" not in on_a_terminal(tmp_path, *numbers, NO_COLOR="1")


FAILS = """
from dataclasses import dataclass
from gpt_trader import Strategy, param

@dataclass(frozen=True)
class Fails(Strategy):
    fast: int = param(20, low=5, high=60)

    def decide(self, now):
        raise ValueError("not today")
"""


@pytest.mark.parametrize(
    "command",
    [("backtest",), ("sweep", "--param", "fast=5,10"), ("compare", "demo_ma"), ("robustness",),
     ("walkforward", "--param", "fast=5,10"), ("cv", "--param", "fast=5,10")],
    ids=lambda command: command[0],
)  # fmt: skip
def test_a_strategy_that_always_fails_ends_every_command_with_1(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...]
) -> None:
    """It is the strategy that failed, not the way the command was written."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "fails.py").write_text(FAILS)
    done = cli(command[0], "fails.py", *command[1:], "--start", "2008-01-01", "--quiet")
    assert done.code == 1, done
    assert "decide raised ValueError: not today" in done.err
