"""`python -m benchmarks.first MODULE DATA [KEY]`: a fresh process's way to its first result: import, data, one W1 with statistics,
or another workload."""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path

from benchmarks.data import read
from benchmarks.definitions import WORKLOADS
from benchmarks.memory import peak_memory


def main(module: str, path: str, key: str = "W1") -> None:
    """Import the participant and print the answer of its W1, or of another workload."""
    makers = import_module(f"benchmarks.peers.{module}").MAKERS
    data = read(Path(path)).head(WORKLOADS[key].bars)
    task = makers[key if key in makers else f"{key}/close"](data)
    count, equity = task.answer(task.run(task.before()))
    print(f"{count:,} and {equity:,.2f}, {peak_memory()} MiB")


if __name__ == "__main__":
    main(*sys.argv[1:])
