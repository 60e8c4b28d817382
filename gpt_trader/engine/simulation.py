"""Runs a strategy over bars: its features and rules become a plan, and the plan is carried out in the way that is best."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpt_trader.bars import Bars
from gpt_trader.engine import strategy_calls
from gpt_trader.engine.account_memory import BLANK_RULES, empty_book, initial_log_size
from gpt_trader.engine.decision_delay import DecisionDelay, delayed_rows
from gpt_trader.engine.records import AccountState, MarketData
from gpt_trader.engine.run_modes import AccountRun, RunPlan, run_at_once, run_compiled, run_in_python
from gpt_trader.engine.run_setup import UNUSED, Settings, build_market, rules_record
from gpt_trader.errors import UnknownName
from gpt_trader.exits import Exit, checked_exits
from gpt_trader.performance_tuning import STANDARD, Tuning
from gpt_trader.strategy import (
    OrderStrategy,
    Strategy,
    counts_units,
    is_per_symbol,
    strategy_name,
    uses_held,
)

ARRAY, COMPILED, PYTHON = "array", "compiled", "python"
MODES = (ARRAY, COMPILED, PYTHON)


@dataclass(frozen=True, slots=True)
class FinishedRun:
    """A finished run: its book and market, and how decisions were made ("array", "compiled" or "python")."""

    book: AccountState
    market: MarketData
    mode: str


def all_exits(strategy: Strategy, settings: Settings) -> tuple[Exit, ...]:
    """The strategy's own exits and those of the run; a kind given for the run replaces the strategy's.

    Raises BadParameter where what the strategy declares are no exits, and StrategyError when declaring them fails.
    """
    declared = strategy_calls.call_strategy(strategy, "declared_exits", strategy.declared_exits)
    own = () if declared == () else checked_exits(declared, strategy_name(type(strategy)))
    if not settings.exits:
        return own
    given = {type(item) for item in settings.exits}
    return tuple(item for item in own if type(item) not in given) + settings.exits


def simulate(
    strategy: Strategy,
    bars: Bars,
    settings: Settings,
    mode: str | None = None,
    *,
    first: int = 0,
    required: bool = True,
) -> FinishedRun:
    """Run `strategy` over the bars from row `first` on; its features see those before as well. `mode` names a way of deciding;
    None chooses. A rule that numba cannot compile runs in Python, or is an error when "compiled" is named and `required`.

    Raises StrategyError when the strategy raises or answers with a wrong shape or an infinite weight.
    """
    run = open_account(bars, settings, first)
    return continue_account(run, strategy, bars, settings, first, mode, required=required)


def open_account(bars: Bars, settings: Settings, first: int) -> AccountRun:
    """An account with nothing but its capital, which begins at row `first`; its rules come with the plan."""
    book = empty_book(bars.T, bars.N, BLANK_RULES, settings.capital, initial_log_size(bars), first)
    return AccountRun(book, DecisionDelay.empty(settings.fills.delay, bars.N))


def continue_account(
    run: AccountRun,
    strategy: Strategy,
    bars: Bars,
    settings: Settings,
    start: int,
    mode: str | None = None,
    *,
    required: bool = True,
) -> FinishedRun:
    """Let `strategy` have the account from row `start` to the last of `bars`; otherwise as `simulate`."""
    chosen = mode or chosen_mode(strategy, bars, start)
    if chosen not in MODES:
        raise UnknownName("mode", chosen, MODES)
    plan = build_plan(run.waiting, strategy, bars, settings, start)
    return run_plan(plan, run, start, chosen, required=required and mode is not None)


def build_plan(
    waiting: DecisionDelay,
    strategy: Strategy,
    bars: Bars,
    settings: Settings,
    start: int,
    seen: Bars | None = None,
) -> RunPlan:
    """The features of the strategy, and the market and the rules under which it takes over at row `start`. `seen` are the bars
    that the strategy is given, if not its view of `bars`."""
    seen = bars.strategy_view() if seen is None else seen
    features = strategy_calls.compute_features(strategy, seen)
    exits = all_exits(strategy, settings)
    score = features.get("score")
    return RunPlan(
        strategy,
        build_market(bars, settings, exits, ranks_by_action_bar(waiting, score, bars, start)),
        rules_record(settings, exits, counts_units(strategy), score is not None),
        strategy_calls.row_values(seen, features),
        UNUSED if bars.continuous() is bars else bars.split_factor,
    )


def run_plan(plan: RunPlan, run: AccountRun, start: int, mode: str, *, required: bool) -> FinishedRun:
    """Run a plan from row `start` to its last bar. With `required`, a rule that does not compile is an error."""
    run.book.rules.view(np.float64)[:] = plan.rules.view(np.float64)  # all at once, not field by field
    if mode == ARRAY:
        run_at_once(plan, run, start)
    elif mode == PYTHON or not run_compiled(plan, run, start, required=required):
        run_in_python(plan, run, start)
        mode = PYTHON
    return FinishedRun(run.book, plan.market, mode)


def ranks_by_action_bar(
    waiting: DecisionDelay, score: NDArray[Any] | None, bars: Bars, start: int
) -> NDArray[np.float64] | None:
    """(T, N) the rank by which each bar from `start` on ranks entrants: that of the bar in which they were decided."""
    if waiting.delay == 0:
        return None if score is None else full_panel(score, bars)
    ranks = np.full((bars.T, bars.N), np.nan) if score is None else full_panel(score, bars)
    acted = delayed_rows(waiting.ranks, ranks[start:], start)
    return None if score is None else np.concatenate([ranks[:start], acted])


def full_panel(score: NDArray[Any], bars: Bars) -> NDArray[np.float64]:
    """A feature (T, N) or (T, 1) as a contiguous float array (T, N)."""
    return np.ascontiguousarray(np.broadcast_to(score, (bars.T, bars.N)), dtype=np.float64)


def chosen_mode(
    strategy: Strategy, bars: Bars, first: int = 0, called: int = 0, tuning: Tuning = STANDARD
) -> str:
    """How `decide` is best called over these bars from row `first` on, when the same class was `called` so often in Python
    before; the result is the same in every way."""
    ordering, scalar = isinstance(strategy, OrderStrategy), is_per_symbol(strategy)
    if ordering and scalar and bars.N > 1:
        return PYTHON  # the requests of each call belong to its symbol, which the compiled loop does not know
    if not (ordering or scalar or uses_held(strategy)):
        return ARRAY
    enough = tuning.calls_to_compile(ordering=ordering)
    return COMPILED if called + calls_of(strategy, bars, first) >= enough else PYTHON


def calls_of(strategy: Strategy, bars: Bars, first: int) -> int:
    """How often `decide` is called over these bars from row `first` on when it is called bar by bar."""
    return (bars.T - first) * (bars.N if is_per_symbol(strategy) else 1)
