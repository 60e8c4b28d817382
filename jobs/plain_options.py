"""Spares a command line Typer's type adapters where there is nothing to adapt: options left out, and text."""

from __future__ import annotations

from typing import Any


class PlainValue:
    """Stands in for the adapter that Typer builds with pydantic for an option (0.15 s for those of a backtest).

    An option that was not given and one that takes text are as they are. Any other value goes to Typer's own adapter,
    which is built then.
    """

    def __init__(self, kind: Any) -> None:
        self._kind = kind

    def coerce(self, value: Any, param: Any, ctx: Any) -> Any:
        """What Typer's adapter gives for `value`."""
        several = param.multiple or param.nargs == -1
        if value is None:
            return () if several else None
        if self._kind is str and not several and type(value) is str:
            return value
        if self._kind == list[str] and several and not isinstance(value, str):
            values = list(value)
            if all(type(item) is str for item in values):
                return values
        param._runtime_param = None
        return param.get_runtime_param().coerce(value, param=param, ctx=ctx)


def spare_adapters(command: Any) -> Any:
    """`command`, with a PlainValue for its options, its `--help` and those of its sub-commands."""
    for item in command.params:
        spare_adapter(item)
    of_help = command.get_help_option
    command.get_help_option = lambda context: spare_adapter(of_help(context))
    for below in getattr(command, "commands", {}).values():
        spare_adapters(below)
    return command


def spare_adapter(item: Any) -> Any:
    """One option with a PlainValue; where Typer has no adapters, or has one already, as it is."""
    if hasattr(item, "get_runtime_param") and getattr(item, "_runtime_param", item) is None:
        about = item.type_descriptor
        own_reader = any(getattr(about.parameter_info, name, None) for name in ("parser", "click_type"))
        item._runtime_param = PlainValue(None if own_reader else about.annotation)
    return item
