"""The one compiler setting of every kernel: cached on disk, IEEE arithmetic, NumPy's division, no reference counts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numba

from gpt_trader.engine.interpreted import quieten
from gpt_trader.engine.kernel_folders import kernel_folder
from gpt_trader.engine.kernel_linking import call_by_parts
from gpt_trader.lazy_kernels import at_first_call

Function = TypeVar("Function", bound=Callable[..., Any])
quieten()


def compiled(function: Function, signature: Any = None, **options: Any) -> Function:
    """`numba.njit` of `function` with its cache in `kernel_cache`, compiled once for all constant arguments; with a `signature`
    for it alone.

    numba would compile a kernel anew for each literal that another kernel passes to it (`kind=3`), with all that it calls: the
    whole engine twice for the bar number 0. LLVM puts constants into inlined kernels all the same.
    """
    config: Any = numba.config
    before = config.CACHE_DIR
    folder = kernel_folder(Path(function.__code__.co_filename))
    config.CACHE_DIR = str(folder)
    try:
        made: Function = numba.njit(cache=True, error_model="numpy", **options)(function)
    finally:
        config.CACHE_DIR = before
    if hasattr(made, "get_call_template"):  # not so under NUMBA_DISABLE_JIT
        unliteral: Any = numba.types.unliteral
        call_by_parts(made, {"error_model": "numpy", **options}, folder, unliteral)
    return made if signature is None else at_first_call(made, signature)


def kernel(function: Function) -> Function:
    """Compile `function` on first call; it stays a call, whoever comes first (numba would hand `forceinline` on from a caller).

    It may not allocate: without reference counts its calls are cheap.
    """
    return compiled(function, _nrt=False, forceinline=False)


def inlined(function: Function) -> Function:
    """A kernel on the path of every bar, or with one caller: LLVM compiles it into its caller, so no argument is copied."""
    return compiled(function, _nrt=False, forceinline=True)


def not_inlined(kernel: Function) -> Function:
    """An inlined kernel as a call, for the places that few bars come to: its code stands there once."""
    plain: Any = getattr(kernel, "py_func", kernel)
    made: Function = compiled(plain, _nrt=False, forceinline=False)
    return made
