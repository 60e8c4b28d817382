"""Which results are too good to be true, and what is said of them: one table of rules and what each asks of a run.

An honest rule that earns so much is rarer than a mistake that looks so: a bar of the future that got into a feature, a
price that nobody could have had, a cost that was left out. What a symbol of the data itself earned is no mistake, so every
rule measures against the best of them. The limits were measured: docs/decisions/0011-too-good-to-be-true.md.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gpt_trader.bars import Bars
from gpt_trader.metrics import monthly_returns
from gpt_trader.periods import TRADING_DAYS, periods_of

if TYPE_CHECKING:
    from gpt_trader.result import Result

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

PREFIX = "too good to be true: "
FEW_TRIPS = 30
SURE = 4.0
"""Standard errors that the Sharpe ratio of a short run must lie above 0; over a year and more the limit itself is as much."""
ENTRY_SURE = 5.0
"""Standard errors by which fills must do better than the bars themselves."""
BEYOND_HOLDING = 1.5
GROWTH_BEYOND_HOLDING = 3.0
PROFIT_FACTOR = 10.0


@dataclass(frozen=True, slots=True)
class Rule:
    """A limit: the metric's name, its `limit` in `unit`, and what is too good, as the documentation says it."""

    name: str
    limit: float
    unit: str
    text: str


SHARPE = Rule(
    "sharpe", 4.0, "a year",
    "Sharpe ratio above 4 on bars of a day or longer, above 4 x (bars a year / 252)^(1/4) on shorter ones; over less than a "
    "year above 4 / root of the years; and above 1.5 x that of the best symbol",
)  # fmt: skip
GROWTH = Rule(
    "growth", 10.0, "a year",
    "growth of more than 1,000 % a year, or to the elevenfold in less, with 30 round trips or more, and to 3 x what the best "
    "symbol became",
)  # fmt: skip
WINS = Rule(
    "wins", 0.9, "of the round trips",
    "more than 90 % of 30 round trips or more with a profit, profits of more than 10 x the losses, and a Sharpe ratio above that "
    "of the best symbol",
)  # fmt: skip
MONTHS = Rule(
    "months", 24.0, "months",
    "no losing month in 24 months or more in which the equity moved, where every symbol had one",
)  # fmt: skip
FILLS = Rule(
    "fills", 0.57, "of the fills at an open",
    "more than 57 % of the fills at an open with a bar that then moves their way, 5 standard errors more than bars move so anyway",
)  # fmt: skip
RULES = (SHARPE, GROWTH, WINS, MONTHS, FILLS)


@dataclass(frozen=True)
class Holding:
    """What the symbols of `bars` did by themselves from row `first` on; nothing is computed before it is asked for."""

    bars: Bars
    first: int = 0

    @cached_property
    def per_year(self) -> float:
        """Bars a year."""
        return float(periods_of(self.bars.time.view(np.int64), self.bars.timeframe))

    @property
    def years(self) -> float:
        """The length in years, by the number of bars."""
        return (self.bars.T - self.first) / self.per_year

    @cached_property
    def _close(self) -> Floats:
        """(T - first, N) closes on the basis of the last bar, absent ones as the one before."""
        close = np.array(self.bars.continuous().close[self.first :], np.float64)
        rows = np.where(np.isnan(close), 0, np.arange(len(close))[:, None])
        np.maximum.accumulate(rows, axis=0, out=rows)
        return np.take_along_axis(close, rows, axis=0)

    @cached_property
    def sharpe(self) -> float:
        """The highest Sharpe ratio a year of a symbol; -inf when none has one."""
        with np.errstate(all="ignore"):
            moves = self._close[1:] / self._close[:-1] - 1.0
            known = np.isfinite(moves).sum(axis=0) > 2
            if not known.any():
                return -np.inf
            ratio = np.nanmean(moves[:, known], axis=0) / np.nanstd(moves[:, known], axis=0, ddof=1)
        ratio = ratio[np.isfinite(ratio)]
        return float(ratio.max() * np.sqrt(self.per_year)) if ratio.size else -np.inf

    @cached_property
    def growth(self) -> float:
        """What 1 in the best symbol became; 1 when no symbol has two closes."""
        with np.errstate(all="ignore"):
            first = np.argmax(np.isfinite(self._close), axis=0)
            became = self._close[-1] / self._close[first, np.arange(self.bars.N)]
        became = became[np.isfinite(became)]
        return float(became.max()) if became.size else 1.0

    @cached_property
    def never_lost(self) -> bool:
        """Whether a symbol had no losing month."""
        time = self.bars.time[self.first :]
        return any(
            np.isfinite(column).all() and bool((monthly_returns(time, column).value[1:] >= 0.0).all())
            for column in self._close.T
        )


def sharpe_limit(per_year: float, years: float) -> float:
    """The Sharpe ratio a year above which a run of so many `years` on bars of which a year has `per_year` is too good."""
    faster = math.pow(per_year / TRADING_DAYS, 0.25) if per_year > 366.0 else 1.0
    return max(SHARPE.limit * faster, SURE / math.sqrt(max(years, 1e-9)))


def flags_of(metrics: Mapping[str, Any], holding: Holding) -> dict[str, Flags]:
    """By the name of the rule which of n runs on the bars of `holding` break it; `metrics` are arrays (n,) by name, or numbers.

    Only rules that metrics alone can tell: a sweep asks them of every point.
    """
    got = {
        name: np.atleast_1d(np.asarray(metrics[name], np.float64))
        for name in ("sharpe", "total_return", "round_trips", "win_rate", "profit_factor")
    }
    with np.errstate(all="ignore"):
        sharpe = got["sharpe"] > sharpe_limit(holding.per_year, holding.years)
        if sharpe.any():
            sharpe &= got["sharpe"] > BEYOND_HOLDING * holding.sharpe
        many = got["round_trips"] >= FEW_TRIPS
        became = 1.0 + got["total_return"]
        growth = many & (became > (1.0 + GROWTH.limit) ** max(1.0, holding.years))
        if growth.any():
            growth &= became > GROWTH_BEYOND_HOLDING * holding.growth
        factor = np.where(np.isnan(got["profit_factor"]), np.inf, got["profit_factor"])  # NaN: not one loss
        wins = many & (got["win_rate"] > WINS.limit) & (factor > PROFIT_FACTOR)
        if wins.any():  # in a strong trend every dip that is bought is a profit, and holding is better still
            wins &= got["sharpe"] > holding.sharpe
    return {SHARPE.name: sharpe, GROWTH.name: growth, WINS.name: wins}


def of_metrics(metrics: Mapping[str, float], holding: Holding) -> tuple[str, ...]:
    """What is too good about one run as far as its metrics tell: a sentence a rule, none for a run that may be true."""
    found = {name: bool(flags[0]) for name, flags in flags_of(metrics, holding).items()}
    said = []
    if found[SHARPE.name]:
        limit = sharpe_limit(holding.per_year, holding.years)
        kind = f"{holding.bars.timeframe} bars, where {limit:.1f} is the limit"
        said.append(f"a Sharpe ratio of {metrics['sharpe']:.1f} a year on {kind}")
    if found[GROWTH.name]:
        years = (
            f"{holding.years:.1f} years"
            if holding.years >= 1.5
            else f"{holding.bars.T - holding.first:,} bars"
        )
        said.append(f"the capital grew to {1.0 + metrics['total_return']:,.0f} x in {years}")
    if found[WINS.name]:
        said.append(f"{metrics['win_rate']:.0%} of {metrics['round_trips']:,.0f} round trips made money")
    return tuple(PREFIX + text for text in said)


def of_result(result: Result) -> tuple[str, ...]:
    """What is too good about a run by all rules."""
    holding = Holding(result.bars, result.first)
    said = list(of_metrics(result.metrics, holding))
    months = _months_without_loss(result, holding)
    if months:
        said.append(f"{PREFIX}not one losing month in {months}")
    share, errors = fills_that_knew(result)
    if share > FILLS.limit and errors > ENTRY_SURE:
        said.append(
            f"{PREFIX}after {share:.0%} of the fills at an open the bar moved their way ({errors:.0f} standard errors above chance)"
        )
    return tuple(said)


def _months_without_loss(result: Result, holding: Holding) -> int:
    """How many months the equity moved in without losing in one of them; 0 when it lost, or for fewer than `MONTHS.limit`."""
    curve = result.account_curves[0]
    found = monthly_returns(result.time, curve, result.settings.capital).value
    moved = found[found != 0.0]
    if moved.size < MONTHS.limit or not (moved > 0.0).all() or holding.never_lost:
        return 0
    return int(moved.size)


def fills_that_knew(result: Result) -> tuple[float, float]:
    """After how many fills of market orders at an open the bar closed their way (a share), and by how many standard errors
    that is more than the symbol's bars close so anyway; NaN for none.

    The fills of a bar are taken together, since symbols move together; a bar's own standard error is taken as that of a
    coin, which is the largest it can have.
    """
    fills, orders, bars = result.log("fills"), result.log("orders"), result.bars
    if not fills.size:
        return float("nan"), float("nan")
    bar, symbol = fills["bar"], fills["symbol"]
    opened, closed = bars.open[bar, symbol], bars.close[bar, symbol]
    market = orders["kind"][fills["order"]] == 0
    kept = market & (fills["price"] == opened) & (closed != opened) & np.isfinite(closed - opened)
    if not kept.any():
        return float("nan"), float("nan")
    rose = (bars.close > bars.open).sum(axis=0)
    moved = rose + (bars.close < bars.open).sum(axis=0)
    chance = (rose / np.maximum(moved, 1))[symbol[kept]]
    bought = fills["quantity"][kept] > 0
    right = (closed[kept] > opened[kept]) == bought
    excess = right - np.where(bought, chance, 1.0 - chance)
    _, place = np.unique(bar[kept], return_inverse=True)
    each = np.bincount(place, excess) / np.bincount(place)
    share = np.bincount(place, right) / np.bincount(place)
    return float(share.mean()), float(2.0 * each.mean() * np.sqrt(each.size))


def is_too_good(warning: str) -> bool:
    """Whether a warning of a run, as it was stored, says that it is too good."""
    return warning.startswith(PREFIX)
