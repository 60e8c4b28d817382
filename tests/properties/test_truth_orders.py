"""Orders that a strategy places itself, every kind on a scripted path: which bar, which price, what happens to the rest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from gpt_trader import (
    Bars,
    FillModel,
    OrderStrategy,
    Result,
    StopLoss,
    TakeProfit,
    orders,
)
from tests.properties.truth_cases import (
    NAN,
    fills_of,
    flat,
    market,
    run,
    side_by_side,
)


@dataclass(frozen=True)
class AtBars(OrderStrategy):
    """Sends the orders stored on the class at the bars they are stored under."""

    script = {}  # noqa: RUF012 - replaced per test by `asks`

    def features(self, bars: Bars) -> Any:
        return {"row": np.arange(bars.T, dtype=float)}

    def decide(self, now: Any, held: Any) -> Any:
        row = now.row if np.isscalar(now.row) else now.row[0]
        return self.script.get(int(row))


def asks(script: dict[int, Any], rows: Any, **options: Any) -> Result:
    """A run that sends `script` (bar -> orders) over one symbol."""
    bars = options.pop("bars", None) or market(rows)
    return run(type("Asks", (AtBars,), {"script": script})(), bars, mode="python", **options)


def trades(result: Result) -> list[tuple[int, float, float]]:
    return [(t, size, round(price, 9)) for t, _, size, price, _ in fills_of(result)]


def test_limit_orders_fill_at_the_limit_or_at_a_better_open() -> None:
    rows = [*flat(1), (100, 101, 98, 99), (95, 96, 94, 95), (95, 99, 95, 98), (104, 105, 103, 104)]
    result = asks(
        {
            0: orders.limit(10, 98.5),
            1: orders.limit(10, 97),
            2: orders.limit(-5, 97),
            3: orders.limit(-5, 99),
        },
        rows,
    )
    assert trades(result) == [(1, 10.0, 98.5), (2, 10.0, 95.0), (3, -5.0, 97.0), (4, -5.0, 104.0)]
    assert (result.fills["slippage"] == 0).all()


def test_stop_orders_fill_at_the_stop_or_at_a_worse_open() -> None:
    rows = [*flat(1), (100, 103, 99, 102), (106, 107, 105, 106), (106, 106, 100, 101), (97, 98, 96, 97)]
    result = asks(
        {0: orders.stop(10, 102), 1: orders.stop(10, 104), 2: orders.stop(-5, 103), 3: orders.stop(-5, 99)},
        rows,
    )
    assert trades(result) == [(1, 10.0, 102.0), (2, 10.0, 106.0), (3, -5.0, 103.0), (4, -5.0, 97.0)]


@pytest.mark.parametrize(
    ("capital", "asked", "filled", "why"),
    [
        (90.0, 0.5, 0.5, ""),
        (1_060.0, 10.4, 10.4, ""),
        (1_040.0, 10.4, 10.4, ""),
        (1_039.9, 10.4, 10.0, "no buying power"),
        (1_060.0, 20.4, 10.0, "no buying power"),
        (90.0, 1.0, 0.0, "no buying power"),
        (1_060.0, -10.4, -10.4, ""),
    ],
)
def test_an_odd_quantity_is_cut_to_the_lot_only_where_it_cannot_be_paid(
    capital: float, asked: float, filled: float, why: str
) -> None:
    result = asks({0: orders.market(asked)}, flat(4), capital=capital)
    assert [size for _, size, _ in trades(result)] == ([filled] if filled else [])
    assert result.orders["end_reason"].fillna("").tolist() == [why]


def test_the_share_of_the_volume_is_rounded_before_what_has_traded_is_taken_off() -> None:
    """Of 3.7 shares 3 may trade: half of one goes to the first order, and of the 2.5 that are left 2 to the second."""
    bars = market(flat(3), volume=37.0)
    result = asks({0: (orders.market(0.5), orders.market(10))}, flat(3), bars=bars, fills=FillModel(0.1))
    assert trades(result) == [(1, 0.5, 100.0), (1, 2.0, 100.0), (2, 3.0, 100.0)]


def test_a_split_restates_what_an_order_has_filled() -> None:
    """Ten of thirty shares are filled when each becomes two: twenty of sixty, and so on to the end."""
    rows = [*flat(3), *flat(6, 50.0)]
    bars = market(rows, volume=[100.0] * 3 + [200.0] * 6, split={3: 2.0})
    result = asks({0: orders.limit(30, 101.0)}, rows, bars=bars, fills=FillModel(0.05))
    assert trades(result) == [(1, 5.0, 100.0), (2, 5.0, 100.0), *((t, 10.0, 50.0) for t in range(3, 7))]
    (order,) = result.orders.to_dict("records")
    assert (order["quantity"], order["filled"], order["status"]) == (60.0, 60.0, "filled")


def test_an_order_of_which_a_split_leaves_nothing_says_so() -> None:
    rows = [*flat(3), *flat(3, 1_000.0)]
    bars = market(rows, split={3: 0.1})
    result = asks({0: orders.limit(5, 90.0)}, rows, bars=bars)
    (order,) = result.orders.to_dict("records")
    assert (order["status"], order["filled"], order["end_reason"]) == ("cancelled", 0.0, "split")


@pytest.mark.parametrize("order", [orders.market(5), orders.limit(5, 99.0), orders.stop(5, 101.0)])
def test_an_order_for_a_symbol_that_has_left_the_market_is_rejected(order: Any) -> None:
    bars = market(flat(8), delisted=str(market(flat(8)).time[3])[:10])
    result = asks({3: order, 4: order, 6: order}, flat(8), bars=bars)
    found = result.orders[["status", "end_reason"]].to_numpy().tolist()
    assert found == [["cancelled", "delisted"], ["rejected", "delisted"], ["rejected", "delisted"]]
    assert result.fills.empty


def test_a_stop_limit_waits_for_its_limit_after_the_trigger() -> None:
    """Gap to 106 beyond the limit of 103: triggered, not filled; the next bar comes back to the limit."""
    rows = [*flat(1), (106, 107, 104, 105), (105, 105, 102, 103)]
    assert trades(asks({0: orders.stop_limit(10, 102, 103)}, rows)) == [(2, 10.0, 103.0)]


@pytest.mark.parametrize(("stop", "limit"), [(102.0, 104.0), (102.0, 102.0), (101.0, 110.0)])
def test_a_stop_limit_that_triggers_inside_the_bar_fills_inside_the_bar(stop: float, limit: float) -> None:
    """The bar's high is 103: whatever the limit allows, no price above 103 was traded."""
    rows = [*flat(1), (100, 103, 99, 102), *flat(2, 102)]
    result = asks({0: orders.stop_limit(10, stop, limit)}, rows)
    assert len(result.fills) == 1
    assert stop <= result.fills["price"].iloc[0] <= min(limit, 103.0)


def test_a_trailing_stop_order_follows_the_best_close_and_never_comes_back() -> None:
    """Placed at a close of 100 with 5 %: 95; a close of 110 lifts it to 104.5; a close of 105 leaves it there."""
    rows = [*flat(2), (100, 112, 100, 110), (110, 110, 105, 105), (105, 105, 104, 104)]
    result = asks({0: orders.market(10), 1: orders.trailing_stop(-10, 0.05)}, rows)
    assert trades(result) == [(1, 10.0, 100.0), (4, -10.0, 104.5)]


def test_bracket_legs_cancel_each_other_and_the_stop_comes_first() -> None:
    script = {0: orders.market(10, take_profit=105, stop_loss=95)}
    assert trades(asks(script, [*flat(2), (100, 106, 99, 104), (104, 104, 90, 91)])) == [
        (1, 10.0, 100.0),
        (2, -10.0, 105.0),
    ]
    assert trades(asks(script, [*flat(2), (100, 106, 94, 104), (104, 110, 90, 91)])) == [
        (1, 10.0, 100.0),
        (2, -10.0, 95.0),
    ]


def test_a_position_opened_inside_the_bar_is_protected_by_its_stop_only() -> None:
    """Bought at 98 by a limit inside a bar that touches both legs: the stop is taken, at its level; not the target."""
    script = {0: orders.limit(10, 98, take_profit=100.5, stop_loss=96)}
    assert trades(asks(script, [*flat(1), (100, 101, 95, 99), *flat(2, 99)])) == [
        (1, 10.0, 98.0),
        (1, -10.0, 96.0),
    ]
    both = asks(script, [*flat(1), (100, 101, 97, 99), (99, 101, 99, 100)])
    assert trades(both) == [(1, 10.0, 98.0), (2, -10.0, 100.5)]


def test_a_day_order_lives_for_one_bar() -> None:
    rows = [*flat(1), (100, 101, 99, 100), (100, 100, 90, 95)]
    result = asks({0: (orders.limit(10, 95, day=1), orders.limit(20, 95))}, rows)
    assert trades(result) == [(2, 20.0, 95.0)]
    assert result.orders["status"].tolist() == ["expired", "filled"]


def test_reductions_fill_before_entries_at_the_open() -> None:
    """The sale of A pays for B although B was ordered first."""
    bars = side_by_side(market(flat(5)), market(flat(5)))
    script = {0: orders.market(1000), 2: (orders.market(900, symbol=1), orders.market(-1000, symbol=0))}
    assert trades(asks(script, None, bars=bars)) == [
        (1, 1000.0, 100.0),
        (3, -1000.0, 100.0),
        (3, 900.0, 100.0),
    ]


@pytest.mark.parametrize(
    "bad",
    [
        orders.limit(10, NAN),
        orders.stop(10, -1.0),
        orders.market(0.0),
        orders.market(NAN),
        orders.trailing_stop(10, 1.5),
        orders.market(10, symbol=7),
    ],
)
def test_an_order_without_its_price_or_quantity_is_rejected(bad: Any) -> None:
    result = asks({0: bad}, flat(4))
    assert result.orders["status"].tolist() == ["rejected"]
    assert len(result.fills) == 0


@pytest.mark.parametrize("exit_rule", [StopLoss(0.05), TakeProfit(0.05)])
def test_an_exit_cancels_the_resting_orders_of_its_symbol(exit_rule: Any) -> None:
    """Bought at 100, with one more order resting at 90; after the exit of bar 2 the fall of bar 3 buys nothing."""
    rows = [*flat(2), (100, 106, 94, 100), (100, 100, 89, 90), *flat(2, 90)]
    script = {0: (orders.market(1000), orders.limit(10, 90))}
    result = run(
        type("Asks", (AtBars,), {"script": script})(), market(rows), mode="python", exits=(exit_rule,)
    )
    assert [(t, size) for t, _, size, *_ in fills_of(result)] == [(1, 1000.0), (2, -1000.0)]
    assert result.orders["end_reason"].tolist() == ["", "position closed", ""]
