"""Whole processes: from the start of an interpreter to its end, CPU of the process and its children, and wall time."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import numpy as np

from benchmarks.data import read, write
from benchmarks.definitions import WORKLOADS
from benchmarks.environments import OFFLINE, ROOT, Unavailable, interpreter
from benchmarks.plan import LIMIT, OURS, PARTICIPANTS

MODULES = {
    OURS: "gpt_trader", "vectorbt": "vectorbt", "raptorbt": "raptorbt", "backtesting.py": "backtesting", "bt": "bt",
    "backtrader": "backtrader", "NautilusTrader": "nautilus_trader.backtest.engine",
}  # fmt: skip
COMMAND = [sys.executable, "-c", "from jobs.cli import main; main()"]


@dataclass(slots=True)
class Started:
    """One command of one participant: `key` groups what is compared; `rounds` at most so many starts."""

    key: str
    participant: str
    note: str
    command: list[str]
    extra: Mapping[str, str] = field(default_factory=dict)
    rounds: int = 99
    cpu: list[float] = field(default_factory=list)
    wall: list[float] = field(default_factory=list)
    problem: str = ""
    said: str = ""


def commands(folder: Path, daily: Path, peers: Sequence[str], *, full: bool) -> list[Started]:
    """What is started: imports, help, first results; all peers and the first run without compiled kernels only with `full`."""
    found = [Started("import", LIMIT, "python -c pass", [sys.executable, "-c", "pass"])]
    wanted = peers if full else [name for name in peers if name == "vectorbt"]
    modules = {name: module for name, module in MODULES.items() if name in (OURS, *wanted)}
    for name, module in modules.items():
        found.append(_of(name, "import", f"import {module}", ["-c", f"import {module}"]))
    names = "from gpt_trader import Bars, Costs, Strategy, backtest, ta"
    found.insert(1, Started("import", OURS, names, [sys.executable, "-c", names]))
    found.append(Started("help", OURS, "gpt-trader --help", [*COMMAND, "--help"]))
    run = [*COMMAND, "backtest", "demo_ma", "--source", "csv", "--path", str(table(daily, folder)), "--json"]
    run += ["--param", "fast=10", "--param", "slow=50"]
    found.append(Started("result", OURS, "gpt-trader backtest, saved", run))
    cold = {"PYTHONPYCACHEPREFIX": str(folder / "no-byte-code")}
    found.append(Started("result", OURS, "the same, no byte code cached", run, cold, rounds=1))
    if full:
        kernels = {"NUMBA_CACHE_DIR": str(folder / "no-kernels")}
        found.append(Started("result", OURS, "the same, set-up's kernels missing", run, kernels, rounds=1))
    found.append(
        Started(
            "grid",
            OURS,
            "240 points x 100 symbols x 9 years",
            [sys.executable, "-m", "benchmarks.owners_grid"],
        )
    )
    if full:
        one = [sys.executable, "-m", "benchmarks.owners_grid", "--one-by-one"]
        found.append(Started("grid", OURS, "the same, one backtest after the other", one, rounds=1))
    for key in ("W5", "W6", "W7"):
        data = write(WORKLOADS[key].data, folder)
        command = [sys.executable, "-m", "benchmarks.first", "ours", str(data), key]
        found.append(Started(key, OURS, "as a whole process", command, rounds=2))
    for name in modules:
        if name == "bt":
            continue  # it has no W1: it sizes by weights only
        arguments = ["-m", "benchmarks.first", PARTICIPANTS[name].module, str(daily)]
        found.append(_of(name, "result", "python: import, W1, statistics", arguments))
    return found


def _of(name: str, key: str, note: str, arguments: list[str]) -> Started:
    environment = PARTICIPANTS[name].environment
    try:
        python = sys.executable if environment is None else str(interpreter(environment))
    except Unavailable as error:
        return Started(key, name, note, [], problem=str(error))
    return Started(key, name, note, [python, *arguments])


def table(daily: Path, folder: Path) -> Path:
    """The daily data as a CSV file of one symbol."""
    data = read(daily)
    path = folder / "AAA.csv"
    rows = np.column_stack([data.open, data.high, data.low, data.close, data.volume]).tolist()
    days = data.time.astype("datetime64[D]").astype(str)
    lines = [f"{day},{','.join(map(repr, row))}" for day, row in zip(days, rows, strict=True)]
    path.write_text("date,open,high,low,close,volume\n" + "\n".join(lines) + "\n")
    return path


def start_all(found: list[Started], rounds: int, folder: Path, tell: Any, *, warm: bool) -> None:
    """Each command in turn, `rounds` times; with `warm` once before that, unmeasured (unless it is measured only once)."""
    for turn in range(-1 if warm else 0, rounds):
        tell("whole processes, warm-up" if turn < 0 else f"whole processes, round {turn + 1} of {rounds}")
        for item in found:
            if item.problem or turn >= item.rounds or (turn < 0 and item.rounds == 1):
                continue
            cpu, wall, item.said, problem = start(item, folder)
            item.problem = problem
            if turn >= 0 and not problem:
                item.cpu.append(cpu)
                item.wall.append(wall)


def start(item: Started, folder: Path) -> tuple[float, float, str, str]:
    """CPU and wall seconds of one run in `folder`, its last word, and the last line of its errors when it failed."""
    paths = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH", ""))))
    began = time.perf_counter()
    with (folder / "errors.txt").open("w+") as errors, (folder / "words.txt").open("w+") as words:
        child = subprocess.Popen(
            item.command, cwd=folder, env={**os.environ, **OFFLINE, "PYTHONPATH": paths, **item.extra},
            stdin=subprocess.DEVNULL, stdout=words, stderr=errors,
        )  # fmt: skip
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        wall = time.perf_counter() - began
        failed, said = (_last_line(stream) for stream in (errors, words))
    problem = "" if child.returncode == 0 else failed or f"exit {child.returncode}"
    return usage.ru_utime + usage.ru_stime, wall, said, problem


def _last_line(stream: IO[str]) -> str:
    stream.seek(0)
    lines = stream.read().strip().splitlines()
    return lines[-1] if lines else ""
