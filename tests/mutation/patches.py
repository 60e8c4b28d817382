"""The bugs that are planted: each a change of one function of the engine, and the tests of which at least one must then fail.

The function says `old` exactly once (`planting`); a bug that can no longer be planted fails its test and must be renewed together
with the engine.
"""

from __future__ import annotations

from dataclasses import dataclass

EVENTS = "tests/properties/test_truth_events.py"
EXITS = "tests/properties/test_truth_exits.py"
RULES = "tests/properties/test_truth_rules.py"
ENTRIES = "tests/properties/test_truth_entries.py"
ORDERS = "tests/properties/test_truth_orders.py"
LIMITS = "tests/properties/test_truth_limits.py"
ACCOUNTING = "tests/properties/test_truth_accounting.py"
TRUTH = "tests/properties/test_truth.py"
QUIET = "tests/unit/test_engine_quiet.py"
FIRST = "tests/properties/test_truth_first.py"
BLOCKS = "tests/properties/test_truth_blocks.py"
DELAY = "tests/properties/test_truth_delay.py"
SEGMENTS = "tests/properties/test_truth_segments.py"
PARITY = "tests/parity/test_engine_against_reference.py"
BAR_BY_BAR = "tests/parity/test_bar_by_bar.py"
CORE = "tests/unit/test_core.py"
PORTFOLIO = "tests/properties/test_portfolio.py"


@dataclass(frozen=True, slots=True)
class Patch:
    """One planted bug: `name` says what goes wrong, `function` is one of gpt_trader/engine, `tests` are run against it."""

    name: str
    function: str
    old: str
    new: str
    tests: tuple[str, ...]


PATCHES = (
    # -- timing
    Patch(
        "market orders fill at the close of the decision bar",
        "_fill_market",
        "fill_order(m, b, t, order, m.panel[OPEN, t, b.orders[order].symbol], False)",
        "fill_order(m, b, t, order, m.panel[CLOSE, t - 1, b.orders[order].symbol], False)",
        (f"{TRUTH}::test_a_weight_decided_at_t_earns_from_the_open_of_the_next_bar",),
    ),
    Patch(
        "market orders fill at the open of the decision bar",
        "_fill_market",
        "fill_order(m, b, t, order, m.panel[OPEN, t, b.orders[order].symbol], False)",
        "fill_order(m, b, t, order, m.panel[OPEN, t - 1, b.orders[order].symbol], False)",
        (f"{ACCOUNTING}::test_no_fill_outside_its_bar_before_its_decision_or_above_the_volume_cap",),
    ),
    Patch(
        "decisions are made on the target of the next bar",
        "run_targets",
        "targets[min(t, targets.shape[0] - 1)]",
        "targets[min(t + 1, targets.shape[0] - 1)]",
        (
            f"{TRUTH}::test_a_weight_decided_at_t_earns_from_the_open_of_the_next_bar",
            f"{TRUTH}::test_random_targets_know_no_future_either",
        ),
    ),
    Patch(
        "the shortcut runs over corporate actions",
        "idle_bars",
        "flags[i] & EVENT != 0",
        "flags[i] < 0",
        (f"{QUIET}::test_an_event_of_another_symbol_ends_the_stretch",),
    ),
    Patch(
        "the shortcut runs over ruin",
        "skip_idle_bars",
        "end = first_ruin_bar(m, b, cash, start, end)",
        "end = end + 0",
        (f"{QUIET}::test_ruin_inside_a_quiet_stretch_is_seen",),
    ),
    Patch(
        "a position is a bar older than it is",
        "mark_to_market",
        "int(s.opened < account.bar)",
        "int(s.opened <= account.bar)",
        (f"{EXITS}::test_time_stop_at_the_open_after_n_bars",),
    ),
    # -- corporate actions
    Patch(
        "a dividend goes to who buys on the ex-date",
        "before_decision",
        "open_bar(m, b, t)\nmatch_bar(m, b, t)",
        "match_bar(m, b, t)\nopen_bar(m, b, t)",
        (f"{EVENTS}::test_a_dividend_goes_to_the_holder_of_the_previous_close",),
    ),
    Patch(
        "a short earns the dividend",
        "corporate_actions",
        "pay(b, n, s.qty * dividend)",
        "pay(b, n, abs(s.qty) * dividend)",
        (f"{EVENTS}::test_a_short_pays_the_dividend",),
    ),
    Patch(
        "a split does not reach resting orders",
        "_split",
        "order = s.first_live",
        "order = NO_ORDER",
        (f"{EVENTS}::test_resting_orders_are_restated_by_a_split",),
    ),
    Patch(
        "a split does not reach the trailing peak",
        "_split",
        "s.peak /= ratio",
        "",
        (f"{EVENTS}::test_declared_exits_are_restated_by_a_split",),
    ),
    Patch(
        "the fraction of a share that a split leaves is lost",
        "settle_fraction",
        "pay(b, n, (exact - whole) * s.mark)",
        "",
        (f"{EVENTS}::test_a_split_that_leaves_a_fraction_pays_it_in_cash",),
    ),
    Patch(
        "the borrow fee is earned",
        "charge_borrow",
        "account.cash -= fee",
        "account.cash += fee",
        (f"{EVENTS}::test_a_borrow_fee_is_charged_by_calendar_days",),
    ),
    # -- order strategies
    Patch(
        "bars are skipped although an order trails",
        "next_event_bar",
        "o.kind == TRAILING or o.day == 1",
        "o.day == 1",
        (f"{QUIET}::test_an_order_strategy_never_sees_stale_holdings",),
    ),
    Patch(
        "bars are skipped over the stop of a declared exit",
        "_trigger_band",
        "if not np.isnan(level):\n    below = level",
        "",
        (f"{QUIET}::test_an_order_strategy_never_sees_stale_holdings",),
    ),
    Patch(
        "a stop-limit fills at a price that was not traded",
        "_try_stop",
        "min(o.limit, m.panel[HIGH, t, n])",
        "o.limit",
        (f"{ORDERS}::test_a_stop_limit_that_triggers_inside_the_bar_fills_inside_the_bar",),
    ),
    Patch(
        "a limit ignores a better open",
        "_resting_limits",
        "min(opened, o.limit)",
        "o.limit",
        (f"{ORDERS}::test_limit_orders_fill_at_the_limit_or_at_a_better_open",),
    ),
    # -- costs and cash
    Patch(
        "costs are earned",
        "apply_fill",
        "account.cash -= quantity * price + costs",
        "account.cash -= quantity * price - costs",
        (f"{ACCOUNTING}::test_cash_and_positions_are_equity_on_every_bar",),
    ),
    Patch(
        "trades forget their costs",
        "_close_trade",
        "row.pnl = row.gross_pnl - s.costs + s.income",
        "row.pnl = row.gross_pnl + s.income",
        (f"{ACCOUNTING}::test_every_round_trip_earned_what_its_own_cash_flows_say",),
    ),
    Patch(
        "impact is linear in the share of the volume",
        "slippage_rate",
        "r.impact * share * share",
        "r.impact * share",
        (f"{ACCOUNTING}::test_costs_follow_the_rates_and_land_on_the_trades",),
    ),
    Patch(
        "buying power is ignored",
        "fill_upto",
        "most < increase",
        "most < 0.0",
        (f"{ACCOUNTING}::test_what_is_bought_is_paid_for",),
    ),
    Patch(
        "the average entry is the last price",
        "shift_position",
        "s.entry = (s.entry * s.qty + price * quantity) / (s.qty + quantity)",
        "s.entry = price",
        (f"{EXITS}::test_stop_loss_counts_from_the_average_entry",),
    ),
    Patch(
        "the volume cap counts every fill anew",
        "volume_room",
        "used = s.used if s.used_bar == b.account[0].bar else 0.0",
        "used = 0.0",
        (f"{ACCOUNTING}::test_no_fill_outside_its_bar_before_its_decision_or_above_the_volume_cap",),
    ),
    Patch(
        "the volume cap is ignored",
        "volume_room",
        "cap <= 0.0 or b.account[0].bar < m.info[n].first_volume",
        "cap <= 1.0",
        (f"{RULES}::test_defaults_are_the_documented_ones",),
    ),
    # -- rules of the allocator
    Patch(
        "the gross cap is ignored",
        "_scale_to_gross",
        "total <= cap",
        "total <= 1e9 * cap",
        (f"{RULES}::test_wanted_weights_never_exceed_the_gross_cap",),
    ),
    Patch(
        "one position too many",
        "fill_upto",
        "b.account[0].positions >= r.max_positions",
        "b.account[0].positions > r.max_positions",
        (f"{RULES}::test_never_more_positions_than_seats",),
    ),
    Patch(
        "a declared exit locks nothing",
        "_wanted_weight",
        "s.reentry_lock != 0",
        "s.reentry_lock > 5",
        (f"{EXITS}::test_a_symbol_thrown_out_waits_for_a_new_signal",),
    ),
    Patch(
        "the cooldown is a bar short",
        "_entry_rule",
        "since < r.cooldown",
        "since < r.cooldown - 1.0",
        (f"{ENTRIES}::test_a_cooldown_blocks_that_many_bars",),
    ),
    Patch(
        "one confirmation too few",
        "_entry_rule",
        "s.signal_bars < r.confirm",
        "s.signal_bars < r.confirm - 1.0",
        (f"{ENTRIES}::test_an_entry_waits_for_its_confirmations",),
    ),
    Patch(
        "the regime filter is upside down",
        "_entry_rule",
        "m.flags[t] & REGIME == 0",
        "m.flags[t] & REGIME != 0",
        (f"{ENTRIES}::test_the_regime_filter_stops_new_longs_only",),
    ),
    Patch(
        "the weekly cadence decides on every bar but the first of the week",
        "decision_bar",
        "return not same_week(b)",
        "return same_week(b)",
        (f"{RULES}::test_a_cadence_decides_on_the_first_bar_of_its_period_only",),
    ),
    Patch(
        "risk sizing forgets k",
        "_risk_weight",
        "distance = r.atr_k * m.signals[ATR_SIZE, t, n]",
        "distance = m.signals[ATR_SIZE, t, n]",
        (f"{ENTRIES}::test_risk_sizing_buys_equity_times_risk_over_the_stop_distance",),
    ),
    Patch(
        "the minimum rebalance is ignored",
        "_order_symbol",
        "abs(delta) * close < r.min_rebalance * equity",
        "r.min_rebalance > 9.0",
        (f"{RULES}::test_a_small_change_is_skipped_until_it_has_grown",),
    ),
    Patch(
        "a day's loss stops entries for good",
        "release_halts",
        "account.halt &= ~HALT_DAY",
        "account.halt |= 0",
        (f"{RULES}::test_a_loss_stops_entries_for_its_period_and_lets_exits_pass",),
    ),
    Patch(
        "a reversal needs no cooldown",
        "_entry_rule",
        "r.cooldown > 0.0",
        "r.cooldown < 0.0",
        (f"{ENTRIES}::test_a_reversal_is_an_entry_within_the_cooldown",),
    ),
    Patch(
        "the sector limit is ignored",
        "apply_risk_limits",
        "_scale_sectors(m, b)",
        "",
        (f"{LIMITS}::test_a_sector_is_scaled_to_its_limit",),
    ),
    Patch(
        "the correlation limit is ignored",
        "apply_risk_limits",
        "_check_entrants(m, b, t)",
        "pass",
        (f"{LIMITS}::test_an_entrant_that_moves_with_a_holding_is_refused",),
    ),
    Patch(
        "two entrants of one bar are not compared",
        "_check_correlation",
        "side = s.qty if s.qty != 0.0 else s.accepted",
        "side = s.qty",
        (f"{LIMITS}::test_two_entrants_of_one_bar_are_compared",),
    ),
    Patch(
        "what the order volume cuts off is never ordered",
        "_order_symbol",
        "delta = allowed\nshortfall = 1",
        "delta = allowed\ncut = 0",
        (f"{LIMITS}::test_what_the_order_volume_cuts_off_is_ordered_on_the_following_bars",),
    ),
    # -- who holds and who acts
    Patch(
        "positions are listed in order of their entry",
        "_add_to_list",
        "b.symbols[k - 1].holding > n",
        "b.symbols[k - 1].holding > 9_999",
        (f"{QUIET}::test_the_shortcut_leaves_the_same_bits",),
    ),
    Patch(
        "another position is struck off than the one that was closed",
        "_remove_from_list",
        "range(k, account.positions)",
        "range(k + 1, account.positions)",
        (f"{ACCOUNTING}::test_cash_and_positions_are_equity_on_every_bar",),
    ),
    Patch(
        "what a cap scales is not ordered",
        "accept_targets",
        "acting if stands else -1",
        "acting",
        (
            f"{PARITY}::test_random_targets_with_declared_exits",
            f"{RULES}::test_wanted_weights_never_exceed_the_gross_cap",
        ),
    ),
    # -- exits
    Patch(
        "the ATR stop loosens",
        "tighten_atr_stop",
        "not np.isnan(level) and (np.isnan(s.atr_stop) or side * (level - s.atr_stop) > 0.0)",
        "not np.isnan(level)",
        (
            f"{EXITS}::test_the_protective_stop_never_loosens",
            f"{EXITS}::test_atr_stop_starts_at_the_close_of_the_entry_bar_and_only_tightens",
        ),
    ),
    Patch(
        "a stop is disarmed when the position grows",
        "mark_to_market",
        "if exits_on:\n    arm_stops(b, n)",
        "s.armed = 0\nif exits_on:\n    arm_stops(b, n)",
        (f"{EXITS}::test_an_armed_stop_stays_armed_when_the_position_grows",),
    ),
    Patch(
        "a stop fills at its level although the bar opened beyond it",
        "_protect",
        "price = min(m.panel[OPEN, t, n], level) if long else max(m.panel[OPEN, t, n], level)",
        "price = level",
        (f"{EXITS}::test_stop_loss_at_the_open_when_the_bar_gaps_through_it",),
    ),
    Patch(
        "the peak follows the last close",
        "mark_to_market",
        "s.peak = max(s.peak, close) if s.qty > 0.0 else min(s.peak, close)",
        "s.peak = close",
        (f"{EXITS}::test_the_protective_stop_never_loosens",),
    ),
    Patch(
        "the time stop is a bar late",
        "mark_to_market",
        "s.age >= r.time_stop",
        "s.age > r.time_stop",
        (f"{EXITS}::test_time_stop_at_the_open_after_n_bars",),
    ),
    Patch(
        "an exit leaves the other orders of its symbol alive",
        "after_exit",
        "cancel_symbol_orders(b, n, NO_ORDER, R_EXITED)\nclear_target(b, n, side)",
        "clear_target(b, n, side)",
        (f"{ORDERS}::test_an_exit_cancels_the_resting_orders_of_its_symbol",),
    ),
    Patch(
        "reductions wait for the entries",
        "match_open",
        "(1, 0)",
        "(0, 1)",
        (f"{ORDERS}::test_reductions_fill_before_entries_at_the_open",),
    ),
    # -- an account that begins later, block sums, delays, segments
    Patch(
        "a later account's first bar follows the row before it",
        "begin_bar",
        "account.previous = account.time",
        "account.previous = m.time[max(t - 1, 0)]",
        (f"{FIRST}::test_its_first_row_is_looked_at_with_every_cadence",),
    ),
    Patch(
        "the losses of a later account are measured from the row before it",
        "begin_bar",
        "account.previous = account.time",
        "account.previous = m.time[max(t - 1, 0)] + 0",
        (f"{FIRST}::test_losses_are_measured_from_its_first_bar",),
    ),
    Patch(
        "statistics begin a row late",
        "statistics_into",
        "first = account.first",
        "first = min(account.first + 1, b.account_curves.shape[1] - 1)",
        (
            f"{BLOCKS}::test_a_sharpe_over_any_blocks_follows_from_the_sums",
            f"{FIRST}::test_a_batch_begins_there_too",
        ),
    ),
    Patch(
        "a strategy decides before its account begins",
        "rows_from",
        "return Row(columns if first == 0 else {name: array[first:] for name, array in columns.items()})",
        "return Row({name: array[max(first - 1, 0) : len(array) - (first > 0)] for name, array in columns.items()})",
        (f"{FIRST}::test_what_lies_before_it_is_not_decided",),
    ),
    Patch(
        "a block ends a bar late",
        "block_sums",
        "min(edges[i + 1], count)",
        "min(edges[i + 1] + 1, count)",
        (f"{BLOCKS}::test_the_sums_of_each_block_are_those_of_the_equity_of_the_run",),
    ),
    Patch(
        "a block begins a bar late",
        "block_sums",
        "min(edges[i], count)",
        "min(edges[i] + 1, count)",
        (f"{BLOCKS}::test_a_sharpe_over_any_blocks_follows_from_the_sums",),
    ),
    Patch(
        "the squares are those of the first lane only",
        "block_sums",
        "square1 += block[k + 1] * block[k + 1]",
        "",
        (f"{BLOCKS}::test_a_sharpe_over_any_blocks_follows_from_the_sums",),
    ),
    Patch(
        "an infinite weight spoils the runs after it",
        "score_many",
        "clear_book(b, capital)",
        "if k == start:\n    clear_book(b, capital)",
        (f"{BLOCKS}::test_infinite_weights_at_every_place_of_a_chunk[3]",),
    ),
    Patch(
        "the delay of targets is ignored",
        "delayed_rows",
        "if delay == 0:\n    return rows",
        "if delay >= 0:\n    return rows",
        (f"{DELAY}::test_a_weight_decided_at_t_is_allocated_two_bars_later_at_the_prices_of_then",),
    ),
    Patch(
        "a decision waits a bar too long",
        "delayed_rows",
        "ring[np.arange(start, start + ahead) % delay]",
        "ring[np.arange(start + 1, start + 1 + ahead) % delay]",
        (f"{SEGMENTS}::test_orders_and_decisions_that_wait_are_handed_on",),
    ),
    Patch(
        "the delay of a rule that reads what it holds is ignored",
        "weights_at",
        "row = t % self.delay\ndue = self.weights[row].copy()",
        "row = t % self.delay\ndue = decided",
        (f"{DELAY}::test_it_is_the_run_of_a_strategy_that_keeps_its_own_decisions_back[0-Looks-python-3]",),
    ),
    Patch(
        "requests are submitted a bar early",
        "requests_at",
        "self.requests.extend((t + self.delay, request) for request in made)",
        "self.requests.extend((t + self.delay - 1, request) for request in made)",
        (f"{SEGMENTS}::test_orders_and_decisions_that_wait_are_handed_on",),
    ),
    Patch(
        "what waits is lost between two segments",
        "delayed_rows",
        "ring[np.arange(start + count - ahead, start + count) % delay] = rows[count - ahead :]",
        "",
        (f"{SEGMENTS}::test_orders_and_decisions_that_wait_are_handed_on",),
    ),
    Patch(
        "a segment keeps the exits of the one before",
        "run_plan",
        "run.book.rules.view(np.float64)[:] = plan.rules.view(np.float64)",
        'if start == int(run.book.account[0]["first"]):\n    run.book.rules.view(np.float64)[:] = plan.rules.view(np.float64)',
        (f"{SEGMENTS}::test_the_next_segment_takes_over_positions_and_exits_from_its_first_row_on",),
    ),
    Patch(
        "no short pays a borrow fee",
        "mark_to_market",
        "shorts += int(s.qty < 0.0)",
        "shorts += int(s.qty > 1e300)",
        (f"{EVENTS}::test_a_borrow_fee_is_charged_by_calendar_days",),
    ),
    Patch(
        "of entrants of the same rank the last one is seated",
        "ranks_behind",
        "(score == best and n > other)",
        "(score == best and n < other)",
        (f"{PARITY}::test_many_entrants_for_few_seats",),
    ),
    # -- account and venue apart, portfolios
    Patch(
        "an order that is to be cancelled no longer counts in the limits",
        "in_flight",
        "total += abs(left) * (s.mark if np.isnan(close) else close)",
        "total += 0.0",
        (f"{CORE}::test_what_may_still_fill_counts_in_the_limits",),
    ),
    Patch(
        "an order that is to be cancelled is gone before the venue says so",
        "cancel_order",
        "b.account[0].external_venue == 0",
        "b.account[0].external_venue >= 0",
        (f"{CORE}::test_a_cancelled_order_is_live_until_the_venue_says_so_and_may_fill_before",),
    ),
    Patch(
        "a fee that the venue charges is not paid",
        "apply_fill",
        "costs = fee + slippage",
        "costs = slippage",
        (f"{CORE}::test_fills_from_outside_with_fees_of_their_own_give_the_account_that_they_say",),
    ),
    Patch(
        "live orders lose their links when the log is emptied",
        "keep_live_orders",
        "o.later = _new_place(b, o.later)",
        "o.later = NO_ORDER",
        (f"{BAR_BY_BAR}::test_random_weights_units_and_orders",),
    ),
    Patch(
        "what was said of a symbol is forgotten at once",
        "keep_verdicts",
        "s.last_row = count",
        "s.last_row = -1",
        (f"{BAR_BY_BAR}::test_random_weights_units_and_orders",),
    ),
    Patch(
        "an exit that the venue opened does not stop others",
        "on_opened",
        "s.exiting = 1",
        "s.exiting = 0",
        (f"{BAR_BY_BAR}::test_every_exit",),
    ),
    Patch(
        "a crossing costs what a fill costs",
        "cross_at_open",
        "apply_fill(b, order, quantity, price, 0.0, 0.0, False)",
        "apply_fill(b, order, quantity, price, 1.0, 0.0, False)",
        (f"{PORTFOLIO}::test_opposite_orders_meet_at_the_open_without_costs",),
    ),
    Patch(
        "each strategy has the volume for itself",
        "rest_of_bar",
        "b.symbols[n].used = used[n]",
        "b.symbols[n].used = 0.0",
        (f"{PORTFOLIO}::test_inside_the_bar_the_volume_that_is_gone_is_gone_for_all",),
    ),
    Patch(
        "a halt of the account does not reach its strategies",
        "apply_halt",
        "account.halt = (account.halt & HALT_RUINED) | halt",
        "account.halt = account.halt & HALT_RUINED",
        (f"{PORTFOLIO}::test_a_halt_of_the_account_refuses_the_orders_of_its_sleeves",),
    ),
    Patch(
        "dust is bought with the last of the cash",
        "_affordable",
        "lot == 0.0 and quantity * price <= DUST * equity",
        "lot < 0.0",
        (f"{RULES}::test_the_last_crumbs_of_cash_buy_nothing",),
    ),
)
