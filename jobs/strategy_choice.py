"""Which strategy a command runs and with which parameters: a shipped name or a file, and `--param name=value`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from gpt_trader.errors import BadParameter

if TYPE_CHECKING:
    from gpt_trader.strategy import Strategy

DEFAULT_STRATEGY = "demo_ma"
STRATEGY_HELP = "A shipped name (see strategies list), or path/to/file.py[:Class]."


@dataclass(frozen=True, slots=True)
class StrategyOptions:
    """The parameters of a strategy as they were typed."""

    param: Annotated[
        list[str] | None,
        typer.Option(
            "--param",
            "-p",
            metavar="NAME=VALUE",
            help="A parameter of the strategy; may be given many times.",
        ),
    ] = None

    def make(self, name: str) -> Strategy:
        """The strategy of that name with the parameters given.

        Raises UnknownName for a strategy or parameter that is not there, BadParameter for a value out of its range.
        """
        from gpt_trader.strategies import load_strategy
        from gpt_trader.strategy import make_strategy

        return make_strategy(load_strategy(name), pairs(self.param or []))


def pairs(given: list[str]) -> dict[str, str]:
    """`["fast=5", "slow=20"]` as a mapping. Raises BadParameter for one without a name, a value or named twice."""
    found: dict[str, str] = {}
    for text in given:
        name, equals, value = text.partition("=")
        name, value = name.strip(), value.strip()
        if not (equals and name and value):
            raise BadParameter(f"--param {text!r} cannot be read; write name=value, such as fast=5")
        if name in found:
            raise BadParameter(f"--param {name} is given twice ({found[name]} and {value}); give it once")
        found[name] = value
    return found
