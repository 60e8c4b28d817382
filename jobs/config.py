"""`gpt-trader config`: shows every setting with its origin, checks that they work on this machine."""

from __future__ import annotations

import typer

from jobs.console import Output
from jobs.options import grouped
from jobs.settings_options import SettingsOptions

app = typer.Typer(add_completion=False, help="Show and check the settings.", no_args_is_help=True)


@app.command(help="Every setting, its value and where it was set; secrets are only set or not set.")
@grouped
def show(settings: SettingsOptions, output: Output) -> None:
    """Print the configuration as this call would use it."""
    configuration = settings.load()
    rows = configuration.show()
    output.emit(
        {
            "file": configuration.file,
            "settings": {item.key: {"value": item.value, "origin": item.origin} for item in rows},
        }
    )
    if output.tables:
        from jobs.console_tables import listing

        output.line(f"file: {configuration.file or 'none (gpt-trader init writes one)'}")
        output.show(
            listing(["Setting", "Value", "From"], [(item.key, item.value, item.origin) for item in rows])
        )


@app.command(help="Whether the settings are valid and work on this machine; exit code 1 when they do not.")
@grouped
def check(settings: SettingsOptions, output: Output) -> None:
    """Print what would go wrong with these settings, one line each."""
    configuration = settings.load()
    problems = configuration.check()
    output.emit({"file": configuration.file, "ok": not problems, "problems": problems})
    for problem in problems:
        output.line(f"problem: {problem}")
    if problems:
        raise typer.Exit(1)
    output.line(f"the settings are valid ({configuration.file or 'defaults and environment'})")


if __name__ == "__main__":
    from jobs.cli import run_module

    run_module("jobs.config", app)
