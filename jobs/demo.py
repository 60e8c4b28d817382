"""`gpt-trader demo`: two strategies on the shipped prices through the real command line, each with a report."""

from __future__ import annotations

import io
import json
import shlex
from contextlib import redirect_stdout
from pathlib import Path
from typing import Annotated

import typer

from jobs.console import Output
from jobs.options import grouped

app = typer.Typer(add_completion=False)

STRATEGIES = ("trend_breakout", "demo_ma")


@app.command(
    help="Backtest two strategies on the shipped prices and write a report of each; needs no network."
)
@grouped
def demo(
    *,
    folder: Annotated[Path, typer.Option("--folder", metavar="FOLDER", help="Where the reports go.")] = Path(
        "reports"
    ),
    output: Output,
) -> None:
    """Run the commands that are shown, as a user would type them."""
    from jobs.cli import app as command_line
    from jobs.cli import run

    reports = {name: folder / f"{name}.html" for name in STRATEGIES}
    results = {}
    for name, report in reports.items():
        command = ["backtest", name, "--symbols", "AAPL,IBM,MSFT", "--report", str(report)]
        output.line(f"$ gpt-trader {shlex.join(command)}\n")
        flags = ["--json"] if output.as_json else ["--quiet"] if output.quiet else []
        caught = io.StringIO()
        if output.as_json:
            with redirect_stdout(caught):
                code = run(command_line, [*command, *flags])
        else:
            code = run(command_line, [*command, *flags])
        if code:
            raise typer.Exit(code)
        if output.as_json:
            results[name] = json.loads(caught.getvalue())
        output.line("")
    output.emit({"runs": results, "reports": reports})
    for report in reports.values():
        output.line(f"open {report.resolve()}")
    output.line("next: gpt-trader strategies new my_idea")


if __name__ == "__main__":
    from jobs.cli import run_module

    run_module("jobs.demo", app)
