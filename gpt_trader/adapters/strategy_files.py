"""Loads the class behind a reference in a process that may not have the strategy's file."""

from __future__ import annotations

import hashlib
import importlib
import os
import sys
import tempfile
import uuid
from pathlib import Path
from typing import Any

from gpt_trader.errors import StrategyError
from gpt_trader.research.strategy_reference import StrategyReference
from gpt_trader.strategy import Strategy
from gpt_trader.strategy_code import SourceFile, code_hash


def class_of(reference: StrategyReference) -> type[Strategy]:
    """The strategy class that `reference` stands for.

    The files of a class that is not installed are written into a folder named by their content, from where they are
    imported like any other, so that tracebacks and compilers find their text. Raises StrategyError when the class is not
    there, or when its code is not that of the reference.
    """
    try:
        module = _module_of(reference)
        found: Any = module
        for part in reference.name.split("."):
            found = getattr(found, part)
    except (ImportError, AttributeError, OSError) as error:
        raise StrategyError(
            f"a worker cannot load {reference.module}.{reference.name}: {type(error).__name__}: {error}; "
            "every node needs the same packages"
        ) from error
    strategy: type[Strategy] = found
    if code_hash(strategy) != reference.code:
        raise StrategyError(
            f"a worker has another version of {reference.module}; install the same version on every node"
        )
    return strategy


def _module_of(reference: StrategyReference) -> Any:
    if reference.file is None:
        return importlib.import_module(reference.module)
    folder = written((reference.file, *reference.companions))
    for path in (str(folder), str(folder / "companions")):
        if path not in sys.path:
            sys.path.insert(0, path)
    from gpt_trader.strategies import load_file

    return load_file(folder / reference.file.path)


def written(files: tuple[SourceFile, ...]) -> Path:
    """The folder that holds `files`, the first at its top and the others under `companions`, by their content."""
    digest = hashlib.sha256()
    for file in files:
        digest.update(f"{file.path}\0{file.text}\0".encode())
    folder = _home() / digest.hexdigest()[:32]
    if folder.is_dir():
        return folder
    part = folder.with_name(f".{folder.name}-{uuid.uuid4().hex}")
    for number, file in enumerate(files):
        path = (part / "companions" if number else part) / file.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(file.text.encode())
    try:
        part.rename(folder)
    except OSError:
        if not folder.is_dir():
            raise
    return folder


def _home() -> Path:
    """A folder of this user alone: in the user's cache, or a temporary one where there is none to write to."""
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "gpt-trader" / "strategies"
    try:
        home.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError:
        return Path(tempfile.mkdtemp(prefix="gpt-trader-strategies-"))
    return home if os.access(home, os.W_OK) else Path(tempfile.mkdtemp(prefix="gpt-trader-strategies-"))
