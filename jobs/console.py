"""What a command says and how: tables and notes for people, one JSON object for programs, one message for a mistake."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, TextIO

import typer

from gpt_trader.progress import OnProgress, no_progress

if TYPE_CHECKING:
    from rich.console import Console

OUTPUT_PANEL = "Output"
QUIET_SECONDS, LINE_SECONDS = 2.0, 5.0
_answer: list[TextIO | None] = [None]


@dataclass(frozen=True, slots=True)
class Output:
    """How a command reports: `--json`, `--quiet` and `--debug`, which every command has."""

    as_json: Annotated[
        bool,
        typer.Option("--json", help="Print one JSON object instead of tables.", rich_help_panel=OUTPUT_PANEL),
    ] = False
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Print nothing but errors.", rich_help_panel=OUTPUT_PANEL)
    ] = False
    debug: Annotated[
        bool, typer.Option("--debug", help="Show the traceback of an error.", rich_help_panel=OUTPUT_PANEL)
    ] = False

    def as_arguments(self) -> list[str]:
        """The same options as they are typed."""
        given = {"--json": self.as_json, "--quiet": self.quiet, "--debug": self.debug}
        return [flag for flag, wanted in given.items() if wanted]

    @property
    def tables(self) -> bool:
        """Whether tables and notes for a person are wanted."""
        return not (self.as_json or self.quiet)

    def show(self, *items: Any) -> None:
        """Print rich renderables or text to standard output, unless JSON or silence was asked for."""
        if self.tables:
            console = terminal()
            for item in items:
                console.print(item, highlight=False)

    def line(self, text: str) -> None:
        """Print one line as it stands (paths are never wrapped), unless JSON or silence was asked for."""
        if self.tables:
            print(text)

    def note(self, text: str) -> None:
        """Print a warning to standard error, unless silence was asked for; it never mixes with the JSON."""
        if not self.quiet:
            print(f"note: {text}", file=sys.stderr)

    def emit(self, value: Mapping[str, Any]) -> None:
        """Print `value` as one JSON object when JSON was asked for; NaN becomes null."""
        if self.as_json and not self.quiet:
            print(json.dumps(as_json(value), indent=2, ensure_ascii=False), file=_answer[-1] or sys.stdout)

    @contextmanager
    def progress(self, what: str, total: int | None = None) -> Iterator[Any]:
        """A progress bar on a terminal, for work longer than a second; yields a function to call with steps done."""
        if not self.tables or not sys.stderr.isatty():
            yield lambda _steps=1: None
            return
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            SpinnerColumn,
            TextColumn,
            TimeElapsedColumn,
        )

        columns = [SpinnerColumn(), TextColumn("{task.description}"), BarColumn()]
        counted = [MofNCompleteColumn()] if total else []
        with Progress(
            *columns, *counted, TimeElapsedColumn(), console=terminal(stderr=True), transient=True
        ) as bar:
            task = bar.add_task(what, total=total)
            yield lambda steps=1: bar.advance(task, steps)

    @contextmanager
    def counting(self, what: str) -> Iterator[OnProgress]:
        """How far something is that may take long: a bar with counts on a terminal; elsewhere, as in a log, a line once it has
        taken two seconds and then every five. Yields what hears the counts; nothing where JSON or silence was asked for."""
        if not self.tables:
            yield no_progress
        elif not sys.stderr.isatty():
            yield _Lines(what)
        else:
            from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

            columns = (
                SpinnerColumn(),
                TextColumn(what, markup=False),
                BarColumn(bar_width=24),
                TimeElapsedColumn(),
                TextColumn("{task.fields[counted]}", markup=False),
            )
            with Progress(*columns, console=terminal(stderr=True), transient=True) as bar:
                task = bar.add_task(what, total=None, counted="")

                def told(unit: str, done: int, total: int) -> None:
                    bar.update(task, completed=done, total=total, counted=f"{done:,} of {total:,} {unit}")

                yield told


class _Lines:
    """Counts as lines on standard error, where no bar can be shown."""

    def __init__(self, what: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._what, self._clock = what, clock
        self._next = clock() + QUIET_SECONDS

    def __call__(self, unit: str, done: int, total: int) -> None:
        now = self._clock()
        if now >= self._next and done < total:
            self._next = now + LINE_SECONDS
            print(f"{self._what}: {done:,} of {total:,} {unit}", file=sys.stderr, flush=True)


@contextmanager
def only_json(wanted: bool) -> Iterator[None]:
    """Inside, what the code of a strategy prints goes to standard error when JSON is `wanted`, so that nothing mixes with it."""
    if not wanted:
        yield
        return
    within = _answer[-1] is not None and sys.stdout is sys.stderr  # of a command that runs another one
    _answer.append(_answer[-1] if within else sys.stdout)
    try:
        with redirect_stdout(sys.stderr):
            yield
    finally:
        _answer.pop()


def as_json(value: Any) -> Any:
    """`value` as JSON's own types, by the same rules as the files of a run."""
    from gpt_trader.adapters.canonical_json import canonical_json

    return json.loads(canonical_json(value))


def terminal(*, stderr: bool = False) -> Console:
    """A console for the stream as it is now; not a terminal: plain text whatever the environment asks for, wide enough not
    to fold a table."""
    from rich.console import Console

    stream = sys.stderr if stderr else sys.stdout
    if stream.isatty():
        return Console(file=stream, emoji=False, legacy_windows=False)
    return Console(
        file=stream, width=240, no_color=True, force_terminal=False, emoji=False, legacy_windows=False
    )


def report_error(message: str, hint: str | None = None) -> None:
    """One message on standard error, in red on a terminal that wants colours, and what to do next."""
    coloured = sys.stderr.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    start, end = ("\x1b[1;31m", "\x1b[0m") if coloured else ("", "")
    print(f"{start}error:{end} {message}", file=sys.stderr)
    if hint:
        print(hint, file=sys.stderr)
