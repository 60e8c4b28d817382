"""The engine's memory: record types of account, symbols, orders and logs, and the codes stored in them."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gpt_trader.allocation import Allocation
from gpt_trader.costs import Costs, FillModel
from gpt_trader.declared_rules import record_fields
from gpt_trader.engine.interpreted import record
from gpt_trader.risk import VERDICTS_OF_LIMITS, RiskLimits

# order kinds
MARKET, LIMIT, STOP, STOP_LIMIT, TRAILING = range(5)
KINDS = ("market", "limit", "stop", "stop_limit", "trailing")
# order statuses; those up to UNKNOWN are live
(PENDING, ACCEPTED, PARTIAL, CANCEL_PENDING, UNKNOWN, FILLED, CANCELLED, REPLACED, EXPIRED, REJECTED) = range(
    10
)
STATUSES = (
    "pending", "accepted", "partial", "cancel pending", "unknown", "filled", "cancelled", "replaced", "expired", "rejected",
)  # fmt: skip
# what an order is for
TARGET, EXIT, USER, LEG_STOP, LEG_TARGET = range(5)
# why an order exists, ended, or a position was closed
(R_TARGET, R_STOP_LOSS, R_TRAILING, R_BREAK_EVEN, R_ATR_STOP, R_TAKE_PROFIT, R_SCALE_OUT, R_TIME_STOP, R_DELISTED, R_FLATTEN,
 R_USER, R_REPLACED, R_NO_CASH, R_MAX_POSITIONS, R_EXITED, R_HALT, R_OCO, R_DAY, R_ORDER_RULE, R_SPLIT,
 R_VOLUME) = range(21)  # fmt: skip
REASONS = (
    "target", "stop loss", "trailing stop", "break even", "atr stop", "take profit", "scale out", "time stop", "delisted",
    "flatten", "order", "replaced", "no buying power", "max positions", "position closed", "halt", "other leg filled",
    "day over", "order rule", "split", "volume cap",
)  # fmt: skip
# verdicts and the rules that caused them
APPROVED, SCALED, REFUSED = range(3)
VERDICTS = ("approved", "scaled", "refused")
(V_NONE, V_LOCKED, V_CONFIRM, V_COOLDOWN, V_REGIME, V_HALT, V_SHORT, V_SIZE, V_POSITION, V_SLOTS, V_GROSS, V_RISK_POSITION,
 V_RISK_GROSS, V_RISK_NET, V_RISK_CASH, V_RISK_SECTOR, V_RISK_CORRELATION, V_RISK_POSITIONS, V_ORDER_VOLUME,
 V_MIN_REBALANCE) = range(20)  # fmt: skip
RULES = (
    "", "locked after an exit", "confirm", "cooldown", "regime", "halt", "no shorts", "risk sizing", "position", "max positions",
    "gross", *VERDICTS_OF_LIMITS[: V_MIN_REBALANCE - V_RISK_POSITION], "min rebalance",
    *VERDICTS_OF_LIMITS[V_MIN_REBALANCE - V_RISK_POSITION :],
)  # fmt: skip
# what the rows of the log of fills say: a backtest writes fills alone, a venue that reports all that happens to its orders, and an
# account whose venue is elsewhere what it asks of it
E_FILLED, E_OPENED, E_ENDED, E_UPDATED, C_SUBMIT, C_CANCEL, C_REDUCE = range(7)
# who stopped increases of positions (bits): monitors, ruin, a person
HALT_DAY, HALT_WEEK, HALT_MONTH, HALT_LOCKED, HALT_RUINED, HALT_OPERATOR = 1, 2, 4, 8, 16, 32
NO_TIME = -(2**62)  # before every bar: with the first bar of an account a day, a week and a month begin
# why the loop gave the control back
DONE, LOG_FULL, BAD_TARGET, ANSWER_FULL = range(4)

ACCOUNT = record([
    ("cash", "f8"), ("equity", "f8"), ("gross", "f8"), ("capital", "f8"), ("peak_equity", "f8"), ("day_base", "f8"),
    ("week_base", "f8"), ("month_base", "f8"), ("commission", "f8"), ("slippage", "f8"), ("borrow", "f8"), ("traded", "f8"),
    ("last_equity", "f8"), ("halt", "i8"), ("positions", "i8"), ("open_orders", "i8"), ("market_orders", "i8"),
    ("orders", "i8"), ("fills", "i8"), ("trades", "i8"), ("decisions", "i8"), ("needs_allocation", "i8"), ("first", "i8"),
    ("shorts", "i8"), ("list_stale", "i8"), ("bar", "i8"), ("time", "i8"), ("previous", "i8"),
    ("external_venue", "i8"), ("reports_events", "i8"), ("order_ids", "i8"), ("decision_ids", "i8"),
    ("entries_off", "i8"), ("in_flight", "f8"),
])  # fmt: skip

# `external_venue`: 1 when the venue is elsewhere, so that orders are asked for and wait for an answer; `reports_events`: 1 for a
# venue that tells somebody else what happens to its orders; `list_stale`: 1 while the list of positions is to be made anew;
# `order_ids`, `decision_ids`: how many orders and decisions there have been; `entries_off`: 1 when a person allows no new
# positions; `in_flight`: share of equity that may still be opened by orders which the account no longer wants.
# What every bar reads of every symbol comes first: a hundred symbols of it stay in the nearest cache. `holding` and `acting`
# belong to no symbol: in the first `account.positions` records `holding` lists the symbols with a position, in their order, and
# `acting` is room to list those that act in a bar. The live orders of a symbol hang together from `first_live` to `last_live`
# through `later` and `earlier` of ORDER, in the order of their ids.
SYMBOL = record([
    ("qty", "f8"), ("mark", "f8"), ("wanted", "f8"), ("ordered", "f8"), ("previous_target", "f8"), ("requested", "f8"),
    ("accepted", "f8"), ("bar_target", "f8"), ("signal_bars", "i8"), ("change", "i8"), ("reentry_lock", "i8"), ("shortfall", "i8"),
    ("exiting", "i8"), ("target_order", "i8"), ("first_live", "i8"), ("last_live", "i8"), ("peak", "f8"), ("age", "i8"),
    ("opened", "i8"), ("entry", "f8"),
    ("atr_stop", "f8"), ("used", "f8"), ("max_qty", "f8"), ("in_qty", "f8"), ("in_cash", "f8"), ("out_qty", "f8"),
    ("out_cash", "f8"), ("costs", "f8"), ("income", "f8"), ("intrabar", "i8"), ("used_bar", "i8"), ("last_exit", "i8"),
    ("steps", "i8"), ("armed", "i8"), ("step_left", "f8"), ("signal_bar", "i8"), ("last_row", "i8"), ("holding", "i8"),
    ("acting", "i8"),
])  # fmt: skip

ORDER = record([
    ("quantity", "f8"), ("filled", "f8"), ("limit", "f8"), ("stop", "f8"), ("trail", "f8"), ("trail_ref", "f8"), ("charge", "f8"),
    ("charged", "f8"), ("take_profit", "f8"), ("stop_loss", "f8"), ("symbol", "i8"), ("decided_bar", "i8"), ("parent", "i8"),
    ("sibling", "i8"), ("created_bar", "i8"), ("decision", "i8"), ("id", "i8"), ("replaces", "i8"), ("earlier", "i8"),
    ("later", "i8"),
    ("kind", "i1"), ("status", "i1"), ("reason", "i1"), ("end_reason", "i1"), ("purpose", "i1"),
    ("triggered", "i1"), ("day", "i1"), ("intrabar", "i1"),
], align=True)  # fmt: skip

FILL = record([
    ("quantity", "f8"), ("price", "f8"), ("commission", "f8"), ("slippage", "f8"), ("order", "i8"), ("symbol", "i8"), ("bar", "i8"),
    ("reason", "i8"), ("event", "i8"),
])  # fmt: skip

TRADE = record([
    ("quantity", "f8"), ("entry_price", "f8"), ("exit_price", "f8"), ("gross_pnl", "f8"), ("costs", "f8"), ("income", "f8"),
    ("pnl", "f8"), ("return_", "f8"), ("symbol", "i8"), ("entry_bar", "i8"), ("exit_bar", "i8"), ("bars", "i8"), ("reason", "i8"),
])  # fmt: skip

DECISION = record([
    ("target", "f8"), ("accepted", "f8"), ("value", "f8"), ("limit", "f8"), ("symbol", "i8"), ("bar", "i8"), ("verdict", "i8"),
    ("rule", "i8"), ("before", "i8"),
])  # fmt: skip

RULE_FIELDS = (
    *record_fields(Costs), *record_fields(FillModel), *record_fields(Allocation), "regime_on", "units",
    "exits_on", "stop_loss", "trailing", "trailing_after", "break_even", "stop_atr_k", "take_profit", "time_stop", "scale_steps",
    "gain1", "share1", "gain2", "share2", "gain3", "share3", "gain4", "share4",
    "risk_on", *record_fields(RiskLimits), "risk_slots", "score_on",
)  # fmt: skip
RULE = record([(name, "f8") for name in RULE_FIELDS])

# `leads`: 1 for the first symbol of each known sector; `next_peer`: the next symbol of the same sector, -1 after the last
INFO = record([
    ("lot", "f8"), ("first_volume", "i8"), ("leads", "i8"), ("next_peer", "i8"), ("last_session", "i8"),
])  # fmt: skip

EQUITY, CASH, GROSS, NET = range(4)
ATR_STOP, ATR_SIZE, SCORE = range(3)
EVENT, REGIME, ENDED = 1, 2, 4

Records = NDArray[Any]
Floats = NDArray[np.float64]


class MarketData(NamedTuple):
    """What the engine reads of the world.

    `panel` (7, T, N) as in Bars, raw basis; `signals` (3, T, N) by ATR_STOP, ATR_SIZE and SCORE: average true ranges for the
    ATR stop and for risk sizing, and the rank of entrants; (3, 1, 1) when no rule uses them. `time` (T,) ns since 1970; `flags`
    (T,) bits EVENT (some corporate action), REGIME (new longs allowed) and ENDED (some symbol's last session is over); `info`
    (N,) INFO records. Few arrays on purpose: every one of them is copied at every call of a kernel.
    """

    panel: Floats
    signals: Floats
    time: NDArray[np.int64]
    flags: NDArray[np.int8]
    info: Records


class AccountState(NamedTuple):
    """What the engine writes: state records, ids of live orders in order of age (and behind them room for lists of symbols
    within a step), the account curves, the logs.

    `account` (1,), `symbols` (N,), `rules` (1,); `account_curves` (4, T): equity, cash, gross and net exposure in cash at
    each close, from row `account.first` on, at which the account begins.
    """

    account: Records
    symbols: Records
    rules: Records
    open_orders: NDArray[np.int64]
    account_curves: Floats
    orders: Records
    fills: Records
    trades: Records
    decisions: Records
