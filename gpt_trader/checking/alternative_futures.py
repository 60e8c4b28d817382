"""Other futures for the same past: the bars cut off after t, followed by bars of a market that never was, or in another order."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gpt_trader.bars import CLOSE, DIVIDEND, HIGH, LOW, OPEN, SPLIT, VOLUME, Bars

LARGE = (
    100 * 2**20
)  # bytes of a panel from which one other market has to serve for all futures, and nothing is shuffled
# How wild the other markets are (deviation of a bar's return), and whether their bars are missing where the real ones are.
MARKETS = ((0.05, True), (0.02, False), (0.10, False), (0.01, True))


class Futures:
    """Futures of `bars`, the same ones for the same `seed`.

    Other markets are made once, and the part after t is joined to the real past at its last price. In some of them
    symbols leave the market or have bars where the real ones had none; their splits and dividends are others too.
    """

    def __init__(self, bars: Bars, seed: int) -> None:
        self.bars = bars
        self._seed = seed
        self._markets: dict[int, NDArray[np.float64]] = {}
        self.can_be_shuffled = bars.panel.nbytes <= LARGE
        self._kinds = len(MARKETS) if self.can_be_shuffled else 1
        self._shuffled: dict[int, Bars] = {}
        self._last = _last_prices(bars.close)

    def cut(self, t: int) -> Bars:
        """The bars up to t and nothing after."""
        return self.bars.before(t + 1)

    def replaced(self, t: int) -> Bars:
        """The bars up to t, then as many others; no later delisting is known."""
        bars = self.bars
        rng = np.random.default_rng((self._seed, t))
        other = self._market(int(rng.integers(self._kinds)))
        here = np.where(np.isnan(other[CLOSE, t]), 1.0, other[CLOSE, t])
        factor = self._last[t] / here * np.exp(rng.normal(0, 0.3, bars.N))
        panel = np.empty_like(bars.panel)
        panel[:, : t + 1] = bars.panel[:, : t + 1]
        panel[:, t + 1 :] = other[:, t + 1 :]
        panel[OPEN : CLOSE + 1, t + 1 :] *= factor
        panel[DIVIDEND, t + 1 :] *= factor
        known = _known_until(bars, t)
        return Bars.of_checked(
            bars.symbols, bars.time, panel, bars.timeframe, bars.adjustment, bars.sources, known
        )

    def shuffled(self, t: int) -> Bars:
        """The bars up to t, then the real ones after it in another order, each with its own move, range and volume: a market that
        passes for a real one where others are refused."""
        if t not in self._shuffled:
            self._shuffled = {t: self._in_another_order(t)}
        return self._shuffled[t]

    def _in_another_order(self, t: int) -> Bars:
        bars, rng = self.bars, np.random.default_rng((self._seed, t, 1))
        rows = t + 1 + rng.permutation(bars.T - t - 1)
        panel = bars.panel.copy()
        panel[:, t + 1 :] = bars.panel[:, rows]
        close, split = bars.close[rows], bars.split[rows]
        moves = np.where(np.isnan(close), 1.0, close / self._last[rows - 1])  # a split is part of its move
        scale = self._last[t] * np.cumprod(moves, axis=0) / np.where(np.isnan(close), 1.0, close)
        panel[OPEN : CLOSE + 1, t + 1 :] *= scale
        panel[DIVIDEND, t + 1 :] *= scale
        panel[SPLIT, t + 1 :] = split
        known = _known_until(bars, t)
        return Bars.of_checked(
            bars.symbols, bars.time, panel, bars.timeframe, bars.adjustment, bars.sources, known
        )

    def prepare(self, t: int) -> None:
        """Make what `replaced(t)` and `shuffled(t)` need of the bars after t."""
        self.replaced(t)
        if self.can_be_shuffled:
            self.shuffled(t)

    def panels(self) -> list[NDArray[np.float64]]:
        """The panels (7, T, N) of the real bars in memory."""
        return list({id(bars.panel): bars.panel for bars in (self.bars, self.bars.strategy_view())}.values())

    def _market(self, kind: int) -> NDArray[np.float64]:
        if kind not in self._markets:
            self._markets[kind] = _other_market(self.bars, *MARKETS[kind], (self._seed, kind))
        return self._markets[kind]


def _other_market(
    bars: Bars, deviation: float, gaps_stay: bool, seed: tuple[int, int]
) -> NDArray[np.float64]:
    """A panel (7, T, N) of prices around 1 that has nothing to do with the real ones."""
    rng = np.random.default_rng(seed)
    shape = (bars.T, bars.N)
    path = np.cumsum(rng.normal(0, deviation, shape), axis=0)
    close = np.exp(3 * np.sin(path / 3))  # bounded, however many bars there are
    opened = close * np.exp(rng.normal(0, deviation / 2, shape))
    spread = np.exp(np.abs(rng.normal(0, deviation / 2, shape)))
    panel = np.empty((7, *shape))
    panel[OPEN], panel[CLOSE] = opened, close
    panel[HIGH], panel[LOW] = np.maximum(opened, close) * spread, np.minimum(opened, close) / spread
    usual = np.median(bars.volume, axis=0) + 1.0
    wild = 10.0 ** rng.uniform(-2, 2, (1, bars.N)) * rng.uniform(0.5, 2.0, shape)
    panel[VOLUME] = np.where(bars.volume > 0, bars.volume, usual) * wild
    panel[SPLIT], panel[DIVIDEND] = 1.0, 0.0
    if bars.adjustment == "raw":
        panel[SPLIT] = np.where(rng.random(shape) < 0.005, rng.choice([2.0, 0.5], shape), 1.0)
    if bars.adjustment != "all":
        panel[DIVIDEND] = np.where(rng.random(shape) < 0.02, 0.005 * close, 0.0)
    missing = ~bars.present
    if (
        missing.any() and not gaps_stay
    ):  # where no bar is ever missing, a rule need not be able to do without one
        missing = _leaving(shape, rng)
    panel[OPEN : CLOSE + 1, missing] = np.nan
    panel[VOLUME, missing] = 0.0
    return panel


def _leaving(shape: tuple[int, int], rng: np.random.Generator) -> NDArray[np.bool_]:
    """(T, N): no bar is missing, but a third of the symbols end for good at some bar."""
    ends = np.where(rng.random(shape[1]) < 1 / 3, rng.integers(0, shape[0], shape[1]), shape[0])
    gone: NDArray[np.bool_] = np.arange(shape[0])[:, None] > ends
    return gone


def _last_prices(close: NDArray[np.float64]) -> NDArray[np.float64]:
    """(T, N): the last known close of each symbol up to each bar, 100 before its first."""
    rows = np.where(np.isnan(close), -1, np.arange(close.shape[0])[:, None])
    np.maximum.accumulate(rows, axis=0, out=rows)
    found = np.take_along_axis(close, np.maximum(rows, 0), axis=0)
    return np.where(rows < 0, 100.0, found)


def _known_until(bars: Bars, t: int) -> tuple[str | None, ...]:
    """The delistings that are known at bar t."""
    return bars.before(t + 1).delisted if any(bars.delisted) else bars.delisted
