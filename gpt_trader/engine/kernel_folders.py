"""Where the machine code of kernels lies: in one folder for each module and each state of the sources its kernels are made of."""

from __future__ import annotations

import hashlib
import os
import re
from functools import cache
from pathlib import Path

import numba

ENGINE = Path(__file__).parent
# modules of the package whose numbers, or the layout of the records that they declare, are frozen into machine code
CONSTANTS = {"allocation", "bars", "costs", "orders", "risk", "declared_rules"}
# modules that are run by Python alone: nothing of them is in a kernel
WITHOUT_KERNELS = frozenset(
    (
        "account_memory", "interpreted", "kernel_calls", "kernel_folders", "run_modes", "run_setup", "simulation",
        "strategy_calls", "strategy_views",
    )
)  # fmt: skip
_IMPORTED = re.compile(r"^\s*(?:from|import) gpt_trader\.(?:(engine)\.)?(\w+)", re.MULTILINE)
_FROM_ENGINE = re.compile(r"^\s*from gpt_trader\.engine import (\([^)]*\)|.*)", re.MULTILINE)


@cache
def kernel_folder(module: Path) -> Path:
    """The folder for the kernels of the module in that file: its name has the hash of the sources that its kernels are made of.

    numba notices a changed file, but not a changed function that another file compiled into its own code. One folder per state of
    these sources cannot serve stale code.
    """
    digest = hashlib.sha256(numba.__version__.encode())
    for source in sources_of(module):
        digest.update(source.name.encode() + _text(source).encode())
    return kernel_home() / f"kernels-{module.stem}-{digest.hexdigest()[:16]}"


@cache
def kernel_home() -> Path:
    """What holds the folders: beside the sources, or the user's cache when those are read-only; NUMBA_CACHE_DIR moves it."""
    if "NUMBA_CACHE_DIR" in os.environ:
        return Path(os.environ["NUMBA_CACHE_DIR"])
    if os.access(ENGINE, os.W_OK):
        return ENGINE / "__pycache__"
    return Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "gpt-trader"


def current_folders(engine: Path = ENGINE) -> set[Path]:
    """The folders of the engine's modules as they are now."""
    return {kernel_folder(path) for path in engine.glob("*.py")}


@cache
def sources_of(module: Path, engine: Path = ENGINE) -> tuple[Path, ...]:
    """The files that kernels of a module are made of, by name: its own, those of the engine that it imports, and so on; of the rest
    of the package those with `CONSTANTS`."""
    known, waiting = {module}, [module]
    while waiting:
        for path in _imports(waiting.pop(), engine) - known:
            known.add(path)
            if path.parent == engine:
                waiting.append(path)
    return tuple(sorted(known))


@cache
def _imports(module: Path, engine: Path) -> frozenset[Path]:
    """What a module imports of the engine, and of the modules with constants."""
    text = _text(module)
    found = {(home, name) for home, name in _IMPORTED.findall(text)}
    found |= {("engine", name) for names in _FROM_ENGINE.findall(text) for name in re.findall(r"\w+", names)}
    paths = [
        engine / f"{name}.py" if home else engine.parent / f"{name}.py"
        for home, name in found
        if (name not in WITHOUT_KERNELS if home else name in CONSTANTS)
    ]
    return frozenset(path for path in paths if path.is_file())


@cache
def _text(source: Path) -> str:
    return source.read_text(encoding="utf-8")
