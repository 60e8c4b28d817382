"""Every metric against a table small enough to compute on paper."""

from __future__ import annotations

import math
import subprocess
import sys

import numpy as np
import pytest

from gpt_trader import metrics
from gpt_trader.engine.metric_definitions import METRIC_NAMES, Activity, Curve, Trades
from gpt_trader.errors import BadData, BadParameter

CAPITAL = 100.0
EQUITY = np.array([110.0, 99.0, 99.0, 118.8, 112.86])
TIME = np.array(["2020-01-01", "2020-07-01", "2021-01-01", "2021-07-01", "2022-01-01"], "datetime64[ns]")
YEARS = 731 / 365.25

# Returns +10 %, -10 %, 0, +20 %, -5 %: mean 3 %. Distances from it .07 -.13 -.03 .17 -.08, whose squares sum to
# .058, cubes to .00252 and fourth powers to .0011866.
RETURNS = np.array([0.1, -0.1, 0.0, 0.2, -0.05])
DEVIATION = math.sqrt(0.058 / 4)
DOWNSIDE = math.sqrt((0.1**2 + 0.05**2) / 5)
SKEW = (0.00252 / 5) / (0.058 / 5) ** 1.5
KURTOSIS = (0.0011866 / 5) / (0.058 / 5) ** 2

BY_HAND = {
    "total_return": 0.1286,
    "cagr": 1.1286 ** (1 / YEARS) - 1,
    "volatility": DEVIATION * math.sqrt(2),
    "sharpe": 0.03 / DEVIATION * math.sqrt(2),
    "sortino": 0.03 / DOWNSIDE * math.sqrt(2),
    "calmar": (1.1286 ** (1 / YEARS) - 1) / 0.1,
    "max_drawdown": -0.1,
    "max_drawdown_bars": 3.0,  # from bar 0 (110) to bar 3 (118.8)
    "max_drawdown_days": 547.0,  # 2020-01-01 to 2021-07-01: 366 + 181
    "skew": SKEW,
    "kurtosis": KURTOSIS,
    "final_equity": 112.86,
    "periods_per_year": 2.0,
    "exposure": 3 / 5,
    "mean_gross": 2.0 / 5,
    "turnover": (400.0 / 2) / (539.66 / 5) / YEARS,
    "costs": 3.5,
    "commission": 2.0,
    "slippage": 1.5,
    "open_pnl": 12.0,
    "round_trips": 5.0,
    "win_rate": 2 / 5,
    "profit_factor": 30.0 / 15.0,
    "expectancy": 3.0,
    "best_trade": 0.2,
    "worst_trade": -0.08,
    "average_trade_bars": 3.0,
}
GROSS = np.array([0.0, 0.5, 0.5, 0.0, 1.0])
PNL = np.array([10.0, -5.0, 0.0, 20.0, -10.0])
TRADE_RETURN = np.array([0.1, -0.05, 0.0, 0.2, -0.08])
TRADE_BARS = np.array([1, 2, 3, 4, 5])


def everything() -> dict[str, float]:
    return metrics.summarise(
        EQUITY,
        TIME,
        CAPITAL,
        gross=GROSS,
        trade_pnl=PNL,
        trade_return=TRADE_RETURN,
        trade_bars=TRADE_BARS,
        traded_notional=400.0,
        commission=2.0,
        slippage=1.5,
        open_pnl=12.0,
        periods_per_year=2.0,
    )


@pytest.mark.parametrize("name", METRIC_NAMES)
def test_every_metric_by_hand(name: str) -> None:
    assert name in BY_HAND, f"work {name} out by hand for the account of this file and add it to BY_HAND"
    assert everything()[name] == pytest.approx(BY_HAND[name], rel=1e-12)


def test_names_are_complete_unique_and_in_the_order_of_the_result() -> None:
    assert Curve._fields + Activity._fields + Trades._fields == METRIC_NAMES
    assert len(set(METRIC_NAMES)) == len(METRIC_NAMES)
    assert tuple(everything()) == METRIC_NAMES


def test_functions_agree_with_the_summary() -> None:
    np.testing.assert_allclose(metrics.returns(EQUITY, CAPITAL), RETURNS, atol=1e-15)
    alone = {
        "total_return": metrics.total_return(EQUITY, CAPITAL),
        "cagr": metrics.cagr(EQUITY, TIME, CAPITAL),
        "calmar": metrics.calmar(EQUITY, TIME, CAPITAL),
        "max_drawdown": metrics.max_drawdown(EQUITY, CAPITAL),
        "volatility": metrics.volatility(RETURNS, periods_per_year=2.0),
        "sharpe": metrics.sharpe(RETURNS, periods_per_year=2.0),
        "sortino": metrics.sortino(RETURNS, periods_per_year=2.0),
        "skew": metrics.skew(RETURNS),
        "kurtosis": metrics.kurtosis(RETURNS),
        "win_rate": metrics.win_rate(PNL),
        "profit_factor": metrics.profit_factor(PNL),
        "expectancy": metrics.expectancy(PNL),
        "turnover": metrics.turnover(400.0, EQUITY, TIME),
    }
    for name, value in alone.items():
        assert value == pytest.approx(BY_HAND[name], rel=1e-12), name


def test_lists_series_and_read_only_arrays_are_taken() -> None:
    frozen = RETURNS.copy()
    frozen.flags.writeable = False
    expected = metrics.sharpe(RETURNS)
    assert metrics.sharpe(RETURNS.tolist()) == metrics.sharpe(frozen) == expected
    assert metrics.sharpe(np.repeat(RETURNS, 2)[::2]) == expected
    assert not frozen.flags.writeable


def test_risk_free_rate_is_compounded_down_to_the_bar() -> None:
    # 21 % a year is 10 % a half-year, so the mean excess is 3 % - 10 % = -7 % a bar; the deviation stays.
    assert metrics.sharpe(RETURNS, periods_per_year=2.0, risk_free=0.21) == pytest.approx(
        -0.07 / DEVIATION * math.sqrt(2)
    )
    whole = metrics.summarise(EQUITY, TIME, CAPITAL, periods_per_year=2.0, risk_free=0.21)
    assert whole["sharpe"] == pytest.approx(-0.07 / DEVIATION * math.sqrt(2))
    assert whole["sortino"] == pytest.approx(BY_HAND["sortino"])


def test_sortino_against_a_target() -> None:
    # Shortfalls below 10 % a bar: 0, .2, .1, 0, .15.
    downside = math.sqrt((0.2**2 + 0.1**2 + 0.15**2) / 5)
    assert metrics.sortino(RETURNS, periods_per_year=2.0, target=0.21) == pytest.approx(
        -0.07 / downside * math.sqrt(2)
    )


def test_a_missing_return_is_no_return() -> None:
    holed = np.concatenate([[np.nan], RETURNS[:2], [np.nan], RETURNS[2:]])
    for function in (metrics.sharpe, metrics.sortino, metrics.volatility, metrics.skew, metrics.kurtosis):
        assert function(holed) == function(RETURNS)
    assert metrics.value_at_risk(holed) == metrics.value_at_risk(RETURNS)


def test_without_capital_the_curve_starts_at_its_first_value() -> None:
    found = metrics.returns(EQUITY)
    assert math.isnan(found[0])
    np.testing.assert_allclose(found[1:], RETURNS[1:], atol=1e-15)
    assert metrics.total_return(EQUITY) == pytest.approx(112.86 / 110 - 1)


def test_drawdowns_of_a_curve_below_its_capital() -> None:
    #         bar   0     1      2      3      4     5     6     7
    equity = [90.0, 95.0, 100.0, 100.0, 80.0, 60.0, 99.0, 98.0]
    assert metrics.drawdown(equity, 100.0) == pytest.approx([-0.1, -0.05, 0.0, 0.0, -0.2, -0.4, -0.01, -0.02])
    deep, early = metrics.drawdowns(equity, 100.0)
    assert (deep.peak, deep.trough, deep.recovery, deep.bars) == (
        3,
        5,
        -1,
        4,
    )  # the last bar at 100; not yet recovered
    assert deep.depth == pytest.approx(-0.4)
    assert (early.peak, early.trough, early.recovery, early.bars) == (
        -1,
        0,
        2,
        3,
    )  # -1: the capital before bar 0
    assert early.depth == pytest.approx(-0.1)
    assert metrics.drawdowns(equity, 100.0, worst=1) == (deep,)
    assert metrics.drawdowns(equity, 100.0, worst=0) == ()


def test_drawdown_length_from_the_capital_counts_from_before_the_first_bar() -> None:
    time = np.datetime64("2020-01-01", "ns") + np.arange(4) * np.timedelta64(86_400_000_000_000, "ns")
    found = metrics.summarise([90.0, 95.0, 101.0, 101.0], time, 100.0)
    assert found["max_drawdown"] == pytest.approx(-0.1)
    assert found["max_drawdown_bars"] == 3.0
    assert found["max_drawdown_days"] == 2.0  # there is no time before bar 0


def test_equal_drawdowns_name_the_earlier() -> None:
    equity = [100.0, 75.0, 100.0, 75.0, 100.0]
    first, second = metrics.drawdowns(equity)
    assert (first.peak, second.peak) == (0, 2)
    assert (
        metrics.summarise(equity, TIME, 100.0)["max_drawdown_days"] == 366.0
    )  # the first: 2020-01-01 to 2021-01-01


def test_value_at_risk_is_the_empirical_quantile_as_a_loss() -> None:
    returns = np.arange(-10, 11) / 100  # 21 values: the 5 % quantile is the second lowest
    assert metrics.value_at_risk(returns, 0.95) == pytest.approx(0.09)
    assert metrics.value_at_risk(returns, 0.975) == pytest.approx(0.095)
    assert metrics.value_at_risk(np.full(5, 0.01)) == pytest.approx(-0.01)


def test_rolling_windows_by_hand() -> None:
    sharpe = metrics.rolling_sharpe(RETURNS, 2, 2.0)
    spread = metrics.rolling_volatility(RETURNS, 2, 2.0)
    # Two returns a, b: mean (a + b) / 2, deviation |a - b| / sqrt 2; x sqrt 2 a year: |a - b|, and the ratio x 2.
    np.testing.assert_allclose(spread, [np.nan, 0.2, 0.1, 0.2, 0.25], rtol=1e-12)
    np.testing.assert_allclose(
        sharpe, [np.nan, 0.0, -0.05 * 2 / 0.1, 0.1 * 2 / 0.2, 0.075 * 2 / 0.25], rtol=1e-12
    )
    # 21 % a year is 10 % a half-year: the means 0, -.05, .1 and .075 are 10 points less.
    excess = metrics.rolling_sharpe(RETURNS, 2, 2.0, 0.21)
    np.testing.assert_allclose(
        excess[1:], [-0.1 * 2 / 0.2, -0.15 * 2 / 0.1, 0.0, -0.025 * 2 / 0.25], rtol=1e-9, atol=1e-12
    )
    holed = metrics.rolling_volatility([0.1, np.nan, 0.1, 0.3], 2, 2.0)
    np.testing.assert_allclose(holed, [np.nan, np.nan, np.nan, 0.2], rtol=1e-12)
    assert np.isnan(metrics.rolling_sharpe(RETURNS, 6)).all()


def test_the_kernel_takes_fields_of_a_trade_log_as_they_are() -> None:
    from gpt_trader.engine.metric_formulas import summary

    aligned = np.dtype([("symbol", "i8"), ("pnl", "f8"), ("return_", "f8"), ("bars", "i8")])
    packed = np.dtype([("flag", "i1"), ("pnl", "f8"), ("return_", "f8"), ("bars", "i8")])
    equity, gross, time = EQUITY.copy(), GROSS.copy(), TIME.view(np.int64).copy()
    for array in (equity, gross, time):
        array.flags.writeable = False
    for layout in (aligned, packed):
        log = np.zeros(8, layout)
        log["pnl"][:5], log["return_"][:5], log["bars"][:5] = PNL, TRADE_RETURN, TRADE_BARS
        log["pnl"][5:] = -1e9  # room that is not used yet
        held = log[:5]
        out = np.empty(len(METRIC_NAMES))
        summary(
            equity,
            gross,
            time,
            CAPITAL,
            2.0,
            0.0,
            held["pnl"],
            held["return_"],
            held["bars"],
            400.0,
            2.0,
            1.5,
            12.0,
            np.empty((2, equity.size)),
            out,
        )
        assert dict(zip(METRIC_NAMES, out.tolist(), strict=True)) == everything()


def test_what_was_not_told_is_nan() -> None:
    found = metrics.summarise(EQUITY, TIME, CAPITAL, trade_pnl=PNL)
    unknown = ("exposure", "mean_gross", "turnover", "costs", "commission", "slippage", "open_pnl")
    unknown += ("best_trade", "worst_trade", "average_trade_bars")
    missing = {name for name, value in found.items() if math.isnan(value)}
    assert missing >= set(unknown)
    assert not missing & {*Curve._fields, "round_trips", "win_rate", "profit_factor", "expectancy"}
    assert found["round_trips"] == 5.0


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: metrics.sharpe([[0.1, 0.2]]), "one dimension"),
        (lambda: metrics.sharpe(["up", "down"]), "expected numbers"),
        (lambda: metrics.cagr(EQUITY, TIME[:3], CAPITAL), "expected 5 times"),
        (lambda: metrics.cagr(EQUITY, TIME[::-1], CAPITAL), "strictly increasing"),
        (lambda: metrics.cagr(EQUITY, np.repeat(TIME[:1], 5), CAPITAL), "strictly increasing"),
        (lambda: metrics.cagr([1.0], np.array(["NaT"], "datetime64[ns]")), "NaT"),
        (lambda: metrics.cagr([1.0, 2.0], [1.5, 2.5]), "plain numbers"),
        (lambda: metrics.cagr([1.0, 2.0], ["soon", "later"]), "expected dates"),
        (lambda: metrics.cagr([1.0], [[TIME[0]]]), "one dimension"),
        (lambda: metrics.summarise(EQUITY, TIME, CAPITAL, gross=[0.0]), "gross: expected 5"),
        (
            lambda: metrics.summarise(EQUITY, TIME, CAPITAL, trade_pnl=[1.0], trade_bars=[1.5]),
            "whole numbers",
        ),
        (
            lambda: metrics.summarise(EQUITY, TIME, CAPITAL, trade_pnl=[1.0], trade_bars=[math.nan]),
            "whole numbers",
        ),
        (
            lambda: metrics.summarise(EQUITY, TIME, CAPITAL, trade_pnl=[1.0], trade_return=[]),
            "trade_return: expected 1",
        ),
    ],
)
def test_arrays_that_make_no_sense(call: object, said: str) -> None:
    with pytest.raises(BadData, match=said):
        call()  # type: ignore[operator]


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: metrics.sharpe(RETURNS, periods_per_year=0.0), "periods_per_year"),
        (lambda: metrics.sharpe(RETURNS, periods_per_year=-252.0), "periods_per_year"),
        (lambda: metrics.sharpe(RETURNS, periods_per_year=math.inf), "periods_per_year"),
        (lambda: metrics.sharpe(RETURNS, risk_free=-1.0), "risk_free"),
        (lambda: metrics.sharpe(RETURNS, risk_free=math.nan), "risk_free"),
        (lambda: metrics.sortino(RETURNS, target=math.inf), "target"),
        (lambda: metrics.rolling_sharpe(RETURNS, 1), "window is 1"),
        (lambda: metrics.rolling_volatility(RETURNS, 0), "window is 0"),
        (lambda: metrics.value_at_risk(RETURNS, 95.0), "between 0 and 1"),
        (lambda: metrics.drawdowns(EQUITY, worst=-1), "worst is -1"),
    ],
)
def test_parameters_that_make_no_sense(call: object, said: str) -> None:
    with pytest.raises(BadParameter, match=said):
        call()  # type: ignore[operator]


def test_importing_the_functions_loads_no_compiler_and_no_pandas() -> None:
    code = (
        "import sys, gpt_trader.metrics; print([m for m in ('numba', 'pandas', 'scipy') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
