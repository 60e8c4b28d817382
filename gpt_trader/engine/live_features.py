"""The features of a strategy at the newest bar, made from a window of the last bars instead of all of them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpt_trader.bars import CLOSE, DIVIDEND, OPEN, SPLIT, VOLUME, Bars
from gpt_trader.engine.bar_by_bar import Bar
from gpt_trader.engine.strategy_calls import compute_features, row_values
from gpt_trader.strategy import Strategy

FIELDS = 7
FIRST_ROOM = 256


class LiveFeatures:
    """What `decide` sees at the newest of the bars that were pushed: market fields and features, on the share basis of the first.

    `history` is how many bars the features need for a right last value (`strategy.warmup` where it declares one, as `gpt-trader
    check` proves): so many are kept, in memory that does not grow. None keeps every bar from the first on, for features that depend
    on where the data begin, such as an expanding mean; their start is then the first bar pushed.
    """

    def __init__(
        self, strategy: Strategy, symbols: tuple[str, ...], timeframe: str = "1d", history: int | None = None
    ) -> None:
        self.strategy, self.symbols, self.timeframe = strategy, symbols, timeframe
        self.history = history or strategy.warmup
        room = FIRST_ROOM if self.history is None else 2 * self.history
        self._panel = np.empty((FIELDS, room, len(symbols)))
        self._time = np.empty(room, "datetime64[ns]")
        self._factor = np.ones(len(symbols))
        self._count = 0

    def push(self, bar: Bar) -> dict[str, NDArray[Any]]:
        """Take the next bar (raw basis); the columns of a row, each (1, N) or (1, 1), as `decide` sees it.

        Raises StrategyError as `features` does.
        """
        if self._count == self._time.size:
            self._make_room()
        t = self._count
        self._count += 1
        if bar.split is not None:
            self._factor = self._factor * bar.split
        self._time[t] = np.datetime64(bar.time, "ns")
        self._panel[: VOLUME + 1, t] = bar.prices
        self._panel[OPEN : CLOSE + 1, t] *= self._factor
        self._panel[VOLUME, t] /= self._factor
        self._panel[SPLIT, t] = 1.0
        self._panel[DIVIDEND, t] = 0.0 if bar.dividend is None else bar.dividend * self._factor
        seen = self._bars()
        return {
            name: column[-1:]
            for name, column in row_values(seen, compute_features(self.strategy, seen)).items()
        }

    def _bars(self) -> Bars:
        """The last bars that the features need, on the continuous basis."""
        first = 0 if self.history is None else max(0, self._count - self.history)
        rows = slice(first, self._count)
        return Bars.of_checked(
            self.symbols, self._time[rows].copy(), self._panel[:, rows].copy(), self.timeframe, "split"
        )

    def _make_room(self) -> None:
        """Move what is still needed to the front, or to arrays of twice the size where all is."""
        if self.history is None:
            panel, time = self._panel, self._time
            self._panel = np.empty((FIELDS, 2 * time.size, len(self.symbols)))
            self._time = np.empty(2 * time.size, time.dtype)
            self._panel[:, : time.size], self._time[: time.size] = panel, time
            return
        keep = self.history - 1
        self._panel[:, :keep] = self._panel[:, self._count - keep : self._count].copy()
        self._time[:keep] = self._time[self._count - keep : self._count].copy()
        self._count = keep
