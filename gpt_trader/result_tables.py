"""The engine's records as named columns: words instead of codes, times instead of row numbers; arrays, no pandas."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gpt_trader.engine.records import (
    CASH,
    EQUITY,
    FILLED,
    GROSS,
    KINDS,
    NET,
    REASONS,
    RULES,
    STATUSES,
    VERDICTS,
)

if TYPE_CHECKING:
    from gpt_trader.result import Result

Records = NDArray[Any]
Columns = dict[str, NDArray[Any]]


def _texts(words: tuple[str, ...], codes: NDArray[Any]) -> NDArray[Any]:
    return np.array(words, dtype=object)[codes.astype(np.int64)]


def _common(result: Result, log: Records, bar: str) -> tuple[NDArray[Any], NDArray[Any]]:
    names = np.array(result.symbols, dtype=object)
    return names[log["symbol"]], result.bars.time[np.clip(log[bar], 0, None)]


def _sides(quantity: NDArray[Any], words: tuple[str, str]) -> NDArray[Any]:
    return np.where(quantity > 0, *[np.array(word, dtype=object) for word in words])


def equity(result: Result) -> Columns:
    """One row per bar: `gross`, `net` as shares of equity, `drawdown` from the highest equity so far, buy and hold beside."""
    account_curves = result.account_curves
    curve = account_curves[EQUITY]
    with np.errstate(divide="ignore", invalid="ignore"):
        gross, net = account_curves[GROSS] / curve, account_curves[NET] / curve
        drawdown = curve / np.maximum.accumulate(np.maximum(curve, result.settings.capital)) - 1.0
    benchmark = result.benchmark_equity
    return {
        "time": result.time, "equity": curve, "cash": account_curves[CASH], "gross": gross, "net": net, "drawdown": drawdown,
        "benchmark": np.full(curve.size, np.nan) if benchmark is None else benchmark,
    }  # fmt: skip


def orders(result: Result) -> Columns:
    """One row per order: `filled` in shares; `reason` why it exists, followed by why it ended when that differs."""
    log = result.log("orders")
    symbol, time = _common(result, log, "decided_bar")
    reason = _texts(REASONS, log["reason"])
    ended = (log["status"] > FILLED) & (log["end_reason"] != log["reason"])
    return {
        "order_id": np.arange(log.size), "parent_id": log["parent"].copy(), "decision_id": log["decision"].copy(),
        "symbol": symbol, "time": time, "side": _sides(log["quantity"], ("buy", "sell")), "quantity": np.abs(log["quantity"]),
        "kind": _texts(KINDS, log["kind"]), "limit": log["limit"].copy(), "stop": log["stop"].copy(),
        "status": _texts(STATUSES, log["status"]), "filled": np.abs(log["filled"]),
        "reason": reason, "end_reason": np.where(ended, _texts(REASONS, log["end_reason"]), ""),
    }  # fmt: skip


def fills(result: Result) -> Columns:
    """One row per execution."""
    log = result.log("fills")
    symbol, time = _common(result, log, "bar")
    return {
        "fill_id": np.arange(log.size), "order_id": log["order"].copy(), "symbol": symbol, "time": time,
        "side": _sides(log["quantity"], ("buy", "sell")), "quantity": np.abs(log["quantity"]), "price": log["price"].copy(),
        "commission": log["commission"].copy(), "slippage": log["slippage"].copy(), "reason": _texts(REASONS, log["reason"]),
    }  # fmt: skip


def closed_trades(result: Result) -> Columns:
    """One row per round trip; `mae` and `mfe` are the worst and best price inside it against its entry, as fractions."""
    log = result.log("trades")
    symbol, entry_time = _common(result, log, "entry_bar")
    worst, best = _excursions(result, log)
    return {
        "trade_id": np.arange(log.size), "symbol": symbol, "side": _sides(log["quantity"], ("long", "short")),
        "quantity": np.abs(log["quantity"]), "entry_time": entry_time, "entry_price": log["entry_price"].copy(),
        "exit_time": result.bars.time[log["exit_bar"]], "exit_price": log["exit_price"].copy(), "bars": log["bars"].copy(),
        "gross_pnl": log["gross_pnl"].copy(), "income": log["income"].copy(), "costs": log["costs"].copy(),
        "pnl": log["pnl"].copy(), "return_": log["return_"].copy(),
        "mae": worst, "mfe": best, "exit_reason": _texts(REASONS, log["reason"]),
    }  # fmt: skip


def _excursions(result: Result, log: Records) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Worst and best price between entry and exit, on the basis of the exit; the bars of entry and exit count by trade price."""
    bars = result.bars
    factor = bars.split_factor if bool((bars.split != 1.0).any()) else None
    worst, best = np.zeros(log.size), np.zeros(log.size)
    for i, row in enumerate(log):
        n, first, last = int(row["symbol"]), int(row["entry_bar"]) + 1, int(row["exit_bar"])
        low, high = bars.low[first:last, n], bars.high[first:last, n]
        if factor is not None:
            scale = factor[first:last, n] / factor[last, n]
            low, high = low * scale, high * scale
        entry, leave = float(row["entry_price"]), float(row["exit_price"])
        lowest = np.fmin(np.nanmin(low, initial=np.inf), min(entry, leave)) / entry - 1.0
        highest = np.fmax(np.nanmax(high, initial=-np.inf), max(entry, leave)) / entry - 1.0
        worst[i], best[i] = (lowest, highest) if row["quantity"] > 0 else (-highest, -lowest)
    return worst, best


def decisions(result: Result) -> Columns:
    """One row per decision that led to an order or was scaled or refused."""
    log = result.log("decisions")
    symbol, time = _common(result, log, "bar")
    return {
        "decision_id": np.arange(log.size), "time": time, "symbol": symbol, "target": log["target"].copy(),
        "accepted": log["accepted"].copy(), "verdict": _texts(VERDICTS, log["verdict"]), "rule": _texts(RULES, log["rule"]),
        "value": log["value"].copy(), "limit": log["limit"].copy(),
    }  # fmt: skip


def quantities(result: Result) -> NDArray[np.float64]:
    """(T, N) shares held at each close, rebuilt from the fills and the splits."""
    bars = result.bars
    held = np.zeros((bars.T, bars.N))
    log = result.log("fills")
    lots = np.ones(bars.N)
    for item in result.settings.instruments:
        lots[bars.symbols.index(item.symbol)] = item.lot
    np.add.at(held, (log["bar"], log["symbol"]), log["quantity"])
    splits = {
        n: np.flatnonzero(bars.split[:, n] != 1.0)
        for n in range(bars.N)
        if bool((bars.split[:, n] != 1.0).any())
    }
    for n in range(bars.N):
        held[:, n] = _with_splits(held[:, n], bars.split[:, n], lots[n], splits.get(n, ()))
    held[np.abs(held) < 1e-9] = 0.0
    return held


def _with_splits(
    changes: NDArray[np.float64], ratios: NDArray[np.float64], lot: float, rows: Any
) -> NDArray[np.float64]:
    """Running sum of `changes`, restated and cut to the lot at every split before that bar's fills."""
    out = np.empty_like(changes)
    start, held = 0, 0.0
    for row in [*rows, changes.size]:
        out[start:row] = held + np.cumsum(changes[start:row])
        held = out[row - 1] if row > start else held
        if row < changes.size:
            held *= ratios[row]
            held = np.sign(held) * np.floor(abs(held) / lot + 1e-9) * lot if lot else held
        start = row
    return out


def positions(result: Result) -> Columns:
    """One row per bar and symbol with a position at the close: value and open profit (price only) in cash."""
    bars = result.bars
    held = quantities(result)
    prices = _marks(result)
    t, n = np.nonzero(held)
    value = held[t, n] * prices[t, n]
    entry = _entries(result, held)
    return {
        "time": bars.time[t], "symbol": np.array(bars.symbols, dtype=object)[n], "quantity": held[t, n], "price": prices[t, n],
        "value": value, "weight": value / result.account_curves[EQUITY, t - result.first],
        "open_pnl": held[t, n] * (prices[t, n] - entry[t, n]),
    }  # fmt: skip


def _marks(result: Result) -> NDArray[np.float64]:
    """(T, N) last known price at each close: the close, the last close or fill before a gap, restated for splits."""
    bars = result.bars
    factor = bars.split_factor
    marks = bars.close * factor
    log = result.log("fills")
    gaps = np.isnan(marks)
    if gaps.any():
        for row in log[gaps[log["bar"], log["symbol"]]]:
            marks[row["bar"], row["symbol"]] = row["price"] * factor[row["bar"], row["symbol"]]
        rows = np.where(np.isnan(marks), 0, np.arange(bars.T)[:, None])
        marks = np.take_along_axis(marks, np.maximum.accumulate(rows, axis=0), axis=0)
    restated: NDArray[np.float64] = marks / factor
    return restated


def _entries(result: Result, held: NDArray[np.float64]) -> NDArray[np.float64]:
    """(T, N) average entry price at each close, on the raw basis of that bar; `held` (T, N) shares at each close."""
    bars = result.bars
    factor = bars.split_factor
    out = np.full((bars.T, bars.N), np.nan)
    log = result.log("fills")
    carried = held.copy()
    np.subtract.at(carried, (log["bar"], log["symbol"]), log["quantity"])
    state: dict[int, tuple[int, float, float]] = {}
    for row in log:
        t, n = int(row["bar"]), int(row["symbol"])
        quantity, price = float(row["quantity"]) / factor[t, n], float(row["price"]) * factor[t, n]
        bar, before, average = state.get(n, (-1, 0.0, np.nan))
        if bar != t:  # what a split left of the position
            before = carried[t, n] / factor[t, n] if abs(carried[t, n]) > 1e-9 else 0.0
        after = before + quantity
        if before == 0.0 or before * after < 0.0:
            average = price
        elif before * quantity > 0.0:
            average = (average * before + price * quantity) / after
        state[n] = (t, after if abs(after) > 1e-9 else 0.0, average)
        out[t, n] = average
    rows = np.where(np.isnan(out), 0, np.arange(bars.T)[:, None])
    filled: NDArray[np.float64] = (
        np.take_along_axis(out, np.maximum.accumulate(rows, axis=0), axis=0) / factor
    )
    return filled


TABLES: Mapping[str, Callable[[Result], Columns]] = {
    "equity": equity,
    "orders": orders,
    "fills": fills,
    "closed_trades": closed_trades,
    "positions": positions,
    "decisions": decisions,
}
