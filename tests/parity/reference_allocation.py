"""Steps 5 and 6 of the reference: targets become wanted weights, wanted weights become market orders."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf, isnan, nan

from tests.parity.reference_account import Account
from tests.parity.reference_matching import BarRow
from tests.parity.reference_risk import World, limited
from tests.parity.reference_types import CRUMB, DUST, TINY, Kind, Order, Position, Row, sign, to_lot


@dataclass(frozen=True, slots=True)
class Now:
    """What steps 5 and 6 know about bar t besides the account; `atr` on the shares as traded."""

    t: int
    row: BarRow
    targets: Row
    atr: Row
    score: Row
    regime: bool
    halted: bool
    decides: bool  # the cadence lets targets count at this bar
    units: bool
    world: World | None = None  # what the risk limits look at; None without limits


def allocate(account: Account, now: Now) -> None:
    """Steps 5 and 6 for all symbols."""
    looked_at = [now.decides and bar is not None for bar in now.row]
    before = [position.previous for position in account.positions]
    for position in account.positions:
        if looked_at[position.symbol]:
            _want(account, now, position, now.targets[position.symbol])
    _seats(account, now)
    accepted = _gross(account, now)
    if now.world is not None and not now.units:
        ranks = [_rank(now, p) for p in account.positions]
        accepted = limited(account, now.world, now.t, accepted, ranks)
    equity = account.equity()
    for position, previous in zip(account.positions, before, strict=True):
        n = position.symbol
        if now.row[n] is None or account.leaving(n):
            continue
        target = now.targets[n] if looked_at[n] else nan
        if _acts(account, now, position, target, previous, accepted[n]):
            _order(account, now, position, accepted[n], equity)
        elif position.rest and accepted[n] != 0.0:
            _rest(account, now, position, accepted[n], equity)


def _want(account: Account, now: Now, p: Position, target: float) -> None:
    """Items 1 to 4: the new `base` of one symbol."""
    new_signal = not isnan(target) and (isnan(p.previous) or sign(p.previous) != sign(target))
    p.previous = target
    if isnan(target):
        p.row, p.row_sign = 0, 0
        if p.quantity == 0.0 and account.target_order(p.symbol) is None:
            p.base = 0.0
        return
    p.row = p.row + 1 if sign(target) == p.row_sign and p.row > 0 else 1
    p.row_sign = sign(target)
    if new_signal or account.allocation.reentry == "immediate" or sign(target) == -p.locked:
        p.locked = 0
    if p.locked or target == 0.0:
        p.base = 0.0
        return
    entry = sign(target) != sign(p.base)
    if entry and not _may_enter(account, now, p, target):
        p.base = 0.0
        return
    _size(account, now, p, target, entry)


def _may_enter(account: Account, now: Now, p: Position, target: float) -> bool:
    """Item 3."""
    allocation = account.allocation
    return (
        p.row >= allocation.confirm
        and not (allocation.cooldown > 0 and target * p.quantity < 0.0)
        and now.t - p.exit_bar >= allocation.cooldown
        and (target < 0.0 or now.regime)
        and not now.halted
        and (target > 0.0 or allocation.allow_short)
    )


def _size(account: Account, now: Now, p: Position, target: float, entry: bool) -> None:
    """Item 4."""
    allocation = account.allocation
    if now.units:
        p.base = target
    elif allocation.sizing == "weight":
        p.base = max(-allocation.position, min(allocation.position, target))
    elif entry:
        bar, atr = now.row[p.symbol], now.atr[p.symbol]
        assert bar is not None
        p.base = 0.0
        if atr > 0.0 and bar.close > 0.0:
            equity = account.equity()
            quantity = to_lot(equity * allocation.risk / (allocation.atr_k * atr), p.lot)
            p.base = sign(target) * min(allocation.position, quantity * bar.close / equity)


def _seats(account: Account, now: Now) -> None:
    """Item 5."""
    seated, entrants = 0, []
    for p in account.positions:
        if p.base == 0.0:
            continue
        if p.quantity != 0.0 or account.target_order(p.symbol) is not None:
            seated += 1
        else:
            entrants.append(p)

    entrants.sort(key=lambda p: _rank(now, p))
    for p in entrants[max(0, account.allocation.max_positions - seated) :]:
        p.base = 0.0


def _rank(now: Now, p: Position) -> tuple[float, int]:
    """Sorts entrants: highest score first, NaN last, ties in symbol order."""
    score = now.score[p.symbol] if now.score else abs(p.base)
    return (float("inf") if isnan(score) else -score, p.symbol)


def _gross(account: Account, now: Now) -> Row:
    """Item 6: the accepted weights."""
    total = sum(abs(p.base) for p in account.positions)
    scale = 1.0
    if not now.units and total > account.allocation.gross:
        scale = account.allocation.gross / total
    return [p.base * scale for p in account.positions]


def _acts(account: Account, now: Now, p: Position, target: float, previous: float, accepted: float) -> bool:
    """Step 6, first sentence."""
    allocation = account.allocation
    if abs(accepted - p.acted) > TINY:
        return True
    if (
        isnan(target)
        or (allocation.sizing == "risk" and not now.units)
        or (accepted == 0.0 and p.acted == 0.0)
    ):
        return False
    return isnan(previous) or allocation.rebalance == "bar" or allocation.cadence != "bar"


def _missing(now: Now, p: Position, accepted: float, equity: float) -> float:
    """Target quantity less the quantity held."""
    bar = now.row[p.symbol]
    assert bar is not None
    wanted = to_lot(accepted if now.units else accepted * equity / bar.close, p.lot)
    delta = wanted - p.quantity
    if p.lot == 0.0 and wanted != 0.0 and abs(delta) * bar.close <= CRUMB * equity:
        return 0.0
    return delta if abs(delta) > DUST * max(1.0, abs(p.quantity)) else 0.0


def _too_little(account: Account, now: Now, p: Position, delta: float, equity: float) -> bool:
    """`min_rebalance`."""
    bar = now.row[p.symbol]
    assert bar is not None
    changes = p.quantity != 0.0 and (p.quantity + delta) * p.quantity > 0.0
    return changes and abs(delta) * bar.close < account.allocation.min_rebalance * equity


def _rest(account: Account, now: Now, p: Position, accepted: float, equity: float) -> None:
    """What a limit has cut off is ordered as long as the target stands; it never becomes a reduction."""
    delta = _missing(now, p, accepted, equity)
    if delta == 0.0 or delta * p.quantity < 0.0:
        p.rest = False
    elif now.halted:
        return
    elif _too_little(account, now, p, delta, equity):
        p.rest = False
    else:
        _order(account, now, p, accepted, equity)


def _order(account: Account, now: Now, p: Position, accepted: float, equity: float) -> None:
    """Step 6, the rest."""
    bar = now.row[p.symbol]
    assert bar is not None
    delta = _missing(now, p, accepted, equity)
    if now.halted and delta != 0.0 and delta * p.quantity >= 0.0:
        p.rest = p.rest or abs(accepted - p.acted) <= TINY
        return
    if _too_little(account, now, p, delta, equity):
        return
    whole = delta
    if now.halted and abs(delta) > abs(p.quantity):
        delta = -p.quantity
    reverses = delta * p.quantity < 0.0 and abs(delta) > abs(p.quantity)
    opens = delta * p.quantity >= 0.0 and not reverses
    if now.world is not None and now.world.limits.order_volume < inf and opens and p.has_volume:
        most = to_lot(now.world.limits.order_volume * bar.volume, p.lot)
        delta = sign(delta) * min(abs(delta), most)
    p.rest = delta != whole
    p.acted = accepted
    working = account.target_order(p.symbol)
    if working is not None:
        account.cancel(working, "replaced")
    if delta != 0.0:
        order = account.add(Order(0, p.symbol, now.t, delta, Kind.MARKET, "target", "target"))
        order.not_before = now.t + 1
