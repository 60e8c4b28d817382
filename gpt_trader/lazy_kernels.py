"""Kernels with one declared list of argument types, compiled when they are first called instead of when they are imported."""

from __future__ import annotations

from collections.abc import Callable
from threading import RLock
from typing import Any, TypeVar

from numba import njit

Function = TypeVar("Function", bound=Callable[..., Any])
_ONE_THREAD = RLock()  # of several threads that call a kernel first, one compiles and the others wait


def declared(signature: Any, **options: Any) -> Callable[[Function], Function]:
    """`numba.njit` for `signature` alone, kept beside the source; arguments are converted to it."""

    def compiled_later(function: Function) -> Function:
        made: Function = at_first_call(njit(cache=True, **options)(function), signature)
        return made

    return compiled_later


def at_first_call(kernel: Any, signature: Any) -> Any:
    """The dispatcher `kernel`, which compiles for `signature` at its first call and for nothing else."""
    if not hasattr(kernel, "compile"):  # NUMBA_DISABLE_JIT: a plain function
        return kernel

    def first(*_arguments: Any, **_keywords: Any) -> Any:
        """What numba asks for code that fits the arguments: it calls what comes back with them."""
        with _ONE_THREAD:
            if "_compile_for_args" in vars(kernel):
                kernel.compile(signature)  # nothing, where it was compiled already
                kernel.disable_compile()
                del vars(kernel)["_compile_for_args"]
        return kernel

    kernel._compile_for_args = first
    return kernel
