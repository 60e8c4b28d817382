"""What all indicators have in common: shapes, missing bars, warm-up, layouts of memory, errors and light imports."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from gpt_trader import indicators as ta
from gpt_trader.errors import BadParameter
from gpt_trader.indicators import across_kernels, column_blocks, panels
from tests.indicator_catalogue import CATALOGUE, NAMES, random_market, same_bits


def test_the_catalogue_of_the_tests_is_complete():
    functions = {name for name in ta.__all__ if name.islower()}
    assert functions == set(NAMES) & functions
    assert set(dir(ta)) == set(ta.__all__)
    for name in ta.__all__:
        assert getattr(ta, name).__doc__
    for name in functions:
        assert "BadParameter" in getattr(ta, name).__doc__
        assert "arm-up" in getattr(ta, name).__doc__


def test_an_unknown_name_is_an_attribute_error_with_the_list():
    with pytest.raises(AttributeError, match=r"no attribute 'smma'; it has .*sma"):
        _ = ta.smma


def test_the_facade_imports_neither_numba_nor_pandas():
    code = (
        "import sys, gpt_trader.indicators, gpt_trader.indicator_memo\n"
        "print(sorted({'numba', 'pandas', 'scipy'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("indicator", CATALOGUE, ids=NAMES)
def test_the_warm_up_is_what_the_catalogue_says(indicator):
    market = random_market(1, 40, 1)
    for found, warm_up, unit in zip(indicator(market), indicator.warm_up, indicator.units, strict=True):
        assert found.shape == market.close.shape
        if unit == "flag":
            assert not found[:warm_up].any()
            assert found.any()
        else:
            assert np.isnan(found[:warm_up]).all()
            assert not np.isnan(found[warm_up + 7 :]).all()
            assert indicator.name in (
                "vwap",
                "rolling_vwap",
                "zscore",
                "rolling_beta",
                "rolling_corr",
            ) or not (np.isnan(found[warm_up:]).any())


@pytest.mark.parametrize("columns", [slice(None), slice(0, 1), 0], ids=["(T, N)", "(T, 1)", "(T,)"])
def test_results_are_read_only_float64_of_the_callers_shape(columns):
    market = random_market(2, 25, 3, missing=0.2).mapped(lambda a: a[:, columns].copy())
    for indicator in CATALOGUE:
        for found, unit in zip(indicator(market), indicator.units, strict=True):
            assert found.shape == market.close.shape, indicator.name
            assert found.dtype == (np.bool_ if unit == "flag" else np.float64), indicator.name
            assert found.flags.c_contiguous, indicator.name
            assert not found.flags.writeable, indicator.name


@pytest.mark.parametrize("length", [0, 1, 2])
@pytest.mark.parametrize("symbols", [0, 1, 2])
def test_histories_of_almost_nothing(length, symbols):
    market = random_market(3, length, symbols)
    for indicator in CATALOGUE:
        for found, warm_up, unit in zip(indicator(market), indicator.warm_up, indicator.units, strict=True):
            assert found.shape == (length, symbols), indicator.name
            if unit != "flag":
                assert np.isnan(found[:warm_up]).all(), indicator.name


def test_a_symbol_that_never_traded_is_nan_and_leaves_its_neighbours_alone():
    market = random_market(4, 30, 2)
    dead = market.mapped(lambda a: np.column_stack([a[:, 0], np.full(30, np.nan), a[:, 1]]))
    for indicator in CATALOGUE:
        for found, alone, unit in zip(indicator(dead), indicator(market), indicator.units, strict=True):
            assert not found[:, 1].any() if unit == "flag" else np.isnan(found[:, 1]).all(), indicator.name
            assert same_bits((found[:, ::2],), (alone,)), indicator.name


def test_the_rule_for_missing_bars_by_hand():
    x = np.array([np.nan, 1.0, 2.0, np.nan, 3.0, np.nan, np.nan, 7.0])
    nan = np.nan
    assert np.array_equal(ta.sma(x, 2), [nan, nan, 1.5, nan, 2.5, nan, nan, 5.0], equal_nan=True)
    assert np.array_equal(ta.shift(x, 1), [nan, nan, 1.0, nan, 2.0, nan, nan, 3.0], equal_nan=True)
    assert np.array_equal(ta.momentum(x, 2), [nan] * 4 + [2.0, nan, nan, 5.0], equal_nan=True)


@pytest.mark.parametrize("which", ["high", "low", "close"])
def test_a_bar_is_missing_when_any_input_is(which):
    market = random_market(5, 30, 1)
    prices = {"high": market.high, "low": market.low, "close": market.close}
    holed = {name: a.copy() for name, a in prices.items()}
    holed[which][10] = np.nan
    found = ta.atr(**holed, n=3)
    assert np.isnan(found[10])
    without = ta.atr(**{name: np.delete(a, 10, axis=0) for name, a in prices.items()}, n=3)
    assert same_bits((np.delete(found, 10, axis=0),), (without,))


def unaligned(a: np.ndarray) -> np.ndarray:
    raw = np.zeros(a.nbytes + 1, dtype=np.uint8)
    view = raw[1:].view(np.float64).reshape(a.shape)
    view[:] = a
    assert not view.flags.aligned
    return view


LAYOUTS = {
    "Fortran order": np.asfortranarray,
    "every second row of a larger array": lambda a: np.repeat(a, 2, axis=0)[::2],
    "every second column": lambda a: np.repeat(a, 2, axis=1)[:, ::2],
    "reversed twice": lambda a: a[::-1].copy()[::-1],
    "unaligned": unaligned,
    "big-endian": lambda a: a.astype(">f8"),
    "integers": lambda a: a.astype(np.int64),
    "a list": lambda a: a.tolist(),
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("symbols", [1, 3])
def test_the_layout_in_memory_does_not_matter(layout, symbols):
    close = np.random.default_rng(6).integers(10, 20, (50, symbols)).astype(np.float64)
    same = LAYOUTS[layout](close)
    assert same_bits((ta.sma(same, 5), ta.rsi(same, 5)), (ta.sma(close, 5), ta.rsi(close, 5)))
    assert same_bits(tuple(ta.donchian(same, same, 5)), tuple(ta.donchian(close, close, 5)))


def test_read_only_input_uses_the_same_compiled_kernel_and_input_is_never_changed():
    from gpt_trader.indicators import recursion_kernels, window_kernels

    market = random_market(7, 30, 2, missing=0.1)
    before = market.mapped(np.copy)
    for indicator in CATALOGUE:
        indicator(market)
    frozen = market.mapped(np.copy)
    for array in (frozen.high, frozen.low, frozen.close, frozen.volume):
        array.setflags(write=False)
    for indicator in CATALOGUE:
        assert same_bits(indicator(frozen), indicator(before))
    assert np.array_equal(market.close, before.close, equal_nan=True)
    assert np.array_equal(market.volume, before.volume, equal_nan=True)
    assert len(window_kernels.window_mean.signatures) == 1
    assert len(recursion_kernels.smooth.signatures) == 1


X = np.arange(1.0, 30.0)
WITH_PERIOD = {
    "sma": lambda n: ta.sma(X, n),
    "ema": lambda n: ta.ema(X, n),
    "wma": lambda n: ta.wma(X, n),
    "rma": lambda n: ta.rma(X, n),
    "rsi": lambda n: ta.rsi(X, n),
    "atr": lambda n: ta.atr(X, X, X, n),
    "adx": lambda n: ta.adx(X, X, X, n),
    "bollinger": lambda n: ta.bollinger(X, n),
    "donchian": lambda n: ta.donchian(X, X, n),
    "highest": lambda n: ta.highest(X, n),
    "lowest": lambda n: ta.lowest(X, n),
    "keltner": lambda n: ta.keltner(X, X, X, n),
    "keltner: atr_n": lambda n: ta.keltner(X, X, X, 5, n),
    "stochastic": lambda n: ta.stochastic(X, X, X, n),
    "stochastic: smooth_n": lambda n: ta.stochastic(X, X, X, 5, n),
    "stochastic: d_n": lambda n: ta.stochastic(X, X, X, 5, 3, n),
    "macd: fast": lambda n: ta.macd(X, n, 26, 9),
    "macd: slow": lambda n: ta.macd(X, 12, n, 9),
    "macd: signal": lambda n: ta.macd(X, 12, 26, n),
    "roc": lambda n: ta.roc(X, n),
    "momentum": lambda n: ta.momentum(X, n),
    "returns": lambda n: ta.returns(X, n),
    "realised_volatility": lambda n: ta.realised_volatility(X, n),
    "rolling_vwap": lambda n: ta.rolling_vwap(X, X, X, X, n),
    "zscore": lambda n: ta.zscore(X, n),
    "rolling_std": lambda n: ta.rolling_std(X, n),
    "rolling_beta": lambda n: ta.rolling_beta(X, X, n),
    "rolling_corr": lambda n: ta.rolling_corr(X, X, n),
    "percentile_rank": lambda n: ta.percentile_rank(X, n),
    "rolling_quantile": lambda n: ta.rolling_quantile(X, n, 0.5),
}


@pytest.mark.parametrize("name", WITH_PERIOD)
def test_a_period_must_be_a_positive_whole_number(name):
    for wrong in (0, -1, 2.0, 2.5, "5", None, True, np.float64(3.0)):
        with pytest.raises(BadParameter, match=rf"{name.split(':')[0]}: .*whole number of bars"):
            WITH_PERIOD[name](wrong)
    WITH_PERIOD[name](np.int64(13))
    WITH_PERIOD[name](np.int32(13))


def test_a_period_longer_than_the_history_is_all_nan():
    for name, call in WITH_PERIOD.items():
        if name.startswith(("macd: fast", "keltner")):
            continue
        found = call(10**30)
        last = found[-1] if isinstance(found, tuple) else found
        assert np.isnan(last).all(), name


def test_a_negative_shift_would_read_the_future():
    with pytest.raises(BadParameter, match=r"shift: n must be .* 0 or more; got -1.*future"):
        ta.shift(X, -1)
    with pytest.raises(BadParameter, match="whole number"):
        ta.shift(X, 1.0)


BAD_CALLS = {
    "all inputs must have one shape.*high .*29.*low .*28": lambda: ta.donchian(X, X[1:], 5),
    "all inputs must have one shape.*volume": lambda: ta.obv(X, X[:, None]),
    r"values must have shape \(T,\) or \(T, N\); got \(\)": lambda: ta.sma(3.0, 5),
    r"values must have shape \(T,\) or \(T, N\); got \(2, 2, 2\)": lambda: ta.sma(np.ones((2, 2, 2)), 5),
    "values must be an array of numbers": lambda: ta.ema(np.array(["a", "b"]), 5),
    "crossover: all inputs must have one shape": lambda: ta.crossover(X, X[:5]),
    "rolling_beta: all inputs must have one shape": lambda: ta.rolling_beta(
        np.ones((29, 3)), np.ones((29, 2)), 5
    ),
    "fast must be shorter than slow; got fast 26, slow 26": lambda: ta.macd(X, 26, 26, 9),
    "bollinger: width must be a number, at least 0; got -1": lambda: ta.bollinger(X, 5, -1.0),
    "keltner: width must be a number, at least 0; got nan": lambda: ta.keltner(X, X, X, 5, 5, np.nan),
    "rolling_quantile: q must be a number, from 0 to 1; got 1.5": lambda: ta.rolling_quantile(X, 5, 1.5),
    "realised_volatility: periods_per_year must be a number": lambda: ta.realised_volatility(X, 5, "year"),
    "rolling_std: ddof must be 0 .* or 1 .*got 2": lambda: ta.rolling_std(X, 5, ddof=2),
    "rolling_std: n must be a whole number of bars, 2 or more": lambda: ta.rolling_std(X, 1),
    "zscore: n must be a whole number of bars, 2 or more": lambda: ta.zscore(X, 1),
    r"vwap: session must have shape \(T,\) = \(29,\)": lambda: ta.vwap(X, X, X, X, np.arange(5)),
    "vwap: session holds undefined values": lambda: ta.vwap(
        X, X, X, X, np.full(29, np.datetime64("NaT", "D"))
    ),
}


@pytest.mark.parametrize("message", BAD_CALLS)
def test_errors_say_what_was_expected(message):
    with pytest.raises(BadParameter, match=message):
        BAD_CALLS[message]()


def symbol_by_symbol(indicator, market, width):
    """What an indicator gives for `width` symbols at a time, put together."""
    parts = []
    for left in range(0, market.close.shape[1], width):
        some = slice(left, left + width)
        panel = {name: getattr(market, name)[:, some] for name in ("high", "low", "close", "volume")}
        parts.append(indicator(replace(market, **panel)))
    return tuple(np.concatenate(arrays, axis=1) for arrays in zip(*parts, strict=True))


@pytest.mark.slow
@pytest.mark.parametrize("missing", [0.0, 0.2])
def test_blocks_of_columns_give_the_bits_of_the_whole_panel(missing):
    """A panel so large that it is computed in blocks of 24 columns and a rest of 3, and its parts, which are not."""
    length, symbols, width = 2_600, 24 * 4 + 3, 33
    assert length * symbols < column_blocks.WHOLE < 2 * length * symbols
    market = random_market(11, 2 * length, symbols, missing=missing)
    assert market.close.size > column_blocks.WHOLE > market.close[:, :width].size
    for indicator in CATALOGUE:
        found = indicator(market)
        assert same_bits(found, symbol_by_symbol(indicator, market, width)), indicator.name
        assert not any(array.flags.writeable for array in found), indicator.name


@pytest.mark.parametrize(("length", "symbols"), [(40, 8), (40, 137), (300, 9), (3, 300), (1, 8), (0, 8)])
def test_all_symbols_at_once_give_the_bits_of_each_alone(length, symbols):
    """Fewer symbols than a vector register holds are computed one by one."""
    assert across_kernels.BESIDE < 137
    market = random_market(12, length, symbols)
    for indicator in CATALOGUE:
        found = indicator(market)
        assert same_bits(found, symbol_by_symbol(indicator, market, panels.LEAST - 1)), indicator.name
        assert not any(array.flags.writeable for array in found), indicator.name


@pytest.mark.parametrize("odd", [np.inf, -np.inf, 1e308, -0.0, 0.0])
def test_odd_prices_give_the_same_at_once_and_alone(odd):
    market = random_market(13, 60, 9)
    rng = np.random.default_rng(1)
    prices = {
        name: np.where(rng.random((60, 9)) < 0.1, odd, getattr(market, name))
        for name in ("high", "low", "close")
    }
    market = replace(market, **prices)
    with np.errstate(all="ignore"):
        for indicator in CATALOGUE:
            alone = symbol_by_symbol(indicator, market, panels.LEAST - 1)
            assert same_bits(indicator(market), alone), indicator.name


def test_which_arrays_are_computed_at_once():
    whole, calls = random_market(14, 30, 9).close, []
    counted = panels.across(lambda values, n: calls.append(1) or values * n)(lambda values, n: values * n)
    missing = whole.copy()
    missing[4, 2] = np.nan
    for values in (
        missing,
        whole[:, 0],
        whole[:, :7],
        whole[:, 1:],
        whole.astype(np.float32),
        np.asfortranarray(whole),
    ):
        counted(values, 2)
    assert calls == []
    counted(whole, 2)
    counted(n=2, values=whole)
    assert calls == [1, 1]
    late = whole.copy()
    late[:4] = np.nan  # the warm-up of another indicator
    assert same_bits((counted(late, 2),), (late * 2,))
    assert calls == [1, 1, 1]
    late[2, 5] = 1.0
    counted(late, 2)
    assert calls == [1, 1, 1]


@pytest.mark.slow
def test_a_kernel_that_was_compiled_before_its_first_call_takes_no_other_types():
    code = (
        "import numpy as np\n"
        "from gpt_trader import ta\n"
        "from gpt_trader.indicators.kernel_types import COUNTS, RESULT, ROWS, WHOLE\n"
        "from gpt_trader.indicators.window_kernels import window_mean\n"
        "window_mean.compile((ROWS, COUNTS, WHOLE, WHOLE))\n"
        "ta.sma(np.arange(9.0), 2)\n"
        "window_mean(np.ones((1, 9)), np.full(1, 9), 0, 2)\n"
        "print(len(window_mean.signatures))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "1"
