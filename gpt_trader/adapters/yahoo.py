"""Bars from Yahoo Finance through the unmodified yfinance client."""

from __future__ import annotations

import logging
import threading
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gpt_trader.adapters.bar_tables import (
    Floats,
    Span,
    Times,
    group_bars,
    within,
)
from gpt_trader.adapters.http_policy import (
    OutOfTimeError,
    RetryPolicy,
    polite_curl_session,
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
from gpt_trader.adapters.yahoo_answers import Event, Judge, NoBarsError
from gpt_trader.errors import (
    BadData,
    GptTraderError,
    RateLimited,
    SourceUnavailable,
)
from gpt_trader.sources import SERIES_COLUMNS, BarRequest, Series

if TYPE_CHECKING:
    import pandas as pd

FIRST_DAY = np.datetime64("1927-12-01")
"""Yahoo's oldest series, the S&P 500 index, begins on 1927-12-30."""
INTRADAY_SPAN = {"1m": 7 * DAY, "5m": 59 * DAY, "15m": 59 * DAY, "30m": 59 * DAY, "1h": 729 * DAY}
"""How far back a request without a start goes; Yahoo keeps no more (1m: 30 days, 7 to a request)."""
CHART = "/v8/finance/chart/"
PRICES, REST = ("Open", "High", "Low", "Close"), ("Adj Close", "Volume")

# yfinance is one object per process, with one session and module-wide settings: one fetch at a time.
_YFINANCE = threading.RLock()


@dataclass(frozen=True, slots=True, eq=False)
class _Chart:
    """One answer: `frame` with time (naive UTC), session (its date), OHLCV and adjusted close.

    Rows without prices are in `gaps` (G,) instead; `unfinished` is the session still open, left out;
    `remarks` are what a user should know of the whole answer.
    """

    frame: pd.DataFrame
    actions: Actions
    gaps: Times
    unfinished: np.datetime64 | None = None
    remarks: tuple[str, ...] = ()


class YahooSource:
    """The BarSource of Yahoo Finance, for any symbol Yahoo names (BRK.B and BRK-B are the same).

    Yahoo's prices are adjusted for splits, not for dividends. "split" hands them on as sent, "all" scales
    them by Yahoo's adjusted close. "raw" undoes the splits: price * later splits, volume / later splits,
    dividends likewise, and puts the split events in; that needs every split up to now, so a daily raw request
    always reads on to today whatever its end. Undone prices are rounded to the 7 digits that Yahoo's 32-bit
    numbers carry. Bars of 1w and 1mo are built from daily ones (Yahoo's own mix share bases) and labelled by
    the period's first day; 30m is built from 15m. A bar still being traded is left out, rows without prices
    are too, and `Series.notes` says so. A known symbol without bars in the span: an empty frame and a note.

    Besides the BarSource errors it raises BadParameter for an unknown timeframe or adjustment and BadRange
    for a reversed span or one further back than Yahoo keeps that timeframe. `cache_folder` is where yfinance
    keeps cookies and time zones (the first used in a process counts); fetches of one process take turns.
    """

    name = "yahoo"

    def __init__(self, cache_folder: Path | None = None, policy: RetryPolicy | None = None) -> None:
        self.policy = policy or RetryPolicy()
        self._cache_folder = cache_folder
        self._judge = Judge(self.policy)
        self._session: Any = None

    def fetch(self, request: BarRequest) -> Series:
        """The bars of `request`; see the class for what they are and what is raised."""
        span = checked_span(request, self.policy.now())
        with _YFINANCE, _quiet_yfinance() as yfinance:
            if self._session is None:
                yfinance.set_tz_cache_location(str(self._folder()))
                self._session = polite_curl_session(self.policy, lambda url: CHART in url, self._judge)
            yfinance.data.YfData.cache_get.cache_clear()  # it would repeat old answers
            self._judge.begin(yahoo_symbol(request.symbol))
            self._session.begin(f"Yahoo, {self._judge.symbol}")
            reader = _Reader(yfinance, self._session, self._judge, self.policy)
            if request.timeframe in INTRADAY_MINUTES:
                return self._intraday(request, reader, span)
            return self._daily(request, reader, span)

    def _folder(self) -> Path:
        if self._cache_folder is not None:
            return self._cache_folder
        import platformdirs

        return Path(platformdirs.user_cache_dir("gpt-trader")) / "yahoo"

    def _daily(self, request: BarRequest, reader: _Reader, span: Span) -> Series:
        start, end = span
        today = self.policy.now().astype("datetime64[D]")
        first = FIRST_DAY if start is None else start.astype("datetime64[D]") - LOOK_BACK
        last = today + DAY  # east of Greenwich tomorrow has begun
        if request.adjustment != "raw" and end is not None:
            beyond = {"1w": 6, "1mo": 30}.get(request.timeframe, 0)
            last = min(last, end.astype("datetime64[D]") + beyond * DAY)
        chart = reader.daily(first, last)
        frame = _adjusted(chart, chart, request.adjustment)
        open_period = chart.unfinished
        if request.timeframe != "1d":
            session = chart.frame["session"].to_numpy("datetime64[D]")
            frame, open_period = whole_periods(frame, session, today, request.timeframe)
        return _series(request, within(frame, *span), chart, open_period, span)

    def _intraday(self, request: BarRequest, reader: _Reader, span: Span) -> Series:
        start, end = span
        now = self.policy.now().astype("datetime64[ns]")
        first = now - INTRADAY_SPAN[request.timeframe] if start is None else start
        width = np.timedelta64(INTRADAY_MINUTES[request.timeframe], "m")
        days = reader.daily(first.astype("datetime64[D]") - LOOK_BACK, now.astype("datetime64[D]") + DAY)
        chart = reader.intraday(request.timeframe, first, now if end is None else min(end + width, now))
        frame = _adjusted(chart, days, request.adjustment)
        times = frame["time"].to_numpy("datetime64[ns]")
        if request.timeframe == "30m":
            frame = group_bars(frame, times - (times - times.astype("datetime64[D]")) % width)
        _, closes = reader.session()
        whole = within(frame, None, now if closes is not None and closes <= now else now - width)
        unfinished = None if len(whole) == len(frame) else frame["time"].to_numpy("datetime64[ns]")[-1]
        return _series(request, within(whole, *span), chart, unfinished, span)


class _Reader:
    """One ticker's answers as `_Chart`s, with yfinance's errors turned into ours."""

    def __init__(self, yfinance: Any, session: Any, judge: Judge, policy: RetryPolicy) -> None:
        self._yfinance, self._judge, self._policy = yfinance, judge, policy
        self._session, self._answered = session, False
        self._ticker: Any = None

    def daily(self, first: np.datetime64, last: np.datetime64) -> _Chart:
        """Daily bars and actions of the sessions `first` to `last`, both inclusive, without one still open."""
        table = self._history(interval="1d", start=str(first), end=str(last + DAY))
        chart = _chart(table, True, self._judge.events, self._judge.remarks)
        trading, closes = self.session()
        frame = chart.frame
        if frame.empty or closes is None or self._policy.now() >= closes:
            return chart
        if frame["session"].to_numpy("datetime64[D]")[-1] != trading:
            return chart
        return replace(chart, frame=frame.iloc[:-1], unfinished=trading)

    def session(self) -> tuple[np.datetime64 | None, np.datetime64 | None]:
        """Date and close (UTC) of the current or last session, as the last answer gave them."""
        if not self._answered:
            return None, None  # yfinance would send a request of its own
        regular = (self._ticker.get_history_metadata().get("currentTradingPeriod") or {}).get("regular")
        if not regular:
            return None, None
        date = regular["start"].tz_localize(None).to_datetime64().astype("datetime64[D]")
        return date, regular["end"].tz_convert("UTC").tz_localize(None).to_datetime64()

    def intraday(self, timeframe: str, first: np.datetime64, last: np.datetime64) -> _Chart:
        """Bars that start from `first` to `last`, without actions; 15m where 30m is asked for."""
        import pandas as pd

        interval = {"30m": "15m"}.get(timeframe, timeframe)
        after = last + np.timedelta64(1, "s")
        step = INTRADAY_SPAN["1m"] if timeframe == "1m" else after - first + DAY
        pieces = [
            (_moment(begin), _moment(min(begin + step, after))) for begin in np.arange(first, after, step)
        ]
        tables = [self._history(interval=interval, start=begin, end=end) for begin, end in pieces]
        table = pd.concat([table for table in tables if len(table)] or [_no_rows()])
        return _chart(table[~table.index.duplicated()], False)

    def _history(self, **options: Any) -> pd.DataFrame:
        """yfinance's table with null rows kept, empty when Yahoo has no bars in the span."""
        symbol = self._judge.symbol
        try:
            if self._ticker is None:
                self._ticker = self._yfinance.Ticker(symbol, session=self._session)
            table: pd.DataFrame = self._ticker.history(
                auto_adjust=False, actions=True, keepna=True, timeout=self._policy.timeout, **options
            )
        except GptTraderError:
            raise
        except NoBarsError:
            return _no_rows()
        except OutOfTimeError as error:
            raise SourceUnavailable(f"Yahoo, {symbol}: {error}; try again later") from None
        except self._yfinance.exceptions.YFRateLimitError:
            raise RateLimited(f"Yahoo asks for fewer requests ({symbol}); try again later") from None
        except Exception as error:  # whatever else yfinance lets escape, down to a bare KeyError
            what = f"{type(error).__name__}: {error}".splitlines()[0]
            raise SourceUnavailable(f"Yahoo's answer for {symbol} could not be read: {what}") from error
        self._answered = True
        return table if len(table) else _no_rows()


def yahoo_symbol(symbol: str) -> str:
    """Yahoo's spelling: upper case, a share class after a dash; any other suffix is an exchange (VOD.L)."""
    name = symbol.strip().upper()
    return f"{name[:-2]}-{name[-1]}" if name[-2:] in (".A", ".B", ".C") and len(name) > 2 else name


@contextmanager
def _quiet_yfinance() -> Iterator[Any]:
    """yfinance with its log silenced and its errors raised; both are put back afterwards."""
    # pandas warns about yfinance's own code; the filter names yfinance's modules only, and stays.
    warnings.filterwarnings("ignore", module=r"yfinance(\.|$)")
    import yfinance

    log, debug = logging.getLogger("yfinance"), yfinance.config.debug
    before = log.disabled, debug.hide_exceptions
    log.disabled, debug.hide_exceptions = True, False
    try:
        yield yfinance
    finally:
        log.disabled, debug.hide_exceptions = before


def _no_rows() -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame(columns=[*PRICES, *REST], index=pd.DatetimeIndex([], tz="UTC"), dtype=float)


def _chart(
    table: pd.DataFrame, daily: bool, events: Sequence[Event] = (), remarks: tuple[str, ...] = ()
) -> _Chart:
    """A `_Chart` of yfinance's table and of Yahoo's own events.

    The events are not taken from the table: yfinance puts one on a day without a row onto the row BEFORE it.
    """
    import pandas as pd

    local = pd.DatetimeIndex(table.index)
    session = _dates(local)
    stamps = session if daily else local.tz_convert("UTC").tz_localize(None).to_numpy()
    numbers: dict[str, Any] = {name: table[name].to_numpy(np.float64) for name in (*PRICES, *REST)}
    priced = np.isfinite([numbers[name] for name in PRICES]).all(axis=0)
    numbers |= {"time": stamps.astype("datetime64[ns]"), "session": session.astype("datetime64[s]")}
    frame = pd.DataFrame({name: values[priced] for name, values in numbers.items()})
    moments = pd.to_datetime([event[0] for event in events], unit="s", utc=True).tz_convert(local.tz)
    split, dividend = (np.array([event[i] for event in events], np.float64) for i in (1, 2))
    return _Chart(frame, Actions(_dates(moments), split, dividend), numbers["time"][~priced], None, remarks)


def _dates(local: pd.DatetimeIndex) -> Times:
    """(T,) the calendar dates of zoned moments, in their own zone."""
    dates: Times = local.tz_localize(None).to_numpy("datetime64[ns]").astype("datetime64[D]")
    return dates


def _adjusted(chart: _Chart, days: _Chart, adjustment: str) -> pd.DataFrame:
    """The frame of a Series: the bars of `chart` on the share basis asked for, with the actions of `days`."""
    import pandas as pd

    frame = chart.frame
    session = frame["session"].to_numpy("datetime64[D]")
    split, dividend, later = days.actions.placed(session)
    values = {name.lower(): frame[name].to_numpy(np.float64) for name in (*PRICES, "Volume")}
    if adjustment == "raw":
        volume = values["volume"]
        values = {name: _seven_digits(prices * later) for name, prices in values.items()}
        values["volume"] = np.where(later == 1.0, volume, np.round(volume / later))
        dividend = dividend * later
    if adjustment == "all":
        row = np.searchsorted(days.frame["session"].to_numpy("datetime64[D]"), session)
        ratio = np.append((days.frame["Adj Close"] / days.frame["Close"]).to_numpy(np.float64), 1.0)
        if not (ratio[row] > 0).all():
            day = session[~(ratio[row] > 0)][0]
            raise BadData(f"{day}: Yahoo sends no adjusted close for this day; ask for raw or split prices")
        values.update({name.lower(): values[name.lower()] * ratio[row] for name in PRICES})
        dividend = np.zeros(session.size)
    values |= {"split": split if adjustment == "raw" else np.ones(session.size), "dividend": dividend}
    return pd.DataFrame({"time": frame["time"], **values}, columns=list(SERIES_COLUMNS))


def _seven_digits(values: Floats) -> Floats:
    """`values` rounded to seven significant digits."""
    scale = 10.0 ** (6 - np.floor(np.log10(np.where(values > 0, values, 1.0))))
    return np.asarray(np.round(values * scale) / scale)


def _moment(time: np.datetime64) -> Any:
    import pandas as pd

    return pd.Timestamp(time.astype("datetime64[s]")).tz_localize("UTC")


def _series(
    request: BarRequest, frame: pd.DataFrame, chart: _Chart, unfinished: np.datetime64 | None, span: Span
) -> Series:
    import pandas as pd

    notes, end = [], span[1]
    gaps = within(pd.DataFrame({"time": chart.gaps}), *span)["time"]
    if len(gaps):
        days = [str(day.date()) for day in gaps.dt.normalize().unique()]
        more = f" and {len(days) - 5} more days" if len(days) > 5 else ""
        notes.append(f"{len(gaps)} rows without prices left out: {', '.join(days[:5])}{more}")
    if unfinished is not None and (end is None or unfinished <= end):
        notes.append(unfinished_note(unfinished))
    notes += chart.remarks
    if frame.empty:
        notes.append(f"Yahoo has no {request.timeframe} bars of {request.symbol} in the span asked for")
    return Series(request, frame, YahooSource.name, request.adjustment, notes=tuple(notes))
