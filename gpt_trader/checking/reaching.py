"""Faults and warnings from what a strategy reads besides its bars."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterable
from pathlib import Path

from gpt_trader.bars import Bars
from gpt_trader.checking.report import CAUSAL, Finding, finding
from gpt_trader.checking.watching import Access, inside, listening, may_hold_prices
from gpt_trader.strategy import Strategy
from gpt_trader.strategy_code import companions, own_file

IMPORT = "import"


def accesses_of_import(strategy: type[Strategy]) -> tuple[Access, ...]:
    """What the strategy's file, and the files of the user's own that it imports, reach for when they are imported anew.

    To be called in a process that ends afterwards. A class without a file, or of an installed package, reaches for nothing.
    """
    if own_file(strategy) is None:
        return ()
    own = sys.modules[strategy.__module__]
    if own.__name__ == "__main__":
        return ()
    paths = {file.path for file in companions(strategy)}
    for name, module in list(sys.modules.items()):
        place = getattr(module, "__file__", None)
        if module is not own and place and any(Path(place).as_posix().endswith(f"/{path}") for path in paths):
            del sys.modules[name]
    spec = importlib.util.spec_from_file_location(own.__name__, str(own.__file__))
    if spec is None or spec.loader is None:
        return ()
    again = importlib.util.module_from_spec(spec)
    sys.modules[own.__name__] = again
    with listening() as heard, inside(IMPORT):
        try:
            spec.loader.exec_module(again)
        except Exception:  # it was imported before; what it reached for until here counts
            return tuple(heard)
    return tuple(heard)


def as_access_findings(
    strategy: Strategy, bars: Bars, accesses: Iterable[Access], allowed: tuple[str, ...]
) -> tuple[list[Finding], list[Finding]]:
    """Faults for what may hold prices, warnings for small files of settings, for `allowed` files and for files that are
    written; a file of this package that `load_bars` opens is not named beside it."""
    faults, warnings = [], []
    package = Path(__file__).resolve().parents[1]
    permitted = {Path(name).resolve() for name in allowed}
    for access in accesses:
        path = Path(access.what).absolute()
        if path.is_relative_to(package) and any(item.what.startswith("load_bars") for item in accesses):
            continue
        subject = access.method if access.method in ("features", "decide", "declared_exits") else "features"
        where = "when it is imported" if access.method == IMPORT else f"in {access.method}"
        text = f"{access.verb} {access.what} {where}"
        if path.resolve() not in permitted and may_hold_prices(access):
            text += ": what stands there may come from the future, and no cut of the bars shows it"
            faults.append(finding(strategy, CAUSAL, f"{subject} ({Path(access.what).name})", bars, 0, text))
        else:
            warnings.append(finding(strategy, CAUSAL, f"{subject} ({Path(access.what).name})", bars, 0, text))
    return faults, warnings
