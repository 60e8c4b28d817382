"""How AlpacaSource stands what goes wrong: keys, limits, failures, silence, rubbish; never an empty frame."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import SecretStr

from gpt_trader.adapters.alpaca import AlpacaKeys, AlpacaSource
from gpt_trader.errors import RateLimited, SourceUnavailable, SymbolNotFound, UserError
from gpt_trader.sources import BarRequest, Series
from tests.contract.wire.alpaca import KEY_ID, SECRET_KEY, AlpacaWire, serve_alpaca
from tests.contract.wire.listings import invented
from tests.contract.wire.patience import Waits, policy_at
from tests.contract.wire.server import HTML, Drip, Fault, Hang, Reset, Status, Truncated
from tests.contract.wire.yahoo import serve_yahoo

KEYS = {"ALPACA_API_KEY_ID": KEY_ID, "ALPACA_API_SECRET_KEY": SECRET_KEY}


class Setting:
    """An Alpaca, a source that asks it, and the waits it was made to take."""

    def __init__(
        self, stack: ExitStack, environment: dict[str, str] | None = None, **patience: float
    ) -> None:
        self.wire: AlpacaWire = stack.enter_context(serve_alpaca({"ABC": invented()}, "2024-03-28"))
        self.waits = Waits()
        policy = policy_at(self.wire.now.timestamp(), self.waits, **patience)
        known = KEYS if environment is None else environment
        self.source = AlpacaSource(policy=policy, url=self.wire.url, environment=known)

    def fetch(self, symbol: str = "ABC", **options: Any) -> Series:
        """January 2024."""
        start, end = np.datetime64("2024-01-02"), np.datetime64("2024-01-31")
        return self.source.fetch(BarRequest(symbol, start=start, end=end, **options))


@pytest.fixture
def setting() -> Iterator[Callable[..., Setting]]:
    with ExitStack() as stack:
        yield lambda environment=None, **patience: Setting(stack, environment, **patience)


@pytest.mark.parametrize(
    ("environment", "missing"),
    [
        ({}, "GPT_TRADER_SECRETS__ALPACA_KEY_ID is not set"),
        ({"ALPACA_API_KEY_ID": "  "}, "ALPACA_KEY_ID is not set"),
        ({"APCA_API_KEY_ID": KEY_ID}, "GPT_TRADER_SECRETS__ALPACA_SECRET_KEY is not set"),
    ],
)
def test_a_missing_key_says_what_to_set(
    setting: Callable[..., Setting], environment: dict[str, str], missing: str
) -> None:
    here = setting(environment)
    with pytest.raises(UserError, match=missing) as caught:
        here.fetch()
    assert KEY_ID not in str(caught.value)
    assert here.wire.asked == []


@pytest.mark.parametrize("prefix", ["ALPACA_API_{}", "APCA_API_{}", "GPT_TRADER_SECRETS__ALPACA_{}"])
def test_keys_are_found_under_each_usual_name(
    setting: Callable[..., Setting], prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = setting()
    for half, value in (("KEY_ID", KEY_ID), ("SECRET_KEY", SECRET_KEY)):
        monkeypatch.setenv(prefix.format(half), value)
    source = AlpacaSource(policy=here.source.policy, url=here.wire.url)
    assert len(source.fetch(BarRequest("ABC", start=np.datetime64("2024-01-02"))).frame) > 50


def test_keys_that_are_handed_in_come_first(setting: Callable[..., Setting]) -> None:
    here = setting()
    wrong = dict.fromkeys(KEYS, "wrong")
    keys = SecretStr(KEY_ID), SecretStr(SECRET_KEY)
    source = AlpacaSource(*keys, policy=here.source.policy, url=here.wire.url, environment=wrong)
    assert len(source.fetch(BarRequest("ABC", start=np.datetime64("2024-01-02"))).frame) > 50


@pytest.mark.parametrize(
    "fault",
    [
        Status(401, '{"message": "unauthorized."}'),
        Status(403, f'{{"message": "forbidden for {SECRET_KEY}"}}'),
        Status(401, "<html>no</html>", "text/html"),
        Status(403, ""),
    ],
)
def test_a_refused_key_is_a_users_mistake_and_stays_secret(
    setting: Callable[..., Setting], fault: Fault
) -> None:
    here = setting()
    here.wire.always = fault
    with pytest.raises(
        UserError, match=r"refuses the API key.*check GPT_TRADER_SECRETS__ALPACA_KEY_ID"
    ) as caught:
        here.fetch()
    shown = "".join(traceback.format_exception(caught.value)) + repr(here.source)
    shown += repr(vars(here.source)) + repr(vars(here.source._clients))
    assert SECRET_KEY not in shown
    assert KEY_ID not in shown
    assert here.waits.waited == []


def test_the_keys_do_not_show() -> None:
    keys = AlpacaKeys(SecretStr(KEY_ID), SecretStr(SECRET_KEY))
    assert SECRET_KEY not in f"{keys!r} {keys}"
    assert KEY_ID not in f"{keys!r} {keys}"


def test_a_feed_that_is_not_paid_for_says_what_to_do(setting: Callable[..., Setting]) -> None:
    here = setting()
    here.wire.always = Status(403, '{"message":"subscription does not permit querying recent SIP data"}')
    with pytest.raises(UserError, match="use feed iex, or end 15 minutes or more before now"):
        here.fetch()


def test_an_unknown_symbol_is_told_from_an_empty_span(setting: Callable[..., Setting]) -> None:
    here = setting()
    with pytest.raises(SymbolNotFound, match="no bar of 'NOSUCH1' in the feed iex"):
        here.fetch("NOSUCH1")
    with pytest.raises(SymbolNotFound, match=r"no symbol 'NO\$SUCH'.*invalid symbol"):
        here.fetch("NO$SUCH")
    assert here.wire.bars[1].query["limit"] == "1"


def test_a_rate_limit_is_waited_out_until_the_time_in_its_header(setting: Callable[..., Setting]) -> None:
    here = setting()
    reset = str(int(here.wire.now.timestamp()) + 9)
    here.wire.faults.extend(
        [
            Status(429, headers={"X-Ratelimit-Reset": reset}),
            Status(429, headers={"Retry-After": "3"}),
            Status(429),
        ]
    )
    assert len(here.fetch().frame) == 21
    assert here.waits.waited[:2] == [9.0, 3.0]
    assert 2.0 <= here.waits.waited[2] <= 4.0


def test_a_limit_between_two_pages_does_not_start_again_at_the_first(setting: Callable[..., Setting]) -> None:
    here = setting()
    here.wire.page_size = 5
    here.wire.faults.extend([None, None, Status(429, headers={"Retry-After": "2"})])
    assert len(here.fetch().frame) == 21
    tokens = [asked.query.get("page_token") for asked in here.wire.bars]
    assert tokens == [None, "5", "10", "10", "15", "20"]


def test_a_permanent_rate_limit_ends(setting: Callable[..., Setting]) -> None:
    here = setting()
    here.wire.always = Status(429, '{"message": "too many requests."}')
    with pytest.raises(RateLimited, match="fewer requests") as caught:
        here.fetch()
    assert caught.value.retry_after is None
    assert len(here.wire.asked) == 4
    assert len(here.waits.waited) == 3


def test_a_limit_of_an_hour_is_handed_on_instead_of_waited_for(setting: Callable[..., Setting]) -> None:
    here = setting()
    here.wire.always = Status(429, headers={"Retry-After": "3600"})
    with pytest.raises(RateLimited, match="in 3600 seconds") as caught:
        here.fetch()
    assert caught.value.retry_after == 3600
    assert here.waits.waited == []


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        (Status(500), "HTTP 500"),
        (Status(502, "<html>Bad Gateway</html>", "text/html"), "HTTP 502"),
        (Status(503), "HTTP 503"),
        (Status(504), "HTTP 504"),
        (HTML, "not what was asked for .HTTP 200, text/html"),
        (Status(200, "[]"), "not what was asked for"),
        (Status(302, "", headers={"Location": "http://127.0.0.1:9/"}), "not what was asked for .HTTP 302"),
        (Truncated(announced=False), "not what was asked for"),
        (Truncated(announced=True), "no answer"),
        (Reset(), "no answer"),
    ],
)
def test_a_failure_that_stays_is_named(setting: Callable[..., Setting], fault: Fault, says: str) -> None:
    here = setting(attempts=3)
    here.wire.always = fault
    with pytest.raises(SourceUnavailable, match=says) as caught:
        here.fetch()
    assert "Alpaca" in str(caught.value)
    assert not isinstance(caught.value, RateLimited)
    assert len(here.wire.asked) == 3


@pytest.mark.parametrize("fault", [Status(500), Status(504), HTML, Truncated(announced=True), Reset()])
def test_a_failure_that_passes_costs_one_wait(setting: Callable[..., Setting], fault: Fault) -> None:
    here = setting()
    here.wire.faults.append(fault)
    assert len(here.fetch().frame) == 21
    assert len(here.waits.waited) == 1


@pytest.mark.parametrize("fault", [Hang(), Hang(after=40), Drip()])
def test_silence_is_bounded(setting: Callable[..., Setting], fault: Fault) -> None:
    here = setting(attempts=3, timeout=0.25)
    here.wire.always = fault
    with pytest.raises(SourceUnavailable, match=r"Alpaca: no answer: .*(timed out|too slowly)"):
        here.fetch()
    assert len(here.wire.asked) == 3


def test_silence_is_bounded_by_the_deadline_too(setting: Callable[..., Setting]) -> None:
    here = setting(attempts=50, timeout=0.2, deadline=0.7, first_wait=0.0)
    here.wire.always = Hang()
    with pytest.raises(SourceUnavailable):
        here.fetch()
    assert 1 < len(here.wire.asked) <= 5


def test_nobody_there_is_said(setting: Callable[..., Setting]) -> None:
    here = setting()
    source = AlpacaSource(policy=here.source.policy, url="http://127.0.0.1:9", environment=KEYS)
    with pytest.raises(SourceUnavailable, match=r"Alpaca: no answer: .*refused"):
        source.fetch(BarRequest("ABC", start=np.datetime64("2024-01-02")))
    assert len(here.waits.waited) == 3


def test_a_certificate_of_another_host_is_not_tried_again(
    setting: Callable[..., Setting], tmp_path: Path
) -> None:
    here = setting()
    source = AlpacaSource(policy=here.source.policy, environment=KEYS)
    with (
        serve_yahoo(tmp_path, {}, "2024-03-28") as yahoo,
        pytest.raises(SourceUnavailable, match=r"certificate not valid.*data.alpaca.markets"),
    ):
        source.fetch(BarRequest("ABC", start=np.datetime64("2024-01-02")))
    assert here.waits.waited == []
    assert yahoo.asked == []


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ('{"next_page_token": null}', "could not be read"),
        ('{"bars": null, "next_page_token": null}', "could not be read"),
        (
            '{"bars": {"ABC": [{"t": "2024-01-02T05:00:00Z", "o": 1}]}, "next_page_token": null}',
            "without 'h'",
        ),
        (
            '{"bars": {"ABC": [{"t": "soon", "o": 1, "h": 1, "l": 1, "c": 1, "v": 1}]}, "next_page_token": null}',
            "ABC",
        ),
    ],
)
def test_bars_that_cannot_be_read_are_named(setting: Callable[..., Setting], body: str, says: str) -> None:
    here = setting()
    here.wire.always = Status(200, body)
    with pytest.raises(SourceUnavailable, match=says):
        here.fetch()


def test_actions_that_cannot_be_read_are_named(setting: Callable[..., Setting]) -> None:
    here = setting()
    action = '{"cash_dividends": [{"symbol": "ABC", "ex_date": "2024-01-18"}]}'
    here.wire.faults.extend(
        [None, Status(200, f'{{"corporate_actions": {action}, "next_page_token": null}}')]
    )
    with pytest.raises(SourceUnavailable, match="corporate action of ABC without 'rate'"):
        here.fetch()


def test_another_refusal_hands_on_what_alpaca_says(setting: Callable[..., Setting]) -> None:
    here = setting()
    here.wire.always = Status(422, '{"code": 42210000, "message": "end should not be before start"}')
    with pytest.raises(SourceUnavailable, match=r"refused ABC .HTTP 422: end should not be before start"):
        here.fetch()
    assert here.waits.waited == []
