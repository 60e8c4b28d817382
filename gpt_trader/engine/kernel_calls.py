"""Calls kernels from Python without numba's check of the argument types, which takes longer than most bars."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

Function = TypeVar("Function", bound=Callable[..., Any])


def direct_call(kernel: Function) -> Function:
    """`kernel` for callers in Python that always pass the same types: `MarketData` and `AccountState` as `engine.run_setup` makes
    them, and C-ordered arrays of one type and number of dimensions, read-only or not.

    numba looks at the types of all arguments in every call: 4 µs for the records of a book, more than most bars cost. The first
    call goes the usual way and compiles or loads the machine code; the later ones enter it at once.
    """
    if not hasattr(kernel, "overloads"):  # NUMBA_DISABLE_JIT: a plain function
        return kernel
    codes: list[Callable[..., Any]] = []

    def enter(*arguments: Any) -> Any:
        if codes:
            return codes[0](*arguments)
        found = kernel(*arguments)
        codes.extend(_code_for(kernel, arguments))
        return found

    made: Any = enter
    return made


def _code_for(kernel: Any, arguments: tuple[Any, ...]) -> list[Callable[..., Any]]:
    """The entry into the machine code for just these types, if there is one."""
    compiled = kernel.overloads.get(tuple(map(kernel.typeof_pyval, arguments)))
    return [] if compiled is None else [compiled.entry_point]
