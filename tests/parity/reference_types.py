"""The plain records of the naive reference simulator: its options, orders, positions and result rows."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from math import floor, inf, isnan, nan
from typing import Any

TINY = 1e-12  # tolerance of a comparison of weights (docs/assumptions.md, notation)
DUST = 1e-9  # of the quantity held, or of one share: a smaller change of quantity is none
CRUMB = 1e-6  # share of equity: with lot 0 an increase or a change worth at most this is none
LOT_TOLERANCE = 1e-9  # in lots: 99.9999999999 lots are 100 lots

Row = list[float]
Matrix = list[list[float]]


@dataclass(frozen=True, slots=True)
class Costs:
    """Rates of docs/assumptions.md, "Defaults"."""

    bps: float = 5.0
    per_share: float = 0.0
    minimum: float = 0.0
    spread_bps: float = 2.0
    slippage_bps: float = 0.0
    impact: float = 0.1
    borrow: float = 0.005


FREE = Costs(0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)


@dataclass(frozen=True, slots=True)
class Allocation:
    """How target weights become positions; `regime` is given to the simulator as a list of booleans instead."""

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
    allow_short: bool = True


@dataclass(frozen=True, slots=True)
class FillModel:
    """Largest share of a bar's volume that one symbol trades in it."""

    volume_cap: float | None = 0.10


@dataclass(frozen=True, slots=True)
class StopLoss:
    x: float


@dataclass(frozen=True, slots=True)
class TrailingStop:
    x: float
    after: float = 0.0


@dataclass(frozen=True, slots=True)
class BreakEven:
    y: float


@dataclass(frozen=True, slots=True)
class AtrStop:
    k: float
    n: int = 14


@dataclass(frozen=True, slots=True)
class TakeProfit:
    x: float


@dataclass(frozen=True, slots=True)
class ScaleOut:
    steps: tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class TimeStop:
    n: int


Exit = StopLoss | TrailingStop | BreakEven | AtrStop | TakeProfit | ScaleOut | TimeStop


def sometimes(off: float, *values: float) -> Any:
    """A limit that half of the random cases have, at one of `values`, tight enough to bind."""
    return field(
        default=off, metadata={"draw": lambda rng: rng.choice(values) if rng.random() < 0.5 else off}
    )


def always(default: Any, *values: Any) -> Any:
    """A number or word that is one of `values` in every random case."""
    return field(default=default, metadata={"draw": lambda rng: rng.choice(values)})


@dataclass(frozen=True, slots=True)
class Limits:
    """Loss limits of step 3, as positive fractions, and the limits of steps 5 and 6; `on_drawdown` is "halt" or "flatten".

    Each field says what random cases draw.
    """

    daily_loss: float = sometimes(inf, 0.002, 0.01)
    weekly_loss: float = sometimes(inf, 0.005, 0.02)
    monthly_loss: float = sometimes(inf, 0.01, 0.04)
    drawdown: float = sometimes(inf, 0.02, 0.1)
    on_drawdown: str = always("halt", "halt", "flatten")
    position: float = sometimes(inf, 0.1, 0.25, 0.6)
    gross: float = sometimes(inf, 0.3, 0.8)
    net: float = sometimes(inf, 0.1, 0.4)
    cash: float = sometimes(-inf, 0.05, 0.5, 0.8)
    positions: float = sometimes(inf, 1, 2, 20)
    order_volume: float = sometimes(inf, 0.001, 0.02)
    sector: float = sometimes(inf, 0.1, 0.3)
    correlation: float = sometimes(inf, 0.01, 0.1, 0.3)
    correlation_bars: int = always(60, 20, 30, 60)


class Kind(Enum):
    MARKET = "market"
    LIMIT = "limit"
    STOP = "stop"
    STOP_LIMIT = "stop_limit"
    TRAILING = "trailing"


@dataclass(frozen=True, slots=True)
class Ask:
    """One order that an order strategy wants: prices on the first bar's share basis, shares as traded.

    `quantity` signed; `trail` a fraction; legs are prices (nan = none). `cancel` cancels the symbol's orders instead,
    bracket legs excepted.
    """

    symbol: int
    quantity: float
    kind: Kind = Kind.MARKET
    limit: float = nan
    stop: float = nan
    trail: float = nan
    day: bool = False
    take_profit: float = nan
    stop_loss: float = nan
    cancel: bool = False


@dataclass(slots=True)
class Order:
    """A working order; `remaining` is signed; `origin` is target, time_stop, exit, ask, leg or flatten."""

    id: int
    symbol: int
    created: int
    remaining: float
    kind: Kind
    origin: str
    reason: str
    limit: float = nan
    stop: float = nan
    trail: float = nan
    extreme: float = nan
    day: bool = False
    take_profit: float = nan
    stop_loss: float = nan
    not_before: int = 0  # first bar in which the order may fill
    triggered: int = -1  # bar in which a stop-limit became a limit order
    status: str = "resting"
    note: str = ""  # why it was cancelled
    quantity: float = 0.0
    filled: float = 0.0
    linear: float = 0.0  # commission of the fills so far, before the minimum
    charged: float = 0.0  # commission charged so far
    legs: list[Order] = field(default_factory=list)
    sibling: Order | None = None

    @property
    def alive(self) -> bool:
        return self.status == "resting"


@dataclass(slots=True)
class Trip:
    """One round trip in the making; money sums, all positive except `extras` (dividends and cash in lieu)."""

    side: int
    opened: int
    purchases: float = 0.0
    sales: float = 0.0
    costs: float = 0.0
    extras: float = 0.0
    entered_value: float = 0.0
    entered: float = 0.0
    left_value: float = 0.0
    left: float = 0.0


@dataclass(slots=True)
class Position:
    """Everything the simulator remembers about one symbol."""

    symbol: int
    lot: float
    has_volume: bool
    quantity: float = 0.0
    entry: float = nan
    peak: float = nan
    age: int = 0
    mark: float = nan
    opened: int = -1
    inside: bool = False  # opened by a limit or stop order inside bar `opened`
    atr_stop: float = nan
    trails: bool = False  # the trailing stop is armed
    at_even: bool = False  # the break-even stop is armed
    largest: float = 0.0
    steps: list[float] = field(
        default_factory=list
    )  # of each scale-out step what is left to sell, nan before its level
    traded: float = 0.0
    gone: bool = False
    base: float = 0.0
    acted: float = 0.0
    rest: bool = False  # what a limit has cut off the last target order is still to be ordered
    previous: float = nan
    row: int = 0
    row_sign: int = 0
    locked: int = 0  # the side that a declared exit has closed, until a new signal
    exit_bar: int = -(10**9)
    trip: Trip | None = None

    @property
    def side(self) -> int:
        return sign(self.quantity)


@dataclass(frozen=True, slots=True)
class Fill:
    order_id: int
    t: int
    symbol: int
    side: str
    quantity: float
    price: float
    commission: float
    slippage: float
    reason: str


@dataclass(frozen=True, slots=True)
class ClosedTrade:
    symbol: int
    side: str
    entry_t: int
    exit_t: int
    entry_price: float
    exit_price: float
    bars: int
    costs: float
    pnl: float
    return_: float
    exit_reason: str


@dataclass(frozen=True, slots=True)
class Held:
    """What a deciding strategy sees of one symbol: prices on the first bar's share basis, shares as traded."""

    quantity: float
    weight: float
    entry: float
    peak: float
    age: int


@dataclass(slots=True)
class ReferenceRun:
    """Result rows; `equity`, `cash`, `gross` and `quantities` have one entry per bar."""

    equity: list[float] = field(default_factory=list)
    cash: list[float] = field(default_factory=list)
    gross: list[float] = field(default_factory=list)
    quantities: list[list[float]] = field(default_factory=list)
    open_pnl: list[float] = field(default_factory=list)
    orders: list[Order] = field(default_factory=list)
    fills: list[Fill] = field(default_factory=list)
    closed_trades: list[ClosedTrade] = field(default_factory=list)


def sign(value: float) -> int:
    """-1, 0 or 1; a NaN has sign 0."""
    return 1 if value > 0 else -1 if value < 0 else 0


def to_lot(quantity: float, lot: float) -> float:
    """`quantity` truncated towards zero to a multiple of `lot`; lot 0 leaves it as it is."""
    if lot == 0.0 or isnan(quantity):
        return quantity
    lots = floor(abs(quantity) / lot + LOT_TOLERANCE)
    return sign(quantity) * lots * lot
