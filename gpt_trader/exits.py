"""Exits a strategy declares instead of deciding: checked against high and low inside the bar by the engine."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from gpt_trader.errors import BadParameter


def _fraction(owner: str, name: str, value: float, *, zero: bool = False, below: float = 10.0) -> None:
    if not (value >= 0 if zero else value > 0) or not value < below:
        raise BadParameter(f"{owner}: {name} is {value}; give a fraction such as 0.05 for 5 %")


@dataclass(frozen=True, slots=True)
class StopLoss:
    """Close when the price falls (short: rises) by `fraction` from the average entry."""

    fraction: float

    def __post_init__(self) -> None:
        _fraction("StopLoss", "fraction", self.fraction, below=1.0)


@dataclass(frozen=True, slots=True)
class TrailingStop:
    """Close at `fraction` below the best close since entry, armed once the gain has reached `after`."""

    fraction: float
    after: float = 0.0

    def __post_init__(self) -> None:
        _fraction("TrailingStop", "fraction", self.fraction, below=1.0)
        _fraction("TrailingStop", "after", self.after, zero=True)


@dataclass(frozen=True, slots=True)
class BreakEven:
    """Move the stop to the entry price once the best close has gained `after`."""

    after: float

    def __post_init__(self) -> None:
        _fraction("BreakEven", "after", self.after)


@dataclass(frozen=True, slots=True)
class AtrStop:
    """Stop `k` x ATR(`n`, Wilder) from the close of the entry bar, afterwards only ever tightened."""

    k: float
    n: int = 14

    def __post_init__(self) -> None:
        if not 0 < self.k < 1e6 or self.n < 1:
            raise BadParameter(f"AtrStop: k is {self.k} and n is {self.n}; both must be positive")


@dataclass(frozen=True, slots=True)
class TakeProfit:
    """Close the whole position at a gain of `fraction` from the average entry."""

    fraction: float

    def __post_init__(self) -> None:
        _fraction("TakeProfit", "fraction", self.fraction)


@dataclass(frozen=True, slots=True)
class ScaleOut:
    """Sell parts on the way up: `steps` of (gain, share of the largest quantity held), each taken once, nearest first."""

    steps: tuple[tuple[float, float], ...]

    def __post_init__(self) -> None:
        try:  # a tuple of tuples, whatever sequences were given: two equal ones are one key
            object.__setattr__(self, "steps", tuple((gain, share) for gain, share in self.steps))
        except (TypeError, ValueError):
            raise BadParameter(
                f"ScaleOut: steps are {self.steps!r}; give (gain, share) pairs, such as ((0.05, 0.5), (0.1, 0.3))"
            ) from None
        gains = [gain for gain, _ in self.steps]
        if not self.steps or len(self.steps) > 4 or gains != sorted(gains):
            raise BadParameter("ScaleOut: give one to four (gain, share) steps with rising gains")
        for gain, share in self.steps:
            _fraction("ScaleOut", "gain", gain)
            if not 0 < share <= 1:
                raise BadParameter(f"ScaleOut: share is {share}; it lies between 0 and 1")


@dataclass(frozen=True, slots=True)
class TimeStop:
    """Close at the next open once the position is `bars` bars old."""

    bars: int

    def __post_init__(self) -> None:
        if not self.bars >= 1 or self.bars != int(self.bars):
            raise BadParameter(f"TimeStop: bars is {self.bars}; give a whole number of bars, 1 or more")


Exit = StopLoss | TrailingStop | BreakEven | AtrStop | TakeProfit | ScaleOut | TimeStop


def checked_exits(given: Any, owner: str) -> tuple[Exit, ...]:
    """`given` as a tuple of exits. Raises BadParameter, naming `owner`, for what is none and would protect nothing."""
    if isinstance(given, str) or not isinstance(given, Iterable):
        raise BadParameter(f"{owner}: exits is {given!r}; give a tuple of them, such as (StopLoss(0.05),)")
    items = tuple(given)
    for item in items:
        if not isinstance(item, Exit):
            raise BadParameter(f"{owner}: {item!r} is no exit; exits are instances such as StopLoss(0.05)")
    return items
