"""Sweeps as a user starts them, over a strategy that waits for the test at a chosen point."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from gpt_trader.adapters.chunk_store import MISSING
from tests.cluster.nodes import wait_until
from tests.e2e.command import ROOT, Done

MOODY = ROOT / "tests" / "cluster" / "moody.py"
SYMBOLS = "A,B,C,D,E,F,G,H"
POINTS, IN_A_CHUNK = 6_000, 2_048
"""Three chunks: eight symbols over nine years are half a millisecond a run."""
IN_THE_LAST = 2 * IN_A_CHUNK + 1
"""The first point of the third chunk: however slow the machine is, no part of that chunk is done before it."""


@dataclass(frozen=True)
class Place:
    """A folder in which a study is started, and the one where its strategy meets the test."""

    folder: Path
    meeting: Path

    @classmethod
    def in_folder(cls, folder: Path, meeting: Path | None = None) -> Place:
        """A fresh place; the meeting is there, unless another folder is named."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "moody.py").write_text(MOODY.read_text())
        return cls(folder, folder if meeting is None else meeting)

    def sweep(self, *more: str, meet: int = IN_THE_LAST, runs_dir: str = "runs") -> list[str]:
        """A sweep that waits at point `meet` until `go`."""
        folder = "." if self.meeting == self.folder else self.meeting
        return [
            "sweep", "moody.py", "--param", f"x=1:{POINTS}", "--param", f"at={meet}", "--param", "mood=meet",
            "--param", f"folder={folder}", "--source", "synthetic", "--symbols", SYMBOLS, "--start", "2004-01-01",
            "--end", "2012-12-31", "--gross", "1", "--runs-dir", runs_dir, *more,
        ]  # fmt: skip

    def start(
        self, *arguments: str, env: Mapping[str, str] | None = None, limit: Callable[[], None] = lambda: None
    ) -> subprocess.Popen[str]:
        """`gpt-trader ARGUMENTS` in the folder, under a limit; Ctrl-C reaches it, whatever runs the tests."""

        def prepare() -> None:
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            limit()

        return subprocess.Popen(
            [sys.executable, "-m", "jobs.cli", *arguments], cwd=self.folder, text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT), **(env or {})}, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            preexec_fn=prepare,
        )  # fmt: skip

    def run(self, *arguments: str, env: Mapping[str, str] | None = None) -> Done:
        """The same, to its end."""
        return self.end(self.start(*arguments, env=env))

    def end(self, process: subprocess.Popen[str]) -> Done:
        """Wait for a command."""
        out, err = process.communicate()
        return Done(process.returncode, out, err)

    def wait_for_the_meeting(self, process: subprocess.Popen[str] | None = None) -> int:
        """Until the strategy waits; the process it does it in."""

        def waits() -> bool:
            assert process is None or process.poll() is None, process.communicate()
            return bool(list(self.meeting.glob("*.met")))

        wait_until(waits, "the strategy waits")
        return int(next(self.meeting.glob("*.met")).stem.split("-")[1])

    def go(self) -> None:
        """Let the strategy go on, now and from here on."""
        (self.meeting / "go").touch()

    def chunks(self, runs_dir: str = "runs") -> dict[str, tuple[int, bytes]]:
        """Every chunk that is kept whole: when it was written, and its bytes."""
        files = (self.folder / runs_dir / ".chunks").rglob("[0-9a-f]*.parquet")
        kept = {path.name: (path.stat().st_mtime_ns, path.read_bytes()) for path in files}
        return {name: file for name, file in kept.items() if _is_whole(file[1])}

    def results(self, runs_dir: str = "runs") -> dict[str, bytes]:
        """The files of the study's result."""
        return {
            path.name: path.read_bytes()
            for path in (self.folder / runs_dir).glob("*/*")
            if path.name in ("points.parquet", "result.json")
        }

    def has_ended(self) -> bool:
        """Whether there is a study with a status that it keeps."""
        begun = list((self.folder / "runs").glob("*/study.json"))
        return bool(begun) and self.record()["status"] not in ("running", "submitted")

    def record(self, runs_dir: str = "runs") -> dict[str, Any]:
        """The study's record."""
        (file,) = (self.folder / runs_dir).glob("*/study.json")
        found: dict[str, Any] = json.loads(file.read_bytes())
        return found


def _is_whole(file: bytes) -> bool:
    return MISSING not in pq.read_table(pa.BufferReader(file), columns=["state"])["state"].to_pylist()
