"""The risk limits of step 5.7 of the reference, from docs/assumptions.md in plain loops."""

from __future__ import annotations

from dataclasses import dataclass
from math import isnan, nan, sqrt

from tests.parity.reference_account import Account
from tests.parity.reference_types import TINY, Limits, Matrix, Position, Row, sign


@dataclass(frozen=True, slots=True)
class World:
    """What the limits look at: simple returns (T, N), NaN where one of the two rows has no bar, and each symbol's sector."""

    limits: Limits
    returns: Matrix
    sectors: list[str | None]


def limited(account: Account, world: World, t: int, accepted: Row, ranks: list[tuple[float, int]]) -> Row:
    """The accepted weights after position, correlation, sector, gross, net and cash; `ranks` sorts the entrants."""
    limits = world.limits
    weights = [max(-limits.position, min(limits.position, weight)) for weight in accepted]
    _correlation(account, world, t, weights, ranks)
    for name in {sector for sector in world.sectors if sector is not None}:
        members = [n for n, sector in enumerate(world.sectors) if sector == name]
        _shrink(weights, members, limits.sector)
    everyone = list(range(len(weights)))
    _shrink(weights, everyone, limits.gross)
    longs = sum(weight for weight in weights if weight > 0.0)
    shorts = -sum(weight for weight in weights if weight < 0.0)
    if abs(longs - shorts) > limits.net + TINY:
        heavier = 1 if longs > shorts else -1
        members = [n for n in everyone if sign(weights[n]) == heavier]
        _shrink(weights, members, min(longs, shorts) + limits.net)
    _shrink(weights, everyone, max(0.0, account.allocation.leverage - limits.cash))
    return weights


def _shrink(weights: Row, members: list[int], most: float) -> None:
    """Scale the members by one factor so that their absolute sum is at most `most`."""
    total = sum(abs(weights[n]) for n in members)
    if total > most + TINY:
        for n in members:
            weights[n] *= most / total


def _correlation(
    account: Account, world: World, t: int, weights: Row, ranks: list[tuple[float, int]]
) -> None:
    def seated(p: Position) -> bool:
        return p.quantity != 0.0 or account.target_order(p.symbol) is not None

    there = {p.symbol: p.side or sign(weights[p.symbol]) for p in account.positions if seated(p)}
    entrants = [p for p in account.positions if not seated(p) and weights[p.symbol] != 0.0]
    for p in sorted(entrants, key=lambda p: ranks[p.symbol]):
        n = p.symbol
        alike = [k for k, side in there.items() if side == sign(weights[n])]
        if any(_pearson(world, t, n, k) > world.limits.correlation for k in alike):
            weights[n] = p.base = 0.0
        else:
            there[n] = sign(weights[n])


def _pearson(world: World, t: int, n: int, k: int) -> float:
    """Correlation of the simple returns of the last `correlation_bars` bars, NaN (which exceeds nothing) if not judged."""
    pairs = []
    for u in range(max(1, t - world.limits.correlation_bars + 1), t + 1):
        pair = [world.returns[u][n], world.returns[u][k]]
        if not isnan(pair[0]) and not isnan(pair[1]):
            pairs.append(pair)
    if len(pairs) < 20:
        return nan
    means = [sum(pair[i] for pair in pairs) / len(pairs) for i in (0, 1)]
    away = [[pair[i] - means[i] for i in (0, 1)] for pair in pairs]
    spread = sqrt(sum(x * x for x, _ in away) * sum(y * y for _, y in away))
    return sum(x * y for x, y in away) / spread if spread > 0.0 else nan


def simple_returns(close: Matrix, split: Matrix) -> Matrix:
    """Close x split / close of the row before - 1; the first row has none."""
    rows = [[nan] * len(close[0])]
    for before, now, ratios in zip(close, close[1:], split[1:], strict=False):
        rows.append([c * r / b - 1.0 for b, c, r in zip(before, now, ratios, strict=True)])
    return rows
