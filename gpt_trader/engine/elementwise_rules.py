"""Tells whether a rule written for arrays does the same to every symbol by itself; then it is compiled for plain numbers.

An array rule makes some ten small arrays at each bar, which takes forty times as long as its arithmetic. The test reads what numba
makes of the rule's byte code, and knows few things: what is not known to be the same for one number and for an array of them
is left as it is. So `a + b` of two comparisons is not (True + True is True in an array and 2 in a number), nor is a division of
two parameters (by zero an error in an array rule as well), nor a power (whose last digit may differ).
"""

from __future__ import annotations

import operator
from collections.abc import Mapping
from types import FunctionType, ModuleType
from typing import Any, NamedTuple

import numba
import numpy as np
from numba.core import compiler, ir
from numba.extending import register_jitable
from numpy.typing import NDArray

BOOL, WHOLE, REAL = "b", "i", "f"
HELD_ARRAYS = ("weight", "quantity", "entry", "peak", "age")
HELD_SCALARS = ("equity", "cash")


_run_frontend: Any = compiler.run_frontend  # numba's own types do not say what these take
_variables: Any = ir.Expr.list_vars


class Number(NamedTuple):
    """What is known of a value: its kind, and whether it has an element per symbol or is one for all of them."""

    kind: str
    each: bool


class Named(NamedTuple):
    """Something that is no number: self, now, held, numpy, or a function of that name."""

    name: str


class Module(NamedTuple):
    """Another module than numpy, whose numbers numba takes as constants when it compiles."""

    module: ModuleType


Value = Number | Named | Module | None  # None: not known to be safe

ARITHMETIC = (operator.add, operator.sub, operator.mul, operator.truediv)
COMPARISONS = (operator.lt, operator.le, operator.gt, operator.ge, operator.eq, operator.ne)
BITS = (operator.and_, operator.or_, operator.xor)
PAIRS = ("minimum", "maximum", "fmin", "fmax")
TESTS = ("isnan", "isfinite", "isinf")
LOGIC = ("logical_and", "logical_or", "logical_xor")
CONSTANTS = ("nan", "inf", "pi", "e")


def scalar_where(condition: Any, yes: Any, no: Any) -> Any:
    """`numpy.where` of plain numbers."""
    return yes if condition else no


SCALAR_NUMPY: Any = ModuleType("scalar_numpy")
SCALAR_NUMPY.where = register_jitable(scalar_where)
for _name in (*PAIRS, *TESTS, *LOGIC, *CONSTANTS, "logical_not", "abs", "absolute", "sqrt"):
    setattr(SCALAR_NUMPY, _name, getattr(np, _name))


def for_plain_numbers(decide: FunctionType) -> FunctionType:
    """A copy of an elementwise rule in which `numpy` is that of plain numbers."""
    scope = {name: SCALAR_NUMPY if value is np else value for name, value in decide.__globals__.items()}
    return FunctionType(decide.__code__, scope, decide.__name__)


def is_elementwise(
    decide: Any, columns: Mapping[str, NDArray[Any]], parameters: Mapping[str, Any], arguments: int
) -> bool:
    """Whether `decide(self, now)` or `decide(self, now, held)`, of as many `arguments`, gives one number what it gives each
    element of an array, over rows of these columns and with parameters of these types."""
    if not isinstance(decide, FunctionType) or decide.__closure__ or decide.__code__.co_argcount != arguments:
        return False
    if (
        decide.__defaults__ or decide.__code__.co_kwonlyargcount or decide.__code__.co_flags & 0x0C
    ):  # *args, **kwargs
        return False
    try:
        blocks = _run_frontend(decide).blocks.values()
    except numba.core.errors.NumbaError:
        return False
    statements = [statement for block in blocks for statement in block.body]
    reader = _Reader(columns, parameters)
    return reader.settles(statements) and all(reader.allows(statement) for statement in statements)


class _Reader:
    """Works out what every variable of a rule is, whichever way the rule takes."""

    def __init__(self, columns: Mapping[str, NDArray[Any]], parameters: Mapping[str, Any]) -> None:
        self.columns, self.parameters = columns, parameters
        self.known: dict[str, Value] = {}

    def settles(self, statements: list[Any]) -> bool:
        """Go over all assignments until nothing new is learnt; False when one of them is not understood."""
        before: dict[str, Value] | None = None
        while before != self.known:
            before = dict(self.known)
            for statement in statements:
                if isinstance(statement, ir.Assign) and self._operands_known(statement.value):
                    name = statement.target.name
                    value = self._value(statement.value)
                    self.known[name] = merged(self.known[name], value) if name in self.known else value
                    if self.known[name] is None:
                        return False
        return True

    def allows(self, statement: Any) -> bool:
        """Whether a statement is one that numbers and arrays take alike, every variable being known."""
        if isinstance(statement, ir.Assign):
            return statement.target.name in self.known
        if isinstance(statement, ir.Return):
            return isinstance(self.known.get(statement.value.name), Number)
        if isinstance(statement, ir.Branch):
            condition = self.known.get(statement.cond.name)
            return isinstance(condition, Number) and not condition.each
        return isinstance(statement, ir.Del | ir.Jump)

    def _operands_known(self, value: Any) -> bool:
        used = (
            _variables(value) if isinstance(value, ir.Expr) else [value] if isinstance(value, ir.Var) else []
        )
        return all(variable.name in self.known for variable in used)

    def _value(self, value: Any) -> Value:
        if isinstance(value, ir.Var):
            return self.known[value.name]
        if isinstance(value, ir.Arg):
            return Named(("self", "now", "held")[value.index])
        if isinstance(value, ir.Const):
            return constant(value.value)
        if isinstance(value, ir.Global):
            if any(value.value is item for item in (np, bool, abs)):
                return Named(value.value.__name__)
            return Module(value.value) if isinstance(value.value, ModuleType) else constant(value.value)
        return self._expression(value) if isinstance(value, ir.Expr) else None

    def _expression(self, expression: Any) -> Value:
        if expression.op == "getattr":
            return self._attribute(self.known[expression.value.name], expression.attr)
        if expression.op == "cast":
            return self.known[expression.value.name]
        if expression.op == "binop":
            return binary(expression.fn, self.known[expression.lhs.name], self.known[expression.rhs.name])
        if expression.op == "unary":
            return unary(expression.fn, self.known[expression.value.name])
        if expression.op == "call" and not (expression.kws or expression.vararg):
            return call(self.known[expression.func.name], [self.known[item.name] for item in expression.args])
        return None

    def _attribute(self, owner: Value, name: str) -> Value:
        match owner:
            case Named("now"):
                kind = self.columns[name].dtype.str[1:] if name in self.columns else ""
                return {"f8": Number(REAL, True), "i8": Number(WHOLE, True), "b1": Number(BOOL, True)}.get(
                    kind
                )
            case Named("held"):
                return Number(REAL, name in HELD_ARRAYS) if name in (*HELD_ARRAYS, *HELD_SCALARS) else None
            case Named("self"):
                return constant(self.parameters.get(name))
            case Module(module):
                return constant(getattr(module, name, None))
            case Named("numpy"):
                return (
                    Number(REAL, False)
                    if name in CONSTANTS
                    else Named(name)
                    if hasattr(SCALAR_NUMPY, name)
                    else None
                )
        return None


def constant(value: Any) -> Value:
    """A plain number or truth value, the same for every symbol."""
    kinds = {bool: BOOL, int: WHOLE, float: REAL}
    return Number(kinds[type(value)], False) if type(value) in kinds else None


def merged(left: Value, right: Value) -> Value:
    """What a variable is that is either the one or the other."""
    if left == right:
        return left
    if (
        isinstance(left, Number)
        and isinstance(right, Number)
        and (BOOL not in (left.kind, right.kind) or left.kind == right.kind)
    ):
        return Number(wider(left, right), left.each or right.each)
    return None


def wider(left: Number, right: Number) -> str:
    """The kind that holds both."""
    return max(left.kind, right.kind, key=(BOOL + WHOLE + REAL).index)


def binary(function: Any, left: Value, right: Value) -> Value:
    """The value of an operator between two."""
    if not (isinstance(left, Number) and isinstance(right, Number)):
        return None
    each, kinds = left.each or right.each, {left.kind, right.kind}
    if function in COMPARISONS:
        return Number(BOOL, each)
    if function in BITS:
        return Number(wider(left, right), each) if REAL not in kinds else None
    if function not in ARITHMETIC or kinds == {BOOL}:
        return None
    if function is operator.truediv:
        return Number(REAL, True) if each else None
    return Number(wider(left, right), each)


def unary(function: Any, value: Value) -> Value:
    """The value of an operator before one."""
    if not isinstance(value, Number):
        return None
    if function is operator.invert and value.kind == BOOL and value.each:
        return value
    return value if function in (operator.neg, operator.pos) and value.kind != BOOL else None


def call(function: Value, arguments: list[Value]) -> Value:
    """The value of a call of one of the functions that are known."""
    numbers = [item for item in arguments if isinstance(item, Number)]
    if not isinstance(function, Named) or len(numbers) != len(arguments):
        return None
    kinds, each = {item.kind for item in numbers}, any(item.each for item in numbers)
    match function.name, numbers:
        case "where", [condition, yes, no] if condition.kind == BOOL:
            return Number(wider(yes, no), each)
        case "bool", [flag] if not flag.each:
            return Number(BOOL, False)
        case (("abs" | "absolute"), [_]) if BOOL not in kinds:
            return numbers[0]
        case "sqrt", [_] if kinds == {REAL}:
            return numbers[0]
        case "logical_not", [_] if kinds == {BOOL}:
            return numbers[0]
        case name, [_] if name in TESTS and kinds == {REAL}:
            return Number(BOOL, each)
        case name, [left, right] if name in PAIRS and BOOL not in kinds:
            return Number(wider(left, right), each)
        case name, [_, _] if name in LOGIC and kinds == {BOOL}:
            return Number(BOOL, each)
    return None
