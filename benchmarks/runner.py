"""Runs the plan: worker processes side by side, asked in turn, their answers compared with the reference."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from benchmarks import data as datasets
from benchmarks.definitions import WORKLOADS
from benchmarks.environments import OFFLINE, ROOT, Unavailable, interpreter
from benchmarks.peers.limit import expected
from benchmarks.plan import PARTICIPANTS, Entry, Participant


@dataclass(frozen=True, slots=True)
class Effort:
    """How long to measure: `rounds` through all entries; in each, repetitions begun within `seconds`, `most` of them."""

    rounds: int
    seconds: float
    most: int


FULL, QUICK = Effort(5, 0.3, 30), Effort(1, 0.2, 20)


@dataclass(slots=True)
class Measured:
    """What one entry came to: seconds per repetition, its answer, the reference's, or why there is none."""

    entry: Entry
    version: str = ""
    cpu: list[float] = field(default_factory=list)
    wall: list[float] = field(default_factory=list)
    count: int = 0
    equity: float = float("nan")
    expected_count: int = 0
    expected_equity: float = float("nan")
    problem: str = ""

    @property
    def gap(self) -> float:
        """Distance of final equity from the reference, as a share of the capital."""
        from benchmarks.definitions import CAPITAL

        return abs(self.equity - self.expected_equity) / CAPITAL

    @property
    def agrees(self) -> bool:
        """Same count and same final equity, within the entry's tolerance."""
        loose = self.entry.tolerance > 1e-3
        same = abs(self.count - self.expected_count) <= (0.01 * self.expected_count if loose else 0)
        return not self.problem and same and self.gap <= self.entry.tolerance


class Worker:
    """One participant's process."""

    def __init__(self, participant: Participant) -> None:
        environment = participant.environment
        python = sys.executable if environment is None else str(interpreter(environment))
        self.log: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the worker
        self.process = subprocess.Popen(
            [python, "-m", f"benchmarks.peers.{participant.module}"],
            cwd=ROOT, env={**os.environ, **OFFLINE},
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.log, text=True,
        )  # fmt: skip
        self.version = str(self.ask({"do": "facts"})["version"])

    def ask(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """The reply to a request. Raises Unavailable with the error of the process."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        try:
            self.process.stdin.write(json.dumps(request) + "\n")
            self.process.stdin.flush()
            line = self.process.stdout.readline()
        except BrokenPipeError:
            line = ""
        reply: dict[str, Any] = json.loads(line) if line else {"error": self._last_words()}
        if "error" in reply:
            raise Unavailable(str(reply["error"]))
        return reply

    def _last_words(self) -> str:
        self.process.wait()
        self.log.seek(0)
        lines = self.log.read().decode(errors="replace").strip().splitlines()
        return lines[-1] if lines else f"ended with code {self.process.returncode}"

    def close(self) -> None:
        """End the process."""
        if self.process.stdin is not None:
            self.process.stdin.close()
        self.process.wait()
        self.log.close()


class Workers:
    """The workers by participant, started when first asked for; a failed start is remembered."""

    def __init__(self) -> None:
        self.running: dict[str, Worker] = {}
        self.problems: dict[str, str] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for worker in self.running.values():
            worker.close()

    def __getitem__(self, name: str) -> Worker:
        if name in self.problems:
            raise Unavailable(self.problems[name])
        if name not in self.running:
            try:
                self.running[name] = Worker(PARTICIPANTS[name])
            except (Unavailable, OSError) as error:
                self.problems[name] = str(error)
                raise Unavailable(str(error)) from error
        return self.running[name]


def measure_all(entries: Sequence[Entry], effort: Effort, folder: Path, tell: Any) -> list[Measured]:
    """Every entry, workload by workload; within one the participants take turns, another one first in each round."""
    found = [Measured(entry) for entry in entries]
    with Workers() as workers:
        for key in dict.fromkeys(entry.workload for entry in entries):
            path = datasets.write(WORKLOADS[key].data, folder)
            mine = [item for item in found if item.entry.workload == key]
            for item in mine:
                _expect(item, path)
            for turn in range(effort.rounds):
                tell(f"{key}, round {turn + 1} of {effort.rounds}")
                for item in _rotated(mine, turn):
                    if not item.problem and turn < item.entry.rounds:
                        _measure_once(item, workers, effort, path)
    return found


def _rotated(items: Sequence[Measured], turn: int) -> Iterable[Measured]:
    start = turn % len(items)
    return [*items[start:], *items[:start]]


def _expect(item: Measured, path: Path) -> None:
    key = f"{item.entry.workload}/{item.entry.rule}".rstrip("/")
    item.expected_count, item.expected_equity = expected(key, datasets.read(path).head(item.entry.size))


def _measure_once(item: Measured, workers: Workers, effort: Effort, path: Path) -> None:
    entry = item.entry
    request = {
        "do": "run", "key": entry.task, "path": str(path), "bars": entry.size, "warm": entry.warm,
        "seconds": effort.seconds, "most": effort.most,
    }  # fmt: skip
    try:
        worker = workers[entry.participant]
        item.version = worker.version
        reply = worker.ask(request)
    except Unavailable as error:
        item.problem = str(error)
        return
    item.cpu += reply["cpu"]
    item.wall += reply["wall"]
    item.count, item.equity = int(reply["count"]), float(reply["equity"])
