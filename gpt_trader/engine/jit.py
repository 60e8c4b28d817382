"""The one compiler setting of every kernel: cached on disk, IEEE arithmetic, NumPy's division."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numba

Function = TypeVar("Function", bound=Callable[..., Any])


def kernel(function: Function) -> Function:
    """Compile `function` with numba on first call; the machine code is kept in the package's cache folder."""
    compiled: Function = numba.njit(cache=True, error_model="numpy", _nrt=False)(function)
    return compiled


def inlined(function: Function) -> Function:
    """A small kernel that is compiled into its caller."""
    compiled: Function = numba.njit(cache=True, error_model="numpy", inline="always")(function)
    return compiled
