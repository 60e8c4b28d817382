"""The bugs that are planted: each a textual change of one engine file, and the test files of which at least one must then fail.

`old` occurs exactly once in the file; a patch that no longer applies fails its test and must be renewed together with the engine.
"""

from __future__ import annotations

from dataclasses import dataclass

EVENTS = "tests/properties/test_truth_events.py"
EXITS = "tests/properties/test_truth_exits.py"
RULES = "tests/properties/test_truth_rules.py"
ACCOUNTING = "tests/properties/test_truth_accounting.py"
TRUTH = "tests/properties/test_truth.py"
QUIET = "tests/unit/test_engine_quiet.py"


@dataclass(frozen=True, slots=True)
class Patch:
    """One planted bug: `name` says what goes wrong, `file` lies in gpt_trader/engine, `tests` are run against it."""

    name: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]


PATCHES = (
    # -- timing
    Patch(
        "market orders fill at the close of the decision bar",
        "matching.py",
        "filled = execute(m, b, t, order, m.panel[OPEN, t, n], False)",
        "filled = execute(m, b, t, order, m.panel[CLOSE, t - 1, n], False)",
        (TRUTH,),
    ),
    Patch(
        "decisions are made on the target of the next bar",
        "loop.py",
        "allocate(m, b, targets[t], t)",
        "allocate(m, b, targets[min(t + 1, stop - 1)], t)",
        (TRUTH,),
    ),
    Patch(
        "the shortcut runs over corporate actions",
        "loop.py",
        "m.flags[end] & EVENT == 0",
        "m.flags[end] >= 0",
        (QUIET, EVENTS),
    ),
    Patch(
        "a position is a bar older than it is",
        "marking.py",
        "if s.opened < t:",
        "if s.opened <= t:",
        (EXITS, EVENTS),
    ),
    # -- corporate actions
    Patch(
        "a dividend goes to who buys on the ex-date",
        "loop.py",
        "        corporate_actions(m, b, t)\n        if account.markets > 0:\n            match_open(m, b, t)\n",
        "        if account.markets > 0:\n            match_open(m, b, t)\n        corporate_actions(m, b, t)\n",
        (EVENTS,),
    ),
    Patch(
        "a split does not reach resting orders",
        "corporate.py",
        "        if o.symbol == n:\n",
        "        if o.symbol == -2:\n",
        (EVENTS,),
    ),
    Patch("a split does not reach the trailing peak", "corporate.py", "    s.peak /= ratio\n", "", (EVENTS,)),
    Patch(
        "the fraction of a share that a split leaves is lost",
        "corporate.py",
        "        _pay(b, n, (exact - whole) * s.mark)\n",
        "",
        (EVENTS, ACCOUNTING),
    ),
    Patch(
        "the borrow fee is earned",
        "corporate.py",
        "            account.cash -= fee\n",
        "            account.cash += fee\n",
        (EVENTS,),
    ),
    # -- costs and cash
    Patch(
        "costs are earned",
        "ledger.py",
        "account.cash -= quantity * price + costs",
        "account.cash -= quantity * price - costs",
        (ACCOUNTING,),
    ),
    Patch(
        "trades forget their costs",
        "ledger.py",
        "row.pnl = row.gross_pnl - s.costs + s.income",
        "row.pnl = row.gross_pnl + s.income",
        (ACCOUNTING,),
    ),
    Patch(
        "impact is linear in the share of the volume",
        "ledger.py",
        "r.impact * share * share",
        "r.impact * share",
        (ACCOUNTING,),
    ),
    Patch("buying power is ignored", "ledger.py", "if most < increase:", "if most < 0.0:", (ACCOUNTING,)),
    Patch(
        "the average entry is the last price",
        "ledger.py",
        "s.entry = (s.entry * s.qty + price * quantity) / (s.qty + quantity)",
        "s.entry = price",
        (EXITS,),
    ),
    Patch(
        "the volume cap counts every fill anew",
        "ledger.py",
        "used = s.used if s.used_bar == t else 0.0",
        "used = 0.0",
        (ACCOUNTING, EXITS),
    ),
    # -- limits of the allocator
    Patch(
        "the gross cap is ignored",
        "allocating.py",
        "    if total <= cap:\n",
        "    if total <= 1e9 * cap:\n",
        (RULES,),
    ),
    Patch(
        "one position too many",
        "ledger.py",
        "b.account[0].positions >= r.max_positions",
        "b.account[0].positions > r.max_positions",
        (RULES,),
    ),
    Patch(
        "a declared exit locks nothing",
        "allocating.py",
        "    if s.lock != 0:\n",
        "    if s.lock > 5:\n",
        (EXITS,),
    ),
    Patch(
        "the cooldown is a bar short",
        "allocating.py",
        "t - s.last_exit < r.cooldown",
        "t - s.last_exit < r.cooldown - 1.0",
        (RULES,),
    ),
    Patch(
        "one confirmation too few",
        "allocating.py",
        "s.streak < r.confirm",
        "s.streak < r.confirm - 1.0",
        (RULES,),
    ),
    Patch(
        "the regime filter is upside down",
        "allocating.py",
        "m.flags[t] & REGIME == 0",
        "m.flags[t] & REGIME != 0",
        (RULES,),
    ),
    Patch(
        "the weekly cadence decides on the last bar of the week",
        "allocating.py",
        "return not same_week(m, t, t - 1)",
        "return t + 1 < m.time.size and not same_week(m, t, t + 1)",
        (RULES,),
    ),
    Patch(
        "risk sizing forgets k",
        "allocating.py",
        "distance = r.atr_k * m.signals[ATR_SIZE, t, n]",
        "distance = m.signals[ATR_SIZE, t, n]",
        (RULES,),
    ),
    Patch(
        "the minimum rebalance is ignored",
        "allocating.py",
        "abs(delta) * close < r.min_rebalance * equity",
        "r.min_rebalance > 9.0",
        (RULES,),
    ),
    Patch(
        "a day's loss stops entries for good",
        "marking.py",
        "account.halt &= ~HALT_DAY",
        "account.halt |= 0",
        (RULES,),
    ),
    # -- exits
    Patch(
        "the ATR stop loosens",
        "exit_levels.py",
        "if not np.isnan(level) and (np.isnan(s.atr_stop) or side * (level - s.atr_stop) > 0.0):",
        "if not np.isnan(level):",
        (EXITS,),
    ),
    Patch(
        "a stop fills at its level although the bar opened beyond it",
        "matching.py",
        "price = min(m.panel[OPEN, t, n], level) if long else max(m.panel[OPEN, t, n], level)",
        "price = level",
        (EXITS,),
    ),
    Patch(
        "the peak follows the worst close",
        "marking.py",
        "s.peak = max(s.peak, close) if s.qty > 0.0 else min(s.peak, close)",
        "s.peak = close",
        (EXITS,),
    ),
    Patch(
        "the time stop is a bar late", "marking.py", "s.age >= r.time_stop", "s.age > r.time_stop", (EXITS,)
    ),
    Patch(
        "an exit leaves the other orders of its symbol alive",
        "ledger.py",
        "    cancel_symbol_orders(b, n, NO_ORDER, R_EXITED)\n    forget_target(b, n, side)\n",
        "    forget_target(b, n, side)\n",
        (EXITS,),
    ),
    Patch(
        "reductions wait for the entries",
        "matching.py",
        "for reducing in (True, False):",
        "for reducing in (False, True):",
        (EXITS,),
    ),
)
