"""Writes `shipped_checks.json`: the hash of the code of every shipped strategy, after it has passed the look-ahead check.

Run `python -m gpt_trader.data.build_shipped_checks` after a change of a shipped strategy or of CHECK_VERSION. Each is
checked with its defaults and with every parameter at either end of its range, and nothing is written unless all pass; code
that is on record already is not checked again.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

from gpt_trader.adapters.loader import load_bars
from gpt_trader.bars import Bars
from gpt_trader.check import check_strategy
from gpt_trader.checking.check_report import CHECK_VERSION
from gpt_trader.errors import GptTraderError
from gpt_trader.shipped_checks import TABLE, shipped_check
from gpt_trader.strategies import SHIPPED, load_strategy
from gpt_trader.strategy import Strategy, parameters_of
from gpt_trader.strategy_code import code_hash

SYMBOLS = ("AAPL", "IBM", "MSFT")
SAMPLES = 24


def bars_to_check() -> Bars:
    """Five years of the symbols that `gpt-trader check` takes by itself."""
    return load_bars(list(SYMBOLS), start="2006-01-03", end="2010-12-31")


def variants(strategy: type[Strategy]) -> Iterator[Strategy]:
    """The strategy with its defaults, then with one parameter at an end of its range, as far as it takes that."""
    yield strategy()
    for name, item in parameters_of(strategy).items():
        for value in (item.low, item.high, *(item.choices or ())):
            if value is not None:
                try:
                    yield strategy(**{name: item.kind(value)})
                except GptTraderError:
                    continue


def table() -> dict[str, object]:
    """The table as it has to be now, by the code of the strategies; checks nothing."""
    return {
        "version": CHECK_VERSION,
        "strategies": {code_hash(load_strategy(name)): name for name in SHIPPED},
    }


def main() -> None:
    """Check every variant of every shipped strategy whose code is not on record yet, and write the table."""
    bars = bars_to_check()
    for name in SHIPPED:
        known = shipped_check(code_hash(load_strategy(name)))
        if known is not None and known.version == CHECK_VERSION:
            continue
        for strategy in variants(load_strategy(name)):
            report = check_strategy(strategy, bars, SAMPLES)
            if not report.ok:
                raise SystemExit(f"{strategy} fails the check, so nothing is written: {report.findings[0]}")
            print(f"{strategy} passed")
    TABLE.write_text(json.dumps(table(), indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
