"""Indicators that TA-Lib does not have, against short hand calculations and plain loops; and the edge cases of all."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from gpt_trader import indicators as ta

NAN = np.nan


def close_to(found, expected) -> bool:
    return bool(np.allclose(found, expected, rtol=1e-13, atol=1e-13, equal_nan=True))


def random_prices(length: int = 300, seed: int = 3) -> np.ndarray:
    return 100.0 * np.exp(np.cumsum(np.random.default_rng(seed).normal(0.0, 0.02, length)))


def test_averages_by_hand():
    x = np.array([2.0, 4.0, 3.0, 9.0, 6.0])
    assert close_to(ta.sma(x, 3), [NAN, NAN, 3.0, 16 / 3, 6.0])
    assert close_to(ta.wma(x, 3), [NAN, NAN, (2 + 8 + 9) / 6, (4 + 6 + 27) / 6, (3 + 18 + 18) / 6])
    assert close_to(ta.ema(x, 3), [NAN, NAN, 3.0, 6.0, 6.0])
    assert close_to(ta.rma(x, 2), [NAN, 3.0, 3.0, 6.0, 6.0])


def test_rsi_by_hand():
    # changes +2 -1 +3: first averages 1 and 1/2, then (1 + 3) / 2 and (1/2 + 0) / 2
    assert close_to(ta.rsi(np.array([5.0, 7.0, 6.0, 9.0]), 2), [NAN, NAN, 100 * 2 / 3, 100 * 2 / 2.25])
    assert ta.rsi(np.array([1.0, 2.0, 3.0]), 2)[-1] == 100.0
    assert ta.rsi(np.array([3.0, 2.0, 1.0]), 2)[-1] == 0.0


def test_true_range_counts_the_gap():
    high, low, close = np.array([[10.0, 14.0, 11.0], [9.0, 13.0, 8.0], [9.5, 13.5, 9.0]])
    assert close_to(ta.true_range(high, low, close), [NAN, 14 - 9.5, 13.5 - 8])
    assert close_to(ta.atr(high, low, close, 2), [NAN, NAN, (4.5 + 5.5) / 2])


def test_shift_highest_and_the_channel_of_the_bars_before():
    x = np.array([3.0, 1.0, 2.0, 5.0, 4.0])
    assert close_to(ta.shift(x, 2), [NAN, NAN, 3.0, 1.0, 2.0])
    assert close_to(ta.shift(x, 0), x)
    assert close_to(ta.shift(x, 9), [NAN] * 5)
    assert close_to(ta.highest(x, 2), [NAN, 3.0, 2.0, 5.0, 5.0])
    assert close_to(ta.lowest(x, 2), [NAN, 1.0, 1.0, 2.0, 4.0])
    channel = ta.shift(ta.donchian(x, x - 1.0, 2).upper, 1)
    assert close_to(channel, [NAN, NAN, 3.0, 2.0, 5.0])
    assert (x > channel).tolist() == [False, False, False, True, False]


@pytest.mark.parametrize("n", [1, 2, 3, 7, 50, 299, 300, 301])
def test_windows_equal_a_plain_loop_at_every_length(n):
    x, y = random_prices(), random_prices(seed=4)
    weights = np.arange(1, n + 1)
    for i in (n - 2, n - 1, n, 2 * n - 2, 2 * n - 1, 2 * n, 200, 299):
        if not 0 <= i < x.size:
            continue
        a, b = x[max(i - n + 1, 0) : i + 1], y[max(i - n + 1, 0) : i + 1]
        full = i >= n - 1
        expected = {
            "mean": np.mean(a) if full else NAN,
            "weighted": np.sum(a * weights) / weights.sum() if full else NAN,
            "highest": np.max(a) if full else NAN,
            "lowest": np.min(a) if full else NAN,
            "deviation": np.std(a) if full else NAN,
            "quantile": np.quantile(a, 0.3) if full else NAN,
            "rank": (np.sum(a < a[-1]) + (np.sum(a == a[-1]) + 1) / 2) / n if full else NAN,
            "correlation": np.corrcoef(a, b)[0, 1] if full and n > 1 else NAN,
            "beta": np.cov(a, b)[0, 1] / np.var(b, ddof=1) if full and n > 1 else NAN,
        }
        found = {
            "mean": ta.sma(x, n)[i],
            "weighted": ta.wma(x, n)[i],
            "highest": ta.highest(x, n)[i],
            "lowest": ta.lowest(x, n)[i],
            "deviation": ta.rolling_std(x, n, ddof=0)[i],
            "quantile": ta.rolling_quantile(x, n, 0.3)[i],
            "rank": ta.percentile_rank(x, n)[i],
            "correlation": ta.rolling_corr(x, y, n)[i] if n > 1 else NAN,
            "beta": ta.rolling_beta(x, y, n)[i] if n > 1 else NAN,
        }
        np.testing.assert_allclose(
            list(found.values()), list(expected.values()), rtol=1e-10, err_msg=f"{i} {found}"
        )


def test_order_statistics_equal_pandas_with_ties():
    x = np.random.default_rng(5).integers(0, 6, 400).astype(np.float64)
    series = pd.Series(x)
    assert close_to(ta.percentile_rank(x, 10), series.rolling(10).rank(pct=True))
    for q in (0.0, 0.25, 0.5, 0.9, 1.0):
        assert close_to(ta.rolling_quantile(x, 10, q), series.rolling(10).quantile(q))


def test_returns_roc_momentum_by_hand():
    x = np.array([4.0, 5.0, 0.0, 2.0])
    assert close_to(ta.returns(x), [NAN, 0.25, -1.0, NAN])
    assert close_to(ta.returns(x, log=True), [NAN, np.log(1.25), NAN, NAN])
    assert close_to(ta.roc(x, 1), [NAN, 25.0, -100.0, NAN])
    assert close_to(ta.roc(x, 2), [NAN, NAN, -100.0, -60.0])
    assert close_to(ta.momentum(x, 3), [NAN, NAN, NAN, -2.0])


def test_realised_volatility_is_the_annualised_sample_deviation_of_log_returns():
    x = random_prices(30)
    logs = np.diff(np.log(x))
    found = ta.realised_volatility(x, 20, periods_per_year=365.0)
    assert np.isnan(found[:20]).all()
    np.testing.assert_allclose(
        found[20:], [np.std(logs[i - 20 : i], ddof=1) * 365**0.5 for i in range(20, 30)], rtol=1e-10
    )


def test_zscore_of_two_is_the_upper_bollinger_band():
    x = random_prices()
    bands, z = ta.bollinger(x, 20, 2.0), ta.zscore(x, 20)
    np.testing.assert_allclose(
        (bands.middle + z * (bands.upper - bands.middle) / 2.0)[19:], x[19:], rtol=1e-12
    )
    assert np.array_equal(z[19:] > 2.0, x[19:] > bands.upper[19:])


def test_rolling_beta_against_one_market_for_all_columns():
    asset = np.column_stack([random_prices(seed=7), random_prices(seed=8)])
    market = random_prices(seed=9)
    for one in (market, market[:, None]):
        found = ta.rolling_beta(asset, one, 30)
        for column in range(2):
            assert np.array_equal(
                found[:, column], ta.rolling_beta(asset[:, column], market, 30), equal_nan=True
            )
    assert close_to(ta.rolling_beta(3.0 * market, market, 30)[29:], 3.0)


def test_vwap_starts_again_with_each_session():
    price = np.array([10.0, 12.0, 20.0, 23.0])
    volume = np.array([1.0, 3.0, 0.0, 5.0])
    days = np.array(["2020-01-02", "2020-01-02", "2020-01-03", "2020-01-03"], dtype="datetime64[D]")
    assert close_to(ta.vwap(price, price, price, volume, days), [10.0, 11.5, NAN, 23.0])
    spread = ta.vwap(price + 3.0, price, price, volume, days)  # the typical price is a third of the way up
    assert close_to(spread, [11.0, 12.5, NAN, 24.0])
    assert close_to(ta.rolling_vwap(price, price, price, volume, 2), [NAN, 11.5, 12.0, 23.0])
    assert close_to(ta.rolling_vwap(price, price, price, volume * 0.0, 2), [NAN] * 4)


def test_a_session_may_return_under_the_same_name():
    price = np.array([1.0, 2.0, 3.0])
    assert close_to(ta.vwap(price, price, price, np.ones(3), np.array([1, 2, 1])), price)


def test_obv_by_hand():
    close, volume = np.array([5.0, 6.0, 6.0, 4.0]), np.array([10.0, 20.0, 30.0, 40.0])
    assert close_to(ta.obv(close, volume), [10.0, 30.0, 30.0, -10.0])


def test_crossings_need_the_other_side_on_the_previous_present_bar():
    a = np.array([1.0, 3.0, NAN, 1.0, 2.0, 3.0, 2.0, 3.0])
    assert np.flatnonzero(ta.crossover(a, 2.0)).tolist() == [1, 5, 7]
    assert np.flatnonzero(ta.crossunder(a, 2.0)).tolist() == [3]  # 3 -> missing -> 1
    assert np.flatnonzero(ta.crossover(a, np.array([0.0, 4.0, 0.0, 0.0, 3.0, 1.0, 1.0, 1.0]))).tolist() == [
        3,
        5,
    ]
    assert ta.crossover(a, 2.0).dtype == np.bool_
    assert not ta.crossover(np.array([5.0, 6.0]), 4.0).any()


def test_no_drift_and_no_trace_of_a_spike_that_has_left_the_window():
    x = np.concatenate([random_prices(), [1e14, np.inf, 1e14], random_prices(seed=6)])
    clean = random_prices(seed=6)
    for f in (
        lambda v: ta.sma(v, 20),
        lambda v: ta.wma(v, 20),
        lambda v: ta.rolling_std(v, 20),
        lambda v: ta.zscore(v, 20),
        lambda v: ta.rolling_corr(v, v**2, 20),
    ):
        with np.errstate(invalid="ignore"):
            after = f(x)[-clean.size + 19 :]
        np.testing.assert_allclose(after, f(clean)[19:], rtol=1e-9, atol=0.0)


def test_the_deviation_of_a_large_level_is_exact_where_the_textbook_formula_fails():
    x = 1e9 + np.tile([1.0, 2.0, 3.0, 4.0], 10)
    np.testing.assert_allclose(ta.rolling_std(x, 4, ddof=0)[3:], np.sqrt(1.25), rtol=1e-14)
    np.testing.assert_allclose(ta.rolling_corr(x, -x, 4)[3:], -1.0, rtol=1e-14)


def test_squares_that_underflow_never_make_a_variance_negative():
    x = np.random.default_rng(0).integers(0, 4, 4000) * 1e-162
    for n in (5, 7, 20):
        assert (ta.rolling_std(x, n)[n - 1 :] >= 0.0).all()
        correlation = ta.rolling_corr(
            x, x, n
        )  # a negative variance would warn and give NaN beside a defined product
        assert np.nanmax(np.abs(correlation)) <= 1.0


CONSTANT = 0.1
EXACT = {
    "sma": lambda x: ta.sma(x, 7),
    "wma": lambda x: ta.wma(x, 7),
    "ema": lambda x: ta.ema(x, 7),
    "rma": lambda x: ta.rma(x, 7),
    "highest": lambda x: ta.highest(x, 7),
    "lowest": lambda x: ta.lowest(x, 7),
    "upper band": lambda x: ta.bollinger(x, 7).upper,
    "lower band": lambda x: ta.bollinger(x, 7).lower,
    "upper keltner": lambda x: ta.keltner(x, x, x, 7, 3).upper,
    "donchian middle": lambda x: ta.donchian(x, x, 7).middle,
    "quantile": lambda x: ta.rolling_quantile(x, 7, 0.3),
    "vwap": lambda x: ta.vwap(x, x, x, np.ones(x.size), np.zeros(x.size)) - (x + x + x) / 3.0 + x,
}


@pytest.mark.parametrize("name", EXACT)
def test_a_constant_price_has_that_constant_exactly(name):
    found = EXACT[name](np.full(40, CONSTANT))
    assert set(found[~np.isnan(found)]) == {CONSTANT}
    assert np.isnan(found).sum() < 10


def test_a_constant_price_has_no_movement():
    x = np.full(40, CONSTANT)
    for found, expected in (
        (ta.rolling_std(x, 7), 0.0),
        (ta.realised_volatility(x, 7), 0.0),
        (ta.atr(x, x, x, 7), 0.0),
        (ta.rsi(x, 7), 50.0),
        (ta.stochastic(x, x, x, 7).d, 50.0),
        (ta.adx(x, x, x, 7).adx, 0.0),
        (ta.adx(x, x, x, 7).plus_di, 0.0),
        (ta.macd(x, 3, 7, 2).histogram, 0.0),
        (ta.percentile_rank(x, 7), 4.0 / 7.0),
        (ta.zscore(x, 7), NAN),
        (ta.rolling_corr(x, np.arange(40.0), 7), NAN),
        (ta.rolling_beta(np.arange(40.0), x, 7), NAN),
        (ta.rolling_beta(x, np.arange(40.0), 7), 0.0),
    ):
        assert np.array_equal(found[14:], np.full(26, expected), equal_nan=True)
