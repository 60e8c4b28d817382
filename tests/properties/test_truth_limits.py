"""What the risk limits do to holdings, and what the log of verdicts says, on markets small enough to count by hand."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from gpt_trader import Allocation, Bars, Instrument, OrderStrategy, Result, RiskLimits, StopLoss, orders
from tests.properties.truth_cases import (
    ALL_IN,
    NAN,
    Floats,
    fills_of,
    flat,
    hold,
    market,
    run,
    scripted,
    side_by_side,
)

OFF = RiskLimits.profile("custom")


def holdings(result: Result) -> dict[str, float]:
    """Shares held at the last close, by symbol."""
    symbols = result.outcome.book.symbols
    return {name: float(symbols["qty"][n]) for n, name in enumerate(result.symbols) if symbols["qty"][n]}


def rows_of(result: Result, rule: str) -> list[tuple[int, str]]:
    """(bar, symbol) of the rows of the decision log with this rule."""
    rows = {stamp: t for t, stamp in enumerate(result.bars.time)}
    found = result.decisions[result.decisions["rule"] == rule]
    return [(rows[np.datetime64(row.time)], row.symbol) for row in found.itertuples()]


# -- sector -----------------------------------------------------------------------------------------------------------


def three_flat() -> Bars:
    return side_by_side(*[market(flat(6))] * 3)


def sectors(*names: str | None) -> tuple[Instrument, ...]:
    return tuple(Instrument(symbol, sector=name) for symbol, name in zip("ABC", names, strict=True))


def test_a_sector_is_scaled_to_its_limit() -> None:
    """A and B want 30 % each of one sector that may have 30 %; C is alone in its own."""
    table = np.full((6, 3), 0.3)
    result = run(
        scripted(table),
        three_flat(),
        risk=replace(OFF, sector=0.3),
        instruments=sectors("energy", "energy", "finance"),
    )
    assert holdings(result) == {"A": 150.0, "B": 150.0, "C": 300.0}
    assert rows_of(result, "risk sector") == [(0, "A"), (0, "B")]


def test_symbols_without_a_sector_are_not_judged() -> None:
    table = np.full((6, 3), 0.3)
    result = run(
        scripted(table),
        three_flat(),
        risk=replace(OFF, sector=0.2),
        instruments=sectors(None, "energy", None),
    )
    assert holdings(result) == {"A": 300.0, "B": 200.0, "C": 300.0}


def test_an_entrant_shrinks_the_holdings_of_its_sector() -> None:
    table = np.full((6, 3), NAN)
    table[:, 0], table[3:, 1] = 0.3, 0.1
    result = run(
        scripted(table),
        three_flat(),
        risk=replace(OFF, sector=0.3),
        instruments=sectors("energy", "energy", None),
    )
    assert holdings(result) == {"A": 225.0, "B": 75.0}


# -- correlation ------------------------------------------------------------------------------------------------------


def moving_together() -> Bars:
    """A and B move alike, C against them; 40 bars."""
    steps = np.random.default_rng(1).choice([-0.02, 0.02], 40)
    noise = np.random.default_rng(2).normal(0.0, 0.002, 40)
    rows = [100.0 * np.cumprod(1.0 + moves) for moves in (steps, steps + noise, -steps)]
    return side_by_side(*[market([(p, p, p, p) for p in prices]) for prices in rows])


def entries(*starts: int) -> Floats:
    """Weights of 0.2 for each symbol from its start on."""
    return np.array([hold(40, start, 0.2) for start in starts]).T


def bought(result: Result) -> list[tuple[int, str]]:
    return [(t, symbol) for t, symbol, *_ in fills_of(result)]


def test_an_entrant_that_moves_with_a_holding_is_refused() -> None:
    """B comes later than A and is refused, C moves against both and may come."""
    limits = replace(OFF, correlation=0.7, correlation_bars=30)
    result = run(scripted(entries(25, 30, 30)), moving_together(), risk=limits)
    assert bought(result) == [(26, "A"), (31, "C")]
    assert rows_of(result, "risk correlation") == [(30, "B")], "once, not on every bar"
    free = run(scripted(entries(25, 30, 30)), moving_together(), risk=OFF)
    assert bought(free) == [(26, "A"), (31, "B"), (31, "C")]


def test_a_short_is_no_holding_on_the_side_of_a_long() -> None:
    table = entries(25, 30, 30) * np.array([1.0, -1.0, 1.0])
    result = run(scripted(table), moving_together(), risk=replace(OFF, correlation=0.7))
    assert bought(result) == [(26, "A"), (31, "B"), (31, "C")]


@pytest.mark.parametrize(("scores", "winner"), [((1.0, 1.0, 0.0), "A"), ((1.0, 2.0, 0.0), "B")])
def test_two_entrants_of_one_bar_are_compared(scores: tuple[float, ...], winner: str) -> None:
    """The higher score comes first, ties go in the order of the symbols."""
    strategy = scripted(entries(30, 30, 30), ranks=np.tile(scores, (40, 1)))
    result = run(strategy, moving_together(), risk=replace(OFF, correlation=0.7))
    assert bought(result) == [(31, winner), (31, "C")]


def test_an_entrant_is_compared_with_one_whose_order_still_waits() -> None:
    """A was accepted at bar 29 and cannot trade in bars 30 and 31: B is refused all the same."""
    bars = moving_together()
    panel = bars.panel.copy()
    panel[:4, 30:32, 0] = NAN
    panel[4, 30:32, 0] = 0.0
    halted = Bars(bars.symbols, bars.time, panel)
    result = run(scripted(entries(29, 30, 39)), halted, risk=replace(OFF, correlation=0.7))
    assert bought(result) == [(32, "A")]


def test_fewer_than_20_common_returns_are_not_judged() -> None:
    for start, expected in ((19, [(5, "A"), (20, "B")]), (20, [(5, "A")])):
        result = run(
            scripted(entries(4, start, 39)[: start + 3]),
            moving_together().select(end=str(moving_together().time[start + 2])[:10]),
            risk=replace(OFF, correlation=0.7),
        )
        assert bought(result) == expected


# -- order volume -----------------------------------------------------------------------------------------------------


def test_what_the_order_volume_cuts_off_is_ordered_on_the_following_bars() -> None:
    """1,000 shares wanted, 300 a bar allowed; one instruction is enough, one row says so."""
    table = [1.0] + [NAN] * 7
    result = run(scripted(table), market(flat(8), volume=3_000.0), risk=replace(OFF, order_volume=0.1))
    assert [(t, size) for t, _, size, *_ in fills_of(result)] == [
        (1, 300.0),
        (2, 300.0),
        (3, 300.0),
        (4, 100.0),
    ]
    assert rows_of(result, "order volume") == [(0, "A")]


def test_the_rest_of_an_order_falls_with_its_target() -> None:
    table = [1.0, 1.0, 0.0, 0.0, 0.0, 0.0]
    result = run(scripted(table), market(flat(6), volume=3_000.0), risk=replace(OFF, order_volume=0.1))
    assert [(t, size) for t, _, size, *_ in fills_of(result)] == [(1, 300.0), (2, 300.0), (3, -600.0)]


def test_the_rest_of_an_order_never_becomes_a_reduction() -> None:
    """450 of 500 shares are held when the price trebles: fewer than 450 would be right now, but nothing is sold."""
    result = run(
        scripted([0.5] + [NAN] * 7),
        market(flat(3) + flat(5, 300.0), volume=3_000.0),
        risk=replace(OFF, order_volume=0.05),
    )
    assert [(t, size) for t, _, size, *_ in fills_of(result)] == [(1, 150.0), (2, 150.0), (3, 150.0)]


# -- what the log of verdicts says ------------------------------------------------------------------------------------


def test_the_same_scaling_is_not_logged_on_every_bar() -> None:
    """A third of 60 % each is wanted, held is nearly that: the change is too small to be acted on, on 20 bars."""
    bars = side_by_side(*[market(flat(24))] * 2)
    table = np.full((24, 2), 0.5)
    table[4:] = 0.52, 0.5
    result = run(scripted(table), bars, allocation=Allocation(gross=0.6, min_rebalance=0.05))
    assert rows_of(result, "gross") == [(0, "A"), (0, "B"), (4, "A"), (4, "B")]


def test_a_full_house_is_logged_once_for_each_signal() -> None:
    bars = side_by_side(*[market(flat(24))] * 2)
    table = np.full((24, 2), 0.5)
    table[12, 1] = 0.0
    allocation = Allocation(gross=1.0, max_positions=1)
    result = run(scripted(table), bars, allocation=allocation)
    assert rows_of(result, "max positions") == [(0, "B"), (13, "B")]
    assert not any("22 decisions" in warning for warning in result.warnings)


def test_a_seat_that_the_risk_limits_refuse_is_called_so() -> None:
    bars = side_by_side(*[market(flat(6))] * 2)
    for seats, limits, rule in ((2, 1, "risk positions"), (1, 1, "max positions"), (1, 2, "max positions")):
        result = run(
            scripted(np.full((6, 2), 0.5)),
            bars,
            allocation=Allocation(gross=1.0, max_positions=seats),
            risk=replace(OFF, positions=limits),
        )
        refused = result.decisions[result.decisions["verdict"] == "refused"]
        assert refused["rule"].tolist() == [rule], (seats, limits)


def test_a_locked_side_is_logged_once_for_each_lock() -> None:
    rows = flat(16)
    rows[3] = rows[10] = (100.0, 100.0, 90.0, 100.0)
    table = hold(16)
    table[7] = 0.0
    result = run(scripted(table), market(rows), exits=(StopLoss(0.05),))
    assert [(t, reason) for t, *_, reason in fills_of(result)] == [
        (1, "target"), (3, "stop loss"), (9, "target"), (10, "stop loss"),
    ]  # fmt: skip
    assert rows_of(result, "locked after an exit") == [(3, "A"), (10, "A")]


# -- exits in the order log -------------------------------------------------------------------------------------------


def test_a_declared_exit_is_dated_by_the_bar_that_triggered_it() -> None:
    rows = flat(8)
    rows[4] = (100.0, 100.0, 90.0, 100.0)
    result = run(scripted(hold(8)), market(rows), exits=(StopLoss(0.05),))
    order = result.orders[result.orders["reason"] == "stop loss"].iloc[0]
    assert order["time"] == result.bars.time[4]


# -- a split that leaves nothing --------------------------------------------------------------------------------------


def test_a_reverse_split_that_leaves_no_share_ends_in_cash_at_the_mark() -> None:
    """7 shares at 100 become 0.07 of a share at 10,000: 700 in cash, a round trip that gained and cost nothing."""
    rows = flat(4) + flat(4, 10_000.0)
    strategy = scripted([7.0] + [NAN] * 7, target="units")
    result = run(strategy, market(rows, split={4: 0.01}))
    trade = result.closed_trades.iloc[0]
    assert trade["exit_reason"] == "split"
    assert trade["exit_time"] == result.bars.time[4]
    assert (trade["entry_price"], trade["exit_price"]) == pytest.approx((10_000.0, 10_000.0))
    assert (trade["pnl"], trade["income"], trade["mae"], trade["mfe"]) == pytest.approx((0.0, 0.0, 0.0, 0.0))
    assert result.equity["cash"].iloc[-1] == pytest.approx(100_000.0)
    assert len(result.fills) == 1, "the cash in lieu is no fill"


# -- bracket legs -----------------------------------------------------------------------------------------------------


class Asked(OrderStrategy):
    """Places the orders of `book`, a dict from bar to requests."""

    book: dict[int, list[orders.OrderRequest]]

    def features(self, bars: Bars) -> Any:
        return {"row": np.arange(bars.T, dtype=float)}

    def decide(self, now: Any, held: Any) -> Any:
        return self.book.get(int(now.row[0]), ())


def asked(book: dict[int, list[orders.OrderRequest]]) -> Asked:
    return type("AskedFor", (Asked,), {"book": book})()


def test_the_legs_of_a_position_go_with_it() -> None:
    """Bought with a target, sold by another order: the target must not sell the next position."""
    rows = flat(12)
    rows[10] = (100.0, 120.0, 100.0, 100.0)
    book = {0: [orders.market(10.0, take_profit=110.0)], 3: [orders.market(-10.0)], 6: [orders.market(10.0)]}
    result = run(asked(book), market(rows))
    assert [(t, size) for t, _, size, *_ in fills_of(result)] == [(1, 10.0), (4, -10.0), (7, 10.0)]
    leg = result.orders[result.orders["parent_id"] == 0].iloc[0]
    assert (leg["status"], leg["end_reason"]) == ("cancelled", "position closed")


def test_an_order_that_only_closes_brings_no_legs() -> None:
    """A reversal brings them for what it opens."""
    book = {
        0: [orders.market(10.0)],
        2: [orders.market(-10.0, stop_loss=105.0)],
        4: [orders.market(10.0)],
        6: [orders.market(-25.0, stop_loss=105.0)],
    }
    result = run(asked(book), market(flat(10)))
    legs = result.orders[result.orders["parent_id"] >= 0]
    assert legs["quantity"].tolist() == [15.0]


# -- halts ------------------------------------------------------------------------------------------------------------


def hours(rows: list[tuple[float, float, float, float]]) -> Bars:
    """Four bars a day, six hours apart."""
    bars = market(rows)
    time = bars.time[0] + np.arange(bars.T) * np.timedelta64(6, "h")
    return Bars(bars.symbols, time, bars.panel, "1h")


def test_a_daily_halt_lasts_for_the_rest_of_the_day() -> None:
    """Down 2 % in the second bar of the second day, back in the third: no entry until the third day."""
    rows = flat(16)
    rows[5] = (98.0, 98.0, 98.0, 98.0)
    table = np.full((16, 2), NAN)
    table[:, 0], table[6:, 1] = 0.5, 0.5
    bars = hours(rows)
    both = Bars(("A", "B"), bars.time, np.concatenate([bars.panel, hours(flat(16)).panel], axis=2), "1h")
    result = run(scripted(table), both, risk=replace(OFF, daily_loss=0.01))
    assert [(t, symbol) for t, symbol, *_ in fills_of(result)] == [(1, "A"), (9, "B")]
    assert rows_of(result, "halt") == [(6, "B")]


def test_a_breach_leaves_a_reversal_its_closing_part() -> None:
    """The order to turn 500 shares into -500 waits over a missing bar; in it the account halts: the position is closed only."""
    rows = [*flat(5), (NAN, NAN, NAN, NAN), *flat(6)]
    other = flat(5) + flat(7, 90.0)
    table = np.full((12, 2), NAN)
    table[0], table[4, 0] = (0.5, 0.5), -0.5
    bars = side_by_side(market(rows), market(other))
    result = run(scripted(table), bars, risk=replace(OFF, drawdown=0.03))
    assert [(t, symbol, size) for t, symbol, size, *_ in fills_of(result)] == [
        (1, "A", 500.0), (1, "B", 500.0), (6, "A", -500.0),
    ]  # fmt: skip


def test_a_halted_account_that_is_ruined_is_flattened() -> None:
    """Short with leverage: a drawdown halts, a further rise ruins."""
    rows = flat(3) + flat(3, 120.0) + flat(4, 250.0)
    allocation = Allocation(gross=1.0, leverage=1.0)
    result = run(
        scripted([-1.0] + [NAN] * 9), market(rows), allocation=allocation, risk=replace(OFF, drawdown=0.1)
    )
    assert [(t, reason) for t, *_, reason in fills_of(result)] == [(1, "target"), (7, "flatten")]


def test_a_larger_weight_waits_for_the_end_of_a_halt() -> None:
    """A's order for more waits over a missing bar, in which B's fall halts the day: cancelled, and placed again the day after."""
    rows = [*flat(5), (NAN, NAN, NAN, NAN), *flat(10)]
    other = hours(flat(5) + flat(11, 95.0))
    table = np.full((16, 2), NAN)
    table[0], table[4, 0] = (0.2, 0.4), 0.4
    bars = Bars(("A", "B"), other.time, np.concatenate([hours(rows).panel, other.panel], axis=2), "1h")
    result = run(scripted(table), bars, allocation=ALL_IN, risk=replace(OFF, daily_loss=0.01))
    assert [(t, symbol) for t, symbol, *_ in fills_of(result)] == [(1, "A"), (1, "B"), (9, "A")]
    assert result.orders["end_reason"].tolist() == ["", "", "halt", ""]
