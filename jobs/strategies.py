"""`gpt-trader strategies`: lists the shipped strategies, shows one, writes a new one to start from."""

from __future__ import annotations

import inspect
import keyword
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gpt_trader.errors import BadParameter, GptTraderError, UserError
from jobs.console import Output
from jobs.options import grouped

if TYPE_CHECKING:
    from gpt_trader.exits import Exit
    from gpt_trader.strategy import Parameter, Strategy

app = typer.Typer(add_completion=False, help="List, show and start strategies.", no_args_is_help=True)

TEMPLATE = Path(__file__).with_name("strategy_template.txt")


@app.command("list", help="The shipped strategies and their parameters.")
@grouped
def list_command(output: Output) -> None:
    """Print every shipped strategy with its one-line summary."""
    from gpt_trader.strategies import available, load_strategy

    found = available()
    defaults = {
        name: {item.name: item.default for item in _parameters(load_strategy(name))} for name in found
    }
    rows = [
        (name, text, ", ".join(f"{key}={value}" for key, value in defaults[name].items()))
        for name, text in found.items()
    ]
    output.emit(
        {
            "strategies": [
                {"name": name, "summary": text, "parameters": defaults[name]} for name, text in found.items()
            ]
        }
    )
    if output.tables:
        from jobs.console_tables import listing

        output.show(listing(["Name", "What it does", "Parameters"], rows))


@app.command("show", help="One strategy: what it does, its parameters and their ranges, its exits.")
@grouped
def show(
    *,
    strategy: Annotated[
        str, typer.Argument(metavar="STRATEGY", help="A shipped name, or path/to/file.py[:Class].")
    ],
    output: Output,
) -> None:
    """Print the docstring, the parameters and the declared exits of a strategy."""
    from gpt_trader.strategies import load_strategy
    from gpt_trader.strategy import strategy_name

    found = load_strategy(strategy)
    parameters = _parameters(found)
    exits = _default_exits(found)
    text = inspect.getdoc(found) or ""
    output.emit(
        {
            "name": strategy_name(found),
            "documentation": text,
            "parameters": [_as_dict(item) for item in parameters],
            "exits": [str(item) for item in exits],
        }
    )
    if output.tables:
        from jobs.console_tables import listing

        output.line(f"{strategy_name(found)}: {text}\n")
        rows = [(item.name, item.kind.__name__, item.default, _range(item), item.doc) for item in parameters]
        output.show(listing(["Parameter", "Type", "Default", "Range", "Meaning"], rows))
        for item in exits:
            output.line(f"exit: {item}")


@app.command("new", help="Write a working strategy file to start from.")
@grouped
def new(
    *,
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name of the strategy, such as my_idea.")],
    folder: Annotated[
        Path, typer.Option("--folder", metavar="FOLDER", help="Where to write it. (default here)")
    ] = Path(),
    force: Annotated[bool, typer.Option("--force", help="Replace a file of that name.")] = False,
    output: Output,
) -> None:
    """Write NAME.py: a commented strategy that runs and passes `check` as it is."""
    stem = name.removesuffix(".py")
    if not re.fullmatch(r"[a-z][a-z0-9_]*", stem) or keyword.iskeyword(stem):
        raise BadParameter(
            f"{name!r} cannot name a strategy; use small letters, digits and _, such as my_idea"
        )
    path = folder / f"{stem}.py"
    if path.exists() and not force:
        raise UserError(f"{path} exists; choose another name, or --force to replace it")
    words = stem.split("_")
    text = TEMPLATE.read_text(encoding="utf-8")
    text = text.replace("$CLASS", "".join(word.capitalize() for word in words)).replace("$FILE", path.name)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        path.write_text(text.replace("$TITLE", " ".join(words).capitalize()), encoding="utf-8")
    except OSError as problem:
        raise UserError(f"{path} cannot be written: {problem.strerror}; choose another --folder") from problem
    output.emit({"file": path})
    output.line(f"wrote {path}")
    output.line(f"next: gpt-trader check {path}")
    output.line(f"      gpt-trader backtest {path} --symbols AAPL")


def _parameters(strategy: type[Strategy]) -> list[Parameter]:
    from gpt_trader.strategy import parameters_of

    return list(parameters_of(strategy).values())


def _default_exits(strategy: type[Strategy]) -> tuple[Exit, ...]:
    """What the strategy declares with its default parameters, or for the class where those do not make an instance."""
    try:
        return strategy().declared_exits()
    except (TypeError, GptTraderError):
        return strategy.exits


def _range(item: Parameter) -> str:
    if item.choices is not None:
        return " | ".join(item.choices)
    if item.low is None and item.high is None:
        return ""
    low = "" if item.low is None else f"{item.low:g}"
    high = "" if item.high is None else f"{item.high:g}"
    return f"{low} … {high}"


def _as_dict(item: Parameter) -> dict[str, Any]:
    return {
        "name": item.name,
        "type": item.kind.__name__,
        "default": item.default,
        "low": item.low,
        "high": item.high,
        "choices": item.choices,
        "meaning": item.doc,
    }


if __name__ == "__main__":
    from jobs.cli import run_module

    run_module("jobs.strategies", app)
