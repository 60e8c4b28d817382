"""How the adapters that speak HTTP wait: time-outs, retries, rate limits, and one deadline for all of an answer."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar

import numpy as np

from gpt_trader.errors import RateLimited, SourceUnavailable

Answer = TypeVar("Answer")


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
