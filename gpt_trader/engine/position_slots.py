"""Step 5.5 of a bar: who gets a position slot where more symbols are wanted than positions are allowed."""

from __future__ import annotations

import numpy as np

from gpt_trader.engine.decision_log import already_logged, log_decision
from gpt_trader.engine.entry_ranks import best_to_front, count_ranked_before, sort_by_rank
from gpt_trader.engine.jit import inlined, kernel
from gpt_trader.engine.records import REFUSED, V_RISK_POSITIONS, V_SLOTS, AccountState, MarketData


@kernel
def take_slots(m: MarketData, b: AccountState, t: int, entrants: int, free: int) -> float:
    """Step 5.5: holders keep their slots, the `entrants` listed behind the live orders take the `free` ones by score; the rest are
    refused for this bar, the worst first. Returns the sum of the absolute weights that are left."""
    rule = V_RISK_POSITIONS if b.rules[0].risk_slots > 0.0 else V_SLOTS
    room = b.open_orders[b.account[0].open_orders :]
    candidates, unlogged = room[:entrants], room[entrants : 2 * entrants]
    best_to_front(m, b, t, candidates, free)
    refused = candidates[free:]
    news = 0
    for k in range(refused.shape[0]):
        unlogged[news] = refused[k]
        news += int(not already_logged(b, refused[k], REFUSED, rule))
    if news > 0:
        _refuse_in_order(
            m, b, t, refused, unlogged[:news], room[2 * entrants : 2 * entrants + news], rule, free
        )
    for k in range(refused.shape[0]):
        _refuse_slot(b, refused[k])
    total = 0.0
    for n in range(b.symbols.shape[0]):
        total += abs(b.symbols[n].accepted)
    return total


@kernel
def _refuse_in_order(
    m: MarketData,
    b: AccountState,
    t: int,
    refused: np.ndarray,
    unlogged: np.ndarray,
    behind: np.ndarray,
    rule: int,
    free: int,
) -> None:
    """Log the refusals that the log does not know yet, the worst first, each with the number of entrants that were left then.

    `behind[k]` counts the other refused that rank before the next of the sorted `unlogged`, but behind its entry k.
    """
    sort_by_rank(m, b, t, unlogged)
    behind[:] = 0
    for k in range(refused.shape[0]):
        place = count_ranked_before(m, b, t, unlogged, refused[k])
        if place > 0:
            behind[place - 1] += 1
    left = refused.shape[0] + free
    for k in range(unlogged.shape[0] - 1, -1, -1):
        n = unlogged[k]
        left -= behind[k]
        target = b.symbols[n].wanted
        _refuse_slot(b, n)
        log_decision(b, n, target, REFUSED, rule, float(left), float(free))


@inlined
def _refuse_slot(b: AccountState, n: int) -> None:
    """An entrant that gets no slot in this bar."""
    s = b.symbols[n]
    s.wanted = 0.0
    s.accepted = 0.0
    s.requested = np.nan
