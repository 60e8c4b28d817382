"""Seeded price data, the same for every participant: made once, written as npz, read by each process."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.definitions import DAYS, MINUTES, SYMBOLS

Floats = NDArray[np.float64]
SEED = 20_260_101
COLUMNS = ("open", "high", "low", "close", "volume")
QUIET = 256  # bars at the start that only fall; see `prices`


@dataclass(frozen=True, slots=True)
class Data:
    """`open`, `high`, `low`, `close`, `volume` are (T, N) float64, C-contiguous; `time` (T,) datetime64[ns]."""

    time: NDArray[np.datetime64]
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Floats

    def head(self, bars: int) -> Data:
        """The first `bars` bars."""
        return Data(
            self.time[:bars],
            self.open[:bars],
            self.high[:bars],
            self.low[:bars],
            self.close[:bars],
            self.volume[:bars],
        )


def prices(
    rng: np.random.Generator, bars: int, symbols: int, step: float, pull: float, quiet: int
) -> tuple[Floats, Floats, Floats, Floats]:
    """Open, high, low, close (T, N) of log prices pulled back to log 100, with gaps between the bars.

    The pull keeps each price within a factor of two over any length, which lets a library that sizes only by capital
    (raptorbt) be made to trade exactly 100 shares. For the first `quiet` bars the price only falls, so that no fast
    average is above a slow one before every library has begun (backtesting.py waits one bar longer than the others).
    """
    noise = rng.normal(0.0, step, (bars, symbols))
    log = np.zeros((bars, symbols))
    for t in range(1, bars):
        log[t] = log[t - 1] - 0.1 * step if t < quiet else (1.0 - pull) * log[t - 1] + noise[t]
    close = 100.0 * np.exp(log)
    opened = np.vstack([close[:1], close[:-1]]) * np.exp(rng.normal(0.0, 0.2 * step, (bars, symbols)))
    high = np.maximum(opened, close) * (1.0 + 0.3 * step * rng.random((bars, symbols)))
    low = np.minimum(opened, close) * (1.0 - 0.3 * step * rng.random((bars, symbols)))
    return opened, high, low, close


def make(name: str, bars: int | None = None) -> Data:
    """The data set `daily`, `minutes` or `panel` (DAYS, MINUTES or `bars` bars; 1, 1 and SYMBOLS symbols)."""
    rng = np.random.default_rng(SEED + ("daily", "minutes", "panel").index(name))
    if name == "minutes":
        count = bars or MINUTES
        minute = np.timedelta64(60_000_000_000, "ns")
        time = np.datetime64("2020-01-01T00:00", "ns") + np.arange(count) * minute
        values = prices(rng, count, 1, 0.0012, 0.0002, QUIET)
    else:
        count = bars or DAYS
        days = np.arange("2010-01-04", "2030-01-01", dtype="datetime64[D]")
        time = days[np.is_busday(days)][:count].astype("datetime64[ns]")
        alone = name == "daily"
        values = prices(
            rng, count, 1 if alone else SYMBOLS, 0.012, 0.02 if alone else 0.002, QUIET if alone else 0
        )
    opened, high, low, close = values
    return Data(time, opened, high, low, close, np.full(close.shape, 1e6))


def write(name: str, folder: Path) -> Path:
    """Make a data set and save it as `folder/name.npz`."""
    data = make(name)
    path = folder / f"{name}.npz"
    columns = {column: getattr(data, column) for column in COLUMNS}
    np.savez(path, time=data.time.astype(np.int64), **columns)
    return path


def read(path: Path) -> Data:
    """What `write` saved."""
    with np.load(path) as stored:
        opened, high, low, close, volume = (np.ascontiguousarray(stored[column]) for column in COLUMNS)
        return Data(stored["time"].view("datetime64[ns]"), opened, high, low, close, volume)
