"""Single decisions of a rule that knows what it holds, made again by an instance that was given no later bar.

A rule may keep what it was given in a form in which it cannot be hidden: text, bytes, a file, a generator. So what its
`features` left on the instance is taken from a run on the bars up to t, and what its decisions have changed since from the
whole run; then it is asked for the decision of bar t alone. Another answer is no proof, for the two halves need not fit
together, but a bar to look at.
"""

from __future__ import annotations

import pickle
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from gpt_trader.bars import Bars
from gpt_trader.checking.access_monitor import within_method
from gpt_trader.checking.comparing import first_other
from gpt_trader.checking.isolation import Processes
from gpt_trader.checking.trace import bar_by_bar, renewed, requests_in
from gpt_trader.engine import strategy_calls
from gpt_trader.engine.run_modes import RunPlan
from gpt_trader.engine.strategy_views import LiveHeld
from gpt_trader.errors import GptTraderError
from gpt_trader.strategy import Held, OrderStrategy, Row, Strategy

MOST_BARS = 4_000  # whose decisions are recorded
LARGEST = (
    8192  # bytes of an attribute that decisions may have changed; a larger one may hold all that was given
)
ENOUGH = 100  # bars that stand out, after which no more are looked for


@dataclass(frozen=True, slots=True)
class Call:
    """One call of `decide`: the arguments, what earlier calls had changed on the instance (pickled), and the answer."""

    bar: int
    arguments: tuple[Any, ...]
    changed: dict[str, bytes]
    answer: Any


def bars_that_differ(
    strategy: Strategy, bars: Bars, times: Sequence[int], ends: float, processes: Processes
) -> list[int]:
    """The bars of `times` at which an instance without later bars decides otherwise, looked for until the clock
    (`time.monotonic`) shows `ends`."""
    wanted = frozenset(times[:MOST_BARS])
    try:
        calls = processes.run(partial(_recorded, strategy, bars, wanted))
    except GptTraderError:
        return []
    order = {t: place for place, t in enumerate(times)}
    by_bar: dict[int, list[Call]] = {}
    for call in sorted(calls, key=lambda call: order[call.bar]):
        by_bar.setdefault(call.bar, []).append(call)
    groups = list(by_bar.values())
    works = [
        partial(_asked_again, strategy, bars, groups[part :: processes.at_a_time], ends)
        for part in range(processes.at_a_time)
    ]
    found: list[int] = []
    try:
        for some in processes.run_all(works):
            found += some
    except GptTraderError:
        return found
    return found


def _recorded(strategy: Strategy, bars: Bars, wanted: frozenset[int]) -> list[Call]:
    """The calls of these bars in a run over all bars."""
    fresh = renewed(strategy)
    recorder = _Calls(fresh, bars.N, wanted)

    def after_features(plan: RunPlan) -> tuple[RunPlan, Any]:
        recorder.begin()
        return plan, recorder.at_bar

    real = fresh.decide
    object.__setattr__(fresh, "decide", lambda *arguments: recorder.called(real, arguments))
    bar_by_bar(fresh, bars, hide=after_features)
    return recorder.calls


class _Calls:
    """Follows an instance from its features to its last decision."""

    def __init__(self, strategy: Strategy, symbols: int, wanted: frozenset[int]) -> None:
        self._strategy, self._symbols, self._wanted = strategy, symbols, wanted
        self._bar = -1
        self._first: dict[str, tuple[Any, bytes | None]] = {}
        self.calls: list[Call] = []

    def begin(self) -> None:
        """The features are computed: what is on the instance now is theirs."""
        self._first = {name: (value, _pickled(value)) for name, value in _state(self._strategy).items()}

    def at_bar(self, t: int) -> None:
        """The calls to come are those of bar t."""
        self._bar = t

    def called(self, decide: Any, arguments: tuple[Any, ...]) -> Any:
        """Decide, and keep what it was asked when the bar is wanted."""
        if self._bar not in self._wanted:
            return decide(*arguments)
        changed, given = self._changed(), tuple(_as_it_is(argument) for argument in arguments)
        answer = decide(*arguments)
        self.calls.append(Call(self._bar, given, changed, _copied(answer)))
        return answer

    def _changed(self) -> dict[str, bytes]:
        changed = {}
        for name, value in _state(self._strategy).items():
            before, text = self._first.get(name, (None, None))
            if value is before and (text is None or _pickled(value) == text):
                continue
            now = _pickled(value)
            if now is not None:
                changed[name] = now
        return changed


def _state(strategy: Strategy) -> dict[str, Any]:
    """The attributes of an instance but `decide`, which the engine replaces."""
    return {name: value for name, value in vars(strategy).items() if name != "decide"}


def _pickled(value: Any) -> bytes | None:
    """What a value holds; None for what cannot be pickled, or is too large to be looked at each time."""
    if isinstance(value, np.ndarray) and value.nbytes > LARGEST:
        return None
    try:
        text = pickle.dumps(value, protocol=5)
    except Exception:  # a file, a generator, a function: whatever a user keeps
        return None
    return text if len(text) <= LARGEST else None


def _as_it_is(argument: Any) -> Any:
    """A row or holdings as they are now, whichever of the engine's views they are."""
    if isinstance(argument, Row):
        return argument
    if isinstance(argument, Held | LiveHeld):
        return Held(*(_copied(getattr(argument, name)) for name in Held._fields))
    names = [name for name, value in vars(type(argument)).items() if isinstance(value, property)]
    return Row({name: getattr(argument, name) for name in names})


def _copied(answer: Any) -> Any:
    return np.array(answer) if isinstance(answer, np.ndarray) else answer


def _asked_again(strategy: Strategy, bars: Bars, groups: list[list[Call]], ends: float) -> list[int]:
    """The bars whose calls are answered otherwise by an instance that was given the bars up to them."""
    found: list[int] = []
    for calls in groups:
        if time.monotonic() > ends or len(found) >= ENOUGH:
            break
        if not _same_answers(strategy, bars.before(calls[0].bar + 1), calls):
            found.append(calls[0].bar)
    return found


def _same_answers(strategy: Strategy, cut: Bars, calls: list[Call]) -> bool:
    probe = renewed(strategy)
    try:
        with within_method("features"):
            strategy_calls.compute_features(probe, cut.strategy_view())
        with within_method("decide"), np.errstate(invalid="ignore", divide="ignore"):
            for call in calls:
                for name, value in call.changed.items():
                    object.__setattr__(probe, name, pickle.loads(value))  # noqa: S301 - pickled by our own child
                if not _alike(
                    call.answer, probe.decide(*call.arguments), isinstance(strategy, OrderStrategy)
                ):
                    return False
    except Exception:  # the halves do not fit together
        return False
    return True


def _alike(answer: Any, again: Any, orders: bool) -> bool:
    if orders:
        return first_other([requests_in(answer)], [requests_in(again)]) is None
    return bool(np.array_equal(np.asarray(answer, np.float64), np.asarray(again, np.float64), equal_nan=True))
