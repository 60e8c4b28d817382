"""What a session costs beyond the decision itself: `python -m benchmarks.session [--bars N] [--symbols N,N]`.

An account and the simulated venue take minute bars one after the other, as `engine/bar_by_bar.py` does it; each bar a share of the
targets changes. Measured: time a bar, time a bar and symbol, and memory in use at a tenth and at the end of the run.
"""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path

import numpy as np

from gpt_trader.engine.bar_by_bar import Bar, Trader
from gpt_trader.engine.messages import Targets
from gpt_trader.engine.recorder import Recorder
from gpt_trader.engine.run_setup import Settings, blank_info, rules_record

MINUTE = 60_000_000_000
YEAR = 98_280  # minutes of the NYSE in 252 sessions
CHANGED = 0.02  # share of the targets that change in a bar
WARM_UP = 200


def memory() -> float:
    """MiB of the process in memory now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def measure(symbols: int, bars: int) -> tuple[float, float, float, int]:
    """(seconds in account and venue, MiB at a tenth, MiB at the end, fills) of so many bars."""
    handed = {"fills": 0}

    def sink(name: str, rows: np.ndarray) -> None:
        handed[name] = handed.get(name, 0) + len(rows)

    rules = rules_record(Settings(), (), units=False, score=False)
    trader = Trader(blank_info(symbols), 1e6, rules, 64, Recorder(sink), signals=False)
    rng = np.random.default_rng(1)
    price, target = np.full(symbols, 100.0), np.zeros(symbols)
    spent, early = 0.0, 0.0
    for t in range(-WARM_UP, bars):
        price = price * np.exp(0.0005 * rng.standard_normal(symbols))
        prices = np.array([price, 1.001 * price, 0.999 * price, price, np.full(symbols, 1e6)])
        changed = rng.random(symbols) < CHANGED
        target = np.where(changed, np.where(target > 0.0, 0.0, 0.6 / symbols), target)
        began = time.perf_counter()
        trader.bar(Bar(MINUTE * (t + WARM_UP + 1), prices))
        trader.decided(Targets(target))
        if t >= 0:
            spent += time.perf_counter() - began
        if t == bars // 10:
            early = memory()
    trader.recorder.flush()
    return spent, early, memory(), handed["fills"]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bars", type=int, default=YEAR)
    parser.add_argument("--symbols", default="1,10,100,500")
    given = parser.parse_args()
    print("| symbols | bars | fills | us a bar | us a bar and symbol | MiB at a tenth | MiB at the end |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for symbols in map(int, given.symbols.split(",")):
        spent, early, late, fills = measure(symbols, given.bars)
        each = 1e6 * spent / given.bars
        print(
            f"| {symbols} | {given.bars:,} | {fills:,} | {each:.1f} | {each / symbols:.2f} | {early:.1f} | {late:.1f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
