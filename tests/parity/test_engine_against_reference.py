"""The engine against the naive reference: 100 random markets with random options for every rule strategy."""

from __future__ import annotations

import random
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pytest

import gpt_trader
from gpt_trader import Allocation, Instrument, backtest
from gpt_trader.bars import Bars
from gpt_trader.orders import OrderRequest
from gpt_trader.strategies import SHIPPED, load_strategy
from gpt_trader.strategy import OrderStrategy, Strategy, param
from tests.markets import random_market as market_of_many
from tests.parity import reference_types as own
from tests.parity.naive_rules import Rule, atr_matrix, regime_row
from tests.parity.reference import simulate, simulate_orders
from tests.parity.reference_cases import (
    Options,
    random_asks,
    random_exits,
    random_options,
    random_score,
    random_targets,
)
from tests.parity.reference_markets import random_market
from tests.shipped_cases import SHIPPED_CASES

CASES = 100
BATCHES = 10  # ten cases a test: few enough tests to read, small enough to find a seed


# -- one case ---------------------------------------------------------------------------------------------------------


def engine_options(options: Options) -> dict[str, Any]:
    """The same options in the engine's types."""
    allocation = asdict(options.allocation) | {
        "regime": options.regime,
        "regime_window": options.regime_window,
    }
    return {
        "capital": options.capital,
        "costs": gpt_trader.Costs(**asdict(options.costs)),
        "allocation": gpt_trader.Allocation(**allocation),
        "fills": gpt_trader.FillModel(**asdict(options.fills)),
        "instruments": tuple(Instrument(name, lot=lot) for name, lot in options.lots.items()),
        "benchmark": False,
    }


def engine_exits(exits: tuple[own.Exit, ...]) -> tuple[Any, ...]:
    """The same exits in the engine's types, which take the same values in the same order."""
    return tuple(getattr(gpt_trader, type(item).__name__)(*asdict(item).values()) for item in exits)


def reference_options(options: Options, bars: Bars, exits: tuple[own.Exit, ...]) -> dict[str, Any]:
    lengths = {options.allocation.atr} | {item.n for item in exits if isinstance(item, own.AtrStop)}
    return {
        "capital": options.capital,
        "costs": options.costs,
        "allocation": options.allocation,
        "fills": options.fills,
        "lots": options.lots,
        "exits": exits,
        "atr": {n: atr_matrix(bars, n) for n in lengths},
    }


def run_reference(bars: Bars, rule: Rule, options: Options, kind: str = "weights") -> own.ReferenceRun:
    regime = None if options.regime is None else regime_row(bars, options.regime, options.regime_window)
    return simulate(
        bars,
        rule.targets,
        score=rule.score,
        regime=regime,
        target_kind=kind,
        **reference_options(options, bars, rule.exits),
    )


# -- the comparison ---------------------------------------------------------------------------------------------------


def fill_rows(result: Any, bars: Bars) -> list[tuple[Any, ...]]:
    """The engine's fills with bar and symbol as numbers, less those of a billionth of a share (rounding)."""
    row = {stamp: t for t, stamp in enumerate(bars.time)}
    return [
        (
            row[np.datetime64(f.time)],
            bars.symbols.index(f.symbol),
            f.side,
            f.quantity,
            f.price,
            f.commission,
            f.slippage,
        )
        for f in result.fills.itertuples()
        if f.quantity > own.DUST
    ]


def trade_rows(result: Any, bars: Bars) -> list[tuple[Any, ...]]:
    row = {stamp: t for t, stamp in enumerate(bars.time)}
    return [
        (row[np.datetime64(c.entry_time)], row[np.datetime64(c.exit_time)], c.side, c.costs, c.pnl, c.return_)
        for c in result.closed_trades.itertuples()
    ]


def assert_rows(kind: str, mine: list[tuple[Any, ...]], theirs: list[tuple[Any, ...]], case: str) -> None:
    """Three exact columns, the rest within 1e-9, absolute or relative; names the first row that differs."""
    for ours, engines in zip(mine, theirs, strict=False):
        same = ours[:3] == engines[:3] and np.allclose(ours[3:], engines[3:], rtol=1e-9, atol=1e-7)
        assert same, f"{case}: {kind} of the reference {ours}, of the engine {engines}"
    shorter = min(len(mine), len(theirs))
    more = [*mine[shorter:], *theirs[shorter:]]
    assert not more, (
        f"{case}: only the {'reference' if len(mine) > shorter else 'engine'} has the {kind} {more[0]}"
    )


def assert_same(result: Any, run: own.ReferenceRun, bars: Bars, case: str) -> None:
    """Fills, equity, cash and closed trades agree."""
    fills = [
        (f.t, f.symbol, f.side, f.quantity, f.price, f.commission, f.slippage)
        for f in run.fills
        if f.quantity > own.DUST
    ]
    assert_rows("fill", fills, fill_rows(result, bars), case)
    for name in ("equity", "cash"):
        theirs = result.equity[name].to_numpy()
        np.testing.assert_allclose(
            theirs, getattr(run, name), rtol=1e-9, atol=1e-6, err_msg=f"{case}: {name}"
        )
    trades = [(c.entry_t, c.exit_t, c.side, c.costs, c.pnl, c.return_) for c in run.closed_trades]
    assert_rows("closed trade", trades, trade_rows(result, bars), case)


# -- the shipped rules ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("batch", range(BATCHES))
@pytest.mark.parametrize("name", sorted(SHIPPED))
def test_shipped_rule(name: str, batch: int) -> None:
    for seed in range(batch * CASES // BATCHES, (batch + 1) * CASES // BATCHES):
        rng = random.Random(f"{name} {seed}")
        bars = random_market(rng.randrange(10**6))
        values = SHIPPED_CASES[name].draw(rng)
        options = random_options(rng, bars.symbols)
        result = backtest(load_strategy(name)(**values), bars, **engine_options(options))
        run = run_reference(bars, SHIPPED_CASES[name].rule(bars, **values), options)
        assert_same(result, run, bars, f"{name} seed {seed}")


# -- arbitrary targets with all exits ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class Script:
    """What the scripted strategies replay, by seed."""

    rule: Rule
    asks: tuple[list[own.Ask], ...] = ()


SCRIPTS: dict[int, Script] = {}


@dataclass(frozen=True)
class Scripted(Strategy):
    """Replays the targets of its script."""

    seed: int = param(0)

    def features(self, bars: Bars) -> dict[str, Any]:
        rule = SCRIPTS[self.seed].rule
        found = {"script": np.array(rule.targets)}
        return found if rule.score is None else found | {"score": np.array(rule.score)}

    def decide(self, now: Any) -> Any:
        return now.script

    def declared_exits(self) -> tuple[Any, ...]:
        return engine_exits(SCRIPTS[self.seed].rule.exits)


@dataclass(frozen=True)
class ScriptedUnits(Scripted):
    """Replays quantities."""

    target_kind = "units"


@dataclass(frozen=True)
class ScriptedHeld(Scripted):
    """Replays its targets, and leaves when the close has fallen from the peak or the position is old."""

    def decide(self, now: Any, held: Any) -> Any:  # type: ignore[override]
        return np.where((now.close < held.peak * 0.97) | (held.age > 10), 0.0, now.script)


def scripted_case(seed: int, kind: str) -> tuple[Bars, Options, Rule]:
    rng = random.Random(f"{kind} {seed}")
    bars = random_market(rng.randrange(10**6))
    options = random_options(rng, bars.symbols)
    rule = Rule(random_targets(rng, bars), random_score(rng, bars), random_exits(rng))
    if kind == "units":
        rule = Rule([[float(round(value * 100)) if value == value else value for value in row] for row in rule.targets],
                    rule.score, rule.exits)  # fmt: skip
    SCRIPTS[seed] = Script(rule)
    return bars, options, rule


@pytest.mark.parametrize("batch", range(BATCHES))
def test_random_targets_with_declared_exits(batch: int) -> None:
    for seed in range(batch * 30, (batch + 1) * 30):
        bars, options, rule = scripted_case(seed, "weights")
        result = backtest(Scripted(seed), bars, **engine_options(options))
        assert_same(result, run_reference(bars, rule, options), bars, f"targets seed {seed}")


@pytest.mark.parametrize("seed", range(12))
def test_many_entrants_for_few_seats(seed: int) -> None:
    """States that most of 14 symbols are in at once, ranks with ties and gaps, seats that come free one by one."""
    rng = np.random.default_rng(seed)
    bars = market_of_many(120, 14, seed, sigma=0.02, gaps=0.02 * (seed % 2))
    changes = rng.random((bars.T, bars.N)) < 0.08
    states = rng.choice([0.2, 0.2, 0.2, 0.05, -0.1, 0.0, np.nan], (bars.T, bars.N))
    rows = np.maximum.accumulate(np.where(changes, np.arange(bars.T)[:, None], 0), axis=0)
    targets = np.take_along_axis(states, rows, axis=0).tolist()
    ranked = rng.choice([1.0, 2.0, 3.0, np.nan], (bars.T, bars.N)).tolist() if seed % 3 else None
    SCRIPTS[seed] = Script(Rule(targets, ranked, ()))
    allocation = own.Allocation(gross=1.0, max_positions=1 + seed % 4)
    run = simulate(bars, targets, score=ranked, costs=own.Costs(), allocation=allocation)
    result = backtest(Scripted(seed), bars, allocation=Allocation(**asdict(allocation)), benchmark=False)
    assert_same(result, run, bars, f"seats seed {seed}")
    refused = result.decisions[result.decisions["verdict"] == "refused"]
    assert (refused["rule"] == "max positions").sum() > 20


@pytest.mark.parametrize("batch", range(BATCHES))
def test_random_units(batch: int) -> None:
    for seed in range(batch * 10, (batch + 1) * 10):
        bars, options, rule = scripted_case(seed, "units")
        result = backtest(ScriptedUnits(seed), bars, **engine_options(options))
        assert_same(result, run_reference(bars, rule, options, "units"), bars, f"units seed {seed}")


@pytest.mark.parametrize("batch", range(BATCHES))
def test_decisions_that_look_at_what_is_held(batch: int) -> None:
    for seed in range(batch * 10, (batch + 1) * 10):
        bars, options, rule = scripted_case(seed, "held")
        closes = bars.continuous().close.tolist()

        def decide(t: int, held: list[own.Held], rule: Rule = rule, closes: own.Matrix = closes) -> own.Row:
            return [
                0.0 if closes[t][n] < h.peak * 0.97 or h.age > 10 else rule.targets[t][n]
                for n, h in enumerate(held)
            ]

        regime = None if options.regime is None else regime_row(bars, options.regime, options.regime_window)
        run = simulate(
            bars, decide, score=rule.score, regime=regime, **reference_options(options, bars, rule.exits)
        )
        result = backtest(ScriptedHeld(seed), bars, **engine_options(options))
        assert_same(result, run, bars, f"held seed {seed}")


# -- order strategies -------------------------------------------------------------------------------------------------

KINDS = [own.Kind.MARKET, own.Kind.LIMIT, own.Kind.STOP, own.Kind.STOP_LIMIT, own.Kind.TRAILING]
FIELDS = ("kind", "quantity", "limit", "stop", "trail", "take_profit", "stop_loss", "day", "symbol")


@dataclass(frozen=True)
class ScriptedOrders(OrderStrategy):
    """Replays up to two orders a bar from its script."""

    seed: int = param(0)

    def features(self, bars: Bars) -> dict[str, Any]:
        table = np.full((2, len(FIELDS), bars.T), np.nan)
        table[:, 0] = -1.0
        table[:, [1, 7, 8]] = 0.0
        for t, asks in enumerate(SCRIPTS[self.seed].asks):
            for slot, a in enumerate(asks):
                kind = KINDS.index(a.kind)
                table[slot, :, t] = (
                    kind,
                    a.quantity,
                    a.limit,
                    a.stop,
                    a.trail,
                    a.take_profit,
                    a.stop_loss,
                    a.day,
                    a.symbol,
                )
        return {f"{name}_{slot}": table[slot, i] for slot in range(2) for i, name in enumerate(FIELDS)}

    def decide(self, now: Any, held: Any) -> Any:
        first = OrderRequest(
            int(now.kind_0[0]), now.quantity_0[0], now.limit_0[0], now.stop_0[0], now.trail_0[0],
            now.take_profit_0[0], now.stop_loss_0[0], int(now.day_0[0]), int(now.symbol_0[0]),
        )  # fmt: skip
        second = OrderRequest(
            int(now.kind_1[0]), now.quantity_1[0], now.limit_1[0], now.stop_1[0], now.trail_1[0],
            now.take_profit_1[0], now.stop_loss_1[0], int(now.day_1[0]), int(now.symbol_1[0]),
        )  # fmt: skip
        return (first, second)

    def declared_exits(self) -> tuple[Any, ...]:
        return engine_exits(SCRIPTS[self.seed].rule.exits)


@pytest.mark.parametrize("batch", range(BATCHES))
def test_random_orders(batch: int) -> None:
    for seed in range(batch * 40, (batch + 1) * 40):
        rng = random.Random(f"orders {seed}")
        bars = random_market(rng.randrange(10**6))
        options = random_options(rng, bars.symbols)
        exits = random_exits(rng) if rng.random() < 0.5 else ()
        asks = random_asks(rng, bars)
        SCRIPTS[seed] = Script(Rule([], exits=exits), tuple(asks))

        def decide(t: int, _: list[own.Held], asks: list[list[own.Ask]] = asks) -> list[own.Ask]:
            return asks[t]

        run = simulate_orders(bars, decide, **reference_options(options, bars, exits))
        result = backtest(ScriptedOrders(seed), bars, **engine_options(options))
        assert_same(result, run, bars, f"orders seed {seed}")


def test_the_random_markets_have_every_defect() -> None:
    markets = [random_market(seed) for seed in range(60)]
    assert any(np.isnan(m.close[60:80]).any() for m in markets)
    assert any((m.split != 1).any() for m in markets)
    assert any((m.dividend != 0).any() for m in markets)
    assert any(any(m.delisted) for m in markets)
    assert any((m.volume.max(axis=0) == 0).any() for m in markets)
