"""Writes docs/cli.md from the commands themselves: `python -m jobs.reference docs/cli.md`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

import typer

HEAD = """# Commands and options

Written by `python -m jobs.reference docs/cli.md` from the commands themselves; a test compares the two.

Every command is also a module: `gpt-trader backtest …` is `python -m jobs.backtest …`. Exit codes: 0 done, 1 failed,
2 wrong usage, 130 interrupted. Mistakes are one message on standard error; `--debug` shows the traceback.
"""


def reference() -> str:
    """The whole page as Markdown."""
    from jobs.cli import app

    sections = [
        _section(path, command) for path, command in commands(typer.main.get_command(app), "gpt-trader")
    ]
    return "\n".join([HEAD, *sections])


def commands(group: Any, path: str) -> Iterator[tuple[str, Any]]:
    """Every runnable command below `group` with its full name, in the order of the help screens."""
    context = typer.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if hasattr(command, "list_commands"):
            yield from commands(command, f"{path} {name}")
        else:
            yield f"{path} {name}", command


def options(command: Any) -> Iterator[tuple[str, str, str, str]]:
    """(panel, names, default, help) of every parameter of a command; arguments first, as on its help screen."""
    for parameter in command.params:
        text = " ".join((getattr(parameter, "help", None) or "").split())
        if parameter.param_type_name == "argument":
            name = parameter.metavar or parameter.name.upper()
            yield "", f"`{name}`", _default(parameter), text
        else:
            flags = ", ".join(f"`{flag}`" for flag in (*parameter.opts, *parameter.secondary_opts))
            yield getattr(parameter, "rich_help_panel", None) or "Options", flags, _default(parameter), text


def _default(parameter: Any) -> str:
    shown = getattr(parameter, "show_default", None)
    if isinstance(shown, str):
        return shown
    value = parameter.default
    if value is None or value is False or callable(value) or value == []:
        return ""
    return str(value)


def _section(path: str, command: Any) -> str:
    """One command: its help and a table of options for each panel."""
    lines = [f"## {path}", "", (command.help or "").strip(), ""]
    usage = " ".join(command.collect_usage_pieces(typer.Context(command)))
    lines += ["```", f"{path} {usage}", "```", ""]
    rows = list(options(command))
    order = list(dict.fromkeys(row[0] for row in rows))
    for panel, members in groupby(sorted(rows, key=lambda row: order.index(row[0])), key=lambda row: row[0]):
        title = panel or "Argument"
        lines += [f"| {title} | default | meaning |", "| --- | --- | --- |"]
        lines += [f"| {names} | {default} | {_cell(text)} |" for _, names, default, text in members]
        lines.append("")
    return "\n".join(lines)


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def main() -> None:
    """Write the page to the file that is named, else to standard output."""
    text = reference()
    if len(sys.argv) > 1:
        Path(sys.argv[1]).write_text(text, encoding="utf-8")
    else:
        print(text)


if __name__ == "__main__":
    main()
