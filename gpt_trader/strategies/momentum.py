"""Cross-sectional momentum: the winners of the last months, once a month."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpt_trader import indicators as ta
from gpt_trader.bars import Bars
from gpt_trader.strategy import Features, Strategy, Weights, param

FRESH = np.timedelta64(7, "D")
"""A symbol without a bar for longer is halted or gone: it is not chosen and takes no place."""


@dataclass(frozen=True)
class Momentum(Strategy):
    """Each month hold the `top` symbols by return over `lookback` bars, each with the same share 1/`top` (1/N when there are
    fewer symbols); a return at or below `threshold` is not held and its share stays in cash.

    The month's choice is made on its first bar, by each symbol's latest return of the last seven days, and each symbol
    acts on it on its own first bar of the month: a Saturday may open the month of one and a Monday that of another.
    """

    lookback: int = param(126, low=1, high=2000, doc="bars of the return")
    top: int = param(20, low=1, high=1000, doc="symbols held at most")
    threshold: float = param(0.0, low=-1.0, high=10.0, doc="return below which nothing is held")

    def features(self, bars: Bars) -> Features:
        """`weight`: 1/top for each of the chosen on its first bar of each month, NaN (leave it) on all others."""
        months = bars.time.astype("datetime64[M]").astype(np.int64)
        traded = np.flatnonzero(bars.present.any(axis=1))
        opens = traded[np.diff(months[traded], prepend=months[traded][:1] - 1) != 0]
        latest, first = _rows_of_months(bars.present, opens)
        strength = ta.returns(bars.close, self.lookback)[latest, np.arange(bars.N)]
        fresh = bars.time[opens][:, None] - bars.time[latest] <= FRESH
        chosen = self.chosen_weights(np.where(fresh & (latest >= 0), strength, np.nan))
        weight = np.full((bars.T, bars.N), np.nan)
        month, n = np.nonzero(first < bars.T)
        weight[first[month, n], n] = chosen[month, n]
        return {"weight": weight}

    def chosen_weights(self, strength: NDArray[np.float64]) -> NDArray[np.float64]:
        """Equal weights (R, N) of the `top` strongest above the threshold; ties go to the earlier symbol."""
        strength = np.where(strength > self.threshold, strength, -np.inf)
        order = np.argsort(-strength, axis=1, kind="stable")[:, : self.top]
        chosen = np.zeros(strength.shape)
        np.put_along_axis(chosen, order, 1.0, axis=1)
        chosen *= strength > -np.inf
        weights: NDArray[np.float64] = chosen / min(self.top, strength.shape[1])
        return weights

    def decide(self, now: Any) -> Weights:
        """The month's weights."""
        return now.weight


def _rows_of_months(
    present: NDArray[np.bool_], opens: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """For R months that begin in the rows `opens`: each symbol's latest bar at or before that row (-1: none yet), and its first
    bar of the month (T: none), both (R, N)."""
    bars, symbols = present.shape
    if present.all():
        rows = np.broadcast_to(opens[:, None], (opens.size, symbols))
        return rows, rows
    row = np.arange(bars)[:, None]
    first = (
        np.minimum.reduceat(np.where(present, row, bars), opens, axis=0)
        if opens.size
        else np.empty((0, symbols), np.int64)
    )
    latest = np.maximum.accumulate(np.where(present, row, -1), axis=0)[opens]
    return latest, first
