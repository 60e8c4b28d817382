"""Says on standard error that numba is compiling, when that takes long: the first use of a kernel, or a rule of the user's."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any, TextIO

SILENT = ("--json", "--quiet", "-q")
WAIT_SECONDS = 2.0
LINE_SECONDS = 10.0


class CompileNotice:
    """Counts functions as numba compiles them; after two seconds it tells, on a terminal in one line that lives."""

    def __init__(self, stream: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream, self._clock = stream, clock
        self._live = stream.isatty()
        self._depth = self._count = 0
        self._began = self._due = 0.0
        self._shown = False

    def begin(self) -> None:
        """A function is being compiled."""
        if self._count == 0:
            self._began = self._now()
            self._due = self._began + WAIT_SECONDS
        self._depth += 1
        self._count += 1
        self._tell()

    def end(self) -> None:
        """A function has been compiled; after the outermost one the live line goes."""
        self._depth -= 1
        self._tell()
        if self._depth == 0 and self._live and self._shown:
            self._stream.write("\r\033[K")
            self._stream.flush()

    def _now(self) -> float:
        return self._clock()

    def _tell(self) -> None:
        now = self._now()
        if now < self._due:
            return
        text = f"compiling, once (kept for the next run): {self._count} functions, {now - self._began:.0f} s"
        self._stream.write(f"\r\033[K{text}" if self._live else f"{text}\n")
        self._stream.flush()
        self._shown = True
        self._due = now + (0.2 if self._live else LINE_SECONDS)


def tell_of_compiling() -> None:
    """Listen to numba for the rest of the process, unless the command was asked for silence or JSON."""
    if set(SILENT) & set(sys.argv):
        return
    from numba.core import event

    notice = CompileNotice(sys.stderr)

    class Listener(event.Listener):
        def on_start(self, _event: object) -> None:
            notice.begin()

        def on_end(self, _event: object) -> None:
            notice.end()

    register: Any = event.register
    register("numba:compile", Listener())
