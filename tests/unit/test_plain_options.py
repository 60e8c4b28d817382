"""Options without Typer's adapters say what they say with them, for every command and kind of value."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import pytest
import typer

from jobs.cli import COMMANDS
from jobs.options import spare_adapters

GIVEN: list[Any] = [
    None,
    "AAPL",
    "",
    "7",
    "0.5",
    "-1",
    "none",
    "x y",
    3,
    0.25,
    True,
    ["A", "B,C"],
    ("A",),
    [],
    [1],
    ["A", 2],
]


def leaves(command: Any) -> list[Any]:
    """The command and every command below it."""
    return [command, *(leaf for below in getattr(command, "commands", {}).values() for leaf in leaves(below))]


def outcome(item: Any, value: Any) -> tuple[str, Any]:
    """What an option makes of a value: the value and its type, or the words of the refusal."""
    try:
        made = item.get_runtime_param().coerce(value, param=item, ctx=None)
    except Exception as error:
        return type(error).__name__, str(error)
    return type(made).__name__, made


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_reads_every_value_as_typer_does(name: str) -> None:
    ours = leaves(spare_adapters(typer.main.get_command(import_module(COMMANDS[name]).app)))
    typers = leaves(typer.main.get_command(import_module(COMMANDS[name]).app))
    seen = 0
    for mine, theirs in zip(ours, typers, strict=True):
        for one, other in zip(mine.params, theirs.params, strict=True):
            assert one.name == other.name
            for value in GIVEN:
                assert repr(outcome(one, value)) == repr(outcome(other, value)), (name, one.name, value)
                seen += 1
    assert seen > len(GIVEN)
