"""Intervals hold the truth as often as they say, on small markets whose truth is known; the full count: benchmarks/coverage.py."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom

from benchmarks.coverage import MARKETS, bars_of, study, walk
from gpt_trader.bars import Bars
from gpt_trader.validation.block_bootstrap import independent_blocks, resample
from gpt_trader.validation.intervals import compare

ONE_IN_A_THOUSAND = 0.001


@pytest.mark.parametrize("market", [MARKETS[0], MARKETS[1], MARKETS[3]], ids=lambda market: market.name)
def test_intervals_of_95_percent_hold_the_true_sharpe_in_93_to_97_percent_of_markets(market) -> None:
    """The count must be one that a coverage between 93 and 97 % produces in all but 1 of 1,000 repeats on either side."""
    found = study(market, markets=160, replicates=49, bars=504)
    held = round(found.covered["sharpe"] * 160)
    assert binom.ppf(ONE_IN_A_THOUSAND, 160, 0.93) <= held <= binom.ppf(1 - ONE_IN_A_THOUSAND, 160, 0.97)


def sharpes(bars: Bars) -> np.ndarray:
    returns = bars.close[1:] / bars.close[:-1] - 1
    return returns.mean(axis=0) / returns.std(axis=0, ddof=1)


def test_of_two_equally_good_assets_each_is_called_better_with_95_percent_in_one_market_of_twenty() -> None:
    sure = 0
    for number in range(200):
        rng = np.random.default_rng([2, number])
        panels = [bars_of(walk(rng, 400)) for _ in range(2)]
        market = Bars(("A", "B"), panels[0].time, np.concatenate([one.panel for one in panels], axis=2))
        again = np.array([sharpes(resample(market, 0, k)) for k in range(99)])
        (first, second) = sharpes(market)
        found = compare(
            "sharpe", (first, again[:, 0]), (second, again[:, 1]), blocks=independent_blocks(market)
        )
        sure += found.probability > 0.95
    assert binom.ppf(ONE_IN_A_THOUSAND, 200, 0.03) <= sure <= binom.ppf(1 - ONE_IN_A_THOUSAND, 200, 0.07)
