"""What a strategy is: parameters, causal features and a decision per bar."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from gpt_trader.bars import Bars
from gpt_trader.errors import BadParameter, GptTraderError, StrategyError, UnknownName
from gpt_trader.exits import Exit
from gpt_trader.orders import OrderRequest

Floats = NDArray[np.float64]
Features = Mapping[str, NDArray[Any]]
Weights = Any  # an array of target weights, or a scalar that counts for every symbol
Orders = OrderRequest | tuple[OrderRequest, ...] | list[OrderRequest] | None
Decide = TypeVar("Decide", bound=Callable[..., Any])
TARGET_KINDS = ("weight", "units")
MARKET_FIELDS = ("open", "high", "low", "close", "volume")


class Held(NamedTuple):
    """What the strategy holds, from fills: arrays (N,), or scalars under `@per_symbol`.

    `weight` share of equity, negative for a short; `quantity` shares; `entry` average price and `peak` best close since
    entry, on the basis of `now.close`, NaN when flat; `age` bars since entry; `equity` and `cash` of the account in cash.
    """

    weight: Any
    quantity: Any
    entry: Any
    peak: Any
    age: Any
    equity: float
    cash: float


class Row:
    """The market and the features a decision sees: `now.close`, `now.fast`; (N,) for one bar, (T, N) for all at once."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self.__dict__.update(values)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        raise UnknownName("feature", name, self.__dict__)

    def __repr__(self) -> str:
        return f"Row({', '.join(self.__dict__)})"


def param(
    default: Any,
    *,
    low: float | None = None,
    high: float | None = None,
    choices: tuple[str, ...] | None = None,
    doc: str = "",
) -> Any:
    """A strategy parameter with its default and the range (inclusive) or choices it accepts."""
    return dataclasses.field(
        default=default, metadata={"low": low, "high": high, "choices": choices, "doc": doc}
    )


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter as tools see it: name, type, default, range, choices and a line of text."""

    name: str
    kind: type
    default: Any
    low: float | None
    high: float | None
    choices: tuple[str, ...] | None
    doc: str

    def parse(self, text: str) -> Any:
        """The value that `text` stands for. Raises BadParameter."""
        if self.kind is bool:
            known = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
            if text.lower() not in known:
                raise BadParameter(f"{self.name}={text}: write true or false")
            return known[text.lower()]
        if self.kind not in (int, float, str):
            raise BadParameter(
                f"{self.name}={text}: only numbers, text, true and false can be given; its default is {self.default!r}"
            )
        try:
            return self.kind(text)
        except ValueError:
            raise BadParameter(
                f"{self.name}={text}: expected {self.kind.__name__}, such as {self.default}"
            ) from None

    def takes(self, value: int) -> bool:
        """True for a whole number that `check` would accept: most parameters of most runs, in a sweep of millions."""
        return (
            self.kind is int
            and (self.low is None or value >= self.low)
            and (self.high is None or value <= self.high)
            and self.choices is None
        )

    def check(self, value: Any) -> None:
        """Raises BadParameter when `value` has the wrong type or lies outside the range."""
        if self.choices is not None and value not in self.choices:
            raise BadParameter(f"{self.name}={value!r}: choose one of {', '.join(self.choices)}")
        if self.kind in (int, float):
            if isinstance(value, bool) or not isinstance(value, int | float | np.integer | np.floating):
                raise BadParameter(f"{self.name}={value!r}: expected {self.kind.__name__}")
            if not np.isfinite(value):
                raise BadParameter(f"{self.name}={value}: expected a finite number")
            if self.kind is int and value != int(value):
                raise BadParameter(f"{self.name}={value!r}: expected a whole number")
            low = -np.inf if self.low is None else self.low
            high = np.inf if self.high is None else self.high
            if not low <= value <= high:
                raise BadParameter(f"{self.name}={value}: must lie between {low:g} and {high:g}")


@dataclass(frozen=True)
class Strategy:
    """Base of strategies that return target weights. Subclass it as a frozen dataclass with `param` fields.

    `features(bars)` returns named arrays (T, N) or (T,), each value at t computed from bars up to t. `decide(now)` or
    `decide(now, held)` returns a weight per symbol: NaN leaves it as it is, 0 is flat, negative is short. `exits` are declared
    protective exits. `target_kind = "units"` makes `decide` return quantities.
    `warmup` overrides the bars that `check` allows for warm-up.
    """

    exits: ClassVar[tuple[Exit, ...]] = ()
    target_kind: ClassVar[str] = "weight"
    warmup: ClassVar[int | None] = None

    def __post_init__(self) -> None:
        for parameter in parameters_of(type(self)).values():
            value = getattr(self, parameter.name)
            if not (type(value) is int and parameter.takes(value)):
                parameter.check(value)
        try:
            self.validate()
        except GptTraderError:
            raise
        except Exception as error:
            what = f"{strategy_name(type(self))}.validate raised {type(error).__name__}: {error}"
            raise StrategyError(what) from error

    def validate(self) -> None:
        """Override to refuse combinations of parameters (raise BadParameter)."""

    def features(self, bars: Bars) -> Features:  # noqa: ARG002
        """Named causal arrays for `decide`; none by default."""
        return {}

    def decide(self, now: Any, *held: Any) -> Weights:  # noqa: ARG002
        """Target weights for the bar `now`."""
        raise BadParameter(f"{type(self).__name__} has no decide(now) or decide(now, held)")

    def declared_exits(self) -> tuple[Exit, ...]:
        """The exits of this instance; override when they depend on parameters."""
        return self.exits


@dataclass(frozen=True)
class OrderStrategy(Strategy):
    """Base of strategies that place their own orders: `decide(now, held)` returns OrderRequests (gpt_trader.orders)."""


def per_symbol(decide: Decide) -> Decide:
    """Mark a `decide` that is written for one symbol with plain scalars and `if`s; it is called once per symbol."""
    decide.__per_symbol__ = True  # type: ignore[attr-defined]
    return decide


def is_per_symbol(strategy: Strategy) -> bool:
    """True when the strategy's decide is marked with `@per_symbol`."""
    return bool(getattr(type(strategy).decide, "__per_symbol__", False))


def counts_units(strategy: Strategy) -> bool:
    """True when `decide` returns quantities, not weights. Raises UnknownName for another `target_kind`."""
    if strategy.target_kind not in TARGET_KINDS:
        raise UnknownName(f"target_kind of {type(strategy).__name__}", strategy.target_kind, TARGET_KINDS)
    return strategy.target_kind == TARGET_KINDS[1]


def checked_instance(candidate: Any, what: str) -> Strategy:
    """`candidate`, given to the function `what`. Raises BadParameter for a class and for anything that is no strategy."""
    if isinstance(candidate, type):
        raise BadParameter(f"{what} needs a strategy instance: call the class, as in {candidate.__name__}()")
    if not isinstance(candidate, Strategy):
        raise BadParameter(f"{what} needs a Strategy, got {type(candidate).__name__}")
    return candidate


def uses_held(strategy: Strategy) -> bool:
    """True when `decide` takes `held` and must therefore run bar by bar."""
    decide = type(strategy).decide
    if decide not in _USES_HELD:
        _USES_HELD[decide] = len(inspect.signature(decide).parameters) > 2
    return _USES_HELD[decide]


_USES_HELD: dict[Any, bool] = {}


_PARAMETERS: dict[type, dict[str, Parameter]] = {}


def parameters_of(strategy: type[Strategy]) -> dict[str, Parameter]:
    """The parameters a strategy class accepts, by name."""
    if strategy not in _PARAMETERS:
        found = {}
        for item in dataclasses.fields(strategy):
            if not item.init:
                continue
            meta = item.metadata
            default = None if item.default is dataclasses.MISSING else item.default
            found[item.name] = Parameter(
                item.name,
                type(default),
                default,
                meta.get("low"),
                meta.get("high"),
                meta.get("choices"),
                meta.get("doc", ""),
            )
        _PARAMETERS[strategy] = found
    return _PARAMETERS[strategy]


def parameter_values(strategy: Strategy) -> dict[str, Any]:
    """The values of the parameters of an instance by name."""
    return {item.name: getattr(strategy, item.name) for item in dataclasses.fields(strategy)}


def _has_no_default(item: dataclasses.Field[Any]) -> bool:
    return item.default is dataclasses.MISSING and item.default_factory is dataclasses.MISSING


def require_defaults(strategy: type[Strategy]) -> None:
    """Raises StrategyError when a parameter of the class has no default."""
    bare = [item.name for item in dataclasses.fields(strategy) if item.init and _has_no_default(item)]
    if bare:
        raise StrategyError(
            f"parameter {bare[0]!r} of {strategy_name(strategy)} has no default; write it as {bare[0]}: int = param(10)"
        )


def make_strategy(strategy: type[Strategy], values: Mapping[str, Any]) -> Strategy:
    """An instance from parameter values, text being parsed. Raises UnknownName or BadParameter naming the
    parameter, and StrategyError for a field without a default."""
    known = parameters_of(strategy)
    require_defaults(strategy)
    parsed = {}
    for name, value in values.items():
        if name not in known:
            raise UnknownName(f"parameter of {strategy_name(strategy)}", name, known)
        parsed[name] = (
            known[name].parse(value) if isinstance(value, str) and known[name].kind is not str else value
        )
    return strategy(**parsed)


def strategy_name(strategy: type[Strategy]) -> str:
    """The name users type: the class's `name`, else its class name in snake case."""
    if strategy not in _NAMES:
        _NAMES[strategy] = _name_of(strategy)
    return _NAMES[strategy]


_NAMES: dict[type[Strategy], str] = {}


def _name_of(strategy: type[Strategy]) -> str:
    given = strategy.__dict__.get("name")
    if isinstance(given, str):
        return given
    text = strategy.__name__
    return "".join(
        ("_" if i and c.isupper() and not text[i - 1].isupper() else "") + c.lower()
        for i, c in enumerate(text)
    )
