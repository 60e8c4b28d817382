"""The engine as plain Python (NUMBA_DISABLE_JIT=1): the bits of the compiled one, and an engine that can be stepped through."""

from __future__ import annotations

import os
import subprocess
import sys
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gpt_trader import (
    AtrStop,
    RiskLimits,
    ScaleOut,
    StopLoss,
    Strategy,
    TakeProfit,
    TrailingStop,
    backtest,
    load_bars,
)
from gpt_trader.allocation import Allocation
from gpt_trader.batch import backtest_many
from gpt_trader.strategies import SHIPPED, load_strategy
from jobs.compile_kernels import HeldRule, OrderRule

ROOT = Path(__file__).resolve().parents[2]
CASES: dict[str, dict[str, Any]] = {
    "exits": {
        "exits": (StopLoss(0.05), TrailingStop(0.03), AtrStop(2.0), TakeProfit(0.1), ScaleOut(((0.02, 0.5),)))
    },
    "limits": {"risk": RiskLimits()},
    "rules": {"allocation": Allocation(sizing="risk", cadence="week", confirm=2, cooldown=3, regime="IBM")},
}


def digests() -> list[str]:
    """A line for each run: what it was, and the SHA-256 of its book and statistics."""
    bars = load_bars(["AAPL", "IBM", "MSFT"], start="2004-01-02", end="2005-12-30")
    one = load_bars(["AAPL"], start="2004-01-02", end="2005-12-30")
    runs = {name: backtest(load_strategy(name)(), bars) for name in SHIPPED}
    runs |= {name: backtest(load_strategy("demo_ma")(), bars, **options) for name, options in CASES.items()}
    runs |= {"held": backtest(HeldRule(), bars), "orders": backtest(OrderRule(), one)}
    lines = [f"{name} {digest(result)}" for name, result in runs.items()]
    grid: list[Strategy] = [load_strategy("demo_ma")(fast=fast) for fast in (3, 5, 8)]
    return [*lines, f"batch {sha256(backtest_many(grid, bars).values.tobytes()).hexdigest()}"]


def digest(result: Any) -> str:
    """SHA-256 of the statistics, the account curves and the logs."""
    tables = (result.equity, result.fills, result.closed_trades, result.orders, result.decisions)
    parts = [repr(sorted(result.metrics.items())), *(table.to_csv() for table in tables)]
    return sha256("".join(parts).encode()).hexdigest()


def interpreted(*command: str) -> str:
    """What a Python that compiles nothing prints."""
    done = subprocess.run(
        [sys.executable, *command], cwd=ROOT, env=os.environ | {"NUMBA_DISABLE_JIT": "1"}, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


@pytest.mark.slow
def test_plain_python_gives_the_bits_of_the_compiled_engine() -> None:
    code = "from tests.parity.test_interpreted import digests; print(*digests(), sep='\\n')"
    assert interpreted("-W", "error", "-c", code).splitlines() == digests()


@pytest.mark.slow
def test_plain_python_agrees_with_the_reference() -> None:
    out = interpreted(
        "-m", "pytest", "-q", "-n0", "-p", "no:cacheprovider", "tests/golden", "tests/parity/test_engine_against_reference.py",
        "-k", "golden or 0]",
    )  # fmt: skip
    assert " passed" in out


def test_a_breakpoint_stops_inside_the_engine_and_sees_names() -> None:
    code = """
import sys
from gpt_trader import backtest, load_bars
from gpt_trader.engine import mark_to_market
from gpt_trader.strategies import load_strategy

seen = []
def watch(frame, event, _):
    if event == "call" and frame.f_code is mark_to_market.mark_to_market.__code__:
        book = frame.f_locals["b"]
        seen.append((frame.f_locals["t"], float(book.account[0].cash), float(book.symbols[0].qty)))
sys.settrace(watch)
backtest(load_strategy("demo_ma")(), load_bars(["AAPL"], start="2004-01-02", end="2004-06-30"), benchmark=False)
sys.settrace(None)
assert len(seen) > 5, len(seen)  # bars in which something happens
assert seen[0][1:] == (100_000.0, 0.0)
assert any(quantity for _, _, quantity in seen)
"""
    interpreted("-W", "error", "-c", code)


def test_records_survive_a_pickle_and_equal_plain_ones() -> None:
    code = """
import pickle
import numpy as np
from gpt_trader.engine.records import SYMBOL
rows = np.zeros(3, SYMBOL)
rows[1].wanted = 2.5
again = pickle.loads(pickle.dumps(rows))
assert again[1].wanted == 2.5 == again["wanted"][1]
assert type(again[1]) is type(rows[1])
"""
    interpreted("-c", code)


def test_compiled_records_are_plain() -> None:
    from gpt_trader.engine.records import ACCOUNT

    assert ACCOUNT.type is np.void
