"""Seeded synthetic bars: geometric Brownian motion on real sessions, the same bytes on every machine.

Each day of a series has random numbers of its own, drawn from (seed, symbol), so that another symbol, another span or a
revised calendar does not change them. Intraday bars are bridges inside the daily ones: they group to exactly those.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from gpt_trader.adapters.bar_tables import MINUTES, checked_span, coarser, group_bars, within
from gpt_trader.adapters.exchange_calendar import load_calendar
from gpt_trader.adapters.universe import _VALID as VALID_SYMBOL
from gpt_trader.calendars import SessionCalendar
from gpt_trader.errors import BadParameter, SymbolNotFound
from gpt_trader.normal import normal_quantile
from gpt_trader.sources import SERIES_COLUMNS, BarRequest, Series

if TYPE_CHECKING:
    import pandas as pd

Floats = NDArray[np.float64]
_DRAWS = 8  # random numbers a day: night, day, high, low, volume, jump?, jump size, regime
_OVERNIGHT = 0.3  # share of a day's variance that falls between close and open


@dataclass(frozen=True, slots=True)
class SyntheticModel:
    """How prices move. `drift` and `volatility` are per year (252 sessions) in logarithms; `first_price` None draws
    one between 20 and 200. `jumps` is the expected number of overnight jumps a year, `jump_size` their standard
    deviation. With `regimes` the volatility switches between 0.7 and 1.8 times its value, calm for 250 and stressed
    for 60 sessions on average.
    """

    drift: float = 0.06
    volatility: float = 0.25
    first_price: float | None = None
    jumps: float = 0.0
    jump_size: float = 0.08
    regimes: bool = False

    def __post_init__(self) -> None:
        if not (0 <= self.volatility < 10 and abs(self.drift) < 10):
            raise BadParameter(f"volatility {self.volatility} and drift {self.drift} must be below 10 a year")
        if self.first_price is not None and not 0.01 <= self.first_price <= 1e6:
            raise BadParameter(f"first price {self.first_price} must lie between 0.01 and 1,000,000")


class SyntheticSource:
    """Bars of any symbol from `first` to `last`, on the sessions of `calendar`.

    With `symbols` only those exist; else every well-formed name does. Timeframes 1m to 1mo; an intraday bar exists for
    every minute of regular trading, half days included. Splits and dividends do not occur.
    """

    name = "synthetic"

    def __init__(
        self,
        seed: int = 0,
        model: SyntheticModel | None = None,
        *,
        calendar: str = "XNYS",
        first: str = "2000-01-03",
        last: str = "2024-12-31",
        symbols: tuple[str, ...] | None = None,
    ) -> None:
        self.seed, self.model = int(seed), model or SyntheticModel()
        self.first, self.last = np.datetime64(first, "D"), np.datetime64(last, "D")
        self.calendar_name, self.known = calendar, symbols

    def symbols(self) -> tuple[str, ...]:
        """The symbols that exist; empty when every name does."""
        return self.known or ()

    def fetch(self, request: BarRequest) -> Series:
        """See BarSource. Raises SymbolNotFound for a malformed name or one outside `symbols`."""
        start, end = checked_span(request)
        symbol = request.symbol
        if not VALID_SYMBOL.fullmatch(symbol) or (self.known is not None and symbol not in self.known):
            raise SymbolNotFound(
                f"{symbol}: the synthetic source has no such symbol; use letters, digits and .-=^/"
            )
        calendar = load_calendar(self.calendar_name, self.first, self.last)
        daily = _daily_bars(f"{self.seed}:{symbol}", self.model, calendar)
        if MINUTES[request.timeframe] >= 1440:
            frame = coarser(daily, "1d", request)
        else:
            frame = self._intraday(daily, calendar, request)
        return Series(request, within(frame, start, end), self.name, request.adjustment)

    def _intraday(self, daily: pd.DataFrame, calendar: SessionCalendar, request: BarRequest) -> pd.DataFrame:
        import pandas as pd

        start, end = checked_span(request)
        low = 0 if start is None else int(np.searchsorted(calendar.closes, start, "right"))
        high = calendar.dates.size if end is None else int(np.searchsorted(calendar.opens, end, "right"))
        if low >= high:
            return daily.head(0)
        prices = daily[["open", "high", "low", "close", "volume"]].to_numpy()
        step = np.timedelta64(MINUTES[request.timeframe], "m")
        parts, labels = [], []
        for row in range(low, high):
            opened, closed = calendar.opens[row], calendar.closes[row]
            key = f"{self.seed}:{request.symbol}:{calendar.dates[row]}"
            minutes = _session_minutes(key, prices[row], int((closed - opened) / np.timedelta64(1, "m")))
            times = opened + np.arange(minutes.shape[1]) * np.timedelta64(1, "m")
            labels.append(opened + (times - opened) // step * step)
            parts.append(minutes)
        table = pd.DataFrame(np.concatenate(parts, axis=1).T, columns=list(SERIES_COLUMNS[1:]))
        return group_bars(table, np.concatenate(labels))


def _draws(key: str, count: int) -> Floats:
    """`count` uniform numbers inside (0, 1) from the raw bits of PCG64, whose stream numpy guarantees (NEP 19)."""
    seed = int.from_bytes(hashlib.sha256(key.encode()).digest(), "big")
    bits: NDArray[np.uint64] = np.random.PCG64(np.random.SeedSequence(seed)).random_raw(count)
    return ((bits >> np.uint64(11)).astype(np.float64) + 0.5) * 2.0**-53


@lru_cache(maxsize=64)
def _daily_bars(key: str, model: SyntheticModel, calendar: SessionCalendar) -> pd.DataFrame:
    import pandas as pd

    dates = calendar.dates
    day = (dates - calendar.first).astype(np.int64)
    uniform = _draws(key, (int(day[-1]) + 1) * _DRAWS).reshape(-1, _DRAWS)[day]
    night, session, size, loud = normal_quantile(uniform[:, [0, 1, 6, 4]]).T
    yearly = model.volatility * _regimes(uniform[:, 7], model)
    sigma = yearly / np.sqrt(252.0)
    trend = (model.drift - 0.5 * yearly**2) / 252.0
    jump = np.where(uniform[:, 5] < model.jumps / 252.0, model.jump_size * size, 0.0)
    over = trend * _OVERNIGHT + sigma * np.sqrt(_OVERNIGHT) * night + jump
    inside = trend * (1 - _OVERNIGHT) + sigma * np.sqrt(1 - _OVERNIGHT) * session
    over[0] = 0.0
    total = np.cumsum(over + inside)
    first = model.first_price or float(20.0 * 10.0 ** _draws(key + ":price", 1)[0])
    opened, closed = np.log(first) + total - inside, np.log(first) + total
    # The extremes of a Brownian bridge between the two (Karatzas and Shreve 1991, problem 2.8.13, inverted).
    spread = 2.0 * sigma**2 * (1 - _OVERNIGHT)
    reach_up = np.sqrt(inside**2 - spread * np.log(uniform[:, 2]))
    reach_down = np.sqrt(inside**2 - spread * np.log(uniform[:, 3]))
    prices = {
        "open": opened,
        "high": (opened + closed + reach_up) / 2.0,
        "low": (opened + closed - reach_down) / 2.0,
        "close": closed,
    }
    rounded = {name: _ticks(np.exp(value)) for name, value in prices.items()}
    rounded["high"] = np.maximum.reduce([rounded["open"], rounded["high"], rounded["close"]])
    rounded["low"] = np.minimum.reduce([rounded["open"], rounded["low"], rounded["close"]])
    volume = np.round(1e6 * np.exp(0.35 * loud) * (0.6 + 0.5 * np.abs(session)))
    neutral = {"split": np.ones(dates.size), "dividend": np.zeros(dates.size)}
    return pd.DataFrame({"time": dates.astype("datetime64[ns]")} | rounded | {"volume": volume} | neutral)


def _ticks(price: Floats) -> Floats:
    """Prices on a grid of cents, of 1/10,000 below a dollar: hides how exp() differs between machines."""
    return np.where(price >= 1.0, np.round(price, 2), np.maximum(np.round(price, 4), 0.0001))


def _regimes(uniform: Floats, model: SyntheticModel) -> Floats:
    factor = np.ones(uniform.size)
    if not model.regimes:
        return factor
    stressed = False
    for row, draw in enumerate(uniform.tolist()):
        stressed ^= draw < (1 / 60 if stressed else 1 / 250)
        factor[row] = 1.8 if stressed else 0.7
    return factor


def _session_minutes(key: str, day: Floats, count: int) -> Floats:
    """(7, count) minutes of one session: a Brownian bridge from the day's open to its close through high and low.

    `day` is open, high, low, close, volume. The highest minute touches the day's high, the lowest its low, and the
    volumes (more at both ends of the session) add up to the day's.
    """
    start, high, low, end, volume = (float(value) for value in day)
    uniform = _draws(key, 4 * count).reshape(4, count)
    walk = np.append(0.0, np.cumsum(normal_quantile(uniform[0])))
    share = np.arange(count + 1) / count
    path = start + (end - start) * share + (walk - walk[-1] * share) * (high - low) / np.sqrt(4.0 * count)
    path = np.clip(_ticks(np.maximum(path, 1e-4)), low, high)
    path[0], path[-1] = start, end
    begin, finish = path[:-1], path[1:]
    wick = (high - low) / np.sqrt(16.0 * count)
    upper, lower = np.maximum(begin, finish), np.minimum(begin, finish)
    top = np.minimum(_ticks(upper + wick * uniform[1]), high)
    bottom = np.maximum(_ticks(np.maximum(lower - wick * uniform[2], 1e-4)), low)
    top[int(np.argmax(top))], bottom[int(np.argmin(bottom))] = high, low
    weight = (0.4 + 4.0 * (share[:-1] - 0.5) ** 2) * (0.5 + uniform[3])
    traded = np.floor(np.cumsum(weight) / weight.sum() * volume)
    traded[-1] = volume
    minutes = (begin, np.maximum(top, upper), np.minimum(bottom, lower), finish, np.diff(traded, prepend=0.0))
    return np.stack([*minutes, np.ones(count), np.zeros(count)])
