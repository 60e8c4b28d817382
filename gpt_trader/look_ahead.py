"""Whether the very code of a run was checked for look-ahead: the checks on record, and the one state that follows from them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from typing import Any

from gpt_trader.check_records import CheckOutcome, CheckRecord, moment_of, plain
from gpt_trader.checking.check_report import CHECK_VERSION
from gpt_trader.shipped_checks import shipped_check
from gpt_trader.strategy import Strategy
from gpt_trader.strategy_code import code_hash

CHECK_FILE = "gpt-trader check FILE"


class LookAheadState(StrEnum):
    """What is known of the look-ahead of some code with some parameters, the worst first."""

    FAILED = "failed"
    NEVER = "never_checked"
    UNPROVED = "unproved"
    OUTDATED = "outdated"
    OTHER_PARAMETERS = "other_parameters"
    PASSED = "passed"


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
    known = sorted(checks, key=moment_of)
    passes = [check for check in known if check.passed]
    standing = [
        check
        for check in known
        if check.outcome is CheckOutcome.FAILED and not any(each.takes_back(check) for each in passes)
    ]
    if standing:
        return LookAhead(LookAheadState.FAILED, standing[-1], command)
    wanted = None if parameters is None else plain(parameters)
    current = [check for check in passes if check.version >= version]
    exact = [check for check in current if wanted is None or check.parameters in (None, wanted)]
    unproved = [
        check for check in known if check.outcome is CheckOutcome.UNPROVED and check.version >= version
    ]
    vain = [check for check in unproved if wanted is None or check.parameters == wanted]
    if vain and (not exact or moment_of(vain[-1]) > moment_of(exact[-1])):
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


# -- what was checked in this process ------------------------------------------------------------------------------------

_HERE: list[CheckRecord] = []


def remember(check: CheckRecord) -> None:
    """Keep a check for `known_here`, as long as this process lives."""
    _HERE.append(check)


def forget_checks() -> None:
    """Forget what was checked in this process: what runs from now on begins as in a new one."""
    _HERE.clear()


def known_here(strategy: type[Strategy]) -> tuple[CheckRecord, ...]:
    """The checks of this code that are known without a store: those made in this process, and of a shipped strategy those
    of GPT-Trader's tests."""
    code = code_hash(strategy)
    shipped = shipped_check(code)
    return (*(() if shipped is None else (shipped,)), *(check for check in _HERE if check.code == code))


def look_ahead_here(runs: Sequence[tuple[type[Strategy], Mapping[str, Any]]]) -> LookAhead:
    """The state of strategies with their parameters, the worst of several, as far as this process knows."""
    found = worst(judged(known_here(strategy), parameters) for strategy, parameters in runs)
    return replace(found, command="gpt_trader.check_strategy(strategy, bars)", where=" in this process")


def _listed(parameters: Mapping[str, Any] | None) -> str:
    return ", ".join(f"{name}={value}" for name, value in (parameters or {}).items()) or "none"
