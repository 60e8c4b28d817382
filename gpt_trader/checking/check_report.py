"""What a check found: faults, warnings, and the verdict of each proof."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from gpt_trader.bars import Bars
from gpt_trader.source_lines import source_line
from gpt_trader.strategy import Strategy

REPEAT, CAUSAL, ROWS, WARM_UP = "repeat", "causal", "rows", "warm-up"
PROOFS = (REPEAT, CAUSAL, ROWS, WARM_UP)
OK, WARNING, FAIL, NOT_APPLICABLE = "ok", "warning", "fail", "not applicable"
CHECK_VERSION = 3  # rises when a check finds what an earlier one passed


@dataclass(frozen=True, slots=True)
class Finding:
    """One fault or warning: of which proof `test` (one of PROOFS), on what, at which bar, seen and expected value.

    `subject` is the feature, or the method of the strategy ("decide", "features", "declared_exits"); `line` the line of the
    strategy's file (0 unknown). The values are text where the feature is, NaN where there is none.
    """

    test: str
    subject: str
    line: int
    bar: int
    time: str
    expected: float | str
    got: float | str
    message: str


@dataclass(frozen=True, slots=True)
class CheckReport:
    """The verdicts. `findings` are faults, `warnings` what is no fault but should be known, each the first of its kind.

    The future was changed at `samples` of the `bars` bars, and `screened` more were computed anew from their last bars alone;
    `warmup` bars of history give the right last row (None: no number does).
    `not_applicable` names the proofs that say nothing about this strategy, with the reason.
    """

    strategy: str
    bars: int
    samples: int
    findings: tuple[Finding, ...]
    warmup: int | None
    warnings: tuple[Finding, ...] = ()
    not_applicable: tuple[tuple[str, str], ...] = ()
    screened: int = 0

    @property
    def ok(self) -> bool:
        """True when no fault was found."""
        return not self.findings

    def state(self, test: str) -> str:
        """How the proof `test` ended: "ok", "warning", "fail" or "not applicable"."""
        if any(finding.test == test for finding in self.findings):
            return FAIL
        if test in dict(self.not_applicable):
            return NOT_APPLICABLE
        return WARNING if any(warning.test == test for warning in self.warnings) else OK

    def verdict(self, test: str) -> bool:
        """True when the proof `test` found no fault."""
        return self.state(test) != FAIL

    @property
    def repeat(self) -> bool:
        """The same bars gave the same answers twice."""
        return self.verdict(REPEAT)

    @property
    def causal(self) -> bool:
        """No answer at t moved when the bars after t changed."""
        return self.verdict(CAUSAL)

    @property
    def rows(self) -> bool:
        """All bars at once and one bar at a time gave the same decisions."""
        return self.verdict(ROWS)

    @property
    def warm_up(self) -> bool:
        """A bounded history gives the same last row, or the strategy does not claim so."""
        return self.verdict(WARM_UP)


def finding(
    strategy: Strategy,
    test: str,
    subject: str,
    bars: Bars,
    bar: int,
    message: str,
    expected: Any = np.nan,
    got: Any = np.nan,
) -> Finding:
    """A Finding with its line in the strategy's file and the time of its bar."""
    line = source_line(type(strategy), subject)
    return Finding(test, subject, line, bar, time_text(bars, bar), _shown(expected), _shown(got), message)


def first_of_each(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """One finding per test and subject: the one at the earliest bar."""
    first: dict[tuple[str, str], Finding] = {}
    for item in sorted(findings, key=lambda item: item.bar):
        first.setdefault((item.test, item.subject), item)
    return tuple(first.values())


def time_text(bars: Bars, t: int) -> str:
    """The time of bar t in UTC: the date, and the minute where it is not midnight."""
    return str(bars.time[t].astype("datetime64[m]")).removesuffix("T00:00")


def _shown(value: Any) -> float | str:
    real = isinstance(value, int | float | np.integer | np.floating | np.bool_)
    return float(value) if real else str(value)
