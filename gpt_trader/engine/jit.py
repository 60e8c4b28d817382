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
    """A kernel on the path of every bar, or with one caller: LLVM compiles it into its caller, so no argument is copied."""
    compiled: Function = numba.njit(cache=True, error_model="numpy", _nrt=False, forceinline=True)(function)
    return compiled
