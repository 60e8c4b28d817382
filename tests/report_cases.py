"""Runs for the tests of the report: the real engine on seeded random walks, and such a run as it comes out of a store."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd

from gpt_trader.backtesting import backtest
from gpt_trader.bars import Bars
from gpt_trader.result import Result
from gpt_trader.strategies.demo_ma import DemoMa

TABLES = ("equity", "orders", "fills", "closed_trades", "positions", "decisions")
ATTRIBUTES = ("run_id", "strategy", "parameters", "symbols", "metrics", "manifest", "fingerprint", "warnings", "bars")


def random_bars(symbols: tuple[str, ...], count: int, timeframe: str = "1d", seed: int = 7) -> Bars:
    """Seeded random walks on business days, or on the minutes of 390-minute sessions."""
    rng = np.random.default_rng(seed)
    if timeframe == "1d":
        time = pd.bdate_range("2010-01-04", periods=count).to_numpy("datetime64[ns]")
    else:
        session = np.arange(390) * np.timedelta64(1, "m") + np.timedelta64(870, "m")
        days = pd.bdate_range("2018-01-02", periods=-(-count // 390)).to_numpy("datetime64[D]")
        time = (days[:, None] + session[None, :]).ravel()[:count].astype("datetime64[ns]")
    scale, drift = (0.012, 0.00036) if timeframe == "1d" else (0.0006, 1e-6)
    close = 50 * np.exp(np.cumsum(rng.normal(drift, scale, (count, len(symbols))), axis=0))
    open_ = close * np.exp(rng.normal(0, scale / 3, close.shape))
    high = np.maximum(open_, close) * np.exp(np.abs(rng.normal(0, scale / 2, close.shape)))
    low = np.minimum(open_, close) * np.exp(-np.abs(rng.normal(0, scale / 2, close.shape)))
    one = np.ones_like(close)
    return Bars(symbols, time, np.stack([open_, high, low, close, 1e6 * one, one, 0 * one]), timeframe)


def run(symbols: tuple[str, ...] = ("AAA", "BBB"), count: int = 900, timeframe: str = "1d", **options: Any) -> Result:
    """A backtest of demo_ma on random walks; `options` go to `backtest`, `fast` and `slow` to the strategy."""
    strategy = DemoMa(fast=options.pop("fast", 10), slow=options.pop("slow", 50))
    return backtest(strategy, random_bars(symbols, count, timeframe), **options)


def stored(result: Result, **changes: Any) -> Any:
    """The same run as plain attributes and copied tables, with some of them changed: what a store hands to the report."""
    plain = {name: getattr(result, name) for name in ATTRIBUTES}
    return SimpleNamespace(**{**plain, **{name: getattr(result, name).copy() for name in TABLES}, **changes})
