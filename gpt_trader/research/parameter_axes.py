"""The values that one parameter takes in a study: a list, or numbers at equal steps that are computed when asked for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from decimal import Decimal, InvalidOperation
from math import log10
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from gpt_trader.errors import BadParameter
from gpt_trader.strategy import Parameter

EXACT = 2**53
"""Whole numbers below it are exact as floats."""
FINEST = 22
"""Powers of ten up to it are exact as floats."""
FINE_STEPS = 6
"""A range without a step is searched at 10^6 to 10^7 values: a step of a power of ten about a millionth as long."""


@dataclass(frozen=True, slots=True)
class Steps(Sequence[Any]):
    """The numbers (first + step i) / 10^places for i below `length`, each the float nearest to its decimal.

    `whole` makes them whole numbers (of type int). Nothing is kept: a range of 10^12 values is as small as one of ten.
    """

    first: int
    step: int
    length: int
    places: int = 0
    whole: bool = True

    def __len__(self) -> int:
        return self.length

    @overload
    def __getitem__(self, place: int) -> int | float: ...
    @overload
    def __getitem__(self, place: slice) -> tuple[int | float, ...]: ...
    def __getitem__(self, place: int | slice) -> Any:
        if isinstance(place, slice):
            return tuple(self[i] for i in range(*place.indices(self.length)))
        if not -self.length <= place < self.length:
            raise IndexError(place)
        number = self.first + self.step * (place % self.length)
        return number if self.whole else number / 10**self.places

    def index(self, value: Any, start: int = 0, stop: int | None = None) -> int:
        """Where `value` stands. Raises ValueError where it does not."""
        guess: int = round((float(value) * 10**self.places - self.first) / self.step)
        if start <= guess < (self.length if stop is None else stop) and self[guess] == value:
            return guess
        raise ValueError(f"{value!r} is not in the range")

    def __contains__(self, value: object) -> bool:
        try:
            self.index(value)
        except (TypeError, ValueError, OverflowError):
            return False
        return True


@dataclass(frozen=True, slots=True)
class Axis:
    """One parameter and the `values` it takes, in order.

    `ordered` when neighbouring values are near each other; `fine` when they stand for all numbers between two ends,
    which a search may draw from and a grid cannot work through.
    """

    name: str
    values: Sequence[Any]
    ordered: bool
    fine: bool = False

    def many(self, places: NDArray[np.int64]) -> NDArray[Any]:
        """The values at `places` (n,), whole numbers as floats."""
        if isinstance(self.values, Steps):
            steps = self.values
            return (steps.first + steps.step * places) / float(10**steps.places)
        kinds = {type(value) for value in self.values}
        return np.array(self.values, np.float64 if kinds <= {int, float, bool} else np.str_)[places]

    def described(self) -> dict[str, Any]:
        """All that decides about the values, as plain data."""
        values = asdict(self.values) if isinstance(self.values, Steps) else {"list": list(self.values)}
        return {**values, "fine": self.fine}

    def find(self, column: Sequence[Any]) -> NDArray[np.int64]:
        """Where each value of the column (n,) stands; they are values of this axis."""
        if isinstance(self.values, Steps):
            steps = self.values
            exact = np.asarray(column, np.float64) * 10.0**steps.places
            return np.rint((exact - steps.first) / steps.step).astype(np.int64)
        place = {value: i for i, value in enumerate(self.values)}
        return np.array([place[value] for value in column], np.int64)


def axis_of_text(parameter: Parameter, text: str) -> Axis:
    """The axis that `5:60:5`, `0.5:2`, `5,10,20` or `signal,stop` describe; one value is an axis of length one."""
    if ":" in text and parameter.kind in (int, float):
        return _checked(parameter, _range(parameter, text))
    where = f"--param {parameter.name}={text}"
    parts = [part.strip() for part in text.split(",")]
    if "" in parts:
        raise BadParameter(f"{where}: a value is missing; write 5,10,20 or 5:20:5")
    values = [part if parameter.kind is str else parameter.parse(part) for part in parts]
    return _checked(parameter, _list(parameter, values, where))


def axis_of_values(parameter: Parameter, values: Any) -> Axis:
    """The axis of Python values: a text as on the command line, an iterable, or one value."""
    if isinstance(values, str):
        return axis_of_text(parameter, values)
    if isinstance(values, range) and values and parameter.kind in (int, float):
        up = values if values.step > 0 else values[::-1]
        steps = Steps(up.start, up.step, len(up), 0, parameter.kind is int)
        return _checked(parameter, Axis(parameter.name, steps, True))
    if not hasattr(values, "__iter__"):
        values = (values,)
    given = [value.item() if isinstance(value, np.generic) else value for value in values]
    if not given:
        raise BadParameter(f"{parameter.name} has no values; give at least one")
    for value in given:
        if parameter.kind is bool and not isinstance(value, bool):
            raise BadParameter(f"{parameter.name}={value!r}: expected True or False")
        parameter.check(value)
    if parameter.kind in (int, float):
        given = [parameter.kind(value) for value in given]
    return _checked(parameter, _list(parameter, given, f"{parameter.name}"))


def _list(parameter: Parameter, values: list[Any], where: str) -> Axis:
    twice = [str(value) for value, times in Counter(values).items() if times > 1]
    if twice:
        raise BadParameter(f"{where}: {', '.join(twice[:5])} is given twice")
    numeric = parameter.kind in (int, float)
    return Axis(parameter.name, tuple(sorted(values) if numeric else values), numeric)


def _checked(parameter: Parameter, axis: Axis) -> Axis:
    """`axis`, whose values the strategy accepts: of numbers at steps both ends, otherwise each. Raises BadParameter."""
    ends_decide = isinstance(axis.values, Steps) and parameter.choices is None
    for value in (axis.values[0], axis.values[-1]) if ends_decide else axis.values:
        parameter.check(value)
    return axis


def _range(parameter: Parameter, text: str) -> Axis:
    """The axis of `low:high` or `low:high:step`: exact decimals, both ends included."""
    where = f"--param {parameter.name}={text}"
    parts = [part.strip() for part in text.split(":")]
    if len(parts) not in (2, 3):
        raise BadParameter(f"{where}: write low:high:step, such as 10:50:5")
    try:
        numbers = [Decimal(part) for part in parts]
    except InvalidOperation:
        raise BadParameter(
            f"{where}: {text!r} is no range of numbers; write low:high:step, such as 10:50:5"
        ) from None
    if not all(number.is_finite() for number in numbers):
        raise BadParameter(f"{where}: the ends and the step must be finite numbers")
    low, high = numbers[:2]
    if high < low:
        raise BadParameter(f"{where} is empty: {high} lies below {low}")
    fine = len(parts) == 2 and parameter.kind is float and low < high
    step = numbers[2] if len(parts) == 3 else _fine_step(low, high) if fine else Decimal(1)
    if step <= 0:
        raise BadParameter(f"{where}: the step is {step}; it must be above 0")
    return Axis(parameter.name, _steps(low, high, step, where, whole=parameter.kind is int), True, fine)


def _fine_step(low: Decimal, high: Decimal) -> Decimal:
    """A power of ten of which the range holds 10^FINE_STEPS to ten times as many."""
    return Decimal(1).scaleb((high - low).adjusted() - FINE_STEPS)


def _steps(low: Decimal, high: Decimal, step: Decimal, where: str, *, whole: bool) -> Steps:
    places = max(0, *(-_exponent(number) for number in (low, high, step)))
    if whole and places:
        raise BadParameter(f"{where}: {where.partition('=')[0].split()[-1]} takes whole numbers")
    size = max(abs(low), abs(high), abs(step))
    if places > FINEST or (size and log10(size) + places > log10(EXACT)):
        raise BadParameter(f"{where}: too many digits; at most 15 from the first to the last")
    first, last, width = (int(number.scaleb(places)) for number in (low, high, step))
    return Steps(first, width, (last - first) // width + 1, places, whole)


def _exponent(number: Decimal) -> int:
    """The power of ten of the last digit that is not zero."""
    return int(number.normalize().as_tuple().exponent)
