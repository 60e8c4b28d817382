"""`gpt-trader check`: proves a strategy causal, row-equal and warm on bars, or names the line that is not."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gpt_trader.errors import BadParameter
from jobs.console import Output
from jobs.data_options import DataOptions
from jobs.look_ahead import record_check
from jobs.options import grouped
from jobs.settings_options import SettingsOptions, StoreOptions
from jobs.strategy_options import STRATEGY_HELP, StrategyOptions

if TYPE_CHECKING:
    from gpt_trader.bars import Bars
    from gpt_trader.check import CheckReport, Finding
    from gpt_trader.strategy import Strategy

app = typer.Typer(add_completion=False)

# Several symbols, so that a mean over the wrong axis shows.
DEMO_SYMBOLS = "AAPL,IBM,MSFT"
AUTO, ALL = "auto", "all"
MEANINGS = {
    "repeat": "the same bars give the same answers twice",
    "causal": "nothing up to a bar moves when the bars after it are cut off, replaced or hidden",
    "rows": "one bar at a time gives the same targets as all bars at once",
    "warm-up": "a bounded history gives the same last row as the whole",
}
SIGNS = {"ok": "ok  ", "warning": "warn", "fail": "FAIL", "not applicable": "n/a "}


@app.command(help="Prove that a strategy does not look ahead: cut and scramble the future, nothing may move.")
@grouped
def check(
    *,
    strategy: Annotated[str, typer.Argument(metavar="STRATEGY", help=STRATEGY_HELP)],
    samples: Annotated[
        str,
        typer.Option(
            "--samples",
            metavar="N|all|auto",
            help="Bars at which the future is changed; auto: as many as twenty seconds allow.",
        ),
    ] = AUTO,
    allow_file: Annotated[
        list[str] | None,
        typer.Option(
            "--allow-file",
            metavar="FILE",
            help="A file that the strategy may read; may be given many times.",
        ),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Seed of the choice of bars.")] = 0,
    choice: StrategyOptions,
    data: DataOptions,
    store: StoreOptions,
    settings: SettingsOptions,
    output: Output,
) -> None:
    """Check a strategy on bars (AAPL, IBM and MSFT of the demo by default); exit code 1 when a proof fails."""
    wanted = _samples(samples)
    made = choice.make(strategy)
    configuration = settings.load()
    if not data.symbols and data.universe is None and data.open(configuration).name == "demo":
        data = replace(data, symbols=[DEMO_SYMBOLS])
    with output.counting("loading bars") as told:
        bars = data.load(configuration, seed, told).bars
    report = checked(made, bars, wanted, seed, tuple(allow_file or ()), output)
    record_check(store.open(configuration), made, report, bars, output)
    output.emit(as_object(report, bars))
    if output.tables:
        _show(report, bars.symbols, strategy, output)
    if not report.ok:
        raise typer.Exit(1)


def checked(
    strategy: Strategy,
    bars: Bars,
    wanted: int | str | None,
    seed: int,
    allowed: tuple[str, ...],
    output: Output,
) -> CheckReport:
    """The proofs, with their progress on a terminal; `wanted` is what `_samples` reads."""
    from gpt_trader.check import check_strategy

    count = bars.T if isinstance(wanted, str) else wanted
    with output.progress("bars checked", total=min(count or bars.T, bars.T - 1)) as step:
        known = 0

        def on_progress(done: int, _total: int) -> None:
            nonlocal known
            step(done - known)
            known = done

        return check_strategy(strategy, bars, count, seed, allowed=allowed, on_progress=on_progress)


def as_object(report: CheckReport, bars: Bars) -> dict[str, Any]:
    """The JSON object of a check."""
    return {
        "strategy": report.strategy,
        "ok": report.ok,
        "repeat": report.repeat,
        "causal": report.causal,
        "rows": report.rows,
        "warm_up": report.warm_up,
        "states": {test: report.state(test) for test in MEANINGS},
        "warmup_bars": report.warmup,
        "bars": report.bars,
        "symbols": bars.symbols,
        "samples": report.samples,
        "findings": report.findings,
        "warnings": report.warnings,
    }


def _samples(text: str) -> int | str | None:
    """The number asked for, "all", or None for as many as there is time for. Raises BadParameter."""
    if text == AUTO:
        return None
    if text == ALL:
        return ALL
    if not text.isdecimal() or int(text) < 1:
        raise BadParameter(f"--samples {text}: write a number of bars from 1 on, all or auto")
    return int(text)


def _show(report: CheckReport, symbols: tuple[str, ...], named: str, output: Output) -> None:
    """One line for each proof, and under it what was found where."""
    file = named.partition(":")[0] if ".py" in named else f"strategy {report.strategy}"
    names = ", ".join(symbols[:5]) + (f" and {len(symbols) - 5:,} more" if len(symbols) > 5 else "")
    tried = "every bar" if report.samples >= report.bars - 1 else f"{report.samples:,} of them"
    output.line(f"{report.strategy} on {report.bars:,} bars of {names}; the future was changed at {tried}\n")
    reasons = dict(report.not_applicable)
    for test, meaning in MEANINGS.items():
        state = report.state(test)
        why = f" (not applicable: {reasons[test]})" if state == "not applicable" else ""
        output.line(f"{SIGNS[state]}  {test:<8} {meaning}{why}")
        _list(_of(test, report.findings), "", file, output)
        _list(_of(test, report.warnings), "note: ", file, output)
    if report.ok and report.warmup is not None:
        output.line(f"\nthe last value needs {report.warmup:,} bars of history")


def _of(test: str, findings: Iterable[Finding]) -> list[Finding]:
    return [item for item in findings if item.test == test]


def _list(findings: list[Finding], mark: str, file: str, output: Output) -> None:
    for item in findings:
        where = f"{file} line {item.line}" if item.line else file
        output.line(f"        {mark}{where}: {item.subject}, bar {item.bar} ({item.time}): {item.message}")
        if item.expected == item.expected or item.got == item.got:
            output.line(f"        whole data {_value(item.expected)}, otherwise {_value(item.got)}")


def _value(value: float | str) -> str:
    return value if isinstance(value, str) else f"{value:.10g}"


if __name__ == "__main__":
    from jobs.cli import run_module

    run_module("jobs.check", app)
