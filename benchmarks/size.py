"""How time and memory grow with the market: `python -m benchmarks.size`.

Every row runs in a process of its own. Its data are a seeded random walk; what it measures is one run with all statistics, after a
small run that has compiled and loaded what is needed. Rows of one group differ in size alone: their growth is the CPU time per
cell (bar, symbol and run) over that of the first of them.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from benchmarks.environments import HERE
from benchmarks.table import machine, number
from gpt_trader import (
    Allocation,
    Bars,
    Instrument,
    RiskLimits,
    StopLoss,
    Strategy,
    TakeProfit,
    TrailingStop,
    backtest,
)
from gpt_trader.batch import backtest_many
from gpt_trader.strategies import load_strategy

LONG = 20_000  # bars from which they are minutes
BLOCK = 2**21  # prices made at a time
MANY = 20  # parameter sets of a batch
SECONDS = 1.0  # of repetitions of a small row


@dataclass(frozen=True, slots=True)
class Case:
    """What is run: a strategy and the options of `backtest`, by the number of symbols where they depend on it."""

    strategy: str
    options: Callable[[Sequence[str]], dict[str, Any]] = lambda _: {}
    parameters: tuple[tuple[str, Any], ...] = ()
    many: int = 1


def every_symbol(symbols: Sequence[str]) -> dict[str, Any]:
    """As many seats as symbols."""
    return {"allocation": Allocation(max_positions=len(symbols))}


def monthly(symbols: Sequence[str]) -> dict[str, Any]:
    """The same, decided once a month: all orders of a month in one bar."""
    return {"allocation": Allocation(max_positions=len(symbols), cadence="month")}


def guarded(symbols: Sequence[str]) -> dict[str, Any]:
    """The moderate limits, correlations among them, and eleven sectors."""
    sectors = [Instrument(name, sector=f"sector {place % 11}") for place, name in enumerate(symbols)]
    return {"risk": RiskLimits(), "instruments": sectors}


CASES = {
    "demo_ma": Case("demo_ma"),
    "demo_ma, 20 parameter sets": Case("demo_ma", many=MANY),
    "demo_ma, a seat for each": Case("demo_ma", every_symbol),
    "demo_ma, monthly, a seat for each": Case("demo_ma", monthly),
    "demo_ma, stops and target": Case(
        "demo_ma", lambda _: {"exits": (StopLoss(0.05), TrailingStop(0.1), TakeProfit(0.2))}
    ),
    "demo_ma, limits and sectors": Case("demo_ma", guarded),
    "demo_ma, held in Python": Case("demo_ma", lambda _: {"mode": "python"}),
    "momentum": Case("momentum"),
    "trend_breakout": Case("trend_breakout"),
    "trend_breakout, ATR stop": Case("trend_breakout", parameters=(("exit_mode", "stop"),)),
    "mean_reversion": Case("mean_reversion"),
    "volatility": Case("volatility"),
    "bollinger": Case("bollinger"),
}
DAYS = 2_520
WIDE = tuple((name, DAYS, symbols) for name in CASES for symbols in (100, 1_000) if name != "demo_ma")
SIZES: tuple[tuple[str, int, int], ...] = (
    *(("demo_ma", DAYS, symbols) for symbols in (100, 500, 1_000, 2_000, 5_000)),
    ("demo_ma", 5_040, 10_000),
    *WIDE,
    ("demo_ma", 98_000, 100),
    ("demo_ma", 10_000_000, 1),
)


@dataclass(frozen=True, slots=True)
class Measured:
    """One row: CPU seconds per cell; MiB resident before the data were made, of the panel, and at most while it ran."""

    case: str
    bars: int
    symbols: int
    pace: float
    wall: float
    before: int
    panel: int
    peak: int
    final: float

    @property
    def multiple(self) -> float:
        """Peak memory, without what the process had before the data, in panels."""
        return (self.peak - self.before) / max(self.panel, 1)


def random_walk(bars: int, symbols: int) -> Bars:
    """Seeded prices with gaps, and volumes; made some symbols at a time, so that little but the panel is needed."""
    rng = np.random.default_rng(20_260_101)
    step = 0.0012 if bars > LONG else 0.012
    panel = np.empty((7, bars, symbols))
    width = max(1, BLOCK // bars)
    for left in range(0, symbols, width):
        block = slice(left, left + width)
        shape = panel[0, :, block].shape
        log = rng.normal(0.0, step, shape).cumsum(axis=0)
        if bars > LONG:
            log -= np.linspace(0.0, 1.0, bars)[:, None] * log[-1]
        close = 50.0 * np.exp(log + rng.normal(0.0, 0.5, shape[1]))
        opened = close * np.exp(rng.normal(0.0, 0.2 * step, shape))
        panel[:4, :, block] = opened, np.maximum(opened, close), np.minimum(opened, close), close
        panel[1, :, block] *= 1.0 + 0.3 * step * rng.random(shape)
        panel[2, :, block] *= 1.0 - 0.3 * step * rng.random(shape)
        panel[4, :, block] = np.exp(rng.normal(13.0, 1.0, shape))
    panel[5], panel[6] = 1.0, 0.0
    minutes = np.datetime64("2010-01-04T00:00", "ns") + np.arange(bars) * np.timedelta64(60_000_000_000, "ns")
    weekdays = np.busday_offset(np.datetime64("1990-01-01"), np.arange(bars if bars <= LONG else 1))
    names = tuple(f"S{n:05}" for n in range(symbols))
    return Bars(
        names,
        minutes if bars > LONG else weekdays.astype("datetime64[ns]"),
        panel,
        "1m" if bars > LONG else "1d",
    )


def runner(case: Case, symbols: Sequence[str]) -> Callable[[Bars], float]:
    """One run of a case with all statistics; gives the (first) final equity."""
    kind: Any = load_strategy(case.strategy)
    options = case.options(symbols)
    given = dict(case.parameters)

    def one(bars: Bars) -> float:
        return backtest(kind(**given), bars, **options).metrics["final_equity"]

    def batch(bars: Bars) -> float:
        strategies: list[Strategy] = [kind(fast=5 + k, slow=40 + k) for k in range(case.many)]
        return float(backtest_many(strategies, bars, **options)["final_equity"][0])

    return one if case.many == 1 else batch


def resident(what: str) -> int:
    """MiB of this process: VmRSS now, VmHWM at most (0 where the system does not say)."""
    status = Path("/proc/self/status")
    lines = status.read_text().splitlines() if status.exists() else []
    return next((int(line.split()[1]) // 1024 for line in lines if line.startswith(what)), 0)


def measure(name: str, bars: int, symbols: int) -> Measured:
    """The row, in this process. What was resident at most counts from the run on (Linux lets a process set it back)."""
    case = CASES[name]
    small = random_walk(600 if bars <= LONG else LONG + 1, min(symbols, 5))
    runner(case, small.symbols)(small)
    before = resident("VmRSS")
    data = random_walk(bars, symbols)
    run = runner(case, data.symbols)
    forget = Path("/proc/self/clear_refs")
    if forget.exists():
        forget.write_text("5")
    cpu: list[float] = []
    wall: list[float] = []
    final = 0.0
    while not cpu or (sum(wall) < SECONDS and len(cpu) < 20):
        fresh = Bars(data.symbols, data.time, data.panel, data.timeframe)
        began, used = time.perf_counter(), time.process_time()
        final = run(fresh)
        cpu.append(time.process_time() - used)
        wall.append(time.perf_counter() - began)
    cells = bars * symbols * case.many
    return Measured(
        name, bars, symbols, median(cpu) / cells, median(wall), before, data.panel.nbytes // 2**20, resident("VmHWM"), final
    )  # fmt: skip


def in_own_process(name: str, bars: int, symbols: int) -> Measured:
    """The row, measured by a new interpreter."""
    command = [sys.executable, "-m", "benchmarks.size", "--row", json.dumps([name, bars, symbols])]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return Measured(**json.loads(done.stdout.splitlines()[-1]))


HEAD = ("work", "bars", "symbols", "ns a cell", "growth", "wall s", "panel MiB", "peak MiB", "peak in panels")


def render(rows: Sequence[Measured]) -> str:
    """The Markdown table; growth over the first row of the same work."""
    first: dict[str, float] = {}
    lines = [HEAD, ("---",) * len(HEAD)]
    for row in rows:
        growth = row.pace / first.setdefault(row.case, row.pace)
        lines.append((
            row.case, f"{row.bars:,}", f"{row.symbols:,}", number(1e9 * row.pace), number(growth), number(row.wall),
            f"{row.panel:,}", f"{row.peak:,}", number(row.multiple),
        ))  # fmt: skip
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def main() -> int:
    """Measure, print, save."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.size", description=__doc__)
    parser.add_argument(
        "--cells", type=float, default=1e9, help="leave out rows with more bars x symbols than this"
    )
    parser.add_argument("--only", default="", help="rows whose work begins with this")
    parser.add_argument("--no-save", action="store_true", help="leave benchmarks/results/ as it is")
    parser.add_argument("--row", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.row:
        print(json.dumps(asdict(measure(*json.loads(options.row)))))
        return 0
    facts = machine()
    wanted = [
        size for size in SIZES if size[1] * size[2] <= options.cells and size[0].startswith(options.only)
    ]
    rows = []
    for size in wanted:
        print(f"{size[0]}: {size[1]:,} x {size[2]:,}", file=sys.stderr, flush=True)
        rows.append(in_own_process(*size))
    text = f"{intro(facts, rows)}\n\n{render(rows)}\n"
    print(text)
    if not options.no_save:
        (HERE / "results" / "size.md").write_text(f"# Size\n\n{text}")
        (HERE / "results" / "size.json").write_text(
            json.dumps({"machine": facts, "rows": [asdict(row) for row in rows]}, indent=1) + "\n"
        )
    return 0


def intro(facts: dict[str, Any], rows: Sequence[Measured]) -> str:
    """Where and how it was measured."""
    before = max((row.before for row in rows), default=0)
    return (
        f"{facts['processor']}, {facts['cores']} cores, {facts['memory_gib']} GiB, {facts['system']}, Python {facts['python']}, "
        f"commit {facts['commit']}, load {facts['load'][0]} before.\n\n"
        "CPU of all threads per bar, symbol and run, with buy and hold and all statistics; `growth` over the first row of the same "
        "work. Each row in a process of its own; `peak in panels` is the most memory that was resident while it ran, without the "
        f"{before} MiB at most that a process had before its data were made (interpreter, libraries, kernels)."
    )


if __name__ == "__main__":
    sys.exit(main())
