"""The cache: asks only for missing sessions, never splices, keeps revisions, survives kills, marks stale data."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from gpt_trader.adapters.bar_tables import adjusted, within
from gpt_trader.adapters.cache import CachedSource, new_and_changed, scaled_by_one_factor, stored_manifests
from gpt_trader.adapters.cache_spans import Sessions, joined, subtract
from gpt_trader.adapters.cache_store import SeriesStore
from gpt_trader.adapters.synthetic import SyntheticSource
from gpt_trader.errors import BadRange, RateLimited, SourceUnavailable, SymbolNotFound
from gpt_trader.sources import BarRequest, BarSource, Series

NOW = pd.Timestamp("2023-06-30 23:00").timestamp()


class Vendor:
    """A real source over a table in memory: counts what it is asked, and can be edited, rate-limited and downed."""

    name = "vendor"

    def __init__(self, last: str = "2023-06-30") -> None:
        self.table = SyntheticSource(seed=5, last=last).fetch(BarRequest("ABC")).frame
        self.asked: list[tuple[str, str]] = []
        self.failure: Exception | None = None
        self.adjustment: str | None = None

    def fetch(self, request: BarRequest) -> Series:
        start = "" if request.start is None else str(request.start)[:10]
        self.asked.append((start, str(request.end)[:10]))
        if self.failure is not None:
            raise self.failure
        if request.symbol != "ABC":
            raise SymbolNotFound(f"{request.symbol}: not here")
        whole, adjustment = adjusted(self.table, "raw", self.adjustment or request.adjustment)
        return Series(request, within(whole, request.start, request.end), self.name, adjustment)

    def row(self, date: str) -> int:
        return int(np.flatnonzero(self.table["time"] == date)[0])

    def split_on(self, date: str, ratio: float) -> None:
        row = self.row(date)
        self.table.loc[row:, ["open", "high", "low", "close"]] /= ratio
        self.table.loc[row, "split"] = ratio

    def sessions_asked(self) -> int:
        low = [pd.Timestamp(start or "1900-01-01") for start, _ in self.asked]
        high = [pd.Timestamp(end) for _, end in self.asked]
        times = self.table["time"]
        return sum(int(((times >= a) & (times <= b)).sum()) for a, b in zip(low, high, strict=True))


def ask(
    source: BarSource, start: str | None, end: str | None, adjustment: str = "raw", symbol: str = "ABC"
) -> Series:
    low, high = (None if day is None else np.datetime64(day, "ns") for day in (start, end))
    return source.fetch(BarRequest(symbol, "1d", low, high, adjustment))


def truth(vendor: Vendor, start: str, end: str) -> pd.DataFrame:
    times = vendor.table["time"]
    return vendor.table[(times >= start) & (times <= end)].reset_index(drop=True)


def stored(cache: CachedSource, request: BarRequest, versions: int) -> pd.DataFrame:
    """The bars as they were served when the series had so many versions."""
    store = SeriesStore(cache.root, cache.key, request)
    manifest = store.manifest()
    return store.rows(replace(manifest, versions=manifest.versions[:versions]))


@pytest.fixture
def vendor() -> Vendor:
    return Vendor()


@pytest.fixture
def cache(vendor: Vendor, tmp_path: Path) -> CachedSource:
    return CachedSource(vendor, tmp_path, clock=lambda: NOW)


# -- hits and gaps --------------------------------------------------------------------------------------------


def test_the_second_run_asks_nothing(cache: CachedSource, vendor: Vendor, tmp_path: Path) -> None:
    first = ask(cache, "2022-01-03", "2022-12-30")
    assert len(vendor.asked) == 1
    again = CachedSource(vendor, tmp_path, clock=lambda: NOW)
    second = ask(again, "2022-01-03", "2022-12-30")
    assert len(vendor.asked) == 1
    assert again.outcomes[0].hit
    pd.testing.assert_frame_equal(first.frame, second.frame)
    pd.testing.assert_frame_equal(second.frame, truth(vendor, "2022-01-03", "2022-12-30"))
    assert (second.source, second.adjustment, second.stale) == ("vendor", "raw", False)


@pytest.mark.parametrize(
    ("start", "end"),
    [
        ("2022-01-01", "2022-12-31"),  # New Year, Saturday and Sunday
        ("2022-01-02", "2023-01-02"),  # Sunday, the Monday after New Year: closed
        ("2022-05-28", "2022-05-30"),  # a weekend and Memorial Day: no session at all
        ("2022-03-05", "2022-09-05"),  # Saturday, Labor Day
    ],
)
def test_bounds_on_closed_days_are_hits(cache: CachedSource, vendor: Vendor, start: str, end: str) -> None:
    ask(cache, "2022-01-03", "2022-12-30")
    pd.testing.assert_frame_equal(
        ask(cache, start, end).frame, truth(vendor, start, end), check_index_type=False
    )
    assert len(vendor.asked) == 1


def test_an_overlapping_request_asks_for_the_missing_days_and_three_known_ones(
    cache: CachedSource, vendor: Vendor
) -> None:
    ask(cache, "2022-01-03", "2022-06-30")
    vendor.asked.clear()
    both = ask(cache, "2022-03-01", "2022-09-30")
    assert vendor.asked == [("2022-06-28", "2022-09-30")]
    missing = len(truth(vendor, "2022-07-01", "2022-09-30"))
    assert vendor.sessions_asked() == missing + 3
    pd.testing.assert_frame_equal(both.frame, truth(vendor, "2022-03-01", "2022-09-30"))


def test_a_hole_between_two_spans_is_all_that_is_asked(cache: CachedSource, vendor: Vendor) -> None:
    ask(cache, "2022-01-03", "2022-03-31")
    ask(cache, "2022-07-01", "2022-09-30")
    vendor.asked.clear()
    whole = ask(cache, "2022-01-03", "2022-09-30")
    assert vendor.asked == [("2022-03-29", "2022-07-06")]
    pd.testing.assert_frame_equal(whole.frame, truth(vendor, "2022-01-03", "2022-09-30"))


def test_an_open_start_and_end_are_remembered(cache: CachedSource, vendor: Vendor) -> None:
    whole = ask(cache, None, None)
    assert str(whole.frame["time"].iloc[0].date()) == "2000-01-03"
    assert vendor.asked == [("", "2023-06-30")]
    ask(cache, None, None)
    ask(cache, "1990-01-02", "2004-05-05")
    assert len(vendor.asked) == 1


def test_only_finished_sessions_are_asked_for(vendor: Vendor, tmp_path: Path) -> None:
    noon = pd.Timestamp("2023-06-30 16:00").timestamp()
    cache = CachedSource(vendor, tmp_path, clock=lambda: noon)
    assert str(ask(cache, "2023-06-01", None).frame["time"].iloc[-1].date()) == "2023-06-29"
    evening = CachedSource(vendor, tmp_path, clock=lambda: NOW)
    assert str(ask(evening, "2023-06-01", None).frame["time"].iloc[-1].date()) == "2023-06-30"
    assert vendor.asked[-1] == ("2023-06-27", "2023-06-30")


def test_an_empty_span_is_remembered_too(cache: CachedSource, vendor: Vendor) -> None:
    assert len(ask(cache, "1995-01-03", "1995-12-29").frame) == 0
    assert len(ask(cache, "1995-02-01", "1995-03-01").frame) == 0
    assert len(vendor.asked) == 1


def test_recent_sessions_without_a_bar_are_believed_missing_for_six_hours(tmp_path: Path) -> None:
    vendor, now = Vendor(last="2023-06-27"), [NOW]
    cache = CachedSource(vendor, tmp_path, clock=lambda: now[0])
    ask(cache, "2023-01-03", "2023-06-30")
    ask(cache, "2023-01-03", "2023-06-30")
    assert len(vendor.asked) == 1
    vendor.table = Vendor().table
    now[0] += 7 * 3600
    frame = ask(cache, "2023-01-03", "2023-06-30").frame
    assert vendor.asked[1:] == [("2023-06-23", "2023-06-30")]
    assert str(frame["time"].iloc[-1].date()) == "2023-06-30"


def test_old_sessions_without_a_bar_are_not_asked_for_again(tmp_path: Path) -> None:
    vendor = Vendor(last="2021-03-31")  # delisted
    cache = CachedSource(vendor, tmp_path, clock=lambda: NOW)
    ask(cache, "2020-01-02", "2022-12-30")
    ask(cache, "2020-01-02", "2022-12-30")
    assert len(vendor.asked) == 1


def test_refresh_asks_for_everything_again(cache: CachedSource, vendor: Vendor, tmp_path: Path) -> None:
    ask(cache, "2022-01-03", "2022-12-30")
    vendor.table.loc[vendor.row("2022-05-02"), "close"] += 0.01
    fresh = CachedSource(vendor, tmp_path, clock=lambda: NOW, refresh=True)
    frame = ask(fresh, "2022-01-03", "2022-12-30").frame
    assert vendor.asked[-1] == ("2022-01-03", "2022-12-30")
    pd.testing.assert_frame_equal(frame, truth(vendor, "2022-01-03", "2022-12-30"))
    assert fresh.outcomes[0].revised == 1


def test_symbols_timeframes_and_adjustments_are_kept_apart(cache: CachedSource, vendor: Vendor) -> None:
    vendor.split_on("2022-06-01", 4.0)
    raw, split = ask(cache, "2022-01-03", "2022-12-30"), ask(cache, "2022-01-03", "2022-12-30", "split")
    assert len(vendor.asked) == 2
    assert raw.frame["close"].iloc[0] == pytest.approx(split.frame["close"].iloc[0] * 4)
    entries = {(m.symbol, m.timeframe, m.adjustment, m.delivered) for m in stored_manifests(cache.root)}
    assert entries == {("ABC", "1d", "raw", "raw"), ("ABC", "1d", "split", "split")}


@pytest.mark.parametrize("symbol", ["../ABC", "BRK.B", "EURUSD=X", "^GSPC", "abc", "..", "A/B"])
def test_any_symbol_stays_inside_the_folder(symbol: str, tmp_path: Path) -> None:
    store = SeriesStore(tmp_path / "cache", "synthetic", BarRequest(symbol))
    store.commit(store.empty, SyntheticSource().fetch(BarRequest("X")).frame.head(3), "fetched", 0, NOW)
    assert [path.name for path in tmp_path.iterdir()] == ["cache"]
    assert [manifest.symbol for manifest in stored_manifests(tmp_path / "cache")] == [symbol]


# -- revisions and bases --------------------------------------------------------------------------------------


def test_a_revised_bar_is_a_new_version_and_the_old_one_stays(cache: CachedSource, vendor: Vendor) -> None:
    ask(cache, "2022-01-03", "2022-06-30")
    before = truth(vendor, "2022-01-03", "2022-06-30")
    vendor.table.loc[vendor.row("2022-06-29"), ["close", "volume"]] = [
        vendor.table["low"][vendor.row("2022-06-29")],
        7.0,
    ]
    after = ask(cache, "2022-01-03", "2022-07-29")
    pd.testing.assert_frame_equal(after.frame, truth(vendor, "2022-01-03", "2022-07-29"))
    assert (cache.outcomes[-1].revised, cache.outcomes[-1].rebased) == (1, False)
    request = BarRequest("ABC")
    versions = cache.versions(request)
    assert [(v.number, v.reason, v.revised) for v in versions] == [(1, "fetched", 0), (2, "fetched", 1)]
    pd.testing.assert_frame_equal(stored(cache, request, 1), before)


@pytest.mark.parametrize("adjustment", ["split", "all"])
def test_a_new_split_refetches_an_adjusted_series_whole(
    cache: CachedSource, vendor: Vendor, adjustment: str
) -> None:
    ask(cache, "2022-01-03", "2022-06-30", adjustment)
    vendor.split_on("2022-07-15", 7.0)
    series = ask(cache, "2022-03-01", "2022-08-31", adjustment)
    assert cache.outcomes[-1].rebased
    assert vendor.asked[-1] == ("2022-01-03", "2022-08-31")
    moves = series.frame["close"].pct_change().abs().max()
    assert moves < 0.15, "old and new basis were spliced"
    old = ask(cache, "2022-01-03", "2022-02-28", adjustment)
    assert cache.outcomes[-1].hit
    assert old.frame["close"].iloc[0] == pytest.approx(
        truth(vendor, "2022-01-03", "2022-01-03")["close"][0] / 7
    )
    assert [v.basis for v in cache.versions(BarRequest("ABC", adjustment=adjustment))] == [0, 1]


def test_a_new_dividend_refetches_a_fully_adjusted_series(cache: CachedSource, vendor: Vendor) -> None:
    ask(cache, "2022-01-03", "2022-06-30", "all")
    vendor.table.loc[vendor.row("2022-07-15"), "dividend"] = 0.05
    ask(cache, "2022-01-03", "2022-08-31", "all")
    assert cache.outcomes[-1].rebased
    kept = stored(cache, BarRequest("ABC", adjustment="all"), 2)
    expected = adjusted(truth(vendor, "2022-01-03", "2022-08-31"), "raw", "all")[0]
    np.testing.assert_allclose(kept["close"], expected["close"], rtol=1e-12)


def test_an_adjusted_series_has_no_hole(cache: CachedSource, vendor: Vendor) -> None:
    ask(cache, "2020-01-02", "2020-06-30", "split")
    ask(cache, "2022-01-03", "2022-06-30", "split")
    assert vendor.asked[-1] == ("2020-06-26", "2022-06-30")


def test_a_raw_series_is_not_rebased_by_a_split(cache: CachedSource, vendor: Vendor) -> None:
    ask(cache, "2022-01-03", "2022-06-30")
    vendor.split_on("2022-07-15", 7.0)
    series = ask(cache, "2022-01-03", "2022-08-31")
    assert not cache.outcomes[-1].rebased
    assert vendor.sessions_asked() < 200
    pd.testing.assert_frame_equal(series.frame, truth(vendor, "2022-01-03", "2022-08-31"))


def test_another_delivered_adjustment_refetches_the_series_whole(cache: CachedSource, vendor: Vendor) -> None:
    vendor.split_on("2022-03-15", 2.0)
    ask(cache, "2022-01-03", "2022-06-30")
    vendor.adjustment = "split"  # the vendor changes its mind
    series = ask(cache, "2022-01-03", "2022-08-31")
    assert (series.adjustment, cache.outcomes[-1].rebased) == ("split", True)
    assert (series.frame["split"] == 1).all()


def test_one_different_bar_is_a_revision_and_a_common_factor_is_a_basis() -> None:
    known = SyntheticSource().fetch(BarRequest("X")).frame.head(6)
    one = known.copy()
    one.loc[2, ["open", "high", "low", "close"]] *= 1.5
    assert not scaled_by_one_factor(known, one)
    assert new_and_changed(known.head(4), one)[0].tolist() == [False] * 4 + [True] * 2
    assert new_and_changed(known.head(4), one)[1].tolist() == [False, False, True, False, False, False]
    every = known.copy()
    every[["open", "high", "low", "close"]] *= 0.5
    assert scaled_by_one_factor(known, every)
    assert not scaled_by_one_factor(known, known)


class ShortMemory(Vendor):
    """A vendor that refuses requests from before a date, as Yahoo does for minutes."""

    oldest = "2000-01-01"

    def fetch(self, request: BarRequest) -> Series:
        if request.start is None or request.start < np.datetime64(self.oldest):
            self.asked.append((str(request.start)[:10], "refused"))
            raise BadRange(f"only from {self.oldest} on")
        return super().fetch(request)


def test_known_sessions_beyond_the_vendors_reach_are_not_asked_for(tmp_path: Path) -> None:
    vendor = ShortMemory()
    cache = CachedSource(vendor, tmp_path, clock=lambda: NOW)
    ask(cache, "2022-01-03", "2022-06-30")
    vendor.oldest = "2022-07-01"
    series = ask(cache, "2022-01-03", "2022-08-31")
    assert vendor.asked[1:] == [("2022-06-28", "refused"), ("2022-07-01", "2022-08-31")]
    pd.testing.assert_frame_equal(series.frame, truth(vendor, "2022-01-03", "2022-08-31"))
    with pytest.raises(BadRange, match="only from"):
        ask(cache, "2021-01-04", "2022-08-31")


def test_an_adjusted_series_that_cannot_be_joined_on_starts_anew(tmp_path: Path) -> None:
    vendor = ShortMemory()
    cache = CachedSource(vendor, tmp_path, clock=lambda: NOW)
    ask(cache, "2022-01-03", "2022-06-30", "split")
    vendor.oldest = "2022-07-01"
    vendor.split_on("2022-07-15", 7.0)
    series = ask(cache, "2022-01-03", "2022-08-31", "split")
    assert cache.outcomes[-1].rebased
    assert str(series.frame["time"].iloc[0].date()) == "2022-07-01", "the old basis is not spliced on"
    assert series.frame["close"].pct_change().abs().max() < 0.15


def test_notes_are_those_of_the_last_answer_with_bars(cache: CachedSource, vendor: Vendor) -> None:
    real = vendor.fetch

    def noted(request: BarRequest) -> Series:
        answer = real(request)
        note = f"{len(answer.frame)} bars"
        return Series(request, answer.frame, answer.source, answer.adjustment, notes=(note,))

    vendor.fetch = noted  # type: ignore[method-assign]
    assert ask(cache, "2022-01-03", "2022-01-07").notes == ("5 bars",)
    assert ask(cache, "2022-01-03", "2022-01-07").notes == ("5 bars",)
    assert ask(cache, "1995-01-03", "1995-01-10").notes == ("5 bars",)


def test_a_key_keeps_two_feeds_of_one_vendor_apart(vendor: Vendor, tmp_path: Path) -> None:
    for feed in ("iex", "sip"):
        ask(
            CachedSource(vendor, tmp_path, clock=lambda: NOW, key=f"vendor-{feed}"),
            "2022-01-03",
            "2022-01-07",
        )
    assert len(vendor.asked) == 2
    assert [manifest.source for manifest in stored_manifests(tmp_path)] == ["vendor-iex", "vendor-sip"]


@pytest.mark.slow
def test_many_small_fetches_are_folded_into_a_snapshot(cache: CachedSource, vendor: Vendor) -> None:
    days = truth(vendor, "2022-01-03", "2022-01-31")["time"].dt.strftime("%Y-%m-%d")
    for day in days:
        ask(cache, "2022-01-03", day)
    manifest = next(stored_manifests(cache.root))
    assert len(manifest.current()) <= 13
    assert len(manifest.versions) > len(days)
    pd.testing.assert_frame_equal(
        ask(cache, "2022-01-03", "2022-01-31").frame, truth(vendor, "2022-01-03", "2022-01-31")
    )
    assert [v.number for v in manifest.versions if v.reason == "snapshot"] == [14]


# -- when the provider is down ----------------------------------------------------------------------------------


@pytest.mark.parametrize("failure", [SourceUnavailable("503"), RateLimited("slow down", 30.0)])
def test_stale_data_are_served_and_marked(cache: CachedSource, vendor: Vendor, failure: Exception) -> None:
    ask(cache, "2022-01-03", "2022-06-30")
    vendor.failure = failure
    series = ask(cache, "2022-01-03", "2022-12-30")
    assert series.stale
    assert "did not answer" in series.notes[-1]
    assert str(failure) in series.notes[-1]
    pd.testing.assert_frame_equal(series.frame, truth(vendor, "2022-01-03", "2022-06-30"))
    vendor.failure = None
    assert not ask(cache, "2022-01-03", "2022-06-30").stale


def test_without_stored_bars_the_error_is_the_answer(cache: CachedSource, vendor: Vendor) -> None:
    vendor.failure = SourceUnavailable("503")
    with pytest.raises(SourceUnavailable, match="503"):
        ask(cache, "2022-01-03", "2022-06-30")
    vendor.failure = None
    with pytest.raises(SymbolNotFound, match="XYZ"):
        ask(cache, "2022-01-03", "2022-06-30", symbol="XYZ")


def test_after_a_rate_limit_the_source_is_left_alone(vendor: Vendor, tmp_path: Path) -> None:
    now = [NOW]
    cache = CachedSource(vendor, tmp_path, clock=lambda: now[0])
    ask(cache, "2022-01-03", "2022-06-30")
    vendor.failure = RateLimited("slow down", 90.0)
    ask(cache, "2022-01-03", "2022-12-30")
    asked = len(vendor.asked)
    now[0] += 60
    assert ask(cache, "2022-01-03", "2022-12-30").stale
    assert len(vendor.asked) == asked
    vendor.failure = None
    now[0] += 60
    assert not ask(cache, "2022-01-03", "2022-12-30").stale


def test_a_rebase_that_fails_leaves_the_old_series_whole(cache: CachedSource, vendor: Vendor) -> None:
    ask(cache, "2022-01-03", "2022-06-30", "split")
    before = truth(vendor, "2022-01-03", "2022-06-30")
    vendor.split_on("2022-07-15", 7.0)
    real = vendor.fetch

    def once(request: BarRequest) -> Series:
        answer = real(request)
        vendor.failure = SourceUnavailable("gone")
        return answer

    vendor.fetch = once  # type: ignore[method-assign]
    series = ask(cache, "2022-01-03", "2022-08-31", "split")
    assert series.stale
    pd.testing.assert_frame_equal(series.frame, before)


def test_a_rebased_answer_that_is_a_stump_does_not_replace_the_series(
    cache: CachedSource, vendor: Vendor
) -> None:
    ask(cache, "2022-01-03", "2022-06-30", "split")
    before = truth(vendor, "2022-01-03", "2022-06-30")
    vendor.split_on("2022-07-15", 7.0)
    vendor.table = vendor.table[vendor.table["time"] >= "2022-06-01"].reset_index(drop=True)
    series = ask(cache, "2022-01-03", "2022-08-31", "split")
    assert series.stale
    assert "leaves out" in series.notes[-1]
    pd.testing.assert_frame_equal(series.frame, before)


def test_a_symbol_that_the_provider_forgot_is_served_stale(cache: CachedSource, vendor: Vendor) -> None:
    ask(cache, "2022-01-03", "2022-06-30")
    vendor.failure = SymbolNotFound("ABC: delisted")
    series = ask(cache, "2022-01-03", "2022-12-30")
    assert series.stale
    assert len(series.frame) == len(truth(vendor, "2022-01-03", "2022-06-30"))


# -- damage, kills and neighbours -------------------------------------------------------------------------------


@pytest.mark.parametrize("victim", ["manifest.json", "v000001.parquet"])
@pytest.mark.parametrize("damage", ["cut", "flip", "gone"])
def test_a_damaged_cache_is_fetched_anew(
    cache: CachedSource, vendor: Vendor, victim: str, damage: str
) -> None:
    ask(cache, "2022-01-03", "2022-06-30")
    path = next(cache.root.rglob(victim))
    content = path.read_bytes()
    if damage == "gone":
        path.unlink()
    else:
        middle = len(content) // 2
        broken = (
            content[:middle] if damage == "cut" else content[:middle] + b"\xff\x00" + content[middle + 2 :]
        )
        path.write_bytes(broken)
    series = ask(cache, "2022-01-03", "2022-06-30")
    assert len(vendor.asked) == 2
    assert not series.stale
    pd.testing.assert_frame_equal(series.frame, truth(vendor, "2022-01-03", "2022-06-30"))


def test_a_lock_that_is_never_freed_is_an_error_not_a_hang(cache: CachedSource, vendor: Vendor) -> None:
    impatient = CachedSource(vendor, cache.root, clock=lambda: NOW, lock_timeout=0.1, sleep=lambda _: None)
    held = SeriesStore(cache.root, "vendor", BarRequest("ABC")).lock(1.0)
    with held, pytest.raises(SourceUnavailable, match="another process"):
        ask(impatient, "2022-01-03", "2022-03-31")
    assert vendor.asked == []


def test_the_manifest_is_plain_json_with_relative_names(cache: CachedSource) -> None:
    ask(cache, "2022-01-03", "2022-06-30")
    path = next(cache.root.rglob("manifest.json"))
    plain = json.loads(path.read_text())
    assert plain["covered"] == [["2022-01-03", "2022-06-30"]]
    assert plain["versions"][0]["file"] == "v000001.parquet"
    assert str(cache.root) not in path.read_text()


# -- intraday and weeks -----------------------------------------------------------------------------------------


def test_intraday_bars_are_covered_by_session(tmp_path: Path) -> None:
    inner, asked = SyntheticSource(seed=5, last="2023-06-30"), []

    class Counting:
        name = "counting"

        def fetch(self, request: BarRequest) -> Series:
            asked.append((str(request.start), str(request.end)))
            return inner.fetch(request)

    cache = CachedSource(Counting(), tmp_path, clock=lambda: NOW)

    def minutes(start: str, end: str) -> pd.DataFrame:
        return cache.fetch(
            BarRequest("ABC", "5m", np.datetime64(start, "ns"), np.datetime64(end, "ns"))
        ).frame

    part = minutes("2023-03-09T15:00", "2023-03-10T16:00")
    assert asked == [("2023-03-09T05:00:00.000000000", "2023-03-11T04:59:59.999999999")]
    assert str(part["time"].iloc[0]) == "2023-03-09 15:00:00"
    assert str(part["time"].iloc[-1]) == "2023-03-10 16:00:00"
    minutes("2023-03-09T14:30", "2023-03-12T23:00")  # the rest of the two days, and a weekend
    assert len(asked) == 1
    more = minutes("2023-03-10T14:30", "2023-03-13T20:00")  # summer time began on the 12th
    assert asked[1][1] == "2023-03-14T03:59:59.999999999"
    assert len(more) == 78 * 2


def test_weeks_are_covered_whole(cache: CachedSource, vendor: Vendor) -> None:
    inner = SyntheticSource(seed=5, last="2023-06-30")
    cache = CachedSource(inner, cache.root, clock=lambda: NOW)

    def weeks(start: str, end: str) -> pd.DataFrame:
        return cache.fetch(
            BarRequest("ABC", "1w", np.datetime64(start, "ns"), np.datetime64(end, "ns"))
        ).frame

    direct = inner.fetch(
        BarRequest("ABC", "1w", np.datetime64("2022-01-03"), np.datetime64("2022-06-30"))
    ).frame
    weeks("2022-01-03", "2022-03-02")  # ends on a Wednesday
    weeks("2022-01-03", "2022-05-12")
    pd.testing.assert_frame_equal(weeks("2022-01-03", "2022-06-30"), direct)
    count = len(cache.outcomes)
    weeks("2022-01-03", "2022-07-01")
    assert not cache.outcomes[count].hit
    assert str(weeks("2022-01-03", "2022-07-01")["time"].iloc[-1].date()) == "2022-06-27"
    assert cache.outcomes[-1].hit


# -- spans ------------------------------------------------------------------------------------------------------


def days(*spans: tuple[str, str]) -> tuple[tuple[np.datetime64, np.datetime64], ...]:
    return tuple((np.datetime64(low), np.datetime64(high)) for low, high in spans)


def test_spans_join_and_subtract() -> None:
    have = days(("2020-01-10", "2020-01-20"), ("2020-01-21", "2020-01-25"), ("2020-02-01", "2020-02-02"))
    assert joined(have) == days(("2020-01-10", "2020-01-25"), ("2020-02-01", "2020-02-02"))
    assert subtract(days(("2020-01-01", "2020-03-01"))[0], have) == days(
        ("2020-01-01", "2020-01-09"), ("2020-01-26", "2020-01-31"), ("2020-02-03", "2020-03-01")
    )
    assert subtract(days(("2020-01-12", "2020-01-24"))[0], have) == ()


def test_spans_are_trimmed_to_sessions() -> None:
    sessions = Sessions.named("XNYS", "1d")
    assert sessions.trimmed(days(("2022-01-01", "2022-01-09"))[0]) == days(("2022-01-03", "2022-01-07"))[0]
    assert sessions.trimmed(days(("2022-05-28", "2022-05-30"))[0]) is None
    assert sessions.before(np.datetime64("2022-01-03"), 3) == np.datetime64("2021-12-29")
    assert sessions.after(np.datetime64("2022-01-07"), 1) == np.datetime64("2022-01-10")
    crypto = Sessions.named("24/7", "1d")
    assert crypto.trimmed(days(("2022-01-01", "2022-01-09"))[0]) == days(("2022-01-01", "2022-01-09"))[0]


def test_a_reversed_range_is_refused(cache: CachedSource) -> None:
    with pytest.raises(BadRange, match="start"):
        ask(cache, "2022-06-30", "2022-01-03")
