"""How target weights become a portfolio: sizing, seats, gross cap, entry filters and rebalancing."""

from __future__ import annotations

from dataclasses import dataclass

from gpt_trader.errors import BadParameter, UnknownName

SIZINGS = ("weight", "risk")
CADENCES = ("bar", "week", "month")
REBALANCES = ("signal", "bar")
REENTRIES = ("signal", "immediate")


@dataclass(frozen=True, slots=True)
class Allocation:
    """The allocator's rules (docs/assumptions.md, steps 5 and 6).

    `gross` cap on the sum of absolute weights; `position` cap on one weight; `max_positions` seats; `leverage` times
    equity that may be held; `sizing` "weight" (the strategy's) or "risk" (`risk` of equity lost at a stop `atr_k` x
    ATR(`atr`) away); `min_rebalance` share of equity below which a change is not worth an order; `cadence` of decisions;
    `rebalance` on a new or changed target ("signal") or on every bar; `reentry` after a declared exit; `confirm` equal
    signals in a row for an entry; `cooldown` bars without entry after an exit; `regime` symbol whose close must stand at
    or above its `regime_window`-bar mean for new longs. Raises BadParameter naming the field.
    """

    gross: float = 0.6
    max_positions: int = 10
    position: float = 1.0
    leverage: float = 1.0
    sizing: str = "weight"
    risk: float = 0.005
    atr_k: float = 2.0
    atr: int = 14
    min_rebalance: float = 0.0
    cadence: str = "bar"
    rebalance: str = "signal"
    reentry: str = "signal"
    confirm: int = 1
    cooldown: int = 0
    regime: str | None = None
    regime_window: int = 200
    allow_short: bool = True

    def __post_init__(self) -> None:
        for name, known in (
            ("sizing", SIZINGS),
            ("cadence", CADENCES),
            ("rebalance", REBALANCES),
            ("reentry", REENTRIES),
        ):
            if getattr(self, name) not in known:
                raise UnknownName(name, str(getattr(self, name)), known)
        bounds = {
            "gross": (0.0, 100.0), "position": (0.0, 100.0), "leverage": (0.0, 100.0), "risk": (0.0, 1.0),
            "atr_k": (0.0, 1e6), "min_rebalance": (0.0, 1.0), "max_positions": (1, 1e6), "atr": (1, 1e6),
            "confirm": (1, 1e6), "cooldown": (0, 1e9), "regime_window": (1, 1e6),
        }  # fmt: skip
        for name, (low, high) in bounds.items():
            value = getattr(self, name)
            if not low <= value <= high:
                raise BadParameter(f"allocation: {name} is {value}; it must lie between {low:g} and {high:g}")
