"""Keeps the byte code of what commands load: where Python may write none, each start would compile it anew."""

from __future__ import annotations

import ast
import compileall
import sys
from collections.abc import Iterator
from contextlib import suppress
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

OURS = ("gpt_trader", "jobs", "actors", "serve")


def keep_byte_code(ours: tuple[str, ...] = OURS) -> None:
    """Compile the modules of these packages, and load each module of other packages that one of them imports anywhere."""
    folders = [folder for name in ours for folder in _folders(name)]
    for folder in folders:
        compileall.compile_dir(folder, quiet=2)
    names = {name for folder in folders for path in sorted(folder.rglob("*.py")) for name in imports_of(path)}
    for name in sorted(names):
        if name.partition(".")[0] not in (*ours, *sys.stdlib_module_names):
            with suppress(Exception):  # what is not installed, or not for this system, loads for nobody
                import_module(name)


def imports_of(path: Path) -> Iterator[str]:
    """The modules that a file imports, at its beginning or within a function."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (item.name for item in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module


def _folders(name: str) -> list[Path]:
    """Where a package of ours lies; nowhere when it is not installed."""
    spec = find_spec(name)
    return [Path(place) for place in (spec.submodule_search_locations or ())] if spec else []
