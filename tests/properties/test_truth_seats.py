"""Who gets a seat: the engine against a slow rule that sorts all entrants, on random markets with ties and ranks that are NaN."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from gpt_trader import Allocation, Bars, Costs, FillModel
from gpt_trader.engine.account_memory import grow_logs
from gpt_trader.engine.bar_loop import before_decision, room_in_logs
from gpt_trader.engine.records import V_NONE, V_SLOTS
from gpt_trader.engine.target_weights import allocate
from tests.properties.truth_cases import Floats, days, prepared, scripted

BARS = 60


def random_market(rng: np.random.Generator, symbols: int) -> Bars:
    """Prices that hardly move, some bars missing."""
    panel = np.ones((7, BARS, symbols))
    panel[:4] = 100.0 * np.exp(rng.normal(0.0, 0.001, (BARS, symbols)).cumsum(axis=0))
    panel[4], panel[6] = 1e6, 0.0
    missing = rng.random((BARS, symbols)) < 0.05
    panel[:4, missing] = np.nan
    panel[4, missing] = 0.0
    return Bars(tuple(f"S{n}" for n in range(symbols)), days(BARS), panel)


def random_targets(rng: np.random.Generator, symbols: int) -> Floats:
    """Weights that stand for some bars, many of them alike, some NaN or zero, some short."""
    drawn = rng.choice(
        [1.0, 0.5, 0.25, -0.5, 0.0, np.nan], (BARS, symbols), p=[0.35, 0.15, 0.1, 0.1, 0.2, 0.1]
    )
    changes = rng.random((BARS, symbols)) < 0.2
    last = np.maximum.accumulate(np.where(changes, np.arange(BARS)[:, None], 0), axis=0)
    return np.take_along_axis(drawn, last, axis=0)


def random_ranks(rng: np.random.Generator, symbols: int) -> Floats:
    """Scores of which many are alike or NaN, and some infinite."""
    return rng.choice([np.nan, -np.inf, np.inf, -1.0, 0.0, 1.0, 2.0, 2.5], (BARS, symbols))


class SlowRule:
    """Steps 5.4 and 5.5 by sorting, for weights without filters: who enters, who is kept, and what the log has to say."""

    def __init__(self, seats: int, ranks: Floats | None, symbols: int) -> None:
        self.seats, self.ranks = seats, ranks
        self.last = np.full(symbols, np.nan)
        self.told = np.zeros(symbols, np.bool_)

    def expects(self, t: int, symbols: Any, target: Floats, close: Floats) -> tuple[set[int], list[Any]]:
        """The entrants that are left out in bar t, and (symbol, number left, free seats) of each row of the log, in order."""
        seated = (symbols["qty"] != 0.0) | (symbols["target_order"] != -1)
        wanted = symbols["wanted"].copy()
        for n in np.flatnonzero(~np.isnan(close)):
            if np.isnan(self.last[n]) or np.sign(self.last[n]) != np.sign(target[n]):
                self.told[n] = False  # a new signal
            self.last[n] = target[n]
            if not np.isnan(target[n]):
                wanted[n] = target[n]
            elif not seated[n]:
                wanted[n] = 0.0
        free = max(0, self.seats - int((seated & (wanted != 0.0)).sum()))
        rank = (
            np.abs(wanted)
            if self.ranks is None
            else np.where(np.isnan(self.ranks[t]), -np.inf, self.ranks[t])
        )
        entrants = sorted(np.flatnonzero(~seated & (wanted != 0.0)), key=lambda n: (-rank[n], n))
        rows = [(n, place, free) for place, n in enumerate(entrants, 1) if place > free and not self.told[n]]
        self.told[entrants[free:]] = True
        return set(entrants[free:]), rows[::-1]


@pytest.mark.parametrize("seed", range(60))
def test_seats_are_given_as_by_sorting_all_entrants(seed: int) -> None:
    rng = np.random.default_rng(seed)
    symbols, seats = int(rng.integers(1, 40)), int(rng.integers(1, 12))
    bars, targets = random_market(rng, symbols), random_targets(rng, symbols)
    ranks = random_ranks(rng, symbols) if seed % 2 else None
    options: dict[str, Any] = {
        "allocation": Allocation(gross=float(rng.choice([0.6, 100.0])), max_positions=seats, leverage=100.0),
        "costs": Costs(bps=0.0, spread_bps=0.0, impact=0.0), "fills": FillModel(None),
    }  # fmt: skip
    m, book = prepared(scripted(targets, ranks=ranks), bars, options)
    slow, logged, refused = SlowRule(seats, ranks, symbols), 0, 0
    for t in range(BARS):
        while not room_in_logs(book):
            book = grow_logs(book)
        before_decision(m, book, t)
        out, rows = slow.expects(t, book.symbols.copy(), targets[t], bars.close[t])
        allocate(m, book, targets[t], t)
        log = book.decisions[logged : int(book.account[0]["decisions"])]
        logged += log.size
        found = [(int(row["symbol"]), row["value"], row["limit"]) for row in log if row["rule"] == V_SLOTS]
        assert found == rows, f"bar {t}"
        assert not book.symbols["wanted"][list(out)].any()
        slow.told[log["symbol"][log["rule"] == V_NONE]] = False  # an order was made of it
        refused += len(rows)
    assert refused > 0 or symbols <= seats
