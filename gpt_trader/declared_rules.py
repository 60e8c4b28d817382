"""One row on each number of costs, fills, allocation and risk limits: what the help screens, the settings, the report, the
documents and the engine's record say and do with it.

A row stands in the field that it is about (`bps: float = rule(5.0, …)`), so a number is declared once; `rules_of` reads the
rows of a class. Nothing here needs a compiler or NumPy.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from numbers import Real
from typing import Any, TypeVar

from gpt_trader.errors import BadParameter

Value = TypeVar("Value")
ROW = "rule"
_KNOWN: dict[type[Any], Mapping[str, Rule]] = {}
UNITS = ("share", "bp", "cash", "times", "bars", "count", "correlation", "choice", "switch", "symbol")
"""What a number is measured in: `share` is a fraction that the report writes as per cent, `switch` is yes or no."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One number of a class of rules.

    - `text`: its sentence on a help screen. `unit`: one of UNITS. `label`: its name in the report ("" = its own).
    - `low` and `high`: its bounds, both allowed unless `above`: then it must lie above `low`; `choices`: the words it may be;
      `optional`: None switches it off.
    - `flag`: its option ("" = `--` and its name), `metavar`: what stands behind the flag, `strict`: the command line itself
      refuses what is below `low`.
    - `record`: its place in the engine's RULE record ("" = none, or made by hand in `engine/run_setup.py`), where None is `none`
      times `risk.NO_LIMIT`.
    - of risk limits: `profiles`, the values that differ from the default; `verdict`, code and name of the rule in the log of
      decisions (None = it has no verdict of its own).
    """

    text: str
    unit: str
    low: float | None = None
    high: float | None = None
    above: bool = False
    choices: tuple[str, ...] = ()
    flag: str = ""
    metavar: str = ""
    strict: bool = False
    label: str = ""
    record: str = ""
    optional: bool = False
    none: float = 1.0
    profiles: Mapping[str, Any] | None = None
    verdict: tuple[int, str] | None = None


def rule(default: Value, text: str, unit: str, **more: Any) -> Value:
    """A field of a dataclass with its row; `more` as in `Rule`."""
    made: Value = field(default=default, metadata={ROW: Rule(text, unit, **more)})
    return made


def rules_of(kind: type[Any]) -> Mapping[str, Rule]:
    """The rows of a dataclass by field, in its order. Raises TypeError for a field without one."""
    found = _KNOWN.get(kind)
    if found is None:
        bare = [item.name for item in fields(kind) if ROW not in item.metadata]
        if bare:
            raise TypeError(
                f"{kind.__name__}.{bare[0]} has no row; declare it with rule(default, text, unit, …)"
            )
        found = _KNOWN[kind] = {item.name: item.metadata[ROW] for item in fields(kind)}
    return found


def check_kinds(settings: Any) -> None:
    """Raise BadParameter for a value of `settings` that is not of its unit's kind: a number, a whole number, a word, yes or no."""
    for name, row in rules_of(type(settings)).items():
        value = getattr(settings, name)
        if value is None and (row.optional or row.unit == "symbol"):
            continue
        if row.unit == "switch":
            right, wanted = isinstance(value, bool), "True or False"
        elif row.unit in ("choice", "symbol"):
            right, wanted = isinstance(value, str), "a word"
        elif row.unit in ("count", "bars"):
            right, wanted = _is_whole(value), "a whole number"
        else:
            right, wanted = _is_number(value), "a number"
        if not right:
            raise BadParameter(f"{name} is {value!r}; give {wanted}")


def _is_number(value: object) -> bool:
    return not isinstance(value, bool) and isinstance(value, Real)


def _is_whole(value: Any) -> bool:
    return _is_number(value) and float(value).is_integer()


def record_fields(kind: type[Any]) -> tuple[str, ...]:
    """The fields of the engine's RULE record that hold the rules of a class, in its order."""
    return tuple(row.record for row in rules_of(kind).values() if row.record)


def below(value: float, row: Rule) -> bool:
    """Whether a value lies below what the row allows; NaN does."""
    if row.low is None:
        return False
    return not (value > row.low or (value == row.low and not row.above))


def record_values(settings: Any, off: float) -> dict[str, float]:
    """What the engine's record holds of `settings`: each value with a place in it as a number, a word as its place among
    the choices, None as `off` times what the row says."""
    values = {}
    for name, row in rules_of(type(settings)).items():
        value = getattr(settings, name)
        if not row.record:
            continue
        if value is None:
            value = row.none * off
        values[row.record] = float(row.choices.index(value) if row.choices else value)
    return values
