"""Machine code of the engine lies in folders named by what it is made of: a change never meets old code of another file, and what
does not depend on it is not compiled again."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from gpt_trader.engine.kernel_folders import (
    ENGINE,
    WITHOUT_KERNELS,
    current_folders,
    kernel_folder,
    sources_of,
)

MODULES = sorted(path.stem for path in ENGINE.glob("*.py") if path.stem != "__init__")


def imported(name: str) -> ModuleType:
    return import_module(f"gpt_trader.engine.{name}")


def kernels_of(module: ModuleType) -> list[Any]:
    """The kernels that a module makes itself."""
    return [
        item
        for item in vars(module).values()
        if hasattr(item, "py_func") and item.py_func.__module__ == module.__name__
    ]


@pytest.mark.parametrize("name", MODULES)
def test_every_kernel_is_kept_by_what_it_is_made_of(name: str) -> None:
    own = kernels_of(imported(name))
    assert not own or name not in WITHOUT_KERNELS
    for item in own:
        folder = kernel_folder(ENGINE / f"{name}.py")
        assert Path(item._cache.cache_path).is_relative_to(folder), item.py_func.__qualname__


@pytest.mark.parametrize("name", MODULES)
def test_whatever_a_kernel_names_is_in_its_sources(name: str) -> None:
    """A function, a record type or a constant of another module of the engine."""
    sources = {path.stem for path in sources_of(ENGINE / f"{name}.py")}
    for item in kernels_of(imported(name)):
        scope = item.py_func.__globals__
        named = [scope[word] for word in item.py_func.__code__.co_names if word in scope]
        homes = {
            getattr(value, "py_func", value).__module__ for value in named if hasattr(value, "__module__")
        }
        missing = {
            home.rpartition(".")[2] for home in homes if home and home.startswith("gpt_trader.engine.")
        } - sources
        assert missing <= WITHOUT_KERNELS, item.py_func.__qualname__


def test_constants_of_records_are_in_the_sources_of_every_kernel_that_reads_them() -> None:
    for name in ("matching", "bar_loop", "bar_steps", "run_statistics", "compiled_rules", "order_requests"):
        stems = {path.stem for path in sources_of(ENGINE / f"{name}.py")}
        assert {"records", "bars", "jit", "order_book", name} <= stems, name


@pytest.fixture
def engine(tmp_path: Path) -> Path:
    """Top calls middle, middle calls bottom; aside stands alone. All of them read a number of the bars."""
    folder = tmp_path / "gpt_trader" / "engine"
    folder.mkdir(parents=True)
    (folder.parent / "bars.py").write_text("CLOSE = 3\n")
    (folder.parent / "errors.py").write_text("")
    (folder / "bottom.py").write_text("from gpt_trader.bars import CLOSE\nfrom gpt_trader.errors import X\n")
    (folder / "middle.py").write_text(
        "def f():\n    from gpt_trader.engine import (\n        bottom,\n    )\n"
    )
    (folder / "top.py").write_text("import gpt_trader.engine.middle\nfrom gpt_trader.engine.top import own\n")
    (folder / "aside.py").write_text("from gpt_trader.bars import CLOSE\n# from gpt_trader.engine.top\n")
    return folder


def names(engine: Path, module: str) -> list[str]:
    return [path.stem for path in sources_of(engine / f"{module}.py", engine)]


def test_the_sources_of_a_module_are_all_that_it_reaches(engine: Path) -> None:
    assert sorted(names(engine, "top")) == ["bars", "bottom", "middle", "top"]
    assert sorted(names(engine, "bottom")) == ["bars", "bottom"]
    assert sorted(names(engine, "aside")) == ["aside", "bars"]


def test_modules_that_import_each_other_end(engine: Path) -> None:
    (engine / "bottom.py").write_text("from gpt_trader.engine.top import own\n")
    assert sorted(names(engine, "bottom")) == ["bottom", "middle", "top"]


def test_two_modules_have_two_folders_and_both_are_current() -> None:
    curves, matching = kernel_folder(ENGINE / "curve_statistics.py"), kernel_folder(ENGINE / "matching.py")
    assert curves != matching
    assert {curves, matching} <= current_folders()
    assert curves.name.startswith("kernels-curve_statistics-")


def test_modules_without_kernels_are_modules() -> None:
    assert {name for name in WITHOUT_KERNELS if not (ENGINE / f"{name}.py").is_file()} == set()
