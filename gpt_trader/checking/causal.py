"""The causal proof: with other bars after t, no answer up to t may be another one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpt_trader.bars import Bars
from gpt_trader.checking.alternative_futures import Futures
from gpt_trader.checking.check_report import CAUSAL, Finding, finding, time_text
from gpt_trader.checking.comparing import first_difference, first_other
from gpt_trader.checking.trace import Trace, trace
from gpt_trader.errors import GptTraderError
from gpt_trader.strategy import TARGET_KINDS, Strategy

CUT, REPLACED = "cut off", "replaced"
SHUFFLED = "put into another order"
HIDDEN = "hidden while it decides"
EXITS = "declared_exits"


@dataclass(frozen=True, slots=True)
class Difference:
    """An answer at `bar` of `subject` that moved when the bars after `t` were changed in the way `how`."""

    t: int
    how: str
    subject: str
    bar: int
    column: int
    expected: Any
    got: Any


@dataclass(frozen=True, slots=True)
class Failure:
    """No answer about `subject` when the bars after `t` were changed, and why."""

    t: int
    how: str
    subject: str
    why: str


@dataclass(frozen=True, slots=True)
class Examined:
    """What changing the future after `t` has shown."""

    t: int
    differences: tuple[Difference, ...]
    failures: tuple[Failure, ...]

    @property
    def found(self) -> bool:
        """Whether an answer moved or was missing."""
        return bool(self.differences or self.failures)


def examine(strategy: Strategy, whole: Trace, futures: Futures, t: int) -> Examined:
    """Run the strategy with the bars after t cut off, then replaced, and compare with what it answered on the whole; where it
    refuses both, also with the real bars after t in another order."""
    differences: list[Difference] = []
    failures: list[Failure] = []
    for how, make in ((CUT, futures.cut), (REPLACED, futures.replaced), (SHUFFLED, futures.shuffled)):
        refused = len({failure.how for failure in failures}) == 2
        if how == SHUFFLED and not (refused and futures.can_be_shuffled):
            break
        try:
            other = trace(strategy, make(t), t)
        except GptTraderError as error:
            failures.append(Failure(t, how, "features", str(error)))
            continue
        for item in compare(whole, other, t, how):
            (differences if isinstance(item, Difference) else failures).append(item)  # type: ignore[arg-type]
    return Examined(t, tuple(differences), tuple(failures))


def compare(whole: Trace, other: Trace, t: int, how: str) -> list[Difference | Failure]:
    """The first difference of each feature, of the decisions and of the exits in the bars up to t."""
    found: list[Difference | Failure] = []
    for name, values in whole.features.items():
        if name not in other.features:
            found.append(Failure(t, how, name, "vanishes"))
        else:
            found += _differences(t, how, name, values, other.features[name])
    if isinstance(whole.decisions, np.ndarray) and isinstance(other.decisions, np.ndarray):
        found += _differences(t, how, "decide", whole.decisions, other.decisions)
    else:
        asked, again = list(whole.decisions), list(other.decisions)
        bar = first_other(asked[: t + 1], again[: t + 1])
        if bar is not None:
            found.append(
                Difference(t, how, "decide", bar, -1, _requests_text(asked[bar]), _requests_text(again[bar]))
            )
    if whole.units != other.units:
        kinds = [TARGET_KINDS[trace.units] for trace in (whole, other)]
        found.append(Difference(t, how, "target_kind", t, -1, *kinds))
    if whole.exits != other.exits:
        found.append(Difference(t, how, EXITS, t, -1, str(whole.exits), str(other.exits)))
    return found


def _differences(
    t: int, how: str, subject: str, values: NDArray[Any], again: NDArray[Any]
) -> list[Difference]:
    left, right = values[: t + 1], again[: t + 1]
    place = first_difference(left, right)
    if place is None:
        return []
    if left.shape != right.shape:
        return [Difference(t, how, subject, t, -1, str(left.shape), str(right.shape))]
    return [Difference(t, how, subject, *place, values[place], again[place])]


def as_findings(
    strategy: Strategy, bars: Bars, examined: Iterable[Examined]
) -> tuple[list[Finding], list[Finding]]:
    """Faults and warnings from what was examined.

    A strategy that fails only when few bars are left needs some history: that is a warning. One that fails on more bars
    than it gets along with elsewhere is at fault.
    """
    everything = list(examined)
    faults = [_moved(strategy, bars, item) for one in everything for item in one.differences]
    fails = {one.t for one in everything if one.failures}
    passes = [one.t for one in everything if not one.failures]
    enough = min(passes, default=-1)
    warnings: list[Finding] = []
    for one in everything:
        for failure in one.failures:
            why = f"{failure.why} when later bars are {failure.how}"
            text = (
                why
                if failure.why == "vanishes"
                else f"fails when later bars are {failure.how}: {failure.why}"
            )
            item = finding(strategy, CAUSAL, failure.subject, bars, failure.t, text)
            short = max(fails) < enough if passes else False
            (warnings if short else faults).append(item)
    if warnings:
        worst = max(warnings, key=lambda item: item.bar)
        text = f"{worst.message} (with {worst.bar + 1} bars; {enough + 1} are enough): it needs some history"
        warnings = [finding(strategy, CAUSAL, worst.subject, bars, worst.bar, text)]
    return faults, warnings


def _moved(strategy: Strategy, bars: Bars, item: Difference) -> Finding:
    what = {"decide": "the decision", EXITS: "an exit"}.get(item.subject, "the value")
    of = f" of {bars.symbols[item.column]}" if 0 <= item.column < bars.N and bars.N > 1 else ""
    when = "" if item.how == HIDDEN else f"after {time_text(bars, item.t)} "
    message = f"{what} at this bar{of} moves when the bars {when}are {item.how}"
    if item.how == HIDDEN:
        message = f"{what} at this bar{of} moves when the bars after it are {item.how}: it reads bars that it was given before"
    return finding(strategy, CAUSAL, item.subject, bars, item.bar, message, item.expected, item.got)


def _requests_text(requests: Sequence[Any]) -> str:
    return (
        "; ".join(
            f"{request.quantity:g} of symbol {request.symbol} (limit {request.limit:.10g}, stop {request.stop:.10g})"
            for request in requests
        )
        or "no order"
    )
