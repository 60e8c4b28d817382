"""Steps 5 and 6 of a bar: from target weights through filters, slots and caps to market orders."""

from __future__ import annotations

import numpy as np

from gpt_trader.bars import CLOSE
from gpt_trader.engine.account_clock import same_month, same_week
from gpt_trader.engine.decision_log import SAME_WEIGHT, log_decision, log_verdict
from gpt_trader.engine.entry_ranks import has_slot
from gpt_trader.engine.jit import inlined, kernel
from gpt_trader.engine.order_book import NO_ORDER, append_order, cancel_order, in_flight, to_lot
from gpt_trader.engine.position_slots import take_slots
from gpt_trader.engine.positions import DUST, SMALL
from gpt_trader.engine.records import (
    ATR_SIZE,
    ENDED,
    MARKET,
    R_REPLACED,
    R_TARGET,
    REFUSED,
    REGIME,
    REPLACED,
    SCALED,
    TARGET,
    V_CONFIRM,
    V_COOLDOWN,
    V_GROSS,
    V_HALT,
    V_LOCKED,
    V_MIN_REBALANCE,
    V_NONE,
    V_ORDER_VOLUME,
    V_POSITION,
    V_REGIME,
    V_SHORT,
    V_SIZE,
    AccountState,
    MarketData,
)
from gpt_trader.engine.risk_limits import apply_risk_limits, order_volume_limit

KEEP, CHANGED, RENEWED = 0, 1, 2


@inlined
def decision_bar(b: AccountState) -> bool:
    """True when targets count in this bar: always, or on the first bar of the account and of each ISO week or month."""
    cadence = b.rules[0].cadence
    if cadence == 0.0:
        return True
    if cadence == 1.0:
        return not same_week(b)
    return not same_month(b)


@inlined
def _sign(x: float) -> int:
    return 1 if x > 0.0 else (-1 if x < 0.0 else 0)


@inlined
def nothing_new(b: AccountState, target: np.ndarray) -> bool:
    """True when every symbol's target is what it was and what was made of it stands: the whole step may be skipped."""
    account = b.account[0]
    if account.needs_allocation != 0 or b.rules[0].rebalance_bar > 0.0 or b.rules[0].cadence > 0.0:
        return False
    for n in range(b.symbols.shape[0]):
        s = b.symbols[n]
        w = target[n]
        if np.isnan(w):
            if not np.isnan(s.previous_target):
                return False
        elif w != s.previous_target or w != s.requested:
            return False
    return True


@inlined
def allocate(m: MarketData, b: AccountState, target: np.ndarray, t: int) -> None:
    """Steps 5 and 6 for bar t: `target` is (N,) weights (or units); NaN leaves a symbol as it is."""
    if nothing_new(b, target):
        for n in range(b.symbols.shape[0]):
            if not (np.isnan(target[n]) or np.isnan(m.panel[CLOSE, t, n])):
                b.symbols[n].signal_bars += 1
    else:
        _allocate(m, b, target, t)


@inlined
def _allocate(m: MarketData, b: AccountState, target: np.ndarray, t: int) -> None:
    order_accepted(m, b, t, accept_targets(m, b, target, t))


@inlined
def accept_targets(m: MarketData, b: AccountState, target: np.ndarray, t: int) -> int:
    """Step 5: the weight that is accepted for each symbol. Returns how many symbols are listed as acting, -1 when the list is to be
    made."""
    account = b.account[0]
    r = b.rules[0]
    account.needs_allocation = 0
    account.in_flight = in_flight(m, b, t) if account.external_venue != 0 else 0.0
    decides = decision_bar(b)
    ended = m.flags[t] & ENDED != 0
    free = int(r.max_positions)
    entrants = 0
    candidates = b.open_orders[account.open_orders :]  # room for a list, behind the ids of live orders
    total = 0.0
    acting = 0
    for n in range(b.symbols.shape[0]):
        _update_wanted(m, b, t, n, target[n], decides, ended)
        s = b.symbols[n]
        s.accepted = s.wanted
        wanted = int(abs(s.wanted) > 0.0)  # no branches here: which symbols are wanted is hard to foretell
        holds_slot = int(has_slot(b, n))
        total += abs(s.wanted)
        free -= wanted & holds_slot
        candidates[entrants] = n
        entrants += wanted & (1 - holds_slot)
        if _needs_order(b, n):
            b.symbols[acting].acting = n
            acting += 1
    renews = (r.rebalance_bar > 0.0 or r.cadence > 0.0) and r.sizing == 0.0
    limited = r.risk_on > 0.0 and r.units == 0.0
    stands = not (renews or limited or entrants > max(free, 0) or total > r.gross - account.in_flight)
    if entrants > max(free, 0):
        total = take_slots(m, b, t, entrants, max(free, 0))
    _scale_to_gross(b, total)
    if limited:
        apply_risk_limits(m, b, t)
    return acting if stands else -1


@inlined
def order_accepted(m: MarketData, b: AccountState, t: int, acting: int) -> None:
    """Step 6: orders for the accepted weights of the `acting` symbols that are listed, -1 for those that differ from what was acted
    on."""
    r = b.rules[0]
    if acting < 0:
        renews = (r.rebalance_bar > 0.0 or r.cadence > 0.0) and r.sizing == 0.0
        acting = 0
        for n in range(b.symbols.shape[0]):
            if renews or _needs_order(b, n):
                b.symbols[acting].acting = n
                acting += 1
    for k in range(acting):
        s = b.symbols[b.symbols[k].acting]
        _order_symbol(m, b, t, b.symbols[k].acting, s.change, s.bar_target)


@inlined
def _needs_order(b: AccountState, n: int) -> bool:
    """Whether what is accepted for a symbol is not what was last made into an order, or may not have been carried out in full."""
    s = b.symbols[n]
    return abs(s.accepted - s.ordered) > SAME_WEIGHT or s.change == RENEWED or s.shortfall != 0


@inlined
def _update_wanted(
    m: MarketData, b: AccountState, t: int, n: int, w: float, decides: bool, ended: bool
) -> None:
    """Step 5.1 to 5.4 for one symbol where its target is looked at; a target that stands as it did only counts its bars.
    `ended`: some symbol's last session is over."""
    s = b.symbols[n]
    if ended and b.account[0].bar > m.info[n].last_session:
        s.wanted = 0.0
        s.ordered = 0.0
        s.change = KEEP
        s.bar_target = np.nan
    elif not decides or np.isnan(m.panel[CLOSE, t, n]):
        s.change = KEEP
        s.bar_target = np.nan
    else:
        s.bar_target = w
        if w == s.previous_target and w == s.requested and w == s.wanted and s.reentry_lock == 0:
            s.signal_bars += 1
            s.change = CHANGED
        else:
            s.change = _wanted_weight(m, b, t, n, w)


@inlined
def _wanted_weight(m: MarketData, b: AccountState, t: int, n: int, w: float) -> int:
    """Step 5.1 to 5.4 for one symbol: updates its wanted weight; returns KEEP, CHANGED or RENEWED (a number after a NaN)."""
    s = b.symbols[n]
    prev = s.previous_target
    s.previous_target = w
    if np.isnan(w):
        s.signal_bars = 0
        s.requested = np.nan
        if s.qty == 0.0 and s.target_order == NO_ORDER:
            s.wanted = 0.0
        return KEEP
    r = b.rules[0]
    fresh = np.isnan(prev) or _sign(prev) != _sign(w)
    s.signal_bars = 1 if fresh else s.signal_bars + 1
    if fresh:
        s.signal_bar = b.account[0].bar
    if s.reentry_lock != 0:
        if fresh or r.reentry_immediate > 0.0 or _sign(w) != s.reentry_lock:
            s.reentry_lock = 0
        else:
            s.accepted = 0.0
            log_verdict(b, n, w, REFUSED, V_LOCKED, float(s.reentry_lock), 0.0)
            return KEEP
    if w != 0.0 and _sign(w) != _sign(s.wanted):
        rule, value, limit = _entry_rule(m, b, t, n, w)
        if rule != V_NONE:
            if s.wanted != 0.0:
                s.wanted = 0.0
            b.symbols[n].accepted = s.wanted
            s.requested = np.nan
            log_verdict(b, n, w, REFUSED, rule, value, limit)
            return CHANGED
        if r.sizing > 0.0:
            w = _risk_weight(m, b, t, n, w)
        s.wanted = w if r.units > 0.0 else _cut_position(b, n, w)
    elif w == 0.0:
        s.wanted = 0.0
    elif r.sizing == 0.0:
        s.wanted = w if r.units > 0.0 else _cut_position(b, n, w)
    s.requested = s.previous_target if s.wanted != 0.0 or s.previous_target == 0.0 else np.nan
    return RENEWED if np.isnan(prev) and r.sizing == 0.0 else CHANGED


@inlined
def _entry_rule(m: MarketData, b: AccountState, t: int, n: int, w: float) -> tuple[int, float, float]:
    """The first filter that refuses an entry, with its value and limit; V_NONE when none does."""
    s = b.symbols[n]
    r = b.rules[0]
    if b.account[0].halt != 0 or b.account[0].entries_off != 0:
        return V_HALT, float(b.account[0].halt), 0.0
    if w < 0.0 and r.allow_short == 0.0:
        return V_SHORT, w, 0.0
    if s.signal_bars < r.confirm:
        return V_CONFIRM, float(s.signal_bars), r.confirm
    if s.qty * w < 0.0 and r.cooldown > 0.0:  # a reversal: the position closes first, then the new side waits
        return V_COOLDOWN, 0.0, r.cooldown
    since = b.account[0].bar - s.last_exit
    if s.last_exit >= 0 and since < r.cooldown:
        return V_COOLDOWN, float(since), r.cooldown
    if w > 0.0 and r.regime_on > 0.0 and m.flags[t] & REGIME == 0:
        return V_REGIME, 0.0, 1.0
    return V_NONE, 0.0, 0.0


@kernel
def _risk_weight(m: MarketData, b: AccountState, t: int, n: int, w: float) -> float:
    """Weight of floor(equity x risk / (k x ATR)) shares with the sign of w; zero for a worthless price or ATR."""
    r = b.rules[0]
    close = m.panel[CLOSE, t, n]
    distance = r.atr_k * m.signals[ATR_SIZE, t, n]
    equity = b.account[0].equity
    if not (distance > 0.0 and close > 0.0 and equity > 0.0):
        log_verdict(b, n, w, REFUSED, V_SIZE, distance, 0.0)
        return 0.0
    return _sign(w) * to_lot(equity * r.risk / distance, m.info[n].lot) * close / equity


@inlined
def _cut_position(b: AccountState, n: int, w: float) -> float:
    most = b.rules[0].position
    if abs(w) <= most:
        return w
    if b.symbols[n].wanted != np.sign(w) * most:
        b.symbols[n].accepted = np.sign(w) * most
        log_verdict(b, n, w, SCALED, V_POSITION, abs(w), most)
    return np.sign(w) * most


@inlined
def _scale_to_gross(b: AccountState, total: float) -> None:
    """Step 5.6: all wanted weights, of absolute sum `total`, by one factor, so that the sum is at most the gross cap."""
    cap = max(0.0, b.rules[0].gross - b.account[0].in_flight)
    if total <= cap or b.rules[0].units > 0.0:
        return
    for n in range(b.symbols.shape[0]):
        if b.symbols[n].accepted != 0.0:
            b.symbols[n].accepted *= cap / total
            if abs(b.symbols[n].accepted - b.symbols[n].ordered) > SAME_WEIGHT:
                log_verdict(b, n, b.symbols[n].wanted, SCALED, V_GROSS, total, cap)


@inlined
def _order_symbol(m: MarketData, b: AccountState, t: int, n: int, change: int, w: float) -> None:
    """Step 6 for one symbol: replace its open target order by one for the accepted weight, if that is due."""
    s = b.symbols[n]
    r = b.rules[0]
    accepted = b.symbols[n].accepted
    number = not np.isnan(w) and change != KEEP
    due = abs(accepted - s.ordered) > SAME_WEIGHT or (change == RENEWED and accepted != 0.0)
    due = due or (
        number and (r.rebalance_bar > 0.0 or r.cadence > 0.0) and accepted != 0.0 and r.sizing == 0.0
    )
    rest = s.shortfall != 0 and accepted != 0.0 and not due
    if not (due or rest) or s.exiting != 0 or np.isnan(m.panel[CLOSE, t, n]):
        if due or rest:
            b.account[0].needs_allocation = 1
        return
    close = m.panel[CLOSE, t, n]
    equity = b.account[0].equity
    quantity = accepted if r.units > 0.0 else accepted * equity / close
    quantity = to_lot(quantity, m.info[n].lot)
    delta = quantity - s.qty
    if abs(delta) <= SMALL * max(1.0, abs(s.qty)):
        delta = 0.0
    if m.info[n].lot == 0.0 and quantity != 0.0 and abs(delta) * close <= DUST * equity:
        delta = 0.0
    if rest and (delta == 0.0 or s.qty * delta < 0.0):
        s.shortfall = 0
        return
    shortfall = 0
    if b.account[0].halt != 0 and delta != 0.0:
        if s.qty * delta >= 0.0:
            b.account[0].needs_allocation = 1
            if abs(accepted - s.ordered) <= SAME_WEIGHT:  # renewed: it is ordered when the halt is over
                s.shortfall = 1
            return
        if abs(delta) > abs(s.qty):  # while halted a reversal only closes; the rest waits
            delta = -s.qty
            shortfall = 1
    if quantity != 0.0 and s.qty * quantity > 0.0 and abs(delta) * close < r.min_rebalance * equity:
        if rest:
            s.shortfall = 0
        elif abs(accepted - s.ordered) > SAME_WEIGHT:
            b.account[0].needs_allocation = 1
            if change != KEEP:
                log_verdict(
                    b, n, accepted, REFUSED, V_MIN_REBALANCE, abs(delta) * close / equity, r.min_rebalance
                )
        return
    replaced = NO_ORDER
    if s.target_order != NO_ORDER:
        replaced = s.target_order
        cancel_order(b, replaced, REPLACED, R_REPLACED)
    s.ordered = accepted
    allowed = order_volume_limit(m, b, t, n, delta)
    if allowed != delta:
        if not rest:
            log_decision(b, n, accepted, SCALED, V_ORDER_VOLUME, abs(delta), abs(allowed))
        delta = allowed
        shortfall = 1
    s.shortfall = shortfall
    if shortfall != 0:
        b.account[0].needs_allocation = 1
    if delta != 0.0:
        decision = log_decision(b, n, w, 0, V_NONE, equity, close)
        s.target_order = append_order(b, n, delta, MARKET, TARGET, R_TARGET, decision)
        if replaced != NO_ORDER:
            b.orders[s.target_order].replaces = b.orders[replaced].id
