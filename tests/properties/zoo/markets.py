"""The bars on which the strategies of the zoo act, by name, and the price files that some of them read."""

from __future__ import annotations

import os
import pickle
import sqlite3
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd

from gpt_trader import Bars, load_bars
from gpt_trader.bars import CLOSE, HIGH, LOW, OPEN
from tests.markets import random_market

FOLDER = "ZOO_FOLDER"


def intraday_market(days: int = 60, symbols: int = 2, seed: int = 3, minutes: int = 30) -> Bars:
    """Half-hour bars of sessions from 14:30 to 21:00 UTC; `random_market` folded into days."""
    a_day = 390 // minutes
    flat = random_market(days * a_day, symbols, seed, sigma=0.004)
    dates = np.busday_offset("2015-01-05", np.arange(days), roll="forward").astype("datetime64[ns]")
    clock = np.timedelta64(14 * 60 + 30, "m") + np.arange(a_day) * np.timedelta64(minutes, "m")
    return Bars(flat.symbols, (dates[:, None] + clock[None, :]).ravel(), flat.panel, "30m")


def delisted_market(bars: int = 400, symbols: int = 6, seed: int = 8) -> Bars:
    """Half of the symbols leave the market, one after the other; `delisted` names their last sessions."""
    whole = random_market(bars, symbols, seed)
    panel = whole.panel.copy()
    last: list[str | None] = [None] * symbols
    for n in range(0, symbols, 2):
        row = bars // 2 + n * bars // (3 * symbols)
        panel[:4, row + 1 :, n], panel[4, row + 1 :, n] = np.nan, 0.0
        last[n] = str(whole.time[row].astype("datetime64[D]"))
    return Bars(whole.symbols, whole.time, panel, delisted=tuple(last))


def crash_market(bars: int = 600, symbols: int = 2, seed: int = 14) -> Bars:
    """A quiet market that loses a quarter within ten bars, once, at three fifths of the data."""
    whole = random_market(bars, symbols, seed, sigma=0.008)
    fall = np.ones(bars)
    fall[3 * bars // 5 : 3 * bars // 5 + 10] = 0.97
    panel = whole.panel.copy()
    panel[OPEN : CLOSE + 1] *= np.cumprod(fall)[None, :, None]
    panel[HIGH] = np.maximum(panel[HIGH], np.maximum(panel[OPEN], panel[CLOSE]))
    panel[LOW] = np.minimum(panel[LOW], np.minimum(panel[OPEN], panel[CLOSE]))
    return Bars(whole.symbols, whole.time, panel)


def calm_market(bars: int = 320, seed: int = 22) -> Bars:
    """Two symbols that move together, the second with noise of its own: a pair."""
    whole = random_market(bars, 2, seed)
    noise = np.exp(np.random.default_rng(seed).normal(0, 0.004, (bars, 1)))
    panel = whole.panel.copy()
    panel[OPEN : CLOSE + 1, :, 1:] = panel[OPEN : CLOSE + 1, :, :1] * noise * 0.5
    return Bars(whole.symbols, whole.time, panel)


_MARKETS: dict[str, Callable[[], Bars]] = {
    "daily": lambda: random_market(360, 3, 11),
    "one": lambda: random_market(320, 1, 12),
    "five": lambda: random_market(360, 5, 13),
    "hundred": lambda: random_market(260, 100, 15),
    "long": lambda: random_market(1600, 1, 16),
    "years": lambda: random_market(1400, 2, 17),
    "5000": lambda: random_market(5000, 1, 18),
    "seventy": lambda: random_market(70, 2, 19),
    "splits": lambda: random_market(400, 2, 20, splits=True, dividends=True),
    "gaps": lambda: random_market(360, 3, 21, gaps=0.08),
    "pair": calm_market,
    "intraday": intraday_market,
    "delisted": delisted_market,
    "crash": crash_market,
    "demo": lambda: load_bars(["AAPL", "IBM", "MSFT"], start="2005-01-01", end="2006-06-30"),
}
MARKETS = tuple(_MARKETS)


@cache
def market(name: str) -> Bars:
    """The bars of that name, the same object every time."""
    return _MARKETS[name]()


def folder() -> Path:
    """Where strategies of the zoo read and write files: the folder that the environment names."""
    return Path(os.environ[FOLDER])


def write_prices(bars: Bars, where: Path) -> None:
    """The whole history as a researcher keeps it: close prices as CSV, Parquet, npy, npz, pickle, JSON and SQLite."""
    close = pd.DataFrame(
        bars.close, index=pd.DatetimeIndex(bars.time, name="time"), columns=list(bars.symbols)
    )
    close.to_csv(where / "prices.csv")
    close.to_parquet(where / "prices.parquet")
    close.to_json(where / "prices.json", orient="values", double_precision=15, date_format="iso")
    np.save(where / "prices.npy", bars.close)
    np.savez(where / "prices.npz", time=bars.time.astype("int64"), close=bars.close)
    (where / "prices.pickle").write_bytes(pickle.dumps((bars.time, bars.close)))
    bars.close.astype("<f8").tofile(where / "prices.bin")
    with sqlite3.connect(where / "prices.sqlite") as base:
        close.reset_index().to_sql("prices", base, index=False, if_exists="replace")
    base.close()
    (where / "parameters.json").write_text('{"fast": 5, "slow": 20, "weight": 0.4}')
