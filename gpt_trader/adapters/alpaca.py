"""Bars of US stocks from Alpaca through the unmodified alpaca-py client."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from gpt_trader.adapters.bar_tables import (
    Span,
    Times,
    group_bars,
    within,
)
from gpt_trader.adapters.exchange_calendar import load_calendar
from gpt_trader.adapters.http_policy import (
    RetryPolicy,
    Unrepeatable,
    polite_requests_adapter,
    retry_after,
)
from gpt_trader.adapters.vendor_rows import (
    DAY,
    INTRADAY_MINUTES,
    LOOK_BACK,
    Actions,
    checked_span,
    unfinished_note,
    whole_periods,
)
from gpt_trader.bars import parse_time
from gpt_trader.errors import (
    BadParameter,
    RateLimited,
    SourceUnavailable,
    SymbolNotFound,
    UserError,
)
from gpt_trader.sources import SERIES_COLUMNS, BarRequest, Series

if TYPE_CHECKING:
    import pandas as pd
    from pydantic import SecretStr

FEEDS = ("iex", "sip", "delayed_sip", "otc", "boats", "overnight")
FIRST_DAY = np.datetime64("2016-01-01")
"""Alpaca's stock history begins in 2016."""
KEY_ID_NAMES = ("GPT_TRADER_SECRETS__ALPACA_KEY_ID", "ALPACA_API_KEY_ID", "APCA_API_KEY_ID")
SECRET_KEY_NAMES = ("GPT_TRADER_SECRETS__ALPACA_SECRET_KEY", "ALPACA_API_SECRET_KEY", "APCA_API_SECRET_KEY")
UNITS = {"1m": (1, "Min"), "5m": (5, "Min"), "15m": (15, "Min"), "30m": (30, "Min"), "1h": (30, "Min")}
ACTION_TYPES = ("forward_split", "reverse_split", "stock_dividend", "cash_dividend", "spin_off")
PROCESSED_WITHIN = 120 * DAY
"""Actions are asked for by the day Alpaca processes them, for a dividend its payment, weeks after the ex-date."""


@dataclass(frozen=True, slots=True)
class AlpacaKeys:
    """The two halves of an Alpaca API key; neither shows in its repr."""

    key_id: SecretStr
    secret_key: SecretStr

    @classmethod
    def found(
        cls, key_id: SecretStr | None, secret_key: SecretStr | None, environment: Mapping[str, str]
    ) -> AlpacaKeys:
        """The given halves, or those of the environment. Raises UserError naming what is not set."""
        from pydantic import SecretStr

        halves = []
        for given, names in ((key_id, KEY_ID_NAMES), (secret_key, SECRET_KEY_NAMES)):
            text = next(
                (environment[name].strip() for name in names if environment.get(name, "").strip()), ""
            )
            half = given if given is not None and given.get_secret_value() else SecretStr(text)
            if not half.get_secret_value():
                raise UserError(
                    f"Alpaca needs an API key and {names[0]} is not set (nor {' or '.join(names[1:])}); "
                    "make a free key in Alpaca's dashboard and set both its id and its secret"
                )
            halves.append(half)
        return cls(*halves)


class AlpacaSource:
    """The BarSource of Alpaca's market data for US stocks (BRK.B and BRK-B are the same).

    "raw" is the price as traded, with split and dividend events from Alpaca's corporate actions; "split" and
    "all" are Alpaca's own adjustments, "split" with the dividends on today's share basis. Daily bars carry the
    session's date in New York; intraday bars are those of regular hours, half days respected, unless
    `extended_hours`; 1h is built from 30m and starts at the open, 1w and 1mo are built from daily bars and
    labelled by the period's first day. Bars still being traded are left out and `Series.notes` says so; a known
    symbol without bars in the span gives an empty frame and a note. The free feed "iex" is one exchange: its
    volumes are a small part of all trading.

    Besides the BarSource errors it raises UserError when the key is missing or refused, BadParameter for an
    unknown feed, timeframe or adjustment, BadRange for a reversed or future span. Keys come from the arguments
    or from the environment (KEY_ID_NAMES, SECRET_KEY_NAMES) and appear in no message. `url` replaces Alpaca's.
    """

    name = "alpaca"

    def __init__(
        self,
        key_id: SecretStr | None = None,
        secret_key: SecretStr | None = None,
        feed: str = "iex",
        policy: RetryPolicy | None = None,
        url: str | None = None,
        environment: Mapping[str, str] | None = None,
        extended_hours: bool = False,
    ) -> None:
        if feed not in FEEDS:
            raise BadParameter(f"unknown Alpaca feed {feed!r}; use one of {', '.join(FEEDS)}")
        self.feed, self.policy, self.extended_hours = feed, policy or RetryPolicy(), extended_hours
        known = os.environ if environment is None else environment
        # A function, whose repr shows no key.
        self._find_keys: Callable[[], AlpacaKeys] = lambda: AlpacaKeys.found(key_id, secret_key, known)
        self._url = url
        self._clients: _Clients | None = None

    def fetch(self, request: BarRequest) -> Series:
        """The bars of `request`; see the class for what they are and what is raised."""
        now = self.policy.now().astype("datetime64[ns]")
        span = checked_span(request, now)
        if self._clients is None:
            self._clients = _Clients(self._find_keys(), self.policy, self._url)
        asked = _Asked(self._clients, request, alpaca_symbol(request.symbol), self.feed, now)
        notes = ["prices and volumes are those of the exchange IEX alone"] if self.feed == "iex" else []
        if request.timeframe in INTRADAY_MINUTES:
            frame = _intraday(asked, span, not self.extended_hours, notes)
        else:
            frame = _daily(asked, span, notes)
        frame = within(frame, *span)
        if frame.empty:
            asked.make_sure_it_exists()
            notes.append(f"Alpaca has no {request.timeframe} bars of {request.symbol} in the span asked for")
        return Series(request, frame, self.name, request.adjustment, notes=tuple(notes))


def alpaca_symbol(symbol: str) -> str:
    """Alpaca's spelling: upper case, a share class after a point."""
    name = symbol.strip().upper()
    return f"{name[:-2]}.{name[-1]}" if name[-2:] in ("-A", "-B", "-C") and len(name) > 2 else name


class _Clients:
    """The two REST clients of one key, on transports that keep to the policy."""

    def __init__(self, keys: AlpacaKeys, policy: RetryPolicy, url: str | None) -> None:
        from alpaca.data.historical.corporate_actions import CorporateActionsClient
        from alpaca.data.historical.stock import StockHistoricalDataClient

        self._keys = keys
        self.stocks: Any = self._opened(StockHistoricalDataClient, url)
        self.actions: Any = self._opened(CorporateActionsClient, url)
        for client in (self.stocks, self.actions):
            transport = polite_requests_adapter(policy, "Alpaca", partial(_judge, policy=policy))
            client._session.mount("https://", transport)  # the client has no other way to a time-out
            client._session.mount("http://", transport)

    def _opened(self, client: Any, url: str | None) -> Any:
        halves = (half.get_secret_value() for half in (self._keys.key_id, self._keys.secret_key))
        return client(*halves, raw_data=True, url_override=url)

    def call(self, method: Callable[[Any], Any], question: Any, symbol: str) -> Mapping[str, Any]:
        """`method(question)` of a client, its errors turned into ours."""
        from alpaca.common.exceptions import APIError

        try:
            return dict(method(question) or {})
        except APIError as error:
            raise self._refusal(error.status_code, str(error), symbol) from None
        except (ValueError, TypeError, AttributeError) as error:
            raise SourceUnavailable(f"Alpaca's answer for {symbol} could not be read: {error}") from None

    def _refusal(self, status: int | None, body: str, symbol: str) -> Exception:
        try:
            message = str(json.loads(body)["message"])
        except (ValueError, KeyError, TypeError):
            message = " ".join(body.split())[:200] or "no reason given"
        for secret in (self._keys.key_id, self._keys.secret_key):
            message = message.replace(secret.get_secret_value(), "***")
        if "subscription" in message:
            return UserError(f"Alpaca: {message}; use feed iex, or end 15 minutes or more before now")
        if status in (401, 403):
            names = f"{KEY_ID_NAMES[0]} and {SECRET_KEY_NAMES[0]}"
            return UserError(f"Alpaca refuses the API key (HTTP {status}: {message}); check {names}")
        if "invalid symbol" in message:
            return SymbolNotFound(f"Alpaca knows no symbol {symbol!r} ({message}); check its spelling")
        return Unrepeatable(f"Alpaca refused {symbol} (HTTP {status}: {message})")


def _judge(response: Any, policy: RetryPolicy) -> None:
    """Raises what asking again may cure; every other refusal is left to the client."""
    status = response.status_code
    if status == 429:
        wait = retry_after(response.headers, policy.wall_clock)
        hint = "later" if wait is None else f"in {wait:.0f} seconds"
        raise RateLimited(f"Alpaca asks for fewer requests (HTTP 429); try again {hint}", wait)
    if status >= 500:
        raise SourceUnavailable(f"Alpaca failed (HTTP {status}); try again later")
    if status < 400:
        try:
            readable = isinstance(json.loads(response.content), dict)
        except ValueError:
            readable = False
        if not readable:
            kind = response.headers.get("content-type", "no type")
            raise SourceUnavailable(f"Alpaca's answer is not what was asked for (HTTP {status}, {kind})")


@dataclass(frozen=True, slots=True)
class _Asked:
    """One request on its way through the clients."""

    clients: _Clients
    request: BarRequest
    symbol: str
    feed: str
    now: np.datetime64

    @property
    def today(self) -> np.datetime64:
        """The date in New York."""
        date: np.datetime64 = load_calendar().local_dates(np.array([self.now]))[0]
        return date

    def bars(self, unit: tuple[int, str], start: Any, end: Any, limit: int | None = None) -> pd.DataFrame:
        """time (naive UTC), open, high, low, close, volume from `start` to `end`, both naive UTC, inclusive."""
        import pandas as pd
        from alpaca.data.enums import Adjustment, DataFeed
        from alpaca.data.requests import StockBarsRequest
        from alpaca.data.timeframe import TimeFrame, TimeFrameUnit

        question = StockBarsRequest(
            symbol_or_symbols=self.symbol,
            timeframe=TimeFrame(unit[0], TimeFrameUnit(unit[1])),
            start=pd.Timestamp(start).floor("us").to_pydatetime(),
            end=None if end is None else pd.Timestamp(end).floor("us").to_pydatetime(),
            adjustment=Adjustment(self.request.adjustment),
            feed=DataFeed(self.feed),
            limit=limit,
        )
        rows = (
            self.clients.call(self.clients.stocks.get_stock_bars, question, self.symbol).get(self.symbol)
            or []
        )
        try:
            stamps = pd.to_datetime([row["t"] for row in rows], utc=True).tz_localize(None)
            numbers = {
                name: np.array([row[name[0]] for row in rows], np.float64) for name in SERIES_COLUMNS[1:6]
            }
        except (KeyError, TypeError, ValueError) as error:
            raise SourceUnavailable(f"Alpaca sent a bar of {self.symbol} without {error}") from None
        frame = pd.DataFrame({"time": stamps.to_numpy("datetime64[ns]"), **numbers})
        return frame.drop_duplicates("time", keep="last").sort_values("time", ignore_index=True)

    def actions(self, session: Times, notes: list[str]) -> Actions:
        """What happened since the first of the sessions (T,) until today; notes name what cannot be expressed."""
        from alpaca.data.enums import CorporateActionsType
        from alpaca.data.requests import CorporateActionsRequest

        first, last = session[0], str(session[-1])
        question = CorporateActionsRequest(
            symbols=[self.symbol],
            types=[CorporateActionsType(kind) for kind in ACTION_TYPES],
            start=first.astype(object),
            end=(self.today + PROCESSED_WITHIN).astype(object),
            limit=None,
        )
        found = self.clients.call(self.clients.actions.get_corporate_actions, question, self.symbol)
        try:
            rows = sorted(
                (np.datetime64(entry["ex_date"], "D"), *_effect(kind, entry))
                for kind, entries in found.items()
                for entry in entries
                if entry.get("symbol") == self.symbol
            )
        except (KeyError, TypeError, ValueError) as error:
            raise SourceUnavailable(
                f"Alpaca sent a corporate action of {self.symbol} without {error}"
            ) from None
        notes += [
            f"the spin-off of {entry.get('new_symbol')} on {entry.get('ex_date')} is not part of the dividends"
            for entry in found.get("spin_offs", [])
            if entry.get("source_symbol") == self.symbol and str(first) < str(entry.get("ex_date")) <= last
        ]
        rows = [row for row in rows if first <= row[0] <= self.today]
        date, split = np.array([row[0] for row in rows], "datetime64[D]"), np.array([row[1] for row in rows])
        later = np.array([split[date > day].prod() for day in date])
        return Actions(date, split, np.array([row[2] for row in rows]) / later)

    def make_sure_it_exists(self) -> None:
        """Alpaca answers an unknown symbol like an empty span; raises SymbolNotFound when it has no bar at all."""
        if self.bars((1, "Day"), FIRST_DAY, None, limit=1).empty:
            raise SymbolNotFound(
                f"Alpaca has no bar of {self.symbol!r} in the feed {self.feed}; check the symbol's spelling"
            )


def _effect(kind: str, entry: Mapping[str, Any]) -> tuple[float, float]:
    """(new shares per old, cash per share) of one corporate action."""
    if kind in ("forward_splits", "reverse_splits"):
        return float(entry["new_rate"]) / float(entry["old_rate"]), 0.0
    if kind == "stock_dividends":
        return 1.0 + float(entry["rate"]), 0.0
    return (1.0, float(entry["rate"])) if kind == "cash_dividends" else (1.0, 0.0)


def _daily(asked: _Asked, span: Span, notes: list[str]) -> pd.DataFrame:
    start, end = span
    timeframe = asked.request.timeframe
    first = FIRST_DAY if start is None else start.astype("datetime64[D]") - LOOK_BACK
    beyond = {"1w": 6, "1mo": 30}.get(timeframe, 0)
    last = asked.today if end is None else min(asked.today, end.astype("datetime64[D]") + beyond * DAY)
    calendar = load_calendar()
    frame = asked.bars((1, "Day"), first, parse_time(last, end_of_day=True))
    session = calendar.local_dates(frame["time"].to_numpy("datetime64[ns]"))
    open_period = None
    today_is_there = session.size > 0 and session[-1] == asked.today and calendar.is_session(asked.today)
    if today_is_there and asked.now < calendar.session_bounds(asked.today)[1]:
        open_period, frame, session = asked.today, frame.iloc[:-1], session[:-1]
    frame = _with_actions(asked, frame.assign(time=session.astype("datetime64[ns]")), session, notes)
    if timeframe != "1d":
        frame, open_period = whole_periods(frame, session, asked.today, timeframe)
    if open_period is not None and (end is None or open_period <= end):
        notes.append(unfinished_note(open_period))
    return frame


def _intraday(asked: _Asked, span: Span, regular_hours: bool, notes: list[str]) -> pd.DataFrame:
    start, end = span
    width = np.timedelta64(INTRADAY_MINUTES[asked.request.timeframe], "m")
    calendar = load_calendar()
    last = asked.now if end is None else min(end + width, asked.now)
    frame = asked.bars(UNITS[asked.request.timeframe], FIRST_DAY if start is None else min(start, last), last)
    times = frame["time"].to_numpy("datetime64[ns]")
    if regular_hours:
        row = np.searchsorted(calendar.opens, times, side="right") - 1
        frame = frame[times < calendar.closes[row]]
        times = frame["time"].to_numpy("datetime64[ns]")
    frame = _with_actions(asked, frame, calendar.local_dates(times), notes)
    if asked.request.timeframe == "1h":
        half = np.timedelta64(30, "m")
        hours = np.subtract(times, half).astype("datetime64[h]").astype("datetime64[ns]") + half
        frame = group_bars(frame, hours)
        times = frame["time"].to_numpy("datetime64[ns]")
    row = np.searchsorted(calendar.opens, times, side="right") - 1
    over = calendar.closes[row] if regular_hours else times + width
    whole = np.minimum(times + width, over) <= asked.now
    if not whole.all() and (end is None or times[-1] <= end):
        notes.append(unfinished_note(times[-1]))
    return frame[whole]


def _with_actions(asked: _Asked, frame: pd.DataFrame, session: Times, notes: list[str]) -> pd.DataFrame:
    """`frame` in the columns of a Series, with the splits and dividends of its sessions (T,)."""
    split, dividend = np.ones(session.size), np.zeros(session.size)
    if session.size and asked.request.adjustment != "all":
        placed, dividend, later = asked.actions(session, notes).placed(session)
        if asked.request.adjustment == "raw":
            split, dividend = placed, dividend * later
    return frame.assign(split=split, dividend=dividend)[list(SERIES_COLUMNS)].reset_index(drop=True)
