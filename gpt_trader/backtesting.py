"""The backtest as a function: a strategy and bars in, a Result out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from gpt_trader.allocation import Allocation
from gpt_trader.bars import Bars
from gpt_trader.costs import Costs, FillModel
from gpt_trader.engine.deciding import call_strategy
from gpt_trader.engine.session import Outcome, simulate
from gpt_trader.engine.setup import (
    Settings,
    build_market,
    empty_book,
    room_for_orders,
    rules_record,
    settings_of,
)
from gpt_trader.errors import BadParameter
from gpt_trader.exits import Exit, checked_exits
from gpt_trader.instruments import Instrument
from gpt_trader.result import Result
from gpt_trader.risk import RiskLimits
from gpt_trader.strategy import Strategy, strategy_name


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
) -> Result:
    """Run `strategy` over `bars` under the rules of docs/assumptions.md.

    `capital` in the currency of the prices; `exits` replace declared exits of the same kind and add to the others;
    `benchmark` also runs buy and hold under the same costs and gross cap. `seed` is recorded in the manifest (the
    engine draws no random number).
    `index` holds the bars of a regime symbol that is not traded. `mode` forces how `decide` is called ("array",
    "compiled" or "python"); None chooses, with the same result.

    Raises BadParameter for settings out of range and StrategyError when the strategy fails.
    """
    candidate: Any = strategy
    if isinstance(candidate, type):
        raise BadParameter(
            f"backtest needs a strategy instance: call the class, as in {candidate.__name__}()"
        )
    if not isinstance(candidate, Strategy):
        raise BadParameter(f"backtest needs a Strategy, got {type(candidate).__name__}")
    instruments = instruments if isinstance(instruments, Mapping) else tuple(instruments)
    _check_kinds(
        bars,
        capital,
        costs=costs,
        allocation=allocation,
        risk=risk,
        fills=fills,
        instruments=instruments,
        index=index,
    )
    exits = checked_exits(exits, "backtest")
    checked_exits(
        call_strategy(strategy, "declared_exits", strategy.declared_exits), strategy_name(type(strategy))
    )
    settings = settings_of(bars, capital, costs, allocation, risk, fills, exits, instruments, index)
    outcome = simulate(strategy, bars, settings, mode)
    held = buy_and_hold(bars, settings) if benchmark else None
    return Result(strategy, bars, settings, seed, outcome, held)


_KINDS: Mapping[str, type] = {
    "costs": Costs,
    "allocation": Allocation,
    "risk": RiskLimits,
    "fills": FillModel,
    "index": Bars,
}


def _check_kinds(bars: Any, capital: Any, *, instruments: Any, **settings: Any) -> None:
    """Raises BadParameter for an argument that is not what its name says, such as a table where Bars are due."""
    if not isinstance(bars, Bars):
        raise BadParameter(
            f"backtest needs Bars, got {type(bars).__name__}; load_bars(…) or Bars.from_frame(…) makes them"
        )
    if isinstance(capital, bool) or not isinstance(capital, int | float | np.integer | np.floating):
        raise BadParameter(f"capital is {capital!r}; give a positive amount of cash")
    for name, value in settings.items():
        kind = _KINDS[name]
        if value is not None and not isinstance(value, kind):
            raise BadParameter(f"{name} is {value!r}; give {kind.__name__}(…)")
    for item in instruments.values() if isinstance(instruments, Mapping) else instruments:
        if not isinstance(item, Instrument):
            raise BadParameter(f"instruments holds {item!r}; give Instrument(symbol, …)")


def buy_and_hold(bars: Bars, settings: Settings) -> Outcome:
    """1/N of the capital in every symbol from its first bar on, under the run's costs and gross cap, no other rule."""
    from gpt_trader.engine.session import run_array

    plain = replace(settings, risk=None, exits=(), allocation=Allocation(
        gross=settings.allocation.gross, leverage=settings.allocation.leverage, max_positions=max(1, bars.N)
    ))  # fmt: skip
    market = build_market(bars, plain, (), None)
    book = empty_book(
        bars.T, bars.N, rules_record(plain, (), False, False), settings.capital, room_for_orders(bars)
    )
    targets = bars._once("equal_weights", lambda: np.full((bars.T, bars.N), 1.0 / bars.N))
    return Outcome(run_array(market, book, targets), market, "array")
