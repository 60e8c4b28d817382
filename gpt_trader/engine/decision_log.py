"""The log of decisions: one row for every order of a target, and one for every verdict that is new."""

from __future__ import annotations

from gpt_trader.engine.jit import inlined, kernel
from gpt_trader.engine.records import REFUSED, V_MIN_REBALANCE, V_NONE, AccountState

SAME_WEIGHT = 1e-12
LOOK_BACK = 16  # rows: more than there are rules that may bind at once


@inlined
def log_decision(
    b: AccountState, n: int, target: float, verdict: int, rule: int, value: float, limit: float
) -> int:
    """Append one row to the decision log; returns its id."""
    account = b.account[0]
    row = b.decisions[account.decisions]
    row.bar = account.bar
    row.symbol = n
    row.target = target
    row.accepted = b.symbols[n].accepted
    row.verdict = verdict
    row.rule = rule
    row.value = value
    row.limit = limit
    row.before = b.symbols[n].last_row
    b.symbols[n].last_row = account.decisions
    account.decisions += 1
    account.decision_ids += 1
    return account.decision_ids - 1


@kernel
def log_verdict(
    b: AccountState, n: int, target: float, verdict: int, rule: int, value: float, limit: float
) -> None:
    """Append a row for a verdict that is new: a refused entry once, a changed weight once per weight, for each signal and order."""
    if not already_logged(b, n, verdict, rule):
        log_decision(b, n, target, verdict, rule, value, limit)


@inlined
def already_logged(b: AccountState, n: int, verdict: int, rule: int) -> bool:
    """Whether the log has this verdict already among the rows of symbol n since its last order and its last new signal."""
    s = b.symbols[n]
    row = s.last_row
    for _ in range(LOOK_BACK):
        if row < 0:
            return False
        found = b.decisions[row]
        if found.rule == V_NONE or found.bar < s.signal_bar:
            return False
        if found.rule == rule and found.verdict == verdict:
            entry = verdict == REFUSED and rule != V_MIN_REBALANCE
            return entry or abs(found.accepted - s.accepted) <= SAME_WEIGHT
        row = found.before
    return False
