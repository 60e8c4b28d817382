"""The golden runs: every shipped strategy with its defaults on the shipped demo data, and how they are kept as text.

Settings are the defaults of `backtest` (60 % gross, 5 bp, whole shares, volume cap, benchmark): a user's first run. Four real
stocks 2004-2008, with two splits, dividends, a stock that lists late (GOOG, August 2004) and a bear market.
"""

from __future__ import annotations

import csv
import json
import math
from functools import cache
from pathlib import Path
from typing import Any

from gpt_trader import Bars, Result, backtest, load_bars
from gpt_trader.strategies import load_strategy
from tests.shipped_cases import SHIPPED_CASES

DATA = Path(__file__).parent / "data"
SYMBOLS = ("AAPL", "GOOG", "IBM", "MSFT")
START, END = "2004-01-01", "2008-12-31"
EXACT = ("symbol", "side", "entry_time", "exit_time", "bars", "exit_reason")
CLOSE = (
    "quantity",
    "entry_price",
    "exit_price",
    "gross_pnl",
    "income",
    "costs",
    "pnl",
    "return_",
    "mae",
    "mfe",
)


@cache
def golden_bars() -> Bars:
    """The demo prices of the golden runs."""
    return load_bars(SYMBOLS, source="demo", start=START, end=END)


@cache
def golden_run(name: str) -> Result:
    """One run with default settings."""
    return backtest(load_strategy(name)(**SHIPPED_CASES[name].golden), golden_bars())


def trades_of(result: Result) -> list[dict[str, str]]:
    """The closed trades as text, floats with 17 digits."""
    table = result.closed_trades
    return [
        {name: str(row[name])[:10] if name.endswith("time") else str(row[name]) for name in EXACT}
        | {name: f"{row[name]:.17g}" for name in CLOSE}
        for _, row in table.iterrows()
    ]


def summary_of(result: Result) -> dict[str, Any]:
    """Metrics, counts and the fingerprint of the data; NaN as null."""
    return {
        "parameters": result.parameters,
        "data": result.fingerprint,
        "counts": {
            "orders": len(result.orders),
            "fills": len(result.fills),
            "decisions": len(result.decisions),
        },
        "metrics": {
            name: None if math.isnan(value) else value for name, value in sorted(result.metrics.items())
        },
    }


def stored_trades(name: str) -> list[dict[str, str]]:
    """The golden closed trades of a strategy."""
    with (DATA / f"{name}.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def stored_summary(name: str) -> dict[str, Any]:
    """The golden metrics and counts of a strategy."""
    found: dict[str, Any] = json.loads((DATA / f"{name}.json").read_text())
    return found


def store(name: str, result: Result) -> None:
    """Write the golden files of one strategy."""
    DATA.mkdir(exist_ok=True)
    (DATA / f"{name}.json").write_text(json.dumps(summary_of(result), indent=1) + "\n")
    with (DATA / f"{name}.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, [*EXACT, *CLOSE], lineterminator="\n")
        writer.writeheader()
        writer.writerows(trades_of(result))
