"""The account's clock: the number and the time of its bar, and whether a new UTC day, ISO week or month has begun with it."""

from __future__ import annotations

from gpt_trader.engine.jit import inlined, kernel
from gpt_trader.engine.records import AccountState, MarketData

DAY_NS = 86_400_000_000_000


@inlined
def begin_bar(m: MarketData, b: AccountState, t: int) -> None:
    """The next bar begins; it stands in row t of the market's arrays.

    The account counts its bars and keeps two times. Rows are only places in memory: nothing else of the state says one.
    """
    account = b.account[0]
    account.bar += 1
    account.previous = account.time
    account.time = m.time[t]


@inlined
def skip_bars(m: MarketData, b: AccountState, start: int, stop: int) -> None:
    """Bars start..stop-1 (rows) have passed without a step."""
    account = b.account[0]
    account.bar += stop - start
    account.previous = m.time[stop - 2] if stop - start > 1 else account.time
    account.time = m.time[stop - 1]


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
def same_day(b: AccountState) -> bool:
    """This bar and the one before lie in one UTC day."""
    account = b.account[0]
    return account.time // DAY_NS == account.previous // DAY_NS


@inlined
def same_week(b: AccountState) -> bool:
    """This bar and the one before lie in one ISO week (Monday first; day 0, 1970-01-01, was a Thursday)."""
    account = b.account[0]
    return (account.time // DAY_NS + 3) // 7 == (account.previous // DAY_NS + 3) // 7


@inlined
def same_month(b: AccountState) -> bool:
    """This bar and the one before lie in one calendar month."""
    account = b.account[0]
    return civil_month(account.time // DAY_NS) == civil_month(account.previous // DAY_NS)
