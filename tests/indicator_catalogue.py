"""Every indicator once, as the property and rule tests call it: inputs, warm-up of each output, unit of each output."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gpt_trader import indicators as ta

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Market:
    """Bars of some symbols, (T,) or (T, N), and the session of each row."""

    high: Array
    low: Array
    close: Array
    volume: Array
    session: NDArray[np.int64]

    def mapped(self, change: Callable[[Array], Array]) -> Market:
        """The same change on all price and volume columns."""
        return Market(*(change(a) for a in (self.high, self.low, self.close, self.volume)), self.session)

    def rows(self, pick: slice | NDArray[np.bool_]) -> Market:
        """Some of the rows, with their sessions."""
        fields = (self.high, self.low, self.close, self.volume)
        return Market(*(a[pick].copy() for a in fields), self.session[pick])

    def priced(self, factor: float) -> Market:
        """The same market in another currency."""
        return Market(self.high * factor, self.low * factor, self.close * factor, self.volume, self.session)


@dataclass(frozen=True, slots=True)
class Indicator:
    """One indicator with short periods. `units`: "price", "volume", "none" or "flag", per output.

    `memory` is how many present bars a value depends on; None when it depends on the whole history.
    """

    name: str
    call: Callable[[Market], object]
    warm_up: tuple[int, ...]
    units: tuple[str, ...]
    memory: int | None

    def __call__(self, market: Market) -> tuple[Array, ...]:
        found = self.call(market)
        return found if isinstance(found, tuple) else (found,)


def _each(
    *entries: tuple[str, Callable[[Market], object], Iterable[int], str, int | None],
) -> tuple[Indicator, ...]:
    return tuple(Indicator(n, c, tuple(w), tuple(u.split()), m) for n, c, w, u, m in entries)


CATALOGUE = _each(
    ("sma", lambda m: ta.sma(m.close, 4), [3], "price", 4),
    ("sma of 1", lambda m: ta.sma(m.close, 1), [0], "price", 1),
    ("ema", lambda m: ta.ema(m.close, 4), [3], "price", None),
    ("wma", lambda m: ta.wma(m.close, 4), [3], "price", 4),
    ("rma", lambda m: ta.rma(m.close, 4), [3], "price", None),
    ("macd", lambda m: ta.macd(m.close, 2, 4, 3), [3, 5, 5], "price price price", None),
    ("rsi", lambda m: ta.rsi(m.close, 3), [3], "none", None),
    ("true_range", lambda m: ta.true_range(m.high, m.low, m.close), [1], "price", 2),
    ("atr", lambda m: ta.atr(m.high, m.low, m.close, 3), [3], "price", None),
    ("adx", lambda m: ta.adx(m.high, m.low, m.close, 3), [5, 3, 3], "none none none", None),
    ("bollinger", lambda m: ta.bollinger(m.close, 4, 2.0), [3, 3, 3], "price price price", 4),
    ("donchian", lambda m: ta.donchian(m.high, m.low, 4), [3, 3, 3], "price price price", 4),
    ("keltner", lambda m: ta.keltner(m.high, m.low, m.close, 3, 4), [4, 2, 4], "price price price", None),
    ("stochastic", lambda m: ta.stochastic(m.high, m.low, m.close, 4, 2, 3), [4, 6], "none none", 7),
    ("highest", lambda m: ta.highest(m.high, 4), [3], "price", 4),
    ("lowest", lambda m: ta.lowest(m.low, 4), [3], "price", 4),
    ("shift", lambda m: ta.shift(m.close, 2), [2], "price", 3),
    ("roc", lambda m: ta.roc(m.close, 2), [2], "none", 3),
    ("momentum", lambda m: ta.momentum(m.close, 2), [2], "price", 3),
    ("returns", lambda m: ta.returns(m.close), [1], "none", 2),
    ("log returns", lambda m: ta.returns(m.close, 2, log=True), [2], "none", 3),
    ("realised_volatility", lambda m: ta.realised_volatility(m.close, 4), [4], "none", 5),
    ("obv", lambda m: ta.obv(m.close, m.volume), [0], "volume", None),
    ("vwap", lambda m: ta.vwap(m.high, m.low, m.close, m.volume, m.session), [0], "price", None),
    ("rolling_vwap", lambda m: ta.rolling_vwap(m.high, m.low, m.close, m.volume, 4), [3], "price", 4),
    ("zscore", lambda m: ta.zscore(m.close, 4), [3], "none", 4),
    ("rolling_std", lambda m: ta.rolling_std(m.close, 4), [3], "price", 4),
    ("rolling_beta", lambda m: ta.rolling_beta(m.close, m.high, 4), [3], "none", 4),
    ("rolling_corr", lambda m: ta.rolling_corr(m.close, m.high, 4), [3], "none", 4),
    ("percentile_rank", lambda m: ta.percentile_rank(m.close, 4), [3], "none", 4),
    ("rolling_quantile", lambda m: ta.rolling_quantile(m.close, 4, 0.3), [3], "price", 4),
    ("crossover", lambda m: ta.crossover(m.close, 50.25), [1], "flag", 2),
    ("crossunder", lambda m: ta.crossunder(m.close, 50.25), [1], "flag", 2),
    # Indicators of indicators: the inner warm-up is a run of leading missing bars for the outer one.
    ("sma of rsi", lambda m: ta.sma(ta.rsi(m.close, 3), 4), [6], "none", None),
    ("shift of donchian", lambda m: ta.shift(ta.donchian(m.high, m.low, 4).upper, 1), [4], "price", 5),
)

NAMES = [indicator.name for indicator in CATALOGUE]


def random_market(seed: int, length: int, symbols: int, missing: float = 0.0) -> Market:
    """A random walk on a grid of ticks (so that ties occur), each bar of each symbol missing with that probability."""
    random = np.random.default_rng(seed)
    shape = (length, symbols)
    close = 50.0 + np.cumsum(random.integers(-2, 3, shape), axis=0) * 0.25
    close += np.maximum(0.0, 1.0 - close.min(axis=0, initial=1.0))
    high = close + random.integers(0, 4, shape) * 0.25
    low = close - random.integers(0, 4, shape) * 0.125
    volume = random.integers(0, 5, shape) * 100.0
    gone = random.random(shape) < missing
    prices = [np.where(gone, np.nan, a) for a in (high, low, close)]
    return Market(*prices, np.where(gone, 0.0, volume), np.arange(length) // 7)


def same_bits(first: tuple[Array, ...], second: tuple[Array, ...]) -> bool:
    """Equal shapes, NaN in the same places, and all other values equal in every bit."""
    return len(first) == len(second) and all(_same(a, b) for a, b in zip(first, second, strict=True))


def _same(a: Array, b: Array) -> bool:
    if a.shape != b.shape or not np.array_equal(np.isnan(a), np.isnan(b)):
        return False
    present = ~np.isnan(a)
    return a[present].tobytes() == b[present].tobytes()
