"""How option values are read from text, with a message that repeats what was typed."""

from __future__ import annotations

import math

import typer


def number(text: str) -> float:
    """A finite number."""
    try:
        value = float(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is not a number") from None
    if not math.isfinite(value):
        raise typer.BadParameter(f"{text!r} is not a finite number")
    return value


def number_or_none(text: str) -> float:
    """A finite number; "none" switches a limit off and is NaN until the limits are built."""
    return math.nan if text.strip().lower() in ("none", "off") else number(text)
