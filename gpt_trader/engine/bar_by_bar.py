"""One strategy, one account and the simulated venue, a bar at a time, as a session trades: the backtest's other way to be run.

Account and venue talk in events and commands alone; each sees the bars up to its own. tests/parity/test_bar_by_bar.py compares
every table with the backtest's.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gpt_trader.bars import DIVIDEND, SPLIT
from gpt_trader.engine import messages
from gpt_trader.engine.account_step import NOTHING_WRITTEN, Account, new_state
from gpt_trader.engine.market_window import Window
from gpt_trader.engine.recorder import Recorder
from gpt_trader.engine.records import ATR_SIZE, ATR_STOP, EVENT, REGIME, SCORE, MarketData, Records
from gpt_trader.engine.sim_venue import SimVenue


class Bar(NamedTuple):
    """One bar of N symbols on the raw basis.

    `time` ns since 1970; `prices` (5, N) open, high, low, close, volume, NaN where a symbol has none; `split`, `dividend` and
    `delisted` (N,) are effective before its open, None where nothing is; `atr_stop`, `atr_size` and `score` (N,) are average true
    ranges and ranks, where rules need them; `regime` says whether new longs are allowed.
    """

    time: int
    prices: NDArray[np.float64]
    split: NDArray[np.float64] | None = None
    dividend: NDArray[np.float64] | None = None
    delisted: NDArray[np.bool_] | None = None
    atr_stop: Any = np.nan
    atr_size: Any = np.nan
    score: Any = np.nan
    regime: bool = True


def bars_of(market: MarketData) -> Iterator[Bar]:
    """The bars of a backtest's market, one after the other."""
    panel, signals = market.panel, market.signals
    whole = signals.shape[1] > 1
    for t in range(panel.shape[1]):
        stop, size, score = (signals[i, t] if whole else np.nan for i in (ATR_STOP, ATR_SIZE, SCORE))
        event = bool(market.flags[t] & EVENT)
        yield Bar(
            int(market.time[t]), panel[:5, t], panel[SPLIT, t] if event else None, panel[DIVIDEND, t] if event else None,
            market.info["last_session"] == t - 1 if event else None, stop, size, score, bool(market.flags[t] & REGIME),
        )  # fmt: skip


BAR_OPENED, BAR_CLOSED = (messages.BarOpened(),), messages.BarClosed()


class Trader:
    """An account, its simulated venue and their window; `recorder` gets what is written down."""

    def __init__(
        self, info: Records, capital: float, rules: Records, rows: int, recorder: Recorder, *, signals: bool
    ) -> None:
        self.window = Window(info, rows, signals=signals)
        self.account = Account(new_state(len(info), capital), rules, self.window)
        self.venue = SimVenue(len(info), capital, rules, self.window)
        self.recorder = recorder
        self._waiting: list[messages.Command] = []

    def bar(self, bar: Bar) -> None:
        """Steps 0 to 3 of the next bar; then the account is what a decision at its close sees."""
        window = self.window
        next_id = self.account.next_id
        window.open(bar.time, bar.split, bar.dividend, bar.delisted)
        self._take(BAR_OPENED)
        self._send_commands()
        window.close(bar.prices, bar.atr_stop, bar.atr_size, bar.score, regime=bar.regime)
        self._take([*self.venue.step(next_id), BAR_CLOSED])
        self._send_commands()  # what the monitors cancelled is gone when the strategy decides

    def decided(self, event: messages.Targets | messages.Requests) -> None:
        """Steps 5 and 6: what was decided at the close of the bar."""
        self._take((event,))
        self._send_commands()

    def _take(self, events: Iterable[messages.Event]) -> None:
        commands, written = self.account.apply(events)
        self._waiting += commands
        if written is not NOTHING_WRITTEN:
            self.recorder.add(written)

    def _send_commands(self) -> None:
        """Send the commands that wait, and take the answers."""
        if self._waiting:
            sent, self._waiting = self._waiting, []
            answers = self.venue.receive(sent)
            if answers:
                self._take(answers)
