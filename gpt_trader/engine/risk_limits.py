"""Step 5.7 of a bar: the account-wide risk limits; they may only refuse or shrink what the allocator accepted."""

from __future__ import annotations

import numpy as np

from gpt_trader.bars import CLOSE, SPLIT, VOLUME
from gpt_trader.engine.decision_log import SAME_WEIGHT, log_verdict
from gpt_trader.engine.entry_ranks import has_slot, ranks_behind, sort_by_rank
from gpt_trader.engine.jit import inlined, kernel
from gpt_trader.engine.order_book import to_lot
from gpt_trader.engine.records import (
    REFUSED,
    SCALED,
    V_RISK_CASH,
    V_RISK_CORRELATION,
    V_RISK_GROSS,
    V_RISK_NET,
    V_RISK_POSITION,
    V_RISK_SECTOR,
    AccountState,
    MarketData,
)
from gpt_trader.risk import NO_LIMIT


@kernel
def apply_risk_limits(m: MarketData, b: AccountState, t: int) -> None:
    """Position, correlation, sector, gross, net and cash, in this order; reductions always pass."""
    r = b.rules[0]
    for n in range(b.symbols.shape[0]):
        if abs(b.symbols[n].accepted) > r.risk_position + SAME_WEIGHT:
            wanted = b.symbols[n].accepted
            b.symbols[n].accepted = np.sign(wanted) * r.risk_position
            _log_if_changed(b, n, wanted, SCALED, V_RISK_POSITION, abs(wanted), r.risk_position)
    if r.correlation < 1.0:
        _check_entrants(m, b, t)
    _scale_sectors(m, b)
    _scale_all(b, max(0.0, r.risk_gross - b.account[0].in_flight), V_RISK_GROSS)
    _scale_net(b, r.risk_net)
    _scale_all(b, max(0.0, r.leverage - r.risk_cash - b.account[0].in_flight), V_RISK_CASH)


@kernel
def _log_if_changed(
    b: AccountState, n: int, target: float, verdict: int, rule: int, value: float, limit: float
) -> None:
    """Log a verdict when it is new and changes what was acted on."""
    if abs(b.symbols[n].accepted - b.symbols[n].ordered) > SAME_WEIGHT:
        log_verdict(b, n, target, verdict, rule, value, limit)


@kernel
def _scale_all(b: AccountState, cap: float, rule: int) -> None:
    total = 0.0
    for n in range(b.symbols.shape[0]):
        total += abs(b.symbols[n].accepted)
    if total <= cap + SAME_WEIGHT:
        return
    for n in range(b.symbols.shape[0]):
        if b.symbols[n].accepted != 0.0:
            wanted = b.symbols[n].accepted
            b.symbols[n].accepted = wanted * cap / total
            _log_if_changed(b, n, wanted, SCALED, rule, total, cap)


@kernel
def _scale_net(b: AccountState, cap: float) -> None:
    """Shrink the heavier side until |longs - shorts| is within the cap."""
    longs = 0.0
    shorts = 0.0
    for n in range(b.symbols.shape[0]):
        longs += max(0.0, b.symbols[n].accepted)
        shorts += max(0.0, -b.symbols[n].accepted)
    if abs(longs - shorts) <= cap + SAME_WEIGHT:
        return
    side = 1.0 if longs > shorts else -1.0
    heavy = max(longs, shorts)
    factor = (min(longs, shorts) + cap) / heavy
    for n in range(b.symbols.shape[0]):
        if b.symbols[n].accepted * side > 0.0:
            wanted = b.symbols[n].accepted
            b.symbols[n].accepted = wanted * factor
            _log_if_changed(b, n, wanted, SCALED, V_RISK_NET, abs(longs - shorts), cap)


@kernel
def _scale_sectors(m: MarketData, b: AccountState) -> None:
    """Every known sector at most at its cap of gross exposure, in the order of their first symbols."""
    cap = b.rules[0].sector_cap
    if cap >= NO_LIMIT:
        return
    for n in range(b.symbols.shape[0]):
        if m.info[n].leads == 0:
            continue
        total = 0.0
        k = n
        while k >= 0:
            total += abs(b.symbols[k].accepted)
            k = m.info[k].next_peer
        if total <= cap + SAME_WEIGHT:
            continue
        k = n
        while k >= 0:
            if b.symbols[k].accepted != 0.0:
                wanted = b.symbols[k].accepted
                b.symbols[k].accepted = wanted * cap / total
                _log_if_changed(b, k, wanted, SCALED, V_RISK_SECTOR, total, cap)
            k = m.info[k].next_peer


@kernel
def correlation(m: MarketData, t: int, n: int, k: int, bars: int) -> float:
    """Pearson correlation of the simple close returns of symbols n and k over the last `bars` bars (splits removed);
    NaN with fewer than 20 common returns."""
    count = 0
    sx = sy = sxx = syy = sxy = 0.0
    for u in range(max(1, t - bars + 1), t + 1):
        x = m.panel[CLOSE, u, n] * m.panel[SPLIT, u, n] / m.panel[CLOSE, u - 1, n] - 1.0
        y = m.panel[CLOSE, u, k] * m.panel[SPLIT, u, k] / m.panel[CLOSE, u - 1, k] - 1.0
        if np.isnan(x) or np.isnan(y):
            continue
        count += 1
        sx += x
        sy += y
        sxx += x * x
        syy += y * y
        sxy += x * y
    if count < 20:
        return np.nan
    spread = (sxx - sx * sx / count) * (syy - sy * sy / count)
    return (sxy - sx * sy / count) / np.sqrt(spread) if spread > 0.0 else np.nan


@kernel
def _check_entrants(m: MarketData, b: AccountState, t: int) -> None:
    """Judge the entrants by rank, highest score first, ties in symbol order."""
    room = b.open_orders[b.account[0].open_orders :]  # room for two lists, behind the ids of live orders
    symbols = b.symbols.shape[0]
    candidates, exposed = room[:symbols], room[symbols : 2 * symbols]
    entrants = exposures = 0
    for n in range(symbols):
        s = b.symbols[n]
        candidates[entrants] = n
        entrants += int((s.accepted != 0.0) & (not has_slot(b, n)))
        exposed[exposures] = n
        exposures += int((s.accepted != 0.0) | (s.qty != 0.0))
    sort_by_rank(m, b, t, candidates[:entrants])
    for k in range(entrants):
        _check_correlation(m, b, t, candidates[k], exposed[:exposures])
        if b.symbols[candidates[k]].accepted != 0.0:
            b.account[0].needs_allocation = 1  # if its weight is too small for an order, it is judged again


@kernel
def _check_correlation(m: MarketData, b: AccountState, t: int, n: int, exposed: np.ndarray) -> None:
    """Refuse an entrant whose returns move above the limit with those of a symbol on the same side that came before it:
    one that is held, one whose opening order works, or an entrant of a higher rank. `exposed` lists all that may."""
    r = b.rules[0]
    for i in range(exposed.shape[0]):
        k = exposed[i]
        if k == n:
            continue
        s = b.symbols[k]
        side = s.qty if s.qty != 0.0 else s.accepted
        if side * b.symbols[n].accepted <= 0.0:
            continue
        if not has_slot(b, k) and ranks_behind(m, b, t, k, n):
            continue
        value = correlation(m, t, n, k, int(r.correlation_bars))
        if value > r.correlation:
            wanted = b.symbols[n].accepted
            b.symbols[n].accepted = 0.0
            b.symbols[n].wanted = 0.0
            b.symbols[n].requested = np.nan
            log_verdict(b, n, wanted, REFUSED, V_RISK_CORRELATION, value, r.correlation)
            return


@inlined
def order_volume_limit(m: MarketData, b: AccountState, t: int, n: int, delta: float) -> float:
    """An order that opens or increases is at most a share of the decision bar's volume."""
    share = b.rules[0].order_volume
    s = b.symbols[n]
    if share <= 0.0 or b.account[0].bar < m.info[n].first_volume or s.qty * delta < 0.0 or share >= NO_LIMIT:
        return delta
    most = to_lot(share * m.panel[VOLUME, t, n], m.info[n].lot)
    return np.sign(delta) * min(abs(delta), most)
