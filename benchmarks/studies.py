"""What Ray adds to and takes from a study: `python -m benchmarks.studies`.

One plan, cut into chunks as a sweep cuts them, is worked off on one core of this process, on all of them, on workers of this
machine, and once more when every chunk is known. The start of the workers (Ray, and what each of them loads) is measured apart.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.environments import HERE
from benchmarks.table import machine
from gpt_trader import load_bars
from gpt_trader.adapters.chunk_store import ChunkStore
from gpt_trader.batch_workers import THREADS
from gpt_trader.engine.run_setup import Settings
from gpt_trader.research.chunk import Chunk, ChunkRunner
from gpt_trader.research.chunk_sizes import cut, points_per_chunk, seconds_per_run
from gpt_trader.research.executor import Executor, InProcess
from gpt_trader.research.experiment import Experiment
from gpt_trader.research.plan import Plan, run_chunks
from gpt_trader.strategies import load_strategy
from jobs.executors.local_ray import local_ray
from jobs.executors.ray_tasks import RayTasks

REFERENCE = "one core"
SYMBOLS = [f"S{number:02}" for number in range(20)]
AXES = ("donchian", "exit", "atr_k")


@dataclass(frozen=True, slots=True)
class Row:
    """One way of working the plan off: seconds of wall time, those of the start, and the ratio to one core."""

    how: str
    start: float | None
    seconds: float
    ratio: float


def experiment() -> Experiment:
    """trend_breakout on 20 symbols and ten years of synthetic daily bars."""
    bars = load_bars(SYMBOLS, source="synthetic", start="2004-01-02", end="2013-12-31")
    return Experiment(load_strategy("trend_breakout"), bars, Settings())


def plan_of(about: Experiment, seconds: float) -> Plan:
    """A grid that takes `seconds` on one core, by the time of two of its chunks."""
    size = points_per_chunk(seconds_per_run(about.strategy(), about.bars))
    grid = itertools.product(range(10, 130), range(5, 65), (1.0, 1.5, 2.0, 2.5, 3.0))
    chunks = (Chunk(AXES, points) for points in cut(grid, size))
    runner = ChunkRunner(about)
    runner.run(next(chunks))
    one = statistics_of(lambda: runner.run(next(chunks)), 2)
    return Plan("benchmark", about, tuple(itertools.islice(chunks, max(4, round(seconds / one)))))


def statistics_of(work: Callable[[], Any], times: int) -> float:
    """The mean seconds of some calls."""
    began = time.perf_counter()
    for _ in range(times):
        work()
    return (time.perf_counter() - began) / times


@contextmanager
def one_core() -> Iterator[None]:
    """This process scores on one thread inside."""
    before = os.environ.get(THREADS)
    os.environ[THREADS] = "1"
    try:
        yield
    finally:
        del os.environ[THREADS]
        if before is not None:
            os.environ[THREADS] = before


@contextmanager
def fresh_store() -> Iterator[ChunkStore]:
    """A store of chunks with nothing in it."""
    with tempfile.TemporaryDirectory(prefix="benchmarks-") as folder:
        yield ChunkStore(Path(folder))


def timed(plan: Plan, executor: Executor, store: ChunkStore) -> float:
    """Seconds to work the plan off; every chunk must have a result."""
    began = time.perf_counter()
    done = run_chunks(plan, executor, store)
    seconds = time.perf_counter() - began
    assert not done.failed, done.failed
    assert None not in done.results
    return seconds


def on_workers(plan: Plan, workers: int) -> tuple[float, float]:
    """Seconds of the start, until every worker has done a chunk of another plan, and of the plan itself."""
    first = Plan("start", plan.experiment, tuple(_one_point(chunk) for chunk in plan.chunks[: 2 * workers]))
    began = time.perf_counter()
    with local_ray(workers, plan.experiment.bars.panel.nbytes), fresh_store() as store:
        tasks = RayTasks(workers)
        run_chunks(first, tasks, None)
        start = time.perf_counter() - began
        return start, timed(plan, tasks, store)


def _one_point(chunk: Chunk) -> Chunk:
    return Chunk(chunk.names, chunk.points[:1])


def measure(
    seconds: float, workers: Sequence[int], rounds: int, tell: Callable[[str], None]
) -> tuple[list[Row], dict[str, Any]]:
    """All rows, medians of `rounds` in which every way has its turn, and what the plan was."""
    with one_core():
        plan = plan_of(experiment(), seconds)
    tell(f"{len(plan.chunks)} chunks, {plan.points:,} points")
    took: dict[str, list[tuple[float | None, float]]] = {}
    for _ in range(rounds):
        for how, start, work in one_round(plan, workers):
            took.setdefault(how, []).append((start, work))
            tell(f"{how}: {work:.1f} s")
    alone = median(work for _, work in took[REFERENCE])
    rows = []
    for how, times in took.items():
        starts = [start for start, _ in times if start is not None]
        work = median(work for _, work in times)
        rows.append(Row(how, median(starts) if starts else None, work, work / alone))
    facts = {
        "chunks": len(plan.chunks),
        "points": plan.points,
        "rounds": rounds,
        "symbols": len(SYMBOLS),
        "bars": plan.experiment.bars.T,
    }
    return rows, facts


def one_round(plan: Plan, workers: Sequence[int]) -> Iterator[tuple[str, float | None, float]]:
    """Every way of working the plan off: its name, the seconds of its start, and those of the work."""
    with one_core():
        runner = ChunkRunner(plan.experiment)
        began = time.perf_counter()
        for chunk in plan.chunks:
            runner.run(chunk)
        yield "one core, chunks alone, nothing kept", None, time.perf_counter() - began
        with fresh_store() as store:
            yield REFERENCE, None, timed(plan, InProcess(), store)
            yield "the same plan again", None, timed(plan, InProcess(), store)
    with fresh_store() as store:
        yield "one process, all cores", None, timed(plan, InProcess(), store)
    for count in workers:
        yield f"{count} Ray {'worker' if count == 1 else 'workers'}", *on_workers(plan, count)


def render(rows: Sequence[Row], facts: dict[str, Any]) -> str:
    """The table as Markdown."""
    lines = [
        "# Studies on Ray\n",
        f"{facts['processor']}, {facts['cores']} cores, {facts['system']}, Python {facts['python']}, commit {facts['commit']},",
        f"load {facts['load'][0]} before and {facts['load_after'][0]} after.",
        f"trend_breakout, {facts['points']:,} points on {facts['symbols']} symbols x {facts['bars']:,} bars in",
        f"{facts['chunks']} chunks; wall time, medians of {facts['rounds']} rounds.\n",
        "| how | start | work | of one core | times as fast | with its start |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    alone = next(row.seconds for row in rows if row.how == REFERENCE)
    for row in rows:
        start = "" if row.start is None else f"{row.start:.1f} s"
        whole = "" if row.start is None else f"{alone / (row.start + row.seconds):.2f} x"
        lines.append(
            f"| {row.how} | {start} | {row.seconds:.2f} s | {row.ratio:.2%} | {1 / row.ratio:,.2f} x | {whole} |"
        )
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print the table and keep it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.studies", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0, help="of the plan on one core (default 60)")
    parser.add_argument("--workers", default="1,2", help="numbers of workers, by comma (default 1,2)")
    parser.add_argument("--rounds", type=int, default=2, help="turns of every way (default 2)")
    parser.add_argument("--no-save", action="store_true", help="leave benchmarks/results as it is")
    options = parser.parse_args(arguments)
    before = machine()
    counts = [int(text) for text in options.workers.split(",")]
    rows, plan = measure(
        options.seconds, counts, options.rounds, lambda text: print(text, file=sys.stderr, flush=True)
    )
    facts = {**before, **plan, "load_after": machine()["load"]}
    text = render(rows, facts)
    print(text)
    if not options.no_save:
        results = HERE / "results"
        (results / "studies.md").write_text(text + "\n")
        numbers = {"machine": facts, "rows": [asdict(row) for row in rows]}
        (results / "studies.json").write_text(json.dumps(numbers, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
