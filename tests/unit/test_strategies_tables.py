"""Every shipped strategy against a table of signals worked out by hand: the arithmetic is in the comments."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gpt_trader import Allocation, AtrStop, Bars, Strategy, backtest, strategies
from gpt_trader.engine.strategy_calls import compute_features, decide_all
from gpt_trader.errors import BadParameter, UnknownName
from gpt_trader.strategies import SHIPPED, available, load_strategy
from gpt_trader.strategy import make_strategy, parameters_of, strategy_name
from tests.properties.truth_cases import FREE, NAN, UNCAPPED, days
from tests.shipped_cases import SHIPPED_CASES

_ = NAN  # leave it as it is


def closes(*columns: Sequence[float], spread: float = 0.0) -> Bars:
    """Bars that open at the previous close, with high and low `spread` beyond open and close; NaN is a missing bar."""
    close = np.array(columns, dtype=float).T
    opened = np.vstack([close[:1], close[:-1]])
    opened = np.where(np.isnan(opened), close, opened)
    opened = np.where(np.isnan(close), np.nan, opened)
    panel = np.ones((7, *close.shape))
    panel[:4] = [opened, np.maximum(opened, close) + spread, np.minimum(opened, close) - spread, close]
    panel[4] = np.where(np.isnan(close), 0.0, 1e6)
    panel[6] = 0.0
    return Bars(tuple("ABCDEF"[: close.shape[1]]), days(close.shape[0]), panel)


def signals(strategy: Strategy, bars: Bars) -> list[Any]:
    """Target weights by bar: a list for one symbol, a list of lists for several."""
    table = decide_all(strategy, bars, compute_features(strategy, bars))
    return table[:, 0].tolist() if bars.N == 1 else table.tolist()


def assert_table(found: Sequence[Any], expected: Sequence[Any]) -> None:
    np.testing.assert_allclose(np.array(found, float), np.array(expected, float), rtol=1e-12, atol=0)


# -- buy_and_hold -----------------------------------------------------------------------------------------------------


def test_buy_and_hold_is_one_nth_from_each_first_bar() -> None:
    # two symbols: a half each; B has no bar before the third, so nothing is said about it
    bars = closes([10, 11, 12, 13], [NAN, NAN, 5, 6])
    assert_table(signals(load_strategy("buy_and_hold")(), bars), [[0.5, _], [0.5, _], [0.5, 0.5], [0.5, 0.5]])


# -- demo_ma ----------------------------------------------------------------------------------------------------------


def test_demo_ma_is_long_while_the_fast_average_leads() -> None:
    # close      10   11   12   11   10    9    12    15
    # SMA 2       -  10.5 11.5 11.5 10.5  9.5  10.5  13.5
    # SMA 4       -    -    -  11.0 11.0 10.5  10.5  11.5
    # fast>slow                 1    0    0     0(=)  1
    # ATR 2 is defined from bar 2 on (two true ranges, of bars 1 and 2), so the averages decide.
    bars = closes([10, 11, 12, 11, 10, 9, 12, 15])
    assert_table(signals(load_strategy("demo_ma")(fast=2, slow=4, atr=2), bars), [0, 0, 0, 1, 0, 0, 0, 1])


def test_demo_ma_is_flat_until_the_atr_is_defined() -> None:
    # rising on every bar: SMA 1 > SMA 2 from bar 1 on, but ATR 3 needs the true ranges of bars 1, 2 and 3
    bars = closes([10, 11, 12, 13, 14])
    assert_table(signals(load_strategy("demo_ma")(fast=1, slow=2, atr=3), bars), [0, 0, 0, 1, 1])


def test_demo_ma_is_flat_where_nothing_moves() -> None:
    # equal averages are no lead, and an ATR of zero counts as undefined
    assert_table(signals(load_strategy("demo_ma")(fast=1, slow=2, atr=1), closes([10, 10, 10])), [0, 0, 0])


# -- trend_breakout ---------------------------------------------------------------------------------------------------


def test_trend_breakout_enters_above_the_channel_of_the_bars_before() -> None:
    # high = low = close here (they open at the previous close, so high is the larger of the two)
    # close                 10  12  11  13  13  11   9  10
    # high                  10  12  12  13  13  13  11  10
    # highest of 2 before    -   -  12  12  13  13  13  13
    # close above it                 0   1   0   0   0   0
    # low                   10  10  11  11  13  11   9   9
    # lowest of 2 before     -   -  10  10  11  11  11   9
    # close below it                 0   0   0   0   1   0
    # 13 equals the channel of bar 4 and 11 that of bar 5: equal is neither a breakout nor an exit
    strategy = load_strategy("trend_breakout")(donchian=2, exit=2)
    bars = closes([10, 12, 11, 13, 13, 11, 9, 10])
    assert_table(signals(strategy, bars), [_, _, _, 1, _, _, 0, _])
    score = compute_features(strategy, bars)["score"][:, 0]
    assert score[3] == pytest.approx((13 - 12) / 13)  # breakout strength: (close - channel) / close


def test_trend_breakout_in_stop_mode_leaves_by_its_trailing_stop_only() -> None:
    bars = closes([10, 12, 11, 13, 13, 11, 9, 10])
    strategy = load_strategy("trend_breakout")(donchian=2, exit=2, atr=3, atr_k=1.5, exit_mode="stop")
    assert_table(signals(strategy, bars), [_, _, _, 1, _, _, _, _])
    assert strategy.declared_exits() == (AtrStop(1.5, 3),)
    assert load_strategy("trend_breakout")().declared_exits() == ()


def test_trend_breakout_stop_fires_at_k_atr_below_the_best_setting() -> None:
    # true ranges are 2 until the breakout of bar 4 (close 104, TR 4 + 1 + ... see below), entry at the open of bar 5
    # bar     0    1    2    3    4    5    6    7
    # close 100  100  100  100  104  104  106   99
    # high  101  101  101  101  105  105  107  107     (spread 1 beyond open and close)
    # low    99   99   99   99   99  103  103   98
    # TR      -    2    2    2    6    2    4    9
    # ATR 2   -    -    2    2    4    3   3.5  6.25
    # bar 5 (entry, open 104): stop = 104 - 2 x 3 = 98; bar 6: 106 - 2 x 3.5 = 99; bar 7: low 98 <= 99, open 106: out at 99
    bars = closes([100, 100, 100, 100, 104, 104, 106, 99, 99], spread=1.0)
    strategy = load_strategy("trend_breakout")(donchian=3, exit=3, atr=2, atr_k=2.0, exit_mode="stop")
    result = backtest(
        strategy, bars, costs=FREE, fills=UNCAPPED, allocation=Allocation(gross=1.0), benchmark=False
    )  # fmt: skip
    trade = result.closed_trades.iloc[0]
    assert (trade["entry_price"], trade["exit_price"], trade["exit_reason"]) == (104.0, 99.0, "atr stop")
    assert (trade["entry_time"], trade["exit_time"]) == (bars.time[5], bars.time[7])


# -- mean_reversion ---------------------------------------------------------------------------------------------------


def test_mean_reversion_buys_a_low_rsi_and_sells_its_recovery() -> None:
    # RSI with Wilder's averages of n = 2: the first average is the plain mean of two changes, then half old and half new
    # close   10    9    8    9   11   10
    # change       -1   -1   +1   +2   -1
    # gain          -    0   .5   1.25 .625
    # loss          -    1   .5   .25  .625
    # RSI           -    0   50   83.3  50       RSI = 100 gain / (gain + loss)
    # <= 30 buys (bar 2); >= 50 sells (bars 3, 4, 5)
    strategy = load_strategy("mean_reversion")(rsi=2, low=30.0, exit=50.0)
    assert_table(signals(strategy, closes([10, 9, 8, 9, 11, 10])), [_, _, 1, 0, 0, 0])


def test_mean_reversion_says_nothing_between_its_levels() -> None:
    # n = 2: close 10 11 9.5: gains (1, 0) -> .5, losses (0, 1.5) -> .75: RSI = 100 x .5 / 1.25 = 40: neither
    # then 9.0: gain .25, loss (.75 + .5) / 2 = .625: 28.57: buys; equality counts: low = 40 buys at bar 2
    bars = closes([10, 11, 9.5, 9.0])
    assert_table(signals(load_strategy("mean_reversion")(rsi=2), bars), [_, _, _, 1])
    assert_table(signals(load_strategy("mean_reversion")(rsi=2, low=40.0), bars), [_, _, 1, 1])


# -- momentum ---------------------------------------------------------------------------------------------------------


def test_momentum_holds_the_strongest_on_the_first_bar_of_a_month() -> None:
    # bars are weekdays from 2010-01-04: January has bars 0-19, February begins with bar 20, March with bar 40
    # look-back 5 bars at bar 20: A 110 / 100 - 1 = +10 %, B 130 / 100 = +30 %, C 95 / 100 = -5 %, D 120 / 100 = +20 %
    # top 2: B and D a half each; A stays behind although it rose; C fell
    # at bar 40: A +10 %, the others fell: A alone, with the half that is its share; the rest stays in cash
    table = np.full((45, 4), 100.0)
    table[20] = [110, 130, 95, 120]
    table[21:] = table[20]
    table[40] = [121, 120, 90, 110]
    table[41:] = table[40]
    found = signals(load_strategy("momentum")(lookback=5, top=2), closes(*table.T))
    first = {0: [0, 0, 0, 0], 20: [0, 0.5, 0, 0.5], 40: [0.5, 0, 0, 0]}
    assert_table(found, [first.get(t, [_, _, _, _]) for t in range(45)])


def test_momentum_ties_go_to_the_earlier_symbol_and_missing_history_is_not_held() -> None:
    # A and B rose by 10 % alike; C has only two bars, so it has no return over five
    table = np.full((25, 3), 100.0)
    table[:18, 2] = NAN
    table[20:, :] = 110.0
    found = signals(load_strategy("momentum")(lookback=5, top=1), closes(*table.T))
    assert_table(found[20], [1, 0, 0])


@pytest.mark.parametrize(
    ("threshold", "expected"), [(0.0, 1.0), (0.05, 1.0), (0.099, 1.0), (0.1001, 0.0), (0.5, 0.0)]
)
def test_momentum_threshold_is_a_return_as_a_fraction(threshold: float, expected: float) -> None:
    # 110 / 100 - 1 = 0.10: held above a threshold of 5 %, not above one of 50 %
    bars = closes([100.0] * 20 + [110.0] * 3)
    assert signals(load_strategy("momentum")(lookback=5, threshold=threshold), bars)[20] == expected


def test_momentum_of_one_symbol_is_long_above_the_threshold() -> None:
    bars = closes([100.0] * 20 + [99.0] * 20 + [101.0] * 3)
    found = signals(load_strategy("momentum")(lookback=5), bars)
    assert (found[20], found[40]) == (0.0, 1.0)


def weekend_market(first: str, count: int) -> Bars:
    """A trades every calendar day, B and C on weekdays; a bar: A +1 %, B +3 %, C -1 %."""
    time = np.datetime64(first) + np.arange(count).astype("timedelta64[D]")
    open_days = np.is_busday(time)
    table = np.full((count, 3), NAN)
    table[:, 0] = 100 * 1.01 ** np.arange(count)
    table[open_days, 1] = 100 * 1.03 ** np.arange(open_days.sum())
    table[open_days, 2] = 100 * 0.99 ** np.arange(open_days.sum())
    made = closes(*table.T)
    return Bars(made.symbols, time, made.panel)


def test_momentum_on_mixed_calendars_acts_on_the_first_bar_of_each_symbol() -> None:
    # 1 May 2021 is a Saturday: A trades on it, B and C on Monday the 3rd. 1 April is a Thursday: all trade.
    bars = weekend_market("2021-03-15", 60)
    table = np.array(signals(load_strategy("momentum")(lookback=5, top=1), bars))
    day = {str(moment)[:10]: row for row, moment in enumerate(bars.time)}
    assert_table(table[day["2021-04-01"]], [0, 1, 0])
    assert_table(table[day["2021-05-01"]], [0, _, _])
    assert_table(table[day["2021-05-02"]], [_, _, _])
    assert_table(table[day["2021-05-03"]], [_, 1, 0])
    spoken = {name for name, row in day.items() if not np.isnan(table[row]).all()}
    assert spoken == {"2021-03-15", "2021-04-01", "2021-05-01", "2021-05-03"}


def test_momentum_never_holds_more_than_the_top_on_mixed_calendars() -> None:
    # the choice of a month is made once, on its first row: a rally of A on Sunday cannot add a second symbol on Monday
    bars = weekend_market("2021-03-15", 60)
    panel = bars.panel.copy()
    panel[:4, -11:, 0] *= 10.0  # from 3 May on
    found = signals(load_strategy("momentum")(lookback=5, top=1), Bars(bars.symbols, bars.time, panel))
    held = np.zeros(3)
    for row in found:
        held = np.where(np.isnan(row), held, row)
        assert held.sum() <= 1.0


def test_momentum_does_not_choose_a_symbol_that_has_not_traded_for_a_week() -> None:
    # B rose most and stands still from 20 April on; in May A is the strongest of those that trade
    bars = weekend_market("2021-03-15", 60)
    panel = bars.panel.copy()
    panel[:4, 36:58, 1] = NAN
    panel[4, 36:58, 1] = 0.0
    found = signals(load_strategy("momentum")(lookback=5, top=1), Bars(bars.symbols, bars.time, panel))
    assert_table(found[47], [1, _, _])
    assert_table(found[58], [_, 0, _])  # B is back on 12 May: it was not chosen


def test_momentum_on_mixed_calendars_looks_at_no_later_bar() -> None:
    bars = weekend_market("2021-03-15", 60)
    strategy = load_strategy("momentum")(lookback=5, top=1)
    whole = np.array(signals(strategy, bars))
    for last in range(40, 60):
        cut = Bars(bars.symbols, bars.time[:last], bars.panel[:, :last])
        assert_table(signals(strategy, cut), whole[:last])


# -- volatility -------------------------------------------------------------------------------------------------------


def test_volatility_scales_to_its_target_and_is_out_when_the_atr_is_wild() -> None:
    # log returns alternate +-1 %: e.g. the last two are (+.01, -.01): sample deviation sqrt(((.01)^2 + (.01)^2) / 1) = .0141421
    # a year: .0141421 x sqrt(252) = .224499; target .15: weight .15 / .224499 = .668153
    # ATR 1 is the true range: |close - previous close| here, which alternates a little: up 1.00502, down 1.00502 (equal from
    # one level to the other); a calm bar's ATR equals the quartile, so it is held. Bar 8 moves by 5 %: its ATR is above the
    # 75th percentile of the last four (three small, one large: position .75 x 3 = 2.25 -> between the third and the fourth).
    steps = [0.0, 0.01, -0.01, 0.01, -0.01, 0.01, -0.01, 0.01, -0.05]
    close = 100 * np.exp(np.cumsum(steps))
    strategy = load_strategy("volatility")(target=0.15, lookback=2, atr=1, w=4)
    weight = 0.15 / (0.01 * np.sqrt(2) * np.sqrt(252))
    assert weight == pytest.approx(0.668153, abs=1e-6)
    found = signals(strategy, closes(close))
    # the ATR exists from bar 1 on, four of them from bar 4 on
    assert_table(found[:4], [0, 0, 0, 0])
    ranges = np.abs(np.diff(close))
    for t in (4, 5, 6, 7):
        last = sorted(ranges[t - 4 : t])
        calm = ranges[t - 1] <= last[2] + 0.25 * (last[3] - last[2])
        assert found[t] == pytest.approx(weight if calm else 0.0, rel=1e-9), t
    assert found[8] == 0.0


def test_volatility_never_holds_more_than_everything() -> None:
    # returns of +-0.1 %: .001 x sqrt(2) x sqrt(252) = .02245 a year, a target of 15 % would be 6.7 times
    close = 100 * np.exp(np.cumsum([0.0, 0.001, -0.001, 0.001, -0.001, 0.001, -0.001]))
    assert max(signals(load_strategy("volatility")(lookback=2, atr=1, w=4), closes(close))) == 1.0


def test_volatility_of_a_price_that_stands_still_is_flat() -> None:
    assert set(signals(load_strategy("volatility")(lookback=2, atr=1, w=4), closes([100.0] * 10))) == {0.0}


# -- bollinger --------------------------------------------------------------------------------------------------------


def test_bollinger_buys_below_the_lower_band_and_sells_at_the_middle() -> None:
    # window 3, width 1, population deviation
    # close    10    10    10     7     8     9     9
    # middle    -     -    10     9   8.333   8   8.667
    # deviation       -     0   1.414 1.247 .816  .471
    # lower           -    10   7.586 7.086 7.184 8.195
    # bar 2: 10 < 10 no, 10 >= 10: 0.  bar 3: 7 < 7.586: 1.  bar 4: 8 between: nothing.  bars 5, 6: 9 >= middle: 0
    strategy = load_strategy("bollinger")(window=3, width=1.0)
    assert_table(signals(strategy, closes([10, 10, 10, 7, 8, 9, 9])), [_, _, 0, 1, _, 0, 0])


# -- what all of them share -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SHIPPED)
def test_a_missing_bar_is_skipped_as_if_it_were_not_there(name: str) -> None:
    """The table of a series with holes is, at its present bars, the table of the series without them."""
    close = 100 * np.exp(np.cumsum(np.random.default_rng(3).normal(0, 0.02, 80)))
    holes = np.unique(
        [*np.random.default_rng(4).choice(np.arange(1, 80), 10, replace=False), 20]
    )  # 1 February
    broken = close.copy()
    broken[holes] = NAN
    parameters = {"lookback": 5} if name == "momentum" else {}
    strategy = load_strategy(name)(**parameters)
    whole = closes(np.delete(close, holes))
    gappy = closes(broken)
    panel = gappy.panel.copy()
    present = ~np.isnan(broken)
    panel[:4, present, 0] = whole.panel[:4, :, 0]
    gappy = Bars(gappy.symbols, gappy.time, panel)
    if name == "momentum":
        whole = Bars(whole.symbols, gappy.time[present], whole.panel)
    found = np.array(signals(strategy, gappy))[present]
    np.testing.assert_allclose(found, signals(strategy, whole))


def test_every_strategy_of_the_folder_is_shipped_and_has_a_case() -> None:
    modules = {path.stem for path in Path(strategies.__file__).parent.glob("*.py")} - {"__init__"}
    unlisted = modules - set(SHIPPED)
    assert not unlisted, f"add {sorted(unlisted)} to SHIPPED in gpt_trader/strategies/__init__.py"
    untested = set(SHIPPED) - set(SHIPPED_CASES)
    assert not untested, (
        f"add a ShippedCase for {sorted(untested)} to SHIPPED_CASES in tests/shipped_cases.py"
    )
    assert set(SHIPPED_CASES) == set(available()) == modules


@pytest.mark.parametrize("name", SHIPPED)
def test_defaults_and_names_are_those_of_the_rules(name: str) -> None:
    """shared/rules.md, the table of strategies."""
    strategy = load_strategy(name)
    assert {key: item.default for key, item in parameters_of(strategy).items()} == SHIPPED_CASES[
        name
    ].defaults
    assert strategy_name(strategy) == name
    assert all(item.doc for item in parameters_of(strategy).values())


@pytest.mark.parametrize("name", SHIPPED)
def test_parameters_out_of_range_or_unknown_are_refused(name: str) -> None:
    strategy = load_strategy(name)
    for key, item in parameters_of(strategy).items():
        bad = "sideways" if item.choices else (item.high or 0) + 1
        with pytest.raises(BadParameter, match=key):
            strategy(**{key: bad})
        if item.low is not None:
            with pytest.raises(BadParameter, match=key):
                strategy(**{key: item.low - 1})
        if item.kind in (int, float):
            with pytest.raises(BadParameter, match=key):
                make_strategy(strategy, {key: "many"})
    with pytest.raises(UnknownName, match="nonsense"):
        make_strategy(strategy, {"nonsense": 1})


@pytest.mark.parametrize("value", [NAN, float("inf"), -float("inf")])
def test_a_parameter_that_is_no_finite_number_is_refused(value: float) -> None:
    for name in SHIPPED:
        strategy = load_strategy(name)
        for key, item in parameters_of(strategy).items():
            if item.kind in (int, float):
                with pytest.raises(BadParameter, match=key):
                    strategy(**{key: value})
