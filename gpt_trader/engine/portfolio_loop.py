"""Runs several strategies in one account, bar by bar: positions by strategy, orders netted, limits over the whole account.

Each strategy has a book of its own with its share of the capital, its rules and its exits. The account's book takes part in what
they do with the venue. Their cash, positions and equity add up to the account's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpt_trader.bars import CLOSE, DIVIDEND, SPLIT, VOLUME
from gpt_trader.engine import netting
from gpt_trader.engine.account_clock import DAY_NS
from gpt_trader.engine.accounting import charge_borrow, pay, settle_fraction
from gpt_trader.engine.jit import not_inlined
from gpt_trader.engine.kernel_calls import direct_call
from gpt_trader.engine.order_book import to_lot
from gpt_trader.engine.portfolio_sleeve import SleeveRun, with_room_for_bar
from gpt_trader.engine.records import EVENT, HALT_RUINED, MARKET, R_SPLIT, AccountState, MarketData
from gpt_trader.strategy import OrderStrategy, counts_units

_open, _accept, _order = (
    direct_call(netting.open_account), direct_call(netting.accept_targets_call), direct_call(netting.order_accepted_call)
)  # fmt: skip
_due, _alone, _left, _payable, _cross, _fill = (
    direct_call(netting.list_due), direct_call(netting.open_alone), direct_call(netting.left_at_open),
    direct_call(netting.payable_at_open), direct_call(netting.cross_at_open), direct_call(netting.fill_at_open),
)  # fmt: skip
_rest, _mirror, _close, _close_account, _halt_sleeve, _shrink = (
    direct_call(netting.rest_of_bar), direct_call(netting.mirror_fill), direct_call(netting.close_strategy_bar),
    direct_call(netting.close_account_bar), direct_call(netting.apply_halt), direct_call(netting.shrink),
)  # fmt: skip
_charge, _settle, _pay, _lots = (
    direct_call(not_inlined(charge_borrow)), direct_call(settle_fraction), direct_call(pay), not_inlined(to_lot)
)  # fmt: skip
SAME = 1e-12
Floats = NDArray[np.float64]


@dataclass(slots=True)
class PortfolioAccount:
    """The account over its parts: its own book and market, the yearly rate of borrowed shares, what a drawdown does."""

    book: AccountState
    market: MarketData
    parts: Sequence[SleeveRun]
    borrow: float
    flattens: bool
    limited: bool
    crossed: Floats

    def run(self, first: int) -> None:
        """From row `first` to the last."""
        with np.errstate(invalid="ignore", divide="ignore"):
            for t in range(first, self.market.panel.shape[1]):
                self._bar(t)

    def _bar(self, t: int) -> None:
        self._make_room()
        self._charge_borrowed(t)
        for part in self.parts:
            _open(part.market, part.book, t)
        _open(self.market, self.book, t)
        self._pay_fractions(t)
        self._apply_halt(0)
        self._open_market(t)
        self._after_open(t)
        for part in self.parts:
            _close(part.market, part.book, t)
        self._apply_halt(_close_account(self.market, self.book, t))
        for part in self.parts:
            part.decide(t)
        if self.limited:
            self._limit(t)
        for part in self.parts:
            if not isinstance(part.plan.strategy, OrderStrategy):
                _order(part.market, part.book, t, -1)

    def _make_room(self) -> None:
        for part in self.parts:
            part.run.book = with_room_for_bar(part.book)
        self.book = with_room_for_bar(self.book)

    def _charge_borrowed(self, t: int) -> None:
        """The fee on what the account is short, shared by those who are short; what is long elsewhere needs no lender."""
        account = self.book.account[0]
        if self.borrow <= 0.0 or account["bar"] < account["first"]:
            return
        shorts = [
            np.where(part.book.symbols["qty"] < 0.0, -part.book.symbols["qty"], 0.0) for part in self.parts
        ]
        if not any(short.any() for short in shorts):
            return
        total = self._sum(shorts)
        s = self.book.symbols
        span = self.market.time[t] - self.market.time[t - 1]
        fee = np.where(s["qty"] < 0.0, -s["qty"], 0.0) * s["mark"] * self.borrow * span / DAY_NS / 365.0
        for n in np.flatnonzero(fee > 0.0).tolist():
            _charge(self.book, n, float(fee[n]))
        for part, short in zip(self.parts, shorts, strict=True):
            for k in np.flatnonzero(short > 0.0).tolist():
                n = part.columns[k]
                if fee[n] > 0.0:
                    _charge(part.book, k, float(fee[n] * (short[k] / total[n])))

    def _pay_fractions(self, t: int) -> None:
        """After a split the account holds what its parts hold: each has been paid the part of a share that is no lot."""
        if self.market.flags[t] & EVENT == 0 or not (self.market.panel[SPLIT, t] != 1.0).any():
            return
        held = self._sum([part.book.symbols["qty"] for part in self.parts])
        for n in np.flatnonzero(self.market.panel[SPLIT, t] != 1.0).tolist():
            exact = float(self.book.symbols["qty"][n])
            if exact != held[n]:
                _pay(self.book, n, float((held[n] - exact) * self.market.panel[DIVIDEND, t, n]))
                _settle(self.book, n, exact, float(held[n]), R_SPLIT)

    def _apply_halt(self, new: int) -> None:
        halt = int(self.book.account[0]["halt"])
        for part in self.parts:
            if new or int(part.book.account[0]["halt"]) & ~HALT_RUINED != halt:
                _halt_sleeve(part.book, halt, new, self.flattens)

    # -- the open

    def _open_market(self, t: int) -> None:
        due = self._due_orders(t)
        busy = {p for _, p, _, _, _ in due}
        if len(busy) == 1:  # nobody to meet, and nobody to share the volume with
            part = self.parts[busy.pop()]
            before = int(part.book.account[0]["fills"])
            _alone(part.market, part.book, t)
            self._mirror_fills(part, before)
        elif due:
            self._cross_orders(t, due)
            for reducing in (1, 0):
                self._send_to_venue(t, [row for row in due if row[0] == reducing])

    def _due_orders(self, t: int) -> list[tuple[int, int, int, int, float]]:
        """(reduces, part, row of the order, symbol of the account, signed quantity) of all orders that are due at the open."""
        found = []
        for p, part in enumerate(self.parts):
            account = part.book.account[0]
            if account["market_orders"] > 0:
                rows = np.empty((int(account["open_orders"]), 4))
                count = _due(part.market, part.book, t, rows)
                found += [
                    (int(reducing), p, int(order), int(part.columns[int(n)]), left)
                    for reducing, order, n, left in rows[:count].tolist()
                ]
        return found

    def _cross_orders(self, t: int, due: list[tuple[int, int, int, int, float]]) -> None:
        """Orders of two sides in one symbol fill each other at the open, as far as each can pay, in proportion, to the lot."""
        for n in dict.fromkeys(row[3] for row in due):
            sides: dict[float, list[tuple[SleeveRun, int, float]]] = {1.0: [], -1.0: []}
            for _, p, order, symbol, _ in due:
                part = self.parts[p]
                if symbol == n:
                    left = _left(part.book, order)
                    size = min(abs(left), _payable(part.market, part.book, t, order)) if left != 0.0 else 0.0
                    if size > 0.0:
                        sides[1.0 if left > 0.0 else -1.0].append((part, order, size))
            lot = max((float(part.market.info["lot"][int(np.flatnonzero(part.columns == n)[0])]) for part, _, _ in
                       sides[1.0] + sides[-1.0]), default=0.0)  # fmt: skip
            both = _lots(min(sum(size for *_, size in side) for side in sides.values()), lot)
            if both <= 0.0:
                continue
            self.crossed[n] += both
            for sign, side in sides.items():
                for (part, order, _), share in zip(
                    side, shares([size for *_, size in side], both, lot), strict=True
                ):
                    if share > 0.0:
                        _cross(part.market, part.book, t, order, sign * share)

    def _send_to_venue(self, t: int, due: list[tuple[int, int, int, int, float]]) -> None:
        """What is left goes to the venue: one order for each symbol and side, whose volume and impact its parts share."""
        done: set[tuple[int, float]] = set()
        for _, _, _, n, quantity in due:
            side = 1.0 if quantity > 0.0 else -1.0
            if (n, side) in done:
                continue
            done.add((n, side))
            group = [
                (self.parts[p], order, abs(left))
                for _, p, order, symbol, _ in due
                if symbol == n and (left := _left(self.parts[p].book, order)) * side > 0.0
            ]
            if group:
                self._fill_group(t, n, group)

    def _fill_group(self, t: int, n: int, group: list[tuple[SleeveRun, int, float]]) -> None:
        sizes = [size for *_, size in group]
        part = group[0][0]
        column = int(np.flatnonzero(part.columns == n)[0])
        room = self._room(part, column, n, t)
        total = min(sum(sizes), room)
        given = sizes if total == sum(sizes) else shares(sizes, total, float(part.market.info["lot"][column]))
        before = {id(part): int(part.book.account[0]["fills"]) for part, _, _ in group}
        for (part, order, _), share in zip(group, given, strict=True):
            if share > 0.0:
                _fill(part.market, part.book, t, order, share, total - share)
        parts = {id(part): part for part, _, _ in group}
        rows = [
            row
            for key, part in parts.items()
            for row in part.book.fills[before[key] : int(part.book.account[0]["fills"])]
        ]
        if rows:
            quantity, fee, slippage = (
                float(sum(row[name] for row in rows)) for name in ("quantity", "commission", "slippage")
            )
            _mirror(
                self.book, n, quantity, float(rows[0]["price"]), fee, slippage, MARKET, int(rows[0]["reason"])
            )

    def _room(self, part: SleeveRun, column: int, n: int, t: int) -> float:
        """How many shares of symbol n may still trade in the bar."""
        cap = float(part.book.rules[0]["volume_cap"])
        info = part.market.info[column]
        if cap <= 0.0 or int(part.book.account[0]["bar"]) < int(info["first_volume"]):
            return np.inf
        s = self.book.symbols[n]
        used = float(s["used"]) if s["used_bar"] == self.book.account[0]["bar"] else 0.0
        lot = float(info["lot"])
        return float(_lots(_lots(cap * self.market.panel[VOLUME, t, n], lot) - used, lot))

    # -- inside the bar

    def _after_open(self, t: int) -> None:
        s = self.book.symbols
        for part in self.parts:
            account = part.book.account[0]
            if account["open_orders"] == account["market_orders"] and part.book.rules[0]["exits_on"] <= 0.0:
                continue
            used = np.where(s["used_bar"] == self.book.account[0]["bar"], s["used"], 0.0)[part.columns]
            before = int(account["fills"])
            _rest(part.market, part.book, t, used)
            self._mirror_fills(part, before)

    def _mirror_fills(self, part: SleeveRun, before: int) -> None:
        fills = part.book.fills[before : int(part.book.account[0]["fills"])]
        for row in fills:
            kind = int(part.book.orders[int(row["order"])]["kind"])
            _mirror(
                self.book, int(part.columns[int(row["symbol"])]), float(row["quantity"]), float(row["price"]),
                float(row["commission"]), float(row["slippage"]), kind, int(row["reason"]),
            )  # fmt: skip

    # -- limits

    def _limit(self, t: int) -> None:
        """The account's limits over the sum of what its parts want; what they cut, all parts on that side give up in proportion."""
        wanted = [self._wanted(part, t) for part in self.parts]
        asked = self._keep_residuals(self._sum(wanted), self._sum([np.abs(weights) for weights in wanted]))
        works = np.zeros(len(asked), bool)
        for part in self.parts:
            works[part.columns] |= part.book.symbols["target_order"] >= 0
        self.book.symbols["target_order"] = np.where(works, netting.NETTED, -1)
        known = int(self.book.account[0]["decisions"])
        _accept(self.market, self.book, asked, t)
        accepted = self.book.symbols["accepted"].copy()
        self.book.symbols["ordered"] = accepted
        cut = np.flatnonzero(np.abs(accepted - asked) > SAME)
        if cut.size:
            log = self.book.decisions[known : int(self.book.account[0]["decisions"])]
            logged = {int(row["symbol"]): row for row in log}
            for n in cut.tolist():
                self._scale_symbol(n, float(asked[n]), float(accepted[n]), wanted, logged.get(n))

    def _keep_residuals(self, net: Floats, gross: Floats) -> Floats:
        """What the account is asked to hold (N,): the `net` of its parts. Where opposite wishes cancel, but the account holds what
        prices have made of them, that is a position with a slot like any other."""
        s, equity = self.book.symbols, float(self.book.account[0]["equity"])
        residual = (s["qty"] != 0.0) & (np.abs(net) <= SAME) & (gross > SAME)
        if equity <= 0.0 or not residual.any():
            return net
        return np.where(residual, s["qty"] * s["mark"] / equity, net)

    def _scale_symbol(self, n: int, total: float, allowed: float, wanted: list[Floats], verdict: Any) -> None:
        """Shrink what the parts want of symbol n, so that their sum is `allowed` instead of `total`."""
        side = np.sign(total)
        places = [
            (part, int(k), weights[k])
            for part, weights in zip(self.parts, wanted, strict=True)
            for k in np.flatnonzero(part.columns == n)
            if weights[k] * side > 0.0 and not isinstance(part.plan.strategy, OrderStrategy)
        ]
        same = sum(weight for *_, weight in places)
        if same == 0.0:
            return
        factor = min(1.0, max(0.0, (allowed - (total - same)) / same))
        rule, value, limit = 0, 0.0, 0.0
        if verdict is not None:
            rule, value, limit = int(verdict["rule"]), float(verdict["value"]), float(verdict["limit"])
        for part, k, _ in places:
            _shrink(part.book, k, factor, rule, value, limit)

    def _wanted(self, part: SleeveRun, t: int) -> Floats:
        """The shares (N,) of the account's equity that a part wants: what they were when it last changed its mind, for limits are
        looked at when something is decided and not because prices drift."""
        s = part.book.symbols
        ordering = isinstance(part.plan.strategy, OrderStrategy)
        now = (s["qty"] if ordering else s["accepted"]).copy()
        if ordering or counts_units(part.plan.strategy):
            close = part.market.panel[CLOSE, t]
            cash = now * np.where(np.isnan(close), s["mark"], close)
        else:
            cash = now * float(part.book.account[0]["equity"])
        equity = float(self.book.account[0]["equity"])
        changed = np.abs(now - part.seen) > SAME
        part.weights = np.where(changed, cash / equity if equity > 0.0 else 0.0, part.weights)
        part.seen = now
        return part.weights

    def _sum(self, values: Sequence[Floats]) -> Floats:
        """Values of the parts, each over its own symbols, added up over those of the account."""
        total = np.zeros(len(self.book.symbols))
        for part, own in zip(self.parts, values, strict=True):
            np.add.at(total, part.columns, own)
        return total


def shares(sizes: Sequence[float], total: float, lot: float) -> list[float]:
    """`total` shared in proportion to `sizes`, each to the lot; what is left over goes lot by lot, the first first."""
    whole = sum(sizes)
    given = [min(size, float(_lots(total * size / whole, lot))) for size in sizes]
    left = total - sum(given)
    for k, size in enumerate(sizes):
        more = min(left, size - given[k])
        if more > SAME:
            given[k] += more
            left -= more
    return given
