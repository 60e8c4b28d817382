"""What comes to an account, what it asks of a venue, and what it writes down: events, commands and records, as frozen types."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gpt_trader.engine.records import KINDS, ORDER, REASONS, REFUSED, REJECTED, RULES, Records
from gpt_trader.orders import OrderRequest

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Order:
    """An order as account and venue speak of it.

    `id` counts the orders of the account; `symbol` is a place among its symbols; `quantity` is signed (negative sells), in shares;
    `kind` one of `records.KINDS`; prices are raw, NaN where the kind has none; `trail` is a share of the price. `take_profit` and
    `stop_loss` are the legs of a bracket. `purpose`, `reason` and `decision` say what it is for (`records`), `parent` whose leg it
    is, `replaces` which order it stands for; -1 for none.
    """

    id: int
    symbol: int
    quantity: float
    kind: int
    purpose: int
    reason: int
    limit: float = np.nan
    stop: float = np.nan
    trail: float = np.nan
    trail_ref: float = np.nan
    take_profit: float = np.nan
    stop_loss: float = np.nan
    day: int = 0
    decision: int = -1
    parent: int = -1
    replaces: int = -1
    triggered: int = 0

    @classmethod
    def of(cls, row: Any) -> Order:
        """From an ORDER record."""
        return cls(**{name: row[name].item() for name in cls.__slots__})

    def record(self) -> Records:
        """As (1,) ORDER."""
        made = np.zeros(1, ORDER)
        for name in self.__slots__:
            made[name] = getattr(self, name)
        return made

    def __str__(self) -> str:
        side = "buy" if self.quantity > 0 else "sell"
        return f"{side} {abs(self.quantity):g} of symbol {self.symbol}, {KINDS[self.kind]} ({REASONS[self.reason]})"


# -- events


@dataclass(frozen=True, slots=True)
class BarOpened:
    """The next bar begins: the window holds its time, and the splits, dividends and delistings effective before its open."""


@dataclass(frozen=True, slots=True)
class BarClosed:
    """The bar is complete: the window holds its prices."""


@dataclass(frozen=True, slots=True)
class Targets:
    """What the strategy decided at the close: `weights` (N,) as `decide` returns them, NaN = leave as it is."""

    weights: Floats


@dataclass(frozen=True, slots=True)
class Requests:
    """Orders that an order strategy asked for at the close, prices on the basis of the strategy's bars."""

    orders: tuple[OrderRequest, ...]


@dataclass(frozen=True, slots=True)
class Accepted:
    """The venue has the order."""

    id: int


@dataclass(frozen=True, slots=True)
class Filled:
    """The venue filled the signed `quantity` at `price` for `fee` in cash; `slippage`, in cash, is beside the price, 0 where that
    says all."""

    id: int
    quantity: float
    price: float
    fee: float
    slippage: float = 0.0


@dataclass(frozen=True, slots=True)
class Ended:
    """The order is cancelled, replaced, expired or rejected (`status`, `reason`: codes of `records`)."""

    id: int
    status: int
    reason: int


@dataclass(frozen=True, slots=True)
class Unknown:
    """Nobody knows what became of the order, such as after a time-out: it counts as live until the venue says otherwise."""

    id: int


@dataclass(frozen=True, slots=True)
class Opened:
    """The venue opened an order by itself: a declared exit that was triggered, or a leg of a bracket."""

    order: Order


@dataclass(frozen=True, slots=True)
class Updated:
    """The venue changed quantity, kind or stop of an order."""

    order: Order


@dataclass(frozen=True, slots=True)
class Operator:
    """A person orders: `trading_halts.NO_ENTRIES`, `REDUCE_ONLY`, `FLATTEN` (and lock) or `RESUME`."""

    action: int


Event = (
    Operator
    | BarOpened
    | BarClosed
    | Targets
    | Requests
    | Accepted
    | Filled
    | Ended
    | Unknown
    | Opened
    | Updated
)


# -- commands


@dataclass(frozen=True, slots=True)
class Submit:
    """Open this order; where it `replaces` another, cancel that one with it or refuse both."""

    order: Order


@dataclass(frozen=True, slots=True)
class Cancel:
    """Cancel the order."""

    id: int
    reason: int


@dataclass(frozen=True, slots=True)
class Reduce:
    """Make the order smaller: `quantity` in all, signed."""

    id: int
    quantity: float


@dataclass(frozen=True, slots=True)
class Restrict:
    """From now on only reductions may fill (`on`), or everything again."""

    on: bool


@dataclass(frozen=True, slots=True)
class Notify:
    """Somebody should know."""

    text: str


Command = Submit | Cancel | Reduce | Restrict | Notify


# -- records


@dataclass(frozen=True, slots=True)
class Refused:
    """What a rule did not let through, which therefore is no order: the weight or quantity asked for, `rule` (`records.RULES`, or a
    reason of `records.REASONS` for a request), the value that it looked at and its limit (NaN for a request)."""

    symbol: int
    asked: float
    rule: str
    value: float
    limit: float


class Written(NamedTuple):
    """What a step leaves behind, for the caller to keep: rows of `records` types.

    `orders` (those that ended), `fills`, `trades`, `decisions`; `curve` (K, 4) equity, cash, gross and net exposure at each close.
    """

    orders: Records
    fills: Records
    trades: Records
    decisions: Records
    curve: Floats

    @property
    def refused(self) -> tuple[Refused, ...]:
        """The targets that a rule refused, and the requests that were rejected before they went out."""
        targets = self.decisions[self.decisions["verdict"] == REFUSED]
        requests = self.orders[(self.orders["status"] == REJECTED) & (self.orders["filled"] == 0.0)]
        return (
            *(
                Refused(int(row["symbol"]), float(row["target"]), RULES[row["rule"]], float(row["value"]), float(row["limit"]))
                for row in targets
            ),
            *(
                Refused(int(row["symbol"]), float(row["quantity"]), REASONS[row["end_reason"]], np.nan, np.nan)
                for row in requests
            ),
        )  # fmt: skip
