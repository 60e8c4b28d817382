"""What Yahoo's answers mean: an error of ours, no bars, or a chart whose splits and dividends are kept."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from gpt_trader.adapters.http_policy import RetryPolicy, Unrepeatable, retry_after
from gpt_trader.errors import BadRange, RateLimited, SourceUnavailable, SymbolNotFound

Event = tuple[int, float, float]
"""Epoch seconds of the session's open, new shares per old, cash per share on today's basis."""


class NoBarsError(Exception):
    """Yahoo knows the symbol and has no bars in the span."""


class Judge:
    """Says what each chart answer means, and keeps Yahoo's own events of the last good one."""

    def __init__(self, policy: RetryPolicy) -> None:
        self._policy = policy
        self.begin("")

    def begin(self, symbol: str) -> None:
        """From now on the answers are about `symbol`."""
        self.symbol, self._refused = symbol, False
        self.events: list[Event] = []
        self.remarks: tuple[str, ...] = ()

    def __call__(self, answer: Any, params: Mapping[str, Any]) -> None:
        """Raises what an answer means that is no chart."""
        if answer.status_code in (401, 403) and not self._refused:
            self._refused = True  # yfinance renews its cookie and crumb, then asks once more
            return
        result = self._result(answer, "period1" in params)
        try:
            self.events, self.remarks = events_of(result, self._policy.wall_clock())
        except (KeyError, TypeError, ValueError, AttributeError, ZeroDivisionError) as error:
            raise SourceUnavailable(f"Yahoo sent an unreadable event of {self.symbol} ({error})") from None
        self._refused = False

    def _result(self, answer: Any, spanned: bool) -> dict[str, Any]:
        status, symbol = answer.status_code, self.symbol
        if status == 429:
            wait = retry_after(answer.headers, self._policy.wall_clock)
            hint = "later" if wait is None else f"in {wait:.0f} seconds"
            raise RateLimited(f"Yahoo asks for fewer requests (HTTP 429, {symbol}); try again {hint}", wait)
        if status in (401, 403):
            raise Unrepeatable(f"Yahoo refuses to serve {symbol} (HTTP {status}); try again later")
        try:
            chart = json.loads(answer.content)["chart"]
            error, result = chart.get("error") or {}, dict((chart.get("result") or [{}])[0])
            reason = str(error.get("description", ""))
        except (ValueError, TypeError, KeyError, AttributeError):
            kind = answer.headers.get("content-type", "no type")
            raise SourceUnavailable(
                f"Yahoo's answer for {symbol} is no chart (HTTP {status}, {kind})"
            ) from None
        if status >= 500:
            raise SourceUnavailable(f"Yahoo failed for {symbol} (HTTP {status}: {reason or 'no reason'})")
        if "Data doesn't exist" in reason or (
            spanned and result and not error and not result.get("timestamp")
        ):
            raise NoBarsError
        if "must be within" in reason or "granularity" in reason:
            raise BadRange(f"Yahoo, {symbol}: {reason} Ask for a later start or a longer timeframe.")
        if status == 404 or error.get("code") == "Not Found":
            raise SymbolNotFound(f"Yahoo knows no symbol {symbol!r} ({reason}); check its spelling")
        if error or not result:
            refusal = Unrepeatable if status >= 400 else SourceUnavailable
            raise refusal(f"Yahoo refused {symbol} (HTTP {status}: {reason or 'an empty answer'})")
        return result


def events_of(result: dict[str, Any], now: float) -> tuple[list[Event], tuple[str, ...]]:
    """The splits and dividends of a chart that have come into force by `now`, in order, and remarks on them."""
    kinds = {
        kind: list(entries.values()) for kind, entries in (result.get("events") or {}).items() if entries
    }
    rows = [(item["date"], item["numerator"] / item["denominator"], 0.0) for item in kinds.get("splits", [])]
    rows += [(item["date"], 1.0, float(item["amount"])) for item in kinds.get("dividends", [])]
    currency = (result.get("meta") or {}).get("currency")
    others = {item.get("currency") for item in kinds.get("dividends", [])} - {None, "", currency}
    remarks = [f"dividends in {other}, prices in {currency}: they are not converted" for other in others]
    if kinds.get("capitalGains"):
        remarks.append("capital gain distributions of this fund are not part of its dividends")
    return sorted(row for row in rows if row[0] <= now and 0 < row[1] < np.inf), tuple(remarks)
