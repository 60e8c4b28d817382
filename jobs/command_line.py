"""What was typed: the arguments of the command that runs, for a study that is to be run again as it was."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar

_typed: ContextVar[tuple[str, ...]] = ContextVar("typed", default=())


@contextmanager
def typing_of(arguments: Sequence[str]) -> Iterator[None]:
    """Inside the block the running command is `gpt-trader ARGUMENTS`."""
    token = _typed.set(tuple(arguments))
    try:
        yield
    finally:
        _typed.reset(token)


def typed() -> tuple[str, ...]:
    """The arguments of the running command; empty when a function was called without the command line."""
    return _typed.get()


def without(
    arguments: Sequence[str], flags: Sequence[str] = (), valued: Sequence[str] = ()
) -> tuple[str, ...]:
    """`arguments` without these flags and without these options and their values."""
    kept: list[str] = []
    skip = False
    for item in arguments:
        if skip:
            skip = False
        elif item in valued:
            skip = True
        elif item not in flags and not item.startswith(tuple(f"{name}=" for name in valued)):
            kept.append(item)
    return tuple(kept)
