"""A backtest in segments: one account that strategies hand on to each other, as a walk-forward trades it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from gpt_trader.allocation import Allocation
from gpt_trader.backtesting import buy_and_hold
from gpt_trader.bars import Bars
from gpt_trader.costs import Costs, FillModel
from gpt_trader.engine.run_setup import checked_first, settings_of
from gpt_trader.engine.simulation import continue_account, open_account
from gpt_trader.errors import BadParameter
from gpt_trader.exits import Exit
from gpt_trader.instruments import Instrument
from gpt_trader.result import Result
from gpt_trader.risk import RiskLimits
from gpt_trader.strategy import Strategy, checked_instance, counts_units


@dataclass(frozen=True, slots=True)
class Segment:
    """`strategy` has the account from row `first` of the bars to row `stop` - 1."""

    strategy: Strategy
    first: int
    stop: int


def backtest_segments(
    segments: Sequence[Segment],
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
    """One account that begins at the first segment's first row and goes through all segments, each beginning where the one
    before it stops; other arguments as in `backtest`.

    Each segment's strategy sees the bars before its `stop` and no others. At its first row it takes over what there is:
    positions with their entries, peaks, ages and stop levels, orders, halts, decisions that wait. In that row its exits
    already guard the positions, and at its close it decides for the first time. The result covers the rows of all segments;
    its strategy, parameters and exits are those of the last one, and its manifest lists them all (`legs`).

    Raises BadParameter for segments that do not follow each other or that mix weights and units, otherwise as `backtest`.
    """
    settings = settings_of(bars, capital, costs, allocation, risk, fills, exits, instruments, index)
    _check_segments(segments, bars)
    first, stop = segments[0].first, segments[-1].stop
    covered = bars.before(stop)
    run = open_account(covered, settings, first)
    for segment in segments:
        outcome = continue_account(
            run, segment.strategy, bars.before(segment.stop), settings, segment.first, mode
        )
    benchmark_run = buy_and_hold(covered, settings, first) if benchmark else None
    turns = [(segment.strategy, segment.first) for segment in segments]
    return Result(segments[-1].strategy, covered, settings, seed, outcome, benchmark_run, turns)


def _check_segments(segments: Sequence[Segment], bars: Bars) -> None:
    """Raises BadParameter unless the segments are rows of the bars that follow each other."""
    if not segments:
        raise BadParameter("a segmented backtest needs at least one segment: Segment(strategy, first, stop)")
    begins = checked_first(segments[0].first, bars)
    for segment in segments:
        if segment.first != begins or not _is_row(segment.stop) or not begins < segment.stop <= bars.T:
            raise BadParameter(
                f"a segment has rows {segment.first} to {segment.stop}; segments follow each other without a gap, here from "
                f"row {begins} on, and stop at row {bars.T} at the latest"
            )
        checked_instance(segment.strategy, "a segment")
        begins = segment.stop
    if len({counts_units(segment.strategy) for segment in segments}) > 1:
        raise BadParameter(
            "some segments return weights and some return units; the segments of one account must be of one kind"
        )


def _is_row(value: object) -> bool:
    return isinstance(value, int | np.integer) and not isinstance(value, bool)
