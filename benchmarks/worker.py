"""The far end of a benchmark: a process that keeps one library loaded and runs tasks asked for as lines of JSON.

A peer's module (`benchmarks.peers.*`) maps workload keys to task makers and calls `serve`. Requests and answers:
{"do": "facts"} -> name, version, keys; {"do": "run", "key": ..., "path": data.npz, "bars": n, "seconds": s, "most": m}
-> CPU and wall seconds of each repetition, count and equity. Anything the library prints goes to standard error.
"""

from __future__ import annotations

import json
import os
import sys
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.data import Data, read


@dataclass(frozen=True, slots=True)
class Task:
    """`run` is measured; `before`, not measured, makes its argument anew each time; `answer` reads (count, final equity)
    from what `run` returned."""

    run: Callable[[Any], Any]
    answer: Callable[[Any], tuple[int, float]]
    before: Callable[[], Any] = lambda: None


Makers = Mapping[str, Callable[[Data], Task]]


def measure(task: Task, seconds: float, most: int) -> tuple[list[float], list[float], Any]:
    """CPU and wall seconds of up to `most` repetitions, begun within `seconds` of measured time; at least one."""
    cpu: list[float] = []
    wall: list[float] = []
    result: Any = None
    while not wall or (len(wall) < most and sum(wall) < seconds):
        given = task.before()
        wall_start, cpu_start = time.perf_counter(), time.process_time()
        result = task.run(given)
        cpu_end, wall_end = time.process_time(), time.perf_counter()
        cpu.append(cpu_end - cpu_start)
        wall.append(wall_end - wall_start)
    return cpu, wall, result


class Desk:
    """Keeps data and tasks between requests; the first request for a task warms it up outside the measurement."""

    def __init__(self, name: str, version: str, makers: Makers) -> None:
        self.name, self.version, self.makers = name, version, makers
        self.tasks: dict[tuple[str, str, int], Task] = {}

    def answer(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """The reply to one request."""
        if request["do"] == "facts":
            return {"name": self.name, "version": self.version, "keys": list(self.makers)}
        key, path, bars = str(request["key"]), str(request["path"]), int(request["bars"])
        place = (key, path, bars)
        if place not in self.tasks:
            self.tasks[place] = made = self.makers[key](read(Path(path)).head(bars))
            if request["warm"]:
                made.run(made.before())
        task = self.tasks[place]
        cpu, wall, result = measure(task, float(request["seconds"]), int(request["most"]))
        count, equity = task.answer(result)
        return {"cpu": cpu, "wall": wall, "count": int(count), "equity": float(equity)}


def serve(name: str, version: str, makers: Makers) -> None:
    """Answer requests from standard input until it ends."""
    desk = Desk(name, version, makers)
    replies = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # libraries that print must not spoil the conversation
    for line in sys.stdin:
        try:
            reply = desk.answer(json.loads(line))
        except Exception as error:
            traceback.print_exc()
            reply = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(reply), file=replies, flush=True)
