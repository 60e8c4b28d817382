"""Starts numba for a command without what it loads only to see whether it is there: 0.2 s of each backtest."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from types import ModuleType

from jobs.compile_notice import SILENT, tell_of_compiling

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
