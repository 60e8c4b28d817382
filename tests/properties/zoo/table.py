"""The tables of the zoo: every leak with the name it must be found by, every honest strategy with what must be said of it."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from gpt_trader import Strategy

Kind = TypeVar("Kind", bound=type[Strategy])
DECIDE = "decide"
EXPECTED = ("ok", "warning", "random", "reads file", "ok or warning", "ok or random", "ok or reads file")


@dataclass(frozen=True, slots=True)
class Leak:
    """A strategy that looks ahead: its `kind`, the `subject` to be named (a feature or "decide") and the `data` it acts on.

    `shown_by` is "answers" where its features, targets, orders or account move when later bars change, and "file" where they
    do not, since they come from a file or a loader that knows the whole history: there only the reading can be named.
    `files` says that it needs prepared price files (`markets.write_prices`).
    """

    strategy: type[Strategy]
    kind: str
    subject: str
    data: str = "daily"
    shown_by: str = "answers"
    files: bool = False

    @property
    def name(self) -> str:
        """The class name in words with underscores."""
        return _snake(self.strategy.__name__)


@dataclass(frozen=True, slots=True)
class Honest:
    """A strategy that knows nothing of the future; `expected` is one of EXPECTED, all of them without a look-ahead finding.

    "ok": nothing to say; "warning": it depends on where the data begin; "random": two runs on the same bars differ; "reads file":
    the file is to be named. Two words with "or" where either is right.
    """

    strategy: type[Strategy]
    expected: str
    data: str = "daily"
    files: bool = False

    @property
    def name(self) -> str:
        """The class name in words with underscores."""
        return _snake(self.strategy.__name__)


LEAKS: list[Leak] = []
HONEST: list[Honest] = []
UNDETECTABLE: list[Leak] = []


def leak(
    kind: str, subject: str, data: str = "daily", *, shown_by: str = "answers", files: bool = False
) -> Callable[[Kind], Kind]:
    """Enter the class into LEAKS."""

    def enter(strategy: Kind) -> Kind:
        LEAKS.append(Leak(strategy, kind, subject, data, shown_by, files))
        return strategy

    return enter


def honest(expected: str = "ok", data: str = "daily", *, files: bool = False) -> Callable[[Kind], Kind]:
    """Enter the class into HONEST."""

    def enter(strategy: Kind) -> Kind:
        HONEST.append(Honest(strategy, expected, data, files))
        return strategy

    return enter


def undetectable(kind: str, data: str = "daily") -> Callable[[Kind], Kind]:
    """Enter the class into UNDETECTABLE: nothing it reads is from the future, its author was."""

    def enter(strategy: Kind) -> Kind:
        UNDETECTABLE.append(Leak(strategy, kind, DECIDE, data, "nothing"))
        return strategy

    return enter


def long_if(condition: Any, weight: float = 0.5) -> Any:
    """`weight` where the condition holds, flat elsewhere."""
    import numpy as np

    return np.where(condition, weight, 0.0)


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()
