"""What every participant computes: one definition of each workload, so that trades and final equity can be compared.

Common to all: the decision is made at the close of a bar and fills at the open of the next; 5 bp commission on every
fill and no other cost; no volume cap; a position still open at the end is marked at the last close.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

CAPITAL = 100_000.0
COMMISSION = 0.0005  # of the notional: 5 bp
SHARES = 100.0

FAST, SLOW = 10, 50
DAYS = 2_520
MINUTES = 500_000

PAIRS = tuple(product(range(5, 45), range(50, 175, 5)))  # 1,000 (fast, slow)
TEN_PAIRS = PAIRS[::100]

MANY_PAIRS = tuple(product(range(5, 105), range(110, 210)))  # 10,000, for W5
BLOCKS = 128  # of bars, whose sums of returns and of squares a sweep keeps beside the statistics

SYMBOLS = 100
SHARES_EACH = 5.0  # W6: a hundred positions at a time, for cash that 100 of each would not leave

TRAILED = 100_000  # W7
TRAILS = tuple(
    product(range(5, 55, 5), range(60, 160, 10), (0.002 * k for k in range(1, 11)))
)  # 1,000 (fast, slow, trail)

TOP = 20
LOOKBACK = 126
GROSS = 0.9  # a tenth stays cash, so that no library has to cut an order for lack of it
WEIGHT = GROSS / TOP

# W4: entries on a crossing of the averages while flat; bracket legs relative to the entry's own price.
LIMIT_BELOW = 0.001
STOP_ABOVE = 0.002
TARGET_GAIN = 0.012
STOP_LOSS = 0.010


@dataclass(frozen=True, slots=True)
class Workload:
    """`data` names the data set, `counted` what `count` counts; `runs` is how many backtests one measurement holds."""

    key: str
    title: str
    data: str
    counted: str
    bars: int
    runs: int = 1


_LISTED = (
    Workload("W1", "SMA 10/50, 2,520 bars, statistics", "daily", "round trips", DAYS),
    Workload("W1L", "SMA 10/50, 500,000 bars, statistics", "minutes", "round trips", MINUTES),
    Workload("W2", "1,000 pairs x 2,520 bars, statistics", "daily", "round trips", DAYS, len(PAIRS)),
    Workload("W3", "100 symbols x 2,520 bars, monthly top 20", "panel", "fills", DAYS),
    Workload("W4", "limit, stop and bracket orders, 500,000 bars", "minutes", "round trips", MINUTES),
    Workload(
        "W5",
        "10,000 pairs x 2,520 bars, statistics and 128 block sums",
        "daily",
        "round trips",
        DAYS,
        len(MANY_PAIRS),
    ),
    Workload(
        "W6", "1,000 pairs x 100 symbols x 2,520 bars, statistics", "panel", "round trips", DAYS, len(PAIRS)
    ),
    Workload(
        "W7",
        "1,000 trailing stops in decide(now, held) x 100,000 bars",
        "minutes",
        "round trips",
        TRAILED,
        len(TRAILS),
    ),
)
WORKLOADS = {item.key: item for item in _LISTED}
