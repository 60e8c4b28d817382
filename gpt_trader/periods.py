"""How many bars a year of a market has, read from the times of the bars."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gpt_trader.arrays import times
from gpt_trader.bars import TIMEFRAMES
from gpt_trader.errors import UnknownName

TRADING_DAYS = 252.0
LONGER_THAN_A_DAY = {"1w": 52.0, "1mo": 12.0}


def periods_per_year(time: ArrayLike, timeframe: str | None = None) -> float:
    """Bars in a year of the market that `time` (T,) was recorded on; pass your own number where you know better.

    = bars per day x days per year. Bars per day: 1 for "1d", otherwise the median number of bars on a calendar day
    (UTC), the first and the last day aside. Days per year: 365 when Saturdays and Sundays are traded, each with at
    least half of a day's share of the bars; else, given a year of data, whichever of 252 (exchanges), 260 (all
    weekdays: currencies) and 313 (with Sunday sessions) is nearest to what the data hold; else 252. "1w" is 52 and
    "1mo" 12. Without `timeframe` the median distance of the bars decides. NaN for intraday bars when there are none.

    Raises UnknownName for a timeframe that is none.
    """
    return periods_of(times(time).view(np.int64), timeframe)


def periods_of(moments: NDArray[np.int64], timeframe: str | None) -> float:
    """`periods_per_year` of times in nanoseconds that are known to increase, as those of `Bars` are."""
    from gpt_trader.engine import metric_formulas

    if timeframe is None:
        timeframe = _timeframe_of(moments)
    if timeframe not in TIMEFRAMES:
        raise UnknownName("timeframe", timeframe, TIMEFRAMES)
    if timeframe in LONGER_THAN_A_DAY:
        return LONGER_THAN_A_DAY[timeframe]
    if moments.size == 0:
        return TRADING_DAYS if timeframe == "1d" else float("nan")
    counts = np.empty(moments.size, np.int64)
    days, saturday, sunday = metric_formulas.count_sessions(moments, counts)
    inner = counts[1 : days - 1] if days > 2 else counts[:days]
    a_day = 1.0 if timeframe == "1d" else float(np.median(inner))
    if min(saturday, sunday) * 14 >= moments.size:
        return a_day * 365.0
    years = metric_formulas.calendar_years(moments)
    if years < 1.0:
        return a_day * TRADING_DAYS
    held = moments.size / a_day / years
    return a_day * min((TRADING_DAYS, 260.0, 313.0), key=lambda days_per_year: abs(days_per_year - held))


def _timeframe_of(moments: NDArray[np.int64]) -> str:
    """Whether bars are intraday ("1h" stands for all), daily, weekly or monthly, by their median distance."""
    from gpt_trader.engine.metric_formulas import NANOSECONDS_PER_DAY

    distance = float(np.median(np.diff(moments))) / NANOSECONDS_PER_DAY if moments.size > 1 else 1.0
    return "1h" if distance < 1.0 else "1d" if distance < 5.0 else "1w" if distance < 15.0 else "1mo"
