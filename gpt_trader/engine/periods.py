"""Which rows of a panel lie in the same UTC day, ISO week or month."""

from __future__ import annotations

from gpt_trader.engine.jit import inlined, kernel
from gpt_trader.engine.records import Market

DAY_NS = 86_400_000_000_000


@kernel
def civil_month(day: int) -> int:
    """Months since year 0 of a day number (days since 1970-01-01), proleptic Gregorian.

    Hinnant, "chrono-Compatible Low-Level Date Algorithms", civil_from_days.
    """
    z = day + 719468
    era = z // 146097
    doe = z - era * 146097
    yoe = (doe - doe // 1460 + doe // 36524 - doe // 146096) // 365
    doy = doe - (365 * yoe + yoe // 4 - yoe // 100)
    mp = (5 * doy + 2) // 153
    month = mp + 3 if mp < 10 else mp - 9
    year = yoe + era * 400 + (1 if month <= 2 else 0)
    return year * 12 + month - 1


@inlined
def same_day(m: Market, t: int, u: int) -> bool:
    """Rows t and u lie in one UTC day."""
    return m.time[t] // DAY_NS == m.time[u] // DAY_NS


@inlined
def same_week(m: Market, t: int, u: int) -> bool:
    """Rows t and u lie in one ISO week (Monday first; day 0, 1970-01-01, was a Thursday)."""
    return (m.time[t] // DAY_NS + 3) // 7 == (m.time[u] // DAY_NS + 3) // 7


@inlined
def same_month(m: Market, t: int, u: int) -> bool:
    """Rows t and u lie in one calendar month."""
    return civil_month(m.time[t] // DAY_NS) == civil_month(m.time[u] // DAY_NS)
