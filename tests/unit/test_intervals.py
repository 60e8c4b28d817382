"""Intervals and comparisons from re-runs: worked by hand, then what each must do and must refuse."""

from __future__ import annotations

import numpy as np
import pytest

from gpt_trader.errors import BadParameter
from gpt_trader.validation.intervals import compare, fewest_replicates, intervals

MANY_BLOCKS = 1e9  # Student's distribution of so many is the normal one
SPREAD = np.arange(
    1.0, 40.0
)  # of 39 values the 2.5 % and 97.5 % quantiles are the first and the last, the median is 20


def one(name: str, estimate: float, replicates: np.ndarray, blocks: float = MANY_BLOCKS, level: float = 0.95):
    return intervals((name,), np.array([estimate]), replicates[:, None], blocks=blocks, level=level)[0]


def test_the_spread_of_the_re_runs_is_laid_around_the_estimate() -> None:
    found = one("sharpe", 100.0, SPREAD)
    assert (found.low, found.high) == (pytest.approx(81.0), pytest.approx(119.0))
    assert found.median == 20.0
    assert found.deviation == pytest.approx(np.std(SPREAD, ddof=1))
    assert found.lost == pytest.approx(80.0 / np.std(SPREAD, ddof=1))
    assert (found.count, found.level) == (39, 0.95)


def test_a_skewed_spread_stays_skewed_the_same_way() -> None:
    found = one("sharpe", 0.0, np.append(np.zeros(37), [10.0, -1.0]))
    assert (found.low, found.high) == (pytest.approx(-1.0), pytest.approx(10.0))


def test_few_blocks_widen_as_students_distribution_does() -> None:
    """Ten blocks: sqrt(10/8) x 2.22814 (t, 10 degrees) / 1.95996 (normal)."""
    found = one("sharpe", 0.0, SPREAD, blocks=10.0)
    assert found.high == pytest.approx(19.0 * 1.118034 * 2.228139 / 1.959964, rel=1e-6)
    assert found.low == pytest.approx(-found.high)
    widths = [one("sharpe", 0.0, SPREAD, blocks=blocks).high for blocks in (3.0, 5.0, 30.0, 300.0)]
    assert widths == sorted(widths, reverse=True)


def test_growth_is_taken_in_logarithms_and_cannot_lose_more_than_everything() -> None:
    found = one("total_return", 3.0, SPREAD)  # 40 times the median of 21 times at the top, 2 at the bottom
    assert found.high == pytest.approx(4.0 * 40 / 21 - 1)
    assert found.low == pytest.approx(4.0 * 2 / 21 - 1)
    ruined = one("cagr", 0.5, np.append(np.full(4, -1.0), np.linspace(0, 1, 96)))
    assert -1.0 <= ruined.low < -0.99


def test_a_drawdown_is_where_it_lies_in_resampled_markets() -> None:
    found = one("max_drawdown", -0.05, -SPREAD / 100, blocks=5.0)
    assert (found.low, found.high) == (pytest.approx(-0.39), pytest.approx(-0.01))


def test_the_level_says_how_much_of_the_spread_is_taken() -> None:
    assert fewest_replicates(0.95) == 39
    assert fewest_replicates(0.9) == 19
    assert fewest_replicates(0.99) == 199
    half = one("sharpe", 20.0, SPREAD, level=0.5)
    assert (half.low, half.high) == (pytest.approx(10.0), pytest.approx(30.0))


def test_metrics_are_matched_by_place() -> None:
    replicates = np.stack([SPREAD, 10 * SPREAD, np.full(39, np.nan)], axis=1)
    first, second, third = intervals(
        ("sharpe", "volatility", "sortino"), np.array([0.0, 1.0, 2.0]), replicates, blocks=MANY_BLOCKS
    )
    assert (first.name, second.name, third.name) == ("sharpe", "volatility", "sortino")
    assert first.high == pytest.approx(19.0)
    assert second.high == pytest.approx(191.0)
    assert np.isnan([third.low, third.high, third.median]).all()
    assert third.count == 0


def test_re_runs_without_the_metric_do_not_count() -> None:
    found = one("sharpe", 0.0, np.append(SPREAD, [np.nan, np.inf]))
    assert found.count == 39
    assert found.high == pytest.approx(19.0)
    few = one("sharpe", 0.0, np.append(SPREAD[:38], np.nan))
    assert few.count == 38
    assert np.isnan([few.low, few.high]).all()
    assert few.median == 19.5
    assert np.isnan(one("sharpe", np.nan, SPREAD).low)
    assert np.isnan(one("sharpe", 1.0, np.full(50, 1.0)).lost)


def test_too_few_re_runs_or_blocks_are_refused() -> None:
    with pytest.raises(BadParameter, match=r"38 resampled markets are too few .* 95%; at least 39"):
        one("sharpe", 0.0, SPREAD[:38])
    for blocks in (2.9, 0.0, float("nan")):
        with pytest.raises(BadParameter, match="3 at the least"):
            one("sharpe", 0.0, SPREAD, blocks=blocks)
    with pytest.raises(BadParameter, match="between 0 and 1"):
        one("sharpe", 0.0, SPREAD, level=1.0)
    with pytest.raises(BadParameter, match="too few"):
        compare("sharpe", (0.0, SPREAD[:5]), (0.0, SPREAD[:5]), blocks=50.0)


# -- comparison -------------------------------------------------------------------------------------------------------


def test_a_strategy_against_itself_is_a_tie() -> None:
    found = compare("sharpe", (1.0, SPREAD), (1.0, SPREAD), blocks=100.0)
    assert (found.difference, found.low, found.high) == (0.0, 0.0, 0.0)
    assert (found.probability, found.won) == (0.5, 0.5)


def test_a_strategy_that_is_always_better_by_a_little_wins_for_certain() -> None:
    rng = np.random.default_rng(0)
    market = rng.normal(0, 1, 500)
    found = compare("sharpe", (0.6, market + 0.1 + rng.normal(0, 0.01, 500)), (0.5, market), blocks=100.0)
    assert found.probability == 1.0
    assert found.won == 1.0
    assert found.difference == pytest.approx(0.1)
    assert 0.05 < found.low < found.difference < found.high < 0.15


def test_the_order_turns_the_answer_round() -> None:
    rng = np.random.default_rng(1)
    a, b = rng.normal(0.2, 1, 300), rng.normal(0, 1, 300)
    ahead, behind = (
        compare("sharpe", *pair, blocks=50.0) for pair in (((0.3, a), (0.1, b)), ((0.1, b), (0.3, a)))
    )
    assert ahead.probability == pytest.approx(1 - behind.probability)
    assert ahead.won == pytest.approx(1 - behind.won)
    assert (ahead.low, ahead.high) == (pytest.approx(-behind.high), pytest.approx(-behind.low))


def test_of_volatility_and_of_nothing_else_less_is_better() -> None:
    calm, wild = (0.1, SPREAD / 100), (0.5, SPREAD / 100 + 0.4)
    found = compare("volatility", calm, wild, blocks=50.0)
    assert (found.probability, found.won) == (1.0, 1.0)
    assert compare("max_drawdown", (-0.5, -SPREAD), (-0.1, -SPREAD + 0.4), blocks=50.0).probability == 0.0


def test_pairing_narrows_the_interval() -> None:
    """Two rules that the market moves alike: the spread of their difference is that of what they do differently."""
    rng = np.random.default_rng(2)
    market = rng.normal(0, 1, 800)
    a, b = market + rng.normal(0, 0.2, 800), market + rng.normal(0, 0.2, 800)
    paired = compare("sharpe", (0.1, a), (0.0, b), blocks=100.0)
    unpaired = compare("sharpe", (0.1, a), (0.0, rng.permutation(b)), blocks=100.0)
    assert paired.high - paired.low < 0.35 * (unpaired.high - unpaired.low)


def test_the_probability_belongs_to_the_measured_difference_and_won_to_the_resampled_markets() -> None:
    """A rule whose edge dies in resampled markets: ahead as measured, behind in each re-run."""
    rng = np.random.default_rng(3)
    a, b = rng.normal(-1.0, 0.1, 400), rng.normal(0.0, 0.1, 400)
    found = compare("sharpe", (1.0, a), (0.0, b), blocks=100.0)
    assert found.won == 0.0
    assert found.probability == 1.0


def test_few_blocks_make_the_probability_less_sure_too() -> None:
    few, many = (
        compare("sharpe", (10.5, SPREAD), (0.0, 0 * SPREAD), blocks=blocks) for blocks in (4.0, MANY_BLOCKS)
    )
    assert many.probability == pytest.approx(30 / 39)
    assert 0.5 < few.probability < many.probability


def test_ties_count_half_and_pairs_without_the_metric_not_at_all() -> None:
    first = np.append(np.zeros(30), [1.0] * 10 + [np.nan] * 3)
    second = np.zeros(43)
    found = compare("sharpe", (0.0, first), (0.0, second), blocks=MANY_BLOCKS)
    assert found.count == 40
    assert found.probability == pytest.approx(10 / 40 + 0.5 * 30 / 40)
    none = compare("sharpe", (np.nan, SPREAD), (0.0, SPREAD), blocks=50.0)
    assert np.isnan([none.difference, none.probability, none.low]).all()
