"""What the adapters that speak HTTP share: how they wait, and how rows and actions become a Series."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from gpt_trader.bars import TIMEFRAMES, parse_time
from gpt_trader.errors import BadParameter, BadRange, RateLimited, SourceUnavailable
from gpt_trader.sources import ADJUSTMENTS, SERIES_COLUMNS, BarRequest

if TYPE_CHECKING:
    import pandas as pd

Answer = TypeVar("Answer")
Floats = NDArray[np.float64]
Times = NDArray[np.datetime64]

Span = tuple[np.datetime64 | None, np.datetime64 | None]

DAY = np.timedelta64(1, "D")
LOOK_BACK = 10 * DAY
"""Daily answers start this much earlier, so that an action on a day without a bar finds its bar."""
INTRADAY_MINUTES = {"1m": 1, "5m": 5, "15m": 15, "30m": 30, "1h": 60}


# -- how they wait -------------------------------------------------------------------------------------------


class OutOfTimeError(TimeoutError):
    """The budget of this fetch is spent; nothing further is sent."""


class Unrepeatable(SourceUnavailable):
    """Asking again would not change the answer, as with a certificate that does not verify."""


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How patient an adapter is; all times in seconds.

    A request is given up after `timeout`. One answer is asked for at most `attempts` times and, waits
    included, for at most `deadline`. Between attempts the adapter waits a random time in the upper half of
    first_wait * 2 ** k, never over `longest_wait`. When the source names a time (Retry-After,
    X-Ratelimit-Reset) exactly that is waited; when it names more than `longest_wait` the adapter gives up at
    once and hands the time on in RateLimited.retry_after. `sleep`, `clock` (monotonic) and `wall_clock`
    (Unix time) are how it waits and tells the time.
    """

    attempts: int = 4
    timeout: float = 10.0
    deadline: float = 60.0
    first_wait: float = 1.0
    longest_wait: float = 30.0
    sleep: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic
    wall_clock: Callable[[], float] = time.time

    def wait_after(self, attempt: int, error: SourceUnavailable) -> float | None:
        """Seconds to wait after attempt number `attempt` (from 1) failed with `error`; None to give up."""
        if attempt >= self.attempts or isinstance(error, Unrepeatable):
            return None
        if isinstance(error, RateLimited) and error.retry_after is not None:
            return error.retry_after if error.retry_after <= self.longest_wait else None
        longest = min(self.longest_wait, self.first_wait * 2.0 ** (attempt - 1))
        return random.uniform(longest / 2, longest)  # noqa: S311 - spreads requests, guards no secret

    def now(self) -> np.datetime64:
        """Now as naive UTC datetime64[s], by the wall clock."""
        return np.datetime64(int(self.wall_clock()), "s")


class Budget:
    """The time left until the next good answer must be there; every good answer renews it."""

    def __init__(self, policy: RetryPolicy) -> None:
        self.policy = policy
        self.renew()

    def renew(self) -> None:
        """A good answer came: the next one may take the whole deadline again."""
        self._ends = self.policy.clock() + self.policy.deadline

    def left(self) -> float:
        """Seconds left, 0 or less when none are."""
        return self._ends - self.policy.clock()

    def timeout(self) -> float:
        """Seconds the next request may take. Raises OutOfTimeError when the budget is spent."""
        left = self.left()
        if left <= 0:
            raise OutOfTimeError(f"no answer within {self.policy.deadline:g} seconds")
        return min(self.policy.timeout, left)


def ask(action: Callable[[], Answer], budget: Budget) -> Answer:
    """`action()`, repeated as the budget's policy says while it raises SourceUnavailable.

    Raises the last error when the policy gives up, and at once whatever else `action` raises.
    """
    attempt, failure = 1, None
    while True:
        try:
            answer = action()
        except OutOfTimeError:
            if failure is None:
                raise
            raise failure from None
        except SourceUnavailable as error:
            failure, wait = error, budget.policy.wait_after(attempt, error)
            if wait is None or wait >= budget.left():
                raise
        else:
            budget.renew()
            return answer
        budget.policy.sleep(wait)
        attempt += 1


def retry_after(headers: Mapping[str, str | None], wall_clock: Callable[[], float]) -> float | None:
    """Seconds the server asks to wait, from Retry-After (seconds or a date) or X-Ratelimit-Reset (Unix time).

    Header names are matched without regard to case; None when neither can be read. RFC 9110, section 10.2.3.
    """
    named = {name.lower(): text.strip() for name, text in headers.items() if text}
    asked = named.get("retry-after")
    readings: tuple[Callable[[], float], ...] = (
        lambda: float(asked or ""),
        lambda: parsedate_to_datetime(asked or "").timestamp() - wall_clock(),
        lambda: float(named["x-ratelimit-reset"]) - wall_clock(),
    )
    for read in readings:
        try:
            return max(0.0, read())
        except (ValueError, TypeError, KeyError):
            continue
    return None


def polite_curl_session(
    policy: RetryPolicy, judged: Callable[[str], bool], judge: Callable[[Any, Mapping[str, Any]], None]
) -> Any:
    """A curl_cffi session, as Chrome, that keeps to `policy`; call its `begin(subject)` before each fetch.

    Every request is bounded by the budget. Those whose url is `judged` are repeated while they fail or
    `judge(answer, params)` raises SourceUnavailable; what it raises reaches the caller through the client.
    """
    from curl_cffi import requests as curl

    class PoliteSession(curl.Session):  # type: ignore[type-arg]
        def begin(self, subject: str) -> None:
            self.subject, self.budget = subject, Budget(policy)

        def request(self, method: Any, url: str, *args: Any, **options: Any) -> Any:
            send = super().request

            def once() -> Any:
                options["timeout"] = self.budget.timeout()
                return send(method, url, *args, **options)

            def until_good() -> Any:
                try:
                    answer = once()
                except curl.exceptions.CertificateVerifyError as error:
                    raise Unrepeatable(f"{self.subject}: certificate not valid: {_reason(error)}") from None
                except curl.exceptions.RequestException as error:
                    raise SourceUnavailable(f"{self.subject}: no answer: {_reason(error)}") from None
                judge(answer, options.get("params") or {})
                return answer

            return ask(until_good, self.budget) if judged(url) else once()

    return PoliteSession(impersonate="chrome")


def polite_requests_adapter(policy: RetryPolicy, subject: str, judge: Callable[[Any], None]) -> Any:
    """A transport adapter for a `requests` session that keeps to `policy`; mount it on "https://".

    Each GET is bounded as a whole, body included, and repeated while it fails or `judge(response)` raises
    SourceUnavailable. Every other method is sent once: an order must not go out twice.
    """
    import io

    import requests
    import urllib3

    class PoliteAdapter(requests.adapters.HTTPAdapter):
        def send(self, request: Any, *args: Any, **options: Any) -> Any:
            transport = super().send
            budget = Budget(policy if request.method == "GET" else replace(policy, attempts=1))

            def until_good() -> Any:
                limit = budget.timeout()
                ends = policy.clock() + limit
                try:
                    response = transport(request, *args, **{**options, "timeout": limit, "stream": True})
                    response.raw = io.BytesIO(_whole_body(response.raw, lambda: policy.clock() > ends))
                except (requests.exceptions.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
                    if "CERTIFICATE_VERIFY_FAILED" in str(error):
                        raise Unrepeatable(f"{subject}: certificate not valid: {_cause(error)}") from None
                    raise SourceUnavailable(f"{subject}: no answer: {_cause(error)}") from None
                judge(response)
                return response

            return ask(until_good, budget)

    return PoliteAdapter()


def _whole_body(raw: Any, late: Callable[[], bool]) -> bytes:
    """The decoded body of a urllib3 response; raises TimeoutError when it is not there before it is `late`."""
    parts: list[bytes] = []
    while part := raw.read1(65_536, decode_content=True):
        parts.append(part)
        if late():
            raw.close()
            raise TimeoutError(f"the answer came too slowly ({sum(map(len, parts))} bytes in time)")
    raw.release_conn()
    return b"".join(parts)


def _cause(error: BaseException) -> str:
    """The innermost reason of a nested requests or urllib3 error, on one line."""
    inner = error
    while isinstance(getattr(inner, "reason", None), BaseException) or (
        inner.args and isinstance(inner.args[0], BaseException)
    ):
        nested = getattr(inner, "reason", None)
        inner = nested if isinstance(nested, BaseException) else inner.args[0]
    text = str(inner) or type(inner).__name__
    return text.partition(">: ")[2] or text


def _reason(error: Exception) -> str:
    """What libcurl says, without the advice around it."""
    return str(error.args[0]).partition("curl: ")[2].partition(". See ")[0] or type(error).__name__


# -- from rows and corporate actions to a Series -------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False)
class Actions:
    """Corporate actions of one symbol, in order of date.

    `date` (E,) datetime64[D]; `split` (E,) new shares per old; `dividend` (E,) cash per share on the share
    basis of TODAY, that is after every split so far.
    """

    date: Times
    split: Floats
    dividend: Floats

    def placed(self, session: Times) -> tuple[Floats, Floats, Floats]:
        """(split, dividend, later), each (T,), for bars of the sessions `session` (T,), not descending.

        An event falls on the first bar on or after its date, so none is lost when its own day has no bar.
        `later` is the product of all splits after the bar: raw price = price on today's basis * later.
        """
        row = np.searchsorted(session, self.date, side="left")
        inside = row < session.size
        split, dividend = np.ones(session.size), np.zeros(session.size)
        np.multiply.at(split, row[inside], self.split[inside])
        np.add.at(dividend, row[inside], self.dividend[inside])
        from_row_on = np.cumprod(np.append(split, self.split[~inside].prod())[::-1])[::-1]
        return split, dividend, from_row_on[1:]


def checked_span(request: BarRequest, now: np.datetime64) -> Span:
    """Start and end of the request as datetime64[ns]; daily and longer bars end with the end's whole day.

    Raises BadParameter for a blank symbol or an unknown timeframe or adjustment, BadRange when start lies after
    end or more than LOOK_BACK after `now` (a cache may well ask from tomorrow on).
    """
    if not request.symbol.strip():
        raise BadParameter("the symbol is blank; give one such as AAPL")
    for kind, value, known in (
        ("timeframe", request.timeframe, TIMEFRAMES),
        ("adjustment", request.adjustment, ADJUSTMENTS),
    ):
        if value not in known:
            raise BadParameter(f"unknown {kind} {value!r}; use one of {', '.join(known)}")
    start, end = parse_time(request.start), parse_time(request.end, end_of_day=True)
    if end is not None and request.timeframe not in INTRADAY_MINUTES:
        end = parse_time(end.astype("datetime64[D]"), end_of_day=True)
    if start is not None and end is not None and start > end:
        raise BadRange(f"start {request.start} lies after end {request.end}; give the earlier date as start")
    if start is not None and start > now + LOOK_BACK:
        raise BadRange(f"start {request.start} lies in the future; give a date that has been traded")
    return start, end


def period_start(session: Times, timeframe: str) -> Times:
    """(T,) datetime64[D]: the week's Monday for 1w, the first of the month for 1mo, else the day itself."""
    days: Times = session.astype("datetime64[D]")
    if timeframe == "1w":
        since_monday = (days.astype(np.int64) + 3) % 7
        days = days - since_monday.astype("timedelta64[D]")
    if timeframe == "1mo":
        days = days.astype("datetime64[M]").astype("datetime64[D]")
    return days


def running_period(session: Times, today: np.datetime64, timeframe: str) -> np.datetime64 | None:
    """The week or month that goes on after the last of the sessions `session` (T,), None when that ended it."""
    weekdays_only = bool(np.is_busday(session).all())
    following = np.busday_offset(session[-1:], 1, roll="forward") if weekdays_only else session[-1:] + 1
    days = np.concatenate([session[-1:], following, [today]])
    last, coming, current = period_start(days, timeframe)
    return last if last == coming == current else None


def unfinished_note(time: np.datetime64) -> str:
    """What a Series says of the bar it leaves out because its time is not over."""
    day = time.astype("datetime64[D]")
    return f"the bar of {day if day == time else str(time)[:16]} left out: it is still being traded"


def group_bars(frame: pd.DataFrame, label: Times) -> pd.DataFrame:
    """One bar per run of equal `label` (T,), which becomes its time: first open, highest high, lowest low...

    Where a split falls inside a run, the bars before it are brought onto the share basis of the run's last
    bar, so that the grouped bar has one basis and carries the split as if before its open: a split never
    shows as a price move inside a bar.
    """
    import pandas as pd

    if frame.empty:
        return frame
    first = np.flatnonzero(np.append(True, label[1:] != label[:-1]))
    last = np.append(first[1:], label.size) - 1
    column: dict[str, Floats] = {name: frame[name].to_numpy(np.float64) for name in SERIES_COLUMNS[1:]}
    through = np.cumprod(column["split"])
    basis = np.repeat(through[last], last - first + 1) / through
    grouped: dict[str, Any] = {
        "time": label[first].astype("datetime64[ns]"),
        "open": (column["open"] / basis)[first],
        "high": np.maximum.reduceat(column["high"] / basis, first),
        "low": np.minimum.reduceat(column["low"] / basis, first),
        "close": column["close"][last],
        "volume": np.add.reduceat(column["volume"] * basis, first),
        "split": np.multiply.reduceat(column["split"], first),
        "dividend": np.add.reduceat(column["dividend"] / basis, first),
    }
    return pd.DataFrame(grouped, columns=list(SERIES_COLUMNS))


def whole_periods(
    frame: pd.DataFrame, session: Times, today: np.datetime64, timeframe: str
) -> tuple[pd.DataFrame, np.datetime64 | None]:
    """Daily bars of the sessions `session` (T,) as 1w or 1mo bars, and the period left out as still running."""
    if frame.empty:
        return frame, None
    grouped, running = (
        group_bars(frame, period_start(session, timeframe)),
        running_period(session, today, timeframe),
    )
    return (grouped, None) if running is None else (grouped[grouped["time"] < running], running)


def within(frame: pd.DataFrame, start: np.datetime64 | None, end: np.datetime64 | None) -> pd.DataFrame:
    """The rows of `frame` whose time lies from `start` to `end`, both inclusive, numbered from 0."""
    times = frame["time"].to_numpy("datetime64[ns]")
    low = 0 if start is None else int(np.searchsorted(times, start, side="left"))
    high = times.size if end is None else int(np.searchsorted(times, end, side="right"))
    return frame.iloc[low:high].reset_index(drop=True)
