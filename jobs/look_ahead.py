"""What the commands do with the register of look-ahead checks: record a check, ask for code, say what is known of it."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gpt_trader.adapters.store import RunStore
    from gpt_trader.bars import Bars
    from gpt_trader.check import CheckReport
    from gpt_trader.check_records import CheckRecord
    from gpt_trader.look_ahead import LookAhead
    from gpt_trader.result import Result
    from gpt_trader.strategy import Strategy
    from jobs.console import Output


def record_check(
    store: RunStore, strategy: Strategy, report: CheckReport, bars: Bars, output: Output
) -> None:
    """Write the verdict of a check into the register; a store that refuses is a note, because the check itself is done."""
    from gpt_trader.adapters.store import StoreError
    from gpt_trader.check_records import record_of

    try:
        with store as opened:
            opened.checks.record(record_of(strategy, report, bars))
    except StoreError as problem:
        output.note(f"{problem}; runs of this code will not know of this check")


def known(
    store: RunStore | None, runs: Iterable[tuple[type[Strategy], Mapping[str, Any]]], named: str | None = None
) -> LookAhead:
    """What is known of the code that ran, each strategy with its parameters, of several the worst.

    `named` is how the strategy was given to the command. A store that is not there, or that refuses, knows nothing.
    """
    from gpt_trader.look_ahead import judged, known_here, worst
    from gpt_trader.strategy_code import code_hash

    listed = list(runs)
    recorded = {strategy: _recorded(store, code_hash(strategy)) for strategy, _ in listed}
    return worst(
        judged(
            (*known_here(strategy), *recorded[strategy]), parameters, _command(named, strategy, parameters)
        )
        for strategy, parameters in listed
    )


def known_of_stored(
    store: RunStore | None, manifest: Mapping[str, Any], parameters: Mapping[str, Any] | None
) -> LookAhead:
    """What is known by now of the code of a stored run or study, of several strategies the worst; `parameters` are None for a
    study, which has many."""
    from gpt_trader.look_ahead import judged, worst
    from gpt_trader.shipped_checks import shipped_check

    def state(code: str, values: Mapping[str, Any] | None) -> LookAhead:
        shipped = shipped_check(code)
        return judged((*(() if shipped is None else (shipped,)), *_recorded(store, code)), values)

    legs = manifest.get("legs") or ()
    compared = manifest.get("about", {}).get("codes") or ()
    if legs:
        return worst(state(str(leg["strategy_code"]), leg["parameters"]) for leg in legs)
    if compared:
        return worst(state(str(code), None) for code in compared)
    return state(str(manifest.get("strategy_code") or manifest.get("code") or ""), parameters)


def _recorded(store: RunStore | None, code: str) -> tuple[CheckRecord, ...]:
    from gpt_trader.adapters.store import StoreError

    if store is None:
        return ()
    try:
        with store as opened:
            return opened.checks.of(code)
    except StoreError:
        return ()


def _command(named: str | None, strategy: type[Strategy], parameters: Mapping[str, Any]) -> str:
    """The command that checks the strategy as it was run: parameters that have their default are left out."""
    from gpt_trader.look_ahead import CHECK_FILE
    from gpt_trader.strategy import parameters_of

    if named is None:
        return CHECK_FILE

    known_defaults = parameters_of(strategy)
    given = [
        f"{name}={value}"
        for name, value in parameters.items()
        if name in known_defaults and known_defaults[name].default != value
    ]
    return shlex.join(["gpt-trader", "check", named, *(part for text in given for part in ("--param", text))])


def runs_in(result: Result) -> list[tuple[type[Strategy], Mapping[str, Any]]]:
    """Who traded in a result, with which parameters."""
    from gpt_trader.strategy import parameter_values

    return [(type(each), parameter_values(each)) for each in result.strategies]


def belief_lines(state: LookAhead, too_good: Iterable[str]) -> list[str]:
    """The state, and what is too good, each as a line with its label."""
    return [look_ahead_line(state), *(f"note     {text}" for text in too_good)]


def look_ahead_line(state: LookAhead, name: str = "") -> str:
    """The state as a line with its label, loud for code that failed."""
    text = f"{name}: {state.text}" if name else state.text
    return f"{'FAILED ' if state.failed else 'check  '}  {text}"
