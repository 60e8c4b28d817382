"""What a strategy's code is: the source files of the user's own that it is made of, and one hash over them."""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import inspect
import sys
import sysconfig
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path, PurePosixPath
from typing import Any, TypeVar, cast

from gpt_trader.strategy import Strategy

Function = TypeVar("Function", bound=Callable[..., Any])
_LIBRARY = {"gpt_trader.strategy", *sys.stdlib_module_names}
_HASHES: dict[type[Strategy], str] = {}


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A Python file by its path below the folder it is imported from (POSIX, `helpers.py`, `rules/entry.py`)."""

    path: str
    text: str


def code_hash(strategy: type[Strategy]) -> str:
    """SHA-256 (hex) over the class names and source files of the strategy and of the classes it inherits from, and over the
    files of the user's own that these import.

    Whole files count, so helper functions and constants beside the class do; what installed packages and Python's own
    modules define does not. A class without a file (typed at a prompt) is represented by its compiled methods. The hash is
    made once for a class, as it was when it was first asked for.
    """
    if strategy not in _HASHES:
        digest = hashlib.sha256()
        for owner in strategy.__mro__:
            if owner.__module__ not in _LIBRARY:
                digest.update(f"{owner.__qualname__}\n".encode() + (_source(owner) or _methods(owner)))
        for file in companions(strategy):
            digest.update(f"{file.path}\n{file.text}".encode())
        _HASHES[strategy] = digest.hexdigest()
    return _HASHES[strategy]


def once_per_class(function: Function) -> Function:
    """`functools.cache` with the type of the function: mypy takes a class of strategies for unhashable."""
    return cast(Function, cache(function))


@once_per_class
def own_file(strategy: type[Strategy]) -> SourceFile | None:
    """The file that defines the class, by its name alone, as it was when it was first asked for (`code_hash` asks); None for a
    class of an installed package or without a file."""
    name = getattr(sys.modules.get(strategy.__module__), "__file__", None)
    if name is None or is_installed(Path(name)):
        return None
    return SourceFile(Path(name).name, _source(strategy).decode())


@once_per_class
def companions(strategy: type[Strategy]) -> tuple[SourceFile, ...]:
    """The files of the user's own that the strategy's file imports, and those import, in the order of their paths.

    Imports inside functions count, and the `__init__.py` of each package on the way; modules that are imported by a
    computed name, and data files, are not seen.
    """
    own = own_file(strategy)
    if own is None:
        return ()
    found: dict[str, SourceFile] = {}
    waiting = [own]
    while waiting:
        file = waiting.pop()
        for name in sorted(_imported(file)):
            for new in _files_on_the_way_to(name):
                if new.path not in found:
                    found[new.path] = new
                    waiting.append(new)
    return tuple(found[path] for path in sorted(found))


def is_installed(path: Path) -> bool:
    """Whether a file belongs to Python, to an installed package or to this one: every node has it, and it does not change."""
    resolved = path.resolve()
    return any(resolved.is_relative_to(folder) for folder in _installed_folders())


@once_per_class
def _installed_folders() -> tuple[Path, ...]:
    paths = sysconfig.get_paths()
    names = ("stdlib", "platstdlib", "purelib", "platlib")
    return (Path(__file__).resolve().parent, *(Path(paths[name]).resolve() for name in names))


def _imported(file: SourceFile) -> set[str]:
    """The full names a source imports: modules, and what is taken from them; nothing of one that cannot be parsed."""
    try:
        tree = ast.parse(file.text)
    except (SyntaxError, ValueError):
        return set()
    package = PurePosixPath(file.path).parent.parts
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else ()
            module = ".".join((*above, *([node.module] if node.module else [])))
            names |= {f"{module}.{alias.name}" for alias in node.names} if module else set()
    return names


def _files_on_the_way_to(name: str) -> Iterator[SourceFile]:
    """The files of module `a.b.c` and of the packages it lies in, as far as they are the user's own."""
    parts = name.split(".")
    root = _folder_of(parts[0])
    if root is None:
        return
    for length in range(1, len(parts) + 1):
        place = root.joinpath(*parts[:length])
        for path in (place / "__init__.py", place.with_name(f"{place.name}.py")):
            try:
                yield SourceFile(path.relative_to(root).as_posix(), path.read_text(encoding="utf-8"))
            except (OSError, UnicodeDecodeError):
                continue


def _folder_of(name: str) -> Path | None:
    """The folder from which a top-level module of the user's own is imported; None for one that is installed or absent."""
    try:
        spec = importlib.util.find_spec(name)
    except (ImportError, ValueError):
        return None
    if spec is None:
        return None
    packaged = list(spec.submodule_search_locations or ())
    place = packaged[0] if packaged else spec.origin if spec.has_location else None
    return None if place is None or is_installed(Path(place)) else Path(place).parent


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
