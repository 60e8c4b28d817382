"""What an equity curve looks like: its returns and their moments, its drawdowns; the rules are those of `metric_formulas`."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gpt_trader.engine.jit import inlined, kernel
from gpt_trader.engine.metric_definitions import DeepestDrawdown, Moments, PowerSums

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

ROUNDING = 1e-14


@kernel
def simple_returns(equity: Floats, capital: float, out: Floats) -> None:
    """`out[t] = equity[t] / equity[t - 1] - 1`, bar 0 against `capital`; knows nothing of ruin."""
    if equity.shape[0] > 0:
        out[0] = equity[0] / capital - 1.0
    before, after, later = equity[:-1], equity[1:], out[1:]
    for i in range(later.shape[0]):
        later[i] = after[i] / before[i] - 1.0


@kernel
def bars_until_ruin(equity: Floats, capital: float) -> int:
    """Number of bars that have a return: all, or up to and with the first bar whose equity is zero or less."""
    if not capital > 0.0:
        return 0
    ruined = 0
    for t in range(equity.shape[0]):
        ruined += int(equity[t] <= 0.0)
    if ruined > 0:
        for t in range(equity.shape[0]):
            if equity[t] <= 0.0:
                return t + 1
    return int(equity.shape[0])


@kernel
def with_return(sums: PowerSums, value: float, shift: float, target: float) -> PowerSums:
    """The power sums with one more return."""
    distance = value - shift
    square = distance * distance
    short = min(value - target, 0.0)
    return PowerSums(
        sums.number + 1,
        sums.first + distance,
        sums.second + square,
        sums.third + square * distance,
        sums.fourth + square * square,
        sums.shortfall + short * short,
    )


@kernel
def moments_from(sums: PowerSums, shift: float) -> Moments:
    """`Moments` from power sums about `shift`."""
    if sums.number == 0:
        return Moments(np.nan, np.nan, np.nan, np.nan, np.nan)
    count = float(sums.number)
    offset, square = sums.first / count, sums.second / count
    cube, fourth = sums.third / count, sums.fourth / count
    mean = shift + offset
    variance = max(square - offset * offset, 0.0)
    deviation = np.sqrt(variance * count / (count - 1.0)) if count > 1.0 else np.nan
    skew = kurtosis = np.nan
    if has_spread(deviation, mean):
        third_central = cube - 3.0 * offset * square + 2.0 * offset**3
        fourth_central = fourth - 4.0 * offset * cube + 6.0 * offset**2 * square - 3.0 * offset**4
        skew = third_central / (variance * np.sqrt(variance))
        kurtosis = fourth_central / (variance * variance)
    return Moments(mean, deviation, np.sqrt(sums.shortfall / count), skew, kurtosis)


@kernel
def moments(returns: Floats, target: float) -> Moments:
    """`Moments` of returns (n,), the powers taken about their mean (a second pass)."""
    added = 0.0
    for value in returns:
        added += value
    shift = added / returns.shape[0]
    sums = PowerSums(0, 0.0, 0.0, 0.0, 0.0, 0.0)
    for value in returns:
        sums = with_return(sums, value, shift, target)
    return moments_from(sums, shift)


@kernel
def has_spread(deviation: float, mean: float) -> bool:
    """Whether a deviation of returns is more than rounding (False for NaN)."""
    return bool(deviation > ROUNDING * (1.0 + abs(mean)))


@inlined
def write_episode(rows: Integers, number: int, peak: int, trough: int, recovery: int) -> None:
    """One drawdown as row `number`."""
    rows[number, 0] = peak
    rows[number, 1] = trough
    rows[number, 2] = recovery


@kernel
def scan_drawdowns(equity: Floats, capital: float, rows: Integers | None) -> DeepestDrawdown:
    """The drawdowns of an equity curve; each runs from the last bar at a high to the first bar at or above it.

    `rows[i] = peak, trough, recovery` of the i-th, where `rows` is None or (T // 2 + 1, 3), room for all there can be.
    """
    depth = 0.0
    depth_peak = depth_low = depth_end = -1
    episodes = 0
    peak = low = capital
    peak_at = low_at = -1
    for t in range(equity.shape[0]):
        value = equity[t]
        if value >= peak:
            if low < peak:
                if rows is not None:
                    write_episode(rows, episodes, peak_at, low_at, t)
                episodes += 1
                if low / peak - 1.0 < depth:
                    depth = low / peak - 1.0
                    depth_peak, depth_low, depth_end = peak_at, low_at, t
            peak = low = value
            peak_at = t
        elif value < low:
            low = value
            low_at = t
    if low < peak:
        if rows is not None:
            write_episode(rows, episodes, peak_at, low_at, -1)
        episodes += 1
        if low / peak - 1.0 < depth:
            depth = low / peak - 1.0
            depth_peak, depth_low, depth_end = peak_at, low_at, -1
    return DeepestDrawdown(depth, depth_peak, depth_low, depth_end, episodes)


@inlined
def power(value: float, shift: float, exponent: int) -> float:
    """`value - shift` to the power of `exponent`; exponent 0 gives the square of what `value` falls short of zero."""
    if exponent == 0:
        short = min(value, 0.0)
        return short * short
    distance = value - shift
    if exponent == 1:
        return distance
    square = distance * distance
    if exponent == 2:
        return square
    return square * distance if exponent == 3 else square * square


@inlined
def power_sum(values: Floats, shift: float, exponent: int, scratch: Floats) -> float:
    """Sum of `power` of all values: the eighths of the array are added to each other, then what results in four lanes.

    The order of the additions is fixed, yet the loop has no sum that waits for itself: the compiler makes it of vector
    instructions of any width with the same bits. `scratch` holds an eighth.
    """
    eighth = values.shape[0] // 8
    first, second = values[:eighth], values[eighth : 2 * eighth]
    third, fourth = values[2 * eighth : 3 * eighth], values[3 * eighth : 4 * eighth]
    fifth, sixth = values[4 * eighth : 5 * eighth], values[5 * eighth : 6 * eighth]
    seventh, eighths = values[6 * eighth : 7 * eighth], values[7 * eighth : 8 * eighth]
    folded = scratch[:eighth]
    for i in range(eighth):
        low = power(first[i], shift, exponent) + power(second[i], shift, exponent)
        low += power(third[i], shift, exponent) + power(fourth[i], shift, exponent)
        high = power(fifth[i], shift, exponent) + power(sixth[i], shift, exponent)
        high += power(seventh[i], shift, exponent) + power(eighths[i], shift, exponent)
        folded[i] = low + high
    lane0 = lane1 = lane2 = lane3 = 0.0
    whole = eighth // 4 * 4
    for i in range(0, whole, 4):
        lane0 += folded[i]
        lane1 += folded[i + 1]
        lane2 += folded[i + 2]
        lane3 += folded[i + 3]
    for i in range(whole, eighth):
        lane0 += folded[i]
    for i in range(8 * eighth, values.shape[0]):
        lane1 += power(values[i], shift, exponent)
    return (lane0 + lane1) + (lane2 + lane3)


@kernel
def curve_moments(equity: Floats, capital: float, scratch: Floats) -> Moments:
    """`Moments` of the returns of an equity curve up to its ruin; `scratch` (2, T).

    The powers are taken about the geometric mean return: known before the pass, and about half a variance from the
    arithmetic mean, so that moving them there cancels nothing (Chan, Golub and LeVeque 1983, "Algorithms for
    Computing the Sample Variance", The American Statistician 37(3), on shifted data).
    """
    bars = bars_until_ruin(equity, capital)
    shift = 0.0
    if bars == equity.shape[0] and equity[-1] > 0.0:
        shift = min((equity[-1] / capital) ** (1.0 / bars) - 1.0, 1.0)
    returns, room = scratch[0, :bars], scratch[1]
    simple_returns(equity[:bars], capital, returns)
    sums = PowerSums(
        bars,
        power_sum(returns, shift, 1, room),
        power_sum(returns, shift, 2, room),
        power_sum(returns, shift, 3, room),
        power_sum(returns, shift, 4, room),
        power_sum(returns, shift, 0, room),
    )
    return moments_from(sums, shift)


@inlined
def block_sums(returns: Floats, count: int, edges: Integers, out: Floats) -> None:
    """`out[0, i]` and `out[1, i]`: sum of the returns edges[i] to edges[i + 1] - 1 and of their squares; those from `count` on
    are none and count as 0. Four lanes, as in `power_sum`."""
    for i in range(out.shape[1]):
        block = returns[min(edges[i], count) : min(edges[i + 1], count)]
        sum0 = sum1 = sum2 = sum3 = 0.0
        square0 = square1 = square2 = square3 = 0.0
        whole = block.shape[0] // 4 * 4
        for k in range(0, whole, 4):
            sum0 += block[k]
            sum1 += block[k + 1]
            sum2 += block[k + 2]
            sum3 += block[k + 3]
            square0 += block[k] * block[k]
            square1 += block[k + 1] * block[k + 1]
            square2 += block[k + 2] * block[k + 2]
            square3 += block[k + 3] * block[k + 3]
        for k in range(whole, block.shape[0]):
            sum0 += block[k]
            square0 += block[k] * block[k]
        out[0, i] = (sum0 + sum1) + (sum2 + sum3)
        out[1, i] = (square0 + square1) + (square2 + square3)


@kernel
def drawdown_path(equity: Floats, capital: float, out: Floats) -> None:
    """`out[t]`: equity over its highest value so far (the capital included), minus one; NaN where equity is NaN."""
    peak = capital
    for t in range(equity.shape[0]):
        if equity[t] > peak:
            peak = equity[t]
        out[t] = equity[t] / peak - 1.0 if peak > 0.0 else np.nan
