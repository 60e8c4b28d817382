"""The help screens, docs/cli.md and the README name the same commands and options, and what they say runs."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import typer

from jobs.cli import COMMANDS, app
from jobs.command_reference import COMMON, commands, parameters, reference
from tests.e2e.command import ROOT, cli, shell

FOUND = dict(commands(typer.main.get_command(app), "gpt-trader"))
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGE = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")


def _blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


README_COMMANDS = [
    line.removeprefix("$ ")
    for block in _blocks(README, "console")
    for line in block.splitlines()
    if line.startswith("$ ")
]


def test_the_page_is_what_the_commands_say() -> None:
    assert reference() == PAGE, "run: python -m jobs.doc_tables docs"


@pytest.mark.parametrize("path", FOUND)
def test_every_option_on_the_help_screen_is_on_the_page_and_the_other_way_round(path: str) -> None:
    screen = cli(*path.split()[1:], "--help")
    assert screen.code == 0
    shown = set(re.findall(r"(?<![\w-])--[a-z][\w-]*", _table_part(screen.out))) - {"--help"}
    section = PAGE.partition(f"\n## {path}\n")[2].partition("\n## ")[0]
    listed = {
        flag
        for row in re.findall(r"^\| (`.*?) \|", section, re.MULTILINE)
        for flag in re.findall(r"`(--[\w-]+)`", row)
    }
    common = {
        flag
        for row in parameters(FOUND[path])
        if row.panel in COMMON
        for flag in row.flags
        if flag.startswith("--")
    }
    assert shown == listed | common


def _table_part(text: str) -> str:
    """The first column of the tables of a help screen: where an option stands, not where one is mentioned."""
    rows = [line[1:44] for line in text.splitlines() if line.startswith("│ ")]
    return "\n".join(rows)


def test_the_help_lists_every_command_and_nothing_else() -> None:
    screen = cli("--help").out
    rows = re.findall(r"^│ ([a-z]+) ", screen, re.MULTILINE)
    assert rows == list(COMMANDS)


@pytest.mark.parametrize("module", COMMANDS.values())
def test_every_command_is_also_a_module(module: str, tmp_path: Path) -> None:
    import subprocess
    import sys

    done = subprocess.run(
        [sys.executable, "-m", module, "--help"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert f"python -m {module}" in done.stdout


def test_the_version_is_printed(tmp_path: Path) -> None:
    from gpt_trader import __version__

    done = shell("--version", cwd=tmp_path)
    assert (done.code, done.out, done.err) == (0, f"gpt-trader {__version__}\n", "")


def test_every_parameter_has_a_help_text() -> None:
    silent = [
        f"{path} {row.flags[0]}"
        for path, command in FOUND.items()
        for row in parameters(command)
        if not row.text
    ]
    assert not silent


def test_the_readme_shows_the_two_commands_and_a_use_of_the_main_ones() -> None:
    assert README_COMMANDS[:2] == ["python3 bootstrap.py demo", "python3 bootstrap.py test"]
    assert {shlex.split(line)[1] for line in README_COMMANDS[2:]} >= {
        "backtest",
        "strategies",
        "check",
    }


def test_the_commands_of_the_readme_run_in_their_order() -> None:
    for line in README_COMMANDS[2:]:
        program, *arguments = shlex.split(line)
        assert program == "gpt-trader"
        done = cli(*arguments)
        assert done.code == 0, (line, done.err)
        assert done.out, line
    assert Path("out.html").is_file()
    assert Path("my_idea.py").is_file()


@pytest.mark.parametrize("code", _blocks(README, "python"))
def test_the_python_of_the_readme_runs(code: str) -> None:
    names: dict[str, Any] = {}
    exec(compile(code, "README.md", "exec"), names)  # noqa: S102 - our own page
    assert names["result"].metrics["final_equity"] > 0
    assert Path("out.html").is_file()


def test_links_of_the_readme_lead_to_files() -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        if "://" not in target:
            assert (ROOT / target).exists(), target
