"""A quick look at every bar: its answer once more from the last bars alone, to see where a closer look is worth it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import partial

import numpy as np

from gpt_trader.bars import Bars
from gpt_trader.checking.access_monitor import within_method
from gpt_trader.checking.comparing import WARM_TOLERANCE, first_difference
from gpt_trader.checking.isolation import Processes
from gpt_trader.checking.trace import Trace, is_stateless, renewed
from gpt_trader.engine import strategy_calls
from gpt_trader.errors import GptTraderError
from gpt_trader.strategy import Strategy

ENOUGH = 100  # suspicious bars after which no more are looked for


def suspicious_bars(
    strategy: Strategy,
    bars: Bars,
    whole: Trace,
    size: int,
    times: Sequence[int],
    ends: float,
    processes: Processes,
) -> tuple[list[int], int]:
    """The bars of `times` whose last row is another one when only the `size` bars up to them are there, and how many were
    looked at before the clock (`time.monotonic`) showed `ends`.

    Features are compared, and the targets of a rule that knows nothing of what it holds. A difference is no proof: the history
    may have been too short there.
    """
    if not whole.features and not is_stateless(strategy):
        return [], 0
    works = [
        partial(_screen, strategy, bars, whole, size, times[part :: processes.at_a_time], ends)
        for part in range(processes.at_a_time)
    ]
    found: list[int] = []
    looked = 0
    for suspects, count in processes.run_all(works):
        found += suspects
        looked += count
    return found, looked


def _screen(
    strategy: Strategy, bars: Bars, whole: Trace, size: int, times: Sequence[int], ends: float
) -> tuple[list[int], int]:
    found: list[int] = []
    view = bars.strategy_view()
    for count, t in enumerate(times):
        if len(found) >= ENOUGH or time.monotonic() > ends:
            return found, count
        start = max(0, t - size + 1)
        window = Bars.of_checked(
            view.symbols,
            view.time[start : t + 1],
            view.panel[:, start : t + 1],
            view.timeframe,
            view.adjustment,
        )
        if not _same_last_row(strategy, window, whole, t):
            found.append(t)
    return found, len(times)


def _same_last_row(strategy: Strategy, window: Bars, whole: Trace, t: int) -> bool:
    fresh = renewed(strategy)
    try:
        with within_method("features"):
            features = strategy_calls.compute_features(fresh, window)
        for name, values in whole.features.items():
            if name not in features:
                return False
            if first_difference(values[t : t + 1], features[name][-1:], WARM_TOLERANCE) is not None:
                return False
        if not is_stateless(fresh) or not isinstance(whole.decisions, np.ndarray):
            return True
        with within_method("decide"):
            targets = strategy_calls.decide_all(fresh, window, features)
    except GptTraderError:
        return False
    return first_difference(whole.decisions[t : t + 1], targets[-1:], WARM_TOLERANCE) is None
