"""Whether the very code of a run was checked for look-ahead: the checks on record, and the one state that follows from them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import numpy as np

from gpt_trader.checking.check_report import CAUSAL, CHECK_VERSION, FAIL, NOT_APPLICABLE
from gpt_trader.strategy import Strategy, strategy_name
from gpt_trader.strategy_code import code_hash
from gpt_trader.version import __version__

if TYPE_CHECKING:
    from gpt_trader.bars import Bars
    from gpt_trader.check import CheckReport, Finding

FINDING_CHARACTERS = 300
CHECK_FILE = "gpt-trader check FILE"


class Outcome(StrEnum):
    """How a check ended: no answer moved with later bars, one did, or it could not be told, as of a rule that is random."""

    PASSED = "passed"
    FAILED = "failed"
    UNPROVED = "unproved"


class LookAheadState(StrEnum):
    """What is known of the look-ahead of some code with some parameters, the worst first."""

    FAILED = "failed"
    NEVER = "never_checked"
    UNPROVED = "unproved"
    OUTDATED = "outdated"
    OTHER_PARAMETERS = "other_parameters"
    PASSED = "passed"


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
    outcome: Outcome
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
        return self.outcome is Outcome.PASSED

    def takes_back(self, failure: CheckRecord) -> bool:
        """Whether this check, with the same parameters on the same data and made later, shows that the failure was none: it has
        tried every bar, or it is of a newer version. Other bars, or a file that is now allowed, show nothing."""
        newer = (self.version, self.code_version) != (failure.version, failure.code_version)
        return (
            self.passed
            and (self.parameters, self.data) == (failure.parameters, failure.data)
            and self.version >= failure.version
            and (self.samples >= self.bars - 1 or (newer and self.samples >= failure.samples))
            and _moment(self) > _moment(failure)
        )


@dataclass(frozen=True, slots=True)
class LookAhead:
    """The state of some code, the check that decides it (None for code that was never checked), the command that would
    check it, and `where` nobody knows of a check when that is not the whole store (" in this process")."""

    state: LookAheadState = LookAheadState.NEVER
    check: CheckRecord | None = None
    command: str = CHECK_FILE
    where: str = ""

    @property
    def text(self) -> str:
        """The state in one line."""
        found = self.check
        if found is None:
            return f"never checked for look-ahead{self.where}: run `{self.command}`"
        day = "" if found.checked_at is None else f" on {found.checked_at:%Y-%m-%d}"
        if self.failed:
            return f"FAILED the look-ahead check{day}: {found.finding or 'its answers move with bars of the future'}"
        if self.state is LookAheadState.UNPROVED:
            return f"could not be checked for look-ahead{day}: {found.finding}"
        if self.state is LookAheadState.OUTDATED:
            return f"passed an older, weaker look-ahead check{day} only: run `{self.command}`"
        if self.state is LookAheadState.OTHER_PARAMETERS:
            return f"checked for look-ahead{day} with other parameters ({_listed(found.parameters)})"
        return f"passed the look-ahead check{day or ', which the tests of GPT-Trader run'}"

    @property
    def failed(self) -> bool:
        """Whether the code is known to look ahead."""
        return self.state is LookAheadState.FAILED

    @property
    def doubt(self) -> str:
        """What a verdict has to begin with; empty for code that passed, though with other parameters."""
        if self.failed:
            return f"This code {self.text.rstrip('.')}. What it earned here it could not have earned."
        if self.state in (LookAheadState.NEVER, LookAheadState.UNPROVED, LookAheadState.OUTDATED):
            return f"This code {'was ' if self.check is None else ''}{self.text.rstrip('.')}."
        return ""

    def as_object(self) -> dict[str, Any]:
        """The JSON object of it: the state, the line, and the check that decides."""
        found = self.check
        told = (
            "checked_at",
            "version",
            "parameters",
            "finding",
            "symbols",
            "timeframe",
            "start",
            "end",
            "bars",
            "samples",
        )
        fields = dict.fromkeys(told) if found is None else {name: asdict(found)[name] for name in told}
        return {"state": self.state.value, "text": self.text, **fields}


def judged(
    checks: Iterable[CheckRecord],
    parameters: Mapping[str, Any] | None,
    command: str = CHECK_FILE,
    version: int = CHECK_VERSION,
) -> LookAhead:
    """The state of code with these `checks` on record, run with `parameters` (None: with which ones is not known).

    A failure is a proof, and stands for all parameters until the code changes; only a check with the same parameters on the same
    data takes it back, when it tries every bar, or is of a newer version. A pass proves nothing about other parameters, one of an
    older version nothing at all, and one that a later check with the same parameters could not repeat neither.
    """
    known = sorted(checks, key=_moment)
    passes = [check for check in known if check.passed]
    standing = [
        check
        for check in known
        if check.outcome is Outcome.FAILED and not any(each.takes_back(check) for each in passes)
    ]
    if standing:
        return LookAhead(LookAheadState.FAILED, standing[-1], command)
    wanted = None if parameters is None else plain(parameters)
    current = [check for check in passes if check.version >= version]
    exact = [check for check in current if wanted is None or check.parameters in (None, wanted)]
    unproved = [check for check in known if check.outcome is Outcome.UNPROVED and check.version >= version]
    vain = [check for check in unproved if wanted is None or check.parameters == wanted]
    if vain and (not exact or _moment(vain[-1]) > _moment(exact[-1])):
        return LookAhead(LookAheadState.UNPROVED, vain[-1], command)
    for state, found in (
        (LookAheadState.PASSED, exact), (LookAheadState.OTHER_PARAMETERS, current), (LookAheadState.UNPROVED, unproved),
        (LookAheadState.OUTDATED, passes),
    ):  # fmt: skip
        if found:
            return LookAhead(state, found[-1], command)
    return LookAhead(command=command)


def worst(states: Iterable[LookAhead]) -> LookAhead:
    """The one of several that says least for the run; of none that it was never checked."""
    order = list(LookAheadState)
    return min(states, key=lambda each: order.index(each.state), default=LookAhead())


def record_of(
    strategy: Strategy, report: CheckReport, bars: Bars, checked_at: datetime | None = None
) -> CheckRecord:
    """What a `report` of `check_strategy(strategy, bars)` leaves on record; `checked_at` is now when it is not given."""
    from gpt_trader.research.trial_identity import data_hash

    found = report.state(CAUSAL)
    outcome = {FAIL: Outcome.FAILED, NOT_APPLICABLE: Outcome.UNPROVED}.get(found, Outcome.PASSED)
    leaks = [item for item in report.findings if item.test == CAUSAL]
    moment = datetime.now(UTC) if checked_at is None else checked_at
    return CheckRecord(
        code=code_hash(type(strategy)),
        strategy=strategy_name(type(strategy)),
        parameters=plain(_parameters(strategy)),
        version=CHECK_VERSION,
        outcome=outcome,
        finding="" if outcome is Outcome.PASSED else _finding(leaks or report.findings),
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


# -- what was checked in this process ------------------------------------------------------------------------------------

_HERE: list[CheckRecord] = []


def remember(check: CheckRecord) -> None:
    """Keep a check for `known_here`, as long as this process lives."""
    _HERE.append(check)


def known_here(strategy: type[Strategy]) -> tuple[CheckRecord, ...]:
    """The checks of this code that are known without a store: those made in this process, and of a shipped strategy those
    of GPT-Trader's tests."""
    from gpt_trader.shipped_checks import shipped_check

    code = code_hash(strategy)
    shipped = shipped_check(code)
    return (*(() if shipped is None else (shipped,)), *(check for check in _HERE if check.code == code))


def look_ahead_here(runs: Sequence[tuple[type[Strategy], Mapping[str, Any]]]) -> LookAhead:
    """The state of strategies with their parameters, the worst of several, as far as this process knows."""
    found = worst(judged(known_here(strategy), parameters) for strategy, parameters in runs)
    return replace(found, command="gpt_trader.check_strategy(strategy, bars)", where=" in this process")


def _parameters(strategy: Strategy) -> dict[str, Any]:
    from gpt_trader.result import parameters_in

    return parameters_in(strategy)


def _listed(parameters: Mapping[str, Any] | None) -> str:
    return ", ".join(f"{name}={value}" for name, value in (parameters or {}).items()) or "none"


def _moment(check: CheckRecord) -> datetime:
    return check.checked_at or datetime.min  # noqa: DTZ901 - naive UTC throughout
