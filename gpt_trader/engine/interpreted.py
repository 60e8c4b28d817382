"""The engine without a compiler: with NUMBA_DISABLE_JIT=1 every kernel is plain Python, in which a breakpoint stops.

The results are the same to the last bit (tests/parity/test_interpreted.py); a bar and symbol takes some hundred microseconds.
numba reads the fields of records as attributes (`account.cash`), which NumPy's own scalars of such arrays have not: `record`
gives them a class that has.
"""

from __future__ import annotations

from operator import itemgetter
from typing import Any

import numba
import numpy as np


def is_interpreted() -> bool:
    """Whether numba compiles nothing in this process."""
    config: Any = numba.config
    return bool(config.DISABLE_JIT)


class Record(np.void):  # type: ignore[misc]  # NumPy lets one derive from it: its own recarray does
    """One record of the engine's state, with a property for each field of any of them."""


def record(fields: Any, *, align: bool = False) -> np.dtype[Any]:
    """The record type of these fields, as `numpy.dtype` takes them."""
    plain = np.dtype(fields, align=align)
    if not is_interpreted():
        return plain
    for name in plain.names or ():
        setattr(Record, name, _field(name))
    return np.dtype((Record, plain))


def _field(name: str) -> property:
    return property(itemgetter(name), lambda row, value: row.__setitem__(name, value))


def quieten() -> None:
    """Let NumPy divide by zero without a warning, as kernels do. Without numba it would tell of each."""
    if is_interpreted():
        np.seterr(divide="ignore", invalid="ignore", over="ignore")
