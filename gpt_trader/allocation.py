"""How target weights become a portfolio: sizing, seats, gross cap, entry filters and rebalancing."""

from __future__ import annotations

from dataclasses import dataclass

from gpt_trader.declared_rules import check_kinds, rule, rules_of
from gpt_trader.errors import BadParameter, UnknownName

SIZINGS = ("weight", "risk")
CADENCES = ("bar", "week", "month")
REBALANCES = ("signal", "bar")
REENTRIES = ("signal", "immediate")


# fmt: off
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

    gross: float = rule(
        0.6, "Cap on gross exposure, share of equity.", "share", low=0.0, high=100.0, record="gross",
        label="Targets scaled to at most this gross exposure")
    max_positions: int = rule(
        10, "Most positions at a time.", "count", low=1, high=1e6, record="max_positions", label="Positions at a time")
    position: float = rule(
        1.0, "Cap on one position's weight.", "share", low=0.0, high=100.0, record="position",
        label="Largest weight of one position")
    leverage: float = rule(
        1.0, "Gross exposure the account can pay for, times equity.", "times", low=0.0, high=100.0, record="leverage",
        label="Leverage")
    sizing: str = rule(
        "weight", "The strategy's weights, or equity lost at an ATR stop.", "choice", choices=SIZINGS, record="sizing",
        label="Sizing")
    risk: float = rule(
        0.005, "Share of equity lost at that stop.", "share", low=0.0, high=1.0, record="risk",
        label="Risk per trade (only with sizing by risk)")
    atr_k: float = rule(
        2.0, "Distance of that stop in ATRs.", "times", low=0.0, high=1e6, record="atr_k",
        label="Stop distance in ATR (only with sizing by risk)")
    atr: int = rule(
        14, "Bars of that ATR (Wilder).", "bars", low=1, high=1e6, label="ATR bars (only with sizing by risk)")
    min_rebalance: float = rule(
        0.0, "Smallest change of a position, share of equity.", "share", low=0.0, high=1.0, record="min_rebalance",
        label="Smallest change worth an order, share of equity")
    cadence: str = rule(
        "bar", "How often targets are acted on.", "choice", choices=CADENCES, record="cadence", label="Decisions every")
    rebalance: str = rule(
        "signal", "Trade on a new target, or back to it each bar.", "choice", choices=REBALANCES, record="rebalance_bar",
        label="Rebalanced on")
    reentry: str = rule(
        "signal", "After a declared exit: a new signal, or at once.", "choice", choices=REENTRIES, record="reentry_immediate",
        label="Re-entry after a declared exit")
    confirm: int = rule(
        1, "Equal signals in a row that an entry needs.", "count", low=1, high=1e6, record="confirm",
        label="Signals in a row for an entry")
    cooldown: int = rule(
        0, "Bars without entry after an exit.", "bars", low=0, high=1e9, record="cooldown",
        label="Bars without entry after an exit")
    regime: str | None = rule(
        None, "Symbol: no new long while it is below its mean.", "symbol", optional=True, metavar="SYMBOL", label="Regime index")
    regime_window: int = rule(200, "Bars of that mean.", "bars", low=1, high=1e6, label="Regime mean, bars")
    allow_short: bool = rule(
        True, "Whether negative targets open shorts.", "switch", flag="--allow-short/--long-only", record="allow_short",
        label="Short positions allowed")
    # fmt: on

    def __post_init__(self) -> None:
        rows = rules_of(Allocation)
        for name, row in rows.items():
            if row.choices and getattr(self, name) not in row.choices:
                raise UnknownName(name, str(getattr(self, name)), row.choices)
        check_kinds(self)
        for name, row in rows.items():
            if row.low is None or row.high is None:
                continue
            low, high, value = row.low, row.high, getattr(self, name)
            if not low <= value <= high:
                raise BadParameter(f"allocation: {name} is {value}; it must lie between {low:g} and {high:g}")
