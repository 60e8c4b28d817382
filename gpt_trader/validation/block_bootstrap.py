"""Resampled markets: other histories of the same length, put together from blocks of the bars that happened.

The stationary bootstrap of Politis and Romano (1994, "The Stationary Bootstrap", JASA 89(428), pp. 1303-1313): sessions
are drawn in blocks of consecutive ones, whose lengths are geometric with mean `block`; after the last comes the first.
The time axis stays; all symbols take the same drawn sessions, so that what moved together moves together.

What is drawn is the whole bar relative to the close before it: the move over night, the shape of the bar, its volume in
shares, its dividend as a yield, or that there is no bar. Inside a block prices are the old ones times a constant.
docs/robustness.md says what this keeps and what it destroys.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gpt_trader.bars import CLOSE, DIVIDEND, FIELDS, OPEN, SPLIT, VOLUME, Bars
from gpt_trader.errors import BadData, BadParameter
from gpt_trader.validation.block_length import automatic_block

Floats = NDArray[np.float64]
Rows = NDArray[np.int64]
FEWEST_SESSIONS = 20
COMMON_DRAWS = 8
"""Draws of the whole market that are tried for a symbol that has not all sessions before it is given its own."""


def resample(bars: Bars, seed: int = 0, replicate: int = 0, *, block: float | None = None) -> Bars:
    """Replicate number `replicate` of the markets that `seed` draws from `bars`: same times, symbols and spans.

    Which sessions are drawn depends on (`seed`, `replicate`, `block`) and the number of sessions only: every strategy
    meets the same markets. `block` is the mean length of a block in sessions (bars of a day or longer; whole days of
    intraday bars); None takes `mean_block`. Prices are on the share basis with the most shares, splits are gone; the
    first session is the one that happened. A symbol has bars from its first to its last session only, as it had.

    Raises BadData for fewer than 20 sessions and BadParameter for a negative seed or a block below 1.
    """
    source = _source_of(bars)
    panel = _drawn_panel(source, _drawn_sessions(source.market, seed, replicate, _checked(bars, block)))
    note = f"a resampled market: replicate {replicate} of seed {seed}"
    return Bars(
        bars.symbols, bars.time, panel, bars.timeframe, source.adjustment, bars.sources, bars.delisted,
        (*bars.notes, note),
    )  # fmt: skip


def resample_with_index(
    bars: Bars, index: Bars, seed: int = 0, replicate: int = 0, *, block: float | None = None
) -> tuple[Bars, Bars]:
    """`resample`, and beside it the bars of a regime index drawn by the same sessions: (bars, index).

    The resampled index has its bars at the times of `bars` only. Those before the first of them, from which a mean at
    the beginning is made, stay as they happened.
    """
    market = resample(bars, seed, replicate, block=block)
    seen = _most_shares(index)
    aligned, rows = np.isin(bars.time, index.time), np.isin(index.time, bars.time)
    panel = _no_bars(bars.T, index.N)
    panel[:, aligned] = seen[:, rows]
    sessions = _sessions(bars)
    source = _Source(sessions, _groups(panel, sessions), seen.shape[2], "")
    drawn = _drawn_panel(source, _drawn_sessions(sessions, seed, replicate, _checked(bars, block)))
    before = index.time < bars.time[0]
    drawn_index = Bars(
        index.symbols, np.concatenate([index.time[before], bars.time]), np.concatenate([seen[:, before], drawn], axis=1),
        index.timeframe, index.continuous().adjustment, index.sources, index.delisted, index.notes,
    )  # fmt: skip
    return market, drawn_index


def mean_block(bars: Bars) -> float:
    """The block length that `resample` takes by itself, in sessions: `automatic_block` of the market's own returns.

    The market's return is the mean over the symbols of their returns from close to close, dividends included.
    """
    return bars._once("mean_block", lambda: automatic_block(_market_returns(bars)))


def independent_blocks(bars: Bars, block: float | None = None) -> float:
    """How many blocks of mean length `block` (None: `mean_block`) the drawn sessions of `bars` hold. Raises as `resample`."""
    return (_source_of(bars).market.count - 1) / _checked(bars, block)


# -- what is drawn from -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Sessions:
    """The rows of each session: session u is rows `start[u]` to `start[u + 1]` - 1; `of` (T,) the session of a row."""

    start: Rows
    of: Rows

    @property
    def count(self) -> int:
        return self.start.size - 1


@dataclass(frozen=True, slots=True)
class _Group:
    """Symbols (columns) that have bars in the same span: from session `first` to session `last`, both inclusive.

    `panel` (7, T, n) without splits; `known` (T, n) the last close up to and including each row.
    """

    columns: Rows
    first: int
    last: int
    panel: Floats
    known: Floats


@dataclass(frozen=True, slots=True)
class _Source:
    market: _Sessions
    groups: tuple[_Group, ...]
    symbols: int
    adjustment: str


def _source_of(bars: Bars) -> _Source:
    return bars._once("resampling", lambda: _make_source(bars))


def _make_source(bars: Bars) -> _Source:
    sessions = _sessions(bars)
    if sessions.count < FEWEST_SESSIONS:
        raise BadData(
            f"a market of {sessions.count} sessions cannot be resampled; give at least {FEWEST_SESSIONS}"
        )
    groups = _groups(_most_shares(bars), sessions)
    return _Source(sessions, groups, bars.N, bars.continuous().adjustment)


def _sessions(bars: Bars) -> _Sessions:
    """Every bar of a day or longer is a session; intraday bars of one day (UTC) are one together."""
    if bars.timeframe in ("1d", "1w", "1mo"):
        return _Sessions(np.arange(bars.T + 1), np.arange(bars.T))
    day = bars.time.astype("datetime64[D]").astype(np.int64)
    new = np.append(True, day[1:] != day[:-1])
    return _Sessions(np.append(np.flatnonzero(new), bars.T), np.cumsum(new) - 1)


def _most_shares(bars: Bars) -> Floats:
    """The panel without splits, each symbol on the share basis on which a share has never cost more than it did."""
    seen = bars.continuous()
    if seen is bars:
        return bars.panel
    most = bars.split_factor.max(axis=0)
    panel = seen.panel.copy()
    panel[OPEN : CLOSE + 1] /= most
    panel[DIVIDEND] /= most
    panel[VOLUME] *= most
    return panel


def _groups(panel: Floats, sessions: _Sessions) -> tuple[_Group, ...]:
    present = ~np.isnan(panel[CLOSE])
    some = present.any(axis=0)
    first = np.where(some, sessions.of[np.argmax(present, axis=0)], 0)
    last = np.where(some, sessions.of[present.shape[0] - 1 - np.argmax(present[::-1], axis=0)], 0)
    spans, member = np.unique(np.stack([first, last], axis=1), axis=0, return_inverse=True)
    made = []
    for number, (begins, ends) in enumerate(spans.tolist()):
        columns = np.flatnonzero(member == number)
        own = panel if columns.size == panel.shape[2] else np.ascontiguousarray(panel[:, :, columns])
        made.append(_Group(columns, begins, ends, own, _last_known(own[CLOSE])))
    return tuple(made)


def _last_known(close: Floats) -> Floats:
    """(T, n): each close, a missing one replaced by the last before it, else by the first after it, else by 1."""
    missing = np.isnan(close)
    if not missing.any():
        return close
    row = np.where(missing, -1, np.arange(close.shape[0])[:, None])
    row = np.maximum.accumulate(row, axis=0)
    row = np.where(row < 0, np.argmin(missing, axis=0), row)
    known = np.take_along_axis(close, row, axis=0)
    return np.where(np.isnan(known), 1.0, known)


def _market_returns(bars: Bars) -> Floats:
    """(U - 1,) mean return of the symbols from the last close of a session to the last close of the next."""
    sessions, panel = _sessions(bars), _most_shares(bars)
    ends = sessions.start[1:] - 1
    known = _last_known(panel[CLOSE])[ends]
    paid = np.add.reduceat(panel[DIVIDEND], sessions.start[:-1], axis=0)
    traded = np.logical_or.reduceat(~np.isnan(panel[CLOSE]), sessions.start[:-1], axis=0)
    both = traded[1:] & (np.cumsum(traded, axis=0)[:-1] > 0)
    moves = np.where(both, (known[1:] + paid[1:]) / known[:-1] - 1.0, 0.0)
    counted = both.sum(axis=1)
    returns: Floats = moves.sum(axis=1)[counted > 0] / counted[counted > 0]
    return returns


# -- drawing ----------------------------------------------------------------------------------------------------------


def _checked(bars: Bars, block: float | None) -> float:
    if block is None:
        return mean_block(bars)
    if not block >= 1.0:
        raise BadParameter(f"block is {block}: the mean length of a block is a number of sessions, 1 or more")
    return float(block)


def _drawn_sessions(sessions: _Sessions, seed: int, replicate: int, block: float) -> Iterator[Rows]:
    """Endless independent draws, (U - 1,) each: whole numbers that go up by one inside a block and are uniform over
    0 to 2^62 where one begins, to be taken modulo the number of sessions there are.

    From the raw output of the generator, which is the same in every version of NumPy.
    """
    if seed < 0 or replicate < 0:
        raise BadParameter(f"seed is {seed}, replicate {replicate}: both are whole numbers from 0 up")
    source = np.random.PCG64(np.random.SeedSequence([seed, replicate]))
    moves = sessions.count - 1
    at_most = np.uint64(max(int(2.0**64 / block), 1) - 1)
    here = np.arange(moves)
    while True:
        raw = source.random_raw(2 * moves).reshape(2, moves)
        start = np.maximum.accumulate(np.where(raw[0] <= at_most, here, 0))
        yield (raw[1] >> np.uint64(2)).astype(np.int64)[start] + (here - start)


def _drawn_panel(source: _Source, draws: Iterator[Rows]) -> Floats:
    """The resampled panel (7, T, N)."""
    bars = source.market.of.size
    common = [next(draws)]
    if len(source.groups) == 1:
        return _drawn_group(source.groups[0], source.market, common)
    common += [next(draws) for _ in range(COMMON_DRAWS)]
    panel = np.empty((len(FIELDS), bars, source.symbols))
    for group in source.groups:
        panel[:, :, group.columns] = _drawn_group(group, source.market, common)
    return panel


def _drawn_group(group: _Group, sessions: _Sessions, draws: list[Rows]) -> Floats:
    """The resampled panel (7, T, n) of a group: the drawn rows times what has become of the price so far."""
    row, absent = _rows(sessions, _own_sessions(group, sessions, draws))
    before = np.where(absent, row, np.maximum(row - 1, 0))
    factor = np.ones_like(group.known)
    np.divide(group.known[row[:-1]], group.known[before[1:]], out=factor[1:])
    np.cumprod(factor, axis=0, out=factor)
    panel = np.take(group.panel, row, axis=1)
    panel[OPEN : CLOSE + 1] *= factor
    panel[DIVIDEND] *= factor
    if absent.any():
        panel[:, absent] = _no_bars(int(absent.sum()), group.columns.size)
    return panel


def _own_sessions(group: _Group, sessions: _Sessions, draws: list[Rows]) -> Rows:
    """(U,) the session that stands at each session: outside of the group's span, and at its first, the one that did.

    Inside it, the first of the common draws that lies in the span; the last draw is taken modulo the span.
    """
    drawn = np.arange(sessions.count)
    inner = slice(group.first + 1, group.last + 1)
    length = group.last - group.first
    if length == 0:
        return drawn
    if length == sessions.count - 1:
        drawn[1:] = 1 + draws[0] % length
        return drawn
    chosen = group.first + 1 + draws[-1] % length
    for draw in reversed(draws[:-1]):
        candidate = 1 + draw % (sessions.count - 1)
        chosen = np.where((candidate > group.first) & (candidate <= group.last), candidate, chosen)
    drawn[inner] = chosen[group.first : group.last]
    return drawn


def _rows(sessions: _Sessions, drawn: Rows) -> tuple[Rows, NDArray[np.bool_]]:
    """(T,) the row that stands at each row, and where there is none because the drawn session was shorter: then its last."""
    if sessions.count == sessions.of.size:
        return drawn, np.zeros(drawn.size, np.bool_)
    place = np.arange(sessions.of.size) - sessions.start[sessions.of]
    taken = drawn[sessions.of]
    row, end = sessions.start[taken] + place, sessions.start[taken + 1]
    return np.minimum(row, end - 1), row >= end


def _no_bars(rows: int, symbols: int) -> Floats:
    panel = np.full((len(FIELDS), rows, symbols), np.nan)
    panel[VOLUME] = panel[DIVIDEND] = 0.0
    panel[SPLIT] = 1.0
    return panel
