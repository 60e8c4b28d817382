"""Option groups: a command takes a dataclass, the command line shows each of its fields as one option."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import MISSING, Field, fields, is_dataclass
from functools import wraps
from typing import Any, get_type_hints


def grouped(function: Callable[..., Any]) -> Callable[..., Any]:
    """`function`, with every parameter whose type is a dataclass spread into one option for each of its fields.

    The fields carry their own `Annotated[..., typer.Option(...)]`, so a group is written once and shared by every
    command that needs it; the command receives the dataclass, filled.
    """
    hints = get_type_hints(function, include_extras=True)
    groups = {name: hint for name, hint in hints.items() if is_dataclass(hint) and isinstance(hint, type)}
    parameters: list[inspect.Parameter] = []
    members: dict[str, tuple[str, ...]] = {}
    for name, parameter in inspect.signature(function).parameters.items():
        if name in groups:
            spread = _spread(groups[name])
            members[name] = tuple(item.name for item in spread)
            parameters += spread
        else:
            parameters.append(parameter.replace(annotation=hints[name], kind=inspect.Parameter.KEYWORD_ONLY))

    @wraps(function)
    def call(**given: Any) -> Any:
        built = {
            name: groups[name](**{key: given.pop(key) for key in keys}) for name, keys in members.items()
        }
        return function(**given, **built)

    call.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    call.__annotations__ = {item.name: item.annotation for item in parameters}
    del call.__wrapped__
    return call


def _spread(group: type[Any]) -> list[inspect.Parameter]:
    """One keyword parameter for each field of `group`."""
    hints = get_type_hints(group, include_extras=True)
    return [
        inspect.Parameter(
            item.name, inspect.Parameter.KEYWORD_ONLY, default=_default(item), annotation=hints[item.name]
        )
        for item in fields(group)
    ]


def _default(item: Field[Any]) -> Any:
    if item.default_factory is not MISSING:
        return item.default_factory()
    return inspect.Parameter.empty if item.default is MISSING else item.default
