"""How options are declared, read and handed over: a dataclass is a group of options, a reader names what was typed."""

from __future__ import annotations

import inspect
import math
import re
from collections.abc import Callable, Iterator
from dataclasses import MISSING, Field, dataclass, fields, is_dataclass
from functools import wraps
from typing import Any, get_type_hints

import typer

# -- groups of options ---------------------------------------------------------------------------------------------------


def option_in(panel: str) -> Callable[..., Any]:
    """What makes the options of a panel of the help screen; `text` says what an option is for."""

    def option(*flags: str, text: str, **more: Any) -> Any:
        return typer.Option(*flags, help=text, rich_help_panel=panel, **more)

    return option


def grouped(function: Callable[..., Any]) -> Callable[..., Any]:
    """`function`, with every parameter whose type is a dataclass spread into one option for each of its fields.

    The fields carry their own `Annotated[..., typer.Option(...)]`, or are groups themselves. So a group is written once and
    shared by every command that needs it; the command receives the dataclass, filled.
    """
    hints = get_type_hints(function, include_extras=True)
    groups = {name: _group_of(hint) for name, hint in hints.items() if _is_group(hint)}
    parameters: list[inspect.Parameter] = []
    for name, parameter in inspect.signature(function).parameters.items():
        if name in groups:
            parameters += groups[name].options()
        else:
            parameters.append(parameter.replace(annotation=hints[name], kind=inspect.Parameter.KEYWORD_ONLY))

    @wraps(function)
    def call(**given: Any) -> Any:
        built = {name: group.filled(given) for name, group in groups.items()}
        return function(**given, **built)

    call.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    call.__annotations__ = {item.name: item.annotation for item in parameters}
    del call.__wrapped__
    return call


@dataclass(frozen=True, slots=True)
class _Group:
    """A group of options: its dataclass, and by the name of each field its option or the group that it is."""

    kind: type[Any]
    members: dict[str, inspect.Parameter | _Group]

    def options(self) -> Iterator[inspect.Parameter]:
        """One keyword parameter for each option, in the order of the fields."""
        for member in self.members.values():
            yield from member.options() if isinstance(member, _Group) else (member,)

    def filled(self, given: dict[str, Any]) -> Any:
        """The dataclass with the values that were given; they are taken out of `given`."""
        return self.kind(
            **{
                name: member.filled(given) if isinstance(member, _Group) else given.pop(name)
                for name, member in self.members.items()
            }
        )


def _is_group(hint: Any) -> bool:
    return isinstance(hint, type) and is_dataclass(hint)


def _group_of(kind: type[Any]) -> _Group:
    hints = get_type_hints(kind, include_extras=True)
    return _Group(kind, {item.name: _member(item, hints[item.name]) for item in fields(kind)})


def _member(item: Field[Any], hint: Any) -> inspect.Parameter | _Group:
    if _is_group(hint):
        return _group_of(hint)
    return inspect.Parameter(
        item.name, inspect.Parameter.KEYWORD_ONLY, default=_default(item), annotation=hint
    )


def _default(item: Field[Any]) -> Any:
    if item.default_factory is not MISSING:
        return item.default_factory()
    return inspect.Parameter.empty if item.default is MISSING else item.default


# -- values --------------------------------------------------------------------------------------------------------------


def number(text: str) -> float:
    """A finite number."""
    try:
        value = float(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is not a number") from None
    if not math.isfinite(value):
        raise typer.BadParameter(f"{text!r} is not a finite number")
    return value


def positive(text: str) -> float:
    """A finite number above zero."""
    value = number(text)
    if value <= 0:
        raise typer.BadParameter(f"{text!r} is not above zero")
    return value


def number_or_none(text: str) -> float:
    """A finite number; "none" switches a limit off and is NaN until the limits are built."""
    return math.nan if text.strip().lower() in ("none", "off") else number(text)


def seconds(text: str) -> float:
    """A time span: `90s`, `10m`, `2h`, `1h30m`, or a plain number of seconds."""
    found = re.fullmatch(
        r"(?:(\d+(?:\.\d+)?)h)?(?:(\d+(?:\.\d+)?)m)?(?:(\d+(?:\.\d+)?)s?)?", text.strip().lower()
    )
    total = (
        sum(float(part or 0) * unit for part, unit in zip(found.groups(), (3600, 60, 1), strict=True))
        if found
        else 0.0
    )
    if total <= 0:
        raise typer.BadParameter(f"{text!r} is no time span; write 90s, 10m, 2h or 1h30m")
    return total


# -- without Typer's adapters --------------------------------------------------------------------------------------------


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
