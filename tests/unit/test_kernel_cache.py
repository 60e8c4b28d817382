"""Machine code of the engine lies in the folder of its sources' hash: a change of one file never meets old code of another."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import pytest

from gpt_trader.engine.jit import WITHOUT_KERNELS, kernel_folder

ENGINE = Path(kernel_folder.__wrapped__.__code__.co_filename).parent
MODULES = sorted(path.stem for path in ENGINE.glob("*.py") if path.stem != "__init__")


@pytest.mark.parametrize("name", MODULES)
def test_every_kernel_is_kept_by_the_hash_of_the_sources(name: str) -> None:
    module = import_module(f"gpt_trader.engine.{name}")
    own = [
        item
        for item in vars(module).values()
        if hasattr(item, "py_func") and item.py_func.__module__ == module.__name__
    ]
    assert not own or f"{name}.py" not in WITHOUT_KERNELS
    for item in own:
        assert Path(item._cache.cache_path).is_relative_to(kernel_folder()), item.py_func.__qualname__
