"""Small markets for the parity tests: bars written by hand, and seeded random ones with every defect of real data."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from math import exp, nan

import numpy as np

from gpt_trader.bars import Bars
from tests.parity.reference_types import ReferenceRun

Market = dict[str, list[tuple[float, ...] | float | None]]


def bars_of(
    prices: Mapping[str, Sequence[Sequence[float] | float | None]],
    *,
    split: Mapping[tuple[str, int], float] | None = None,
    dividend: Mapping[tuple[str, int], float] | None = None,
    delisted: Mapping[str, str] | None = None,
    start: str = "2024-01-01",
) -> Bars:
    """Daily bars from 2024-01-01 (a Monday), weekends included.

    A bar is a number (open = high = low = close), (o, h, l, c), (o, h, l, c, volume) or None for a missing bar. All
    volumes 0 means: no volume data, so no cap and no impact.
    """
    names = tuple(prices)
    length = len(prices[names[0]])
    panel = np.full((7, length, len(names)), nan)
    panel[4], panel[5], panel[6] = 0.0, 1.0, 0.0
    for n, name in enumerate(names):
        for t, bar in enumerate(prices[name]):
            if isinstance(bar, (int, float)):
                panel[:4, t, n] = bar
            elif bar is not None:
                panel[: len(bar), t, n] = bar
    for (name, t), ratio in (split or {}).items():
        panel[5, t, names.index(name)] = ratio
    for (name, t), cash in (dividend or {}).items():
        panel[6, t, names.index(name)] = cash
    time = np.datetime64(start, "D") + np.arange(length)
    leaving = tuple((delisted or {}).get(name) for name in names)
    return Bars(names, time.astype("datetime64[ns]"), panel, delisted=leaving)


def random_market(seed: int, length: int = 120, defects: bool = True) -> Bars:
    """Business days of 1 to 4 symbols: gaps, missing bars, splits, dividends, zero volumes, a delisting."""
    rng = random.Random(seed)
    count = rng.randint(1, 4)
    start = np.datetime64("2021-01-01", "D") + rng.randint(0, 300)
    days = np.busday_offset(start, np.arange(length), roll="forward").astype("datetime64[ns]")
    names = tuple(f"S{n}" for n in range(count))
    panel = np.full((7, length, count), nan)
    panel[4], panel[5], panel[6] = 0.0, 1.0, 0.0
    delisted: list[str | None] = [None] * count
    for n in range(count):
        last = length
        if defects and rng.random() < 0.1:
            last = rng.randint(length // 2, length - 2)
            delisted[n] = str(days[last - 1])[:10]
        _random_symbol(rng, panel[:, :last, n], defects)
    return Bars(names, days, panel, delisted=tuple(delisted))


def _random_symbol(rng: random.Random, panel: np.ndarray, defects: bool) -> None:
    """Fill one symbol's (7, T) panel in place."""
    price = exp(rng.uniform(1.5, 6.0))
    noise = rng.choice([0.005, 0.02, 0.05])
    drift = rng.uniform(-0.004, 0.004)
    typical = exp(rng.uniform(6.0, 14.0))
    no_volume = rng.random() < 0.2
    first = rng.choice([0, 0, 0, rng.randint(1, 20)])
    for t in range(panel.shape[1]):
        if defects and rng.random() < 0.02:
            ratio = rng.choice([2.0, 3.0, 7.0, 1.5, 0.5, 0.1, 0.25])
            panel[5, t] = ratio
            price /= ratio
        if defects and rng.random() < 0.03:
            panel[6, t] = round(price * rng.uniform(0.001, 0.03), 4)
        if t < first or (defects and rng.random() < 0.04):
            continue
        opening = price * exp(rng.gauss(0.0, noise * (4.0 if rng.random() < 0.05 else 0.7)))
        close = opening * exp(drift + rng.gauss(0.0, noise))
        high = max(opening, close) * exp(abs(rng.gauss(0.0, noise / 2)))
        low = min(opening, close) * exp(-abs(rng.gauss(0.0, noise / 2)))
        digits = 6 if price < 10 else 2
        bar = [round(value, digits) for value in (opening, high, low, close)]
        volume = (
            0.0
            if no_volume or (defects and rng.random() < 0.04)
            else float(int(typical * exp(rng.gauss(0, 1))))
        )
        panel[:5, t] = [*(max(value, 0.000001) for value in bar), volume]
        price = bar[3]


def column(*weights: float) -> list[list[float]]:
    """Targets of one symbol, one row per bar."""
    return [[weight] for weight in weights]


def fills_of(run: ReferenceRun) -> list[tuple[object, ...]]:
    """Bar, side, quantity and price of every fill."""
    return [(fill.t, fill.side, fill.quantity, fill.price) for fill in run.fills]
