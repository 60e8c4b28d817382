"""`gpt-trader init`: asks a few questions and writes a gpt-trader.toml that `config check` accepts."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from getpass import getpass
from pathlib import Path
from typing import Annotated, Any

import typer

from gpt_trader.errors import BadParameter, GptTraderError, UnknownName, UserError
from jobs.console import Output, report_error
from jobs.options import grouped

app = typer.Typer(add_completion=False)

PRIVATE = 0o600
READABLE = 0o644


@dataclass(frozen=True, slots=True)
class Question:
    """One question: the setting it fills, its words, its default as text, and how an answer is read."""

    key: str
    words: str
    default: str
    read: Callable[[str], Any]
    hidden: bool = False


@app.command(help="Ask a few questions and write gpt-trader.toml.")
@grouped
def init(
    *,
    folder: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="Where to write it; made when absent.")
    ] = Path(),
    skip_api: Annotated[bool, typer.Option("--skip-api", help="Do not ask for keys of providers.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Ask nothing, take every default.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.")] = False,
    output: Output,
) -> None:
    """Write a configuration file with the answers; answers may be piped in, one a line. Keys are never shown."""
    from gpt_trader.adapters.configuration import FILE_NAME, default_toml

    path = folder / FILE_NAME
    if path.exists() and not force:
        raise UserError(f"{path} exists; edit it, or --force to replace it")
    answers = {} if yes else _ask_all(skip_api=skip_api)
    text = filled(default_toml(), answers)
    _write_checked(path, text, private=any(key.startswith("secrets.") for key in answers))
    output.emit({"file": path, "settings": sorted(answers)})
    output.line(f"wrote {path}")
    output.line("next: gpt-trader config show")


def filled(template: str, answers: Mapping[str, Any]) -> str:
    """`template` (commented settings in sections) with the settings of `answers` (dotted keys) switched on."""
    lines, section, left = [], "", dict(answers)
    for line in template.splitlines():
        if line.startswith("["):
            section = f"{line.strip('[]')}."
        key = f"{section}{line.removeprefix('# ').partition(' = ')[0]}"
        lines.append(f"{key.rpartition('.')[2]} = {_toml(left.pop(key))}" if key in left else line)
    assert not left, left  # noqa: S101 - every question names a setting of the template
    return "\n".join(lines) + "\n"


def _toml(value: Any) -> str:
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return repr(value)


def _questions(*, skip_api: bool) -> list[Question]:
    from gpt_trader.adapters.source_registry import SOURCES, secret_names
    from gpt_trader.risk import PROFILES

    profiles = ("none", *PROFILES)
    asked = [
        Question("data.source", f"Where prices come from ({', '.join(SOURCES)})", "demo", _one_of("source", tuple(SOURCES))),
        Question("backtest.capital", "Capital of a backtest", "100000", _positive),
        Question("costs.bps", "Commission in basis points", "5", _not_negative),
        Question("risk.profile", f"Risk limits ({', '.join(profiles)})", "none", _one_of("risk profile", profiles)),
    ]  # fmt: skip
    if not skip_api:
        asked += [
            Question(
                f"secrets.{name}",
                f"{name.replace('_', ' ').capitalize()} (empty: none)",
                "",
                str,
                hidden=True,
            )
            for name in secret_names()
        ]
    return asked


def _ask_all(*, skip_api: bool) -> dict[str, Any]:
    """The answers by setting; an empty one means the default, and an empty key none."""
    answers = {}
    for question in _questions(skip_api=skip_api):
        value = _ask(question)
        if value != "":
            answers[question.key] = value
    return answers


def _ask(question: Question) -> Any:
    """The answer to one question; at a terminal a wrong one is asked again, a piped one is an error."""
    while True:
        given = _line(question).strip() or question.default
        try:
            return question.read(given) if given else ""
        except GptTraderError as problem:
            if not sys.stdin.isatty():
                raise
            report_error(str(problem))


def _line(question: Question) -> str:
    """What was typed; the question goes to standard error, a hidden answer nowhere. At the end of input: nothing."""
    prompt = f"{question.words}{f' [{question.default}]' if question.default else ''}: "
    if question.hidden and sys.stdin.isatty():
        return getpass(prompt, stream=sys.stderr)
    print(prompt, end="" if sys.stdin.isatty() else "\n", file=sys.stderr, flush=True)
    return sys.stdin.readline()


def _one_of(kind: str, known: tuple[str, ...]) -> Callable[[str], str]:
    def read(text: str) -> str:
        if text not in known:
            raise UnknownName(kind, text, known)
        return text

    return read


def _positive(text: str) -> float:
    value = _not_negative(text)
    if value == 0:
        raise BadParameter(f"{text!r} is not a positive number")
    return value


def _not_negative(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < float("inf"):
        raise BadParameter(f"{text!r} is not a number from 0 up")
    return value


def _write_checked(path: Path, text: str, *, private: bool) -> None:
    """Write the file whole or not at all, private when it holds a secret, and only when it can be loaded."""
    from gpt_trader.adapters.atomic_files import atomic_file
    from gpt_trader.adapters.configuration import load

    try:
        with atomic_file(path) as part:
            descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE if private else READABLE)
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.write(text)
            load(part, environment={})
    except OSError as problem:
        raise UserError(f"{path} cannot be written: {problem.strerror}; choose another folder") from problem


if __name__ == "__main__":
    from jobs.cli import run_module

    run_module("jobs.init", app)
