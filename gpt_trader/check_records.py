"""What a check of some code for look-ahead leaves on record: which code, with which parameters, on which bars, how it ended."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import numpy as np

from gpt_trader.checking.check_report import CAUSAL, CHECK_VERSION, FAIL, NOT_APPLICABLE, CheckReport, Finding
from gpt_trader.research.trial_identity import data_hash
from gpt_trader.strategy import Strategy, parameter_values, strategy_name
from gpt_trader.strategy_code import code_hash
from gpt_trader.version import __version__

if TYPE_CHECKING:
    from gpt_trader.bars import Bars

FINDING_CHARACTERS = 300


class CheckOutcome(StrEnum):
    """How a check ended: no answer moved with later bars, one did, or it could not be told, as of a rule that is random."""

    PASSED = "passed"
    FAILED = "failed"
    UNPROVED = "unproved"


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckRecord:
    """One check of some code for look-ahead, as it came out.

    `code` is the `code_hash` of the strategy; `parameters` are as JSON has them, None for "any" (a shipped strategy);
    `version` is the CHECK_VERSION it was made with; `finding` is the first fault, or why nothing could be told ("" when it
    passed); `data` is the `data_hash` of the bars that `symbols`, `start`, `end`, `timeframe` and `bars` describe, `samples`
    the number of bars tried; `checked_at` is naive UTC, None for a check that belongs to this version of GPT-Trader.
    """

    code: str
    strategy: str
    parameters: Mapping[str, Any] | None
    version: int
    outcome: CheckOutcome
    finding: str = ""
    data: str = ""
    symbols: tuple[str, ...] = ()
    start: str = ""
    end: str = ""
    timeframe: str = ""
    bars: int = 0
    samples: int = 0
    checked_at: datetime | None = None
    code_version: str = __version__

    @property
    def shipped(self) -> bool:
        """Whether it is a check that GPT-Trader's own tests make of a strategy it ships."""
        return self.checked_at is None

    @property
    def passed(self) -> bool:
        """Whether no answer moved with later bars."""
        return self.outcome is CheckOutcome.PASSED

    def takes_back(self, failure: CheckRecord) -> bool:
        """Whether this check, with the same parameters on the same data and made later, shows that the failure was none: it has
        tried every bar, or it is of a newer version. Other bars, or a file that is now allowed, show nothing."""
        newer = (self.version, self.code_version) != (failure.version, failure.code_version)
        return (
            self.passed
            and (self.parameters, self.data) == (failure.parameters, failure.data)
            and self.version >= failure.version
            and (self.samples >= self.bars - 1 or (newer and self.samples >= failure.samples))
            and moment_of(self) > moment_of(failure)
        )


def moment_of(check: CheckRecord) -> datetime:
    """When the check was made; of one that belongs to this version of GPT-Trader before all others."""
    return check.checked_at or datetime.min  # noqa: DTZ901 - naive UTC throughout


def record_of(
    strategy: Strategy, report: CheckReport, bars: Bars, checked_at: datetime | None = None
) -> CheckRecord:
    """What a `report` of `check_strategy(strategy, bars)` leaves on record; `checked_at` is now when it is not given."""
    found = report.state(CAUSAL)
    outcome = {FAIL: CheckOutcome.FAILED, NOT_APPLICABLE: CheckOutcome.UNPROVED}.get(
        found, CheckOutcome.PASSED
    )
    leaks = [item for item in report.findings if item.test == CAUSAL]
    moment = datetime.now(UTC) if checked_at is None else checked_at
    return CheckRecord(
        code=code_hash(type(strategy)),
        strategy=strategy_name(type(strategy)),
        parameters=plain(parameter_values(strategy)),
        version=CHECK_VERSION,
        outcome=outcome,
        finding="" if outcome is CheckOutcome.PASSED else _finding(leaks or report.findings),
        data=data_hash(bars.fingerprint()),
        symbols=bars.symbols,
        start=str(bars.time[0].astype("datetime64[s]")),
        end=str(bars.time[-1].astype("datetime64[s]")),
        timeframe=bars.timeframe,
        bars=bars.T,
        samples=int(report.samples),
        checked_at=moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment,
    )


def _finding(found: Sequence[Finding]) -> str:
    """The first fault in a line."""
    if not found:
        return ""
    first = found[0]
    return f"{first.subject}, bar {first.bar} ({first.time}): {first.message}"[:FINDING_CHARACTERS]


def plain(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Parameters as JSON gives them back, so that those of a run and those on record can be compared."""
    read: dict[str, Any] = json.loads(json.dumps(dict(parameters), sort_keys=True, default=_plain))
    return read


def _plain(value: Any) -> Any:
    """A number of NumPy as Python's, anything else as text."""
    return value.item() if isinstance(value, np.generic) else str(value)
