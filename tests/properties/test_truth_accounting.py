"""Money adds up: a second set of books kept from the fills alone agrees with the engine's, on every bar and for every trade."""

from __future__ import annotations

import random
from collections import defaultdict
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np
import pytest

from gpt_trader import (
    Allocation,
    Bars,
    Costs,
    FillModel,
    Instrument,
    OrderStrategy,
    Result,
    StopLoss,
    backtest,
    orders,
)
from gpt_trader.engine.records import EXIT, MARKET
from gpt_trader.strategies import load_strategy
from tests.markets import random_market
from tests.properties.truth_cases import FREE, UNCAPPED, random_options, random_weights, scripted

CASES = range(24)


@dataclass(frozen=True)
class RandomOrders(OrderStrategy):
    """Orders of every kind at random prices around the close, some with bracket legs."""

    seed: int = 0

    def decide(self, now: Any, held: Any) -> Any:
        if np.isnan(now.close).any():
            return None
        rng = np.random.default_rng(int(1e6 * now.close[0]) + self.seed)
        if rng.random() > 0.25:
            return None
        n = int(rng.integers(now.close.size))
        size = float(rng.choice([30, 100, 400])) * (1 if rng.random() < 0.65 else -1)
        near, far = now.close[n] * (1 + 0.02 * rng.normal()), now.close[n] * (1 + 0.02 * np.sign(size))
        legs = {
            "take_profit": now.close[n] * (1 + 0.05 * np.sign(size)),
            "stop_loss": now.close[n] * (1 - 0.05 * np.sign(size)),
        }
        return [
            orders.market(size, symbol=n, **legs), orders.limit(size, near, day=1, symbol=n, **legs),
            orders.stop(size, far, symbol=n), orders.stop_limit(size, far, far * 1.01, symbol=n, **legs),
            orders.trailing_stop(size, 0.03, symbol=n), orders.cancel(symbol=n),
        ][int(rng.integers(6))]  # fmt: skip


@cache
def case(number: int) -> Result:
    """One random run: weights, units or orders of three symbols with splits, dividends, gaps and a delisting."""
    rng = random.Random(number)
    plain = random_market(160, 3, number, gaps=0.02, splits=True, dividends=True, volume=1e5, sigma=0.02)
    panel = plain.panel.copy()
    panel[:4, 120:, 1] = np.nan
    panel[4, 120:, 1] = 0.0
    bars = Bars(plain.symbols, plain.time, panel, delisted=(None, str(plain.time[119])[:10], None))
    options = random_options(rng, bars.symbols)
    if number % 4 == 3:
        return backtest(RandomOrders(number), bars, mode="python", **options)
    weights = random_weights(np.random.default_rng(number), bars.T, bars.N)
    if number % 4 == 2:
        return backtest(scripted(np.round(weights * 300), target="units"), bars, **options)
    return backtest(scripted(weights), bars, **options)


@dataclass
class SecondBooks:
    """Cash, quantities and marks of three symbols, kept from the fills and the corporate actions of the bars."""

    result: Result
    cash: float = 0.0
    quantity: Any = None
    mark: Any = None
    flow: dict[int, float] = field(default_factory=lambda: defaultdict(float))
    trips: list[tuple[int, int, float]] = field(default_factory=list)
    curves: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    quantities: list[Any] = field(default_factory=list)
    entry: Any = None
    open_profits: list[Any] = field(default_factory=list)
    overdrawn: list[tuple[int, float]] = field(default_factory=list)

    def pay(self, n: int, cash: float) -> None:
        self.cash += cash
        self.flow[n] += cash

    def actions(self, t: int) -> None:
        bars, costs = self.result.bars, self.result.settings.costs
        lots = {item.symbol: item.lot for item in self.result.settings.instruments}
        for n in range(bars.N):
            if t and self.quantity[n] < 0:
                time = (bars.time[t] - bars.time[t - 1]) / np.timedelta64(1, "D")
                self.pay(n, self.quantity[n] * self.mark[n] * costs.borrow * time / 365)
            if t == bars.last_session[n] + 1 and self.quantity[n]:
                self.pay(n, self.quantity[n] * self.mark[n])
                self.close(t, n)
            if bars.split[t, n] != 1.0:
                exact = self.quantity[n] * bars.split[t, n]
                lot = lots.get(bars.symbols[n], 1.0)
                whole = np.sign(exact) * np.floor(abs(exact) / lot + 1e-9) * lot if lot else exact
                self.mark[n] /= bars.split[t, n]
                self.entry[n] /= bars.split[t, n]
                self.pay(n, (exact - whole) * self.mark[n])
                was, self.quantity[n] = self.quantity[n], whole
                if was and not whole:
                    self.close(t, n)
            self.pay(n, self.quantity[n] * bars.dividend[t, n])

    def close(self, t: int, n: int) -> None:
        self.trips.append((t, n, self.flow.pop(n)))
        self.quantity[n] = 0.0

    def fill(self, t: int, fill: Any) -> None:
        n, size, price = int(fill["symbol"]), float(fill["quantity"]), float(fill["price"])
        costs = float(fill["commission"] + fill["slippage"])
        before = self.quantity[n]
        if before * size < 0 and abs(size) >= abs(before) - 1e-9:
            share = abs(before / size)
            self.pay(n, before * price - costs * share)
            self.close(t, n)
            size, costs = size + before, costs * (1 - share)
        if abs(size) > 1e-9:
            self.pay(n, -size * price - costs)
            if self.quantity[n] * size >= 0:
                held = abs(self.quantity[n])
                self.entry[n] = (self.entry[n] * held + price * abs(size)) / (held + abs(size))
            self.quantity[n] += size
        self.mark[n] = price
        if self.quantity[n] * fill["quantity"] > 0:
            equity = self.cash + (self.quantity * self.mark).sum()
            gross = np.abs(self.quantity * self.mark).sum()
            self.overdrawn.append((t, gross - self.result.settings.allocation.leverage * equity))

    def keep(self) -> SecondBooks:
        bars, log = self.result.bars, self.result.log("fills")
        self.cash = self.result.settings.capital
        self.quantity, self.mark, self.entry = np.zeros(bars.N), np.zeros(bars.N), np.zeros(bars.N)
        for t in range(bars.T):
            self.actions(t)
            for fill in log[(log["bar"] == t) & (self.result.fills["reason"] != "delisted").to_numpy()]:
                self.fill(t, fill)
            self.mark = np.where(np.isnan(bars.close[t]), self.mark, bars.close[t])
            value = self.quantity * self.mark
            net, gross = value.sum(), np.abs(value).sum()
            now = {"cash": self.cash, "equity": self.cash + net, "gross": gross, "net": net}
            for name, number in now.items():
                self.curves[name].append(number)
            self.quantities.append(self.quantity.copy())
            self.open_profits.append(self.quantity * (self.mark - self.entry))
        return self


@cache
def second_books(number: int) -> SecondBooks:
    return SecondBooks(case(number)).keep()


def test_the_cases_trade() -> None:
    """Every way to trade, longs and shorts, round trips, dividends and splits with positions: else nothing is proved."""
    sides = {side for number in CASES for side in case(number).closed_trades["side"]}
    kinds = {kind for number in CASES for kind in case(number).orders["kind"]}
    reasons = {reason for number in CASES for reason in case(number).fills["reason"]}
    assert sides == {"long", "short"}
    assert kinds == {"market", "limit", "stop", "stop_limit", "trailing"}
    assert {"target", "order", "stop loss", "trailing stop", "break even", "atr stop"} <= reasons
    assert {"take profit", "scale out", "time stop", "delisted"} <= reasons
    assert sum(len(case(number).closed_trades) for number in CASES) > 300
    assert sum(abs(case(number).closed_trades["income"]).sum() > 0 for number in CASES) > 10


@pytest.mark.parametrize("number", CASES)
def test_cash_and_positions_are_equity_on_every_bar(number: int) -> None:
    result, books = case(number), second_books(number)
    scale = float(np.abs(books.curves["equity"]).max())
    for name, row in (("equity", 0), ("cash", 1), ("gross", 2), ("net", 3)):
        np.testing.assert_allclose(
            result.account_curves[row], books.curves[name], rtol=1e-9, atol=1e-9 * scale, err_msg=name
        )
    np.testing.assert_allclose(
        result.account_curves[1] + result.account_curves[3], result.account_curves[0], rtol=1e-12
    )


@pytest.mark.parametrize("number", CASES)
def test_the_positions_table_holds_what_the_fills_bought(number: int) -> None:
    result, books = case(number), second_books(number)
    held = np.zeros((result.bars.T, result.bars.N))
    value = np.zeros(result.bars.T)
    row = {time: t for t, time in enumerate(result.bars.time)}
    for item in result.positions.itertuples():
        t = row[np.datetime64(item.time)]
        held[t, result.symbols.index(item.symbol)] = item.quantity
        value[t] += item.value
        assert item.value == pytest.approx(item.quantity * item.price, rel=1e-12)
        assert item.weight == pytest.approx(item.value / result.account_curves[0, t], rel=1e-9)
    np.testing.assert_allclose(held, books.quantities, rtol=1e-9, atol=1e-6)
    np.testing.assert_allclose(value, books.curves["net"], rtol=1e-9, atol=1e-4)


@pytest.mark.parametrize("number", CASES)
def test_open_profit_is_measured_from_the_average_entry(number: int) -> None:
    """Also after a split whose fraction of a share was paid in cash."""
    result = case(number)
    row = {time: t for t, time in enumerate(result.bars.time)}
    profit = np.zeros((result.bars.T, result.bars.N))
    for item in result.positions.itertuples():
        profit[row[np.datetime64(item.time)], result.symbols.index(item.symbol)] = item.open_pnl
    np.testing.assert_allclose(profit, second_books(number).open_profits, rtol=1e-9, atol=1e-4)


@pytest.mark.parametrize("number", CASES)
def test_every_round_trip_earned_what_its_own_cash_flows_say(number: int) -> None:
    """From flat to flat: sales - purchases - costs + dividends + cash in lieu - borrow fees."""
    result, books = case(number), second_books(number)
    log = result.log("trades")
    ours = sorted((t, n, round(pnl, 6)) for t, n, pnl in books.trips)
    theirs = sorted((int(r["exit_bar"]), int(r["symbol"]), float(r["pnl"])) for r in log)
    assert [item[:2] for item in ours] == [item[:2] for item in theirs]
    np.testing.assert_allclose([i[2] for i in theirs], [i[2] for i in ours], rtol=1e-9, atol=1e-4)
    np.testing.assert_allclose(log["pnl"], log["gross_pnl"] - log["costs"] + log["income"], atol=1e-9)


@pytest.mark.parametrize("number", CASES)
def test_closed_and_open_profit_are_the_change_of_equity(number: int) -> None:
    """Also at bars inside the run: those of a run that ends there, which the truncation test proves to be the same."""
    result = case(number)
    for count in (result.bars.T, 30 + 5 * number):
        cut = Bars(
            result.symbols,
            result.bars.time[:count],
            result.bars.panel[:, :count],
            delisted=result.bars.delisted,
        )
        part = rerun(result, cut)
        total = part.closed_trades["pnl"].sum() + part.metrics["open_pnl"]
        assert total == pytest.approx(
            part.account_curves[0, -1] - result.settings.capital, abs=1e-6 * result.settings.capital**0.5
        )


def rerun(result: Result, bars: Bars) -> Result:
    s = result.settings
    return backtest(
        result._instance, bars, capital=s.capital, costs=s.costs, allocation=s.allocation, risk=s.risk, fills=s.fills,
        exits=s.exits, instruments=s.instruments, benchmark=False, mode=result.outcome.mode,
    )  # fmt: skip


@pytest.mark.parametrize("number", CASES)
def test_costs_follow_the_rates_and_land_on_the_trades(number: int) -> None:
    result, costs = case(number), case(number).settings.costs
    fills, log = result.fills, result.log("fills")
    kinds = result.orders["kind"].to_numpy()[fills["order_id"]]
    volume = result.bars.volume[log["bar"], log["symbol"]]
    notional = fills["quantity"].to_numpy() * fills["price"].to_numpy()
    rate = (costs.spread_bps / 2 + costs.slippage_bps) * 1e-4
    rate = rate + costs.impact * (fills["quantity"].to_numpy() / np.maximum(volume, 1.0)) ** 2
    free = np.isin(kinds, ["limit", "stop_limit"]) | (fills["reason"] == "delisted").to_numpy()
    np.testing.assert_allclose(fills["slippage"], np.where(free, 0.0, notional * rate), rtol=1e-9, atol=1e-9)
    charged = fills["quantity"] * (fills["price"] * costs.bps * 1e-4 + costs.per_share)
    for order, rows in fills[fills["reason"] != "delisted"].groupby("order_id"):
        expected = max(charged[rows.index].sum(), costs.minimum)
        assert rows["commission"].sum() == pytest.approx(expected, rel=1e-9), order
    assert result.metrics["commission"] == pytest.approx(fills["commission"].sum())
    assert result.metrics["slippage"] == pytest.approx(fills["slippage"].sum())
    total = fills["commission"].sum() + fills["slippage"].sum() + result.metrics["borrow"]
    assert result.metrics["costs"] == pytest.approx(total)
    open_costs = result.outcome.book.symbols["costs"][result.outcome.book.symbols["qty"] != 0].sum()
    assert result.closed_trades["costs"].sum() + open_costs == pytest.approx(total)


@pytest.mark.parametrize("number", CASES)
def test_no_fill_outside_its_bar_before_its_decision_or_above_the_volume_cap(number: int) -> None:
    result = case(number)
    real = result.log("fills")[(result.fills["reason"] != "delisted").to_numpy()]
    t, n = real["bar"], real["symbol"]
    low, high = result.bars.low[t, n], result.bars.high[t, n]
    assert (real["price"] >= low * (1 - 1e-12)).all()
    assert (real["price"] <= high * (1 + 1e-12)).all()
    order = result.log("orders")[real["order"]]
    fired = (order["purpose"] == EXIT) & (
        order["kind"] != MARKET
    )  # declared stops and targets, triggered inside the bar
    assert (t[~fired] > order["decided_bar"][~fired]).all()
    assert (t[fired] >= order["decided_bar"][fired]).all()
    cap = result.settings.fills.volume_cap
    traded = np.zeros((result.bars.T, result.bars.N))
    np.add.at(traded, (t, n), np.abs(real["quantity"]))
    if cap is not None:
        assert (traded <= cap * result.bars.volume + 1e-6).all()
    assert (traded[np.isnan(result.bars.close)] == 0).all()


@pytest.mark.parametrize("number", CASES)
def test_orders_and_fills_agree(number: int) -> None:
    result = case(number)
    filled = np.zeros(len(result.orders))
    np.add.at(filled, result.fills["order_id"], result.fills["quantity"])
    np.testing.assert_allclose(result.orders["filled"], filled, atol=1e-6)
    done = result.orders["status"] == "filled"
    np.testing.assert_allclose(result.orders["quantity"][done], result.orders["filled"][done], atol=1e-6)
    alive = result.orders["status"].isin(["accepted", "partial"])
    assert (result.orders["filled"][alive] < result.orders["quantity"][alive]).all()
    assert (result.orders["end_reason"][alive | done] == "").all()


@pytest.mark.parametrize("number", CASES)
def test_what_is_bought_is_paid_for(number: int) -> None:
    """After every fill that opens or adds, gross exposure is at most leverage x equity."""
    for t, excess in second_books(number).overdrawn:
        assert excess <= 1e-6 * case(number).settings.capital, t


@pytest.mark.parametrize("seed", [0, 1, 2, 3, 5])
def test_doubling_every_rate_doubles_every_cost(seed: int) -> None:
    """Exactly, to the last bit: units as targets, so the fills are the same; shorts, partial fills and minimums included."""
    bars = random_market(150, 2, seed, volume=4_000)
    units = np.round(random_weights(np.random.default_rng(seed), 150, 2) * 150)
    rates = {"bps": 5.0, "per_share": 0.01, "minimum": 1.5, "spread_bps": 4.0, "slippage_bps": 3.0}
    rates |= {"impact": 0.2, "borrow": 0.03}
    once, twice = (
        backtest(
            scripted(units, target="units"), bars, capital=1e7, benchmark=False,
            costs=Costs(**{name: times * value for name, value in rates.items()}),
        )
        for times in (1, 2)
    )  # fmt: skip
    assert len(once.fills) > 40
    np.testing.assert_array_equal(once.log("fills")["quantity"], twice.log("fills")["quantity"])
    for column in ("commission", "slippage"):
        np.testing.assert_array_equal(2 * once.fills[column], twice.fills[column])
    for name in ("costs", "commission", "slippage", "borrow"):
        assert twice.metrics[name] == 2 * once.metrics[name] > 0
    np.testing.assert_array_equal(2 * once.closed_trades["costs"], twice.closed_trades["costs"])
    assert twice.metrics["final_equity"] == pytest.approx(
        once.metrics["final_equity"] - once.metrics["costs"]
    )


def test_a_run_without_costs_has_none() -> None:
    bars = random_market(120, 2, 1)
    weights = random_weights(np.random.default_rng(1), 120, 2)
    result = backtest(scripted(weights), bars, costs=FREE, fills=UNCAPPED, benchmark=False)
    assert len(result.fills) > 20
    assert result.metrics["costs"] == 0.0
    assert (result.closed_trades["pnl"] == result.closed_trades["gross_pnl"]).all()


def test_an_open_position_shows_its_profit_without_a_round_trip() -> None:
    bars = random_market(50, 1, 2, drift=0.01)
    result = backtest(
        scripted([1.0] * 50), bars, costs=FREE, allocation=Allocation(gross=1.0), fills=FillModel(None),
        instruments=(Instrument("S0", lot=0.0),), benchmark=False,
    )  # fmt: skip
    assert len(result.closed_trades) == 0 < len(result.fills)
    assert result.metrics["round_trips"] == 0
    assert result.metrics["open_pnl"] == pytest.approx(result.metrics["final_equity"] - 100_000)
    assert result.positions["open_pnl"].iloc[-1] == pytest.approx(result.metrics["open_pnl"])
    equity = result.equity
    np.testing.assert_allclose(
        equity["drawdown"], equity["equity"] / np.maximum(equity["equity"].cummax(), 1e5) - 1
    )
    np.testing.assert_allclose(equity["gross"], 1 - equity["cash"] / equity["equity"], atol=1e-12)


@pytest.mark.parametrize("number", CASES)
def test_the_metrics_say_what_the_tables_say(number: int) -> None:
    result, trades = case(number), case(number).closed_trades
    metrics, pnl, equity = result.metrics, trades["pnl"], result.equity["equity"]
    assert metrics["final_equity"] == equity.iloc[-1]
    assert metrics["total_return"] == pytest.approx(equity.iloc[-1] / result.settings.capital - 1, abs=1e-12)
    assert metrics["max_drawdown"] == pytest.approx(result.equity["drawdown"].min(), abs=1e-12)
    assert metrics["round_trips"] == len(trades)
    assert metrics["exposure"] == pytest.approx((result.account_curves[2] != 0).mean())
    if len(trades):
        assert metrics["win_rate"] == pytest.approx((pnl > 0).mean())
        assert metrics["expectancy"] == pytest.approx(pnl.mean())
        assert metrics["best_trade"] == trades["return_"].max()
        assert metrics["worst_trade"] == trades["return_"].min()
        assert metrics["average_trade_bars"] == pytest.approx(trades["bars"].mean())
    if (pnl < 0).any():
        assert metrics["profit_factor"] == pytest.approx(pnl[pnl > 0].sum() / -pnl[pnl < 0].sum())


@pytest.mark.parametrize("number", CASES)
def test_a_trade_lies_between_its_excursions(number: int) -> None:
    """Worst <= what the price made of the trade <= best, and both are prices that were traded while it was held."""
    result = case(number)
    for row, trade in zip(result.log("trades"), result.closed_trades.itertuples(), strict=True):
        side = 1 if trade.side == "long" else -1
        n, first, last = row["symbol"], row["entry_bar"], row["exit_bar"]
        if not (result.bars.split[first : last + 1, n] == 1.0).all() or trade.exit_price == 0.0:
            continue
        gain = side * (trade.exit_price / trade.entry_price - 1)
        assert trade.mae <= min(gain, 0) + 1e-12
        assert trade.mfe >= max(gain, 0) - 1e-12
        held = slice(first, last + 1)
        reach = (
            np.array([np.nanmin(result.bars.low[held, n]), np.nanmax(result.bars.high[held, n])])
            / trade.entry_price
            - 1
        )
        assert trade.mae >= min(side * reach) - 1e-12
        assert trade.mfe <= max(side * reach) + 1e-12


def test_the_benchmark_is_buy_and_hold_under_the_same_costs() -> None:
    bars = random_market(200, 3, 9, dividends=True, splits=True)
    options: dict[str, Any] = {"costs": Costs(bps=20, minimum=2), "capital": 50_000.0}
    allocation = Allocation(gross=0.7, max_positions=1, cadence="month", sizing="risk")
    result = backtest(
        load_strategy("demo_ma")(), bars, allocation=allocation, exits=(StopLoss(0.05),), **options
    )
    held = backtest(
        load_strategy("buy_and_hold")(), bars, allocation=Allocation(gross=0.7), benchmark=False, **options
    )
    np.testing.assert_array_equal(result.equity["benchmark"], held.equity["equity"])
    for name in ("total_return", "cagr", "sharpe", "max_drawdown", "volatility"):
        assert result.metrics[f"benchmark_{name}"] == held.metrics[name]
