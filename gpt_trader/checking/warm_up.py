"""The warm-up proof: from how many bars of history on the last row is the same as with all of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from numpy.typing import NDArray

from gpt_trader.bars import Bars
from gpt_trader.checking.check_report import WARM_UP, Finding, finding
from gpt_trader.checking.comparing import WARM_TOLERANCE, first_difference
from gpt_trader.checking.trace import renewed
from gpt_trader.engine import strategy_calls
from gpt_trader.errors import GptTraderError
from gpt_trader.strategy import Strategy

Values = Mapping[str, NDArray[Any]]
TRIED = 6  # bars whose last row is compared


def warm_up(strategy: Strategy, bars: Bars, whole: Values) -> tuple[Finding | None, int | None]:
    """The shortest tried history (declared, or doubling) whose last row is that of the whole, else why there is none."""
    if not whole:
        return None, 1
    late = sorted({int(bars.T // 2 + k * (bars.T - 2 - bars.T // 2) / (TRIED - 1)) for k in range(TRIED)})
    seen = bars.strategy_view()
    longest = min(late) + 1
    sizes = [strategy.warmup] if strategy.warmup else sorted({min(longest, 2**k) for k in range(4, 24)})
    problem: Finding | None = None
    for size in sizes:
        if size > longest:
            break
        problem = _cold_feature(strategy, seen, whole, late, size)
        if problem is None and (size < longest or strategy.warmup):
            return None, size
    if problem is None or strategy.warmup:
        return problem, None
    # Even 90 % of the history gives another last row: the value depends on where the data begin.
    return _cold_feature(strategy, seen, whole, late, int(0.9 * min(late))), None


def _cold_feature(
    strategy: Strategy, seen: Bars, whole: Values, late: list[int], size: int
) -> Finding | None:
    for t in late:
        window = seen.select(start=seen.time[t - size + 1], end=seen.time[t])
        try:
            again = strategy_calls.compute_features(renewed(strategy), window)
        except GptTraderError as error:
            return finding(strategy, WARM_UP, "features", seen, t, f"fails on the last {size} bars: {error}")
        for name, values in whole.items():
            if name not in again:
                return finding(strategy, WARM_UP, name, seen, t, f"vanishes on the last {size} bars")
            place = first_difference(values[t : t + 1], again[name][-1:], WARM_TOLERANCE)
            if place is not None:
                text = f"a history of {size} bars gives another value than the whole history: it depends on where the data begin"
                got = again[name][-1:][place]
                return finding(strategy, WARM_UP, name, seen, t, text, values[t][place[1]], got)
    return None
