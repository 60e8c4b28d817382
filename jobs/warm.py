"""`python -m jobs.warm [all|demo]`: compiles kernels into the cache by running what a user would run, in two processes."""

from __future__ import annotations

import shutil
import sys
import tempfile
import time
from collections.abc import Callable
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


Step = tuple[str, Callable[[], None]]


def warm_up(tell: Callable[[str, int, int], None] = lambda _name, _done, _total: None) -> float:
    """Compile what is not compiled yet; the seconds it took. `tell` hears the name, number and count of each step."""
    began = time.perf_counter()
    steps = [step for share in PARTS["all"] for step in share()]
    for number, (name, step) in enumerate(steps, 1):
        tell(name, number, len(steps))
        step()
    return time.perf_counter() - began


def _demo_steps() -> list[Step]:
    """What `gpt-trader demo` runs, report included."""
    many = _bars("AAPL", "IBM", "MSFT")
    return [
        ("targets known beforehand", lambda: _run(load_strategy("demo_ma")(), many)),
        ("report", lambda: _report(load_strategy("trend_breakout")(), many)),
    ]


def _rule_steps() -> list[Step]:
    """The other ways in which the engine runs: bar by bar, orders, many runs."""
    one, many = _bars("AAPL"), _bars("AAPL", "IBM", "MSFT")
    plain = load_strategy("demo_ma")()
    rules = Allocation(sizing="risk", cadence="week", confirm=2, cooldown=3, regime="IBM")
    return [
        ("rules that read what they hold", partial(_run, HeldRule(), many)),
        ("orders", partial(_run, OrderRule(), one)),
        ("many runs", lambda: _many(plain, one)),
        ("exits", partial(_run, plain, many, exits=EXITS)),
        ("risk limits", partial(_run, plain, many, risk=RiskLimits())),
        ("allocation", partial(_run, plain, many, allocation=rules)),
    ]


def _strategy_steps() -> list[Step]:
    """Every shipped strategy on one symbol and on three: the indicators."""
    one, many = _bars("AAPL"), _bars("AAPL", "IBM", "MSFT")
    found = [(name, load_strategy(name)()) for name in available()]
    return [
        *((f"{name}, one symbol", partial(_run, strategy, one)) for name, strategy in found),
        *((f"{name}, three symbols", partial(_run, strategy, many)) for name, strategy in found),
    ]


PARTS: dict[str, tuple[Callable[[], list[Step]], ...]] = {
    "demo": (_demo_steps,),
    "all": (_demo_steps, _rule_steps, _strategy_steps),
}


def _bars(*symbols: str) -> Bars:
    return load_bars(list(symbols), start=START, end=END)


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
    """Compile, saying what is compiled."""
    part = sys.argv[1] if len(sys.argv) > 1 else "all"
    if part not in PARTS:
        print(f"usage: python -m jobs.warm [{'|'.join(PARTS)}]", file=sys.stderr)
        raise SystemExit(2)
    sys.dont_write_bytecode = False
    began = time.perf_counter()
    steps = [step for share in PARTS[part] for step in share()]
    for number, (name, step) in enumerate(steps, 1):
        print(f"{number} of {len(steps)}: {name}", flush=True)
        step()
    prune()
    print(f"kernels ready after {time.perf_counter() - began:.1f} s")


if __name__ == "__main__":
    main()
