"""Conditions between parameters, such as `fast < slow`: read from text, vetted, and answered for many points at once."""

from __future__ import annotations

import ast
import math
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import reduce
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from gpt_trader.errors import BadParameter, UnknownName
from gpt_trader.strategy import Parameter

Kind = Literal["number", "truth", "text"]
Array = NDArray[Any]

LONGEST = 500
DEEPEST = 40
_ARITHMETIC = {
    ast.Add: np.add, ast.Sub: np.subtract, ast.Mult: np.multiply, ast.Div: np.divide, ast.FloorDiv: np.floor_divide,
    ast.Mod: np.remainder,
}  # fmt: skip
_COMPARISON = {
    ast.Lt: np.less, ast.LtE: np.less_equal, ast.Gt: np.greater, ast.GtE: np.greater_equal, ast.Eq: np.equal,
    ast.NotEq: np.not_equal,
}  # fmt: skip
_FUNCTIONS = {"min": np.minimum, "max": np.maximum, "abs": np.abs}
_HELP = "use parameters, numbers, + - * / // %, comparisons, and, or, not, min, max, abs"


@dataclass(frozen=True, slots=True)
class Constraint:
    """A condition that points must meet: the `text` as it was given and the `names` of the parameters in it."""

    text: str
    names: frozenset[str]
    _tree: ast.expr = field(repr=False, compare=False)

    def holds(self, columns: Mapping[str, Any]) -> NDArray[np.bool_]:
        """Whether it is true of each point (n,); `columns` has for each name a value or (n,) of them.

        What cannot be computed (a division by zero) is neither true nor false: `fast > 0 and slow / fast > 2` is false
        where `fast` is 0, `slow / fast > 2` alone is unknown there, and unknown does not hold.
        """
        with np.errstate(all="ignore"):
            answer: NDArray[np.bool_] = np.asarray(_value(self._tree, columns) == 1.0)
        return answer


def parse_constraint(text: str, known: Mapping[str, Parameter]) -> Constraint:
    """A constraint over the parameters `known`. Raises BadParameter for anything but a condition, UnknownName for a name.

    Nothing of the text is ever executed: it becomes a tree of which `Constraint.holds` knows every node.
    """
    if len(text) > LONGEST:
        raise BadParameter(f"--constraint of {len(text):,} characters is too long; at most {LONGEST}")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, MemoryError, RecursionError) as error:
        reason = error.msg if isinstance(error, SyntaxError) else "it is no condition"
        raise BadParameter(
            f"--constraint {text!r} cannot be read ({reason}); write it as 'fast < slow', equality as 'fast == 10'"
        ) from None
    if _Vetting(text, known).kind(tree) != "truth":
        raise BadParameter(
            f"--constraint {text!r} is neither true nor false; compare it, as in 'fast < slow'"
        )
    names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and node.id in known}
    return Constraint(text, frozenset(names), tree)


@dataclass(frozen=True, slots=True)
class _Vetting:
    """Goes through a tree once, refuses what no condition needs and knows what each part stands for."""

    text: str
    known: Mapping[str, Parameter]

    def kind(self, node: ast.expr, depth: int = 0) -> Kind:
        if depth > DEEPEST:
            raise BadParameter(f"--constraint {self.text!r} is nested too deeply")
        parts = [self.kind(part, depth + 1) for part in _operands(node)]
        match node:
            case ast.Constant(value):
                return self._constant(value)
            case ast.Name(id=name):
                return self._name(name)
            case ast.UnaryOp(op=ast.Not()) | ast.BoolOp():
                return self._all(parts, "truth", "truth")
            case ast.UnaryOp(op=ast.USub() | ast.UAdd()):
                return self._all(parts, "number", "number")
            case ast.BinOp(op=operator) if type(operator) in _ARITHMETIC:
                return self._all(parts, "number", "number")
            case ast.Call(func=ast.Name(id=name), keywords=[]) if name in _FUNCTIONS:
                if not parts or (name == "abs") != (len(parts) == 1):
                    raise BadParameter(f"--constraint {self.text!r}: {name} takes another number of values")
                return self._all(parts, "number", "number")
            case ast.Compare(ops=operators) if all(type(item) in _COMPARISON for item in operators):
                return self._comparison(node, parts)
        raise BadParameter(f"--constraint {self.text!r}: {_HELP}")

    def _constant(self, value: object) -> Kind:
        if isinstance(value, str):
            return "text"
        if isinstance(value, bool):
            return "truth"
        if isinstance(value, int | float) and abs(value) <= 1e300:
            return "number"
        raise BadParameter(f"--constraint {self.text!r}: {_HELP}")

    def _name(self, name: str) -> Kind:
        if name not in self.known:
            raise UnknownName("parameter in --constraint", name, self.known)
        kind = self.known[name].kind
        return "truth" if kind is bool else "number" if kind in (int, float) else "text"

    def _all(self, parts: list[Kind], wanted: Kind, made: Kind) -> Kind:
        odd = next((part for part in parts if part != wanted), None)
        if odd is not None:
            said = {"number": "a number", "truth": "true or false", "text": "text"}
            raise BadParameter(
                f"--constraint {self.text!r} needs {said[wanted]} where it has {said[odd]}; {_HELP}"
            )
        return made

    def _comparison(self, node: ast.Compare, parts: list[Kind]) -> Kind:
        ordering = not all(isinstance(item, ast.Eq | ast.NotEq) for item in node.ops)
        if ordering or parts[0] == "number":
            return self._all(parts, "number", "truth")
        self._all(parts, parts[0], "truth")
        named = [self.known[item.id] for item in _operands(node) if isinstance(item, ast.Name)]
        for item in _operands(node):
            choices = [name.choices for name in named if name.choices is not None]
            if isinstance(item, ast.Constant) and any(item.value not in each for each in choices):
                raise UnknownName("value in --constraint", str(item.value), choices[0])
        return "truth"


def _operands(node: ast.expr) -> list[ast.expr]:
    match node:
        case ast.UnaryOp(operand=operand):
            return [operand]
        case ast.BinOp(left=left, right=right):
            return [left, right]
        case ast.BoolOp(values=values):
            return values
        case ast.Compare(left=left, comparators=others):
            return [left, *others]
        case ast.Call(args=arguments):
            return arguments
    return []


def _value(node: ast.expr, columns: Mapping[str, Any]) -> Array:
    """The value of a vetted node for every point; truth is 1, falsehood 0, and what cannot be known NaN."""
    parts = [_value(part, columns) for part in _operands(node)]
    match node:
        case ast.Constant(value):
            return np.asarray(value if isinstance(value, str) else float(value))  # type: ignore[arg-type]
        case ast.Name(id=name):
            column = np.asarray(columns[name])
            return column if column.dtype.kind in "UO" else column.astype(np.float64)
        case ast.UnaryOp(op=ast.Not()):
            return 1.0 - parts[0]
        case ast.UnaryOp(op=ast.USub()):
            return -parts[0]
        case ast.BoolOp(op=ast.And()):
            return reduce(_both, parts)
        case ast.BoolOp():
            return 1.0 - reduce(_both, [1.0 - part for part in parts])
        case ast.BinOp(op=operator):
            return _arithmetic(operator, *parts)
        case ast.Call(func=ast.Name(id=name)):
            return _FUNCTIONS[name](parts[0]) if name == "abs" else reduce(_FUNCTIONS[name], parts)
        case ast.Compare(ops=operators):
            pairs = zip(operators, parts, parts[1:], strict=False)
            return reduce(_both, [_compared(operator, left, right) for operator, left, right in pairs])
    return parts[0]


def _both(left: Array, right: Array) -> Array:
    """Kleene's conjunction: false with anything is false, true with unknown is unknown."""
    return np.where((left == 0.0) | (right == 0.0), 0.0, left * right)


def _arithmetic(operator: ast.operator, left: Array, right: Array) -> Array:
    answer: Array = _ARITHMETIC[type(operator)](left, right)  # division by zero: infinite or NaN already
    return np.where(np.isinf(answer), math.nan, answer)


def _compared(operator: ast.cmpop, left: Array, right: Array) -> Array:
    answer = _COMPARISON[type(operator)](left, right)
    if left.dtype.kind != "f":
        return answer.astype(np.float64)
    return np.where(np.isnan(left) | np.isnan(right), math.nan, answer)
