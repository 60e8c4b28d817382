"""Faults and warnings from what a strategy reads besides its bars."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from gpt_trader.bars import Bars
from gpt_trader.checking.access_monitor import (
    LOOKS,
    MANY,
    Access,
    may_hold_prices,
    recorded_accesses,
    within_method,
)
from gpt_trader.checking.check_report import CAUSAL, Finding, finding
from gpt_trader.checking.module_names import computed_names
from gpt_trader.strategy import Strategy
from gpt_trader.strategy_code import imported_files, is_installed, own_file

IMPORT = "import"
SHOWN = 5  # files that are named


def accesses_of_import(strategy: type[Strategy]) -> tuple[Access, ...]:
    """What the strategy's file, and the files of the user's own that it imports, reach for when they are imported anew.

    To be called in a process that ends afterwards. A class without a file, or of an installed package, reaches for nothing.
    """
    if own_file(strategy) is None:
        return ()
    own = sys.modules[strategy.__module__]
    if own.__name__ == "__main__":
        return ()
    paths = {file.path for file in imported_files(strategy)}
    for name, module in list(sys.modules.items()):
        place = getattr(module, "__file__", None)
        if module is own or place is None or is_installed(Path(place)):
            continue
        if any(Path(place).as_posix().endswith(f"/{path}") for path in paths):
            del sys.modules[name]
    spec = importlib.util.spec_from_file_location(own.__name__, str(own.__file__))
    if spec is None or spec.loader is None:
        return ()
    again = importlib.util.module_from_spec(spec)
    sys.modules[own.__name__] = again
    with recorded_accesses() as heard, within_method(IMPORT):
        try:
            spec.loader.exec_module(again)
        except Exception:  # it was imported before; what it reached for until here counts
            return tuple(heard)
    return tuple(heard)


def as_access_findings(
    strategy: Strategy, bars: Bars, accesses: Iterable[Access], allowed: tuple[str, ...]
) -> tuple[list[Finding], list[Finding]]:
    """Faults for what may hold prices, warnings for small files of settings, for `allowed` files and for files that are
    written; one of each for a method. Files of this package that `load_bars` opens are not named beside it."""
    heard = list(accesses)
    package = Path(__file__).resolve().parents[1]
    permitted = {Path(name).resolve() for name in allowed}
    loads = any(item.what.startswith("load_bars") for item in heard)
    looked = len({item.what for item in heard if item.verb == LOOKS})
    faults: dict[str, list[Access]] = {}
    warnings: dict[str, list[Access]] = {}
    for access in heard:
        path = Path(access.what).absolute()
        if loads and path.is_relative_to(package):
            continue
        harmless = (
            path.resolve() in permitted
            or not may_hold_prices(access)
            or _stays_outside(access, type(strategy))
        )
        harmless = harmless and not (access.verb == LOOKS and looked > MANY)
        (warnings if harmless else faults).setdefault(access.method, []).append(access)
    danger = ": what stands there may come from the future, and no cut of the bars shows it"
    return (
        [_reaching(strategy, bars, method, done, danger) for method, done in faults.items()],
        [_reaching(strategy, bars, method, done, "") for method, done in warnings.items()],
    )


def _stays_outside(access: Access, strategy: type[Strategy]) -> bool:
    """Whether the strategy's own file read something when it was imported, of which nothing reaches the class: a script that goes
    on with a backtest."""
    own = own_file(strategy)
    module = sys.modules.get(strategy.__module__)
    if access.method != IMPORT or own is None or access.file != getattr(module, "__file__", None):
        return False
    return computed_names(own.text, strategy.__qualname__) == []


def _reaching(strategy: Strategy, bars: Bars, method: str, done: list[Access], danger: str) -> Finding:
    where = "when it is imported" if method == IMPORT else f"in {method}"
    names = list(dict.fromkeys(f"{access.verb} {access.what}" for access in done))
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    found = finding(strategy, CAUSAL, method, bars, 0, f"{', '.join(names[:SHOWN])}{more} {where}{danger}")
    own = getattr(sys.modules.get(type(strategy).__module__), "__file__", None)
    lines = [access.line for access in done if access.line and access.file == own]
    return replace(found, line=lines[0]) if lines else found
