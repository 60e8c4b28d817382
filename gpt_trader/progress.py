"""How far something long is: the function that is called with it, for whoever shows it."""

from __future__ import annotations

from collections.abc import Callable

OnProgress = Callable[[str, int, int], None]
"""Called with what is counted ("symbols"), how many are done, and of how many."""


def no_progress(_unit: str, _done: int, _total: int) -> None:
    """Does nothing: for work whose progress is not shown."""
