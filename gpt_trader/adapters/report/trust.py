"""What stands above every report: whether the code was checked for look-ahead, and what is too good to be true."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from gpt_trader.look_ahead import LookAhead, LookAheadState

if TYPE_CHECKING:
    from gpt_trader.validation.summary import TrialStatistics

TONES = {
    LookAheadState.FAILED: "failed",
    LookAheadState.NEVER: "open",
    LookAheadState.UNPROVED: "open",
    LookAheadState.OUTDATED: "open",
    LookAheadState.OTHER_PARAMETERS: "passed",
    LookAheadState.PASSED: "passed",
}


class Line(NamedTuple):
    """A line of the banner and how loud it is: failed (an alert), open (a warning) or passed (a note)."""

    tone: str
    text: str


def trust_in(statistics: TrialStatistics, more: Sequence[str] = ()) -> dict[str, Any]:
    """The banner of the page of one run, with `more` that is too good than its own numbers."""
    return trust({"": statistics.look_ahead or LookAhead()}, [*statistics.too_good, *more])


def trust(states: Mapping[str, LookAhead], too_good: Sequence[str] = ()) -> dict[str, Any]:
    """The banner of a page, for the template: the states by the name of the strategy ("" for the only one), then what is too
    good."""
    lines = [Line(TONES[state.state], _sentence(name, state.text)) for name, state in states.items()]
    lines += [Line("failed", _sentence("", text)) for text in too_good]
    return {"trust": lines}


def _sentence(name: str, text: str) -> str:
    sentence = f"{name}: {text}" if name else text
    return sentence[:1].upper() + sentence[1:] + "."
