"""How option values are read from text, with a message that repeats what was typed."""

from __future__ import annotations

import math
import re

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
