"""What a strategy's code is, as one hash: the source of its file and of its base classes' files."""

from __future__ import annotations

import hashlib
import inspect
import sys
from typing import Any

from gpt_trader.strategy import Strategy

_LIBRARY = {"gpt_trader.strategy", *sys.stdlib_module_names}
_HASHES: dict[type[Strategy], str] = {}


def code_hash(strategy: type[Strategy]) -> str:
    """SHA-256 (hex) over the class names and source files of the strategy and of the classes it inherits from.

    Whole files count, so helper functions and constants beside the class do; what the library and Python's own modules
    define does not. A class without a file (typed at a prompt) is represented by its compiled methods. The hash is made
    once for a class, as it was when it was first asked for.
    """
    if strategy not in _HASHES:
        digest = hashlib.sha256()
        for owner in strategy.__mro__:
            if owner.__module__ not in _LIBRARY:
                digest.update(f"{owner.__qualname__}\n".encode() + (_source(owner) or _methods(owner)))
        _HASHES[strategy] = digest.hexdigest()
    return _HASHES[strategy]


def _source(owner: type) -> bytes:
    """The text of the file that defines `owner`, nothing when there is none to be read."""
    try:
        return inspect.getsource(sys.modules[owner.__module__]).encode()
    except (KeyError, OSError, TypeError):
        return b""


def _methods(owner: type) -> bytes:
    """Names, constants and byte code of the class's own methods, without line numbers."""
    parts = [
        name.encode() + _code_bytes(code)
        for name in sorted(vars(owner))
        if (code := getattr(vars(owner)[name], "__code__", None)) is not None
    ]
    return b"\n".join(parts)


def _code_bytes(code: Any) -> bytes:
    parts = [code.co_code, repr(code.co_names).encode()]
    parts += [
        _code_bytes(item) if hasattr(item, "co_code") else _stable_text(item).encode()
        for item in code.co_consts
    ]
    return b"|".join(parts)


def _stable_text(constant: Any) -> str:
    """`repr`, with the members of a frozenset in order: their own order differs from process to process."""
    return repr(sorted(map(repr, constant))) if isinstance(constant, frozenset) else repr(constant)
