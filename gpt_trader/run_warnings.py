"""What a reader of a result should know before believing it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gpt_trader.engine.records import R_NO_CASH, REJECTED, RULES, SCALED, UNKNOWN, VERDICTS

if TYPE_CHECKING:
    from gpt_trader.result import Result


def run_warnings(result: Result) -> tuple[str, ...]:
    """Sentences about few trades, refused or scaled decisions, cut orders, halts, gaps and stale data."""
    found: list[str] = []
    account = result.outcome.book.account[0]
    trips = int(account["trades"])
    if trips == 0:
        open_now = int(account["positions"])
        found.append(
            f"no closed trade ({open_now} still open): trade statistics are undefined"
            if open_now
            else "no trade at all"
        )
    elif trips < 30:
        found.append(
            f"only {trips} closed trades: win rate, profit factor and expectancy are hardly more than chance"
        )
    found += _verdicts(result)
    orders = result.log("orders")
    cut = int((orders["end_reason"] == R_NO_CASH).sum())
    if cut:
        found.append(f"{cut} orders were cut because the account could not pay for them")
    rejected = int((orders["status"] == REJECTED).sum())
    if rejected:
        found.append(
            f"{rejected} orders were rejected: no price or quantity that counts, or they would open while halted"
        )
    waiting = int((orders["status"] <= UNKNOWN).sum())
    if waiting:
        found.append(f"{waiting} orders were still waiting at the last bar")
    if account["halt"]:
        found.append("trading was halted by a monitor at the end of the run")
    present = result.bars.present[result.first :]
    gaps = int((~present).sum())
    if gaps:
        found.append(f"{gaps} of {present.size} bars are missing (not listed yet, halted or absent)")
    return tuple(found)


def _verdicts(result: Result) -> list[str]:
    log = result.log("decisions")
    found = []
    for verdict in (SCALED, SCALED + 1):
        rules, counts = np.unique(log["rule"][log["verdict"] == verdict], return_counts=True)
        found += [
            f"{count} decisions were {VERDICTS[verdict]} by the rule '{RULES[rule]}'"
            for rule, count in zip(rules, counts, strict=True)
        ]
    return found
