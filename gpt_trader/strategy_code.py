"""What a strategy's code is: the source files of the user's own that it is made of, and one hash over them."""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import inspect
import sys
import sysconfig
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path, PurePosixPath
from types import BuiltinFunctionType, CellType, ModuleType
from typing import Any, TypeVar, cast
from uuid import uuid4

import numpy as np

from gpt_trader.strategy import Strategy

Function = TypeVar("Function", bound=Callable[..., Any])
_LIBRARY = {"gpt_trader.strategy", *sys.stdlib_module_names}
_SPECIAL = {"__post_init__", "__call__"}  # what dataclasses and Python itself add tells nothing
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
    modules define does not. A class without a file (typed at a prompt) is represented by its members, and one that a function,
    a loop or `type()` made by these as well, with what its methods close over. The hash is made once for a class, as it was
    when it was first asked for.
    """
    if strategy not in _HASHES:
        digest = hashlib.sha256()
        for owner in strategy.__mro__:
            if owner.__module__ not in _LIBRARY:
                digest.update(f"{owner.__qualname__}\n".encode() + _source(owner))
                if not (_source(owner) and _is_written_out(owner)):
                    digest.update(_members(owner))
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
    return _imported_from(own_file(strategy), packages=True)


@once_per_class
def imported_files(strategy: type[Strategy]) -> tuple[SourceFile, ...]:
    """As `companions`, without the `__init__.py` of packages that are only on the way to a module."""
    return _imported_from(own_file(strategy), packages=False)


def _imported_from(own: SourceFile | None, *, packages: bool) -> tuple[SourceFile, ...]:
    found: dict[str, SourceFile] = {}
    waiting = [] if own is None else [own]
    while waiting:
        file = waiting.pop()
        for name in sorted(_imported(file)):
            files = list(_files_on_the_way_to(name))
            for new in files if packages else files[-1:]:
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


def _is_written_out(owner: type) -> bool:
    """Whether the class stands in its file as it is: one that a function, a loop or `type()` made has more to it than text."""
    found: Any = sys.modules.get(owner.__module__)
    for part in owner.__qualname__.split("."):
        found = getattr(found, part, None)
    return found is owner


def _members(owner: type) -> bytes:
    """Names, values and byte code of the class's own members, without line numbers."""
    own = {
        name: value for name, value in vars(owner).items() if not name.startswith("__") or name in _SPECIAL
    }
    return b"\n".join(name.encode() + _content(own[name], ()) for name in sorted(own))


def _content(value: Any, above: tuple[int, ...]) -> bytes:
    """What a member or a variable of a function is: code with what it closes over, or a value.

    An object of which this says nothing is unlike every other, so that it never passes for another one.
    """
    if id(value) in above:
        return b"itself"
    path = (*above, id(value))
    for inner in ("__func__", "fget", "func"):  # static and class methods, properties, cached properties
        value = getattr(value, inner, value)
    code = getattr(value, "__code__", None)
    if code is not None:
        cells = [_cell(cell) for cell in value.__closure__ or ()]
        parts = [*cells, value.__defaults__, value.__kwdefaults__]
        return _code_bytes(code) + b"|".join(_content(part, path) for part in parts)
    if isinstance(value, np.ndarray) and not value.dtype.hasobject:
        return f"{value.dtype.str}{value.shape}".encode() + value.tobytes()
    if isinstance(value, type):
        return f"{value.__module__}.{value.__qualname__}".encode()
    if isinstance(value, tuple | list):
        return b"[" + b",".join(_content(item, path) for item in value) + b"]"
    if isinstance(value, Mapping):
        return b"{" + b",".join(_content(item, path) for item in value.items()) + b"}"
    if value is None or isinstance(
        value, bool | int | float | complex | str | bytes | frozenset | np.generic
    ):
        return _stable_text(value).encode()
    if isinstance(value, ModuleType | BuiltinFunctionType):
        return value.__name__.encode()
    return uuid4().bytes


def _cell(cell: CellType) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # not filled yet
        return None


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
