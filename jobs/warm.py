"""`python -m jobs.warm`: compiles every kernel into the cache by running what a user would run, on small data."""

from __future__ import annotations

import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from gpt_trader import (
    Allocation,
    AtrStop,
    Bars,
    BreakEven,
    OrderStrategy,
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
from gpt_trader.batch import backtest_many
from gpt_trader.engine.jit import kernel_folder
from gpt_trader.orders import OrderRequest, limit
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


@dataclass(frozen=True)
class HeldRule(Strategy):
    """Reads what it holds, so that it runs bar by bar."""

    def decide(self, now: Any, held: Any) -> Any:
        """All in until the position is ten bars old."""
        return 0.5 * (held.age < 10) * (now.close > 0)


@dataclass(frozen=True)
class OrderRule(OrderStrategy):
    """Places a bracket whenever it is flat."""

    def decide(self, now: Any, held: Any) -> OrderRequest | None:
        """A limit below the close with both legs."""
        price = float(now.close[0])
        if held.quantity[0] != 0.0:
            return None
        return limit(10, price * 0.99, take_profit=price * 1.02, stop_loss=price * 0.97, day=1)


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
    yield "rules that read what they hold", partial(_run, HeldRule(), many)
    yield "orders", partial(_run, OrderRule(), one)
    yield "many runs", lambda: _many(plain, one)
    yield "report", lambda: _report(plain, one)


def _run(strategy: Strategy, bars: Bars, **rules: Any) -> None:
    """One backtest with its statistics."""
    assert backtest(strategy, bars, **rules).metrics  # noqa: S101 - the numbers are made when they are asked for


def _many(strategy: Strategy, bars: Bars) -> None:
    """The kernel that scores parameter sets."""
    backtest_many([strategy], bars)


def _report(strategy: Strategy, bars: Bars) -> None:
    """The rolling and monthly statistics that only a report asks for."""
    with tempfile.TemporaryDirectory() as folder:
        backtest(strategy, bars).report(Path(folder) / "report.html")


def prune() -> int:
    """Delete the kernels of earlier states of the engine; how many folders there were."""
    current = kernel_folder()
    old = [path for path in current.parent.glob("kernels-*") if path != current]
    for path in old:
        shutil.rmtree(path, ignore_errors=True)
    return len(old)


def main() -> None:
    """Compile, saying what is compiled where somebody watches."""
    watched = sys.stdout.isatty()

    def tell(name: str, number: int, total: int) -> None:
        if watched:
            print(f"\r[{number}/{total}] {name:<40}", end="", flush=True)

    seconds = warm_up(tell)
    prune()
    print(f"{chr(13) if watched else ''}kernels ready after {seconds:.1f} s{' ' * 30 if watched else ''}")


if __name__ == "__main__":
    main()
