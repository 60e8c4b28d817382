"""The one compiler setting of every kernel: cached on disk, IEEE arithmetic, NumPy's division, no reference counts."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import numba

from gpt_trader.declared import at_first_call
from gpt_trader.engine.interpreted import quieten
from gpt_trader.engine.kernel_parts import call_by_parts

Function = TypeVar("Function", bound=Callable[..., Any])
WITHOUT_KERNELS = (
    "deciding.py",
    "entering.py",
    "interpreted.py",
    "live_views.py",
    "opening.py",
    "running.py",
    "session.py",
    "setup.py",
    "waiting.py",
)
quieten()


@cache
def kernel_folder() -> Path:
    """Where the machine code of this very engine lies: a folder named by the hash of the engine's sources.

    numba notices a changed file, but not a changed function that another file compiled into its own code. One folder per state of
    the sources cannot serve stale code. It lies beside the sources, or in the user's cache when those are read-only;
    NUMBA_CACHE_DIR moves it.
    """
    digest = hashlib.sha256(numba.__version__.encode())
    here = Path(__file__).parent
    constants = [
        here.parent / "bars.py",
        here.parent / "orders.py",
    ]  # numbers from them are frozen into machine code
    for source in constants + sorted(here.glob("*.py")):
        if source.name not in WITHOUT_KERNELS:
            digest.update(source.name.encode() + source.read_bytes())
    if "NUMBA_CACHE_DIR" in os.environ:
        home = Path(os.environ["NUMBA_CACHE_DIR"])
    elif os.access(here, os.W_OK):
        home = here / "__pycache__"
    else:
        home = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "gpt-trader"
    return home / f"kernels-{digest.hexdigest()[:16]}"


def compiled(function: Function, signature: Any = None, **options: Any) -> Function:
    """`numba.njit` of `function` with its cache in `kernel_folder`, compiled once for all constant arguments; with a `signature`
    for it alone.

    numba would compile a kernel anew for each literal that another kernel passes to it (`kind=3`), with all that it calls: the
    whole engine twice for the bar number 0. LLVM puts constants into inlined kernels all the same.
    """
    config: Any = numba.config
    before = config.CACHE_DIR
    config.CACHE_DIR = str(kernel_folder())
    try:
        made: Function = numba.njit(cache=True, error_model="numpy", **options)(function)
    finally:
        config.CACHE_DIR = before
    if hasattr(made, "get_call_template"):  # not so under NUMBA_DISABLE_JIT
        unliteral: Any = numba.types.unliteral
        call_by_parts(made, {"error_model": "numpy", **options}, kernel_folder(), unliteral)
    return made if signature is None else at_first_call(made, signature)


def kernel(function: Function) -> Function:
    """Compile `function` on first call; it stays a call, whoever comes first (numba would hand `forceinline` on from a caller).

    It may not allocate: without reference counts its calls are cheap.
    """
    return compiled(function, _nrt=False, forceinline=False)


def inlined(function: Function) -> Function:
    """A kernel on the path of every bar, or with one caller: LLVM compiles it into its caller, so no argument is copied."""
    return compiled(function, _nrt=False, forceinline=True)


def called(kernel: Function) -> Function:
    """An inlined kernel as a call, for the places that few bars come to: its code stands there once."""
    plain: Any = getattr(kernel, "py_func", kernel)
    made: Function = compiled(plain, _nrt=False, forceinline=False)
    return made
