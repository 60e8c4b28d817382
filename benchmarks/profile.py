"""Where the time of a batch goes, beside the bare loop: `python -m benchmarks.profile`.

W2, W5 and W6 are run on one thread, in turns: as they are, once more with a clock around each call of the one kernel that scores,
and then with that kernel's own parts called one by one from Python. What is left over is Python: strategies, features, decisions.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from benchmarks import definitions as given
from benchmarks.data import Data, read, write
from benchmarks.environments import HERE
from benchmarks.peers import limit, ours
from benchmarks.table import machine, number
from benchmarks.worker import Task
from gpt_trader import Bars, batch_workers
from gpt_trader.bars import CLOSE
from gpt_trader.batch import backtest_many
from gpt_trader.engine.account_reset import clear_book
from gpt_trader.engine.bar_loop import has_infinity, run_targets, unchanged_rows
from gpt_trader.engine.records import DONE
from gpt_trader.engine.run_statistics import score_into
from gpt_trader.engine.strategy_calls import compute_features, row_values, rows_from
from gpt_trader.indicator_memo import memo

ROUNDS = 7
RUNS = 1_000
PARTS = (
    "strategies, features and decisions (Python)",
    "of which `decide`, the user's code",
    "one kernel: the whole of scoring",
    "of which reset, infinite and unchanged targets",
    "of which the engine: decisions, orders, fills, marks",
    "of which statistics",
)


@dataclass(frozen=True, slots=True)
class Profile:
    """Microseconds a run, medians of the rounds: the bare loop, ours as a user calls it, and the parts in the order of `PARTS`."""

    work: str
    cells: int
    loop: float
    whole: float
    parts: tuple[float, ...]


class Clock:
    """Adds up the seconds of what it calls, by name."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    def __call__(self, name: str, function: Callable[..., Any], *arguments: Any) -> Any:
        began = time.perf_counter()
        result = function(*arguments)
        self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - began
        return result


def in_parts(clock: Clock) -> Callable[..., tuple[int, int]]:
    """`score_many`, its parts called from Python; a call costs each of them about a microsecond."""

    def score(
        m: Any, b: Any, targets: Any, start: int, unchanged: Any, capital: float, per_year: float, scratch: Any, fields: Any,
        bars: Any, edges: Any, out: Any, sums: Any,
    ) -> tuple[int, int]:  # fmt: skip
        first = int(b.account["first"][0])
        for k in range(start, targets.shape[0]):
            wanted = targets[k]
            clock("targets", has_infinity, wanted[first:])
            clock("targets", clear_book, b, capital)
            clock("targets", unchanged_rows, m.panel[CLOSE, first:], wanted[first:], unchanged[first:])
            _, code = clock("engine", run_targets, m, b, wanted, unchanged, first, targets.shape[1])
            if code != DONE:
                return k, code
            clock("statistics", score_into, m, b, scratch, per_year, fields, bars, edges, out[k], sums[k])
        return targets.shape[0], DONE

    return score


def profile(key: str, data: Data, pairs: Sequence[tuple[int, int]], loop: Task, edges: Any) -> Profile:
    """One work in turns."""
    kind: Any = ours.WideAverages if key == "W6" else ours.TwoAverages
    known = ours.bars_of(data)
    allocation = replace(ours.WHOLE, max_positions=known.N)

    def run(bars: Bars) -> None:
        strategies = [kind(fast=fast, slow=slow) for fast, slow in pairs]
        backtest_many(
            strategies,
            bars,
            costs=ours.COSTS,
            fills=ours.FILLS,
            allocation=allocation,
            threads=1,
            edges=edges,
        )

    def decisions(bars: Bars, clock: Clock) -> None:
        view = bars.strategy_view()
        with memo(), np.errstate(invalid="ignore"):
            for fast, slow in pairs:
                strategy = kind(fast=fast, slow=slow)
                row = rows_from(row_values(view, compute_features(strategy, view)), 0)
                clock("decide", strategy.decide, row)

    real, found = batch_workers.score_many, []
    for _ in range(ROUNDS + 1):  # the first compiles and is left out
        clock = Clock()
        given_to_loop = loop.before()
        clock("loop", loop.run, given_to_loop)
        clock("whole", run, replace(known))
        batch_workers.score_many = lambda *a, clock=clock: clock("kernel", real, *a)  # type: ignore[assignment]
        clock("again", run, replace(known))
        batch_workers.score_many = in_parts(clock)  # type: ignore[assignment]
        run(replace(known))
        batch_workers.score_many = real
        decisions(replace(known), clock)
        found.append(clock.seconds)
    scale = 1e6 / len(pairs)
    times = {name: scale * median(seconds[name] for seconds in found[1:]) for name in found[0]}
    return Profile(
        key, data.close.size, times["loop"], times["whole"],
        (
            times["again"] - times["kernel"], times["decide"],
            times["kernel"], times["targets"], times["engine"], times["statistics"],
        ),
    )  # fmt: skip


def profiles(folder: Path) -> list[Profile]:
    """All works."""
    daily = read(Path(write("daily", folder))).head(given.DAYS)
    panel = read(Path(write("panel", folder))).head(given.DAYS)
    some = given.MANY_PAIRS[:: len(given.MANY_PAIRS) // RUNS]
    edges = np.linspace(0, given.DAYS, given.BLOCKS + 1).astype(np.int64)
    found = []
    for key, data, pairs, loop, rows in (
        ("W2", daily, given.PAIRS, limit.pairs(daily, given.PAIRS), None),
        ("W5", daily, some, limit.pairs(daily, some), edges),
        ("W6", panel, given.PAIRS, limit.wide(panel), None),
    ):
        print(key, file=sys.stderr, flush=True)
        found.append(profile(key, data, pairs, loop, rows))
    return found


def render(found: Sequence[Profile]) -> str:
    """The Markdown table."""
    lines = ["| part | " + " | ".join(f"{item.work}: us a run | x the loop" for item in found) + " |"]
    lines.append("| --- |" + " --- | --- |" * len(found))

    def line(name: str, values: Sequence[float]) -> str:
        cells = [
            f"{number(value)} | {number(value / item.loop)}"
            for value, item in zip(values, found, strict=True)
        ]
        return f"| {name} | " + " | ".join(cells) + " |"

    lines.append(line("the bare loop", [item.loop for item in found]))
    lines.append(line("GPT-Trader, one thread", [item.whole for item in found]))
    lines += [line(name, [item.parts[place] for item in found]) for place, name in enumerate(PARTS)]
    return "\n".join(lines)


def main() -> int:
    """Measure, print, save."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.profile", description=__doc__)
    parser.add_argument("--no-save", action="store_true", help="leave benchmarks/results/ as it is")
    options = parser.parse_args()
    facts = machine()
    with tempfile.TemporaryDirectory() as folder:
        found = profiles(Path(folder))
    text = (
        f"{facts['processor']}, {facts['cores']} cores, Python {facts['python']}, commit {facts['commit']}, load "
        f"{facts['load'][0]} before. Medians of {ROUNDS} turns, wall time of one thread.\n\n{render(found)}\n"
    )
    print(text)
    if not options.no_save:
        (HERE / "results" / "profile.md").write_text(f"# Where the time of a batch goes\n\n{text}")
        rows = {"machine": facts, "rows": [asdict(item) for item in found]}
        (HERE / "results" / "profile.json").write_text(json.dumps(rows, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
