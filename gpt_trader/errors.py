"""The errors a user can meet: what was wrong, what was expected, what to do; never a traceback."""

from __future__ import annotations

import re
from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any

_OBEYED = re.compile(
    r"\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?"  # titles and links: ESC ] … BEL
    r"|\x1b\[[0-?]*[ -/]*[@-~]"  # colours, the cursor: ESC [ … letter
    r"|\x1b[ -/]*[0-~]"  # character sets and the rest
    r"|[\x00-\x08\x0b-\x1f\x7f-\x9f]"
)


def plain(text: str) -> str:
    """`text` without what a terminal would obey (colours, control characters but newline and tab), fit for any file."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n")
    return _OBEYED.sub("", lines).encode("utf-8", "backslashreplace").decode()


def first_line(said: object) -> str:
    """The first line of a text or of what an error says; of an error that says nothing the name of its type."""
    lines = str(said).strip().splitlines()
    return lines[0] if lines else type(said).__name__ if isinstance(said, BaseException) else ""


class GptTraderError(Exception):
    """Base of every error this package raises on purpose; `exit_code` is what a command returns for it.

    Messages carry what strategies, Ray and vendors said, so they are made plain.
    """

    exit_code = 1

    def __init__(self, message: str = "") -> None:
        super().__init__(plain(message))

    def __reduce__(self) -> tuple[Any, ...]:
        """Handed to another process as it is, whatever its class is made from."""
        return _again, (type(self), self.args, vars(self))


def _again(kind: type[GptTraderError], args: tuple[Any, ...], state: dict[str, Any]) -> GptTraderError:
    """An error as it was."""
    error = kind.__new__(kind, *args)
    error.args = args
    vars(error).update(state)
    return error


class UserError(GptTraderError):
    """The request was wrong: a name, a range, a parameter or a file (exit code 2)."""

    exit_code = 2


class UnknownName(UserError):
    """A name that is not in a list; the message gives the list and the nearest match.

    `kind` is the noun for the message ("strategy", "symbol"); `name` what was typed; `known` what exists.
    """

    def __init__(self, kind: str, name: str, known: Iterable[str]) -> None:
        self.kind = kind
        self.name = name
        self.known = tuple(sorted(known))
        super().__init__(self._message())

    def _message(self) -> str:
        folded = {known.casefold(): known for known in self.known}
        near = get_close_matches(self.name.casefold(), folded, n=1, cutoff=0.5)
        hint = f" Did you mean {folded[near[0]]!r}?" if near else ""
        shown = ", ".join(self.known[:40]) + (" …" if len(self.known) > 40 else "")
        return f"unknown {self.kind} {self.name!r}.{hint} Known: {shown or 'none'}."


class BadParameter(UserError):
    """A parameter of a strategy, rule or option is outside what it accepts."""


class BadRange(UserError):
    """A date range that is reversed, empty or outside the data."""


class BadData(UserError):
    """Market data that breaks a rule; the message names the row and the rule."""


class StrategyError(GptTraderError):
    """A strategy raised, or returned the wrong shape or an infinite weight (exit code 1)."""


class SourceError(GptTraderError):
    """A data source could not deliver (exit code 1)."""


class SymbolNotFound(SourceError):
    """The source answered and does not know the symbol."""


class SourceUnavailable(SourceError):
    """The source did not answer usefully: network, time-out, 5xx, damaged answer."""


class RateLimited(SourceUnavailable):
    """The source asks for fewer requests; `retry_after` is in seconds, None when it did not say."""

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        self.retry_after = retry_after
        super().__init__(message)


class ClusterError(GptTraderError):
    """Workers could not be started, or a cluster could not be reached or was lost (exit code 1)."""


class StudyStopped(GptTraderError):
    """A study was cancelled or interrupted; what is finished is kept (exit code 1, or 130 after Ctrl-C)."""

    def __init__(self, message: str, *, interrupted: bool) -> None:
        self.interrupted = interrupted
        self.exit_code = 130 if interrupted else 1
        super().__init__(message)
