"""A local Yahoo Finance: a CONNECT proxy that ends TLS itself and serves charts in Yahoo's wire format."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from gpt_trader.adapters.exchange_calendar import load_calendar
from tests.contract.wire.certificate import make_certificate
from tests.contract.wire.listings import OHLC, Listing
from tests.contract.wire.server import Asked, Handler, Reply, Server, Status, Wire, as_json

ZONE = "America/New_York"
COOKIE = "A3=d=test; Max-Age=31557600; Domain=.yahoo.com; Path=/; SameSite=None; Secure; HttpOnly"
CHART = "/v8/finance/chart/"
MINUTES = {"1m": 1, "2m": 2, "5m": 5, "15m": 15, "30m": 30, "60m": 60, "1h": 60}


def chart_error(status: int, code: str, description: str) -> Status:
    """Yahoo's own error answer, as a fault to play."""
    body = f'{{"chart": {{"result": null, "error": {{"code": "{code}", "description": "{description}"}}}}}}'
    return Status(status, body)


class Tunnel(BaseHTTPRequestHandler):
    """The proxy's side: every CONNECT ends in TLS here, whatever host was asked for."""

    protocol_version = "HTTP/1.1"
    server: Server

    def do_CONNECT(self) -> None:
        wire = self.server.wire
        assert isinstance(wire, YahooWire)
        self.wfile.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        try:
            with wire.tls.wrap_socket(self.connection, server_side=True) as inside:
                Handler(inside, self.client_address, self.server)
        except OSError:
            pass
        self.close_connection = True

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        """Keeps quiet."""


class YahooWire(Wire):
    """Yahoo on the evening of `today`, or at `now` (UTC) while that session is open; faults hit charts only."""

    handler = Tunnel

    def __init__(
        self, folder: Path, listings: Mapping[str, Listing], today: str, now: str | None = None
    ) -> None:
        self.authority, self.tls = make_certificate(folder)
        self.listings, self.today = dict(listings), today
        self.now = pd.Timestamp(now or f"{today}T23:00", tz="UTC")
        self.refuse_all = False
        self.not_json_elsewhere = False
        self.more_events: dict[str, dict[str, Any]] = {}
        self.without_adjusted_close: tuple[str, ...] = ()
        super().__init__()

    @property
    def charts(self) -> list[Asked]:
        """The chart requests for a span so far."""
        return [asked for asked in self.asked if CHART in asked.path and "period1" in asked.query]

    def is_faulty(self, asked: Asked) -> bool:
        return CHART in asked.path or self.refuse_all

    def answer(self, asked: Asked) -> Reply:
        if asked.path.startswith(CHART):
            return self._chart(asked.path.removeprefix(CHART), asked.query)
        if asked.path.endswith("/getcrumb"):
            return Reply(200, b"Cr.umb/1", "text/plain")
        if asked.host.startswith("fc."):
            return Reply(404, b"", "text/html", {"Set-Cookie": COOKIE})
        if self.not_json_elsewhere:
            return Reply(404, b"<html>Not here</html>", "text/html")
        if "quoteSummary" in asked.path:
            return as_json({"quoteSummary": {"result": None, "error": {"code": "Not Found"}}}, 404)
        if "/v7/finance/quote" in asked.path:
            return as_json({"quoteResponse": {"result": [], "error": None}})
        return as_json({"timeseries": {"result": [], "error": None}})

    def _chart(self, symbol: str, query: Mapping[str, str]) -> Reply:
        listing = self.listings.get(symbol)
        if listing is None:
            return _error(404, "Not Found", "No data found, symbol may be delisted")
        rows = self._rows(listing, query["interval"])
        if "period1" in query:
            first, last = int(query["period1"]), int(query["period2"])
            rows = rows[(rows["epoch"] >= first) & (rows["epoch"] < last)]
            if rows.empty and last <= listing.daily["date"].iloc[0].timestamp():
                text = f"Data doesn't exist for startDate = {first}, endDate = {last}"
                return _error(400, "Bad Request", text)
        else:
            first, last = 0, 2**40
            rows = rows.tail(1)
        quote = {name: _plain(rows[name]) for name in (*OHLC, "volume")}
        indicators: dict[str, Any] = {"quote": [quote if len(rows) else {}]}
        if query["interval"] == "1d":
            indicators["adjclose"] = [{"adjclose": _plain(rows["adjclose"])} if len(rows) else {}]
        result: dict[str, Any] = {
            "meta": self._meta(listing, query["interval"], rows),
            "indicators": indicators,
        }
        if len(rows):
            result["timestamp"] = rows["epoch"].tolist()
        events = self._events(listing, first, last)
        if events and "events" in query:
            result["events"] = events
        return as_json({"chart": {"result": [result], "error": None}})

    def _rows(self, listing: Listing, interval: str) -> pd.DataFrame:
        if interval == "1d":
            rows = listing.days(self.today)
            dates = rows["date"].to_numpy("datetime64[D]")
            epoch = _epoch(dates.astype("datetime64[m]") + np.timedelta64(570, "m"))
        else:
            rows = self._regular_minutes(listing, MINUTES[interval])
            dates = rows["time"].to_numpy("datetime64[D]")
            epoch = _epoch(rows["time"].to_numpy())
        later = listing.later_splits(dates, self.today)
        prices = {name: (rows[name] / later).astype(np.float32).astype(float) for name in OHLC}
        adjusted = {}
        if interval == "1d":
            adjusted["adjclose"] = prices["close"] * listing.dividend_factor(self.today)
            lost = np.isin(dates, np.array(self.without_adjusted_close, "datetime64[D]"))
            adjusted["adjclose"] = adjusted["adjclose"].mask(lost)
        return pd.DataFrame(
            {"epoch": epoch, **prices, **adjusted, "volume": (rows["volume"] * later).round()}
        )

    def _regular_minutes(self, listing: Listing, width: int) -> pd.DataFrame:
        """One row for each `width` minutes of each session, without prices where nothing traded; on a half day
        the rows until 14:00 are sent too, as Yahoo does."""
        if listing.minutes is None:
            return pd.DataFrame(
                {name: np.empty(0) for name in (*OHLC, "volume")} | {"time": pd.DatetimeIndex([])}
            )
        minutes = listing.minutes.set_index("time")
        parts = []
        for day in np.unique(minutes.index.to_numpy("datetime64[D]")):
            opens, closes = self._session(str(day))
            length = int((closes - opens).total_seconds()) // 60
            grid = pd.date_range(
                opens.tz_localize(None), periods=length + (60 if length < 390 else 0), freq="1min"
            )
            table = minutes.reindex(grid)
            rule = {"open": "first", "high": "max", "low": "min", "close": "last"}
            grouped = table.resample(f"{width}min", origin="start")
            parts.append(grouped.agg(rule).assign(volume=grouped["volume"].sum(min_count=1)))
        return pd.concat(parts).rename_axis("time").reset_index()

    def _session(self, day: str) -> tuple[pd.Timestamp, pd.Timestamp]:
        opens, closes = load_calendar("XNYS").session_bounds(day)
        moments = [pd.Timestamp(moment, tz="UTC").tz_convert(ZONE) for moment in (opens, closes)]
        return moments[0], moments[1]

    def _meta(self, listing: Listing, interval: str, rows: pd.DataFrame) -> dict[str, Any]:
        opens, closes = self._session(self.today)
        period = {"timezone": "EST", "gmtoffset": int(opens.utcoffset().total_seconds())}
        regular = {**period, "start": int(opens.timestamp()), "end": int(closes.timestamp())}
        meta = {
            "currency": "USD",
            "symbol": listing.symbol,
            "exchangeName": "NMS",
            "instrumentType": "EQUITY",
            "firstTradeDate": int(listing.daily["date"].iloc[0].timestamp()) + 52200,
            "regularMarketTime": min(int(self.now.timestamp()), regular["end"]),
            "gmtoffset": regular["gmtoffset"],
            "timezone": "EST",
            "exchangeTimezoneName": ZONE,
            "priceHint": 2,
            "currentTradingPeriod": {
                "pre": {**period, "start": regular["start"] - 19800, "end": regular["start"]},
                "regular": regular,
                "post": {**period, "start": regular["end"], "end": regular["end"] + 14400},
            },
            "dataGranularity": interval,
            "range": "",
            "validRanges": ["1d", "5d", "1mo", "3mo", "6mo", "1y", "2y", "5y", "10y", "ytd", "max"],
        }
        if interval != "1d":
            local = pd.to_datetime(rows["epoch"], unit="s", utc=True).dt.tz_convert(ZONE)
            spans = [self._session(str(day)) for day in local.dt.date.unique()]
            meta["tradingPeriods"] = [
                [{**period, "start": int(opens.timestamp()), "end": int(closes.timestamp())}]
                for opens, closes in spans
            ]
        return meta

    def _events(self, listing: Listing, first: int, last: int) -> dict[str, Any]:
        events: dict[str, Any] = {}
        for date, cash in listing.dividends:
            epoch = _open_epoch(date)
            if first <= epoch < last and date <= self.today:
                later = listing.later_splits(np.array([date], "datetime64[D]"), self.today)[0]
                entry = {"amount": round(cash / later, 6), "date": epoch}
                events.setdefault("dividends", {})[str(epoch)] = entry
        for date, ratio in listing.splits:
            epoch = _open_epoch(date)
            if first <= epoch < last and date <= self.today:
                new, old = (ratio, 1) if ratio >= 1 else (1, round(1 / ratio))
                entry = {"date": epoch, "numerator": new, "denominator": old, "splitRatio": f"{new:g}:{old}"}
                events.setdefault("splits", {})[str(epoch)] = entry
        for kind, entries in self.more_events.items():
            events.setdefault(kind, {}).update(entries)
        return events


@contextmanager
def serve_yahoo(
    folder: Path, listings: Mapping[str, Listing], today: str, now: str | None = None
) -> Iterator[YahooWire]:
    """A running YahooWire that yfinance, started anew, meets by its environment alone."""
    folder.mkdir(parents=True, exist_ok=True)
    with YahooWire(folder, listings, today, now) as wire, pytest.MonkeyPatch.context() as patch:
        assert isinstance(wire, YahooWire)
        for name in ("HTTPS_PROXY", "https_proxy"):
            patch.setenv(name, wire.url)
        patch.setenv("REQUESTS_CA_BUNDLE", str(wire.authority))
        forget_yfinance()
        yield wire
        forget_yfinance()


def forget_yfinance() -> None:
    """What yfinance keeps for the whole process: its session and crumb, answers, folders and counters."""
    import yfinance

    yfinance.data.YfData._instances.clear()
    yfinance.data.YfData.cache_get.cache_clear()
    yfinance.base._tz_info_fetch_ctr = 0
    cache = yfinance.cache
    for manager, attribute in (
        (cache._TzCacheManager, "_tz_cache"),
        (cache._CookieCacheManager, "_Cookie_cache"),
        (cache._ISINCacheManager, "_isin_cache"),
    ):
        assert hasattr(manager, attribute)
        setattr(manager, attribute, None)
    for database in (cache._TzDBManager, cache._CookieDBManager, cache._ISINDBManager):
        database.close_db()
        database._db = None


def _error(status: int, code: str, description: str) -> Reply:
    return as_json({"chart": {"result": None, "error": {"code": code, "description": description}}}, status)


def _epoch(local: np.ndarray) -> np.ndarray:
    return pd.DatetimeIndex(local).tz_localize(ZONE).as_unit("s").asi8


def _open_epoch(date: str) -> int:
    return int(pd.Timestamp(f"{date}T09:30", tz=ZONE).timestamp())


def _plain(column: pd.Series) -> list[float | None]:
    return [None if np.isnan(value) else value for value in column.tolist()]
