"""`gpt-trader check`: proves a strategy causal, row-equal and warm on real bars, or names the line that is not."""

from __future__ import annotations

from typing import Annotated

import typer

from jobs.console import Output
from jobs.data_options import DataOptions
from jobs.grouping import grouped
from jobs.strategy_choice import StrategyOptions

app = typer.Typer(add_completion=False)


@app.command(help="Prove that a strategy does not look ahead: cut and scramble the future, nothing may move.")
@grouped
def check(
    strategy: Annotated[str, typer.Argument(help="A shipped name, or path/to/file.py[:Class].")],
    choice: StrategyOptions,
    data: DataOptions,
    output: Output,
    samples: Annotated[int, typer.Option("--samples", min=1, help="Bars at which the future is cut.")] = 25,
) -> None:
    """Check a strategy on bars; exit code 1 when one of the three proofs fails."""
    from gpt_trader.check import check_strategy

    made = choice.make(strategy)
    bars = data.load()
    report = check_strategy(made, bars, samples=samples)


if __name__ == "__main__":
    from jobs.cli import run_module

    run_module("jobs.check", app)
