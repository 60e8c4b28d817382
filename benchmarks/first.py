"""`python -m benchmarks.first MODULE DATA`: a fresh process's way to its first result: import, data, one W1 with statistics."""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path

from benchmarks.data import read


def main(module: str, path: str) -> None:
    """Import the participant and print the answer of its W1."""
    makers = import_module(f"benchmarks.peers.{module}").MAKERS
    task = makers["W1" if "W1" in makers else "W1/close"](read(Path(path)))
    count, equity = task.answer(task.run(task.before()))
    print(count, round(float(equity), 2))


if __name__ == "__main__":
    main(*sys.argv[1:])
