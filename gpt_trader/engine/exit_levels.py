"""Where the declared exits of a position stand: protective stop and targets, for longs and mirrored for shorts."""

from __future__ import annotations

import numpy as np

from gpt_trader.engine.jit import inlined, kernel
from gpt_trader.engine.records import R_ATR_STOP, R_BREAK_EVEN, R_STOP_LOSS, R_TRAILING, AccountState

TOLERANCE = 1e-12
TRAILING_ARMED, BREAK_EVEN_ARMED = 1, 2


@inlined
def arm_stops(b: AccountState, n: int) -> None:
    """After the peak moved: stops that wait for a gain are armed once it is reached, and stay armed."""
    s = b.symbols[n]
    r = b.rules[0]
    side = 1.0 if s.qty > 0.0 else -1.0
    gain = side * (s.peak - s.entry) / s.entry
    if gain >= r.trailing_after - TOLERANCE:
        s.armed |= TRAILING_ARMED
    if gain >= r.break_even - TOLERANCE:
        s.armed |= BREAK_EVEN_ARMED


@kernel
def protective_stop(b: AccountState, n: int) -> tuple[float, int]:
    """(level, reason) of the tightest stop of the position in symbol n; (NaN, -1) when there is none."""
    s = b.symbols[n]
    r = b.rules[0]
    side = 1.0 if s.qty > 0.0 else -1.0
    level = np.nan
    reason = -1
    if r.stop_loss > 0.0:
        level = s.entry * (1.0 - side * r.stop_loss)
        reason = R_STOP_LOSS
    if r.trailing > 0.0 and (s.armed & TRAILING_ARMED != 0 or r.trailing_after == 0.0):
        other = s.peak * (1.0 - side * r.trailing)
        if np.isnan(level) or side * (other - level) > 0.0:
            level = other
            reason = R_TRAILING
    if (
        r.break_even > 0.0
        and s.armed & BREAK_EVEN_ARMED != 0
        and (np.isnan(level) or side * (s.entry - level) > 0.0)
    ):
        level = s.entry
        reason = R_BREAK_EVEN
    if (
        r.stop_atr_k > 0.0
        and not np.isnan(s.atr_stop)
        and (np.isnan(level) or side * (s.atr_stop - level) > 0.0)
    ):
        level = s.atr_stop
        reason = R_ATR_STOP
    return level, reason


@inlined
def scale_step(b: AccountState, step: int) -> tuple[float, float]:
    """(gain, share) of scale-out step 0 to 3."""
    r = b.rules[0]
    if step == 0:
        return r.gain1, r.share1
    if step == 1:
        return r.gain2, r.share2
    if step == 2:
        return r.gain3, r.share3
    return r.gain4, r.share4


@inlined
def tighten_atr_stop(b: AccountState, n: int, close: float, atr: float) -> None:
    """Set the ATR stop at the close of the entry bar; later closes may only tighten it."""
    s = b.symbols[n]
    side = 1.0 if s.qty > 0.0 else -1.0
    level = close - side * b.rules[0].stop_atr_k * atr
    if not np.isnan(level) and (np.isnan(s.atr_stop) or side * (level - s.atr_stop) > 0.0):
        s.atr_stop = level
