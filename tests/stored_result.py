"""A made-up result with every table filled, for the tests of the store and of the run files."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd

SYMBOLS = ("AAPL", "MSFT")


@dataclass(frozen=True, slots=True, eq=False)
class MadeResult:
    """Satisfies `StorableResult` with tables as DataFrames."""

    run_id: str
    strategy: str
    parameters: dict[str, Any]
    symbols: tuple[str, ...]
    start: np.datetime64
    end: np.datetime64
    metrics: dict[str, float]
    manifest: dict[str, Any]
    fingerprint: dict[str, str]
    warnings: tuple[str, ...]
    orders: pd.DataFrame
    fills: pd.DataFrame
    positions: pd.DataFrame
    closed_trades: pd.DataFrame
    equity: pd.DataFrame
    decisions: pd.DataFrame


@dataclass(frozen=True, slots=True, eq=False)
class MadeColumns:
    """The same result that gives its tables as plain arrays too, as the command line's does."""

    made: MadeResult
    asked: list[str] = field(default_factory=list)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.made, name)

    def columns(self, name: str) -> dict[str, Any]:
        self.asked.append(name)
        frame = getattr(self.made, name)
        frame = frame.reset_index() if name == "equity" else frame
        return {column: frame[column].to_numpy() for column in frame.columns}


def make_result(
    bars: int = 60,
    trades: int = 8,
    seed: int = 0,
    strategy: str = "demo_ma",
    run_id: str = "",
    minutes: bool = False,
) -> MadeResult:
    """A result of `bars` bars with `trades` round trips; the same arguments give the same result."""
    random = np.random.default_rng(seed)
    if minutes:
        time = np.datetime64("2010-01-04T14:30", "ns") + np.arange(bars) * np.timedelta64(60, "s")
    else:
        time = np.datetime64("2010-01-04", "ns") + np.arange(bars) * np.timedelta64(1, "D")
    value = 100_000.0 * np.cumprod(1 + random.normal(0.0004, 0.01, bars))
    cash = value * random.uniform(0, 1, bars)
    equity = pd.DataFrame(
        {
            "equity": value,
            "cash": cash,
            "gross": 1 - cash / value,
            "net": 1 - cash / value,
            "drawdown": value / np.maximum.accumulate(value) - 1,
            "benchmark": np.full(bars, np.nan) if seed % 2 else value[::-1].copy(),
        },
        index=pd.DatetimeIndex(time, name="time"),
    )
    closed = _closed_trades(random, time, trades)
    orders, fills, decisions = _orders(closed)
    held = bars // 2
    positions = pd.DataFrame(
        {
            "time": time[:held],
            "symbol": np.resize(np.array(SYMBOLS, object), held),
            "quantity": np.full(held, 10.0),
            "price": random.uniform(10, 20, held),
            "value": random.uniform(100, 200, held),
            "weight": random.uniform(0, 1, held),
            "open_pnl": random.normal(0, 5, held),
        }
    )
    return MadeResult(
        run_id=run_id or f"{seed:04x}" + "5eed" * 15,
        strategy=strategy,
        parameters={"fast": 10, "slow": 50, "trail": 0.05, "sides": ["long"]},
        symbols=SYMBOLS,
        start=time[0],
        end=time[-1],
        metrics={
            "total_return": float(value[-1] / value[0] - 1), "sharpe": 1.25, "cagr": round(0.1 + seed / 100, 2),
            "max_drawdown": float(equity["drawdown"].min()), "final_equity": float(value[-1]),
            "round_trips": float(trades), "profit_factor": float("inf"), "expectancy": float("nan"),
        },
        manifest={"version": "0.1.0", "seed": seed, "costs": {"bps": 5.0}, "timeframe": "1d", "capital": 100_000.0},
        fingerprint={"AAPL": "ab" * 32, "MSFT": "cd" * 32},
        warnings=("only 60 bars: statistics are rough", "Grüße – “quoted”, a;b 'c'"),
        orders=orders, fills=fills, positions=positions, closed_trades=closed, equity=equity, decisions=decisions,
    )  # fmt: skip


def with_id(result: MadeResult, run_id: str) -> MadeResult:
    """The same result under another id."""
    return replace(result, run_id=run_id)


def _closed_trades(random: np.random.Generator, time: np.ndarray, trades: int) -> pd.DataFrame:
    entry = np.sort(random.integers(0, len(time) - 3, trades))
    leave = np.minimum(entry + random.integers(1, 20, trades), len(time) - 1)
    price, pnl = random.uniform(10, 20, trades), random.normal(0, 50, trades)
    return pd.DataFrame(
        {
            "trade_id": np.arange(trades), "symbol": np.resize(np.array(SYMBOLS, object), trades), "side": "long",
            "quantity": np.full(trades, 10.0), "entry_time": time[entry], "entry_price": price,
            "exit_time": time[leave], "exit_price": price + pnl / 10, "bars": leave - entry,
            "gross_pnl": pnl + 1.0, "income": 0.0,
            "costs": np.full(trades, 1.0), "pnl": pnl, "return_": pnl / (price * 10), "mae": -0.01, "mfe": 0.02,
            "exit_reason": np.where(pnl > 0, "signal", "stop"),
        }
    )  # fmt: skip


def _orders(closed: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """An entry and an exit order, their fills and their decisions for every round trip."""
    count = 2 * len(closed)
    time = closed[["entry_time", "exit_time"]].to_numpy().ravel()
    price = closed[["entry_price", "exit_price"]].to_numpy().ravel()
    symbol = np.repeat(closed["symbol"].to_numpy(), 2)
    side = np.resize(np.array(["buy", "sell"], object), count)
    number = np.arange(count)
    quantity = np.full(count, 10.0)
    orders = pd.DataFrame(
        {
            "order_id": number, "parent_id": pd.array([None if n % 2 == 0 else n - 1 for n in number], dtype="Int64"),
            "decision_id": number, "symbol": symbol, "time": time, "side": side, "quantity": quantity,
            "kind": np.where(number % 2, "stop", "market"), "limit": np.nan,
            "stop": np.where(number % 2, price, np.nan),
            "status": "filled", "filled": quantity, "reason": np.where(number % 2, np.array(None, object), "signal"),
            "end_reason": "",
        }
    )  # fmt: skip
    fills = pd.DataFrame(
        {
            "fill_id": number, "order_id": number, "symbol": symbol, "time": time, "side": side,
            "quantity": quantity, "price": price, "commission": 0.4, "slippage": 0.1, "reason": None,
        }
    )  # fmt: skip
    decisions = pd.DataFrame(
        {
            "decision_id": number, "time": time, "symbol": symbol, "target": 0.1,
            "accepted": np.where(number % 3, 0.1, 0),
            "verdict": np.where(number % 3, "approved", "refused"), "rule": np.where(number % 3, "", "gross"),
            "value": 0.7, "limit": np.where(number % 3, np.nan, 0.6),
        }
    )  # fmt: skip
    return orders, fills, decisions
