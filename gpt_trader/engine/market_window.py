"""The last bars of a market, as much of the past as rules need: what a step reads instead of a panel of all bars."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpt_trader.bars import DIVIDEND, SPLIT, VOLUME
from gpt_trader.engine.records import ATR_SIZE, ATR_STOP, ENDED, EVENT, REGIME, SCORE, MarketData
from gpt_trader.errors import BadParameter

Floats = NDArray[np.float64]
NEVER, NO_TIME = 2**62, -(2**63)


class Window:
    """At least the last `rows` bars of N symbols, in memory that does not grow.

    The bars lie in arrays of twice as many rows: each new one behind the last, and at their end the last `rows` move to the front.
    `market` is what the engine reads, `t` the row of the newest bar. `signals` says whether rules read average true ranges or
    ranks; `bar` is the number of the account's last bar, for a window that begins later than the account. The arrays are not to be
    written but by `open` and `close`.
    """

    def __init__(self, info: NDArray[Any], rows: int, *, signals: bool, bar: int = -1) -> None:
        symbols, size = len(info), 2 * max(rows, 2)
        self.rows, self.t, self.bar = size // 2, -1, bar
        info = info.copy()
        info["last_session"] = NEVER
        info["first_volume"] = NEVER
        panel = np.full((7, size, symbols), np.nan)
        panel[SPLIT], panel[DIVIDEND] = 1.0, 0.0
        marks = np.full((3, size, symbols) if signals else (3, 1, 1), np.nan)
        self._panel, self._factor = panel, np.ones((size, symbols))
        self.factor = _read_only(self._factor)
        self.market = MarketData(
            _read_only(panel), marks, np.zeros(size, np.int64), np.zeros(size, np.int8), info
        )
        self._time = NO_TIME
        self._ended, self._unknown_volume = False, True

    def open(
        self,
        time: int,
        split: Floats | None = None,
        dividend: Floats | None = None,
        delisted: NDArray[np.bool_] | None = None,
    ) -> None:
        """The next bar, of `time` ns since 1970: `split` (N,) new shares per old one, `dividend` (N,) cash per share, `delisted`
        (N,) the symbols whose last session was the bar before. Prices are unknown until `close`.

        Raises BadParameter for a time that is not after that of the bar before.
        """
        if time <= self._time:
            last = np.datetime64(self._time, "ns")
            raise BadParameter(f"a bar of {np.datetime64(time, 'ns')} does not follow one of {last}")
        if self.t + 1 == self.market.time.size:
            self._make_room()
        self.t += 1
        self.bar += 1
        m, t = self.market, self.t
        m.time[t] = self._time = int(time)
        event = False
        if split is not None:
            self._panel[SPLIT, t] = split
            self._factor[t:] *= split  # the rows behind are those of bars to come
            event = bool((split != 1.0).any())
        if dividend is not None:
            self._panel[DIVIDEND, t] = dividend
            event = event or bool(dividend.any())
        if delisted is not None and delisted.any():
            m.info["last_session"][delisted] = self.bar - 1
            self._ended = event = True
        m.flags[t] = EVENT * event + ENDED * self._ended + REGIME

    def close(
        self,
        prices: Floats,
        atr_stop: Any = np.nan,
        atr_size: Any = np.nan,
        score: Any = np.nan,
        *,
        regime: bool = True,
    ) -> None:
        """The bar is complete: `prices` (5, N) open, high, low, close, volume, NaN where a symbol has none; average true ranges and
        ranks (N,) as the rules need them; whether the regime allows new longs."""
        m, t = self.market, self.t
        self._panel[:SPLIT, t] = prices
        if m.signals.shape[1] > 1:
            m.signals[ATR_STOP, t] = atr_stop
            m.signals[ATR_SIZE, t] = atr_size
            m.signals[SCORE, t] = score
        if not regime:
            m.flags[t] &= ~np.int8(REGIME)
        if self._unknown_volume:
            first = m.info["first_volume"]
            first[(first == NEVER) & (prices[VOLUME] > 0.0)] = self.bar
            self._unknown_volume = bool((first == NEVER).any())

    def _make_room(self) -> None:
        keep = self.rows
        m = self.market
        self._panel[:, :keep] = self._panel[:, -keep:]
        self._panel[:SPLIT, keep:], self._panel[SPLIT, keep:], self._panel[DIVIDEND, keep:] = np.nan, 1.0, 0.0
        self._factor[:keep], self._factor[keep:] = self._factor[-keep:], self._factor[-1].copy()
        if m.signals.shape[1] > 1:
            m.signals[:, :keep] = m.signals[:, -keep:]
        m.time[:keep] = m.time[-keep:]
        m.flags[:keep] = m.flags[-keep:]
        self.t = keep - 1


def _read_only(array: NDArray[Any]) -> NDArray[Any]:
    """A view that cannot be written: machine code is compiled for one type of array."""
    view = array.view()
    view.setflags(write=False)
    return view
