"""Whatever is asked in whatever order, the cache gives what the source would, on one basis, and asks for little."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from gpt_trader.adapters.bar_tables import adjusted, within
from gpt_trader.adapters.cache import CachedSource
from gpt_trader.adapters.cache_spans import joined, subtract
from gpt_trader.adapters.synthetic import SyntheticSource
from gpt_trader.sources import BarRequest, Series

HISTORY = SyntheticSource(seed=9, first="2022-01-03", last="2022-12-30").fetch(BarRequest("ABC")).frame
FIRST = pd.Timestamp("2022-01-01")
SPANS = st.tuples(st.integers(0, 330), st.integers(0, 90))


class Market:
    """A vendor on a day that moves on: what is later has not happened, and events adjust what was before."""

    name = "market"

    def __init__(self) -> None:
        self.table, self.now, self.days_asked = HISTORY.copy(), pd.Timestamp("2022-12-31 12:00"), 0

    def known(self) -> pd.DataFrame:
        return self.table[self.table["time"] < self.now.normalize()].reset_index(drop=True)

    def fetch(self, request: BarRequest) -> Series:
        table, adjustment = adjusted(self.known(), "raw", request.adjustment)
        answer = within(table, request.start, request.end)
        self.days_asked += len(answer)
        return Series(request, answer, self.name, adjustment)

    def ask(self, cache: CachedSource, low: int, length: int, adjustment: str) -> pd.DataFrame:
        start = FIRST + pd.Timedelta(days=low)
        end = start + pd.Timedelta(days=length)
        return cache.fetch(
            BarRequest("ABC", "1d", start.to_datetime64(), end.to_datetime64(), adjustment)
        ).frame


@settings(max_examples=20, deadline=None)
@given(spans=st.lists(SPANS, min_size=1, max_size=6))
def test_raw_answers_equal_the_sources_and_no_covered_session_is_asked_for_twice(
    spans: list[tuple[int, int]],
) -> None:
    market = Market()
    with TemporaryDirectory() as folder:
        cache = CachedSource(market, Path(folder), clock=lambda: market.now.timestamp())
        wanted: set[pd.Timestamp] = set()
        for low, length in spans:
            frame = market.ask(cache, low, length, "raw")
            start = FIRST + pd.Timedelta(days=low)
            times = market.table["time"]
            inside = (times >= start) & (times <= start + pd.Timedelta(days=length))
            pd.testing.assert_frame_equal(frame, market.table[inside].reset_index(drop=True))
            wanted |= set(frame["time"])
            before = market.days_asked
            market.ask(cache, low, length, "raw")
            assert market.days_asked == before, "the same question asks nothing"
        requests = sum(len(outcome.asked) for outcome in cache.outcomes)
        assert market.days_asked <= len(wanted) + 6 * requests


@settings(max_examples=20, deadline=None)
@given(
    steps=st.lists(
        st.tuples(SPANS, st.integers(1, 60), st.sampled_from(["none", "split", "dividend", "both"])),
        min_size=2,
        max_size=6,
    ),
    adjustment=st.sampled_from(["split", "all"]),
)
def test_an_adjusted_answer_is_on_one_basis_whatever_happened_between_the_questions(
    steps: list[tuple[tuple[int, int], int, str]], adjustment: str
) -> None:
    market = Market()
    market.now = FIRST + pd.Timedelta(days=40, hours=12)
    with TemporaryDirectory() as folder:
        cache = CachedSource(market, Path(folder), clock=lambda: market.now.timestamp())
        for (low, length), passed, event in steps:
            answer = market.ask(cache, low, length, adjustment)
            truth, _ = adjusted(market.known(), "raw", adjustment)
            both = answer.merge(truth, on="time", suffixes=("", "_true"))
            assert len(both) == len(answer)
            for name in ("open", "close"):
                ratio = both[name] / both[f"{name}_true"]
                assert len(ratio) == 0 or ratio.max() / ratio.min() - 1 < 1e-9, "two bases were spliced"
            row = int(np.searchsorted(market.table["time"], market.now))
            if event in ("split", "both") and row < len(market.table):
                market.table.loc[row:, ["open", "high", "low", "close"]] /= 2.0
                market.table.loc[row, "split"] = 2.0
            if event in ("dividend", "both") and row < len(market.table):
                market.table.loc[row, "dividend"] = 0.5
            market.now += pd.Timedelta(days=passed)


DAYS = st.integers(0, 60).map(lambda day: np.datetime64("2022-01-01") + np.timedelta64(day, "D"))
PAIRS = st.tuples(DAYS, DAYS).map(lambda pair: (min(pair), max(pair)))


def days(spans: tuple[tuple[np.datetime64, np.datetime64], ...]) -> set[str]:
    return {
        str(low + np.timedelta64(n, "D"))
        for low, high in spans
        for n in range(int((high - low).astype(int)) + 1)
    }


@given(wanted=PAIRS, covered=st.lists(PAIRS, max_size=6))
def test_subtracting_spans_is_subtracting_their_days(
    wanted: tuple[np.datetime64, np.datetime64], covered: list[tuple[np.datetime64, np.datetime64]]
) -> None:
    assert days(subtract(wanted, covered)) == days((wanted,)) - days(tuple(covered))
    assert days(joined(covered)) == days(tuple(covered))
    edges = joined(covered)
    assert all(high + np.timedelta64(1, "D") < low for (_, high), (low, _) in pairwise(edges))
