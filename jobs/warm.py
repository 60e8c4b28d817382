"""`python -m jobs.warm`: compiles every kernel into the cache by running what a user would run, on small data."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from gpt_trader import (
    Allocation,
    AtrStop,
    Bars,
    BreakEven,
    RiskLimits,
    ScaleOut,
    StopLoss,
    Strategy,
    TakeProfit,
    TimeStop,
    TrailingStop,
    backtest,
    load_bars,
)
from gpt_trader.strategies import available, load_strategy

START, END = "2010-01-04", "2011-12-30"
EXITS = (
    StopLoss(0.05),
    TrailingStop(0.03, after=0.02),
    BreakEven(0.02),
    AtrStop(2.0),
    TakeProfit(0.10),
    ScaleOut(((0.05, 0.3), (0.10, 0.5))),
    TimeStop(30),
)


def warm_up(tell: Callable[[str, int, int], None] = lambda _name, _done, _total: None) -> float:
    """Compile what is not compiled yet; the seconds it took. `tell` hears the name, number and count of each step."""
    began = time.perf_counter()
    steps = list(_steps())
    for number, (name, step) in enumerate(steps, 1):
        tell(name, number, len(steps))
        step()
    return time.perf_counter() - began


def _steps() -> Iterator[tuple[str, Callable[[], None]]]:
    """Every shipped strategy on one symbol and on three, and the rules that have kernels of their own."""
    one = load_bars(["AAPL"], start=START, end=END)
    many = load_bars(["AAPL", "IBM", "MSFT"], start=START, end=END)
    for name in available():
        strategy = load_strategy(name)()
        yield f"{name}, one symbol", partial(_run, strategy, one)
        yield f"{name}, three symbols", partial(_run, strategy, many)
    plain = load_strategy("demo_ma")()
    yield "exits", partial(_run, plain, many, exits=EXITS)
    yield "risk limits", partial(_run, plain, many, risk=RiskLimits())
    rules = Allocation(sizing="risk", cadence="week", confirm=2, cooldown=3, regime="IBM")
    yield "allocation", partial(_run, plain, many, allocation=rules)


def _run(strategy: Strategy, bars: Bars, **rules: Any) -> None:
    """One backtest with its statistics."""
    assert backtest(strategy, bars, **rules).metrics  # noqa: S101 - the numbers are made when they are asked for


def main() -> None:
    """Compile, saying what is compiled where somebody watches."""
    watched = sys.stdout.isatty()

    def tell(name: str, number: int, total: int) -> None:
        if watched:
            print(f"\r[{number}/{total}] {name:<40}", end="", flush=True)

    seconds = warm_up(tell)
    print(f"{chr(13) if watched else ''}kernels ready after {seconds:.1f} s{' ' * 30 if watched else ''}")


if __name__ == "__main__":
    main()
