"""The one table of a run and the facts of the machine it ran on, as Markdown and as JSON."""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.plan import OURS

HEAD = ("work", "who", "", "CPU ms", "best", "wall ms", "bars/s", "x ours", "count", "agrees")


@dataclass(frozen=True, slots=True)
class Row:
    """One line: seconds per repetition of `bars` bars (bars x runs; 0 for a process); `count` and `agreement` as text."""

    work: str
    who: str
    note: str
    cpu: tuple[float, ...]
    wall: tuple[float, ...]
    bars: int = 0
    count: str = ""
    agreement: str = ""
    problem: str = ""

    @property
    def pace(self) -> float:
        """Median CPU seconds per bar, or per process."""
        return median(self.cpu) / max(self.bars, 1) if self.cpu else float("nan")


def render(rows: Sequence[Row]) -> str:
    """The Markdown table; ratios are CPU medians per bar over those of our first line of the same work."""
    lines = [HEAD, ("---",) * len(HEAD), *(_cells(row, base(rows, row.work)) for row in rows)]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def base(rows: Sequence[Row], work: str) -> float:
    """Our own pace in a work; NaN when it was not measured."""
    return next((row.pace for row in rows if row.work == work and row.who == OURS and row.cpu), float("nan"))


def _cells(row: Row, ours: float) -> tuple[str, ...]:
    if not row.cpu:
        return (row.work, row.who, row.note, *("–",) * 6, row.problem or "not run")
    ratio = row.pace / ours
    return (
        row.work, row.who, row.note, number(1e3 * median(row.cpu)), number(1e3 * min(row.cpu)), number(1e3 * median(row.wall)),
        f"{1 / row.pace:,.0f}" if row.bars else "", number(ratio) if ratio == ratio else "–", row.count, row.agreement,
    )  # fmt: skip


def number(value: float) -> str:
    """Three significant digits, thousands separated."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}" if value >= 0.001 else f"{value:.1e}"


def machine() -> dict[str, Any]:
    """Cores, processor, memory, system, Python, commit and the load of the last minute."""
    return {
        "cores": os.cpu_count(),
        "processor": _processor(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "commit": _told("git", "rev-parse", "--short", "HEAD")
        + ("+" if _told("git", "status", "--porcelain") else ""),
        "load": [round(value, 2) for value in os.getloadavg()],
    }


def _processor() -> str:
    listed = Path("/proc/cpuinfo")
    if listed.exists():
        for line in listed.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return _told("sysctl", "-n", "machdep.cpu.brand_string") or platform.machine()


def _told(*command: str) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=Path(__file__).parent)
    except OSError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
