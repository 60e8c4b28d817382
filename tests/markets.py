"""Seeded random markets for tests: whole bars, optional gaps, splits and dividends."""

from __future__ import annotations

import numpy as np

from gpt_trader.bars import Bars


def random_market(
    bars: int,
    symbols: int = 1,
    seed: int = 0,
    *,
    drift: float = 0.0,
    sigma: float = 0.012,
    gaps: float = 0.0,
    splits: bool = False,
    dividends: bool = False,
    volume: float = 1e6,
) -> Bars:
    """Geometric random walks on weekdays; with `gaps` that share of bars is missing; `splits` 2:1 and 1:3 now and then."""
    rng = np.random.default_rng(seed)
    shape = (bars, symbols)
    close = 100 * np.exp(np.cumsum(rng.normal(drift, sigma, shape), axis=0))
    opened = np.vstack([np.full((1, symbols), 100.0), close[:-1]]) * np.exp(rng.normal(0, sigma / 4, shape))
    high = np.maximum(opened, close) * np.exp(np.abs(rng.normal(0, sigma / 3, shape)))
    low = np.minimum(opened, close) * np.exp(-np.abs(rng.normal(0, sigma / 3, shape)))
    traded = np.floor(volume * np.exp(rng.normal(0, 0.4, shape)))
    split = np.ones(shape)
    if splits:
        split = np.where(rng.random(shape) < 0.006, rng.choice([2.0, 1 / 3], shape), 1.0)
    dividend = np.where(rng.random(shape) < 0.02, 0.5, 0.0) if dividends else np.zeros(shape)
    factor = np.cumprod(split, axis=0)
    panel = np.stack([opened / factor, high / factor, low / factor, close / factor, traded, split, dividend])
    if gaps:
        missing = rng.random(shape) < gaps
        missing[0] = False
        panel[:4, missing] = np.nan
        panel[4, missing] = 0.0
    days = np.busday_offset("2010-01-04", np.arange(bars), roll="forward").astype("datetime64[ns]")
    return Bars(tuple(f"S{n}" for n in range(symbols)), days, panel)
