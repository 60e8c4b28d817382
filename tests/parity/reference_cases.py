"""Random cases for the parity test: options, exits, targets and orders by seed, in the reference's own types."""

from __future__ import annotations

import random
from dataclasses import dataclass, fields
from math import nan

from gpt_trader.bars import Bars
from tests.parity.reference_types import (
    Allocation,
    Ask,
    AtrStop,
    BreakEven,
    Costs,
    Exit,
    FillModel,
    Kind,
    Limits,
    Matrix,
    ScaleOut,
    StopLoss,
    TakeProfit,
    TimeStop,
    TrailingStop,
)


@dataclass(frozen=True, slots=True)
class Options:
    """One random set of options; `regime` names the index symbol or is None."""

    capital: float
    costs: Costs
    allocation: Allocation
    fills: FillModel
    lots: dict[str, float]
    regime: str | None
    regime_window: int


def random_options(rng: random.Random, symbols: tuple[str, ...]) -> Options:
    """Mostly defaults, with every option varied now and then."""

    def now_and_then(value: float, *others: float) -> float:
        return rng.choice(others) if rng.random() < 0.35 else value

    costs = Costs(
        bps=now_and_then(5.0, 0.0, 50.0),
        per_share=now_and_then(0.0, 0.01),
        minimum=now_and_then(0.0, 1.0, 25.0),
        spread_bps=now_and_then(2.0, 0.0, 30.0),
        slippage_bps=now_and_then(0.0, 5.0),
        impact=now_and_then(0.1, 0.0, 1.0),
        borrow=now_and_then(0.005, 0.1),
    )
    allocation = Allocation(
        gross=now_and_then(0.6, 1.0, 1.5),
        max_positions=int(now_and_then(10, 1, 2)),
        position=now_and_then(1.0, 0.2, 0.5),
        leverage=now_and_then(1.0, 2.0, 0.7),
        sizing=rng.choice(["weight", "weight", "weight", "risk"]),
        risk=now_and_then(0.005, 0.02),
        atr_k=now_and_then(2.0, 1.0, 3.5),
        atr=int(now_and_then(14, 5)),
        min_rebalance=now_and_then(0.0, 0.02, 0.1),
        cadence=rng.choice(["bar", "bar", "bar", "week", "month"]),
        rebalance=rng.choice(["signal", "signal", "bar"]),
        reentry=rng.choice(["signal", "signal", "immediate"]),
        confirm=int(now_and_then(1, 2, 3)),
        cooldown=int(now_and_then(0, 3, 8)),
        allow_short=rng.random() < 0.8,
    )
    return Options(
        capital=rng.choice([5_000.0, 25_000.0, 100_000.0, 5_000_000.0]),
        costs=costs,
        allocation=allocation,
        fills=FillModel(rng.choice([0.10, 0.10, 0.01, 1.0, None])),
        lots={name: rng.choice([1.0, 1.0, 1.0, 10.0, 0.0]) for name in symbols},
        regime=rng.choice(symbols) if rng.random() < 0.15 else None,
        regime_window=rng.choice([5, 20]),
    )


def random_limits(rng: random.Random) -> Limits:
    """About half of the limits, tight enough to bind."""

    return Limits(**{item.name: item.metadata["draw"](rng) for item in fields(Limits)})


def random_sectors(rng: random.Random, symbols: tuple[str, ...]) -> dict[str, str]:
    """Two sectors, and symbols of which none is known."""
    chosen = {name: rng.choice(["energy", "energy", "finance", None]) for name in symbols}
    return {name: sector for name, sector in chosen.items() if sector is not None}


def random_exits(rng: random.Random) -> tuple[Exit, ...]:
    """Between none and all of the declared exits."""
    steps = ((0.02, 0.3), (0.05, 0.5), (0.08, 0.2))[: rng.randint(1, 3)]
    every: list[Exit] = [
        StopLoss(rng.choice([0.02, 0.05, 0.1])),
        TrailingStop(rng.choice([0.03, 0.08]), after=rng.choice([0.0, 0.02])),
        BreakEven(rng.choice([0.01, 0.03])),
        AtrStop(rng.choice([1.0, 2.0]), rng.choice([5, 14])),
        TakeProfit(rng.choice([0.03, 0.1])),
        ScaleOut(steps),
        TimeStop(rng.choice([1, 4, 15])),
    ]
    share = rng.choice([0.0, 0.2, 0.4, 0.8])
    return tuple(item for item in every if rng.random() < share)


def random_targets(rng: random.Random, bars: Bars) -> Matrix:
    """Weights of one of three habits: events among NaN, a state that flips at times, or noise on every bar."""
    habit = rng.choice(["event", "state", "noise"])
    out = []
    row = [0.0] * bars.N
    for _ in range(bars.T):
        for n in range(bars.N):
            if habit == "event":
                row[n] = rng.choice([1.0, -0.5, 0.4, 0.0, 0.0]) if rng.random() < 0.15 else nan
            elif habit == "state" and rng.random() < 0.1:
                row[n] = rng.choice([0.0, 0.0, 1.0, 0.5, -0.3, nan])
            elif habit == "noise":
                row[n] = rng.choice([nan, 0.0, rng.uniform(-1.0, 1.5)])
        out.append(list(row))
    return out


def random_score(rng: random.Random, bars: Bars) -> Matrix | None:
    """A ranking feature in half of the cases, with ties."""
    if rng.random() < 0.5:
        return None
    return [[float(rng.randint(0, 3)) for _ in range(bars.N)] for _ in range(bars.T)]


def random_asks(rng: random.Random, bars: Bars) -> list[list[Ask]]:
    """For every bar zero to two orders around the close, on the first bar's share basis."""
    closes = bars.continuous().close.tolist()
    out: list[list[Ask]] = []
    for row in closes:
        chosen = [n for n in range(bars.N) if row[n] == row[n] and rng.random() < 0.12]
        out.append([_random_ask(rng, n, row[n]) for n in chosen[:2]])
    return out


def _random_ask(rng: random.Random, symbol: int, close: float) -> Ask:
    side = rng.choice([1, 1, -1])
    quantity = side * float(rng.choice([10, 40, 200]))
    kind = rng.choice([Kind.MARKET, Kind.LIMIT, Kind.STOP, Kind.STOP_LIMIT, Kind.TRAILING])
    limit = stop = trail = profit = loss = nan
    near = close * (1.0 - side * rng.uniform(-0.005, 0.04))
    far = close * (1.0 + side * rng.uniform(-0.005, 0.04))
    if kind is Kind.LIMIT:
        limit = near
    elif kind is Kind.STOP:
        stop = far
    elif kind is Kind.STOP_LIMIT:
        stop, limit = far, far * (1.0 + side * rng.uniform(-0.01, 0.02))
    elif kind is Kind.TRAILING:
        trail = rng.choice([0.01, 0.04])
    if kind is not Kind.TRAILING and rng.random() < 0.5:
        profit = close * (1.0 + side * rng.uniform(0.005, 0.08))
    if kind is not Kind.TRAILING and rng.random() < 0.5:
        loss = close * (1.0 - side * rng.uniform(0.03, 0.1))
    day = kind is not Kind.MARKET and kind is not Kind.TRAILING and rng.random() < 0.3
    return Ask(symbol, quantity, kind, limit, stop, trail, day, profit, loss)
