"""The shipped strategies, one file each, and how a strategy is found by name or by path."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import linecache
import sys
from pathlib import Path

from gpt_trader.errors import BadData, StrategyError, UnknownName
from gpt_trader.strategy import OrderStrategy, Strategy, strategy_name
from gpt_trader.strategy_code import code_hash

SHIPPED = {
    "buy_and_hold": "hold every symbol from its first bar: the benchmark",
    "demo_ma": "long while the fast average of the close is above the slow one",
    "trend_breakout": "buy a new high of the last n bars, leave on a low or an ATR trailing stop",
    "mean_reversion": "buy when RSI is low, leave when it has recovered",
    "momentum": "each month hold the strongest of the universe",
    "volatility": "scale exposure to a volatility target, out when volatility is high",
    "bollinger": "buy below the lower band, leave at the middle",
}


def available() -> dict[str, str]:
    """Name and one line of every shipped strategy."""
    return dict(SHIPPED)


def load_strategy(name: str) -> type[Strategy]:
    """The class of a shipped strategy, or of `path/to/file.py` or `path/to/file.py:Class`.

    Raises UnknownName for a name or class that does not exist, BadData for a missing file and StrategyError for a file
    that does not import.
    """
    path, _, wanted = name.partition(":") if ".py" in name else (name, "", "")
    if not path.endswith(".py"):
        if name not in SHIPPED:
            raise UnknownName("strategy", name, SHIPPED)
        return _only_strategy(importlib.import_module(f"gpt_trader.strategies.{name}"), "", name)
    found = _only_strategy(load_file(Path(path)), wanted, path)
    code_hash(found)  # of the files beside it, while it is they that are found by their names
    return found


def load_file(path: Path) -> object:
    """The module of a strategy file. Raises BadData when it is absent, StrategyError when it does not import.

    It is compiled from its text, never taken from a bytecode file that may be of an older text, and this text is what
    `inspect` shows of it from then on, though the file be edited: what is run and what is hashed are the same. Modules in its
    folder are found as when Python runs the file.
    """
    if not path.is_file():
        raise BadData(f"strategy file {path} does not exist")
    path = path.resolve()
    name = f"strategy_{path.stem}_{abs(hash(str(path))):x}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise BadData(f"{path} is no Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    _find_beside(path.parent)
    try:
        text = importlib.util.decode_source(path.read_bytes())
        linecache.cache[str(path)] = (len(text), None, text.splitlines(keepends=True), str(path))
        exec(compile(text, path, "exec"), vars(module))  # noqa: S102 - the user's own file
    except SyntaxError as error:
        raise StrategyError(f"{path} line {error.lineno}: {error.msg}") from error
    except Exception as error:
        raise StrategyError(f"{path} does not import: {type(error).__name__}: {error}") from error
    return module


def _find_beside(folder: Path) -> None:
    """Let imports look in `folder`, after Python's own modules and before installed ones, and forget the modules of another
    strategy's folder that are here too by the same name."""
    place = str(folder)
    others = [path for path in sys.path if path != place]
    later = (path in _STRATEGY_FOLDERS or Path(path).name in _INSTALLED for path in others)
    at = next((number for number, is_later in enumerate(later) if is_later), len(others))
    sys.path[:] = [*others[:at], place, *others[at:]]
    _STRATEGY_FOLDERS.add(place)
    foreign = {
        name for name, module in sys.modules.items()
        if _folder_of(module) in _STRATEGY_FOLDERS - {place}
        and ((folder / f"{name}.py").is_file() or (folder / name / "__init__.py").is_file())
    }  # fmt: skip
    for name in [name for name in sys.modules if name.partition(".")[0] in foreign]:
        del sys.modules[name]


def _folder_of(module: object) -> str:
    """The folder in which a module of a single name was found."""
    origin = Path(getattr(module, "__file__", None) or "/")
    return str(origin.parent.parent if origin.name == "__init__.py" else origin.parent)


_INSTALLED = ("site-packages", "dist-packages")
_STRATEGY_FOLDERS: set[str] = set()


def _only_strategy(module: object, wanted: str, where: str) -> type[Strategy]:
    own = getattr(module, "__name__", "")
    found = {
        name: item
        for name, item in vars(module).items()
        if inspect.isclass(item)
        and issubclass(item, Strategy)
        and item not in (Strategy, OrderStrategy)
        and item.__module__ == own
    }
    if wanted:
        if wanted not in found:
            raise UnknownName(f"strategy class in {where}", wanted, found)
        return found[wanted]
    if len(found) != 1:
        listed = ", ".join(sorted(found)) or "none"
        raise StrategyError(f"{where} holds {len(found)} strategies ({listed}); name one as {where}:Class")
    return next(iter(found.values()))


def __getattr__(name: str) -> type[Strategy]:
    """The shipped classes by their own name: `from gpt_trader.strategies import DemoMa`."""
    module = next((key for key in SHIPPED if key.replace("_", "") == name.lower()), None)
    if module is None:
        raise AttributeError(f"module 'gpt_trader.strategies' has no attribute {name!r}")
    return load_strategy(module)


__all__ = ["SHIPPED", "available", "load_strategy", "strategy_name"]
