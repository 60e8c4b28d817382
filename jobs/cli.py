"""The command line `gpt-trader`: finds the command, turns mistakes into one message and an exit code."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from importlib import import_module
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from gpt_trader import __version__
from gpt_trader.errors import GptTraderError, plain
from jobs import INTERRUPTED
from jobs.console import only_json, report_error
from jobs.options import spare_adapter, spare_adapters
from jobs.resuming import typing_of

COMMANDS: Mapping[str, str] = {
    "demo": "jobs.demo",
    "backtest": "jobs.backtest",
    "sweep": "jobs.sweep",
    "walkforward": "jobs.walkforward",
    "cv": "jobs.cv",
    "robustness": "jobs.robustness",
    "compare": "jobs.compare",
    "strategies": "jobs.strategies",
    "check": "jobs.check",
    "data": "jobs.data",
    "runs": "jobs.runs",
    "trials": "jobs.trials",
    "report": "jobs.report",
    "config": "jobs.config",
    "init": "jobs.init",
    "doctor": "jobs.doctor",
}
"""Every command and the module that owns it, in the order of the help screen."""

USAGE = 2
FAILED = 1

# Typer's own exceptions for wrong usage; their base also covers unreadable files.
_ClickError: type[Exception] = typer.BadParameter.__mro__[2]


class LazyGroup(TyperGroup):
    """A group that imports the module of a command when that command is asked for, or for the list of all."""

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002 - the signature is the library's
        """The names of all commands."""
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002
        """The command of that name, or None."""
        if cmd_name not in COMMANDS:
            return None
        if cmd_name not in self.commands:
            command = spare_adapters(typer.main.get_command(import_module(COMMANDS[cmd_name]).app))
            command.name = cmd_name
            self.commands[cmd_name] = command
        return self.commands[cmd_name]

    def get_help_option(self, ctx: Any) -> Any:
        """`--help`, without an adapter."""
        return spare_adapter(super().get_help_option(ctx))

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """The command the arguments name; a misspelt one is answered with the nearest."""
        name = args[0] if args else ""
        if name and not name.startswith("-") and name not in COMMANDS:
            near = get_close_matches(name, COMMANDS, n=1, cutoff=0.5)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            ctx.fail(f"unknown command {name!r}.{hint} Known: {', '.join(COMMANDS)}.")
        return super().resolve_command(ctx, args)


app = typer.Typer(
    cls=LazyGroup,
    name="gpt-trader",
    help="One strategy file, from an honest backtest to a broker.",
    add_completion=False,
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(wanted: bool) -> None:
    if wanted:
        print(f"gpt-trader {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_show_version, is_eager=True)
    ] = False,
) -> None:
    """One strategy file, from an honest backtest to a broker."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and leave with its exit code: 0 done, 1 failed, 2 wrong usage, 130 interrupted."""
    _prepare()
    sys.exit(run(app, arguments))


def run(
    application: typer.Typer,
    arguments: Sequence[str] | None = None,
    name: str = "gpt-trader",
    command: Sequence[str] = (),
) -> int:
    """The exit code of one command line; errors of ours and of the parser become one message on standard error.

    `command` are the words before `arguments` that `gpt-trader` would need to run the same application.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        with typing_of((*command, *given)), only_json("--json" in given):
            code = application(args=given, prog_name=name, standalone_mode=False)
        sys.stdout.flush()
        if code == INTERRUPTED:  # Typer turns Ctrl-C inside a command into this code
            raise KeyboardInterrupt
        return code if isinstance(code, int) else 0
    except (KeyboardInterrupt, typer.Abort):
        report_error("interrupted; nothing half-written was kept")
        return INTERRUPTED
    except _ClickError as error:
        return _usage_error(error, name)
    except GptTraderError as error:
        _show_traceback(given)
        report_error(str(error))
        return error.exit_code
    except SystemExit as error:
        if isinstance(error.__context__, BrokenPipeError):  # Typer's own answer to a reader that has gone
            return _reader_gone()
        # Nothing of ours leaves that way: the code of a strategy did.
        _show_traceback(given)
        report_error(f"the strategy's code called sys.exit({error.code!r}); raise an exception instead")
        return FAILED
    except BrokenPipeError:
        return _reader_gone()
    except Exception as error:
        if _show_traceback(given):
            return FAILED
        what = f"{type(error).__name__}: {error}".rstrip(": ")
        report_error(
            plain(what), "This looks like a fault of GPT-Trader. Run it again with --debug to see where."
        )
        return FAILED


def _reader_gone() -> int:
    """The reader (head, less) has gone: nothing is wrong, and nothing can be printed any more."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


def run_module(module: str, application: typer.Typer) -> None:
    """`python -m jobs.NAME`: the same command, called by its module."""
    _prepare()
    command = [name for name, owner in COMMANDS.items() if owner == module]
    sys.exit(run(application, name=f"python -m {module}", command=command))


def _prepare() -> None:
    """A terminal that knows no "−" gets "?" for it, instead of an error; sums of NumPy's BLAS are made by one thread, because
    their last digits depend on how many there are."""
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def _usage_error(error: Any, name: str) -> int:
    """One message for wrong usage, with where to read on; the message of an error without text is the help itself."""
    message = error.format_message().strip()
    context = getattr(error, "ctx", None)
    if not message:
        return USAGE
    path = context.command_path if context is not None else name
    if hasattr(error, "option_name") and context is not None and message.startswith("No such option"):
        message = _unknown_option(error.option_name, context.command)
    report_error(message, f"Try: {path} --help")
    return int(getattr(error, "exit_code", USAGE))


def _unknown_option(name: str, command: Any) -> str:
    """An option that is not there, with the nearest of those that are."""
    known = [
        flag
        for item in command.params
        for flag in (*item.opts, *item.secondary_opts)
        if flag.startswith("--")
    ]
    near = get_close_matches(name, [*known, "--help"], n=1, cutoff=0.5)
    return f"unknown option {name!r}." + (f" Did you mean {near[0]!r}?" if near else "")


def _show_traceback(arguments: Sequence[str]) -> bool:
    if "--debug" not in arguments:
        return False
    import traceback

    traceback.print_exc()
    return True


if __name__ == "__main__":
    main()
