"""The loop's shortcut for bars in which nothing but prices changes, against the plain loop of every step on every bar."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pytest

from gpt_trader import (
    Allocation,
    Bars,
    Costs,
    FillModel,
    Instrument,
    OrderStrategy,
    StopLoss,
    TakeProfit,
    TimeStop,
    TrailingStop,
    orders,
    per_symbol,
)
from gpt_trader.bars import CLOSE
from gpt_trader.engine.account_memory import grow_logs
from gpt_trader.engine.bar_loop import (
    before_decision,
    room_in_logs,
    run_decided,
    skip_idle_bars,
    unchanged_rows,
)
from gpt_trader.engine.records import BAD_TARGET, DONE, AccountState, MarketData
from gpt_trader.engine.run_modes import run_rows
from gpt_trader.engine.target_weights import allocate
from tests.markets import random_market
from tests.properties.truth_cases import NAN, flat, market, prepared, run, scripted, side_by_side, walk

LOGS = ("orders", "fills", "trades", "decisions")


def same_bits(mine: Any, theirs: Any) -> bool:
    """Equal field by field, bit by bit; padding between fields does not count, nor does `signal_bars` (its own test is below)."""
    if mine.dtype.names is None:
        return bool(mine.tobytes() == theirs.tobytes())
    names = [name for name in mine.dtype.names if name != "signal_bars"]
    return mine.shape == theirs.shape and all(
        mine[name].tobytes() == theirs[name].tobytes() for name in names
    )


def assert_same(quick: AccountState, plain: AccountState) -> None:
    for name in LOGS:
        count = int(plain.account[0][name])
        assert int(quick.account[0][name]) == count, name
        assert same_bits(getattr(quick, name)[:count], getattr(plain, name)[:count]), name
    for name in ("account_curves", "symbols", "account"):
        assert same_bits(getattr(quick, name), getattr(plain, name)), name


def quick_run(m: MarketData, book: AccountState, targets: np.ndarray) -> AccountState:
    """All targets in one call, as a backtest makes it."""
    unchanged = np.empty(targets.shape[0], np.int8)
    at, code = run_decided(m, book, targets, unchanged, 0)
    return book if code == DONE else run_rows(m, grow_logs(book), targets, unchanged, at)


def plain_run(m: MarketData, book: AccountState, targets: np.ndarray) -> AccountState:
    for _, now in walk(m, book, targets):
        book = now
    return book


def thorough_run(m: MarketData, book: AccountState, targets: np.ndarray) -> AccountState:
    """The plain loop without the allocator's own shortcut either: every bar counts as new."""
    for t in range(targets.shape[0]):
        while not room_in_logs(book):
            book = grow_logs(book)
        before_decision(m, book, t)
        book.account[0]["needs_allocation"] = 1
        allocate(m, book, targets[t], t)
    return book


def idle_bars(m: MarketData, book: AccountState, targets: np.ndarray) -> int:
    """How many bars the shortcut took in a run."""
    unchanged = np.empty(targets.shape[0], np.int8)
    unchanged_rows(m.panel[CLOSE], targets, unchanged)
    t = taken = 0
    while t < targets.shape[0]:
        while not room_in_logs(book):
            book = grow_logs(book)
        before_decision(m, book, t)
        allocate(m, book, targets[t], t)
        after = skip_idle_bars(m, book, unchanged, t + 1, targets.shape[0])
        taken += after - t - 1
        t = after
    return taken


def slow_targets(rng: np.random.Generator, count: int, symbols: int) -> np.ndarray:
    """States that last for some twenty bars: longs, flat, now and then a short or NaN."""
    out = np.empty((count, symbols))
    for n in range(symbols):
        change = rng.random(count) < 0.05
        change[0] = True
        states = rng.choice([1.0, 0.4, 0.7, 0.0, 0.0, -0.3, NAN], count)
        out[:, n] = states[np.maximum.accumulate(np.where(change, np.arange(count), 0))]
    if rng.random() < 0.5:  # a bar on which all is said again
        out[:, 1:] = np.where(np.isnan(out[:, :1]), NAN, out[:, 1:])
    return out


def slow_case(number: int) -> tuple[Bars, dict[str, Any], np.ndarray]:
    rng = random.Random(number)
    bars = random_market(
        250, 3, number, gaps=rng.choice([0.0, 0.01]), splits=rng.random() < 0.5, dividends=rng.random() < 0.5,
        sigma=rng.choice([0.01, 0.05]), volume=rng.choice([1e4, 1e6]),
    )  # fmt: skip
    if rng.random() < 0.3:
        bars = Bars(bars.symbols, bars.time, bars.panel, delisted=(None, str(bars.time[130])[:10], None))
    allocation = Allocation(
        gross=rng.choice([0.6, 1.0, 3.0]), position=3.0, leverage=rng.choice([1.0, 4.0]), max_positions=rng.choice([1, 10]),
        confirm=rng.choice([1, 3]), cooldown=rng.choice([0, 6]), min_rebalance=rng.choice([0.0, 0.05]),
        regime=rng.choice([None, None, "S1"]), regime_window=10, sizing=rng.choice(["weight", "weight", "risk"]),
        reentry=rng.choice(["signal", "immediate"]), allow_short=rng.random() < 0.5,
    )  # fmt: skip
    options = {
        "allocation": allocation, "costs": Costs(minimum=rng.choice([0.0, 5.0])), "capital": rng.choice([3e3, 1e5]),
        "fills": FillModel(rng.choice([0.1, None])), "exits": rng.choice([(), (), (), (StopLoss(0.05),)]),
        "instruments": tuple(Instrument(name, lot=rng.choice([1.0, 0.0])) for name in bars.symbols),
    }  # fmt: skip
    return bars, options, slow_targets(np.random.default_rng(number), bars.T, bars.N)


@pytest.mark.parametrize("number", range(40))
def test_the_shortcut_leaves_the_same_bits(number: int) -> None:
    bars, options, targets = slow_case(number)
    strategy = scripted(targets)
    quick = quick_run(*prepared(strategy, bars, options), targets)
    assert_same(quick, plain_run(*prepared(strategy, bars, options), targets))


@pytest.mark.parametrize("number", range(20))
def test_no_shortcut_at_all_trades_the_same(number: int) -> None:
    """Also without the allocator's early return: the same fills, orders and account curves."""
    bars, options, targets = slow_case(number)
    strategy = scripted(targets)
    quick = quick_run(*prepared(strategy, bars, options), targets)
    slow = thorough_run(*prepared(strategy, bars, options), targets)
    for name in ("orders", "fills", "trades"):
        count = int(slow.account[0][name])
        assert int(quick.account[0][name]) == count, name
        fields = [f for f in getattr(slow, name).dtype.names if f != "decision"]
        assert all(
            same_bits(getattr(quick, name)[:count][f], getattr(slow, name)[:count][f]) for f in fields
        ), name
    assert same_bits(quick.account_curves, slow.account_curves)


def test_the_cases_have_quiet_bars_and_busy_ones() -> None:
    taken = []
    for number in range(40):
        bars, options, targets = slow_case(number)
        taken.append(idle_bars(*prepared(scripted(targets), bars, options), targets))
    assert min(taken) == 0, "some settings allow no shortcut"
    assert max(taken) > 150
    assert sum(count > 20 for count in taken) > 10


def test_ruin_inside_a_quiet_stretch_is_seen() -> None:
    """Four times levered, quiet for ten bars, then down by a third: flattened at the next open in both loops."""
    rows = [*flat(12), (100, 100, 65, 65), *flat(12, 65)]
    options = {
        "allocation": Allocation(gross=4.0, position=4.0, leverage=4.0),
        "costs": Costs(0, 0, 0, 0, 0, 0, 0),
    }
    targets = np.full((25, 1), 4.0)
    strategy = scripted(targets)
    quick = quick_run(*prepared(strategy, market(rows, volume=1e9), options), targets)
    assert_same(quick, plain_run(*prepared(strategy, market(rows, volume=1e9), options), targets))
    assert quick.fills["bar"][:2].tolist() == [1, 13]
    assert quick.fills["quantity"][:2].tolist() == [4000.0, -4000.0]


def test_an_event_of_another_symbol_ends_the_stretch() -> None:
    """A dividend of B in bar 10 is paid although nothing else happens."""
    bars = side_by_side(market(flat(20)), market(flat(20), dividend={10: 1.0}))
    targets = np.full((20, 2), 0.3)
    strategy = scripted(targets)
    quick = quick_run(*prepared(strategy, bars, {}), targets)
    assert_same(quick, plain_run(*prepared(strategy, bars, {}), targets))
    assert quick.account_curves[1, 10] - quick.account_curves[1, 9] == pytest.approx(300.0)


def test_a_refused_entry_is_asked_again_on_every_bar() -> None:
    """The only seat is taken until bar 10; B is wanted all the time and gets it as soon as A has left."""
    bars = side_by_side(market(flat(20)), market(flat(20)))
    targets = np.full((20, 2), 0.3)
    targets[10:, 0] = 0.0
    options = {"allocation": Allocation(max_positions=1)}
    strategy = scripted(targets)
    quick = quick_run(*prepared(strategy, bars, options), targets)
    assert_same(quick, plain_run(*prepared(strategy, bars, options), targets))
    assert quick.fills["bar"][: int(quick.account[0]["fills"])].tolist() == [1, 11, 11]


def test_targets_of_missing_bars_do_not_count_as_a_change() -> None:
    """`unchanged` wants the same symbols present with the same targets; a target beside a missing bar is not looked at."""
    close = np.array([[1.0, 1.0], [1.0, NAN], [1.0, NAN], [1.0, NAN], [1.0, 1.0], [1.0, 1.0]])
    targets = np.array([[1.0, 1.0], [1.0, 1.0], [1.0, 0.0], [1.0, 1.0], [1.0, 1.0], [1.0, 1.0]])
    out = np.empty(6, np.int8)
    unchanged_rows(close, targets, out)
    assert out.tolist() == [0, 0, 1, 1, 0, 1]


@pytest.mark.parametrize("loop", ["plain", "thorough"])
def test_a_missing_bar_does_not_lengthen_the_row_of_signals(loop: str) -> None:
    """docs/assumptions.md, step 5: the target beside a missing bar is not looked at, its row of signals stays as it was. B has
    bars 0 to 4 and 10 to 14: its row is 10 long, by every loop."""
    gap = flat(15)
    gap[5:10] = [(NAN, NAN, NAN, NAN)] * 5
    bars = side_by_side(market(flat(15)), market(gap))
    targets = np.full((15, 2), 0.3)
    strategy = scripted(targets)
    quick = quick_run(*prepared(strategy, bars, {}), targets)
    other = {"plain": plain_run, "thorough": thorough_run}[loop](*prepared(strategy, bars, {}), targets)
    assert quick.symbols["signal_bars"].tolist() == other.symbols["signal_bars"].tolist() == [15, 10]


# -- order strategies: the engine is called only when the next bar may matter to an order ------------------------------


class Seen:
    """What the strategies below saw of their holdings, by bar."""

    quantity: ClassVar[list[Any]] = []


@dataclass(frozen=True)
class Vector(OrderStrategy):
    """Random orders for several symbols; writes down the quantities it is shown, and reads nothing else."""

    seed: int = 0

    def features(self, bars: Bars) -> Any:
        return {"row": np.arange(bars.T, dtype=float)}

    def decide(self, now: Any, held: Any) -> Any:
        Seen.quantity.append(np.array(held.quantity))
        n, request = random_order(now.close, 1000 * self.seed + int(now.row[0]))
        return None if request is None else request(n)


@dataclass(frozen=True)
class Scalar(Vector):
    """The same for one symbol, written for one."""

    @per_symbol
    def decide(self, now: Any, held: Any) -> Any:
        Seen.quantity.append([held.quantity])
        _, request = random_order(np.array([now.close]), 1000 * self.seed + int(now.row))
        return None if request is None else (request(0),)


def random_order(close: Any, seed: int) -> Any:
    """(symbol, request of the symbol) now and then: seldom enough for long stretches without anything to do."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(close.size))
    price = close[n]
    if np.isnan(price) or rng.random() > 0.06:
        return n, None
    size = float(rng.choice([20, 100])) * (1 if rng.random() < 0.7 else -1)
    far = price * (1 + 0.05 * np.sign(size))
    return n, [
        lambda k: orders.market(size, far, price * (1 - 0.05 * np.sign(size)), symbol=k),
        lambda k: orders.limit(size, price * (1 - 0.04 * np.sign(size)), symbol=k),
        lambda k: orders.stop(size, far, symbol=k),
        lambda k: orders.stop_limit(size, far, far * 1.005, symbol=k),
        lambda k: orders.trailing_stop(size, 0.05, symbol=k),
        lambda k: orders.limit(size, price * (1 - 0.01 * np.sign(size)), day=1, symbol=k),
        lambda k: orders.cancel(symbol=k),
    ][int(rng.integers(7))]


@pytest.mark.parametrize("number", range(24))
def test_an_order_strategy_never_sees_stale_holdings(number: int) -> None:
    """The quantity shown at each bar is the one held at its close, by the positions table; exits and events included."""
    rng = random.Random(number)
    symbols = 1 if number % 2 else 3
    bars = random_market(300, symbols, number, splits=True, dividends=True, gaps=0.02, sigma=0.015)
    exits: Any = rng.choice(
        [(), (StopLoss(0.06),), (TakeProfit(0.06),), (TrailingStop(0.06),), (TimeStop(9),)]
    )
    Seen.quantity = []
    strategy = Scalar(number) if symbols == 1 else Vector(number)
    result = run(strategy, bars, mode="python", exits=exits, fills=FillModel(rng.choice([None, 1e-4])))
    held = np.zeros((bars.T, bars.N))
    rows = {time: t for t, time in enumerate(bars.time)}
    for item in result.positions.itertuples():
        held[rows[np.datetime64(item.time)], bars.symbols.index(item.symbol)] = item.quantity
    np.testing.assert_allclose(np.array(Seen.quantity), held, atol=1e-9)
    assert len(result.fills) > 3


@pytest.mark.parametrize("row", [3, 4, -1])
def test_an_infinite_target_is_told_before_anything_is_done(row: int) -> None:
    bars, options, targets = slow_case(0)
    targets[row, 0] = -np.inf
    m, book = prepared(scripted(np.zeros_like(targets)), bars, options)
    before = book.account.tobytes()
    assert run_decided(m, book, targets, np.empty(bars.T, np.int8), 3) == (3, BAD_TARGET)
    assert book.account.tobytes() == before
