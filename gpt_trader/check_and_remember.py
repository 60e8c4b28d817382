"""The look-ahead check as a user of the package calls it: as `gpt_trader.check` makes it, and remembered in this process."""

from __future__ import annotations

from typing import Any

from gpt_trader.bars import Bars
from gpt_trader.check import CheckReport
from gpt_trader.check import check_strategy as prove
from gpt_trader.check_records import record_of
from gpt_trader.checking.access_monitor import current_method
from gpt_trader.look_ahead import remember
from gpt_trader.strategy import Strategy


def check_strategy(strategy: Strategy, bars: Bars, *arguments: Any, **options: Any) -> CheckReport:
    """`gpt_trader.check.check_strategy`, whose arguments these are; results of the same code know the verdict from then on
    (`Result.look_ahead`), as long as the process lives. `gpt-trader check` writes it to the store."""
    report = prove(strategy, bars, *arguments, **options)
    proves = (
        options.get("isolated", True) and current_method() is None
    )  # in this process, or within a check, it proves less
    if proves:
        remember(record_of(strategy, report, bars))
    return report
