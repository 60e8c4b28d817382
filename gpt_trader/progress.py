"""How far something long is: what it counts is told to whoever shows it."""

from __future__ import annotations

from collections.abc import Callable

Told = Callable[[str, int, int], None]
"""Hears what is counted ("symbols"), how many are done, and of how many."""


def told_to_nobody(_unit: str, _done: int, _total: int) -> None:
    """For work that nobody watches."""
