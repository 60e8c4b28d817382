"""The parameter space of a study: axes read from text, constraints between them, and its points in one fixed order."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from math import prod
from typing import Any

from gpt_trader.errors import BadParameter, UnknownName
from gpt_trader.strategy import Parameter, Strategy, parameters_of, strategy_name

Values = tuple[Any, ...]
LONGEST_AXIS = 1_000_000


@dataclass(frozen=True, slots=True)
class Axis:
    """One parameter and the `values` it takes, in order; `ordered` when neighbouring values are near each other."""

    name: str
    values: Values
    ordered: bool


@dataclass(frozen=True, slots=True)
class Constraint:
    """A condition between parameters, such as `fast < slow`: arithmetic, comparisons, `and`, `or`, `not`."""

    text: str
    names: frozenset[str]
    _code: Any = field(repr=False, compare=False)

    def holds(self, values: Mapping[str, Any]) -> bool:
        """Whether the condition is true of a point; one that cannot be computed (division by zero) is not."""
        try:
            return bool(eval(self._code, {"__builtins__": {}, **_FUNCTIONS}, dict(values)))  # noqa: S307 - vetted syntax
        except ArithmeticError:
            return False
        except TypeError as error:
            raise BadParameter(f"--constraint {self.text!r} cannot be computed: {error}") from None


_FUNCTIONS = {"min": min, "max": max, "abs": abs}
_SYNTAX = (
    ast.Expression, ast.BoolOp, ast.And, ast.Or, ast.UnaryOp, ast.Not, ast.USub, ast.UAdd, ast.BinOp, ast.Add, ast.Sub,
    ast.Mult, ast.Div, ast.FloorDiv, ast.Mod, ast.Compare, ast.Lt, ast.LtE, ast.Gt, ast.GtE, ast.Eq, ast.NotEq, ast.Name,
    ast.Load, ast.Constant, ast.Call,
)  # fmt: skip


def parse_constraint(text: str, known: Mapping[str, Parameter]) -> Constraint:
    """A constraint over the parameters `known`. Raises BadParameter for anything but arithmetic, UnknownName for a name."""
    try:
        tree = ast.parse(text.strip(), mode="eval")
    except (SyntaxError, ValueError) as error:
        raise BadParameter(
            f"--constraint {text!r} cannot be read: {error}; write it as 'fast < slow'"
        ) from None
    names = set()
    for node in ast.walk(tree):
        called = isinstance(node, ast.Call) and not (
            isinstance(node.func, ast.Name) and node.func.id in _FUNCTIONS and not node.keywords
        )
        odd = isinstance(node, ast.Constant) and not isinstance(node.value, int | float | str)
        if not isinstance(node, _SYNTAX) or called or odd:
            raise BadParameter(
                f"--constraint {text!r}: use parameters, numbers, + - * / // %, comparisons, and, or, not, min, max, abs"
            )
        if isinstance(node, ast.Name) and node.id not in _FUNCTIONS:
            names.add(node.id)
    for name in sorted(names):
        if name not in known:
            raise UnknownName("parameter in --constraint", name, known)
    return Constraint(text, frozenset(names), compile(tree, "<constraint>", "eval"))


@dataclass(frozen=True, slots=True)
class Space:
    """The axes of a study of one strategy class, what must hold between them, and the values of all other parameters.

    Points are tuples of values in the order of `names`; the last axis runs fastest.
    """

    axes: tuple[Axis, ...]
    constraints: tuple[Constraint, ...]
    fixed: Mapping[str, Any]

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the axes."""
        return tuple(axis.name for axis in self.axes)

    @property
    def shape(self) -> tuple[int, ...]:
        """The number of values on each axis."""
        return tuple(len(axis.values) for axis in self.axes)

    @property
    def size(self) -> int:
        """The number of points before constraints."""
        return prod(self.shape)

    def position(self, index: int) -> tuple[int, ...]:
        """Where on each axis point `index` lies."""
        places = []
        for length in reversed(self.shape):
            index, place = divmod(index, length)
            places.append(place)
        return tuple(reversed(places))

    def point(self, index: int) -> Values:
        """The values of point `index`, 0 to size - 1."""
        return tuple(axis.values[i] for axis, i in zip(self.axes, self.position(index), strict=True))

    def index(self, point: Sequence[Any]) -> int:
        """The index of a point given by its values."""
        number = 0
        for axis, value in zip(self.axes, point, strict=True):
            number = number * len(axis.values) + axis.values.index(value)
        return number

    def allows(self, point: Sequence[Any]) -> bool:
        """Whether every constraint holds there."""
        if not self.constraints:
            return True
        values = {**self.fixed, **dict(zip(self.names, point, strict=True))}
        return all(item.holds(values) for item in self.constraints)

    def indices(self) -> Iterator[int]:
        """The indices of the points that the constraints allow, in order."""
        if not self.constraints:
            yield from range(self.size)
            return
        for index in range(self.size):
            if self.allows(self.point(index)):
                yield index


def make_space(strategy: type[Strategy], given: Mapping[str, str], constraints: Sequence[str] = ()) -> Space:
    """The space that `{"fast": "5:60:5", "slow": "20,50,100", "exit_mode": "stop"}` describes.

    `low:high:step` (both ends included; step 1 for whole numbers) and lists make an axis, one value fixes the parameter.
    Raises UnknownName for a parameter that is not there; BadParameter for a range that is empty or longer than a million,
    for a value that the strategy does not accept, and when constraints leave no point.
    """
    known = parameters_of(strategy)
    axes, fixed = [], {name: item.default for name, item in known.items()}
    for name, text in given.items():
        if name not in known:
            raise UnknownName(f"parameter of {strategy_name(strategy)}", name, known)
        axis = _axis(known[name], text)
        for value in axis.values:
            known[name].check(value)
        if len(axis.values) == 1:
            fixed[name] = axis.values[0]
        else:
            axes.append(axis)
    conditions = tuple(parse_constraint(text, known) for text in constraints)
    space = Space(
        tuple(axes), conditions, {k: v for k, v in fixed.items() if k not in {a.name for a in axes}}
    )
    if space.constraints and space.size <= LONGEST_AXIS and next(space.indices(), None) is None:
        raise BadParameter(
            f"no point is left: {' and '.join(c.text for c in conditions)} holds for none of {space.size:,} combinations"
        )
    return space


def _axis(parameter: Parameter, text: str) -> Axis:
    """One axis from its text."""
    numeric = parameter.kind in (int, float)
    if ":" in text and numeric:
        return Axis(parameter.name, _range(parameter, text), True)
    parts = [part.strip() for part in text.split(",")]
    if "" in parts:
        raise BadParameter(f"--param {parameter.name}={text}: a value is missing; write 5,10,20 or 5:20:5")
    values = [part if parameter.kind is str else parameter.parse(part) for part in parts]
    twice = sorted({str(value) for value in values if values.count(value) > 1})
    if twice:
        raise BadParameter(f"--param {parameter.name}={text}: {', '.join(twice)} is given twice")
    return Axis(parameter.name, tuple(sorted(values) if numeric else values), numeric)


def _range(parameter: Parameter, text: str) -> Values:
    """The values of `low:high` or `low:high:step`, as exact decimals, both ends included."""
    where = f"--param {parameter.name}={text}"
    parts = text.split(":")
    if len(parts) not in (2, 3):
        raise BadParameter(f"{where}: write low:high:step, such as 10:50:5")
    try:
        low, high = Decimal(parts[0].strip()), Decimal(parts[1].strip())
        step = Decimal(parts[2].strip()) if len(parts) == 3 else Decimal(1)
    except InvalidOperation:
        raise BadParameter(
            f"{where}: {text!r} is no range of numbers; write low:high:step, such as 10:50:5"
        ) from None
    if not (low.is_finite() and high.is_finite() and step.is_finite()):
        raise BadParameter(f"{where}: the ends and the step must be finite numbers")
    if len(parts) == 2 and parameter.kind is float:
        raise BadParameter(
            f"{where}: {parameter.name} is not a whole number; give a step, such as {low}:{high}:0.1"
        )
    if step <= 0:
        raise BadParameter(f"{where}: the step is {step}; it must be above 0")
    if high < low:
        raise BadParameter(f"{where} is empty: {high} lies below {low}")
    count = int((high - low) / step) + 1
    if count > LONGEST_AXIS:
        raise BadParameter(f"{where} has {count:,} values; give a longer step (at most {LONGEST_AXIS:,})")
    values = [low + step * i for i in range(count)]
    if parameter.kind is int and any(value != int(value) for value in values):
        raise BadParameter(f"{where}: {parameter.name} takes whole numbers")
    return tuple(parameter.kind(value) for value in values)
