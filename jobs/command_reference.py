"""Writes docs/cli.md from the commands themselves: `python -m jobs.command_reference docs/cli.md`."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer

HEAD = """# Commands and options

Written by `python -m jobs.command_reference docs/cli.md` from the commands themselves; a test compares the two.

Every command is also a module: `gpt-trader backtest …` is `python -m jobs.backtest …`. Exit codes: 0 done, 1 failed,
2 wrong usage, 130 interrupted. A mistake is one message on standard error. `gpt-trader --version` prints the version,
`--help` (or `-h`) after any command its options.

Settings come from `gpt-trader.toml` in the working folder, then from the environment (`GPT_TRADER_COSTS__BPS=3`), then
from the options below; the later wins. `gpt-trader config show` lists them all with where each was set.
"""
COMMON = ("Output",)


def reference() -> str:
    """The whole page as Markdown."""
    from jobs.cli import app

    found = list(commands(typer.main.get_command(app), "gpt-trader"))
    shared = [row for row in parameters(found[0][1]) if row.panel in COMMON]
    everywhere = ["## Every command", "", *_table("Output", shared)]
    return "\n".join([HEAD, *everywhere, *(_section(path, command) for path, command in found)])


def commands(group: Any, path: str) -> Iterator[tuple[str, Any]]:
    """Every runnable command below `group` with its full name, in the order of the help screens."""
    context = typer.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if hasattr(command, "list_commands"):
            yield from commands(command, f"{path} {name}")
        else:
            yield f"{path} {name}", command


@dataclass(frozen=True, slots=True)
class Row:
    """One parameter of a command as the page shows it; `flags` are the names that may be typed."""

    panel: str
    flags: tuple[str, ...]
    value: str
    default: str
    text: str


def parameters(command: Any) -> Iterator[Row]:
    """Every parameter of a command in the order of its help screen, which hidden ones are not on."""
    for item in command.params:
        if getattr(item, "hidden", False):
            continue
        text = " ".join((getattr(item, "help", None) or "").split())
        found = re.fullmatch(r"(.*?) ?\((?:default )?((?:moderate )?[^()]+)\)", text)
        default = _default(item)
        if found and not default and ("(default " in text or "(moderate " in text):
            text, default = found[1], found[2]
        if item.param_type_name == "argument":
            yield Row("Argument", (item.metavar or item.name.upper(),), "", default, text)
        else:
            value = "" if item.is_flag else item.metavar or item.type_descriptor.annotation.__name__.upper()
            panel = getattr(item, "rich_help_panel", None) or "Options"
            yield Row(panel, (*item.opts, *item.secondary_opts), value, default, text)


def _default(item: Any) -> str:
    value = item.default
    plain = isinstance(value, int | float | str | Path) and not isinstance(value, bool) and value != Path()
    return str(value) if plain and "(default" not in (getattr(item, "help", None) or "") else ""


def _section(path: str, command: Any) -> str:
    """One command: its help and a table of options for each panel."""
    lines = [f"## {path}", "", (command.help or "").strip(), ""]
    usage = " ".join(command.collect_usage_pieces(typer.Context(command)))
    lines += ["```", f"{path} {usage}", "```", ""]
    rows = [row for row in parameters(command) if row.panel not in COMMON]
    for panel in dict.fromkeys(row.panel for row in rows):
        lines += _table(panel, [row for row in rows if row.panel == panel])
    return "\n".join(lines)


def _table(panel: str, rows: list[Row]) -> list[str]:
    lines = [f"| {panel} | value | default | meaning |", "| --- | --- | --- | --- |"]
    for row in rows:
        names = ", ".join(f"`{flag}`" for flag in row.flags)
        lines.append(f"| {names} | {_cell(row.value)} | {_cell(row.default)} | {_cell(row.text)} |")
    return [*lines, ""]


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
