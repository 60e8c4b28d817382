"""Starts numba for a command 0.2 s sooner than an import of it would, and tells its user when it compiles for long."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from types import ModuleType
from typing import Any, TextIO

SILENT = ("--json", "--quiet", "-q")
WAIT_SECONDS = 2.0
LINE_SECONDS = 10.0
_BLAS = "scipy.linalg.cython_blas"


def start_numba() -> None:
    """Import numba; nothing happens when it is loaded already.

    numba imports `scipy.linalg.cython_blas` to learn that SciPy has a BLAS, which every SciPy that is installed with
    this package has, and `coverage` to tell it which lines were compiled, which matters only while coverage measures.
    Both questions are answered without the import. The first compiled `np.dot` loads the real BLAS.
    """
    if "numba" in sys.modules:
        return
    answers: dict[str, ModuleType | None] = {_BLAS: ModuleType(_BLAS)}
    if "coverage" not in sys.modules:
        answers["coverage"] = None  # an import of it fails: not measuring
    with _standing_in(answers):
        import_module("numba")
        import_module("numba.np.arraymath")
    tell_of_compiling()
    _tell_of_interpreting()


def _tell_of_interpreting() -> None:
    """Say why a run takes so long that somebody wanted to see from within, unless the command was asked for silence or JSON."""
    from gpt_trader.engine.interpreted import is_interpreted

    if is_interpreted() and not set(SILENT) & set(sys.argv):
        print(
            "the engine runs as plain Python (NUMBA_DISABLE_JIT is set): the same results, later",
            file=sys.stderr,
        )


@contextmanager
def _standing_in(answers: dict[str, ModuleType | None]) -> Iterator[None]:
    """`sys.modules` with these entries; those that were not replaced by a real import are taken out again."""
    modules: dict[str, ModuleType | None] = sys.modules  # type: ignore[assignment]
    missing = {name: item for name, item in answers.items() if name not in modules}
    modules.update(missing)
    try:
        yield
    finally:
        for name, item in missing.items():
            if modules.get(name, item) is item:
                modules.pop(name, None)


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
