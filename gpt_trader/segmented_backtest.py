"""A backtest in legs: one account that strategies hand on to each other, as a walk-forward trades it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from gpt_trader.allocation import Allocation
from gpt_trader.backtesting import buy_and_hold
from gpt_trader.bars import Bars
from gpt_trader.costs import Costs, FillModel
from gpt_trader.engine.session import continue_account, open_account
from gpt_trader.engine.setup import checked_first, settings_of
from gpt_trader.errors import BadParameter
from gpt_trader.exits import Exit
from gpt_trader.instruments import Instrument
from gpt_trader.result import Result
from gpt_trader.risk import RiskLimits
from gpt_trader.strategy import Strategy, checked_instance, counts_units


@dataclass(frozen=True, slots=True)
class Leg:
    """`strategy` has the account from row `first` of the bars to row `stop` - 1."""

    strategy: Strategy
    first: int
    stop: int


def backtest_relay(
    legs: Sequence[Leg],
    bars: Bars,
    *,
    capital: float = 100_000.0,
    costs: Costs | None = None,
    allocation: Allocation | None = None,
    risk: RiskLimits | None = None,
    fills: FillModel | None = None,
    exits: Iterable[Exit] = (),
    instruments: Mapping[str, Instrument] | Iterable[Instrument] = (),
    benchmark: bool = True,
    seed: int = 0,
    index: Bars | None = None,
    mode: str | None = None,
) -> Result:
    """One account that begins at the first leg's first row and goes through all legs, each beginning where the one before
    it stops; other arguments as in `backtest`.

    Each leg's strategy sees the bars before its `stop` and no others. At its first row it takes over what there is: positions
    with their entries, peaks, ages and stop levels, orders, halts, decisions that wait. In that row its exits already guard the
    positions, and at its close it decides for the first time. The result covers the rows of all legs; its strategy, parameters and
    exits are those of the last one, and its manifest lists them all.

    Raises BadParameter for legs that do not follow each other or that mix weights and units, otherwise as `backtest`.
    """
    settings = settings_of(bars, capital, costs, allocation, risk, fills, exits, instruments, index)
    _check_legs(legs, bars)
    first, stop = legs[0].first, legs[-1].stop
    covered = bars.before(stop)
    run = open_account(covered, settings, first)
    for leg in legs:
        outcome = continue_account(run, leg.strategy, bars.before(leg.stop), settings, leg.first, mode)
    held = buy_and_hold(covered, settings, first) if benchmark else None
    return Result(
        legs[-1].strategy, covered, settings, seed, outcome, held, [(leg.strategy, leg.first) for leg in legs]
    )


def _check_legs(legs: Sequence[Leg], bars: Bars) -> None:
    """Raises BadParameter unless the legs are rows of the bars that follow each other."""
    if not legs:
        raise BadParameter("a relay needs at least one leg: Leg(strategy, first, stop)")
    begins = checked_first(legs[0].first, bars)
    for leg in legs:
        if leg.first != begins or not _is_row(leg.stop) or not begins < leg.stop <= bars.T:
            raise BadParameter(
                f"a leg has rows {leg.first} to {leg.stop}; legs follow each other without a gap, here from row {begins} on, "
                f"and stop at row {bars.T} at the latest"
            )
        checked_instance(leg.strategy, "a leg")
        begins = leg.stop
    if len({counts_units(leg.strategy) for leg in legs}) > 1:
        raise BadParameter(
            "some legs return weights and some return units; the legs of one relay must be of one kind"
        )


def _is_row(value: object) -> bool:
    return isinstance(value, int | np.integer) and not isinstance(value, bool)
