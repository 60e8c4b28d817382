"""What trading costs: commission, spread, slippage and borrow fee, and how much of a bar one may take."""

from __future__ import annotations

from dataclasses import dataclass, fields

from gpt_trader.errors import BadParameter


@dataclass(frozen=True, slots=True)
class Costs:
    """Rates charged to every fill, in cash beside the fill price (docs/assumptions.md, step 1).

    `bps` commission in basis points of the notional; `per_share` cash per share; `minimum` cash per order;
    `spread_bps` full quoted spread, half of it paid by market and stop fills; `slippage_bps` fixed extra on those;
    `impact` x (share of the bar's volume)^2 of the price on those (the quadratic volume-share model of Zipline's
    documentation); `borrow` yearly rate on the value of shorts. Raises BadParameter for a negative or absurd rate.
    """

    bps: float = 5.0
    per_share: float = 0.0
    minimum: float = 0.0
    spread_bps: float = 2.0
    slippage_bps: float = 0.0
    impact: float = 0.1
    borrow: float = 0.005

    def __post_init__(self) -> None:
        for item in fields(self):
            value = getattr(self, item.name)
            if not 0 <= value < 1e6:
                raise BadParameter(f"costs: {item.name} is {value}; it must be a number from 0 up")

    def times(self, multiple: float) -> Costs:
        """Every rate `multiple` times as high."""
        return Costs(**{item.name: getattr(self, item.name) * multiple for item in fields(self)})

    @classmethod
    def commission_only(cls, bps: float) -> Costs:
        """A commission of `bps` basis points and nothing else: for comparison with simpler simulators."""
        return cls(bps=bps, spread_bps=0.0, impact=0.0, borrow=0.0)


@dataclass(frozen=True, slots=True)
class FillModel:
    """How much of a bar a fill may take, at most `volume_cap` (0 < share <= 1) of its volume, None for no cap; and how late a
    decision is acted on, `delay` bars after its own."""

    volume_cap: float | None = 0.10
    delay: int = 0

    def __post_init__(self) -> None:
        if type(self.delay) is not int or self.delay < 0:
            raise BadParameter(f"delay is {self.delay!r}; it is a whole number of bars, 0 or more")
        if self.volume_cap is not None and not 0 < self.volume_cap <= 1:
            raise BadParameter(
                f"volume_cap is {self.volume_cap}; it is a share of the bar's volume between 0 and 1"
            )
