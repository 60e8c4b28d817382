"""The backtest as a function: a strategy and bars in, a Result out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from gpt_trader.allocation import Allocation
from gpt_trader.bars import CLOSE, Bars
from gpt_trader.costs import Costs, FillModel
from gpt_trader.engine.account_memory import empty_book, initial_log_size
from gpt_trader.engine.run_setup import Settings, build_market, checked_first, rules_record, settings_of
from gpt_trader.engine.simulation import FinishedRun, simulate
from gpt_trader.exits import Exit
from gpt_trader.instruments import Instrument
from gpt_trader.result import Result
from gpt_trader.risk import RiskLimits
from gpt_trader.strategy import Strategy, checked_instance


def backtest(
    strategy: Strategy,
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
    first: int = 0,
) -> Result:
    """Run `strategy` over `bars` under the rules of docs/assumptions.md.

    `capital` in the currency of the prices; `exits` replace declared exits of the same kind and add to the others;
    `benchmark` also runs buy and hold under the same costs and gross cap. `seed` is recorded in the manifest (the
    engine draws no random number).
    `index` holds the bars of a regime symbol that is not traded. `mode` forces how `decide` is called ("array",
    "compiled" or "python"); None chooses by the length of the data. The account, that of buy and hold as well, begins at
    row `first` of the bars: the features see the rows before it, and the result covers those from it on.

    Raises BadParameter for settings out of range and StrategyError when the strategy fails.
    """
    checked_instance(strategy, "backtest")
    settings = settings_of(bars, capital, costs, allocation, risk, fills, exits, instruments, index)
    outcome = simulate(strategy, bars, settings, mode, first=checked_first(first, bars))
    benchmark_run = buy_and_hold(bars, settings, first) if benchmark else None
    return Result(strategy, bars, settings, seed, outcome, benchmark_run)


def buy_and_hold(bars: Bars, settings: Settings, first: int = 0) -> FinishedRun:
    """1/N of the capital in every symbol from its first bar at or after row `first` on, under the run's costs and gross cap, no
    other rule."""
    from gpt_trader.engine.run_modes import run_rows

    own = settings.allocation
    plain = replace(settings, risk=None, exits=(), allocation=_equal_weights(own.gross, own.leverage, bars.N))
    market = build_market(bars, plain, (), None)
    book = empty_book(
        bars.T, bars.N, rules_record(plain, (), False, False), settings.capital, initial_log_size(bars), first
    )
    alike = bars._once("same_symbols", lambda: _same_symbols(bars))
    if first > 0:
        alike = alike.copy()
        alike[first] = 0  # the account's first bar has none before it
    targets = np.full((1, bars.N), 1.0 / bars.N)
    return FinishedRun(run_rows(market, book, targets, alike, first), market, "array")


@lru_cache(maxsize=16)
def _equal_weights(gross: float, leverage: float, symbols: int) -> Allocation:
    """The rules of buy and hold, checked once."""
    return Allocation(gross=gross, leverage=leverage, max_positions=max(1, symbols))


def _same_symbols(bars: Bars) -> NDArray[np.int8]:
    """(T,) 1 where the same symbols have a bar as the bar before."""
    alike = np.ones(bars.T, np.int8)
    alike[0] = 0
    if np.isnan(bars.panel[CLOSE].min()):
        alike[1:] = (bars.present[1:] == bars.present[:-1]).all(axis=1)
    return alike
