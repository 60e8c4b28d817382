"""How long loading a whole market takes: `python -m benchmarks.loading`.

Files are made from a seed in a temporary folder (`universes.py`); each is loaded in a process of its own, once before (so that the
system has it in memory) and then measured: processor time of all threads, wall time, rows a second, and the most memory that
the process had, beside the size of the panel it gives.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.environments import HERE, ROOT
from benchmarks.memory import peak_memory
from benchmarks.universes import WRITERS, Market, write_universe

MARKETS = {
    "500 x 2,520": Market(500, 2520),
    "5,000 x 2,520": Market(5000, 2520),
    "1,000 x 5,040": Market(1000, 5040),
    "100 x 98,000 minutes": Market(100, 98_000, minutes=True),
    "10,000 x 5,040": Market(10_000, 5040),
}
DEFAULT = ("500 x 2,520", "5,000 x 2,520", "100 x 98,000 minutes")


@dataclass(frozen=True, slots=True)
class Loaded:
    """One measured load: seconds, MiB, and what came out."""

    cpu: float
    wall: float
    fingerprint_cpu: float
    peak: int
    panel: int
    bars: int
    symbols: int


def measure(kind: str, path: Path, universe: Path | None, timeframe: str) -> Loaded:
    """Load in this process."""
    from gpt_trader.adapters.loader import load, open_source
    from gpt_trader.adapters.source_registry import SourceOptions
    from gpt_trader.adapters.universe import read_universe

    wall, cpu = time.perf_counter(), time.process_time()
    source: Any = open_source(kind, SourceOptions(path))
    names = source.symbols() if universe is None else read_universe(universe).symbols
    bars = load(names, source=source, timeframe=timeframe, skip_missing=universe is not None).bars
    wall, cpu, peak = time.perf_counter() - wall, time.process_time() - cpu, peak_memory()
    began = time.process_time()
    bars.fingerprint()
    return Loaded(
        cpu, wall, time.process_time() - began, peak, bars.panel.nbytes >> 20, int(bars.present.sum()), bars.N
    )


def measured(kind: str, path: Path, universe: Path | None, timeframe: str) -> Loaded:
    """`measure` in a new process."""
    arguments = ["--one", kind, str(path), str(universe or ""), timeframe]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.loading", *arguments],
        env=environment, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return Loaded(**json.loads(done.stdout))


def row(what: str, files: str, found: Loaded) -> str:
    """A line of the table."""
    rate = found.bars / found.cpu / 1e6
    return (
        f"| {what} | {files} | {found.bars:,} | {found.cpu:.1f} | {found.wall:.1f} | {rate:.2f} | {found.peak:,} | "
        f"{found.panel:,} | {found.fingerprint_cpu:.1f} |"
    )


HEAD = (
    "| symbols x bars | files | rows | CPU, s | wall, s | million rows per CPU s | peak, MiB | panel, MiB | fingerprint, CPU s |\n"
    "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |"
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Make the files, load each, print the table and keep it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.loading", description=__doc__)
    parser.add_argument("--markets", default=";".join(DEFAULT), help=f"by semicolon: {'; '.join(MARKETS)}")
    parser.add_argument("--files", default=";".join(WRITERS), help=f"by semicolon: {'; '.join(WRITERS)}")
    parser.add_argument("--folder", type=Path, help="keep the files here, and use those that are here")
    parser.add_argument("--no-save", action="store_true", help="leave benchmarks/results as it is")
    parser.add_argument("--one", nargs=4, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.one:
        kind, path, universe, timeframe = options.one
        found = measure(kind, Path(path), Path(universe) if universe else None, timeframe)
        print(json.dumps({name: getattr(found, name) for name in Loaded.__slots__}))
        return 0
    lines = [HEAD]
    print(HEAD, flush=True)
    for what in filter(None, (name.strip() for name in options.markets.split(";"))):
        market = MARKETS[what]
        kinds = [name.strip() for name in options.files.split(";")]
        for files in kinds[:1] if market.minutes else kinds:
            lines.append(_one(what, market, files, options.folder))
            print(lines[-1], flush=True)
    if not options.no_save:
        results = HERE / "results"
        results.mkdir(exist_ok=True)
        (results / "loading.md").write_text("\n".join(lines) + "\n")
    return 0


def _one(what: str, market: Market, files: str, kept: Path | None) -> str:
    kind, name, writer = WRITERS[files]
    with tempfile.TemporaryDirectory(prefix="loading-") as made:
        folder = Path(made) if kept is None else kept / f"{market.symbols}x{market.bars}"
        folder.mkdir(parents=True, exist_ok=True)
        path, universe = folder / name, folder / "universe.csv"
        if not path.exists():
            tell(f"writing {what}, {files}")
            writer(market, path)
        write_universe(market, universe)
        tell(f"loading {what}, {files}")
        timeframe = "1m" if market.minutes else "1d"
        measured(kind, path, universe, timeframe)
        return row(what, files, measured(kind, path, universe, timeframe))


def tell(what: str) -> None:
    """Progress, on standard error."""
    print(f"[{time.strftime('%H:%M:%S')}] {what}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
