"""What a vendor knows of a symbol: real raw bars with their splits and dividends, or the same set by hand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gpt_trader.adapters.exchange_calendar import load_calendar
from tests.shared_data import shared_data

Dates = NDArray[np.datetime64]
OHLC = ("open", "high", "low", "close")


@dataclass(frozen=True)
class Listing:
    """One symbol as traded: `daily` has date (datetime64[D] as ns), OHLC and volume, all raw; `minutes` the same
    with time, the start of the minute in New York, for all hours. `splits` are (ex-date, new per old),
    `dividends` (ex-date, dollars a share of that day). `empty` days have a row without prices, `absent` none.
    """

    symbol: str
    daily: pd.DataFrame
    splits: tuple[tuple[str, float], ...] = ()
    dividends: tuple[tuple[str, float], ...] = ()
    minutes: pd.DataFrame | None = None
    empty: tuple[str, ...] = ()
    absent: tuple[str, ...] = ()

    def days(self, today: str) -> pd.DataFrame:
        """The daily rows a vendor has on `today`; the prices of an empty day are NaN."""
        dates = self.daily["date"]
        known = self.daily[(dates <= pd.Timestamp(today)) & ~dates.isin(pd.to_datetime(list(self.absent)))]
        known = known.reset_index(drop=True)
        known.loc[known["date"].isin(pd.to_datetime(list(self.empty))), [*OHLC, "volume"]] = np.nan
        return known

    def later_splits(self, dates: Dates, today: str) -> NDArray[np.float64]:
        """(T,) product of the splits after each date that have happened by `today`."""
        factor = np.ones(dates.size)
        for date, ratio in self.splits:
            if date <= today:
                factor[dates < np.datetime64(date)] *= ratio
        return factor

    def dividend_factor(self, today: str) -> NDArray[np.float64]:
        """(T,) for `days(today)`: the product of 1 - dividend / last close before it, over later dividends."""
        days = self.days(today)
        dates = days["date"].to_numpy("datetime64[D]")
        close = days["close"].ffill().to_numpy() / self.later_splits(dates, today)
        factor = np.ones(dates.size)
        for date, cash in self.dividends:
            before = int(np.searchsorted(dates, np.datetime64(date))) - 1
            if date <= today and before >= 0:
                amount = cash / self.later_splits(np.array([date], "datetime64[D]"), today)[0]
                factor[: before + 1] *= 1 - amount / close[before]
        return factor

    def changed(self, change: Callable[[pd.DataFrame], None]) -> Listing:
        """The same with `change` done to a copy of the daily table: a vendor's revision."""
        daily = self.daily.copy()
        change(daily)
        return replace(self, daily=daily)


@lru_cache(maxsize=8)
def lean(symbol: str, first: str = "1998-01-02", last: str = "2021-03-31") -> Listing:
    """A real listing out of the LEAN files, from `first` to `last`."""
    daily = pd.read_parquet(shared_data("equity/lean_daily.parquet"), filters=[("symbol", "==", symbol)])
    daily = daily.assign(date=pd.to_datetime(daily["date"]).astype("datetime64[ns]")).drop(columns="symbol")
    daily = daily[(daily["date"] >= first) & (daily["date"] <= last)].reset_index(drop=True)
    actions = pd.read_parquet(shared_data("equity/lean_actions.parquet"), filters=[("file", "==", symbol)])
    dates = actions["ex_date"].astype(str)
    actions = actions.assign(date=dates)[(dates >= first) & (dates <= last)]
    minutes = pd.read_parquet(
        shared_data("equity/lean_minute_trades.parquet"), filters=[("symbol", "==", symbol)]
    )
    split, dividend = (actions[actions["kind"] == kind] for kind in ("split", "dividend"))
    return Listing(
        symbol,
        daily,
        tuple(zip(split["date"], split["value"], strict=True)),
        tuple(zip(dividend["date"], dividend["value"], strict=True)),
        minutes.drop(columns="symbol").reset_index(drop=True) if len(minutes) else None,
    )


def invented(symbol: str = "ABC", first: str = "2024-01-02", last: str = "2024-03-28") -> Listing:
    """A listing without the shared data: 100 dollars and a bit more each session, 2:1 on 2024-02-15."""
    dates = load_calendar("XNYS").sessions(first, last)
    close = np.round(100 + 0.25 * np.arange(dates.size) + 0.07 * (np.arange(dates.size) % 5), 2)
    split = "2024-02-15"
    close = np.where(dates < np.datetime64(split), close, close / 2)
    daily = pd.DataFrame({"date": dates.astype("datetime64[ns]"), "open": close - 0.12, "high": close + 0.5})
    daily = daily.assign(low=close - 0.5, close=close, volume=1_000_000 + 1000 * np.arange(dates.size))
    return Listing(symbol, daily, ((split, 2.0),), (("2024-01-18", 0.5), ("2024-03-07", 0.3)))
