"""`python -m jobs.compile_kernels`: compiles ahead, in two processes: kernels, by running what a user would run, and byte code."""

from __future__ import annotations

import ast
import compileall
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from queue import SimpleQueue
from threading import Thread
from typing import Any

import numpy as np
from numba import typeof

from gpt_trader import (
    Allocation,
    AtrStop,
    Bars,
    BreakEven,
    OrderStrategy,
    RiskLimits,
    ScaleOut,
    Sleeve,
    StopLoss,
    Strategy,
    TakeProfit,
    TimeStop,
    TrailingStop,
    backtest,
    backtest_portfolio,
    load_bars,
)
from gpt_trader.batch import backtest_many
from gpt_trader.engine.bar_by_bar import Trader, bars_of
from gpt_trader.engine.kernel_folders import current_folders, kernel_home
from gpt_trader.engine.messages import Operator, Requests, Targets, Unknown
from gpt_trader.engine.recorder import Recorder
from gpt_trader.engine.run_setup import Settings, blank_info, rules_record
from gpt_trader.engine.simulation import FinishedRun, build_plan, open_account
from gpt_trader.engine.target_weights import allocate
from gpt_trader.indicators.panels import LEAST
from gpt_trader.orders import OrderRequest, cancel, limit, market
from gpt_trader.result import run_statistics
from gpt_trader.strategies import available, load_strategy

OURS = ("gpt_trader", "jobs", "actors", "serve")
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


HINDERS = ("NUMBA_DISABLE_JIT", "PYTHONDONTWRITEBYTECODE")
Step = tuple[str, Callable[[], None]]


def warm_up(tell: Callable[[str, int, int], None] = lambda _name, _done, _total: None) -> float:
    """Compile what is not compiled yet; the seconds it took. `tell` hears the name, number and count of each step."""
    began = time.perf_counter()
    steps = [step for steps in KERNELS for step in steps()]
    for number, (name, step) in enumerate(steps, 1):
        tell(name, number, len(steps))
        step()
    return time.perf_counter() - began


def _engine_steps() -> list[Step]:
    """The longest piece, and the report, most of which the other process has compiled by then."""
    many = _bars("AAPL", "IBM", "MSFT")
    return [
        ("targets known beforehand", lambda: _run(load_strategy("demo_ma")(), many)),
        ("report", lambda: _report(load_strategy("trend_breakout")(), many)),
    ]


def _other_steps() -> list[Step]:
    """What needs no run; parts of the engine that the other process comes to last."""
    many = _bars("AAPL", "IBM", "MSFT")
    return [
        ("allocation of targets", lambda: _allocation(many)),
        ("indicators of two strategies", lambda: _features(many, ("demo_ma", "trend_breakout"))),
        ("statistics", lambda: _statistics(many)),
    ]


def _rule_steps() -> list[Step]:
    """The other ways in which the engine runs: bar by bar, orders, rules of every kind."""
    one, many = _bars("AAPL"), _bars("AAPL", "IBM", "MSFT")
    plain = load_strategy("demo_ma")()
    rules = Allocation(sizing="risk", cadence="week", confirm=2, cooldown=3, regime="IBM")
    return [
        ("rules that read what they hold", partial(_run, HeldRule(), many)),
        ("orders", partial(_run, OrderRule(), one)),
        ("exits", partial(_run, plain, many, exits=EXITS)),
        ("risk limits", partial(_run, plain, many, risk=RiskLimits())),
        ("allocation", partial(_run, plain, many, allocation=rules)),
        ("a session, bar by bar", partial(_trade, many)),
        ("several strategies", partial(_portfolio, many)),
    ]


def _strategy_steps() -> list[Step]:
    """The indicators of every shipped strategy on one symbol, on three and on a panel; many runs in one call."""
    one, many = _bars("AAPL"), _bars("AAPL", "IBM", "MSFT")
    panel = load_bars([f"S{number}" for number in range(LEAST)], source="synthetic", start=START, end=END)
    return [
        ("indicators", lambda: _features(one, available())),
        ("indicators of several symbols", lambda: _features(many, available())),
        ("indicators of a panel", lambda: _features(panel, available())),
        ("many runs", lambda: _many(load_strategy("demo_ma")(), one)),
    ]


def _byte_code_steps() -> list[Step]:
    """What makes commands start fast, which is no kernel."""
    return [("byte code", keep_byte_code)]


Share = tuple[Callable[[], list[Step]], ...]
KERNELS: Share = (_engine_steps, _rule_steps, _other_steps, _strategy_steps)
SHARES: tuple[Share, ...] = (KERNELS[:2], (*KERNELS[2:], _byte_code_steps))
"""What each of the processes runs. They meet in the folder of kernels: what one has compiled the other reads."""


def _bars(*symbols: str) -> Bars:
    return load_bars(list(symbols), start=START, end=END)


def _run(strategy: Strategy, bars: Bars, **rules: Any) -> None:
    """One backtest with its statistics."""
    assert backtest(strategy, bars, **rules).metrics  # noqa: S101 - the numbers are made when they are asked for


def _features(bars: Bars, names: Iterable[str]) -> None:
    """The indicators of some shipped strategies."""
    for name in names:
        load_strategy(name)().features(bars)


def _untouched(bars: Bars) -> FinishedRun:
    """An account with which nothing has been done yet."""
    run, settings = open_account(bars, Settings(), 0), Settings()
    run.book.account_curves[:] = settings.capital
    plan = build_plan(run.waiting, load_strategy("buy_and_hold")(), bars, settings, 0)
    return FinishedRun(run.book, plan.market, "array")


def _statistics(bars: Bars) -> None:
    """The numbers of a run."""
    run_statistics(bars, _untouched(bars))


def _allocation(bars: Bars) -> None:
    """Allocation as a part of other kernels, for the types that it has in a run."""
    idle = _untouched(bars)
    type_of: Any = typeof
    types = [type_of(item) for item in (idle.market, idle.book, np.empty(bars.N), 0)]
    part: Any = allocate
    part.get_call_template(tuple(types), {})


def _portfolio(bars: Bars) -> None:
    """Several strategies in one account, whose orders meet."""
    sleeves = [
        Sleeve(load_strategy("demo_ma")(), 0.3, exits=(StopLoss(0.05),)),
        Sleeve(HeldRule(), 0.3),
        Sleeve(OrderRule(), 0.3),
    ]
    assert backtest_portfolio(sleeves, bars, risk=RiskLimits()).metrics  # noqa: S101 - made when they are asked for


def _trade(bars: Bars) -> None:
    """The account and the venue of a session: one in which no rule reads average true ranges or ranks has other arrays."""
    rules = rules_record(Settings(), (), units=False, score=False)
    for signals in (False, True):
        trader = Trader(blank_info(bars.N), 1e6, rules, 60, Recorder(), signals=signals)
        for t, bar in enumerate(bars_of(_untouched(bars).market)):
            trader.bar(bar)
            trader.decided(Targets(np.full(bars.N, 0.2 * (t % 2))))
            trader.decided(Requests((limit(10, 1.0), cancel()) if t % 2 else (market(10, 1e6, 1.0),)))
            if t == 20:
                break
        for event in (Unknown(0), Operator(1), Operator(3)):
            trader.account.apply((event,))


def _many(strategy: Strategy, bars: Bars) -> None:
    """The kernel that scores parameter sets."""
    backtest_many([strategy], bars)


def _report(strategy: Strategy, bars: Bars) -> None:
    """The rolling and monthly statistics that only a report asks for."""
    with tempfile.TemporaryDirectory() as folder:
        backtest(strategy, bars).report(Path(folder) / "report.html")


def keep_byte_code(ours: tuple[str, ...] = OURS) -> None:
    """Compile the modules of these packages, and load each module of other packages that one of them imports anywhere: where Python
    may write no byte code, each start of a command would compile it anew."""
    folders = [folder for name in ours for folder in _folders(name)]
    for folder in folders:
        compileall.compile_dir(folder, quiet=2)
    names = {name for folder in folders for path in sorted(folder.rglob("*.py")) for name in imports_of(path)}
    for name in sorted(names):
        if name.partition(".")[0] not in (*ours, *sys.stdlib_module_names):
            with suppress(Exception):  # what is not installed, or not for this system, loads for nobody
                import_module(name)


def imports_of(path: Path) -> Iterator[str]:
    """The modules that a file imports, at its beginning or within a function."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (item.name for item in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module


def _folders(name: str) -> list[Path]:
    """Where a package of ours lies; nowhere when it is not installed."""
    spec = find_spec(name)
    return [Path(place) for place in (spec.submodule_search_locations or ())] if spec else []


def prune() -> int:
    """Delete the kernels of earlier states of the engine; how many folders there were."""
    current = current_folders()
    old = [path for path in kernel_home().glob("kernels-*") if path not in current]
    for path in old:
        shutil.rmtree(path, ignore_errors=True)
    return len(old)


def compile_all(
    tell: Callable[[str], None], shares: tuple[Share, ...] = SHARES, python: str = sys.executable
) -> int:
    """Compile in a process for each of the `shares`, telling each step as it begins; the exit code of the first that fails.

    `python` is the program that runs them.
    """
    queue: SimpleQueue[str | None] = SimpleQueue()
    command = [python, "-m", "jobs.compile_kernels"]
    environ = {name: value for name, value in os.environ.items() if name not in HINDERS}
    children = [
        subprocess.Popen([*command, str(number)], stdout=subprocess.PIPE, text=True, env=environ)
        for number in range(len(shares))
    ]
    try:
        for child in children:
            Thread(target=_read, args=(child, queue), daemon=True).start()
        total = sum(len(steps()) for share in shares for steps in share)
        running, done = len(children), 0
        while running:
            line = queue.get()
            if line is None:
                running -= 1
            else:
                done += 1
                tell(f"{done} of {total}: {line}")
        return next((code for code in [child.wait() for child in children] if code), 0)
    finally:
        for child in children:
            if child.poll() is None:
                child.terminate()


def _read(child: subprocess.Popen[str], queue: SimpleQueue[str | None]) -> None:
    """The lines of a child, and None when it has no more."""
    if child.stdout is not None:
        with child.stdout as lines:
            for line in lines:
                queue.put(line.strip())
    queue.put(None)


def _stop(_number: int, _frame: object) -> None:
    raise SystemExit(143)


def main() -> None:
    """Compile, saying what is compiled; the code is 1 when something could not be."""
    given = sys.argv[1:]
    if given not in ([], *([str(number)] for number in range(len(SHARES)))):
        print("usage: python -m jobs.compile_kernels", file=sys.stderr)
        raise SystemExit(2)
    if given:
        for steps in SHARES[int(given[0])]:
            for name, step in steps():
                print(name, flush=True)
                step()
        return
    signal.signal(signal.SIGTERM, _stop)
    began = time.perf_counter()
    if compile_all(partial(print, flush=True)):
        raise SystemExit(1)
    prune()
    print(f"kernels ready after {time.perf_counter() - began:.1f} s")


if __name__ == "__main__":
    main()
