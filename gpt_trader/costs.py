"""What trading costs: commission, spread, slippage and borrow fee, and how much of a bar one may take."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import Any

from gpt_trader.declared_rules import below, check_kinds, rule, rules_of
from gpt_trader.errors import BadParameter


def _rate(default: float, text: str, unit: str, record: str, label: str, **more: Any) -> float:
    """A rate from 0 up and below a million, which the engine's record holds; `more` as in `Rule`."""
    return rule(default, text, unit, low=0, high=1e6, label=label, record=record, **more)


# fmt: off
@dataclass(frozen=True, slots=True)
class Costs:
    """Rates charged to every fill, in cash beside the fill price (docs/assumptions.md, step 1).

    `bps` commission in basis points of the notional; `per_share` cash per share; `minimum` cash per order;
    `spread_bps` full quoted spread, half of it paid by market and stop fills; `slippage_bps` fixed extra on those;
    `impact` x (share of the bar's volume)^2 of the price on those (the quadratic volume-share model of Zipline's
    documentation); `borrow` yearly rate on the value of shorts. Raises BadParameter for a negative or absurd rate.
    """

    bps: float = _rate(
        5.0, "Commission, basis points of the value traded.", "bp", "bps", "Commission, basis points of the notional",
        flag="--cost-bps")
    per_share: float = _rate(
        0.0, "Commission per share, cash.", "cash", "per_share", "Commission per share, cash", flag="--cost-per-share")
    minimum: float = _rate(
        0.0, "Least commission of an order, cash.", "cash", "minimum", "Least commission per order, cash", flag="--cost-minimum")
    spread_bps: float = _rate(
        2.0, "Spread; market and stop fills pay half.", "bp", "spread_bps",
        "Spread, basis points (half is paid by a market or stop fill)")
    slippage_bps: float = _rate(
        0.0, "Slippage, market and stop fills.", "bp", "slippage_bps", "Fixed slippage, basis points")
    impact: float = _rate(
        0.1, "Impact: this x (share of the bar's volume) squared.", "times", "impact",
        "Market impact x (share of the bar's volume)²")
    borrow: float = _rate(
        0.005, "Yearly fee on the value of shorts.", "share", "borrow", "Borrow fee on shorts, a year")
    # fmt: on

    def __post_init__(self) -> None:
        check_kinds(self)
        for name, row in rules_of(Costs).items():
            value = getattr(self, name)
            if not (row.low or 0) <= value < (row.high or math.inf):
                raise BadParameter(f"costs: {name} is {value}; it must be a number from 0 up")

    def times(self, multiple: float) -> Costs:
        """Every rate `multiple` times as high."""
        return Costs(**{item.name: getattr(self, item.name) * multiple for item in fields(self)})

    @classmethod
    def commission_only(cls, bps: float) -> Costs:
        """A commission of `bps` basis points and nothing else: for comparison with simpler simulators."""
        return cls(bps=bps, spread_bps=0.0, impact=0.0, borrow=0.0)


# fmt: off
@dataclass(frozen=True, slots=True)
class FillModel:
    """How much of a bar a fill may take, at most `volume_cap` (0 < share <= 1) of its volume, None for no cap; and how late a
    decision is acted on, `delay` bars after its own."""

    volume_cap: float | None = rule(
        0.10, "Share of a bar's volume that a fill may take.", "share", low=0, high=1, above=True, optional=True, metavar="SHARE",
        label="A fill takes at most this share of a bar's volume", record="volume_cap", none=0.0)
    delay: int = rule(
        0, "Bars that a decision waits before it becomes an order.", "bars", low=0, metavar="BARS", strict=True,
        label="Bars that a decision waits before it is acted on")
    # fmt: on

    def __post_init__(self) -> None:
        rows = rules_of(FillModel)
        if type(self.delay) is not int or below(self.delay, rows["delay"]):
            raise BadParameter(f"delay is {self.delay!r}; it is a whole number of bars, 0 or more")
        low, high = rows["volume_cap"].low or 0, rows["volume_cap"].high or math.inf
        if self.volume_cap is not None and not low < self.volume_cap <= high:
            raise BadParameter(
                f"volume_cap is {self.volume_cap}; it is a share of the bar's volume between 0 and 1"
            )
