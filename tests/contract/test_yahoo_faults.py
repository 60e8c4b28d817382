"""How YahooSource stands what goes wrong on the wire: limits, failures, silence, rubbish; never an empty frame."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest

from gpt_trader.adapters.yahoo import YahooSource
from gpt_trader.errors import BadRange, RateLimited, SourceUnavailable, SymbolNotFound, UserError
from gpt_trader.sources import BarRequest, Series
from tests.contract.wire.listings import invented
from tests.contract.wire.patience import Waits, policy_at
from tests.contract.wire.server import HTML, Drip, Fault, Hang, Reset, Status, Truncated
from tests.contract.wire.yahoo import CHART, YahooWire, chart_error, serve_yahoo

LIMITED = Status(429, "Too Many Requests\r\n", "text/html")
BAD_SPLIT = """{"chart": {"error": null, "result": [{"timestamp": [1], "events":
    {"splits": {"1": {"date": 1, "numerator": 2, "denominator": 0}}}}]}}"""
NOT_THERE = chart_error(404, "Not Found", "No data found, symbol may be delisted")


class Setting:
    """A Yahoo, a source that asks it, and the waits it was made to take."""

    def __init__(self, folder: Path, stack: ExitStack, **patience: float) -> None:
        self.wire: YahooWire = stack.enter_context(
            serve_yahoo(folder / "wire", {"ABC": invented()}, "2024-03-28")
        )
        self.waits = Waits()
        policy = policy_at(self.wire.now.timestamp(), self.waits, **patience)
        self.source = YahooSource(folder / "yahoo", policy)

    def fetch(self, symbol: str = "ABC", timeframe: str = "1d") -> Series:
        """January 2024."""
        start, end = np.datetime64("2024-01-02"), np.datetime64("2024-01-31")
        return self.source.fetch(BarRequest(symbol, timeframe, start, end))

    def asked(self) -> int:
        """How many charts were asked for."""
        return sum(CHART in asked.path for asked in self.wire.asked)


@pytest.fixture
def setting(tmp_path: Path) -> Iterator[Callable[..., Setting]]:
    with ExitStack() as stack:
        yield lambda **patience: Setting(tmp_path, stack, **patience)


def test_a_rate_limit_is_waited_out_for_as_long_as_yahoo_asks(setting: Callable[..., Setting]) -> None:
    here = setting()
    here.wire.faults.extend([Status(429, headers={"Retry-After": "7"}), None, Status(429), None])
    series = here.fetch()
    assert len(series.frame) == 21
    assert here.waits.waited[0] == 7.0
    assert 0.5 <= here.waits.waited[1] <= 1.0
    assert len(here.waits.waited) == 2


def test_a_permanent_rate_limit_ends_after_waits_that_grow(setting: Callable[..., Setting]) -> None:
    here = setting(attempts=5)
    here.wire.always = LIMITED
    with pytest.raises(RateLimited, match=r"fewer requests \(HTTP 429, ABC\)") as caught:
        here.fetch()
    assert caught.value.retry_after is None
    assert here.asked() == 5
    for wait, longest in zip(here.waits.waited, (1, 2, 4, 8), strict=True):
        assert longest / 2 <= wait <= longest


def test_a_limit_of_an_hour_is_handed_on_instead_of_waited_for(setting: Callable[..., Setting]) -> None:
    here = setting()
    here.wire.always = Status(429, headers={"Retry-After": "3600"})
    with pytest.raises(RateLimited, match="in 3600 seconds") as caught:
        here.fetch()
    assert caught.value.retry_after == 3600
    assert here.waits.waited == []
    assert here.asked() == 1


def test_a_limit_on_everything_even_the_crumb_is_a_limit(setting: Callable[..., Setting]) -> None:
    here = setting()
    here.wire.refuse_all = True
    here.wire.always = LIMITED
    with pytest.raises(RateLimited):
        here.fetch()
    here.wire.always = None
    assert len(here.fetch().frame) == 21


def test_waiting_never_passes_the_deadline(setting: Callable[..., Setting]) -> None:
    here = setting(attempts=100, deadline=60.0)
    here.wire.always = Status(429, headers={"Retry-After": "25"})
    with pytest.raises(RateLimited):
        here.fetch()
    assert here.waits.waited == [25.0, 25.0]


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_a_server_error_is_tried_again(setting: Callable[..., Setting], status: int) -> None:
    here = setting()
    here.wire.faults.extend([Status(status, "<html>oops</html>", "text/html"), chart_error(status, "x", "y")])
    assert len(here.fetch().frame) == 21
    assert len(here.waits.waited) == 2


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        (chart_error(500, "Internal Server Error", "boom"), "HTTP 500: boom"),
        (Status(502, "<html>Bad Gateway</html>", "text/html"), "no chart .HTTP 502, text/html"),
        (Status(503, ""), "no chart .HTTP 503"),
        (HTML, "no chart .HTTP 200, text/html"),
        (Status(200, "Will be right back", "text/plain"), "no chart"),
        (Status(200, "null"), "no chart"),
        (Status(200, "[1, 2]"), "no chart"),
        (Status(200, '{"chart": null}'), "no chart"),
        (Status(200, '{"chart": {"result": [null], "error": null}}'), "no chart"),
        (Status(200, '{"chart": {"result": null, "error": null}}'), "an empty answer"),
        (Status(200, BAD_SPLIT), "unreadable event of ABC"),
        (Truncated(announced=False), "no chart"),
        (Truncated(announced=True), "Yahoo, ABC: no answer"),
        (Reset(), "Yahoo, ABC: no answer"),
    ],
)
def test_a_failure_that_stays_is_named(setting: Callable[..., Setting], fault: Fault, says: str) -> None:
    here = setting(attempts=2)
    here.wire.always = fault
    with pytest.raises(SourceUnavailable, match=says) as caught:
        here.fetch()
    assert "ABC" in str(caught.value)
    assert not isinstance(caught.value, RateLimited)
    assert here.asked() == 2


@pytest.mark.parametrize("fault", [HTML, Truncated(announced=False), Truncated(announced=True), Reset()])
def test_a_failure_that_passes_costs_one_wait(setting: Callable[..., Setting], fault: Fault) -> None:
    here = setting()
    here.wire.faults.append(fault)
    assert len(here.fetch().frame) == 21
    assert len(here.waits.waited) == 1


@pytest.mark.parametrize("fault", [Hang(), Hang(after=40), Drip()])
def test_silence_is_bounded(setting: Callable[..., Setting], fault: Fault) -> None:
    here = setting(attempts=3, timeout=0.25)
    here.wire.always = fault
    with pytest.raises(SourceUnavailable, match=r"Yahoo, ABC: no answer: .*timed out"):
        here.fetch()
    assert here.asked() == 3


def test_silence_of_every_host_is_bounded_by_the_deadline(setting: Callable[..., Setting]) -> None:
    here = setting(attempts=50, timeout=0.2, deadline=1.0, first_wait=0.0)
    here.wire.refuse_all = True
    here.wire.always = Hang()
    with pytest.raises(SourceUnavailable):
        here.fetch()
    assert 0 < len(here.wire.asked) <= 8


def test_silence_that_passes_is_tried_again(setting: Callable[..., Setting]) -> None:
    here = setting(timeout=0.25)
    here.wire.faults.append(Hang())
    assert len(here.fetch().frame) == 21


def test_no_proxy_and_no_network_is_said(
    setting: Callable[..., Setting], monkeypatch: pytest.MonkeyPatch
) -> None:
    here = setting(attempts=2)
    for name in ("HTTPS_PROXY", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    with pytest.raises(SourceUnavailable, match="Yahoo, ABC: no answer"):
        here.fetch()
    assert here.wire.asked == []


def test_a_certificate_that_does_not_verify_is_not_tried_again(
    setting: Callable[..., Setting], monkeypatch: pytest.MonkeyPatch
) -> None:
    import certifi

    here = setting()
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", certifi.where())
    with pytest.raises(SourceUnavailable, match="certificate not valid"):
        here.fetch()
    assert here.waits.waited == []
    assert here.wire.asked == []


@pytest.mark.parametrize("not_json", [False, True])
def test_an_unknown_symbol_is_named_whatever_else_yahoo_says(
    setting: Callable[..., Setting], not_json: bool
) -> None:
    here = setting()
    here.wire.not_json_elsewhere = not_json
    for timeframe in ("1d", "1m"):
        with pytest.raises(SymbolNotFound, match=r"no symbol 'NOSUCH1'.*check its spelling"):
            here.fetch("NOSUCH1", timeframe)
    assert here.asked() == 2
    assert here.waits.waited == []
    assert len(here.fetch().frame) == 21


def test_a_symbol_that_goes_missing_later_is_not_an_empty_frame(setting: Callable[..., Setting]) -> None:
    here = setting()
    here.fetch()
    here.wire.always = NOT_THERE
    with pytest.raises(SymbolNotFound):
        here.fetch()


def test_a_stale_crumb_is_renewed_once(setting: Callable[..., Setting]) -> None:
    here = setting()
    stale = Status(401, '{"finance": {"result": null, "error": {"code": "Unauthorized"}}}')
    here.wire.faults.extend([stale, None, stale, None])
    assert len(here.fetch().frame) == 21
    here.wire.always = stale
    with pytest.raises(SourceUnavailable, match=r"refuses to serve ABC \(HTTP 401\)"):
        here.fetch()
    assert here.waits.waited == []


@pytest.mark.parametrize(
    "reason",
    [
        "1m data not available for startTime=1 and endTime=2. The requested range must be within the last 30 days.",
        "Only 8 days worth of 1m granularity data are allowed to be fetched per request.",
    ],
)
def test_minutes_that_yahoo_no_longer_keeps_are_a_users_mistake(
    setting: Callable[..., Setting], reason: str
) -> None:
    here = setting()
    refusal = chart_error(422, "Unprocessable Entity", reason)
    here.wire.faults.extend([None, None, refusal])
    with pytest.raises(BadRange, match="longer timeframe") as caught:
        here.fetch(timeframe="1m")
    assert reason in str(caught.value)
    assert isinstance(caught.value, UserError)


def test_another_refusal_hands_on_what_yahoo_says(setting: Callable[..., Setting]) -> None:
    here = setting()
    here.wire.always = chart_error(422, "Unprocessable Entity", "period1 is odd")
    with pytest.raises(SourceUnavailable, match=r"refused ABC \(HTTP 422: period1 is odd\)"):
        here.fetch()
    assert here.waits.waited == []


def test_bars_that_never_existed_are_an_empty_span(setting: Callable[..., Setting]) -> None:
    here = setting()
    gone = chart_error(400, "Bad Request", "Data doesn't exist for startDate = 1, endDate = 2")
    here.wire.faults.extend([None, gone])
    series = here.fetch()
    assert len(series.frame) == 0
    assert "no 1d bars of ABC" in series.notes[0]


def test_nothing_is_printed_logged_or_warned_of(
    setting: Callable[..., Setting], capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    here = setting(attempts=1)
    with warnings.catch_warnings(record=True) as warned, caplog.at_level(logging.DEBUG):
        warnings.simplefilter("always")
        here.fetch()
        with pytest.raises(SymbolNotFound):
            here.fetch("NOSUCH1")
        here.wire.always = Status(500)
        with pytest.raises(SourceUnavailable):
            here.fetch()
    assert [str(warning.message) for warning in warned] == []
    assert capfd.readouterr() == ("", "")
    assert [record for record in caplog.records if record.name == "yfinance"] == []


def test_yfinance_is_left_as_it_was_found(setting: Callable[..., Setting]) -> None:
    import yfinance

    here = setting(attempts=1)
    here.fetch()
    here.wire.always = Status(500)
    with pytest.raises(SourceUnavailable):
        here.fetch()
    assert yfinance.config.debug.hide_exceptions is True
    assert logging.getLogger("yfinance").disabled is False


def test_cookies_and_time_zones_are_kept_in_our_folder(
    setting: Callable[..., Setting], tmp_path: Path
) -> None:
    here = setting()
    here.fetch()
    assert {"cookies.db", "tkr-tz.db"} <= {path.name for path in (tmp_path / "yahoo").iterdir()}
    before = len(here.wire.asked)
    here.fetch()
    assert len(here.wire.asked) == before + 1
