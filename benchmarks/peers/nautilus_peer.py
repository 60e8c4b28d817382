"""NautilusTrader (needs Python 3.12): its event-driven engine on bars, logging off.

A market order fills at once at the close of the bar in which it was decided, which is how this engine executes on bars;
it is compared with the bare loop under the same rule.
"""

from __future__ import annotations

from decimal import Decimal
from importlib.metadata import version
from typing import Any

import numpy as np
from nautilus_trader.backtest.config import BacktestEngineConfig
from nautilus_trader.backtest.engine import BacktestEngine
from nautilus_trader.common.config import LoggingConfig
from nautilus_trader.config import StrategyConfig
from nautilus_trader.indicators import SimpleMovingAverage
from nautilus_trader.model.currencies import USD
from nautilus_trader.model.data import Bar, BarType
from nautilus_trader.model.enums import AccountType, OmsType, OrderSide
from nautilus_trader.model.identifiers import InstrumentId, Symbol, Venue
from nautilus_trader.model.instruments import Equity
from nautilus_trader.model.objects import Money, Price, Quantity
from nautilus_trader.trading.strategy import Strategy

from benchmarks import definitions as given
from benchmarks.data import Data
from benchmarks.worker import Makers, Task, serve

VENUE = Venue("SIM")
INSTRUMENT = InstrumentId(Symbol("A"), VENUE)
DIGITS = 6


class TwoAveragesConfig(StrategyConfig, frozen=True):
    """Which bars to trade."""

    bar_type: BarType


class TwoAverages(Strategy):
    """W1."""

    def __init__(self, config: TwoAveragesConfig) -> None:
        super().__init__(config)
        self.quick = SimpleMovingAverage(given.FAST)
        self.calm = SimpleMovingAverage(given.SLOW)
        self.held = False

    def on_start(self) -> None:
        """Bars feed both averages."""
        self.register_indicator_for_bars(self.config.bar_type, self.quick)
        self.register_indicator_for_bars(self.config.bar_type, self.calm)
        self.subscribe_bars(self.config.bar_type)

    def on_bar(self, bar: Bar) -> None:  # noqa: ARG002 - the indicators have read it
        """SHARES while the fast average leads."""
        if not self.calm.initialized:
            return
        above = self.quick.value > self.calm.value
        if above != self.held:
            self.held = above
            side = OrderSide.BUY if above else OrderSide.SELL
            self.submit_order(
                self.order_factory.market(INSTRUMENT, side, Quantity.from_int(int(given.SHARES)))
            )


def instrument() -> Equity:
    """A share with prices of DIGITS digits and the common commission."""
    fee = Decimal(str(given.COMMISSION))
    step = Price(10.0**-DIGITS, DIGITS)
    return Equity(
        INSTRUMENT,
        INSTRUMENT.symbol,
        USD,
        DIGITS,
        step,
        Quantity.from_int(1),
        0,
        0,
        maker_fee=fee,
        taker_fee=fee,
    )


def bars_of(data: Data, bar_type: BarType) -> list[Bar]:
    """The library's own bars, stamped at their close."""
    volume = Quantity.from_int(1_000_000)
    stamps = data.time.astype(np.int64).tolist()
    columns = [column[:, 0].tolist() for column in (data.open, data.high, data.low, data.close)]
    return [
        Bar(bar_type, *(Price(value, DIGITS) for value in row), volume, stamp, stamp)
        for *row, stamp in zip(*columns, stamps, strict=True)
    ]


def averages(data: Data) -> Task:
    """W1: engine, venue and strategy anew each time, as `run` needs; statistics by its analyzer."""
    step = "1-MINUTE" if data.time[1] - data.time[0] < np.timedelta64(1, "h") else "1-DAY"
    bar_type = BarType.from_str(f"{INSTRUMENT}-{step}-LAST-EXTERNAL")
    bars = bars_of(data, bar_type)

    def engine() -> BacktestEngine:
        made = BacktestEngine(BacktestEngineConfig(logging=LoggingConfig(bypass_logging=True)))
        made.add_venue(
            VENUE, OmsType.NETTING, AccountType.CASH, [Money(given.CAPITAL, USD)], base_currency=USD
        )
        made.add_instrument(instrument())
        made.add_data(bars)
        made.add_strategy(TwoAverages(TwoAveragesConfig(bar_type=bar_type)))
        return made

    def run(_: None) -> Any:
        made = engine()
        made.run()
        made.get_result()
        return made

    def answer(made: BacktestEngine) -> tuple[int, float]:
        cash = float(made.portfolio.account(VENUE).balance_total(USD))
        open_now = made.cache.positions_open()
        held = sum(float(position.signed_qty) for position in open_now)
        closed = len(made.cache.positions_closed()) + len(made.cache.position_snapshots())
        made.dispose()
        return closed, cash + held * float(data.close[-1, 0])

    return Task(run, answer)


MAKERS: Makers = {"W1/close": averages, "W1L/close": averages}

if __name__ == "__main__":
    serve("NautilusTrader", version("nautilus_trader"), MAKERS)
