"""`gpt-trader check`: proves a strategy causal, row-equal and warm on bars, or names the line that is not."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from jobs.console import Output
from jobs.data_options import DataOptions
from jobs.grouping import grouped
from jobs.settings import SettingsOptions
from jobs.strategy_choice import STRATEGY_HELP, StrategyOptions

if TYPE_CHECKING:
    from gpt_trader.check import CheckReport

app = typer.Typer(add_completion=False)

# Several symbols, so that a mean over the wrong axis shows.
DEMO_SYMBOLS = "AAPL,IBM,MSFT"
PROOFS = (
    ("causal", "nothing up to a bar moves when the bars after it are cut off or replaced"),
    ("rows", "one bar at a time gives the same targets as all bars at once"),
    ("warm-up", "a bounded history gives the same last row as the whole"),
)


@app.command(help="Prove that a strategy does not look ahead: cut and scramble the future, nothing may move.")
@grouped
def check(
    *,
    strategy: Annotated[str, typer.Argument(metavar="STRATEGY", help=STRATEGY_HELP)],
    samples: Annotated[
        int, typer.Option("--samples", min=2, help="Bars at which the future is changed.")
    ] = 32,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Seed of the choice of bars.")] = 0,
    choice: StrategyOptions,
    data: DataOptions,
    settings: SettingsOptions,
    output: Output,
) -> None:
    """Check a strategy on bars (AAPL, IBM and MSFT of the demo by default); exit code 1 when a proof fails."""
    made = choice.make(strategy)
    configuration = settings.load()
    if not data.symbols and data.universe is None and data.open(configuration).name == "demo":
        data = replace(data, symbols=[DEMO_SYMBOLS])
    with output.counting("loading bars") as told:
        bars = data.load(configuration, seed, told).bars

    from gpt_trader.check import check_strategy

    with output.progress("checking"):
        report = check_strategy(made, bars, samples=samples, seed=seed)
    output.emit(
        {
            "strategy": report.strategy,
            "ok": report.ok,
            "causal": report.causal,
            "rows": report.rows,
            "warm_up": report.warm_up,
            "warmup_bars": report.warmup,
            "bars": report.bars,
            "symbols": bars.symbols,
            "samples": report.samples,
            "findings": report.findings,
        }
    )
    if output.tables:
        _show(report, ", ".join(bars.symbols), strategy, output)
    if not report.ok:
        raise typer.Exit(1)


def _show(report: CheckReport, symbols: str, named: str, output: Output) -> None:
    """One line for each proof, and under a failed one what was found where."""
    file = named.partition(":")[0] if ".py" in named else f"strategy {report.strategy}"
    output.line(f"{report.strategy} on {report.bars:,} bars of {symbols}, {report.samples} of them tried\n")
    for test, meaning in PROOFS:
        output.line(f"{'ok  ' if report.verdict(test) else 'FAIL'}  {test:<8} {meaning}")
        for item in report.findings:
            if item.test == test:
                where = f"{file} line {item.line}" if item.line else file
                output.line(f"        {where}: {item.subject}, bar {item.bar} ({item.time}): {item.message}")
                if item.expected == item.expected or item.got == item.got:
                    output.line(f"        whole data {_value(item.expected)}, otherwise {_value(item.got)}")
    if report.ok and report.warmup is not None:
        output.line(f"\nits last row is right after {report.warmup} bars of history")


def _value(value: float | str) -> str:
    return value if isinstance(value, str) else f"{value:.10g}"


if __name__ == "__main__":
    from jobs.cli import run_module

    run_module("jobs.check", app)
