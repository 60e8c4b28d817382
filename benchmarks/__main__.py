"""`python -m benchmarks`: sets the peers up, measures, checks that results agree, prints one table and keeps it."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks import process
from benchmarks.data import write
from benchmarks.definitions import WORKLOADS
from benchmarks.environments import HERE
from benchmarks.plan import PARTICIPANTS, PLAN
from benchmarks.runner import FULL, QUICK, Effort, Measured, measure_all
from benchmarks.table import Row, machine, render

PROCESS = "process"
RESULTS = HERE / "results"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run; 1 when a result does not agree with the reference, else 0 (a peer that is not to be had is no failure)."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer repetitions, under two minutes")
    parser.add_argument("--only", help=f"workloads, by comma: {', '.join([*WORKLOADS, PROCESS])}")
    parser.add_argument("--peers", help=f"participants, by comma: {', '.join(PARTICIPANTS)}")
    parser.add_argument("--json", type=Path, help="also write the numbers to this file")
    parser.add_argument("--no-save", action="store_true", help="leave benchmarks/results as it is")
    options = parser.parse_args(arguments)
    works = _chosen(parser, options.only, [*WORKLOADS, PROCESS])
    peers = _chosen(parser, options.peers, list(PARTICIPANTS))
    before, began = machine(), time.monotonic()
    measured, started = run(works, peers, QUICK if options.quick else FULL, quick=options.quick)
    rows = [row_of(item) for item in measured] + [row_of_process(item) for item in started]
    facts = {**before, "load_after": machine()["load"], "minutes": round((time.monotonic() - began) / 60, 1)}
    text = report(rows, facts, measured)
    print(text)
    numbers = json.dumps(as_numbers(rows, facts, measured), indent=1)
    if options.json:
        options.json.write_text(numbers + "\n")
    if not options.no_save:
        RESULTS.mkdir(exist_ok=True)
        (RESULTS / "latest.md").write_text(text + "\n")
        (RESULTS / "latest.json").write_text(numbers + "\n")
    return int(any(item.cpu and not item.agrees for item in measured))


def _chosen(parser: argparse.ArgumentParser, given: str | None, known: list[str]) -> list[str]:
    if given is None:
        return known
    names = [name.strip() for name in given.split(",") if name.strip()]
    for name in names:
        if name not in known:
            parser.error(f"unknown {name!r}; choose from {', '.join(known)}")
    return names


def run(
    works: Sequence[str], peers: Sequence[str], effort: Effort, *, quick: bool
) -> tuple[list[Measured], list[process.Started]]:
    """Measure the chosen works and participants."""
    entries = [entry for entry in PLAN if entry.workload in works and entry.participant in peers]
    started: list[process.Started] = []
    with tempfile.TemporaryDirectory(prefix="benchmarks-") as name:
        folder = Path(name)
        measured = measure_all(entries, effort, folder, tell)
        if PROCESS in works:
            known = process.commands(folder, write("daily", folder), peers, full=not quick)
            started = [item for item in known if item.participant in peers]
            process.start_all(started, 1 if quick else 3, folder, tell, warm=not quick)
    return measured, started


def tell(what: str) -> None:
    """Progress, on standard error."""
    print(f"[{time.strftime('%H:%M:%S')}] {what}", file=sys.stderr, flush=True)


def row_of(item: Measured) -> Row:
    """A measured entry as a line of the table."""
    entry = item.entry
    note = entry.note
    if entry.bars:
        note = f"{note}, {entry.bars:,} bars" if note else f"{entry.bars:,} bars"
    exact = "exactly" if item.gap < 1e-12 else f"to {item.gap:.0e}"
    agreement = f"{exact}{f' ({entry.why})' if entry.why else ''}"
    if not item.agrees:
        agreement = f"NO: {item.count:,} and {item.equity:,.2f}, expected {item.expected_count:,} and {item.expected_equity:,.2f}"
    return Row(
        entry.workload, entry.participant, note, tuple(item.cpu), tuple(item.wall), entry.size * entry.runs, f"{item.count:,}",
        agreement, item.problem,
    )  # fmt: skip


def row_of_process(item: process.Started) -> Row:
    """A started command as a line of the table."""
    said = item.said if item.said.endswith("MiB") else ""
    return Row(
        item.key,
        item.participant,
        item.note,
        tuple(item.cpu),
        tuple(item.wall),
        count=said,
        problem=item.problem,
    )


def report(rows: Sequence[Row], facts: dict[str, Any], measured: Sequence[Measured]) -> str:
    """The Markdown of a whole run."""
    versions = {item.entry.participant: item.version for item in measured if item.version}
    told = ", ".join(f"{name} {version}" for name, version in versions.items())
    works = "\n".join(f"- {item.key}: {item.title}; {item.counted}" for item in WORKLOADS.values())
    where = (
        f"{facts['processor']}, {facts['cores']} cores, {facts['memory_gib']} GiB, {facts['system']}, Python {facts['python']}, "
        f"commit {facts['commit']}, load {facts['load'][0]} before and {facts['load_after'][0]} after, {facts['minutes']} minutes."
    )
    return (
        f"# Benchmarks\n\n{where}\n{told}.\n\n{works}\n\n"
        "Medians of repetitions taken in turns; CPU of all threads. `x ours`: CPU per bar over that of our first line. "
        f"What is compared, and how: benchmarks/README.md.\n\n{render(rows)}"
    )


def as_numbers(rows: Sequence[Row], facts: dict[str, Any], measured: Sequence[Measured]) -> dict[str, Any]:
    """Everything measured, for machines."""
    versions = {item.entry.participant: item.version for item in measured if item.version}
    listed = [
        {
            "work": row.work, "who": row.who, "note": row.note, "bars": row.bars, "count": row.count, "agreement": row.agreement,
            "problem": row.problem, "cpu": list(row.cpu), "wall": list(row.wall),
        }
        for row in rows
    ]  # fmt: skip
    return {"machine": facts, "versions": versions, "rows": listed}


if __name__ == "__main__":
    sys.exit(main())
