"""How the HTTP adapters wait, and how rows and corporate actions become bars."""

from __future__ import annotations

import gzip
from collections.abc import Mapping

import numpy as np
import pandas as pd
import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

from gpt_trader.adapters.bar_tables import group_bars, period_start
from gpt_trader.adapters.http_policy import (
    Budget,
    OutOfTimeError,
    RetryPolicy,
    Unrepeatable,
    ask,
    polite_requests_adapter,
    retry_after,
)
from gpt_trader.adapters.vendor_rows import Actions, running_period
from gpt_trader.errors import RateLimited, SourceUnavailable
from gpt_trader.sources import SERIES_COLUMNS
from tests.contract.wire.patience import Waits
from tests.contract.wire.server import Asked, Reply, Status, Wire

NOON = 1_711_627_200.0  # 2024-03-28T12:00:00Z


def patient(waits: Waits, **changes: float) -> RetryPolicy:
    return RetryPolicy(sleep=waits.sleep, clock=lambda: sum(waits.waited), **changes)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "7"}, 7.0),
        ({"retry-after": " 2.5 "}, 2.5),
        ({"Retry-After": "-3"}, 0.0),
        ({"Retry-After": "Thu, 28 Mar 2024 12:01:30 GMT"}, 90.0),
        ({"Retry-After": "Thu, 28 Mar 2024 11:00:00 GMT"}, 0.0),
        ({"X-Ratelimit-Reset": "1711627211"}, 11.0),
        ({"X-RateLimit-Reset": "1711627100"}, 0.0),
        ({"Retry-After": "5", "X-Ratelimit-Reset": "1711627211"}, 5.0),
        ({"Retry-After": "soon", "X-Ratelimit-Reset": "1711627211"}, 11.0),
        ({"Retry-After": "soon"}, None),
        ({"X-Ratelimit-Reset": ""}, None),
        ({"Retry-After": None}, None),
        ({}, None),
    ],
)
def test_the_time_a_server_asks_for_is_read(headers: Mapping[str, str | None], seconds: float | None) -> None:
    assert retry_after(headers, lambda: NOON) == seconds


def test_a_wait_grows_with_the_attempts_and_is_spread() -> None:
    policy = RetryPolicy(attempts=10, first_wait=1.0, longest_wait=8.0)
    error = SourceUnavailable("x")
    for attempt, longest in ((1, 1), (2, 2), (3, 4), (4, 8), (5, 8), (9, 8)):
        waits = {policy.wait_after(attempt, error) for _ in range(50)}
        assert all(wait is not None and longest / 2 <= wait <= longest for wait in waits)
        assert len(waits) > 40
    assert policy.wait_after(10, error) is None
    assert policy.wait_after(1, Unrepeatable("x")) is None
    assert policy.wait_after(1, RateLimited("x", 8.0)) == 8.0
    assert policy.wait_after(1, RateLimited("x", 8.1)) is None
    assert policy.wait_after(1, RateLimited("x", float("nan"))) is None


def test_an_answer_that_comes_renews_the_budget() -> None:
    waits = Waits()
    budget = Budget(patient(waits, deadline=10.0, timeout=4.0))
    assert budget.timeout() == 4.0
    waits.sleep(7.0)
    assert budget.timeout() == 3.0
    assert ask(lambda: "good", budget) == "good"
    assert budget.left() == 10.0
    waits.sleep(10.0)
    with pytest.raises(OutOfTimeError, match="within 10 seconds"):
        budget.timeout()


def test_what_is_not_the_sources_fault_is_not_repeated() -> None:
    waits, calls = Waits(), []

    def broken() -> None:
        calls.append(1)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        ask(broken, Budget(patient(waits)))
    assert len(calls) == 1
    assert waits.waited == []


class Echo(Wire):
    """Answers in gzip, and takes orders."""

    def answer(self, asked: Asked) -> Reply:
        body = gzip.compress(b"x" * 200_000)
        return Reply(200, body, "text/plain", {"Content-Encoding": "gzip"})


def session(waits: Waits) -> requests.Session:
    def judge(response: requests.Response) -> None:
        if response.status_code >= 500:
            raise SourceUnavailable(f"HTTP {response.status_code}")

    opened = requests.Session()
    opened.mount("http://", polite_requests_adapter(patient(waits), "Echo", judge))
    return opened


def test_a_compressed_answer_is_whole_and_the_connection_is_used_again() -> None:
    with Echo() as wire, session(Waits()) as client:
        for _ in range(3):
            assert client.get(wire.url).text == "x" * 200_000
        assert len({asked.port for asked in wire.asked}) == 1


def test_an_order_is_never_sent_twice() -> None:
    waits = Waits()
    with Echo() as wire, session(waits) as client:
        wire.always = Status(504)
        with pytest.raises(SourceUnavailable, match="HTTP 504"):
            client.post(wire.url, json={"qty": 1})
        assert len(wire.asked) == 1
        assert waits.waited == []
        with pytest.raises(SourceUnavailable, match="HTTP 504"):
            client.get(wire.url)
        assert len(wire.asked) == 5


days = st.integers(0, 60).map(lambda n: np.datetime64("2024-01-01") + n)
events = st.lists(
    st.tuples(days, st.sampled_from([1.0, 2.0, 7.0, 0.1]), st.sampled_from([0.0, 0.25])), max_size=6
)


@given(st.lists(days, min_size=1, max_size=20), events)
def test_actions_are_placed_as_a_plain_loop_places_them(
    sessions: list[np.datetime64], happened: list[tuple[np.datetime64, float, float]]
) -> None:
    happened = sorted(happened, key=lambda event: event[0])
    session_dates = np.sort(np.array(sessions, "datetime64[D]"))
    actions = Actions(
        np.array([event[0] for event in happened], "datetime64[D]"),
        np.array([event[1] for event in happened], np.float64),
        np.array([event[2] for event in happened], np.float64),
    )
    split, dividend, later = actions.placed(session_dates)
    rows = [next((i for i, day in enumerate(session_dates) if day >= date), None) for date, _, _ in happened]
    for t in range(session_dates.size):
        here = [event for event, row in zip(happened, rows, strict=True) if row == t]
        after = [event for event, row in zip(happened, rows, strict=True) if row is None or row > t]
        assert split[t] == pytest.approx(np.prod([event[1] for event in here]))
        assert dividend[t] == pytest.approx(sum(event[2] for event in here))
        assert later[t] == pytest.approx(np.prod([event[1] for event in after]))


def bars(*columns: tuple[float, ...]) -> pd.DataFrame:
    times = np.datetime64("2024-01-01", "ns") + np.arange(len(columns[0])) * np.timedelta64(1, "D")
    values = dict(zip(SERIES_COLUMNS[1:], map(np.array, columns), strict=True))
    return pd.DataFrame({"time": times, **values}).astype(dict.fromkeys(SERIES_COLUMNS[1:], float))


def test_grouped_bars_have_one_share_basis() -> None:
    frame = bars(
        (10, 12, 6, 7),
        (14, 13, 7, 9),
        (9, 11, 5, 6),
        (12, 12, 6.5, 8),
        (100, 100, 200, 50),
        (1, 1, 2, 1),
        (0, 1, 0, 0.5),
    )
    label = np.array(["2024-01-01", "2024-01-01", "2024-01-01", "2024-01-04"], "datetime64[D]")
    grouped = group_bars(frame, label)
    assert tuple(grouped.columns) == SERIES_COLUMNS
    assert grouped.drop(columns="time").to_numpy().tolist() == [
        [5.0, 7.0, 4.5, 6.5, 600.0, 2.0, 0.5],
        [7.0, 9.0, 6.0, 8.0, 50.0, 1.0, 0.5],
    ]
    assert grouped["time"].tolist() == [pd.Timestamp("2024-01-01"), pd.Timestamp("2024-01-04")]
    assert len(group_bars(frame.head(0), label[:0])) == 0


def test_a_week_starts_on_monday_and_a_month_on_its_first_day() -> None:
    dates = np.array(["1969-12-31", "1970-01-04", "2024-03-24", "2024-03-25", "2024-03-31"], "datetime64[D]")
    assert period_start(dates, "1w").astype(str).tolist() == [
        "1969-12-29",
        "1969-12-29",
        "2024-03-18",
        "2024-03-25",
        "2024-03-25",
    ]
    assert (
        period_start(dates, "1mo").astype(str).tolist() == ["1969-12-01", "1970-01-01"] + ["2024-03-01"] * 3
    )
    assert period_start(dates, "1d").astype(str).tolist() == dates.astype(str).tolist()


@pytest.mark.parametrize(
    ("sessions", "today", "timeframe", "running"),
    [
        (["2024-03-25", "2024-03-26"], "2024-03-26", "1w", "2024-03-25"),
        (["2024-03-21", "2024-03-22"], "2024-03-22", "1w", None),
        (["2024-03-21", "2024-03-22"], "2024-03-23", "1w", None),
        (["2024-03-21", "2024-03-22"], "2024-04-30", "1w", None),
        (["2024-03-27", "2024-03-28"], "2024-03-28", "1mo", "2024-03-01"),
        (["2024-04-29", "2024-04-30"], "2024-04-30", "1mo", None),
        (["2024-03-22", "2024-03-23"], "2024-03-23", "1w", "2024-03-18"),  # trades on Sunday too
        (["2024-03-23", "2024-03-24"], "2024-03-24", "1w", None),
    ],
)
def test_a_period_runs_until_its_last_session(
    sessions: list[str], today: str, timeframe: str, running: str | None
) -> None:
    found = running_period(np.array(sessions, "datetime64[D]"), np.datetime64(today), timeframe)
    assert (None if found is None else str(found)) == running
