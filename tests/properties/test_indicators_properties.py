"""Properties of every indicator: causal, column by column, blind to missing bars, the same in any currency."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpt_trader import indicators as ta
from tests.indicator_catalogue import CATALOGUE, Market, random_market, same_bits

markets = st.builds(
    random_market,
    seed=st.integers(0, 2**32 - 1),
    length=st.integers(1, 60),
    symbols=st.integers(1, 3),
    missing=st.sampled_from([0.0, 0.0, 0.1, 0.5]),
)


@given(market=markets, cut=st.integers(0, 60), other=st.integers(0, 2**32 - 1))
def test_the_future_never_changes_the_past(market, cut, other):
    cut = min(cut, market.close.shape[0])
    strange = random_market(other, *market.close.shape, missing=0.3).priced(1000.0)
    changed = Market(
        *(
            np.concatenate([ours[:cut], theirs[cut:]])
            for ours, theirs in zip(
                (market.high, market.low, market.close, market.volume),
                (strange.high, strange.low, strange.close, strange.volume),
                strict=True,
            )
        ),
        np.concatenate([market.session[:cut], strange.session[cut:] % 3]),
    )
    for indicator in CATALOGUE:
        past = tuple(found[:cut] for found in indicator(market))
        assert same_bits(indicator(market.rows(slice(0, cut))), past), indicator.name
        assert same_bits(tuple(found[:cut] for found in indicator(changed)), past), indicator.name


@given(market=markets)
def test_each_column_is_on_its_own(market):
    for indicator in CATALOGUE:
        together = indicator(market)
        for symbol in range(market.close.shape[1]):
            alone = indicator(market.mapped(lambda a, s=symbol: a[:, s].copy()))
            assert same_bits(tuple(found[:, symbol] for found in together), alone), indicator.name


@given(market=markets)
def test_missing_bars_are_skipped_as_if_they_were_not_there(market):
    for symbol in range(market.close.shape[1]):
        column = market.mapped(lambda a, s=symbol: a[:, s].copy())
        present = ~np.isnan(column.close)
        without = column.rows(present)
        for indicator in CATALOGUE:
            found = indicator(column)
            assert same_bits(tuple(a[present] for a in found), indicator(without)), indicator.name
            for output, unit in zip(found, indicator.units, strict=True):
                gaps = output[~present]
                assert not gaps.any() if unit == "flag" else np.isnan(gaps).all(), indicator.name


@given(market=markets, power=st.integers(-8, 8))
def test_prices_in_another_currency(market, power):
    factor = 2.0**power
    elsewhere = market.priced(factor)
    for indicator in CATALOGUE:
        if "flag" in indicator.units:  # compares the price with a level that is not scaled here
            continue
        expected = tuple(
            found * factor if unit == "price" else found
            for found, unit in zip(indicator(market), indicator.units, strict=True)
        )
        assert same_bits(indicator(elsewhere), expected), indicator.name


@given(market=markets, begin=st.integers(0, 50))
def test_a_value_depends_on_its_window_alone(market, begin):
    market = market.mapped(lambda a: np.nan_to_num(a, nan=40.0))
    later = market.rows(slice(begin, None))
    for indicator in CATALOGUE:
        if indicator.memory is None:
            continue
        for whole, part in zip(indicator(market), indicator(later), strict=True):
            expected = whole[begin + indicator.memory - 1 :].astype(np.float64)
            found = part[indicator.memory - 1 :].astype(np.float64)
            np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9, err_msg=indicator.name)


@given(seed=st.integers(0, 2**32 - 1), length=st.integers(300, 400))
def test_a_recursion_forgets_where_it_began(seed, length):
    x = random_market(seed, length, 1).close[:, 0]
    for f in (
        lambda v: ta.ema(v, 4),
        lambda v: ta.rma(v, 4),
        lambda v: ta.rsi(v, 4),
        lambda v: ta.atr(v, v, v, 4),
        lambda v: ta.macd(v, 2, 4, 3).histogram,
    ):
        np.testing.assert_allclose(f(x[100:])[-1], f(x)[-1], rtol=0.0, atol=1e-9)


@given(market=markets)
def test_bounds(market):
    m = market
    for found, low, high in (
        (ta.rsi(m.close, 3), 0.0, 100.0),
        (ta.stochastic(m.high, m.low, m.close, 4).k, -1e-9, 100.0 + 1e-9),
        (ta.adx(m.high, m.low, m.close, 3).adx, 0.0, 100.0 + 1e-9),
        (ta.percentile_rank(m.close, 4), 0.25, 1.0),
        (ta.rolling_corr(m.close, m.high, 4), -1.0, 1.0),
        (ta.rolling_std(m.close, 4), 0.0, np.inf),
        (ta.true_range(m.high, m.low, m.close), 0.0, np.inf),
        (ta.highest(m.close, 4) - ta.sma(m.close, 4), -1e-9, np.inf),
        (ta.sma(m.close, 4) - ta.lowest(m.close, 4), -1e-9, np.inf),
        (ta.rolling_quantile(m.close, 4, 0.7) - ta.rolling_quantile(m.close, 4, 0.2), 0.0, np.inf),
    ):
        values = found[~np.isnan(found)]
        assert ((values >= low) & (values <= high)).all()


@given(market=markets, n=st.integers(1, 20))
def test_extremes_are_mirror_images(market, n):
    assert same_bits((ta.lowest(market.close, n),), (-ta.highest(-market.close, n),))
    assert not (ta.crossover(market.close, 50.0) & ta.crossunder(market.close, 50.0)).any()


@given(market=markets, n=st.integers(1, 25))
def test_windows_of_any_length_equal_a_plain_loop(market, n):
    x = market.close[~np.isnan(market.close[:, 0]), 0]
    for i in range(n - 1, x.size):
        window = x[i - n + 1 : i + 1]
        assert ta.highest(x, n)[i] == window.max()
        assert ta.lowest(x, n)[i] == window.min()
        assert ta.sma(x, n)[i] == pytest.approx(window.mean(), rel=1e-12)
        assert ta.rolling_std(x, n, 0)[i] == pytest.approx(window.std(), rel=1e-9, abs=1e-12)
        assert ta.rolling_quantile(x, n, 0.3)[i] == pytest.approx(np.quantile(window, 0.3), rel=1e-12)
