"""Every indicator that TA-Lib has, against TA-Lib; where results differ, the seed is shown to be the reason."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
import talib
from numpy.typing import NDArray

from gpt_trader import indicators as ta
from tests.shared_data import shared_data

Array = NDArray[np.float64]
Bar = tuple[Array, Array, Array, Array]


def walk(length: int = 400) -> Bar:
    """High, low, close and volume of a seeded random walk."""
    random = np.random.default_rng(20)
    close = 100.0 * np.exp(np.cumsum(random.normal(0.0, 0.02, length)))
    high = close * (1.0 + random.uniform(0.0, 0.02, length))
    low = close * (1.0 - random.uniform(0.0, 0.02, length))
    return high, low, close, random.integers(0, 10_000, length).astype(np.float64)


EQUAL: list[tuple[str, Callable[[Bar], object], Callable[[Bar], object]]] = [
    ("sma", lambda b: ta.sma(b[2], 20), lambda b: talib.SMA(b[2], 20)),
    ("sma of 2", lambda b: ta.sma(b[2], 2), lambda b: talib.SMA(b[2], 2)),
    ("ema", lambda b: ta.ema(b[2], 20), lambda b: talib.EMA(b[2], 20)),
    ("wma", lambda b: ta.wma(b[2], 20), lambda b: talib.WMA(b[2], 20)),
    ("rsi", lambda b: ta.rsi(b[2], 14), lambda b: talib.RSI(b[2], 14)),
    ("rsi of 2", lambda b: ta.rsi(b[2], 2), lambda b: talib.RSI(b[2], 2)),
    ("true_range", lambda b: ta.true_range(*b[:3]), lambda b: talib.TRANGE(*b[:3])),
    ("atr", lambda b: ta.atr(*b[:3], 14), lambda b: talib.ATR(*b[:3], 14)),
    ("bollinger", lambda b: ta.bollinger(b[2], 20, 2.5), lambda b: talib.BBANDS(b[2], 20, 2.5, 2.5)),
    ("rolling_std", lambda b: ta.rolling_std(b[2], 20, ddof=0), lambda b: talib.STDDEV(b[2], 20)),
    ("highest", lambda b: ta.highest(b[2], 55), lambda b: talib.MAX(b[2], 55)),
    ("lowest", lambda b: ta.lowest(b[2], 55), lambda b: talib.MIN(b[2], 55)),
    (
        "donchian",
        lambda b: ta.donchian(b[0], b[1], 20)[::2],
        lambda b: (talib.MAX(b[0], 20), talib.MIN(b[1], 20)),
    ),
    (
        "donchian middle",
        lambda b: ta.donchian(b[0], b[1], 20).middle,
        lambda b: talib.MIDPRICE(b[0], b[1], 20),
    ),
    ("roc", lambda b: ta.roc(b[2], 10), lambda b: talib.ROC(b[2], 10)),
    ("returns", lambda b: ta.returns(b[2], 10), lambda b: talib.ROCP(b[2], 10)),
    ("momentum", lambda b: ta.momentum(b[2], 10), lambda b: talib.MOM(b[2], 10)),
    ("obv", lambda b: ta.obv(b[2], b[3]), lambda b: talib.OBV(b[2], b[3])),
    ("rolling_corr", lambda b: ta.rolling_corr(b[2], b[0], 30), lambda b: talib.CORREL(b[2], b[0], 30)),
    # TA-Lib's BETA takes prices, the market first, and forms the returns itself.
    (
        "rolling_beta",
        lambda b: ta.rolling_beta(ta.returns(b[2]), ta.returns(b[0]), 30),
        lambda b: talib.BETA(b[0], b[2], 30),
    ),
    (
        "macd line",
        lambda b: ta.macd(b[2], 12, 26, 9).line,
        lambda b: talib.EMA(b[2], 12) - talib.EMA(b[2], 26),
    ),
    ("keltner middle", lambda b: ta.keltner(*b[:3], 20, 10).middle, lambda b: talib.EMA(b[2], 20)),
    (
        "keltner upper",
        lambda b: ta.keltner(*b[:3], 20, 10).upper,
        lambda b: talib.EMA(b[2], 20) + 2 * talib.ATR(*b[:3], 10),
    ),
    (
        "keltner lower",
        lambda b: ta.keltner(*b[:3], 20, 10).lower,
        lambda b: talib.EMA(b[2], 20) - 2 * talib.ATR(*b[:3], 10),
    ),
    (
        "stochastic d",
        lambda b: ta.stochastic(*b[:3], 14, 3, 3).d,
        lambda b: talib.STOCH(*b[:3], 14, 3, 0, 3, 0)[1],
    ),
]


def assert_close(found: object, expected: object) -> None:
    """The same outputs, NaN in the same places, equal to nine digits of the largest value."""
    ours = found if isinstance(found, tuple) else (found,)
    theirs = expected if isinstance(expected, tuple) else (expected,)
    assert len(ours) == len(theirs)
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(a, b, rtol=0.0, atol=1e-9 * np.nanmax(np.abs(b)))


@pytest.mark.parametrize(("name", "ours", "theirs"), EQUAL, ids=[case[0] for case in EQUAL])
def test_equals_talib_from_the_first_value_on(name, ours, theirs):
    assert_close(ours(walk()), theirs(walk()))


@pytest.fixture(scope="module")
def apple() -> Bar:
    """Raw AAPL days from 1998 to 2021, with its splits still in: jumps by factors of 2, 7 and 4."""
    frame = pd.read_parquet(shared_data("equity/lean_daily.parquet"))
    rows = frame[frame["symbol"] == "AAPL"].sort_values("date")
    return tuple(rows[name].to_numpy(np.float64) for name in ("high", "low", "close", "volume"))


@pytest.mark.parametrize(("name", "ours", "theirs"), EQUAL, ids=[case[0] for case in EQUAL])
def test_equals_talib_on_23_years_of_apple(apple, name, ours, theirs):
    assert apple[2].size > 5000
    assert_close(ours(apple), theirs(apple))


def test_stochastic_k_starts_earlier_than_talib_which_trims_it_to_d():
    bar = walk()
    ours, theirs = ta.stochastic(*bar[:3], 14, 3, 3).k, talib.STOCH(*bar[:3], 14, 3, 0, 3, 0)[0]
    assert np.flatnonzero(~np.isnan(ours))[0] == 15
    assert np.flatnonzero(~np.isnan(theirs))[0] == 17
    np.testing.assert_allclose(ours[17:], theirs[17:], rtol=1e-10)
    fast = ta.stochastic(*bar[:3], 14, 1, 3)
    np.testing.assert_allclose(fast.k[15:], talib.STOCHF(*bar[:3], 14, 3, 0)[0][15:], rtol=0.0, atol=1e-10)


def plain_ema(x: Array, n: int, begin: int) -> Array:
    """EMA as a plain loop, seeded with the mean of the n values from `begin` on."""
    result = np.full(x.size, np.nan)
    result[begin + n - 1] = np.mean(x[begin : begin + n])
    for i in range(begin + n, x.size):
        result[i] = result[i - 1] + 2.0 / (n + 1) * (x[i] - result[i - 1])
    return result


def test_macd_differs_from_talib_only_by_when_the_fast_average_starts():
    x = walk()[2]
    slow = plain_ema(x, 26, 0)
    talibs_line = plain_ema(x, 12, 26 - 12) - slow
    ours, theirs = ta.macd(x, 12, 26, 9), talib.MACD(x, 12, 26, 9)
    np.testing.assert_allclose(theirs[0][33:], talibs_line[33:], rtol=0.0, atol=1e-11)
    np.testing.assert_allclose(ours.line, plain_ema(x, 12, 0) - slow, rtol=0.0, atol=1e-11)
    np.testing.assert_allclose(ours.signal[25:], plain_ema(ours.line[25:], 9, 0), rtol=0.0, atol=1e-11)
    np.testing.assert_allclose(ours.histogram, ours.line - ours.signal, rtol=0.0, atol=0.0)
    for a, b in zip(ours, theirs, strict=True):
        assert np.array_equal(np.isnan(a)[33:], np.isnan(b)[33:])
        assert np.nanmax(np.abs(a - b)[26 + 7 * 12 :]) < 1e-6 * x.max()


def plain_adx(high: Array, low: Array, close: Array, n: int, seeds: int) -> tuple[Array, Array, Array]:
    """ADX, +DI, -DI with Wilder's running SUMS as plain loops, seeded with the first `seeds` bars."""
    size = close.size
    average, plus_di, minus_di = np.full((3, size), np.nan)
    sums, index = np.zeros(3), np.full(size, np.nan)
    for i in range(1, size):
        up, down = high[i] - high[i - 1], low[i - 1] - low[i]
        bar = np.array(
            [
                up if up > down and up > 0 else 0.0,
                down if down > up and down > 0 else 0.0,
                max(high[i] - low[i], abs(high[i] - close[i - 1]), abs(low[i] - close[i - 1])),
            ]
        )
        sums = sums + bar if i <= seeds else sums - sums / n + bar
        if i >= n:
            plus_di[i], minus_di[i] = 100 * sums[0] / sums[2], 100 * sums[1] / sums[2]
            index[i] = 100 * abs(plus_di[i] - minus_di[i]) / (plus_di[i] + minus_di[i])
    average[2 * n - 1] = np.mean(index[n : 2 * n])
    for i in range(2 * n, size):
        average[i] = (average[i - 1] * (n - 1) + index[i]) / n
    return average, plus_di, minus_di


def test_adx_differs_from_talib_only_by_seeding_with_n_instead_of_n_minus_1_bars():
    high, low, close = (np.round(a, 0) for a in walk(600)[:3])  # on a grid, so that up and down moves tie
    theirs = tuple(f(high, low, close, 14) for f in (talib.ADX, talib.PLUS_DI, talib.MINUS_DI))
    for found, expected in zip(theirs, plain_adx(high, low, close, 14, seeds=13), strict=True):
        np.testing.assert_allclose(found, expected, rtol=0.0, atol=1e-9)
    ours = ta.adx(high, low, close, 14)
    for found, expected in zip(ours, plain_adx(high, low, close, 14, seeds=14), strict=True):
        np.testing.assert_allclose(found, expected, rtol=0.0, atol=1e-9)
    for found, expected in zip(ours, theirs, strict=True):
        assert np.array_equal(np.isnan(found), np.isnan(expected))
        np.testing.assert_allclose(found[400:], expected[400:], rtol=0.0, atol=1e-9)


def test_the_denominator_of_the_directional_indicators_is_atr():
    high, low, close, _ = walk(60)
    moves = np.where((np.diff(high) > -np.diff(low)) & (np.diff(high) > 0), np.diff(high), 0.0)
    expected = 100.0 * ta.rma(np.concatenate([[np.nan], moves]), 14) / ta.atr(high, low, close, 14)
    np.testing.assert_allclose(ta.adx(high, low, close, 14).plus_di, expected, rtol=1e-12)


def test_a_market_that_does_not_move_is_neutral_where_talib_reads_oversold():
    flat = np.full(30, 50.0)
    assert talib.RSI(flat, 14)[-1] == 0.0
    assert ta.rsi(flat, 14)[-1] == 50.0
    assert talib.STOCHF(flat, flat, flat, 5, 3, 0)[0][-1] == 0.0
    assert ta.stochastic(flat, flat, flat, 5, 1, 3).k[-1] == 50.0
