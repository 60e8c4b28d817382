"""`python -m benchmarks.owners_grid`: the owner's parameter grid as one process, from imports to the best point.

240 points of trend_breakout (entry channel, stop distance, exit channel; ATR stop), 100 synthetic symbols, nine years of days, at
most ten positions, 60 % gross, longs only while the index is above its 200-day mean. `--one-by-one` runs `backtest` for each point.
"""

from __future__ import annotations

import sys
from itertools import product

import numpy as np

from benchmarks.data import make
from benchmarks.memory import peak_memory
from benchmarks.peers.ours import bars_of
from gpt_trader import Allocation, Bars, backtest
from gpt_trader.batch import backtest_many
from gpt_trader.strategies import load_strategy

BARS = 2_268
CHANNELS, STOPS, EXITS = (
    (20, 30, 40, 50, 55, 60, 80, 100, 120, 150),
    (1.0, 1.5, 2.0, 2.5, 3.0, 4.0),
    (5, 10, 15, 20),
)


def main(how: str = "") -> None:
    """Run the grid and print its best point."""
    kind = load_strategy("trend_breakout")
    points = [
        kind(donchian=channel, atr_k=stop, exit=leave, exit_mode="stop")
        for channel, stop, leave in product(CHANNELS, STOPS, EXITS)
    ]
    bars = bars_of(make("panel", BARS))
    panel = np.concatenate(
        [bars.panel[:5].mean(axis=2, keepdims=True), np.ones((1, BARS, 1)), np.zeros((1, BARS, 1))]
    )
    index = Bars(("INDEX",), bars.time, panel)
    rules = Allocation(gross=0.6, max_positions=10, regime="INDEX")
    if how == "--one-by-one":
        runs = (backtest(point, bars, allocation=rules, index=index, benchmark=False) for point in points)
        sharpe = np.array([run.metrics["sharpe"] for run in runs])
    else:
        sharpe = backtest_many(points, bars, allocation=rules, index=index)["sharpe"]
    best = int(np.nanargmax(sharpe))
    print(f"Sharpe {sharpe[best]:.3f} at point {best} of {len(points)}, {peak_memory()} MiB")


if __name__ == "__main__":
    main(*sys.argv[1:])
