"""Splits and dividends of real stocks against LEAN's factor files: two independent accounts of the same 23 years.

The bars are raw prices with split and dividend events (`lean_daily`, `lean_actions`). The factor files (`lean_factors`) give the
adjusted price raw x price_factor x split_factor, and with it the return of a holder who reinvests every dividend. The engine pays
dividends in CASH, so two comparable quantities are tested:

* reinvested: weight 1 with `rebalance="bar"` puts the cash of an ex-date to work at the next open. The factor file reinvests at
  the close before the ex-date less the dividend; the two prices lie one or two days apart, which over about a hundred dividends
  stays below 0.1 % of the final value.
* kept: the plain holding, whose cash is the sum of its dividends. Here the factor file is solved for the dividends
  (close before the ex-date x (1 - factor / next factor)) and for the splits, and the sum must agree to 0.001 % (the rounding of the
  factors: seven digits).
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest

from gpt_trader import Allocation, Bars, Costs, FillModel, Instrument, Result, backtest
from gpt_trader.strategies import load_strategy
from tests.properties.truth_cases import ALL_IN, FREE, UNCAPPED, scripted
from tests.shared_data import shared_data

START, END = "1998-01-02", "2021-03-31"
SPLITS = {"AAPL": [2.0, 2.0, 7.0, 4.0], "IBM": [2.0], "SPY": [], "AIG": [1.5, 1.25, 1.5, 0.05]}


@cache
def frame(name: str) -> pd.DataFrame:
    return pd.read_parquet(shared_data(f"equity/{name}.parquet"))


@cache
def raw_bars(symbol: str) -> Bars:
    """Prices as traded with their events."""
    prices = frame("lean_daily").query("symbol == @symbol").set_index("date")
    events = frame("lean_actions").query(
        "file == @symbol and ex_date >= @prices.index[0] and ex_date <= @prices.index[-1]"
    )
    prices = prices.assign(split=1.0, dividend=0.0)
    for event in events.itertuples():
        prices.loc[event.ex_date, event.kind] = event.value
    bars = Bars.from_frame(
        {symbol: prices.reset_index().drop(columns="symbol").rename(columns={"date": "time"})}
    )
    assert (str(bars.time[0])[:10], str(bars.time[-1])[:10]) == (START, END)
    assert bars.split[bars.split != 1.0].tolist() == SPLITS[symbol]
    return bars


@cache
def factors(symbol: str) -> tuple[np.ndarray, np.ndarray]:
    """(T,) price factor and split factor of every bar: the row of the first date at or after it."""
    rows = frame("lean_factors").query("file == @symbol").sort_values("date")
    dates = rows["date"].to_numpy().astype("datetime64[D]")
    at = np.searchsorted(dates, raw_bars(symbol).time.astype("datetime64[D]"))
    return rows["price_factor"].to_numpy()[at], rows["split_factor"].to_numpy()[at]


def held(symbol: str, **options: Any) -> Result:
    """Buy and hold from the second bar's open on, all in, fractions of shares, no costs."""
    given = {
        "allocation": ALL_IN, "costs": FREE, "fills": UNCAPPED, "instruments": (Instrument(symbol, lot=0.0),),
        "benchmark": False, "capital": 1_000_000.0,
    } | options  # fmt: skip
    return backtest(load_strategy("buy_and_hold")(), raw_bars(symbol), **given)


@pytest.mark.parametrize("symbol", ["AAPL", "IBM", "SPY"])
def test_holding_with_reinvested_dividends_earns_the_total_return(symbol: str) -> None:
    """Within 0.1 % over 1998-2021, from the close of bar 10 on, when the last cent is invested."""
    result = held(symbol, allocation=Allocation(gross=1.0, rebalance="bar"))
    adjusted = raw_bars(symbol).close[:, 0] * np.prod(factors(symbol), axis=0)
    equity = result.equity["equity"].to_numpy()
    assert result.equity["cash"].iloc[10] < 1.0
    assert equity[-1] / equity[10] == pytest.approx(adjusted[-1] / adjusted[10], rel=1e-3)


@pytest.mark.parametrize("symbol", ["AAPL", "IBM", "SPY"])
def test_holding_with_dividends_in_cash_earns_what_the_factors_imply(symbol: str) -> None:
    """Quantity follows the split factors; cash is the sum over dividends of (shares before the ex-date) x implied dividend."""
    result = held(symbol)
    bars = raw_bars(symbol)
    price, split = factors(symbol)
    bought = result.log("fills")["quantity"][0]
    shares = bought * split / split[1]
    ratio = price[:-1] / price[1:]
    paid = np.concatenate([[0.0], bars.close[:-1, 0] * (1.0 - ratio) * shares[:-1]])
    cash = 1_000_000 - bought * bars.open[1, 0] + paid[2:].sum()
    assert len(result.fills) == 1
    assert result.equity["cash"].iloc[-1] == pytest.approx(cash, rel=1e-5)
    assert result.metrics["final_equity"] == pytest.approx(cash + shares[-1] * bars.close[-1, 0], rel=1e-5)
    assert result.metrics["final_equity"] == pytest.approx(1_000_000 + result.metrics["open_pnl"], rel=1e-12)


@pytest.mark.parametrize("symbol", ["AAPL", "IBM", "AIG"])
def test_a_split_day_is_an_ordinary_day(symbol: str) -> None:
    """The account moves by the close-to-close return times the split ratio: the raw price halves, the equity does not."""
    result, bars = held(symbol), raw_bars(symbol)
    value = result.equity["equity"].to_numpy() - result.equity["cash"].to_numpy()
    for t in np.flatnonzero(bars.split[:, 0] != 1.0):
        restated = bars.close[t, 0] * bars.split[t, 0] / bars.close[t - 1, 0]
        assert abs(bars.close[t, 0] / bars.close[t - 1, 0] - 1.0) > 0.15, "the raw price jumps"
        assert value[t] / value[t - 1] == pytest.approx(restated, rel=1e-9)
        assert (
            abs(restated - 1.0) < 0.21
        )  # AIG did fall by a fifth on 2009-07-01; its raw price rose sixteenfold


def test_whole_shares_are_paid_the_rest_in_cash() -> None:
    """777 shares of AIG over splits of 3:2, 5:4, 3:2 and 1:20: 1165.5, 1456.25, 2184 and 109.2 shares. Every fraction is paid at
    the restated mark of the close before, and every dividend on whole shares."""
    bars = raw_bars("AIG")
    units = scripted(np.r_[777.0, np.full(bars.T - 1, np.nan)], target="units")
    result = backtest(units, bars, capital=1_000_000.0, costs=FREE, fills=FillModel(None), benchmark=False)
    shares, cash, holdings = 777.0, 1_000_000 - 777 * bars.open[1, 0], []
    for t in range(2, bars.T):
        ratio = bars.split[t, 0]
        exact = shares * ratio
        shares = np.floor(exact + 1e-9)
        cash += (exact - shares) * bars.close[t - 1, 0] / ratio + shares * bars.dividend[t, 0]
        if ratio != 1.0:
            holdings.append(shares)
    assert holdings == [1165.0, 1456.0, 2184.0, 109.0]
    assert result.positions["quantity"].iloc[-1] == 109.0
    assert result.equity["cash"].iloc[-1] == pytest.approx(cash, rel=1e-12)
    assert result.metrics["final_equity"] == pytest.approx(cash + 109 * bars.close[-1, 0], rel=1e-12)


def test_a_forgotten_split_or_dividend_would_be_seen() -> None:
    """The same AAPL without its events: the split-less run ends far below, the dividend-less one below."""
    bars = raw_bars("AAPL")
    whole = held("AAPL").metrics["final_equity"]
    for field, share in ((5, 0.05), (6, 0.999)):
        panel = bars.panel.copy()
        panel[field] = 1.0 if field == 5 else 0.0
        options = {
            "costs": Costs.commission_only(0.0),
            "fills": UNCAPPED,
            "allocation": ALL_IN,
            "benchmark": False,
        }
        less = backtest(
            load_strategy("buy_and_hold")(), Bars(bars.symbols, bars.time, panel), capital=1e6, **options
        )
        assert less.metrics["final_equity"] < share * whole
