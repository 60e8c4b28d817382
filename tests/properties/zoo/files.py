"""Leaks through files, databases, loaders and the environment: written in `features`, read in `decide`, or prepared before."""

from __future__ import annotations

import json
import os
import pickle
import sqlite3
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from gpt_trader import Bars, Strategy, load_bars, ta
from tests.properties.zoo.held import rises_next, same_row
from tests.properties.zoo.markets import folder
from tests.properties.zoo.table import DECIDE, leak, long_if


def _own(name: str) -> Path:
    """A file of this process in the system's temporary folder."""
    return Path(tempfile.gettempdir()) / f"zoo-{os.getpid()}-{name}"


def following(prices: Any, rows: int) -> Any:
    """The close after each of the first `rows` bars of the whole history."""
    prices = np.asarray(prices, float)
    return np.vstack([prices[1:], prices[-1:]])[:rows]


@leak("file between calls", DECIDE)
@dataclass(frozen=True)
class FileFromFeaturesToDecide(Strategy):
    """`features` saves the closes, `decide` loads them. Slow: a file is read at each bar."""

    def features(self, bars: Bars) -> Any:
        np.save(_own("closes.npy"), bars.close)
        return {}

    def decide(self, now: Any, held: Any) -> Any:
        close = np.load(_own("closes.npy"))
        return rises_next(close, same_row(close, now.close))


@leak("file between calls", DECIDE)
@dataclass(frozen=True)
class EnvironmentVariable(Strategy):
    """The last closes handed over in the environment."""

    def features(self, bars: Bars) -> Any:
        os.environ["ZOO_LAST"] = json.dumps(bars.close[-1].tolist())
        return {}

    def decide(self, now: Any, held: Any) -> Any:
        return np.where(now.close < np.array(json.loads(os.environ["ZOO_LAST"])), 0.4, 0.0)


@leak("file between calls", "ahead")
@dataclass(frozen=True)
class DiskCacheBySymbol(Strategy):
    """A pickle per set of symbols: the first, whole history is kept on disk, later and shorter calls read it."""

    def features(self, bars: Bars) -> Any:
        path = _own("-".join(bars.symbols) + f"-{bars.close[0, 0]:.6f}.pickle")
        if path.exists():
            time, close = pickle.loads(path.read_bytes())
        else:
            time, close = bars.time, bars.close
        if len(time) < bars.T or not path.exists():
            time, close = bars.time, bars.close
            path.write_bytes(pickle.dumps((time, close)))
        at = np.minimum(np.searchsorted(time, bars.time) + 1, len(time) - 1)
        return {"ahead": close[at]}

    def decide(self, now: Any) -> Any:
        return long_if(now.ahead > now.close)


@leak("file of prices", "ahead", shown_by="file", files=True)
@dataclass(frozen=True)
class CsvInFeatures(Strategy):
    """`pd.read_csv` of the downloaded history. Slow: some 3 ms a call."""

    def features(self, bars: Bars) -> Any:
        return {"ahead": following(pd.read_csv(folder() / "prices.csv", index_col="time"), bars.T)}

    def decide(self, now: Any) -> Any:
        return long_if(now.ahead > now.close)


@leak("file of prices", "ahead", shown_by="file", files=True)
@dataclass(frozen=True)
class ParquetInFeatures(Strategy):
    """`pd.read_parquet` of the downloaded history."""

    def features(self, bars: Bars) -> Any:
        return {"ahead": following(pd.read_parquet(folder() / "prices.parquet"), bars.T)}

    def decide(self, now: Any) -> Any:
        return long_if(now.ahead > now.close)


@leak("file of prices", "ahead", shown_by="file", files=True)
@dataclass(frozen=True)
class NpyInFeatures(Strategy):
    """`np.load` of an array."""

    def features(self, bars: Bars) -> Any:
        return {"ahead": following(np.load(folder() / "prices.npy"), bars.T)}

    def decide(self, now: Any) -> Any:
        return long_if(now.ahead > now.close)


@leak("file of prices", "ahead", shown_by="file", files=True)
@dataclass(frozen=True)
class MemoryMapInFeatures(Strategy):
    """`np.memmap` of raw numbers."""

    def features(self, bars: Bars) -> Any:
        prices = np.memmap(folder() / "prices.bin", "<f8", "r").reshape(-1, bars.N)
        return {"ahead": following(prices, bars.T)}

    def decide(self, now: Any) -> Any:
        return long_if(now.ahead > now.close)


@leak("file of prices", "ahead", shown_by="file", files=True)
@dataclass(frozen=True)
class NpzInFeatures(Strategy):
    """`np.load` of an archive, with times."""

    def features(self, bars: Bars) -> Any:
        with np.load(folder() / "prices.npz") as kept:
            at = np.searchsorted(kept["time"], bars.time.astype("int64"))
            return {"ahead": following(kept["close"], len(kept["time"]))[at]}

    def decide(self, now: Any) -> Any:
        return long_if(now.ahead > now.close)


@leak("file of prices", "ahead", shown_by="file", files=True)
@dataclass(frozen=True)
class SqliteInFeatures(Strategy):
    """A query of the research database."""

    def features(self, bars: Bars) -> Any:
        base = sqlite3.connect(folder() / "prices.sqlite")
        columns = ", ".join(bars.symbols)
        rows = base.execute(f"select {columns} from prices order by time").fetchall()
        base.close()
        return {"ahead": following(rows, bars.T)}

    def decide(self, now: Any) -> Any:
        return long_if(now.ahead > now.close)


@leak("file of prices", DECIDE, shown_by="file", files=True)
@dataclass(frozen=True)
class PickleInDecide(Strategy):
    """The file is opened at the first decision only."""

    def decide(self, now: Any, held: Any) -> Any:
        if not hasattr(self, "close"):
            object.__setattr__(self, "close", pickle.loads((folder() / "prices.pickle").read_bytes())[1])
        return rises_next(self.close, same_row(self.close, now.close))


@leak("file of prices", "ahead", shown_by="file", files=True)
@dataclass(frozen=True)
class JsonThroughOsOpen(Strategy):
    """`os.open` and `os.read` instead of `open`."""

    def features(self, bars: Bars) -> Any:
        handle = os.open(folder() / "prices.json", os.O_RDONLY)
        text = b"".join(iter(lambda: os.read(handle, 1 << 16), b""))
        os.close(handle)
        return {"ahead": following(json.loads(text), bars.T)}

    def decide(self, now: Any) -> Any:
        return long_if(now.ahead > now.close)


@leak("file of prices", "ahead", shown_by="file", files=True)
@dataclass(frozen=True)
class FileReadInValidate(Strategy):
    """`validate` reads the history when the strategy is made."""

    def validate(self) -> None:
        path = folder() / "prices.npy"
        object.__setattr__(self, "prices", np.load(path))

    def features(self, bars: Bars) -> Any:
        return {"ahead": following(self.prices, bars.T)}

    def decide(self, now: Any) -> Any:
        return long_if(now.ahead > now.close)


@leak("file of prices", "ahead", shown_by="file", files=True)
@dataclass(frozen=True)
class FileReadInPostInit(Strategy):
    """`__post_init__` reads the history."""

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "prices", pd.read_csv(folder() / "prices.csv", index_col="time").to_numpy())

    def features(self, bars: Bars) -> Any:
        return {"ahead": following(self.prices, bars.T)}

    def decide(self, now: Any) -> Any:
        return long_if(now.ahead > now.close)


@cache
def _kept(path: str) -> Any:
    return np.load(path)


@leak("file of prices", "ahead", shown_by="file", files=True)
@dataclass(frozen=True)
class FileReadOncePerProcess(Strategy):
    """A cached loader: the file is opened at the first call of a process only."""

    def features(self, bars: Bars) -> Any:
        return {"ahead": following(_kept(str(folder() / "prices.npy")), bars.T)}

    def decide(self, now: Any) -> Any:
        return long_if(now.ahead > now.close)


def next_closes(whole: Bars, bars: Bars) -> Any:
    """The close after each bar of `bars` in the whole history of the same symbols."""
    at = np.minimum(np.searchsorted(whole.time, bars.time) + 1, whole.T - 1)
    return whole.continuous().close[at]


@leak("loads bars", "ahead", "demo", shown_by="file")
@dataclass(frozen=True)
class LoadsBarsInFeatures(Strategy):
    """`load_bars` of the same symbols, without an end. Slow: some 10 ms a call."""

    def features(self, bars: Bars) -> Any:
        whole = load_bars(list(bars.symbols), start="2005-01-01", end="2006-12-31")
        return {"ahead": next_closes(whole, bars)}

    def decide(self, now: Any) -> Any:
        return long_if(now.ahead > now.close)


@leak("loads bars", DECIDE, "demo", shown_by="file")
@dataclass(frozen=True)
class LoadsBarsInDecide(Strategy):
    """`load_bars` at the first decision."""

    def decide(self, now: Any, held: Any) -> Any:
        if not hasattr(self, "close"):
            whole = load_bars(["AAPL", "IBM", "MSFT"], start="2005-01-01", end="2006-12-31")
            object.__setattr__(self, "close", whole.continuous().close)
        return rises_next(self.close, same_row(self.close, now.close))


@leak("loads bars", "ahead", "demo", shown_by="file")
@dataclass(frozen=True)
class LoadsBarsInPostInit(Strategy):
    """`load_bars` when the strategy is made."""

    def __post_init__(self) -> None:
        super().__post_init__()
        whole = load_bars(["AAPL", "IBM", "MSFT"], start="2005-01-01", end="2006-12-31")
        object.__setattr__(self, "whole", whole)

    def features(self, bars: Bars) -> Any:
        return {"ahead": next_closes(self.whole, bars)}

    def decide(self, now: Any) -> Any:
        return long_if(now.ahead > now.close)


@leak("loads bars", "regime", "demo", shown_by="file")
@dataclass(frozen=True)
class MarketFilterFromLoader(Strategy):
    """A market filter of another symbol, loaded whole: its weekly mean is centred."""

    def features(self, bars: Bars) -> Any:
        whole = load_bars("GOOG", start="2005-01-01", end="2006-12-31")
        smooth = pd.Series(whole.close[:, 0]).rolling(21, center=True, min_periods=1).mean().to_numpy()
        at = np.searchsorted(whole.time, bars.time)
        return {"regime": smooth[np.minimum(at, whole.T - 1)], "mean": ta.sma(bars.close, 10)}

    def decide(self, now: Any) -> Any:
        return long_if((now.close > now.mean) & (now.regime > 300))
