"""How another process finds a strategy class: by its module's name where that is installed, else by the text of its files."""

from __future__ import annotations

import sys
from dataclasses import dataclass

from gpt_trader.errors import StrategyError
from gpt_trader.strategy import Strategy, strategy_name
from gpt_trader.strategy_code import SourceFile, code_hash, companions, own_file


@dataclass(frozen=True, slots=True)
class StrategyReference:
    """The class `name` of `module`, with the hash of its `code`.

    `file` is the file that defines it and `companions` the files it imports, as the process that made the reference read
    them; None and empty for a class of an installed package.
    """

    module: str
    name: str
    code: str
    file: SourceFile | None = None
    companions: tuple[SourceFile, ...] = ()


def reference_of(strategy: type[Strategy]) -> StrategyReference:
    """The reference of a class. Raises StrategyError for one that only this process can have: defined inside a function, or
    typed at a prompt."""
    name, module = strategy.__qualname__, strategy.__module__
    if "<locals>" in name or getattr(sys.modules.get(module), "__file__", None) is None:
        raise StrategyError(
            f"{strategy_name(strategy)} is not defined in a file; worker processes need one to load it from, so write the "
            "class at the top level of a file, or run in this process (--workers 1)"
        )
    file = own_file(strategy)
    if file is not None and not file.text:
        raise StrategyError(
            f"the file of {strategy_name(strategy)} can no longer be read; worker processes need it"
        )
    return StrategyReference(module, name, code_hash(strategy), file, companions(strategy))
