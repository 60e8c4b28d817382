"""Resampled markets: the same draw everywhere, whole bars, and what of the market is kept and what is lost."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpt_trader.bars import CLOSE, DIVIDEND, HIGH, LOW, OPEN, VOLUME, Bars
from gpt_trader.errors import BadData, BadParameter
from gpt_trader.validation.block_bootstrap import (
    independent_blocks,
    mean_block,
    resample,
    resample_with_index,
)
from gpt_trader.validation.block_length import automatic_block
from tests.markets import random_market

ROOT = Path(__file__).resolve().parents[2]
DRAW = """
import hashlib
from gpt_trader.validation.block_bootstrap import resample
from tests.markets import random_market
drawn = resample(random_market(300, 3, seed=5, gaps=0.05, splits=True, dividends=True), 11, 4, block=6.5)
print(hashlib.sha256(drawn.panel.tobytes()).hexdigest())
"""


def late_market(rows: int, spans: list[tuple[int, int]], seed: int = 0, common: float = 0.0) -> Bars:
    """Symbols that have bars in rows `first` to `last` only; `common` is the share of variance that all have in common."""
    rng = np.random.default_rng(seed)
    noise = rng.normal(0.0, 0.01, (rows, len(spans)))
    shared = rng.normal(0.0, 0.01, (rows, 1))
    close = 50 * np.exp(np.cumsum(np.sqrt(common) * shared + np.sqrt(1 - common) * noise, axis=0))
    panel = np.stack([close, close, close, close, np.full_like(close, 1e6), np.ones_like(close), 0 * close])
    for n, (first, last) in enumerate(spans):
        for rows_out in (slice(0, first), slice(last + 1, rows)):
            panel[OPEN : CLOSE + 1, rows_out, n] = np.nan
            panel[VOLUME, rows_out, n] = 0.0
    days = np.busday_offset("2010-01-04", np.arange(rows), roll="forward").astype("datetime64[ns]")
    return Bars(tuple(f"S{n}" for n in range(len(spans))), days, panel)


def moves(bars: Bars) -> np.ndarray:
    """(T - 1, N) logarithmic moves from close to close."""
    return np.diff(np.log(bars.close), axis=0)


def source_rows(market: Bars, drawn: Bars) -> np.ndarray:
    """(T - 1,) which move of `market` each move of its replicate is."""
    known, taken = moves(market)[:, 0], moves(drawn)[:, 0]
    order = np.argsort(known)
    place = np.searchsorted(known[order], taken - 1e-12)
    rows = order[np.minimum(place, order.size - 1)]
    assert np.allclose(known[rows], taken, atol=1e-11)
    return rows


def clustered_market(rows: int, seed: int = 0) -> Bars:
    """Volatility that changes between 0.5 % and 2 % about every 100 bars, and returns without memory."""
    rng = np.random.default_rng(seed)
    wild = np.cumsum(rng.random(rows) < 0.01) % 2
    close = 100 * np.exp(np.cumsum(rng.normal(0, 1, rows) * np.where(wild, 0.02, 0.005)))[:, None]
    panel = np.stack([close, close, close, close, np.full_like(close, 1e6), np.ones_like(close), 0 * close])
    days = np.busday_offset("2000-01-03", np.arange(rows), roll="forward").astype("datetime64[ns]")
    return Bars(("C",), days, panel)


def autocorrelation(series: np.ndarray, lag: int = 1) -> float:
    return float(np.corrcoef(series[lag:], series[:-lag])[0, 1])


# -- the draw ---------------------------------------------------------------------------------------------------------


def test_a_replicate_is_the_same_bytes_every_time_and_in_another_process() -> None:
    market = random_market(300, 3, seed=5, gaps=0.05, splits=True, dividends=True)
    first = resample(market, 11, 4, block=6.5)
    again = resample(market.select(), 11, 4, block=6.5)
    assert first.panel.tobytes() == again.panel.tobytes()
    out = subprocess.run([sys.executable, "-c", DRAW], cwd=ROOT, capture_output=True, text=True, check=True)
    assert out.stdout.strip() == hashlib.sha256(first.panel.tobytes()).hexdigest()


def test_seed_and_replicate_each_make_another_market() -> None:
    market = random_market(200, 1, seed=2)
    made = {resample(market, seed, k).close.tobytes() for seed in (0, 1) for k in (0, 1, 2)}
    assert len(made) == 6


def test_the_draw_does_not_depend_on_prices_or_on_which_symbols_are_there() -> None:
    """Strategies that trade other symbols of the same market meet the same history."""
    market = random_market(400, 4, seed=3)
    alone = resample(market.select(["S2"]), 7, 3, block=5.0)
    together = resample(market, 7, 3, block=5.0)
    assert np.array_equal(alone.panel[:, :, 0], together.panel[:, :, 2])


def test_blocks_are_consecutive_rows_of_the_mean_length_that_was_asked_for() -> None:
    market = random_market(5_000, 1, seed=1)
    lengths = []
    for k in range(20):
        rows = source_rows(market, resample(market, 1, k, block=12.0))
        breaks = np.diff(rows) % (market.T - 1) != 1
        lengths.append((rows.size - 1) / breaks.sum())
    assert np.mean(lengths) == pytest.approx(12.0, rel=0.05)


def test_blocks_of_one_bar_are_independent_draws_of_every_bar_alike() -> None:
    market = random_market(201, 1, seed=1)
    rows = np.array([source_rows(market, resample(market, 1, k, block=1.0)) for k in range(300)])
    counts = np.bincount(rows.ravel(), minlength=200)
    assert ((counts - 300) ** 2 / 300).sum() == pytest.approx(199, abs=5 * np.sqrt(2 * 199))  # chi-squared
    follows = (np.diff(rows, axis=1) % 200 == 1).mean()
    assert follows == pytest.approx(1 / 200, abs=4 * np.sqrt(1 / 200 / rows.size))


# -- whole bars -------------------------------------------------------------------------------------------------------


@settings(max_examples=60)
@given(
    seed=st.integers(0, 1000), symbols=st.integers(1, 4), gaps=st.sampled_from([0.0, 0.1, 0.6]), splits=st.booleans(),
    block=st.sampled_from([1.0, 3.5, 50.0, None]),
)  # fmt: skip
def test_a_resampled_market_is_a_market(
    seed: int, symbols: int, gaps: float, splits: bool, block: float | None
) -> None:
    market = random_market(60, symbols, seed, gaps=gaps, splits=splits, dividends=True)
    drawn = resample(market, seed, 1, block=block)
    there = drawn.present
    prices = drawn.panel[OPEN : CLOSE + 1]
    assert (drawn.high >= np.fmax(drawn.open, drawn.close))[there].all()
    assert (drawn.low <= np.fmin(drawn.open, drawn.close))[there].all()
    assert (prices[:, there] > 0).all()
    assert (drawn.split == 1.0).all()
    assert (drawn.volume[~there] == 0).all()
    assert np.array_equal(drawn.time, market.time)
    assert drawn.symbols == market.symbols
    # every shape of a bar is one that happened
    shapes = {(round(h, 9), round(x, 9)) for h, x in _shapes(market)}
    assert {(round(h, 9), round(x, 9)) for h, x in _shapes(drawn)} <= shapes


def _shapes(bars: Bars) -> zip[tuple[float, float]]:
    there = bars.present
    return zip((bars.high / bars.open)[there].tolist(), (bars.low / bars.close)[there].tolist(), strict=True)


def test_one_endless_block_is_the_market_turned_round_and_nothing_is_lost() -> None:
    market = random_market(400, 2, seed=9, drift=0.001, dividends=True)
    drawn = resample(market, 3, 0, block=1e12)
    assert np.allclose(drawn.close[-1], market.close[-1], rtol=1e-12)
    assert np.allclose(np.sort(moves(drawn), axis=0), np.sort(moves(market), axis=0), atol=1e-12)
    assert np.array_equal(np.sort(drawn.volume[1:], axis=0), np.sort(market.volume[1:], axis=0))
    shift = int(np.argmax(np.isclose(moves(market)[:, 0], moves(drawn)[0, 0], atol=1e-13)))
    yields = market.dividend[1:] / market.close[:-1]
    assert np.allclose(drawn.dividend[1:] / drawn.close[:-1], np.roll(yields, -shift, axis=0), atol=1e-12)
    nights = np.log(market.open[1:] / market.close[:-1])
    assert np.allclose(np.log(drawn.open[1:] / drawn.close[:-1]), np.roll(nights, -shift, axis=0), atol=1e-12)
    assert np.array_equal(drawn.panel[:, 0], market.panel[:, 0])


def test_after_missing_bars_the_move_is_measured_from_the_last_close() -> None:
    market = random_market(400, 1, seed=4, gaps=0.2)
    known = np.diff(np.log(market.close[market.present]))
    for k in range(5):
        drawn = resample(market, 2, k, block=3.0)
        assert 0.1 < (~drawn.present).mean() < 0.3
        assert (drawn.volume[~drawn.present] == 0).all()
        taken = np.diff(np.log(drawn.close[drawn.present]))
        assert np.isin(np.round(taken, 10), np.round(known, 10)).all()


def test_a_symbol_without_any_bar_stays_without() -> None:
    market = random_market(50, 2, dividends=True)
    panel = market.panel.copy()
    panel[OPEN : CLOSE + 1, :, 1] = np.nan
    panel[VOLUME, :, 1] = 0.0
    drawn = resample(Bars(market.symbols, market.time, panel), 1, 0)
    assert not drawn.present[:, 1].any()
    assert drawn.present[:, 0].all()


def test_splits_are_gone_and_a_share_is_never_dearer_than_it_was() -> None:
    market = random_market(300, 2, seed=7, splits=True, dividends=True)
    assert (market.split != 1).any(axis=0).all()
    drawn = resample(market, 0, 0, block=1e12)
    same = market.continuous()
    assert np.allclose(np.sort(moves(drawn), axis=0), np.sort(moves(same), axis=0), atol=1e-10)
    paid, known = (np.sort((one.dividend[1:] / one.close[:-1]).ravel()) for one in (drawn, same))
    assert known[-1] > 0
    assert np.allclose(paid, known, atol=1e-12)
    cash = (same.volume * same.close)[0]
    assert np.allclose((drawn.volume * drawn.close)[0], cash)
    most = market.split_factor.max(axis=0)
    assert np.allclose(drawn.close[0], (same.close / most)[0])
    assert ((same.close / most) <= market.close * (1 + 1e-12)).all()


# -- what is kept -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("block", [1.0, 10.0])
def test_means_variances_and_correlations_are_kept_on_average(block: float) -> None:
    """Tolerances: four standard errors of a mean over 400 replicates; the mean move is known to about sigma / sqrt(T)."""
    market = late_market(500, [(0, 499)] * 3, seed=3, common=0.6)
    real = moves(market)
    drawn = [moves(resample(market, 5, k, block=block)) for k in range(400)]
    means = np.array([one.mean(axis=0) for one in drawn])
    assert np.allclose(means.mean(axis=0), real.mean(axis=0), atol=4 * means.std() / 20)
    variances = np.array([one.var(axis=0) for one in drawn])
    shrunk = real.var(axis=0) * (
        1 - 1 / 499
    )  # the sample mean of a replicate is fitted to it (block 1; longer: a bit more)
    assert np.allclose(variances.mean(axis=0), shrunk, rtol=0.02)
    crossed = np.array([np.corrcoef(one.T)[0, 1:] for one in drawn])
    assert np.allclose(crossed.mean(axis=0), np.corrcoef(real.T)[0, 1:], atol=4 * crossed.std() / 20 + 0.003)


def test_clusters_of_volatility_live_in_long_blocks_and_die_in_short_ones() -> None:
    market = clustered_market(4_000)
    real = autocorrelation(np.abs(moves(market)[:, 0]))
    assert real > 0.25
    long, short = (
        np.mean(
            [autocorrelation(np.abs(moves(resample(market, 1, k, block=block))[:, 0])) for k in range(20)]
        )
        for block in (100.0, 1.0)
    )
    assert long == pytest.approx(real, abs=0.08)
    assert short == pytest.approx(0.0, abs=0.03)
    assert mean_block(market) > 20  # the returns alone have no memory; their squares do


def test_the_markets_return_is_the_mean_of_those_who_have_one_with_dividends() -> None:
    market = random_market(600, 3, seed=8, gaps=0.05, dividends=True)
    panel = market.panel.copy()
    panel[OPEN : CLOSE + 1, :200, 2] = np.nan
    panel[VOLUME, :200, 2] = panel[DIVIDEND, :200, 2] = 0.0
    market = Bars(market.symbols, market.time, panel)
    returns = []
    for t in range(1, market.T):
        found = []
        for n in range(market.N):
            before = market.close[:t, n][market.present[:t, n]]
            if market.present[t, n] and before.size:
                found.append((market.close[t, n] + market.dividend[t, n]) / before[-1] - 1)
        if found:
            returns.append(sum(found) / len(found))
    assert mean_block(market) == pytest.approx(automatic_block(np.array(returns)), rel=1e-9)
    assert mean_block(market) > 1


# -- symbols that come and go -----------------------------------------------------------------------------------------


def test_a_symbol_has_bars_from_its_first_to_its_last_session_only() -> None:
    spans = [(0, 299), (100, 299), (0, 180), (250, 280), (40, 40)]
    market = late_market(300, spans)
    left = (None, None, str(market.time[180])[:10], None, None)
    market = Bars(market.symbols, market.time, market.panel, delisted=left)
    drawn = resample(market, 3, 5, block=7.0)
    for n, (first, last) in enumerate(spans):
        assert np.flatnonzero(drawn.present[:, n]).tolist() == list(range(first, last + 1))
        assert drawn.close[first, n] == market.close[first, n]
    assert drawn.delisted == market.delisted
    assert np.array_equal(drawn.last_session, market.last_session)


@pytest.mark.slow
def test_every_session_of_a_short_span_is_drawn_alike() -> None:
    market = late_market(121, [(0, 120), (70, 120), (100, 120)])
    for n, (first, last) in ((1, (70, 120)), (2, (100, 120))):
        source = np.diff(np.log(market.close[first : last + 1, n]))
        counts = np.zeros(source.size)
        for k in range(600):
            drawn = np.diff(np.log(resample(market, 1, k, block=1.0).close[first : last + 1, n]))
            place = np.abs(drawn[:, None] - source[None, :]).argmin(axis=1)
            counts += np.bincount(place, minlength=source.size)
        expected = counts.mean()
        free = source.size - 1
        assert ((counts - expected) ** 2 / expected).sum() == pytest.approx(free, abs=5 * np.sqrt(2 * free))


def test_a_late_symbol_takes_the_session_of_the_others_where_it_has_one() -> None:
    """Half of the sessions: so half of the correlation with symbols that have all of them; nothing else is to be had."""
    market = late_market(1_000, [(0, 999), (500, 999)], seed=2, common=0.9)
    real = np.corrcoef(moves(market)[500:].T)[0, 1]
    kept = [np.corrcoef(moves(resample(market, 1, k, block=5.0))[500:].T)[0, 1] for k in range(60)]
    assert np.mean(kept) == pytest.approx(real / 2, abs=0.07)


def test_symbols_with_nearly_the_same_span_keep_their_correlation() -> None:
    market = late_market(1_000, [(0, 999), (480, 999), (500, 999)], seed=2, common=0.7)
    both = moves(market)[500:]
    real = np.corrcoef(both[:, 1], both[:, 2])[0, 1]
    kept = []
    for k in range(60):
        one = moves(resample(market, 1, k, block=5.0))[500:]
        kept.append(np.corrcoef(one[:, 1], one[:, 2])[0, 1])
    assert np.mean(kept) == pytest.approx(real, abs=0.07)


# -- intraday ---------------------------------------------------------------------------------------------------------


def hourly_market(days: int, short_day: int) -> Bars:
    """Six bars a day, three on `short_day`; the first bar of a day has ten times the volume."""
    rng = np.random.default_rng(0)
    opens = np.busday_offset("2020-01-06", np.arange(days), roll="forward").astype("datetime64[ns]")
    times = [
        opens[day] + np.timedelta64(14 + hour, "h")
        for day in range(days)
        for hour in range(3 if day == short_day else 6)
    ]
    time = np.array(times)
    close = 100 * np.exp(np.cumsum(rng.normal(0, 0.004, (time.size, 1)), axis=0))
    first = (time.astype("datetime64[h]").astype(int) % 24 == 14)[:, None]
    volume = np.where(first, 1e6, 1e5)
    panel = np.stack([close, close, close, close, volume, np.ones_like(close), 0 * close])
    return Bars(("H",), time, panel, "1h")


def test_intraday_bars_are_drawn_by_whole_sessions() -> None:
    market = hourly_market(40, short_day=17)
    hour = market.time.astype("datetime64[h]").astype(int) % 24
    missing = 0
    for k in range(12):
        drawn = resample(market, 1, k, block=2.0)
        there = drawn.present[:, 0]
        assert ((drawn.volume[:, 0] == 1e6) == (hour == 14))[there].all()
        assert there[hour < 17].all()
        missing += int((~there).sum())
        days = market.time.astype("datetime64[D]")
        assert {int(there[days == day].sum()) for day in np.unique(days)} <= {3, 6}
        assert (moves(drawn.select())[there[1:] & there[:-1]] != 0).all()
    assert missing > 0


def test_a_short_session_in_a_long_ones_place_leaves_the_price_where_it_was() -> None:
    market = hourly_market(40, short_day=17)
    source = moves(market)[:, 0]
    for k in range(12):
        drawn = resample(market, 1, k, block=1.0)
        closes = drawn.close[:, 0]
        after = [row for row in range(1, drawn.T) if np.isnan(closes[row - 1]) and not np.isnan(closes[row])]
        for row in after:
            last = closes[:row][~np.isnan(closes[:row])][-1]
            assert np.abs(source - np.log(closes[row] / last)).min() < 1e-10


# -- the regime index -------------------------------------------------------------------------------------------------


def test_the_index_is_drawn_with_the_market_and_keeps_its_history_before_it() -> None:
    whole = random_market(400, 2, seed=1)
    market, index = whole.select(["S0"], start=str(whole.time[100])[:10]), whole.select(["S1"])
    drawn, beside = resample_with_index(market, index, 4, 2, block=8.0)
    assert np.array_equal(drawn.panel, resample(market, 4, 2, block=8.0).panel)
    assert np.array_equal(beside.time, index.time)
    assert np.array_equal(beside.panel[:, :101], index.panel[:, :101])
    together = resample(whole.select(start=str(whole.time[100])[:10]), 4, 2, block=8.0)
    assert np.allclose(beside.panel[:, 100:, 0], together.panel[:, :, 1], rtol=1e-12)


# -- refusals ---------------------------------------------------------------------------------------------------------


def test_what_cannot_be_drawn_is_refused() -> None:
    market = random_market(60, 1)
    with pytest.raises(BadData, match="19 sessions cannot be resampled; give at least 20"):
        resample(random_market(19, 1))
    for block in (0.5, 0.0, -1.0, float("nan")):
        with pytest.raises(BadParameter, match="1 or more"):
            resample(market, block=block)
    with pytest.raises(BadParameter, match="from 0 up"):
        resample(market, seed=-1)


def test_the_number_of_blocks_is_the_sessions_that_are_drawn_over_their_mean_length() -> None:
    assert independent_blocks(random_market(101, 1), block=8.0) == pytest.approx(12.5)


def test_what_a_resampled_market_is_stands_in_its_notes_and_dividends_are_yields() -> None:
    market = random_market(120, 1, dividends=True, drift=0.02)
    drawn = resample(market, 3, 8, block=4.0)
    assert drawn.notes == ("a resampled market: replicate 8 of seed 3",)
    paid = drawn.dividend[1:] > 0
    known = np.round(market.dividend[1:] / market.close[:-1], 10)
    assert np.isin(np.round((drawn.dividend[1:] / drawn.close[:-1])[paid], 10), known).all()
    assert drawn.panel[HIGH].shape == drawn.panel[LOW].shape == drawn.panel[DIVIDEND].shape
