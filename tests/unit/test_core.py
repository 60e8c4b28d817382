"""`step`: an account by itself, whose venue is elsewhere and answers late, twice, or not at all."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable
from typing import Any

import numpy as np
import pytest

from gpt_trader import Allocation, Costs, RiskLimits
from gpt_trader.engine import messages
from gpt_trader.engine.account_step import Account, State, new_state, step
from gpt_trader.engine.bar_by_bar import Bar, Trader
from gpt_trader.engine.market_window import Window
from gpt_trader.engine.recorder import Recorder
from gpt_trader.engine.records import CANCELLED, REJECTED, REPLACED, STATUSES, Records
from gpt_trader.engine.run_setup import Settings, blank_info, rules_record
from gpt_trader.engine.trading_halts import FLATTEN, NO_ENTRIES, REDUCE_ONLY, RESUME
from gpt_trader.errors import BadParameter
from gpt_trader.orders import cancel, limit, market

DAY = 86_400_000_000_000
NAN = float("nan")
WHOLE = Allocation(gross=1.0, leverage=1.0)


def rules_of(symbols: int = 1, **settings: Any) -> Records:
    return rules_record(Settings(**{"allocation": WHOLE, **settings}), (), units=False, score=False)


class Desk:
    """An account, the window it looks at, and all that it asked for."""

    def __init__(self, symbols: int = 1, capital: float = 10_000.0, **settings: Any) -> None:
        self.window = Window(blank_info(symbols), 60, signals=False)
        self.rules = rules_of(symbols, **settings)
        self.state = new_state(symbols, capital)
        self.asked: list[messages.Command] = []
        self.written: list[messages.Written] = []

    def take(self, *events: messages.Event) -> list[messages.Command]:
        """Let the account have events; the commands that they led to."""
        new: list[messages.Command] = []
        for event in events:
            made = step(self.state, event, self.rules, self.window)
            self.state = made.state
            self.written.append(made.written)
            new += made.commands
        self.asked += new
        return new

    def bar(self, *closes: float, fills: Iterable[messages.Event] = ()) -> list[messages.Command]:
        """The next day: it opens, `fills` happen, and it closes at `closes`."""
        self.window.open(DAY * (self.window.bar + 1))
        made = self.take(messages.BarOpened(), *fills)
        close = np.array(closes)
        self.window.close(np.array([close, close, close, close, np.full(len(closes), 1e6)]))
        return made + self.take(messages.BarClosed())

    def targets(self, *weights: float) -> list[messages.Command]:
        return self.take(messages.Targets(np.array(weights)))

    def statuses(self) -> dict[int, str]:
        """The live orders by id."""
        return {int(row["id"]): STATUSES[row["status"]] for row in self.state.orders}

    def quantity(self, n: int = 0) -> float:
        return float(self.state.symbols["qty"][n])

    @property
    def cash(self) -> float:
        return float(self.state.account["cash"][0])


def submitted(commands: list[messages.Command]) -> list[messages.Order]:
    return [command.order for command in commands if isinstance(command, messages.Submit)]


# -- the life of an order


BAD_EVENTS = {
    "a fill has its sign": messages.Filled(0, -20.0, 100.0, 0.0),
    "is a whole number": messages.Filled("0", 20.0, 100.0, 0.0),  # type: ignore[arg-type]
    "that ends an order": messages.Ended(0, 1, 0),
    "no code of `records`": messages.Ended(0, 6, 120),
    "the account has 1 symbols": messages.Opened(messages.Order(5, 7, 10.0, 0, 0, 0)),
    "an operator's action is": messages.Operator(99),
    "targets are 1 numbers": messages.Targets(np.array([0.1, 0.2, 0.3])),
    "one for each symbol": messages.Targets(np.array([])),
}


@pytest.mark.parametrize("message", BAD_EVENTS)
def test_an_event_that_cannot_be_is_refused_and_changes_nothing(message: str) -> None:
    desk = Desk()
    desk.bar(100.0)
    desk.targets(0.5)
    before = [rows.tobytes() for rows in (desk.state.account, desk.state.symbols, desk.state.orders)]
    with pytest.raises(BadParameter, match=message):
        desk.take(BAD_EVENTS[message])
    assert [rows.tobytes() for rows in (desk.state.account, desk.state.symbols, desk.state.orders)] == before


@pytest.mark.parametrize("weights", [[0.5], np.array([0.5], np.float32), np.array([[0.5, 1.0]]).T[:1, 0]])
def test_targets_are_numbers_of_any_kind(weights: Any) -> None:
    desk = Desk()
    desk.bar(100.0)
    (order,) = submitted(desk.take(messages.Targets(weights)))
    assert order.quantity == 50.0


def test_an_order_that_the_venue_opens_twice_is_one_order() -> None:
    desk = Desk()
    desk.bar(100.0)
    desk.targets(0.5)
    opened = messages.Opened(messages.Order(5, 0, 10.0, 0, 0, 0))
    desk.take(opened)
    (told,) = desk.take(opened)
    assert isinstance(told, messages.Notify)
    assert list(desk.statuses()) == [0, 5]


def test_an_order_that_is_filled_beyond_its_quantity_is_over() -> None:
    desk = Desk()
    desk.bar(100.0)
    desk.targets(0.5)
    desk.bar(100.0, fills=[messages.Filled(0, 80.0, 100.0, 0.0)])
    assert (desk.statuses(), desk.quantity()) == ({}, 80.0)
    (order,) = submitted(desk.targets(0.0))
    assert order.quantity == -80.0


def test_an_order_is_pending_then_accepted_then_partial_and_gone_when_it_is_filled() -> None:
    desk = Desk()
    desk.bar(100.0)
    (order,) = submitted(desk.targets(0.5))
    assert (order.id, order.symbol, order.quantity, desk.statuses()) == (0, 0, 50.0, {0: "pending"})
    desk.take(messages.Accepted(0))
    assert desk.statuses() == {0: "accepted"}
    desk.bar(100.0, fills=[messages.Filled(0, 20.0, 101.0, 0.5)])
    assert (desk.statuses(), desk.quantity()) == ({0: "partial"}, 20.0)
    desk.bar(100.0, fills=[messages.Filled(0, 30.0, 99.0, 0.25)])
    assert (desk.statuses(), desk.quantity()) == ({}, 50.0)
    assert desk.cash == 10_000.0 - 20 * 101.0 - 30 * 99.0 - 0.75


def test_a_cancelled_order_is_live_until_the_venue_says_so_and_may_fill_before() -> None:
    desk = Desk()
    desk.bar(100.0)
    desk.take(messages.Requests((limit(10.0, 95.0),)))
    desk.take(messages.Accepted(0))
    assert desk.take(messages.Requests((cancel(),))) == [messages.Cancel(0, 11)]
    assert desk.statuses() == {0: "cancel pending"}
    assert desk.take(messages.Requests((cancel(),))) == [], "it is asked once"
    desk.bar(94.0, fills=[messages.Filled(0, 4.0, 95.0, 0.0)])
    assert (desk.statuses(), desk.quantity()) == ({0: "cancel pending"}, 4.0)
    desk.take(messages.Ended(0, CANCELLED, 10))
    assert (desk.statuses(), desk.quantity()) == ({}, 4.0)
    (ended,) = desk.written[-1].orders
    assert (STATUSES[ended["status"]], ended["filled"]) == ("cancelled", 4.0)


def test_an_order_of_which_nothing_is_known_stays_live_and_is_not_sent_again() -> None:
    desk = Desk()
    desk.bar(100.0)
    desk.targets(0.5)
    desk.take(messages.Unknown(0))
    assert desk.statuses() == {0: "unknown"}
    desk.bar(100.0)
    assert desk.targets(0.5) == []
    desk.bar(100.0, fills=[messages.Filled(0, 50.0, 100.0, 0.0)])
    assert (desk.statuses(), desk.quantity()) == ({}, 50.0)


def test_a_rejected_target_is_not_sent_again_until_it_changes() -> None:
    desk = Desk()
    desk.bar(100.0)
    desk.targets(0.5)
    desk.take(messages.Ended(0, REJECTED, 18))
    desk.bar(100.0)
    assert desk.targets(0.5) == []
    assert [order.quantity for order in submitted(desk.targets(0.6))] == [60.0]


def test_a_new_target_replaces_the_order_that_works_in_one_command() -> None:
    desk = Desk()
    desk.bar(100.0)
    desk.targets(0.5)
    desk.take(messages.Accepted(0))
    desk.bar(100.0)
    commands = desk.targets(0.2)
    assert [type(command) for command in commands] == [messages.Submit]
    (order,) = submitted(commands)
    assert (order.quantity, order.replaces, desk.statuses()) == (20.0, 0, {0: "cancel pending", 1: "pending"})


def test_an_answer_about_an_order_that_is_not_open_is_told_and_changes_nothing() -> None:
    desk = Desk()
    desk.bar(100.0)
    before = desk.state
    (told,) = desk.take(messages.Filled(7, 10.0, 100.0, 0.0))
    assert isinstance(told, messages.Notify)
    assert "id=7" in told.text
    assert "not open" in told.text
    assert same(before, desk.state)


def test_a_refused_request_is_written_down_and_never_sent() -> None:
    desk = Desk()
    desk.bar(100.0)
    assert desk.take(messages.Requests((market(0.0),))) == []
    (row,) = desk.written[-1].orders
    assert STATUSES[row["status"]] == "rejected"
    (refused,) = desk.written[-1].refused
    assert (refused.symbol, refused.asked, refused.rule) == (0, 0.0, "order rule")


def test_a_refused_target_is_another_type_than_an_order() -> None:
    desk = Desk(allocation=Allocation(gross=1.0, allow_short=False))
    desk.bar(100.0)
    assert desk.targets(-0.5) == []
    (refused,) = desk.written[-1].refused
    assert isinstance(refused, messages.Refused)
    assert (refused.asked, refused.rule) == (-0.5, "no shorts")


# -- limits


def test_what_may_still_fill_counts_in_the_limits() -> None:
    """40 % of another symbol is to be cancelled, but the venue has not answered: only 60 % are free."""
    desk = Desk(2)
    desk.bar(100.0, 100.0)
    desk.targets(NAN, 0.4)
    desk.take(messages.Accepted(0))
    desk.bar(100.0, 100.0)
    commands = desk.targets(1.0, 0.0)
    assert messages.Cancel(0, 11) in commands
    desk.bar(100.0, 100.0)
    desk.targets(NAN, NAN)
    desk.take(messages.Ended(1, CANCELLED, 10))
    desk.bar(100.0, 100.0)
    (order,) = submitted(desk.targets(0.9, 0.0))
    assert order.quantity == 60.0
    desk.take(*(messages.Ended(number, CANCELLED, 10) for number in desk.statuses()))
    desk.bar(100.0, 100.0)
    (order,) = submitted(desk.targets(0.95, 0.0))
    assert order.quantity == 95.0


def test_a_breached_monitor_restricts_the_venue_and_cancels_what_would_open() -> None:
    desk = Desk(risk=RiskLimits(position=1.0, gross=1.0, cash=0.0))
    desk.bar(100.0)
    desk.targets(0.9)
    desk.take(messages.Accepted(0))
    desk.bar(100.0, fills=[messages.Filled(0, 50.0, 100.0, 0.0)])
    commands = desk.bar(80.0)
    assert [type(command) for command in commands] == [messages.Cancel, messages.Restrict]
    assert commands[-1] == messages.Restrict(on=True)
    assert desk.state.stage in ("reduce only", "locked")


def test_stages_go_from_no_entries_to_a_lock_that_a_person_opens() -> None:
    desk = Desk(2)
    desk.bar(100.0, 100.0)
    desk.targets(0.3, NAN)
    desk.bar(100.0, 100.0, fills=[messages.Filled(0, 30.0, 100.0, 0.0)])
    desk.take(messages.Operator(NO_ENTRIES))
    assert desk.state.stage == "no entries"
    assert [order.symbol for order in submitted(desk.targets(0.4, 0.2))] == [0], "what is held may grow"
    desk.take(messages.Operator(REDUCE_ONLY))
    assert desk.state.stage == "reduce only"
    desk.bar(100.0, 100.0)
    assert [order.quantity for order in submitted(desk.targets(0.1, 0.2))] == [-20.0]
    (flat,) = submitted(desk.take(messages.Operator(FLATTEN)))
    assert (flat.quantity, desk.state.stage) == (-30.0, "flatten")
    desk.bar(100.0, 100.0, fills=[messages.Filled(flat.id, -30.0, 100.0, 0.0)])
    assert (desk.quantity(), desk.state.stage) == (0.0, "locked")
    assert submitted(desk.targets(0.5, 0.5)) == []
    assert messages.Restrict(on=False) in desk.take(messages.Operator(RESUME))
    assert desk.state.stage == "normal"
    desk.bar(100.0, 100.0)
    assert [order.symbol for order in submitted(desk.targets(0.2, 0.5))] == [1], (
        "what was closed waits for a new signal"
    )
    desk.bar(100.0, 100.0)
    desk.targets(NAN, 0.5)
    desk.bar(100.0, 100.0)
    assert [order.symbol for order in submitted(desk.targets(0.2, 0.5))] == [0]


# -- fills from outside


def test_fills_from_outside_with_fees_of_their_own_give_the_account_that_they_say() -> None:
    rng = np.random.default_rng(5)
    desk = Desk(3, 1e6, costs=Costs(borrow=0.0))
    cash, held = 1e6, np.zeros(3)
    price = np.array([100.0, 50.0, 20.0])
    waiting: dict[int, messages.Order] = {}
    for _ in range(300):
        answers: list[messages.Event] = []
        for number, order in list(waiting.items()):
            part = (
                order.quantity
                if rng.random() < 0.7
                else float(np.trunc(order.quantity / 2) or order.quantity)
            )
            paid, fee = float(price[order.symbol] * (1 + 0.001 * rng.normal())), float(rng.uniform(-0.5, 3.0))
            answers.append(messages.Filled(number, part, paid, fee))
            cash -= part * paid + fee
            held[order.symbol] += part
            del waiting[number]
            if part != order.quantity:
                answers.append(messages.Ended(number, CANCELLED, 10))
        price *= np.exp(0.01 * rng.normal(size=3))
        assert not [told for told in desk.bar(*price, fills=answers) if isinstance(told, messages.Notify)]
        assert desk.cash == pytest.approx(cash, abs=1e-8)
        assert desk.state.symbols["qty"].tolist() == held.tolist()
        assert desk.state.equity == pytest.approx(cash + held @ price, abs=1e-7)
        for order in submitted(desk.targets(*rng.choice([NAN, 0.0, 0.2, 0.3, -0.2], 3))):
            if waiting.pop(order.replaces, None):
                desk.take(messages.Ended(order.replaces, REPLACED, 11))
            waiting[order.id] = order
        waiting = {number: order for number, order in waiting.items() if number in desk.statuses()}
    fills = np.concatenate([part.fills for part in desk.written])
    assert len(fills) > 150
    assert float(fills["commission"].sum()) == pytest.approx(float(desk.state.account["commission"][0]))


# -- purity and size


def same(one: State, other: State) -> bool:
    return all(getattr(one, name).tobytes() == getattr(other, name).tobytes() for name in State.__slots__)


def test_a_step_leaves_the_state_that_came_in_as_it_was_and_does_the_same_again() -> None:
    desk = Desk()
    desk.bar(100.0)
    before = desk.state
    kept = State(*(getattr(before, name).copy() for name in State.__slots__))
    one = step(before, messages.Targets(np.array([0.5])), desk.rules, desk.window)
    assert same(before, kept)
    two = step(before, messages.Targets(np.array([0.5])), desk.rules, desk.window)
    assert same(one.state, two.state)
    assert one.commands == two.commands or repr(one.commands) == repr(two.commands)
    assert not same(one.state, before)


def test_events_in_place_are_the_steps() -> None:
    desk = Desk()
    account = Account(desk.state, desk.rules, desk.window)
    desk.bar(100.0)
    account.apply((messages.BarOpened(), messages.BarClosed()))
    assert same(account.state(), desk.state)


def test_a_bar_that_does_not_follow_the_one_before_is_refused() -> None:
    desk = Desk()
    desk.bar(100.0)
    with pytest.raises(BadParameter, match="does not follow"):
        desk.window.open(0)


@pytest.mark.slow
def test_thousands_of_orders_at_once_find_room_on_both_sides() -> None:
    trader = Trader(blank_info(1), 1e6, rules_of(1), 60, Recorder(), signals=False)
    price = np.full((4, 1), 100.0)
    bars = [Bar(DAY * t, np.vstack([price, [[1e9]]])) for t in range(4)]
    trader.bar(bars[0])
    trader.decided(messages.Requests(tuple(limit(1.0, 50.0 + k / 100) for k in range(3_000))))
    trader.bar(bars[1])
    trader.decided(
        messages.Requests(tuple(limit(1.0, 101.0, take_profit=200.0, stop_loss=20.0) for _ in range(500)))
    )
    trader.bar(bars[2])
    state = trader.account.state()
    assert float(state.symbols["qty"][0]) == 500.0
    assert len(state.orders) == 3_000 + 2 * 500
    trader.decided(messages.Requests((cancel(),)))
    trader.bar(bars[3])
    assert len(trader.account.state().orders) == 2 * 500, "the legs stay"


def test_what_is_no_event_is_refused() -> None:
    desk = Desk()
    wrong: Any = "bar"
    with pytest.raises(BadParameter, match="is no event"):
        desk.take(wrong)


def test_state_window_and_records_do_not_grow_with_the_bars() -> None:
    handed = dict.fromkeys(("orders", "fills", "trades", "decisions", "curve"), 0)

    def sink(name: str, rows: Any) -> None:
        handed[name] += len(rows)

    recorder = Recorder(sink, most=100)
    trader = Trader(blank_info(3), 1e6, rules_of(3), 60, recorder, signals=False)
    rng = np.random.default_rng(1)
    price, sizes = np.array([100.0, 50.0, 20.0]), []
    for t in range(3_000):
        price = price * np.exp(0.001 * rng.normal(size=3))
        trader.bar(Bar(60_000_000_000 * t, np.array([price, price, price, price, np.full(3, 1e6)])))
        trader.decided(messages.Targets(rng.choice([NAN, 0.0, 0.3], 3)))
        if t % 500 == 499:
            state = trader.account.state()
            arrays = (
                *trader.account.book,
                *trader.window.market,
                *(getattr(state, n) for n in State.__slots__),
            )
            kept = sum(len(recorder.rows(name)) for name in handed)
            sizes.append((sum(array.nbytes for array in arrays[:14]), kept < 500))
    assert len(set(sizes)) == 1, sizes
    assert handed["curve"] >= 2_900
    assert handed["fills"] > 1_000


def test_a_window_multiplies_splits_however_often_its_rows_move_to_the_front() -> None:
    window = Window(blank_info(2), 3, signals=False)
    rng = np.random.default_rng(4)
    product = np.ones(2)
    for t in range(60):
        split = np.where(rng.random(2) < 0.2, 2.0, 1.0) if t % 3 else None
        product = product * (1.0 if split is None else split)
        window.open(DAY * (t + 1), split)
        np.testing.assert_array_equal(window.factor[window.t], product)


# -- the start of a process

START = """
import numpy as np
from numba.core.registry import CPUDispatcher
from tests.unit.test_core import Bar, Trader, Recorder, rules_of, messages, blank_info
from gpt_trader.orders import limit
trader = Trader(blank_info(2), 1e6, rules_of(2), 60, Recorder(), signals={signals})
price = np.array([100.0, 50.0])
for t in range(6):
    trader.bar(Bar(60_000_000_000 * t, np.array([price, 1.1 * price, 0.9 * price, price, np.full(2, 1e6)])))
    trader.decided(messages.Targets(np.array([0.3 * (t % 2), 0.2])))
    trader.decided(messages.Requests((limit(10.0, 99.0, take_profit=120.0, stop_loss=80.0), limit(-10.0, 109.0))))
import gpt_trader.engine.account_step as core, gpt_trader.engine.sim_venue as venue
import gc
kernels = [item for item in gc.get_objects() if type(item) is CPUDispatcher and item.overloads]
missed = [item.__name__ for item in kernels if sum(item.stats.cache_misses.values()) > 0]
print(len(kernels), missed)
"""


@pytest.mark.slow
@pytest.mark.parametrize("signals", [False, True])
def test_a_process_that_trades_compiles_nothing_at_its_start(signals: bool) -> None:
    code = START.replace("{signals}", str(signals))
    for _ in range(2):  # the first may compile what nobody has run since the engine changed
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    count, _, missed = done.stdout.strip().partition(" ")
    assert int(count) > 5
    assert missed == "[]"
