"""A Parquet cache before any source: asks it for missing sessions only, keeps revisions, marks stale data."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from gpt_trader.adapters.bar_tables import checked_span, empty_table, within
from gpt_trader.adapters.cache_spans import OLDEST, Sessions, Span, joined, subtract
from gpt_trader.adapters.cache_store import DamagedCache, Manifest, SeriesStore, Version, stored_manifests
from gpt_trader.adapters.exchange_calendar import DEFAULT_CALENDAR
from gpt_trader.errors import BadRange, RateLimited, SourceError, SourceUnavailable, SymbolNotFound
from gpt_trader.sources import SERIES_COLUMNS, BarRequest, BarSource, Series

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["CacheOutcome", "CachedSource", "Version", "stored_manifests"]

_PRICES = ["open", "high", "low", "close"]
_SAME = 2e-6  # relative: vendors send adjusted prices with six or seven digits
_ONE = np.timedelta64(1, "D")
_RECENT = np.timedelta64(10, "D")
_TAIL_BELIEVED = 6 * 3600.0
_QUIET_AFTER_RATE_LIMIT = 60.0


@dataclass(frozen=True, slots=True)
class CacheOutcome:
    """What one fetch did: a hit asked the source nothing; `asked` are the spans of days it was asked for."""

    symbol: str
    hit: bool
    asked: tuple[Span, ...] = ()
    revised: int = 0
    rebased: bool = False
    stale: bool = False


class CachedSource:
    """`inner` with a memory on disk, one folder per (source, symbol, timeframe, adjustment) under `root`.
    `key` names the source's folder where its name does not say it all, as with two feeds of one vendor.

    Only finished sessions are asked for and kept: those closed for at least `settle` seconds by `clock` (Unix time). A
    span is covered once its sessions were answered, so bounds on closed days, and sessions the source has no bar for,
    cost nothing again. Beside a covered span the source is asked for `overlap` known sessions more: a bar that
    differs is kept as a new version; when an adjusted series differs by one factor throughout, or the source
    delivers another adjustment, the vendor has rebased it, and the whole series is fetched anew. Two bases are never
    spliced, and adjusted series are kept without holes for the same reason. When the source is down or rate-limited,
    what is stored is served with `stale` set, and after a rate limit it is left alone for the time it named.
    `refresh` asks for everything again. `outcomes` lists what each fetch did.
    """

    def __init__(
        self,
        inner: BarSource,
        root: str | Path,
        *,
        calendar: str = DEFAULT_CALENDAR,
        overlap: int = 3,
        settle: float = 1800.0,
        refresh: bool = False,
        key: str | None = None,
        lock_timeout: float = 120.0,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.inner, self.root, self.calendar = inner, Path(root), calendar
        self.name = inner.name  # the cache does not show in results
        self.key = key or inner.name
        self.overlap, self.settle, self.refresh = overlap, settle, refresh
        self.lock_timeout, self.clock, self.sleep = lock_timeout, clock, sleep
        self.outcomes: list[CacheOutcome] = []
        self._quiet_until = 0.0

    def fetch(self, request: BarRequest) -> Series:
        """See BarSource. Raises what the inner source raises when nothing stored can stand in for it."""
        start, end = checked_span(request)
        fill = _Fill(self, request)
        manifest = fill.ready_manifest()
        error: SourceError | None = None
        if fill.gaps(manifest):
            try:
                with fill.store.lock(self.lock_timeout, self.sleep):
                    manifest = fill.run(fill.ready_manifest())
            except (SourceUnavailable, SymbolNotFound) as failure:
                error, manifest = failure, fill.ready_manifest()
        rows = within(fill.rows(manifest), start, end)
        if error is not None and len(rows) == 0:
            raise error
        notes = manifest.notes
        if error is not None:
            notes += (f"stale: {self.name} did not answer ({error}); these bars are from the cache",)
        stale = error is not None
        outcome = CacheOutcome(
            request.symbol, not fill.asked, tuple(fill.asked), fill.revised, fill.rebased, stale
        )
        self.outcomes.append(outcome)
        label, delivered = manifest.label or self.name, manifest.delivered or request.adjustment
        return Series(request, rows, label, delivered, stale, notes)

    def versions(self, request: BarRequest) -> tuple[Version, ...]:
        """Every version ever stored for the series of `request`, oldest first; superseded ones included."""
        return SeriesStore(self.root, self.key, request).manifest().versions

    def ask(self, request: BarRequest) -> Series:
        """The inner source, unless it asked to be left alone. Raises what it raises."""
        wait = self._quiet_until - self.clock()
        if wait > 0:
            raise RateLimited(f"{self.name} asked for no requests for another {wait:.0f} s", wait)
        try:
            return self.inner.fetch(request)
        except RateLimited as error:
            self._quiet_until = self.clock() + (error.retry_after or _QUIET_AFTER_RATE_LIMIT)
            raise


class _Fill:
    """One fetch of one series: finds the gaps, asks for them, compares and commits."""

    def __init__(self, cache: CachedSource, request: BarRequest) -> None:
        self.cache, self.request = cache, request
        self.store = SeriesStore(cache.root, cache.key, request)
        self.sessions = Sessions.named(cache.calendar, request.timeframe)
        self.now = cache.clock()
        self.wanted = self._wanted()
        self.asked: list[Span] = []
        self.revised, self.rebased, self.refreshed = 0, False, False
        self._read: tuple[Manifest, pd.DataFrame] | None = None

    def _wanted(self) -> Span | None:
        start, end = checked_span(self.request)
        settled = self.sessions.last_settled(self.now, self.cache.settle)
        bounds = [None if t is None else self.sessions.days_of(np.array([t]))[0] for t in (start, end)]
        low = OLDEST if bounds[0] is None else max(OLDEST, bounds[0])
        high = settled if bounds[1] is None else min(settled, bounds[1])
        if low > high:
            return None
        low, high = self.sessions.whole_periods((low, high))
        return self.sessions.trimmed((low, high)) if low <= high else None

    def ready_manifest(self) -> Manifest:
        """The stored manifest when its files are whole, else the empty one: a damaged cache is fetched anew."""
        try:
            manifest = self.store.manifest()
            self.rows(manifest)
        except DamagedCache:
            return self.store.empty
        return manifest

    def rows(self, manifest: Manifest) -> pd.DataFrame:
        """The stored bars, read once for a manifest."""
        if self._read is None or self._read[0] != manifest:
            self._read = (manifest, self.store.rows(manifest))
        return self._read[1]

    def gaps(self, manifest: Manifest) -> list[Span]:
        """What has to be asked for: spans of sessions that are not covered."""
        if self.wanted is None:
            return []
        if self.cache.refresh and not self.refreshed:
            return [self.wanted]
        covered = list(manifest.covered)
        tail = manifest.tail
        if covered and tail is not None and tail[0] > covered[-1][1] and self.now - tail[1] < _TAIL_BELIEVED:
            covered.append((covered[-1][1] + _ONE, tail[0]))
        low, high = self.wanted
        if covered and manifest.delivered != "raw":  # one basis, so no hole
            low, high = min(low, covered[-1][1] + _ONE), max(high, covered[0][0] - _ONE)
        trimmed = [self.sessions.trimmed(gap) for gap in subtract((low, high), covered)]
        return [gap for gap in trimmed if gap is not None]

    def run(self, manifest: Manifest) -> Manifest:
        """Fills every gap, each committed on its own. Hold the lock."""
        for gap in self.gaps(manifest):
            self.refreshed = True
            series, known = self._ask(gap, manifest), self.rows(manifest)
            if self._is_rebased(manifest, series, known):
                return self._start_anew(manifest, gap)
            manifest = self._keep(manifest, gap, series, known)
        return manifest

    def _ask(self, gap: Span, manifest: Manifest) -> Series:
        low, high = gap
        for first, last in manifest.covered:
            if last < gap[0] and self.sessions.trimmed((last + _ONE, gap[0] - _ONE)) is None:
                low = max(first, self.sessions.before(gap[0], self.cache.overlap))
            if first > gap[1] and self.sessions.trimmed((gap[1] + _ONE, first - _ONE)) is None:
                high = min(last, self.sessions.after(gap[1], self.cache.overlap))
        try:
            return self._ask_for((low, high))
        except BadRange:  # the known sessions lie further back than the source reaches
            if low == gap[0]:
                raise
            return self._ask_for((gap[0], high))

    def _ask_for(self, span: Span) -> Series:
        self.asked.append(span)
        start, end = self.sessions.bounds(span)
        return self.cache.ask(replace(self.request, start=None if span[0] == OLDEST else start, end=end))

    def _is_rebased(self, manifest: Manifest, series: Series, known: pd.DataFrame) -> bool:
        if len(known) == 0 or len(series.frame) == 0:
            return False
        if series.adjustment != manifest.delivered:
            return True
        if manifest.delivered == "raw":
            return False
        common = np.isin(known["time"].to_numpy(), series.frame["time"].to_numpy()).any()
        return not common or scaled_by_one_factor(known, series.frame)

    def _start_anew(self, manifest: Manifest, gap: Span) -> Manifest:
        spans = joined([*manifest.covered, gap])
        whole = (spans[0][0], spans[-1][1])
        self.rebased = True
        blank = replace(manifest, covered=(), tail=None)
        try:
            series = self._ask(whole, blank)
            self._refuse_a_stump(series, self.rows(manifest))
        except BadRange:  # the source no longer reaches back that far, and the old basis cannot be joined on
            whole = gap
            series = self._ask(whole, blank)
        blank = replace(blank, basis=manifest.basis + 1)
        return self._keep(blank, whole, series, empty_table(), "rebased")

    def _refuse_a_stump(self, series: Series, known: pd.DataFrame) -> None:
        """Raises SourceUnavailable when a refetched series lacks over a tenth of the bars it is to replace."""
        lost = ~np.isin(known["time"].to_numpy(), series.frame["time"].to_numpy())
        if lost.mean() > 0.1:
            name, symbol = self.cache.name, self.request.symbol
            raise SourceUnavailable(
                f"{name} has rebased {symbol} but leaves out {lost.sum()} of {lost.size} bars"
            )

    def _keep(
        self, manifest: Manifest, gap: Span, series: Series, known: pd.DataFrame, reason: str = "fetched"
    ) -> Manifest:
        frame = series.frame[list(SERIES_COLUMNS)]
        days = self.sessions.days_of(frame["time"].to_numpy())
        frame = frame[days <= max(gap[1], manifest.covered[-1][1] if manifest.covered else gap[1])]
        fresh, changed = new_and_changed(known, frame)
        self.revised += int(changed.sum())
        if reason == "fetched" and not fresh.any():
            reason = "revised"
        covered, tail = self._covered(manifest, gap, self.sessions.days_of(frame["time"].to_numpy()))
        if len(frame):
            manifest = replace(manifest, label=series.source, notes=series.notes)
        manifest = replace(manifest, covered=covered, tail=tail, delivered=series.adjustment)
        return self.store.commit(manifest, frame[fresh | changed], reason, int(changed.sum()), self.now)

    def _covered(
        self, manifest: Manifest, gap: Span, days: NDArray[np.datetime64]
    ) -> tuple[tuple[Span, ...], tuple[np.datetime64, float] | None]:
        """The gap counts as covered; of its last days without a bar only those that are not recent.

        A provider may be late with the newest sessions; asked for in vain, they are believed missing for six hours.
        """
        low, high = gap
        inside = days[(days >= low) & (days <= high)]
        certain = min(high, np.datetime64(int(self.now), "s").astype("datetime64[D]") - _RECENT)
        if inside.size:
            certain = max(certain, inside[-1])
        last_bar_is_in = inside.size and self.sessions.trimmed((inside[-1] + _ONE, high)) is None
        if last_bar_is_in or certain >= high:
            return joined([*manifest.covered, gap]), manifest.tail
        spans = [*manifest.covered, (low, certain)] if certain >= low else manifest.covered
        return joined(spans), (high, self.now)


def new_and_changed(known: pd.DataFrame, answer: pd.DataFrame) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """(T,) masks over the rows of `answer`: times that are not known, and known times whose values differ."""
    old, new, rows = _matched(known, answer)
    fresh = np.ones(len(answer), bool)
    fresh[rows] = False
    changed = np.zeros(len(answer), bool)
    same = np.isclose(new, old, rtol=_SAME, atol=0.0, equal_nan=True).all(axis=1)
    changed[rows] = ~same
    return fresh, changed


def scaled_by_one_factor(known: pd.DataFrame, answer: pd.DataFrame) -> bool:
    """True when at least half of the common bars have all four prices moved by one and the same factor."""
    old, new, _ = _matched(known, answer)
    if len(old) == 0:
        return False
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = new[:, :4] / old[:, :4]
    middle = np.median(ratio, axis=1)
    even = np.abs(ratio / middle[:, None] - 1.0).max(axis=1) < 1e-4
    moved = np.abs(middle - 1.0) > _SAME
    factor = np.median(middle[even & moved]) if (even & moved).any() else np.nan
    alike = even & moved & (np.abs(middle / factor - 1.0) < 1e-4)
    return bool(2 * alike.sum() >= len(old))


def _matched(
    known: pd.DataFrame, answer: pd.DataFrame
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.intp]]:
    """Values (K, 7) of the bars in both, known first, and their rows in `answer`."""
    values = [*_PRICES, "volume", "split", "dividend"]
    _, left, right = np.intersect1d(
        known["time"].to_numpy(), answer["time"].to_numpy(), assume_unique=True, return_indices=True
    )
    return known[values].to_numpy()[left], answer[values].to_numpy()[right], right
