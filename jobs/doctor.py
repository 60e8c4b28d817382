"""`gpt-trader doctor`: whether this machine has what is needed, what is missing and what to do."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version

import typer

from gpt_trader import __version__
from gpt_trader.adapters.source_registry import SOURCES
from gpt_trader.errors import GptTraderError
from jobs.console import Output
from jobs.options import grouped
from jobs.settings_options import SettingsOptions

app = typer.Typer(add_completion=False)

OLDEST_PYTHON = (3, 11)
PACKAGES = (
    "numpy", "numba", "pandas", "pyarrow", "scipy", "sqlalchemy", "alembic", "psycopg", "exchange-calendars", "curl-cffi",
    *(source.package for source in SOURCES.values() if source.package), "ray", "optuna", "typer", "rich",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at: its name, whether it is well, and what was seen or what to do."""

    name: str
    ok: bool
    text: str


@app.command(help="Whether this machine has what is needed, and what to do about what it has not.")
@grouped
def doctor(
    settings: SettingsOptions,
    output: Output,
) -> None:
    """Look at everything a backtest needs; exit code 1 when something is missing."""
    checks: dict[str, Callable[[], str]] = {
        "python": _python,
        "packages": _packages,
        "configuration": lambda: _configuration(settings),
        "store": lambda: _store(settings),
        "demo data": _demo_data,
        "kernels": _kernels,
    }
    findings = list(_look(checks))
    output.emit({"ok": all(item.ok for item in findings), "findings": findings})
    for item in findings:
        output.line(f"{'ok  ' if item.ok else 'FAIL'}  {item.name:<14} {item.text}")
    if not all(item.ok for item in findings):
        raise typer.Exit(1)


def _look(checks: dict[str, Callable[[], str]]) -> Iterator[Finding]:
    """The finding of each check; an error of ours is a finding, not the end."""
    for name, check in checks.items():
        try:
            yield Finding(name, True, check())
        except (GptTraderError, ImportError, OSError) as problem:
            yield Finding(name, False, str(problem))


class Unwell(GptTraderError):
    """What was looked at is missing or broken; the message says what to do."""


def _python() -> str:
    found = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info < OLDEST_PYTHON:
        raise Unwell(f"Python {found} is too old; 3.11 or newer is needed")
    return f"Python {found}, gpt-trader {__version__}"


def _packages() -> str:
    found = {name: _version(name) for name in PACKAGES}
    missing = [name for name, number in found.items() if number is None]
    if missing:
        raise Unwell(f"not installed: {', '.join(missing)}; run python3 bootstrap.py again")
    ray = _version("ray")
    extra = f"; ray {ray}" if ray else "; the extra `ray` is not installed (only sweeps and sessions need it)"
    return ", ".join(f"{name} {number}" for name, number in list(found.items())[:4]) + extra


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _configuration(settings: SettingsOptions) -> str:
    configuration = settings.load()
    problems = configuration.check()
    if problems:
        raise Unwell("; ".join(problems))
    return str(configuration.file or "defaults (gpt-trader init writes a file)")


def _store(settings: SettingsOptions) -> str:
    from gpt_trader.adapters.store import RunStore

    with RunStore(settings.load().store.url) as store:
        if store.location.path is not None and not store.location.path.exists():
            return f"{store.location.shown} (made by the first run)"
        faults = store.check()
        if faults:
            raise Unwell("; ".join(faults))
        return f"{store.location.shown} is sound"


def _demo_data() -> str:
    from gpt_trader import load_bars

    bars = load_bars(["AAPL"], source="demo")
    return f"{bars.T:,} bars of AAPL, {str(bars.time[0])[:10]} to {str(bars.time[-1])[:10]}"


def _kernels() -> str:
    from jobs.compile_kernels import warm_up

    return f"compiled; every shipped strategy ran, in {warm_up():.1f} s"


if __name__ == "__main__":
    from jobs.cli import run_module

    run_module("jobs.doctor", app)
