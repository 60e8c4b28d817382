"""backtrader: market orders for W1 and W3, brackets for W4; fed from arrays, which is faster than its own DataFrame feed."""

from __future__ import annotations

from typing import Any

import backtrader as bt
import numpy as np

from benchmarks import definitions as given
from benchmarks.data import Data
from benchmarks.worker import Makers, Task, serve


class Feed(bt.feed.DataBase):
    """One symbol of the data."""

    params = (("columns", None), ("stamps", None))

    def start(self) -> None:
        """Back to the first bar."""
        super().start()
        self.row = 0

    def _load(self) -> bool:
        if self.row >= len(self.p.stamps):
            return False
        opened, high, low, close, volume = self.p.columns
        row, lines = self.row, self.lines
        lines.datetime[0] = self.p.stamps[row]
        lines.open[0], lines.high[0], lines.low[0], lines.close[0] = (
            opened[row],
            high[row],
            low[row],
            close[row],
        )
        lines.volume[0] = volume[row]
        lines.openinterest[0] = 0.0
        self.row += 1
        return True


class TwoAverages(bt.Strategy):
    """W1."""

    def __init__(self) -> None:
        self.quick = bt.indicators.SimpleMovingAverage(self.data.close, period=given.FAST)
        self.calm = bt.indicators.SimpleMovingAverage(self.data.close, period=given.SLOW)

    def next(self) -> None:
        """SHARES while the fast one leads."""
        if self.quick[0] > self.calm[0]:
            if not self.position:
                self.buy(size=given.SHARES)
        elif self.position:
            self.close()


class Brackets(TwoAverages):
    """W4."""

    def __init__(self) -> None:
        super().__init__()
        self.was = False
        self.entry: Any = None

    def next(self) -> None:
        """A bracketed entry order in place of the last one."""
        above = self.quick[0] > self.calm[0]
        turned, self.was = above != self.was, above
        if not turned or self.position:
            return
        if self.entry is not None and self.entry.alive():
            self.cancel(self.entry)
        close = self.data.close[0]
        price = close * (1.0 - given.LIMIT_BELOW if above else 1.0 + given.STOP_ABOVE)
        self.entry = self.buy_bracket(
            size=given.SHARES, price=price, exectype=bt.Order.Limit if above else bt.Order.Stop,
            stopprice=price * (1.0 - given.STOP_LOSS), limitprice=price * (1.0 + given.TARGET_GAIN),
        )[0]  # fmt: skip


class Momentum(bt.Strategy):
    """W3."""

    def __init__(self) -> None:
        self.month = -1

    def prenext(self) -> None:
        """All symbols start together, so that this is never called with data."""

    def next(self) -> None:
        """Sales first, then purchases, of what the month's weights are away from the holdings."""
        month = self.data.datetime.date(0).month
        turned, self.month = month != self.month, month
        if not turned or len(self) <= given.LOOKBACK:
            return
        strength = np.array([feed.close[0] / feed.close[-given.LOOKBACK] for feed in self.datas])
        chosen = np.zeros(len(self.datas), bool)
        chosen[np.argsort(-strength, kind="stable")[: given.TOP]] = True
        value = self.broker.getvalue()
        changes = []
        for feed, wanted in zip(self.datas, chosen, strict=True):
            target = given.WEIGHT * value / feed.close[0] if wanted else 0.0
            change = target - self.getposition(feed).size
            if change != 0.0:
                changes.append((change, feed))
        for change, feed in sorted(changes, key=lambda item: item[0] > 0.0):
            (self.buy if change > 0.0 else self.sell)(feed, size=abs(change))


class Fills(bt.Analyzer):
    """The number of executed orders."""

    def start(self) -> None:
        """None yet."""
        self.count = 0

    def notify_order(self, order: Any) -> None:
        """Completed orders count."""
        self.count += order.status == order.Completed

    def get_analysis(self) -> int:
        """The count."""
        return self.count


def task(strategy: type[bt.Strategy], *, fills: bool = False) -> Any:
    """One run with the analyzers that give about what the others report."""

    def make(data: Data) -> Task:
        stamps = bt.date2num  # days since year 1, as the library counts them
        moments = [stamps(moment) for moment in data.time.astype("datetime64[us]").tolist()]
        columns = [
            [column[:, n].tolist() for column in (data.open, data.high, data.low, data.close, data.volume)]
            for n in range(data.close.shape[1])
        ]

        def run(_: None) -> Any:
            cerebro = bt.Cerebro(stdstats=False)
            for one in columns:
                cerebro.adddata(Feed(columns=one, stamps=moments))
            cerebro.broker.setcash(given.CAPITAL)
            cerebro.broker.setcommission(commission=given.COMMISSION)
            cerebro.addstrategy(strategy)
            for analyzer in (
                bt.analyzers.DrawDown,
                bt.analyzers.TradeAnalyzer,
                bt.analyzers.SharpeRatio,
                Fills,
            ):
                cerebro.addanalyzer(analyzer)
            return cerebro.run()[0]

        def answer(done: Any) -> tuple[int, float]:
            if fills:
                return done.analyzers.fills.get_analysis(), done.broker.getvalue()
            return done.analyzers.tradeanalyzer.get_analysis().total.closed, done.broker.getvalue()

        return Task(run, answer)

    return make


MAKERS: Makers = {
    "W1": task(TwoAverages),
    "W1L": task(TwoAverages),
    "W3": task(Momentum, fills=True),
    "W4": task(Brackets),
}

if __name__ == "__main__":
    serve("backtrader", bt.__version__, MAKERS)
