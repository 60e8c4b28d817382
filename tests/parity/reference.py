"""A naive reference simulator: docs/assumptions.md in plain loops, written without a look at the engine."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from math import inf, isnan, nan

from gpt_trader.bars import Bars
from tests.parity.reference_account import EXITS, Account
from tests.parity.reference_allocation import Now, allocate
from tests.parity.reference_matching import Bar, BarRow, match
from tests.parity.reference_risk import World, simple_returns
from tests.parity.reference_types import (
    Allocation,
    Ask,
    AtrStop,
    BreakEven,
    Costs,
    Exit,
    FillModel,
    Held,
    Kind,
    Limits,
    Matrix,
    Order,
    Position,
    ReferenceRun,
    Row,
    TimeStop,
    TrailingStop,
)

Decide = Callable[[int, list[Held]], Sequence[float]]
Ordering = Callable[[int, list[Held]], Sequence[Ask]]
COSTS, ALLOCATION, FILLS = Costs(), Allocation(), FillModel()


def simulate(
    bars: Bars,
    targets: Sequence[Sequence[float]] | Decide,
    *,
    capital: float = 100_000.0,
    costs: Costs = COSTS,
    allocation: Allocation = ALLOCATION,
    fills: FillModel = FILLS,
    exits: tuple[Exit, ...] = (),
    atr: Mapping[int, Matrix] | None = None,
    score: Matrix | None = None,
    regime: Sequence[bool] | None = None,
    lots: Mapping[str, float] | None = None,
    target_kind: str = "weights",
    risk: Limits | None = None,
    sectors: Mapping[str, str] | None = None,
) -> ReferenceRun:
    """Run target weights (or units) through the account.

    `targets` (T, N) or a function of (t, held). `atr` maps a length to a (T, N) matrix on the first bar's share basis;
    `score` (T, N); `regime` (T,) True where longs may enter; `lots` by symbol, default 1; `sectors` by symbol.
    """
    world = None
    if risk is not None:
        names = [(sectors or {}).get(name) for name in bars.symbols]
        world = World(risk, simple_returns(bars.close.tolist(), bars.split.tolist()), names)
    game = _Game(bars, capital, costs, allocation, fills, exits, atr or {}, lots or {}, risk)

    def decide(t: int) -> None:
        row = targets(t, game.held(t)) if callable(targets) else targets[t]
        atr_now = game.atr_at(t, allocation.atr) if allocation.atr in game.atr else [nan] * bars.N
        now = Now(
            t=t,
            row=game.rows[t],
            targets=[float(value) for value in row],
            atr=atr_now,
            score=list(score[t]) if score is not None else [],
            regime=True if regime is None else regime[t],
            halted=game.account.halted,
            decides=game.is_decision_bar(t),
            units=target_kind == "units",
            world=world,
        )
        allocate(game.account, now)

    return game.play(decide)


def simulate_orders(
    bars: Bars,
    decide: Ordering,
    *,
    capital: float = 100_000.0,
    costs: Costs = COSTS,
    allocation: Allocation = ALLOCATION,
    fills: FillModel = FILLS,
    exits: tuple[Exit, ...] = (),
    atr: Mapping[int, Matrix] | None = None,
    lots: Mapping[str, float] | None = None,
    risk: Limits | None = None,
) -> ReferenceRun:
    """Run the orders that `decide(t, held)` returns at the close of every bar, on the first bar's share basis."""
    game = _Game(bars, capital, costs, allocation, fills, exits, atr or {}, lots or {}, risk)

    def place(t: int) -> None:
        for ask in decide(t, game.held(t)):
            if ask.cancel:
                for order in game.account.working(ask.symbol):
                    if order.origin == "ask":
                        game.account.cancel(order, "asked")
            elif not game.account.positions[ask.symbol].gone:
                _place(game, t, ask)

    return game.play(place)


def _place(game: _Game, t: int, ask: Ask) -> None:
    position, factor = game.account.positions[ask.symbol], game.factor[ask.symbol]
    quantity = ask.quantity
    reduces = quantity * position.quantity < 0.0 and abs(quantity) <= abs(position.quantity)
    if quantity == 0.0 or (game.account.halted and not reduces):
        return
    if ask.kind is Kind.TRAILING and game.rows[t][ask.symbol] is None:
        return
    order = Order(0, ask.symbol, t, quantity, ask.kind, "ask", ask.kind.value)
    order.limit, order.stop, order.trail, order.day = (
        ask.limit / factor,
        ask.stop / factor,
        ask.trail,
        ask.day,
    )
    order.take_profit, order.stop_loss = ask.take_profit / factor, ask.stop_loss / factor
    order.not_before = t + 1
    if ask.kind is Kind.TRAILING:
        order.extreme = position.mark
        _trail(order, order.extreme)
    game.account.add(order)


def _trail(order: Order, close: float) -> None:
    """Move the stop of a trailing order after a close; it never loosens."""
    if order.remaining < 0.0:
        order.extreme = max(order.extreme, close)
        order.stop = order.extreme * (1.0 - order.trail)
    else:
        order.extreme = min(order.extreme, close)
        order.stop = order.extreme * (1.0 + order.trail)


class _Game:
    """The loop over the bars, step by step."""

    def __init__(
        self,
        bars: Bars,
        capital: float,
        costs: Costs,
        allocation: Allocation,
        fills: FillModel,
        exits: tuple[Exit, ...],
        atr: Mapping[int, Matrix],
        lots: Mapping[str, float],
        risk: Limits | None,
    ) -> None:
        self.bars = bars
        self.rows = _rows(bars)
        self.split: Matrix = bars.split.tolist()
        self.dividend: Matrix = bars.dividend.tolist()
        self.exits = exits
        self.atr = atr
        self.cadence = allocation.cadence
        self.risk = risk
        self.seconds = [int(stamp) / 1e9 for stamp in bars.time.astype("int64")]
        self.dates = [datetime.fromisoformat(str(stamp)[:19]) for stamp in bars.time]
        self.factor = [1.0] * bars.N
        self.breached: dict[
            str, object
        ] = {}  # monitor -> the day, week or month whose limit it has seen broken
        self.ended = False
        self.capital = capital
        if risk is not None and risk.positions < allocation.max_positions:
            allocation = replace(allocation, max_positions=int(risk.positions))
        positions = [
            Position(n, lots.get(name, 1.0), has_volume=False) for n, name in enumerate(bars.symbols)
        ]
        self.account = Account(capital, positions, costs, allocation, fills)

    def play(self, decide: Callable[[int], None]) -> ReferenceRun:
        for t in range(self.bars.T):
            self._corporate_actions(t)
            for position, bar in zip(self.account.positions, self.rows[t], strict=True):
                position.has_volume = position.has_volume or (bar is not None and bar.volume > 0)
            self.account.halted = self.is_halted(t)
            match(self.account, t, self.rows[t], self.exits)
            self._mark(t)
            self._monitor(t)
            if not self.ended:
                decide(t)
        for order in self.account.run.orders:
            if order.status == "cancelled" and order.filled > 0.0:
                order.status = "partial"
        return self.account.run

    # -- step 0 -----------------------------------------------------------------------------------------------------

    def _corporate_actions(self, t: int) -> None:
        days = (self.seconds[t] - self.seconds[t - 1]) / 86_400 if t else 0.0
        for n, position in enumerate(self.account.positions):
            last = self.bars.delisted[n]
            leaves = last is not None and self.dates[t].date().isoformat() > last
            self.account.corporate_actions(t, position, leaves, self.split[t][n], self.dividend[t][n], days)
            self.factor[n] *= self.split[t][n]
            if position.gone:
                self.rows[t][n] = None

    # -- step 2 -----------------------------------------------------------------------------------------------------

    def _mark(self, t: int) -> None:
        for p in self.account.positions:
            bar = self.rows[t][p.symbol]
            if bar is None:
                continue
            p.mark = bar.close
            for order in self.account.working(p.symbol):
                if order.kind is Kind.TRAILING:
                    _trail(order, bar.close)
            if p.quantity == 0.0:
                continue
            if p.opened < t:
                p.age += 1
            p.peak = max(p.peak, bar.close) if p.side > 0 else min(p.peak, bar.close)
            gain = p.side * (p.peak - p.entry) / p.entry
            for declared in self.exits:
                if isinstance(declared, TrailingStop):
                    p.trails = p.trails or gain >= declared.after - 1e-12
                elif isinstance(declared, BreakEven):
                    p.at_even = p.at_even or gain >= declared.y - 1e-12
            self._tighten(t, p, bar.close)
            self._time_stop(t, p)
        for order in self.account.orders:
            if order.alive and order.day and order.created < t:
                self.account.cancel(order, "day order", "expired")
        self.account.orders = [order for order in self.account.orders if order.alive]
        self.account.record()

    def _tighten(self, t: int, p: Position, close: float) -> None:
        for declared in self.exits:
            if isinstance(declared, AtrStop):
                level = close - p.side * declared.k * self.atr_at(t, declared.n)[p.symbol]
                if not isnan(level) and (isnan(p.atr_stop) or p.side * level > p.side * p.atr_stop):
                    p.atr_stop = level

    def _time_stop(self, t: int, p: Position) -> None:
        limit = min((declared.n for declared in self.exits if isinstance(declared, TimeStop)), default=None)
        if limit is not None and p.age >= limit and not self.account.leaving(p.symbol):
            order = self.account.add(
                Order(0, p.symbol, t, -p.quantity, Kind.MARKET, "time_stop", "time stop")
            )
            order.not_before = t + 1
            self.account.exit_triggered(p, p.side)

    # -- step 3 -----------------------------------------------------------------------------------------------------

    def is_halted(self, t: int) -> bool:
        """Whether a breach forbids entries in bar t."""
        return self.ended or any(period == self._period(name, t) for name, period in self.breached.items())

    def _period(self, monitor: str, t: int) -> object:
        """The day, week or month of bar t; a drawdown lasts for the whole run."""
        date = self.dates[t]
        return {
            "day": date.date(),
            "week": date.isocalendar()[:2],
            "month": (date.year, date.month),
            "drawdown": "run",
        }[monitor]

    def _monitor(self, t: int) -> None:
        if not self.ended and self.account.equity() <= 0.0:
            self.ended = True
            self._flatten(t)
        if self.risk is not None and not self.ended:
            self._limits(t, self.risk)
        self.account.halted = self.is_halted(t)

    def _limits(self, t: int, risk: Limits) -> None:
        equity = self.account.run.equity
        broken = {
            "day": equity[t] <= (1.0 - risk.daily_loss) * self._before("day", t),
            "week": equity[t] <= (1.0 - risk.weekly_loss) * self._before("week", t),
            "month": equity[t] <= (1.0 - risk.monthly_loss) * self._before("month", t),
            "drawdown": equity[t] <= (1.0 - risk.drawdown) * max([self.capital, *equity]),
        }
        new = [
            name
            for name, breach in broken.items()
            if breach and self.breached.get(name) != self._period(name, t)
        ]
        for name in new:
            self.breached[name] = self._period(name, t)
        if "drawdown" in new and risk.on_drawdown == "flatten":
            self._flatten(t)
        elif new:
            self._cancel_openings()

    def _before(self, monitor: str, t: int) -> float:
        """Equity at the last bar before the day, week or month of bar t began."""
        start = t
        while start >= 0 and self._period(monitor, start) == self._period(monitor, t):
            start -= 1
        return self.account.run.equity[start] if start >= 0 else self.capital

    def _cancel_openings(self) -> None:
        for p in self.account.positions:
            for order in self.account.working(p.symbol):
                if order.origin not in ("target", "ask"):
                    continue
                if order.remaining * p.quantity >= 0.0:
                    self.account.cancel(order, "halted")
                    if order.origin == "target" and p.quantity != 0.0:
                        p.rest = True
                elif abs(order.remaining) > abs(p.quantity):
                    order.remaining = -p.quantity
                    if order.origin == "target":
                        p.base = p.acted = 0.0

    def _flatten(self, t: int) -> None:
        for p in self.account.positions:
            for order in self.account.working(p.symbol):
                if order.origin not in EXITS:
                    self.account.cancel(order, "flatten")
            p.base = p.acted = 0.0
            if p.quantity != 0.0 and not self.account.leaving(p.symbol):
                order = self.account.add(
                    Order(0, p.symbol, t, -p.quantity, Kind.MARKET, "flatten", "flatten")
                )
                order.not_before = t + 1
                self.account.exit_triggered(p, p.side)

    # -- step 4 -----------------------------------------------------------------------------------------------------

    def held(self, t: int) -> list[Held]:
        """Positions on the first bar's share basis."""
        equity = self.account.equity()
        rows = []
        for p, factor in zip(self.account.positions, self.factor, strict=True):
            weight = p.quantity * p.mark / equity if p.quantity != 0.0 else 0.0
            rows.append(Held(p.quantity, weight, p.entry * factor, p.peak * factor, p.age))
        return rows

    def atr_at(self, t: int, length: int) -> Row:
        """ATR on the shares as traded at t."""
        return [value / factor for value, factor in zip(self.atr[length][t], self.factor, strict=True)]

    def is_decision_bar(self, t: int) -> bool:
        if t == 0 or self.cadence == "bar":
            return True
        now, before = self.dates[t], self.dates[t - 1]
        if self.cadence == "week":
            return now.isocalendar()[:2] != before.isocalendar()[:2]
        return (now.year, now.month) != (before.year, before.month)


def _rows(bars: Bars) -> list[BarRow]:
    """The panel as lists: rows[t][n] is a bar or None."""
    columns = [
        bars.open.tolist(),
        bars.high.tolist(),
        bars.low.tolist(),
        bars.close.tolist(),
        bars.volume.tolist(),
    ]
    rows: list[BarRow] = []
    for o, h, low, c, v in zip(*columns, strict=True):
        rows.append([None if isnan(c[n]) else Bar(o[n], h[n], low[n], c[n], v[n]) for n in range(bars.N)])
    assert all(0.0 < bar.high < inf for row in rows for bar in row if bar is not None)
    return rows
