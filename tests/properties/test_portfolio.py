"""Several strategies in one account: they add up to it, meet inside without costs, share the volume and obey its limits."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
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
    RiskLimits,
    StopLoss,
    Strategy,
    TakeProfit,
    backtest,
    orders,
)
from gpt_trader.errors import BadParameter
from gpt_trader.portfolio import PortfolioResult, Sleeve, backtest_portfolio
from tests.parity.test_bar_by_bar import EachByItself, UntilTired, busy_market
from tests.properties.test_truth_accounting import RandomOrders
from tests.properties.truth_cases import flat, market, random_options, random_weights, scripted, side_by_side

FREE = Costs(0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
WHOLE = Allocation(gross=1.0)
LOGS = ("orders", "fills", "trades", "decisions")


def weights_of(bars: Bars, seed: int) -> Strategy:
    return scripted(random_weights(np.random.default_rng(seed), bars.T, bars.N))


def assert_adds_up(result: PortfolioResult) -> None:
    """Equity, cash, gross and net of the sleeves and of idle capital are the account's in every bar, positions too."""
    total = sum(sleeve.account_curves for sleeve in result.sleeves.values())
    idle = result.settings.capital - sum(sleeve.settings.capital for sleeve in result.sleeves.values())
    total[0] += idle
    total[1] += idle
    scale = 1e-9 * result.settings.capital
    assert np.abs(result.account_curves[[0, 1, 3]] - total[[0, 1, 3]]).max() < scale
    assert (result.account_curves[2] <= total[2] + scale).all(), (
        "what is long here and short there is less exposure"
    )
    quantity = dict.fromkeys(result.symbols, 0.0)
    for sleeve in result.sleeves.values():
        for name, row in zip(sleeve.symbols, sleeve.outcome.book.symbols, strict=True):
            quantity[name] += float(row["qty"])
    for name, row in zip(result.symbols, result.outcome.book.symbols, strict=True):
        assert float(row["qty"]) == pytest.approx(quantity[name], abs=1e-7)
    profit = float(result.account_curves[0, -1]) - result.settings.capital
    assert float(result.attribution["pnl"].sum()) == pytest.approx(profit, abs=0.004)


@pytest.mark.parametrize("number", range(16))
def test_sleeves_add_up_to_the_account(number: int) -> None:
    rng = random.Random(number)
    bars = busy_market(number)
    options = random_options(rng, bars.symbols)
    options["fills"] = FillModel(options["fills"].volume_cap, delay=rng.choice([0, 0, 2]))
    exits, allocation = options.pop("exits"), options.pop("allocation")
    sleeves = [
        Sleeve(weights_of(bars, number), 0.4, "one", allocation=allocation, exits=exits),
        Sleeve(RandomOrders(number), 0.3, "two"),
        Sleeve(
            [weights_of(bars, number + 50), UntilTired(), EachByItself()][number % 3],
            0.2,
            "three",
            allocation=WHOLE,
        ),
    ]
    result = backtest_portfolio(sleeves, bars, **options)
    assert_adds_up(result)
    assert all(len(sleeve.log("fills")) > 0 for sleeve in result.sleeves.values())


@pytest.mark.parametrize("number", range(12))
def test_one_sleeve_with_all_of_the_capital_is_the_backtest(number: int) -> None:
    rng = random.Random(number)
    bars = busy_market(number)
    options = random_options(rng, bars.symbols)
    options["risk"] = None
    options["fills"] = FillModel(options["fills"].volume_cap, delay=rng.choice([0, 0, 2]))
    strategy: Strategy = RandomOrders(number) if number % 3 == 2 else weights_of(bars, number)
    alone = backtest(strategy, bars, mode="python", **options)
    exits, allocation = options.pop("exits"), options.pop("allocation")
    together = backtest_portfolio([Sleeve(strategy, 1.0, "all", None, allocation, exits)], bars, **options)
    sleeve = together.sleeves["all"]
    for name in LOGS:
        assert sleeve.log(name).tobytes() == alone.log(name).tobytes(), name
    assert sleeve.account_curves.tobytes() == alone.account_curves.tobytes()
    assert_adds_up(together)


def two_sides(capital: float = 10_000.0, volume: float = 1e6, **options: Any) -> PortfolioResult:
    """One sleeve buys 50 shares at 100 and sells them at the open of bar 3; the other buys as many at that open."""
    bars = market(flat(6), volume=volume)
    seller = scripted([1.0, 1.0, 0.0, 0.0, 0.0, 0.0])
    buyer = scripted([0.0, 0.0, 1.0, 1.0, 1.0, 1.0])
    return backtest_portfolio(
        [Sleeve(seller, 0.5, "seller", None, WHOLE), Sleeve(buyer, 0.5, "buyer", None, WHOLE)],
        bars,
        capital=capital,
        **options,
    )


def test_opposite_orders_meet_at_the_open_without_costs() -> None:
    costs = Costs(bps=10.0, spread_bps=20.0, borrow=0.0)
    result = two_sides(costs=costs)
    (sold,) = [row for row in result.sleeves["seller"].log("fills") if row["quantity"] < 0]
    bought = result.sleeves["buyer"].log("fills")
    assert (sold["price"], sold["commission"], sold["slippage"]) == (100.0, 0.0, 0.0)
    assert bought[0]["commission"] == bought[0]["slippage"] == 0.0
    assert bought[0]["quantity"] == 49.0 == -sold["quantity"], "49 and their costs are what 5,000 pay"
    assert result.crossed == {"A": 49.0}
    assert len(result.log("fills")) == 1, "the venue saw the first purchase alone"
    assert_adds_up(result)


def test_orders_of_one_side_share_the_volume_in_proportion() -> None:
    bars = market(flat(5), volume=[1000.0] * 5)
    both = [
        Sleeve(scripted([1.0] * 5), 0.6, "large", None, WHOLE), Sleeve(scripted([1.0] * 5), 0.3, "small", None, WHOLE)
    ]  # fmt: skip
    result = backtest_portfolio(both, bars, capital=100_000.0, costs=FREE, fills=FillModel(0.09))
    large, small = (result.sleeves[name].log("fills")["quantity"].tolist() for name in ("large", "small"))
    assert (large[0], small[0]) == (60.0, 30.0)
    assert large[0] + small[0] == 90.0 == result.log("fills")[0]["quantity"]
    assert len(result.log("fills")) == 4
    assert_adds_up(result)


def test_the_limit_of_the_account_holds_for_the_sum_of_what_sleeves_want() -> None:
    bars = market(flat(6))
    both = [Sleeve(scripted([1.0] * 6), 0.5, name, None, WHOLE) for name in ("one", "two")]
    limits = RiskLimits(*(None,) * 12)
    result = backtest_portfolio(
        both, bars, capital=100_000.0, costs=FREE, fills=FillModel(None), risk=replace(limits, position=0.4)
    )
    assert float(result.account_curves[2, -1]) == 40_000.0
    assert [float(sleeve.account_curves[2, -1]) for sleeve in result.sleeves.values()] == [20_000.0, 20_000.0]
    told = result.sleeves["one"].decisions
    assert "risk position" in told["rule"].tolist()
    assert_adds_up(result)


def test_a_loss_of_the_account_stops_all_sleeves() -> None:
    """One sleeve loses a tenth of the account on bar 3; the other is not let in on bar 4."""
    falling = market([(100.0, 100.0, 100.0, 100.0)] * 3 + [(80.0, 80.0, 80.0, 80.0)] * 4)
    calm = market(flat(7))
    bars = side_by_side(falling, calm)
    one = scripted([[1.0, np.nan]] * 7)
    two = scripted([[np.nan, np.nan]] * 4 + [[np.nan, 1.0]] * 3)
    limits = replace(RiskLimits(*(None,) * 12), drawdown=0.05)
    for action, held in (("halt", 500.0), ("flatten", 0.0)):
        result = backtest_portfolio(
            [Sleeve(one, 0.5, "one", None, WHOLE), Sleeve(two, 0.5, "two", None, WHOLE)], bars, capital=100_000.0, costs=FREE,
            fills=FillModel(None), risk=replace(limits, on_drawdown=action),
        )  # fmt: skip
        assert float(result.sleeves["one"].outcome.book.symbols["qty"][0]) == held
        assert len(result.sleeves["two"].log("fills")) == 0
        assert_adds_up(result)


def test_a_short_that_another_sleeve_is_long_needs_no_lender() -> None:
    bars = market(flat(8))
    costs = Costs(0.0, 0.0, 0.0, 0.0, 0.0, 0.0, borrow=0.5)
    short = Sleeve(scripted([-1.0] * 8), 0.4, "short", None, WHOLE)
    long = Sleeve(scripted([1.0] * 8), 0.2, "long", None, WHOLE)
    alone = backtest_portfolio([short], bars, capital=10_000.0, costs=costs)
    result = backtest_portfolio([short, long], bars, capital=10_000.0, costs=costs)
    paid = [float(item.outcome.book.account[0]["borrow"]) for item in (alone, result)]
    assert paid[1] == pytest.approx(paid[0] / 2)
    assert float(result.sleeves["short"].outcome.book.account[0]["borrow"]) == pytest.approx(paid[1])
    assert_adds_up(result)


def test_each_sleeve_has_its_own_exits_and_symbols() -> None:
    falling = market([(100.0, 101.0, 99.0, 100.0)] * 3 + [(100.0, 100.0, 90.0, 92.0)] * 3)
    bars = side_by_side(falling, market(flat(6)))
    every = scripted([[1.0, np.nan]] * 6)
    stopped = Sleeve(every, 0.5, "stopped", None, WHOLE, (StopLoss(0.05),))
    holds = Sleeve(scripted([1.0] * 6), 0.5, "holds", (bars.symbols[0],), WHOLE, (TakeProfit(0.5),))
    result = backtest_portfolio([stopped, holds], bars, costs=FREE, capital=10_000.0)
    assert float(result.sleeves["stopped"].outcome.book.symbols["qty"][0]) == 0.0
    assert float(result.sleeves["holds"].outcome.book.symbols["qty"][0]) == 50.0
    assert result.sleeves["holds"].symbols == (bars.symbols[0],)
    assert_adds_up(result)


def test_a_split_pays_each_sleeve_the_fraction_of_its_own() -> None:
    bars = market(flat(6), split={3: 1.5})
    both = [
        Sleeve(scripted([0.99] * 6), 0.3, "one", None, WHOLE),
        Sleeve(scripted([0.99] * 6), 0.5, "two", None, WHOLE),
    ]
    result = backtest_portfolio(both, bars, capital=2_000.0, costs=FREE)
    held = [float(sleeve.outcome.book.symbols["qty"][0]) for sleeve in result.sleeves.values()]
    assert held == [7.0, 13.0], "5 and 9 shares become 7.5 and 13.5"
    assert_adds_up(result)


def test_run_ids_and_manifests_tell_portfolios_apart() -> None:
    bars = busy_market(1)
    one, two = weights_of(bars, 1), weights_of(bars, 2)
    first = backtest_portfolio([Sleeve(one, 0.5, "a"), Sleeve(two, 0.5, "b")], bars)
    again = backtest_portfolio([Sleeve(one, 0.5, "a"), Sleeve(two, 0.5, "b")], bars)
    other = backtest_portfolio([Sleeve(one, 0.5, "a"), Sleeve(two, 0.4, "b")], bars)
    assert first.run_id == again.run_id != other.run_id
    assert [sleeve["name"] for sleeve in first.manifest["sleeves"]] == ["a", "b"]
    assert len(first.trial_key) == 16
    assert first.account_curves.tobytes() == again.account_curves.tobytes()


@pytest.mark.parametrize(
    ("sleeves", "words"),
    [
        (lambda _: [], "at least one sleeve"),
        (lambda one: [Sleeve(one, 0.6, "a"), Sleeve(one, 0.6, "b")], "add up to 1.2"),
        (lambda one: [Sleeve(one, 0.6), Sleeve(one, 0.2)], "two sleeves are called"),
        (lambda one: [one], "is no sleeve"),
        (lambda one: [Sleeve(one, 0.0)], "above 0 and at most 1"),
        (lambda one: [Sleeve(one, True)], "above 0 and at most 1"),
    ],
)
def test_what_is_no_portfolio_is_refused(sleeves: Any, words: str) -> None:
    bars = market(flat(3))
    with pytest.raises(BadParameter, match=words):
        backtest_portfolio(sleeves(scripted([0.0] * 3)), bars)


def test_lots_of_a_sleeve_hold_when_volume_is_shared() -> None:
    bars = market(flat(4), volume=[505.0] * 4)
    lots = (Instrument(bars.symbols[0], lot=10.0),)
    both = [Sleeve(scripted([1.0] * 4), 0.5, name, None, WHOLE) for name in ("one", "two")]
    result = backtest_portfolio(
        both, bars, capital=100_000.0, costs=FREE, fills=FillModel(0.1), instruments=lots
    )
    quantities = [sleeve.log("fills")["quantity"] for sleeve in result.sleeves.values()]
    assert all((each % 10.0 == 0.0).all() for each in quantities)
    assert quantities[0][0] + quantities[1][0] == 50.0
    assert_adds_up(result)


def test_inside_the_bar_the_volume_that_is_gone_is_gone_for_all() -> None:
    """Both sleeves bid 100 at 95; the bar that falls to 90 has volume for 100."""
    bars = market(
        [(100.0, 100.0, 100.0, 100.0), (100.0, 100.0, 90.0, 92.0), (92.0, 92.0, 92.0, 92.0)], volume=1000.0
    )
    both = [Sleeve(BidOnce(), 0.5, name) for name in ("first", "second")]
    result = backtest_portfolio(both, bars, capital=100_000.0, costs=FREE, fills=FillModel(0.1))
    bought = [sleeve.log("fills") for sleeve in result.sleeves.values()]
    assert (bought[0]["quantity"].tolist(), bought[0]["bar"].tolist()) == ([100.0], [1])
    assert bought[1]["bar"].tolist() == [2], "it waits for the next bar, which opens below the limit"
    assert_adds_up(result)


@dataclass(frozen=True)
class BidOnce(OrderStrategy):
    """A limit order in the first bar."""

    def decide(self, now: Any, held: Any) -> Any:
        return orders.limit(100.0, 95.0) if now.close[0] == 100.0 else None


@dataclass(frozen=True)
class BuysLate(OrderStrategy):
    """A market order for the second symbol in every bar from the fifth on."""

    def features(self, bars: Any) -> Any:
        return {"bar": np.arange(bars.T, dtype=float)}

    def decide(self, now: Any, held: Any) -> Any:
        return orders.market(10.0, symbol=1) if now.bar[0] >= 4 else None


def test_a_halt_of_the_account_refuses_the_orders_of_its_sleeves() -> None:
    falling = market([(100.0, 100.0, 100.0, 100.0)] * 3 + [(80.0, 80.0, 80.0, 80.0)] * 4)
    bars = side_by_side(falling, market(flat(7)))
    holds = Sleeve(scripted([[1.0, np.nan]] * 7), 0.5, "holds", None, WHOLE)
    limits = replace(RiskLimits(*(None,) * 12), drawdown=0.05)
    result = backtest_portfolio(
        [holds, Sleeve(BuysLate(), 0.5, "buys")],
        bars,
        capital=100_000.0,
        costs=FREE,
        fills=FillModel(None),
        risk=limits,
    )
    made = result.sleeves["buys"].orders
    assert made["status"].tolist() == ["rejected"] * 3
    assert (
        len(
            backtest_portfolio([holds, Sleeve(BuysLate(), 0.5, "buys")], bars, costs=FREE)
            .sleeves["buys"]
            .fills
        )
        == 2
    )


@dataclass(frozen=True)
class BuysTwice(OrderStrategy):
    """Two market orders in the first bar."""

    def decide(self, now: Any, held: Any) -> Any:
        return (orders.market(10.0), orders.market(20.0)) if held.quantity[0] == 0.0 else None


def test_two_orders_of_one_sleeve_beside_those_of_another_are_bought_once() -> None:
    bars = market(flat(3))
    both = [Sleeve(BuysTwice(), 0.5, "twice"), Sleeve(scripted([0.5] * 3), 0.5, "once", None, WHOLE)]
    result = backtest_portfolio(both, bars, capital=100_000.0, costs=FREE)
    assert float(result.outcome.book.symbols["qty"][0]) == 30.0 + 250.0
    assert_adds_up(result)


def test_a_dividend_on_the_day_of_a_split_is_paid_on_what_the_sleeves_hold() -> None:
    bars = market(flat(6), split={3: 1.5}, dividend={3: 0.5})
    both = [Sleeve(scripted([0.99] * 6), share, str(share), None, WHOLE) for share in (0.3, 0.5)]
    assert_adds_up(backtest_portfolio(both, bars, capital=2_000.0, costs=FREE))


@pytest.mark.parametrize("number", range(6))
def test_later_bars_change_nothing_before(number: int) -> None:
    rng = random.Random(f"prefix {number}")
    bars = busy_market(number + 30)
    options = random_options(rng, bars.symbols)
    exits, allocation = options.pop("exits"), options.pop("allocation")
    weights = random_weights(np.random.default_rng(number), bars.T, bars.N)

    def account_curves(upto: int) -> Any:
        sleeves = [
            Sleeve(scripted(weights), 0.5, "one", allocation=allocation, exits=exits),
            Sleeve(RandomOrders(number), 0.4, "two"),
        ]
        return backtest_portfolio(sleeves, bars.before(upto), **options).account_curves

    whole = account_curves(bars.T)
    for upto in (60, 100, 121):
        assert account_curves(upto).tobytes() == whole[:, :upto].tobytes()


def test_what_opposite_wishes_leave_in_the_account_is_a_position_with_a_slot() -> None:
    """Two strategies hold as much long as short; prices have left 69 shares short. A third symbol's entry finds no slot."""
    nan = np.nan
    prices = [[100, 120, 90, 130, 80, 125], [100, 90, 115, 85, 120, 95]]
    bars = side_by_side(*(market([(price,) * 4 for price in row]) for row in prices))
    long = scripted([[nan, nan], [0.5, nan], *[[nan, nan]] * 4])
    other = scripted([[nan, nan], [nan, nan], [-0.5, nan], [nan, nan], [nan, 0.5], [nan, nan]])
    alone = replace(RiskLimits(*(None,) * 12), positions=1)
    whole = Allocation(gross=1.0)
    result = backtest_portfolio(
        [Sleeve(long, 0.5, "long", None, whole), Sleeve(other, 0.5, "other", None, whole)],
        bars, risk=alone, costs=Costs(0, 0, 0, 0, 0, 0, 0), fills=FillModel(None), benchmark=False,
    )  # fmt: skip
    fills = result.log("fills")
    held = [fills["quantity"][fills["symbol"] == n].sum() for n in (0, 1)]
    assert held == [-69.0, 0.0]
