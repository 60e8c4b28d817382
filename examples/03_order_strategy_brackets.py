"""A strategy that places its own orders: a bid below the market for one bar, with a target and a stop behind it.

$ python examples/03_order_strategy_brackets.py
"""

from dataclasses import dataclass

from gpt_trader import Bars, OrderStrategy, backtest, load_bars, param, per_symbol, ta
from gpt_trader.orders import limit, nothing


@dataclass(frozen=True)
class BidBelow(OrderStrategy):
    """While flat and above the mean: bid `depth` ATRs below the close, good for one bar; `risk` of equity between bid and stop."""

    depth: float = param(0.5, low=0.0, high=5.0, doc="ATRs below the close")
    reach: float = param(2.0, low=0.5, high=10.0, doc="ATRs from the bid to target and stop")
    risk: float = param(0.01, low=0.001, high=0.05, doc="share of equity lost at the stop")

    def features(self, bars: Bars):
        """The trend and the size of a usual day."""
        return {"mean": ta.sma(bars.close, 100), "atr": ta.atr(bars.high, bars.low, bars.close, 14)}

    @per_symbol
    def decide(self, now, held):
        """One bracket order a bar while flat, nothing otherwise: its legs look after the position."""
        if held.quantity == 0 and now.close > now.mean and now.atr > 0:
            bid = now.close - self.depth * now.atr
            distance = self.reach * now.atr
            shares = held.equity * self.risk // distance
            return limit(shares, bid, take_profit=bid + distance, stop_loss=bid - distance, day=1)
        return nothing()


def main() -> None:
    """Run it and follow one bracket through the tables."""
    # Split-adjusted: order strategies count shares, so prices and shares should be on one basis.
    bars = load_bars(["AAPL"], start="2005-01-01", end="2010-12-31", adjustment="split")
    result = backtest(BidBelow(), bars)
    print(result.orders.groupby(["kind", "status"]).size().to_string())
    first = int(result.closed_trades["trade_id"].iloc[0])
    parent = int(result.fills["order_id"].iloc[0])
    family = result.orders[(result.orders["order_id"] == parent) | (result.orders["parent_id"] == parent)]
    columns = ["order_id", "parent_id", "time", "side", "kind", "limit", "stop", "status", "end_reason"]
    print(family[columns].to_string(index=False, float_format="%.2f"))
    print(result.closed_trades.loc[first, ["entry_time", "exit_time", "pnl", "mae", "mfe"]].to_string())
    metrics = result.metrics
    print(f"{metrics['round_trips']:.0f} round trips, profit factor {metrics['profit_factor']:.2f}")


if __name__ == "__main__":
    main()
