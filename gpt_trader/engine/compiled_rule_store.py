"""Keeps the machine code of users' rules on disk under a hash of all that it depends on, so that the next process need not compile.

The name of a stored driver is a hash of everything its machine code is made of: the driver's text, the byte code and constants of
the rule and of every function it calls, the values of the globals it reads, and the names of columns and parameters; the folder is
that of this very engine (`kernel_cache`), and numba itself keeps types and processors apart. A rule that reads anything
whose value such a hash does not cover (an array, an object, a function that the user compiled) is not stored at all.

numba links machine code by the names of functions, and those of two processes may be the same for different code. So every
function of a stored driver has the hash in its name.
"""

from __future__ import annotations

import builtins
import hashlib
import math
import os
import tempfile
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from types import BuiltinFunctionType, CodeType, FunctionType, ModuleType
from typing import Any

import numba
import numpy as np

from gpt_trader import orders
from gpt_trader.engine.kernel_folders import ENGINE, kernel_folder
from gpt_trader.strategy import Held

_njit: Any = numba.njit  # its stub does not know `_nrt`
MAX_STORED = 500  # drivers; the oldest go first
FIXED = (np, math, orders)  # modules that belong to a version of NumPy, of Python or of this engine
VERSIONS = (np.__version__, ".".join(Held._fields))


def rule_key(rule: Any, texts: Iterable[str]) -> str | None:
    """The name under which a driver of `rule` is stored, whose text and other words are `texts`; None for one that is not."""
    said = _function(rule, {})
    if said is None:
        return None
    digest = hashlib.sha256()
    for part in (*VERSIONS, *texts, said):
        digest.update(f"{len(part)}:{part}".encode())
    return f"rule_{digest.hexdigest()[:40]}"


def labelled(function: FunctionType, label: str | None) -> FunctionType:
    """A copy of a function of a rule that is stored as `label`, with that name and at home in this module, where the next process
    finds it; a function of a rule that is not stored stays as it is."""
    if label is not None:
        function.__qualname__ = f"{label}.{function.__name__}"
        function.__module__ = function.__globals__["__name__"] = __name__
    return function


def rule_folder() -> Path:
    """Where drivers lie that are made of the engine as it is."""
    return kernel_folder(ENGINE / "compiled_rules.py") / "rules"


def compiled_driver(source: str, scope: dict[str, Any], key: str | None, counted: bool) -> Any:
    """The function `drive` of `source`, compiled when it is first called, or read from where it is stored under `key`."""
    options: dict[str, Any] = {"error_model": "numpy", "_nrt": counted, "nogil": True}
    path = None if key is None else stored_text(rule_folder(), source, key)
    scope["__name__"] = __name__
    exec(compile(source, "<driver>" if path is None else str(path), "exec"), scope)
    drive = labelled(scope["drive"], key)
    if path is not None:
        config: Any = numba.config
        before = config.CACHE_DIR
        config.CACHE_DIR = str(path.parent)
        try:
            stored: Any = _njit(cache=True, **options)(drive)
        except RuntimeError:  # numba finds no place to write to
            return _njit(**options)(drive)
        finally:
            config.CACHE_DIR = before
        if hasattr(stored, "_cache"):  # not so under NUMBA_DISABLE_JIT
            stored._cache = _BestEffortCache(stored._cache)
        return stored
    return _njit(**options)(drive)


class _BestEffortCache:
    """numba's files of one driver: one that cannot be read is not there, and one that cannot be written is not needed."""

    def __init__(self, files: Any) -> None:
        self._files = files

    def __getattr__(self, name: str) -> Any:
        return getattr(self._files, name)

    def load_overload(self, signature: Any, context: Any) -> Any:
        """The machine code for these types, None when there is none."""
        try:
            return self._files.load_overload(signature, context)
        except Exception:
            with suppress(Exception):
                self._files.flush()
            return None

    def save_overload(self, signature: Any, code: Any) -> None:
        """Keep the machine code for these types."""
        with suppress(Exception):
            self._files.save_overload(signature, code)


def stored_text(folder: Path, source: str, key: str, kept: int = MAX_STORED) -> Path | None:
    """The file of a driver's text, which numba wants beside its machine code; None where nothing can be written. The folder then
    holds at most so many drivers."""
    path = folder / f"{key}.py"
    if path.exists():
        return path
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _evict_oldest(folder, kept)
        number, name = tempfile.mkstemp(dir=folder)
        with os.fdopen(number, "w") as file:
            file.write(source)
        Path(name).replace(path)
    except OSError:
        return None
    return path


def _evict_oldest(folder: Path, kept: int) -> None:
    """Room for one more driver."""
    stored = sorted(folder.glob("rule_*.py"), key=lambda path: path.stat().st_mtime)
    for path in stored[: max(0, len(stored) - kept + 1)]:
        for part in [path, *folder.glob(f"*/{path.stem}.*")]:
            part.unlink(missing_ok=True)


def _function(function: Any, seen: dict[Any, int]) -> str | None:
    """Everything that the machine code of a plain function is made of, as text; None when something else goes into it."""
    if not isinstance(function, FunctionType):
        return None
    if function in seen:
        return f"again {seen[function]}"
    seen[function] = len(seen)
    code, scope = function.__code__, function.__globals__
    try:
        closed = [cell.cell_contents for cell in function.__closure__ or ()]
    except ValueError:  # an empty cell
        return None
    named = [
        *((name, scope[name]) for name in code.co_names if name in scope),
        *zip(code.co_freevars, closed, strict=True),
        ("defaults", function.__defaults__),
        *(function.__kwdefaults__ or {}).items(),
    ]
    parts = [_code(code), *(_value(value, seen) for _, value in named)]
    return None if None in parts else repr([[name for name, _ in named], parts])


def _value(value: Any, seen: dict[Any, int]) -> str | None:
    """A value that a rule reads, as text that no other value has; None for one whose text would not say everything."""
    if value is None or type(value) in (bool, int, float, str):
        return f"{type(value).__name__} {value!r}"
    if type(value) is tuple:
        parts = [_value(item, seen) for item in value]
        return None if None in parts else repr(parts)
    if isinstance(value, ModuleType):
        return f"module {value.__name__}" if any(value is item for item in FIXED) else None
    if isinstance(value, type | BuiltinFunctionType | FunctionType | np.ufunc):
        name: str = value.__name__
        for home in (*FIXED, builtins):
            if getattr(home, name, None) is value:
                return f"{home.__name__} {name}"
    return _function(value, seen)


def _code(code: CodeType) -> str | None:
    """Byte code, names and constants, without the place in a file; None for code that has functions inside."""
    constants = [_value(item, {}) for item in code.co_consts]
    if None in constants:
        return None
    counts = (code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount, code.co_flags)
    names = (code.co_names, code.co_varnames, code.co_freevars, code.co_cellvars)
    return repr((counts, names, code.co_code.hex(), getattr(code, "co_exceptiontable", b"").hex(), constants))
