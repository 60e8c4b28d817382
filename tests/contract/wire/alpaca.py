"""A local Alpaca: market-data bars and corporate actions in Alpaca's wire format."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import pandas as pd

from tests.contract.wire.listings import OHLC, Listing
from tests.contract.wire.server import Asked, Reply, Wire, as_json

ZONE = "America/New_York"
KEY_ID, SECRET_KEY = "PKTESTTESTTESTTEST01", "s3cr3t-of-the-test-that-must-not-show"
PAID_AFTER_DAYS = 20
"""A dividend is processed on its payment day, this long after its ex-date."""


class AlpacaWire(Wire):
    """Alpaca on the evening of `today`, or at `now` (UTC) while that session is open; pages of `page_size`."""

    def __init__(self, listings: Mapping[str, Listing], today: str, now: str | None = None) -> None:
        self.listings, self.today = dict(listings), today
        self.now = pd.Timestamp(now or f"{today}T23:00", tz="UTC")
        self.page_size = 10_000
        self.spin_offs: list[dict[str, Any]] = []
        super().__init__()

    @property
    def bars(self) -> list[Asked]:
        """The requests for bars so far."""
        return [asked for asked in self.asked if asked.path == "/v2/stocks/bars"]

    def answer(self, asked: Asked) -> Reply:
        headers = {name.lower(): value for name, value in asked.headers.items()}
        if (headers.get("apca-api-key-id"), headers.get("apca-api-secret-key")) != (KEY_ID, SECRET_KEY):
            return as_json({"message": "unauthorized."}, 401)
        if asked.path == "/v2/stocks/bars":
            return self._bars(asked.query)
        if asked.path == "/v1/corporate-actions":
            return self._corporate_actions(asked.query)
        return as_json({"code": 40410000, "message": "endpoint not found."}, 404)

    def _bars(self, query: Mapping[str, str]) -> Reply:
        symbol = query["symbols"]
        if not symbol.replace(".", "").isalnum():
            return as_json({"code": 40010001, "message": f"invalid symbol: {symbol}"}, 400)
        listing = self.listings.get(symbol)
        if listing is None:
            return as_json({"bars": {}, "next_page_token": None})
        rows = self._rows(listing, query["timeframe"], query.get("adjustment", "raw"))
        start, end = (
            pd.Timestamp(query.get(name, default)) for name, default in (("start", "2016"), ("end", "2100"))
        )
        start, end = (moment if moment.tz else moment.tz_localize("UTC") for moment in (start, end))
        rows = rows[(rows["t"] >= start) & (rows["t"] <= end) & (rows["t"] <= self.now)]
        skip, size = int(query.get("page_token", 0)), min(int(query["limit"]), self.page_size)
        page, more = rows.iloc[skip : skip + size], len(rows) > skip + size
        bars = page.assign(t=page["t"].dt.strftime("%Y-%m-%dT%H:%M:%SZ"), n=1, vw=page["c"]).to_dict(
            "records"
        )
        token = str(skip + size) if more else None
        return as_json({"bars": {symbol: bars} if bars else {}, "next_page_token": token})

    def _rows(self, listing: Listing, timeframe: str, adjustment: str) -> pd.DataFrame:
        if timeframe == "1Day":
            rows = listing.days(self.today).dropna()
            dates, times = rows["date"].to_numpy("datetime64[D]"), rows["date"]
        else:
            rows = self._minutes(listing, int(timeframe.removesuffix("Min")))
            dates, times = rows["time"].to_numpy("datetime64[D]"), rows["time"]
        later = listing.later_splits(dates, self.today) if adjustment != "raw" else np.ones(len(rows))
        factor = np.ones(len(rows))
        if adjustment == "all":
            days = listing.days(self.today)["date"].to_numpy("datetime64[D]")
            factor = listing.dividend_factor(self.today)[np.searchsorted(days, dates)]
        prices = {name[0]: (rows[name] / later * factor).round(4) for name in OHLC}
        stamps = pd.DatetimeIndex(times).tz_localize(ZONE).tz_convert("UTC")
        table = pd.DataFrame({"t": stamps, **{k: v.to_numpy() for k, v in prices.items()}})
        return table.assign(v=(rows["volume"] * later).round().astype(int).to_numpy())

    def _minutes(self, listing: Listing, width: int) -> pd.DataFrame:
        """All hours, only where something traded."""
        if listing.minutes is None:
            return pd.DataFrame(
                {name: np.empty(0) for name in (*OHLC, "volume")} | {"time": pd.DatetimeIndex([])}
            )
        rules = {"open": "first", "high": "max", "low": "min", "close": "last", "volume": "sum"}
        grouped = listing.minutes.set_index("time").groupby(pd.Grouper(freq=f"{width}min"))
        return grouped.agg(rules).dropna().reset_index()

    def _corporate_actions(self, query: Mapping[str, str]) -> Reply:
        wanted = query["types"].split(",")
        found = [
            (kind, entry)
            for symbol in query["symbols"].split(",")
            for kind, entry in self._actions_of(symbol)
            if kind.removesuffix("s") in wanted and query["start"] <= entry["process_date"] <= query["end"]
        ]
        found.sort(key=lambda item: str(item[1]["process_date"]))
        skip, size = int(query.get("page_token", 0)), min(int(query["limit"]), self.page_size)
        grouped: dict[str, list[dict[str, Any]]] = {}
        for kind, entry in found[skip : skip + size]:
            grouped.setdefault(kind, []).append(entry)
        token = str(skip + size) if len(found) > skip + size else None
        return as_json({"corporate_actions": grouped, "next_page_token": token})

    def _actions_of(self, symbol: str) -> Iterator[tuple[str, dict[str, Any]]]:
        listing = self.listings.get(symbol)
        if listing is None:
            return
        for number, (date, ratio) in enumerate(listing.splits):
            new, old = (ratio, 1) if ratio >= 1 else (1, round(1 / ratio))
            dates = {"ex_date": date, "process_date": date, "id": f"split-{number}"}
            kind = "forward_splits" if ratio >= 1 else "reverse_splits"
            yield kind, {"symbol": symbol, "new_rate": new, "old_rate": old, **dates}
        for number, (date, cash) in enumerate(listing.dividends):
            paid = str(np.datetime64(date) + PAID_AFTER_DAYS)
            dates = {"ex_date": date, "process_date": paid, "payable_date": paid, "id": f"dividend-{number}"}
            yield (
                "cash_dividends",
                {"symbol": symbol, "rate": cash, "special": False, "foreign": False, **dates},
            )
        for entry in self.spin_offs:
            yield "spin_offs", entry


@contextmanager
def serve_alpaca(listings: Mapping[str, Listing], today: str, now: str | None = None) -> Iterator[AlpacaWire]:
    """A running AlpacaWire."""
    with AlpacaWire(listings, today, now) as wire:
        assert isinstance(wire, AlpacaWire)
        yield wire
