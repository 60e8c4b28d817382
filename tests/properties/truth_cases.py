"""Hand-made markets, scripted strategies and a bar-by-bar walk of the engine, shared by the truth tests."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpt_trader import (
    Allocation,
    AtrStop,
    Bars,
    BreakEven,
    Costs,
    FillModel,
    Instrument,
    Result,
    RiskLimits,
    ScaleOut,
    StopLoss,
    TakeProfit,
    TimeStop,
    TrailingStop,
    backtest,
)
from gpt_trader.engine.account_memory import empty_book, grow_logs
from gpt_trader.engine.bar_loop import before_decision, room_in_logs
from gpt_trader.engine.records import AccountState, MarketData
from gpt_trader.engine.run_setup import Settings, build_market, rules_record
from gpt_trader.engine.simulation import all_exits
from gpt_trader.engine.target_weights import allocate
from gpt_trader.strategies import load_strategy
from gpt_trader.strategy import Strategy
from tests.shipped_cases import SHIPPED_CASES

Floats = NDArray[np.float64]
NAN = float("nan")
FREE = Costs(bps=0.0, spread_bps=0.0, impact=0.0, borrow=0.0)
UNCAPPED = FillModel(volume_cap=None)
ALL_IN = Allocation(gross=1.0)
TABLES = ("equity", "orders", "fills", "closed_trades", "positions", "decisions")


def days(count: int) -> NDArray[np.datetime64]:
    """Weekdays from Monday 2010-01-04 on."""
    return np.busday_offset("2010-01-04", np.arange(count), roll="forward").astype("datetime64[ns]")


def market(
    rows: Sequence[tuple[float, float, float, float]],
    *,
    volume: float | Sequence[float] = 1e6,
    split: dict[int, float] | None = None,
    dividend: dict[int, float] | None = None,
    delisted: str | None = None,
) -> Bars:
    """One symbol "A" from (open, high, low, close) rows; `split` and `dividend` by row; a row of NaN is a missing bar."""
    panel = np.ones((7, len(rows), 1))
    panel[:4, :, 0] = np.array(rows, dtype=float).T
    panel[4, :, 0] = volume
    panel[4, np.isnan(panel[3, :, 0]), 0] = 0.0
    panel[6] = 0.0
    for row, ratio in (split or {}).items():
        panel[5, row, 0] = ratio
    for row, cash in (dividend or {}).items():
        panel[6, row, 0] = cash
    return Bars(("A",), days(len(rows)), panel, delisted=(delisted,))


def flat(count: int, price: float = 100.0) -> list[tuple[float, float, float, float]]:
    """`count` bars in which nothing moves."""
    return [(price, price, price, price)] * count


def side_by_side(*markets: Bars) -> Bars:
    """Several one-symbol markets as one panel with symbols A, B, C …"""
    panel = np.concatenate([item.panel for item in markets], axis=2)
    names = tuple("ABCDEFGHIJKLMNOP"[: len(markets)])
    return Bars(names, markets[0].time, panel, delisted=tuple(item.delisted[0] for item in markets))


@dataclass(frozen=True)
class Weights(Strategy):
    """Replays the table of weights stored on the class."""

    table = np.zeros((1, 1))
    ranks: Floats | None = None

    def features(self, bars: Bars) -> Any:
        table = np.asarray(self.table, dtype=float)[: bars.T]
        found = {"wanted": table.reshape(bars.T, -1)}
        if self.ranks is not None:
            found["score"] = self.ranks[: bars.T]
        return found

    def decide(self, now: Any) -> Any:
        return now.wanted


def scripted(
    table: Any, *, exits: tuple[Any, ...] = (), target: str = "weight", ranks: Floats | None = None
) -> Weights:
    """A strategy that returns row t of `table`, (T,) or (T, N), at bar t."""
    body = {"table": np.asarray(table, dtype=float), "exits": exits, "target_kind": target}
    return type("Scripted", (Weights,), body)(ranks=ranks)


def hold(count: int, start: int = 0, weight: float = 1.0) -> list[float]:
    """NaN until `start`, then `weight` on every bar."""
    return [NAN] * start + [weight] * (count - start)


def run(strategy: Strategy, bars: Bars, **options: Any) -> Result:
    """A backtest without costs, volume cap and benchmark, all in, unless `options` say otherwise."""
    given = {"costs": FREE, "fills": UNCAPPED, "allocation": ALL_IN, "benchmark": False} | options
    return backtest(strategy, bars, **given)


def fills_of(result: Result) -> list[tuple[int, str, float, float, str]]:
    """(bar, symbol, signed quantity, price, reason) of every fill, in order."""
    return [
        (int(f["bar"]), result.symbols[f["symbol"]], float(f["quantity"]), float(f["price"]), reason)
        for f, reason in zip(result.log("fills"), result.fills["reason"], strict=True)
    ]


# -- random cases -----------------------------------------------------------------------------------------------------


def shipped(name: str, rng: random.Random) -> Strategy:
    """A shipped strategy with random parameters short enough to trade in a few hundred bars."""
    chosen = {key: rng.choice(values) for key, values in SHIPPED_CASES[name].choices.items()}
    return load_strategy(name)(**chosen)


def random_exits(rng: random.Random) -> tuple[Any, ...]:
    """Between none and all seven kinds of declared exit."""
    every = (
        StopLoss(rng.choice([0.02, 0.05])), TrailingStop(rng.choice([0.03, 0.08]), after=rng.choice([0.0, 0.02])),
        BreakEven(rng.choice([0.01, 0.03])), AtrStop(rng.choice([1.0, 2.0]), rng.choice([5, 14])),
        TakeProfit(rng.choice([0.03, 0.1])), ScaleOut(((0.02, 0.3), (0.05, 0.5))), TimeStop(rng.choice([1, 4, 15])),
    )  # fmt: skip
    share = rng.choice([0.0, 0.3, 0.7])
    return tuple(item for item in every if rng.random() < share)


def random_options(rng: random.Random, symbols: tuple[str, ...] = ()) -> dict[str, Any]:
    """Options of `backtest`, each off its default now and then; `symbols` may carry lots and the regime index."""
    allocation = Allocation(
        gross=rng.choice([0.6, 1.0, 1.5]), max_positions=rng.choice([1, 2, 10]), position=rng.choice([1.0, 0.3]),
        leverage=rng.choice([1.0, 2.0]), sizing=rng.choice(["weight", "weight", "risk"]), atr=rng.choice([5, 14]),
        min_rebalance=rng.choice([0.0, 0.02]), cadence=rng.choice(["bar", "bar", "week", "month"]),
        rebalance=rng.choice(["signal", "bar"]), reentry=rng.choice(["signal", "immediate"]), confirm=rng.choice([1, 1, 2]),
        cooldown=rng.choice([0, 5]), allow_short=rng.random() < 0.8, regime_window=10,
        regime=rng.choice(symbols) if symbols and rng.random() < 0.2 else None,
    )  # fmt: skip
    costs = Costs(
        bps=rng.choice([0.0, 5.0, 30.0]), per_share=rng.choice([0.0, 0.01]), minimum=rng.choice([0.0, 1.0]),
        spread_bps=rng.choice([0.0, 10.0]), impact=rng.choice([0.0, 0.5]), borrow=rng.choice([0.0, 0.1]),
    )  # fmt: skip
    return {
        "capital": rng.choice([20_000.0, 100_000.0, 3_000_000.0]),
        "costs": costs,
        "allocation": allocation,
        "fills": FillModel(rng.choice([0.1, 0.01, None])),
        "risk": rng.choice([None, None, RiskLimits(), RiskLimits(drawdown=0.04, on_drawdown="flatten")]),
        "exits": random_exits(rng),
        "instruments": tuple(Instrument(name, lot=rng.choice([1.0, 1.0, 0.0, 10.0])) for name in symbols),
        "benchmark": False,
    }


def random_weights(rng: np.random.Generator, count: int, symbols: int) -> Floats:
    """Targets of three habits by symbol: rare events, states that flip, noise on every bar."""
    out = np.full((count, symbols), np.nan)
    for n in range(symbols):
        habit = rng.integers(3)
        if habit == 0:
            at = rng.random(count) < 0.12
            out[at, n] = rng.choice([1.0, -0.5, 0.4, 0.0], at.sum())
        elif habit == 1:
            change = rng.random(count) < 0.1
            states = rng.choice([0.0, 1.0, 0.5, -0.3, np.nan], count)
            out[:, n] = states[np.maximum.accumulate(np.where(change, np.arange(count), 0))]
        else:
            out[:, n] = np.where(rng.random(count) < 0.3, np.nan, rng.uniform(-1.0, 1.5, count))
    return out


# -- the engine bar by bar --------------------------------------------------------------------------------------------


def prepared(strategy: Strategy, bars: Bars, options: dict[str, Any]) -> tuple[MarketData, AccountState]:
    """MarketData and empty book as `backtest` would build them."""
    known = {item.name for item in fields(Settings)}
    settings = Settings(**{key: value for key, value in options.items() if key in known})
    exits = all_exits(strategy, settings)
    score = strategy.features(bars.continuous()).get("score")
    full = None if score is None else np.ascontiguousarray(np.broadcast_to(score, (bars.T, bars.N)), float)
    rules = rules_record(settings, exits, strategy.target_kind == "units", score is not None)
    return build_market(bars, settings, exits, full), empty_book(bars.T, bars.N, rules, settings.capital, 64)


def walk(m: MarketData, book: AccountState, targets: Floats) -> Iterator[tuple[int, AccountState]]:
    """The plain loop, one call per step and bar, without any shortcut; yields (t, book) after bar t."""
    for t in range(targets.shape[0]):
        while not room_in_logs(book):
            book = grow_logs(book)
        before_decision(m, book, t)
        allocate(m, book, targets[t], t)
        yield t, book
